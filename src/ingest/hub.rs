//! Shell: where senders and the writer meet. Senders fold for themselves and list themselves here; the writer
//! takes all deltas at once, commits them, and tells each sender.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use super::bell::Bell;
use super::counters::Counters;
use super::delta::{Batch, Lag, Reporter};
use super::fold::{Delta, FoldSettings};
use super::hello::HelloRefused;
use super::parts::Parts;
use super::registry::{Pair, ProducerRow, Registry};
use super::source::Source;
use crate::clock;
use crate::words::{Reject, TenantName, Via, Wall};

/// What connections are judged by; [`Hub::configure`] changes it for those that come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubSettings {
    /// The gateway of events that name none.
    pub node: Arc<str>,
    /// uid → the tenants it may report for (`None`: any). Empty: any peer may report for any tenant;
    /// otherwise a peer that is not listed may report for none.
    pub peers: BTreeMap<u32, Option<Vec<TenantName>>>,
}

/// Told of each producer that comes or goes, by name: `true` with its first connection, `false` after its last. May wait.
pub type OnReporter = Box<dyn Fn(Reporter, bool) + Send + Sync>;

/// One per process.
pub struct Hub {
    pub(super) counters: Counters,
    bell: Bell,
    settings: RwLock<HubSettings>,
    dirty: Mutex<Vec<Arc<Source>>>,
    /// Reads so far: when it stands still, the senders are quiet.
    reads: AtomicU64,
    /// Senders whose lines are being folded just now.
    folding: AtomicUsize,
    /// Lines dropped since the last batch that said so.
    dropped: AtomicU64,
    producers: Mutex<Producers>,
    released: Condvar,
    committing: AtomicBool,
    /// Connections by producer's name. Its lock is held while told, so that nobody hears it in another order.
    reporters: Mutex<HashMap<Arc<str>, usize>>,
    on_reporter: OnReporter,
}

#[derive(Debug)]
struct Producers {
    registry: Registry,
    holders: BTreeMap<Pair, Arc<Holder>>,
}

/// Who has a pair.
#[derive(Debug)]
pub(super) struct Holder {
    stream: Arc<UnixStream>,
    /// It reads no more: only its last commit is awaited.
    ended: AtomicBool,
}

/// What the writer takes for one commit.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// Without ids. One a sender.
    pub batches: Vec<Batch>,
    /// To be told when it is on disk.
    pub parts: Parts,
}

