//! Shell: the writer's handle: one transaction a commit, and what is done when one fails.
//!
//! A failed fsync may have thrown away what it could not write, and the next one on the same handle
//! then lies. So a handle on which anything failed is dropped without a checkpoint, and the file is opened
//! again; what the log holds is then written once more by that new handle (a full checkpoint)
//! before it is believed.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::open::side_file;
use super::pending::{Kept, KeptFold, Pending, ProducerChanges};
use super::schema::{self, Unfit};
use super::{MergeWindow, Restored, history};
use crate::ingest::delta::{Batch, Mark};
use crate::ingest::registry::ProducerRow;
use crate::sealed::{seal, unseal};
use crate::words::Wall;

/// First byte of a log body: postcard of [`Batch`] follows, and a sum over both.
const BODY_FORMAT: u8 = 3;
/// Without a sum; it is read, and written no more.
const BODY_UNSEALED: u8 = 2;

/// A log of so many pages (4 MiB) is taken into the main file.
const LOG_PAGES_MAX: i64 = 1000;

/// Device and inode: tells a file from another one of the same name.
type FileId = (u64, u64);

/// What [`Database::reopen`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The same file. `landed`: the commit that failed is on disk after all.
    Same { landed: bool },
    /// The same file, and commits that succeeded are no longer in it.
    Behind,
    /// It is not there, or another file has its name. Nothing was opened.
    Elsewhere,
}

#[derive(Debug)]
pub(super) struct Database {
    path: PathBuf,
    /// `None` after a failure, until [`Database::reopen`].
    connection: Option<Connection>,
    commit_no: i64,
    /// The last log id that was given out.
    log_id: i64,
    /// The file that was opened last, and its write-ahead log.
    file: Option<FileId>,
    wal: Option<FileId>,
    merge: MergeWindow,
    #[cfg(test)]
    pub(super) fault: super::tests::Fault,
}

impl Database {
    /// Opens, checks and migrates.
    pub fn open(path: &Path, merge: MergeWindow) -> Result<Database, Unfit> {
        let mut database = Database::closed(path, merge);
        let connection = schema::open(path, true)?;
        (database.commit_no, database.log_id) = header(&connection)?;
        database.take_up(connection);
        Ok(database)
    }

    /// One that could not be opened yet: [`Database::reopen`] is what comes next.
    pub fn closed(path: &Path, merge: MergeWindow) -> Database {
        Database {
            path: path.into(),
            connection: None,
            commit_no: 0,
            log_id: 0,
            file: None,
            wal: None,
            merge,
            #[cfg(test)]
            fault: super::tests::Fault::default(),
        }
    }

    pub fn is_open(&self) -> bool {
        self.connection.is_some()
    }

    pub fn merge_window(&self) -> MergeWindow {
        self.merge
    }

    /// The id of the next batch: given out once, whether or not its commit succeeds.
    pub fn next_log_id(&mut self) -> i64 {
        self.log_id += 1;
        self.log_id
    }

    /// What a start needs to know.
    pub fn restore(&self) -> Result<(Restored, Vec<ProducerRow>), Unfit> {
        match &self.connection {
            Some(connection) => restore(connection),
            None => Ok((Restored::default(), Vec::new())),
        }
    }

    /// What can be read of a file that cannot be written now. Log ids go on after those found.
    pub fn restore_read_only(&mut self) -> Result<(Restored, Vec<ProducerRow>), Unfit> {
        let connection = schema::open_unwritable(&self.path)?;
        (self.commit_no, self.log_id) = header(&connection)?;
        self.file = file_id(&self.path);
        restore(&connection)
    }

    /// All of `pending` in one transaction, or nothing of it. Returns how many events lost their endpoint's name in
    /// merges.
    ///
    /// A commit into a file that has lost its name (somebody deleted it) is an error like any other: nobody would
    /// find it at the next start.
    ///
    /// # Errors
    /// The handle is closed then. Whether the commit is in is told by [`Database::reopen`]: an error of `COMMIT`
    /// itself does not tell.
    pub fn commit(&mut self, pending: &Pending, now: Wall, prune: bool) -> Result<u64, Unfit> {
        let done = match &mut self.connection {
            Some(connection) => {
                let next = (self.commit_no + 1, self.log_id);
                write(connection, pending, next, prune.then_some(now), self.merge)
            }
            None => Err(Unfit::Io("it is not open".into())),
        };
        #[cfg(test)]
        let done = self.fault.after_commit(done);
        let done = done.and_then(|folded| {
            self.stay_in_place()?;
            Ok(folded)
        });
        match done {
            Ok(folded) => {
                self.commit_no += 1;
                Ok(folded)
            }
            Err(unfit) => {
                self.connection = None;
                Err(unfit)
            }
        }
    }

