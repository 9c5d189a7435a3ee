//! Shell: an answer that is repeated instead of a run, while nothing that it rests on has changed.
//!
//! What a command looks at is not known in general. What is looked at here is what a tenant's OpenClaw is made of: its
//! configuration, the top of its state directory, its environment and tokens, the program itself, and the gateway's
//! process as its link knows it. Whoever sets `stretch` says that this will do, for so long and no longer.
#![expect(clippy::disallowed_methods, reason = "shell: lists a state directory")]

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ring::digest::{SHA256, digest};

use crate::config::files::{self, Stamp};
use crate::config::units::{write_duration, write_span};
use crate::probe::declaration::{Order, Probe, Target, TenantTarget};
use crate::probe::openclaw::{Cli, Identity};
use crate::probe::target::{config_file_of, state_dir_of};
use crate::words::{Answer, CheckId, Finding, Instant};

/// The last run of each check that may be stretched, if it was ok. Cheap to clone; clones share it. Nothing of it
/// survives a restart: the first answer of a process is a run.
#[derive(Clone, Debug, Default)]
pub struct Kept(Arc<Mutex<HashMap<CheckId, Answered>>>);

#[derive(Debug)]
struct Answered {
    inputs: Inputs,
    finding: Finding,
    /// When the run began.
    at: Instant,
}

/// All that is looked at. Two that are equal promise the same answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Inputs {
    probe: Arc<Probe>,
    program: Option<Identity>,
    cli: Option<Cli>,
    args: Vec<String>,
    /// Of the whole environment, which holds secrets.
    env: Hash,
    config: Option<(Stamp, Hash)>,
    state_dir: Option<(Stamp, Top)>,
    /// Env file and token file.
    files: [Option<Stamp>; 2],
    gateway: Gateway,
}

type Hash = [u8; 32];
/// What lies at the top of a state directory. `None`: a directory, whose own contents come and go.
type Top = BTreeMap<OsString, Option<Stamp>>;

/// The gateway's process, as the link knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Gateway {
    connected: bool,
    version: String,
    boot_id: String,
    applied_config_hash: String,
}

/// What a run is about to be made of.
#[derive(Clone, Debug)]
pub struct Making {
    pub program: PathBuf,
    pub cli: Option<Cli>,
    pub args: Vec<String>,
    pub env: Vec<(String, String)>,
    pub home: PathBuf,
}

const CONFIG_BYTES_MAX: usize = 4 << 20;
/// A state directory with more at its top is none that is known.
const TOP_ENTRIES_MAX: usize = 1024;
/// 256 tenants with sixteen probes each.
const CHECKS_MAX: usize = 4096;

impl Inputs {
    /// Blocks on the file system. `None`: something of it cannot be looked at, so that nothing can be promised.
    pub fn of(order: &Order, making: Making) -> Option<Inputs> {
        let tenant = match &order.target {
            Target::Tenant(tenant) => Some(&**tenant),
            Target::Node { .. } => None,
        };
        let home = Some(making.home.as_path());
        let config = tenant.and_then(|tenant| config_file_of(&tenant.instance, home));
        let state_dir = tenant.and_then(|tenant| state_dir_of(&tenant.instance, home));
        let files = [
            tenant.and_then(|tenant| tenant.env_file.as_deref()),
            tenant.and_then(|tenant| tenant.token_file.as_deref()),
        ];
        let gateway = tenant.and_then(|tenant: &TenantTarget| tenant.link.as_ref());
        Some(Inputs {
            probe: Arc::clone(&order.probe),
            program: Some(Identity::of(&making.program)?),
            cli: making.cli,
            args: making.args,
            env: hash_of(&making.env),
            config: match config {
                Some(path) => Some((files::stamp(&path)?, content(&path)?)),
                None => None,
            },
            state_dir: match state_dir {
                Some(path) => Some((files::stamp(&path)?, top(&path)?)),
                None => None,
            },
            files: files.map(|path| path.and_then(files::stamp)),
            gateway: gateway.map_or_else(Gateway::default, |facts| Gateway {
                connected: facts.connected,
                version: facts.version.clone(),
                boot_id: facts.boot_id.clone(),
                applied_config_hash: facts.applied_config_hash.clone(),
            }),
        })
    }
}

impl Kept {
    /// The last answer once more, where the order allows it, nothing has changed, and the next ask still comes before
    /// the answer is older than `stretch`.
    pub fn repeated(&self, order: &Order, inputs: &Inputs, stretch: Duration, now: Instant) -> Option<Finding> {
        if !order.routine {
            return None;
        }
        let kept = self.lock();
        let last = kept.get(&order.check).filter(|last| last.inputs == *inputs)?;
        let age = now.since(last.at);
        if age + order.probe.every > stretch {
            return None;
        }
        let mut finding = last.finding.clone();
        let asked = format!("asked {} ago (at most {})", write_span(age), write_duration(stretch));
        finding.note_push(format!("nothing it looks at has changed; {asked}"));
        finding.evidence_push("age of the answer", asked);
        Some(finding)
    }

    /// A run has ended, which was made of `inputs` (`None`: that is not known).
    pub fn answered(&self, check: &CheckId, inputs: Option<Inputs>, finding: &Finding, at: Instant) {
        let mut kept = self.lock();
        let Some(inputs) = inputs.filter(|_| finding.answer == Answer::Ok) else {
            kept.remove(check);
            return;
        };
        if kept.len() >= CHECKS_MAX && !kept.contains_key(check) {
            kept.clear();
        }
        let finding = finding.clone();
        kept.insert(check.clone(), Answered { inputs, finding, at });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<CheckId, Answered>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hash_of(env: &[(String, String)]) -> Hash {
    let mut bytes = Vec::new();
    for (name, value) in env {
        for part in [name, value] {
            bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
    }
    sha256(&bytes)
}

fn sha256(bytes: &[u8]) -> Hash {
    let digest = digest(&SHA256, bytes);
    // SHA-256 has 32 bytes.
    digest.as_ref().first_chunk().copied().unwrap_or_default()
}

/// A file is not changed by a stamp alone where somebody sets stamps; the content is small.
fn content(path: &Path) -> Option<Hash> {
    files::read(path, CONFIG_BYTES_MAX).ok().map(|bytes| sha256(&bytes))
}

fn top(path: &Path) -> Option<Top> {
    let mut top = Top::new();
    for entry in std::fs::read_dir(path).ok()? {
        let entry = entry.ok()?;
        let is_dir = entry.file_type().ok()?.is_dir();
        let stamp = if is_dir { None } else { files::stamp(&entry.path()) };
        top.insert(entry.file_name(), stamp);
        if top.len() > TOP_ENTRIES_MAX {
            return None;
        }
    }
    Some(top)
}
