//! Shell: one sender as the writer sees it: its delta, its answers, and what is on its way to the disk.
//!
//! Invariant: a read is folded and its rejections are queued under one lock, and the writer takes the delta
//! under the same lock. So a rejection always stands before the acknowledgement that covers it, and
//! counts and `last_seq` leave together.

use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::delta::{Mark, Reporter};
use super::fold::{Delta, Folder, RawDelta, Read, Rejection};
use super::output::Output;
use super::registry::Pair;
use crate::words::{Now, Reject, TenantName};

/// A connection, one `POST /v1/events`, or a source within this process.
#[derive(Debug)]
pub struct Source {
    /// In acknowledged mode.
    pub(super) link: Option<Link>,
    pub(super) reports: Reports,
    /// Somebody waits for its commits.
    pub(super) is_told: bool,
    /// Passed on the way to `inner`. A reader folds most of its time and takes its lock again at once, and the
    /// standard mutex lets it; so whoever wants `inner` next waits here in front of it.
    turnstile: Mutex<()>,
    inner: Mutex<Inner>,
    changed: Condvar,
}

/// Whose reports a source's events are: who is missed when they stay away.
#[derive(Clone, Debug)]
pub(super) enum Reports {
    OfNobody,
    Of(Reporter),
    /// One source tells of several tenants, each by a name of its own.
    OfEachTenant(fn(&TenantName) -> Reporter),
}

impl Reports {
    pub fn of(&self, tenant: &TenantName) -> Option<Reporter> {
        match self {
            Reports::OfNobody => None,
            Reports::Of(reporter) => Some(reporter.clone()),
            Reports::OfEachTenant(name) => Some(name(tenant)),
        }
    }

    /// Where all of it is one's.
    pub fn whose(&self) -> Option<&Reporter> {
        match self {
            Reports::Of(reporter) => Some(reporter),
            Reports::OfNobody | Reports::OfEachTenant(_) => None,
        }
    }
}

/// Where acknowledgements go, and for whom.
#[derive(Debug)]
pub(super) struct Link {
    pub pair: Pair,
    pub stream: Arc<UnixStream>,
}

#[derive(Debug)]
struct Inner {
    folder: Folder,
    /// To be kept with what the folder holds.
    marks: Vec<Mark>,
    output: Output,
    /// In the hub's list of those with something to take.
    listed: bool,
    /// Deltas with the writer, and not yet on disk.
    taken: u64,
    /// The writer has had something of it at any time.
    ever_taken: bool,
    accepted: u64,
}

/// Marks that wait for the writer, of one source: a day's runs of a busy tenant while nothing can be committed.
pub const MARKS_MAX: usize = 8192;

/// Why a line of this process was not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotCounted {
    /// Final.
    #[error("it is no valid event: {0}")]
    Refused(Reject),
    /// Nothing was committed for long: later there may be room.
    #[error("too much waits for the store already")]
    Full,
}

/// The source must be listed by the caller.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewlyDirty(pub bool);

/// What a read left behind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Folded {
    pub read: Read,
    /// The source must be listed by the caller.
    pub newly_dirty: bool,
    /// Answers fit; `false`: nothing more is read until the peer takes some.
    pub has_room: bool,
}

impl Source {
    pub(super) fn new(folder: Folder, link: Option<Link>) -> Arc<Source> {
        let reports = match &link {
            Some(link) => Reports::Of(Reporter(link.pair.producer.clone())),
            None => Reports::OfNobody,
        };
        Source::with(folder, link, reports, true)
    }

    /// Of a plain connection: nobody waits until what it sent is on disk.
    pub(super) fn untold(folder: Folder) -> Arc<Source> {
        Source::with(folder, None, Reports::OfNobody, false)
    }

    /// Within this process, where nobody waits either.
    pub(super) fn local(folder: Folder, reports: Reports) -> Arc<Source> {
        Source::with(folder, None, reports, false)
    }

    fn with(folder: Folder, link: Option<Link>, reports: Reports, is_told: bool) -> Arc<Source> {
        let inner = Mutex::new(Inner {
            folder,
            marks: Vec::new(),
            output: Output::default(),
            listed: false,
            taken: 0,
            ever_taken: false,
            accepted: 0,
        });
        Arc::new(Source {
            link,
            reports,
            is_told,
            turnstile: Mutex::new(()),
            inner,
            changed: Condvar::new(),
        })
    }

    /// Folds what the sender sent. Rejections are answered in acknowledged mode, and left in `rejections` otherwise.
    pub(super) fn fold(
        &self,
        rejections: &mut Vec<Rejection>,
        fold: impl FnOnce(&mut Folder, &mut Vec<Rejection>) -> Read,
    ) -> Folded {
        let mut inner = self.lock();
        let read = fold(&mut inner.folder, rejections);
        if let Some(link) = &self.link
            && !rejections.is_empty()
        {
            for rejection in rejections.drain(..) {
                inner.output.reject(&rejection);
            }
            inner.output.flush(&link.stream);
        }
        let newly_dirty = read.consumed > 0 && !inner.listed;
        inner.listed |= newly_dirty;
        Folded {
            read,
            newly_dirty,
            has_room: inner.output.has_room(),
        }
    }

