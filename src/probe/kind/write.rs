//! Shell: kind `write`: create, write, fsync and unlink a small file in each state path, as its user.
//!
//! Another user's path is written to on a thread that takes on that user's *effective* ids (Linux keeps
//! ids per thread): no process is started for it, and the real and saved ids stay root's, so that the
//! user can neither signal nor trace the thread. Where that is not possible (not root, macOS) it is
//! tried as ourselves, and the finding says so.

use std::path::Path;

use rustix::io::Errno;

use super::part::{Part, fuse};
use super::place::Place;
use super::thread::{Lost, gather};
use super::{Ask, shown};
use crate::probe::declaration::Write;
use crate::words::{Cause, Finding};

mod attempt;

pub use attempt::{Attempt, FILE_NAME, Step, attempt, become_named};

/// What came of one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Attempt(Attempt),
    /// It did not return, or could not be tried.
    Silent(Cause, String),
}

pub async fn ask(write: &Write, ask: &Ask<'_>) -> Finding {
    let places = match ask.places(&write.paths).await {
        Ok(places) => places,
        Err(finding) => return finding,
    };
    let begin = |place: &Place| {
        let (path, user) = (place.path.clone(), place.user.clone());
        ask.begin(&place.path, move || attempt(&path, user.as_deref()))
    };
    let begun = places.iter().map(begin).collect();
    let results = gather(begun, ask.patience).await;
    let seen: Vec<(Place, Seen)> = places
        .into_iter()
        .zip(results.into_iter().map(seen_of))
        .filter(|(place, seen)| match seen {
            Seen::Attempt(attempt) if attempt.no_directory() => ask.means.places.is_missed(place),
            Seen::Attempt(_) => {
                ask.means.places.note_seen(&place.path);
                true
            }
            Seen::Silent(..) => true,
        })
        .collect();
    judge(&seen)
}

/// The finding of all paths: the worst speaks.
pub fn judge(seen: &[(Place, Seen)]) -> Finding {
    let parts: Vec<Part> = seen.iter().map(|(place, seen)| part_of(&place.path, seen)).collect();
    let all_well = match seen.len() {
        0 => "there is no path to write to".to_owned(),
        1 => format!("{} takes writes", shown(&seen[0].0.path)),
        count => format!("all {count} paths take writes"),
    };
    let mut finding = fuse(parts, all_well);
    for (place, seen) in seen {
        if let Seen::Attempt(Attempt { note: Some(note), .. }) = seen {
            finding.note_push(format!("{}: {note}", shown(&place.path)));
        }
    }
    finding
}

fn part_of(path: &Path, seen: &Seen) -> Part {
    let what = shown(path);
    let attempt = match seen {
        Seen::Attempt(attempt) => attempt,
        Seen::Silent(cause, why) => return Part::unknown(*cause, what, format!("a write {why}")),
    };
    let Some((step, errno)) = attempt.failed else {
        return Part::ok(what, format!("written and synced as {}", attempt.acted_as));
    };
    let said = format!("{step} as {} failed: {}", attempt.acted_as, words_of(errno));
    match (step, errno) {
        // Not even begun: nothing is known of the disk, and an unknown user is for the config to mend.
        (Step::Become, _) => Part::degraded(what, said),
        (_, Errno::MFILE | Errno::NFILE | Errno::NOMEM) => Part::unknown(Cause::Local, what, said),
        // Nothing that the gateway writes can succeed; no second try will tell more.
        (_, Errno::NOSPC) => Part::down(what, said).at_once(),
        // The disk or its quota is at fault, for every writer.
        (_, Errno::DQUOT | Errno::IO | Errno::STALE | Errno::NXIO | Errno::NODEV) => Part::down(what, said),
        // EACCES EPERM EROFS ENOENT and the rest: this path, this user, this mount.
        _ => Part::degraded(what, said),
    }
}

fn words_of(errno: Errno) -> String {
    let words = std::io::Error::from(errno).to_string();
    // "Permission denied (os error 13)": the number helps nobody who reads this.
    words.split(" (os error").next().unwrap_or_default().to_lowercase()
}

fn seen_of(result: Result<Attempt, Lost>) -> Seen {
    match result {
        Ok(attempt) => Seen::Attempt(attempt),
        Err(lost) => Seen::Silent(lost.cause(), lost.to_string()),
    }
}

#[cfg(test)]
mod tests;
