//! Cycles: each time every required check that is asked at least every five minutes was asked once.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::probe::declaration::Probe;
use crate::words::CheckId;

/// Counts complete cycles, and those among them, consecutive to now, whose verdict was ok throughout.
#[derive(Clone, Debug, Default)]
pub(super) struct Cycle {
    pub complete: u64,
    pub green: u64,
    /// The verdict was other than ok since the current cycle began.
    blemished: bool,
    expected: BTreeSet<CheckId>,
    waiting: BTreeSet<CheckId>,
}

impl Cycle {
    /// Checks that are asked more seldom would stretch a cycle to hours.
    const EVERY_MAX: Duration = Duration::from_secs(5 * 60);

    pub fn includes(probe: &Probe) -> bool {
        probe.required && probe.every <= Self::EVERY_MAX
    }

    /// Takes the set of checks that make a cycle; new ones join the current cycle.
    pub fn expect(&mut self, checks: BTreeSet<CheckId>) {
        let added = checks.difference(&self.expected).cloned().collect::<Vec<_>>();
        self.waiting.retain(|check| checks.contains(check));
        self.waiting.extend(added);
        self.expected = checks;
    }

    /// The verdict is not ok: green cycles start again from nothing, at once.
    pub fn blemish(&mut self) {
        self.blemished = true;
        self.green = 0;
    }

    /// A check was asked and has answered (`unknown` is an answer here). `true`: that completed a cycle.
    pub fn heard(&mut self, check: &CheckId, verdict_ok: bool) -> bool {
        if !self.waiting.remove(check) || !self.waiting.is_empty() {
            return false;
        }
        self.complete += 1;
        if verdict_ok && !self.blemished {
            self.green += 1;
        }
        self.blemished = !verdict_ok;
        self.waiting.clone_from(&self.expected);
        true
    }
}
