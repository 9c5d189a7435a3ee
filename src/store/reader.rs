//! Shell: what HTTP asks of the disk. Its connections are its own and only read, so nothing here can
//! hold up a commit (SQLite's write-ahead log), and nothing here is called from the hot path.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockWriteGuard, TryLockError};

use rusqlite::{Connection, Row, named_params};

use super::schema::{self, Unfit};
use crate::readiness::snapshot::Transition;
use crate::words::{ProbeName, TenantName, Wall};

/// Reads the history. Cheap to clone; calls block on the disk, so call it where blocking is fine.
#[derive(Clone, Debug)]
pub struct Reader {
    shared: Arc<Shared>,
}

/// Which transitions are wanted: all that is `None` is not asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransitionQuery {
    /// At this moment or later.
    pub since: Option<Wall>,
    pub tenant: Option<TenantName>,
    pub probe: Option<ProbeName>,
    /// At most [`Reader::TRANSITIONS_MAX`].
    pub limit: usize,
}

/// The store could not be read.
#[derive(Debug, thiserror::Error)]
#[error("the history cannot be read: {0}")]
pub struct ReadError(String);

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    /// Grows when the file is replaced (quarantine): connections to the old one are dropped.
    generation: AtomicU64,
    idle: Mutex<Vec<(u64, Connection)>>,
    /// Held, shared, by each who reads.
    reading: RwLock<()>,
    /// The file is wanted closed: who reads may end, and nobody begins.
    closing: AtomicBool,
}

impl Reader {
    pub const TRANSITIONS_MAX: usize = 1000;
    /// Connections kept open between calls.
    const IDLE_MAX: usize = 4;

    pub(super) fn new(path: PathBuf) -> Reader {
        let shared = Shared {
            path,
            generation: AtomicU64::new(0),
            idle: Mutex::default(),
            reading: RwLock::default(),
            closing: AtomicBool::new(false),
        };
        Reader {
            shared: Arc::new(shared),
        }
    }

    /// The file is another one now.
    pub(super) fn forget(&self) {
        self.shared.generation.fetch_add(1, Ordering::AcqRel);
    }

    /// Nobody has the file open, and nobody opens it while this is held; `None`: somebody reads just now. From the first
    /// call on nobody begins to read until it was given: readers that follow each other would keep it from the writer.
    pub(super) fn shut(&self) -> Option<RwLockWriteGuard<'_, ()>> {
        self.shared.closing.store(true, Ordering::Release);
        let shut = match self.shared.reading.try_write() {
            Ok(shut) => shut,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        self.idle().clear();
        self.shared.closing.store(false, Ordering::Release);
        Some(shut)
    }

    /// The stored bodies of the aligned window that starts then (Unix seconds), by tenant; empty when it is not kept.
    ///
    /// # Errors
    /// When the file cannot be opened or read.
    pub fn windows(&self, start: i64) -> Result<Vec<(TenantName, Vec<u8>)>, ReadError> {
        self.read(|connection| {
            let mut query =
                connection.prepare_cached("SELECT tenant, body FROM windows WHERE start = ?1 ORDER BY tenant")?;
            let rows = query.query_map([start], |row| Ok((tenant(row, 0)?, row.get(1)?)))?;
            rows.collect()
        })
    }

    /// Newest first.
    ///
    /// # Errors
    /// When the file cannot be opened or read.
    pub fn transitions(&self, wanted: &TransitionQuery) -> Result<Vec<Transition>, ReadError> {
        self.read(|connection| transitions(connection, wanted))
    }

    /// Five-minute totals (start in Unix seconds, tenant, JSON) of windows that start in `from..to`, oldest first.
    ///
    /// # Errors
    /// When the file cannot be opened or read.
    pub fn rollups(&self, from: i64, to: i64) -> Result<Vec<(i64, TenantName, String)>, ReadError> {
        self.read(|connection| {
            let mut query = connection.prepare_cached(
                "SELECT start, tenant, body FROM rollups WHERE start >= ?1 AND start < ?2 ORDER BY start, tenant",
            )?;
            let rows = query.query_map([from, to], |row| Ok((row.get(0)?, tenant(row, 1)?, row.get(2)?)))?;
            rows.collect()
        })
    }

