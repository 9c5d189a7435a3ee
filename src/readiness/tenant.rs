//! One tenant: whether it is still new, and what it showed last.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::freshness::Moment;
use super::snapshot::Phase;
use crate::words::{CountsAs, Now, Verdict, Wall};

#[derive(Clone, Debug)]
pub(super) struct Tenant {
    pub required: bool,
    /// Its startup grace begins here.
    appeared: Moment,
    pub memory: Memory,
}

/// What survives a restart, as JSON under `tenant/…`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Memory {
    /// It appeared while readyd served, and has not shown yet that it works.
    pub is_new: bool,
    /// `ok degraded down`, or `starting draining maintenance`; `None`: not judged yet.
    pub shown: Option<String>,
    pub since: Wall,
}

/// What a tenant's checks amount to, maintenance left aside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub worst: Verdict,
    /// Required checks that may take the node out, and have had no finding yet.
    pub unheard: usize,
}

impl Tenant {
    pub fn new(required: bool, is_new: bool, now: Now) -> Tenant {
        Tenant {
            required,
            appeared: now.at.into(),
            memory: Memory {
                is_new,
                shown: None,
                since: now.wall,
            },
        }
    }

    /// Ends its newness once every check that is waited for has a finding (or its grace is over) and, *then*, it is
    /// better than `down`. A pending check counts as degraded, so that before then its verdict proves
    /// nothing: a checkout that is deployed before its gateway is started must not count.
    pub fn settle(&mut self, sum: Sum, at: Moment, startup_grace: Duration) {
        let heard = sum.unheard == 0 || at.since(self.appeared) >= startup_grace;
        if heard && sum.worst < Verdict::Down {
            self.memory.is_new = false;
        }
    }

    /// Keeps what it shows; what it showed before, when that is something else.
    pub fn show(&mut self, now: Now, shown: &str) -> Option<String> {
        if self.memory.shown.as_deref() == Some(shown) {
            return None;
        }
        let before = self.memory.shown.replace(shown.to_owned());
        if before.is_some() {
            self.memory.since = now.wall;
        }
        before
    }
}

/// What a tenant contributes to the node's verdict.
pub(super) fn counts_as(verdict: Verdict, required: bool, phase: Phase, out: bool) -> CountsAs {
    match (out, required && phase != Phase::Starting) {
        (true, _) => CountsAs::Nothing,
        (false, true) => verdict.into(),
        (false, false) => verdict.min(Verdict::Degraded).into(),
    }
}
