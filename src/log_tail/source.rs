//! Which logs are read for which tenants. Pure: users are given, not looked up.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use super::name::DATE;
use crate::config::{Config, Tenant};
use crate::probe::declaration::Instance;
use crate::probe::target;
use crate::words::{TenantName, Via};

/// Where OpenClaw keeps its logs, on Linux and macOS alike.
const FOLDER: &str = "/tmp/openclaw";

/// One log and whom it tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wiring {
    /// `YYYY-MM-DD` in its name stands for any date.
    pub path: PathBuf,
    pub claims: Vec<Claim>,
}

/// A tenant's gateway, as a log names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    pub state_dir: PathBuf,
    pub tenant: TenantName,
    /// The user that it runs as.
    pub owner: u32,
}

/// A user of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    pub uid: u32,
    pub home: PathBuf,
}

impl Claim {
    /// Whether a file of `owner` may tell of this tenant, and `store` is below its state directory.
    pub fn holds(&self, store: &str, owner: u32) -> bool {
        let store = Path::new(store);
        let climbs = store.components().any(|part| part == Component::ParentDir);
        (owner == self.owner || owner == 0) && !climbs && store.starts_with(&self.state_dir)
    }
}

/// The logs of all tenants with `webhook_source: log` or `auto`, each once. `user_of` answers who that is (`None`: us); a tenant
/// whose user or state directory is not known is left out.
pub fn wirings(config: &Config, user_of: impl Fn(Option<&str>) -> Option<User>) -> Vec<Wiring> {
    let mut claims: BTreeMap<PathBuf, Vec<Claim>> = BTreeMap::new();
    for tenant in config.tenants.values() {
        if !matches!(tenant.webhook_source, None | Some(Via::Log)) {
            continue;
        }
        let Some(user) = user_of(tenant.user.as_deref()) else {
            continue;
        };
        let Some(state_dir) = target::state_dir_of(&tenant.instance, Some(&user.home)) else {
            continue;
        };
        let claim = Claim {
            state_dir,
            tenant: tenant.name.clone(),
            owner: user.uid,
        };
        for path in paths(tenant, &user) {
            claims.entry(path).or_default().push(claim.clone());
        }
    }
    claims
        .into_iter()
        .map(|(path, claims)| Wiring { path, claims })
        .collect()
}

/// As configured; else where a gateway logs by default: in a folder that the first user took, or in the user's own.
fn paths(tenant: &Tenant, user: &User) -> Vec<PathBuf> {
    if let Some(path) = &tenant.log_file {
        return vec![path.clone()];
    }
    let segment = match &tenant.instance {
        Instance::Profile(profile) if !profile.eq_ignore_ascii_case("default") => format!("-{}", encoded(profile)),
        _ => String::new(),
    };
    let name = format!("openclaw{segment}-{DATE}.log");
    vec![
        Path::new(FOLDER).join(&name),
        PathBuf::from(format!("{FOLDER}-{}", user.uid)).join(&name),
    ]
}

/// A profile in a file's name, as openclaw 2026.9.6 writes it: names that differ in case or in `-` stay apart.
fn encoded(profile: &str) -> String {
    let mut encoded = String::with_capacity(profile.len());
    for letter in profile.chars() {
        match letter {
            '-' => encoded.push_str("--"),
            '_' => encoded.push_str("-0"),
            'A'..='Z' => encoded.extend(['-', '1', letter.to_ascii_lowercase()]),
            other => encoded.push(other),
        }
    }
    encoded
}

#[cfg(test)]
mod tests;
