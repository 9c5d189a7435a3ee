//! The validated configuration: what the rest of readyd trusts without looking twice.
//!
//! ```text
//! readyd.yaml ─ yaml ─ shape(keys) ─ raw ──────────────▶ Draft ─┐
//! shipped, probes.d, probes: ─ declarations(declaration) ───────┼─ compose ─▶ Config, Sources
//! tenants_dir ─ scan ─ fragments ─ tenants_dir (over time) ─────┘
//! ```
//!
//! Shell: `load`, `scan`, `files`, `env_file`, `tokens`, `swap`. All else is pure.

mod access;
pub mod checks;
pub mod compose;
pub mod declaration;
pub mod declarations;
pub mod discover;
pub mod env_file;
pub mod environment;
pub mod explain;
pub mod files;
pub mod fragments;
pub mod keys;
pub mod lint;
pub mod load;
pub mod problem;
pub mod raw;
mod scan;
pub mod schema;
pub mod secrets;
pub mod shape;
pub mod show;
pub mod swap;
pub mod tenants_dir;
mod tokens;
pub mod touched;
pub mod units;
pub mod yaml;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use self::lint::Lint;
use crate::history::{Slo, Slos};
use crate::link::place::Place;
use crate::link::token::TokenPlaces;
use crate::probe::declaration::{Instance, Probe};
use crate::words::{CheckId, ProbeName, TenantName, Via};

/// Everything that was decided from files, flags and defaults. Valid by construction.
#[derive(Clone, Debug)]
pub struct Config {
    pub node: String,
    pub labels: BTreeMap<String, String>,
    pub listen: SocketAddr,
    /// Further Host names that are answered in full.
    pub hosts: Vec<String>,
    /// Bearer for a non-loopback `listen`.
    pub token_file: Option<PathBuf>,
    /// What `listen` is served with; `None`: in the clear.
    pub tls: Option<Tls>,
    pub agent_check: Option<SocketAddr>,
    pub state_dir: PathBuf,
    pub runtime_dir: PathBuf,
    pub sockets: Sockets,
    pub tenants_dir: Option<PathBuf>,
    pub secrets_dir: Option<PathBuf>,
    /// At most [`Config::TENANTS_MAX`].
    pub tenants: BTreeMap<TenantName, Tenant>,
    /// What there is to say of the fragments of those that have a directory. Not in [`Tenant`]: nobody is asked
    /// anew because of it.
    pub fragments: Arc<BTreeMap<TenantName, Arc<Lint>>>,
    /// `tenants: {}` was written on purpose: no gateway is watched, and that is fine.
    pub no_tenants_on_purpose: bool,
    pub digest: Digest,
    pub readiness: Readiness,
    /// What tenants promise that say nothing else; with a window.
    pub slo: SloWords,
    pub exec: ExecLimits,
    pub openclaw: Openclaw,
    /// By name, shipped and the user's, disabled ones too.
    pub probes: BTreeMap<ProbeName, Arc<Probe>>,
    /// Where it was read; `None`: the embedded default.
    pub path: Option<PathBuf>,
    /// Nothing that stops us: overrides of unknown probes, ignored keys of fragments. Shown by `config check`.
    pub warnings: Vec<String>,
}

