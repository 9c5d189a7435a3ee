//! The verdict and its reasons, from what is shown and nothing else.

use std::collections::BTreeSet;

use super::Held;
use crate::engine::tests::simulation::witness::Witness;
use crate::readiness::snapshot::{CheckView, Phase, Reason, Snapshot, TenantView};
use crate::words::{CheckId, CountsAs, TenantName, Verdict};

/// Whoever reads an answer can follow it: worst of what counts, by the rules of the documentation and by none of the code
/// that fuses.
pub fn the_verdict_follows_from_what_is_shown(witness: &Witness) -> Held {
    let Some(shown) = &witness.shown else { return Ok(()) };
    let mut verdict = worst(shown, None);
    for tenant in shown.tenants.values() {
        let own = worst(shown, Some(&tenant.name));
        same("verdict of", &tenant.name, tenant.verdict, own)?;
        same("answer of", &tenant.name, tenant.answer, own.max(worst(shown, None)))?;
        same("weight of", &tenant.name, tenant.counts_as, weight(tenant, own))?;
        verdict = verdict.max(tenant.counts_as.verdict());
    }
    let is_out = |tenant: &TenantView| tenant.maintenance.is_some() || tenant.drain.is_some();
    let mut required = shown.tenants.values().filter(|tenant| tenant.required).peekable();
    if required.peek().is_some() && required.all(is_out) {
        verdict = verdict.max(Verdict::Degraded);
    }
    same("verdict of", "the node", shown.verdict, verdict)?;
    let reason = shown.reasons.first().map_or(Verdict::Ok, |reason| reason.severity);
    match reason >= verdict {
        true => Ok(()),
        false => Err(format!("{verdict} for no reason as bad: {:?}", shown.reasons)),
    }
}

/// A dead gateway is one reason and not nine, and none of the nine is forgotten: each check that counts stands in one reason,
/// and one whose cause is shown as down does not stand alone.
pub fn a_symptom_folds_under_its_cause_and_still_counts(witness: &Witness) -> Held {
    let Some(shown) = &witness.shown else { return Ok(()) };
    let weighs = |check: &CheckView| match check.id.tenant.as_ref() {
        None => true,
        Some(tenant) => shown.tenants.get(tenant).is_some_and(|tenant| tenant.drain.is_none()),
    };
    each_stands_once(shown.checks.iter().filter(|check| weighs(check)), &shown.reasons)?;
    for tenant in shown.tenants.values() {
        let of_answer = |check: &&CheckView| check.id.tenant.as_ref().is_none_or(|of| *of == tenant.name);
        each_stands_once(shown.checks.iter().filter(of_answer), &tenant.reasons)?;
    }
    let all = shown.tenants.values().map(|tenant| &tenant.reasons);
    for reason in all.chain([&shown.reasons]).flatten() {
        let Some(id) = reason
            .check
            .as_ref()
            .filter(|_| !reason.text.starts_with("probe_fault"))
        else {
            continue;
        };
        if let Some(cause) = cause_of(witness, shown, id) {
            return Err(format!(
                "{:?} stands for itself, though {cause} is down and explains it",
                reason.text
            ));
        }
    }
    Ok(())
}

fn each_stands_once<'a>(checks: impl Iterator<Item = &'a CheckView>, reasons: &'a [Reason]) -> Held {
    let stand = |reason: &'a Reason| reason.check.iter().chain(&reason.symptoms);
    let named: Vec<&CheckId> = reasons.iter().flat_map(stand).collect();
    let once: BTreeSet<&CheckId> = named.iter().copied().collect();
    if once.len() != named.len() {
        return Err(format!("a check stands in two reasons: {named:?}"));
    }
    for check in checks.filter(|check| check.counts_as > CountsAs::Ok) {
        if !once.contains(&check.id) {
            return Err(format!(
                "{} counts as {:?} and stands in no reason",
                check.id, check.counts_as
            ));
        }
    }
    Ok(())
}

/// Another check that is down, counts, and explains this one.
fn cause_of(witness: &Witness, shown: &Snapshot, id: &CheckId) -> Option<CheckId> {
    let explained_by = &witness.checks.get(id)?.explained_by;
    let explains = |check: &&CheckView| {
        let is_near = check.id.tenant.is_none() || check.id.tenant == id.tenant;
        let is_down = check.answered == Some(Verdict::Down) && check.counts_as > CountsAs::Ok;
        is_near && is_down && explained_by.contains(&check.id.probe) && check.id != *id
    };
    shown.checks.iter().find(explains).map(|check| check.id.clone())
}

fn worst(shown: &Snapshot, tenant: Option<&TenantName>) -> Verdict {
    let own = shown.checks.iter().filter(|check| check.id.tenant.as_ref() == tenant);
    own.map(|check| check.counts_as.verdict()).max().unwrap_or(Verdict::Ok)
}

/// What a tenant makes of the node: nothing while it is out, degraded at most while it is new or advisory.
fn weight(tenant: &TenantView, own: Verdict) -> CountsAs {
    if tenant.drain.is_some() || tenant.maintenance.is_some() {
        return CountsAs::Nothing;
    }
    match tenant.required && tenant.phase == Phase::Serving {
        true => own.into(),
        false => own.min(Verdict::Degraded).into(),
    }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, whose: impl std::fmt::Display, shown: T, expected: T) -> Held {
    match shown == expected {
        true => Ok(()),
        false => Err(format!("{what} {whose} is {shown:?}, not {expected:?}")),
    }
}
