//! How far each sender's clock is from ours: the median of what its recent deltas told.
//!
//! A delta tells the smallest arrival − event time of its events; of ten seconds of them the smallest is kept. So an
//! event that was delayed says nothing where one was not, and a backlog that is drained within seconds is one sample of
//! many. Nothing of it survives a restart: clocks are asked, not remembered.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::ingest::delta::Lag;
use crate::probe::declaration::Sender;
use crate::words::Instant;

/// As many producers as ingest keeps at a time.
const SENDERS_MAX: usize = 1024;
/// Two and a half minutes of a busy sender.
const SAMPLES_MAX: usize = 15;
/// Fewer may be events that were delayed, unless the sender told its clock.
const SAMPLES_MIN: usize = 3;
const SAMPLE_EVERY_MILLIS: u64 = 10_000;
/// Clocks are set; what they said before is of little worth.
const COUNTS_FOR: Duration = Duration::from_secs(3600);
const KEPT_FOR: Duration = Duration::from_secs(24 * 3600);

#[derive(Clone, Debug, Default)]
pub(super) struct Skews(BTreeMap<Arc<str>, VecDeque<Sample>>);

#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Instant,
    millis: i64,
    said: bool,
}

impl Skews {
    pub fn see(&mut self, now: Instant, lag: &Lag) {
        if !self.0.contains_key(&lag.sender) {
            self.make_room();
        }
        let samples = self.0.entry(Arc::clone(&lag.sender)).or_default();
        let sample = Sample {
            at: now,
            millis: lag.millis,
            said: lag.said,
        };
        match samples.back_mut() {
            // What was said is better than what was guessed, and the smaller guess than the larger.
            Some(last) if slot(last.at) == slot(now) => {
                let is_better = (sample.said, -sample.millis) >= (last.said, -last.millis);
                if is_better {
                    *last = sample;
                }
            }
            _ => {
                if samples.len() == SAMPLES_MAX {
                    samples.pop_front();
                }
                samples.push_back(sample);
            }
        }
    }

    /// Our own clock was set: all that was seen was seen by another one.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Those who have said nothing for a day are no senders any more.
    pub fn forget(&mut self, now: Instant) {
        self.0
            .retain(|_, samples| samples.back().is_some_and(|last| now.since(last.at) <= KEPT_FOR));
    }

    /// Each sender of whom enough is known, by name.
    pub fn senders(&self, now: Instant) -> impl Iterator<Item = Sender> {
        self.0.iter().filter_map(move |(name, samples)| {
            Some(Sender {
                name: Arc::clone(name),
                skew_millis: median(samples, now)?,
            })
        })
    }

    fn make_room(&mut self) {
        if self.0.len() < SENDERS_MAX {
            return;
        }
        let idle_longest = self
            .0
            .iter()
            .min_by_key(|(_, samples)| samples.back().map(|last| last.at));
        if let Some(name) = idle_longest.map(|(name, _)| Arc::clone(name)) {
            self.0.remove(&name);
        }
    }
}

fn slot(at: Instant) -> u64 {
    at.as_millis() / SAMPLE_EVERY_MILLIS
}

fn median(samples: &VecDeque<Sample>, now: Instant) -> Option<i64> {
    let said = samples.back()?.said;
    let counting = samples
        .iter()
        .filter(|sample| sample.said == said && now.since(sample.at) <= COUNTS_FOR);
    let mut millis: Vec<i64> = counting.map(|sample| sample.millis).collect();
    millis.sort_unstable();
    let enough = millis.len() >= if said { 1 } else { SAMPLES_MIN };
    // Of an even number the smaller: a delay only ever adds.
    enough.then(|| millis.get((millis.len() - 1) / 2).copied()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_millis(1_000_000 + seconds * 1000)
    }

    fn lag(sender: &str, seconds: i64) -> Lag {
        Lag {
            sender: sender.into(),
            millis: seconds * 1000,
            said: false,
        }
    }

    /// Seconds of `gw`, after lags at those times.
    fn told(lags: &[(u64, i64)], now: u64) -> Option<i64> {
        let mut skews = Skews::default();
        for (seconds, millis) in lags {
            skews.see(at(*seconds), &lag("gw", *millis));
        }
        let told = skews.senders(at(now)).next();
        told.map(|sender| sender.skew_millis / 1000)
    }

    #[test]
    fn a_clock_that_is_behind_is_told_by_the_median_once_three_samples_say_so() {
        assert_eq!(told(&[(0, 45), (10, 45)], 20), None);
        assert_eq!(told(&[(0, 45), (10, 46), (20, 44)], 20), Some(45));
        assert_eq!(told(&[(0, -45), (10, -46), (20, -44)], 20), Some(-45));
    }

    #[test]
    fn a_backlog_is_one_sample_among_many_and_none_beside_a_punctual_event() {
        let mut lags: Vec<(u64, i64)> = (0..10).map(|number| (number * 10, 0)).collect();
        lags.extend((100..108).map(|second| (second, 200)));
        assert_eq!(told(&lags, 108), Some(0));
        assert_eq!(told(&[(0, 200), (1, 0), (10, 190), (11, 0), (20, 0)], 20), Some(0));
    }

    #[test]
    fn what_the_sender_said_outweighs_what_its_events_suggest() {
        let mut skews = Skews::default();
        for second in [0, 10, 20] {
            skews.see(at(second), &lag("gw", 100));
        }
        let said = Lag {
            said: true,
            ..lag("gw", 1)
        };
        skews.see(at(30), &said);
        skews.see(at(31), &lag("gw", 0));
        let told: Vec<i64> = skews.senders(at(31)).map(|sender| sender.skew_millis).collect();
        assert_eq!(told, [1000]);
    }

    #[test]
    fn old_samples_do_not_count_and_an_idle_sender_is_forgotten_after_a_day() {
        let lags = [(0, 45), (10, 45), (20, 45)];
        assert_eq!(told(&lags, 3600), Some(45), "the last hour");
        assert_eq!(told(&lags, 3700), None);
        let mut skews = Skews::default();
        skews.see(at(0), &lag("gw", 0));
        skews.forget(at(24 * 3600));
        assert_eq!(skews.0.len(), 1);
        skews.forget(at(24 * 3600 + 1));
        assert_eq!(skews.0.len(), 0);
    }

    #[test]
    fn a_sender_too_many_takes_the_place_of_who_has_been_silent_longest() {
        let mut skews = Skews::default();
        for number in 0..=SENDERS_MAX as u64 {
            for second in [number, number + 10_000] {
                skews.see(at(second), &lag(&format!("gw-{number}"), 0));
            }
        }
        assert_eq!(skews.0.len(), SENDERS_MAX);
        assert!(!skews.0.contains_key("gw-0"));
        assert!(skews.0.values().all(|samples| samples.len() <= SAMPLES_MAX));
    }
}
