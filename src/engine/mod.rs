//! The decider: state and `(now, Input)` in, `Output`s and the next wake-up out. It cannot fail on
//! I/O, because it does none.
//!
//! Walk one failed webhook through it: a gateway's connection folds the line into its delta; the
//! writer commits the delta and sends `Store(Committed)`; the digest folds it into its sliding
//! window; within a second `webhook-digest@tenant` is due, is judged here, and its finding is
//! debounced like any other; the next snapshot shows it.
//!
//! Walk one probe through it: the schedule says who is due, an `Output::Run` leaves, `Finding` comes
//! back, readiness debounces it, and the schedule learns whether to ask again soon.
//!
//! Invariant: nothing here reads a clock, a file, the network or a random number.

mod alive;
mod anew;
mod bind;
mod durability;
mod internal;
mod known_good;
mod message;
mod operate;
mod reload;
mod show;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::config::Config;
use crate::digest::{self, Digest};
use crate::history::Entry;
use crate::ingest::delta::Reporter;
use crate::link::session::LinkFacts;
use crate::probe::declaration::{Asks, Order, Probe, RunId, StateDir, Target};
use crate::probe::schedule::{Again, NATIVE_AT_ONCE, Schedule, Slots};
use crate::readiness::Readiness;
use crate::readiness::snapshot::ConfigStatus;
use crate::store::{Restored, StoreEvent};
use crate::words::{CheckId, Cost, Finding, Instant, Now, TenantName};

use alive::Alive;
pub use alive::{ALIVE, alive_until};
use anew::Turn;
use bind::Known;
use durability::Durability;
use internal::{Internal, Kind};
use known_good::KnownGood;
pub use message::{Command, Done, Input, LinkNews, Output, Refused, Remote};

/// Ages are rendered once a second, and changes at most ten times: from the answer on that completes the first round, which
/// is what a start waits for.
const PUBLISH_EVERY: Duration = Duration::from_secs(1);
const PUBLISH_SOONEST: Duration = Duration::from_millis(100);
/// Readiness is judged again at least this often between findings.
const TICK_EVERY: Duration = Duration::from_millis(250);
/// How often the digest is folded and ages are kept: a slot of the sliding window.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(10);
const DIGEST: &str = "digest";

/// What an earlier process left, and where the host is now.
#[derive(Debug)]
pub struct Beginning<'a> {
    pub config: Arc<Config>,
    /// As [`crate::probe::target::state_dirs`] found them.
    pub state_dirs: Vec<StateDir>,
    /// The host's boot id; empty when it is not known.
    pub boot: &'a str,
    pub restored: &'a Restored,
}

#[derive(Debug)]
pub struct Engine {
    config: Arc<Config>,
    state_dirs: Vec<StateDir>,
    config_status: ConfigStatus,
    known_good: KnownGood,
    boot: String,
    readiness: Readiness,
    digest: Digest,
    schedule: Schedule,
    internal: Internal,
    durability: Durability,
    /// In flight.
    runs: BTreeMap<CheckId, RunId>,
    /// What each link knows for others; it is not judged here.
    links: BTreeMap<TenantName, LinkFacts>,
    last_run: RunId,
    /// Native checks that have not answered since the start.
    first_round: BTreeSet<CheckId>,
    /// Something that is shown is another than what was published last.
    changed: bool,
    /// SIGTERM was received.
    stopping: bool,
    ticked: Now,
    rolled_at: Instant,
    published_at: Instant,
    checkpoint_at: Instant,
    /// The store has begun anew: all that the digest holds goes there as soon as no earlier fold is on its way.
    rewrite: bool,
}

