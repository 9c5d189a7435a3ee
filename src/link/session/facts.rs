//! What a link knows for others.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::fingerprint::Fingerprint;
use crate::link::duties::Duties;
use crate::words::{Instant, Wall};

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinkFacts {
    pub connected: bool,
    pub version: String,
    pub build_id: String,
    pub boot_id: String,
    pub applied_config_hash: String,
    /// When the last handshake succeeded.
    pub handshake_at: Option<Wall>,
    /// Of the token that it accepted then; kept when the connection ends.
    pub token: Option<Fingerprint>,
    /// Changes of `boot_id` that were seen.
    pub restarts: u64,
    /// The gateway's clock minus ours, as the last ticks told it. `None` until told.
    pub skew_millis: Option<i64>,
    /// What it does by the clock, as it was told last.
    pub duties: Option<Arc<Duties>>,
    /// When that was.
    pub duties_at: Option<Instant>,
}

/// What each of the last ticks told of the gateway's clock, the newest last.
#[derive(Clone, Debug, Default)]
pub(super) struct Ticks {
    millis: VecDeque<i64>,
    /// The median that others were told.
    told: Option<i64>,
}

impl Ticks {
    /// Ticks of two and a half minutes.
    const KEPT_MAX: usize = 5;
    /// A change by less is no news.
    const NEWS_MILLIS: u64 = 1_000;

    /// Adds one, and gives the median: a tick that is late makes a clock look behind, once.
    pub fn see(&mut self, skew_millis: i64) -> Option<i64> {
        if self.millis.len() == Self::KEPT_MAX {
            self.millis.pop_front();
        }
        self.millis.push_back(skew_millis);
        let mut sorted: Vec<i64> = self.millis.iter().copied().collect();
        sorted.sort_unstable();
        // Of an even number the one that is less behind.
        sorted.get(sorted.len() / 2).copied()
    }

    /// Whether others should hear of that median; from then on they have.
    pub fn is_news(&mut self, median: Option<i64>) -> bool {
        let is_news = match (median, self.told) {
            (Some(median), Some(told)) => median.abs_diff(told) >= Self::NEWS_MILLIS,
            (Some(_), None) => true,
            (None, _) => false,
        };
        if is_news {
            self.told = median;
        }
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_late_tick_among_five_is_no_skew_and_a_set_clock_is_told_within_three() {
        let mut ticks = Ticks::default();
        let seen: Vec<i64> = [0, 5, -60_000, 3, 2, 90_000, 90_001, 90_002]
            .into_iter()
            .filter_map(|skew| ticks.see(skew))
            .collect();
        assert_eq!(seen, [0, 5, 0, 3, 2, 3, 3, 90_000]);
        assert!(ticks.is_news(Some(2)) && !ticks.is_news(Some(900)) && ticks.is_news(Some(i64::MIN)));
        assert!(!ticks.is_news(None));
    }
}
