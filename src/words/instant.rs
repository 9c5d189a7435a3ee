//! Two clocks that are never mixed: [`Instant`] measures, [`Wall`] displays.

use std::fmt;
use std::ops::Add;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

/// Milliseconds since boot on a clock that counts sleep (`CLOCK_BOOTTIME`, mach continuous time).
///
/// Ages, slots and patience run on it, so that a laptop's nap ages findings and a stepped wall
/// clock does not. It means nothing across boots: bridge those with [`Wall`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Instant(u64);

impl Instant {
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Time since `earlier`; zero when `earlier` is later.
    pub fn since(self, earlier: Instant) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// `duration` earlier, or the moment of boot when that is later.
    pub fn before(self, duration: Duration) -> Instant {
        Instant(self.0.saturating_sub(millis(duration)))
    }
}

impl Add<Duration> for Instant {
    type Output = Instant;

    fn add(self, duration: Duration) -> Instant {
        Instant(self.0.saturating_add(millis(duration)))
    }
}

/// Unix time in milliseconds. It displays, files aligned windows and bridges boots; nothing else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Wall(i64);

impl Wall {
    pub const fn from_millis(unix_millis: i64) -> Self {
        Self(unix_millis)
    }

    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the Unix epoch, rounded down.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// `self - earlier` in milliseconds; negative when `earlier` is later.
    pub const fn millis_since(self, earlier: Wall) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    pub const fn plus_millis(self, millis: i64) -> Wall {
        Wall(self.0.saturating_add(millis))
    }

    /// `2026-11-20T07:31:07Z`: RFC 3339, UTC, whole seconds, as every answer of readyd shows time.
    pub fn rfc3339(self) -> String {
        DateTime::<Utc>::from_timestamp_millis(self.0)
            .unwrap_or_default()
            .to_rfc3339_opts(SecondsFormat::Secs, true)
    }

    /// The moment that an RFC 3339 text names, or `None` when it is not one.
    pub fn parse_rfc3339(text: &str) -> Option<Wall> {
        DateTime::parse_from_rfc3339(text)
            .ok()
            .map(|moment| Wall(moment.timestamp_millis()))
    }

    /// The same of a URL query's value, where a `+` that nobody encoded has become a space.
    pub fn parse_query(text: &str) -> Option<Wall> {
        Wall::parse_rfc3339(&text.replace(' ', "+"))
    }
}

impl Add<Duration> for Wall {
    type Output = Wall;

    fn add(self, duration: Duration) -> Wall {
        Wall(self.0.saturating_add_unsigned(millis(duration)))
    }
}

impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

/// One reading of both clocks, handed to everything that decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now {
    pub at: Instant,
    pub wall: Wall,
}

impl Now {
    /// The wall time of an earlier (or later) instant, by this reading.
    pub fn wall_of(self, instant: Instant) -> Wall {
        let at = i64::try_from(self.at.0).unwrap_or(i64::MAX);
        let then = i64::try_from(instant.0).unwrap_or(i64::MAX);
        self.wall.plus_millis(then.saturating_sub(at))
    }
}

impl Add<Duration> for Now {
    type Output = Now;

    fn add(self, duration: Duration) -> Now {
        Now {
            at: self.at + duration,
            wall: self.wall + duration,
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
