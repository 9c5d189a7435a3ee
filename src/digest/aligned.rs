//! Aligned windows: filed by event time, for history and summaries.
//!
//! Invariant: a window that may have a body in the store and is not held here is only ever added to
//! (as a late fragment), never written over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::body::{self, WindowBody};
use super::rollup;
use super::rows::{self, Rows};
use super::tally::{Cell, Tally};
use super::view::{Dropped, WindowHead, WindowKind, WindowView};
use crate::ingest::delta::Batch;
use crate::store::Fold;
use crate::words::{TenantName, Wall};

pub(super) const WINDOW_SECONDS: i64 = 300;
/// A window closes this long after its end.
pub(super) const CLOSE_AFTER_SECONDS: i64 = 30;
/// Closed windows take late events for this long.
const LATE_SECONDS: i64 = 600;
/// Windows that missed something take them for this long after their end.
pub(super) const LATE_AFTER_GAP_SECONDS: i64 = 72 * 3600;
/// How far ahead of now a window may start and still be held; beyond, the wall clock was stepped back.
const AHEAD_SECONDS_MAX: i64 = 900;
/// Windows whose bodies are only in the store and that this process remembers having written: a week of them.
const WRITTEN_MAX: usize = 2016;

/// Start (Unix seconds) of the window that a moment falls in.
pub(super) fn window_of(moment: Wall) -> i64 {
    moment.as_secs().div_euclid(WINDOW_SECONDS) * WINDOW_SECONDS
}

/// Whether events of a window are still taken as a matter of course when they arrive at `arrival`.
pub(super) fn takes_late(window: i64, arrival: Wall) -> bool {
    arrival.as_secs() < window + WINDOW_SECONDS + CLOSE_AFTER_SECONDS + LATE_SECONDS
}

/// All of an earlier process's windows that were handed back, when there were this many starts of them; there
/// may be older ones ([`crate::store::Restored::windows`]).
const RESTORED_STARTS: usize = 5;

#[derive(Clone, Debug)]
pub(super) struct Windows {
    held: BTreeMap<i64, Window>,
    /// Once held here, now in the store alone.
    written: BTreeSet<i64>,
    /// Windows that start before this may have been written by an earlier process.
    known_from: i64,
    late: BTreeMap<(i64, TenantName), Part>,
}

/// Whether a window's time is over at `moment`: what comes then is late.
fn is_over(window: i64, moment: Wall) -> bool {
    moment.as_secs() >= window + WINDOW_SECONDS + CLOSE_AFTER_SECONDS
}

#[derive(Clone, Debug, Default)]
struct Window {
    is_final: bool,
    /// An empty part of `__other__` says that somebody was watching.
    parts: BTreeMap<TenantName, Part>,
    view: Option<Arc<WindowView>>,
}

/// One tenant's part of a window.
#[derive(Clone, Debug, Default)]
struct Part {
    /// Shared with the windows that are shown: it is copied when it changes.
    tally: Arc<Tally>,
    revision: u32,
    /// The last batch that was counted as a revision.
    revised_by: Option<i64>,
    is_dirty: bool,
}

/// What is counted: a delivery that succeeded needs no cell.
pub(super) enum Counted<'a> {
    Delivered(u64),
    Failed(&'a Arc<str>, Cell),
}

impl Windows {
    /// Counts into a window that takes it what arrived with a batch; `true` when its endpoint was one too many.
    pub fn add(&mut self, batch: &Batch, start: i64, tenant: &TenantName, counted: Counted<'_>) -> bool {
        self.hold(start);
        let (part, is_final) = match self.held.get_mut(&start) {
            Some(window) => {
                if is_over(start, batch.arrival) {
                    window.close();
                }
                window.view = None;
                (window.parts.entry(tenant.clone()).or_default(), window.is_final)
            }
            None => (self.late.entry((start, tenant.clone())).or_default(), true),
        };
        part.is_dirty = true;
        if is_final && part.revised_by != Some(batch.log_id) {
            part.revised_by = Some(batch.log_id);
            part.revision = part.revision.saturating_add(1);
        }
        match counted {
            Counted::Delivered(count) => {
                let tally = Arc::make_mut(&mut part.tally);
                tally.delivered = tally.delivered.saturating_add(count);
                false
            }
            Counted::Failed(endpoint, cell) => Arc::make_mut(&mut part.tally).add(endpoint, cell),
        }
    }

    /// The window of `wall` is being watched; those whose time is over close. `true` when anything changed.
    ///
    /// A final window stays final whatever the wall clock does later.
    pub fn roll(&mut self, wall: Wall) -> bool {
        let current = window_of(wall);
        self.hold(current);
        let mut changed = false;
        if let Some(window) = self.held.get_mut(&current) {
            // An empty body says that nothing happened, where none says that nobody was watching.
            window.parts.entry(TenantName::other()).or_insert_with(|| {
                window.view = None;
                changed = true;
                Part {
                    is_dirty: true,
                    ..Part::default()
                }
            });
        }
        for (start, window) in &mut self.held {
            changed |= is_over(*start, wall) && window.close();
        }
        changed
    }

