//! Whom a check asks, with what the engine knows of it.

use std::collections::BTreeMap;

use crate::config::{Config, Tenant};
use crate::digest::Digest;
use crate::ingest::delta::Reporter;
use crate::link::session::LinkFacts;
use crate::probe::declaration::{Sender, StateDir, Target, TenantTarget};
use crate::words::{CheckId, Instant, TenantName};

/// What targets are made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<'a> {
    pub config: &'a Config,
    /// The node's own and its tenants', as the shell found them (a profile's place depends on its user's home).
    pub state_dirs: &'a [StateDir],
    pub links: &'a BTreeMap<TenantName, LinkFacts>,
}

impl Known<'_> {
    /// `None` when the check's tenant is not configured any more.
    pub(super) fn target(self, check: &CheckId) -> Option<Target> {
        match &check.tenant {
            None => Some(Target::Node {
                state_dirs: self.state_dirs.to_vec(),
                senders: Vec::new(),
            }),
            Some(name) => self
                .config
                .tenants
                .get(name)
                .map(|tenant| Target::of(self.tenant(tenant))),
        }
    }

    fn tenant(self, tenant: &Tenant) -> TenantTarget {
        let secrets_dir = self.config.secrets_dir.as_ref();
        TenantTarget {
            name: tenant.name.clone(),
            user: tenant.user.clone(),
            instance: tenant.instance.clone(),
            port: tenant.port,
            place: tenant.place(),
            listeners: tenant.listeners.clone(),
            env_file: tenant.env_file.clone(),
            token_file: tenant.token_file.clone(),
            secrets_dir: secrets_dir.map(|dir| dir.join(tenant.name.as_str())),
            link: self.links.get(&tenant.name).cloned(),
            approved_jobs: tenant.approved_jobs.clone(),
            startup_grace: self.config.readiness.startup_grace,
        }
    }
}

/// Everybody whose clock is known: those who report, and gateways over their links.
pub(super) fn senders(digest: &Digest, links: &BTreeMap<TenantName, LinkFacts>, now: Instant) -> Vec<Sender> {
    let by_link = links.iter().filter(|(_, facts)| facts.connected);
    let by_link = by_link.filter_map(|(tenant, facts)| {
        Some(Sender {
            name: Reporter::link(tenant).0,
            // A link tells how far the gateway's clock is ahead of ours.
            skew_millis: facts.skew_millis?.saturating_neg(),
        })
    });
    digest.senders(now).chain(by_link).collect()
}
