//! One clock to file arrivals by: it reads like the wall clock did when the process began, and runs
//! like [`Instant`]. A wall clock that is stepped moves nothing that was filed.

use serde::{Deserialize, Serialize};

use crate::words::{Instant, Now, Wall};

/// Number of a ten-second slot of the filing clock; its key in the store is ten times that.
pub(super) type Slot = i32;

pub(super) const SLOT_MILLIS: i64 = 10_000;
pub(super) const SLOT_SECONDS: i64 = SLOT_MILLIS / 1000;

/// The wall clock may be slewed by less than this between two looks without having been stepped.
const STEP_MILLIS_MIN: i64 = 1_000;
/// A batch waits at most this long between its arrival and its fold; older readings explain nothing.
const READING_KEPT_MILLIS: i64 = 600_000;
const READINGS_MAX: usize = 8;

#[derive(Clone, Debug)]
pub(super) struct Filing {
    /// Filing time minus [`Instant`], in milliseconds.
    offset: i64,
    /// How far the wall clock was ahead of [`Instant`], oldest first. The last one is in force.
    readings: Vec<Reading>,
}

/// One setting of the wall clock, between two steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reading {
    ahead: i64,
    /// When it was last seen in force: [`Instant`] in milliseconds.
    seen: i64,
}

impl Filing {
    pub fn new(now: Now) -> Filing {
        let reading = Reading::of(now);
        Filing {
            offset: reading.ahead,
            readings: vec![reading],
        }
    }

    /// Filing time of an instant, in milliseconds. It has no meaning outside of this process.
    pub fn millis(&self, at: Instant) -> i64 {
        signed(at).saturating_add(self.offset)
    }

    pub fn slot(&self, at: Instant) -> Slot {
        slot_of(self.millis(at))
    }

    /// Looks at the wall clock; `true` when it was stepped since the last look.
    pub fn observe(&mut self, now: Now) -> bool {
        let seen = Reading::of(now);
        self.readings
            .retain(|reading| seen.seen.saturating_sub(reading.seen) <= READING_KEPT_MILLIS);
        match self.readings.last_mut() {
            Some(last) if (seen.ahead - last.ahead).abs() < STEP_MILLIS_MIN => {
                *last = seen;
                false
            }
            _ => {
                self.readings.push(seen);
                if self.readings.len() > READINGS_MAX {
                    self.readings.remove(0);
                }
                true
            }
        }
    }

    /// Filing time of a batch's arrival; `None` when it lies ahead of now by every reading known.
    ///
    /// The clock may have been stepped between arrival and commit. Of the readings that do not put
    /// the arrival into the future the one that makes it youngest is taken: a step forward would
    /// otherwise age a storm out of the window before it was ever seen.
    pub fn arrival(&self, now: Now, arrival: Wall) -> Option<i64> {
        let filed_now = self.millis(now.at);
        let current = Reading::of(now);
        self.readings
            .iter()
            .chain(std::iter::once(&current))
            .map(|reading| {
                arrival
                    .as_millis()
                    .saturating_sub(reading.ahead)
                    .saturating_add(self.offset)
            })
            .filter(|filed| *filed < filed_now.saturating_add(STEP_MILLIS_MIN))
            .max()
            .map(|filed| filed.min(filed_now))
    }

    /// The wall time of a filing time, by the clock as it is set now.
    pub fn wall(&self, now: Now, filed: i64) -> Wall {
        now.wall.plus_millis(filed.saturating_sub(self.millis(now.at)))
    }

    /// [`Instant`] of a filing time in milliseconds; negative before boot.
    pub fn instant_millis(&self, filed: i64) -> i64 {
        filed.saturating_sub(self.offset)
    }

    /// Moves the clock forward by whole slots until now is filed after `slot`, so that keys in the
    /// store never meet those of a process that ran while the wall clock was ahead.
    pub fn lift_above(&mut self, now: Now, slot: Slot) {
        let missing = i64::from(slot) + 1 - i64::from(self.slot(now.at));
        if missing > 0 {
            self.offset = self.offset.saturating_add(missing * SLOT_MILLIS);
        }
    }

    /// What an earlier process of the same boot knew of the wall clock.
    pub fn remember(&mut self, now: Now, earlier: &[Reading]) {
        let kept = earlier.len().min(READINGS_MAX - 1);
        self.readings
            .splice(0..0, earlier[earlier.len() - kept..].iter().copied());
        self.observe(now);
    }

    pub fn readings(&self) -> &[Reading] {
        &self.readings
    }
}

impl Reading {
    fn of(now: Now) -> Reading {
        Reading {
            ahead: now.wall.as_millis().saturating_sub(signed(now.at)),
            seen: signed(now.at),
        }
    }
}

pub(super) fn slot_of(filed: i64) -> Slot {
    let slot = filed.div_euclid(SLOT_MILLIS);
    Slot::try_from(slot).unwrap_or(if slot < 0 { Slot::MIN } else { Slot::MAX })
}

fn signed(at: Instant) -> i64 {
    i64::try_from(at.as_millis()).unwrap_or(i64::MAX)
}
