//! What one answer is about: the node, or one tenant together with the node's own checks.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use super::answer::Bare;
use crate::readiness::snapshot::{CheckView, Phase, Reason, Snapshot, TenantView};
use crate::words::{TenantName, Verdict, Wall};

/// Everything that an answer of `/ready` or `/ready/{tenant}` says, before it has a form.
#[derive(Clone, Debug)]
pub struct Topic<'a> {
    pub snapshot: &'a Snapshot,
    /// `None`: the node.
    pub tenant: Option<&'a TenantView>,
    pub verdict: Verdict,
    pub phase: Phase,
    pub since: Wall,
    /// Worst first.
    pub reasons: Cow<'a, [Reason]>,
    pub retry_after: u64,
    /// Those that it is fused from, worst first.
    pub checks: Vec<&'a CheckView>,
    /// Tenants' verdicts where they are not as in the snapshot, because of `?exclude=`.
    pub verdicts: BTreeMap<TenantName, Verdict>,
    /// What was wrong with the question: unknown names in `?exclude=`.
    pub warnings: Vec<String>,
}

impl<'a> Topic<'a> {
    pub fn node(snapshot: &'a Snapshot) -> Topic<'a> {
        Topic {
            snapshot,
            tenant: None,
            verdict: snapshot.verdict,
            phase: snapshot.phase,
            since: snapshot.since,
            reasons: Cow::Borrowed(&snapshot.reasons),
            retry_after: snapshot.retry_after,
            checks: snapshot.checks.iter().collect(),
            verdicts: BTreeMap::new(),
            warnings: Vec::new(),
        }
    }

    /// `None` when the node has no such tenant.
    pub fn tenant(snapshot: &'a Snapshot, name: &TenantName) -> Option<Topic<'a>> {
        let view = snapshot.tenants.get(name)?;
        let concerns = |check: &&CheckView| check.id.tenant.as_ref().is_none_or(|of| of == name);
        Some(Topic::of(
            snapshot,
            view,
            snapshot.checks.iter().filter(concerns).collect(),
        ))
    }

    /// Every tenant, in one pass over the checks: [`Topic::tenant`] for each of them would be a
    /// pass a tenant, and this runs once a second.
    pub fn tenants(snapshot: &'a Snapshot) -> impl Iterator<Item = (&'a TenantName, Topic<'a>)> {
        let mut of_node: Vec<usize> = Vec::new();
        let mut of_tenant: BTreeMap<&TenantName, Vec<usize>> = BTreeMap::new();
        for (rank, check) in snapshot.checks.iter().enumerate() {
            match &check.id.tenant {
                None => of_node.push(rank),
                Some(tenant) => of_tenant.entry(tenant).or_default().push(rank),
            }
        }
        snapshot.tenants.iter().map(move |(name, view)| {
            let mut ranks = of_tenant.remove(name).unwrap_or_default();
            ranks.extend_from_slice(&of_node);
            ranks.sort_unstable();
            let checks = ranks.into_iter().filter_map(|rank| snapshot.checks.get(rank)).collect();
            (name, Topic::of(snapshot, view, checks))
        })
    }

    /// The same when the main loop has not turned for `hang`. Nobody knows what has happened since, so
    /// an `ok` of then is no `ok` of now; and since the hang may be on every host, it takes none of them
    /// out: at least degraded, never worse than it was beyond that.
    pub fn from_a_hanging_loop(mut self, hang: Duration) -> Topic<'a> {
        self.verdict = self.verdict.max(Verdict::Degraded);
        self.reasons.to_mut().insert(
            0,
            Reason {
                text: format!(
                    "readyd: the main loop has not turned for {} s, this is what it knew at {}",
                    hang.as_secs(),
                    self.snapshot.made.wall
                ),
                severity: Verdict::Degraded,
                tenant: None,
                check: None,
                symptoms: Vec::new(),
                hint: "Restart readyd, and report what its log says.".into(),
            },
        );
        self
    }

    /// Tenants whose verdicts the answer lists: all of the node's, or the one asked for. Worst first, then by name.
    pub fn listed_tenants(&self) -> Vec<(&'a TenantView, Verdict)> {
        let verdict = |view: &'a TenantView| (view, self.verdicts.get(&view.name).copied().unwrap_or(view.verdict));
        let mut listed: Vec<_> = match self.tenant {
            Some(view) => vec![verdict(view)],
            None => self.snapshot.tenants.values().map(verdict).collect(),
        };
        listed.sort_by_key(|(_, verdict)| std::cmp::Reverse(*verdict));
        listed
    }

    pub fn bare(&self) -> Bare {
        Bare {
            verdict: self.verdict,
            phase: self.phase,
        }
    }

    fn of(snapshot: &'a Snapshot, view: &'a TenantView, checks: Vec<&'a CheckView>) -> Topic<'a> {
        Topic {
            snapshot,
            tenant: Some(view),
            verdict: view.answer,
            phase: view.answer_phase,
            since: view.since,
            reasons: Cow::Borrowed(&view.reasons),
            retry_after: view.retry_after,
            checks,
            verdicts: BTreeMap::new(),
            warnings: Vec::new(),
        }
    }
}
