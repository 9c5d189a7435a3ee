//! `GET /v1/webhook-digest`: the question, and the answer in its exact shape.

mod wire;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use super::aligned::{CLOSE_AFTER_SECONDS, WINDOW_SECONDS};
use super::tally::sort_rows;
use super::view::{DigestView, RemoteView, Row, WindowHead, WindowKind, WindowView};
use crate::words::{Code, Family, Now, TenantName, Wall};

pub use wire::{RemoteUnreadable, read_remote};

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    pub window: Which,
    /// Rows and totals of this tenant alone.
    pub tenant: Option<TenantName>,
    /// At most this many rows.
    pub limit: usize,
    /// `?scope=local`: this node's own rows, all of them. For another readyd.
    pub local_only: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Which {
    #[default]
    Sliding,
    /// The last aligned window that is closed.
    Last,
    /// The aligned window that starts here: Unix seconds, a multiple of 300.
    At(i64),
}

/// Why a question is refused: 400.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadQuery {
    #[error("window: {0:?} is neither `sliding`, `last` nor the start of a window such as 2026-11-20T07:25:00Z")]
    Window(String),
    #[error("window: {asked} starts no window, they start at multiples of five minutes; {before} does")]
    NotAligned { asked: String, before: Wall },
    #[error("tenant: {0:?} is not a tenant name ([a-z0-9][a-z0-9._-]{{0,63}})")]
    Tenant(String),
    #[error("limit: {0:?} is not a number from 0 to {max}", max = Query::LIMIT_MAX)]
    Limit(String),
    #[error("scope: {0:?} is not known; leave it out, or ask for `local`")]
    Scope(String),
}

/// The window is not held in memory: it is in the store, or not kept at all (404).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the window of {} is not kept: readyd was not at work then, it has not begun, or it is older than 7 days",
    Wall::from_millis(start.saturating_mul(1000)))]
pub struct NotHeld {
    /// Unix seconds: what to read from the store.
    pub start: i64,
}

/// The answer, in the order in which it is written.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "WebhookDigest")]
pub struct Answer<'a> {
    /// Whole seconds since the digest was rolled forward, the older one's when another node's is joined.
    pub age_sec: u64,
    #[schemars(extend("format" = "date-time"))]
    pub generated_at: String,
    pub node: &'a str,
    pub window: Head,
    pub totals: Totals,
    pub top: Vec<TopRow<'a>>,
    pub dropped: Drops,
    /// Events of this time may be missing for good.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub gap: bool,
    /// With `?scope=local` alone: so that another node can show deliveries by tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered: Option<&'a BTreeMap<TenantName, u64>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "DigestWindow")]
pub struct Head {
    #[schemars(extend("enum" = ["sliding", "aligned"]))]
    pub kind: &'static str,
    #[schemars(extend("format" = "date-time"))]
    pub start: String,
    #[schemars(extend("format" = "date-time"))]
    pub end: String,
    pub seconds: i64,
    #[serde(rename = "final")]
    pub is_final: bool,
    pub revision: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "DigestTotals")]
pub struct Totals {
    pub failures: u64,
    pub delivered: u64,
    /// Before the limit.
    pub rows: usize,
    /// Those that are not zero.
    pub by_family: BTreeMap<Family, u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "DigestRow")]
pub struct TopRow<'a> {
    pub tenant: &'a TenantName,
    pub endpoint: &'a str,
    pub family: Family,
    pub count: u64,
    /// Of all failures of the answer, to two decimals.
    pub share: f64,
    /// HTTP status (or kind) → count, most first.
    #[serde(serialize_with = "as_map")]
    #[schemars(with = "BTreeMap<String, u64>")]
    pub statuses: &'a [(Code, u64)],
    pub gateways: Vec<&'a str>,
    pub max_attempt: u32,
    #[schemars(extend("format" = "date-time"))]
    pub first_seen: String,
    #[schemars(extend("format" = "date-time"))]
    pub last_seen: String,
    pub sample: SampleShown<'a>,
    /// The node it comes from when that is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<&'a str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "DigestSample")]
