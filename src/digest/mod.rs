//! Counts into windows, rows, budgets and findings; in memory, fed by what the store has made durable.
//!
//! ```text
//! Batch ─ fold ─┬─ by arrival ────▶ sliding ─▶ budgets ─▶ Finding (readiness)
//!               └─ by event time ─▶ aligned ─▶ bodies, rollups (history)
//! ```
//!
//! Invariants: nothing here reads a clock or touches the world. Every event of a batch is counted in
//! an aligned window or as late. What [`Digest::checkpoint`] hands out contains every batch up to its
//! `upto`. Time in the sliding window runs on [`crate::words::Instant`]; the wall clock files aligned
//! windows and bridges boots.

mod adhoc;
mod aligned;
pub mod answer;
mod body;
mod budget;
mod counting;
mod counts;
mod filing;
mod fold;
mod gaps;
mod judge;
mod remote;
mod restore;
mod rollup;
mod rows;
mod settings;
mod skews;
mod sliding;
mod sources;
mod state;
mod tally;
pub mod view;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub use aligned::window_view;
pub use body::merge_window;
pub use counting::{Gap, SourceView};
pub use counts::Counts;
pub use rollup::rollup;
pub use settings::{Settings, TenantBudgets};

use crate::engine;
use crate::ingest::delta::{Batch, Reporter};
use crate::probe::declaration::Sender;
use crate::store::Fold;
use crate::words::{Instant, Now, TenantName, Wall};
use adhoc::Adhoc;
use aligned::{LATE_AFTER_GAP_SECONDS, WINDOW_SECONDS, Windows, window_of};
use body::SlotBody;
use budget::Budgets;
use counting::Counting;
use filing::{Filing, SLOT_MILLIS, SLOT_SECONDS, Slot};
use gaps::Gaps;
use remote::Remote;
use skews::Skews;
use sliding::Sliding;
use sources::Sources;
use state::{OVER_STORED_MAX, State};
use view::{DigestView, Dropped, WindowView};

/// A longer pause between two rolls was a sleep.
const RESUME_AFTER: Duration = Duration::from_secs(10);
/// Windows are shown anew at most this often, since what changes after it is copied; small ones with every snapshot, so
/// that a reason and its row show together.
const RENDER_EVERY: Duration = Duration::from_secs(1);
const RENDER_SOON_ROWS_MAX: usize = 2_000;
const WINDOWS_KEPT_SECONDS: i64 = 7 * 24 * 3600;
const ROLLUPS_KEPT_SECONDS: i64 = 90 * 24 * 3600;

/// The digest of one node. One owner feeds it and asks it.
#[derive(Clone, Debug)]
pub struct Digest {
    settings: Settings,
    filing: Filing,
    sliding: Sliding,
    windows: Windows,
    budgets: Budgets,
    sources: Sources,
    counting: Counting,
    skews: Skews,
    /// Windows in which readyd was down, asleep or could not commit.
    outages: Gaps,
    adhoc: Adhoc,
    remote: Option<Remote>,
    counts: Counts,
    /// The last batch that is contained.
    upto: i64,
    /// Batches were folded that no checkpoint contains.
    unwritten: bool,
    /// The slot of the last checkpoint.
    checkpointed: Option<Slot>,
    /// The last roll that advanced.
    rolled: Now,
    /// The last roll, whether it advanced or not.
    looked: Now,
    /// When a sleep last ended: patience counts from there.
    resumed_at: Instant,
    is_stuck: bool,
    state_changed: bool,
    shown: Shown,
}

/// What was shown last, and what of it is behind.
#[derive(Clone, Debug)]
struct Shown {
    rendered_at: Option<Instant>,
    sliding: Arc<WindowView>,
    upto: i64,
    aligned: BTreeMap<i64, Arc<WindowView>>,
    whole: Option<Arc<DigestView>>,
    sliding_behind: bool,
    aligned_behind: bool,
}

