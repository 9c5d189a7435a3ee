//! How old an answer is, and what a check counts as because of that: the table of levels.
//!
//! Invariant: ages run on the clock that counts sleep. The wall clock bridges boots and nothing else,
//! so that stepping it changes no level.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::probe::declaration::Probe;
use crate::words::{CountsAs, Instant, Level, Now, Verdict, Wall};

/// Milliseconds on the clock that counts sleep; negative before this boot.
///
/// [`Instant`] cannot say that: an answer of an hour ago, on a host that booted a minute ago, would
/// look a minute old.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Moment(i64);

/// A moment that survives restarts (by the sleep-counting clock) and reboots (by the wall clock).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp {
    /// `None`: its age cannot be known, and it is stale.
    at: Option<Moment>,
    pub wall: Wall,
}

/// What a check has said so far, as far as its age matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It has never answered, and was never found unable to.
    Nothing { known_since: Moment, overdue: bool },
    /// It has never answered; the first `unknown` came then.
    OnlyUnknown { since: Stamp },
    Answered {
        level: Verdict,
        at: Stamp,
        /// The last finding is `unknown`.
        unknown_now: bool,
    },
}

/// Why a check shows what it shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Pending,
    /// Pending for longer than the startup grace.
    Overdue,
    Fresh,
    /// The last finding is `unknown`, and the last answer (if any) is younger than `max_stale`.
    Unknown,
    /// No answer for longer than `max_stale`.
    Silent,
}

/// What a check shows and counts as, before maintenance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Judged {
    pub standing: Standing,
    pub level: Level,
    pub counts_as: CountsAs,
}

/// What a level counts as (rules 2, 3 and 6 of `docs/verdict.md`), then the caps: an advisory check degrades
/// at most, and no check counts worse than its probe's `worst`.
pub(super) fn judge(probe: &Probe, said: Said, at: Moment, startup_grace: Duration) -> Judged {
    let silence = |worst_known: Verdict| worst_known.max(probe.on_silence);
    let doubt = |worst_known: Verdict| worst_known.max(Verdict::Degraded);
    let fresh = |stamp: Stamp| stamp.age(at).is_some_and(|age| age <= probe.max_stale);
    let (standing, level, counts) = match said {
        Said::Nothing { known_since, overdue } => {
            return judge_pending(probe, !overdue && at.since(known_since) < startup_grace);
        }
        Said::OnlyUnknown { since } if fresh(since) => (Standing::Unknown, Level::Unknown, Verdict::Degraded),
        Said::OnlyUnknown { .. } => (Standing::Silent, Level::Unknown, probe.on_silence),
        Said::Answered { level, at, .. } if !fresh(at) => (Standing::Silent, Level::Unknown, silence(level)),
        Said::Answered {
            level,
            unknown_now: true,
            ..
        } => (Standing::Unknown, Level::Unknown, doubt(level)),
        Said::Answered { level, .. } => (Standing::Fresh, level.into(), level),
    };
    Judged {
        standing,
        level,
        counts_as: capped(probe, counts),
    }
}

fn judge_pending(probe: &Probe, in_grace: bool) -> Judged {
    let counts_as = match (in_grace, probe.required) {
        (true, true) => capped(probe, Verdict::Degraded),
        (true, false) => CountsAs::Nothing,
        (false, true) => capped(probe, probe.on_silence),
        (false, false) => capped(probe, Verdict::Degraded),
    };
    Judged {
        standing: if in_grace { Standing::Pending } else { Standing::Overdue },
        level: Level::Pending,
        counts_as,
    }
}

fn capped(probe: &Probe, counts: Verdict) -> CountsAs {
    let cap = match probe.required {
        true => probe.worst,
        false => probe.worst.min(Verdict::Degraded),
    };
    counts.min(cap).into()
}

impl Moment {
    /// Time since `earlier`; zero when `earlier` is later.
    pub fn since(self, earlier: Moment) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    pub fn after(self, duration: Duration) -> Moment {
        Moment(self.0.saturating_add(millis(duration)))
    }
}

impl From<Instant> for Moment {
    fn from(instant: Instant) -> Moment {
        Moment(i64::try_from(instant.as_millis()).unwrap_or(i64::MAX))
    }
}

impl Stamp {
    pub fn new(now: Now) -> Stamp {
        Stamp::of(now.at.into(), now)
    }

    /// An earlier moment, as `now` sees it.
    pub fn of(moment: Moment, now: Now) -> Stamp {
        let ago = Moment::from(now.at).since(moment);
        Stamp {
            at: Some(moment),
            wall: now.wall.plus_millis(-millis(ago)),
        }
    }

    /// How old it is; `None` when that cannot be known.
    pub fn age(self, at: Moment) -> Option<Duration> {
        self.at.map(|stamped| at.since(stamped))
    }

    /// The same moment as this process, on this boot, sees it. A negative age is stale: a clock was
    /// stepped, and nobody knows how old it is.
    pub fn rebased(self, now: Now, same_boot: bool) -> Stamp {
        let at = Moment::from(now.at);
        let age_millis = self.at.map(|stamped| match same_boot {
            true => at.0.saturating_sub(stamped.0),
            false => now.wall.millis_since(self.wall),
        });
        Stamp {
            at: age_millis
                .filter(|age| *age >= 0)
                .map(|age| Moment(at.0.saturating_sub(age))),
            wall: self.wall,
        }
    }

    pub fn later(self, other: Stamp) -> Stamp {
        if other.at > self.at { other } else { self }
    }

    pub fn moment(self) -> Option<Moment> {
        self.at
    }

    /// `None` when it was before this boot, or cannot be known: [`Stamp::wall`] is all there is then.
    pub fn instant(self) -> Option<Instant> {
        let millis = u64::try_from(self.at?.0).ok()?;
        Some(Instant::from_millis(millis))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
