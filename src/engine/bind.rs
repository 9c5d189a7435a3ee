//! Whom a check asks.

use crate::config::{Config, Tenant};
use crate::probe::declaration::{StateDir, Target, TenantTarget};
use crate::words::CheckId;

/// `None` when the check's tenant is not configured any more. `state_dirs`: the node's own and its tenants',
/// as the shell found them (a profile's place depends on its user's home).
pub(super) fn target(config: &Config, state_dirs: &[StateDir], check: &CheckId) -> Option<Target> {
    match &check.tenant {
        None => Some(Target::Node {
            state_dirs: state_dirs.to_vec(),
        }),
        Some(name) => config
            .tenants
            .get(name)
            .map(|tenant| Target::Tenant(tenant_target(config, tenant))),
    }
}

fn tenant_target(config: &Config, tenant: &Tenant) -> TenantTarget {
    TenantTarget {
        name: tenant.name.clone(),
        user: tenant.user.clone(),
        instance: tenant.instance.clone(),
        port: tenant.port,
        env_file: tenant.env_file.clone(),
        startup_grace: config.readiness.startup_grace,
    }
}
