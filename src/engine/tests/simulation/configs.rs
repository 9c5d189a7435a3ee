//! The configurations that histories live under: short intervals, so that a few seconds see a check fall silent.

use std::sync::{Arc, OnceLock};

use crate::config::Config;
use crate::engine::tests::world::config;

/// Who is watched. `token_file` gives a tenant a link.
const TENANTS: [&str; 6] = [
    "{acme: {port: 18789}, beta: {port: 18790}}",
    "{acme: {port: 18789, token_file: /tmp/none}, beta: {port: 18790, required: false}}",
    "{acme: {port: 18789, webhook_source: socket}}",
    "{acme: {port: 18789}, beta: {port: 18790}, gamma: {port: 18791}}",
    "{}",
    "{beta: {port: 1}}",
];

/// How patient checks are, and what they may count as.
const PATIENCE: [&str; 3] = [
    "",
    ", fall: 3, rise: 1, required: false",
    ", fall: 1, rise: 3, worst: degraded",
];

/// Of [`by_number`].
pub const CONFIGS: usize = TENANTS.len() * PATIENCE.len();

const OFF: [&str; 12] = [
    "certificate",
    "clock",
    "cost",
    "exposure",
    "host",
    "queue",
    "secrets",
    "security",
    "stale-process",
    "token-rotation",
    "version-lock",
    "fragments",
];

pub fn by_number(number: usize) -> Arc<Config> {
    static CACHE: OnceLock<Vec<Arc<Config>>> = OnceLock::new();
    let all = CACHE.get_or_init(|| (0..CONFIGS).map(|number| config(&yaml(number))).collect());
    Arc::clone(&all[number % CONFIGS])
}

pub fn described(number: usize) -> String {
    let number = number % CONFIGS;
    let patience = PATIENCE[number / TENANTS.len()].trim_start_matches(", ");
    format!("{} {patience}", TENANTS[number % TENANTS.len()])
}

fn yaml(number: usize) -> String {
    let tenants = TENANTS[number % TENANTS.len()];
    let patience = PATIENCE[number / TENANTS.len()];
    let off: String = OFF
        .iter()
        .map(|name| format!("  {name}: {{enabled: false}}\n"))
        .collect();
    format!(
        "tenants: {tenants}
readiness: {{startup_grace: 6s}}
exec: {{heavy: 1, light: 1}}
digest: {{budget: 10, tenant_budget: 50, adhoc_tenants_max: 2, stale_after: 8s}}
probes:
  gateway: {{every: 2s, retry_every: 500ms, timeout: 1s, max_stale: 7s{patience}}}
  gateway-link: {{max_stale: 21s}}
  doctor: {{every: 5s, retry_every: 1s, timeout: 2s, max_stale: 15s{patience}}}
  config: {{every: 5s, retry_every: 1s, timeout: 2s, max_stale: 15s}}
  disk: {{every: 4s, retry_every: 1s, timeout: 1s, max_stale: 13s}}
  write: {{every: 4s, retry_every: 1s, timeout: 1s, max_stale: 13s{patience}}}
{off}"
    )
}
