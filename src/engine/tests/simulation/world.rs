//! What is around the engine: both clocks, probes, a store, a producer that sends again what was not committed. Every
//! order and publication passes a saboteur, who does nothing unless a spec tells him to.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::configs;
use super::deliveries;
use super::model::Stamp;
use super::rules::{Broken, Rules};
use super::saboteur::Saboteur;
use super::steps::{CHECKS, Moment, Says, Step, TENANTS};
use super::witness::Witness;
use crate::config::Config;
use crate::engine::tests::world::{Disk, Store, begin, check, tenant};
use crate::engine::{Command, Engine, Input, LinkNews, Output};
use crate::ingest::delta::{Batch, Reporter};
use crate::link::session::LinkFacts;
use crate::probe::declaration::{Order, RunId};
use crate::store::StoreEvent;
use crate::words::{CheckId, Cost, Finding, Instant, Now, Wall};

/// 2026-11-20T07:30:00Z: the start of an aligned window.
const BEGAN: i64 = 1_795_159_800_000;
const BOOTED_FOR: u64 = 5_000_000;
const ANSWER: Duration = Duration::from_millis(10);
const COMMIT: Duration = Duration::from_millis(5);
/// Calls at one moment, each because the engine wanted it: more is an engine that spins.
const CALLS_AT_ONCE_MAX: usize = 8;

pub struct World {
    pub now: Now,
    pub lived: i64,
    pub engine: Engine,
    pub config: Arc<Config>,
    pub disk: Disk,
    pub store: Store,
    pub witness: Witness,
    pub saboteur: Saboteur,
    rules: Rules,
    boots: u32,
    says: BTreeMap<CheckId, Finding>,
    takes: BTreeMap<CheckId, Duration>,
    in_flight: BTreeMap<RunId, (CheckId, Instant)>,
    commit_at: Option<Instant>,
    /// What the producer has sent and does not know to be committed.
    outbox: VecDeque<Batch>,
    next_log_id: i64,
    next_command: u64,
}

impl World {
    pub fn new(config: usize, rules: Rules, saboteur: Saboteur) -> Result<World, Broken> {
        let now = Now {
            at: Instant::from_millis(BOOTED_FOR),
            wall: Wall::from_millis(BEGAN),
        };
        let config = configs::by_number(config);
        let mut world = World {
            now,
            lived: 0,
            engine: begin(&config, "boot-0", &Disk::default(), now),
            witness: Witness::new(&config),
            config,
            disk: Disk::default(),
            store: Store::Commits,
            saboteur,
            rules,
            boots: 0,
            says: BTreeMap::new(),
            takes: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            commit_at: None,
            outbox: VecDeque::new(),
            next_log_id: 1,
            next_command: 1,
        };
        world.give(Input::Tick)?;
        Ok(world)
    }

    pub fn live(&mut self, moment: &Moment) -> Result<(), Broken> {
        self.take(&moment.step)?;
        self.pass(moment.then)
    }

    /// Life goes on, whatever comes first.
    pub fn pass(&mut self, duration: Duration) -> Result<(), Broken> {
        let end = self.now.at + duration;
        let mut called = (self.now.at, 0);
        loop {
            if self.store == Store::Commits && self.disk.has_work() {
                self.commit_at.get_or_insert(self.now.at + COMMIT);
            }
            let answer = self.in_flight.values().map(|(_, at)| *at).min();
            let wake = self.saboteur.wakes(self.engine.next_wake(), self.now.at);
            let soonest = [Some(wake), answer, self.commit_at].into_iter().flatten().min();
            let next = soonest.unwrap_or(end).max(self.now.at);
            if next > end {
                self.move_to(end);
                return Ok(());
            }
            self.move_to(next);
            if self.commit_at.is_some_and(|at| at <= next) {
                self.commit()?;
            } else if answer.is_some_and(|at| at <= next) {
                self.answer()?;
            } else {
                called = if called.0 == next {
                    (next, called.1 + 1)
                } else {
                    (next, 1)
                };
                self.rules.check_calls(called.1, CALLS_AT_ONCE_MAX)?;
                self.give(Input::Tick)?;
            }
        }
    }

