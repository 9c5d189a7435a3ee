//! What travels instead of events: counts by cell, folded by each connection for itself.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::words::{Code, TenantName, Via, Wall};

/// What deliveries are counted by, normalised and interned: an endpoint is an id, or a URL without
/// user info, query and fragment.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Subject {
    pub tenant: TenantName,
    pub endpoint: Arc<str>,
    pub gateway: Arc<str>,
}

/// One place to count in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CellKey {
    pub subject: Arc<Subject>,
    pub code: Code,
    /// Start of the aligned window that the event's (corrected) own time falls in: Unix seconds, a multiple of 300.
    pub window: i64,
    /// Whether it counts in the sliding window: its own time is at most 300 s before its arrival.
    pub live: bool,
    /// How its events came: one way counts for each tenant.
    pub via: Via,
}

/// What was counted there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellCount {
    pub count: u64,
    /// 0 when no event said an attempt.
    pub max_attempt: u32,
    /// Earliest and latest event time (corrected by the sender's skew).
    pub first: Wall,
    pub last: Wall,
    /// Of a recent failure; none for deliveries that succeeded.
    pub sample: Option<Sample>,
}

/// One event's particulars for joins with logs. Redacted and clean before it is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    pub request_id: Option<Arc<str>>,
    pub task_id: Option<Arc<str>>,
    pub error: Option<Arc<str>>,
}

/// What one commit made durable, in the order of commits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// Strictly increasing across restarts.
    pub log_id: i64,
    /// When its first line was read: files it into the sliding window's slot.
    pub arrival: Wall,
    pub cells: Vec<(CellKey, CellCount)>,
    /// Producers (by name) and gateways that reported, each with the tenants it reported for: blindness is judged by them.
    pub reporters: Vec<(Reporter, TenantName)>,
    /// Lines that were refused after they were counted as received.
    pub rejected: u64,
    /// What sources within this process want kept with these counts. Not part of the log: it has a table of its own.
    #[serde(skip)]
    pub marks: Vec<Mark>,
    /// What its senders' clocks seem to be off by. Not part of the log: what is known of clocks ends with the process.
    #[serde(skip)]
    pub lags: Vec<Lag>,
}

/// What one delta tells of its sender's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lag {
    /// The producer's name; of a plain connection the gateway that an event names.
    pub sender: Arc<str>,
    /// How far our clock is ahead of the sender's: arrival − event time, the smallest of the delta.
    pub millis: i64,
    /// The sender told its clock. Else a delay of all its events looks the same as a clock that is behind.
    pub said: bool,
}

impl Batch {
    /// Lags beyond are dropped: there are more to come.
    pub const LAGS_MAX: usize = 256;
}

/// Something that a source within this process remembers, committed in the transaction that counts what it stands
/// for: so that what was counted is known to be counted, and nothing else is, whenever the process is killed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Whose: `link:acme`, `log:/tmp/openclaw/openclaw.log`.
    pub source: Arc<str>,
    /// What, unique within the source: a later mark of the same key replaces it.
    pub key: Box<str>,
    /// Small. A mark without a body says all by being there; it is forgotten after [`Mark::BARE_KEPT_MS`].
    pub body: Box<str>,
    pub at: Wall,
}

impl Mark {
    /// Longer than any source asks back (24 h).
    pub const BARE_KEPT_MS: i64 = 25 * 3600 * 1000;
}

/// Who reported: a producer's name in acknowledged mode, or a source within this process. Plain connections have no
/// name and cannot be missed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Reporter(pub Arc<str>);

/// Names that begin so are those of sources within this process: no producer may bear one.
const LINK: &str = "link:";
const LOG: &str = "log:";
/// Producers of the plugin that ships with readyd name themselves so.
const PLUGIN: &str = "plugin:";

impl Reporter {
    /// A tenant's standing connection.
    pub fn link(tenant: &TenantName) -> Reporter {
        Reporter(format!("{LINK}{tenant}").into())
    }

    /// The follower of a log file that speaks of this tenant.
    pub fn log(tenant: &TenantName) -> Reporter {
        Reporter(format!("{LOG}{tenant}").into())
    }

    /// The plugin in a tenant's gateway.
    pub fn plugin(tenant: &TenantName) -> Reporter {
        Reporter(format!("{PLUGIN}{tenant}").into())
    }

    /// How what it reports comes.
    pub fn via(&self) -> Via {
        match &*self.0 {
            name if name.starts_with(LINK) => Via::Link,
            name if name.starts_with(LOG) => Via::Log,
            name if name.starts_with(PLUGIN) => Via::Plugin,
            _ => Via::Socket,
        }
    }

    /// Whether a producer at `events.sock` may bear this name.
    pub fn is_open_to_producers(name: &str) -> bool {
        !(name.starts_with(LINK) || name.starts_with(LOG))
    }
}

impl CellCount {
    /// Adds what was counted later.
    pub fn merge(&mut self, later: CellCount) {
        self.count = self.count.saturating_add(later.count);
        self.max_attempt = self.max_attempt.max(later.max_attempt);
        self.first = self.first.min(later.first);
        self.last = self.last.max(later.last);
        if later.sample.is_some() {
            self.sample = later.sample;
        }
    }
}
