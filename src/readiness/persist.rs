//! What survives: state as keys and JSON, written where it changed, read back at a start.
//!
//! | key | holds | written |
//! |---|---|---|
//! | `check/doctor@acme` | level, open run, last finding | at once when what decides has changed, else by [`Readiness::ages_state`] |
//! | `history/doctor@acme` | its last level changes | when its level changes |
//! | `tenant/acme` | whether it is new, what it shows | when that changes |
//! | `operations` | maintenance and drains | when that changes |
//! | `node` | verdict, cycles | when that changes |
//! | `ages` | when each check was last asked and last answered | by [`Readiness::ages_state`], and when time has changed what one counts as |
//!
//! What cannot be read back is as if it had not been there: that check is pending, and is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::check::{self, Check};
use super::freshness::{Moment, Stamp};
use super::maintenance::Operations;
use super::snapshot::{LevelChange, Phase, VerdictChange};
use super::start::{Hold, START_HOLD_MAX};
use super::{Readiness, tenant};
use crate::words::{CheckId, Now, TenantName, Verdict, Wall};

/// One key of the state.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    Check(CheckId),
    History(CheckId),
    Tenant(TenantName),
    Operations,
    Node,
}

/// What has changed since it was last handed out to be written.
#[derive(Clone, Debug, Default)]
pub(super) struct Dirty {
    keys: BTreeSet<Key>,
    /// Checks whose texts alone have changed.
    later: BTreeSet<CheckId>,
    /// Removed again when a key is written anew before it was forgotten.
    forgotten: BTreeSet<String>,
    /// Time alone has changed what checks count as, at this moment: a process that follows must not judge them at an earlier
    /// one, or it would show for a moment what was over, and history would tell of it.
    lived: Option<Stamp>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct NodeMemory {
    cycle: u64,
    green_cycles: u64,
    pub shown: (Verdict, Phase),
    pub since: Wall,
    last_change: Option<VerdictChange>,
    /// It has left its `starting` on this boot.
    served: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct Ages {
    /// The last moment at which ages were judged.
    lived: Stamp,
    checks: BTreeMap<String, Age>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Age {
    answered: Option<Stamp>,
    checked: Option<Stamp>,
}

pub(super) const CHECK: &str = "check/";
const HISTORY: &str = "history/";
pub(super) const TENANT: &str = "tenant/";
const OPERATIONS: &str = "operations";
pub(super) const NODE: &str = "node";
const AGES: &str = "ages";

impl Readiness {
    /// What decides and has changed since last asked: key → JSON, `None` to forget the key.
    pub fn dirty_state(&mut self) -> BTreeMap<String, Option<String>> {
        let forgotten = std::mem::take(&mut self.dirty.forgotten);
        let mut state = forgotten.into_iter().map(|key| (key, None)).collect::<BTreeMap<_, _>>();
        for key in std::mem::take(&mut self.dirty.keys) {
            if let Key::Check(check) = &key {
                self.dirty.later.remove(check);
            }
            if let Some(json) = self.written(&key) {
                state.insert(key.to_string(), Some(json));
            }
        }
        if let Some(json) = self.dirty.lived.take().and_then(|lived| json(&self.ages(lived))) {
            state.insert(AGES.to_owned(), Some(json));
        }
        state
    }

    /// The store begins anew with an empty file: everything is to be written again.
    pub fn forget_written(&mut self) {
        for id in self.checks.keys() {
            self.dirty.key(Key::Check(id.clone()));
            self.dirty.key(Key::History(id.clone()));
        }
        for name in self.tenants.keys() {
            self.dirty.key(Key::Tenant(name.clone()));
        }
        self.dirty.key(Key::Operations);
        self.dirty.key(Key::Node);
    }

    /// What only ages: when checks were last asked and answered, and texts of findings that decided
    /// nothing. To be written every 10 s, and at the end: a process that is killed loses no more of its ages.
    pub fn ages_state(&mut self, now: Now) -> BTreeMap<String, Option<String>> {
        self.dirty
            .keys
            .extend(std::mem::take(&mut self.dirty.later).into_iter().map(Key::Check));
        let mut state = self.dirty_state();
        let ages = self.ages(Stamp::of(self.judged_at(now), now));
        if let Some(json) = json(&ages) {
            state.insert(AGES.to_owned(), Some(json));
        }
        state
    }

    fn ages(&self, lived: Stamp) -> Ages {
        let age = |check: &Check| Age {
            answered: check.memory.answered,
            checked: check.memory.checked,
        };
        let checks = self.checks.iter();
        Ages {
            lived,
            checks: checks.map(|(id, check)| (id.to_string(), age(check))).collect(),
        }
    }

    /// Takes what an earlier process left, for the checks and tenants that are configured.
    pub(super) fn restore(&mut self, now: Now, state: &BTreeMap<String, String>, same_boot: bool) {
        // A maintenance or a drain is an order: it holds even where nothing else could be read.
        if let Some(operations) = read::<Operations>(state, OPERATIONS) {
            self.operations = operations.rebased(now, same_boot);
            self.operations
                .bound(|tenant| self.settings.tenants.contains_key(tenant));
            self.dirty.key(Key::Operations);
        }
        let node = read::<NodeMemory>(state, NODE);
        let served = node.as_ref().is_some_and(|node| node.served);
        if let Some(node) = node {
            self.cycle.complete = node.cycle;
            self.cycle.green = node.green_cycles;
            self.node.shown = Some(node.shown);
            self.node.since = node.since;
            self.node.last_change = node.last_change;
            self.dirty.key(Key::Node);
        }
        if served && same_boot {
            self.starting = None;
        }

        let ages = read::<Ages>(state, AGES);
        if !same_boot {
            // They must not be read as of this boot by a process that follows soon.
            self.dirty.forgotten.insert(AGES.to_owned());
        }
        self.restore_checks(now, state, ages.as_ref(), same_boot);
        self.restore_tenants(state, served);
        self.forget_strangers(state);

        // Until native checks have answered (nothing is answered outside before that), levels are what they
        // were when the last process ended, so that history does not tell of a silence that nobody saw.
        let lived = ages.and_then(|ages| ages.lived.rebased(now, same_boot).moment());
        if let Some(frozen) = lived {
            let native = self.checks.iter().filter(|(_, check)| check.is_native());
            let waiting = native.map(|(id, _)| id.clone()).collect();
            let until = Moment::from(now.at).after(START_HOLD_MAX);
            self.hold = Some(Hold::new(frozen, until, waiting));
        }
    }

    fn restore_checks(&mut self, now: Now, state: &BTreeMap<String, String>, ages: Option<&Ages>, same_boot: bool) {
        for (id, check) in &mut self.checks {
            let Some(mut memory) = read::<check::Memory>(state, &Key::Check(id.clone()).to_string()) else {
                continue;
            };
            if let Some(age) = ages.and_then(|ages| ages.checks.get(&id.to_string())) {
                memory.answered = later(memory.answered, age.answered);
                memory.checked = later(memory.checked, age.checked);
            }
            let history = read::<Arc<[LevelChange]>>(state, &Key::History(id.clone()).to_string());
            let history = history.unwrap_or_default();
            *check = Check::restored(check.probe.clone(), now, memory, history, same_boot);
            // Stamps of another boot mean nothing on this one: all are written anew.
            self.dirty.key(Key::Check(id.clone()));
        }
    }

    /// A tenant that a node which has served before does not know is new, as if it had appeared just now.
    fn restore_tenants(&mut self, state: &BTreeMap<String, String>, served: bool) {
        for (name, tenant) in &mut self.tenants {
            match read::<tenant::Memory>(state, &Key::Tenant(name.clone()).to_string()) {
                Some(memory) => tenant.memory = memory,
                None => tenant.memory.is_new = served,
            }
        }
    }

    fn forget_strangers(&mut self, state: &BTreeMap<String, String>) {
        let kept = |id: &str| CheckId::parse(id).is_some_and(|id| self.checks.contains_key(&id));
        let is_stranger = |key: &&String| {
            let of_check = key.strip_prefix(CHECK).or_else(|| key.strip_prefix(HISTORY));
            let of_tenant = key.strip_prefix(TENANT);
            let known = |name: &str| TenantName::parse(name).is_some_and(|name| self.tenants.contains_key(&name));
            of_check.is_some_and(|id| !kept(id)) || of_tenant.is_some_and(|name| !known(name))
        };
        let strangers = state.keys().filter(is_stranger).cloned().collect::<Vec<_>>();
        self.dirty.forgotten.extend(strangers);
    }

    fn written(&self, key: &Key) -> Option<String> {
        match key {
            Key::Check(id) => json(&self.checks.get(id)?.memory),
            Key::History(id) => json(&self.checks.get(id)?.history),
            Key::Tenant(name) => json(&self.tenants.get(name)?.memory),
            Key::Operations => json(&self.operations),
            Key::Node => json(&NodeMemory {
                cycle: self.cycle.complete,
                green_cycles: self.cycle.green,
                shown: self.node.shown?,
                since: self.node.since,
                last_change: self.node.last_change.clone(),
                served: self.starting.is_none(),
            }),
        }
    }
}

impl Dirty {
    pub fn lived(&mut self, lived: Stamp) {
        self.lived = Some(lived);
    }

    /// It need not be written.
    pub fn has_lived(&mut self) {
        self.lived = None;
    }

    pub fn key(&mut self, key: Key) {
        self.forgotten.remove(&key.to_string());
        self.keys.insert(key);
    }

    pub fn later(&mut self, check: CheckId) {
        self.later.insert(check);
    }

    pub fn forget_check(&mut self, check: &CheckId) {
        self.later.remove(check);
        self.forget(Key::Check(check.clone()));
        self.forget(Key::History(check.clone()));
    }

    pub fn forget_tenant(&mut self, tenant: &TenantName) {
        self.forget(Key::Tenant(tenant.clone()));
    }

    fn forget(&mut self, key: Key) {
        self.keys.remove(&key);
        self.forgotten.insert(key.to_string());
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Key::Check(id) => write!(f, "{CHECK}{id}"),
            Key::History(id) => write!(f, "{HISTORY}{id}"),
            Key::Tenant(name) => write!(f, "{TENANT}{name}"),
            Key::Operations => f.write_str(OPERATIONS),
            Key::Node => f.write_str(NODE),
        }
    }
}

fn later(one: Option<Stamp>, other: Option<Stamp>) -> Option<Stamp> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.later(other)),
        (one, other) => one.or(other),
    }
}

fn read<'a, T: Deserialize<'a>>(state: &'a BTreeMap<String, String>, key: &str) -> Option<T> {
    serde_json::from_str(state.get(key)?).ok()
}

/// `None` never happens for what is kept here: maps with text keys, finite numbers.
fn json(value: &impl Serialize) -> Option<String> {
    serde_json::to_string(value).ok()
}
