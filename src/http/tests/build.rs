//! Snapshots for specs, in a few words.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::digest::view::{DigestView, WindowView};
use crate::readiness::snapshot::{
    CheckView, ConfigStatus, LevelChange, Operation, Phase, Reason, Snapshot, TenantView,
};
use crate::words::{Answer, CheckId, CountsAs, Finding, Instant, Layer, Level, Now, TenantName, Verdict, Wall};

/// 2026-11-20T07:31:07Z, one hour after boot.
pub fn now() -> Now {
    Now {
        at: Instant::from_millis(3_600_000),
        wall: Wall::parse_rfc3339("2026-11-20T07:31:07Z").unwrap(),
    }
}

pub fn tenant(name: &str) -> TenantName {
    TenantName::parse(name).unwrap()
}

pub struct Build(Snapshot);

impl Build {
    /// A serving node `mac-3` on which all is well and nothing is checked.
    pub fn node() -> Build {
        Build(Snapshot {
            node: "mac-3".into(),
            labels: BTreeMap::from([("cluster".into(), "eu".into())]),
            made: now(),
            phase: Phase::Serving,
            verdict: Verdict::Ok,
            since: now().wall.plus_millis(-600_000),
            cycle: 812,
            green_cycles: 3,
            reasons: Vec::new(),
            tenants: BTreeMap::new(),
            checks: Vec::new(),
            drain: None,
            retry_after: 7,
            last_change: None,
            not_yet_durable: false,
            links: BTreeMap::new(),
            fragments: Arc::default(),
            digest: Arc::new(digest()),
            config: ConfigStatus {
                listen_troubles: Vec::new(),
                loaded_at: now().wall.plus_millis(-3_600_000),
                ..ConfigStatus::default()
            },
        })
    }

    pub fn phase(mut self, phase: Phase) -> Build {
        self.0.phase = phase;
        for view in self.0.tenants.values_mut() {
            view.answer_phase = phase;
        }
        self
    }

    pub fn tenant(mut self, name: &str) -> Build {
        let name = tenant(name);
        let view = TenantView {
            name: name.clone(),
            verdict: Verdict::Ok,
            phase: Phase::Serving,
            since: now().wall.plus_millis(-600_000),
            required: true,
            maintenance: None,
            drain: None,
            counts_as: CountsAs::Ok,
            answer: Verdict::Ok,
            answer_phase: Phase::Serving,
            reasons: Vec::new(),
            retry_after: 4,
        };
        self.0.tenants.insert(name, view);
        self
    }

    /// A required check, which counts as its level says. What is not ok is a reason, and the verdicts follow.
    pub fn check(mut self, id: &str, level: Level, summary: &str) -> Build {
        let id = CheckId::parse(id).unwrap();
        let verdict = match level {
            Level::Ok => Verdict::Ok,
            Level::Down => Verdict::Down,
            Level::Degraded | Level::Unknown | Level::Pending => Verdict::Degraded,
        };
        let who = id
            .tenant
            .as_ref()
            .map(|tenant| format!("{tenant} "))
            .unwrap_or_default();
        let reason = Reason {
            text: format!("{who}{}: {summary}", id.probe),
            severity: verdict,
            tenant: id.tenant.clone(),
            check: Some(id.clone()),
            symptoms: Vec::new(),
            hint: String::new(),
        };
        if verdict != Verdict::Ok {
            self.0.reasons.push(reason.clone());
            self.0.reasons.sort_by_key(|reason| std::cmp::Reverse(reason.severity));
        }
        self.0.verdict = self.0.verdict.max(verdict);
        for (name, view) in &mut self.0.tenants {
            if id.tenant.as_ref().is_none_or(|of| of == name) {
                view.answer = view.answer.max(verdict);
                if verdict != Verdict::Ok {
                    view.reasons.push(reason.clone());
                }
            }
            if id.tenant.as_ref() == Some(name) {
                view.verdict = view.verdict.max(verdict);
                view.counts_as = view.verdict.into();
            }
        }
        self.0.checks.push(check_view(id, level, verdict, summary));
        self.0
            .checks
            .sort_by_key(|check| (std::cmp::Reverse(check.counts_as), check.id.clone()));
        self
    }

    /// Anything else.
    pub fn with(mut self, change: impl FnOnce(&mut Snapshot)) -> Build {
        change(&mut self.0);
        self
    }

    pub fn done(self) -> Snapshot {
        self.0
    }
}

/// The node of the contract's example: one tenant is degraded, one is well.
pub fn degraded() -> Build {
    Build::node()
        .tenant("acme")
        .tenant("beta")
        .check("disk", Level::Ok, "40 GiB free")
        .check("doctor@acme", Level::Degraded, "agent database refused")
        .check("doctor@beta", Level::Ok, "nothing to complain about")
}

pub fn operation(reason: &str) -> Operation {
    Operation {
        actor: "uid 501 (ann)".into(),
        reason: reason.into(),
        ticket: Some("OPS-1".into()),
        started: now().wall,
        until: Some(now().wall + Duration::from_secs(7200)),
    }
}

/// A sliding window without rows, rolled a second ago.
pub fn digest() -> DigestView {
    DigestView {
        rolled_at: now().at.before(Duration::from_secs(1)),
        rolled_wall: now().wall.plus_millis(-1000),
        sliding: Arc::new(WindowView::quiet(now().wall.plus_millis(-300_000), now().wall)),
        aligned: BTreeMap::new(),
        remote: None,
        sources: BTreeMap::new(),
        upto: 0,
    }
}

fn check_view(id: CheckId, level: Level, verdict: Verdict, summary: &str) -> CheckView {
    let answered = level != Level::Pending;
    let mut finding = match verdict {
        Verdict::Ok => Finding::ok(summary),
        Verdict::Degraded => Finding::degraded(summary),
        Verdict::Down => Finding::down(summary),
    };
    if level == Level::Unknown {
        finding.answer = Answer::Unknown;
        finding.cause = Some(crate::words::Cause::Timeout);
    }
    CheckView {
        title: format!("The probe {}", id.probe),
        layer: if id.tenant.is_some() {
            Layer::Runtime
        } else {
            Layer::Host
        },
        level,
        answered: answered.then_some(verdict),
        counts_as: verdict.into(),
        required: true,
        summary: summary.into(),
        since: now().wall.plus_millis(-600_000),
        checked_at: answered.then(|| now().wall.plus_millis(-12_000)),
        checked_instant: answered.then(|| now().at.before(Duration::from_secs(12))),
        hint: format!("Run: readyd explain {id}"),
        known_good: Some("df -h; df -i".into()),
        explained_by: None,
        flapping: false,
        in_maintenance: false,
        finding: answered.then(|| Arc::new(finding)),
        cost: None,
        every: Duration::from_secs(300),
        max_stale: Duration::from_secs(960),
        notice_within: Duration::from_secs(450),
        next_due: Some(now().at + Duration::from_secs(288)),
        history: Arc::new([LevelChange {
            at: now().wall.plus_millis(-600_000),
            from: Level::Pending,
            to: level,
            summary: summary.into(),
        }]),
        id,
    }
}
