//! Findings into a verdict, in virtual time.
//!
//! | word | meaning here |
//! |---|---|
//! | finding | one answer of one check, as it arrives |
//! | run | consecutive answers on one side of the level; `fall` or `rise` of them move it |
//! | level | what a check shows: its debounced answer, or `unknown`, or `pending` |
//! | remembered | the last debounced answer, kept below an `unknown`: silence never heals it |
//! | counts as | what the level contributes now, by the table in `freshness`, capped by the probe |
//! | cause | a check that is down and explains another; the other's reason folds under its own |
//! | hold | a few seconds after a start or a resume in which ages stand still |
//! | settle | to judge everything again and note what has changed |
//!
//! A finding is debounced on arrival (`debounce`). On every tick: freshness (`freshness`), maintenance
//! (`maintenance`), cause (`dependency`), fusion (`fuse`).
//!
//! Invariant: no I/O and no clock. All that is shown is in the [`snapshot::Snapshot`], and the verdict is
//! a function of it.

mod check;
mod cycle;
mod debounce;
mod dependency;
mod freshness;
mod fuse;
mod hint;
pub mod layers;
mod maintenance;
mod onset;
mod persist;
mod settle;
mod shown;
pub mod snapshot;
mod start;
mod tenant;
#[cfg(test)]
mod tests;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use self::check::Check;
use self::cycle::Cycle;
use self::freshness::Moment;
use self::maintenance::Operations;
use self::persist::{Dirty, Key};
use self::snapshot::{Operation, Phase, Transition, VerdictChange};
use self::start::{Hold, Starting};
use self::tenant::Tenant;
use crate::engine::Refused;
use crate::probe::declaration::Probe;
use crate::probe::schedule::Again;
use crate::words::{Answer, CheckId, Cost, Finding, Instant, Now, TenantName, Verdict, Wall};

pub use self::fuse::{Excluded, TenantWithout, Without, without};
pub use self::maintenance::{MAINTENANCE_MAX, Request};
pub use self::shown::{present, subject_of};
pub use self::start::{RESUME_GAP, RESUME_HOLD_MAX, START_HOLD_MAX};
pub use self::view::{DRAINING_RETRY_SECS, STARTING_RETRY_SECS};

/// What the configuration says about readiness.
#[derive(Clone, Debug)]
pub struct Settings {
    pub node: Arc<str>,
    pub labels: BTreeMap<String, String>,
    pub startup_grace: Duration,
    pub tenants: BTreeMap<TenantName, TenantSettings>,
    pub no_tenants_on_purpose: bool,
    /// Enabled probes as bound to the node and to tenants. A check of a tenant that is not above is left out.
    pub checks: Vec<(CheckId, Arc<Probe>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TenantSettings {
    /// `false`: it degrades the node at most.
    pub required: bool,
}

/// The state of readiness. One owner, who calls [`Readiness::tick`] at least once a second.
#[derive(Debug)]
pub struct Readiness {
    settings: Settings,
    checks: BTreeMap<CheckId, Check>,
    tenants: BTreeMap<TenantName, Tenant>,
    operations: Operations,
    starting: Option<Starting>,
    /// SIGTERM was received.
    stopping: bool,
    hold: Option<Hold>,
    ticked: Moment,
    cycle: Cycle,
    node: Node,
    transitions: Vec<Transition>,
    dirty: Dirty,
}

/// What became of one finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// A level, what it counts as, a verdict or a phase is another one now: worth publishing at once.
    /// New texts alone are not; they show with the next rendering.
    pub changed: bool,
    /// Whether a run is open, or it could not be asked.
    pub again: Again,
    /// The check's change of level; it is among [`Readiness::take_transitions`] too.
    pub transition: Option<Transition>,
}

/// What a tick found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticked {
    /// The host (or this process) slept since the last tick: discard runs in flight, ask native checks
    /// at once and the others again, and begin the patience of links and of blindness afresh.
    pub resumed: bool,
    /// As [`Noted::changed`].
    pub changed: bool,
}

