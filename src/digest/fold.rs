//! One batch into windows: the hot path of the digest, a few look-ups per cell.

use std::sync::Arc;

use super::aligned::{CLOSE_AFTER_SECONDS, Counted, LATE_AFTER_GAP_SECONDS, WINDOW_SECONDS, takes_late, window_of};
use super::filing::{Slot, slot_of};
use super::tally::{self, Cell};
use super::{Digest, Standing};
use crate::ingest::delta::{Batch, CellCount, CellKey};
use crate::words::{Now, TenantName, Wall};

impl Digest {
    /// Counts a batch that arrived at `filed` (`None`: nobody can say when). Returns how many events were late
    /// and how many were folded.
    pub(super) fn take(&mut self, now: Now, filed: Option<i64>, batch: &Batch) -> (u64, u64) {
        self.upto = self.upto.max(batch.log_id);
        self.unwritten = true;
        self.shown.sliding_behind = true;
        self.shown.aligned_behind = true;
        let slot = filed.map(slot_of).filter(|slot| self.sliding.holds(*slot));
        let filed = filed.unwrap_or_else(|| self.filing.millis(now.at));
        for (reporter, tenant) in &batch.reporters {
            let (tenant, _) = self.file(tenant, filed);
            if tenant != TenantName::other() {
                self.state_changed |= self.sources.reported(now, filed, batch.arrival, reporter, &tenant);
            }
        }
        for (of, _) in runs(batch) {
            self.state_changed |=
                (self.counting).heard(&self.settings, &of.subject.tenant, of.via, filed, batch.log_id);
        }
        let (mut late, mut folded) = (0_u64, 0_u64);
        for (of, run) in runs(batch) {
            if !(self.counting).counts(&self.settings, &of.subject.tenant, of.via, filed, batch.log_id) {
                continue;
            }
            let (tenant, is_strange) = self.file(&of.subject.tenant, filed);
            let mut others_failed = false;
            for (key, count) in run {
                let failed = tally::family(key.code).map(|_| Cell::new(key.code, &key.subject.gateway, count));
                let mut is_folded = is_strange;
                if let Some(slot) = slot.filter(|_| key.live) {
                    match &failed {
                        Some(cell) => {
                            let is_other = self.slide(slot, &tenant, &key.subject.endpoint, cell);
                            others_failed |= is_other;
                            is_folded |= is_other;
                        }
                        None => self.sliding.deliver(slot, &tenant, count.count),
                    }
                }
                let window = window_by(key.window, batch.arrival);
                if self.takes(batch, &key.subject.tenant, window) {
                    let counted = match failed {
                        None => Counted::Delivered(count.count),
                        Some(cell) => Counted::Failed(&key.subject.endpoint, cell),
                    };
                    is_folded |= self.windows.add(batch, window, &tenant, counted);
                } else {
                    late = late.saturating_add(count.count);
                }
                if is_folded {
                    folded = folded.saturating_add(count.count);
                }
            }
            if others_failed {
                self.raise(&tenant, &tally::other());
            }
        }
        (late, folded)
    }

    /// Counts a failure in the sliding window; `true` when its endpoint was one too many. Those are all held against one
    /// budget, once.
    fn slide(&mut self, slot: Slot, tenant: &TenantName, endpoint: &Arc<str>, cell: &Cell) -> bool {
        let is_other = self.sliding.fail(slot, tenant, endpoint, cell);
        if !is_other {
            self.raise(tenant, endpoint);
        }
        is_other
    }

    fn raise(&mut self, tenant: &TenantName, endpoint: &Arc<str>) {
        let standing = Standing::of(&self.sliding, self.remote.as_ref());
        self.state_changed |= self.budgets.raise(&self.settings, tenant, endpoint, &standing);
    }

    /// Whether an aligned window takes events of this batch.
    fn takes(&self, batch: &Batch, tenant: &TenantName, window: i64) -> bool {
        if takes_late(window, batch.arrival) {
            return true;
        }
        // A batch does not say which of its reporters a cell comes from: any of the tenant's will do.
        let sender_was_away =
            || (batch.reporters.iter()).any(|(reporter, of)| of == tenant && self.sources.was_away(reporter, window));
        batch.arrival.as_secs() < window + WINDOW_SECONDS + LATE_AFTER_GAP_SECONDS
            && (self.outages.contains(window) || sender_was_away())
    }

    /// The name to count a tenant under, and whether that is not its own.
    fn file(&mut self, tenant: &TenantName, filed: i64) -> (TenantName, bool) {
        let (name, is_new) = self.adhoc.file(&self.settings, tenant, filed);
        self.state_changed |= is_new;
        let is_folded = name != *tenant;
        (name, is_folded)
    }
}

/// Cells of one tenant that came one way and follow each other, with the key of the first: what depends on these two is
/// looked up once, however many endpoints there are.
pub(super) fn runs(batch: &Batch) -> impl Iterator<Item = (&CellKey, &[(CellKey, CellCount)])> {
    let is_same = |one: &CellKey, next: &CellKey| one.via == next.via && one.subject.tenant == next.subject.tenant;
    (batch.cells)
        .chunk_by(move |(one, _), (next, _)| is_same(one, next))
        .filter_map(|run| Some((&run.first()?.0, run)))
}

/// The aligned window that a cell says, within what ingest can mean: no event is filed further ahead
/// of its arrival than 30 s.
fn window_by(said: i64, arrival: Wall) -> i64 {
    let latest = window_of(arrival.plus_millis(CLOSE_AFTER_SECONDS * 1000));
    (said.div_euclid(WINDOW_SECONDS) * WINDOW_SECONDS).min(latest)
}
