//! The config file's tree into a [`Draft`]: everything that the file, defaults and environment
//! decide. Probes and fragments join in [`super::compose`].

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::access::{access_warning, source_warnings};
use super::environment::Environment;
use super::keys;
use super::problem::Problems;
use super::shape::{self, Fields, Wording, join};
use super::yaml::{Node, Value};
use super::{Config, Dialect, Digest, ExecLimits, Openclaw, Posture, Readiness, SloWords, Sockets, Tenant, Tls};
use crate::ingest::endpoint;
use crate::link::place::{Address, Fingerprint, Place, Trust};
use crate::probe::declaration::Instance;
use crate::words::{TenantName, Via};

/// The config file with defaults, before probes and fragments.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Tenants of the file alone; no probes yet.
    pub config: Config,
    pub patience: Patience,
    /// The file's `probes:`.
    pub overrides: Option<Node>,
    /// The file itself, for provenance.
    pub tree: Option<Node>,
    /// Neither `tenants` nor `tenants_dir`: an `openclaw` found there is the tenant `default`.
    pub discover: Option<Discover>,
}

/// What a probe's `fall` and `rise` are when its declaration is silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    pub fall: u32,
    pub rise: u32,
}

/// Where to look for an OpenClaw that nobody configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discover {
    /// A name to find on `path`, or a path.
    pub command: String,
    pub path: Vec<PathBuf>,
    /// `~/.openclaw/openclaw.json`.
    pub openclaw_json: PathBuf,
}

/// The draft of `tree` (`None`: the embedded default), and all that is wrong with it.
///
/// `path` is where the file was read; relative paths in it start at its directory.
pub fn decode(tree: Option<&Node>, path: Option<&Path>, environment: &Environment) -> (Draft, Problems) {
    let mut problems = Problems::default();
    if let Some(tree) = tree {
        shape::check(
            &shape::Shape::Object(keys::CONFIG),
            tree,
            "",
            Wording::CONFIG,
            &mut problems,
        );
    }
    let paths = Paths {
        base: path.and_then(Path::parent).map(Path::to_path_buf),
        home: environment.home.clone(),
    };
    let fields = Fields::of(tree, keys::CONFIG);
    let mut config = top(fields, &paths, environment);
    config.path = path.map(Path::to_path_buf);
    config.tenants = tenants(fields.node("tenants"), &paths, &config, &mut problems);
    cross_checks(tree, fields, environment, &mut config, &mut problems);

    let readiness = Fields::of(fields.node("readiness"), keys::READINESS);
    let patience = Patience {
        fall: small(readiness.count("fall")).unwrap_or(2),
        rise: small(readiness.count("rise")).unwrap_or(2),
    };
    let unsaid = fields.node("tenants").is_none() && config.tenants_dir.is_none();
    let discover = environment.home.as_ref().filter(|_| unsaid).map(|home| Discover {
        command: config.openclaw.command.clone(),
        path: config.exec.path.clone(),
        openclaw_json: home.join(".openclaw/openclaw.json"),
    });
    let draft = Draft {
        config,
        patience,
        overrides: fields.node("probes").cloned(),
        tree: tree.cloned(),
        discover,
    };
    (draft, problems)
}

impl Draft {
    /// An OpenClaw was found where [`Draft::discover`] says: it becomes the tenant `default`.
    pub fn found(&mut self, port: u16) {
        if let Some(name) = TenantName::parse("default") {
            let mut tenant = Tenant::named(name.clone());
            tenant.instance = Instance::Default;
            tenant.port = Some(port);
            self.config.tenants.insert(name, tenant);
        }
    }
}

impl Tenant {
    /// A tenant of which nothing but the name is known.
    pub fn named(name: TenantName) -> Tenant {
        Tenant {
            name,
            required: true,
            user: None,
            instance: Instance::Unknown,
            port: None,
            gateway: None,
            env_file: None,
            token_file: None,
            token: None,
            webhook_source: None,
            log_file: None,
            endpoints: BTreeMap::new(),
            listeners: Vec::new(),
            tenant_budget: None,
            slo: SloWords::default(),
            approved_jobs: BTreeSet::new(),
            probes: BTreeMap::new(),
            trouble: None,
        }
    }
}

/// The bits of a mode such as `0660`, `660` or `0o660`: permissions of user, group and others.
pub fn mode(text: &str) -> Option<u32> {
    let digits = text
        .strip_prefix("0o")
        .or_else(|| text.strip_prefix('0'))
        .unwrap_or(text);
    let octal = digits.len() == 3 && digits.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    octal.then(|| u32::from_str_radix(digits, 8).ok()).flatten()
}

