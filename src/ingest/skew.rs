//! When an event happened by our clock: its own time, corrected by the skew of its sender's clock.
//!
//! Invariant: nothing here reads a clock. Ages run on [`Now::at`]; skew is a difference of wall clocks.

use crate::words::{Now, Wall};

/// An event time further ahead of its arrival is taken as its arrival.
pub const AHEAD_MILLIS_MAX: i64 = 30_000;

/// How far our clock is ahead of one sender's: what is added to its event times.
#[derive(Clone, Debug)]
pub struct Skew(Known);

#[derive(Clone, Debug)]
enum Known {
    /// The sender said its time: arrival − its `now`. Trusted.
    Said(i64),
    /// Guessed from its events. 0 until known.
    Observed(Box<Observed>),
}

impl Skew {
    /// `said`: arrival − `now` of the sender's hello, in milliseconds; `None`: watch its events.
    pub fn new(said: Option<i64>) -> Skew {
        Skew(match said {
            Some(millis) => Known::Said(millis),
            None => Known::Observed(Box::default()),
        })
    }

    /// What the sender said, in milliseconds; `None`: it is watched.
    pub fn said(&self) -> Option<i64> {
        match self.0 {
            Known::Said(millis) => Some(millis),
            Known::Observed(_) => None,
        }
    }

    /// An event's own time by our clock: `ts` corrected, or its arrival when it says none or lies
    /// too far ahead.
    pub fn own_time(&mut self, ts: Option<Wall>, now: Now) -> Wall {
        let Some(ts) = ts else {
            return now.wall;
        };
        let skew = match &mut self.0 {
            Known::Said(millis) => *millis,
            Known::Observed(_) if ts.millis_since(now.wall) > AHEAD_MILLIS_MAX => return now.wall,
            Known::Observed(observed) => observed.see(now.at.as_millis(), now.wall.millis_since(ts)),
        };
        let own = ts.plus_millis(skew);
        if own.millis_since(now.wall) > AHEAD_MILLIS_MAX {
            now.wall
        } else {
            own
        }
    }
}

/// The smallest arrival − `ts` of the last 10 minutes, by half minutes.
///
/// It is lowered at once: an event cannot arrive before it happens. It is raised only by a sample of 10
/// minutes ago with all that came since: until then a late arrival may as well be a backlog, delivered
/// after an outage, which must not be taken for a storm of this minute. A sender that reports less often
/// says `now` in its hello.
#[derive(Clone, Debug, Default)]
struct Observed {
    estimate: i64,
    buckets: [Option<Bucket>; BUCKETS],
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    /// Half minutes since boot.
    number: u64,
    least: i64,
}

const BUCKET_MILLIS: u64 = 30_000;
/// Samples of the oldest are at least 10 and at most 11 minutes old.
const BUCKETS: usize = 22;

impl Observed {
    fn see(&mut self, at_millis: u64, behind: i64) -> i64 {
        let number = at_millis / BUCKET_MILLIS;
        let slot = &mut self.buckets[(number % BUCKETS as u64) as usize];
        match slot {
            Some(bucket) if bucket.number == number => bucket.least = bucket.least.min(behind),
            _ => {
                *slot = Some(Bucket { number, least: behind });
                self.raise(number);
            }
        }
        self.estimate = self.estimate.min(behind);
        self.estimate
    }

    /// Believes the smallest of a full 10 minutes, when they are full.
    fn raise(&mut self, number: u64) {
        let Some(oldest) = number.checked_sub(BUCKETS as u64 - 1) else {
            return;
        };
        let recent = || self.buckets.iter().flatten().filter(|bucket| bucket.number >= oldest);
        if recent().any(|bucket| bucket.number == oldest) {
            self.estimate = recent().map(|bucket| bucket.least).min().unwrap_or(self.estimate);
        }
    }
}

#[cfg(test)]
mod tests;
