//! What a gateway does by the clock, as its own list of jobs tells it: how often, and whether twice. Pure.
//!
//! The same reading for `cron.list` over the link and `openclaw cron list --json`, which tell jobs in the same words.
//!
//! Invariant: of what a job does (argv, prompt, message, target) nothing is kept but a hash, made while the text is
//! borrowed.

use std::collections::BTreeMap;

use ring::digest::{Context, SHA256};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::protocol::{Lenient, word};

/// What a gateway has to do, as far as is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Duties {
    pub jobs: Jobs,
    /// Providers that are configured and whose credentials cannot be used; `None`: the gateway does not tell.
    pub providers: Option<Vec<Provider>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Jobs {
    /// At most [`JOBS_MAX`].
    pub list: Vec<Job>,
    /// There are more than were told or kept.
    pub cut: bool,
}

/// As many of one gateway are looked at. A job is some 300 bytes here.
pub const JOBS_MAX: usize = 512;
/// Providers that are named.
pub const PROVIDERS_MAX: usize = 16;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    pub id: String,
    /// Empty: it has none.
    pub name: String,
    pub enabled: bool,
    pub schedule: Schedule,
    /// It wakes an agent to look around, and is made by the gateway itself.
    pub is_heartbeat: bool,
    /// In whose name it runs. Empty: not told.
    pub agent: String,
    /// `None`: what it does was not told.
    pub work: Option<Work>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schedule {
    Every {
        millis: u64,
    },
    Cron {
        expression: String,
        /// IANA; `None`: the gateway's own.
        zone: Option<String>,
    },
    /// Once, or when something else happens.
    NotByTheClock,
    /// A kind of schedule that is not known, or one that was not told.
    Unknown,
}

/// The same for jobs that do the same for the same: agent, session, payload and target.
///
/// 64 bits of SHA-256: it is compared with those of one gateway's other jobs, and shown to nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Work(u64);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    pub name: String,
    pub state: Credentials,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credentials {
    Missing,
    /// They may be renewed at their next use, or not.
    Expired,
}

impl Jobs {
    /// Adds a page of them.
    pub fn add(&mut self, page: Vec<Job>) {
        self.list.extend(page);
        self.cut |= self.list.len() > JOBS_MAX;
        self.list.truncate(JOBS_MAX);
    }
}

impl Job {
    /// Reads one job of a list; `None` when it is not one.
    pub fn read(json: &str) -> Option<Job> {
        let wire: JobWire<'_> = serde_json::from_str(json).ok()?;
        let said = |text: Lenient<String>| text.0.as_deref().map(word).unwrap_or_default();
        let agent = wire.effective_agent_id.0.or(wire.agent_id.0);
        let session = wire.session_target.0.unwrap_or_default();
        let payload: PayloadWire = wire
            .payload
            .and_then(|payload| serde_json::from_str(payload.get()).ok())
            .unwrap_or_default();
        Some(Job {
            id: word(&wire.id.0?),
            name: said(wire.name),
            enabled: wire.enabled.0 != Some(false),
            schedule: wire.schedule.0.map_or(Schedule::Unknown, ScheduleWire::read),
            is_heartbeat: payload.kind.0.as_deref() == Some("heartbeat"),
            work: wire.payload.and_then(|payload| {
                let told_to = wire.delivery.map_or("", RawValue::get);
                Work::of(
                    [agent.as_deref().unwrap_or_default(), &session],
                    [payload.get(), told_to],
                )
            }),
            agent: agent.as_deref().map(word).unwrap_or_default(),
        })
    }

    /// How people call it.
    pub fn called(&self) -> &str {
        if self.name.trim().is_empty() {
            &self.id
        } else {
            &self.name
        }
    }
}

impl Work {
    /// Of texts as they stand, and of JSON whatever the order of its keys.
    fn of(texts: [&str; 2], json: [&str; 2]) -> Option<Work> {
        let mut context = Context::new(&SHA256);
        let mut part = |bytes: &[u8]| {
            context.update(&(bytes.len() as u64).to_le_bytes());
            context.update(bytes);
        };
        texts.iter().for_each(|text| part(text.as_bytes()));
        for json in json {
            // Keys of a `Value` are in order.
            let canonical = match json {
                "" => String::new(),
                json => serde_json::from_str::<Value>(json).ok()?.to_string(),
            };
            part(canonical.as_bytes());
        }
        let digest = context.finish();
        let first = digest.as_ref().first_chunk::<8>()?;
        Some(Work(u64::from_le_bytes(*first)))
    }
}

/// Reads the answer to `models.authStatus`. Providers that nobody configured are not told there.
pub(super) fn providers(payload: &str) -> Option<Vec<Provider>> {
    let wire: AuthWire = serde_json::from_str(payload).ok()?;
    if wire.unavailable.0.is_some() {
        return None;
    }
    let troubled = wire.providers.0?.into_iter().filter_map(|provider| {
        let provider = provider.0?;
        let state = match provider.status.0.as_deref() {
            Some("missing") => Credentials::Missing,
            Some("expired") => Credentials::Expired,
            _ => return None,
        };
        Some(Provider {
            name: word(&provider.provider.0?),
            state,
        })
    });
    Some(troubled.take(PROVIDERS_MAX).collect())
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct JobWire<'a> {
    id: Lenient<String>,
    name: Lenient<String>,
    enabled: Lenient<bool>,
    agent_id: Lenient<String>,
    effective_agent_id: Lenient<String>,
    session_target: Lenient<String>,
    schedule: Lenient<ScheduleWire>,
    /// Hashed, and read for its kind; never kept.
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
    /// Hashed.
    #[serde(borrow)]
    delivery: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ScheduleWire {
    kind: Lenient<String>,
    every_ms: Lenient<u64>,
    expr: Lenient<String>,
    tz: Lenient<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PayloadWire {
    kind: Lenient<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AuthWire {
    providers: Lenient<Vec<Lenient<ProviderWire>>>,
    unavailable: Lenient<BTreeMap<String, Value>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ProviderWire {
    provider: Lenient<String>,
    status: Lenient<String>,
}

impl ScheduleWire {
    fn read(self) -> Schedule {
        match (self.kind.0.as_deref(), self.every_ms.0, self.expr.0) {
            (Some("every"), Some(millis), _) => Schedule::Every { millis },
            (Some("cron"), _, Some(expression)) => Schedule::Cron {
                expression: word(&expression),
                zone: self.tz.0.as_deref().map(word),
            },
            (Some("at" | "on-exit" | "stream"), _, _) => Schedule::NotByTheClock,
            _ => Schedule::Unknown,
        }
    }
}

#[cfg(test)]
mod tests;