/// Whether `text` is an `http://` or `https://` URL with a host, and without user info, query and fragment:
/// secrets go into files.
pub fn is_origin_url(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://")) else {
        return false;
    };
    let host = rest.split('/').next().unwrap_or_default();
    let clean = !rest.contains(['@', '?', '#', ' ', '\\']) && !rest.chars().any(crate::words::text::is_harmful);
    !host.is_empty() && !host.starts_with(':') && clean && text.len() <= 2048
}

/// How paths of the file become absolute.
struct Paths {
    base: Option<PathBuf>,
    home: Option<PathBuf>,
}

impl Paths {
    fn of(&self, fields: Fields<'_>, key: &str) -> Option<PathBuf> {
        Some(self.resolve(fields.text(key)?))
    }

    fn resolve(&self, text: &str) -> PathBuf {
        match (text.strip_prefix("~/"), &self.home) {
            (Some(rest), Some(home)) => home.join(rest),
            _ => match &self.base {
                Some(base) => base.join(text),
                None => text.into(),
            },
        }
    }
}

fn top(fields: Fields<'_>, paths: &Paths, environment: &Environment) -> Config {
    let state_dir = paths.of(fields, "state_dir").unwrap_or_else(|| environment.state_dir());
    let runtime_dir = paths.of(fields, "runtime_dir");
    let owned = |texts: Vec<&str>| texts.into_iter().map(str::to_owned).collect::<Vec<_>>();
    let labels = fields.node("labels").map(Node::entries).unwrap_or_default();
    Config {
        node: fields
            .text("node")
            .map_or_else(|| node_name(environment), str::to_owned),
        labels: labels
            .iter()
            .filter_map(|entry| Some((entry.key.clone(), entry.node.text()?.to_owned())))
            .collect(),
        listen: address(fields, "listen").unwrap_or(SocketAddr::from(([127, 0, 0, 1], 9099))),
        hosts: owned(fields.texts("hosts").unwrap_or_default()),
        token_file: paths.of(fields, "token_file"),
        tls: tls(Fields::of(fields.node("tls"), keys::TLS), paths),
        agent_check: address(fields, "agent_check"),
        runtime_dir: runtime_dir.unwrap_or_else(|| environment.runtime_dir(&state_dir)),
        state_dir,
        sockets: sockets(Fields::of(fields.node("sockets"), keys::SOCKETS)),
        tenants_dir: paths.of(fields, "tenants_dir"),
        secrets_dir: paths.of(fields, "secrets_dir"),
        tenants: BTreeMap::new(),
        fragments: std::sync::Arc::default(),
        no_tenants_on_purpose: fields
            .node("tenants")
            .is_some_and(|node| matches!(&node.value, Value::Map(entries) if entries.is_empty())),
        digest: digest(Fields::of(fields.node("digest"), keys::DIGEST), paths),
        readiness: Readiness {
            startup_grace: Fields::of(fields.node("readiness"), keys::READINESS)
                .duration("startup_grace")
                .unwrap_or(Duration::from_secs(60)),
        },
        slo: slo(fields).over(SloWords::DEFAULT),
        exec: exec_limits(Fields::of(fields.node("exec"), keys::EXEC_LIMITS), paths, environment),
        openclaw: openclaw(Fields::of(fields.node("openclaw"), keys::OPENCLAW)),
        probes: BTreeMap::new(),
        path: None,
        warnings: Vec::new(),
    }
}

fn node_name(environment: &Environment) -> String {
    match (keys::forms::NODE_NAME.is)(&environment.hostname) {
        true => environment.hostname.clone(),
        false => "localhost".to_owned(),
    }
}

/// `None` where a half of it is missing: [`cross_checks`] says so.
fn tls(fields: Fields<'_>, paths: &Paths) -> Option<Tls> {
    Some(Tls {
        cert_file: paths.of(fields, "cert_file")?,
        key_file: paths.of(fields, "key_file")?,
    })
}

fn sockets(fields: Fields<'_>) -> Sockets {
    let peers = fields.node("events_peers").map(Node::entries).unwrap_or_default();
    let names = |node: &Node| {
        let texts = || node.items().iter().filter_map(Node::text);
        let any = texts().any(|text| text == keys::forms::ANY_TENANT);
        (!any).then(|| texts().filter_map(TenantName::parse).collect::<Vec<_>>())
    };
    Sockets {
        events_mode: fields.text("events_mode").and_then(mode).unwrap_or(0o660),
        events_group: fields.text("events_group").map(str::to_owned),
        events_peers: peers
            .iter()
            .filter_map(|entry| Some((entry.key.parse().ok()?, names(&entry.node))))
            .collect(),
        control_mode: fields.text("control_mode").and_then(mode).unwrap_or(0o600),
    }
}

