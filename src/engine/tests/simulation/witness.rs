//! Who saw all of it: what went in, what came out, what is durable of it. Rules are held against this.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::ledger::Ledger;
use super::model::{CheckModel, Hold, Model, Stamp};
use crate::config::Config;
use crate::engine::Command;
use crate::probe::declaration::Probe;
use crate::readiness::snapshot::{Phase, Snapshot};
use crate::store::Persist;
use crate::words::{CheckId, Finding, TenantName};

#[derive(Debug)]
pub struct Witness {
    pub model: Model,
    /// What is on disk of it, and what is on its way there by ticket.
    kept: Kept,
    on_the_way: Vec<(u64, Kept)>,
    pub ledger: Ledger,
    pub checks: BTreeMap<CheckId, Arc<Probe>>,
    pub shown_before: Option<Arc<Snapshot>>,
    pub shown: Option<Arc<Snapshot>>,
    /// Between the two that are shown: findings were heard, or an operator or another configuration intervened.
    pub heard: Vec<CheckId>,
    pub intervened: bool,
    /// What a process showed that was killed at once, for the next one to show the same.
    pub to_restore: Option<Snapshot>,
    /// When each check was last asked or has answered.
    pub asked: BTreeMap<CheckId, i64>,
    /// Checks that are in flight.
    pub in_flight: Vec<CheckId>,
    /// Commands without a reply, and since when.
    pub unanswered: BTreeMap<u64, i64>,
    pub lived: i64,
    /// This process has been other than starting.
    pub has_left_start: bool,
    pub began: i64,
}

/// When ages were kept, and of each check when it last answered.
type Ages = (Stamp, BTreeMap<CheckId, Option<Stamp>>);

/// Parts of the model by their key in the store; `None`: forgotten.
#[derive(Clone, Debug, Default)]
struct Kept {
    boot: Option<String>,
    checks: BTreeMap<CheckId, Option<CheckModel>>,
    ages: Option<Option<Ages>>,
    operations: Option<super::model::Operations>,
    served: Option<bool>,
}

impl Witness {
    pub fn new(config: &Config) -> Witness {
        let checks = config.checks();
        Witness {
            model: Model::of(&checks, 0),
            kept: Kept::default(),
            on_the_way: Vec::new(),
            ledger: Ledger::default(),
            asked: checks.keys().map(|check| (check.clone(), 0)).collect(),
            checks,
            shown_before: None,
            shown: None,
            heard: Vec::new(),
            intervened: true,
            to_restore: None,
            in_flight: Vec::new(),
            unanswered: BTreeMap::new(),
            lived: 0,
            has_left_start: false,
            began: 0,
        }
    }

    /// The engine is called: it notices first what time has passed.
    pub fn is_called(&mut self, lived: i64) {
        self.lived = lived;
        if self.model.tick(lived, &self.checks) {
            self.begin_patience(lived);
        }
    }

    /// Time in which nobody could have done anything is nobody's fault.
    fn begin_patience(&mut self, lived: i64) {
        self.asked.values_mut().for_each(|at| *at = lived);
        self.unanswered.values_mut().for_each(|at| *at = lived);
    }

    pub fn hears(&mut self, check: &CheckId, finding: &Finding, stamp: Stamp) {
        self.asked.entry(check.clone()).and_modify(|at| *at = stamp.lived);
        if let Some(probe) = self.checks.get(check) {
            self.heard.push(check.clone());
            self.model.hear(check, finding, probe, stamp);
        }
    }

    pub fn asks(&mut self, check: &CheckId, lived: i64) {
        self.asked.insert(check.clone(), lived);
    }

    pub fn asked_for(&mut self, id: u64, lived: i64) {
        self.unanswered.insert(id, lived);
    }

    pub fn replied(&mut self, id: u64) {
        self.unanswered.remove(&id);
    }

    pub fn operates(&mut self, command: &Command, stamp: Stamp) {
        self.intervened = true;
        let operations = &mut self.model.operations;
        match command {
            Command::MaintenanceStart { tenant, duration, .. } => operations.begin(tenant, *duration, stamp),
            Command::MaintenanceEnd { tenant } => drop(operations.maintenance.remove(tenant)),
            Command::Drain { tenant, .. } => drop(operations.drained.insert(tenant.clone())),
            Command::Undrain { tenant } => drop(operations.drained.remove(tenant)),
            Command::Ask { .. } => {}
        }
    }

    pub fn reloads(&mut self, config: &Config, lived: i64) {
        self.intervened = true;
        self.checks = config.checks();
        let checks = &self.checks;
        self.model.checks.retain(|check, _| checks.contains_key(check));
        self.asked.retain(|check, _| checks.contains_key(check));
        for check in checks.keys() {
            let new = || CheckModel::known_since(lived);
            self.model.checks.entry(check.clone()).or_insert_with(new);
            self.asked.entry(check.clone()).or_insert(lived);
        }
        if let Some(hold) = &mut self.model.hold {
            hold.waiting.retain(|check| checks.contains_key(check));
        }
    }

