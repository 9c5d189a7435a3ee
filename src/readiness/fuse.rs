//! What counts becomes verdicts and reasons: a function of what is shown, and of nothing else.
//!
//! Both the snapshot and "what if that check were not there" go through [`fuse`].

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::check::spoken;
use super::dependency::Fault;
use super::snapshot::{CheckView, Operation, Phase, Reason, Snapshot};
use super::tenant;
use crate::words::{CheckId, CountsAs, Layer, TenantName, Verdict};

/// What one or all checks are left out by: `doctor` (the node's and every tenant's) or `doctor@acme`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excluded(CheckId);

/// The verdict if: what [`without`] computes.
#[derive(Clone, Debug, PartialEq)]
pub struct Without {
    pub verdict: Verdict,
    pub reasons: Vec<Reason>,
    pub tenants: BTreeMap<TenantName, TenantWithout>,
    /// Those that name no check.
    pub unmatched: Vec<Excluded>,
}

/// One tenant's part of [`Without`].
#[derive(Clone, Debug, PartialEq)]
pub struct TenantWithout {
    /// Worst of its own checks.
    pub verdict: Verdict,
    /// What it contributes to the node's verdict.
    pub counts_as: CountsAs,
    /// What `/ready/T` says: worst of its checks and the node's.
    pub answer: Verdict,
    pub reasons: Vec<Reason>,
}

/// Everything that a verdict is made of.
#[derive(Debug)]
pub(super) struct Shown<'a> {
    pub checks: Vec<&'a CheckView>,
    pub tenants: BTreeMap<&'a TenantName, Facts<'a>>,
    pub faults: Vec<Fault>,
    /// No tenant at all, and not on purpose.
    pub unwatched: bool,
    /// Reasons of the phase (starting, drain), first of all.
    pub phase_reasons: Vec<Reason>,
}

/// What is known of a tenant besides its checks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts<'a> {
    pub required: bool,
    pub phase: Phase,
    pub maintenance: Option<&'a Operation>,
    pub drain: Option<&'a Operation>,
}

pub(super) const NO_GATEWAY: &str = "no gateway is watched";

/// The node's reasons are cut here; nobody reads further, and a rendering says how many more there are.
const REASONS_MAX: usize = 1000;

impl Excluded {
    /// `doctor` or `doctor@acme`; `None` when it cannot be a check's name.
    pub fn parse(text: &str) -> Option<Excluded> {
        CheckId::parse(text).map(Excluded)
    }

    pub fn matches(&self, check: &CheckId) -> bool {
        self.0.probe == check.probe && (self.0.tenant.is_none() || self.0.tenant == check.tenant)
    }
}

impl std::fmt::Display for Excluded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// The verdicts and reasons if the excluded checks were not there. Phases stay as they are: neither
/// `starting` nor a drain is lifted.
pub fn without(snapshot: &Snapshot, excluded: &[Excluded]) -> Without {
    let is_out = |check: &CheckId| excluded.iter().any(|excluded| excluded.matches(check));
    let is_phase = |reason: &&Reason| reason.check.is_none() && reason.severity == Verdict::Down;
    let fused = fuse(&Shown {
        checks: snapshot.checks.iter().filter(|check| !is_out(&check.id)).collect(),
        tenants: snapshot
            .tenants
            .iter()
            .map(|(name, view)| {
                let facts = Facts {
                    required: view.required,
                    phase: view.phase,
                    maintenance: view.maintenance.as_ref(),
                    drain: view.drain.as_ref(),
                };
                (name, facts)
            })
            .collect(),
        faults: shown_faults(&snapshot.reasons)
            .chain(snapshot.tenants.values().flat_map(|view| shown_faults(&view.reasons)))
            .fold(Vec::new(), |mut faults: Vec<Fault>, fault| {
                // A drained tenant's part stands only in its own reasons.
                match faults.iter_mut().find(|known| known.text == fault.text) {
                    Some(known) => known.checks.extend(fault.checks),
                    None => faults.push(fault),
                }
                faults
            }),
        unwatched: snapshot.reasons.iter().any(|reason| reason.text == NO_GATEWAY),
        phase_reasons: snapshot.reasons.iter().filter(is_phase).cloned().collect(),
    });
    let tenants = fused.tenants.into_iter().map(|(name, tenant)| (name.clone(), tenant));
    let matches_none = |excluded: &&Excluded| !snapshot.checks.iter().any(|check| excluded.matches(&check.id));
    Without {
        verdict: fused.verdict,
        reasons: fused.reasons,
        tenants: tenants.collect(),
        unmatched: excluded.iter().filter(matches_none).cloned().collect(),
    }
}

pub(super) struct Fused<'a> {
    pub verdict: Verdict,
    pub reasons: Vec<Reason>,
    pub tenants: BTreeMap<&'a TenantName, TenantWithout>,
}

