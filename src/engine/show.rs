//! What is shown: everything that the parts know, in one snapshot.

use std::sync::Arc;

use super::Engine;
use crate::readiness::snapshot::Snapshot;
use crate::words::Now;

impl Engine {
    /// Of now; nothing is judged for it.
    pub(super) fn snapshot(&mut self, now: Now) -> Snapshot {
        let digest = self.digest.view(now);
        let (schedule, internal) = (&self.schedule, &self.internal);
        let mut snapshot = self.readiness.view(
            now,
            digest,
            &|check| schedule.next_due(check).or_else(|| internal.next_due(check)),
            self.config_status.clone(),
            self.durability.not_yet_durable(now.at),
        );
        snapshot.links.clone_from(&self.links);
        for check in &mut snapshot.checks {
            check.known_good = self.known_good.command(&check.id, check.layer);
        }
        snapshot.fragments = Arc::clone(&self.config.fragments);
        snapshot
    }
}
