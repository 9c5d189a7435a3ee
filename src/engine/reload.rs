//! Another configuration: what stays keeps its state, what is gone is forgotten, what changed is asked.

use std::sync::Arc;

use super::Engine;
use super::bind::Known;
use super::known_good::KnownGood;
use super::message::Output;
use crate::config::{Config, Tenant};
use crate::digest;
use crate::probe::declaration::{Asks, StateDir};
use crate::readiness::snapshot::ConfigStatus;
use crate::readiness::{self, TenantSettings};
use crate::words::{CheckId, Now};

impl Engine {
    pub(super) fn on_config(
        &mut self,
        now: Now,
        config: Arc<Config>,
        state_dirs: Vec<StateDir>,
        whole: bool,
        out: &mut Vec<Output>,
    ) {
        let before = std::mem::replace(&mut self.config, config);
        let dirs_before = std::mem::replace(&mut self.state_dirs, state_dirs);
        let refused = self.config_status.reload_error.take().filter(|_| !whole);
        self.config_status = ConfigStatus {
            reload_error: refused,
            listen_troubles: std::mem::take(&mut self.config_status.listen_troubles),
            ..config_status(&self.config, now)
        };
        self.known_good = KnownGood::of(&self.config, &self.state_dirs);
        let checks = self.config.checks();
        let listed: Vec<_> = checks
            .iter()
            .map(|(check, probe)| (check.clone(), Arc::clone(probe)))
            .collect();
        self.schedule.configure(&listed, now.at);
        self.internal.configure(&self.config, now.at);
        self.internal.ask_now();
        self.runs.retain(|check, run| {
            let stays = checks.contains_key(check);
            if !stays {
                out.push(Output::Cancel(*run));
            }
            stays
        });
        for check in checks.keys() {
            let known_before = Known {
                config: &before,
                state_dirs: &dirs_before,
                links: &self.links,
            };
            if is_touched(&before, &self.config, check) || known_before.target(check) != self.known().target(check) {
                // What is in flight asks as before, or somebody else: its answer is not this check's.
                out.extend(self.runs.remove(check).map(Output::Cancel));
                self.schedule.ask_anew(check);
            }
        }
        let settings = digest::Settings::of(&self.config, &self.boot);
        self.digest.configure(now, settings);
        self.links.retain(|tenant, _| self.config.tenants.contains_key(tenant));
        self.readiness.configure(now, readiness_settings(&self.config));
        self.first_round.retain(|check| checks.contains_key(check));
        self.changed = true;
    }
}

/// Whether the check asks something else now or by other means, or its tenant is another than before in any way.
fn is_touched(before: &Config, after: &Config, check: &CheckId) -> bool {
    let starts_commands = |config: &Config| {
        let probe = config.probe(check);
        probe.is_some_and(|probe| matches!(probe.asks, Asks::Exec(_) | Asks::Lock(_)))
    };
    let other_commands = before.exec.path != after.exec.path || before.openclaw != after.openclaw;
    before.probe(check) != after.probe(check)
        || tenant(before, check) != tenant(after, check)
        || (other_commands && starts_commands(after))
}

fn tenant<'a>(config: &'a Config, check: &CheckId) -> Option<&'a Tenant> {
    config.tenants.get(check.tenant.as_ref()?)
}

pub(super) fn readiness_settings(config: &Config) -> readiness::Settings {
    let required = |tenant: &Tenant| TenantSettings {
        required: tenant.required,
    };
    readiness::Settings {
        node: config.node.as_str().into(),
        labels: config.labels.clone(),
        startup_grace: config.readiness.startup_grace,
        tenants: config
            .tenants
            .iter()
            .map(|(name, tenant)| (name.clone(), required(tenant)))
            .collect(),
        no_tenants_on_purpose: config.no_tenants_on_purpose,
        checks: config.checks().into_iter().collect(),
    }
}

pub(super) fn config_status(config: &Config, now: Now) -> ConfigStatus {
    ConfigStatus {
        path: config.path.as_ref().map(|path| path.display().to_string()),
        loaded_at: now.wall,
        reload_error: None,
        listen_troubles: Vec::new(),
        warnings: config.warnings.clone(),
    }
}
