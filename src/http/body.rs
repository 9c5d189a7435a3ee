//! The JSON that answers are written in. The order of fields here is the order on the wire.

mod detail;
mod sources;

use std::borrow::Cow;
use std::collections::BTreeMap;

use actix_web::web::Bytes;
use schemars::JsonSchema;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::topic::Topic;
use crate::readiness::snapshot::{CheckView, Operation, Phase, Reason, Snapshot, TenantView};
use crate::words::{CountsAs, Layer, Level, Now, TenantName, Verdict, Wall};
pub(super) use detail::{DetailBody, Details};
pub use detail::{check, checks_in_detail};
use sources::{LinkBody, SourceBody};

/// Bounds of `/ready`'s answer; `/v1/status` has everything.
pub const CHECKS_MAX: usize = 50;
pub const TENANTS_MAX: usize = 50;
pub const REASONS_MAX: usize = 20;

/// Indented JSON and a final newline: people curl it.
///
/// A value of ours always serialises (string keys, no failing `Serialize`); were one not to, the
/// answer says so instead of being empty.
pub fn json(value: &impl Serialize) -> Bytes {
    let mut bytes = Vec::with_capacity(1024);
    if let Err(why) = serde_json::to_writer_pretty(&mut bytes, value) {
        bytes = format!("{{\"error\": \"the answer could not be written: {why}\"}}").into_bytes();
    }
    bytes.push(b'\n');
    Bytes::from(bytes)
}

/// The answer of `/ready` and `/ready/{tenant}`, bounded.
pub fn ready(topic: &Topic<'_>) -> Bytes {
    json(&ReadyBody::new(topic, Extent::Bounded))
}

/// The same, as one line without a newline: an event of `/v1/stream`.
pub fn ready_line(topic: &Topic<'_>) -> Vec<u8> {
    serde_json::to_vec(&ReadyBody::new(topic, Extent::Bounded)).unwrap_or_default()
}

/// The answer of `/v1/status`: everything that the node knows of itself.
pub fn status(snapshot: &Snapshot) -> Bytes {
    json(&StatusBody {
        ready: ReadyBody::new(&Topic::node(snapshot), Extent::Whole),
        made_at: snapshot.made.wall.rfc3339(),
        last_change: snapshot.last_change.as_ref().map(|change| ChangeBody {
            at: change.at.rfc3339(),
            from: change.from.as_str(),
            to: change.to.as_str(),
            reasons: &change.reasons,
            better: &change.better,
        }),
        why: snapshot.reasons.iter().map(ReasonBody::new).collect(),
        tenants_detail: (snapshot.tenants.values())
            .map(|view| TenantBody::new(view, snapshot))
            .collect(),
        links: snapshot
            .links
            .iter()
            .map(|(tenant, facts)| (tenant, LinkBody::new(facts)))
            .collect(),
        webhook_sources: (snapshot.digest.sources.iter())
            .map(|(tenant, source)| (tenant, SourceBody::new(source)))
            .collect(),
        config: ConfigBody {
            path: snapshot.config.path.as_deref(),
            loaded_at: snapshot.config.loaded_at.rfc3339(),
            reload_error: snapshot.config.reload_error.as_deref(),
            listen_troubles: &snapshot.config.listen_troubles,
            warnings: &snapshot.config.warnings,
        },
    })
}

/// The answer of `/v1/checks`: every check, worst first, in the form of `/ready`.
pub fn checks<'a>(checks: impl Iterator<Item = &'a CheckView>, made: Now) -> Bytes {
    json(&ChecksBody {
        checks: checks.map(|check| CheckBody::new(check, made)).collect(),
    })
}

/// What `GET /v1/maintenance` answers: who took what out, why, and until when.
pub fn operations(snapshot: &Snapshot) -> Bytes {
    let of = |pick: fn(&TenantView) -> Option<&Operation>| {
        let tenants = snapshot.tenants.iter();
        tenants
            .filter_map(|(name, view)| Some((name, OperationBody::new(pick(view)?))))
            .collect()
    };
    json(&Operations {
        maintenance: of(|view| view.maintenance.as_ref()),
        drain: snapshot.drain.as_ref().map(OperationBody::new),
        drained_tenants: of(|view| view.drain.as_ref()),
        not_yet_durable: snapshot.not_yet_durable,
    })
}

