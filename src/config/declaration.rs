//! One declaration's tree, already merged from its layers, into a [`Probe`] with every default.

mod tokens;

use std::path::PathBuf;
use std::time::Duration;

use super::keys::declaration::{DECLARATION, RULE, belongs};
use super::problem::Problems;
use super::raw::Patience;
use super::shape::{Fields, join};
use super::units;
use super::yaml::Node;
use crate::probe::declaration::{
    Amount, Asks, Clock, Disk, Exec, Host, Http, Lane, Lock, Parse, Probe, Queue, Rule, RuleAct, Scope, Tcp, Write,
};
use crate::words::{Layer, ProbeName, Verdict};

mod network;

/// What a declaration may say in place of a value that is known at the ask.
pub const PLACEHOLDERS: [&str; 5] = ["{tenant}", "{profile}", "{state_dir}", "{config}", "{port}"];

/// What a declaration is read with.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'reading> {
    pub name: &'reading ProbeName,
    /// How problems call it: `probes.doctor`.
    pub path: &'reading str,
    pub patience: Patience,
}

/// The probe that `node` declares. Problems and warnings go where they are told.
///
/// `node` has the shape of [`DECLARATION`] already; what is checked here is what needs more than one
/// key. Defaults are those of the contract, §8: `retry_every` min(`every`, 2 s native, 30 s exec),
/// `max_stale` 3 × `every` + `timeout`.
pub fn decode(node: &Node, reading: Reading<'_>, problems: &mut Problems, warnings: &mut Vec<String>) -> Option<Probe> {
    let fields = Fields::of(Some(node), DECLARATION);
    let Some(kind) = fields.text("kind") else {
        problems.add(&node.at, reading.path, "a declaration needs a `kind`");
        return None;
    };
    for entry in node.entries() {
        if !belongs(&entry.key, kind) && !entry.node.is_null() {
            let message = format!("does not belong to a probe of kind {kind}");
            problems.add(&entry.key_at, &join(reading.path, &entry.key), message);
        }
    }
    let asks = asks(kind, fields, node, reading, problems)?;
    let native = asks.lane().is_none();
    let scope = scope(&asks, fields);
    placeholders(&asks, scope, node, reading, problems, warnings);
    let seconds = Duration::from_secs;
    let every = fields
        .duration("every")
        .unwrap_or(seconds(if native { 10 } else { 300 }));
    let timeout = fields
        .duration("timeout")
        .unwrap_or(seconds(if native { 2 } else { 60 }));
    let retry = fields
        .duration("retry_every")
        .unwrap_or(seconds(if native { 2 } else { 30 }));
    warnings.extend(stretch_warning(&asks, every, reading));
    let explained_by: Vec<ProbeName> = fields
        .texts("explained_by")
        .unwrap_or_default()
        .into_iter()
        .filter_map(ProbeName::parse)
        .collect();
    if explained_by.contains(reading.name) {
        let path = join(reading.path, "explained_by");
        problems.add(&node.at, &path, "a probe cannot explain itself");
    }
    let silent = match asks {
        Asks::Disk(_) | Asks::Write(_) => Verdict::Down,
        _ => Verdict::Degraded,
    };
    let verdict = |key| fields.text(key).and_then(Verdict::parse);
    let run = |key, default| {
        fields
            .count(key)
            .and_then(|run| u32::try_from(run).ok())
            .unwrap_or(default)
    };
    Some(Probe {
        name: reading.name.clone(),
        title: fields.text("title").unwrap_or(reading.name.as_str()).to_owned(),
        layer: fields
            .text("layer")
            .and_then(Layer::parse)
            .unwrap_or_else(|| layer(&asks)),
        scope,
        every,
        retry_every: retry.min(every),
        timeout,
        max_stale: max_stale(fields, every, timeout, reading, warnings),
        on_silence: verdict("on_silence").unwrap_or(silent),
        worst: verdict("worst").unwrap_or(Verdict::Down),
        required: fields.bool("required").unwrap_or(true),
        fall: run("fall", reading.patience.fall),
        rise: run("rise", reading.patience.rise),
        explained_by,
        hint: fields.text("hint").unwrap_or_default().to_owned(),
        enabled: fields.bool("enabled").unwrap_or(true),
        asks,
    })
}

/// An answer that is stale before the next one can arrive would make the check silent by
/// declaration. That happens when a layer sets `every` and an earlier one had set `max_stale`.
fn max_stale(
    fields: Fields<'_>,
    every: Duration,
    timeout: Duration,
    reading: Reading<'_>,
    warnings: &mut Vec<String>,
) -> Duration {
    let default = every * 3 + timeout;
    match fields.duration("max_stale") {
        Some(said) if said < every + timeout => {
            warnings.push(format!(
                "{}.max_stale {} is less than every + timeout ({}): {} is used, so that an answer does not expire before the next one",
                reading.path,
                units::write_duration(said),
                units::write_duration(every + timeout),
                units::write_duration(default),
            ));
            default
        }
        Some(said) => said,
        None => default,
    }
}

