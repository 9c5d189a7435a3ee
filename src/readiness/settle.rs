//! Judging everything again, and noting what has changed: levels, tenants, the node.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::check::{Changed, Check, spoken};
use super::cycle::Cycle;
use super::freshness::{Moment, Stamp};
use super::fuse::{self, Facts};
use super::onset::Onset;
use super::persist::Key;
use super::snapshot::{Phase, Transition, VerdictChange};
use super::tenant::{self, Sum, Tenant};
use super::{Readiness, start::Hold};
use crate::history::Status;
use crate::words::{CheckId, Now, TenantName, Verdict, Wall};

impl Readiness {
    /// Between two asks of [`Readiness::take_transitions`]; beyond, the oldest are lost.
    const TRANSITIONS_MAX: usize = 10_000;
    const CHANGE_REASONS_MAX: usize = 20;

    /// `true`: something that is shown (texts aside) has changed.
    pub(super) fn settle(&mut self, now: Now) -> bool {
        let at = self.judged_at(now);
        let expired = self.operations.expire(now);
        if expired {
            self.dirty.key(Key::Operations);
        }
        let checks = self.settle_checks(now, at);
        let tenants = self.settle_tenants(now, at);
        let node = self.settle_node(now, at);
        if self.hold.as_ref().is_some_and(|hold: &Hold| !hold.holds(now.at.into())) {
            self.hold = None;
        }
        expired || checks || tenants || node
    }

    /// Keeps a transition until it is asked for.
    pub(super) fn note(&mut self, transition: Option<Transition>) {
        self.transitions.extend(transition);
        let surplus = self.transitions.len().saturating_sub(Self::TRANSITIONS_MAX);
        self.transitions.drain(..surplus);
    }

