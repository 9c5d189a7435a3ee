//! From findings to one remembered level: runs, `fall` and `rise`, flapping.
//!
//! Nothing here knows the time: only answers move a level, and silence is not an answer.

use serde::{Deserialize, Serialize};

use crate::probe::declaration::Probe;
use crate::words::Verdict;

/// The remembered level of one check, and the open run that may change it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Debounce {
    /// `None` until the first answer.
    level: Option<Verdict>,
    /// Of the latest finding that said what the level is.
    summary: String,
    /// Consecutive answers on one side of the level, oldest first; all of them strictly worse or all strictly better.
    run: Vec<Heard>,
    flapping: Flapping,
}

/// One answer of an open run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Heard {
    answer: Verdict,
    summary: String,
}

/// How an answer is weighed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    /// By `fall` and `rise`.
    Patient,
    /// At once when it is worse (ENOSPC, a wedge, a shutdown); better ones still take `rise`.
    Immediate,
    /// At once either way: nothing that is remembered is young enough to be held against it.
    First,
}

/// The open run, for people: how often the other side was heard, and how often it has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OpenRun {
    pub answer: Verdict,
    pub heard: usize,
    pub needed: usize,
}

impl Debounce {
    /// Takes one answered finding.
    ///
    /// After `fall` worse answers the level becomes the mildest of them, after `rise` better ones the
    /// worst of them. Answers of that run that lie beyond the new level stay: they are a run of it.
    /// So `fall` consecutive `down` always make it `down`, whatever came before; starting from nothing
    /// instead would let one `degraded` in front double the time to notice.
    pub fn hear(&mut self, answer: Verdict, summary: &str, weight: Weight, probe: &Probe) {
        self.flapping.note(answer);
        let Some(level) = self.level else {
            return self.become_at_once(answer, summary);
        };
        if answer == level {
            self.run.clear();
            summary.clone_into(&mut self.summary);
            return;
        }
        let at_once = match weight {
            Weight::Patient => false,
            Weight::Immediate => answer > level,
            Weight::First => true,
        };
        if at_once {
            return self.become_at_once(answer, summary);
        }
        let changes_side = |heard: &Heard| (heard.answer > level) != (answer > level);
        if self.run.first().is_some_and(changes_side) {
            self.run.clear();
        }
        self.run.push(Heard {
            answer,
            summary: summary.to_owned(),
        });
        self.turn(answer > level, self.needed(answer > level, probe));
    }

    /// Whatever it answers, or if it could not be asked, it lives: what was `down` is `degraded`, and is asked anew from there.
    pub fn see_alive(&mut self) {
        if self.level == Some(Verdict::Down) {
            self.level = Some(Verdict::Degraded);
            self.run.clear();
        }
    }

    pub fn level(&self) -> Option<Verdict> {
        self.level
    }

    /// Of the latest finding that said what the level is; empty before the first answer.
    pub fn summary(&self) -> &str {
        &self.summary
    }

    pub fn is_flapping(&self) -> bool {
        self.flapping.flapping
    }

    pub fn open_run(&self, probe: &Probe) -> Option<OpenRun> {
        let (level, last) = (self.level?, self.run.last()?);
        Some(OpenRun {
            answer: last.answer,
            heard: self.run.len(),
            needed: self.needed(last.answer > level, probe),
        })
    }

    /// What decides, without what is only shown: two of them differ when a level, a run or flapping has moved.
    pub fn without_texts(&self) -> Debounce {
        let bare = |heard: &Heard| Heard {
            answer: heard.answer,
            summary: String::new(),
        };
        Debounce {
            level: self.level,
            summary: String::new(),
            run: self.run.iter().map(bare).collect(),
            flapping: self.flapping,
        }
    }

    fn become_at_once(&mut self, answer: Verdict, summary: &str) {
        self.level = Some(answer);
        summary.clone_into(&mut self.summary);
        self.run.clear();
    }

    fn needed(&self, worse: bool, probe: &Probe) -> usize {
        let patience = match worse {
            true => probe.fall,
            false => probe.rise.saturating_add(u32::from(self.flapping.flapping)),
        };
        usize::try_from(patience).unwrap_or(usize::MAX).max(1)
    }

    /// Moves the level as far as the run carries it: more than one step only when a reload has
    /// shortened the patience meanwhile.
    fn turn(&mut self, worse: bool, needed: usize) {
        while self.run.len() >= needed {
            let answers = self.run.iter().map(|heard| heard.answer);
            let target = if worse { answers.min() } else { answers.max() };
            let last = self.run.iter().rposition(|heard| Some(heard.answer) == target);
            let (Some(target), Some(last)) = (target, last) else {
                return;
            };
            self.level = Some(target);
            if let Some(heard) = self.run.drain(..=last).next_back() {
                self.summary = heard.summary;
            }
        }
    }
}

/// Icinga 2's flap detection (`Checkable::UpdateFlappingStatus`): of the last 20 findings, those that
/// differ from the one before, newer ones weighing more (0.80 for the oldest, 0.02 more each), over 20.
/// Above 30 % it flaps; it stops at 25 %. Only answers are looked at: `unknown` is evidence of nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Flapping {
    last: Option<Verdict>,
    /// Bit 0 is the newest of [`Flapping::FINDINGS`]; set: it differed from the one before.
    changes: u32,
    flapping: bool,
}

impl Flapping {
    const FINDINGS: u32 = 20;
    /// In hundredths of a finding, so that the sum is exact: 0.80 + 19 × 0.02.
    const WEIGHT_NEWEST: u32 = 118;
    const WEIGHT_STEP: u32 = 2;
    /// 30 % and 25 % of 20 findings, in the same unit.
    const IN_ABOVE: u32 = 600;
    const OUT_AT: u32 = 500;

    fn note(&mut self, answer: Verdict) {
        let changed = self.last.is_some_and(|last| last != answer);
        self.last = Some(answer);
        self.changes = ((self.changes << 1) | u32::from(changed)) & ((1 << Self::FINDINGS) - 1);
        let weight = (0..Self::FINDINGS)
            .filter(|age| self.changes & (1 << age) != 0)
            .map(|age| Self::WEIGHT_NEWEST - Self::WEIGHT_STEP * age)
            .sum::<u32>();
        self.flapping = match self.flapping {
            true => weight > Self::OUT_AT,
            false => weight > Self::IN_ABOVE,
        };
    }
}
