//! The snapshot: everything that is shown, at one moment.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Readiness;
use super::dependency::{self, Suspect};
use super::freshness::Moment;
use super::fuse::{self, Fused, Shown};
use super::hint;
use super::snapshot::{CheckView, ConfigStatus, Phase, Reason, Snapshot, TenantView};
use crate::config::checks::worst_case;
use crate::digest::view::DigestView;
use crate::words::{CheckId, CountsAs, Instant, Level, Now, Verdict};

/// `Retry-After` while starting and while draining, in whole seconds.
pub const STARTING_RETRY_SECS: u64 = 1;
pub const DRAINING_RETRY_SECS: u64 = 10;

type NextDue<'a> = &'a dyn Fn(&CheckId) -> Option<Instant>;

impl Readiness {
    /// Everything, at `now`. `next_due`: when the schedule asks a check next.
    pub fn view(
        &self,
        now: Now,
        digest: Arc<DigestView>,
        next_due: NextDue<'_>,
        config: ConfigStatus,
        not_yet_durable: bool,
    ) -> Snapshot {
        let checks = self.check_views(now, next_due);
        let fused = self.fused(&checks);
        let phase = self.phase();
        let facts = self.facts();
        let down = checks
            .iter()
            .filter(|check| check.counts_as == CountsAs::Down)
            .collect::<Vec<_>>();

        let tenants = fused.tenants.into_iter().map(|(name, tenant)| {
            let facts = &facts[name];
            let answer_phase = match (phase, facts.phase) {
                (Phase::Draining, _) | (_, Phase::Draining) => Phase::Draining,
                (Phase::Starting, _) | (_, Phase::Starting) => Phase::Starting,
                (Phase::Serving, Phase::Serving) => Phase::Serving,
            };
            let of_answer = |id: &CheckId| id.tenant.is_none() || id.tenant.as_ref() == Some(name);
            let view = TenantView {
                name: name.clone(),
                verdict: tenant.verdict,
                phase: facts.phase,
                since: self.tenants[name].memory.since,
                required: facts.required,
                maintenance: facts.maintenance.cloned(),
                drain: facts.drain.cloned(),
                counts_as: tenant.counts_as,
                answer: tenant.answer,
                answer_phase,
                reasons: tenant.reasons,
                retry_after: retry_after(now, answer_phase, &down, of_answer),
            };
            (name.clone(), view)
        });
        let tenants = tenants.collect::<std::collections::BTreeMap<_, _>>();
        let counts_down = |id: &CheckId| match &id.tenant {
            Some(tenant) => tenants
                .get(tenant)
                .is_some_and(|tenant| tenant.counts_as == CountsAs::Down),
            None => true,
        };
        Snapshot {
            node: self.settings.node.clone(),
            labels: self.settings.labels.clone(),
            made: now,
            phase,
            verdict: fused.verdict,
            since: match self.node.shown == Some((fused.verdict, phase)) {
                true => self.node.since,
                false => now.wall,
            },
            cycle: self.cycle.complete,
            green_cycles: self.cycle.green,
            reasons: fused.reasons,
            drain: self.node_drain().cloned(),
            retry_after: retry_after(now, phase, &down, counts_down),
            last_change: self.node.last_change.clone(),
            not_yet_durable,
            links: BTreeMap::new(),
            fragments: Arc::default(),
            digest,
            config,
            tenants,
            checks,
        }
    }

    pub(super) fn reasons_now(&self, now: Now) -> Vec<Reason> {
        self.fused(&self.check_views(now, &|_| None)).reasons
    }

    fn fused<'a>(&'a self, checks: &'a [CheckView]) -> Fused<'a> {
        fuse::fuse(&Shown {
            checks: checks.iter().collect(),
            tenants: self.facts(),
            faults: dependency::faults(self.checks.iter()),
            unwatched: self.is_unwatched(),
            phase_reasons: self.phase_reasons(),
        })
    }

