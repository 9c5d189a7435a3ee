//! Scanned fields into an event: types, lengths and ranges.
//!
//! A line has one reason to be refused, whatever the order of its fields: `missing_field` when a
//! required one is absent (or `null`), else `bad_field` when one is not what it should be, else
//! `tenant_not_allowed`. The tenant's pattern, the endpoint's normal form and the permission are judged
//! where subjects are interned (`subjects`): once for each name, not for each line.

use std::borrow::Cow;

use super::endpoint::ENDPOINT_BYTES_MAX;
use super::scan::{Fields, Text, Value};
use crate::words::{Code, Kind, Reject, TenantName, Wall};

/// One delivery as its line tells it, borrowed from the line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    pub tenant: Cow<'a, str>,
    /// As sent: with user info, query and fragment.
    pub endpoint: Cow<'a, str>,
    /// Empty when not said.
    pub gateway: Cow<'a, str>,
    pub code: Code,
    pub ts: Option<Wall>,
    /// 0 when not said.
    pub attempt: u32,
    pub request_id: Option<Text<'a>>,
    pub task_id: Option<Text<'a>>,
    /// Not cut yet.
    pub error: Option<Text<'a>>,
}

pub const GATEWAY_BYTES_MAX: usize = 64;
pub use crate::words::redact::ID_BYTES_MAX;

/// Years 0 to 9999, the range of RFC 3339, in Unix milliseconds.
const TS_MILLIS: std::ops::RangeInclusive<i64> = -62_167_219_200_000..=253_402_300_799_999;

impl<'a> Event<'a> {
    /// `seq_required`: in acknowledged mode a line without `seq` misses a field.
    #[inline(always)]
    pub fn read(fields: &Fields<'a>, seq_required: bool) -> Result<Event<'a>, Reject> {
        let missing = fields.tenant.is_absent()
            || fields.endpoint.is_absent()
            || (fields.status.is_absent() && fields.kind.is_absent())
            || (seq_required && fields.seq.is_absent());
        if missing {
            return Err(Reject::MissingField);
        }
        Event::well_formed(fields).ok_or(Reject::BadField)
    }

    #[inline(always)]
    fn well_formed(fields: &Fields<'a>) -> Option<Event<'a>> {
        natural(fields.seq)?;
        natural(fields.latency_ms)?;
        let attempt = natural(fields.attempt)?.unwrap_or(0);
        Some(Event {
            tenant: text(fields.tenant, TenantName::LEN_MAX)??.decoded(),
            endpoint: text(fields.endpoint, ENDPOINT_BYTES_MAX)??.decoded(),
            gateway: text(fields.gateway, GATEWAY_BYTES_MAX)?.map_or(Cow::Borrowed(""), |text| text.decoded()),
            code: code(fields.status, fields.kind)?,
            ts: moment(fields.ts)?,
            attempt: u32::try_from(attempt).unwrap_or(u32::MAX),
            request_id: text(fields.request_id, ID_BYTES_MAX)?,
            task_id: text(fields.task_id, ID_BYTES_MAX)?,
            error: text(fields.error, usize::MAX)?,
        })
    }
}

/// The outer `None`: not a text, or too long a one. The inner: absent.
#[inline]
fn text(value: Value<'_>, bytes_max: usize) -> Option<Option<Text<'_>>> {
    match value {
        Value::Absent => Some(None),
        Value::Text(text) if text.fits(bytes_max) => Some(Some(text)),
        _ => None,
    }
}

/// The outer `None`: not a natural number. The inner: absent.
#[inline]
fn natural(value: Value<'_>) -> Option<Option<u64>> {
    match value {
        Value::Absent => Some(None),
        Value::Unsigned(number) => Some(Some(number)),
        _ => None,
    }
}

/// A status or a kind, one and not both.
#[inline]
fn code(status: Value<'_>, kind: Value<'_>) -> Option<Code> {
    match (status, kind) {
        (Value::Unsigned(status @ 100..=599), Value::Absent) => u16::try_from(status).ok().map(Code::Status),
        (Value::Absent, Value::Text(kind)) => Kind::parse(&kind.decoded()).map(Code::Kind),
        _ => None,
    }
}

/// The outer `None`: not a moment. The inner: absent.
#[inline]
fn moment(value: Value<'_>) -> Option<Option<Wall>> {
    let millis = match value {
        Value::Absent => return Some(None),
        Value::Text(text) => return Wall::parse_rfc3339(&text.decoded()).map(Some),
        Value::Unsigned(millis) => i64::try_from(millis).ok()?,
        Value::Negative(millis) => millis,
        Value::Other => return None,
    };
    TS_MILLIS.contains(&millis).then(|| Some(Wall::from_millis(millis)))
}

#[cfg(test)]
mod tests;
