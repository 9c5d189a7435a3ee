//! Where the main loop hangs out what it knows, and the server reads it: one pointer, swapped.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use actix_web::web::Bytes;
use arc_swap::{ArcSwap, Guard};
use tokio::sync::mpsc;

use super::answer::{self, Rendered};
use super::body;
use super::topic::Topic;
use super::transfer::Kept;
use crate::digest::Counts;
use crate::readiness::snapshot::{Phase, Snapshot};
use crate::words::{CheckId, Level, TenantName, Verdict};

/// One snapshot with its bytes. Readers hold it as long as they like.
#[derive(Debug)]
pub struct Published {
    pub snapshot: Arc<Snapshot>,
    pub rendered: Rendered,
    /// For the counters of `/metrics`.
    pub counts: Arc<Counts>,
    /// `/v1/status` can be a megabyte: rendered by the first who asks, once a snapshot.
    status: OnceLock<Arc<Kept>>,
}

/// The board. `publish` belongs to the main loop alone.
#[derive(Debug)]
pub struct Board {
    published: ArcSwap<Published>,
    stream: Mutex<Stream>,
}

/// Listeners of `/v1/stream`, and what they were told last.
#[derive(Debug)]
struct Stream {
    listeners: Vec<mpsc::Sender<Bytes>>,
    /// `None` while nobody listens.
    told: Option<Gist>,
    /// Publications without an event. They come at least once a second.
    quiet: u32,
}

/// What makes two snapshots differ for those who listen.
#[derive(Debug, PartialEq, Eq)]
struct Gist {
    verdict: Verdict,
    phase: Phase,
    tenants: Vec<(TenantName, Verdict, Phase)>,
    levels: BTreeMap<CheckId, Level>,
}

/// Listeners of `/v1/stream`; beyond, 503.
pub const LISTENERS_MAX: usize = 64;
/// Events that one listener may lag behind before it is dropped.
pub const EVENTS_QUEUED_MAX: usize = 16;
/// After so many publications without an event a comment is sent, so that a listener who is gone is noticed.
const QUIET_MAX: u32 = 15;

impl Board {
    pub fn new(snapshot: Arc<Snapshot>, counts: Arc<Counts>) -> Board {
        Board {
            published: ArcSwap::from_pointee(Published::new(snapshot, counts)),
            stream: Mutex::new(Stream {
                listeners: Vec::new(),
                told: None,
                quiet: 0,
            }),
        }
    }

    /// Renders and shows a snapshot. Takes milliseconds, never blocks on a reader.
    pub fn publish(&self, snapshot: Arc<Snapshot>, counts: Arc<Counts>) {
        self.published
            .store(Arc::new(Published::new(Arc::clone(&snapshot), counts)));
        self.stream
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .tell(&snapshot);
    }

    pub fn read(&self) -> Guard<Arc<Published>> {
        self.published.load()
    }

    /// Events from now on, the present state first; `None` when there are too many listeners.
    pub fn listen(&self) -> Option<mpsc::Receiver<Bytes>> {
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        stream.listeners.retain(|listener| !listener.is_closed());
        if stream.listeners.len() >= LISTENERS_MAX {
            return None;
        }
        let (sender, receiver) = mpsc::channel(EVENTS_QUEUED_MAX);
        let published = self.read();
        if stream.listeners.is_empty() {
            stream.told = Some(Gist::of(&published.snapshot));
        }
        let _ = sender.try_send(event(&published.snapshot));
        stream.listeners.push(sender);
        Some(receiver)
    }

    /// Ends every stream: the server stops.
    pub fn hang_up(&self) {
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        stream.listeners.clear();
    }
}

impl Published {
    fn new(snapshot: Arc<Snapshot>, counts: Arc<Counts>) -> Published {
        Published {
            rendered: answer::render(&snapshot),
            snapshot,
            counts,
            status: OnceLock::new(),
        }
    }

    pub fn status(&self) -> Arc<Kept> {
        let render = || Kept::new(body::status(&self.snapshot));
        Arc::clone(self.status.get_or_init(render))
    }
}

impl Stream {
    fn tell(&mut self, snapshot: &Snapshot) {
        if self.listeners.is_empty() {
            return;
        }
        let gist = Some(Gist::of(snapshot));
        self.quiet += 1;
        let message = if gist != self.told {
            event(snapshot)
        } else if self.quiet >= QUIET_MAX {
            Bytes::from_static(b":\n\n")
        } else {
            return;
        };
        self.told = gist;
        self.quiet = 0;
        // A listener whose queue is full is dropped: it may come back and gets the present state.
        self.listeners
            .retain(|listener| listener.try_send(message.clone()).is_ok());
    }
}

impl Gist {
    fn of(snapshot: &Snapshot) -> Gist {
        let tenants = snapshot.tenants.values();
        Gist {
            verdict: snapshot.verdict,
            phase: snapshot.phase,
            tenants: tenants
                .map(|view| (view.name.clone(), view.answer, view.answer_phase))
                .collect(),
            levels: snapshot
                .checks
                .iter()
                .map(|check| (check.id.clone(), check.level))
                .collect(),
        }
    }
}

/// One server-sent event: `event: snapshot`, and the answer of `/ready` on one line.
fn event(snapshot: &Snapshot) -> Bytes {
    let mut bytes = b"event: snapshot\ndata: ".to_vec();
    bytes.extend(body::ready_line(&Topic::node(snapshot)));
    bytes.extend_from_slice(b"\n\n");
    Bytes::from(bytes)
}