    /// Why the answer is 503 whatever the checks say.
    fn phase_reasons(&self) -> Vec<Reason> {
        let stopping = self.stopping.then(|| "draining: readyd is stopping".to_owned());
        let drain = self.node_drain().map(|drain| fuse::by("drained", drain));
        let starting = self.starting.as_ref().map(super::start::Starting::reason);
        let texts = [stopping, drain, starting].into_iter().flatten();
        texts.map(|text| fuse::node_reason(Verdict::Down, text)).collect()
    }

    /// All checks, worst first, then by name.
    fn check_views(&self, now: Now, next_due: NextDue<'_>) -> Vec<CheckView> {
        let at = self.judged_at(now);
        let mut views = self
            .checks
            .keys()
            .map(|id| self.check_view(now, at, id, next_due(id)))
            .collect::<Vec<_>>();
        let suspects = views
            .iter()
            .filter(|view| view.counts_as.verdict() > Verdict::Ok)
            .map(|view| Suspect {
                id: &view.id,
                layer: view.layer,
                counts_as: view.counts_as,
                down: view.answered == Some(Verdict::Down),
                explained_by: &self.checks[&view.id].probe.explained_by,
            })
            .collect::<Vec<_>>();
        let mut explained = dependency::explain(&suspects);
        for view in &mut views {
            view.explained_by = explained.remove(&view.id);
        }
        let weight = |view: &CheckView| (view.counts_as, badness(view.level));
        views.sort_by(|one, other| weight(other).cmp(&weight(one)).then_with(|| one.id.cmp(&other.id)));
        views
    }

    fn check_view(&self, now: Now, at: Moment, id: &CheckId, next_due: Option<Instant>) -> CheckView {
        let check = &self.checks[id];
        let grace = self.settings.startup_grace;
        let judged = check.judge(at, grace);
        let maintenance = id
            .tenant
            .as_ref()
            .and_then(|tenant| self.operations.maintenance(tenant));
        CheckView {
            id: id.clone(),
            title: check.probe.title.clone(),
            layer: check.probe.layer,
            level: judged.level,
            answered: check.remembered(),
            counts_as: match maintenance {
                Some(_) => CountsAs::Nothing,
                None => judged.counts_as,
            },
            required: check.probe.required,
            summary: check.summary(judged.standing, grace),
            since: match judged.level == check.memory.level {
                true => check.memory.since,
                false => now.wall,
            },
            checked_at: check.memory.checked.map(|stamp| stamp.wall),
            checked_instant: check.memory.checked.and_then(super::freshness::Stamp::instant),
            hint: hint::filled(&check.probe.hint, id.tenant.as_ref()),
            // The engine knows tenants; it fills this in.
            known_good: None,
            explained_by: None,
            flapping: check.is_flapping(),
            in_maintenance: maintenance.is_some(),
            finding: check.memory.finding.clone(),
            cost: check.memory.cost,
            every: check.probe.every,
            max_stale: check.probe.max_stale,
            notice_within: worst_case(&check.probe),
            next_due,
            history: check.history.clone(),
        }
    }
}

/// Among checks that count the same.
const fn badness(level: Level) -> u8 {
    match level {
        Level::Ok => 0,
        Level::Pending => 1,
        Level::Degraded => 2,
        Level::Unknown => 3,
        Level::Down => 4,
    }
}

/// Whole seconds until asking again can bring news: when the first of the checks that make it `down` is asked.
fn retry_after(now: Now, phase: Phase, down: &[&CheckView], counts: impl Fn(&CheckId) -> bool) -> u64 {
    match phase {
        Phase::Starting => STARTING_RETRY_SECS,
        Phase::Draining => DRAINING_RETRY_SECS,
        Phase::Serving => {
            let relevant = down.iter().filter(|check| counts(&check.id));
            let until = relevant.map(|check| check.next_due.map_or(check.every, |due| due.since(now.at)));
            let soonest = until.min().unwrap_or(Duration::ZERO);
            u64::try_from(soonest.as_millis().div_ceil(1000))
                .unwrap_or(u64::MAX)
                .max(1)
        }
    }
}