pub(super) fn fuse<'a>(shown: &Shown<'a>) -> Fused<'a> {
    let mut by_tenant = BTreeMap::<Option<&TenantName>, Vec<&CheckView>>::new();
    for check in &shown.checks {
        by_tenant.entry(check.id.tenant.as_ref()).or_default().push(check);
    }
    let of = |tenant| by_tenant.get(&tenant).map_or(&[][..], Vec::as_slice);
    let node_checks = of(None);
    let node_worst = worst(node_checks);

    let tenant = |(name, facts): (&&'a TenantName, &Facts<'a>)| {
        let own = of(Some(*name));
        let verdict = worst(own);
        let counts_as = tenant::counts_as(verdict, facts.required, facts.phase, facts.is_out());
        let checks = own.iter().chain(node_checks).copied().collect::<Vec<_>>();
        let mut reasons = facts.reasons(name, Verdict::Down);
        reasons.extend(check_reasons(&checks, &shown.faults, |_| Verdict::Down));
        reasons.sort_by_key(|reason| Reverse(reason.severity));
        let tenant = TenantWithout {
            verdict,
            counts_as,
            answer: verdict.max(node_worst),
            reasons: shown.phase_reasons.iter().cloned().chain(reasons).collect(),
        };
        (*name, tenant)
    };
    let tenants = shown.tenants.iter().map(tenant).collect::<BTreeMap<_, _>>();

    let mut reasons = shown.phase_reasons.clone();
    let gap = coverage_gap(shown.unwatched, shown.tenants.values());
    reasons.extend(gap.map(|text| node_reason(Verdict::Degraded, text.to_owned())));
    let weight = |check: &CheckView| match &check.id.tenant {
        None => Verdict::Down,
        Some(tenant) => match shown.tenants.get(tenant) {
            Some(facts) => facts.weight(),
            None => Verdict::Ok,
        },
    };
    reasons.extend(check_reasons(&shown.checks, &shown.faults, weight));
    for (name, facts) in &shown.tenants {
        reasons.extend(facts.reasons(name, Verdict::Ok));
    }
    reasons.sort_by_key(|reason| Reverse(reason.severity));
    reasons.truncate(REASONS_MAX);
    Fused {
        verdict: node_verdict(node_worst, tenants.values().map(|tenant| tenant.counts_as), gap),
        reasons,
        tenants,
    }
}

/// Worst of what counts; a node that nothing required is judged on is degraded.
pub(super) fn node_verdict(
    node: Verdict,
    tenants: impl Iterator<Item = CountsAs>,
    gap: Option<&'static str>,
) -> Verdict {
    let tenants = tenants.map(CountsAs::verdict).max().unwrap_or(Verdict::Ok);
    let uncovered = gap.map_or(Verdict::Ok, |_| Verdict::Degraded);
    node.max(tenants).max(uncovered)
}

/// Why the node is not judged on any required tenant, if it is not.
pub(super) fn coverage_gap<'a, 'b: 'a>(
    unwatched: bool,
    tenants: impl Iterator<Item = &'a Facts<'b>>,
) -> Option<&'static str> {
    if unwatched {
        return Some(NO_GATEWAY);
    }
    let required = tenants.filter(|facts| facts.required).collect::<Vec<_>>();
    if required.is_empty() || !required.iter().all(|facts| facts.is_out()) {
        return None;
    }
    let all = |is: fn(&Facts<'_>) -> bool| required.iter().all(|facts| is(facts));
    Some(
        match (all(|facts| facts.drain.is_none()), all(|facts| facts.drain.is_some())) {
            (true, _) => "every required tenant is in maintenance",
            (_, true) => "every required tenant is drained",
            _ => "every required tenant is in maintenance or drained",
        },
    )
}

/// A reason that no check gives.
pub(super) fn node_reason(severity: Verdict, text: String) -> Reason {
    Reason {
        text,
        severity,
        tenant: None,
        check: None,
        symptoms: Vec::new(),
        hint: String::new(),
    }
}

/// `drained by uid 501 (ann): kernel upgrade [CHG-7]`
pub(super) fn by(verb: &str, operation: &Operation) -> String {
    let mut text = format!("{verb} by {}", operation.actor);
    if let Some(until) = operation.until {
        text += &format!(" until {until}");
    }
    if !operation.reason.is_empty() {
        text += &format!(": {}", operation.reason);
    }
    if let Some(ticket) = &operation.ticket {
        text += &format!(" [{ticket}]");
    }
    text
}

impl Facts<'_> {
    pub fn is_out(&self) -> bool {
        self.maintenance.is_some() || self.drain.is_some()
    }

    /// The worst that its checks can make of the node.
    pub fn weight(&self) -> Verdict {
        tenant::counts_as(Verdict::Down, self.required, self.phase, self.is_out()).verdict()
    }

    /// What is said of its operations and newness: `phase_severity` where they make a 503, else for information.
    fn reasons(&self, name: &TenantName, phase_severity: Verdict) -> Vec<Reason> {
        let mut reasons = Vec::new();
        let mut say = |severity, text: String| {
            reasons.push(Reason {
                tenant: Some(name.clone()),
                ..node_reason(severity, format!("{name} is {text}"))
            });
        };
        if let Some(drain) = self.drain {
            say(phase_severity, by("drained", drain));
        }
        if self.phase == Phase::Starting && phase_severity == Verdict::Down {
            say(
                Verdict::Down,
                "starting: it is new here, and has yet to show that it works".to_owned(),
            );
        }
        if let Some(maintenance) = self.maintenance {
            say(Verdict::Ok, by("in maintenance", maintenance));
        }
        reasons
    }
}

