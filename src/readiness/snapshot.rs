//! Everything that is shown, at one moment: the verdict is a function of what stands here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::lint::Lint;
use crate::digest::view::DigestView;
use crate::link::session::LinkFacts;
use crate::words::{
    CheckId, Cost, CountsAs, Finding, Instant, Layer, Level, Now, ProbeName, TenantName, Verdict, Wall,
};

#[derive(Clone, Debug)]
pub struct Snapshot {
    pub node: Arc<str>,
    pub labels: BTreeMap<String, String>,
    pub made: Now,
    pub phase: Phase,
    pub verdict: Verdict,
    /// Since when the verdict (or phase) is what it is.
    pub since: Wall,
    /// Complete cycles since the start of the process; restored across restarts.
    pub cycle: u64,
    /// Consecutive complete cycles with verdict ok.
    pub green_cycles: u64,
    /// Worst first; symptoms folded under their cause.
    pub reasons: Vec<Reason>,
    pub tenants: BTreeMap<TenantName, TenantView>,
    /// All checks, worst first, then by name.
    pub checks: Vec<CheckView>,
    pub drain: Option<Operation>,
    /// Whole seconds to the next relevant probe: `Retry-After` of a `down`.
    pub retry_after: u64,
    pub last_change: Option<VerdictChange>,
    /// Some operation is in force that the store has not yet made durable.
    pub not_yet_durable: bool,
    pub digest: Arc<DigestView>,
    /// What links to gateways know: versions, process, config hash; never a secret.
    pub links: BTreeMap<TenantName, LinkFacts>,
    /// What was seen of the fragments of tenants that have a directory.
    pub fragments: Arc<BTreeMap<TenantName, Arc<Lint>>>,
    /// Trouble with the configuration: the last reload's error, warnings.
    pub config: ConfigStatus,
}

/// Where the node (or a tenant) is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    Starting,
    Serving,
    Draining,
}

/// One line of why, with the check it comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Reason {
    /// `acme doctor: agent database refused`, symptoms counted at its end: `(explains 2 more)`.
    pub text: String,
    pub severity: Verdict,
    pub tenant: Option<TenantName>,
    /// The check that gives the reason, the first of them for a probe fault; `None` for reasons of the node
    /// or a tenant itself (starting, drain, maintenance, no gateway is watched).
    pub check: Option<CheckId>,
    /// Checks whose reasons fold under this one.
    pub symptoms: Vec<CheckId>,
    pub hint: String,
}

#[derive(Clone, Debug, PartialEq)]
pub struct TenantView {
    pub name: TenantName,
    /// Worst of its own checks.
    pub verdict: Verdict,
    /// `Starting` while new; `Draining` while drained.
    pub phase: Phase,
    pub since: Wall,
    pub required: bool,
    pub maintenance: Option<Operation>,
    pub drain: Option<Operation>,
    /// What it contributes to the node's verdict.
    pub counts_as: CountsAs,
    /// What `/ready/T` says: worst of its checks and the node's.
    pub answer: Verdict,
    /// What `/ready/T` says of its phase: the node's `starting` or `draining` wins.
    pub answer_phase: Phase,
    /// Reasons of `/ready/T`: its own and the node-scoped ones.
    pub reasons: Vec<Reason>,
    pub retry_after: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct CheckView {
    pub id: CheckId,
    pub title: String,
    pub layer: Layer,
    pub level: Level,
    /// The remembered answer: what the level was before silence or ignorance.
    pub answered: Option<Verdict>,
    pub counts_as: CountsAs,
    pub required: bool,
    /// What is shown: the last finding's summary, or why there is none.
    pub summary: String,
    /// Since when the level is what it is.
    pub since: Wall,
    pub checked_at: Option<Wall>,
    /// `None` also when that was before this boot of the host: [`CheckView::checked_at`] is all there is then.
    pub checked_instant: Option<Instant>,
    pub hint: String,
    /// The command of its layer that can be pasted on call, by [`super::layers`]; `None` when too little is known.
    pub known_good: Option<Arc<str>>,
    /// The check that explains this one.
    pub explained_by: Option<CheckId>,
    pub flapping: bool,
    pub in_maintenance: bool,
    pub finding: Option<Arc<Finding>>,
    pub cost: Option<Cost>,
    pub every: Duration,
    /// How long an answer is believed.
    pub max_stale: Duration,
    /// The longest time from an outage to the level that says so.
    pub notice_within: Duration,
    pub next_due: Option<Instant>,
    /// The last level changes, newest last; at most 20.
    pub history: Arc<[LevelChange]>,
}

/// A maintenance window or a drain: who, why, until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// By peer credentials of the control socket: `uid 501 (ann)`.
    pub actor: String,
    pub reason: String,
    pub ticket: Option<String>,
    pub started: Wall,
    /// Always set for maintenance, never for a drain.
    pub until: Option<Wall>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LevelChange {
    pub at: Wall,
    pub from: Level,
    pub to: Level,
    pub summary: String,
}

/// The last change of the node's verdict with the findings that made it. A change of phase alone is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VerdictChange {
    pub at: Wall,
    pub from: Verdict,
    pub to: Verdict,
    /// Why it is not ok since then; at most 20, worst first.
    pub reasons: Vec<String>,
    /// What made it better: checks that count less than before, `acme gateway: ready (was down)`. At most 20,
    /// those that counted most first; empty when it became worse.
    #[serde(default)]
    pub better: Vec<String>,
}

/// One row of `/v1/history`. `tenant` and `check` are both `None` for the node's verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    pub at: Wall,
    pub tenant: Option<TenantName>,
    pub probe: Option<ProbeName>,
    pub from: String,
    pub to: String,
    pub summary: String,
    /// Since when `from` had held; `None`: written by a readyd that did not keep it.
    pub since: Option<Wall>,
    /// For a change to the worse, of the check that made it: its last answer that was better than `to`. What went wrong
    /// went wrong after that.
    pub last_good_at: Option<Wall>,
    /// And its first answer since then that was as bad.
    pub first_bad_at: Option<Wall>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigStatus {
    pub path: Option<String>,
    pub loaded_at: Wall,
    /// Why the last reload was refused; `None` when it was taken.
    pub reload_error: Option<String>,
    /// What is wrong with the bearer and the certificate of `listen`.
    pub listen_troubles: Vec<String>,
    pub warnings: Vec<String>,
}

impl Phase {
    pub const fn as_str(self) -> &'static str {
        match self {
            Phase::Starting => "starting",
            Phase::Serving => "serving",
            Phase::Draining => "draining",
        }
    }
}
