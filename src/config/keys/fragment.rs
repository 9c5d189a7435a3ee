//! The keys that a tenant's fragments may set, by directory: the allow-list of what comes from git
//! and many hands.

use super::declaration::DECLARATION_OF_FRAGMENTS;
use super::forms::{ABSOLUTE_PATH, ENDPOINT, FRAGMENT_ADDRESS, FRAGMENT_NAME, PROBE_NAME, PROFILE};
use super::{BUDGET, PORT, key};
use crate::config::shape::{Key, Shape};

/// Known to readyd, and never a fragment's to set: they choose what is run, as whom, where, and
/// whether it counts.
pub const FORBIDDEN: &[&str] = &[
    "command",
    "kind",
    "env",
    "user",
    "hint",
    "paths",
    "required",
    "slo",
    "enabled",
    "on_silence",
    "worst",
    "env_file",
    "token_file",
    "gateway",
    "gateway_fingerprint",
    "gateway_ca_file",
    "config",
    "url",
    "address",
    "lane",
    "parse",
    "insecure",
    "scope",
    "layer",
    "explained_by",
    "rules",
    "title",
    "webhook_source",
    "log_file",
    "jobs",
    "stretch",
    "retry_every",
    "interval_min",
    "body_max",
    "allow",
    "must_refuse",
    "addresses",
    "ca_file",
    "certificate_file",
    "warn_days",
    "down_days",
    "warn_free",
    "down_free",
    "warn_inodes",
    "down_inodes",
    "overlap",
    "next_stale",
    "cadence",
    "cadence_warn",
    "internet_cadence",
    "internet_facing",
    "classes",
    "warn_skew",
    "down_skew",
    "warn_depth",
    "down_depth",
    "warn_age",
    "down_age",
    "warn_wal",
    "lock_file",
    "warn_memory",
    "warn_descriptors",
    "warn_load",
];

/// `gateway.d/NN-name.yaml`.
pub const GATEWAY: &[Key] = &[
    key(
        "port",
        &PORT,
        "18790",
        "Of its gateway, where the config file says none.",
    ),
    key(
        "profile",
        &Shape::Word(&PROFILE),
        "acme",
        "Its OpenClaw profile, where the config file says neither.",
    ),
    key(
        "state_dir",
        &Shape::Word(&ABSOLUTE_PATH),
        "/var/lib/openclaw/acme",
        "Or its state directory.",
    ),
    key(
        "listeners",
        &Shape::List {
            of: &Shape::Word(&FRAGMENT_ADDRESS),
            items_max: 64,
        },
        "[\"127.0.0.1:18790\"]",
        "What it is meant to listen on.",
    ),
    key(
        "upstreams",
        &Shape::Map {
            key: &FRAGMENT_NAME,
            of: &Shape::Object(UPSTREAM),
            entries_max: 256,
        },
        "{mac-1: {weight: 3}}",
        "Where it sends traffic, by name.",
    ),
];

pub const UPSTREAM: &[Key] = &[key(
    "weight",
    &Shape::Count { min: 0, max: 1_000_000 },
    "3",
    "Its share of traffic.",
)];

/// `doctor.d/NN-name.yaml`.
pub const DOCTOR: &[Key] = &[
    key(
        "probes",
        &Shape::Map {
            key: &PROBE_NAME,
            of: &Shape::Object(DECLARATION_OF_FRAGMENTS),
            entries_max: 256,
        },
        "{doctor: {every: 10m}}",
        "Patience by probe name.",
    ),
    key(
        "invariants",
        &Shape::Data,
        "[one gateway per tenant]",
        "What the doctor is expected to prove; kept as it is.",
    ),
];

/// `webhook.d/NN-name.yaml`.
pub const WEBHOOK: &[Key] = &[
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
        "Failures in five minutes before the tenant degrades.",
    ),
    key(
        "retry_budget",
        &BUDGET,
        "20",
        "Retries in five minutes that are expected at most; kept as it is.",
    ),
];

pub const ENDPOINT_KEYS: &[Key] = &[
    key("budget", &BUDGET, "51", "Failures in five minutes before it degrades."),
    key(
        "retry_budget",
        &BUDGET,
        "20",
        "Retries in five minutes that are expected at most; kept as it is.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::keys::TENANT;
    use crate::config::keys::declaration::DECLARATION;

    #[test]
    fn every_key_that_the_node_has_and_a_fragment_has_not_is_named_as_the_nodes_own() {
        let sections = [
            GATEWAY,
            DOCTOR,
            WEBHOOK,
            ENDPOINT_KEYS,
            UPSTREAM,
            DECLARATION_OF_FRAGMENTS,
        ];
        let is_fragments = |key: &&str| sections.iter().any(|keys| keys.iter().any(|own| own.name == *key));
        let nodes = DECLARATION.iter().chain(TENANT).map(|key| key.name);
        let forgotten: Vec<&str> = nodes
            .filter(|key| !is_fragments(key) && !FORBIDDEN.contains(key))
            .collect();
        assert_eq!(forgotten, [""; 0]);
        let settable: Vec<&&str> = FORBIDDEN.iter().filter(|key| is_fragments(key)).collect();
        assert_eq!(settable, [&""; 0]);
    }
}