/// The texts of reasons, at most [`REASONS_MAX`], then how many more there are.
pub fn reasons<'a>(topic: &'a Topic<'_>) -> Vec<Cow<'a, str>> {
    let shown = topic.reasons.iter().take(REASONS_MAX);
    let mut texts: Vec<Cow<'a, str>> = shown.map(|reason| Cow::Borrowed(reason.text.as_str())).collect();
    if topic.reasons.len() > REASONS_MAX {
        texts.push(Cow::Owned(format!("and {} more", topic.reasons.len() - REASONS_MAX)));
    }
    texts
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    Bounded,
    Whole,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Ready")]
pub(super) struct ReadyBody<'a> {
    status: Verdict,
    phase: Phase,
    node: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<&'a TenantName>,
    labels: &'a BTreeMap<String, String>,
    #[schemars(extend("format" = "date-time"))]
    since: String,
    #[schemars(extend("format" = "date-time"))]
    checked_at: String,
    cycle: u64,
    green_cycles: u64,
    reasons: Vec<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    drain: Option<OperationBody<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    maintenance: BTreeMap<&'a TenantName, OperationBody<'a>>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    not_yet_durable: bool,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    warnings: &'a [String],
    #[schemars(with = "BTreeMap<TenantName, Verdict>")]
    tenants: TenantVerdicts<'a>,
    tenants_total: usize,
    checks_total: usize,
    checks_ok: usize,
    checks: Vec<CheckBody<'a>>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Status")]
pub(super) struct StatusBody<'a> {
    #[serde(flatten)]
    ready: ReadyBody<'a>,
    #[schemars(extend("format" = "date-time"))]
    made_at: String,
    last_change: Option<ChangeBody<'a>>,
    why: Vec<ReasonBody<'a>>,
    tenants_detail: Vec<TenantBody<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    links: BTreeMap<&'a TenantName, LinkBody<'a>>,
    webhook_sources: BTreeMap<&'a TenantName, SourceBody<'a>>,
    config: ConfigBody<'a>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Checks")]
pub(super) struct ChecksBody<'a> {
    checks: Vec<CheckBody<'a>>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Operations")]
pub(super) struct Operations<'a> {
    maintenance: BTreeMap<&'a TenantName, OperationBody<'a>>,
    drain: Option<OperationBody<'a>>,
    drained_tenants: BTreeMap<&'a TenantName, OperationBody<'a>>,
    not_yet_durable: bool,
}

/// One check as every answer shows it.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Check")]
struct CheckBody<'a> {
    check: &'a str,
    tenant: Option<&'a TenantName>,
    layer: Layer,
    level: Level,
    counts_as: CountsAs,
    required: bool,
    summary: &'a str,
    #[schemars(extend("format" = "date-time"))]
    since: String,
    #[schemars(extend("format" = "date-time"))]
    checked_at: Option<String>,
    /// Whole seconds; null when it was never answered.
    age_sec: Option<u64>,
    hint: Option<&'a str>,
    cause: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    flapping: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    maintenance: bool,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Operation")]
struct OperationBody<'a> {
    actor: &'a str,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket: Option<&'a str>,
    #[schemars(extend("format" = "date-time"))]
    started: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    until: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "VerdictChange")]
struct ChangeBody<'a> {
    #[schemars(extend("format" = "date-time"))]
    at: String,
    from: &'static str,
    to: &'static str,
    reasons: &'a [String],
    better: &'a [String],
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Reason")]
struct ReasonBody<'a> {
    text: &'a str,
    severity: Verdict,
    tenant: Option<&'a TenantName>,
    check: Option<String>,
    symptoms: Vec<String>,
    hint: Option<&'a str>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "TenantDetail")]
struct TenantBody<'a> {
    tenant: &'a TenantName,
    verdict: Verdict,
    phase: Phase,
    #[schemars(extend("format" = "date-time"))]
    since: String,
    required: bool,
    counts_as: CountsAs,
    /// What `/ready/{tenant}` says.
    answer: Verdict,
    answer_phase: Phase,
    maintenance: Option<OperationBody<'a>>,
    drain: Option<OperationBody<'a>>,
    /// Equal on two nodes: the same fragments.
    #[serde(skip_serializing_if = "Option::is_none")]
    fragments_hash: Option<&'a str>,
    reasons: Vec<&'a str>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Config")]
struct ConfigBody<'a> {
    path: Option<&'a str>,
    #[schemars(extend("format" = "date-time"))]
    loaded_at: String,
    reload_error: Option<&'a str>,
    listen_troubles: &'a [String],
    warnings: &'a [String],
}

/// `{"acme": "degraded", "beta": "ok"}`, worst first.
struct TenantVerdicts<'a>(Vec<(&'a TenantView, Verdict)>);

