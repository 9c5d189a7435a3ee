//! One line for each change of a verdict, as a supervisor's journal keeps them: from, to, and why. Pure.

use std::collections::BTreeMap;

use crate::readiness::snapshot::{Phase, Snapshot};
use crate::words::{TenantName, Verdict};

/// Tenants named at one publication. When a host falls, 256 lines say less than the node's own.
const TENANTS_MAX: usize = 16;

/// What was published last.
#[derive(Debug, Default)]
pub(super) struct Journal {
    node: Option<Shown>,
    tenants: BTreeMap<TenantName, Shown>,
}

type Shown = (Verdict, Phase);

/// `tenant`: `None` for the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub tenant: Option<TenantName>,
    pub from: &'static str,
    pub to: &'static str,
    /// The first reason; empty when there is none any more.
    pub reason: String,
    pub is_worse: bool,
}

impl Journal {
    /// What has changed since the last publication. The first one is no change.
    pub(super) fn lines(&mut self, snapshot: &Snapshot) -> Vec<Line> {
        let node = (snapshot.verdict, snapshot.phase);
        let reason = snapshot.reasons.first().map_or("", |reason| &reason.text);
        let mut lines = Vec::new();
        lines.extend(
            self.node
                .replace(node)
                .and_then(|before| line(None, before, node, reason)),
        );
        let tenants: BTreeMap<_, _> = (snapshot.tenants.values())
            .map(|view| (view.name.clone(), (view.verdict, view.phase)))
            .collect();
        let before = std::mem::replace(&mut self.tenants, tenants);
        let changed = self.tenants.iter().filter_map(|(name, shown)| {
            let reasons = &snapshot.tenants.get(name)?.reasons;
            let reason = reasons.first().map_or("", |reason| &reason.text);
            line(Some(name), *before.get(name)?, *shown, reason)
        });
        lines.extend(changed.take(TENANTS_MAX));
        lines
    }
}

fn line(tenant: Option<&TenantName>, before: Shown, now: Shown, reason: &str) -> Option<Line> {
    (before != now).then(|| Line {
        tenant: tenant.cloned(),
        from: word(before),
        to: word(now),
        reason: reason.to_owned(),
        is_worse: (now.1 != Phase::Serving, now.0) > (before.1 != Phase::Serving, before.0),
    })
}

fn word((verdict, phase): Shown) -> &'static str {
    match phase {
        Phase::Serving => verdict.as_str(),
        Phase::Starting | Phase::Draining => phase.as_str(),
    }
}
