//! What is around an engine: probes that answer as told, a store that commits or not, and both clocks.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use crate::config::Config;
use crate::config::environment::Environment;
use crate::config::load::{Options, load};
use crate::engine::{Beginning, Command, Done, Engine, Input, Output, Refused};
use crate::history::{Entry, Unwatched};
use crate::ingest::delta::{Batch, CellCount, CellKey, Lag, Subject};
use crate::probe::declaration::{Order, RunId};
use crate::readiness::snapshot::{Phase, Snapshot};
use crate::store::{Persist, Restored, StoreEvent};
use crate::words::{CheckId, Code, Cost, CountsAs, Finding, Instant, Level, Now, TenantName, Via, Wall};

/// 2026-11-20T07:30:00Z: the start of an aligned window.
const BEGAN: i64 = 1_795_159_800_000;
/// An ask takes so long, unless it was told otherwise.
const ANSWER: Duration = Duration::from_millis(10);
/// A commit takes so long.
const COMMIT: Duration = Duration::from_millis(5);
/// Steps of one `pass`: more is an engine that spins.
const STEPS_MAX: usize = 100_000;

pub fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub fn check(id: &str) -> CheckId {
    CheckId::parse(id).unwrap()
}

pub fn tenant(name: &str) -> TenantName {
    TenantName::parse(name).unwrap()
}

/// The real reader, so that shipped probes are what is run.
pub fn config(yaml: &str) -> Arc<Config> {
    let dir = tempfile::tempdir().unwrap();
    let mut file = tempfile::Builder::new().suffix(".yaml").tempfile_in(&dir).unwrap();
    write!(file, "node: mac-3\n{yaml}").unwrap();
    let options = Options {
        config: Some(file.path().into()),
        environment: Environment {
            home: Some(dir.path().into()),
            hostname: "mac-3".into(),
            cores: 2,
            ..Environment::default()
        },
    };
    load(&options, Instant::default()).unwrap().config
}

pub struct World {
    pub now: Now,
    pub engine: Engine,
    pub config: Arc<Config>,
    pub boot: &'static str,
    /// What each check answers; `ok` where nothing is said.
    pub answers: BTreeMap<CheckId, Finding>,
    /// How long it takes; [`ANSWER`] where nothing is said.
    pub slow: BTreeMap<CheckId, Duration>,
    pub in_flight: BTreeMap<RunId, Asked>,
    pub disk: Disk,
    pub store: Store,
    pub shown: Option<Arc<Snapshot>>,
    pub published: Vec<Instant>,
    pub replies: Vec<(u64, Result<Done, Refused>)>,
    /// Every order, as `gateway@acme`.
    pub asked: Vec<CheckId>,
    /// The last order of each check.
    pub ordered: BTreeMap<CheckId, Order>,
    pub cancelled: Vec<CheckId>,
    inbox: VecDeque<Input>,
    last_command: u64,
    last_run: RunId,
    answered: Option<RunId>,
}

#[derive(Clone, Debug)]
pub struct Asked {
    pub check: CheckId,
    pub answers_at: Instant,
}

/// Whether commits succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    Commits,
    Fails,
    /// It neither commits nor says why.
    Hangs,
}

/// What is on disk, by the rules of [`crate::store`].
#[derive(Clone, Debug, Default)]
pub struct Disk {
    pub state: BTreeMap<String, String>,
    pub slots: BTreeMap<i64, Vec<u8>>,
    pub windows: BTreeMap<(i64, TenantName), Vec<u8>>,
    pub log: Vec<Batch>,
    pub transitions: Vec<String>,
    pub unwatched: Vec<Unwatched>,
    /// Handed over, and not committed while the store fails or hangs.
    pub waiting: Vec<Persist>,
    pub uncommitted: Vec<Batch>,
    last_log_id: i64,
}

