//! A snapshot as the bytes that load balancers get, rendered beforehand.
//!
//! Invariant: nothing here reads a clock, and no request renders the JSON of `/ready`. The rarer
//! forms (`text/plain`, `application/health+json`, `?verbose`, `?exclude=`) are computed in the
//! request, from the same snapshot in memory: rendering them for 256 tenants once a second would
//! cost more than all requests together.

use std::collections::BTreeMap;
use std::fmt;

use actix_web::web::Bytes;

use super::body;
use super::topic::Topic;
use crate::readiness::snapshot::{Phase, Snapshot};
use crate::readiness::{DRAINING_RETRY_SECS, STARTING_RETRY_SECS};
use crate::words::{TenantName, Verdict};

/// The node's answer and each tenant's.
#[derive(Clone, Debug)]
pub struct Rendered {
    pub node: Answer,
    pub tenants: BTreeMap<TenantName, Answer>,
}

/// One answer with its default form, `application/json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub head: Head,
    pub bare: Bare,
    pub json: Bytes,
}

/// The verdict alone: for those who may not see more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bare {
    pub verdict: Verdict,
    pub phase: Phase,
}

/// What a load balancer looks at: the same for every form of one answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// 200 or 503.
    pub status: u16,
    /// `x-envoy-degraded: 1`.
    pub degraded: bool,
    /// `x-envoy-immediate-health-check-fail: 1`.
    pub fail_at_once: bool,
    /// Whole seconds; with every 503.
    pub retry_after: Option<u64>,
}

/// Renders everything that is served without thinking. A node with 256 tenants and 2 300 checks
/// takes a few milliseconds.
pub fn render(snapshot: &Snapshot) -> Rendered {
    Rendered {
        node: Answer::of(&Topic::node(snapshot)),
        tenants: Topic::tenants(snapshot)
            .map(|(name, topic)| (name.clone(), Answer::of(&topic)))
            .collect(),
    }
}

impl Answer {
    pub fn of(topic: &Topic<'_>) -> Answer {
        Answer {
            head: Head::of(topic),
            bare: topic.bare(),
            json: body::ready(topic),
        }
    }
}

impl Head {
    pub fn of(topic: &Topic<'_>) -> Head {
        let refused = |retry_after: u64| Head {
            status: 503,
            degraded: false,
            fail_at_once: topic.phase == Phase::Draining,
            // 0 would ask for a storm of requests.
            retry_after: Some(retry_after.max(1)),
        };
        match (topic.phase, topic.verdict) {
            (Phase::Starting, _) => refused(STARTING_RETRY_SECS),
            (Phase::Draining, _) => refused(DRAINING_RETRY_SECS),
            (Phase::Serving, Verdict::Down) => refused(topic.retry_after),
            (Phase::Serving, verdict) => Head {
                status: 200,
                degraded: verdict == Verdict::Degraded,
                fail_at_once: false,
                retry_after: None,
            },
        }
    }

    /// Header names (lower case) and values, beside the content type.
    pub fn headers(self) -> impl Iterator<Item = (&'static str, String)> {
        let flag = |set: bool, name| set.then(|| (name, "1".to_owned()));
        let retry = self.retry_after.map(|seconds| ("retry-after", seconds.to_string()));
        [
            flag(self.degraded, "x-envoy-degraded"),
            flag(self.fail_at_once, "x-envoy-immediate-health-check-fail"),
            retry,
        ]
        .into_iter()
        .flatten()
    }
}

impl fmt::Display for Bare {
    /// `degraded`; with the phase when that is why the answer is a 503: `ok, draining`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.phase {
            Phase::Serving => write!(f, "{}", self.verdict),
            phase => write!(f, "{}, {}", self.verdict, phase.as_str()),
        }
    }
}
