//! The configuration in force, in the words of the config file: `config show`.
//!
//! What is shown is itself a valid config file that gives the same configuration (a test says so),
//! but for hidden secrets and what tenants' fragments change of probes. Secrets are files here: only
//! their paths are shown; values of `env:` and what looks like a secret in an argv are hidden.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::secrets::looks_like_secret;
use super::units::{write_amount, write_duration, write_share, write_size};
use super::{Config, Dialect, Posture, SloWords, Tenant};
use crate::link::place::{Place, Trust};
use crate::probe::declaration::{Asks, Exec, Instance, Lane, Parse, Probe, Rule, RuleAct, Scope, TokenPolicy, Tokens};
use crate::words::{TenantName, Via};

/// In place of a secret.
pub const HIDDEN: &str = "(hidden)";

/// Everything, as JSON.
pub fn show(config: &Config) -> Value {
    let map = |entries: Vec<(String, Value)>| Value::Object(entries.into_iter().collect());
    let tenants = config
        .tenants
        .values()
        .map(|known| (known.name.to_string(), tenant(known)));
    let unset = config.tenants.is_empty() && !config.no_tenants_on_purpose;
    let peers = config.sockets.events_peers.iter();
    let probes = config
        .probes
        .values()
        .map(|known| (known.name.to_string(), probe(known)));
    json!({
        "node": config.node,
        "labels": config.labels,
        "listen": config.listen.to_string(),
        "hosts": config.hosts,
        "token_file": path(config.token_file.as_deref()),
        "tls": {
            "cert_file": path(config.tls.as_ref().map(|tls| tls.cert_file.as_path())),
            "key_file": path(config.tls.as_ref().map(|tls| tls.key_file.as_path())),
        },
        "agent_check": config.agent_check.map(|address| address.to_string()),
        "state_dir": path(Some(&config.state_dir)),
        "runtime_dir": path(Some(&config.runtime_dir)),
        "sockets": {
            "events_mode": format!("{:04o}", config.sockets.events_mode),
            "events_group": config.sockets.events_group,
            "events_peers": map(peers.map(peer).collect()),
            "control_mode": format!("{:04o}", config.sockets.control_mode),
        },
        "tenants_dir": path(config.tenants_dir.as_deref()),
        "secrets_dir": path(config.secrets_dir.as_deref()),
        "tenants": if unset { Value::Null } else { map(tenants.collect()) },
        "digest": {
            "source": config.digest.source.as_deref().unwrap_or("local"),
            "source_token_file": path(config.digest.source_token_file.as_deref()),
            "source_ca_file": path(config.digest.source_ca_file.as_deref()),
            "stale_after": write_duration(config.digest.stale_after),
            "budget": config.digest.budget,
            "tenant_budget": config.digest.tenant_budget,
            "adhoc_tenants_max": config.digest.adhoc_tenants_max,
        },
        "readiness": {"startup_grace": write_duration(config.readiness.startup_grace)},
        "slo": slo(config.slo),
        "exec": {
            "light": config.exec.light,
            "heavy": config.exec.heavy,
            "path": config.exec.path.iter().map(|entry| path(Some(entry))).collect::<Vec<_>>(),
        },
        "openclaw": {
            "command": config.openclaw.command,
            "dialect": match config.openclaw.dialect {
                Dialect::Auto => "auto",
                Dialect::Openclaw => "openclaw",
                Dialect::Article => "article",
            },
            "posture": match config.openclaw.posture {
                Posture::Relaxed => "relaxed",
                Posture::Strict => "strict",
            },
        },
        "probes": map(probes.collect()),
    })
}

/// One tenant, as under `tenants:`; without its probes.
pub fn tenant(tenant: &Tenant) -> Value {
    let (profile, state_dir, config) = match &tenant.instance {
        Instance::Unknown => (None, None, None),
        Instance::Default => (Some("default"), None, None),
        Instance::Profile(profile) => (Some(profile.as_str()), None, None),
        Instance::StateDir { state_dir, config } => (None, Some(state_dir.as_path()), config.as_deref()),
    };
    let trust = tenant.gateway.as_ref().and_then(Place::trust);
    let endpoints: Map<String, Value> = tenant
        .endpoints
        .iter()
        .map(|(endpoint, budget)| (endpoint.clone(), json!({"budget": budget})))
        .collect();
    let approved = |job: &String| (job.clone(), json!({"approved": true}));
    let jobs: Map<String, Value> = tenant.approved_jobs.iter().map(approved).collect();
    json!({
        "required": tenant.required,
        "user": tenant.user,
        "profile": profile,
        "state_dir": path(state_dir),
        "config": path(config),
        "port": tenant.port,
        "gateway": tenant.gateway.as_ref().map(|place| place.address().to_string()),
        "gateway_fingerprint": match trust {
            Some(Trust::Pinned(fingerprint)) => Some(fingerprint.to_string()),
            _ => None,
        },
        "gateway_ca_file": match trust {
            Some(Trust::Authorities(file)) => path(Some(file)),
            _ => Value::Null,
        },
        "env_file": path(tenant.env_file.as_deref()),
        "token_file": path(tenant.token_file.as_deref()),
        "webhook_source": tenant.webhook_source.map_or("auto", Via::as_str),
        "log_file": path(tenant.log_file.as_deref()),
        "endpoints": endpoints,
        "tenant_budget": tenant.tenant_budget,
        "slo": slo(tenant.slo),
        "jobs": jobs,
    })
}

