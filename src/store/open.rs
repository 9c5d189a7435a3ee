//! Shell: the state directory: who owns it, and what is found there at the start.

#![expect(clippy::disallowed_methods, reason = "shell: opens files and directories")]

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{FlockOperation, flock};

use super::database::Database;
use super::reader::Reader;
use super::schema::{self, Unfit};
use super::stats::Stats;
use super::{MergeWindow, Restored};
use crate::ingest::registry::ProducerRow;
use crate::words::{Wall, text};

const DATABASE: &str = "readyd.sqlite";
const LOCK: &str = "readyd.lock";

/// Databases set aside beyond this are removed, oldest first: a dying disk must not be filled by its own remains.
const SET_ASIDE_MAX: usize = 8;

/// The state directory, locked and read. [`super::Writer::start`] makes it work.
#[derive(Debug)]
pub struct Store {
    pub(super) path: PathBuf,
    pub(super) database: Database,
    pub(super) stats: Arc<Stats>,
    pub(super) reader: Reader,
    /// Why nothing can be written yet, although the file may well be fine.
    pub(super) failing: Option<String>,
    /// Held until the writer's thread has ended.
    pub(super) _lock: Lock,
}

/// What [`Store::open`] gives.
#[derive(Debug)]
pub struct Opened {
    pub store: Store,
    /// For the engine.
    pub restored: Restored,
    /// For [`crate::ingest::hub::Hub::new`].
    pub producers: Vec<ProducerRow>,
}

/// Why a state directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("another readyd (pid {pid}) uses this state directory, {}: stop it, or set another `state_dir`", directory.display())]
    InUse { directory: PathBuf, pid: String },
    #[error(
        "{} was written by readyd {written_by} (schema {found}; this one knows up to {known}): run that readyd or a newer one, or move the file away",
        path.display()
    )]
    Newer {
        path: PathBuf,
        found: i32,
        known: i32,
        written_by: String,
    },
    #[error("the state directory {} cannot be used: {source}; set `state_dir` to a directory that readyd may write", directory.display())]
    Directory { directory: PathBuf, source: io::Error },
    #[error("{} cannot be read: {reason}; make it readable, or move it away", path.display())]
    Unreadable { path: PathBuf, reason: String },
}

impl Store {
    /// Locks the directory (created 0700 if need be), opens the database (0600) and reads what a start needs.
    ///
    /// A corrupt database is set aside (`Restored::quarantined`) and a new one begun. One that can be read and
    /// not written (full disk, read-only) is read, and the writer begins in failure and goes on trying.
    ///
    /// # Errors
    /// See [`OpenError`]; nothing was changed then.
    pub fn open(state_dir: &Path, merge: MergeWindow, now: Wall) -> Result<Opened, OpenError> {
        let lock = Lock::take(state_dir)?;
        let path = state_dir.join(DATABASE);
        let mut quarantined = None;
        let (database, failing, restored, producers) = match open_whole(&path, merge) {
            Ok((database, restored, producers)) => (database, None, restored, producers),
            Err(Unfit::Newer { found, written_by }) => return Err(newer(path, found, &written_by)),
            Err(Unfit::Io(reason)) => unwritable(&path, merge, reason)?,
            // A page that the disk does not give is "corrupt" to SQLite, and its file may be whole.
            Err(Unfit::Corrupt(reason) | Unfit::Short(reason)) if let Err(error) = read_through(&path) => {
                unwritable(&path, merge, format!("{reason}: {error}"))?
            }
            Err(Unfit::Corrupt(reason) | Unfit::Short(reason)) => {
                tracing::error!(path = %path.display(), reason, "the database is corrupt: it is set aside, a new one begins");
                match set_aside(&path, now) {
                    Ok(aside) => quarantined = Some(aside),
                    Err(source) => {
                        let directory = state_dir.into();
                        return Err(OpenError::Directory { directory, source });
                    }
                }
                match open_whole(&path, merge) {
                    Ok((database, restored, producers)) => (database, None, restored, producers),
                    Err(unfit) => unwritable(&path, merge, unfit.reason())?,
                }
            }
        };
        let store = Store {
            stats: Arc::new(Stats::new(path.clone())),
            reader: Reader::new(path.clone()),
            path,
            database,
            failing,
            _lock: lock,
        };
        if quarantined.is_some() {
            store.stats.count_quarantine();
        }
        let restored = Restored {
            quarantined,
            ..restored
        };
        Ok(Opened {
            store,
            restored,
            producers,
        })
    }

    pub fn reader(&self) -> Reader {
        self.reader.clone()
    }

    pub fn stats(&self) -> Arc<Stats> {
        self.stats.clone()
    }
}

