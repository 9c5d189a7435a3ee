//! Which checks a configuration asks for, and whether they can be asked as often as it says.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::units::write_duration;
use super::{Config, Dialect, Tenant};
use crate::probe::declaration::{Asks, Instance, Lane, Probe, Scope};
use crate::words::CheckId;

/// What `config check` says of a valid configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    pub checks: Vec<Notice>,
    pub lanes: Vec<LaneLoad>,
    pub warnings: Vec<String>,
    /// Tenants in trouble, and lanes that cannot keep up.
    pub errors: Vec<String>,
}

/// How late an outage may be noticed by one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub check: CheckId,
    /// See [`worst_case`].
    pub within: Duration,
}

/// What is asked of one lane.
#[derive(Clone, Debug, PartialEq)]
pub struct LaneLoad {
    pub lane: Lane,
    /// Processes at a time.
    pub concurrency: usize,
    pub checks: usize,
    /// Processes that would run at a time, on average, when every run took its whole timeout:
    /// the sum of timeout / every.
    pub at_timeout: f64,
}

impl Config {
    /// Every check of enabled probes. A probe that needs `{port}` is bound to tenants whose port is known.
    pub fn checks(&self) -> BTreeMap<CheckId, Arc<Probe>> {
        let mut checks = BTreeMap::new();
        for (name, probe) in &self.probes {
            if probe.enabled && matches!(probe.scope, Scope::Node | Scope::Both) {
                checks.insert(CheckId::node(name.clone()), Arc::clone(probe));
            }
            for (tenant_name, tenant) in &self.tenants {
                let probe = tenant.probes.get(name).unwrap_or(probe);
                if binds(probe, tenant, self) {
                    checks.insert(CheckId::of(name.clone(), tenant_name.clone()), Arc::clone(probe));
                }
            }
        }
        checks
    }

    /// Each check's worst case, each lane's load, and what is wrong with them.
    pub fn report(&self) -> Report {
        let checks = self.checks();
        let lanes = [
            lane(&checks, Lane::Light, self.exec.light),
            lane(&checks, Lane::Heavy, self.exec.heavy),
        ];
        let mut warnings = self.warnings.clone();
        let mut errors: Vec<String> = Vec::new();
        for tenant in self.tenants.values() {
            errors.extend(
                tenant
                    .trouble
                    .as_ref()
                    .map(|why| format!("tenant {}: {why}", tenant.name)),
            );
        }
        for (tenant, lint) in &*self.fragments {
            let (refused, odd): (Vec<_>, Vec<_>) = lint.counted().partition(|one| one.kind.is_refused());
            let told = |one| format!("tenant {tenant}: {one}");
            warnings.extend(odd.into_iter().map(told));
            // The first of them is the tenant's trouble.
            errors.extend(refused.into_iter().skip(1).map(told));
        }
        for lane in lanes.iter().filter(|lane| lane.checks > 0) {
            match lane.at_timeout / lane.concurrency as f64 {
                // Even runs that take a quarter of their timeout do not fit.
                load if load > 4.0 + ROUNDING => errors.push(lane.advice("cannot keep up")),
                load if load > 1.0 + ROUNDING => {
                    warnings.push(lane.advice("cannot keep up when runs take as long as they may"))
                }
                _ => {}
            }
        }
        Report {
            checks: checks
                .iter()
                .map(|(check, probe)| Notice {
                    check: check.clone(),
                    within: worst_case(probe),
                })
                .collect(),
            lanes: lanes.to_vec(),
            warnings,
            errors,
        }
    }
}

/// The longest time from an outage to the level that says so: it begins just after an answer
/// (`every`), the next `fall` answers all take their timeout, and between them pass the retries,
/// which double up to `every`. What the engine answers from its own state takes no time.
pub fn worst_case(probe: &Probe) -> Duration {
    let timeout = if !probe.asks.is_scheduled() {
        Duration::ZERO
    } else {
        probe.timeout
    };
    // While nothing changes that it is known to look at, an ok may be as old as that.
    let stretch = match &probe.asks {
        Asks::Exec(exec) => exec.stretch.unwrap_or_default(),
        _ => Duration::ZERO,
    };
    let mut within = probe.every.max(stretch) + timeout;
    let mut retry = probe.retry_every;
    for _ in 1..probe.fall {
        within += retry + timeout;
        retry = (retry * 2).min(probe.every);
    }
    within
}

