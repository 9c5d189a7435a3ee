//! Frames as they stand on the wire: which fields there are at all. A field that is not here is never parsed.

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer};
use serde_json::value::RawValue;

use super::{Page, Run, WORD_BYTES_MAX, word};
use crate::ingest::endpoint;
use crate::link::duties::Job;
use crate::link::events;
use crate::words::Wall;

/// A value that counts as absent when it is of another type.
#[derive(Debug)]
pub struct Lenient<T>(pub Option<T>);

impl<T> Default for Lenient<T> {
    fn default() -> Self {
        Lenient(None)
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        Ok(Lenient(serde_json::from_str(raw.get()).ok()))
    }
}

#[derive(Deserialize)]
pub(super) struct Envelope<'a> {
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) event: Lenient<String>,
    #[serde(default)]
    pub(super) id: Lenient<String>,
    #[serde(default)]
    pub(super) ok: Lenient<bool>,
    #[serde(default)]
    pub(super) seq: Lenient<u64>,
    #[serde(default, borrow)]
    pub(super) payload: Option<&'a RawValue>,
    #[serde(default, borrow)]
    pub(super) error: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Stamped {
    pub(super) ts: Lenient<i64>,
    pub(super) phase: Lenient<String>,
    pub(super) reason: Lenient<String>,
    #[serde(rename = "restartExpectedMs")]
    pub(super) restart_expected_ms: Lenient<u64>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct HelloWire {
    pub(super) protocol: Lenient<u32>,
    pub(super) server: Lenient<ServerWire>,
    pub(super) snapshot: Lenient<SnapshotWire>,
    pub(super) auth: Lenient<AuthWire>,
    pub(super) policy: Lenient<PolicyWire>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ServerWire {
    pub(super) version: Lenient<String>,
    pub(super) build_id: Lenient<String>,
    pub(super) boot_id: Lenient<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct SnapshotWire {
    pub(super) applied_config_hash: Lenient<String>,
    pub(super) suspension: Lenient<Stamped>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct AuthWire {
    pub(super) scopes: Lenient<Vec<String>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct PolicyWire {
    pub(super) tick_interval_ms: Lenient<u64>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ErrorWire {
    pub(super) code: Lenient<String>,
    pub(super) details: Lenient<DetailsWire>,
    pub(super) retry_after_ms: Lenient<u64>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct DetailsWire {
    pub(super) code: Lenient<String>,
    pub(super) reason: Lenient<String>,
    pub(super) expected_protocol: Lenient<u32>,
}

/// `cron` events and entries of `cron.runs`, which have the same names for the same things.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct RunWire {
    pub(super) action: Lenient<String>,
    pub(super) job_id: Lenient<String>,
    pub(super) job_name: Lenient<String>,
    pub(super) job: Lenient<JobWire>,
    pub(super) run_id: Lenient<String>,
    pub(super) ts: Lenient<i64>,
    pub(super) run_at_ms: Lenient<i64>,
    pub(super) duration_ms: Lenient<i64>,
    pub(super) delivered: Lenient<bool>,
    pub(super) delivery_status: Lenient<String>,
    pub(super) delivery_error: Lenient<String>,
    pub(super) delivery_suppression_reason: Lenient<String>,
    pub(super) delivery: Lenient<DeliveryWire>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct DeliveryWire {
    pub(super) resolved: Lenient<TargetWire>,
    pub(super) intended: Lenient<TargetWire>,
    /// Of a job.
    pub(super) to: Lenient<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct TargetWire {
    pub(super) to: Lenient<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct JobWire {
    pub(super) id: Lenient<String>,
    pub(super) name: Lenient<String>,
    pub(super) delivery: Lenient<DeliveryWire>,
    pub(super) state: Lenient<JobStateWire>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct JobStateWire {
    pub(super) last_run_at_ms: Lenient<i64>,
    pub(super) last_duration_ms: Lenient<i64>,
    pub(super) last_delivered: Lenient<bool>,
    pub(super) last_delivery_status: Lenient<String>,
    pub(super) last_delivery_error: Lenient<String>,
    pub(super) delivery_suppression_reason: Lenient<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct PageWire<'a> {
    #[serde(borrow)]
    pub(super) jobs: Vec<&'a RawValue>,
    #[serde(borrow)]
    pub(super) entries: Vec<&'a RawValue>,
    pub(super) has_more: Lenient<bool>,
}

impl RunWire {
    /// `None` without a job.
    pub(super) fn run(self) -> Option<Run> {
        let job = self.job.0.unwrap_or_default();
        let delivery = self.delivery.0.unwrap_or_default();
        let job_id = self.job_id.0.or(job.id.0)?;
        let told = |target: Lenient<TargetWire>| target.0.and_then(|target| target.to.0);
        let to = told(delivery.resolved)
            .or_else(|| told(delivery.intended))
            .or_else(|| job.delivery.0.and_then(|delivery| delivery.to.0));
        let name = self.job_name.0.or(job.name.0);
        let started = self.run_at_ms.0;
        Some(Run {
            endpoint: endpoint_of(to.as_deref(), name.as_deref(), &job_id),
            job_id: word(&job_id),
            run_id: self
                .run_id
                .0
                .as_deref()
                .filter(|id| id.len() <= WORD_BYTES_MAX)
                .map(word),
            started: started.map(Wall::from_millis),
            ended: self
                .ts
                .0
                .or_else(|| ended(started, self.duration_ms.0))
                .map(Wall::from_millis),
            delivery: events::ended(
                self.delivery_status.0.as_deref(),
                self.delivered.0,
                self.delivery_error.0.as_deref(),
                self.delivery_suppression_reason.0.is_some(),
            ),
        })
    }
}

impl JobWire {
    /// `None` when it never ran.
    pub(super) fn last_run(self) -> Option<Run> {
        let job_id = self.id.0?;
        let state = self.state.0?;
        let started = state.last_run_at_ms.0?;
        let to = self.delivery.0.and_then(|delivery| delivery.to.0);
        Some(Run {
            endpoint: endpoint_of(to.as_deref(), self.name.0.as_deref(), &job_id),
            job_id: word(&job_id),
            run_id: None,
            started: Some(Wall::from_millis(started)),
            ended: ended(Some(started), state.last_duration_ms.0).map(Wall::from_millis),
            delivery: events::ended(
                state.last_delivery_status.0.as_deref(),
                state.last_delivered.0,
                state.last_delivery_error.0.as_deref(),
                state.delivery_suppression_reason.0.is_some(),
            ),
        })
    }
}

impl PageWire<'_> {
    pub(super) fn read(self, run: impl Fn(&str) -> Option<Run>, job: impl Fn(&str) -> Option<Job>) -> Page {
        let raw = if self.jobs.is_empty() { self.entries } else { self.jobs };
        Page {
            runs: raw.iter().filter_map(|raw| run(raw.get())).collect(),
            jobs: raw.iter().filter_map(|raw| job(raw.get())).collect(),
            entries: raw.len(),
            has_more: self.has_more.0.unwrap_or(false),
        }
    }
}

fn ended(started: Option<i64>, duration: Option<i64>) -> Option<i64> {
    Some(started?.saturating_add(duration.unwrap_or(0).max(0)))
}

fn endpoint_of(to: Option<&str>, name: Option<&str>, job_id: &str) -> String {
    let is_url = |to: &&str| {
        let head = to.get(..8).unwrap_or(to).to_ascii_lowercase();
        head.starts_with("http://") || head.starts_with("https://")
    };
    to.filter(is_url)
        .and_then(|to| endpoint::normalise(endpoint::cut(to)))
        .map(|url| url.to_string())
        .or_else(|| name.map(word).filter(|name| !name.trim().is_empty()))
        .unwrap_or_else(|| word(job_id))
}
