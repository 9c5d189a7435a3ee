//! How long a link waits for what, and how it spreads its attempts.

use std::time::Duration;

/// Times of a link. [`Patience::default`] is what ships; specs of the shell shorten it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// To connect, to be greeted, and to be answered: each. The reference client gives it 15 s.
    pub handshake: Duration,
    /// Between an answer of `health` and the next question.
    pub ask_every: Duration,
    /// The same for the first questions and after trouble, so that `rise` takes seconds.
    pub ask_again: Duration,
    /// Without an answer for this long: wedged (CONTRACT, `gateway-link`).
    pub answer: Duration,
    /// For pages of history, which are large: given up, and no sign of a wedge.
    pub history: Duration,
    /// Silence after which a ping is sent: a stopped gateway is found `ping_after + answer` after its last word.
    pub ping_after: Duration,
    /// Silence after which the connection is given up.
    pub silence: Duration,
    /// Trouble that lasts is reported this often.
    pub repeat: Duration,
    pub back_off_min: Duration,
    /// Connecting to a closed port of this host costs microseconds, and what comes back is to be seen soon.
    pub back_off_max: Duration,
    /// A connection that held this long starts the back-off anew.
    pub held: Duration,
    /// Between attempts that were refused for good reason: gateways limit the rate of wrong tokens.
    pub refused: Duration,
    /// `retryAfterMs` is followed within these.
    pub retry_min: Duration,
    pub retry_max: Duration,
    /// How long it may say that it is starting before that is an outage.
    pub startup_grace: Duration,
}

impl Default for Patience {
    fn default() -> Patience {
        let seconds = Duration::from_secs;
        Patience {
            handshake: seconds(10),
            ask_every: seconds(10),
            ask_again: seconds(2),
            answer: seconds(10),
            history: seconds(30),
            ping_after: seconds(3),
            silence: seconds(30),
            repeat: seconds(5),
            back_off_min: seconds(1),
            back_off_max: seconds(10),
            held: seconds(30),
            refused: seconds(30),
            retry_min: Duration::from_millis(100),
            retry_max: seconds(30),
            startup_grace: seconds(60),
        }
    }
}

impl Patience {
    pub(super) fn back_off(&self, attempts: u32) -> Duration {
        let doubled = 1u32.checked_shl(attempts.min(16)).unwrap_or(u32::MAX);
        self.back_off_min.saturating_mul(doubled).min(self.back_off_max)
    }
}

/// Numbers that differ between links (SplitMix64). Not for secrets.
#[derive(Clone, Debug)]
pub struct Jitter(u64);

impl Jitter {
    pub fn new(seed: u64) -> Jitter {
        Jitter(seed)
    }

    /// Between half of `wait` and `wait`.
    pub fn below(&mut self, wait: Duration) -> Duration {
        wait / 2 + self.share(wait / 2)
    }

    /// Between `wait` and a tenth more.
    pub fn above(&mut self, wait: Duration) -> Duration {
        wait + self.share(wait / 10)
    }

    fn share(&mut self, of: Duration) -> Duration {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let thousandths = u32::try_from(mixed % 1001).unwrap_or(0);
        of * thousandths / 1000
    }
}