/// An answer is repeated only where the next ask still comes within `stretch`.
fn stretch_warning(asks: &Asks, every: Duration, reading: Reading<'_>) -> Option<String> {
    let Asks::Exec(Exec {
        stretch: Some(stretch), ..
    }) = asks
    else {
        return None;
    };
    (*stretch < every * 2).then(|| {
        format!(
            "{}.stretch {} is less than twice every ({}): nothing is ever skipped",
            reading.path,
            units::write_duration(*stretch),
            units::write_duration(every),
        )
    })
}

fn scope(asks: &Asks, fields: Fields<'_>) -> Scope {
    match fields.text("scope") {
        Some("tenant") => Scope::Tenant,
        Some("node") => Scope::Node,
        Some("both") => Scope::Both,
        _ => match asks {
            Asks::Disk(_) | Asks::Clock(_) | Asks::Write(_) | Asks::Host(_) | Asks::Store => Scope::Node,
            Asks::Digest => Scope::Both,
            _ => Scope::Tenant,
        },
    }
}

fn layer(asks: &Asks) -> Layer {
    match asks {
        Asks::Exec(_) | Asks::Process | Asks::Link => Layer::Runtime,
        Asks::Http(_) | Asks::Tcp(_) | Asks::Tls(_) => Layer::Transport,
        Asks::Disk(_) | Asks::Clock(_) | Asks::Write(_) | Asks::Queue(_) | Asks::Host(_) | Asks::Store => Layer::Host,
        Asks::Digest => Layer::Webhooks,
        Asks::Tokens(_) => Layer::Secrets,
        Asks::Lock(_) | Asks::Files | Asks::Listener(_) => Layer::Policy,
    }
}

fn asks(kind: &str, fields: Fields<'_>, node: &Node, reading: Reading<'_>, problems: &mut Problems) -> Option<Asks> {
    Some(match kind {
        "exec" => Asks::Exec(exec(fields, node, reading, problems)),
        "http" => Asks::Http(http(fields, node, reading, problems)),
        "listener" => Asks::Listener(network::listener(fields, node, reading, problems)),
        "tcp" => {
            let address = required(fields, "address", node, reading, problems);
            Asks::Tcp(Tcp { address })
        }
        "tls" => Asks::Tls(network::tls(fields, node, reading, problems)),
        "disk" => Asks::Disk(disk(fields, node, reading, problems)),
        "clock" => Asks::Clock(clock(fields, node, reading, problems)),
        "write" => Asks::Write(Write { paths: paths(fields) }),
        "tokens" => Asks::Tokens(tokens::decode(fields, node, reading, problems)),
        "queue" => Asks::Queue(queue(fields, node, reading, problems)),
        "lock" => Asks::Lock(Lock {
            file: fields.text("lock_file").map(PathBuf::from),
        }),
        "host" => Asks::Host(Host {
            warn_memory: share(fields, "warn_memory").unwrap_or(0.95),
            warn_descriptors: share(fields, "warn_descriptors").unwrap_or(0.80),
            warn_load_per_core: fields.factor("warn_load").unwrap_or(4.0),
        }),
        "process" => Asks::Process,
        "gateway" => Asks::Link,
        "digest" => Asks::Digest,
        "store" => Asks::Store,
        "files" => Asks::Files,
        // The shape has refused words that are no kind.
        _ => return None,
    })
}

fn exec(fields: Fields<'_>, node: &Node, reading: Reading<'_>, problems: &mut Problems) -> Exec {
    let parse = parse(fields);
    let command: Vec<String> = fields
        .texts("command")
        .unwrap_or_default()
        .iter()
        .map(|text| (*text).to_owned())
        .collect();
    if command.is_empty() && !parse.is_openclaws() {
        problems.add(
            &node.at,
            &join(reading.path, "command"),
            "a probe of kind exec needs a `command`",
        );
    }
    if parse == Parse::Readyz {
        problems.add(
            &node.at,
            &join(reading.path, "parse"),
            "readyz is for kind http; exec knows doctor config nagios secrets exit-code security json cost",
        );
    }
    let has_rules = fields.node("rules").or_else(|| fields.node("ignore"));
    if let (Some(rules), true) = (has_rules, !parse.has_rules()) {
        let message = "`rules` and `ignore` are for `parse: doctor` and `parse: security`";
        problems.add(&rules.at, reading.path, message);
    }
    if let (Some(interval), true) = (fields.node("interval_min"), parse != Parse::Cost) {
        let path = join(reading.path, "interval_min");
        problems.add(&interval.at, &path, "is for `parse: cost`");
    }
    let env = fields.node("env").map(Node::entries).unwrap_or_default();
    Exec {
        lane: match fields.text("lane") {
            Some("heavy") => Lane::Heavy,
            _ => Lane::Light,
        },
        command,
        parse,
        env: env
            .iter()
            .filter_map(|entry| Some((entry.key.clone(), entry.node.text()?.to_owned())))
            .collect(),
        rules: rules(fields, node, reading, problems),
        interval_min: fields.duration("interval_min").unwrap_or(Duration::from_secs(60)),
        stretch: fields.duration("stretch"),
    }
}

