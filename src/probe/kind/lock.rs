//! Shell: kind `lock`: what runs against what `openclaw.lock` pins. `readyd lock` asks by the same functions.

use std::collections::HashMap;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::Ask;
use super::http::startup::{self, Startup};
use crate::config::files::{self, Stamp};
use crate::link::place::Place;
use crate::link::session::LinkFacts;
use crate::probe::declaration::Lock;
use crate::probe::exec::{self, Tools};
use crate::probe::openclaw::Release;
use crate::words::{Cause, Finding, Verdict};

pub mod compare;
pub mod format;

pub use compare::{Compared, Outcome, Running, Runs, Seen, Sum};
pub use format::Pins;

/// Beside readyd's config file, and in the folder of OpenClaw's own configuration.
const NAME: &str = "openclaw.lock";
const ETC: &str = "/etc/openclaw/openclaw.lock";

/// A larger file is not summed.
pub const SUMMED_BYTES_MAX: u64 = 256 << 20;

/// A healthy gateway answers in 10 ms. What waits for this check (the first answer of a new node) waits no longer for it
/// than for the probe `gateway`.
const GATEWAY_WITHIN: Duration = Duration::from_millis(1500);

/// Where a lock is looked for that nobody named. `config`: readyd's config file.
pub fn places(config: Option<&Path>) -> Vec<PathBuf> {
    let beside = config.and_then(Path::parent).map(|folder| folder.join(NAME));
    let mut places: Vec<PathBuf> = beside.into_iter().chain([PathBuf::from(ETC)]).collect();
    places.dedup();
    places
}

/// A lock as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// Where it was looked for.
    Nowhere(Vec<PathBuf>),
    At(PathBuf, Pins),
    /// All that is wrong with it, a line each.
    Malformed(PathBuf, String),
    Unreadable(PathBuf, String),
}

/// Reads `lock`, or the first of `places` that is there. Blocks on the file system.
pub fn find(lock: &Lock, places: &[PathBuf]) -> Found {
    let candidates = match &lock.file {
        Some(file) => std::slice::from_ref(file),
        None => places,
    };
    for path in candidates {
        match std::fs::symlink_metadata(path) {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => continue,
            Err(error) => return Found::Unreadable(path.clone(), format!("cannot be looked at: {error}")),
            Ok(_) => {}
        }
        let shown = path.display().to_string();
        return match files::read(path, format::FILE_BYTES_MAX) {
            Err(why) => Found::Unreadable(path.clone(), why),
            Ok(bytes) => match Pins::parse(&shown, &bytes) {
                Ok(pins) => Found::At(path.clone(), pins),
                Err(problems) => Found::Malformed(path.clone(), problems.to_string()),
            },
        };
    }
    Found::Nowhere(candidates.to_vec())
}

/// Asks once.
pub async fn ask(lock: &Lock, worst: Verdict, ask: &Ask<'_>, tools: &Tools) -> Finding {
    let (wanted, places) = (lock.clone(), ask.means.lock_places.clone());
    let found = match ask.one("the lock", move || find(&wanted, &places)).await {
        Ok(found) => found,
        Err(lost) => return lost.finding("reading the lock"),
    };
    let pins = match &found {
        Found::At(_, pins) => Some(pins.clone()),
        Found::Nowhere(_) if lock.file.is_none() => None,
        Found::Nowhere(places) => return Finding::degraded(format!("{}: there is no lock", joined(places))),
        Found::Malformed(_, why) => {
            let first = why.lines().next().unwrap_or_default();
            return Finding::degraded(format!("the lock cannot be used: {first}")).with_evidence("the lock", why);
        }
        Found::Unreadable(path, why) => {
            return Finding::unknown(Cause::Misconfigured, format!("{} {why}", path.display()));
        }
    };
    let tenant = ask.tenant();
    let place = tenant.and_then(|tenant| tenant.place.as_ref());
    let link = tenant.and_then(|tenant| tenant.link.as_ref());
    let (cli, gateway) = tokio::join!(
        exec_release(tools),
        gateway(place, link, ask.patience.min(GATEWAY_WITHIN))
    );
    let sums = Arc::clone(&ask.means.sums);
    let paths: Vec<PathBuf> = pins.iter().flat_map(|pins| pins.checksums.keys().cloned()).collect();
    let summing = ask.one("checksums", move || sums.of_all(paths)).await;
    let files = match summing {
        Ok(files) => files,
        Err(lost) => return lost.finding("summing the files of the lock"),
    };
    let seen = Seen { cli, gateway, files };
    let mut finding = compare::judge(pins.as_ref(), &seen, worst);
    match &found {
        Found::At(path, _) => finding.evidence_push("lock", path.display().to_string()),
        _ => {
            let places = joined(&ask.means.lock_places);
            finding.note_push(format!(
                "no lock pins these versions (looked for {places}); make one: readyd lock write"
            ));
        }
    }
    finding
}