/// What the node showed last.
#[derive(Clone, Debug)]
struct Node {
    /// `None`: not judged yet.
    shown: Option<(Verdict, Phase)>,
    since: Wall,
    last_change: Option<VerdictChange>,
    /// Checks that counted and are configured no more, with what they were, until the verdict is judged.
    gone: Vec<(CheckId, Verdict)>,
}

/// A check whose remembered level is down.
#[derive(Clone, Copy, Debug)]
pub struct Down<'a> {
    pub check: &'a CheckId,
    pub probe: &'a Probe,
    /// When its last finding came; `None`: before this boot.
    pub checked: Option<Instant>,
}

impl Readiness {
    /// Begins, with what an earlier process left (all of the store's state map, or none). `same_boot`:
    /// it ran on this boot of the host.
    ///
    /// Persist the first [`Readiness::dirty_state`] together with the boot's id in one transaction: after
    /// a reboot it holds every stamp anew.
    pub fn new(
        settings: Settings,
        now: Now,
        restored: Option<&BTreeMap<String, String>>,
        same_boot: bool,
    ) -> Readiness {
        let at = Moment::from(now.at);
        let mut readiness = Readiness {
            settings: Settings {
                checks: Vec::new(),
                tenants: BTreeMap::new(),
                ..settings.clone()
            },
            checks: BTreeMap::new(),
            tenants: BTreeMap::new(),
            operations: Operations::default(),
            starting: Some(Starting::new(at)),
            stopping: false,
            hold: None,
            ticked: at,
            cycle: Cycle::default(),
            node: Node {
                shown: None,
                since: now.wall,
                last_change: None,
                gone: Vec::new(),
            },
            transitions: Vec::new(),
            dirty: Dirty::default(),
        };
        readiness.adopt(now, settings, false);
        if let Some(restored) = restored {
            readiness.restore(now, restored, same_boot);
        }
        readiness.settle(now);
        // What the process before had lived through is written already.
        readiness.dirty.has_lived();
        readiness
    }

    /// Takes a new configuration: new checks are pending, removed ones are gone, new tenants are
    /// starting, all others keep their state.
    pub fn configure(&mut self, now: Now, settings: Settings) {
        self.adopt(now, settings, true);
        self.settle(now);
    }

    /// Takes one finding. Findings of checks that are not (any more) configured change nothing.
    pub fn finding(&mut self, now: Now, id: &CheckId, finding: Finding, cost: Cost) -> Noted {
        let grace = self.settings.startup_grace;
        let at = self.judged_at(now);
        let Some(check) = self.checks.get_mut(id) else {
            return Noted {
                changed: false,
                again: Again::No,
                transition: None,
            };
        };
        let before = (check.essence(), check.is_flapping(), check.counts_as);
        let is_first = !check.has_finding();
        check.hear(now, at, finding, cost);
        let judged = check.judge(at, grace);
        let transition = check
            .show(now, judged, grace)
            .map(|change| settle::of_check(id, change));
        let after = (check.essence(), check.is_flapping(), check.counts_as);
        let again = check.asks_again();
        let shows_other = transition.is_some() || before.1 != after.1 || before.2 != after.2;
        match before.0 != after.0 || is_first {
            true => self.dirty.key(Key::Check(id.clone())),
            false => self.dirty.later(id.clone()),
        }
        if transition.is_some() {
            self.dirty.key(Key::History(id.clone()));
        }
        self.note(transition.clone());

        let held = self.hold.is_some();
        if let Some(hold) = &mut self.hold {
            hold.heard(id);
        }
        // All else follows from what checks show: nothing to judge where that is what it was.
        let mut changed = shows_other;
        if shows_other || is_first || held {
            changed |= self.settle(now);
        }
        let verdict_ok = self.node.shown.is_some_and(|(verdict, _)| verdict == Verdict::Ok);
        if self.cycle.heard(id, verdict_ok) {
            self.dirty.key(Key::Node);
        }
        Noted {
            changed,
            again,
            transition,
        }
    }