impl Hub {
    /// `producers`: as [`crate::store::Store::open`] found them.
    pub fn new(settings: HubSettings, producers: Vec<ProducerRow>, on_reporter: OnReporter) -> Arc<Hub> {
        Arc::new(Hub {
            counters: Counters::default(),
            bell: Bell::default(),
            settings: RwLock::new(settings),
            dirty: Mutex::default(),
            reads: AtomicU64::new(0),
            folding: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
            producers: Mutex::new(Producers {
                registry: Registry::new(producers),
                holders: BTreeMap::new(),
            }),
            released: Condvar::new(),
            committing: AtomicBool::new(true),
            reporters: Mutex::default(),
            on_reporter,
        })
    }

    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// For connections from now on.
    pub fn configure(&self, settings: HubSettings) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = settings;
    }

    /// Whether commits succeed.
    pub fn is_committing(&self) -> bool {
        self.committing.load(Ordering::Acquire)
    }

    /// For a peer of that uid; `None`: the operator or this process itself, who may report for any tenant.
    pub(super) fn fold_settings(&self, uid: Option<u32>, via: Via) -> Arc<FoldSettings> {
        let settings = self.settings.read().unwrap_or_else(PoisonError::into_inner);
        let allowed = match uid {
            Some(uid) if !settings.peers.is_empty() => match settings.peers.get(&uid) {
                Some(None) => None,
                Some(Some(tenants)) => Some(tenants.iter().cloned().collect()),
                None => Some(BTreeSet::new()),
            },
            _ => None,
        };
        let node = settings.node.clone();
        Arc::new(FoldSettings { node, allowed, via })
    }

    /// A sender begins to fold what it has read, until this is dropped.
    pub(super) fn folding(&self) -> Folding<'_> {
        self.folding.fetch_add(1, Ordering::Relaxed);
        Folding(self)
    }

    /// A sender has read and folded something.
    pub(super) fn folded(&self, source: &Arc<Source>, newly_dirty: bool) {
        self.reads.fetch_add(1, Ordering::Relaxed);
        if newly_dirty {
            lock(&self.dirty).push(source.clone());
            self.bell.ring();
        }
    }

    /// A sender cannot go on before the writer took its delta.
    pub(super) fn urge(&self) {
        self.bell.ring_urgently();
    }

    pub(super) fn drop_lines(&self, lines: u64) {
        self.counters.add_dropped(lines);
        self.dropped.fetch_add(lines, Ordering::Relaxed);
        self.bell.ring();
    }

    /// Takes back what the writer has not taken: it will not be counted.
    pub(super) fn withdraw(&self, source: &Arc<Source>) -> Option<Delta> {
        let delta = source.withdraw();
        lock(&self.dirty).retain(|listed| !Arc::ptr_eq(listed, source));
        delta
    }

    /// As [`Hub::withdraw`]; what would have been counted is counted as dropped.
    pub(super) fn discard(&self, source: &Arc<Source>) {
        let Some(Delta { tally, .. }) = self.withdraw(source) else {
            return;
        };
        let mut rejected = tally.rejected;
        rejected[Reject::Store as usize] += tally.accepted;
        self.counters
            .add(tally.received, tally.duplicate, tally.gaps, &rejected);
        self.dropped
            .fetch_add(tally.accepted + tally.rejected_total(), Ordering::Relaxed);
        self.bell.ring();
    }
}

/// For acknowledging connections.
impl Hub {
    /// Gives the pair to a connection, once everything an earlier one counted is on disk. `gone`: whether the
    /// asking connection itself has gone meanwhile.
    ///
    /// # Errors
    /// Why it may not have it; `None` when it has gone.
    pub(super) fn claim(
        &self,
        pair: &Pair,
        uid: u32,
        stream: &Arc<UnixStream>,
        gone: impl Fn() -> bool,
    ) -> Result<(Arc<Holder>, u64), Option<HelloRefused>> {
        const LOOK: Duration = Duration::from_millis(50);
        // A producer that comes back at once may have a child that closes its copy of the old socket a moment later.
        const LIVE_PATIENCE: Duration = Duration::from_secs(1);
        let asked = clock::instant();
        let mut producers = lock(&self.producers);
        while let Some(holder) = producers.holders.get(pair) {
            if holder.is_live() && clock::instant().since(asked) >= LIVE_PATIENCE {
                return Err(Some(HelloRefused::ProducerInUse));
            }
            if gone() {
                return Err(None);
            }
            let waited = self.released.wait_timeout(producers, LOOK);
            producers = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let last_seq = producers.registry.claim(pair, uid, clock::wall()).map_err(Some)?;
        let holder = Arc::new(Holder {
            stream: stream.clone(),
            ended: AtomicBool::new(false),
        });
        producers.holders.insert(pair.clone(), holder.clone());
        drop(producers);
        self.report(&pair.producer, true);
        Ok((holder, last_seq))
    }

    /// The connection reads no more: another may ask for its pair, and waits for the last commit.
    pub(super) fn end(&self, pair: &Pair, holder: &Holder) {
        holder.ended.store(true, Ordering::Release);
        self.report(&pair.producer, false);
        self.released.notify_all();
    }

    /// All that it counted is on disk.
    pub(super) fn release(&self, pair: &Pair, now: Wall) {
        let mut producers = lock(&self.producers);
        producers.holders.remove(pair);
        producers.registry.release(pair, now);
        drop(producers);
        self.released.notify_all();
    }

    fn report(&self, producer: &Arc<str>, connected: bool) {
        let mut reporters = lock(&self.reporters);
        let connections = reporters.entry(producer.clone()).or_default();
        let told = if connected {
            *connections += 1;
            *connections == 1
        } else {
            *connections = connections.saturating_sub(1);
            *connections == 0
        };
        if *connections == 0 {
            reporters.remove(producer);
        }
        if told {
            (self.on_reporter)(Reporter(producer.clone()), connected);
        }
    }
}

/// See [`Hub::folding`].
#[derive(Debug)]
pub(super) struct Folding<'h>(&'h Hub);