    /// For the writer. `None`: nothing was folded, and nothing is to be kept.
    pub(super) fn take(&self) -> Option<(Option<Delta>, Vec<Mark>)> {
        let mut inner = self.lock();
        inner.listed = false;
        let delta = inner.folder.take_raw();
        let marks = std::mem::take(&mut inner.marks);
        let taken = delta.is_some() || !marks.is_empty();
        if taken {
            inner.taken += u64::from(self.is_told);
            inner.ever_taken = true;
        }
        if let Some(delta) = &delta {
            inner.accepted += delta.accepted();
        }
        drop(inner);
        self.changed.notify_all();
        // Its cells are put together while the sender counts on.
        taken.then(|| (delta.map(RawDelta::finished), marks))
    }

    /// Folds one line of this process (`None`: none), and keeps `marks` with it. A line that is refused leaves no marks,
    /// and is counted as refused.
    pub(super) fn tell(&self, line: Option<&str>, marks: Vec<Mark>, now: Now) -> (NewlyDirty, Result<(), NotCounted>) {
        let mut inner = self.lock();
        if inner.folder.is_full() || inner.marks.len() + marks.len() > MARKS_MAX {
            return (NewlyDirty(false), Err(NotCounted::Full));
        }
        let mut rejections = Vec::new();
        if let Some(line) = line {
            inner.folder.one(line.as_bytes(), now, &mut rejections);
        }
        let told = match rejections.first() {
            Some(rejection) => Err(NotCounted::Refused(rejection.reason)),
            None => {
                inner.marks.extend(marks);
                Ok(())
            }
        };
        let newly_dirty = !inner.listed;
        inner.listed = true;
        (NewlyDirty(newly_dirty), told)
    }

    /// So many of the deltas that were taken are on disk: acknowledged up to `last_seq`. Never waits.
    pub(super) fn committed(&self, deltas: u64, last_seq: Option<u64>) {
        let mut inner = self.lock();
        inner.taken = inner.taken.saturating_sub(deltas);
        if let (Some(link), Some(last_seq)) = (&self.link, last_seq) {
            inner.output.ack(last_seq);
            inner.output.flush(&link.stream);
        }
        drop(inner);
        self.changed.notify_all();
    }

    /// Gives up what the writer has not taken.
    pub(super) fn withdraw(&self) -> Option<Delta> {
        let mut inner = self.lock();
        inner.listed = false;
        inner.folder.take()
    }

    /// The writer has had something of it, whether that is on disk by now or not.
    pub(super) fn was_taken(&self) -> bool {
        self.lock().ever_taken
    }

    /// Waits until the writer took what was folded; `false` when it did not in time.
    pub(super) fn wait_taken(&self, patience: Duration) -> bool {
        self.wait(patience, |inner| inner.listed)
    }

    /// Waits until all that was folded is on disk; `false` when it is not in time.
    pub(super) fn wait_clean(&self, patience: Duration) -> bool {
        self.wait(patience, |inner| inner.listed || inner.taken > 0)
    }

    /// Sends what it can of the answers.
    pub(super) fn flush(&self) -> Pending {
        let mut inner = self.lock();
        if let Some(link) = &self.link {
            inner.output.flush(&link.stream);
        }
        Pending {
            output: !inner.output.is_empty(),
            has_room: inner.output.has_room(),
            ack: inner.listed || inner.taken > 0,
            broken: inner.output.is_broken(),
        }
    }

    pub(super) fn greet(&self, last_seq: u64) {
        self.lock().output.hello(last_seq);
        self.flush();
    }

    /// Lines that were counted, of those taken so far.
    pub(super) fn accepted(&self) -> u64 {
        self.lock().accepted
    }

    fn wait(&self, patience: Duration, unfinished: impl Fn(&Inner) -> bool) -> bool {
        let waited = self
            .changed
            .wait_timeout_while(self.lock(), patience, |inner| unfinished(inner));
        let (inner, _) = waited.unwrap_or_else(PoisonError::into_inner);
        !unfinished(&inner)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        let _passing = self.turnstile.lock().unwrap_or_else(PoisonError::into_inner);
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a connection still waits for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    pub output: bool,
    pub has_room: bool,
    pub ack: bool,
    pub broken: bool,
}

impl Source {
    /// Folds complete lines at the front of `bytes`.
    pub(super) fn read(&self, bytes: &[u8], now: Now, rejections: &mut Vec<Rejection>) -> Folded {
        self.fold(rejections, |folder, rejections| folder.read(bytes, now, rejections))
    }

    /// The last bytes, newline or not.
    pub(super) fn finish(&self, bytes: &[u8], now: Now, rejections: &mut Vec<Rejection>) -> Folded {
        self.fold(rejections, |folder, rejections| {
            folder.finish(bytes, now, rejections);
            Read {
                consumed: bytes.len(),
                full: false,
            }
        })
    }
}