fn digest(fields: Fields<'_>, paths: &Paths) -> Digest {
    let adhoc = fields.count("adhoc_tenants_max").unwrap_or(64);
    Digest {
        source: fields
            .text("source")
            .filter(|source| *source != "local")
            .map(str::to_owned),
        source_token_file: paths.of(fields, "source_token_file"),
        source_ca_file: paths.of(fields, "source_ca_file"),
        stale_after: fields.duration("stale_after").unwrap_or(Duration::from_secs(60)),
        budget: fields.count("budget").unwrap_or(10),
        tenant_budget: fields.count("tenant_budget").unwrap_or(50),
        adhoc_tenants_max: usize::try_from(adhoc).unwrap_or(usize::MAX),
    }
}

fn slo(fields: Fields<'_>) -> SloWords {
    let fields = Fields::of(fields.node("slo"), keys::SLO);
    SloWords {
        target: fields.text("target").and_then(super::units::share),
        window: fields.duration("window"),
    }
}

fn exec_limits(fields: Fields<'_>, paths: &Paths, environment: &Environment) -> ExecLimits {
    let count = |key| fields.count(key).and_then(|count| usize::try_from(count).ok());
    let cores = environment.cores.max(1);
    let path = fields.texts("path").filter(|entries| !entries.is_empty());
    ExecLimits {
        light: count("light").unwrap_or(cores),
        heavy: count("heavy").unwrap_or((cores / 2).max(1)),
        path: match path {
            Some(entries) => entries.into_iter().map(|entry| paths.resolve(entry)).collect(),
            None => environment.exec_path(),
        },
    }
}

fn openclaw(fields: Fields<'_>) -> Openclaw {
    Openclaw {
        command: fields.text("command").unwrap_or("openclaw").to_owned(),
        dialect: match fields.text("dialect") {
            Some("openclaw") => Dialect::Openclaw,
            Some("article") => Dialect::Article,
            _ => Dialect::Auto,
        },
        posture: match fields.text("posture") {
            Some("strict") => Posture::Strict,
            _ => Posture::Relaxed,
        },
    }
}

fn tenants(
    node: Option<&Node>,
    paths: &Paths,
    config: &Config,
    problems: &mut Problems,
) -> BTreeMap<TenantName, Tenant> {
    let mut tenants = BTreeMap::new();
    for entry in node.map(Node::entries).unwrap_or_default() {
        let Some(name) = TenantName::parse(&entry.key) else {
            continue;
        };
        let fields = Fields::of(Some(&entry.node), keys::TENANT);
        let tenant = tenant(name.clone(), fields, paths, problems);
        let unknown = tenant.instance == Instance::Unknown;
        // With a tenants_dir, a fragment may still say it; `compose` looks again.
        if unknown && config.openclaw.dialect == Dialect::Openclaw && config.tenants_dir.is_none() {
            let message = "needs a `profile` or a `state_dir`: the real OpenClaw tells tenants apart by nothing else";
            problems.add(&entry.key_at, &join("tenants", &entry.key), message);
        }
        tenants.insert(name, tenant);
    }
    tenants
}

fn tenant(name: TenantName, fields: Fields<'_>, paths: &Paths, problems: &mut Problems) -> Tenant {
    let here = |key: &str| format!("tenants.{name}.{key}");
    if let (Some(_), Some(state_dir)) = (fields.text("profile"), fields.node("state_dir")) {
        let message = "give either `profile` or `state_dir`: OpenClaw would follow the state directory in silence";
        problems.add(&state_dir.at, &here("state_dir"), message);
    }
    if let (None, Some(config)) = (fields.node("state_dir"), fields.node("config")) {
        problems.add(
            &config.at,
            &here("config"),
            "goes with `state_dir`; a profile has its own openclaw.json",
        );
    }
    let endpoints = fields.node("endpoints").map(Node::entries).unwrap_or_default();
    let budget = |node: &Node| Fields::of(Some(node), keys::ENDPOINT_KEYS).count("budget");
    Tenant {
        required: fields.bool("required").unwrap_or(true),
        user: fields.text("user").map(str::to_owned),
        instance: match (fields.text("profile"), paths.of(fields, "state_dir")) {
            (_, Some(state_dir)) => Instance::StateDir {
                state_dir,
                config: paths.of(fields, "config"),
            },
            (Some(profile), None) => profile_instance(profile),
            (None, None) => Instance::Unknown,
        },
        port: fields.count("port").and_then(|port| u16::try_from(port).ok()),
        gateway: gateway(fields, paths, here, problems),
        env_file: paths.of(fields, "env_file"),
        token_file: paths.of(fields, "token_file"),
        webhook_source: fields.text("webhook_source").and_then(Via::parse),
        log_file: paths.of(fields, "log_file"),
        endpoints: endpoints
            .iter()
            .filter_map(|entry| Some((endpoint::stored(&entry.key)?.to_string(), budget(&entry.node)?)))
            .collect(),
        tenant_budget: fields.count("tenant_budget"),
        slo: slo(fields),
        approved_jobs: approved_jobs(fields),
        ..Tenant::named(name)
    }
}

