//! The one durable place of a node: who writes what, and in which transaction.
//!
//! One thread writes (`writer`); it commits the connections' deltas with their sequence numbers, and
//! what the engine wants kept. Everything that was counted is in exactly one of two places: in a log
//! entry (one per commit), or folded into slots and windows. A fold replaces the entries it contains
//! in the same transaction, so a kill at any point loses nothing and counts nothing twice.

mod database;
mod history;
mod open;
mod pending;
mod reader;
mod schema;
mod stats;
mod writer;

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::history::Entry;
use crate::ingest::delta::{Batch, Mark};
use crate::words::TenantName;

pub use history::{RecordQuery, RecordRows};
pub use open::{OpenError, Opened, Store};
pub use reader::{ReadError, Reader, TransitionQuery};
pub use stats::{Failing, Stats};
pub use writer::{OnEvent, Writer};

/// Adds a window's late part (second) to its stored body, or makes a body of it alone.
pub type MergeWindow = fn(Option<&[u8]>, &[u8]) -> MergedWindow;

/// What [`MergeWindow`] makes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MergedWindow {
    pub body: Vec<u8>,
    /// Its totals, as in [`Fold::rollups`]; `None`: nothing was counted, or the bytes cannot be read.
    pub rollup: Option<String>,
    /// Events of endpoints that were too many for the two together.
    pub folded: u64,
}

/// What the engine wants made durable, in one transaction. Later ones replace earlier ones key by key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Persist {
    /// Grows. Confirmed by [`StoreEvent::Persisted`] with the same number or a later one: those that waited
    /// together are committed and confirmed together.
    pub ticket: u64,
    /// Key → JSON, or `None` to forget it. Checks, operations, counters: small and few.
    pub state: BTreeMap<String, Option<String>>,
    /// Changes and times unwatched, in the order in which they came.
    pub history: Vec<Entry>,
    pub fold: Option<Fold>,
}

/// The digest's memory, written over: what the log entries up to `upto` amount to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fold {
    /// Log entries up to and including this id are contained below, and are deleted.
    pub upto: i64,
    /// Sliding slots by start (Unix seconds, a multiple of 10): replaced whole.
    pub slots: Vec<(i64, Vec<u8>)>,
    /// Slots that start before this are forgotten.
    pub slots_from: i64,
    /// Aligned windows by start and tenant: replaced whole.
    pub windows: Vec<(i64, TenantName, Vec<u8>)>,
    /// Late events of windows that are no longer in memory: merged by [`crate::digest::merge_window`], and
    /// the rollup follows in the same transaction.
    pub late: Vec<(i64, TenantName, Vec<u8>)>,
    /// Windows that start before this are forgotten (7 days); rollups before `rollups_from` (90 days).
    pub windows_from: i64,
    /// Five-minute totals by window start and tenant: JSON, replaced whole.
    pub rollups: Vec<(i64, TenantName, String)>,
    pub rollups_from: i64,
}

/// What was found on disk.
#[derive(Clone, Debug, Default)]
pub struct Restored {
    pub state: BTreeMap<String, String>,
    pub slots: Vec<(i64, Vec<u8>)>,
    /// Those of the newest five starts.
    pub windows: Vec<(i64, TenantName, Vec<u8>)>,
    /// Entries that no fold contains yet, oldest first.
    pub log: Vec<Batch>,
    /// Of sources within this process, oldest first.
    pub marks: Vec<Mark>,
    /// A corrupt database was set aside here, and a new one begun.
    pub quarantined: Option<PathBuf>,
}

/// What the writer tells the engine.
#[derive(Clone, Debug)]
pub enum StoreEvent {
    /// Durable. In the order of commits.
    Committed(Batch),
    /// This and all earlier ones are durable.
    Persisted { ticket: u64 },
    /// Commits fail; it is tried again by itself.
    Failing { reason: String },
    /// Commits succeed again.
    Recovered,
    /// Late parts were merged into windows that had no room for all of their endpoints.
    Merged { folded: u64 },
    /// A corrupt database was set aside while running.
    Quarantined { path: PathBuf },
    /// The database was deleted while running, or has lost what was committed: what is held in memory is
    /// to be written again.
    BegunAnew,
    /// Nothing that was set aside is left in the state directory.
    QuarantineCleared,
}

#[cfg(test)]
pub(crate) mod tests;
