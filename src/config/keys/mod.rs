//! Every key there is: of the config file here, of a probe's declaration in [`declaration`], of
//! tenants' fragments in [`fragment`].
//!
//! The one list. The decoders read by it, unknown keys are judged by it, the schema is made of it,
//! and a test sets every `example` and sees it arrive.

pub mod declaration;
pub mod forms;
pub mod fragment;
pub mod tokens;

use std::time::Duration;

use self::declaration::DECLARATION;
use self::forms::{
    ADDRESS, CERTIFICATE_FINGERPRINT, DIGEST_SOURCE, ENDPOINT, GATEWAY_ADDRESS, JOB_NAME, LABEL, MODE, NODE_NAME,
    PATH_WORD, PEER_TENANT, PROBE_NAME, PROFILE, SLO_TARGET, TENANT_NAME, UID, USER,
};
use super::shape::{Key, Shape};
use crate::config::Config;
use crate::history::SLO_WINDOW_MAX;

/// The config file.
pub const CONFIG: &[Key] = &[
    key(
        "node",
        &Shape::Word(&NODE_NAME),
        "mac-3",
        "This node's name. Default: the host's name.",
    ),
    key(
        "labels",
        &Shape::Map {
            key: &LABEL,
            of: &TEXT,
            entries_max: 32,
        },
        "{cluster: eu}",
        "Shown with every answer.",
    ),
    key(
        "listen",
        &Shape::Word(&ADDRESS),
        "127.0.0.1:9199",
        "Where HTTP is answered, read-only. Default: 127.0.0.1:9099.",
    ),
    key(
        "hosts",
        &TEXTS,
        "[ready.example.net]",
        "Further Host names that are answered in full.",
    ),
    key(
        "token_file",
        &PATH,
        "/etc/readyd/token",
        "The bearer token of a listen address that is not loopback.",
    ),
    key(
        "tls",
        &Shape::Object(TLS),
        "",
        "What `listen` is served with. Default: in the clear.",
    ),
    key(
        "agent_check",
        &Shape::Word(&ADDRESS),
        "127.0.0.1:9098",
        "Where HAProxy's agent-check is answered. Default: off.",
    ),
    key("state_dir", &PATH, "/var/lib/readyd", "What outlives a restart."),
    key("runtime_dir", &PATH, "/run/readyd-2", "Sockets."),
    key("sockets", &Shape::Object(SOCKETS), "", "Who may use the sockets."),
    key(
        "tenants_dir",
        &PATH,
        "/etc/openclaw/tenants",
        "A directory per tenant with numbered fragments.",
    ),
    key(
        "secrets_dir",
        &PATH,
        "/var/db/openclaw/secrets",
        "Where tenants' tokens lie.",
    ),
    key(
        "tenants",
        &Shape::Map {
            key: &TENANT_NAME,
            of: &Shape::Object(TENANT),
            entries_max: Config::TENANTS_MAX,
        },
        "",
        "By name. `{}`: none, on purpose.",
    ),
    key("digest", &Shape::Object(DIGEST), "", "How webhook failures are judged."),
    key(
        "readiness",
        &Shape::Object(READINESS),
        "",
        "Patience of all probes that do not say otherwise.",
    ),
    key(
        "slo",
        &Shape::Object(SLO),
        "",
        "How much of the time each tenant is to be up. Shown, and changes no verdict.",
    ),
    key(
        "exec",
        &Shape::Object(EXEC_LIMITS),
        "",
        "Limits on probes that start a process.",
    ),
    key("openclaw", &Shape::Object(OPENCLAW), "", "The OpenClaw command line."),
    key(
        "probes",
        &Shape::Map {
            key: &PROBE_NAME,
            of: &Shape::Object(DECLARATION),
            entries_max: 256,
        },
        "",
        "Overrides by probe name, field by field; with `kind`, a probe of one's own.",
    ),
];

pub const TLS: &[Key] = &[
    key(
        "cert_file",
        &PATH,
        "/etc/readyd/tls/fullchain.pem",
        "The certificate, followed by its chain (PEM).",
    ),
    key(
        "key_file",
        &PATH,
        "/etc/readyd/tls/privkey.pem",
        "Its private key (PEM), which others may not read.",
    ),
];

