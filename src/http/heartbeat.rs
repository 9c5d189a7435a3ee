//! Shell: reads the clock that stands still while the host sleeps.
//!
//! `/livez` asks whether the main loop turns. A laptop's nap is no hang, so this is the one place
//! where sleep must not count; `std`'s `Instant` is `CLOCK_MONOTONIC` on Linux and
//! `CLOCK_UPTIME_RAW` on macOS, and both leave it out.
#![expect(clippy::disallowed_methods, reason = "shell: the awake clock")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Beaten by the main loop at each turn (at least once a second), read by the server.
#[derive(Debug)]
pub struct Heartbeat {
    origin: Instant,
    /// Awake milliseconds from `origin` to the last turn.
    last: AtomicU64,
}

impl Heartbeat {
    /// Longer than this without a turn is a hang.
    pub const SILENCE_MAX: Duration = Duration::from_secs(10);

    pub fn new() -> Heartbeat {
        Heartbeat {
            origin: Instant::now(),
            last: AtomicU64::new(0),
        }
    }

    pub fn beat(&self) {
        self.last.store(self.awake_millis(), Ordering::Relaxed);
    }

    /// Awake time since the last turn when that is a hang, else `None`.
    pub fn hang(&self) -> Option<Duration> {
        let silence = self.awake_millis().saturating_sub(self.last.load(Ordering::Relaxed));
        Some(Duration::from_millis(silence)).filter(|silence| *silence > Self::SILENCE_MAX)
    }

    /// One that was last beaten so long ago.
    #[cfg(test)]
    pub(super) fn silent_for(silence: Duration) -> Option<Heartbeat> {
        Some(Heartbeat {
            origin: Instant::now().checked_sub(silence)?,
            last: AtomicU64::new(0),
        })
    }

    fn awake_millis(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Default for Heartbeat {
    fn default() -> Heartbeat {
        Heartbeat::new()
    }
}
