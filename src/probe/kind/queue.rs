//! Shell: kind `queue`: depth and oldest age of a tenant's queues, and how large the write-ahead log is.
//!
//! OpenClaw keeps its queues in `<state>/state/openclaw.sqlite`, older versions in folders of JSON files;
//! `paths` adds folders of one's own. Everything is only read, as the tenant's user where we may become
//! it. What a queue holds (payloads, targets) is never read: counts and times are.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::part::{Part, fuse};
use super::{Ask, shown, size};
use crate::account;
use crate::clock;
use crate::config::units::write_span;
use crate::probe::declaration::{Queue, TenantTarget};
use crate::probe::target::state_dir_of;
use crate::words::{Cause, Finding, Wall};

mod folder;
pub(super) mod sqlite;

/// One queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// `outbound-prepared-v1`, `ingress:telegram:default`, a folder's path.
    pub queue: String,
    /// What waits or is being worked on.
    pub depth: u64,
    /// `depth` is a lower bound: the folder was larger than is counted.
    pub at_least: bool,
    /// When the oldest that still waits came in.
    pub oldest: Option<Wall>,
    /// Given up, and kept for people: shown, never counted.
    pub failed: u64,
    /// Not deliveries (staged media): shown, never counted.
    pub advisory: bool,
}

/// What was found in one place.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Look {
    pub backlogs: Vec<Backlog>,
    /// There is a place for queues, also when nothing is in it.
    pub found: bool,
    pub wal_bytes: Option<u64>,
    pub troubles: Vec<Part>,
    pub notes: Vec<String>,
}

/// Asks once. A tenant whose state directory is not known is looked at only by `paths`.
pub async fn ask(queue: &Queue, ask: &Ask<'_>) -> Finding {
    let interrupt = Interrupt::default();
    let work = {
        let (queue, tenant) = (queue.clone(), ask.tenant().cloned());
        let (home, interrupt) = (ask.means.home.clone(), interrupt.clone());
        let deadline = clock::instant() + ask.patience;
        move || {
            look(&queue, tenant.as_ref(), home.as_deref(), &interrupt, &|| {
                clock::instant() >= deadline
            })
        }
    };
    match ask.one("queues", work).await {
        Ok(looked) => judge(queue, &looked, clock::wall()),
        Err(lost) => {
            // A statement that is merely slow ends now, and its thread with it.
            interrupt.fire();
            lost.finding("reading the queues")
        }
    }
}

/// The finding of all queues: the worst speaks.
pub fn judge(queue: &Queue, look: &Look, now: Wall) -> Finding {
    let mut parts = look.troubles.clone();
    let mut backlogs: Vec<&Backlog> = look.backlogs.iter().collect();
    backlogs.sort_by_key(|backlog| (std::cmp::Reverse(backlog.depth), &backlog.queue));
    parts.extend(backlogs.iter().map(|backlog| part_of(queue, backlog, now)));
    if let Some(bytes) = look.wal_bytes.filter(|bytes| *bytes > queue.warn_wal_bytes) {
        parts.push(Part::degraded(
            "write-ahead log",
            format!(
                "{}, above {}: checkpoints do not come through",
                size(bytes),
                size(queue.warn_wal_bytes)
            ),
        ));
    } else if let Some(bytes) = look.wal_bytes {
        parts.push(Part::ok("write-ahead log", size(bytes)));
    }
    let depth: u64 = backlogs
        .iter()
        .filter(|backlog| !backlog.advisory)
        .map(|backlog| backlog.depth)
        .sum();
    let mut finding = fuse(
        parts,
        match backlogs.len() {
            0 if look.found => "nothing waits".to_owned(),
            0 => "there is no queue to watch".to_owned(),
            1 => format!("1 queue, {depth} waiting"),
            count => format!("{count} queues, {depth} waiting"),
        },
    );
    measure(&mut finding, &backlogs, now);
    let failed: u64 = backlogs.iter().map(|backlog| backlog.failed).sum();
    if failed > 0 {
        finding.note_push(format!(
            "{failed} entries were given up and are kept; see: openclaw health --json"
        ));
    }
    for note in &look.notes {
        finding.note_push(note);
    }
    finding
}