impl World {
    pub fn new(yaml: &str) -> World {
        let now = Now {
            at: Instant::from_millis(5_000_000),
            wall: Wall::from_millis(BEGAN),
        };
        let config = config(yaml);
        let engine = begin(&config, "boot-1", &Disk::default(), now);
        World {
            now,
            engine,
            config,
            boot: "boot-1",
            answers: BTreeMap::new(),
            slow: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            disk: Disk::default(),
            store: Store::Commits,
            shown: None,
            published: Vec::new(),
            replies: Vec::new(),
            asked: Vec::new(),
            ordered: BTreeMap::new(),
            cancelled: Vec::new(),
            inbox: VecDeque::new(),
            last_command: 0,
            last_run: RunId::default(),
            answered: None,
        }
    }

    /// Past its first answers.
    pub fn serving(yaml: &str) -> World {
        let mut world = World::new(yaml);
        world.pass(seconds(5));
        world
    }

    pub fn says(&mut self, id: &str, finding: Finding) -> &mut World {
        self.answers.insert(check(id), finding);
        self
    }

    pub fn takes(&mut self, id: &str, duration: Duration) -> &mut World {
        self.slow.insert(check(id), duration);
        self
    }

    /// Lives so long, doing whatever comes first.
    pub fn pass(&mut self, duration: Duration) {
        let end = self.now.at + duration;
        for _ in 0..STEPS_MAX {
            self.read_inbox();
            let answer = self.in_flight.values().map(|asked| asked.answers_at).min();
            let commit = (self.store == Store::Commits && self.disk.has_work()).then(|| self.now.at + COMMIT);
            let wake = [Some(self.engine.next_wake()), answer, commit];
            let next = wake.into_iter().flatten().min().unwrap().max(self.now.at);
            if next > end {
                self.move_to(end);
                return;
            }
            self.move_to(next);
            if commit == Some(next) {
                self.commit();
            } else if answer.is_some_and(|at| at <= next) {
                self.answer();
            } else {
                self.give(Input::Tick);
            }
        }
        panic!("the engine spins");
    }

    /// Nothing happens for so long: the host is asleep.
    pub fn sleep(&mut self, duration: Duration) {
        self.move_to(self.now.at + duration);
    }

    pub fn give(&mut self, input: Input) {
        self.inbox.push_back(input);
        self.read_inbox();
    }

    pub fn command(&mut self, command: Command) -> u64 {
        self.last_command += 1;
        let (id, actor) = (self.last_command, "uid 501".to_owned());
        self.give(Input::Command { id, actor, command });
        id
    }

    pub fn reply(&self, id: u64) -> Option<&Result<Done, Refused>> {
        self.replies.iter().find(|(of, _)| *of == id).map(|(_, reply)| reply)
    }

    pub fn reload(&mut self, yaml: &str) {
        self.config = config(yaml);
        self.give(Input::Config {
            config: Arc::clone(&self.config),
            state_dirs: Vec::new(),
            whole: true,
        });
    }

    /// `count` failed deliveries of a tenant to an endpoint.
    pub fn fails(&mut self, tenant_name: &str, endpoint: &str, count: u64) {
        let subject = Subject {
            tenant: tenant(tenant_name),
            endpoint: endpoint.into(),
            gateway: "gw-1".into(),
        };
        let key = CellKey {
            subject: Arc::new(subject),
            code: Code::Status(503),
            window: self.now.wall.as_secs().div_euclid(300) * 300,
            live: true,
            via: Via::Socket,
        };
        let cell = CellCount {
            count,
            max_attempt: 1,
            first: self.now.wall,
            last: self.now.wall,
            sample: None,
        };
        self.disk.last_log_id += 1;
        self.disk.uncommitted.push(Batch {
            log_id: self.disk.last_log_id,
            arrival: self.now.wall,
            cells: vec![(key, cell)],
            reporters: Vec::new(),
            rejected: 0,
            marks: Vec::new(),
            lags: Vec::new(),
        });
    }

