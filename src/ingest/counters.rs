//! What ingest tells of itself, for `/metrics`: since the start of the process.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use crate::words::Reject;

#[derive(Debug, Default)]
pub struct Counters {
    received: AtomicU64,
    duplicate: AtomicU64,
    gap: AtomicU64,
    /// In the order of [`Reject::ALL`].
    rejected: [AtomicU64; Reject::ALL.len()],
    plain: AtomicI64,
    acknowledged: AtomicI64,
    refused: AtomicU64,
}

/// How a connection talks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Talk {
    Plain,
    Acknowledged,
}

impl Counters {
    /// Lines that came, whatever became of them.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    pub fn rejected(&self, reason: Reject) -> u64 {
        self.rejected[reason as usize].load(Ordering::Relaxed)
    }

    /// Repeats of what was counted before.
    pub fn duplicate(&self) -> u64 {
        self.duplicate.load(Ordering::Relaxed)
    }

    /// Sequence numbers that were skipped.
    pub fn gap(&self) -> u64 {
        self.gap.load(Ordering::Relaxed)
    }

    /// Connections that are open now.
    pub fn connections(&self, talk: Talk) -> u64 {
        u64::try_from(self.gauge(talk).load(Ordering::Relaxed)).unwrap_or(0)
    }

    /// Connections closed at once, since too many were open.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    pub(super) fn add(&self, received: u64, duplicate: u64, gap: u64, rejected: &[u64; Reject::ALL.len()]) {
        self.received.fetch_add(received, Ordering::Relaxed);
        self.duplicate.fetch_add(duplicate, Ordering::Relaxed);
        self.gap.fetch_add(gap, Ordering::Relaxed);
        for (total, more) in self.rejected.iter().zip(rejected) {
            total.fetch_add(*more, Ordering::Relaxed);
        }
    }

    /// Lines of plain connections that the store had no room for.
    pub(super) fn add_dropped(&self, lines: u64) {
        self.received.fetch_add(lines, Ordering::Relaxed);
        self.rejected[Reject::Store as usize].fetch_add(lines, Ordering::Relaxed);
    }

    pub(super) fn add_refused(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn opened(&self, talk: Talk) {
        self.gauge(talk).fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn closed(&self, talk: Talk) {
        self.gauge(talk).fetch_sub(1, Ordering::Relaxed);
    }

    fn gauge(&self, talk: Talk) -> &AtomicI64 {
        match talk {
            Talk::Plain => &self.plain,
            Talk::Acknowledged => &self.acknowledged,
        }
    }
}
