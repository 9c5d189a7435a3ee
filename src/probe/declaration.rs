//! What a probe is: a declaration of what to ask, how often, how patiently, and what the answer means.
//!
//! A `Probe` is valid by construction (the config module parses and checks the YAML). Nothing here
//! asks anything: `ask` does, and answers with a `Finding`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::allowed::Allowed;
use crate::link::place::Place;
use crate::link::session::LinkFacts;
use crate::words::{CheckId, Layer, ProbeName, TenantName, Verdict};

/// One probe with every default filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    pub name: ProbeName,
    pub title: String,
    pub layer: Layer,
    pub scope: Scope,
    pub asks: Asks,
    pub every: Duration,
    /// How soon to ask again while a run is open or the last finding was unknown. Doubles up to `every`.
    pub retry_every: Duration,
    /// Counted from the spawn or the first packet.
    pub timeout: Duration,
    /// How long an answer is believed.
    pub max_stale: Duration,
    /// What silence beyond `max_stale` counts as.
    pub on_silence: Verdict,
    /// The cap of what the check may count as.
    pub worst: Verdict,
    /// An advisory check (`false`) degrades at most.
    pub required: bool,
    /// Consecutive worse answers before the level falls; at least 1.
    pub fall: u32,
    /// Consecutive better answers before the level rises; at least 1.
    pub rise: u32,
    /// Probes whose `down` (of the same tenant, or of the node) explains this one's.
    pub explained_by: Vec<ProbeName>,
    /// What a person should do or run next; one line, shown as it is.
    pub hint: String,
    pub enabled: bool,
}

/// Whether a probe is bound to the node, to each tenant, or to both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    Tenant,
    Node,
    /// Once for the node and once per tenant: `webhook-digest`, whose age is the node's and whose rows are a tenant's.
    Both,
}

/// What to ask, by kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Asks {
    Exec(Exec),
    Http(Http),
    /// What listens on this host for the tenant, against what is allowed.
    Listener(Listener),
    Tcp(Tcp),
    /// The certificates that are served, and the files behind them.
    Tls(Tls),
    Disk(Disk),
    /// The clocks of those who report, and who keeps this host's own.
    Clock(Clock),
    Write(Write),
    Tokens(Tokens),
    Queue(Queue),
    /// What runs, against what `openclaw.lock` pins.
    Lock(Lock),
    /// Memory, load and descriptors of this host.
    Host(Host),
    /// Whether the tenant's gateway is older than the files that it was started with.
    Process,
    /// A standing link to the tenant's gateway: nobody asks it, its findings come by themselves.
    Link,
    /// The digest's rows, age and blindness: answered by the engine from its own state.
    Digest,
    /// The store's commits and quarantine: answered by the engine from its own state.
    Store,
    /// The tenant's fragments: answered by the engine from its config.
    Files,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exec {
    pub lane: Lane,
    /// argv with `{tenant} {profile} {state_dir} {config} {port}` in any argument. Where
    /// [`Parse::is_openclaws`], an empty command means "as the dialect wants it".
    pub command: Vec<String>,
    pub parse: Parse,
    /// Added to the cleared environment.
    pub env: Vec<(String, String)>,
    /// Rules on what [`Parse::has_rules`] reports, the first that matches wins.
    pub rules: Vec<Rule>,
    /// [`Parse::Cost`]: a job that is due more often than this needs to be approved.
    pub interval_min: Duration,
    /// While nothing that it looks at changes, an `ok` is repeated without a run, and none that is shown is older than
    /// this. `None`: every ask is a run.
    pub stretch: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lane {
    Light,
    Heavy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parse {
    Doctor,
    /// `openclaw config validate --json`; the articles' `config lint`.
    Config,
    Nagios,
    /// `openclaw secrets audit --check --json`, with the gateway's readiness and the tenant's own references beside it.
    Secrets,
    ExitCode,
    /// What `openclaw security audit` reports, and beside it the tenant's skills against their baseline.
    Security,
    /// A JSON object with `status` (ok, degraded, down, unknown; pass, warn, fail; yellow…) or `ok`, and `summary`.
    Json,
    /// An OpenClaw's list of jobs: how often they run, and whether any work is done twice.
    Cost,
    /// An OpenClaw gateway's `/readyz` (kind `http` only).
    Readyz,
}

/// What to do with a finding of a doctor or an audit by its `checkId` and, when given, its `requirement`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub check_id: String,
    pub requirement: Option<String>,
    pub act: RuleAct,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleAct {
    Ignore,
    /// Shown, never counted. Under `posture: strict` shipped notes count as they are.
    Note,
    /// Count an error (or what is critical) as a warning.
    Downgrade,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// `http://127.0.0.1:{port}/readyz`; `https` trusts the system's roots unless `insecure`.
    pub url: String,
    /// `Parse::ExitCode` here means: 2xx is ok, all else is down.
    pub parse: Parse,
    /// Accept any certificate (a loopback gateway's self-signed one).
    pub insecure: bool,
    /// Other than loopback: read the answer's body up to this many bytes.
    pub body_bytes_max: usize,
}

/// The sockets that listen for a tenant's gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listener {
    /// Where the gateway's port may listen when its fragments do not say.
    pub allow: Vec<Allowed>,
    /// URLs, with placeholders, that must refuse who brings no credentials.
    pub must_refuse: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tcp {
    /// `host:port`, with placeholders.
    pub address: String,
}

/// TLS handshakes, and what the certificates say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tls {
    /// `host:port`, with placeholders. Empty: the tenant's own gateway, where it serves TLS.
    pub addresses: Vec<String>,
    /// Authorities (PEM) that are believed besides the system's; with placeholders.
    pub ca_file: Option<String>,
    /// What `addresses` should serve (PEM, the certificate itself first); with placeholders.
    pub certificate_file: Option<String>,
    /// Degraded when less is left.
    pub warn_days: u64,
    /// Down when less is left; at most `warn_days`.
    pub down_days: u64,
}

/// Free bytes, inodes and read-only state, all from one statvfs a path.
#[derive(Clone, Debug, PartialEq)]
pub struct Disk {
    /// Empty: the node's state directory and each tenant's existing state directory.
    pub paths: Vec<PathBuf>,
    pub warn_free: Amount,
    pub down_free: Amount,
    /// Shares of inodes.
    pub warn_inodes: f64,
    pub down_inodes: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Amount {
    Bytes(u64),
    /// 0.0..=1.0 of the whole.
    Share(f64),
}

/// How far clocks may be apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// Degraded beyond.
    pub warn_skew: Duration,
    /// Down beyond; the shipped probe's `worst` makes that degraded.
    pub down_skew: Duration,
}

/// Create, write, fsync and unlink a small file in each state path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// Empty: as for `Disk`.
    pub paths: Vec<PathBuf>,
}