/// More queues than this are measured as one, `__other__`: each is a time series.
const QUEUES_MEASURED_MAX: usize = 64;

fn measure(finding: &mut Finding, backlogs: &[&Backlog], now: Wall) {
    let age = |backlog: &Backlog| backlog.oldest.map_or(0.0, |oldest| age_of(oldest, now).as_secs_f64());
    let (measured, folded) = backlogs.split_at(backlogs.len().min(QUEUES_MEASURED_MAX));
    for backlog in measured {
        finding.measure("queue_depth", &backlog.queue, backlog.depth as f64);
        finding.measure("queue_oldest_age_seconds", &backlog.queue, age(backlog));
    }
    if !folded.is_empty() {
        let depth: u64 = folded.iter().map(|backlog| backlog.depth).sum();
        let oldest = folded.iter().map(|backlog| age(backlog)).fold(0.0, f64::max);
        finding.measure("queue_depth", "__other__", depth as f64);
        finding.measure("queue_oldest_age_seconds", "__other__", oldest);
    }
}

fn part_of(queue: &Queue, backlog: &Backlog, now: Wall) -> Part {
    let what = format!("queue {}", backlog.queue);
    let at_least = if backlog.at_least { "at least " } else { "" };
    let age = backlog
        .oldest
        .filter(|_| backlog.depth > 0)
        .map(|oldest| age_of(oldest, now));
    let mut seen = format!("{at_least}{} waiting", backlog.depth);
    if let Some(age) = age {
        seen.push_str(&format!(", the oldest for {}", write_span(age)));
    }
    if backlog.failed > 0 {
        seen.push_str(&format!(", {} given up", backlog.failed));
    }
    let exceeds = |depth: u64, limit: Duration| backlog.depth > depth || age.is_some_and(|age| age > limit);
    if !backlog.advisory && backlog.at_least && !exceeds(queue.warn_depth, queue.warn_age) {
        // What was not counted may be a storm as well.
        return Part::unknown(Cause::Timeout, what, format!("{seen}, and not all was counted"));
    }
    if backlog.advisory || !exceeds(queue.warn_depth, queue.warn_age) {
        return Part::ok(what, seen);
    }
    if exceeds(queue.down_depth, queue.down_age) {
        return Part::down(what, seen);
    }
    Part::degraded(what, seen)
}

/// Zero for what comes from the future: a stepped clock makes no backlog.
fn age_of(then: Wall, now: Wall) -> Duration {
    Duration::from_millis(u64::try_from(now.millis_since(then)).unwrap_or(0))
}

/// Ends a statement from outside its thread.
#[derive(Clone, Default)]
struct Interrupt(Arc<Mutex<Option<rusqlite::InterruptHandle>>>);

impl Interrupt {
    fn arm(&self, handle: Option<rusqlite::InterruptHandle>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = handle;
    }

    fn fire(&self) {
        if let Some(handle) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            handle.interrupt();
        }
    }
}

/// Looks everywhere, on the calling thread, which keeps the tenant's effective ids. `late` says when to
/// be content with what was counted.
fn look(
    queue: &Queue,
    tenant: Option<&TenantTarget>,
    own_home: Option<&Path>,
    interrupt: &Interrupt,
    late: &dyn Fn() -> bool,
) -> Look {
    let mut look = Look::default();
    let user = tenant.and_then(|tenant| tenant.user.as_deref());
    let home = account::home_of(user, own_home);
    let state_dir = tenant.and_then(|tenant| state_dir_of(&tenant.instance, home.as_deref()));
    // Not being able to is no trouble yet: it may be readable all the same.
    if let Some(user) = user {
        super::write::become_named(user);
    }
    match &state_dir {
        Some(state_dir) => {
            sqlite::look(state_dir, interrupt, &mut look);
            for name in ["delivery-queue", "session-delivery-queue"] {
                folder::look_legacy(&state_dir.join(name), name, late, &mut look);
            }
        }
        None if tenant.is_some() => look.notes.push("this tenant's state directory is not known".into()),
        None => {}
    }
    for path in &queue.paths {
        folder::look(path, shown(path), late, &mut look);
    }
    look
}

#[cfg(test)]
mod tests;
