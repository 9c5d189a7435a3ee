//! One check in depth: all that it found, what explains it and what it explains, and what to do next.

use std::collections::BTreeMap;

use actix_web::web::Bytes;
use schemars::JsonSchema;
use serde::Serialize;

use super::{CheckBody, json, said};
use crate::readiness::layers::Row;
use crate::readiness::snapshot::{CheckView, Snapshot};
use crate::words::{CheckId, Evidence, Level, Measurement, Now, Verdict, Wall};

/// Symptoms that one answer lists: a full disk may explain hundreds of checks.
pub const EXPLAINS_MAX: usize = 50;

/// The answer of `/v1/checks/{check}/{tenant}`: one check with its evidence, history and causes.
pub fn check(check: &CheckView, snapshot: &Snapshot) -> Bytes {
    json(&DetailBody::new(check, &Causes::of(snapshot), snapshot.made))
}

/// The same for a probe that is bound to several tenants.
pub fn checks_in_detail(probe: &str, checks: &[&CheckView], snapshot: &Snapshot) -> Bytes {
    let causes = Causes::of(snapshot);
    json(&Details {
        check: probe,
        checks: (checks.iter())
            .map(|check| DetailBody::new(check, &causes, snapshot.made))
            .collect(),
    })
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CheckDetails")]
pub(in crate::http) struct Details<'a> {
    check: &'a str,
    checks: Vec<DetailBody<'a>>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CheckDetail")]
pub(in crate::http) struct DetailBody<'a> {
    #[serde(flatten)]
    check: CheckBody<'a>,
    title: &'a str,
    /// The remembered answer: what the level was before silence or ignorance.
    answered: Option<Verdict>,
    unknown_because: Option<crate::words::Cause>,
    evidence: &'a [Evidence],
    notes: &'a [String],
    measurements: &'a [Measurement],
    /// From the check that explains this one to the root of it; empty when nothing does.
    causes: Vec<String>,
    /// Checks that this one explains, directly or not; at most 50.
    explains: Vec<String>,
    explains_total: usize,
    /// What the layer is about, and its command for people on call.
    layer_looks_at: &'static str,
    known_good: Option<&'a str>,
    every_sec: f64,
    next_due_in_sec: Option<f64>,
    max_stale_sec: f64,
    notice_within_sec: f64,
    cost: Option<CostBody>,
    history: Vec<LevelChangeBody<'a>>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "CheckCost")]
struct CostBody {
    wall_sec: f64,
    cpu_sec: f64,
    peak_rss_bytes: u64,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "LevelChange")]
struct LevelChangeBody<'a> {
    #[schemars(extend("format" = "date-time"))]
    at: String,
    from: Level,
    to: Level,
    summary: &'a str,
}

/// Who explains whom, of all checks at once: for each alone it would be a pass over all of them.
struct Causes<'a> {
    cause: BTreeMap<&'a CheckId, &'a CheckId>,
    symptoms: BTreeMap<&'a CheckId, Vec<&'a CheckId>>,
}

impl<'a> Causes<'a> {
    fn of(snapshot: &'a Snapshot) -> Causes<'a> {
        let explained = (snapshot.checks.iter()).filter_map(|check| Some((&check.id, check.explained_by.as_ref()?)));
        let mut causes = Causes {
            cause: explained.collect(),
            symptoms: BTreeMap::new(),
        };
        let mut symptoms: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for check in snapshot.checks.iter().filter(|check| check.explained_by.is_some()) {
            for cause in causes.chain(&check.id) {
                symptoms.entry(cause).or_default().push(&check.id);
            }
        }
        causes.symptoms = symptoms;
        causes
    }

    /// From its direct cause to the root.
    fn chain(&self, check: &'a CheckId) -> Vec<&'a CheckId> {
        let mut chain = Vec::new();
        let mut at = check;
        // Readiness makes no circles; a longer chain than there are causes would be one.
        while let Some(cause) = self.cause.get(at).filter(|_| chain.len() < self.cause.len()) {
            chain.push(*cause);
            at = cause;
        }
        chain
    }
}

impl<'a> DetailBody<'a> {
    fn new(check: &'a CheckView, causes: &Causes<'a>, made: Now) -> DetailBody<'a> {
        let finding = check.finding.as_deref();
        let explains = causes.symptoms.get(&check.id).map_or(&[][..], Vec::as_slice);
        DetailBody {
            check: CheckBody::new(check, made),
            title: &check.title,
            answered: check.answered,
            unknown_because: finding.and_then(|finding| finding.cause),
            evidence: finding.map_or(&[], |finding| &finding.evidence),
            notes: finding.map_or(&[], |finding| &finding.notes),
            measurements: finding.map_or(&[], |finding| &finding.measurements),
            causes: causes.chain(&check.id).into_iter().map(ToString::to_string).collect(),
            explains: explains.iter().take(EXPLAINS_MAX).map(ToString::to_string).collect(),
            explains_total: explains.len(),
            layer_looks_at: Row::of(check.layer).looks_at,
            known_good: check.known_good.as_deref().and_then(said),
            every_sec: check.every.as_secs_f64(),
            next_due_in_sec: check.next_due.map(|due| due.since(made.at).as_secs_f64()),
            max_stale_sec: check.max_stale.as_secs_f64(),
            notice_within_sec: check.notice_within.as_secs_f64(),
            cost: check.cost.map(|cost| CostBody {
                wall_sec: cost.wall.as_secs_f64(),
                cpu_sec: cost.cpu.as_secs_f64(),
                peak_rss_bytes: cost.peak_rss_bytes,
            }),
            history: (check.history.iter())
                .map(|change| LevelChangeBody {
                    at: Wall::rfc3339(change.at),
                    from: change.from,
                    to: change.to,
                    summary: &change.summary,
                })
                .collect(),
        }
    }
}
