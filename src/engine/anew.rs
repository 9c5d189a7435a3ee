//! Checks that are asked because another source has news of what they rest on.

use std::time::Duration;

use super::Engine;
use crate::probe::declaration::{Asks, Parse, Probe};
use crate::words::{Answer, CheckId, Now, TenantName};

/// What a check answered before, and now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    pub before: Option<Answer>,
    pub now: Answer,
}

/// A check that says otherwise than the gateway itself, although it was asked since, is asked this often: it may ask
/// elsewhere, and costs seconds of CPU.
const DISPUTED_EVERY: Duration = Duration::from_secs(60);

impl Engine {
    /// The link knows them, so that the answer costs nothing.
    pub(super) fn ask_what_duties_cost(&mut self, tenant: &TenantName) {
        for (check, probe) in self.config.checks() {
            let reads = matches!(&probe.asks, Asks::Exec(exec) if exec.parse == Parse::Cost);
            if reads && check.tenant.as_ref() == Some(tenant) {
                self.schedule.ask_now(&check);
            }
        }
    }

    /// A cause that is over may be the only reason why others were unwell or could not be asked: they wait for their
    /// regular time, minutes perhaps, while everything works.
    pub(super) fn ask_what_was_explained(&mut self, now: Now, cause: &CheckId, turn: Turn) {
        if turn.before != Some(Answer::Down) || !matches!(turn.now, Answer::Ok | Answer::Degraded) {
            return;
        }
        let is_in_reach = |check: &CheckId| cause.tenant.is_none() || cause.tenant == check.tenant;
        let symptoms: Vec<CheckId> = (self.readiness.unwell())
            .filter(|(check, probe)| is_in_reach(check) && probe.explained_by.contains(&cause.probe))
            .map(|(check, _)| check.clone())
            .collect();
        for check in symptoms {
            self.schedule.touch(now.at, &check);
        }
    }

    /// A tenant's secrets are down only while its gateway does not serve. They are asked every ten minutes and the gateway
    /// every ten seconds: the gateway that is back must not stay out of rotation for the difference.
    pub(super) fn ask_what_is_refuted(&mut self, now: Now, check: &CheckId, turn: Turn) {
        let serves = matches!(turn.now, Answer::Ok | Answer::Degraded);
        let (Some(tenant), true) = (&check.tenant, serves && self.config.probe(check).is_some_and(is_readyz)) else {
            return;
        };
        let refuted: Vec<CheckId> = (self.readiness.downs_of(tenant))
            .filter(|down| matches!(&down.probe.asks, Asks::Exec(exec) if exec.parse == Parse::Secrets))
            .filter(|down| {
                let is_recent = (down.checked).is_some_and(|checked| now.at.since(checked) < DISPUTED_EVERY);
                turn.before == Some(Answer::Down) || !is_recent
            })
            .map(|down| down.check.clone())
            .collect();
        for check in refuted {
            self.schedule.touch(now.at, &check);
        }
    }
}

fn is_readyz(probe: &std::sync::Arc<Probe>) -> bool {
    matches!(&probe.asks, Asks::Http(http) if http.parse == Parse::Readyz)
}
