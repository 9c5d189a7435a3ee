//! Another node's answer, read with tolerance and within bounds.
//!
//! The other node may run another version, or not be readyd at all: unknown fields are ignored, a row
//! that names no tenant, endpoint, family and count is left out, and every text is cleaned.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, SeqAccess, Visitor};
use serde_json::Value;

use crate::digest::tally::{GATEWAYS_MAX, sort_rows, sort_statuses};
use crate::digest::view::{Dropped, Row, WindowHead, WindowKind, WindowView};
use crate::engine::Remote;
use crate::ingest::delta::Sample;
use crate::words::{Code, Family, Kind, Now, TenantName, Wall, text};

const ROWS_MAX: usize = 200_000;
const STATUSES_MAX: usize = 64;
const NODE_BYTES_MAX: usize = 256;
const TEXT_BYTES_MAX: usize = 512;
const ID_BYTES_MAX: usize = 128;
const GATEWAY_BYTES_MAX: usize = 64;
/// A year: no digest is older, and sums with it stay sums.
const AGE_SEC_MAX: f64 = 366.0 * 86_400.0;

/// Why another node's answer is of no use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoteUnreadable {
    #[error("its answer is not the JSON of a digest: {0}")]
    NotADigest(String),
    #[error("its answer has no `age_sec`")]
    NoAge,
    #[error("its answer has more than {ROWS_MAX} rows")]
    TooManyRows,
}

/// The body of another node's `GET /v1/webhook-digest?scope=local`. The caller bounds its size; at most
/// 200 000 rows. `source` names the node when it does not name itself.
pub fn read_remote(body: &[u8], source: &str, now: Now) -> Result<Remote, RemoteUnreadable> {
    let wire: Wire = serde_json::from_slice(body).map_err(|error| RemoteUnreadable::NotADigest(error.to_string()))?;
    if wire.top.is_too_many {
        return Err(RemoteUnreadable::TooManyRows);
    }
    let age_sec = wire.age_sec.as_ref().and_then(Value::as_f64).filter(|age| *age >= 0.0);
    let age_sec = age_sec.ok_or(RemoteUnreadable::NoAge)?;
    let node = wire.node.as_ref().and_then(|node| name(node, NODE_BYTES_MAX));
    let node = node.unwrap_or_else(|| text::clean_line(source, NODE_BYTES_MAX).into());
    let mut rows = wire.top.rows;
    for row in &mut rows {
        row.node = Some(Arc::clone(&node));
    }
    sort_rows(&mut rows);
    let end = moment(wire.window.as_ref(), "end").unwrap_or(now.wall);
    let head = WindowHead {
        kind: WindowKind::Sliding,
        start: moment(wire.window.as_ref(), "start").unwrap_or_else(|| end.plus_millis(-300_000)),
        end,
        is_final: false,
        revision: 0,
    };
    let window = WindowView {
        head,
        rows: rows.into(),
        delivered: delivered(wire.delivered.as_ref(), wire.totals.as_ref()),
        dropped: Dropped::default(),
    };
    Ok(Remote {
        node,
        age_sec: whole_seconds(age_sec),
        window,
    })
}

#[derive(Deserialize)]
struct Wire {
    age_sec: Option<Value>,
    node: Option<Value>,
    window: Option<Value>,
    totals: Option<Value>,
    delivered: Option<Value>,
    #[serde(default)]
    top: Top,
}

/// Rows, read one at a time: no more than one stands in memory as untyped JSON.
#[derive(Default)]
struct Top {
    rows: Vec<Row>,
    is_too_many: bool,
}

impl<'de> Deserialize<'de> for Top {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Top, D::Error> {
        struct Rows;

        impl<'de> Visitor<'de> for Rows {
            type Value = Top;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of rows")
            }

