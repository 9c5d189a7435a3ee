//! Checks that are asked because another source has news of what they rest on.

use super::Engine;
use crate::probe::declaration::{Asks, Parse, Probe};
use crate::words::{Answer, CheckId, Now, TenantName};

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

    /// A tenant's secrets are down only while its gateway does not serve. They are asked every ten minutes and the gateway
    /// every ten seconds: the gateway that is back must not stay out of rotation for the difference.
    pub(super) fn ask_what_is_refuted(&mut self, now: Now, check: &CheckId, answer: Answer) {
        let serves = matches!(answer, Answer::Ok | Answer::Degraded);
        let (Some(tenant), true) = (&check.tenant, serves && self.config.probe(check).is_some_and(is_readyz)) else {
            return;
        };
        let refuted: Vec<CheckId> = (self.readiness.downs_of(tenant))
            .filter(|(_, probe)| matches!(&probe.asks, Asks::Exec(exec) if exec.parse == Parse::Secrets))
            .map(|(check, _)| check.clone())
            .collect();
        for check in refuted {
            self.schedule.touch(now.at, &check);
        }
    }
}

fn is_readyz(probe: &std::sync::Arc<Probe>) -> bool {
    matches!(&probe.asks, Asks::Http(http) if http.parse == Parse::Readyz)
}