impl LaneLoad {
    fn advice(&self, what: &str) -> String {
        format!(
            "the {} lane {what}: {} checks ask for up to {:.1} processes at a time (sum of timeout / every) and {} run at once; \
             raise exec.{}, ask less often (every), or shorten timeouts",
            lane_word(self.lane),
            self.checks,
            self.at_timeout,
            self.concurrency,
            lane_word(self.lane),
        )
    }
}

impl fmt::Display for Report {
    /// For people: problems first, then each check with its worst case.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for error in &self.errors {
            writeln!(f, "error: {error}")?;
        }
        for warning in &self.warnings {
            writeln!(f, "warning: {warning}")?;
        }
        for lane in self.lanes.iter().filter(|lane| lane.checks > 0) {
            writeln!(
                f,
                "{} lane: {} checks, at most {:.2} of {} processes",
                lane_word(lane.lane),
                lane.checks,
                lane.at_timeout,
                lane.concurrency
            )?;
        }
        for notice in &self.checks {
            let check = notice.check.to_string();
            writeln!(
                f,
                "{check:<32} an outage shows within {}",
                write_duration(notice.within)
            )?;
        }
        Ok(())
    }
}

fn binds(probe: &Probe, tenant: &Tenant, config: &Config) -> bool {
    let needs_port = match &probe.asks {
        Asks::Http(http) => http.url.contains("{port}"),
        Asks::Listener(listener) => listener.must_refuse.iter().any(|url| url.contains("{port}")),
        Asks::Tcp(tcp) => tcp.address.contains("{port}"),
        Asks::Tls(tls) => tls.addresses.iter().any(|address| address.contains("{port}")),
        _ => false,
    };
    let bound = matches!(probe.scope, Scope::Tenant | Scope::Both);
    // A link is for those who give a token: without one there is nothing to know, and nothing to find fault with.
    let linked = probe.asks != Asks::Link || (tenant.token.is_some() && tenant.place().is_some());
    let asked = match &probe.asks {
        Asks::Listener(listener) => !listener.must_refuse.is_empty() || listens_here(tenant),
        Asks::Process => can_be_stale(tenant),
        // Who keeps no credential in a file that we were told of has none to rotate.
        Asks::Tokens(_) => tenant.token_file.is_some() || config.secrets_dir.is_some(),
        Asks::Tls(tls) => !tls.addresses.is_empty() || may_serve_tls(tenant),
        _ => true,
    };
    probe.enabled
        && bound
        && linked
        && asked
        && has_words(probe, config.openclaw.dialect)
        && (!needs_port || tenant.port.is_some())
}

/// Whether its gateway's port is one of this host's.
fn listens_here(tenant: &Tenant) -> bool {
    tenant.place().is_some_and(|place| place.address().is_this_host())
}

/// Whether the tenant has a process that can be found (it listens on this host) and files that it was started with.
fn can_be_stale(tenant: &Tenant) -> bool {
    let started_with_a_file =
        tenant.instance != Instance::Unknown || tenant.env_file.is_some() || tenant.token.is_some();
    listens_here(tenant) && started_with_a_file
}

/// Whether its gateway serves TLS, or may: of a bare `port` only OpenClaw's own config says it.
fn may_serve_tls(tenant: &Tenant) -> bool {
    match &tenant.gateway {
        Some(place) => place.address().tls,
        None => tenant.port.is_some(),
    }
}

/// Whether the dialect has a question for it. Where `auto` finds the articles' CLI at the first ask, the check is there and says so.
fn has_words(probe: &Probe, dialect: Dialect) -> bool {
    match &probe.asks {
        Asks::Exec(exec) if dialect == Dialect::Article && exec.command.is_empty() => !exec.parse.is_no_articles(),
        _ => true,
    }
}

fn lane(checks: &BTreeMap<CheckId, Arc<Probe>>, lane: Lane, concurrency: usize) -> LaneLoad {
    let probes: Vec<_> = checks
        .values()
        .filter(|probe| probe.asks.lane() == Some(lane))
        .collect();
    LaneLoad {
        lane,
        concurrency,
        checks: probes.len(),
        at_timeout: probes
            .iter()
            .map(|probe| probe.timeout.as_secs_f64() / probe.every.as_secs_f64())
            .sum(),
    }
}

/// Sums of fractions are never exact.
const ROUNDING: f64 = 1e-9;

fn lane_word(lane: Lane) -> &'static str {
    match lane {
        Lane::Light => "light",
        Lane::Heavy => "heavy",
    }
}

#[cfg(test)]
mod tests;