/// As under `slo:`, of all tenants or of one.
pub fn slo(slo: SloWords) -> Value {
    json!({
        "target": slo.target.map(write_share),
        "window": slo.window.map(write_duration),
    })
}

/// One probe, as under `probes:`, with every default.
pub fn probe(probe: &Probe) -> Value {
    let mut shown = json!({
        "title": probe.title,
        "layer": probe.layer.as_str(),
        "scope": match probe.scope {
            Scope::Tenant => "tenant",
            Scope::Node => "node",
            Scope::Both => "both",
        },
        "kind": probe.asks.kind(),
        "every": write_duration(probe.every),
        "retry_every": write_duration(probe.retry_every),
        "timeout": write_duration(probe.timeout),
        "max_stale": write_duration(probe.max_stale),
        "on_silence": probe.on_silence.as_str(),
        "worst": probe.worst.as_str(),
        "required": probe.required,
        "fall": probe.fall,
        "rise": probe.rise,
        "explained_by": probe.explained_by.iter().map(|name| name.as_str()).collect::<Vec<_>>(),
        "hint": if probe.hint.is_empty() { Value::Null } else { json!(probe.hint) },
        "enabled": probe.enabled,
    });
    if let (Value::Object(shown), Value::Object(asks)) = (&mut shown, asks(&probe.asks)) {
        shown.extend(asks);
    }
    shown
}

/// A JSON value as YAML: block maps, lists in one line.
pub fn to_yaml(value: &Value) -> String {
    let mut text = String::new();
    match value {
        Value::Object(map) => write_map(map, 0, &mut text),
        value => text = format!("{}\n", flow(value)),
    }
    text
}

fn asks(asks: &Asks) -> Value {
    let paths = |paths: &[std::path::PathBuf]| paths.iter().map(|entry| path(Some(entry))).collect::<Vec<_>>();
    match asks {
        Asks::Exec(exec) => exec_keys(exec),
        Asks::Http(http) => json!({
            "url": hidden("url", &http.url),
            "parse": parse(http.parse),
            "insecure": http.insecure,
            "body_max": write_size(http.body_bytes_max as u64),
        }),
        Asks::Listener(listener) => json!({
            "allow": listener.allow.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "must_refuse": listener.must_refuse.iter().map(|url| hidden("url", url)).collect::<Vec<_>>(),
        }),
        Asks::Tcp(tcp) => json!({"address": tcp.address}),
        Asks::Tls(tls) => json!({
            "addresses": tls.addresses,
            "ca_file": tls.ca_file,
            "certificate_file": tls.certificate_file,
            "warn_days": tls.warn_days,
            "down_days": tls.down_days,
        }),
        Asks::Disk(disk) => json!({
            "paths": paths(&disk.paths),
            "warn_free": write_amount(disk.warn_free),
            "down_free": write_amount(disk.down_free),
            "warn_inodes": write_share(disk.warn_inodes),
            "down_inodes": write_share(disk.down_inodes),
        }),
        Asks::Clock(clock) => json!({
            "warn_skew": write_duration(clock.warn_skew),
            "down_skew": write_duration(clock.down_skew),
        }),
        Asks::Write(write) => json!({"paths": paths(&write.paths)}),
        Asks::Tokens(tokens) => token_keys(tokens),
        Asks::Queue(queue) => json!({
            "paths": paths(&queue.paths),
            "warn_depth": queue.warn_depth,
            "down_depth": queue.down_depth,
            "warn_age": write_duration(queue.warn_age),
            "down_age": write_duration(queue.down_age),
            "warn_wal": write_size(queue.warn_wal_bytes),
        }),
        Asks::Lock(lock) => json!({"lock_file": path(lock.file.as_deref())}),
        Asks::Host(host) => json!({
            "warn_memory": write_share(host.warn_memory),
            "warn_descriptors": write_share(host.warn_descriptors),
            "warn_load": host.warn_load_per_core,
        }),
        Asks::Process | Asks::Link | Asks::Digest | Asks::Store | Asks::Files => json!({}),
    }
}

