//! A report as the JSON of `/v1/history`. Times are RFC 3339 in whole seconds, lengths are seconds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Serialize, Serializer};

use super::figures::ratio;
use super::{Budget, Lasted, Report, Segment, Spread, Status, Subject};
use crate::readiness::snapshot::Transition;
use crate::words::{ProbeName, TenantName, Wall};

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "History")]
pub(super) struct ReportBody<'a> {
    node: &'a Arc<str>,
    #[serde(serialize_with = "wall")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    generated_at: Wall,
    #[serde(serialize_with = "wall")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    from: Wall,
    #[serde(serialize_with = "wall")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    until: Wall,
    span_sec: i64,
    transitions: Vec<TransitionBody<'a>>,
    subjects: Vec<SubjectBody<'a>>,
    #[schemars(extend("format" = "date-time"))]
    truncated_before: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Transition")]
struct TransitionBody<'a> {
    #[serde(serialize_with = "wall")]
    #[schemars(with = "String", extend("format" = "date-time"))]
    at: Wall,
    tenant: Option<&'a TenantName>,
    check: Option<&'a ProbeName>,
    from: &'a str,
    to: &'a str,
    summary: &'a str,
    #[schemars(extend("format" = "date-time"))]
    last_good_at: Option<String>,
    #[schemars(extend("format" = "date-time"))]
    first_bad_at: Option<String>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "HistorySubject")]
struct SubjectBody<'a> {
    tenant: Option<&'a TenantName>,
    check: Option<&'a ProbeName>,
    segments: &'a [Segment],
    seconds: BTreeMap<&'static str, f64>,
    uptime: Option<f64>,
    outages: usize,
    flaps: usize,
    time_to_detect: SpreadBody,
    time_to_recover: SpreadBody,
    budget: Option<BudgetBody>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "HistorySpread")]
struct SpreadBody {
    n: usize,
    mean_sec: Option<f64>,
    median_sec: Option<f64>,
    max_sec: Option<f64>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Budget")]
struct BudgetBody {
    target: f64,
    window_sec: u64,
    allowed_sec: f64,
    used_sec: f64,
    remaining_sec: f64,
    remaining: f64,
    burn: BTreeMap<&'static str, Option<f64>>,
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let body = ReportBody {
            node: &self.node,
            generated_at: self.generated_at,
            from: self.from,
            until: self.until,
            span_sec: self.until.millis_since(self.from) / 1000,
            transitions: self.transitions.iter().map(TransitionBody::of).collect(),
            subjects: self.subjects.iter().map(SubjectBody::of).collect(),
            truncated_before: self.truncated_before.map(Wall::rfc3339),
        };
        body.serialize(serializer)
    }
}

impl<'a> TransitionBody<'a> {
    fn of(transition: &'a Transition) -> TransitionBody<'a> {
        TransitionBody {
            at: transition.at,
            tenant: transition.tenant.as_ref(),
            check: transition.probe.as_ref(),
            from: &transition.from,
            to: &transition.to,
            summary: &transition.summary,
            last_good_at: transition.last_good_at.map(Wall::rfc3339),
            first_bad_at: transition.first_bad_at.map(Wall::rfc3339),
        }
    }
}

impl<'a> SubjectBody<'a> {
    fn of(subject: &'a Subject) -> SubjectBody<'a> {
        SubjectBody {
            tenant: subject.who.tenant.as_ref(),
            check: subject.who.check.as_ref(),
            segments: &subject.segments,
            seconds: lasted(&subject.lasted),
            uptime: subject.uptime,
            outages: subject.outages,
            flaps: subject.flaps,
            time_to_detect: SpreadBody::of(subject.time_to_detect),
            time_to_recover: SpreadBody::of(subject.time_to_recover),
            budget: subject.budget.as_ref().map(BudgetBody::of),
        }
    }
}

impl SpreadBody {
    fn of(spread: Spread) -> SpreadBody {
        let measured = |duration: Duration| (spread.n > 0).then_some(duration.as_secs_f64());
        SpreadBody {
            n: spread.n,
            mean_sec: measured(spread.mean),
            median_sec: measured(spread.median),
            max_sec: measured(spread.max),
        }
    }
}

impl BudgetBody {
    fn of(budget: &Budget) -> BudgetBody {
        BudgetBody {
            target: budget.target,
            window_sec: budget.window.as_secs(),
            allowed_sec: seconds(budget.allowed_millis),
            used_sec: seconds(budget.used_millis),
            remaining_sec: seconds(budget.allowed_millis - budget.used_millis),
            remaining: budget.remaining(),
            burn: budget.burn.iter().map(|burn| (burn.over, burn.rate)).collect(),
        }
    }
}

fn lasted(lasted: &Lasted) -> BTreeMap<&'static str, f64> {
    let of = |status: Status| (status.as_str(), seconds(lasted.millis(status)));
    Status::ALL.into_iter().map(of).collect()
}

pub(super) fn wall<S: Serializer>(wall: &Wall, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&wall.rfc3339())
}

fn seconds(millis: i64) -> f64 {
    ratio(millis, 1000)
}