    /// What is known of each tenant besides its checks.
    pub(super) fn facts(&self) -> BTreeMap<&TenantName, Facts<'_>> {
        let facts = self.tenants.iter().map(|(name, tenant)| {
            let drain = self.operations.drain_of(name);
            let phase = match (drain, tenant.memory.is_new) {
                (Some(_), _) => Phase::Draining,
                (None, true) => Phase::Starting,
                (None, false) => Phase::Serving,
            };
            let facts = Facts {
                required: tenant.required,
                phase,
                maintenance: self.operations.maintenance(name),
                drain,
            };
            (name, facts)
        });
        facts.collect()
    }

    pub(super) fn phase(&self) -> Phase {
        match (self.stopping || self.node_drain().is_some(), &self.starting) {
            (true, _) => Phase::Draining,
            (false, Some(_)) => Phase::Starting,
            (false, None) => Phase::Serving,
        }
    }

    pub(super) fn is_unwatched(&self) -> bool {
        self.tenants.is_empty() && !self.settings.no_tenants_on_purpose
    }

    fn settle_checks(&mut self, now: Now, at: Moment) -> bool {
        let grace = self.settings.startup_grace;
        let mut changed = false;
        let mut transitions = Vec::new();
        for (id, check) in &mut self.checks {
            let judged = check.judge(at, grace);
            changed |= check.counts_as != judged.counts_as;
            let was_overdue = check.memory.overdue;
            let change = check.show(now, judged, grace);
            if check.memory.overdue != was_overdue {
                self.dirty.key(Key::Check(id.clone()));
            }
            if let Some(change) = change {
                changed = true;
                self.dirty.key(Key::Check(id.clone()));
                self.dirty.key(Key::History(id.clone()));
                transitions.push(of_check(id, change));
            }
        }
        for transition in transitions {
            self.note(Some(transition));
        }
        if changed {
            self.dirty.lived(Stamp::of(at, now));
        }
        changed
    }

    fn settle_tenants(&mut self, now: Now, at: Moment) -> bool {
        let grace = self.settings.startup_grace;
        let mut sums = self.sums();
        let mut transitions = Vec::new();
        let mut changed = false;
        for (name, tenant) in &mut self.tenants {
            let sum = sums.remove(&Some(name.clone())).unwrap_or_default();
            let was = tenant.memory.clone();
            if tenant.memory.is_new {
                tenant.settle(sum, at, grace);
            }
            let shown = if self.operations.drain_of(name).is_some() {
                Phase::Draining.as_str()
            } else if tenant.memory.is_new {
                Phase::Starting.as_str()
            } else if self.operations.maintenance(name).is_some() {
                "maintenance"
            } else {
                sum.worst.as_str()
            };
            let from = tenant.show(now, shown);
            if tenant.memory != was {
                changed = true;
                self.dirty.key(Key::Tenant(name.clone()));
            }
            transitions.extend(from.map(|from| (name.clone(), from, shown, was.since)));
        }
        for (name, from, shown, since) in transitions {
            let worst = self.worst_of(&name).map(|(_, check)| check);
            let onset = onset(&from, shown, worst);
            self.note(Some(Transition {
                at: now.wall,
                summary: self.why(&name),
                tenant: Some(name),
                probe: None,
                from,
                to: shown.to_owned(),
                since: Some(since),
                last_good_at: onset.good,
                first_bad_at: onset.bad,
            }));
        }
        changed
    }

    /// One line for the history of a tenant: who took it out, or its worst check.
    fn why(&self, tenant: &TenantName) -> String {
        if let Some(drain) = self.operations.drain_of(tenant) {
            return fuse::by("drained", drain);
        }
        if let Some(maintenance) = self.operations.maintenance(tenant) {
            return fuse::by("in maintenance", maintenance);
        }
        self.worst_of(tenant).map_or(String::new(), |(id, check)| {
            format!("{}: {}", id.probe, check.last_summary())
        })
    }

    /// Of a tenant's checks that are not ok.
    fn worst_of(&self, tenant: &TenantName) -> Option<(&CheckId, &Check)> {
        let own = self.checks.iter().filter(|(id, _)| id.tenant.as_ref() == Some(tenant));
        let bad = own.filter(|(_, check)| check.counts_as.verdict() > Verdict::Ok);
        bad.min_by_key(|(_, check)| (Reverse(check.counts_as), check.probe.layer))
    }

    fn settle_node(&mut self, now: Now, at: Moment) -> bool {
        let missing = self.missing();
        let grace = self.settings.startup_grace;
        if let Some(starting) = &mut self.starting
            && !starting.goes_on(missing, at, grace)
        {
            self.starting = None;
            self.dirty.key(Key::Node);
        }
        let better = self.weigh();
        let (verdict, phase) = (self.verdict(), self.phase());
        if verdict != Verdict::Ok {
            self.blemish();
        }
        let Some(before) = self.node.shown.replace((verdict, phase)) else {
            self.dirty.key(Key::Node);
            return true;
        };
        if before == (verdict, phase) {
            return false;
        }
        let since = std::mem::replace(&mut self.node.since, now.wall);
        let reasons = self.reasons_now(now);
        if before.0 != verdict {
            let better = better.iter().filter(|_| verdict < before.0).map(|(id, was)| {
                let why = self.why_better(id);
                format!("{}: {why} (was {was})", spoken(id))
            });
            let texts = reasons.iter().map(|reason| reason.text.clone());
            self.node.last_change = Some(VerdictChange {
                at: now.wall,
                from: before.0,
                to: verdict,
                reasons: texts.take(Self::CHANGE_REASONS_MAX).collect(),
                better: better.take(Self::CHANGE_REASONS_MAX).collect(),
            });
        }
        let (from, to) = (node_word(before), node_word((verdict, phase)));
        let weighs = self.checks.values().filter(|check| check.weighed == verdict);
        let onset = onset(from, to, weighs.min_by_key(|check| check.probe.layer));
        self.note(Some(Transition {
            at: now.wall,
            tenant: None,
            probe: None,
            from: from.to_owned(),
            to: to.to_owned(),
            summary: reasons.first().map_or(String::new(), |reason| reason.text.clone()),
            since: Some(since),
            last_good_at: onset.good,
            first_bad_at: onset.bad,
        }));
        // What a process shows while it ends is not what the next one begins with.
        if !self.stopping {
            self.dirty.key(Key::Node);
        }
        true
    }

    /// Notes what each check makes of the node's verdict now. Those that make less of it than they did, with
    /// what that was, worst first.
    fn weigh(&mut self) -> Vec<(CheckId, Verdict)> {
        let facts = self.facts();
        let weights = facts.iter().map(|(name, facts)| ((*name).clone(), facts.weight()));
        let weights = weights.collect::<BTreeMap<_, _>>();
        let mut better = std::mem::take(&mut self.node.gone);
        better.retain(|(_, was)| *was > Verdict::Ok);
        for (id, check) in &mut self.checks {
            let tenant = id.tenant.as_ref();
            let weight = tenant.map_or(Some(&Verdict::Down), |tenant| weights.get(tenant));
            let weighs = weight.map_or(Verdict::Ok, |weight| check.counts_as.verdict().min(*weight));
            let was = std::mem::replace(&mut check.weighed, weighs);
            if weighs < was {
                better.push((id.clone(), was));
            }
        }
        better.sort_by_key(|(_, was)| Reverse(*was));
        better
    }

    /// Why a check counts less than it did: what it found, who took its tenant out, or that it is gone.
    fn why_better(&self, id: &CheckId) -> String {
        let drain = id.tenant.as_ref().and_then(|tenant| self.operations.drain_of(tenant));
        let maintenance = id
            .tenant
            .as_ref()
            .and_then(|tenant| self.operations.maintenance(tenant));
        match (self.checks.get(id), drain, maintenance) {
            (None, _, _) => "no longer asked".to_owned(),
            (Some(_), Some(drain), _) => fuse::by("drained", drain),
            (Some(_), None, Some(maintenance)) => fuse::by("in maintenance", maintenance),
            (Some(check), None, None) => check.last_summary().to_owned(),
        }
    }

    /// The verdict by what was last judged: the same rules as [`fuse::fuse`], without texts.
    fn verdict(&self) -> Verdict {
        let sums = self.sums();
        let of = |tenant| sums.get(&tenant).copied().unwrap_or_default().worst;
        let facts = self.facts();
        let gap = fuse::coverage_gap(self.is_unwatched(), facts.values());
        let tenants = facts.iter().map(|(name, facts)| {
            let verdict = of(Some((*name).clone()));
            tenant::counts_as(verdict, facts.required, facts.phase, facts.is_out())
        });
        fuse::node_verdict(of(None), tenants, gap)
    }

    /// Worst and unheard checks, of each tenant and of the node.
    fn sums(&self) -> BTreeMap<Option<TenantName>, Sum> {
        let mut sums = BTreeMap::<Option<TenantName>, Sum>::new();
        for (id, check) in &self.checks {
            let sum = sums.entry(id.tenant.clone()).or_default();
            sum.worst = sum.worst.max(check.counts_as.verdict());
            sum.unheard += usize::from(check.is_waited_for());
        }
        sums
    }

    /// Checks of required tenants that a start waits for. Tenants that are new, drained or in maintenance are not waited
    /// for: nothing of them counts.
    fn missing(&self) -> Vec<CheckId> {
        if self.starting.is_none() {
            return Vec::new();
        }
        let waited_for = |name: &TenantName| {
            let tenant = self.tenants.get(name);
            tenant.is_some_and(|tenant| tenant.required && !tenant.memory.is_new) && !self.operations.is_out(name)
        };
        let missing = self.checks.iter().filter(|(id, check)| {
            let of_waited = id.tenant.as_ref().is_some_and(waited_for);
            of_waited && check.is_waited_for()
        });
        missing.map(|(id, _)| id.clone()).collect()
    }

    fn blemish(&mut self) {
        if self.cycle.green > 0 {
            self.dirty.key(Key::Node);
        }
        Cycle::blemish(&mut self.cycle);
    }
}