    /// Opens the file again after a failure.
    pub fn reopen(&mut self) -> Result<Found, Unfit> {
        if self.file.is_some() && file_id(&self.path) != self.file {
            return Ok(Found::Elsewhere);
        }
        let connection = schema::open(&self.path, false)?;
        checkpoint(&connection)?;
        let (commit_no, log_id) = header(&connection)?;
        let found = if commit_no < self.commit_no {
            Found::Behind
        } else {
            let landed = commit_no == self.commit_no + 1;
            Found::Same { landed }
        };
        self.commit_no = commit_no;
        self.log_id = self.log_id.max(log_id);
        self.take_up(connection);
        Ok(found)
    }

    /// A new file where a corrupt one was; ids go on, since the engine remembers the old ones.
    pub fn begin_anew(&mut self) -> Result<(), Unfit> {
        let connection = schema::open(&self.path, true)?;
        self.commit_no = header(&connection)?.0;
        self.take_up(connection);
        Ok(())
    }

    /// Takes the log into the main file when it is long. SQLite's own checkpoint does this too, within a commit, and keeps
    /// to itself that it failed: the log would grow until the disk is full, and one whose sync failed would be tried again
    /// on the same descriptor.
    ///
    /// # Errors
    /// The handle is closed then; what was committed stays so.
    pub fn checkpoint_when_due(&mut self) -> Result<(), Unfit> {
        let Some(connection) = &self.connection else {
            return Ok(());
        };
        let done = checkpoint_beyond(connection, LOG_PAGES_MAX);
        #[cfg(test)]
        let done = self.fault.after_checkpoint(done);
        if done.is_err() {
            self.connection = None;
        }
        done.map(|_| ())
    }

    fn take_up(&mut self, connection: Connection) {
        self.file = file_id(&self.path);
        self.wal = file_id(&side_file(&self.path, "-wal"));
        self.connection = Some(connection);
    }

    /// Whether what was just committed will be found under the file's name.
    fn stay_in_place(&self) -> Result<(), Unfit> {
        if file_id(&self.path) != self.file {
            return Err(Unfit::Io(
                "readyd.sqlite was deleted or replaced while readyd ran".into(),
            ));
        }
        if file_id(&side_file(&self.path, "-wal")) != self.wal {
            // This handle still has it open: what it holds goes into the main file before the handle is dropped.
            if let Some(connection) = &self.connection {
                checkpoint(connection)?;
            }
            return Err(Unfit::Io(
                "readyd.sqlite-wal was deleted or replaced while readyd ran".into(),
            ));
        }
        Ok(())
    }

    /// Drops the handle without touching the disk.
    pub fn close(&mut self) {
        self.connection = None;
    }

    /// The last act of an orderly end: an empty write-ahead log makes the next start quick.
    pub fn finish(&mut self) {
        if let Some(connection) = self.connection.take()
            && let Err(unfit) = checkpoint(&connection)
        {
            tracing::debug!(
                reason = unfit.reason(),
                "the write-ahead log stays; the next start reads it"
            );
        }
    }
}

fn file_id(path: &Path) -> Option<FileId> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// `true`: it was done, or as much of it as those who read leave to be done.
fn checkpoint_beyond(connection: &Connection, pages_max: i64) -> Result<bool, Unfit> {
    // How many pages the log holds, and how many of them the main file has already.
    let (pages, done): (i64, i64) =
        connection.query_row("PRAGMA wal_checkpoint(NOOP)", [], |row| Ok((row.get(1)?, row.get(2)?)))?;
    if pages < pages_max || done == pages {
        return Ok(false);
    }
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()))?;
    Ok(true)
}