    /// Takes up what the store had of its newest windows. Returns how many bodies could not be read.
    pub fn restore(&mut self, bodies: &[(i64, TenantName, Vec<u8>)]) -> u64 {
        let starts: BTreeSet<i64> = bodies.iter().map(|(start, ..)| *start).collect();
        if starts.len() >= RESTORED_STARTS
            && let Some(oldest) = starts.first()
        {
            self.known_from = *oldest;
        }
        let mut unreadable = BTreeSet::new();
        let mut count = 0;
        for (start, tenant, bytes) in bodies {
            match body::read::<WindowBody>(bytes) {
                Ok(read) => {
                    let window = self.held.entry(*start).or_default();
                    window.is_final |= read.is_final;
                    window.parts.insert(tenant.clone(), Part::of(read));
                }
                Err(_) => {
                    count += 1;
                    unreadable.insert(*start);
                }
            }
        }
        for start in unreadable {
            // A newer readyd may have written it: what is there must not be written over.
            self.held.remove(&start);
            self.written.insert(start);
        }
        count
    }

    pub fn is_dirty(&self) -> bool {
        !self.late.is_empty()
            || self
                .held
                .values()
                .any(|window| window.parts.values().any(|part| part.is_dirty))
    }

    pub fn mark_all_dirty(&mut self) {
        for part in self.held.values_mut().flat_map(|window| window.parts.values_mut()) {
            part.is_dirty = true;
        }
    }

    /// Writes down what changed, then lets go of windows that take nothing more as a matter of course.
    pub fn checkpoint(&mut self, wall: Wall, fold: &mut Fold) {
        for (start, window) in &mut self.held {
            for (tenant, part) in &mut window.parts {
                if part.is_dirty {
                    part.is_dirty = false;
                    fold.windows.push((*start, tenant.clone(), part.body(window.is_final)));
                    if let Some(rollup) = rollup::of(&part.tally) {
                        fold.rollups.push((*start, tenant.clone(), rollup));
                    }
                }
            }
        }
        for ((start, tenant), part) in std::mem::take(&mut self.late) {
            fold.late.push((start, tenant, part.body(true)));
        }
        let ahead = window_of(wall) + AHEAD_SECONDS_MAX;
        let done: Vec<i64> = (self.held.keys().copied())
            .filter(|start| !takes_late(*start, wall) || *start > ahead)
            .collect();
        for start in done {
            self.held.remove(&start);
            self.written.insert(start);
        }
        while self.written.len() > WRITTEN_MAX {
            self.written.pop_first();
        }
    }

    /// The windows that are held, rendered where they changed.
    pub fn views(&mut self, dropped: Dropped) -> BTreeMap<i64, Arc<WindowView>> {
        (self.held.iter_mut())
            .filter(|(_, window)| !window.parts.is_empty())
            .map(|(start, window)| {
                let view = match &window.view {
                    Some(view) => Arc::clone(view),
                    None => {
                        let view = Arc::new(render(*start, window, dropped));
                        window.view = Some(Arc::clone(&view));
                        view
                    }
                };
                (*start, view)
            })
            .collect()
    }

    /// Holds a window from now on, unless it may already have a body in the store.
    fn hold(&mut self, start: i64) {
        if start >= self.known_from && !self.written.contains(&start) {
            self.held.entry(start).or_default();
        }
    }
}

impl Default for Windows {
    fn default() -> Self {
        Windows {
            held: BTreeMap::new(),
            written: BTreeSet::new(),
            known_from: i64::MIN,
            late: BTreeMap::new(),
        }
    }
}

impl Window {
    /// Makes it final; `false` when it was.
    fn close(&mut self) -> bool {
        if self.is_final {
            return false;
        }
        self.is_final = true;
        self.view = None;
        for part in self.parts.values_mut() {
            part.is_dirty = true;
        }
        true
    }
}

impl Part {
    fn of(body: WindowBody) -> Part {
        Part {
            tally: body.tally,
            revision: body.revision,
            ..Part::default()
        }
    }

    fn body(&self, is_final: bool) -> Vec<u8> {
        body::write(&WindowBody {
            is_final,
            revision: self.revision,
            tally: Arc::clone(&self.tally),
        })
    }
}

/// A window as it is shown, from what the store keeps of it. What cannot be read is left out.
pub fn window_view(start: i64, bodies: &[(TenantName, Vec<u8>)]) -> WindowView {
    let mut window = Window::default();
    for (tenant, bytes) in bodies {
        if let Ok(read) = body::read::<WindowBody>(bytes) {
            window.parts.insert(tenant.clone(), Part::of(read));
        }
    }
    // What is read from the store is no longer held, and no window is let go of before it is closed.
    window.is_final = true;
    render(start, &window, Dropped::default())
}

fn render(start: i64, window: &Window, dropped: Dropped) -> WindowView {
    let mut counted = Vec::with_capacity(window.parts.len());
    let mut delivered = BTreeMap::new();
    for (tenant, part) in &window.parts {
        counted.push((tenant.clone(), rows::Counted::Aligned(Arc::clone(&part.tally))));
        if part.tally.delivered > 0 {
            delivered.insert(tenant.clone(), part.tally.delivered);
        }
    }
    let start = Wall::from_millis(start.saturating_mul(1000));
    WindowView {
        head: WindowHead {
            kind: WindowKind::Aligned,
            start,
            end: start.plus_millis(WINDOW_SECONDS * 1000),
            is_final: window.is_final,
            revision: window
                .parts
                .values()
                .fold(0, |sum, part| sum.saturating_add(part.revision)),
        },
        rows: Rows::of(counted),
        delivered,
        dropped,
    }
}