    /// One failure, and what its sender's delta told of its clock.
    pub fn fails_with_lag(&mut self, lag: Lag) {
        self.fails("acme", "crm", 1);
        if let Some(batch) = self.disk.uncommitted.last_mut() {
            batch.lags.push(lag);
        }
    }

    pub fn store_fails(&mut self) {
        self.store = Store::Fails;
        let reason = "disk full".into();
        self.give(Input::Store(StoreEvent::Failing { reason }));
    }

    pub fn store_recovers(&mut self) {
        self.store = Store::Commits;
        self.give(Input::Store(StoreEvent::Recovered));
    }

    /// Killed, and begun again so long after, on the same boot.
    pub fn restart(&mut self, after: Duration) {
        self.move_to(self.now.at + after);
        self.in_flight.clear();
        self.inbox.clear();
        self.disk.waiting.clear();
        self.disk.uncommitted.clear();
        self.last_run = RunId::default();
        self.engine = begin(&self.config, self.boot, &self.disk, self.now);
        self.shown = None;
    }

    pub fn snapshot(&self) -> &Snapshot {
        self.shown.as_deref().expect("something was published")
    }

    /// `serving degraded | acme ok | gateway@acme down: refused | …`: what is not ok of what was published last.
    pub fn shows(&self) -> String {
        shows(self.snapshot())
    }

    pub fn level(&self, id: &str) -> Level {
        let id = check(id);
        self.snapshot().checks.iter().find(|view| view.id == id).unwrap().level
    }

    /// How often it was asked.
    pub fn asks_of(&self, id: &str) -> usize {
        let id = check(id);
        self.asked.iter().filter(|asked| **asked == id).count()
    }

    fn move_to(&mut self, at: Instant) {
        self.now = self.now + at.since(self.now.at);
    }

    fn answer(&mut self) {
        let due = |(_, asked): &(&RunId, &Asked)| asked.answers_at <= self.now.at;
        let Some((run, asked)) = self.in_flight.iter().find(due) else {
            return;
        };
        let (run, check) = (*run, asked.check.clone());
        self.in_flight.remove(&run);
        self.answered = Some(run);
        let finding = self.finding_of(&check);
        let cost = Cost::default();
        self.give(Input::Finding {
            run,
            check,
            finding,
            cost,
        });
    }

    pub fn finding_of(&self, check: &CheckId) -> Finding {
        self.answers.get(check).cloned().unwrap_or_else(|| Finding::ok("fine"))
    }

    fn commit(&mut self) {
        let (batches, ticket) = self.disk.commit();
        for batch in batches {
            self.give(Input::Store(StoreEvent::Committed(batch)));
        }
        if let Some(ticket) = ticket {
            self.give(Input::Store(StoreEvent::Persisted { ticket }));
        }
    }

    fn read_inbox(&mut self) {
        while let Some(input) = self.inbox.pop_front() {
            for output in self.engine.handle(self.now, input) {
                self.carry_out(output);
            }
        }
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Run(order) => {
                self.ordered.insert(order.check.clone(), order.clone());
                let Order { run, check, .. } = order;
                let twice = self.in_flight.values().any(|asked| asked.check == check);
                assert!(!twice, "{check} is asked while it is in flight");
                assert!(run > self.last_run, "run numbers grow");
                self.last_run = run;
                let answers_at = self.now.at + self.slow.get(&check).copied().unwrap_or(ANSWER);
                self.asked.push(check.clone());
                self.in_flight.insert(run, Asked { check, answers_at });
            }
            Output::Cancel(run) => {
                // Its answer may be the very input that found out that the host slept.
                let asked = self.in_flight.remove(&run);
                assert!(
                    asked.is_some() || self.answered == Some(run),
                    "only what is in flight is cancelled"
                );
                self.cancelled.extend(asked.map(|asked| asked.check));
            }
            Output::Persist(persist) => self.disk.waiting.push(persist),
            Output::Publish { snapshot, .. } => {
                self.published.push(self.now.at);
                self.shown = Some(snapshot);
            }
            Output::Reply { id, reply } => {
                assert!(self.reply(id).is_none(), "a command is answered once");
                self.replies.push((id, reply));
            }
        }
    }
}

