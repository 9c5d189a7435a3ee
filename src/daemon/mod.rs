//! Shell: the doer. It carries out what the engine decides, and knows the order of start and shutdown.
//!
//! Start: lock the state → restore → ask the native checks (at most three seconds) → listen. So the first
//! answer is the right one, and until then connections are refused.
//!
//! Shutdown: answer `draining`, ask nobody any more → take what gateways have already written, commit it,
//! acknowledge → close. Two seconds at most; what hangs is left behind.
//!
//! Invariant: nothing is decided here.
#![expect(
    clippy::disallowed_methods,
    reason = "shell: ends the process when an orderly end takes too long"
)]

mod file_events;
mod histories;
mod inbox;
mod journal;
mod limits;
mod links;
mod logging;
mod logs;
pub mod oneshot;
mod remote;
mod runs;
mod serving;
mod signals;
mod supervisor;
mod touched;
mod watch;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::{info, warn};

use crate::clock;
use crate::config::Config;
use crate::config::load::{Loaded, Options, Watcher};
use crate::digest::Counts;
use crate::engine::{Beginning, Engine, Input, LinkNews, Output};
use crate::http::heartbeat::Heartbeat;
use crate::http::metrics::Metrics;
use crate::ingest::hub::{Hub, HubSettings};
use crate::ingest::registry::ProducerRow;
use crate::ingest::socket::EventsSocket;
use crate::probe::ask::Asker;
use crate::readiness::START_HOLD_MAX;
use crate::readiness::snapshot::Snapshot;
use crate::store::{Reader, Stats, Store, StoreEvent, Writer};

use inbox::{Inbox, Outbox, Wake};
use journal::Journal;
use links::Links;
use logs::Logs;
use remote::RemoteDigest;
use runs::Runs;
use serving::Serving;
use signals::Signals;
use supervisor::Supervisor;
use watch::Watch;

/// Of the two seconds that a SIGTERM may take: for the gateways' last lines, for the last commit, for
/// requests in flight, and for the runs in flight to be ended.
const LAST_LINES_WAIT_MAX: Duration = Duration::from_millis(700);
const LAST_COMMIT_WAIT_MAX: Duration = Duration::from_millis(600);
const LAST_REQUESTS_WAIT_MAX: Duration = Duration::from_millis(300);
const LAST_RUNS_WAIT_MAX: Duration = Duration::from_millis(150);
/// Whatever else hangs (closing a file on a dead disk, say).
const END_WAIT_MAX: Duration = Duration::from_millis(1900);