impl Engine {
    /// Begins where an earlier process of the same state left off.
    pub fn new(beginning: Beginning<'_>, now: Now) -> Engine {
        let Beginning {
            config,
            state_dirs,
            boot,
            restored,
        } = beginning;
        let alive: Option<Alive> = restored
            .state
            .get(ALIVE)
            .and_then(|json| serde_json::from_str(json).ok());
        let same_boot = !boot.is_empty() && alive.as_ref().is_some_and(|alive| alive.boot == boot);
        let mut digest = Digest::new(digest::Settings::of(&config, boot), now);
        digest.restore(
            now,
            &restored.slots,
            &restored.windows,
            restored.state.get(DIGEST).map(String::as_str),
            &restored.log,
            alive.as_ref().map(|alive| alive.now.wall),
        );
        let checks: Vec<_> = config.checks().into_iter().collect();
        let mut schedule = Schedule::default();
        schedule.configure(&checks, now.at);
        let mut internal = Internal::default();
        internal.configure(&config, now.at);
        let first_round = checks
            .iter()
            .filter(|(_, probe)| probe.asks.lane().is_none() && probe.asks.is_scheduled())
            .map(|(check, _)| check.clone())
            .collect();
        let readiness = Readiness::new(
            reload::readiness_settings(&config),
            now,
            alive.is_some().then_some(&restored.state),
            same_boot,
        );
        let mut durability = Durability::new(restored.quarantined.clone());
        let stopped = alive.map(|alive| alive::stopped(&alive, now));
        durability.history(stopped.map(Entry::Unwatched));
        Engine {
            config_status: reload::config_status(&config, now),
            known_good: KnownGood::of(&config, &state_dirs),
            state_dirs,
            boot: boot.into(),
            readiness,
            digest,
            schedule,
            internal,
            durability,
            runs: BTreeMap::new(),
            links: BTreeMap::new(),
            last_run: RunId::default(),
            first_round,
            changed: true,
            stopping: false,
            ticked: now,
            rolled_at: now.at,
            published_at: now.at.before(PUBLISH_EVERY),
            checkpoint_at: now.at.before(CHECKPOINT_EVERY),
            rewrite: false,
            config,
        }
    }