    /// Everything is well from now on: the store, the probes, the link.
    pub fn heal(&mut self, config: usize) -> Result<(), Broken> {
        self.says.clear();
        self.takes.clear();
        self.take(&Step::StoreRecovers)?;
        self.take(&Step::Reloads { config })?;
        for tenant in [None, Some(0), Some(1), Some(2)] {
            self.take(&Step::Undrains { tenant })?;
            if let Some(tenant) = tenant {
                self.take(&Step::MaintenanceEnds { tenant })?;
            }
        }
        self.take(&Step::Reporter { connected: true })?;
        self.take(&Step::LinkStands(true))?;
        self.is_well(4)?;
        // What was counted leaves the window.
        self.take(&Step::Sleeps { secs: 320 })?;
        self.is_well(2)
    }

    /// A link tells now and then that it is well; nobody asks it.
    fn is_well(&mut self, times: usize) -> Result<(), Broken> {
        for _ in 0..times {
            self.take(&Step::LinkFinding(Says::Ok))?;
            self.pass(Duration::from_secs(9))?;
        }
        Ok(())
    }

    /// Until what was counted is folded: the next slot's checkpoint, and its commit.
    pub fn rest(&mut self) -> Result<(), Broken> {
        self.take(&Step::StoreRecovers)?;
        self.pass(Duration::from_millis(30))?;
        self.take(&Step::Lags { millis: 9_900 })?;
        self.pass(Duration::from_millis(300))?;
        self.take(&Step::Lags { millis: 9_900 })?;
        self.pass(Duration::from_millis(300))
    }

    pub fn check_disk(&self) -> Result<(), Broken> {
        let late = self.engine.digest.counts().late;
        self.rules
            .check_disk(&self.witness.ledger, &self.disk, late, &self.witness)
    }

    pub fn check_well(&self) -> Result<(), Broken> {
        self.rules.check_well(&self.witness)
    }

    pub fn take(&mut self, step: &Step) -> Result<(), Broken> {
        match step {
            Step::Says { check: of, says } => drop(self.says.insert(check(CHECKS[*of]), says.finding())),
            Step::Takes { check: of, millis } => {
                self.takes.insert(check(CHECKS[*of]), Duration::from_millis(*millis));
            }
            Step::Delivers(delivery) => self.send(|now, id| delivery.batch(now, id)),
            Step::Floods { tenant: of } => self.send(|now, id| deliveries::flood(now, id, TENANTS[*of])),
            Step::Lags { millis } => return self.sleep(Duration::from_millis(*millis)),
            Step::Sleeps { secs } => return self.sleep(Duration::from_secs(*secs)),
            Step::WallSteps { secs } => {
                self.now.wall = self.now.wall.plus_millis(secs * 1000);
                self.witness.ledger.doubt();
            }
            Step::Restarts { after_millis } => {
                return self.restart(Duration::from_millis(*after_millis), false);
            }
            Step::Reboots { after_secs } => return self.restart(Duration::from_secs(*after_secs), true),
            Step::StoreFails if self.store == Store::Commits => {
                self.store = Store::Fails;
                self.commit_at = None;
                let reason = "disk full".into();
                return self.give(Input::Store(StoreEvent::Failing { reason }));
            }
            Step::StoreHangs if self.store == Store::Commits => {
                self.store = Store::Hangs;
                self.commit_at = None;
            }
            Step::StoreRecovers => {
                let before = std::mem::replace(&mut self.store, Store::Commits);
                if before == Store::Fails {
                    return self.give(Input::Store(StoreEvent::Recovered));
                }
            }
            Step::BeginsAnew if self.store == Store::Commits => {
                self.disk.begin_anew();
                self.witness.begins_anew();
                return self.give(Input::Store(StoreEvent::BegunAnew));
            }
            Step::StoreFails | Step::StoreHangs | Step::BeginsAnew | Step::Nothing => {}
            told => return self.tell(told),
        }
        Ok(())
    }