/// `ignore` before `rules`: the first match wins, and an override of `ignore` alone keeps the shipped rules.
fn rules(fields: Fields<'_>, node: &Node, reading: Reading<'_>, problems: &mut Problems) -> Vec<Rule> {
    let mut rules = Vec::new();
    for key in ["ignore", "rules"] {
        for item in fields.node(key).map(Node::items).unwrap_or_default() {
            let rule = Fields::of(Some(item), RULE);
            let Some(check_id) = item.text().or_else(|| rule.text("check_id")) else {
                problems.add(&item.at, &join(reading.path, key), "a rule needs a `check_id`");
                continue;
            };
            let act = match rule.text("act") {
                Some("note") => RuleAct::Note,
                Some("downgrade") => RuleAct::Downgrade,
                _ => RuleAct::Ignore,
            };
            rules.push(Rule {
                check_id: check_id.to_owned(),
                requirement: rule.text("requirement").map(str::to_owned),
                act,
            });
        }
    }
    if rules.len() > RULES_MAX {
        problems.add(
            &node.at,
            &join(reading.path, "rules"),
            format!("more than {RULES_MAX} rules"),
        );
    }
    rules
}

const RULES_MAX: usize = 512;

fn http(fields: Fields<'_>, node: &Node, reading: Reading<'_>, problems: &mut Problems) -> Http {
    let url = required(fields, "url", node, reading, problems);
    if !url.is_empty() && !network::is_url(&url) {
        let at = fields.node("url").map_or(&node.at, |node| &node.at);
        problems.add(at, &join(reading.path, "url"), network::NO_URL);
    }
    let parse = parse(fields);
    if parse.is_openclaws() || parse == Parse::Nagios {
        problems.add(
            &node.at,
            &join(reading.path, "parse"),
            "kind http knows exit-code json readyz",
        );
    }
    let body = fields.text("body_max").and_then(units::size).unwrap_or(64 << 10);
    if body > BODY_BYTES_MAX {
        let message = format!("at most {} of an answer are read", units::write_size(BODY_BYTES_MAX));
        problems.add(&node.at, &join(reading.path, "body_max"), message);
    }
    Http {
        url,
        parse,
        insecure: fields.bool("insecure").unwrap_or(false),
        body_bytes_max: usize::try_from(body.min(BODY_BYTES_MAX)).unwrap_or(usize::MAX),
    }
}

/// As much as an exec probe may say.
const BODY_BYTES_MAX: u64 = 4 << 20;

fn disk(fields: Fields<'_>, node: &Node, reading: Reading<'_>, problems: &mut Problems) -> Disk {
    let amount = |key| fields.text(key).and_then(units::amount);
    let disk = Disk {
        paths: paths(fields),
        warn_free: amount("warn_free").unwrap_or(Amount::Bytes(2 << 30)),
        down_free: amount("down_free").unwrap_or(Amount::Bytes(256 << 20)),
        warn_inodes: share(fields, "warn_inodes").unwrap_or(0.05),
        down_inodes: share(fields, "down_inodes").unwrap_or(0.01),
    };
    // A size and a share cannot be compared without the disk.
    let free_in_order = match (disk.warn_free, disk.down_free) {
        (Amount::Bytes(warn), Amount::Bytes(down)) => warn >= down,
        (Amount::Share(warn), Amount::Share(down)) => warn >= down,
        _ => true,
    };
    if !free_in_order {
        let (warn, down) = (units::write_amount(disk.warn_free), units::write_amount(disk.down_free));
        let message = format!("warn_free ({warn}) must be at least down_free ({down})");
        problems.add(&node.at, reading.path, message);
    }
    if disk.warn_inodes < disk.down_inodes {
        let (warn, down) = (
            units::write_share(disk.warn_inodes),
            units::write_share(disk.down_inodes),
        );
        let message = format!("warn_inodes ({warn}) must be at least down_inodes ({down})");
        problems.add(&node.at, reading.path, message);
    }
    disk
}