pub const SOCKETS: &[Key] = &[
    key(
        "events_mode",
        &Shape::Word(&MODE),
        "\"0600\"",
        "Mode of events.sock. Default: 0660.",
    ),
    key("events_group", &Shape::Word(&USER), "openclaw", "Group of events.sock."),
    key(
        "events_peers",
        &Shape::Map {
            key: &UID,
            of: &Shape::List {
                of: &Shape::Word(&PEER_TENANT),
                items_max: Config::TENANTS_MAX,
            },
            entries_max: 1024,
        },
        "{1001: [acme]}",
        "User id to the tenants it may report for. Empty: anybody for any tenant.",
    ),
    key(
        "control_mode",
        &Shape::Word(&MODE),
        "\"0660\"",
        "Mode of control.sock. Default: 0600.",
    ),
];

pub const TENANT: &[Key] = &[
    key(
        "required",
        &BOOL,
        "false",
        "false: advisory, degrades the node at most.",
    ),
    key(
        "user",
        &Shape::Word(&USER),
        "openclaw-acme",
        "Whom its probes run as (needs root). Default: ours.",
    ),
    key(
        "profile",
        &Shape::Word(&PROFILE),
        "acme",
        "Its OpenClaw profile; `default` is the one without a name.",
    ),
    key(
        "state_dir",
        &PATH,
        "/var/lib/openclaw/acme",
        "Its OpenClaw state directory, instead of a profile.",
    ),
    key(
        "config",
        &PATH,
        "/etc/openclaw/acme.json",
        "With state_dir: its openclaw.json, when it lies elsewhere.",
    ),
    key("port", &PORT, "18790", "Of its gateway. Unknown: no gateway check."),
    key(
        "gateway",
        &Shape::Word(&GATEWAY_ADDRESS),
        "wss://gateway.example:18789",
        "Where the link goes. wss: TLS; ws: this host alone. Default: ws on loopback at `port`.",
    ),
    key(
        "gateway_fingerprint",
        &Shape::Word(&CERTIFICATE_FINGERPRINT),
        "sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881",
        "With wss: the one certificate that is believed.",
    ),
    key(
        "gateway_ca_file",
        &PATH,
        "/etc/readyd/gateways.pem",
        "With wss: the authorities that are believed. Default: this system's.",
    ),
    key("env_file", &PATH, "/etc/openclaw/acme.env", "Variables for its probes."),
    key(
        "token_file",
        &PATH,
        "/var/db/openclaw/secrets/acme/token.current",
        "Its gateway's token. Default: env_file, then the gateway's own configuration.",
    ),
    key(
        "webhook_source",
        &Shape::OneOf(&["auto", "link", "plugin", "log", "socket"]),
        "socket",
        "Which source of webhook failures counts. Default: auto.",
    ),
    key(
        "log_file",
        &PATH,
        "/var/log/openclaw/acme-YYYY-MM-DD.log",
        "With webhook_source log: its gateway's log, when it lies elsewhere than by default.",
    ),
    key(
        "endpoints",
        &Shape::Map {
            key: &ENDPOINT,
            of: &Shape::Object(ENDPOINT_KEYS),
            entries_max: 512,
        },
        "{crm: {budget: 51}}",
        "Budgets by endpoint id or URL.",
    ),
    key(
        "tenant_budget",
        &BUDGET,
        "70",
        "Its failures in five minutes before it degrades. Default: digest.tenant_budget.",
    ),
    key(
        "slo",
        &Shape::Object(SLO),
        "{target: 99%}",
        "Its own, word by word before the one of all tenants.",
    ),
    key(
        "jobs",
        &Shape::Map {
            key: &JOB_NAME,
            of: &Shape::Object(JOB),
            entries_max: 512,
        },
        "{inbox-poll: {approved: true}}",
        "What is known of its scheduled jobs, by name or id.",
    ),
];

pub const JOB: &[Key] = &[key(
    "approved",
    &BOOL,
    "true",
    "true: it may run more often than `cost` allows, and do what another job does. Default: false.",
)];

pub const ENDPOINT_KEYS: &[Key] = &[key(
    "budget",
    &BUDGET,
    "50",
    "Failures in five minutes before it degrades.",
)];