    /// What is handed to the store, as it should be at this moment.
    pub fn keeps(&mut self, persist: &Persist, stamp: Stamp) {
        let lived = self.model.judged_at(stamp.lived);
        let wall = stamp.wall - (stamp.lived - lived);
        let mut kept = Kept::default();
        let field = |json: &str, name: &str| {
            let value: serde_json::Value = serde_json::from_str(json).unwrap();
            value[name].clone()
        };
        for (key, value) in &persist.state {
            let check = key.strip_prefix("check/").and_then(CheckId::parse);
            match (key.as_str(), value, check) {
                (_, value, Some(check)) => {
                    let model = self.model.checks.get(&check).filter(|_| value.is_some()).cloned();
                    kept.checks.insert(check, model);
                }
                ("ages", None, _) => kept.ages = Some(None),
                ("ages", Some(_), _) => kept.ages = Some(Some((Stamp { lived, wall }, self.model.ages()))),
                ("operations", Some(_), _) => kept.operations = Some(self.model.operations.clone()),
                ("node", Some(json), _) => kept.served = field(json, "served").as_bool(),
                ("alive", Some(json), _) => kept.boot = field(json, "boot").as_str().map(str::to_owned),
                _ => {}
            }
        }
        self.on_the_way.push((persist.ticket, kept));
    }

    pub fn committed(&mut self, ticket: Option<u64>) {
        let committed = |(of, _): &mut (u64, Kept)| Some(*of) <= ticket;
        for (_, kept) in self.on_the_way.extract_if(.., committed) {
            self.kept.absorb(kept);
        }
    }

    /// The database is gone, with all that was in it.
    pub fn begins_anew(&mut self) {
        self.kept = Kept::default();
        self.ledger.is_lost = true;
    }

    /// Another process begins with what is on disk.
    pub fn restarts(&mut self, stamp: Stamp, boot: &str, before: Option<Snapshot>) {
        self.on_the_way.clear();
        let kept = if self.kept.boot.is_some() {
            self.kept.clone()
        } else {
            Kept::default()
        };
        let rebooted = kept.boot.as_deref() != Some(boot);
        let mut model = Model::of(&self.checks, stamp.lived);
        model.served = kept.served == Some(true) && !rebooted;
        model.operations = kept.operations.unwrap_or_default().restored(stamp, rebooted);
        let ages = kept.ages.flatten();
        for (check, kept) in kept.checks {
            let (Some(mut kept), Some(probe)) = (kept, self.checks.get(&check)) else {
                continue;
            };
            let aged = ages.as_ref().and_then(|(_, ages)| ages.get(&check).copied().flatten());
            if let Some(aged) = aged.filter(|aged| kept.answered.is_none_or(|known| known.lived < aged.lived)) {
                kept.answered = Some(aged);
            }
            model.checks.insert(check, kept.restored(probe, stamp, rebooted));
        }
        model.hold = ages.and_then(|(lived, _)| Hold::at_start(lived, stamp, rebooted, &self.checks));
        model.settle(stamp.lived);
        self.model = model;
        self.to_restore = before.filter(|_| !rebooted);
        self.has_left_start = self.model.served;
        self.began = stamp.lived;
        self.shown_before = None;
        self.shown = None;
        self.intervened = true;
        self.unanswered.clear();
        self.begin_patience(stamp.lived);
    }

    pub fn sees(&mut self, snapshot: Arc<Snapshot>, in_flight: &[&CheckId]) {
        self.model.hear_internal(&self.checks);
        self.model.settle(self.lived);
        self.shown_before = self.shown.replace(snapshot);
        self.in_flight = in_flight.iter().map(|check| (*check).clone()).collect();
    }

    /// What was held against the two that are shown is not held against the next ones.
    pub fn is_satisfied(&mut self) {
        let phase = self.shown.as_ref().map(|shown| shown.phase);
        self.has_left_start |= phase == Some(Phase::Serving);
        self.model.served |= self.has_left_start;
        self.heard.clear();
        self.intervened = false;
        self.to_restore = None;
    }

    pub fn is_in_maintenance(&self, tenant: Option<&TenantName>) -> bool {
        tenant.is_some_and(|tenant| self.model.operations.maintenance.contains_key(tenant))
    }
}

impl Kept {
    fn absorb(&mut self, later: Kept) {
        self.boot = later.boot.or(self.boot.take());
        self.checks.extend(later.checks);
        self.ages = later.ages.or(self.ages.take());
        self.operations = later.operations.or(self.operations.take());
        self.served = later.served.or(self.served);
    }
}

impl super::model::Operations {
    fn begin(&mut self, tenant: &TenantName, duration: Duration, began: Stamp) {
        let millis = i64::try_from(duration.as_millis()).unwrap();
        let maintenance = super::model::Maintenance { began, millis };
        self.maintenance.insert(tenant.clone(), maintenance);
    }
}
