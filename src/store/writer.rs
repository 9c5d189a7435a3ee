//! Shell: the one thread that writes: takes the connections' deltas and what the engine wants kept, commits
//! them together, and tells both.
//!
//! It commits at once when it was idle. Under load it lets work gather for a while
//! ([`GATHER_MIN`], [`GATHER_MAX`]), but never once the senders have gone quiet: a producer that waits for its
//! acknowledgement before it sends more is not made to wait for nothing.

#![expect(
    clippy::disallowed_methods,
    reason = "shell: measures its own commits more finely than `clock` does"
)]

use std::fmt;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, RwLockWriteGuard};
use std::thread;
use std::time::{Duration, Instant};

use super::database::Found;
use super::open::{Store, remove_side_files, set_aside};
use super::pending::{Kept, Pending};
use super::reader::Reader;
use super::schema::Unfit;
use super::stats::Failing;
use super::{MergeWindow, Persist, StoreEvent};
use crate::clock;
use crate::ingest::hub::Hub;
use crate::ingest::parts::Parts;
use crate::ingest::way::give_way;

/// Told of each commit and each change of the store's health, on the writer's thread. It may wait: then nothing is
/// committed meanwhile, and senders wait in turn.
pub type OnEvent = Box<dyn Fn(StoreEvent) + Send>;

/// How much time lies between two commits under load that never pauses: as much as the last one took, so that half of the
/// time at most is spent committing, and within these bounds. Nobody is to wait for ten milliseconds because of it.
const GATHER_MIN: Duration = Duration::from_millis(7);
const GATHER_MAX: Duration = Duration::from_millis(20);
/// Senders that sent nothing for so long are quiet.
const QUIET: Duration = Duration::from_micros(200);
/// Pauses between attempts while commits fail.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_LAST: Duration = Duration::from_secs(2);
/// Whoever reads is waited for so long before it is tried again: a query takes milliseconds.
const READERS_WAIT_MAX: Duration = Duration::from_secs(1);
/// Cells that wait for a commit, all senders together: some 100 bytes each.
const CELLS_MAX: usize = 262_144;
/// At the end, so many times `CELLS_MAX` are written before it gives up.
const LAST_COMMITS_MAX: usize = 16;
/// An idle writer looks this often whether something is to be forgotten.
const IDLE: Duration = Duration::from_secs(60);
/// Old transitions and idle producers are forgotten this often.
const PRUNE_EVERY: Duration = Duration::from_secs(3600);

/// The engine's hand on the writer. Dropping it ends the thread after a last commit, without waiting for it.
#[derive(Debug)]
pub struct Writer {
    hub: Arc<Hub>,
    mailbox: Arc<Mailbox>,
    /// Closed when the thread has ended.
    ended: Receiver<()>,
}

/// What the engine wants kept and the writer has not yet taken: one, merged.
#[derive(Debug)]
struct Mailbox {
    merge: MergeWindow,
    kept: Mutex<Option<Kept>>,
}

impl Writer {
    /// Starts the thread `store-writer`. A store that could not be written when it was opened says so first
    /// ([`StoreEvent::Failing`]).
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(store: Store, hub: Arc<Hub>, on_event: OnEvent) -> std::io::Result<Writer> {
        let mailbox = Arc::new(Mailbox {
            merge: store.database.merge_window(),
            kept: Mutex::default(),
        });
        let (running, ended) = channel();
        let worker = Worker {
            hub: hub.clone(),
            mailbox: mailbox.clone(),
            pending: Pending::default(),
            parts: Parts::default(),
            later: None,
            folded: 0,
            failing: None,
            committed_at: None,
            gather: GATHER_MIN,
            pruned_at: None,
            on_event,
            store,
            _running: running,
        };
        thread::Builder::new().name("store-writer".into()).spawn(move || {
            give_way();
            worker.run();
        })?;
        Ok(Writer { hub, mailbox, ended })
    }

    /// Makes it durable with the next commit. Never waits: what was handed over before and is not yet committed is
    /// merged with it, key by key.
    pub fn persist(&self, persist: Persist) {
        let later = Kept::new(persist, self.mailbox.merge);
        let mut kept = self.mailbox.kept.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *kept {
            Some(kept) => kept.absorb(later, self.mailbox.merge),
            none => *none = Some(later),
        }
        drop(kept);
        self.hub.bell().ring();
    }

    /// A last commit of all that waits, then the end; `false` when that takes longer than `within`.
    pub fn stop(self, within: Duration) -> bool {
        self.hub.bell().stop();
        self.ended.recv_timeout(within) == Err(RecvTimeoutError::Disconnected)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.hub.bell().stop();
    }
}