impl<'a> ReadyBody<'a> {
    fn new(topic: &'a Topic<'a>, extent: Extent) -> ReadyBody<'a> {
        let snapshot = topic.snapshot;
        let listed = topic.listed_tenants();
        let tenants_total = listed.len();
        let whole = extent == Extent::Whole;
        let (tenants_max, checks_max) = if whole {
            (usize::MAX, usize::MAX)
        } else {
            (TENANTS_MAX, CHECKS_MAX)
        };
        let in_maintenance = listed
            .iter()
            .filter_map(|(view, _)| Some((*view, view.maintenance.as_ref()?)));
        ReadyBody {
            status: topic.verdict,
            phase: topic.phase,
            node: &snapshot.node,
            tenant: topic.tenant.map(|view| &view.name),
            labels: &snapshot.labels,
            since: topic.since.rfc3339(),
            checked_at: snapshot.made.wall.rfc3339(),
            cycle: snapshot.cycle,
            green_cycles: snapshot.green_cycles,
            reasons: match extent {
                Extent::Bounded => reasons(topic),
                Extent::Whole => {
                    let all = topic.reasons.iter();
                    all.map(|reason| Cow::Borrowed(reason.text.as_str())).collect()
                }
            },
            drain: drain_of(topic).map(OperationBody::new),
            maintenance: in_maintenance
                .take(tenants_max)
                .map(|(view, operation)| (&view.name, OperationBody::new(operation)))
                .collect(),
            not_yet_durable: snapshot.not_yet_durable,
            warnings: &topic.warnings,
            tenants: TenantVerdicts(listed.into_iter().take(tenants_max).collect()),
            tenants_total,
            checks_total: topic.checks.len(),
            checks_ok: topic.checks.iter().filter(|check| check.level == Level::Ok).count(),
            checks: topic
                .checks
                .iter()
                .filter(|check| whole || check.level != Level::Ok)
                .take(checks_max)
                .map(|check| CheckBody::new(check, snapshot.made))
                .collect(),
        }
    }
}

/// The node's drain, or the tenant's own when the answer is about one.
fn drain_of<'a>(topic: &Topic<'a>) -> Option<&'a Operation> {
    let of_tenant = topic.tenant.and_then(|view| view.drain.as_ref());
    topic.snapshot.drain.as_ref().or(of_tenant)
}

impl<'a> CheckBody<'a> {
    fn new(check: &'a CheckView, made: Now) -> CheckBody<'a> {
        CheckBody {
            check: check.id.probe.as_str(),
            tenant: check.id.tenant.as_ref(),
            layer: check.layer,
            level: check.level,
            counts_as: check.counts_as,
            required: check.required,
            summary: &check.summary,
            since: check.since.rfc3339(),
            checked_at: check.checked_at.map(Wall::rfc3339),
            age_sec: check.checked_instant.map(|then| made.at.since(then).as_secs()),
            hint: said(&check.hint),
            cause: check.explained_by.as_ref().map(|cause| cause.probe.as_str().to_owned()),
            flapping: check.flapping,
            maintenance: check.in_maintenance,
        }
    }
}

impl<'a> OperationBody<'a> {
    fn new(operation: &'a Operation) -> OperationBody<'a> {
        OperationBody {
            actor: &operation.actor,
            reason: &operation.reason,
            ticket: operation.ticket.as_deref(),
            started: operation.started.rfc3339(),
            until: operation.until.map(Wall::rfc3339),
        }
    }
}

impl<'a> ReasonBody<'a> {
    fn new(reason: &'a Reason) -> ReasonBody<'a> {
        ReasonBody {
            text: &reason.text,
            severity: reason.severity,
            tenant: reason.tenant.as_ref(),
            check: reason.check.as_ref().map(ToString::to_string),
            symptoms: reason.symptoms.iter().map(ToString::to_string).collect(),
            hint: said(&reason.hint),
        }
    }
}

impl<'a> TenantBody<'a> {
    fn new(view: &'a TenantView, snapshot: &'a Snapshot) -> TenantBody<'a> {
        let fragments = snapshot.fragments.get(&view.name);
        TenantBody {
            tenant: &view.name,
            verdict: view.verdict,
            phase: view.phase,
            since: view.since.rfc3339(),
            required: view.required,
            counts_as: view.counts_as,
            answer: view.answer,
            answer_phase: view.answer_phase,
            maintenance: view.maintenance.as_ref().map(OperationBody::new),
            drain: view.drain.as_ref().map(OperationBody::new),
            fragments_hash: fragments.and_then(|lint| lint.hash.as_deref()),
            reasons: view.reasons.iter().map(|reason| reason.text.as_str()).collect(),
        }
    }
}

impl Serialize for TenantVerdicts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (view, verdict) in &self.0 {
            map.serialize_entry(&view.name, verdict)?;
        }
        map.end()
    }
}

/// Null instead of an empty text.
fn said(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}
