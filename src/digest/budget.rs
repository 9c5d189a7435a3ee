//! Budgets of failures in the sliding window, with a memory: what went over clears at 80 %.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::settings::Settings;
use crate::words::TenantName;

/// Clears when at most this share of the budget is left used, in percent.
const CLEARS_AT_PERCENT: u128 = 80;

/// What is over its budget.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Budgets {
    over: BTreeMap<TenantName, Over>,
}

/// One tenant's share of it; never empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Over {
    /// All of its endpoints together.
    pub tenant: bool,
    pub endpoints: BTreeSet<Arc<str>>,
}

/// How many failures of a tenant, or of one of its endpoints, stand in the window now.
pub(super) trait Counted {
    fn tenant(&self, tenant: &TenantName) -> u64;
    fn endpoint(&self, tenant: &TenantName, endpoint: &str) -> u64;
}

impl Budgets {
    /// Failures of this endpoint became more. `true` when that is over a budget that was kept before.
    pub fn raise(
        &mut self,
        settings: &Settings,
        tenant: &TenantName,
        endpoint: &Arc<str>,
        counted: &impl Counted,
    ) -> bool {
        let endpoint_over = counted.endpoint(tenant, endpoint) > settings.endpoint_budget(tenant, endpoint);
        let tenant_over = counted.tenant(tenant) > settings.tenant_budget(tenant);
        if !endpoint_over && !tenant_over {
            return false;
        }
        let over = self.over.entry(tenant.clone()).or_default();
        let mut changed = tenant_over && !over.tenant;
        over.tenant |= tenant_over;
        if endpoint_over && !over.endpoints.contains(endpoint) {
            over.endpoints.insert(Arc::clone(endpoint));
            changed = true;
        }
        changed
    }

    /// Failures left the window, or budgets changed. `true` when something is no longer over.
    pub fn clear(&mut self, settings: &Settings, counted: &impl Counted) -> bool {
        let mut changed = false;
        self.over.retain(|tenant, over| {
            if over.tenant && clears(counted.tenant(tenant), settings.tenant_budget(tenant)) {
                over.tenant = false;
                changed = true;
            }
            over.endpoints.retain(|endpoint| {
                let keep = !clears(
                    counted.endpoint(tenant, endpoint),
                    settings.endpoint_budget(tenant, endpoint),
                );
                changed |= !keep;
                keep
            });
            over.tenant || !over.endpoints.is_empty()
        });
        changed
    }

    pub fn over(&self, tenant: &TenantName) -> Option<&Over> {
        self.over.get(tenant)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&TenantName, &Over)> {
        self.over.iter()
    }

    /// Takes up what an earlier process knew to be over; [`Budgets::clear`] decides whether it still is.
    pub fn restore(&mut self, tenant: TenantName, endpoint: Option<Arc<str>>) {
        let over = self.over.entry(tenant).or_default();
        match endpoint {
            Some(endpoint) => {
                over.endpoints.insert(endpoint);
            }
            None => over.tenant = true,
        }
    }
}

/// The largest count at which a budget clears.
pub(super) fn clears_at(budget: u64) -> u64 {
    u64::try_from(u128::from(budget) * CLEARS_AT_PERCENT / 100).unwrap_or(budget)
}

fn clears(count: u64, budget: u64) -> bool {
    count <= clears_at(budget)
}