    /// Judges everything at `now`: freshness, expiry, grace, resume.
    pub fn tick(&mut self, now: Now) -> Ticked {
        let at = Moment::from(now.at);
        let resumed = self.resume_due(now);
        if resumed {
            let frozen = self.judged_at(now);
            let native = self.checks.iter().filter(|(_, check)| check.is_native());
            let waiting = native.map(|(id, _)| id.clone()).collect();
            self.hold = Some(Hold::new(frozen, at.after(RESUME_HOLD_MAX), waiting));
        }
        self.ticked = at;
        let changed = self.settle(now);
        Ticked { resumed, changed }
    }

    /// Whether every check has had a finding, in this process or an earlier one.
    pub fn has_findings_of_all(&self) -> bool {
        self.checks.values().all(Check::has_finding)
    }

    /// Whether a check's level is ok, its last finding says so too, and nothing speaks against it.
    pub fn is_well(&self, id: &CheckId) -> bool {
        self.checks.get(id).is_some_and(|check| {
            let settled = check.asks_again() == Again::No && !check.is_flapping();
            settled && check.remembered() == Some(Verdict::Ok)
        })
    }

    /// What the check's last finding answered.
    pub fn last_answer(&self, id: &CheckId) -> Option<Answer> {
        Some(self.checks.get(id)?.memory.finding.as_ref()?.answer)
    }