pub const DIGEST: &[Key] = &[
    key(
        "source",
        &Shape::Word(&DIGEST_SOURCE),
        "https://mac-2.example:9099",
        "local, or another node's digest to join with ours.",
    ),
    key(
        "source_token_file",
        &PATH,
        "/etc/readyd/peer.token",
        "The bearer token for that node.",
    ),
    key(
        "source_ca_file",
        &PATH,
        "/etc/readyd/nodes.pem",
        "With https: the authorities that are believed. Default: this system's.",
    ),
    key(
        "stale_after",
        &Shape::Duration { min: SECOND, max: DAY },
        "90s",
        "How old the digest may be. Default: 60s.",
    ),
    key(
        "budget",
        &BUDGET,
        "11",
        "Failures per endpoint in five minutes. Default: 10.",
    ),
    key(
        "tenant_budget",
        &BUDGET,
        "55",
        "Failures per tenant in five minutes. Default: 50.",
    ),
    key(
        "adhoc_tenants_max",
        &Shape::Count { min: 0, max: 4096 },
        "32",
        "Tenants counted that no config names. Default: 64.",
    ),
];

pub const READINESS: &[Key] = &[
    key(
        "fall",
        &RUN,
        "3",
        "Worse answers in a row before a level falls. Default: 2.",
    ),
    key(
        "rise",
        &RUN,
        "4",
        "Better answers in a row before a level rises. Default: 2.",
    ),
    key(
        "startup_grace",
        &Shape::Duration {
            min: Duration::ZERO,
            max: HOUR,
        },
        "61s",
        "How long a check may be without an answer after the start. Default: 60s.",
    ),
];

pub const SLO: &[Key] = &[
    key(
        "target",
        &Shape::Word(&SLO_TARGET),
        "99.5%",
        "Share of judged time that is up (ok or degraded). Default: none, and no budget.",
    ),
    key(
        "window",
        &Shape::Duration {
            min: HOUR,
            max: SLO_WINDOW_MAX,
        },
        "7d",
        "The time until now that it is held against. Default: 30d.",
    ),
];

pub const EXEC_LIMITS: &[Key] = &[
    key(
        "light",
        &CONCURRENCY,
        "7",
        "Light processes at a time. Default: the number of cores.",
    ),
    key(
        "heavy",
        &CONCURRENCY,
        "5",
        "Heavy processes at a time. Default: half the cores.",
    ),
    key(
        "path",
        &PATHS,
        "[/opt/openclaw/bin]",
        "PATH of every process. Default: ours.",
    ),
];

pub const OPENCLAW: &[Key] = &[
    key(
        "command",
        &TEXT,
        "/opt/openclaw/bin/openclaw",
        "The executable. Default: openclaw.",
    ),
    key(
        "dialect",
        &Shape::OneOf(&["auto", "openclaw", "article"]),
        "article",
        "Which command line it speaks. Default: auto.",
    ),
    key(
        "posture",
        &Shape::OneOf(&["relaxed", "strict"]),
        "strict",
        "strict: posture advice counts. Default: relaxed.",
    ),
];

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

const TEXT: Shape = Shape::Text { bytes_max: 512 };
const BOOL: Shape = Shape::Bool;
const PATH: Shape = Shape::Word(&PATH_WORD);
const PATHS: Shape = Shape::List {
    of: &PATH,
    items_max: 64,
};
/// Failures of a window. Zero would degrade on every single failure; that may be wanted.
const BUDGET: Shape = Shape::Count {
    min: 0,
    max: 1_000_000_000,
};
/// Runs longer than this would hide an outage rather than a hiccup.
const RUN: Shape = Shape::Count { min: 1, max: 20 };
const PORT: Shape = Shape::Count { min: 1, max: 65_535 };
const CONCURRENCY: Shape = Shape::Count { min: 1, max: 256 };
const TEXTS: Shape = Shape::List {
    of: &TEXT,
    items_max: 64,
};

const fn key(name: &'static str, shape: &'static Shape, example: &'static str, about: &'static str) -> Key {
    Key {
        name,
        shape,
        about,
        example,
    }
}