fn token_keys(tokens: &Tokens) -> Value {
    let classes = tokens.classes.iter();
    let mut keys = policy(&tokens.policy);
    keys["classes"] = classes.map(|(class, own)| (class.clone(), policy(own))).collect();
    keys
}

fn policy(policy: &TokenPolicy) -> Value {
    json!({
        "overlap": write_duration(policy.overlap),
        "next_stale": write_duration(policy.next_stale),
        "cadence": write_duration(policy.cadence),
        "cadence_warn": write_duration(policy.cadence_warn),
        "internet_cadence": write_duration(policy.internet_cadence),
        "internet_facing": policy.internet_facing,
    })
}

fn exec_keys(exec: &Exec) -> Value {
    let env: Map<String, Value> = exec.env.iter().map(|(name, _)| (name.clone(), json!(HIDDEN))).collect();
    let mut keys = json!({
        "lane": match exec.lane {
            Lane::Light => "light",
            Lane::Heavy => "heavy",
        },
        "command": exec.command.iter().map(|argument| hidden("", argument)).collect::<Vec<_>>(),
        "parse": parse(exec.parse),
        "env": env,
        "stretch": exec.stretch.map(write_duration),
    });
    if exec.parse == Parse::Cost {
        keys["interval_min"] = json!(write_duration(exec.interval_min));
    }
    if exec.parse.has_rules() {
        // Said even when empty, so that what is shown overrides what ships.
        keys["ignore"] = json!([]);
        keys["rules"] = exec.rules.iter().map(rule).collect();
    }
    keys
}

fn rule(rule: &Rule) -> Value {
    let mut shown = json!({
        "check_id": rule.check_id,
        "act": match rule.act {
            RuleAct::Ignore => "ignore",
            RuleAct::Note => "note",
            RuleAct::Downgrade => "downgrade",
        },
    });
    if let Some(requirement) = &rule.requirement {
        shown["requirement"] = json!(requirement);
    }
    shown
}

fn parse(parse: Parse) -> &'static str {
    match parse {
        Parse::Doctor => "doctor",
        Parse::Config => "config",
        Parse::Nagios => "nagios",
        Parse::Secrets => "secrets",
        Parse::ExitCode => "exit-code",
        Parse::Security => "security",
        Parse::Json => "json",
        Parse::Cost => "cost",
        Parse::Readyz => "readyz",
    }
}

fn hidden<'text>(key: &str, text: &'text str) -> &'text str {
    match looks_like_secret(key, text) {
        Some(_) => HIDDEN,
        None => text,
    }
}

fn path(path: Option<&Path>) -> Value {
    path.map_or(Value::Null, |path| json!(path.to_string_lossy()))
}

fn write_map(map: &Map<String, Value>, depth: usize, text: &mut String) {
    for (key, value) in map {
        text.extend(std::iter::repeat_n("  ", depth));
        text.push_str(&scalar(key));
        match value {
            Value::Object(below) if !below.is_empty() => {
                text.push_str(":\n");
                write_map(below, depth + 1, text);
            }
            value => {
                text.push_str(": ");
                text.push_str(&flow(value));
                text.push('\n');
            }
        }
    }
}

fn flow(value: &Value) -> String {
    match value {
        Value::String(text) => scalar(text),
        Value::Array(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let entries = map
                .iter()
                .map(|(key, value)| format!("{}: {}", scalar(key), flow(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        value => value.to_string(),
    }
}

/// Plain where no reader of YAML could take it for anything else; JSON's quotes are YAML's too.
fn scalar(text: &str) -> String {
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'/');
    let starts = text
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'/');
    let unit = text.bytes().next().is_some_and(|byte| byte.is_ascii_digit())
        && ["s", "m", "h", "d", "iB", "0B"].iter().any(|unit| text.ends_with(unit));
    let words = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    let taken = words.contains(&text.to_ascii_lowercase().as_str());
    match (starts || unit) && text.bytes().all(letters) && !taken {
        true => text.to_owned(),
        false => Value::from(text).to_string(),
    }
}

fn peer((uid, tenants): (&u32, &Option<Vec<TenantName>>)) -> (String, Value) {
    let tenants = match tenants {
        Some(tenants) => json!(tenants),
        None => json!([super::keys::forms::ANY_TENANT]),
    };
    (uid.to_string(), tenants)
}

#[cfg(test)]
mod tests;
