//! What each subject is by the kept state: for the history, which reads it beside the changes in one transaction.

use serde::Deserialize;

use super::persist::{CHECK, NODE, NodeMemory, TENANT};
use super::settle::node_word;
use super::tenant;
use crate::history::{Present, Status, Who};
use crate::words::{CheckId, Level, TenantName, Wall};

/// Of a check's memory, what is shown.
#[derive(Deserialize)]
struct Shown {
    level: Level,
    since: Wall,
}

/// The subject that is kept under `key`; `None`: no subject, or not judged yet.
pub fn subject_of(key: &str) -> Option<Who> {
    if key == NODE {
        return Some(Who::node());
    }
    if let Some(name) = key.strip_prefix(TENANT) {
        return TenantName::parse(name).map(Who::tenant);
    }
    let CheckId { probe, tenant } = CheckId::parse(key.strip_prefix(CHECK)?)?;
    Some(Who {
        tenant,
        check: Some(probe),
    })
}

/// What the subject under `key` is; `None` as above, or it cannot be read.
pub fn present(key: &str, json: &str) -> Option<Present> {
    let who = subject_of(key)?;
    let (status, since) = if who.check.is_some() {
        let shown: Shown = serde_json::from_str(json).ok()?;
        (Status::of_word(shown.level.as_str()), shown.since)
    } else if who.tenant.is_some() {
        let memory: tenant::Memory = serde_json::from_str(json).ok()?;
        (Status::of_word(&memory.shown?), memory.since)
    } else {
        let memory: NodeMemory = serde_json::from_str(json).ok()?;
        (Status::of_word(node_word(memory.shown)), memory.since)
    };
    Some(Present { who, status, since })
}
