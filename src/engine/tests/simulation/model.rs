//! What should be so, from what happened alone: naive, and without the code that decides.
//!
//! Times are milliseconds lived since the history began, sleep included; unlike the host's clock they go on across a reboot.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::rules::STARTUP_GRACE;
use crate::probe::declaration::Probe;
use crate::words::{Answer, CheckId, Finding, Layer, Now, TenantName, Verdict};

/// A moment by both clocks: the wall clock bridges reboots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    pub lived: i64,
    pub wall: i64,
}

/// What one check has said, and so what it should show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckModel {
    pub level: Option<Verdict>,
    /// The latest answers, none from before the level was set at once.
    answers: VecDeque<Verdict>,
    /// Whether each of the last twenty answers was another one than that before it; the newest last.
    turns: VecDeque<bool>,
    last: Option<Verdict>,
    pub flapping: bool,
    /// Of the last answer that renewed the level's age.
    pub answered: Option<Stamp>,
    /// Of the first unknown one, where there was no answer yet.
    pub unknown_since: Option<Stamp>,
    pub is_unknown: bool,
    pub has_finding: bool,
    /// It was seen pending beyond the startup grace.
    pub overdue: bool,
    /// When this process first knew of it.
    pub known_since: i64,
    /// Nothing that is remembered is young enough to be held against the next answer.
    first_counts: bool,
}

/// Operations in force: who is drained, and until when who is in maintenance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Operations {
    pub drained: BTreeSet<Option<TenantName>>,
    pub maintenance: BTreeMap<TenantName, Maintenance>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Maintenance {
    pub began: Stamp,
    pub millis: i64,
}

/// Answers that can still matter: more than the greatest patience.
const ANSWERS_KEPT: usize = 32;

impl CheckModel {
    pub fn known_since(lived: i64) -> CheckModel {
        CheckModel {
            known_since: lived,
            ..CheckModel::default()
        }
    }

    /// `judged_at`: the moment at which ages are judged.
    pub fn hear(&mut self, finding: &Finding, probe: &Probe, now: Stamp, judged_at: i64) {
        self.has_finding = true;
        self.overdue = false;
        self.is_unknown = finding.answer == Answer::Unknown;
        if finding.alive && self.level == Some(Verdict::Down) {
            self.level = Some(Verdict::Degraded);
            self.answers.clear();
        }
        let Some(answer) = finding.answer.answered() else {
            if self.answered.is_none() {
                self.unknown_since.get_or_insert(now);
            }
            return;
        };
        let was_stale = self.is_stale(probe, judged_at);
        self.answer(answer, finding.immediate, probe);
        // One that is worse after a long silence does not make what is remembered young again.
        if !(was_stale && self.level < Some(answer)) {
            self.answered = Some(now);
        }
        self.unknown_since = None;
    }

    /// After `fall` worse answers in a row the mildest of them, after `rise` better ones the worst of them.
    fn answer(&mut self, answer: Verdict, immediate: bool, probe: &Probe) {
        self.flap(answer);
        self.answers.push_back(answer);
        if self.answers.len() > ANSWERS_KEPT {
            self.answers.pop_front();
        }
        let first = std::mem::take(&mut self.first_counts);
        let at_once = self.level.is_none_or(|level| {
            let is_other = answer != level;
            (first && is_other) || (immediate && answer > level)
        });
        if at_once {
            self.level = Some(answer);
            self.answers = VecDeque::from([answer]);
            return;
        }
        let rise = probe.rise + u32::from(self.flapping);
        while let Some(next) = self.next_level(probe.fall, rise) {
            self.level = Some(next);
        }
    }

    fn next_level(&self, fall: u32, rise: u32) -> Option<Verdict> {
        let level = self.level?;
        let enough = |run: &[Verdict], patience: u32| run.len() >= usize::try_from(patience.max(1)).unwrap();
        let latest = self.answers.iter().rev().copied();
        let worse: Vec<Verdict> = latest.clone().take_while(|answer| *answer > level).collect();
        let better: Vec<Verdict> = latest.take_while(|answer| *answer < level).collect();
        match (enough(&worse, fall), enough(&better, rise)) {
            (true, _) => worse.into_iter().min(),
            (_, true) => better.into_iter().max(),
            _ => None,
        }
    }

    /// Icinga's: of the last twenty findings those that turned, from 0.80 for the oldest to 1.18 for the newest; in
    /// above 30 % of twenty, out at 25 %.
    fn flap(&mut self, answer: Verdict) {
        self.turns.push_back(self.last.is_some_and(|last| last != answer));
        if self.turns.len() > 20 {
            self.turns.pop_front();
        }
        self.last = Some(answer);
        let newest_first = self.turns.iter().rev().zip(0_u32..);
        let weight: u32 = newest_first
            .filter(|(turned, _)| **turned)
            .map(|(_, age)| 118 - 2 * age)
            .sum();
        self.flapping = weight > if self.flapping { 500 } else { 600 };
    }

    pub fn is_stale(&self, probe: &Probe, lived: i64) -> bool {
        let max_stale = i64::try_from(probe.max_stale.as_millis()).unwrap();
        self.answered.is_none_or(|answered| lived - answered.lived > max_stale)
    }