fn worst(checks: &[&CheckView]) -> Verdict {
    let counts = checks.iter().map(|check| check.counts_as.verdict());
    counts.max().unwrap_or(Verdict::Ok)
}

/// What orders reasons of one severity.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    /// No answer that is remembered says so: it could not be asked, or was silent.
    is_guess: bool,
    layer: Layer,
}

/// Reasons of checks, worst first; then what was measured before what could not be asked, so that a program that is missing
/// does not stand before an outage; then in the order of triage. `weight`: the worst a check can make here.
fn check_reasons(checks: &[&CheckView], faults: &[Fault], weight: impl Fn(&CheckView) -> Verdict) -> Vec<Reason> {
    let suspects = checks
        .iter()
        .map(|check| (&check.id, (*check, check.counts_as.verdict().min(weight(check)))))
        .filter(|(_, (_, severity))| *severity > Verdict::Ok)
        .collect::<BTreeMap<_, _>>();

    let mut reasons = Vec::new();
    let mut at_fault = BTreeSet::new();
    for fault in faults {
        // A remembered `down` is a reason of its own: "cannot be asked" would not say why this is down.
        let members = fault.checks.iter().filter_map(|id| suspects.get(id));
        let members = members.filter(|(check, _)| check.answered != Some(Verdict::Down));
        let mut members = members.collect::<Vec<_>>();
        members.sort_by_key(|(check, _)| &check.id);
        members.dedup_by_key(|(check, _)| &check.id);
        let Some(((first, _), rest)) = members.split_first() else {
            continue;
        };
        at_fault.extend(members.iter().map(|(check, _)| &check.id));
        let severity = members.iter().map(|(_, severity)| *severity).max();
        let reason = Reason {
            text: fault.text.clone(),
            severity: severity.unwrap_or(Verdict::Ok),
            tenant: None,
            check: Some(first.id.clone()),
            symptoms: rest.iter().map(|(check, _)| check.id.clone()).collect(),
            hint: fault.hint.clone(),
        };
        reasons.push((
            Rank {
                is_guess: true,
                layer: first.layer,
            },
            reason,
        ));
    }

    let mut groups = BTreeMap::<&CheckId, (Verdict, Vec<CheckId>)>::new();
    for (id, (_, severity)) in suspects.iter().filter(|(id, _)| !at_fault.contains(**id)) {
        let root = root(id, &suspects);
        let (worst, symptoms) = groups.entry(root).or_insert((Verdict::Ok, Vec::new()));
        *worst = severity.max(worst).to_owned();
        if root != *id {
            symptoms.push((*id).clone());
        }
    }
    for (root, (severity, symptoms)) in groups {
        let Some((check, _)) = suspects.get(root) else { continue };
        let explains = match symptoms.len() {
            0 => String::new(),
            more => format!(" (explains {more} more)"),
        };
        let reason = Reason {
            text: format!("{}: {}{explains}", spoken(root), check.summary),
            severity,
            tenant: root.tenant.clone(),
            check: Some(root.clone()),
            symptoms,
            hint: check.hint.clone(),
        };
        let is_guess = check.answered.is_none_or(|answered| answered == Verdict::Ok);
        reasons.push((
            Rank {
                is_guess,
                layer: check.layer,
            },
            reason,
        ));
    }
    reasons.sort_by(|(rank, one), (other_rank, other)| {
        let severity = other.severity.cmp(&one.severity);
        severity.then_with(|| (rank, &one.check).cmp(&(other_rank, &other.check)))
    });
    reasons.into_iter().map(|(_, reason)| reason).collect()
}

/// The suspect that explains `id` in the end. Bounded, so that no snapshot however made can loop it.
fn root<'a>(id: &'a CheckId, suspects: &BTreeMap<&'a CheckId, (&'a CheckView, Verdict)>) -> &'a CheckId {
    let mut root = id;
    for _ in 0..suspects.len() {
        let cause = suspects.get(root).and_then(|(check, _)| check.explained_by.as_ref());
        match cause.and_then(|cause| suspects.get(cause)) {
            Some((cause, _)) => root = &cause.id,
            None => break,
        }
    }
    root
}

fn shown_faults(reasons: &[Reason]) -> impl Iterator<Item = Fault> {
    let faults = reasons.iter().filter(|reason| reason.text.starts_with(Fault::PREFIX));
    faults.map(|reason| Fault {
        text: reason.text.clone(),
        checks: reason.check.iter().chain(&reason.symptoms).cloned().collect(),
        hint: reason.hint.clone(),
    })
}
