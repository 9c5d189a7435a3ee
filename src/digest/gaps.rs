//! Aligned windows that missed something: ranges of their starts.

use serde::{Deserialize, Serialize};

use super::aligned::{CLOSE_AFTER_SECONDS, WINDOW_SECONDS, window_of};
use crate::words::Wall;

/// Beyond this many ranges the two oldest become one: lenient, never strict.
const RANGES_MAX: usize = 64;

/// First and last start of each range, ascending, with at least one window between two ranges.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Gaps(Vec<(i64, i64)>);

/// The first window that misses something when a gap begins at `from`: a window is open until it
/// closes, what happened just before its end was still on its way.
pub(super) fn first_missed(from: Wall) -> i64 {
    window_of(from.plus_millis(-CLOSE_AFTER_SECONDS * 1000))
}

impl Gaps {
    /// Adds the windows that were not yet closed at some moment from `from` to `to` (in either
    /// order: the wall clock may have been stepped between them). `true` when that changes anything.
    pub fn add(&mut self, from: Wall, to: Wall) -> bool {
        let (from, to) = (from.min(to), from.max(to));
        let (first, last) = (first_missed(from), window_of(to));
        if self.0.iter().any(|range| range.0 <= first && last <= range.1) {
            return false;
        }
        self.0.push((first, last));
        self.tidy();
        true
    }

    pub fn contains(&self, window: i64) -> bool {
        self.0.iter().any(|range| (range.0..=range.1).contains(&window))
    }

    /// Forgets windows that start before `window`.
    pub fn forget_before(&mut self, window: i64) {
        self.0.retain(|range| range.1 >= window);
    }

    /// Sorts and joins; also what makes ranges from outside (the state table) valid.
    pub fn tidy(&mut self) {
        self.0.retain(|range| range.0 <= range.1);
        self.0.sort_unstable();
        let mut joined: Vec<(i64, i64)> = Vec::with_capacity(self.0.len());
        for range in self.0.drain(..) {
            match joined.last_mut() {
                Some(last) if range.0 <= last.1.saturating_add(WINDOW_SECONDS) => last.1 = last.1.max(range.1),
                _ => joined.push(range),
            }
        }
        while joined.len() > RANGES_MAX {
            let oldest = joined.remove(0);
            joined[0].0 = oldest.0;
        }
        self.0 = joined;
    }
}
