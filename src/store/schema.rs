//! Shell: the tables, how a connection is set up, and how an older file becomes a newer one.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension, ffi};

use crate::clock;

/// What this readyd writes. A file with a higher number is left alone ([`super::OpenError::Newer`]).
pub(super) const VERSION: i32 = 3;

/// `rdyd`: tells our file from any other SQLite file (`PRAGMA application_id`).
const APPLICATION_ID: i32 = 0x7264_7964;

/// How long a statement waits for another process's lock (a person with `sqlite3`, a backup) before it is a failed commit.
const BUSY_MAX: Duration = Duration::from_secs(1);

/// What a start reads is looked through by `quick_check` before it is believed: some milliseconds. Windows, rollups and
/// transitions are history, and all but all of the file: they are checked as they are used, so that a restart stays quick
/// (reading through 54 MiB took 150 ms).
const CHECKED_TABLES: [&str; 6] = ["header", "log", "producers", "marks", "state", "slots"];

/// In a file beyond this even those are checked as they are used.
pub(super) const QUICK_CHECK_BYTES_MAX: u64 = 256 << 20;

/// A node's database is some megabytes; far beyond that something is wrong, and filling the disk would not help.
const DATABASE_BYTES_MAX: i64 = 16 << 30;

const PAGE_BYTES: i64 = 4096;

const TABLES: &str = "
CREATE TABLE header (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    -- Grows with each commit: tells whether a commit of unknown outcome is in.
    commit_no INTEGER NOT NULL,
    -- The last log id that was given out, also when its row is folded and gone.
    log_id INTEGER NOT NULL,
    -- The readyd that last wrote here.
    written_by TEXT NOT NULL,
    -- Unix milliseconds: of what was before, changes or times unwatched are missing.
    history_from INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE log (id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE producers (
    producer TEXT NOT NULL,
    epoch TEXT NOT NULL,
    uid INTEGER NOT NULL,
    -- u64 in two's complement.
    last_seq INTEGER NOT NULL,
    seen INTEGER NOT NULL,
    -- Order of first appearance: the eight newest epochs of a producer are kept.
    born INTEGER NOT NULL,
    retired INTEGER NOT NULL,
    PRIMARY KEY (producer, epoch)
) STRICT, WITHOUT ROWID;
-- What sources within readyd remember of what they have counted; see `Mark`.
CREATE TABLE marks (
    source TEXT NOT NULL,
    key TEXT NOT NULL,
    body TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (source, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE state (key TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE transitions (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    tenant TEXT,
    probe TEXT,
    was TEXT NOT NULL,
    became TEXT NOT NULL,
    summary TEXT NOT NULL,
    -- 0: a change. 1: nobody watched from `since` until `at`; `summary` says why, all else is empty.
    kind INTEGER NOT NULL DEFAULT 0,
    since INTEGER,
    last_good INTEGER,
    first_bad INTEGER
) STRICT;
CREATE INDEX transitions_at ON transitions (at);
CREATE TABLE slots (start INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE windows (start INTEGER NOT NULL, tenant TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (start, tenant)) STRICT;
CREATE TABLE rollups (
    start INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (start, tenant)
) STRICT, WITHOUT ROWID;
";

/// Version 1 did not keep when nobody watched, nor since when what a change ended had held.
const FROM_1_TO_2: &str = "
ALTER TABLE header ADD COLUMN history_from INTEGER NOT NULL DEFAULT 0;
ALTER TABLE transitions ADD COLUMN kind INTEGER NOT NULL DEFAULT 0;
ALTER TABLE transitions ADD COLUMN since INTEGER;
ALTER TABLE transitions ADD COLUMN last_good INTEGER;
ALTER TABLE transitions ADD COLUMN first_bad INTEGER;
";

/// Verdicts and times unwatched are read for every report, checks for those that name them.
const INDICES: &str = "
CREATE INDEX transitions_verdicts ON transitions (kind, at) WHERE probe IS NULL;
CREATE INDEX transitions_checks ON transitions (tenant, at) WHERE probe IS NOT NULL;
";

/// Why a file cannot be used as it is.
#[derive(Debug)]
pub(super) enum Unfit {
    /// Damaged, or not ours: it is set aside.
    Corrupt(String),
    /// Too short for its own pages: damage when it is opened; of an open one the next opening says what it is.
    Short(String),
    /// Written by a later readyd: never set aside.
    Newer { found: i32, written_by: String },
    /// It may well be fine, and cannot be used now: no space, no permission, I/O.
    Io(String),
}

/// The writer's connection: set up, checked and brought to [`VERSION`].
///
/// # Errors
/// See [`Unfit`].
pub(super) fn open(path: &Path, first: bool) -> Result<Connection, Unfit> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    super::open::private_file(path).map_err(|error| Unfit::Io(error.to_string()))?;
    let mut connection = Connection::open_with_flags(path, flags)?;
    // A handle that failed is dropped without a last checkpoint: see `Database::close`.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.busy_timeout(BUSY_MAX)?;
    refuse_foreign(&connection)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Without effect but on macOS, where a plain fsync leaves data in the drive's cache.
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "checkpoint_fullfsync", true)?;
    // `Database::checkpoint_when_due` does it, and hears of its failures.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", 16 << 20)?;
    // 1 MiB: a prototype's 64 MB of cache bought nothing, a commit touches few pages.
    connection.pragma_update(None, "cache_size", -1024)?;
    connection.pragma_update(None, "max_page_count", DATABASE_BYTES_MAX / PAGE_BYTES)?;
    if first {
        check_quickly(&connection, path)?;
    }
    migrate(&mut connection)?;
    Ok(connection)
}

/// A connection that only reads, beside the writer.
///
/// # Errors
/// See [`Unfit`].
pub(super) fn open_to_read(path: &Path) -> Result<Connection, Unfit> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_MAX)?;
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "cache_size", -512)?;
    Ok(connection)
}

/// Reads a file that nobody else has open, where nothing can be written beside it: a full or read-only disk.
///
/// # Errors
/// See [`Unfit`].
pub(super) fn open_unwritable(path: &Path) -> Result<Connection, Unfit> {
    // A full disk: the write-ahead log's index is kept in memory, as nobody shares it.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let exclusive = Connection::open_with_flags(path, flags)?;
    exclusive.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    let failure = match refuse_foreign(&exclusive) {
        Ok(()) => return Ok(exclusive),
        Err(Unfit::Io(reason)) => reason,
        Err(unfit) => return Err(unfit),
    };
    drop(exclusive);
    // A read-only one, after a kill: the index is still there, and is read.
    let beside = open_to_read(path)?;
    match refuse_foreign(&beside) {
        Ok(()) => return Ok(beside),
        Err(Unfit::Io(_)) => {}
        Err(unfit) => return Err(unfit),
    }
    // The same after an orderly end: there is nothing but the file.
    if super::reader::bytes(path).1 > 0 {
        return Err(Unfit::Io(failure));
    }
    let escaped = path
        .to_string_lossy()
        .replace('%', "%25")
        .replace('?', "%3f")
        .replace('#', "%23");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    let immutable = Connection::open_with_flags(format!("file:{escaped}?immutable=1"), flags)?;
    refuse_foreign(&immutable)?;
    Ok(immutable)
}

fn refuse_foreign(connection: &Connection) -> Result<(), Unfit> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let (found, application) = (pragma("user_version")?, pragma("application_id")?);
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let ours = application == APPLICATION_ID && found > 0;
    if !ours && (tables > 0 || found != 0) {
        return Err(Unfit::Corrupt("it is a database of some other program".into()));
    }
    if found > VERSION {
        let written_by = connection
            .query_row("SELECT written_by FROM header", [], |row| row.get(0))
            .optional()
            .ok()
            .flatten()
            .unwrap_or_else(|| "a later version".into());
        return Err(Unfit::Newer { found, written_by });
    }
    Ok(())
}

