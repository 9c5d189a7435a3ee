//! `?exclude=`: what the verdict would be without some checks. Computed from the snapshot in memory.

use std::borrow::Cow;

use super::topic::Topic;
use crate::readiness::{self, Excluded};

/// Names in one question.
pub const NAMES_MAX: usize = 32;

/// `topic` as if the named checks did not exist; the phase stays.
///
/// A name is a probe (`doctor`: wherever it is bound) or a check (`doctor@acme`). One that names
/// nothing here becomes a warning.
pub fn without<'a>(topic: Topic<'a>, names: &[String]) -> Topic<'a> {
    let mut warnings = Vec::new();
    let mut excluded: Vec<Excluded> = Vec::new();
    for name in names {
        let here = |excluded: &Excluded| topic.checks.iter().any(|check| excluded.matches(&check.id));
        match Excluded::parse(name).filter(here) {
            Some(name) => excluded.push(name),
            None => warnings.push(format!("exclude: no check here is named {name:?}")),
        }
    }
    if excluded.is_empty() {
        return Topic { warnings, ..topic };
    }
    let mut left = readiness::without(topic.snapshot, &excluded);
    let (verdict, reasons) = match topic.tenant.and_then(|view| left.tenants.get_mut(&view.name)) {
        Some(tenant) => (tenant.answer, std::mem::take(&mut tenant.reasons)),
        None => (left.verdict, left.reasons),
    };
    let is_left = |id| !excluded.iter().any(|excluded| excluded.matches(id));
    Topic {
        verdict,
        reasons: Cow::Owned(reasons),
        checks: topic.checks.into_iter().filter(|check| is_left(&check.id)).collect(),
        verdicts: left
            .tenants
            .into_iter()
            .map(|(name, tenant)| (name, tenant.verdict))
            .collect(),
        warnings,
        ..topic
    }
}