struct Worker {
    hub: Arc<Hub>,
    mailbox: Arc<Mailbox>,
    /// The next commit, or the one that failed and whose outcome is not known.
    pending: Pending,
    /// Whom to tell when it is on disk.
    parts: Parts,
    /// What came since a commit failed: it must not mix with that one before its outcome is known.
    later: Option<(Pending, Parts)>,
    /// Events that lost their endpoint's name in merges of the last commit.
    folded: u64,
    failing: Option<Retry>,
    committed_at: Option<Instant>,
    /// How much time lies between that and the next one, under load.
    gather: Duration,
    pruned_at: Option<Instant>,
    on_event: OnEvent,
    store: Store,
    _running: Sender<()>,
}

#[derive(Clone, Copy, Debug)]
struct Retry {
    at: Instant,
    pause: Duration,
}

impl Worker {
    fn run(mut self) {
        if let Some(reason) = self.store.failing.take() {
            self.fail(&Unfit::Io(reason));
        }
        loop {
            let rung = self.hub.bell().wait(self.patience());
            if rung.work && !rung.urgent && !rung.stop && self.failing.is_none() {
                self.gather();
            }
            self.absorb();
            if rung.stop {
                return self.finish();
            }
            if self.failing.is_none_or(|retry| Instant::now() >= retry.at) {
                self.turn();
            }
        }
    }

    fn finish(mut self) {
        for _ in 0..LAST_COMMITS_MAX {
            self.turn();
            self.absorb();
            // What came after a failure waits behind it.
            let later = self.later.as_ref();
            let is_later_empty = later.is_none_or(|(later, parts)| later.is_empty() && parts.is_empty());
            if self.pending.is_empty() && self.parts.is_empty() && is_later_empty {
                break;
            }
        }
        self.store.database.finish();
    }

    fn patience(&self) -> Duration {
        match self.failing {
            Some(retry) => retry.at.saturating_duration_since(Instant::now()),
            None => IDLE,
        }
    }

    fn gather(&self) {
        let Some(committed_at) = self.committed_at else {
            return;
        };
        let mut reads = self.hub.reads();
        loop {
            let left = self.gather.saturating_sub(committed_at.elapsed());
            if left.is_zero() || self.hub.bell().pause(left.min(QUIET)) {
                return;
            }
            if self.hub.pauses_since(reads) {
                return;
            }
            reads = self.hub.reads();
        }
    }

    fn absorb(&mut self) {
        let now = clock::now().wall;
        let (merge, database) = (self.mailbox.merge, &mut self.store.database);
        let (unsure, pending, parts) = match &mut self.later {
            Some((later, parts)) => (self.pending.cells(), later, parts),
            None => (0, &mut self.pending, &mut self.parts),
        };
        if unsure + pending.cells() >= CELLS_MAX {
            pending.merge();
        }
        let waiting = unsure + pending.cells();
        if waiting < CELLS_MAX {
            let taken = self.hub.take(CELLS_MAX - waiting, now);
            for batch in taken.batches {
                pending.push(batch, || database.next_log_id());
            }
            parts.append(taken.parts);
        }
        pending.producers.extend(self.hub.producer_changes());
        let kept = self.mailbox.kept.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(kept) = kept {
            pending.keep(kept, merge);
        }
    }

    /// Commits what waits. While commits fail, an empty commit finds out whether they still do.
    fn turn(&mut self) {
        if !self.store.database.is_open() && !self.reopen() {
            return;
        }
        let prune = self.pruned_at.is_none_or(|at| at.elapsed() >= PRUNE_EVERY);
        if prune {
            self.hub.expire_producers(clock::now().wall);
            self.pending.producers.extend(self.hub.producer_changes());
        }
        if self.pending.is_empty() && self.failing.is_none() && !prune {
            // Repeats alone: what they repeat is on disk.
            self.parts.committed();
            return;
        }
        match self.commit(prune) {
            Ok(()) => self.succeed(),
            Err(Unfit::Corrupt(reason)) => {
                if let Err(unfit) = self.quarantine(&reason).and_then(|()| self.commit(prune)) {
                    return self.fail(&unfit);
                }
                self.succeed();
            }
            Err(unfit) => return self.fail(&unfit),
        }
        // Nobody waits for this one: all that was committed is acknowledged.
        if let Err(unfit) = self.store.database.checkpoint_when_due() {
            self.fail(&unfit);
        }
    }

    fn commit(&mut self, prune: bool) -> Result<(), Unfit> {
        let began = Instant::now();
        self.folded = self.store.database.commit(&self.pending, clock::now().wall, prune)?;
        let took = began.elapsed();
        self.gather = took.clamp(GATHER_MIN, GATHER_MAX);
        self.store.stats.committed(took);
        if prune {
            self.pruned_at = Some(began);
        }
        Ok(())
    }

    fn succeed(&mut self) {
        self.committed_at = Some(Instant::now());
        self.note_log_id();
        // Acknowledged first: whoever hears the rest may take its time.
        self.parts.committed();
        if self.failing.take().is_some() {
            tracing::info!("the store commits again");
            self.store.stats.set_failing(None);
            self.hub.set_committing(true);
            (self.on_event)(StoreEvent::Recovered);
        }
        self.tell();
    }