impl Drop for Folding<'_> {
    fn drop(&mut self) {
        self.0.folding.fetch_sub(1, Ordering::Relaxed);
    }
}

/// For the writer.
impl Hub {
    pub(crate) fn bell(&self) -> &Bell {
        &self.bell
    }

    pub(crate) fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// Nobody has read anything since they were so many, and all that was read is folded: senders pause. One whose thread
    /// merely waits for a core does not.
    pub(crate) fn pauses_since(&self, reads: u64) -> bool {
        self.reads() == reads && self.folding.load(Ordering::Relaxed) == 0
    }

    /// What was folded and not yet taken, sender by sender, until that is about `cells_max`.
    pub(crate) fn take(&self, cells_max: usize, now: Wall) -> Taken {
        let mut dirty = std::mem::take(&mut *lock(&self.dirty)).into_iter();
        let mut taken = Taken::default();
        let mut cells = 0;
        while cells < cells_max
            && let Some(source) = dirty.next()
        {
            let Some((delta, marks)) = source.take() else { continue };
            let delta = delta.unwrap_or_else(|| Delta::empty(now));
            cells += delta.cells.len() + marks.len();
            let tally = delta.tally;
            let rejected = tally.rejected_total();
            self.counters
                .add(tally.received, tally.duplicate, tally.gaps, &tally.rejected);
            let lag = delta.lag.map(|lag| match source.reports.whose() {
                Some(reporter) => Lag {
                    sender: reporter.0.clone(),
                    ..lag
                },
                None => lag,
            });
            let tenants = delta.tenants.into_iter();
            let reporters = tenants
                .filter_map(|tenant| Some((source.reports.of(&tenant)?, tenant)))
                .collect();
            if let (Some(link), Some(last_seq)) = (&source.link, delta.last_seq) {
                lock(&self.producers).registry.advance(&link.pair, last_seq, now);
            }
            if !delta.cells.is_empty() || rejected > 0 || !marks.is_empty() {
                taken.batches.push(Batch {
                    log_id: 0,
                    arrival: delta.arrival,
                    cells: delta.cells,
                    reporters,
                    rejected,
                    marks,
                    lags: lag.into_iter().collect(),
                });
            }
            if source.is_told {
                taken.parts.add(source, delta.last_seq);
            }
        }
        if dirty.len() > 0 {
            lock(&self.dirty).extend(dirty);
            self.bell.ring();
        }
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            taken.batches.push(Batch {
                log_id: 0,
                arrival: now,
                cells: Vec::new(),
                reporters: Vec::new(),
                rejected: dropped,
                marks: Vec::new(),
                lags: Vec::new(),
            });
        }
        taken
    }

    pub(crate) fn producer_changes(&self) -> BTreeMap<(Arc<str>, Arc<str>), Option<ProducerRow>> {
        lock(&self.producers).registry.take_changes()
    }

    /// A new, empty file: its first commit writes all producers.
    pub(crate) fn rewrite_producers(&self) {
        lock(&self.producers).registry.change_all();
    }

    pub(crate) fn expire_producers(&self, now: Wall) {
        lock(&self.producers).registry.expire(now);
    }

    #[cfg(test)]
    pub(crate) fn with_registry(&self, change: impl FnOnce(&mut Registry)) {
        change(&mut lock(&self.producers).registry);
    }

    /// Senders that wait for the writer.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        lock(&self.dirty).len()
    }

    pub(crate) fn set_committing(&self, committing: bool) {
        self.committing.store(committing, Ordering::Release);
    }
}

impl Holder {
    fn is_live(&self) -> bool {
        !self.ended.load(Ordering::Acquire) && !super::connection::has_hung_up(&self.stream)
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("counters", &self.counters)
            .finish_non_exhaustive()
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
