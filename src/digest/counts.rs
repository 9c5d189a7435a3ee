//! Monotonic totals since the start of the process, for metrics.

use std::collections::BTreeMap;

use super::adhoc::Adhoc;
use super::settings::Settings;
use crate::words::{Code, Family, Outcome, TenantName};

/// Totals since the start of the process: they never shrink, whatever windows forget. Those of a tenant that is neither
/// configured nor heard of any more go with its name, and begin anew should it come back.
///
/// Labels are bounded: configured tenants, the strangers that have rows of their own, and `__other__`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Configured tenants are there with every family from the start, at zero.
    pub failures: BTreeMap<(TenantName, Family), u64>,
    pub delivered: BTreeMap<TenantName, u64>,
    /// Events that no aligned window took any more.
    pub late: u64,
    /// Events whose endpoint or tenant was one too many.
    pub folded: u64,
    /// Lines that were refused after they were counted as received.
    pub rejected: u64,
    /// Stored bodies that could not be read at the start.
    pub unreadable: u64,
}

impl Counts {
    /// After the tenants changed, or strangers were forgotten.
    pub(super) fn begin(&mut self, settings: &Settings, adhoc: &Adhoc) {
        let stays = |tenant: &TenantName| has_label(settings, adhoc, tenant) || *tenant == TenantName::other();
        self.delivered.retain(|tenant, _| stays(tenant));
        self.failures.retain(|(tenant, _), _| stays(tenant));
        for tenant in settings.tenants.keys() {
            self.delivered.entry(tenant.clone()).or_default();
            for family in Family::ALL {
                self.failures.entry((tenant.clone(), family)).or_default();
            }
        }
    }

    pub(super) fn add(&mut self, settings: &Settings, adhoc: &Adhoc, tenant: &TenantName, code: Code, count: u64) {
        let tenant = match has_label(settings, adhoc, tenant) {
            true => tenant.clone(),
            false => TenantName::other(),
        };
        // `delivered` names every tenant that has a label, so that both families of totals agree.
        let delivered = self.delivered.entry(tenant.clone()).or_default();
        let total = match code.outcome() {
            Outcome::Delivered => delivered,
            Outcome::Failed(family) => self.failures.entry((tenant, family)).or_default(),
        };
        *total = total.saturating_add(count);
    }
}

fn has_label(settings: &Settings, adhoc: &Adhoc, tenant: &TenantName) -> bool {
    settings.knows(tenant) || adhoc.holds(tenant)
}
