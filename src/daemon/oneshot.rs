//! Shell: the same engine and the same probes without a daemon: everything is asked once, and that is that.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::clock;
use crate::config::Config;
use crate::config::load::Options;
use crate::engine::{Beginning, Engine, Input, Output};
use crate::probe::ask::Asker;
use crate::probe::declaration::Asks;
use crate::readiness::snapshot::Snapshot;
use crate::store::{Restored, StoreEvent};
use crate::words::{CheckId, Instant};

use super::inbox::Inbox;
use super::runs::Runs;
use super::signals::Signals;
use super::watch;

/// Beyond the probes' own timeouts, for what is between them.
const SLACK: Duration = Duration::from_secs(10);

/// How far the asking has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    pub answered: usize,
    pub total: usize,
    /// What runs now and for how long, the slowest first.
    pub running: Vec<(CheckId, Duration)>,
}

/// Asks every check of `config` once. `progress` is told, several times a second, how far it has come.
///
/// What [`only_a_daemon_knows`] is left out: there is none here.
///
/// # Errors
/// When the process cannot run anything at all, or is told to end (Ctrl-C): what it runs is ended with it.
pub fn ask_all(
    mut config: Config,
    options: &Options,
    progress: impl FnMut(&Standing),
) -> anyhow::Result<Arc<Snapshot>> {
    config.probes.retain(|_, probe| !only_a_daemon_knows(&probe.asks));
    let config = Arc::new(config);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let snapshot = runtime.block_on(asked(&config, options, progress));
    super::leave(runtime);
    snapshot
}

/// What belongs to a running daemon (its digest, its store, its links): nobody else can be asked for it.
pub fn only_a_daemon_knows(asks: &Asks) -> bool {
    matches!(asks, Asks::Link | Asks::Digest | Asks::Store)
}

async fn asked(
    config: &Arc<Config>,
    options: &Options,
    mut progress: impl FnMut(&Standing),
) -> anyhow::Result<Arc<Snapshot>> {
    let (mut inbox, outbox) = Inbox::new();
    let mut state_dirs = watch::state_dirs(config, options.environment.home.as_deref());
    // Our own is made by the first `serve`; until then there is nothing to find fault with.
    state_dirs.retain(|dir| dir.tenant.is_some() || dir.path.exists());
    let beginning = Beginning {
        config: Arc::clone(config),
        state_dirs,
        boot: "",
        restored: &Restored::default(),
    };
    let mut engine = Engine::new(beginning, clock::now());
    let mut runs = Runs::new(Asker::new(config, &options.environment), None, outbox);
    let asked = |asks: &Asks| !asks.is_internal();
    let total = config.checks().values().filter(|probe| asked(&probe.asks)).count();
    let mut answered = BTreeSet::new();
    let mut running = BTreeMap::new();
    let mut signals = Signals::new()?;
    let deadline = clock::instant() + patience(config);
    let mut input = Input::Tick;
    let mut shown = None;
    loop {
        if let Input::Finding { check, .. } = &input {
            running.remove(check);
            // Once, however often what is not ok is asked again while others run.
            answered.insert(check.clone());
        }
        let mut next = None;
        for output in engine.handle(clock::now(), input) {
            match output {
                Output::Run(order) => {
                    running.insert(order.check.clone(), clock::instant());
                    runs.begin(order);
                }
                Output::Cancel(run) => runs.cancel(run),
                // Nothing is kept: as good as on disk.
                Output::Persist(persist) => next = Some(StoreEvent::Persisted { ticket: persist.ticket }),
                Output::Publish { snapshot, .. } => shown = Some(snapshot),
                Output::Reply { .. } => {}
            }
        }
        progress(&standing(&answered, total, &running));
        if engine.has_answered_all() || clock::instant() > deadline {
            return shown.context("nothing was asked");
        }
        input = match next {
            Some(event) => Input::Store(event),
            None => tokio::select! {
                () = signals.end() => bail!("interrupted: {} of {total} checks had answered", answered.len()),
                input = wait(&mut inbox, &engine) => input,
            },
        };
    }
}

fn standing(answered: &BTreeSet<CheckId>, total: usize, running: &BTreeMap<CheckId, Instant>) -> Standing {
    let now = clock::instant();
    // Asked again: it has answered, and nobody waits for it.
    let awaited = running.iter().filter(|(check, _)| !answered.contains(*check));
    let mut running: Vec<(CheckId, Duration)> = awaited
        .map(|(check, since)| (check.clone(), now.since(*since)))
        .collect();
    running.sort_by_key(|(_, time)| Reverse(*time));
    Standing {
        answered: answered.len(),
        total,
        running,
    }
}

async fn wait(inbox: &mut Inbox, engine: &Engine) -> Input {
    let until = engine.next_wake().since(clock::instant());
    tokio::select! {
        Some(wake) = inbox.next() => inbox.input(wake),
        () = tokio::time::sleep(until) => Input::Tick,
    }
}

/// As if every check took its whole timeout and each lane ran one at a time.
fn patience(config: &Config) -> Duration {
    config.checks().values().map(|probe| probe.timeout).sum::<Duration>() + SLACK
}
