//! Tenants that report and are not configured: some get rows of their own, the rest share one name.

use std::collections::BTreeMap;

use super::settings::Settings;
use crate::words::TenantName;

/// A name that is not heard of for this long makes room for another.
const KEPT_MILLIS: i64 = 24 * 3600 * 1000;

/// By name, with the filing time (milliseconds) at which it was last heard of.
#[derive(Clone, Debug, Default)]
pub(super) struct Adhoc(BTreeMap<TenantName, i64>);

impl Adhoc {
    /// The name to file a tenant's counts under; the flag says that it is a newcomer.
    pub fn file(&mut self, settings: &Settings, tenant: &TenantName, filed: i64) -> (TenantName, bool) {
        if settings.knows(tenant) || *tenant == TenantName::other() {
            return (tenant.clone(), false);
        }
        if let Some(last) = self.0.get_mut(tenant) {
            *last = filed.max(*last);
            return (tenant.clone(), false);
        }
        if self.0.len() >= settings.adhoc_tenants_max {
            return (TenantName::other(), false);
        }
        self.0.insert(tenant.clone(), filed);
        (tenant.clone(), true)
    }

    /// Whether it has rows of its own.
    pub fn holds(&self, tenant: &TenantName) -> bool {
        self.0.contains_key(tenant)
    }

    /// Makes room; `true` when anybody was forgotten.
    pub fn forget(&mut self, settings: &Settings, filed: i64) -> bool {
        let before = self.0.len();
        self.0
            .retain(|tenant, last| !settings.knows(tenant) && filed.saturating_sub(*last) <= KEPT_MILLIS);
        before != self.0.len()
    }

    pub fn restore(&mut self, tenant: TenantName, filed: i64) {
        self.0.insert(tenant, filed);
    }

    pub fn iter(&self) -> impl Iterator<Item = (&TenantName, i64)> {
        self.0.iter().map(|(tenant, last)| (tenant, *last))
    }
}