fn clock(fields: Fields<'_>, node: &Node, reading: Reading<'_>, problems: &mut Problems) -> Clock {
    let clock = Clock {
        warn_skew: fields.duration("warn_skew").unwrap_or(Duration::from_secs(30)),
        down_skew: fields.duration("down_skew").unwrap_or(Duration::from_secs(120)),
    };
    if clock.warn_skew > clock.down_skew {
        let (warn, down) = (
            units::write_duration(clock.warn_skew),
            units::write_duration(clock.down_skew),
        );
        let message = format!("warn_skew ({warn}) must be at most down_skew ({down})");
        problems.add(&node.at, reading.path, message);
    }
    clock
}

fn queue(fields: Fields<'_>, node: &Node, reading: Reading<'_>, problems: &mut Problems) -> Queue {
    let queue = Queue {
        paths: paths(fields),
        warn_depth: fields.count("warn_depth").unwrap_or(1000),
        down_depth: fields.count("down_depth").unwrap_or(10_000),
        warn_age: fields.duration("warn_age").unwrap_or(Duration::from_secs(300)),
        down_age: fields.duration("down_age").unwrap_or(Duration::from_secs(1800)),
        warn_wal_bytes: fields.text("warn_wal").and_then(units::size).unwrap_or(256 << 20),
    };
    if queue.warn_depth > queue.down_depth {
        let message = format!(
            "warn_depth ({}) must be at most down_depth ({})",
            queue.warn_depth, queue.down_depth
        );
        problems.add(&node.at, reading.path, message);
    }
    if queue.warn_age > queue.down_age {
        let (warn, down) = (
            units::write_duration(queue.warn_age),
            units::write_duration(queue.down_age),
        );
        problems.add(
            &node.at,
            reading.path,
            format!("warn_age ({warn}) must be at most down_age ({down})"),
        );
    }
    queue
}

/// Placeholders that nothing will fill in. In an argv braces may be a script's own, so that an
/// unknown one is a warning there and an error in a URL or an address.
fn placeholders(
    asks: &Asks,
    scope: Scope,
    node: &Node,
    reading: Reading<'_>,
    problems: &mut Problems,
    warnings: &mut Vec<String>,
) {
    let (key, texts): (_, Vec<&str>) = match asks {
        Asks::Exec(exec) => ("command", exec.command.iter().map(String::as_str).collect()),
        Asks::Http(http) => ("url", vec![&http.url]),
        Asks::Listener(listener) => ("must_refuse", listener.must_refuse.iter().map(String::as_str).collect()),
        Asks::Tcp(tcp) => ("address", vec![&tcp.address]),
        Asks::Tls(tls) => ("addresses", network::filled(tls).collect()),
        _ => return,
    };
    let path = join(reading.path, key);
    for braced in texts.into_iter().flat_map(braced) {
        let known = PLACEHOLDERS.contains(&braced);
        if known && scope == Scope::Node {
            let message = format!("{braced} cannot be filled in: the probe is bound to the node, not to a tenant");
            problems.add(&node.at, &path, message);
        } else if !known {
            let message = format!("{braced} is no placeholder; there are {}", PLACEHOLDERS.join(" "));
            match asks {
                Asks::Exec(_) => warnings.push(format!("{path}: {message}")),
                _ => problems.add(&node.at, &path, message),
            }
        }
    }
}

/// `{word}`s of lower-case letters and underscores.
fn braced(text: &str) -> Vec<&str> {
    let word = |inner: &str| !inner.is_empty() && inner.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    text.match_indices('{')
        .filter_map(|(start, _)| {
            let end = start + text[start..].find('}')?;
            word(&text[start + 1..end]).then(|| &text[start..=end])
        })
        .collect()
}

fn required(fields: Fields<'_>, key: &str, node: &Node, reading: Reading<'_>, problems: &mut Problems) -> String {
    match fields.text(key) {
        Some(text) => text.to_owned(),
        None => {
            let kind = fields.text("kind").unwrap_or_default();
            let message = format!("a probe of kind {kind} needs `{key}`");
            problems.add(&node.at, &join(reading.path, key), message);
            String::new()
        }
    }
}

fn parse(fields: Fields<'_>) -> Parse {
    match fields.text("parse") {
        Some("doctor") => Parse::Doctor,
        Some("config") => Parse::Config,
        Some("nagios") => Parse::Nagios,
        Some("secrets") => Parse::Secrets,
        Some("security") => Parse::Security,
        Some("json") => Parse::Json,
        Some("cost") => Parse::Cost,
        Some("readyz") => Parse::Readyz,
        _ => Parse::ExitCode,
    }
}

fn paths(fields: Fields<'_>) -> Vec<PathBuf> {
    let texts = fields.texts("paths").unwrap_or_default();
    texts.into_iter().map(PathBuf::from).collect()
}

fn share(fields: Fields<'_>, key: &str) -> Option<f64> {
    fields.text(key).and_then(units::share)
}