/// Runs until SIGTERM or SIGINT; logs to `log_file`, or standard error.
///
/// # Errors
/// The log file cannot be written, the configuration is invalid, the state directory is held by another readyd or cannot be used, a socket
/// or address is taken. Each names the place and what to do.
pub fn serve(options: &Options, log_file: Option<&Path>) -> anyhow::Result<()> {
    let (watcher, loaded) = Watcher::start(options.clone(), clock::instant())?;
    logging::start(log_file)?;
    limits::settle();
    for warning in &loaded.config.warnings {
        warn!("{warning}");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("readyd")
        .enable_all()
        .build()?;
    let result = runtime.block_on(async { Daemon::start(loaded, watcher, options)?.run().await });
    leave(runtime);
    result
}

/// Ends what still runs, its processes too. A blocking task that hangs in a dead disk is not waited for.
fn leave(runtime: tokio::runtime::Runtime) {
    runtime.shutdown_timeout(LAST_RUNS_WAIT_MAX);
}

/// Everything that runs.
struct Daemon {
    engine: Engine,
    inbox: Inbox,
    outbox: Outbox,
    runs: Runs,
    /// `None` once it stops.
    writer: Option<Writer>,
    hub: Arc<Hub>,
    /// `None` once it stops.
    events: Option<EventsSocket>,
    reader: Reader,
    stats: Arc<Stats>,
    metrics: Metrics,
    watch: Watch,
    remote: RemoteDigest,
    links: Links,
    logs: Logs,
    heartbeat: Arc<Heartbeat>,
    supervisor: Supervisor,
    config: Arc<Config>,
    signals: Signals,
    hangup: Signal,
    journal: Journal,
    /// `None` until the first round of native checks is over.
    serving: Option<Serving>,
    /// The last thing published while nobody listened.
    unseen: Option<(Arc<Snapshot>, Arc<Counts>)>,
}

enum Next {
    Wake(Wake),
    Tick,
    Reload,
    Stop,
}

impl Daemon {
    /// Everything up to the first answers of the native checks; nothing listens on TCP yet.
    fn start(loaded: Loaded, watcher: Watcher, options: &Options) -> anyhow::Result<Daemon> {
        let config = loaded.config;
        let (inbox, outbox) = Inbox::new();
        // A reload that comes too early is done later; it must not end us.
        let hangup = signal(SignalKind::hangup())?;
        let now = clock::now();
        let opened = Store::open(&config.state_dir, crate::digest::merge_window, now.wall)?;
        let stats = opened.store.stats();
        let reader = opened.store.reader();
        let hub = start_hub(&config, opened.producers, outbox.clone());
        let mut restored = opened.restored;
        restored.quarantined = restored
            .quarantined
            .take()
            .or_else(|| watch::set_aside(&config.state_dir).ok().flatten());
        let home = options.environment.home.clone();
        let beginning = Beginning {
            config: Arc::clone(&config),
            state_dirs: watch::state_dirs(&config, home.as_deref()),
            boot: &clock::boot_id(),
            restored: &restored,
        };
        let engine = Engine::new(beginning, now);
        let from_writer = outbox.clone();
        let writer = Writer::start(
            opened.store,
            Arc::clone(&hub),
            Box::new(move |event| {
                // The loop is gone only when the process ends.
                let _ = from_writer.blocking_send(Wake::Input(Input::Store(event)));
            }),
        )
        .context("the store's thread cannot be started")?;
        let events = EventsSocket::start(
            &config.runtime_dir.join("events.sock"),
            &serving::events_access(&config),
            Arc::clone(&hub),
        )?;
        let metrics = Metrics::new(serving::read_ingest(&hub), stats.commit_seconds())?;
        let asker = Asker::new(&config, &options.environment);
        let fingerprints = asker.fingerprints().clone();
        let runs = Runs::new(asker, Some(metrics.probes.clone()), outbox.clone());
        let watch = Watch::start(watcher, &config, home, outbox.clone())?;
        let remote = RemoteDigest::start(&config, outbox.clone());
        let logs = Logs::start(
            &config,
            &hub,
            options.environment.home.clone(),
            &restored.marks,
            outbox.clone(),
        )
        .context("the thread that follows logs cannot be started")?;
        let links = Links::start(&config, &hub, &restored.marks, fingerprints, outbox.clone());
        let heartbeat = Arc::new(Heartbeat::new());
        let supervisor =
            Supervisor::start(heartbeat.clone()).context("the thread that tells systemd cannot be started")?;
        info!(node = config.node, state_dir = %config.state_dir.display(), tenants = config.tenants.len(), "starting");
        Ok(Daemon {
            engine,
            inbox,
            outbox,
            runs,
            writer: Some(writer),
            hub,
            events: Some(events),
            reader,
            stats,
            metrics,
            watch,
            remote,
            links,
            logs,
            serving: None,
            unseen: None,
            heartbeat,
            supervisor,
            config,
            // Not before: until the loop turns, a SIGTERM ends us as it ends anybody, also when the disk hangs.
            signals: Signals::new()?,
            hangup,
            journal: Journal::default(),
        })
    }

    async fn run(mut self) -> anyhow::Result<()> {
        if self.first_round().await {
            self.serving = Some(Serving::start(&mut self)?);
            info!(listen = %self.config.listen, "listening");
            self.supervisor.serving();
            while self.turn().await {}
        }
        self.shut_down().await;
        Ok(())
    }

    /// Asks before anybody listens, so that the first answer is the right one. `false`: we are to end.
    async fn first_round(&mut self) -> bool {
        let deadline = clock::instant() + START_HOLD_MAX;
        self.handle(Input::Tick);
        while self.engine.is_in_first_round() && clock::instant() < deadline {
            if !self.turn().await {
                return false;
            }
        }
        true
    }

    /// Takes whatever comes first. `false`: we are to end.
    async fn turn(&mut self) -> bool {
        match self.next().await {
            Next::Wake(wake) => {
                let input = self.inbox.input(wake);
                self.handle(input);
            }
            Next::Tick => self.handle(Input::Tick),
            Next::Reload => self.watch.reload(None),
            Next::Stop => return false,
        }
        true
    }

    /// Ticks come when the engine wants them, and at least once a second.
    async fn next(&mut self) -> Next {
        let wait = self.engine.next_wake().since(clock::instant());
        tokio::select! {
            biased;
            () = self.signals.end() => Next::Stop,
            _ = self.hangup.recv() => Next::Reload,
            Some(wake) = self.inbox.next() => Next::Wake(wake),
            () = tokio::time::sleep(wait) => Next::Tick,
        }
    }

    fn handle(&mut self, input: Input) {
        self.heartbeat.beat();
        if let Input::Config { config, .. } = &input {
            self.reconfigure(config);
        }
        let is_new_database = matches!(input, Input::Store(StoreEvent::BegunAnew));
        self.give(input);
        if is_new_database {
            self.links.keep_all();
            self.logs.keep_all();
        }
    }

    fn give(&mut self, input: Input) {
        for output in self.engine.handle(clock::now(), input) {
            self.carry_out(output);
        }
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Run(order) => self.runs.begin(order),
            Output::Cancel(run) => self.runs.cancel(run),
            Output::Persist(persist) => {
                if let Some(writer) = &self.writer {
                    writer.persist(persist);
                }
            }
            Output::Publish { snapshot, counts } => {
                self.journal.lines(&snapshot).into_iter().for_each(say);
                match &self.serving {
                    Some(serving) => serving.publish(snapshot, counts),
                    None => self.unseen = Some((snapshot, counts)),
                }
            }
            Output::Reply { id, reply } => self.inbox.reply(id, reply),
        }
    }

    /// What is not the engine's: who may connect, what runs are given, where the other node is.
    fn reconfigure(&mut self, config: &Arc<Config>) {
        self.hub.configure(hub_settings(config));
        self.runs.configure(config);
        self.remote.configure(config);
        self.logs.configure(config);
        for tenant in self.links.configure(config) {
            let news = LinkNews::Ended;
            self.give(Input::Link { tenant, news });
        }
        if let Some(serving) = &self.serving {
            serving.configure(config);
        }
        self.config = Arc::clone(config);
    }

    async fn shut_down(mut self) {
        info!("stopping");
        self.supervisor.stopping();
        end_in_time();
        self.handle(Input::Shutdown);
        let lines = self.last_lines().await;
        let commit = self.last_commit().await;
        if !(lines && commit) {
            warn!("the store did not take the last lines in time; acknowledged events are on disk");
        }
        if let Some(serving) = self.serving.take() {
            let stopped = tokio::task::spawn_blocking(move || serving.stop());
            if tokio::time::timeout(LAST_REQUESTS_WAIT_MAX, stopped).await.is_err() {
                warn!("requests in flight are cut off");
            }
        }
        info!("stopped");
    }

    /// What gateways have already written is read, committed and acknowledged; everything else goes on meanwhile.
    async fn last_lines(&mut self) -> bool {
        let Some(events) = self.events.take() else { return true };
        let mut stopped = tokio::task::spawn_blocking(move || events.stop(LAST_LINES_WAIT_MAX));
        loop {
            tokio::select! {
                in_time = &mut stopped => return in_time.unwrap_or(false),
                // Told to end once more: we are at it.
                _ = self.turn() => {}
            }
        }
    }

    /// The writer waits until its commits are heard of. What follows from them is restored from its log.
    async fn last_commit(&mut self) -> bool {
        let Some(writer) = self.writer.take() else { return true };
        let mut stopped = tokio::task::spawn_blocking(move || writer.stop(LAST_COMMIT_WAIT_MAX));
        loop {
            tokio::select! {
                in_time = &mut stopped => return in_time.unwrap_or(false),
                _ = self.turn() => {}
            }
        }
    }
}