fn check_quickly(connection: &Connection, path: &Path) -> Result<(), Unfit> {
    let size = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    if size > QUICK_CHECK_BYTES_MAX {
        return Ok(());
    }
    let is_new = connection.pragma_query_value(None, "user_version", |row| row.get::<_, i32>(0))? == 0;
    for table in CHECKED_TABLES.iter().filter(|_| !is_new) {
        let check = format!("PRAGMA quick_check({table})");
        let verdict: String = connection.query_row(&check, [], |row| row.get(0))?;
        if verdict != "ok" {
            return Err(Unfit::Corrupt(verdict));
        }
    }
    Ok(())
}

fn migrate(connection: &mut Connection) -> Result<(), Unfit> {
    let found: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    if found == 0 {
        transaction.execute_batch(TABLES)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.execute(
            "INSERT INTO header VALUES (1, 0, 0, ?1, 0)",
            [env!("CARGO_PKG_VERSION")],
        )?;
    }
    // Steps from older versions go here, one `if found < N` each, in order.
    if found == 1 {
        transaction.execute_batch(FROM_1_TO_2)?;
    }
    if found < 2 {
        transaction.execute_batch(INDICES)?;
        let now = clock::wall().as_millis();
        transaction.execute("UPDATE header SET history_from = ?1", [now])?;
    }
    // Version 3 has the same tables; its bodies have a sum, and an earlier readyd would take them for unreadable.
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.execute("UPDATE header SET written_by = ?1", [env!("CARGO_PKG_VERSION")])?;
    transaction.commit()?;
    Ok(())
}

impl From<rusqlite::Error> for Unfit {
    fn from(error: rusqlite::Error) -> Unfit {
        use rusqlite::Error::{FromSqlConversionFailure, IntegralValueOutOfRange, InvalidColumnType, Utf8Error};
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        let extended = error.sqlite_error().map(|error| error.extended_code);
        if extended == Some(ffi::SQLITE_IOERR_SHORT_READ) {
            return Unfit::Short(error.to_string());
        }
        let is_corrupt = match &error {
            // A row that readyd cannot have written: to read it again would not help.
            FromSqlConversionFailure(..) | IntegralValueOutOfRange(..) | InvalidColumnType(..) | Utf8Error(..) => true,
            _ => matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase)),
        };
        match is_corrupt {
            true => Unfit::Corrupt(error.to_string()),
            false => Unfit::Io(error.to_string()),
        }
    }
}