fn approved_jobs(fields: Fields<'_>) -> BTreeSet<String> {
    let jobs = fields.node("jobs").map(Node::entries).unwrap_or_default();
    let approved = |node: &Node| Fields::of(Some(node), keys::JOB).bool("approved") == Some(true);
    jobs.iter()
        .filter(|entry| approved(&entry.node))
        .map(|entry| entry.key.clone())
        .collect()
}

fn gateway(fields: Fields<'_>, paths: &Paths, here: impl Fn(&str) -> String, problems: &mut Problems) -> Option<Place> {
    let address = fields.text("gateway").and_then(Address::parse);
    // One that cannot be read has been told already.
    let tls = match &address {
        Some(address) => address.tls,
        None => fields.node("gateway").is_some(),
    };
    let (pin, file) = (fields.node("gateway_fingerprint"), fields.node("gateway_ca_file"));
    for (key, node) in [("gateway_fingerprint", pin), ("gateway_ca_file", file)] {
        if let (Some(node), false) = (node, tls) {
            problems.add(&node.at, &here(key), "goes with `gateway: wss://…`");
        }
    }
    if let (Some(_), Some(file)) = (pin, file) {
        let message = "give either `gateway_fingerprint` or `gateway_ca_file`: a pinned certificate needs no authority";
        problems.add(&file.at, &here("gateway_ca_file"), message);
    }
    let pin = pin.and_then(Node::text).and_then(Fingerprint::parse).map(Trust::Pinned);
    let file = || paths.of(fields, "gateway_ca_file").map(Trust::Authorities);
    let place = Place::new(address?, pin.or_else(file).unwrap_or(Trust::System));
    match (place, fields.node("gateway")) {
        (Ok(place), _) => Some(place),
        (Err(why), node) => {
            if let Some(node) = node {
                problems.add(&node.at, &here("gateway"), why);
            }
            None
        }
    }
}

/// `default` is OpenClaw's profile without a name.
pub fn profile_instance(profile: &str) -> Instance {
    match profile {
        "default" => Instance::Default,
        profile => Instance::Profile(profile.to_owned()),
    }
}

/// What no single key can get wrong alone.
fn cross_checks(
    tree: Option<&Node>,
    fields: Fields<'_>,
    environment: &Environment,
    config: &mut Config,
    problems: &mut Problems,
) {
    let Some(tree) = tree else {
        return;
    };
    if config.agent_check == Some(config.listen) {
        let at = fields.node("agent_check").map_or(&tree.at, |node| &node.at);
        problems.add(
            at,
            "agent_check",
            format!("is the address of `listen` ({}) as well", config.listen),
        );
    }
    let half = |tls: Fields<'_>| tls.node("cert_file").is_some() != tls.node("key_file").is_some();
    if let Some(node) = fields.node("tls")
        && half(Fields::of(Some(node), keys::TLS))
    {
        problems.add(&node.at, "tls", "needs both `cert_file` and `key_file`");
    }
    config.warnings.extend(access_warning(config));
    if config.sockets.control_mode & 0o002 != 0 {
        config
            .warnings
            .push("sockets.control_mode lets every user of this host change state".to_owned());
    }
    config.warnings.extend(source_warnings(&config.digest));
    let foreign = config.tenants.values().find(|tenant| tenant.user.is_some());
    if let (Some(tenant), false) = (foreign, environment.is_root) {
        config.warnings.push(format!(
            "tenants.{}.user needs root: without it, its probes cannot be asked",
            tenant.name
        ));
    }
    let logs = config.tenants.values().filter_map(|tenant| log_warning(tenant, config));
    let logs: Vec<String> = logs.collect();
    config.warnings.extend(logs);
}

/// What keeps a tenant's log from being read, in silence.
fn log_warning(tenant: &Tenant, config: &Config) -> Option<String> {
    let name = &tenant.name;
    let reads = matches!(tenant.webhook_source, None | Some(Via::Log));
    // With a tenants_dir, a fragment may still say it.
    if tenant.webhook_source == Some(Via::Log) && tenant.instance == Instance::Unknown && config.tenants_dir.is_none() {
        return Some(format!(
            "tenants.{name}.webhook_source: log finds nothing without a `profile` or a `state_dir`: a log tells gateways apart by it"
        ));
    }
    (!reads && tenant.log_file.is_some())
        .then(|| format!("tenants.{name}.log_file is not used: its webhook_source is neither log nor auto"))
}

fn address(fields: Fields<'_>, key: &str) -> Option<SocketAddr> {
    fields.text(key)?.parse().ok()
}

fn small(count: Option<u64>) -> Option<u32> {
    count.and_then(|count| u32::try_from(count).ok())
}

#[cfg(test)]
mod tests;
