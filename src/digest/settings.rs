//! What the digest needs of the configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::tally::OTHER;
use crate::config::Config;
use crate::probe::declaration::Asks;
use crate::words::{TenantName, Via};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// This node's name: another node's digest that bears it is our own.
    pub node: Arc<str>,
    /// The boot id; empty when unknown. Ages are carried over a restart by [`crate::words::Instant`] within one
    /// boot, by wall time across boots.
    pub boot: String,
    /// Failures per endpoint in the sliding window before it degrades.
    pub budget: u64,
    pub tenant_budget: u64,
    pub stale_after: Duration,
    /// How many tenants that are not configured get rows of their own.
    pub adhoc_tenants_max: usize,
    /// `digest.source`, when another node's digest is to be joined.
    pub source: Option<String>,
    pub tenants: BTreeMap<TenantName, TenantBudgets>,
}

/// What a configured tenant says of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TenantBudgets {
    /// `None`: as for any tenant.
    pub tenant_budget: Option<u64>,
    /// Endpoint as the digest shows it → its budget.
    pub endpoints: BTreeMap<String, u64>,
    /// The way of reporting that counts; `None`: the best that is heard of.
    pub source: Option<Via>,
    /// Its gateway has a standing connection.
    pub has_link: bool,
}

impl Settings {
    pub fn of(config: &Config, boot: &str) -> Settings {
        let checks = config.checks();
        let links: BTreeSet<_> = (checks.iter())
            .filter(|(_, probe)| probe.asks == Asks::Link)
            .filter_map(|(check, _)| check.tenant.as_ref())
            .collect();
        let tenants = config.tenants.iter().map(|(name, tenant)| {
            let budgets = TenantBudgets {
                tenant_budget: tenant.tenant_budget,
                endpoints: tenant.endpoints.clone(),
                source: tenant.webhook_source,
                has_link: links.contains(name),
            };
            (name.clone(), budgets)
        });
        Settings {
            node: config.node.as_str().into(),
            boot: boot.to_owned(),
            budget: config.digest.budget,
            tenant_budget: config.digest.tenant_budget,
            stale_after: config.digest.stale_after,
            adhoc_tenants_max: config.digest.adhoc_tenants_max,
            source: config.digest.source.clone(),
            tenants: tenants.collect(),
        }
    }

    pub(super) fn knows(&self, tenant: &TenantName) -> bool {
        self.tenants.contains_key(tenant)
    }

    /// `__other__` stands for any number of endpoints: the tenant's budget is theirs.
    pub(super) fn endpoint_budget(&self, tenant: &TenantName, endpoint: &str) -> u64 {
        let own = self
            .tenants
            .get(tenant)
            .and_then(|tenant| tenant.endpoints.get(endpoint).copied());
        let of_any = if endpoint == OTHER { u64::MAX } else { self.budget };
        own.unwrap_or(of_any)
    }

    pub(super) fn tenant_budget(&self, tenant: &TenantName) -> u64 {
        self.tenants
            .get(tenant)
            .and_then(|tenant| tenant.tenant_budget)
            .unwrap_or(self.tenant_budget)
    }
}