    /// Before anybody hears that his events are on disk: he may ask whether they are shown yet.
    fn note_log_id(&self) {
        if let Some(last) = self.pending.batches.last() {
            self.store.stats.set_log_id(last.log_id);
        }
    }

    fn tell(&mut self) {
        let done = std::mem::take(&mut self.pending);
        for batch in done.batches {
            (self.on_event)(StoreEvent::Committed(batch));
        }
        let folded = std::mem::take(&mut self.folded);
        if folded > 0 {
            (self.on_event)(StoreEvent::Merged { folded });
        }
        if let Some(Kept { ticket, .. }) = done.persist {
            (self.on_event)(StoreEvent::Persisted { ticket });
        }
    }

    /// The handle is gone, what was to be committed stays. Said once, tried again by itself.
    fn fail(&mut self, unfit: &Unfit) {
        self.store.database.close();
        let pause = match self.failing {
            Some(retry) => (retry.pause * 2).min(RETRY_LAST),
            None => RETRY_FIRST,
        };
        let at = Instant::now() + pause;
        let first = self.failing.replace(Retry { at, pause }).is_none();
        if self.later.is_none() {
            self.later = Some(Default::default());
        }
        let reason = unfit.reason();
        let since = self
            .store
            .stats
            .failing()
            .map_or(clock::now().wall, |failing| failing.since);
        self.store.stats.set_failing(Some(Failing {
            since,
            reason: reason.clone(),
        }));
        if first {
            tracing::error!(reason, "the store cannot commit; it tries again by itself");
            self.hub.set_committing(false);
            (self.on_event)(StoreEvent::Failing { reason });
        }
    }

    /// `true`: the file is open, and the fate of the commit that failed is known.
    fn reopen(&mut self) -> bool {
        let found = match readers_gone(&self.store.reader) {
            Some(_gone) => self.store.database.reopen(),
            // Why it was closed is the news, not who holds it up.
            None => Err(Unfit::Io(self.store.stats.failing().map_or_else(
                || "somebody reads the database for long".to_owned(),
                |failing| failing.reason,
            ))),
        };
        let found = match found {
            Ok(Found::Same { landed }) => Ok(landed),
            Ok(Found::Behind) => {
                tracing::error!("the database has lost commits: what is held in memory is written again");
                self.rewrite();
                Ok(false)
            }
            Ok(Found::Elsewhere) => self.replace().map(|()| false),
            // Opened anew it is as at a start: one that stays too short would fail for ever.
            Err(Unfit::Corrupt(reason) | Unfit::Short(reason)) => self.quarantine(&reason).map(|()| false),
            Err(unfit) => Err(unfit),
        };
        let landed = match found {
            Ok(landed) => landed,
            Err(unfit) => {
                self.fail(&unfit);
                return false;
            }
        };
        if landed {
            self.note_log_id();
            self.parts.committed();
            self.tell();
        }
        if let Some((later, parts)) = self.later.take() {
            self.pending.append(later, self.mailbox.merge);
            self.parts.append(parts);
        }
        true
    }

    /// Sets a corrupt file aside and begins a new one, with all producers and what waits.
    fn quarantine(&mut self, reason: &str) -> Result<(), Unfit> {
        self.store.database.close();
        tracing::error!(reason, "the database is corrupt: it is set aside, a new one begins");
        let path = set_aside(&self.store.path, clock::now().wall)
            .map_err(|error| Unfit::Io(format!("{reason}; it cannot be set aside: {error}")))?;
        self.store.stats.count_quarantine();
        (self.on_event)(StoreEvent::Quarantined { path });
        self.begin_anew()
    }

    /// The database was deleted while it was in use, or another file has its name now: that one is set aside.
    fn replace(&mut self) -> Result<(), Unfit> {
        remove_side_files(&self.store.path).map_err(|error| Unfit::Io(error.to_string()))?;
        if self.store.path.symlink_metadata().is_ok() {
            return self.quarantine("another file has taken the place of the one in use");
        }
        tracing::error!("the database was deleted: a new one begins, with what is held in memory");
        self.begin_anew()
    }

    fn begin_anew(&mut self) -> Result<(), Unfit> {
        self.store.database.begin_anew()?;
        self.rewrite();
        Ok(())
    }

    /// All that is known in memory goes into the file again: producers with the next commit, the rest when the engine
    /// has heard of it.
    fn rewrite(&mut self) {
        self.store.reader.forget();
        self.hub.rewrite_producers();
        self.pending.producers.extend(self.hub.producer_changes());
        (self.on_event)(StoreEvent::BegunAnew);
    }
}

/// While one of our readers has the file open, SQLite keeps the descriptors of handles that are closed and gives them to
/// the next one: also one whose sync has failed.
fn readers_gone(reader: &Reader) -> Option<RwLockWriteGuard<'_, ()>> {
    let began = Instant::now();
    loop {
        let gone = reader.shut();
        if gone.is_some() || began.elapsed() >= READERS_WAIT_MAX {
            return gone;
        }
        thread::sleep(QUIET);
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("failing", &self.failing)
            .finish_non_exhaustive()
    }
}