/// A certificate with its chain, and its key (PEM). One file may hold both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    pub cert_file: PathBuf,
    pub key_file: PathBuf,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sockets {
    pub events_mode: u32,
    pub events_group: Option<String>,
    /// uid → the tenants it may report for (`None`: any). Empty: any peer may report for any tenant; otherwise a peer
    /// that is not listed may report for none.
    pub events_peers: BTreeMap<u32, Option<Vec<TenantName>>>,
    pub control_mode: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Tenant {
    pub name: TenantName,
    /// An advisory tenant (`false`) degrades the node at most.
    pub required: bool,
    pub user: Option<String>,
    pub instance: Instance,
    /// Of its gateway; `None`: no gateway check.
    pub port: Option<u16>,
    /// Where its link goes, when that is not `port` on loopback.
    pub gateway: Option<Place>,
    pub env_file: Option<PathBuf>,
    pub token_file: Option<PathBuf>,
    /// Where its gateway's token is: in `token_file`, or where the loader found one. `None`: it gives none.
    pub token: Option<TokenPlaces>,
    /// The source that counts; `None` (`auto`): the best that is heard of.
    pub webhook_source: Option<Via>,
    /// Its gateway's log, for the source `log`; `YYYY-MM-DD` in its name stands for the date. `None`: OpenClaw's default.
    pub log_file: Option<PathBuf>,
    /// Endpoint as stored in the digest → its budget.
    pub endpoints: BTreeMap<String, u64>,
    /// What its fragments declare that its gateway listens on: `127.0.0.1:18789`, `localhost:18789`.
    pub listeners: Vec<String>,
    /// `None`: `digest.tenant_budget`.
    pub tenant_budget: Option<u64>,
    pub slo: SloWords,
    /// Jobs, by name or id, that may run often, and may do what others do.
    pub approved_jobs: BTreeSet<String>,
    /// Probes as this tenant's fragments patiently want them; absent: as in [`Config::probes`].
    pub probes: BTreeMap<ProbeName, Arc<Probe>>,
    /// What is wrong with its fragments or directory while the last good merge is kept; degrades it.
    pub trouble: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    /// Another node's digest to join with ours: `http(s)://…/v1/webhook-digest` (or its origin alone).
    pub source: Option<String>,
    pub source_token_file: Option<PathBuf>,
    /// The authorities that its certificate is believed by; `None`: this system's.
    pub source_ca_file: Option<PathBuf>,
    pub stale_after: Duration,
    /// Failures per endpoint in the sliding window before it degrades.
    pub budget: u64,
    pub tenant_budget: u64,
    pub adhoc_tenants_max: usize,
}

/// What was said of a budget, of all tenants or of one. A promise needs a target from either.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SloWords {
    pub target: Option<f64>,
    /// Default: [`SloWords::WINDOW`].
    pub window: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Readiness {
    pub startup_grace: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecLimits {
    pub light: usize,
    pub heavy: usize,
    /// `PATH` of every child.
    pub path: Vec<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Openclaw {
    pub command: String,
    pub dialect: Dialect,
    pub posture: Posture,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    #[default]
    Auto,
    /// The real CLI.
    Openclaw,
    /// The CLI that the users' articles describe.
    Article,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Posture {
    #[default]
    Relaxed,
    /// Shipped notes count.
    Strict,
}

impl Tenant {
    /// Where its gateway is spoken to; `None`: nobody said.
    pub fn place(&self) -> Option<Place> {
        self.gateway.clone().or_else(|| self.port.map(Place::loopback))
    }
}

impl SloWords {
    pub const WINDOW: Duration = Duration::from_secs(30 * 86_400);
    pub const DEFAULT: SloWords = SloWords {
        target: None,
        window: Some(Self::WINDOW),
    };

    /// Word by word, these first.
    pub fn over(self, others: SloWords) -> SloWords {
        SloWords {
            target: self.target.or(others.target),
            window: self.window.or(others.window),
        }
    }

    /// `None` without a target.
    fn promise(self) -> Option<Slo> {
        Some(Slo {
            target: self.target?,
            window: self.window.unwrap_or(Self::WINDOW),
        })
    }
}

impl Config {
    pub const TENANTS_MAX: usize = 256;

    /// Which tenant promises what.
    pub fn slos(&self) -> Slos {
        let tenants = self.tenants.iter();
        tenants
            .filter_map(|(name, tenant)| Some((name.clone(), tenant.slo.over(self.slo).promise()?)))
            .collect()
    }

    /// The probe as bound to one check, with the tenant's own patience; `None` when it is unknown.
    pub fn probe(&self, check: &CheckId) -> Option<&Arc<Probe>> {
        check
            .tenant
            .as_ref()
            .and_then(|tenant| self.tenants.get(tenant)?.probes.get(&check.probe))
            .or_else(|| self.probes.get(&check.probe))
    }
}
