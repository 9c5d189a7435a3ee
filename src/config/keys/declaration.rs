//! The keys of a probe's declaration.

use std::time::Duration;

use super::forms::{ABSOLUTE_PATH, CREDENTIAL_CLASS, LISTENING, PROBE_NAME, VARIABLE};
use super::tokens::{CADENCE, CADENCE_WARN, INTERNET_CADENCE, INTERNET_FACING, NEXT_STALE, OVERLAP, TOKEN_CLASS};
use super::{BOOL, DAY, HOUR, RUN, SECOND, TEXT, TEXTS, key};
use crate::config::shape::{Key, Shape, Word};

/// Kinds that this version asks.
pub const KINDS: [&str; 17] = [
    "exec", "gateway", "http", "listener", "tcp", "tls", "disk", "clock", "write", "tokens", "queue", "lock", "host",
    "process", "digest", "store", "files",
];

/// A probe's declaration: the keys of all kinds, since an override does not say its kind again.
/// [`kinds_of`] says which belong where.
pub const DECLARATION: &[Key] = &[
    key("title", &TEXT, "A title", "For people. Default: the name."),
    key(
        "layer",
        &Shape::OneOf(&["transport", "policy", "secrets", "runtime", "host", "webhooks"]),
        "policy",
        "Where it looks. Default: by kind.",
    ),
    key(
        "scope",
        &Shape::OneOf(&["tenant", "node", "both"]),
        "tenant",
        "Whom it is bound to. Default: by kind.",
    ),
    key("kind", &Shape::Word(&KIND), "exec", "How it asks."),
    key("every", &EVERY, "7m", "How often. Default: 10s native, 5m exec."),
    key(
        "retry_every",
        &Shape::Duration { min: TENTH, max: DAY },
        "45s",
        "How soon again while in doubt. Default: 2s native, 30s exec; never above every.",
    ),
    key(
        "timeout",
        &TIMEOUT,
        "1500ms",
        "How long one answer may take. Default: 2s native, 60s exec.",
    ),
    key(
        "max_stale",
        &MAX_STALE,
        "40m",
        "How long an answer is believed. Default: 3 × every + timeout.",
    ),
    key(
        "on_silence",
        &VERDICT,
        "degraded",
        "What silence beyond that counts as. Default: down for disk and write, else degraded.",
    ),
    key(
        "worst",
        &VERDICT,
        "degraded",
        "The worst it may count as. Default: down.",
    ),
    key("required", &BOOL, "false", "false: advisory, degrades at most."),
    key(
        "fall",
        &RUN,
        "3",
        "Worse answers in a row before its level falls. Default: readiness.fall.",
    ),
    key(
        "rise",
        &RUN,
        "4",
        "Better answers in a row before its level rises. Default: readiness.rise.",
    ),
    key(
        "explained_by",
        &Shape::List {
            of: &Shape::Word(&PROBE_NAME),
            items_max: 16,
        },
        "[config]",
        "Probes whose down explains this one's.",
    ),
    key(
        "hint",
        &TEXT,
        "Look at it",
        "What a person should do next. TENANT stands for the name of the tenant whose check it is.",
    ),
    key("enabled", &BOOL, "false", "false: not asked."),
    key(
        "lane",
        &Shape::OneOf(&["light", "heavy"]),
        "heavy",
        "exec: whose queue it waits in. Default: light.",
    ),
    key(
        "command",
        &ARGUMENTS,
        "[check_it, \"{tenant}\"]",
        "exec: the argv; {tenant} {profile} {state_dir} {config} {port} are filled in.",
    ),
    key(
        "parse",
        &Shape::OneOf(&[
            "doctor",
            "config",
            "nagios",
            "secrets",
            "exit-code",
            "security",
            "json",
            "cost",
            "readyz",
        ]),
        "json",
        "exec, http: how its answer is read. Default: exit-code.",
    ),
    key(
        "env",
        &Shape::Map {
            key: &VARIABLE,
            of: &Shape::Text { bytes_max: 4096 },
            entries_max: 64,
        },
        "{TZ: UTC}",
        "exec: variables added to the cleared environment.",
    ),
    key(
        "rules",
        &RULES,
        "[{check_id: core/doctor/security, act: note}]",
        "exec: what becomes of a doctor's or an audit's findings; the first match wins.",
    ),
    key(
        "ignore",
        &RULES,
        "[core/doctor/disk-space]",
        "exec: findings to ignore, before the rules.",
    ),
    key(
        "interval_min",
        &Shape::Duration { min: SECOND, max: DAY },
        "2m",
        "exec, parse cost: a job that is due more often needs approval. Default: 1m.",
    ),
    key(
        "stretch",
        &Shape::Duration { min: SECOND, max: DAY },
        "2h",
        "exec: while nothing it looks at changes, an ok is repeated for up to this long. Default: off.",
    ),
    key(
        "url",
        &Shape::Text { bytes_max: 2048 },
        "http://127.0.0.1:{port}/healthz",
        "http: what to GET; {port} and {tenant} are filled in.",
    ),
    key("insecure", &BOOL, "true", "http: accept any certificate."),
    key(
        "body_max",
        &Shape::Size,
        "32KiB",
        "http: read at most this much of the answer. Default: 64KiB.",
    ),
    key(
        "allow",
        &Shape::List {
            of: &Shape::Word(&LISTENING),
            items_max: 64,
        },
        "[loopback, private]",
        "listener: where the gateway's port may listen when its fragments do not say: loopback, private, any, an \
         address, or one with a port. Default: [loopback].",
    ),
    key(
        "must_refuse",
        &URLS,
        "['http://127.0.0.1:{port}/api/v1/admin/rpc']",
        "listener: URLs that must refuse who brings no credentials; {port} and {tenant} are filled in.",
    ),
    key("address", &TEXT, "127.0.0.1:{port}", "tcp: host:port to connect to."),
    key(
        "addresses",
        &TEXTS,
        "['{tenant}.example:443']",
        "tls: host:port of each to shake hands with. Default: the tenant's own gateway, where it serves TLS.",
    ),
    key(
        "ca_file",
        &Shape::Word(&ABSOLUTE_PATH),
        "/etc/openclaw/ca.pem",
        "tls: authorities (PEM) that are believed besides the system's.",
    ),
    key(
        "certificate_file",
        &Shape::Word(&ABSOLUTE_PATH),
        "'/etc/openclaw/tls/{tenant}.pem'",
        "tls: the certificate (PEM) that should be served. Default: the gateway's own, for its own.",
    ),
    key(
        "warn_days",
        &DAYS,
        "30",
        "tls: degraded when a certificate has fewer days left. Default: 21.",
    ),
    key(
        "down_days",
        &DAYS,
        "3",
        "tls: down when a certificate has fewer days left. Default: 7.",
    ),
    key(
        "paths",
        &ABSOLUTE_PATHS,
        "[/var/lib/openclaw]",
        "disk, write: where; queue: further directories.",
    ),
    key(
        "warn_free",
        &Shape::Amount,
        "15%",
        "disk: degraded below. Default: 2GiB.",
    ),
    key(
        "down_free",
        &Shape::Amount,
        "128MiB",
        "disk: down below. Default: 256MiB.",
    ),
    key("warn_inodes", &Shape::Share, "6%", "disk: degraded below. Default: 5%."),
    key("down_inodes", &Shape::Share, "2%", "disk: down below. Default: 1%."),
    OVERLAP,
    NEXT_STALE,
    CADENCE,
    CADENCE_WARN,
    INTERNET_CADENCE,
    INTERNET_FACING,
    key(
        "classes",
        &Shape::Map {
            key: &CREDENTIAL_CLASS,
            of: &Shape::Object(TOKEN_CLASS),
            entries_max: 32,
        },
        "{slack: {overlap: 30m, cadence: 60d}}",
        "tokens: other limits for credentials of that name (slack.current).",
    ),
    key(
        "warn_skew",
        &Shape::Duration { min: SECOND, max: DAY },
        "20s",
        "clock: degraded beyond. Default: 30s.",
    ),
    key(
        "down_skew",
        &Shape::Duration { min: SECOND, max: DAY },
        "3m",
        "clock: down beyond. Default: 2m.",
    ),
    key(
        "warn_depth",
        &Shape::Count { min: 1, max: u64::MAX },
        "500",
        "queue: degraded above. Default: 1000.",
    ),
    key(
        "down_depth",
        &Shape::Count { min: 1, max: u64::MAX },
        "20000",
        "queue: down above. Default: 10000.",
    ),
    key(
        "warn_age",
        &AGE,
        "4m",
        "queue: degraded when the oldest entry is older. Default: 5m.",
    ),
    key(
        "down_age",
        &AGE,
        "31m",
        "queue: down when the oldest entry is older. Default: 30m.",
    ),
    key(
        "warn_wal",
        &Shape::Size,
        "64MiB",
        "queue: degraded when the write-ahead log is larger. Default: 256MiB.",
    ),
    key(
        "lock_file",
        &Shape::Word(&ABSOLUTE_PATH),
        "/srv/infra/openclaw.lock",
        "lock: the lock. Default: openclaw.lock beside readyd's config file, else /etc/openclaw/openclaw.lock.",
    ),
    key(
        "warn_memory",
        &Shape::Share,
        "90%",
        "host: degraded when more memory is in use. Default: 95%.",
    ),
    key(
        "warn_descriptors",
        &Shape::Share,
        "70%",
        "host: degraded when more descriptors are in use. Default: 80%.",
    ),
    key(
        "warn_load",
        &LOAD,
        "2.5",
        "host: degraded when the load per core is higher. Default: 4.",
    ),
];