            fn visit_unit<E>(self) -> Result<Top, E> {
                Ok(Top::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<Top, A::Error> {
                let mut top = Top::default();
                let mut read = 0;
                while read < ROWS_MAX {
                    let Some(value) = rows.next_element::<Value>()? else {
                        return Ok(top);
                    };
                    read += 1;
                    top.rows.extend(row(&value));
                }
                while rows.next_element::<IgnoredAny>()?.is_some() {
                    top.is_too_many = true;
                }
                Ok(top)
            }
        }

        deserializer.deserialize_any(Rows)
    }
}

fn row(value: &Value) -> Option<Row> {
    let tenant = TenantName::try_from(value.get("tenant")?.as_str()?.to_owned()).ok()?;
    let family = value.get("family")?.as_str()?;
    let family = Family::ALL.into_iter().find(|known| known.as_str() == family)?;
    let last_seen = moment(Some(value), "last_seen").unwrap_or_default();
    let sample = value.get("sample");
    let of_sample = |key: &str, bytes_max| sample.and_then(|sample| name(sample.get(key)?, bytes_max));
    Some(Row {
        tenant,
        endpoint: name(value.get("endpoint")?, TEXT_BYTES_MAX)?,
        family,
        count: value.get("count")?.as_u64()?,
        statuses: statuses(value.get("statuses")),
        gateways: gateways(value.get("gateways")),
        max_attempt: value
            .get("max_attempt")
            .and_then(Value::as_u64)
            .map_or(0, |attempt| u32::try_from(attempt).unwrap_or(u32::MAX)),
        first_seen: moment(Some(value), "first_seen").unwrap_or(last_seen),
        last_seen,
        sample: Sample {
            request_id: of_sample("request_id", ID_BYTES_MAX),
            task_id: of_sample("task_id", ID_BYTES_MAX),
            error: of_sample("error", TEXT_BYTES_MAX),
        },
        node: None,
    })
}

fn statuses(value: Option<&Value>) -> Vec<(Code, u64)> {
    let entries = value.and_then(Value::as_object).into_iter().flatten();
    let mut statuses: Vec<(Code, u64)> = entries
        .filter_map(|(said, count)| Some((code(said)?, count.as_u64()?)))
        .take(STATUSES_MAX)
        .collect();
    sort_statuses(&mut statuses);
    statuses
}

fn code(said: &str) -> Option<Code> {
    match said.parse::<u16>() {
        Ok(status) => (100..=599).contains(&status).then_some(Code::Status(status)),
        Err(_) => Kind::parse(said).map(Code::Kind),
    }
}

fn gateways(value: Option<&Value>) -> Vec<Arc<str>> {
    let entries = value.and_then(Value::as_array).into_iter().flatten();
    let mut gateways: Vec<Arc<str>> = entries
        .filter_map(|gateway| name(gateway, GATEWAY_BYTES_MAX))
        .take(GATEWAYS_MAX)
        .collect();
    gateways.sort_unstable();
    gateways
}

/// By tenant where the other node says so (`scope=local`), else its total under no tenant of ours.
fn delivered(by_tenant: Option<&Value>, totals: Option<&Value>) -> BTreeMap<TenantName, u64> {
    if let Some(by_tenant) = by_tenant.and_then(Value::as_object) {
        return (by_tenant.iter())
            .filter_map(|(tenant, count)| Some((TenantName::try_from(tenant.clone()).ok()?, count.as_u64()?)))
            .take(ROWS_MAX)
            .collect();
    }
    let total = totals
        .and_then(|totals| totals.get("delivered")?.as_u64())
        .filter(|total| *total > 0);
    total.map(|total| (TenantName::other(), total)).into_iter().collect()
}

fn name(value: &Value, bytes_max: usize) -> Option<Arc<str>> {
    value.as_str().map(|name| text::clean_line(name, bytes_max).into())
}

fn moment(value: Option<&Value>, key: &str) -> Option<Wall> {
    Wall::parse_rfc3339(value?.get(key)?.as_str()?)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked: 0 up to a year of seconds"
)]
fn whole_seconds(age_sec: f64) -> u64 {
    age_sec.min(AGE_SEC_MAX) as u64
}
