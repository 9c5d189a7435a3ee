//! One file a kind: a pure `judge` that turns what was seen into a finding, and a thin shell that looks.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::declaration::{Order, Target, TenantTarget};
use super::target;
use crate::account;
use crate::fingerprint::Fingerprints;
use crate::words::{Cause, CheckId, Finding};
use place::Place;
use thread::{Begun, Lost, gather};

pub mod clock;
pub mod disk;
pub mod host;
pub mod http;
pub mod listener;
pub mod listeners;
pub mod lock;
pub mod process;
pub mod queue;
pub mod security;
pub mod tcp;
pub mod tls;
pub mod tokens;
pub mod write;

mod part;
mod place;
mod thread;

pub use place::Places;
pub use thread::Threads;

/// What native kinds ask with: remembered between asks, given once.
#[derive(Debug, Default)]
pub struct Means {
    pub threads: Arc<Threads>,
    pub places: Places,
    pub fingerprints: Fingerprints,
    /// Whose credentials have which fingerprints.
    pub prints: tokens::Prints,
    /// Our own home: the state of a tenant without a user of its own is below it.
    pub home: Option<PathBuf>,
    /// readyd's own, where baselines are; `None`: there are none.
    pub state_dir: Option<PathBuf>,
    /// Where a lock is looked for that nobody named, in this order.
    pub lock_places: Vec<PathBuf>,
    /// Checksums of files that have not changed since they were read.
    pub sums: Arc<lock::Sums>,
    /// What gateways were seen to have been started with.
    pub started_with: Arc<process::StartedWith>,
}

/// One ask of a native kind.
#[derive(Clone, Copy, Debug)]
pub struct Ask<'a> {
    pub check: &'a CheckId,
    pub target: &'a Target,
    /// How long the kind waits for all of it.
    pub patience: Duration,
    pub means: &'a Means,
}

impl<'a> Ask<'a> {
    pub fn of(order: &'a Order, means: &'a Means) -> Ask<'a> {
        Ask {
            check: &order.check,
            target: &order.target,
            patience: patience(order.probe.timeout),
            means,
        }
    }

    fn tenant(&self) -> Option<&'a TenantTarget> {
        match self.target {
            Target::Tenant(tenant) => Some(tenant),
            Target::Node { .. } => None,
        }
    }

    /// Begins blocking work at a path; one at a time for this check.
    fn begin<T: Send + 'static>(
        &self,
        path: &Path,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Begun<T>, Lost> {
        self.means.threads.begin(&self.check.to_string(), path, work)
    }

    /// Begins it and waits for it; `what` is the name under which it is outstanding.
    async fn one<T: Send + 'static>(&self, what: &str, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Lost> {
        let begun = vec![self.begin(Path::new(what), work)];
        gather(begun, self.patience).await.pop().unwrap_or(Err(Lost::Died))
    }

    /// `template` with the target's values, or the finding that says which one is missing. A user's
    /// home is looked up only where it is asked for.
    async fn fill(&self, template: &str) -> Result<String, Finding> {
        let needs_home = template.contains("{state_dir}") || template.contains("{config}");
        let user = self.tenant().and_then(|tenant| tenant.user.clone());
        let home = match user.filter(|_| needs_home) {
            None => self.means.home.clone(),
            Some(user) => {
                let found = self.one("a home", move || account::home_of(Some(&user), None)).await;
                found.map_err(|lost| lost.finding("looking a home up"))?
            }
        };
        target::fill(template, self.target, home.as_deref())
            .map_err(|unfilled| Finding::unknown(Cause::Misconfigured, unfilled))
    }

    /// Where `disk` and `write` look; see [`place::places_of`].
    async fn places(&self, paths: &[PathBuf]) -> Result<Vec<Place>, Finding> {
        let (paths, target, home) = (paths.to_vec(), self.target.clone(), self.means.home.clone());
        let find = move || place::places_of(&paths, &target, home.as_deref());
        let found = self.one("a home", find).await;
        found.map_err(|lost| lost.finding("looking a home up"))
    }
}

/// How long a kind waits itself: a little less than the probe's timeout, so that it can say which path
/// or phase was silent before the asker cuts it off.
fn patience(timeout: Duration) -> Duration {
    timeout.mul_f64(0.9)
}

/// `12.3 GiB`, for people.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64;
    let mut unit = "B";
    for next in UNITS {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    format!("{value:.1} {unit}")
}

/// `12 %`, rounded down, so that 0.4 % free does not read as 1 %.
fn percent(share: f64) -> String {
    format!("{} %", (share * 100.0).floor())
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// What a kind's test asks with.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct Scene {
    pub check: CheckId,
    pub target: Target,
    pub means: Means,
    pub patience: Duration,
}

#[cfg(test)]
impl Scene {
    pub fn of(target: Target) -> Scene {
        Scene {
            check: CheckId::parse("a-check").unwrap(),
            target,
            means: Means::default(),
            patience: Duration::from_secs(10),
        }
    }

    pub fn node() -> Scene {
        Scene::of(Target::Node {
            state_dirs: Vec::new(),
            senders: Vec::new(),
        })
    }

    pub fn ask(&self) -> Ask<'_> {
        Ask {
            check: &self.check,
            target: &self.target,
            patience: self.patience,
            means: &self.means,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_shares_read_as_people_say_them() {
        assert_eq!(
            [0, 1023, 1024, 120 << 20, 2 << 30].map(size),
            ["0 B", "1023 B", "1.0 KiB", "120.0 MiB", "2.0 GiB"]
        );
        assert_eq!(size(u64::MAX), "16384.0 PiB");
        assert_eq!(percent(0.0499), "4 %");
    }
}