    /// Steps that are one input.
    fn tell(&mut self, step: &Step) -> Result<(), Broken> {
        let acme = tenant("acme");
        let link = |news| Input::Link { tenant: acme, news };
        let reason = "history".to_owned();
        let of = |number: &usize| tenant(TENANTS[*number]);
        let input = match step {
            Step::Reporter { connected } => Input::Reporter {
                reporter: Reporter("gw-1".into()),
                connected: *connected,
            },
            Step::LinkFinding(says) => link(LinkNews::Finding(says.finding())),
            Step::LinkStands(connected) => link(LinkNews::Facts(Box::new(LinkFacts {
                connected: *connected,
                ..LinkFacts::default()
            }))),
            Step::LinkGap => link(LinkNews::Gap {
                why: "history",
                since: None,
            }),
            Step::LinkEnds => link(LinkNews::Ended),
            Step::Reloads { config } => {
                self.config = configs::by_number(*config);
                self.witness.reloads(&self.config, self.lived);
                self.witness.ledger.reconfigured(&self.disk.log);
                Input::Config {
                    config: Arc::clone(&self.config),
                    state_dirs: Vec::new(),
                    whole: true,
                }
            }
            Step::Maintenance { tenant, secs } => self.command(Command::MaintenanceStart {
                tenant: of(tenant),
                duration: Duration::from_secs(*secs),
                reason,
                ticket: None,
            }),
            Step::MaintenanceEnds { tenant } => self.command(Command::MaintenanceEnd { tenant: of(tenant) }),
            Step::Drains { tenant } => self.command(Command::Drain {
                tenant: tenant.as_ref().map(of),
                reason,
            }),
            Step::Undrains { tenant } => self.command(Command::Undrain {
                tenant: tenant.as_ref().map(of),
            }),
            Step::Asks => self.command(Command::Ask { check: None }),
            Step::Touches { check: of } => {
                let check = check(CHECKS[*of]);
                let Some(tenant) = check.tenant else { return Ok(()) };
                let probes = vec![check.probe];
                Input::Touched { tenant, probes }
            }
            _ => return Ok(()),
        };
        self.give(input)
    }

    fn command(&mut self, command: Command) -> Input {
        let id = self.next_command;
        self.next_command += 1;
        Input::Command {
            id,
            actor: "uid 501".into(),
            command,
        }
    }

    fn send(&mut self, batch: impl FnOnce(Now, i64) -> Batch) {
        let batch = batch(self.now, self.next_log_id);
        self.next_log_id += 1;
        self.witness.ledger.sent(&batch, self.lived);
        self.outbox.push_back(batch.clone());
        self.disk.uncommitted.push(batch);
    }

    fn sleep(&mut self, duration: Duration) -> Result<(), Broken> {
        self.move_to(self.now.at + duration);
        self.give(Input::Tick)
    }

    /// The process is killed: what was not committed is gone, and sent again.
    fn restart(&mut self, after: Duration, reboots: bool) -> Result<(), Broken> {
        let is_whole = self.store == Store::Commits && !self.disk.has_work();
        let before = (is_whole && after.is_zero() && !reboots).then(|| self.engine.snapshot(self.now));
        self.witness.ledger.killed(self.engine.digest.counts().late);
        self.in_flight.clear();
        self.disk.waiting.clear();
        self.disk.uncommitted.clear();
        self.commit_at = None;
        self.store = Store::Commits;
        self.move_to(self.now.at + after);
        if reboots {
            self.boots += 1;
            self.now.at = Instant::from_millis(20_000);
            self.witness.ledger.doubt();
        }
        self.saboteur.tampers(&mut self.disk);
        let boot = format!("boot-{}", self.boots);
        self.witness.restarts(Stamp::of(self.now, self.lived), &boot, before);
        self.engine = begin(&self.config, &boot, &self.disk, self.now);
        self.give(Input::Tick)?;
        for sent in std::mem::take(&mut self.outbox) {
            self.witness.ledger.forget(sent.log_id);
            self.send(|now, id| deliveries::again(sent, now, id));
        }
        Ok(())
    }

    fn move_to(&mut self, at: Instant) {
        let passed = at.since(self.now.at);
        self.now = self.now + passed;
        self.lived += i64::try_from(passed.as_millis()).unwrap();
    }