    pub(super) fn read<T>(&self, ask: impl Fn(&Connection) -> rusqlite::Result<T>) -> Result<T, ReadError> {
        if self.shared.closing.load(Ordering::Acquire) {
            return Err(ReadError("the store is being opened again after a failure".into()));
        }
        let _reading = self.shared.reading.read().unwrap_or_else(PoisonError::into_inner);
        let generation = self.shared.generation.load(Ordering::Acquire);
        let kept = {
            let mut idle = self.idle();
            idle.retain(|(of, _)| *of == generation);
            idle.pop()
        };
        let connection = match kept {
            Some((_, connection)) => connection,
            None => schema::open_to_read(&self.shared.path).map_err(|unfit| ReadError(unfit.reason()))?,
        };
        let answer = ask(&connection).map_err(|error| ReadError(error.to_string()))?;
        let mut idle = self.idle();
        if idle.len() < Self::IDLE_MAX {
            idle.push((generation, connection));
        }
        Ok(answer)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<(u64, Connection)>> {
        self.shared.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn transitions(connection: &Connection, wanted: &TransitionQuery) -> rusqlite::Result<Vec<Transition>> {
    let mut query = connection.prepare_cached(
        "SELECT at, tenant, probe, was, became, summary, since, last_good, first_bad FROM transitions
         WHERE kind = 0 AND at >= :since AND (:tenant IS NULL OR tenant = :tenant) AND (:probe IS NULL OR probe = :probe)
         ORDER BY at DESC, id DESC LIMIT :limit",
    )?;
    let rows = query.query_map(
        named_params! {
            ":since": wanted.since.map_or(i64::MIN, Wall::as_millis),
            ":tenant": wanted.tenant.as_ref().map(TenantName::as_str),
            ":probe": wanted.probe.as_ref().map(ProbeName::as_str),
            ":limit": i64::try_from(wanted.limit.min(Reader::TRANSITIONS_MAX)).unwrap_or(0),
        },
        transition,
    )?;
    rows.collect()
}

/// Bytes of the file and of its write-ahead log; 0 for what is not there.
pub(super) fn bytes(path: &Path) -> (u64, u64) {
    let size = |path: &Path| std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    (size(path), size(Path::new(&log)))
}

pub(super) fn tenant(row: &Row<'_>, column: usize) -> rusqlite::Result<TenantName> {
    let name: String = row.get(column)?;
    TenantName::try_from(name).map_err(|error| unreadable(column, error))
}

/// Columns: at, tenant, probe, was, became, summary, since, last_good, first_bad.
pub(super) fn transition(row: &Row<'_>) -> rusqlite::Result<Transition> {
    let tenant: Option<String> = row.get(1)?;
    let probe: Option<String> = row.get(2)?;
    Ok(Transition {
        at: Wall::from_millis(row.get(0)?),
        tenant: tenant
            .map(TenantName::try_from)
            .transpose()
            .map_err(|error| unreadable(1, error))?,
        probe: probe
            .map(ProbeName::try_from)
            .transpose()
            .map_err(|error| unreadable(2, error))?,
        from: row.get(3)?,
        to: row.get(4)?,
        summary: row.get(5)?,
        since: row.get::<_, Option<i64>>(6)?.map(wall),
        last_good_at: row.get::<_, Option<i64>>(7)?.map(wall),
        first_bad_at: row.get::<_, Option<i64>>(8)?.map(wall),
    })
}

pub(super) const fn wall(unix_millis: i64) -> Wall {
    Wall::from_millis(unix_millis)
}

fn unreadable(column: usize, error: String) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, error.into())
}

impl Unfit {
    pub(super) fn reason(&self) -> String {
        match self {
            Unfit::Corrupt(reason) | Unfit::Short(reason) | Unfit::Io(reason) => reason.clone(),
            Unfit::Newer { found, written_by } => format!("it was written by readyd {written_by} (schema {found})"),
        }
    }
}