    /// As another process finds it. `rebooted`: on another boot, where only the wall clock tells ages.
    pub fn restored(mut self, probe: &Probe, now: Stamp, rebooted: bool) -> CheckModel {
        let dies_with_the_host = matches!(probe.layer, Layer::Transport | Layer::Runtime);
        if rebooted && dies_with_the_host && self.level == Some(Verdict::Ok) {
            return CheckModel::known_since(now.lived);
        }
        self.known_since = now.lived;
        self.overdue &= !rebooted;
        self.answered = self.answered.map(|stamp| stamp.seen_from(now, rebooted));
        self.unknown_since = self.unknown_since.map(|stamp| stamp.seen_from(now, rebooted));
        self.first_counts = probe.asks.lane().is_none() && self.is_stale(probe, now.lived);
        self
    }
}

impl Stamp {
    /// So long ago that everything is stale.
    const NEVER: i64 = i64::MIN / 4;

    pub fn of(now: Now, lived: i64) -> Stamp {
        Stamp {
            lived,
            wall: now.wall.as_millis(),
        }
    }

    /// By the wall clock across a reboot; an age below zero is nobody's.
    fn seen_from(self, now: Stamp, rebooted: bool) -> Stamp {
        if !rebooted {
            return self;
        }
        let age = now.wall - self.wall;
        let lived = if age < 0 { Stamp::NEVER } else { now.lived - age };
        Stamp { lived, ..self }
    }
}

impl Operations {
    pub fn restored(mut self, now: Stamp, rebooted: bool) -> Operations {
        for maintenance in self.maintenance.values_mut() {
            let began = maintenance.began.seen_from(now, rebooted);
            // Nobody can say how much of it is over: it begins anew.
            maintenance.began = if began.lived == Stamp::NEVER { now } else { began };
        }
        self
    }

    pub fn expire(&mut self, lived: i64) {
        self.maintenance
            .retain(|_, maintenance| lived - maintenance.began.lived < maintenance.millis);
    }
}

/// Ages stand still while native checks are asked, after a sleep and at a start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    pub frozen: i64,
    pub until: i64,
    pub waiting: BTreeSet<CheckId>,
}

impl Hold {
    /// `lived_until`: when the process before was last at work; nothing is held where nobody can say.
    pub fn at_start(lived_until: Stamp, now: Stamp, rebooted: bool, checks: &Checks) -> Option<Hold> {
        let frozen = lived_until.seen_from(now, rebooted).lived;
        let hold = Hold {
            frozen,
            until: now.lived + 3_000,
            waiting: native(checks),
        };
        (frozen != Stamp::NEVER).then_some(hold)
    }

    fn holds(&self, lived: i64) -> bool {
        lived < self.until && !self.waiting.is_empty()
    }
}

fn native(checks: &Checks) -> BTreeSet<CheckId> {
    let native = checks.iter().filter(|(_, probe)| probe.asks.lane().is_none());
    native.map(|(check, _)| check.clone()).collect()
}

pub type Checks = BTreeMap<CheckId, Arc<Probe>>;

/// What should be so now.
#[derive(Clone, Debug)]
pub struct Model {
    pub checks: BTreeMap<CheckId, CheckModel>,
    pub operations: Operations,
    /// It has left `starting` on this boot.
    pub served: bool,
    pub hold: Option<Hold>,
    ticked: i64,
}

impl Model {
    pub fn of(checks: &Checks, lived: i64) -> Model {
        let known = |check: &CheckId| (check.clone(), CheckModel::known_since(lived));
        Model {
            checks: checks.keys().map(known).collect(),
            operations: Operations::default(),
            served: false,
            hold: None,
            ticked: lived,
        }
    }

    /// `true`: the host slept.
    pub fn tick(&mut self, lived: i64, checks: &Checks) -> bool {
        let gap = lived - self.ticked;
        if gap < 250 {
            return false;
        }
        let slept = gap > 10_000;
        if slept {
            self.hold = Some(Hold {
                frozen: self.judged_at(self.ticked),
                until: lived + 10_000,
                waiting: native(checks),
            });
        }
        self.settle(lived);
        slept
    }

    /// Everything is judged anew.
    pub fn settle(&mut self, lived: i64) {
        self.ticked = lived;
        self.operations.expire(lived);
        let judged_at = self.judged_at(lived);
        for model in self.checks.values_mut() {
            let grace = i64::try_from(STARTUP_GRACE.as_millis()).unwrap();
            model.overdue |= !model.has_finding && judged_at - model.known_since >= grace;
        }
    }

    pub fn hear(&mut self, check: &CheckId, finding: &Finding, probe: &Probe, stamp: Stamp) {
        let judged_at = self.judged_at(stamp.lived);
        if let Some(model) = self.checks.get_mut(check) {
            model.hear(finding, probe, stamp, judged_at);
        }
        if let Some(hold) = &mut self.hold {
            hold.waiting.remove(check);
        }
    }

    /// The engine answers some checks itself, at once.
    pub fn hear_internal(&mut self, checks: &Checks) {
        if let Some(hold) = &mut self.hold {
            hold.waiting
                .retain(|check| checks.get(check).is_some_and(|probe| !probe.asks.is_internal()));
        }
    }

    /// The moment at which ages are judged.
    pub fn judged_at(&self, lived: i64) -> i64 {
        match &self.hold {
            Some(hold) if hold.holds(lived) => hold.frozen,
            _ => lived,
        }
    }

    pub fn ages(&self) -> BTreeMap<CheckId, Option<Stamp>> {
        let ages = self.checks.iter();
        ages.map(|(check, model)| (check.clone(), model.answered)).collect()
    }
}