pub struct SampleShown<'a> {
    pub request_id: Option<&'a str>,
    pub task_id: Option<&'a str>,
    pub error: Option<&'a str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "DigestDrops")]
pub struct Drops {
    pub late: u64,
    pub rejected: u64,
    pub folded: u64,
}

impl Query {
    pub const LIMIT_MAX: usize = 100;
    pub const LIMIT_DEFAULT: usize = 10;

    /// Of the decoded pairs of a URL's query. Unknown keys are ignored, of a repeated key the last counts, and a
    /// limit above [`Query::LIMIT_MAX`] means that.
    pub fn parse(pairs: &[(String, String)]) -> Result<Query, BadQuery> {
        let mut parsed = Query::default();
        for (key, value) in pairs {
            match key.as_str() {
                "window" => parsed.window = Which::parse(value)?,
                "tenant" => {
                    let name = TenantName::try_from(value.clone()).map_err(|_| BadQuery::Tenant(value.clone()))?;
                    parsed.tenant = Some(name);
                }
                "limit" => {
                    let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
                    if !is_number {
                        return Err(BadQuery::Limit(value.clone()));
                    }
                    // All digits: what does not fit is above the most there is anyway.
                    parsed.limit = value.parse().unwrap_or(Query::LIMIT_MAX).min(Query::LIMIT_MAX);
                }
                "scope" if value == "local" => parsed.local_only = true,
                "scope" => return Err(BadQuery::Scope(value.clone())),
                _ => {}
            }
        }
        Ok(parsed)
    }
}

impl Default for Query {
    fn default() -> Query {
        Query {
            window: Which::Sliding,
            tenant: None,
            limit: Query::LIMIT_DEFAULT,
            local_only: false,
        }
    }
}

impl Which {
    fn parse(text: &str) -> Result<Which, BadQuery> {
        match text {
            "" | "sliding" => Ok(Which::Sliding),
            "last" => Ok(Which::Last),
            _ => {
                let moment = Wall::parse_query(text).ok_or_else(|| BadQuery::Window(text.to_owned()))?;
                let start = super::aligned::window_of(moment);
                if moment.as_millis() != start * 1000 {
                    return Err(BadQuery::NotAligned {
                        asked: text.to_owned(),
                        before: Wall::from_millis(start * 1000),
                    });
                }
                Ok(Which::At(start))
            }
        }
    }
}

/// Answers from what is held in memory. A window that is not held may be in the store: see [`answer_window`].
pub fn answer<'a>(view: &'a DigestView, query: &Query, node: &'a str, now: Now) -> Result<Answer<'a>, NotHeld> {
    let start = match query.window {
        Which::Sliding => return Ok(answer_window(view, &view.sliding, query, node, now)),
        Which::Last => last_closed(view.rolled_wall),
        Which::At(start) => start,
    };
    match view.aligned.get(&start) {
        // Closing is the digest's word: until it rolls, a window whose time is over takes more.
        Some(window) if window.head.is_final || query.window != Which::Last => {
            Ok(answer_window(view, window, query, node, now))
        }
        _ => Err(NotHeld { start }),
    }
}