/// The files in which a tenant's credentials are kept and rotated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tokens {
    pub policy: TokenPolicy,
    /// By class, the name before `.current`: in place of `policy`.
    pub classes: BTreeMap<String, TokenPolicy>,
}

/// How long which credential may do what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenPolicy {
    /// How long the old and the new one are both good.
    pub overlap: Duration,
    /// A `.next` that is older was never promoted.
    pub next_stale: Duration,
    /// A `.current` that is older should have been replaced.
    pub cadence: Duration,
    /// And one that is older than this soon should.
    pub cadence_warn: Duration,
    /// In place of `cadence` where it faces the internet.
    pub internet_cadence: Duration,
    /// `None`: as the tenant's declared listeners say.
    pub internet_facing: Option<bool>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Further directories whose files are queue entries (depth: files; oldest: mtime). The tenant's
    /// own SQLite queues and its older `delivery-queue/` folders are always looked at.
    pub paths: Vec<PathBuf>,
    pub warn_depth: u64,
    pub down_depth: u64,
    pub warn_age: Duration,
    pub down_age: Duration,
    pub warn_wal_bytes: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    /// `None`: the first that exists of `openclaw.lock` beside readyd's config file and `/etc/openclaw/openclaw.lock`.
    pub file: Option<PathBuf>,
}

/// Shares (0.0..=1.0) of memory and descriptors in use, load per core.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Host {
    pub warn_memory: f64,
    pub warn_descriptors: f64,
    pub warn_load_per_core: f64,
}

/// One ask, with everything it needs: nothing is looked up while asking.
#[derive(Clone, Debug)]
pub struct Order {
    pub run: RunId,
    pub check: CheckId,
    pub probe: Arc<Probe>,
    pub target: Target,
    /// It is asked because its time has come and for no other reason, and all that is known of it is well: an answer
    /// may be repeated ([`Exec::stretch`]). False when a person asks, while a run is open, after a sleep.
    pub routine: bool,
}

/// Tells a late answer of a discarded run from the one that is waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RunId(pub u64);