/// Beyond this no orderly end is waited for. Without a word: the log may be what hangs.
fn end_in_time() {
    let end = || {
        std::thread::sleep(END_WAIT_MAX);
        std::process::exit(0);
    };
    if let Err(error) = std::thread::Builder::new().name("end".into()).spawn(end) {
        warn!(%error, "nothing will cut the end short");
    }
}

fn say(line: journal::Line) {
    let journal::Line {
        tenant,
        from,
        to,
        reason,
        is_worse,
    } = line;
    let who = tenant.map_or("node".to_owned(), |tenant| format!("tenant {tenant}"));
    let why = match reason.is_empty() {
        true => String::new(),
        false => format!(": {reason}"),
    };
    match is_worse {
        true => warn!("{who}: {from} -> {to}{why}"),
        false => info!("{who}: {from} -> {to}{why}"),
    }
}

fn start_hub(config: &Config, producers: Vec<ProducerRow>, outbox: Outbox) -> Arc<Hub> {
    let on_reporter = move |reporter, connected| {
        // The loop is gone only when the process ends.
        let _ = outbox.blocking_send(Wake::Input(Input::Reporter { reporter, connected }));
    };
    Hub::new(hub_settings(config), producers, Box::new(on_reporter))
}

fn hub_settings(config: &Config) -> HubSettings {
    let peers: BTreeMap<_, _> = config.sockets.events_peers.clone();
    HubSettings {
        node: config.node.as_str().into(),
        peers,
    }
}