/// What a fragment may set of a probe.
pub const DECLARATION_OF_FRAGMENTS: &[Key] = &[
    key("every", &EVERY, "7m", "How often."),
    key("timeout", &TIMEOUT, "90s", "How long one answer may take."),
    key("max_stale", &MAX_STALE, "40m", "How long an answer is believed."),
    key("fall", &RUN, "3", "Worse answers in a row before its level falls."),
    key("rise", &RUN, "4", "Better answers in a row before its level rises."),
    key(
        "ignore",
        &RULES,
        "[core/doctor/disk-space]",
        "exec: findings to ignore.",
    ),
];

/// One rule on a doctor's or an audit's findings.
pub const RULE: &[Key] = &[
    key("check_id", &TEXT, "core/doctor/security", "The finding's checkId."),
    key(
        "requirement",
        &TEXT,
        "config.plaintext_secrets",
        "And its requirement (a doctor's alone have one).",
    ),
    key(
        "act",
        &Shape::OneOf(&["ignore", "note", "downgrade"]),
        "note",
        "What becomes of it. Default: ignore.",
    ),
];

/// Whether a declaration of `kind` may have `key`; true for keys of every kind.
pub fn belongs(key: &str, kind: &str) -> bool {
    let kinds: &[&str] = match key {
        "lane" | "command" | "env" | "rules" | "ignore" | "interval_min" | "stretch" => &["exec"],
        "parse" => &["exec", "http"],
        "url" | "insecure" | "body_max" => &["http"],
        "allow" | "must_refuse" => &["listener"],
        "address" => &["tcp"],
        "addresses" | "ca_file" | "certificate_file" | "warn_days" | "down_days" => &["tls"],
        "paths" => &["disk", "write", "queue"],
        "warn_free" | "down_free" | "warn_inodes" | "down_inodes" => &["disk"],
        "warn_skew" | "down_skew" => &["clock"],
        "overlap" | "next_stale" | "cadence" | "cadence_warn" | "internet_cadence" | "internet_facing" | "classes" => {
            &["tokens"]
        }
        "warn_depth" | "down_depth" | "warn_age" | "down_age" | "warn_wal" => &["queue"],
        "lock_file" => &["lock"],
        "warn_memory" | "warn_descriptors" | "warn_load" => &["host"],
        _ => return true,
    };
    kinds.contains(&kind)
}