    fn answer(&mut self) -> Result<(), Broken> {
        let due = |(_, (_, at)): &(&RunId, &(CheckId, Instant))| *at <= self.now.at;
        let Some(run) = self.in_flight.iter().find(due).map(|(run, _)| *run) else {
            return Ok(());
        };
        let Some((check, _)) = self.in_flight.remove(&run) else {
            return Ok(());
        };
        let finding = self.says.get(&check).cloned().unwrap_or_else(|| Finding::ok("fine"));
        let cost = Cost::default();
        self.give(Input::Finding {
            run,
            check,
            finding,
            cost,
        })
    }

    fn commit(&mut self) -> Result<(), Broken> {
        self.commit_at = None;
        let (batches, ticket) = self.disk.commit();
        self.witness.committed(ticket);
        for batch in batches {
            self.outbox.retain(|sent| sent.log_id != batch.log_id);
            let log_id = batch.log_id;
            for batch in self.saboteur.commits(batch, &mut self.disk) {
                self.give(Input::Store(StoreEvent::Committed(batch)))?;
            }
            let sources = self.engine.digest.view(self.now).sources.clone();
            self.witness.ledger.committed(log_id, &sources);
        }
        match ticket {
            Some(ticket) => self.give(Input::Store(StoreEvent::Persisted { ticket })),
            None => Ok(()),
        }
    }

    pub fn give(&mut self, input: Input) -> Result<(), Broken> {
        let stamp = Stamp::of(self.now, self.lived);
        let told = Told::of(&input, &self.engine);
        self.witness.is_called(self.lived);
        let outputs = self.engine.handle(self.now, input);
        let cancelled = |run: RunId| {
            outputs
                .iter()
                .any(|output| matches!(output, Output::Cancel(of) if *of == run))
        };
        let refused = |id: u64| {
            outputs
                .iter()
                .any(|output| matches!(output, Output::Reply { id: of, reply: Err(_) } if *of == id))
        };
        match told {
            Told::Finding(run, check, finding) if !cancelled(run) => {
                self.witness.hears(&check, &finding, stamp);
            }
            Told::Linked(check, finding) => self.witness.hears(&check, &finding, stamp),
            Told::Command(id, command) => {
                self.witness.asked_for(id, self.lived);
                if !refused(id) {
                    self.witness.operates(&command, stamp);
                }
            }
            Told::Finding(..) | Told::Nothing => {}
        }
        for output in self.saboteur.passes(outputs) {
            self.carry_out(output, stamp)?;
        }
        self.rules.check_bounds(&self.engine, &self.witness)
    }

    fn carry_out(&mut self, output: Output, stamp: Stamp) -> Result<(), Broken> {
        match output {
            Output::Run(Order { run, check, .. }) => {
                self.witness.asks(&check, self.lived);
                let takes = self.takes.get(&check).copied().unwrap_or(ANSWER);
                self.in_flight.insert(run, (check, self.now.at + takes));
            }
            Output::Cancel(run) => drop(self.in_flight.remove(&run)),
            Output::Persist(persist) => {
                self.witness.keeps(&persist, stamp);
                self.disk.waiting.push(persist);
            }
            Output::Publish { snapshot, .. } => {
                let in_flight: Vec<&CheckId> = self.in_flight.values().map(|(check, _)| check).collect();
                let snapshot = self.saboteur.shows(snapshot);
                self.witness.sees(snapshot, &in_flight);
                self.rules.check_shown(&self.witness)?;
                self.witness.is_satisfied();
            }
            Output::Reply { id, .. } => self.witness.replied(id),
        }
        Ok(())
    }
}

/// What an input says, as far as anybody will ask.
enum Told {
    Finding(RunId, CheckId, Finding),
    Linked(CheckId, Finding),
    Command(u64, Command),
    Nothing,
}

impl Told {
    fn of(input: &Input, engine: &Engine) -> Told {
        match input {
            Input::Finding {
                run, check, finding, ..
            } if engine.runs.get(check) == Some(run) => Told::Finding(*run, check.clone(), finding.clone()),
            Input::Link {
                tenant,
                news: LinkNews::Finding(finding),
            } => Told::Linked(
                CheckId::of(check("gateway-link").probe, tenant.clone()),
                finding.clone(),
            ),
            Input::Command { id, command, .. } => Told::Command(*id, command.clone()),
            _ => Told::Nothing,
        }
    }
}
