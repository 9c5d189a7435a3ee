//! Shell: the queues in OpenClaw's state database, read without leaving a trace.
//!
//! A plain read-only connection to a database in WAL mode *creates* `-wal` and `-shm` when they are
//! missing (the gateway is stopped), and as root it would own them. So:
//!
//! | there is | opened with | because |
//! |---|---|---|
//! | `-shm` | `readonly_shm=1` | a gateway lives (or was killed): its index is used, not written |
//! | no `-shm`, WAL mode | `immutable=1` | nobody has it open: nothing changes under us, nothing is created |
//! | rollback mode | `mode=ro` | ordinary locks do |
//!
//! Source: sqlite.org/wal.html "Read-Only Databases", and `unixOpenSharedMemory` in os_unix.c.
#![expect(clippy::disallowed_methods, reason = "shell: reads a database's header")]

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::super::part::Part;
use super::super::shown;
use super::{Backlog, Interrupt, Look};
use crate::words::{Cause, Wall};

/// Below a tenant's state directory.
pub(in crate::probe::kind) const DATABASE: &str = "state/openclaw.sqlite";

/// A gateway writes for milliseconds; a longer lock is worth telling.
pub(in crate::probe::kind) const BUSY_TIMEOUT: Duration = Duration::from_millis(200);

/// One row per queue and status. More than this is not a queue table.
const ROWS_MAX: usize = 10_000;

/// `(table, columns, prefix of the queue's name)`: the time a row came in is what ages.
const TABLES: [(&str, &str, &str); 2] = [
    ("delivery_queue_entries", "enqueued_at", ""),
    ("channel_ingress_events", "received_at", "ingress:"),
];

pub(super) fn look(state_dir: &Path, interrupt: &Interrupt, look: &mut Look) {
    // Resolved first, because NOFOLLOW below refuses a link anywhere in the path (macOS: /var).
    let path = std::fs::canonicalize(state_dir)
        .unwrap_or_else(|_| state_dir.to_owned())
        .join(DATABASE);
    match std::fs::symlink_metadata(&path) {
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => {
            look.troubles.push(Part::degraded(shown(&path), "is not a plain file"));
            return;
        }
        // No gateway ran here yet, or one of the versions that used folders.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
        Err(error) => {
            let why = format!("cannot be looked at: {error}");
            look.troubles
                .push(Part::unknown(Cause::Misconfigured, shown(&path), why));
            return;
        }
    }
    look.wal_bytes = std::fs::metadata(beside(&path, "-wal"))
        .ok()
        .map(|metadata| metadata.len());
    if let Err(error) = read(&path, interrupt, look) {
        look.troubles.push(trouble(&path, &error));
    }
    interrupt.arm(None);
}

fn read(path: &Path, interrupt: &Interrupt, look: &mut Look) -> Result<(), rusqlite::Error> {
    let connection = open(path, &mut look.notes)?;
    interrupt.arm(Some(connection.get_interrupt_handle()));
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // The file is its owner's: views and triggers in it shall not call functions with side effects.
    connection.pragma_update(None, "trusted_schema", false)?;
    for (table, came_in, prefix) in TABLES {
        if connection.table_exists(Some("main"), table)? {
            look.found = true;
            read_table(&connection, table, came_in, prefix, look)?;
        } else {
            look.notes
                .push(format!("there is no table {table}: another version of OpenClaw"));
        }
    }
    Ok(())
}

fn read_table(
    connection: &Connection,
    table: &str,
    came_in: &str,
    prefix: &str,
    look: &mut Look,
) -> Result<(), rusqlite::Error> {
    // Answered from the covering index (queue_name, status, time, id) alone.
    let sql = format!(
        "SELECT queue_name, status, count(*), min({came_in}) FROM {table} GROUP BY queue_name, status LIMIT {ROWS_MAX}"
    );
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    let mut backlogs: Vec<Backlog> = Vec::new();
    while let Some(row) = rows.next()? {
        let queue = format!("{prefix}{}", row.get::<_, String>(0)?);
        let (status, count, since) = (
            row.get::<_, String>(1)?,
            row.get::<_, i64>(2)?,
            row.get::<_, Option<i64>>(3)?,
        );
        let count = u64::try_from(count).unwrap_or(0);
        // Rows come in order of queue_name, so a queue's rows follow each other.
        if backlogs.last().is_none_or(|last| last.queue != queue) {
            backlogs.push(Backlog {
                // Leases on media that is being sent: they expire by themselves.
                advisory: queue == "outbound-media-staging",
                queue,
                depth: 0,
                at_least: false,
                oldest: None,
                failed: 0,
            });
        }
        let Some(backlog) = backlogs.last_mut() else { continue };
        match status.as_str() {
            "pending" => {
                backlog.depth += count;
                backlog.oldest = since.map(Wall::from_millis);
            }
            // Somebody works on it, perhaps for long; it is in the queue, but it does not wait.
            "claimed" => backlog.depth += count,
            "failed" => backlog.failed += count,
            "completed" => {}
            other => look
                .notes
                .push(format!("{count} entries of {} are {other:?}", backlog.queue)),
        }
    }
    look.backlogs.extend(backlogs);
    Ok(())
}

/// `path` with no link in it.
pub(in crate::probe::kind) fn open(path: &Path, notes: &mut Vec<String>) -> Result<Connection, rusqlite::Error> {
    let has = |suffix: &str| std::fs::metadata(beside(path, suffix)).map(|metadata| metadata.len());
    let how = match (is_wal(path), has("-shm")) {
        (true, Ok(_)) => "mode=ro&readonly_shm=1",
        (true, Err(_)) => {
            if has("-wal").is_ok_and(|bytes| bytes > 0) {
                notes.push("the write-ahead log of a gateway that was killed is not counted".into());
            }
            "mode=ro&immutable=1"
        }
        (false, _) => "mode=ro",
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    Connection::open_with_flags(format!("file:{}?{how}", uri_path(path)), flags)
}

/// Bytes 18 and 19 of the header are 2 in WAL mode (sqlite.org/fileformat2.html, 1.3.2).
fn is_wal(path: &Path) -> bool {
    let mut header = [0; 20];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut header));
    read.is_ok() && header[18..] == [2, 2]
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The path as RFC 3986 wants it in a URI: all but unreserved characters and `/` escaped.
fn uri_path(path: &Path) -> String {
    use std::fmt::Write as _;
    use std::os::unix::ffi::OsStrExt as _;
    let mut escaped = String::new();
    for byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(byte) {
            escaped.push(char::from(*byte));
        } else {
            // Writing into a String cannot fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

fn trouble(path: &Path, error: &rusqlite::Error) -> Part {
    let (what, said) = (shown(path), error.to_string());
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            Part::degraded(what, format!("is damaged: {said}; see: openclaw doctor"))
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::OperationInterrupted) => {
            Part::unknown(Cause::Timeout, what, format!("is locked: {said}"))
        }
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => {
            Part::unknown(Cause::Misconfigured, what, format!("cannot be opened: {said}"))
        }
        Some(ErrorCode::SystemIoFailure) => Part::unknown(Cause::Local, what, said),
        // No such column: a version whose tables we do not know.
        _ => Part::unknown(Cause::Unreadable, what, said),
    }
}
