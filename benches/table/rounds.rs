//! Figures of several rounds. Each round measures both sides in turn, so that what else the machine does meets both.

use std::time::Duration;

/// What one thing came to, round by round.
#[derive(Clone, Debug, Default)]
pub struct Series(pub Vec<f64>);

impl Series {
    pub fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        match sorted.len() {
            0 => f64::NAN,
            length => sorted[length / 2],
        }
    }

    /// The median of the rounds' own ratios: a round in which the machine was busy has both sides in it.
    pub fn beside(&self, peer: &Series) -> f64 {
        let pairs = self.0.iter().zip(&peer.0);
        Series(pairs.map(|(ours, theirs)| ours / theirs).collect()).median()
    }

    pub fn push(&mut self, value: f64) {
        self.0.push(value);
    }
}

/// `share` of them are below: 0.99 for p99.
pub fn quantile(times: &mut [Duration], share: f64) -> Duration {
    times.sort_unstable();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
    let at = (times.len() as f64 * share) as usize;
    times[at.min(times.len() - 1)]
}