/// What the configured CLI says that it is.
pub async fn exec_release(tools: &Tools) -> Result<Release, (Cause, String)> {
    exec::release(tools)
        .await
        .map_err(|trouble| (trouble.cause, trouble.text))
}

/// What runs at `place`: as its link knows it, while there is one, else as `/startupz` of this host says.
pub async fn gateway(place: Option<&Place>, link: Option<&LinkFacts>, patience: Duration) -> Running {
    if let Some(facts) = link.filter(|facts| facts.connected && !facts.version.is_empty()) {
        return Running::Runs(Runs {
            version: facts.version.clone(),
            build: Some(facts.build_id.clone()).filter(|build| !build.is_empty()),
            build_was_told: false,
        });
    }
    let Some(place) = place else { return Running::Nowhere };
    let was_told = link.is_some_and(|facts| !facts.version.is_empty());
    if !place.address().is_this_host() && was_told {
        // A difference that was seen must not heal because nobody tells it any more.
        return Running::Silent(
            Cause::Local,
            "it is on another host, and the link to it is away".to_owned(),
        );
    }
    if !place.address().is_this_host() {
        return Running::Unsaid("it is on another host, and no link to it stands".to_owned());
    }
    match startup::ask(place.address(), patience).await {
        Startup::NotRunning => Running::NotRunning,
        Startup::Silent(cause, why) => Running::Silent(cause, why),
        Startup::Stranger(why) => Running::Unsaid(why),
        Startup::Says(said) => match said.version {
            Some(version) => Running::Runs(Runs {
                version,
                build: None,
                build_was_told: link.is_some_and(|facts| !facts.build_id.is_empty()),
            }),
            None => Running::Unsaid(format!("/startupz says {} and no version", said.status)),
        },
    }
}

fn joined(places: &[PathBuf]) -> String {
    let shown: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
    shown.join(", ")
}

/// Checksums of files, kept while a file's stamp stays the same: a lock may name some hundred megabytes.
#[derive(Debug, Default)]
pub struct Sums {
    known: Mutex<HashMap<PathBuf, (Stamp, String)>>,
}

impl Sums {
    const KNOWN_MAX: usize = 1024;

    /// One after the other. Blocks on the file system.
    pub fn of_all(&self, paths: Vec<PathBuf>) -> Vec<(PathBuf, Sum)> {
        let each = paths.into_iter().map(|path| {
            let sum = self.of(&path);
            (path, sum)
        });
        each.collect()
    }

    fn of(&self, path: &Path) -> Sum {
        let stamp = files::stamp(path);
        if let Some((known, sum)) = self.lock().get(path)
            && Some(*known) == stamp
        {
            return Sum::Of(sum.clone());
        }
        let sum = sum_of(path);
        // What changed while it was read is read again next time.
        if let (Sum::Of(sum), Some(stamp), true) = (&sum, stamp, stamp == files::stamp(path)) {
            let mut known = self.lock();
            if known.len() >= Self::KNOWN_MAX {
                known.clear();
            }
            known.insert(path.to_owned(), (stamp, sum.clone()));
        }
        sum
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<PathBuf, (Stamp, String)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn sum_of(path: &Path) -> Sum {
    let mut file = match files::open_regular(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Sum::Missing,
        Err(error) => return Sum::Unreadable(Cause::Misconfigured, format!("cannot be read: {error}")),
    };
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    let (mut buffer, mut read) = (vec![0; 1 << 16], 0u64);
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(bytes) => {
                read += bytes as u64;
                if read > SUMMED_BYTES_MAX {
                    let why = format!("is longer than {} MiB, more than is summed", SUMMED_BYTES_MAX >> 20);
                    return Sum::Unreadable(Cause::Misconfigured, why);
                }
                context.update(&buffer[..bytes]);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Sum::Unreadable(Cause::Local, format!("cannot be read: {error}")),
        }
    }
    let digest = context.finish();
    Sum::Of(digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests;