/// Whom to ask.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    Node {
        /// The node's state directory and each tenant's, with the user it belongs to.
        state_dirs: Vec<StateDir>,
        /// Whose clock is known, where the probe is about clocks.
        senders: Vec<Sender>,
    },
    Tenant(Box<TenantTarget>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateDir {
    pub path: PathBuf,
    pub tenant: Option<TenantName>,
    /// Write as this user (needs root); `None`: as ourselves.
    pub user: Option<String>,
}

/// Somebody who reports with a clock of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// A producer, a gateway, a tenant's link.
    pub name: Arc<str>,
    /// How far our clock is ahead of its own; negative: behind.
    pub skew_millis: i64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantTarget {
    pub name: TenantName,
    pub user: Option<String>,
    pub instance: Instance,
    pub port: Option<u16>,
    /// Where its gateway is spoken to; `None`: nobody said.
    pub place: Option<Place>,
    /// What its fragments declare that it listens on: `127.0.0.1:18789`, `localhost:18789`.
    pub listeners: Vec<String>,
    pub env_file: Option<PathBuf>,
    /// As configured for it; [`TenantTarget::secrets_dir`] is where it lies otherwise.
    pub token_file: Option<PathBuf>,
    /// The tenant's own folder in the node's `secrets_dir`.
    pub secrets_dir: Option<PathBuf>,
    /// What its link knows, while there is one.
    pub link: Option<LinkFacts>,
    /// Jobs, by name or id, that somebody answers for: `tenants.T.jobs.NAME.approved`.
    pub approved_jobs: BTreeSet<String>,
    /// How long a gateway may say `starting` before that is an outage.
    pub startup_grace: Duration,
}

/// How the real OpenClaw tells one tenant's state from another's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Instance {
    /// Not said: nothing that shells out to a real OpenClaw can be asked.
    #[default]
    Unknown,
    /// The user's default profile.
    Default,
    Profile(String),
    StateDir {
        state_dir: PathBuf,
        /// Default: `openclaw.json` in the state directory.
        config: Option<PathBuf>,
    },
}

impl Tokens {
    /// Whether a credential may be called so: `token`, `slack`.
    pub fn is_class(name: &str) -> bool {
        let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let starts = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        starts && name.len() <= 64 && name.bytes().all(word)
    }

    pub fn policy_of(&self, class: &str) -> &TokenPolicy {
        self.classes.get(class).unwrap_or(&self.policy)
    }
}

impl Target {
    pub fn of(tenant: TenantTarget) -> Target {
        Target::Tenant(Box::new(tenant))
    }
}

impl Parse {
    /// Whether it reads what an `openclaw` says, whose arguments readyd knows in every dialect.
    pub const fn is_openclaws(self) -> bool {
        matches!(
            self,
            Parse::Doctor | Parse::Config | Parse::Secrets | Parse::Security | Parse::Cost
        )
    }

    /// Whether the articles' CLI has no words for it.
    pub const fn is_no_articles(self) -> bool {
        matches!(self, Parse::Secrets | Parse::Security | Parse::Cost)
    }

    /// Whether it reads findings with ids, which rules may ignore, note or downgrade.
    pub const fn has_rules(self) -> bool {
        matches!(self, Parse::Doctor | Parse::Security)
    }
}

impl Asks {
    /// The word of the declaration's `kind:`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Asks::Exec(_) => "exec",
            Asks::Http(_) => "http",
            Asks::Listener(_) => "listener",
            Asks::Tcp(_) => "tcp",
            Asks::Tls(_) => "tls",
            Asks::Disk(_) => "disk",
            Asks::Clock(_) => "clock",
            Asks::Write(_) => "write",
            Asks::Tokens(_) => "tokens",
            Asks::Queue(_) => "queue",
            Asks::Lock(_) => "lock",
            Asks::Host(_) => "host",
            Asks::Process => "process",
            Asks::Link => "gateway",
            Asks::Digest => "digest",
            Asks::Store => "store",
            Asks::Files => "files",
        }
    }

    /// The lane of an exec probe; `None` for a native one, which costs next to nothing.
    pub const fn lane(&self) -> Option<Lane> {
        match self {
            Asks::Exec(exec) => Some(exec.lane),
            _ => None,
        }
    }

    /// Whether the engine answers it from its own state, without a run.
    pub const fn is_internal(&self) -> bool {
        matches!(self, Asks::Digest | Asks::Store | Asks::Files)
    }

    /// Whether it is asked by runs, which the schedule begins.
    pub const fn is_scheduled(&self) -> bool {
        !self.is_internal() && !matches!(self, Asks::Link)
    }
}

#[cfg(test)]
impl Probe {
    /// What specs begin with: a required probe of tenants, asked every 5 min as `doctor` is.
    pub(crate) fn specimen(name: &str, asks: Asks) -> Probe {
        Probe {
            name: ProbeName::parse(name).unwrap(),
            title: name.to_owned(),
            layer: Layer::Runtime,
            scope: Scope::Tenant,
            asks,
            every: Duration::from_secs(300),
            retry_every: Duration::from_secs(30),
            timeout: Duration::from_secs(60),
            max_stale: Duration::from_secs(960),
            on_silence: Verdict::Degraded,
            worst: Verdict::Down,
            required: true,
            fall: 2,
            rise: 2,
            explained_by: Vec::new(),
            hint: String::new(),
            enabled: true,
        }
    }
}

#[cfg(test)]
impl TenantTarget {
    /// A tenant of which nothing but the name is known.
    pub(crate) fn specimen(name: &str) -> TenantTarget {
        TenantTarget {
            name: TenantName::parse(name).unwrap(),
            user: None,
            instance: Instance::Unknown,
            port: None,
            place: None,
            listeners: Vec::new(),
            env_file: None,
            token_file: None,
            secrets_dir: None,
            link: None,
            approved_jobs: BTreeSet::new(),
            startup_grace: Duration::from_secs(60),
        }
    }
}
