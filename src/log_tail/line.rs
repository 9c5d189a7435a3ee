//! One line of the log: a failed webhook delivery of a tenant, or nothing. Pure.
//!
//! Source: openclaw 2026.9.6 and recorded lines. Of a record only the fields of the structs here are ever parsed.

use std::borrow::Cow;

use memchr::memmem;
use serde::Deserialize;
use serde_json::json;

use super::source::Claim;
use crate::ingest::endpoint;
use crate::link::events::{self, Ended};
use crate::words::redact::ID_BYTES_MAX;
use crate::words::{Code, TenantName, Wall, text};

/// What stands in every line that is something, and in few others: the rest is not parsed.
const MARK: &[u8] = b"cron: webhook delivery ";
/// The last attempt of a run's webhook, or a completion webhook, failed.
const FAILED: &str = "cron: webhook delivery failed";
/// A completion webhook was not tried.
const BLOCKED: &str = "cron: webhook delivery blocked by SSRF guard";

/// What a line told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    Nothing,
    /// A failure of a gateway that is nobody's.
    Unclaimed,
    /// A line of `events.sock`, without `seq`.
    Failure {
        tenant: TenantName,
        line: String,
    },
}

#[derive(Deserialize)]
struct Record<'a> {
    /// JSON in a string.
    #[serde(rename = "0", borrow)]
    bindings: Cow<'a, str>,
    #[serde(rename = "1", borrow)]
    detail: Detail<'a>,
    #[serde(rename = "2", borrow)]
    message: Cow<'a, str>,
    #[serde(borrow)]
    time: Cow<'a, str>,
    #[serde(rename = "traceId", default, borrow)]
    trace_id: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detail<'a> {
    #[serde(borrow)]
    job_id: Cow<'a, str>,
    #[serde(default, borrow)]
    err: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    reason: Option<Cow<'a, str>>,
    /// Of a completion webhook.
    #[serde(default, borrow)]
    webhook_url: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bindings<'a> {
    #[serde(borrow)]
    module: Cow<'a, str>,
    #[serde(borrow)]
    store_key: Cow<'a, str>,
}

/// What a line without its newline tells. `owner`: the user whose file it stands in.
pub fn read(line: &[u8], owner: u32, claims: &[Claim]) -> Told {
    let Some((record, store)) = failure(line) else {
        return Told::Nothing;
    };
    let Some(ts) = Wall::parse_rfc3339(&record.time) else {
        return Told::Nothing;
    };
    let Some(tenant) = tenant_of(&store, owner, claims) else {
        return Told::Unclaimed;
    };
    let job = record.detail.job_id.as_ref();
    let Some(endpoint) = record
        .detail
        .webhook_url
        .as_deref()
        .and_then(endpoint::stored)
        .or_else(|| endpoint::stored(job))
    else {
        return Told::Nothing;
    };
    let why = record.detail.err.or(record.detail.reason).unwrap_or_default();
    let Ended { code, why } = events::failure(&why);
    // An event with a longer id is refused, and the failure with it.
    let id = |id: &str| text::clean_line(id, ID_BYTES_MAX);
    let mut event = json!({
        "tenant": tenant.as_str(), "endpoint": &*endpoint, "ts": ts.as_millis(), "task_id": id(job),
    });
    match code {
        Code::Status(status) => event["status"] = status.into(),
        Code::Kind(kind) => event["kind"] = kind.as_str().into(),
    }
    if let Some(trace) = &record.trace_id {
        event["request_id"] = id(trace).into();
    }
    if !why.is_empty() {
        event["error"] = why.into();
    }
    Told::Failure {
        tenant: tenant.clone(),
        line: event.to_string(),
    }
}

/// The record of a failed delivery, and the path of its gateway's job store.
fn failure(line: &[u8]) -> Option<(Record<'_>, String)> {
    memmem::find(line, MARK)?;
    let record: Record<'_> = serde_json::from_slice(line).ok()?;
    if !matches!(record.message.as_ref(), FAILED | BLOCKED) {
        return None;
    }
    let bindings: Bindings<'_> = serde_json::from_str(&record.bindings).ok()?;
    (bindings.module == "cron")
        .then(|| bindings.store_key.clone().into_owned())
        .map(|store| (record, store))
}

/// Who keeps its state where the store is; the innermost directory wins.
fn tenant_of<'a>(store: &str, owner: u32, claims: &'a [Claim]) -> Option<&'a TenantName> {
    claims
        .iter()
        .filter(|claim| claim.holds(store, owner))
        .max_by_key(|claim| claim.state_dir.as_os_str().len())
        .map(|claim| &claim.tenant)
}

#[cfg(test)]
mod tests;