    fn known(&self) -> Known<'_> {
        Known {
            config: &self.config,
            state_dirs: &self.state_dirs,
            links: &self.links,
        }
    }

    /// Takes one input, then does whatever is due.
    pub fn handle(&mut self, now: Now, input: Input) -> Vec<Output> {
        let mut out = Vec::new();
        self.tick(now, &mut out);
        match input {
            Input::Tick => {}
            Input::Show => self.changed = true,
            Input::Finding {
                run,
                check,
                finding,
                cost,
            } => self.on_finding(now, run, &check, finding, cost),
            Input::Store(event) => self.on_store(now, event),
            Input::Link { tenant, news } => self.on_link(now, &tenant, news),
            Input::Source {
                tenant,
                reporter,
                stands,
            } => self.source_stands(now, &tenant, &reporter, stands),
            Input::Touched { tenant, probes } => {
                for probe in probes {
                    self.schedule.touch(now.at, &CheckId::of(probe, tenant.clone()));
                }
            }
            Input::Reporter { reporter, connected } => self.digest.reporter(now, &reporter, connected),
            Input::Remote { source, answer } if self.config.digest.source.as_ref() == Some(&source) => {
                self.digest.remote(now, answer);
            }
            Input::Remote { .. } => {}
            Input::Command { id, actor, command } => self.on_command(now, id, &actor, command, &mut out),
            Input::Config {
                config,
                state_dirs,
                whole,
            } => self.on_config(now, config, state_dirs, whole, &mut out),
            Input::ConfigRefused(reason) => {
                self.config_status.reload_error = Some(reason);
                self.changed = true;
            }
            Input::ListenTroubles(troubles) => {
                self.config_status.listen_troubles = troubles;
                self.changed = true;
            }
            Input::Shutdown => self.on_shutdown(now, &mut out),
        }
        self.turn(now, &mut out);
        out
    }

    /// When [`Engine::handle`] wants to be called at the latest, with [`Input::Tick`] if nothing else comes.
    pub fn next_wake(&self) -> Instant {
        let publish = if self.changed { PUBLISH_SOONEST } else { PUBLISH_EVERY };
        [
            Some(self.published_at + publish),
            self.schedule.next_wake().filter(|_| !self.stopping),
            self.internal.next_wake(),
            // Replies follow the next publication.
            self.durability.next_deadline().filter(|_| !self.changed),
        ]
        .into_iter()
        .flatten()
        .fold(self.ticked.at + PUBLISH_EVERY, Instant::min)
    }

    /// Whether a native check has not been answered since the start, or its answer is not published yet:
    /// until then nobody should listen.
    pub fn is_in_first_round(&self) -> bool {
        !self.first_round.is_empty() || self.changed
    }

    /// Whether every check has had an answer, and that is published.
    pub fn has_answered_all(&self) -> bool {
        !self.changed && self.readiness.has_findings_of_all()
    }

    fn tick(&mut self, now: Now, out: &mut Vec<Output>) {
        if !self.readiness.resume_due(now) && now.at.since(self.ticked.at) < TICK_EVERY {
            return;
        }
        let asleep_from = now.wall_of(self.ticked.at);
        self.live_until(now);
        let ticked = self.readiness.tick(now);
        self.changed |= ticked.changed;
        if ticked.resumed {
            self.digest.outage(asleep_from, now.wall);
            self.discard_runs(out);
            self.schedule.resume(now.at);
            self.internal.ask_now();
            self.durability.resume(now.at);
        }
    }

    /// What of the time since the last tick nobody watched is told to history.
    fn live_until(&mut self, now: Now) {
        let unwatched = alive::between(self.ticked, now);
        self.durability.history(unwatched.map(Entry::Unwatched));
        self.ticked = now;
    }

    fn on_finding(&mut self, now: Now, run: RunId, check: &CheckId, finding: Finding, cost: Cost) {
        // A late answer of a run that was discarded says how things were, not how they are.
        if self.runs.get(check) != Some(&run) {
            return;
        }
        self.runs.remove(check);
        if self.first_round.remove(check) && self.first_round.is_empty() {
            // What was published until now nobody has read: it begins no pause.
            self.published_at = self.published_at.min(now.at.before(PUBLISH_SOONEST));
        }
        let turn = Turn {
            before: self.readiness.last_answer(check),
            now: finding.answer,
        };
        let noted = self.readiness.finding(now, check, finding, cost);
        self.schedule.done(now.at, check, noted.again);
        self.ask_what_is_refuted(now, check, turn);
        self.ask_what_was_explained(now, check, turn);
        self.changed |= noted.changed;
    }

    fn on_link(&mut self, now: Now, tenant: &TenantName, news: LinkNews) {
        match news {
            LinkNews::Finding(finding) => {
                let linked = |(check, probe): &(CheckId, Arc<Probe>)| {
                    probe.asks == Asks::Link && check.tenant.as_ref() == Some(tenant)
                };
                if let Some((check, _)) = self.config.checks().into_iter().find(linked) {
                    let noted = self.readiness.finding(now, &check, finding, Cost::default());
                    self.changed |= noted.changed;
                }
            }
            LinkNews::Facts(facts) => {
                if self.config.tenants.contains_key(tenant) {
                    self.link_stands(now, tenant, facts.connected);
                    let known = self.links.get(tenant).and_then(|facts| facts.duties.as_ref());
                    if facts.duties.is_some() && facts.duties.as_ref() != known {
                        self.ask_what_duties_cost(tenant);
                    }
                    self.links.insert(tenant.clone(), *facts);
                    self.changed = true;
                }
            }
            LinkNews::Gap { why, since } => {
                let (why, until) = (why.to_owned(), now.wall);
                self.digest.gap(tenant, digest::Gap { why, since, until });
                self.changed = true;
            }
            LinkNews::Ended => {
                self.link_stands(now, tenant, false);
                self.links.remove(tenant);
                self.changed = true;
            }
        }
    }

    /// The digest hears of each change: a link that is away makes its tenant blind.
    fn link_stands(&mut self, now: Now, tenant: &TenantName, connected: bool) {
        let reporter = Reporter::link(tenant);
        let was_connected = self.links.get(tenant).is_some_and(|facts| facts.connected);
        if was_connected != connected {
            self.source_stands(now, tenant, &reporter, connected);
        }
    }

    fn source_stands(&mut self, now: Now, tenant: &TenantName, reporter: &Reporter, stands: bool) {
        self.digest.reporter(now, reporter, stands);
        if stands && self.config.tenants.contains_key(tenant) {
            self.digest.source_stands(now, tenant, reporter);
        }
    }

    fn on_store(&mut self, now: Now, event: StoreEvent) {
        let was_durable = !self.durability.not_yet_durable(now.at);
        match event {
            StoreEvent::Committed(batch) => self.digest.fold(now, &batch),
            StoreEvent::Persisted { ticket } => self.durability.persisted(now.at, ticket),
            StoreEvent::Failing { reason } => {
                self.durability.failing(now.at, reason);
                self.internal.ask_now();
            }
            StoreEvent::Recovered => {
                if let Some(since) = self.durability.recovered() {
                    self.digest.outage(now.wall_of(since), now.wall);
                }
                self.internal.ask_now();
            }
            StoreEvent::Merged { folded } => self.digest.merged(folded),
            StoreEvent::Quarantined { path } => self.durability.quarantined(Some(path)),
            StoreEvent::BegunAnew => {
                self.readiness.forget_written();
                self.digest.forget_written();
                self.rewrite = true;
                self.internal.ask_now();
            }
            StoreEvent::QuarantineCleared => self.durability.quarantined(None),
        }
        self.changed |= was_durable == self.durability.not_yet_durable(now.at);
    }

    /// Whatever is due now, in this order: ask, keep, publish, answer. So what was answered is shown.
    fn turn(&mut self, now: Now, out: &mut Vec<Output>) {
        if now.at.since(self.rolled_at) >= PUBLISH_EVERY {
            self.rolled_at = now.at;
            self.digest.roll(now, self.durability.advances(now.at));
        }
        self.judge_internal(now);
        self.ask_due(now, out);
        let soonest = if self.changed { PUBLISH_SOONEST } else { PUBLISH_EVERY };
        let publishes = now.at.since(self.published_at) >= soonest;
        if publishes {
            // What is shown has been lived through: a sleep or a kill right after it does not take it back.
            self.live_until(now);
            self.readiness.tick(now);
        }
        let is_rewritten = self.rewrite && !self.durability.is_owed();
        if is_rewritten || now.at.since(self.checkpoint_at) >= CHECKPOINT_EVERY {
            self.rewrite &= !is_rewritten;
            self.checkpoint(now);
        }
        self.keep(now, out);
        if publishes {
            self.changed = false;
            self.published_at = now.at;
            out.push(Output::Publish {
                snapshot: Arc::new(self.snapshot(now)),
                counts: Arc::new(self.digest.counts().clone()),
            });
        }
        if !self.changed {
            self.durability.answer(now.at, out);
        }
    }

    fn judge_internal(&mut self, now: Now) {
        for check in self.internal.due(now.at) {
            let Some(kind) = self.config.probe(&check).and_then(|probe| internal::kind(&probe.asks)) else {
                continue;
            };
            let finding = match kind {
                Kind::Digest => self.digest.judge(now, check.tenant.as_ref()),
                Kind::Store => self.durability.judge(now.at),
                Kind::Files => internal::fragments(&self.config, &check),
            };
            let noted = self.readiness.finding(now, &check, finding, Cost::default());
            self.changed |= noted.changed;
        }
    }

    fn ask_due(&mut self, now: Now, out: &mut Vec<Output>) {
        if self.stopping || self.schedule.next_wake().is_none_or(|wake| wake > now.at) {
            return;
        }
        let places = Slots {
            light: self.config.exec.light,
            heavy: self.config.exec.heavy,
            native: NATIVE_AT_ONCE,
        };
        for check in self.schedule.due(now.at, places.less(self.schedule.in_flight())) {
            let probe = self.config.probe(&check).cloned();
            let target = self.known().target(&check);
            let (Some(probe), Some(mut target)) = (probe, target) else {
                debug_assert!(false, "{check} is scheduled and not configured");
                self.schedule.done(now.at, &check, Again::No);
                continue;
            };
            if let (Asks::Clock(_), Target::Node { senders, .. }) = (&probe.asks, &mut target) {
                *senders = bind::senders(&self.digest, &self.links, now.at);
            }
            // A hiccup of any kind is looked into: only what is well may be believed unasked.
            let routine = self.schedule.is_routine(&check) && self.readiness.is_well(&check);
            self.last_run = RunId(self.last_run.0 + 1);
            self.runs.insert(check.clone(), self.last_run);
            out.push(Output::Run(Order {
                run: self.last_run,
                check,
                probe,
                target,
                routine,
            }));
        }
    }

    /// Once a slot: what the digest holds, how old each finding is, and that we are alive.
    fn checkpoint(&mut self, now: Now) {
        self.checkpoint_at = now.at;
        if !self.durability.is_owed() {
            self.durability.fold(self.digest.checkpoint(now));
        }
        let state = self.readiness.ages_state(now);
        self.durability.state(state);
        self.keep_alive(now);
    }

    fn keep_alive(&mut self, now: Now) {
        let alive = Alive {
            boot: self.boot.clone(),
            now,
        };
        let alive = serde_json::to_string(&alive).ok();
        self.durability.state(BTreeMap::from([(ALIVE.to_owned(), alive)]));
    }

    fn keep(&mut self, now: Now, out: &mut Vec<Output>) {
        self.durability.state(self.readiness.dirty_state());
        let changes = self.readiness.take_transitions();
        if !changes.is_empty() {
            // Else what changed after the last time would lie in a time that nobody watched.
            self.keep_alive(now);
        }
        self.durability.history(changes.into_iter().map(Entry::Change));
        if let Some(state) = self.digest.state(now) {
            self.durability
                .state(BTreeMap::from([(DIGEST.to_string(), Some(state))]));
        }
        self.durability.hand_over(now.at, out);
    }
}
