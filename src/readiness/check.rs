//! One check: what it has said, what it shows, and what of it survives a restart.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::debounce::{Debounce, Weight};
use super::freshness::{Judged, Moment, Said, Stamp, Standing, judge};
use super::onset::{Onset, Onsets};
use super::snapshot::LevelChange;
use crate::config::units::write_duration;
use crate::probe::declaration::Probe;
use crate::probe::schedule::Again;
use crate::words::{Answer, CheckId, Cost, CountsAs, Finding, Layer, Level, Now, Verdict, Wall, text};

#[derive(Clone, Debug)]
pub(super) struct Check {
    pub probe: Arc<Probe>,
    /// When this process first knew of it: its startup grace begins here.
    known_since: Moment,
    /// The next answer counts at once: a native check of which nothing young enough was restored.
    first_counts: bool,
    pub memory: Memory,
    /// What it counted as when it was last judged, before maintenance.
    pub counts_as: CountsAs,
    /// What it made of the node's verdict when that was last judged.
    pub weighed: Verdict,
    /// Newest last; at most [`Check::HISTORY_MAX`].
    pub history: Arc<[LevelChange]>,
}

/// What survives a restart, as JSON under `check/…`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Memory {
    debounce: Debounce,
    /// Of the last answer.
    pub answered: Option<Stamp>,
    /// Of the first `unknown`, while there was no answer yet.
    unknown_since: Option<Stamp>,
    /// It has been pending beyond the startup grace: a restart of readyd does not give it another one.
    pub overdue: bool,
    pub finding: Option<Arc<Finding>>,
    /// Of the last finding, answered or not.
    pub checked: Option<Stamp>,
    pub cost: Option<Cost>,
    /// The level that was shown last, and since when.
    pub level: Level,
    pub since: Wall,
    #[serde(default)]
    onsets: Onsets,
}

/// A change of level, with what history wants to know of it.
#[derive(Clone, Debug)]
pub(super) struct Changed {
    pub change: LevelChange,
    /// Since when the level before had held.
    pub since: Wall,
    pub onset: Onset,
}

impl Check {
    pub const HISTORY_MAX: usize = 20;

    /// A check that has never answered.
    pub fn pending(probe: Arc<Probe>, now: Now) -> Check {
        Check {
            probe,
            known_since: now.at.into(),
            first_counts: false,
            memory: Memory {
                debounce: Debounce::default(),
                answered: None,
                unknown_since: None,
                overdue: false,
                finding: None,
                checked: None,
                cost: None,
                level: Level::Pending,
                since: now.wall,
                onsets: Onsets::default(),
            },
            counts_as: CountsAs::Nothing,
            weighed: Verdict::Ok,
            history: Arc::new([]),
        }
    }

    /// The check as an earlier process left it. After a reboot (`same_boot` false) a remembered `ok` of
    /// the transport and runtime layers is worth nothing: what answered then is not running any more.
    pub fn restored(
        probe: Arc<Probe>,
        now: Now,
        memory: Memory,
        history: Arc<[LevelChange]>,
        same_boot: bool,
    ) -> Check {
        let mut check = Check::pending(probe, now);
        check.history = history;
        let dies_with_the_host = matches!(check.probe.layer, Layer::Transport | Layer::Runtime);
        if !same_boot && dies_with_the_host && memory.debounce.level() == Some(Verdict::Ok) {
            check.memory.level = memory.level;
            check.memory.since = memory.since;
            return check;
        }
        check.memory = memory;
        check.memory.overdue &= same_boot;
        for stamp in [
            &mut check.memory.answered,
            &mut check.memory.unknown_since,
            &mut check.memory.checked,
        ] {
            *stamp = stamp.map(|stamp| stamp.rebased(now, same_boot));
        }
        check.first_counts = check.is_native() && check.is_stale(now.at.into());
        check
    }

    /// Takes a finding. Its level is judged afterwards, by [`Check::judge`]; `at`: the moment at which ages
    /// are judged.
    ///
    /// An answer renews the age of the remembered level, with one exception: after silence beyond
    /// `max_stale`, one that is worse than the remembered level does not, until its run moves the level.
    /// Otherwise a first `down` after a long silence would make a check `ok` again.
    pub fn hear(&mut self, now: Now, at: Moment, mut finding: Finding, cost: Cost) {
        // JSON has no word for them, and a state that cannot be read back is lost.
        finding.measurements.retain(|measurement| measurement.value.is_finite());
        let stamp = Stamp::new(now);
        // Before it is heard: its own words are then those of the level.
        if finding.alive {
            self.memory.debounce.see_alive();
        }
        match finding.answer.answered() {
            Some(answer) => {
                let weight = match (self.first_counts, finding.immediate) {
                    (true, _) => Weight::First,
                    (false, true) => Weight::Immediate,
                    (false, false) => Weight::Patient,
                };
                self.memory.debounce.hear(answer, &finding.summary, weight, &self.probe);
                self.first_counts = false;
                self.memory.onsets.hear(answer, now.wall);
                let contradicts = self.memory.debounce.level() < Some(answer);
                if !(contradicts && self.is_stale(at)) {
                    self.memory.answered = Some(stamp);
                }
                self.memory.unknown_since = None;
            }
            None if self.memory.answered.is_none() => {
                self.memory.unknown_since.get_or_insert(stamp);
            }
            None => {}
        }
        self.memory.overdue = false;
        self.memory.checked = Some(stamp);
        self.memory.cost = Some(cost);
        self.memory.finding = Some(Arc::new(finding));
    }

