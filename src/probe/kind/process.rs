//! Shell: kind `process`: whether the gateway on a tenant's port runs with its files as they are now.
//!
//! Looks at the process first, as ourselves, then at OpenClaw's own files as the tenant's user where we may become it.
//! Of env and token files nothing is kept but a fingerprint, keyed for this process alone.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::Ask;
use super::http::startup;
use crate::account;
use crate::clock;
use crate::config::discover;
use crate::config::env_file;
use crate::config::files;
use crate::fingerprint::Fingerprints;
use crate::link::session::LinkFacts;
use crate::probe::declaration::TenantTarget;
use crate::probe::target::{config_file_of, state_dir_of};
use crate::words::{Cause, Finding, Wall};

use judge::{Blind, File, InForce, Judged, Listener, Looked, Remembered, Role, Seen};

mod judge;
mod listener;
mod taken_up;

/// Configurations and env files are far smaller.
const FILE_BYTES_MAX: usize = 4 << 20;

/// What gateways were started with, by check and file. Forgotten with the process.
#[derive(Debug, Default)]
pub struct StartedWith {
    known: Mutex<HashMap<(String, Role), Remembered>>,
    key: RandomState,
}

impl StartedWith {
    /// Tenants at most, times files.
    const KNOWN_MAX: usize = 4 * 256;

    fn of(&self, check: &str, role: Role) -> Option<Remembered> {
        self.lock().get(&(check.to_owned(), role)).copied()
    }

    fn remember(&self, check: &str, what: Vec<(Role, Remembered)>) {
        let mut known = self.lock();
        for (role, remembered) in what {
            if known.len() >= Self::KNOWN_MAX {
                known.clear();
            }
            known.insert((check.to_owned(), role), remembered);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(String, Role), Remembered>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks once.
pub async fn ask(ask: &Ask<'_>) -> Finding {
    let Some((tenant, place)) = ask.tenant().and_then(|tenant| Some((tenant, tenant.place.as_ref()?))) else {
        return Finding::unknown(Cause::Misconfigured, "it needs a tenant with a `port`");
    };
    if !place.address().is_this_host() {
        return Finding::ok("the gateway is on another host: its process is not ours to see");
    }
    let began = clock::instant();
    let startup = startup::ask(place.address(), ask.patience / 2).await;
    let (check, memory) = (ask.check.to_string(), Arc::clone(&ask.means.started_with));
    let (tenant, port) = (tenant.clone(), place.address().port);
    let (home, deadline) = (ask.means.home.clone(), began + ask.patience);
    let fingerprints = ask.means.fingerprints.clone();
    let work = move || {
        let late = || clock::instant() >= deadline;
        let listener = listener::find(port, clock::now(), &late);
        let files = look(&tenant, home.as_deref(), &listener, &memory.key, &fingerprints);
        let with_memory = |(role, path, looked)| File {
            remembered: memory.of(&check, role),
            role,
            path,
            looked,
        };
        let seen = Seen {
            startup,
            listener,
            files: files.into_iter().map(with_memory).collect(),
        };
        let Judged { finding, remember } = judge::judge(&seen, clock::now());
        memory.remember(&check, remember);
        finding
    };
    match ask.one("the process and its files", work).await {
        Ok(finding) => finding,
        Err(lost) => lost.finding("looking at the process and its files"),
    }
}

type Look = (Role, PathBuf, Result<Looked, Blind>);

/// Looks at each file that the tenant has, on the calling thread, which keeps the tenant's effective ids.
fn look(
    tenant: &TenantTarget,
    own_home: Option<&Path>,
    listener: &Listener,
    key: &RandomState,
    fingerprints: &Fingerprints,
) -> Vec<Look> {
    let mut looks = Vec::new();
    if let Some(path) = &tenant.env_file {
        let looked = read(path).map(|(bytes, modified)| Looked {
            modified,
            fingerprint: key.hash_one(&bytes),
            in_force: env_in_force(path, listener),
        });
        looks.push((Role::Env, path.clone(), looked));
    }
    let in_secrets = || Some(tenant.secrets_dir.as_ref()?.join("token.current")).filter(|path| path.exists());
    if let Some(path) = tenant.token_file.clone().or_else(in_secrets) {
        let looked = read(&path).map(|(bytes, modified)| Looked {
            modified,
            fingerprint: key.hash_one(&bytes),
            in_force: token_in_force(tenant.link.as_ref(), &bytes, fingerprints),
        });
        looks.push((Role::Token, path, looked));
    }
    let user = tenant.user.as_deref();
    let home = account::home_of(user, own_home);
    if let Some(path) = config_file_of(&tenant.instance, home.as_deref()) {
        // Not being able to is no trouble yet: it may be readable all the same.
        if let Some(user) = user {
            super::write::become_named(user);
        }
        let looked = read(&path).map(|(bytes, modified)| Looked {
            modified,
            fingerprint: key.hash_one(&bytes),
            in_force: config_in_force(&path, &bytes, state_dir_of(&tenant.instance, home.as_deref())),
        });
        looks.push((Role::Config, path, looked));
    }
    looks
}

fn read(path: &Path) -> Result<(Vec<u8>, Wall), Blind> {
    let stamped = std::fs::metadata(path).and_then(|metadata| metadata.modified());
    let modified = match stamped {
        Ok(modified) => clock::wall_of(modified),
        Err(error) if error.kind() == ErrorKind::NotFound => return Err(Blind::Missing),
        Err(error) => return Err(Blind::Refused(format!("cannot be looked at: {error}"))),
    };
    files::read(path, FILE_BYTES_MAX)
        .map(|bytes| (bytes, modified))
        .map_err(Blind::Refused)
}

/// An environment that holds every value of the file is the file's, whenever it was written.
fn env_in_force(path: &Path, listener: &Listener) -> InForce {
    let Listener::Found {
        environment: Some(environment),
        ..
    } = listener
    else {
        return InForce::ByTime;
    };
    let Ok(file) = env_file::read_env_file(path) else {
        return InForce::ByTime;
    };
    let held = |name: &str, value: &str| {
        let wanted = format!("{name}={value}");
        environment
            .split(|byte| *byte == 0)
            .any(|held| held == wanted.as_bytes())
    };
    match file.vars.iter().all(|(name, value)| held(name, value)) {
        true => InForce::Yes,
        // Somebody may quote otherwise than we read, or set a value over the file's.
        false => InForce::ByTime,
    }
}

/// A link that stands was greeted with a token: when that is the file's, it is in force. The time of the greeting tells
/// nothing, since a promoted token is as old as its secret and may be older than a link of the one before.
fn token_in_force(link: Option<&LinkFacts>, bytes: &[u8], fingerprints: &Fingerprints) -> InForce {
    let accepted = link.filter(|facts| facts.connected).and_then(|facts| facts.token);
    let is_accepted = |text| accepted.is_some_and(|accepted| accepted == fingerprints.of(text));
    match std::str::from_utf8(bytes) {
        Ok(text) if is_accepted(text) => InForce::Yes,
        _ => InForce::ByTime,
    }
}

/// In mode `off` a gateway reads its config at its start alone. Else it takes changes up, and writes down what it took.
fn config_in_force(path: &Path, bytes: &[u8], state_dir: Option<PathBuf>) -> InForce {
    if discover::reload_mode(bytes).as_deref() == Some("off") {
        return InForce::No("gateway.reload.mode is off, so it is read at a start alone");
    }
    match state_dir {
        Some(state_dir) => taken_up::look(&state_dir, path, bytes),
        None => InForce::ByTime,
    }
}

#[cfg(test)]
mod tests;