impl Digest {
    pub fn new(settings: Settings, now: Now) -> Digest {
        let filing = Filing::new(now);
        let sliding = Sliding::new(filing.slot(now.at));
        let mut counts = Counts::default();
        counts.begin(&settings, &Adhoc::default());
        let shown = Shown {
            rendered_at: None,
            sliding: Arc::new(sliding.view(now, &filing, Dropped::default())),
            upto: 0,
            aligned: BTreeMap::new(),
            whole: None,
            sliding_behind: false,
            aligned_behind: false,
        };
        Digest {
            sliding,
            remote: settings.source.as_deref().map(|source| Remote::new(now, source)),
            settings,
            filing,
            windows: Windows::default(),
            budgets: Budgets::default(),
            sources: Sources::default(),
            counting: Counting::default(),
            skews: Skews::default(),
            outages: Gaps::default(),
            adhoc: Adhoc::default(),
            counts,
            upto: 0,
            unwritten: false,
            checkpointed: None,
            rolled: now,
            looked: now,
            resumed_at: now.at,
            is_stuck: false,
            state_changed: true,
            shown,
        }
    }

    /// Takes new budgets, tenants and a new source from now on; what was counted stays.
    pub fn configure(&mut self, now: Now, settings: Settings) {
        let same_source = self.remote.as_ref().map(Remote::source) == settings.source.as_deref();
        self.settings = settings;
        if !same_source {
            self.remote = self.settings.source.as_deref().map(|source| Remote::new(now, source));
        }
        if let Some(remote) = &mut self.remote {
            remote.count(&self.settings);
        }
        self.state_changed |= self.adhoc.forget(&self.settings, self.filing.millis(now.at));
        self.expect_sources(now);
        self.counts.begin(&self.settings, &self.adhoc);
        self.assess_all(now);
        self.shown.whole = None;
    }

    /// Counts what one commit made durable. Batches come once each, in the order of their ids.
    pub fn fold(&mut self, now: Now, batch: &Batch) {
        self.observe(now);
        self.advance(now);
        let filed_now = self.filing.millis(now.at);
        let filed = self.filing.arrival(now, batch.arrival).unwrap_or(filed_now);
        let (late, folded) = self.take(now, Some(filed), batch);
        for lag in &batch.lags {
            self.skews.see(now.at, lag);
        }
        self.counts.late = self.counts.late.saturating_add(late);
        self.counts.folded = self.counts.folded.saturating_add(folded);
        self.counts.rejected = self.counts.rejected.saturating_add(batch.rejected);
        for (of, run) in fold::runs(batch) {
            let tenant = &of.subject.tenant;
            let counts = (self.counting).counts(&self.settings, tenant, of.via, filed, batch.log_id);
            for run in run.chunk_by(|(one, _), (next, _)| one.code == next.code) {
                let count = run.iter().fold(0, |sum: u64, (_, cell)| sum.saturating_add(cell.count));
                match run.first() {
                    Some((key, _)) if counts => {
                        self.counts.add(&self.settings, &self.adhoc, tenant, key.code, count);
                    }
                    _ => self.counting.add_not_counted(tenant, of.via, count),
                }
            }
        }
    }

    /// A producer's connection opened or closed: call on each, a name may hold several.
    pub fn reporter(&mut self, now: Now, reporter: &Reporter, connected: bool) {
        let filed = self.filing.millis(now.at);
        if connected {
            self.sources.connected(now, filed, reporter);
        } else {
            self.sources.disconnected(now, filed, reporter);
        }
        self.state_changed = true;
    }

    /// Those whose clock is known from what they report.
    pub fn senders(&self, now: Instant) -> impl Iterator<Item = Sender> {
        self.skews.senders(now)
    }

    /// readyd was down, asleep or could not commit: windows of that time take late events for 72 h.
    /// Sleeps and failed rolls are noticed by [`Digest::roll`] itself; to say it twice changes nothing.
    pub fn outage(&mut self, from: Wall, to: Wall) {
        self.state_changed |= self.outages.add(from, to);
    }

    /// Another node's digest was had, or why not. Ignored when no source is configured.
    pub fn remote(&mut self, now: Now, fetched: Result<engine::Remote, String>) {
        if let Some(remote) = &mut self.remote {
            remote.take(now, &self.settings, fetched);
            self.assess_all(now);
            self.shown.whole = None;
        }
    }

