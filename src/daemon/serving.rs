//! Shell: the listeners, and what they are given to answer from.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use arc_swap::ArcSwap;
use tokio::sync::{mpsc, oneshot};

use crate::clock;
use crate::config::Config;
use crate::digest::{self, Counts};
use crate::engine::Input;
use crate::http::access::Access;
use crate::http::board::Board;
use crate::http::metrics::{IngestCounts, ReadIngest};
use crate::http::server::{self, Running};
use crate::http::site::Parts;
use crate::ingest::counters::Talk;
use crate::ingest::hub::Hub;
use crate::readiness::snapshot::Snapshot;
use crate::store::{Reader, Stats};
use crate::unix_socket;
use crate::words::Reject;

use super::Daemon;
use super::histories::Histories;
use super::inbox::{Outbox, Wake};

/// How long an answer to `POST /v1/events` waits until what it counted is shown, and how often it looks.
const SHOWN_WITHIN: Duration = Duration::from_secs(2);
const SHOWN_LOOK: Duration = Duration::from_millis(10);
/// Workers of the public listener: answers are bytes in memory, one core serves more than any host is asked.
const WORKERS: usize = 1;

/// Everything that listens for HTTP. Dropped, it stops within about a second.
#[derive(Debug)]
pub(super) struct Serving {
    board: Arc<Board>,
    access: Arc<ArcSwap<Access>>,
    histories: Histories,
    _public: Running,
    _control: Running,
    _agent: Option<Running>,
}

impl Serving {
    /// Binds everything. What was published while nobody listened is the first answer.
    pub(super) fn start(daemon: &mut Daemon) -> anyhow::Result<Serving> {
        let (snapshot, counts) = daemon.unseen.take().context("nothing was published yet")?;
        let config = Arc::clone(&daemon.config);
        let board = Arc::new(Board::new(snapshot, counts));
        let access = Arc::new(ArcSwap::from_pointee(access_of(&config)));
        let histories = Histories::start(daemon.reader.clone(), &config, daemon.metrics.budgets.clone());
        let parts = Parts {
            board: Arc::clone(&board),
            heartbeat: Arc::clone(&daemon.heartbeat),
            access: Arc::clone(&access),
            metrics: daemon.metrics.clone(),
            history: histories.read(),
            window: window(daemon.reader.clone()),
            command: command(daemon.outbox.clone()),
            reload: reload(daemon),
            events: events(
                Arc::clone(&daemon.hub),
                Arc::clone(&daemon.stats),
                Arc::clone(&board),
                daemon.outbox.clone(),
            ),
            listen_troubles: listen_troubles(daemon.outbox.clone()),
        };
        let control = config.runtime_dir.join("control.sock");
        let running_control =
            server::start_control(parts.clone(), &control, config.sockets.control_mode).context("control.sock")?;
        let agent = config
            .agent_check
            .map(|address| {
                server::start_agent_check(parts.clone(), address)
                    .with_context(|| format!("agent_check {address}: is it taken? set another one"))
            })
            .transpose()?;
        let public =
            server::start_public(parts, config.listen, WORKERS).with_context(|| format!("listen {}", config.listen))?;
        Ok(Serving {
            board,
            access,
            histories,
            _public: public,
            _control: running_control,
            _agent: agent,
        })
    }

    /// Stops listening, and lets requests in flight end: at most a second a listener.
    pub(super) fn stop(self) {
        drop(self);
    }

    pub(super) fn publish(&self, snapshot: Arc<Snapshot>, counts: Arc<Counts>) {
        self.board.publish(snapshot, counts);
    }

    pub(super) fn configure(&self, config: &Config) {
        self.access.store(Arc::new(access_of(config)));
        self.histories.configure(config);
    }
}

/// Who may connect to `events.sock`.
pub(super) fn events_access(config: &Config) -> unix_socket::Access {
    unix_socket::Access {
        mode: config.sockets.events_mode,
        group: config.sockets.events_group.clone(),
    }
}

pub(super) fn read_ingest(hub: &Arc<Hub>) -> ReadIngest {
    let hub = Arc::clone(hub);
    Arc::new(move || {
        let counters = hub.counters();
        IngestCounts {
            received: counters.received(),
            rejected: Reject::ALL.map(|reason| counters.rejected(reason)),
            duplicate: counters.duplicate(),
            gap: counters.gap(),
            connections_plain: counters.connections(Talk::Plain),
            connections_acknowledged: counters.connections(Talk::Acknowledged),
        }
    })
}

fn access_of(config: &Config) -> Access {
    Access {
        node: config.node.clone(),
        hosts: config.hosts.clone(),
        token_file: config.token_file.clone(),
        tls: config.tls.clone(),
    }
}

fn window(reader: Reader) -> crate::http::site::ReadWindow {
    Arc::new(move |start| {
        let bodies = reader.windows(start).map_err(|error| error.to_string())?;
        Ok((!bodies.is_empty()).then(|| digest::window_view(start, &bodies)))
    })
}

fn command(outbox: Outbox) -> crate::http::site::SendCommand {
    Arc::new(move |actor, command| {
        let (reply, answer) = oneshot::channel();
        let wake = Wake::Command { actor, command, reply };
        // A full inbox drops the sender, and with it the caller's wait: the server says that it was busy.
        if let Err(mpsc::error::TrySendError::Full(_)) = outbox.try_send(wake) {
            tracing::warn!("an operation was refused: the main loop is behind");
        }
        answer
    })
}

fn reload(daemon: &Daemon) -> crate::http::site::SendReload {
    let watch = daemon.watch.clone();
    Arc::new(move |actor| {
        tracing::info!(actor, "reload");
        let (reply, answer) = oneshot::channel();
        watch.reload(Some(reply));
        answer
    })
}

fn listen_troubles(outbox: Outbox) -> crate::http::site::TellTroubles {
    // Called while the loop waits, too: a full inbox is told again.
    Arc::new(move |troubles| outbox.try_send(Wake::Input(Input::ListenTroubles(troubles))).is_ok())
}

/// Counts what came with a request, and returns when it is shown: whoever sends an event and looks at the digest
/// finds it there. It is on disk before; so after [`SHOWN_WITHIN`] the answer is given in any case.
fn events(hub: Arc<Hub>, stats: Arc<Stats>, board: Arc<Board>, outbox: Outbox) -> crate::http::site::TakeEvents {
    Arc::new(move |body, _uid| {
        let receipt = hub.submit(&body)?;
        let committed = stats.log_id();
        // The loop is gone only when the process ends.
        let _ = outbox.blocking_send(Wake::Input(Input::Show));
        let deadline = clock::instant() + SHOWN_WITHIN;
        while board.read().snapshot.digest.upto < committed && clock::instant() < deadline {
            std::thread::sleep(SHOWN_LOOK);
        }
        Ok(receipt)
    })
}