/// Answers with a window that was read from the store ([`super::window_view`]).
pub fn answer_window<'a>(
    view: &'a DigestView,
    window: &'a WindowView,
    query: &Query,
    node: &'a str,
    now: Now,
) -> Answer<'a> {
    let remote = (view.remote.as_ref()).filter(|_| !query.local_only && window.head.kind == WindowKind::Sliding);
    let mut windows = vec![window];
    windows.extend(remote.map(|remote| &*remote.window));
    let of_tenant = |row: &&Row| query.tenant.as_ref().is_none_or(|tenant| row.tenant == *tenant);
    let totals = totals(&windows, query.tenant.as_ref());
    let limit = if query.local_only { usize::MAX } else { query.limit };
    let mut rows: Vec<&Row> = (windows.iter())
        .flat_map(|window| window.rows.iter().filter(of_tenant).take(limit))
        .collect();
    if windows.len() > 1 {
        sort_rows(&mut rows);
        rows.truncate(limit);
    }
    Answer {
        age_sec: age_sec(view, now, if query.local_only { None } else { view.remote.as_ref() }),
        generated_at: now.wall.rfc3339(),
        node,
        window: Head::of(&window.head),
        top: rows.iter().map(|row| TopRow::of(row, totals.failures)).collect(),
        totals,
        dropped: Drops {
            late: view.sliding.dropped.late,
            rejected: view.sliding.dropped.rejected,
            folded: view.sliding.dropped.folded,
        },
        gap: (view.sources.iter())
            .filter(|(name, _)| query.tenant.as_ref().is_none_or(|tenant| *name == tenant))
            .filter_map(|(_, source)| source.gap.as_ref())
            .any(|gap| gap.touches(window.head.start, window.head.end)),
        delivered: query.local_only.then_some(&window.delivered),
    }
}

/// Start of the last aligned window that is closed at a moment.
fn last_closed(wall: Wall) -> i64 {
    super::aligned::window_of(wall.plus_millis(-CLOSE_AFTER_SECONDS * 1000)) - WINDOW_SECONDS
}

fn age_sec(view: &DigestView, now: Now, remote: Option<&RemoteView>) -> u64 {
    let local = now.at.since(view.rolled_at);
    let remote = remote.map_or(Duration::ZERO, |remote| {
        now.at
            .since(remote.fetched_at)
            .saturating_add(Duration::from_secs(remote.age_sec))
    });
    local.max(remote).as_secs()
}

fn totals(windows: &[&WindowView], tenant: Option<&TenantName>) -> Totals {
    let mut totals = Totals::default();
    for window in windows {
        for row in window
            .rows
            .iter()
            .filter(|row| tenant.is_none_or(|tenant| row.tenant == *tenant))
        {
            totals.rows += 1;
            totals.failures = totals.failures.saturating_add(row.count);
            let family = totals.by_family.entry(row.family).or_default();
            *family = family.saturating_add(row.count);
        }
        for (_, delivered) in window
            .delivered
            .iter()
            .filter(|(name, _)| tenant.is_none_or(|tenant| *name == tenant))
        {
            totals.delivered = totals.delivered.saturating_add(*delivered);
        }
    }
    totals
}

impl Head {
    fn of(head: &WindowHead) -> Head {
        Head {
            kind: match head.kind {
                WindowKind::Sliding => "sliding",
                WindowKind::Aligned => "aligned",
            },
            start: head.start.rfc3339(),
            end: head.end.rfc3339(),
            seconds: WINDOW_SECONDS,
            is_final: head.is_final,
            revision: head.revision,
        }
    }
}

impl<'a> TopRow<'a> {
    fn of(row: &'a Row, failures: u64) -> TopRow<'a> {
        TopRow {
            tenant: &row.tenant,
            endpoint: &row.endpoint,
            family: row.family,
            count: row.count,
            share: share(row.count, failures),
            statuses: &row.statuses,
            gateways: row.gateways.iter().map(|gateway| &**gateway).collect(),
            max_attempt: row.max_attempt,
            first_seen: row.first_seen.rfc3339(),
            last_seen: row.last_seen.rfc3339(),
            sample: SampleShown {
                request_id: row.sample.request_id.as_deref(),
                task_id: row.sample.task_id.as_deref(),
                error: row.sample.error.as_deref(),
            },
            node: row.node.as_deref(),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "two decimals are shown")]
fn share(count: u64, failures: u64) -> f64 {
    if failures == 0 {
        return 0.0;
    }
    (count as f64 / failures as f64 * 100.0).round() / 100.0
}

fn as_map<S: Serializer>(statuses: &&[(Code, u64)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(statuses.iter().map(|(code, count)| (code.to_string(), count)))
}
