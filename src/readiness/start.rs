//! Starts and resumes: when a node may not answer yet, and when silence is not held against anybody.

use std::collections::BTreeSet;
use std::time::Duration;

use super::freshness::Moment;
use crate::words::CheckId;

/// A gap between ticks beyond which this host (or this process) was asleep.
pub const RESUME_GAP: Duration = Duration::from_secs(10);
/// How long levels are held after a resume while native checks are asked.
pub const RESUME_HOLD_MAX: Duration = Duration::from_secs(10);
/// How long native checks are asked for at a start, before anything is answered.
pub const START_HOLD_MAX: Duration = Duration::from_secs(3);

/// Ages stand still while native checks are asked: after a nap every answer is old, and none is to blame.
#[derive(Clone, Debug)]
pub(super) struct Hold {
    /// The moment at which ages are judged meanwhile: the last one that was lived through.
    pub frozen: Moment,
    until: Moment,
    /// Native checks that have not had a finding since.
    waiting: BTreeSet<CheckId>,
}

impl Hold {
    pub fn new(frozen: Moment, until: Moment, waiting: BTreeSet<CheckId>) -> Hold {
        Hold { frozen, until, waiting }
    }

    pub fn holds(&self, at: Moment) -> bool {
        at < self.until && !self.waiting.is_empty()
    }

    pub fn heard(&mut self, check: &CheckId) {
        self.waiting.remove(check);
    }

    pub fn retain(&mut self, is_there: impl Fn(&CheckId) -> bool) {
        self.waiting.retain(is_there);
    }
}

/// The node's `starting`: it belongs to a node without restored state, or after a reboot.
#[derive(Clone, Debug)]
pub(super) struct Starting {
    since: Moment,
    /// What is still waited for: required checks of required tenants, without a finding, that may take the node out.
    pub missing: Vec<CheckId>,
}

impl Starting {
    pub fn new(since: Moment) -> Starting {
        Starting {
            since,
            missing: Vec::new(),
        }
    }

    /// Takes what is missing now; whether it is still starting.
    pub fn goes_on(&mut self, missing: Vec<CheckId>, at: Moment, startup_grace: Duration) -> bool {
        self.missing = missing;
        !self.missing.is_empty() && at.since(self.since) < startup_grace
    }

    /// `starting: waiting for doctor@acme, gateway@acme and 3 more`
    pub fn reason(&self) -> String {
        const NAMED_MAX: usize = 3;
        let named = self.missing.iter().take(NAMED_MAX).map(CheckId::to_string);
        let named = named.collect::<Vec<_>>().join(", ");
        match self.missing.len().saturating_sub(NAMED_MAX) {
            0 => format!("starting: waiting for {named}"),
            more => format!("starting: waiting for {named} and {more} more"),
        }
    }
}