pub fn begin(config: &Arc<Config>, boot: &str, disk: &Disk, now: Now) -> Engine {
    let beginning = Beginning {
        config: Arc::clone(config),
        state_dirs: Vec::new(),
        boot,
        restored: &disk.restored(),
    };
    Engine::new(beginning, now)
}

impl Disk {
    /// The file was corrupt: what waits goes to a new one.
    pub fn begin_anew(&mut self) {
        *self = Disk {
            waiting: std::mem::take(&mut self.waiting),
            uncommitted: std::mem::take(&mut self.uncommitted),
            last_log_id: self.last_log_id,
            ..Disk::default()
        };
    }

    pub fn has_work(&self) -> bool {
        !self.waiting.is_empty() || !self.uncommitted.is_empty()
    }

    /// All that waits in one transaction; what was counted, and the last ticket.
    pub fn commit(&mut self) -> (Vec<Batch>, Option<u64>) {
        let batches = std::mem::take(&mut self.uncommitted);
        self.log.extend(batches.iter().cloned());
        let mut ticket = None;
        for persist in std::mem::take(&mut self.waiting) {
            assert!(ticket < Some(persist.ticket), "tickets grow");
            ticket = Some(persist.ticket);
            self.write(persist);
        }
        (batches, ticket)
    }

    fn write(&mut self, persist: Persist) {
        for (key, value) in persist.state {
            match value {
                Some(value) => drop(self.state.insert(key, value)),
                None => drop(self.state.remove(&key)),
            }
        }
        for entry in persist.history {
            match entry {
                Entry::Change(change) => {
                    let line = format!("{:?} {} -> {}", change.probe, change.from, change.to);
                    self.transitions.push(line);
                }
                Entry::Unwatched(unwatched) => self.unwatched.push(unwatched),
            }
        }
        let Some(fold) = persist.fold else { return };
        self.log.retain(|batch| batch.log_id > fold.upto);
        self.slots.extend(fold.slots);
        self.slots.retain(|start, _| *start >= fold.slots_from);
        let keyed = |(start, tenant, body)| ((start, tenant), body);
        self.windows.extend(fold.windows.into_iter().map(keyed));
        for (start, tenant, body) in fold.late {
            let key = (start, tenant);
            let sum = crate::digest::merge_window(self.windows.get(&key).map(Vec::as_slice), &body);
            self.windows.insert(key, sum.body);
        }
        self.windows.retain(|(start, _), _| *start >= fold.windows_from);
    }

    fn restored(&self) -> Restored {
        let starts: BTreeSet<i64> = self.windows.keys().map(|(start, _)| *start).collect();
        let newest: BTreeSet<i64> = starts.into_iter().rev().take(5).collect();
        let windows = self.windows.iter().filter(|((start, _), _)| newest.contains(start));
        Restored {
            state: self.state.clone(),
            slots: self.slots.iter().map(|(start, body)| (*start, body.clone())).collect(),
            windows: windows
                .map(|((start, tenant), body)| (*start, tenant.clone(), body.clone()))
                .collect(),
            log: self.log.clone(),
            quarantined: None,
            marks: Vec::new(),
        }
    }
}

pub fn shows(snapshot: &Snapshot) -> String {
    let mut text = match snapshot.phase {
        Phase::Serving => snapshot.verdict.to_string(),
        phase => format!("{} {}", phase.as_str(), snapshot.verdict),
    };
    for view in snapshot.checks.iter().filter(|view| view.level != Level::Ok) {
        let _ = write!(text, " | {} {}", view.id, view.level);
        if view.counts_as == CountsAs::Nothing {
            text.push_str(" (nothing)");
        }
    }
    text
}

/// Failures in the sliding window.
pub fn failures(snapshot: &Snapshot) -> u64 {
    snapshot.digest.sliding.rows.iter().map(|row| row.count).sum()
}
