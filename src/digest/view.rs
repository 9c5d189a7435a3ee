//! The digest as it is shown: rows, heads and totals, ready to be cut by tenant and limit.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::counting::SourceView;
pub use super::rows::Rows;
use crate::ingest::delta::Sample;
use crate::words::{Code, Family, Instant, TenantName, Wall};

/// One window, all of its rows, most failures first.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowView {
    pub head: WindowHead,
    pub rows: Rows,
    /// Deliveries that succeeded, by tenant.
    pub delivered: BTreeMap<TenantName, u64>,
    pub dropped: Dropped,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowHead {
    pub kind: WindowKind,
    pub start: Wall,
    pub end: Wall,
    /// Closed: nothing but late events changes it.
    pub is_final: bool,
    /// How often late events changed it since it was final.
    pub revision: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowKind {
    Sliding,
    Aligned,
}

/// Failures of one (tenant, endpoint, family).
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub tenant: TenantName,
    pub endpoint: Arc<str>,
    pub family: Family,
    pub count: u64,
    /// HTTP status (or kind) and its count, most first, then by code.
    pub statuses: Vec<(Code, u64)>,
    /// At most 16, sorted.
    pub gateways: Vec<Arc<str>>,
    pub max_attempt: u32,
    pub first_seen: Wall,
    pub last_seen: Wall,
    pub sample: Sample,
    /// The node it comes from when that is another one.
    pub node: Option<Arc<str>>,
}

/// Since the start of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Events that no aligned window took any more.
    pub late: u64,
    /// Lines that were refused, or had no room in the store.
    pub rejected: u64,
    /// Events that were counted as `__other__`, since their endpoint or tenant was one too many.
    pub folded: u64,
}

/// The windows that are kept in memory. Older ones are read from the store.
#[derive(Clone, Debug)]
pub struct DigestView {
    /// When the digest was last rolled forward: `age_sec` counts from here.
    pub rolled_at: Instant,
    pub rolled_wall: Wall,
    pub sliding: Arc<WindowView>,
    /// The last batch that the rows contain: [`crate::ingest::delta::Batch::log_id`].
    pub upto: i64,
    /// By start (Unix seconds): those that still take events.
    pub aligned: BTreeMap<i64, Arc<WindowView>>,
    /// Another node's digest, when `digest.source` is set.
    pub remote: Option<RemoteView>,
    /// How the events of each configured tenant come, and of which times they may be missing.
    pub sources: BTreeMap<TenantName, SourceView>,
}

#[derive(Clone, Debug)]
pub struct RemoteView {
    /// Its rows; their `node` is set.
    pub window: Arc<WindowView>,
    /// Its own `age_sec` when it was fetched, and when that was.
    pub age_sec: u64,
    pub fetched_at: Instant,
}

#[cfg(test)]
impl WindowView {
    /// The sliding window in which nothing happened.
    pub(crate) fn quiet(start: Wall, end: Wall) -> WindowView {
        WindowView {
            head: WindowHead {
                kind: WindowKind::Sliding,
                start,
                end,
                is_final: false,
                revision: 0,
            },
            rows: Rows::default(),
            delivered: BTreeMap::new(),
            dropped: Dropped::default(),
        }
    }
}