    /// Moves the windows on. Once a second; `advancing`: ingest accepts and the store commits.
    ///
    /// While it does not advance nothing ages out: what was known last stays, with its age.
    pub fn roll(&mut self, now: Now, advancing: bool) {
        self.observe(now);
        if now.at.since(self.looked.at) > RESUME_AFTER {
            self.resumed_at = now.at;
            self.sources.resume(now);
            self.outage(self.looked.wall, now.wall);
        }
        self.looked = now;
        if !advancing {
            self.is_stuck = true;
            return;
        }
        if std::mem::take(&mut self.is_stuck) {
            self.outage(self.rolled.wall, now.wall);
        }
        self.rolled = now;
        self.shown.whole = None;
        if self.advance(now) {
            self.forget(now);
        }
        self.shown.aligned_behind |= self.windows.roll(now.wall);
        if self.remote.as_mut().is_some_and(|remote| remote.forget_old(now)) {
            self.assess_all(now);
        }
    }

    /// What the store has to write over, at most once a slot; `None` when nothing changed.
    ///
    /// Whoever takes it must hand it to the store: the digest believes that it is written.
    pub fn checkpoint(&mut self, now: Now) -> Option<Fold> {
        let slot = self.filing.slot(now.at);
        let is_due = self.checkpointed.is_none_or(|last| last < slot);
        if !is_due || !(self.unwritten || self.sliding.is_dirty() || self.windows.is_dirty()) {
            return None;
        }
        self.checkpointed = Some(slot);
        self.unwritten = false;
        let today = window_of(self.careful_wall(now));
        let mut fold = Fold {
            upto: self.upto,
            slots_from: i64::from(self.sliding.oldest()) * SLOT_SECONDS,
            windows_from: today - WINDOWS_KEPT_SECONDS,
            rollups_from: today - ROLLUPS_KEPT_SECONDS,
            ..Fold::default()
        };
        for slot in self.sliding.take_dirty() {
            let middle = i64::from(slot) * SLOT_MILLIS + SLOT_MILLIS / 2;
            let body = SlotBody {
                boot: self.settings.boot.clone(),
                middle_instant: self.filing.instant_millis(middle),
                middle_wall: self.filing.wall(now, middle),
                tenants: self.sliding.slot(slot),
            };
            fold.slots.push((i64::from(slot) * SLOT_SECONDS, body::write(&body)));
        }
        self.windows.checkpoint(now.wall, &mut fold);
        self.shown.aligned_behind = true;
        Some(fold)
    }

    /// The store begins anew with an empty file: everything that is held is to be written again.
    pub fn forget_written(&mut self) {
        self.sliding.mark_all_dirty();
        self.windows.mark_all_dirty();
        self.state_changed = true;
        self.unwritten = true;
        // Not at the next slot: until it is written, a kill would lose it.
        self.checkpointed = None;
    }

    /// The store merged late parts into windows that had no room for so many of their events' endpoints.
    pub fn merged(&mut self, folded: u64) {
        self.counts.folded = self.counts.folded.saturating_add(folded);
        self.shown.sliding_behind = true;
    }

    /// JSON for the state table, when it changed since it was last asked for.
    pub fn state(&mut self, now: Now) -> Option<String> {
        if !std::mem::take(&mut self.state_changed) {
            return None;
        }
        let over = self.budgets.iter().flat_map(|(tenant, over)| {
            let whole = over.tenant.then(|| (tenant.clone(), None));
            let endpoints = over
                .endpoints
                .iter()
                .map(|endpoint| (tenant.clone(), Some(Arc::clone(endpoint))));
            whole.into_iter().chain(endpoints)
        });
        let wall_of = |filed| self.filing.wall(now, filed);
        serde_json::to_string(&State {
            boot: self.settings.boot.clone(),
            readings: self.filing.readings().to_vec(),
            sources: self.sources.stored(wall_of),
            counting: self.counting.stored(wall_of),
            outages: self.outages.clone(),
            adhoc: self
                .adhoc
                .iter()
                .map(|(tenant, last)| (tenant.clone(), wall_of(last)))
                .collect(),
            over: over.take(OVER_STORED_MAX).collect(),
        })
        .ok()
    }

    /// The digest as it is shown. Cheap when nothing changed; rows are rendered by who looks at them.
    pub fn view(&mut self, now: Now) -> Arc<DigestView> {
        self.render(now);
        if let Some(whole) = &self.shown.whole {
            return Arc::clone(whole);
        }
        let whole = Arc::new(DigestView {
            rolled_at: self.rolled.at,
            rolled_wall: self.rolled.wall,
            sliding: Arc::clone(&self.shown.sliding),
            upto: self.shown.upto,
            aligned: self.shown.aligned.clone(),
            remote: self.remote.as_ref().map(Remote::view),
            sources: self.source_views(now),
        });
        self.shown.whole = Some(Arc::clone(&whole));
        whole
    }