/// Reads all of the database and its log, and keeps nothing.
fn read_through(path: &Path) -> io::Result<()> {
    for path in [path.to_owned(), side_file(path, "-wal")] {
        match File::open(path) {
            Ok(mut file) => {
                io::copy(&mut file, &mut io::sink())?;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

type Whole = (Database, Restored, Vec<ProducerRow>);

fn open_whole(path: &Path, merge: MergeWindow) -> Result<Whole, Unfit> {
    let database = Database::open(path, merge)?;
    let (restored, producers) = database.restore()?;
    Ok((database, restored, producers))
}

/// A drained node whose disk is full must come back drained: what is there is read, though nothing can be written.
fn unwritable(
    path: &Path,
    merge: MergeWindow,
    reason: String,
) -> Result<(Database, Option<String>, Restored, Vec<ProducerRow>), OpenError> {
    let mut database = Database::closed(path, merge);
    let empty = std::fs::metadata(path).is_ok_and(|metadata| metadata.len() == 0);
    if empty || matches!(path.try_exists(), Ok(false)) {
        return Ok((database, Some(reason), Restored::default(), Vec::new()));
    }
    match database.restore_read_only() {
        Ok((restored, producers)) => Ok((database, Some(reason), restored, producers)),
        Err(Unfit::Newer { found, written_by }) => Err(newer(path.into(), found, &written_by)),
        Err(unfit) => Err(OpenError::Unreadable {
            path: path.into(),
            reason: format!("{reason}; {}", unfit.reason()),
        }),
    }
}

fn newer(path: PathBuf, found: i32, written_by: &str) -> OpenError {
    OpenError::Newer {
        path,
        found,
        known: schema::VERSION,
        written_by: text::clean_line(written_by, 64),
    }
}

/// SQLite gives its side files the mode of the main one, so that one is made before SQLite sees it.
pub(super) fn private_file(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let file = options.create(true).append(true).mode(0o600).open(path)?;
    let mode = file.metadata()?.permissions().mode();
    if mode & 0o077 != 0 {
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}

/// Renames the database and its side files to `readyd.sqlite.corrupt-2026-11-20T07-31-07Z`, so that
/// `sqlite3` can still open them together.
pub(super) fn set_aside(path: &Path, now: Wall) -> io::Result<PathBuf> {
    let stamp = now.rfc3339().replace(':', "-");
    let named = |attempt: u32| match attempt {
        1 => side_file(path, &format!(".corrupt-{stamp}")),
        _ => side_file(path, &format!(".corrupt-{stamp}.{attempt}")),
    };
    let free = (1..1000).map(named).find(|path| matches!(path.try_exists(), Ok(false)));
    let aside = free.ok_or_else(|| io::Error::other("too many databases were set aside in this second"))?;
    for suffix in ["-wal", "-shm"] {
        match std::fs::rename(side_file(path, suffix), side_file(&aside, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    std::fs::rename(path, &aside)?;
    if let Some(directory) = path.parent() {
        drop_oldest(directory);
        File::open(directory)?.sync_all()?;
    }
    Ok(aside)
}

/// `readyd.sqlite-wal` beside `readyd.sqlite`, say.
pub(super) fn side_file(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Removes what belonged to a database that has lost its name: beside another one it would be read as its log.
pub(super) fn remove_side_files(path: &Path) -> io::Result<()> {
    for suffix in ["-wal", "-shm"] {
        match std::fs::remove_file(side_file(path, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn drop_oldest(directory: &Path) {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return;
    };
    let prefix = format!("{DATABASE}.corrupt-");
    let mut aside: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
        .map(|entry| entry.path())
        .filter(|path| !path.as_os_str().to_string_lossy().ends_with("-wal"))
        .filter(|path| !path.as_os_str().to_string_lossy().ends_with("-shm"))
        .collect();
    // The names hold the date: their order is the order of time.
    aside.sort();
    let beyond = aside.len().saturating_sub(SET_ASIDE_MAX);
    for path in &aside[..beyond] {
        for suffix in ["", "-wal", "-shm"] {
            // One that is not there, or cannot go, is no reason to stop.
            let _ = std::fs::remove_file(side_file(path, suffix));
        }
    }
}

/// Proof that no other readyd uses the directory; the kernel ends it with the process, however that ends.
#[derive(Debug)]
pub(super) struct Lock {
    _directory: File,
    _file: Option<File>,
}

impl Lock {
    fn take(directory: &Path) -> Result<Lock, OpenError> {
        let trouble = |source| OpenError::Directory {
            directory: directory.into(),
            source,
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(trouble)?;
        // The directory is locked too: on a full disk the lock file cannot be made.
        let opened = File::open(directory).map_err(trouble)?;
        let path = directory.join(LOCK);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(&path).or_else(|_| File::open(&path)).ok();
        let held = |file: &File| match flock(file, FlockOperation::NonBlockingLockExclusive) {
            Err(error) => error == rustix::io::Errno::WOULDBLOCK,
            Ok(()) => false,
        };
        if held(&opened) || file.as_ref().is_some_and(held) {
            let mut pid = String::new();
            if let Some(file) = &mut file {
                let _ = file.take(32).read_to_string(&mut pid);
            }
            let pid = text::clean_line(&pid, 32);
            return Err(OpenError::InUse {
                directory: directory.into(),
                pid: if pid.is_empty() { "unknown".into() } else { pid },
            });
        }
        if let Some(file) = &mut file {
            // For the message above alone; a full disk may refuse it.
            let _ = file.set_len(0).and_then(|()| file.rewind());
            let _ = writeln!(file, "{}", std::process::id());
        }
        Ok(Lock {
            _directory: opened,
            _file: file,
        })
    }
}