/// A check's change of level as history keeps it.
pub(super) fn of_check(id: &CheckId, changed: Changed) -> Transition {
    let Changed { change, since, onset } = changed;
    Transition {
        at: change.at,
        tenant: id.tenant.clone(),
        probe: Some(id.probe.clone()),
        from: change.from.to_string(),
        to: change.to.to_string(),
        summary: change.summary,
        since: Some(since),
        last_good_at: onset.good,
        first_bad_at: onset.bad,
    }
}

/// A check that is configured no more, as history keeps it: else what it was last would be told of the time without it.
pub(super) fn of_gone_check(id: &CheckId, check: &Check, now: Now) -> Transition {
    Transition {
        tenant: id.tenant.clone(),
        probe: Some(id.probe.clone()),
        ..gone(check.memory.level.as_str(), check.memory.since, now)
    }
}

/// The same of a tenant; `None`: it was never judged.
pub(super) fn of_gone_tenant(name: &TenantName, tenant: &Tenant, now: Now) -> Option<Transition> {
    let shown = tenant.memory.shown.as_deref()?;
    Some(Transition {
        tenant: Some(name.clone()),
        ..gone(shown, tenant.memory.since, now)
    })
}

fn gone(shown: &str, since: Wall, now: Now) -> Transition {
    Transition {
        at: now.wall,
        tenant: None,
        probe: None,
        from: shown.to_owned(),
        to: Status::NotWatched.as_str().to_owned(),
        summary: "no longer configured".to_owned(),
        since: Some(since),
        last_good_at: None,
        first_bad_at: None,
    }
}

/// When what made it worse was first seen, by the check that made it so; nothing where it did not become worse.
fn onset(from: &str, to: &str, check: Option<&Check>) -> Onset {
    let (from, to) = (Verdict::parse(from), Verdict::parse(to));
    let worse = to.filter(|to| from.is_none_or(|from| from < *to));
    let seen = check.zip(worse).map(|(check, to)| check.onset(to));
    seen.unwrap_or_default()
}

/// What history calls a verdict in its phase.
pub(super) fn node_word((verdict, phase): (Verdict, Phase)) -> &'static str {
    match phase {
        Phase::Serving => verdict.as_str(),
        other => other.as_str(),
    }
}
