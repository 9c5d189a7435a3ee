//! Taking up where an earlier process ended.

use super::Digest;
use super::aligned::LATE_AFTER_GAP_SECONDS;
use super::body::{self, SlotBody};
use super::filing::{SLOT_MILLIS, SLOT_SECONDS, Slot, slot_of};
use super::sliding::Sliding;
use super::state::State;
use crate::ingest::delta::Batch;
use crate::words::{Now, TenantName, Wall};

impl Digest {
    /// Takes up what the store has. Once, right after [`Digest::new`].
    ///
    /// `state` is what [`Digest::state`] said last. `alive_until` is when the earlier process is known to
    /// have been at work: from then until now is an outage, and its producers are away. `None`: there was
    /// none, and events of the last 72 h are welcome. What cannot be read is counted
    /// ([`super::Counts::unreadable`]) and left alone.
    pub fn restore(
        &mut self,
        now: Now,
        slots: &[(i64, Vec<u8>)],
        windows: &[(i64, TenantName, Vec<u8>)],
        state: Option<&str>,
        log: &[Batch],
        alive_until: Option<Wall>,
    ) {
        let state = self.readable(state);
        let boot = &self.settings.boot;
        if !boot.is_empty() && state.boot == *boot {
            self.filing.remember(now, &state.readings);
        }
        self.restore_slots(now, slots);
        self.counts.unreadable += self.windows.restore(windows);
        let newest = log.iter().map(|batch| batch.arrival).max();
        let alive_until = alive_until
            .or(newest)
            .unwrap_or_else(|| now.wall.plus_millis(-LATE_AFTER_GAP_SECONDS * 1000));
        self.restore_state(now, state, alive_until);
        for batch in log {
            let filed = self.filing.arrival(now, batch.arrival);
            // What was late or folded then was counted by the process that was there.
            self.take(now, filed, batch);
        }
        self.assess_all(now);
        self.state_changed = true;
        self.shown.sliding_behind = true;
        self.shown.aligned_behind = true;
    }

    fn readable(&mut self, state: Option<&str>) -> State {
        let Some(text) = state else {
            return State::default();
        };
        serde_json::from_str(text).unwrap_or_else(|_| {
            self.counts.unreadable += 1;
            State::default()
        })
    }

    fn restore_state(&mut self, now: Now, state: State, alive_until: Wall) {
        self.outages = state.outages;
        self.outages.tidy();
        self.outages.add(alive_until, now.wall);
        let filed_now = self.filing.millis(now.at);
        let filed_of = |wall: Wall| self.filing.arrival(now, wall).unwrap_or(filed_now);
        self.sources.restore(now, alive_until, state.sources, filed_of);
        self.counting.restore(state.counting, filed_now, filed_of);
        for (tenant, last) in state.adhoc.into_iter().take(self.settings.adhoc_tenants_max) {
            if !self.settings.knows(&tenant) {
                self.adhoc.restore(tenant, filed_of(last));
            }
        }
        for (tenant, endpoint) in state.over {
            self.budgets.restore(tenant, endpoint);
        }
        self.expect_sources(now);
    }

    /// Puts slots where their true age says, whatever key they were stored under.
    fn restore_slots(&mut self, now: Now, slots: &[(i64, Vec<u8>)]) {
        let keyed: Vec<(Slot, &Vec<u8>)> = slots
            .iter()
            .filter_map(|(key, bytes)| Some((Slot::try_from(key.div_euclid(SLOT_SECONDS)).ok()?, bytes)))
            .collect();
        if let Some(newest) = keyed.iter().map(|(slot, _)| *slot).max()
            && newest > self.filing.slot(now.at)
        {
            self.filing.lift_above(now, newest);
        }
        self.sliding = Sliding::new(self.filing.slot(now.at));
        let mut moved = Vec::new();
        for (stored_as, bytes) in keyed {
            let restored = match body::read::<SlotBody>(bytes) {
                Ok(body) => self.slot_by_age(now, &body).map(|slot| (slot, body)),
                Err(_) => {
                    self.counts.unreadable += 1;
                    continue;
                }
            };
            if let Some((slot, body)) = &restored {
                self.sliding.restore(*slot, body);
                // Its age was told by the wall clock, once: from now on this boot's own clock tells it.
                if body.boot != self.settings.boot {
                    moved.push(*slot);
                }
            }
            let slot = restored.map(|(slot, _)| slot);
            if slot != Some(stored_as) {
                moved.extend(slot);
                moved.push(stored_as);
            }
        }
        // Both ends of a move are written over with the next checkpoint, or they would count twice; so is what another boot
        // has written.
        for slot in moved {
            if self.sliding.holds(slot) {
                self.sliding.mark_dirty(slot);
            }
        }
    }

    /// Where a stored slot belongs now; `None` when it is too old, or from the future: that is stale too.
    fn slot_by_age(&self, now: Now, body: &SlotBody) -> Option<Slot> {
        let same_boot = !body.boot.is_empty() && body.boot == self.settings.boot;
        let filed_now = self.filing.millis(now.at);
        let age = if same_boot {
            self.filing
                .instant_millis(filed_now)
                .saturating_sub(body.middle_instant)
        } else {
            now.wall.millis_since(body.middle_wall)
        };
        // The middle of the slot that is being filled may be ahead.
        if age < -SLOT_MILLIS {
            return None;
        }
        let slot = slot_of(filed_now.saturating_sub(age)).min(self.sliding.current());
        self.sliding.holds(slot).then_some(slot)
    }
}
