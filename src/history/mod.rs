//! What a node and its tenants were, over time: segments, uptime, outages, how soon they were noticed and
//! mended, and what is left of a budget.
//!
//! A folder of its own and not a part of `readiness`: that decides what holds now and must not care what held
//! last month; this only reads what readiness has told, and decides nothing.
//!
//! ```text
//! readiness ─ changes ─┐
//! engine ─ unwatched ──┴▶ store (transitions) ─▶ Record ─ timeline ─▶ segments ─ figures, budget ─▶ Report
//! ```
//!
//! | word | meaning here |
//! |---|---|
//! | subject | the node, a tenant, or a check |
//! | watched | readyd ran, was awake, knew the subject, and what it saw is on disk |
//! | `not_watched` | all other time; never taken for good |
//! | up | `ok` or `degraded`: it answered 200 |
//! | judged | up or `down` |
//! | uptime | up ÷ judged; maintenance, drains, starts, `unknown` and `not_watched` are in neither |
//! | outage | from a change to `down` until it is up, in maintenance or drained; time that tells nothing (`not_watched`, `starting`, `unknown`) does not end it |
//! | time to detect | from the last answer that was better (else the first that was as bad) to the change to `down`: at most so long went unnoticed |
//! | time to recover | from the change to `down` to the end of the outage, when that end was seen |
//! | flaps | changes of status among ok, degraded, down and unknown, from one moment to the next |
//!
//! Invariant: the seconds of all statuses of a subject are the seconds of the span, none is negative, and a wall
//! clock that is stepped back does not make time count twice: what is lived again takes the place of what was there.

mod body;
mod budget;
mod draw;
mod figures;
mod record;
mod report;
#[cfg(test)]
mod tests;
mod timeline;

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use crate::readiness::snapshot::Transition;
use crate::words::{ProbeName, TenantName, Wall};

pub use budget::{BURN_SPANS, Budget, Burn, SLO_WINDOW_MAX, Slo, Slos, reach};
pub use draw::{SEGMENTS_ALL_MAX, SEGMENTS_MAX, cells, drawn};
pub use record::{Entry, Present, Record, Unwatched, Why};
pub use report::{Asked, report};

/// The longest span that can be asked for: as long as changes are kept.
pub const SPAN_MAX: Duration = Duration::from_secs(90 * 86_400);
pub const SPAN_DEFAULT: Duration = Duration::from_secs(86_400);
/// Node, tenants and checks of one answer; beyond, the last by name are left out.
pub const SUBJECTS_MAX: usize = 512;

/// What a subject was at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "HistoryStatus")]
pub enum Status {
    Ok,
    Degraded,
    Down,
    /// Of a check: it could not be asked.
    Unknown,
    /// New, or not heard of since a start; of a check: it has never answered.
    Starting,
    Draining,
    Maintenance,
    /// Nobody saw, or what was seen is not known any more.
    NotWatched,
}

/// A subject was `status` from `from` (included) until `until` (not included).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "HistorySegment")]
pub struct Segment {
    pub status: Status,
    #[serde(serialize_with = "body::wall")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub from: Wall,
    #[serde(serialize_with = "body::wall")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub until: Wall,
}

/// Milliseconds in each status, in the order of [`Status::ALL`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lasted([i64; Status::ALL.len()]);

/// How long something took, over those that were measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spread {
    pub n: usize,
    pub mean: Duration,
    pub median: Duration,
    pub max: Duration,
}

/// Who: both `None` is the node, a tenant alone that tenant, a check alone the node's check.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Who {
    pub tenant: Option<TenantName>,
    pub check: Option<ProbeName>,
}

/// One subject over the span of a [`Report`].
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    pub who: Who,
    /// Without holes and in order, from the span's beginning to its end. Short ones are put together when there are too
    /// many ([`drawn`]): the figures below do not suffer from that.
    pub segments: Vec<Segment>,
    pub lasted: Lasted,
    /// Up ÷ judged, 0 to 1; `None` when it was never judged.
    pub uptime: Option<f64>,
    pub outages: usize,
    pub flaps: usize,
    pub time_to_detect: Spread,
    pub time_to_recover: Spread,
    /// Of tenants with a target.
    pub budget: Option<Budget>,
}

/// The answer of `/v1/history`; the status page draws from it.
#[derive(Clone, Debug, PartialEq, JsonSchema)]
#[schemars(with = "body::ReportBody<'static>")]
pub struct Report {
    pub node: Arc<str>,
    pub generated_at: Wall,
    pub from: Wall,
    /// The moment of asking.
    pub until: Wall,
    /// Newest first; as many as were asked for.
    pub transitions: Vec<Transition>,
    /// The node, then tenants by name, then checks by tenant and name.
    pub subjects: Vec<Subject>,
    /// The record begins there, later than the span: before it, everything is `not_watched`.
    pub truncated_before: Option<Wall>,
}

impl Status {
    pub const ALL: [Status; 8] = [
        Status::Ok,
        Status::Degraded,
        Status::Down,
        Status::Unknown,
        Status::Starting,
        Status::Draining,
        Status::Maintenance,
        Status::NotWatched,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Status::Ok => "ok",
            Status::Degraded => "degraded",
            Status::Down => "down",
            Status::Unknown => "unknown",
            Status::Starting => "starting",
            Status::Draining => "draining",
            Status::Maintenance => "maintenance",
            Status::NotWatched => "not_watched",
        }
    }

    /// The word of a transition; what it does not know tells nothing.
    pub fn of_word(word: &str) -> Status {
        match word {
            "pending" => Status::Starting,
            word => Status::ALL
                .into_iter()
                .find(|status| status.as_str() == word)
                .unwrap_or(Status::NotWatched),
        }
    }
}

impl Segment {
    /// Never negative.
    pub fn millis(&self) -> i64 {
        self.until.millis_since(self.from).max(0)
    }
}

impl Lasted {
    /// Milliseconds in `status`.
    pub const fn millis(&self, status: Status) -> i64 {
        self.0[status as usize]
    }

    pub fn total_millis(&self) -> i64 {
        self.0.iter().sum()
    }

    fn add(&mut self, segment: &Segment) {
        self.0[segment.status as usize] += segment.millis();
    }
}

impl Who {
    pub fn node() -> Who {
        Who::default()
    }

    /// Whose change it is.
    pub fn of(change: &Transition) -> Who {
        Who {
            tenant: change.tenant.clone(),
            check: change.probe.clone(),
        }
    }

    pub fn tenant(name: TenantName) -> Who {
        Who {
            tenant: Some(name),
            check: None,
        }
    }
}
