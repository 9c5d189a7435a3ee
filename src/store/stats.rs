//! Shell: what the store tells of itself: for `/metrics` and the probe `store`.

use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus::{Histogram, HistogramOpts};

use super::reader;
use crate::words::Wall;

/// Upper bounds of the buckets of `readyd_ingest_commit_seconds`, in seconds: from a fast disk's fsync to a
/// commit that hangs.
const COMMIT_SECONDS_BOUNDS: [f64; 13] = [
    0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 10.0,
];

/// Shared by the writer, which counts, and by whoever shows it.
#[derive(Debug)]
pub struct Stats {
    path: PathBuf,
    commit_seconds: Histogram,
    quarantined: AtomicU64,
    log_id: AtomicI64,
    failing: Mutex<Option<Failing>>,
}

/// Commits fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failing {
    pub since: Wall,
    pub reason: String,
}

impl Stats {
    pub(super) fn new(path: PathBuf) -> Stats {
        Stats {
            path,
            commit_seconds: histogram(),
            quarantined: AtomicU64::new(0),
            log_id: AtomicI64::new(0),
            failing: Mutex::new(None),
        }
    }

    /// Commits that succeeded, for a registry: clones share their counts.
    pub fn commit_seconds(&self) -> Histogram {
        self.commit_seconds.clone()
    }

    /// The last batch that is on disk: [`crate::ingest::delta::Batch::log_id`]. 0: none since the start.
    pub fn log_id(&self) -> i64 {
        self.log_id.load(Ordering::Acquire)
    }

    pub(super) fn set_log_id(&self, log_id: i64) {
        self.log_id.fetch_max(log_id, Ordering::AcqRel);
    }

    /// `None` while commits succeed.
    pub fn failing(&self) -> Option<Failing> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Databases set aside since the start of the process, the start included.
    pub fn quarantined(&self) -> u64 {
        self.quarantined.load(Ordering::Relaxed)
    }

    /// Bytes of the database and of its write-ahead log, asked of the file system now.
    pub fn bytes(&self) -> (u64, u64) {
        reader::bytes(&self.path)
    }

    pub(super) fn committed(&self, took: Duration) {
        self.commit_seconds.observe(took.as_secs_f64());
    }

    pub(super) fn set_failing(&self, failing: Option<Failing>) {
        *self.failing.lock().unwrap_or_else(PoisonError::into_inner) = failing;
    }

    pub(super) fn count_quarantine(&self) {
        self.quarantined.fetch_add(1, Ordering::Relaxed);
    }
}

#[expect(
    clippy::expect_used,
    reason = "fails only for a bad name or bounds that do not grow; both are constants"
)]
fn histogram() -> Histogram {
    let options = HistogramOpts::new(
        "readyd_ingest_commit_seconds",
        "Time to commit and sync one batch of webhook events.",
    );
    Histogram::with_opts(options.buckets(COMMIT_SECONDS_BOUNDS.to_vec())).expect("constant options")
}
