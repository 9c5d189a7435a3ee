//! Shell: queues that are folders: each plain file an entry, its mtime the time it came in.
#![expect(clippy::disallowed_methods, reason = "shell: reads directories")]

use std::io;
use std::path::Path;
use std::time::UNIX_EPOCH;

use super::super::part::Part;
use super::super::shown;
use super::{Backlog, Look};
use crate::words::{Cause, Wall};

/// A folder is not counted beyond this many names: by then it is down by any threshold worth having.
pub const ENTRIES_MAX: usize = 100_000;

/// A configured folder: it must be there, and every plain file that is not hidden counts.
pub fn look(path: &Path, queue: String, late: &dyn Fn() -> bool, look: &mut Look) {
    match count(path, |name| !name.starts_with('.'), late) {
        Ok(counted) => look.backlogs.push(counted.into_backlog(queue, 0)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            look.troubles.push(Part::degraded(shown(path), "does not exist"));
        }
        Err(error) => look.troubles.push(unreadable(path, &error)),
    }
}

/// A folder of older OpenClaw versions: `*.json` waits, `failed/*.json` was given up. Mostly not there.
pub fn look_legacy(path: &Path, queue: &str, late: &dyn Fn() -> bool, look: &mut Look) {
    let json = |name: &str| name.ends_with(".json");
    match count(path, json, late) {
        Ok(counted) => {
            let failed = count(&path.join("failed"), json, late).map_or(0, |failed| failed.entries);
            // An emptied folder is what a migration leaves behind: no queue any more.
            if counted.entries > 0 || counted.at_least || failed > 0 {
                look.backlogs.push(counted.into_backlog(queue.into(), failed));
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => look.troubles.push(unreadable(path, &error)),
    }
}

#[derive(Debug, Default)]
struct Counted {
    entries: u64,
    at_least: bool,
    oldest: Option<Wall>,
}

impl Counted {
    fn into_backlog(self, queue: String, failed: u64) -> Backlog {
        Backlog {
            queue,
            depth: self.entries,
            at_least: self.at_least,
            oldest: self.oldest,
            failed,
            advisory: false,
        }
    }
}

fn count(path: &Path, counts: impl Fn(&str) -> bool, late: &dyn Fn() -> bool) -> io::Result<Counted> {
    let mut counted = Counted::default();
    for (index, entry) in std::fs::read_dir(path)?.enumerate() {
        if index >= ENTRIES_MAX || (index % 256 == 255 && late()) {
            counted.at_least = true;
            break;
        }
        let Ok(entry) = entry else { continue };
        let name = entry.file_name();
        // Not followed: a link is not an entry, and may lead anywhere. One that was just taken is gone.
        let Some(metadata) = entry.metadata().ok().filter(std::fs::Metadata::is_file) else {
            continue;
        };
        if !counts(&name.to_string_lossy()) {
            continue;
        }
        counted.entries += 1;
        let since = metadata
            .modified()
            .ok()
            .and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let at = since
            .and_then(|since| i64::try_from(since.as_millis()).ok())
            .map(Wall::from_millis);
        counted.oldest = match (counted.oldest, at) {
            (Some(oldest), Some(at)) => Some(oldest.min(at)),
            (oldest, at) => oldest.or(at),
        };
    }
    Ok(counted)
}

fn unreadable(path: &Path, error: &io::Error) -> Part {
    let cause = match error.kind() {
        io::ErrorKind::PermissionDenied => Cause::Misconfigured,
        _ => Cause::Local,
    };
    Part::unknown(cause, shown(path), format!("cannot be read: {error}"))
}