fn checkpoint(connection: &Connection) -> Result<(), Unfit> {
    let busy: i64 = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if busy != 0 {
        return Err(Unfit::Io("somebody else reads or writes the database for long".into()));
    }
    Ok(())
}

fn header(connection: &Connection) -> Result<(i64, i64), Unfit> {
    let header = connection
        .query_row("SELECT commit_no, log_id FROM header", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .optional()?;
    header.ok_or_else(|| Unfit::Corrupt("its header row is missing".into()))
}

fn restore(connection: &Connection) -> Result<(Restored, Vec<ProducerRow>), Unfit> {
    let mut restored = Restored::default();
    let mut query = connection.prepare("SELECT key, body FROM state")?;
    for row in query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))? {
        let (key, body) = row?;
        restored.state.insert(key, body);
    }
    let mut query = connection.prepare("SELECT start, body FROM slots ORDER BY start")?;
    restored.slots = query
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let mut query = connection.prepare(
        "SELECT start, tenant, body FROM windows
         WHERE start IN (SELECT DISTINCT start FROM windows ORDER BY start DESC LIMIT 5) ORDER BY start, tenant",
    )?;
    restored.windows = query
        .query_map([], |row| Ok((row.get(0)?, super::reader::tenant(row, 1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    let mut query = connection.prepare("SELECT id, body FROM log ORDER BY id")?;
    for row in query.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?)))? {
        let (id, body) = row?;
        let batch = decode(&body).ok_or_else(|| Unfit::Corrupt(format!("log entry {id} cannot be read")))?;
        restored.log.push(Batch { log_id: id, ..batch });
    }
    let mut query = connection.prepare("SELECT source, key, body, at FROM marks ORDER BY at")?;
    restored.marks = query
        .query_map([], |row| {
            Ok(Mark {
                source: row.get::<_, String>(0)?.into(),
                key: row.get::<_, String>(1)?.into(),
                body: row.get::<_, String>(2)?.into(),
                at: Wall::from_millis(row.get(3)?),
            })
        })?
        .collect::<Result<_, _>>()?;
    let mut query = connection.prepare("SELECT producer, epoch, uid, last_seq, seen, born, retired FROM producers")?;
    let producers = query
        .query_map([], |row| {
            Ok(ProducerRow {
                producer: row.get::<_, String>(0)?.into(),
                epoch: row.get::<_, String>(1)?.into(),
                uid: row.get(2)?,
                last_seq: row.get::<_, i64>(3)?.cast_unsigned(),
                seen: Wall::from_millis(row.get(4)?),
                born: row.get(5)?,
                retired: row.get(6)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok((restored, producers))
}

fn write(
    connection: &mut Connection,
    pending: &Pending,
    (commit_no, log_id): (i64, i64),
    prune_at: Option<Wall>,
    merge: MergeWindow,
) -> Result<u64, Unfit> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    transaction
        .prepare_cached("UPDATE header SET commit_no = ?1, log_id = ?2")?
        .execute([commit_no, log_id])?;
    for batch in &pending.batches {
        transaction
            .prepare_cached("INSERT INTO log (id, body) VALUES (?1, ?2)")?
            .execute(params![batch.log_id, encode(batch)?])?;
    }
    write_producers(&transaction, &pending.producers)?;
    for ((source, key), (body, at)) in &pending.marks {
        transaction
            .prepare_cached(
                "INSERT INTO marks VALUES (?1, ?2, ?3, ?4) ON CONFLICT (source, key) DO UPDATE SET body = ?3, at = ?4",
            )?
            .execute(params![source, key, body, at.as_millis()])?;
    }
    let folded = match &pending.persist {
        Some(kept) => write_kept(&transaction, kept, merge)?,
        None => 0,
    };
    if let Some(now) = prune_at {
        history::prune(&transaction, now)?;
        let oldest = now.as_millis().saturating_sub(Mark::BARE_KEPT_MS);
        transaction.execute("DELETE FROM marks WHERE body = '' AND at < ?1", [oldest])?;
    }
    transaction.commit()?;
    Ok(folded)
}

fn write_producers(transaction: &Transaction<'_>, producers: &ProducerChanges) -> Result<(), Unfit> {
    for ((producer, epoch), row) in producers {
        match row {
            Some(row) => transaction
                .prepare_cached(
                    "INSERT INTO producers VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (producer, epoch)
                     DO UPDATE SET uid = ?3, last_seq = ?4, seen = ?5, born = ?6, retired = ?7",
                )?
                .execute(params![
                    producer,
                    epoch,
                    row.uid,
                    row.last_seq.cast_signed(),
                    row.seen.as_millis(),
                    row.born,
                    row.retired,
                ])?,
            None => transaction
                .prepare_cached("DELETE FROM producers WHERE producer = ?1 AND epoch = ?2")?
                .execute(params![producer, epoch])?,
        };
    }
    Ok(())
}

fn write_kept(transaction: &Transaction<'_>, kept: &Kept, merge: MergeWindow) -> Result<u64, Unfit> {
    for (key, body) in &kept.state {
        match body {
            Some(body) => transaction
                .prepare_cached("INSERT INTO state VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET body = ?2")?
                .execute(params![key, body])?,
            None => transaction
                .prepare_cached("DELETE FROM state WHERE key = ?1")?
                .execute([key])?,
        };
    }
    history::write(transaction, &kept.history)?;
    match &kept.fold {
        Some(fold) => write_fold(transaction, fold, merge),
        None => Ok(0),
    }
}

fn write_fold(transaction: &Transaction<'_>, fold: &KeptFold, merge: MergeWindow) -> Result<u64, Unfit> {
    transaction.execute("DELETE FROM log WHERE id <= ?1", [fold.upto])?;
    for (start, body) in &fold.slots {
        transaction
            .prepare_cached("INSERT INTO slots VALUES (?1, ?2) ON CONFLICT (start) DO UPDATE SET body = ?2")?
            .execute(params![start, body])?;
    }
    transaction.execute("DELETE FROM slots WHERE start < ?1", [fold.slots_from])?;
    const WINDOW: &str = "INSERT INTO windows VALUES (?1, ?2, ?3) ON CONFLICT (start, tenant) DO UPDATE SET body = ?3";
    for ((start, tenant), body) in &fold.windows {
        transaction
            .prepare_cached(WINDOW)?
            .execute(params![start, tenant.as_str(), body])?;
    }
    const ROLLUP: &str = "INSERT INTO rollups VALUES (?1, ?2, ?3) ON CONFLICT (start, tenant) DO UPDATE SET body = ?3";
    for ((start, tenant), body) in &fold.rollups {
        transaction
            .prepare_cached(ROLLUP)?
            .execute(params![start, tenant.as_str(), body])?;
    }
    // After the rollups: where commits failed for long, one of those may be of before the late part.
    let mut folded = fold.folded;
    for ((start, tenant), body) in &fold.late {
        let old: Option<Vec<u8>> = transaction
            .prepare_cached("SELECT body FROM windows WHERE start = ?1 AND tenant = ?2")?
            .query_row(params![start, tenant.as_str()], |row| row.get(0))
            .optional()?;
        let merged = merge(old.as_deref(), body);
        folded = folded.saturating_add(merged.folded);
        transaction
            .prepare_cached(WINDOW)?
            .execute(params![start, tenant.as_str(), merged.body])?;
        if let Some(rollup) = merged.rollup {
            transaction
                .prepare_cached(ROLLUP)?
                .execute(params![start, tenant.as_str(), rollup])?;
        }
    }
    transaction.execute("DELETE FROM windows WHERE start < ?1", [fold.windows_from])?;
    transaction.execute("DELETE FROM rollups WHERE start < ?1", [fold.rollups_from])?;
    Ok(folded)
}

fn encode(batch: &Batch) -> Result<Vec<u8>, Unfit> {
    let body = postcard::to_extend(batch, vec![BODY_FORMAT]);
    body.map(seal)
        .map_err(|error| Unfit::Io(format!("a log entry: {error}")))
}

fn decode(body: &[u8]) -> Option<Batch> {
    let body = match *body.first()? {
        BODY_FORMAT => unseal(body)?,
        BODY_UNSEALED => body,
        _ => return None,
    };
    postcard::from_bytes(&body[1..]).ok()
}