const KIND: Word = Word {
    expected: "a kind (exec gateway http listener tcp tls disk clock write tokens queue lock host process digest store files)",
    is: |text| KINDS.contains(&text),
    pattern: Some(
        "^(exec|gateway|http|listener|tcp|tls|disk|clock|write|tokens|queue|lock|host|process|digest|store|files)$",
    ),
};
const ABSOLUTE_PATHS: Shape = Shape::List {
    of: &Shape::Word(&ABSOLUTE_PATH),
    items_max: 64,
};
const URLS: Shape = Shape::List {
    of: &Shape::Text { bytes_max: 2048 },
    items_max: 16,
};
const DAYS: Shape = Shape::Count { min: 0, max: 3650 };
const VERDICT: Shape = Shape::OneOf(&["ok", "degraded", "down"]);
pub(super) const RULES: Shape = Shape::List {
    of: &Shape::Either {
        single: &TEXT,
        other: &Shape::Object(RULE),
    },
    items_max: 256,
};
const EVERY: Shape = Shape::Duration { min: SECOND, max: DAY };
const TIMEOUT: Shape = Shape::Duration {
    min: TWENTIETH,
    max: HOUR,
};
const MAX_STALE: Shape = Shape::Duration {
    min: SECOND,
    max: MONTH,
};
const AGE: Shape = Shape::Duration {
    min: SECOND,
    max: MONTH,
};
const LOAD: Shape = Shape::Factor { min: 0.1, max: 1000.0 };
const ARGUMENTS: Shape = Shape::List {
    of: &Shape::Text { bytes_max: 4096 },
    items_max: 256,
};
const TENTH: Duration = Duration::from_millis(100);
const TWENTIETH: Duration = Duration::from_millis(50);
const MONTH: Duration = Duration::from_secs(30 * 86_400);
