//! The checks that the engine answers from what it holds itself, and when.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::config::{Config, lint};
use crate::probe::declaration::Asks;
use crate::words::{CheckId, Finding, Instant};

/// When each internal check is judged next. They cost next to nothing, so they have no lane and no retry.
#[derive(Debug, Default)]
pub(super) struct Internal {
    due: BTreeMap<CheckId, (Instant, Duration)>,
}

impl Internal {
    /// New checks are due at once; those that stay keep their time.
    pub(super) fn configure(&mut self, config: &Config, now: Instant) {
        let mut before = std::mem::take(&mut self.due);
        for (check, probe) in config.checks() {
            if probe.asks.is_internal() {
                let at = before.remove(&check).map_or(now, |(at, _)| at);
                self.due.insert(check, (at, probe.every));
            }
        }
    }

    /// Those to judge now; they are due again after their probe's `every`.
    pub(super) fn due(&mut self, now: Instant) -> Vec<CheckId> {
        let mut due = Vec::new();
        for (check, (at, every)) in &mut self.due {
            if *at <= now {
                *at = now + *every;
                due.push(check.clone());
            }
        }
        due
    }

    /// Judge all of them at the next turn: something they are made of has changed, or the host has slept.
    pub(super) fn ask_now(&mut self) {
        for (at, _) in self.due.values_mut() {
            *at = Instant::default();
        }
    }

    /// Judge this one at the next turn, when it is one of them.
    pub(super) fn ask(&mut self, check: &CheckId) {
        if let Some((at, _)) = self.due.get_mut(check) {
            *at = Instant::default();
        }
    }

    pub(super) fn next_due(&self, check: &CheckId) -> Option<Instant> {
        self.due.get(check).map(|(at, _)| *at)
    }

    pub(super) fn next_wake(&self) -> Option<Instant> {
        self.due.values().map(|(at, _)| *at).min()
    }
}

/// What the probe `fragments` finds: whether the tenant's last good merge is still its present one, and what is odd
/// about its files.
pub(super) fn fragments(config: &Config, check: &CheckId) -> Finding {
    let name = check.tenant.as_ref();
    let tenant = name.and_then(|name| config.tenants.get(name));
    let trouble = tenant.and_then(|tenant| tenant.trouble.as_deref());
    lint::finding(
        trouble,
        name.and_then(|name| config.fragments.get(name)).map(|lint| &**lint),
    )
}

/// Whether an internal kind is judged by `asks`; the match is here so that a new kind is noticed.
pub(super) fn kind(asks: &Asks) -> Option<Kind> {
    match asks {
        Asks::Digest => Some(Kind::Digest),
        Asks::Store => Some(Kind::Store),
        Asks::Files => Some(Kind::Files),
        Asks::Exec(_)
        | Asks::Http(_)
        | Asks::Listener(_)
        | Asks::Tcp(_)
        | Asks::Tls(_)
        | Asks::Disk(_)
        | Asks::Clock(_)
        | Asks::Write(_)
        | Asks::Tokens(_)
        | Asks::Queue(_)
        | Asks::Lock(_)
        | Asks::Host(_)
        | Asks::Process
        | Asks::Link => None,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Digest,
    Store,
    Files,
}