    pub fn judge(&self, at: Moment, startup_grace: Duration) -> Judged {
        let memory = &self.memory;
        let said = match (memory.answered, memory.debounce.level(), memory.unknown_since) {
            (Some(at), Some(level), _) => Said::Answered {
                level,
                at,
                unknown_now: self.is_unknown(),
            },
            (_, _, Some(since)) => Said::OnlyUnknown { since },
            _ => Said::Nothing {
                known_since: self.known_since,
                overdue: self.memory.overdue,
            },
        };
        judge(&self.probe, said, at, startup_grace)
    }

    /// Keeps what it was judged to be; the change of level, when there is one.
    pub fn show(&mut self, now: Now, judged: Judged, startup_grace: Duration) -> Option<Changed> {
        self.counts_as = judged.counts_as;
        self.memory.overdue = judged.standing == Standing::Overdue;
        if judged.level == self.memory.level {
            return None;
        }
        let change = LevelChange {
            at: now.wall,
            from: self.memory.level,
            to: judged.level,
            summary: self.summary(judged.standing, startup_grace),
        };
        self.memory.level = judged.level;
        let since = std::mem::replace(&mut self.memory.since, now.wall);
        let kept = self.history.len().saturating_sub(Self::HISTORY_MAX - 1);
        self.history = self.history[kept..].iter().cloned().chain([change.clone()]).collect();
        let worse = [Level::Degraded, Level::Down].into_iter();
        let became = worse
            .zip([Verdict::Degraded, Verdict::Down])
            .find(|(level, _)| *level == judged.level);
        let onset = became.map(|(_, verdict)| self.onset(verdict)).unwrap_or_default();
        Some(Changed { change, since, onset })
    }

    /// When what makes it `verdict` was first seen; where that is silence, when it last answered.
    pub fn onset(&self, verdict: Verdict) -> Onset {
        match self.memory.level {
            Level::Unknown | Level::Pending => Onset {
                good: self.memory.answered.map(|stamp| stamp.wall),
                bad: None,
            },
            Level::Ok | Level::Degraded | Level::Down => self.memory.onsets.of(verdict),
        }
    }

    /// One line: what the level rests on, or why there is none.
    pub fn summary(&self, standing: Standing, startup_grace: Duration) -> String {
        let last = self.last_summary();
        let said = match standing {
            Standing::Pending => "not answered yet".to_owned(),
            Standing::Overdue => format!("no answer within {} of the start", write_duration(startup_grace)),
            Standing::Fresh => self.memory.debounce.summary().to_owned() + &self.run_note(),
            Standing::Unknown => format!("could not be asked: {last}{}", self.remembered_note()),
            Standing::Silent if self.is_unknown() => format!(
                "could not be asked for more than {}: {last}{}",
                write_duration(self.probe.max_stale),
                self.remembered_note()
            ),
            Standing::Silent => format!(
                "no answer for more than {}{}{}",
                write_duration(self.probe.max_stale),
                self.run_note(),
                self.remembered_note()
            ),
        };
        text::clean_line(&said, Finding::SUMMARY_BYTES_MAX)
    }

    /// Of the last finding; empty when there is none.
    pub fn last_summary(&self) -> &str {
        self.memory.finding.as_ref().map_or("", |finding| &finding.summary)
    }

    pub fn remembered(&self) -> Option<Verdict> {
        self.memory.debounce.level()
    }

    pub fn is_flapping(&self) -> bool {
        self.memory.debounce.is_flapping()
    }

    /// Whether nothing answered is younger than `max_stale`.
    pub fn is_stale(&self, at: Moment) -> bool {
        let age = self.memory.answered.and_then(|stamp| stamp.age(at));
        age.is_none_or(|age| age > self.probe.max_stale)
    }

    /// Whether the last finding is `unknown`.
    pub fn is_unknown(&self) -> bool {
        let unknown = |finding: &Arc<Finding>| finding.answer == Answer::Unknown;
        self.memory.finding.as_ref().is_some_and(unknown)
    }

    /// Whether it has had any finding, `unknown` included.
    pub fn has_finding(&self) -> bool {
        self.memory.checked.is_some()
    }

    /// Whether a start waits for its first finding: it is required, and what it says may take the node out. One that
    /// degrades at most keeps nobody out of rotation, a node that starts with many slow questions least of all.
    pub fn is_waited_for(&self) -> bool {
        self.probe.required && self.probe.worst == Verdict::Down && !self.has_finding()
    }

    /// Native checks cost next to nothing, and are asked at once at a start and at a resume.
    pub fn is_native(&self) -> bool {
        self.probe.asks.lane().is_none()
    }

    /// Whether it is to be asked again soon: it could not be asked, or a run is open.
    pub fn asks_again(&self) -> Again {
        match self.memory.debounce.open_run(&self.probe) {
            _ if self.is_unknown() => Again::Unknown,
            Some(run) => Again::RunOpen {
                heard: u32::try_from(run.heard).unwrap_or(u32::MAX),
            },
            None => Again::No,
        }
    }

    /// What must be durable at once; ages and texts may wait for the next periodic write.
    pub fn essence(&self) -> (Debounce, bool, Level) {
        (
            self.memory.debounce.without_texts(),
            self.is_unknown(),
            self.memory.level,
        )
    }

    fn run_note(&self) -> String {
        match self.memory.debounce.open_run(&self.probe) {
            Some(run) => format!(" (then {}, {} of {})", run.answer, run.heard, run.needed),
            None => String::new(),
        }
    }

    fn remembered_note(&self) -> String {
        match self.remembered() {
            Some(level) if level > Verdict::Ok => {
                format!("; last answer: {level}, {}", self.memory.debounce.summary())
            }
            _ => String::new(),
        }
    }
}

/// `acme doctor` or `disk`: how reasons name a check.
pub(super) fn spoken(check: &CheckId) -> String {
    match &check.tenant {
        Some(tenant) => format!("{tenant} {}", check.probe),
        None => check.probe.to_string(),
    }
}