    /// A tenant's checks whose remembered level is down.
    pub fn downs_of(&self, tenant: &TenantName) -> impl Iterator<Item = Down<'_>> {
        let checks = self
            .checks
            .iter()
            .filter(|(id, check)| check.remembered() == Some(Verdict::Down) && id.tenant.as_ref() == Some(tenant));
        checks.map(|(id, check)| Down {
            check: id,
            probe: &check.probe,
            checked: check.memory.checked.and_then(freshness::Stamp::instant),
        })
    }

    /// Checks that could not be asked, or whose remembered level is not ok.
    pub fn unwell(&self) -> impl Iterator<Item = (&CheckId, &Arc<Probe>)> {
        let is_unwell = |check: &Check| check.is_unknown() || check.remembered() > Some(Verdict::Ok);
        let checks = self.checks.iter().filter(move |(_, check)| is_unwell(check));
        checks.map(|(id, check)| (id, &check.probe))
    }

    /// Whether the next [`Readiness::tick`] will say `resumed`. Cheap: ask before handing in a finding, since
    /// one that was in flight while the host slept is to be discarded.
    pub fn resume_due(&self, now: Now) -> bool {
        Moment::from(now.at).since(self.ticked) > RESUME_GAP
    }

    /// Puts a tenant in maintenance, or gives it another one. Says what was done.
    ///
    /// # Errors
    /// The tenant is not configured, or the duration is not between a second and [`MAINTENANCE_MAX`].
    pub fn maintenance_start(
        &mut self,
        now: Now,
        tenant: &TenantName,
        duration: Duration,
        request: Request<'_>,
    ) -> Result<String, Refused> {
        self.known(tenant)?;
        let done = self.operations.maintenance_start(now, tenant, duration, request)?;
        self.operated(now);
        Ok(done)
    }

    /// # Errors
    /// The tenant is neither configured nor in maintenance.
    pub fn maintenance_end(&mut self, now: Now, tenant: &TenantName) -> Result<String, Refused> {
        if self.operations.maintenance(tenant).is_none() {
            self.known(tenant)?;
        }
        let done = self.operations.maintenance_end(tenant);
        self.operated(now);
        Ok(done)
    }

    /// Drains a tenant, or (`None`) the node.
    ///
    /// # Errors
    /// The tenant is not configured.
    pub fn drain(&mut self, now: Now, tenant: Option<&TenantName>, request: Request<'_>) -> Result<String, Refused> {
        tenant.map_or(Ok(()), |tenant| self.known(tenant))?;
        let done = self.operations.drain(now, tenant, request);
        self.operated(now);
        Ok(done)
    }

    /// # Errors
    /// The tenant is neither configured nor drained.
    pub fn undrain(&mut self, now: Now, tenant: Option<&TenantName>) -> Result<String, Refused> {
        if let Some(tenant) = tenant
            && self.operations.drain_of(tenant).is_none()
        {
            self.known(tenant)?;
        }
        let done = self.operations.undrain(tenant);
        self.operated(now);
        Ok(done)
    }

    /// SIGTERM: the node is draining until it ends. Not kept: the next process serves.
    pub fn shutdown(&mut self, now: Now) {
        self.stopping = true;
        self.settle(now);
    }

    /// Changes of checks, tenants and the node since last asked, oldest first.
    pub fn take_transitions(&mut self) -> Vec<Transition> {
        std::mem::take(&mut self.transitions)
    }

    fn known(&self, tenant: &TenantName) -> Result<(), Refused> {
        match self.tenants.contains_key(tenant) {
            true => Ok(()),
            false => Err(Refused::UnknownTenant(tenant.clone())),
        }
    }

    fn operated(&mut self, now: Now) {
        self.dirty.key(Key::Operations);
        self.settle(now);
    }

    /// Takes the checks and tenants of a configuration. `while_serving`: tenants that are not known yet are new.
    fn adopt(&mut self, now: Now, settings: Settings, while_serving: bool) {
        let is_of_node = |id: &CheckId| match &id.tenant {
            Some(tenant) => settings.tenants.contains_key(tenant),
            None => true,
        };
        let wanted = settings.checks.iter().filter(|(id, _)| is_of_node(id));
        let wanted = wanted.cloned().collect::<BTreeMap<_, _>>();

        let mut gone = Vec::new();
        for (id, check) in self.checks.iter().filter(|(id, _)| !wanted.contains_key(id)) {
            self.dirty.forget_check(id);
            self.node.gone.push((id.clone(), check.weighed));
            gone.push(settle::of_gone_check(id, check, now));
        }
        self.checks.retain(|id, _| wanted.contains_key(id));
        for (id, probe) in wanted {
            match self.checks.get_mut(&id) {
                Some(check) => check.probe = probe,
                None => {
                    self.checks.insert(id, Check::pending(probe, now));
                }
            }
        }

        let strangers = self.tenants.iter();
        for (name, tenant) in strangers.filter(|(name, _)| !settings.tenants.contains_key(name)) {
            self.dirty.forget_tenant(name);
            gone.extend(settle::of_gone_tenant(name, tenant, now));
        }
        gone.into_iter().for_each(|gone| self.note(Some(gone)));
        self.tenants.retain(|name, _| settings.tenants.contains_key(name));
        for (name, TenantSettings { required }) in &settings.tenants {
            match self.tenants.get_mut(name) {
                Some(tenant) => tenant.required = *required,
                None => {
                    let tenant = Tenant::new(*required, while_serving, now);
                    self.tenants.insert(name.clone(), tenant);
                    self.dirty.key(Key::Tenant(name.clone()));
                }
            }
        }

        self.operations.bound(|tenant| settings.tenants.contains_key(tenant));
        if let Some(hold) = &mut self.hold {
            hold.retain(|id| self.checks.contains_key(id));
        }
        let of_cycle = self.checks.iter().filter(|(_, check)| Cycle::includes(&check.probe));
        self.cycle
            .expect(of_cycle.map(|(id, _)| id.clone()).collect::<BTreeSet<_>>());
        self.settings = settings;
    }

    /// The moment at which ages are judged: now, except while a hold lets them stand still, or when the
    /// host has just woken and the tick that will begin one is still to come.
    fn judged_at(&self, now: Now) -> Moment {
        let awake = match self.resume_due(now) {
            true => self.ticked,
            false => now.at.into(),
        };
        match &self.hold {
            Some(hold) if hold.holds(awake) => hold.frozen,
            _ => awake,
        }
    }

    fn node_drain(&self) -> Option<&Operation> {
        self.operations.node_drain.as_ref()
    }
}