    /// Totals for metrics, since the start of the process.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    fn observe(&mut self, now: Now) {
        if self.filing.observe(now) {
            self.skews.clear();
            self.state_changed = true;
            self.shown.sliding_behind = true;
        }
    }

    /// Moves the sliding window to the slot of now; `true` when it moved.
    fn advance(&mut self, now: Now) -> bool {
        let moved = self.sliding.advance(self.filing.slot(now.at));
        if moved {
            self.shown.sliding_behind = true;
            self.clear(now);
        }
        moved
    }

    /// Lets go of what is back within its budget. Not while the other node has yet to say its part: a
    /// restart heals nothing.
    fn clear(&mut self, now: Now) {
        let patience = self.settings.stale_after;
        if self
            .remote
            .as_ref()
            .is_some_and(|remote| remote.is_awaited(now, patience))
        {
            return;
        }
        let standing = Standing::of(&self.sliding, self.remote.as_ref());
        self.state_changed |= self.budgets.clear(&self.settings, &standing);
    }

    /// Once a slot: lets go of what nothing asks for any more.
    fn forget(&mut self, now: Now) {
        let filed = self.filing.millis(now.at);
        let oldest = window_of(self.careful_wall(now)) - LATE_AFTER_GAP_SECONDS - 2 * WINDOW_SECONDS;
        self.state_changed |= self.sources.forget(oldest, filed);
        self.state_changed |= self.counting.forget(&self.settings, filed);
        self.skews.forget(now.at);
        self.expect_sources(now);
        if self.adhoc.forget(&self.settings, filed) {
            self.state_changed = true;
            self.counts.begin(&self.settings, &self.adhoc);
        }
        self.outages.forget_before(oldest);
    }

    /// Holds every count against its budget: after the budgets or the remote rows changed.
    fn assess_all(&mut self, now: Now) {
        let standing = Standing::of(&self.sliding, self.remote.as_ref());
        let remote = self.remote.iter().flat_map(Remote::endpoints);
        for (tenant, endpoint, _) in self.sliding.endpoints().chain(remote) {
            self.state_changed |= self.budgets.raise(&self.settings, tenant, endpoint, &standing);
        }
        self.clear(now);
    }

    /// The wall clock, unless it was stepped forward: that must not make anything forgotten.
    fn careful_wall(&self, now: Now) -> Wall {
        now.wall.min(Wall::from_millis(self.filing.millis(now.at)))
    }

    fn dropped(&self) -> Dropped {
        Dropped {
            late: self.counts.late,
            rejected: self.counts.rejected,
            folded: self.counts.folded,
        }
    }

    fn render(&mut self, now: Now) {
        let is_small = self.shown.sliding.rows.count() <= RENDER_SOON_ROWS_MAX;
        let is_due = (self.shown.rendered_at).is_none_or(|last| is_small || now.at.since(last) >= RENDER_EVERY);
        if !is_due || !(self.shown.sliding_behind || self.shown.aligned_behind) {
            return;
        }
        let dropped = self.dropped();
        if self.shown.sliding_behind {
            self.shown.sliding = Arc::new(self.sliding.view(now, &self.filing, dropped));
            self.shown.upto = self.upto;
        }
        self.shown.aligned = self.windows.views(dropped);
        self.shown.rendered_at = Some(now.at);
        self.shown.sliding_behind = false;
        self.shown.aligned_behind = false;
        self.shown.whole = None;
    }
}

/// What stands in the sliding window, here and on the other node.
struct Standing<'a> {
    sliding: &'a Sliding,
    remote: Option<&'a Remote>,
}

impl<'a> Standing<'a> {
    fn of(sliding: &'a Sliding, remote: Option<&'a Remote>) -> Self {
        Standing { sliding, remote }
    }
}

impl budget::Counted for Standing<'_> {
    fn tenant(&self, tenant: &TenantName) -> u64 {
        let remote = self.remote.map_or(0, |remote| remote.failures(tenant));
        self.sliding.failures(tenant).saturating_add(remote)
    }

    fn endpoint(&self, tenant: &TenantName, endpoint: &str) -> u64 {
        let remote = self
            .remote
            .map_or(0, |remote| remote.endpoint_failures(tenant, endpoint));
        self.sliding.endpoint_failures(tenant, endpoint).saturating_add(remote)
    }
}
