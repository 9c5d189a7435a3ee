//! Draft, declarations and fragments into one [`Config`]. The file wins over fragments.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::declarations::{Declarations, Remarks};
use super::keys::fragment::{ENDPOINT_KEYS, GATEWAY, WEBHOOK};
use super::problem::Problems;
use super::raw::{Draft, profile_instance};
use super::shape::Fields;
use super::tenants_dir::TenantsDir;
use super::yaml::Node;
use super::{Config, Dialect, Tenant};
use crate::ingest::endpoint;
use crate::probe::declaration::Instance;
use crate::words::TenantName;

/// The configuration in force. `problems` of declarations make it unfit; those of fragments are
/// the tenant's trouble alone.
pub fn compose(
    draft: &Draft,
    declarations: &Declarations,
    warnings: &[String],
    dir: Option<&TenantsDir>,
) -> Result<Config, Problems> {
    let mut config = draft.config.clone();
    config.warnings.extend_from_slice(warnings);
    let mut remarks = Remarks::default();
    config.probes = declarations.probes(&mut remarks);
    config.warnings.append(&mut remarks.warnings);
    remarks.problems.or(())?;
    let mut lints = BTreeMap::new();
    if let Some(dir) = dir {
        config.warnings.extend_from_slice(dir.warnings());
        for (name, held) in dir.tenants() {
            let known = config.tenants.contains_key(name);
            if !known && config.tenants.len() >= Config::TENANTS_MAX {
                config.warnings.push(format!(
                    "{}: not watched, since {} tenants are already",
                    held.tree.at,
                    Config::TENANTS_MAX
                ));
                continue;
            }
            let tenant = config
                .tenants
                .entry(name.clone())
                .or_insert_with(|| Tenant::named(name.clone()));
            from_fragments(tenant, &held.tree);
            tenant.trouble.clone_from(&held.trouble);
            lints.insert(name.clone(), Arc::clone(&held.lint));
            if let Some(probes) = held.tree.get("probes") {
                let mut remarks = Remarks::default();
                tenant.probes = declarations.of_tenant(probes, &mut remarks);
                config.warnings.append(&mut remarks.warnings);
            }
        }
    }
    config.fragments = Arc::new(lints);
    without_instance(&mut config);
    shared_ports(&mut config);
    unique(&mut config.warnings);
    Ok(config)
}

/// What [`TenantsDir::apply`] asks of a merged tree beyond its shape.
pub fn judge(declarations: &Declarations, tree: &Node) -> Problems {
    let mut remarks = Remarks::default();
    if let Some(probes) = tree.get("probes") {
        declarations.of_tenant(probes, &mut remarks);
    }
    remarks.problems
}

fn from_fragments(tenant: &mut Tenant, tree: &Node) {
    let gateway = Fields::of(Some(tree), GATEWAY);
    let webhook = Fields::of(Some(tree), WEBHOOK);
    let port = gateway.count("port").and_then(|port| u16::try_from(port).ok());
    tenant.port = tenant.port.or(port);
    if tenant.instance == Instance::Unknown {
        tenant.instance = match (gateway.text("state_dir"), gateway.text("profile")) {
            (Some(state_dir), _) => Instance::StateDir {
                state_dir: state_dir.into(),
                config: None,
            },
            (None, Some(profile)) => profile_instance(profile),
            (None, None) => Instance::Unknown,
        };
    }
    tenant.listeners = gateway
        .texts("listeners")
        .unwrap_or_default()
        .into_iter()
        .map(str::to_owned)
        .collect();
    tenant.tenant_budget = tenant.tenant_budget.or_else(|| webhook.count("tenant_budget"));
    for entry in webhook.node("endpoints").map(Node::entries).unwrap_or_default() {
        let budget = Fields::of(Some(&entry.node), ENDPOINT_KEYS).count("budget");
        if let (Some(endpoint), Some(budget)) = (endpoint::stored(&entry.key), budget) {
            tenant.endpoints.entry(endpoint.to_string()).or_insert(budget);
        }
    }
}

/// With `dialect: openclaw` it is an error that a tenant has neither profile nor state directory;
/// where fragments might have said it, it is the tenant's trouble and not the node's.
fn without_instance(config: &mut Config) {
    if config.openclaw.dialect != Dialect::Openclaw {
        return;
    }
    for tenant in config.tenants.values_mut() {
        if tenant.instance == Instance::Unknown && tenant.trouble.is_none() {
            let message = "neither the config file nor gateway.d says its `profile` or `state_dir`";
            tenant.trouble = Some(message.to_owned());
        }
    }
}

fn shared_ports(config: &mut Config) {
    let mut by_port: BTreeMap<u16, Vec<&TenantName>> = BTreeMap::new();
    for tenant in config.tenants.values() {
        if let Some(port) = tenant.port {
            by_port.entry(port).or_default().push(&tenant.name);
        }
    }
    let mut warnings = Vec::new();
    for (port, tenants) in by_port.into_iter().filter(|(_, tenants)| tenants.len() > 1) {
        let names: Vec<_> = tenants.into_iter().map(TenantName::as_str).collect();
        warnings.push(format!(
            "port {port} is given to {}: one gateway will answer for all of them",
            names.join(" and ")
        ));
    }
    config.warnings.append(&mut warnings);
}

fn unique(warnings: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    warnings.retain(|warning| seen.insert(warning.clone()));
}

#[cfg(test)]
mod tests;
