//! Moments as people say them: `since 07:31, 12 min ago`. Pure.

use std::time::Duration;

use chrono::{DateTime, Datelike as _, FixedOffset};

use crate::config::units::write_span;
use crate::words::Wall;

/// From where moments are seen.
#[derive(Clone, Copy, Debug)]
pub struct Moments {
    pub now: Wall,
    /// Seconds east of UTC at a moment: the reader's own time of day.
    pub offset: fn(Wall) -> i32,
    /// Whether to say how long ago, which changes although nothing has happened.
    pub relative: bool,
}

impl Moments {
    /// `since 07:31, 12 min ago`; nothing for what is no RFC 3339 moment.
    pub fn since(&self, moment: &str) -> String {
        match self.when(moment) {
            when if when.is_empty() => when,
            when => format!("since {when}"),
        }
    }

    /// `until 09:31, in 2 h`.
    pub fn until(&self, moment: &str) -> String {
        let Some(moment) = Wall::parse_rfc3339(moment) else {
            return String::new();
        };
        let left = match self.relative {
            true => format!(", in {}", span(moment.millis_since(self.now))),
            false => String::new(),
        };
        format!("until {}{left}", self.clock(moment))
    }

    /// `12 min` or, where that is not wanted, `07:31`.
    pub fn age(&self, moment: &str) -> String {
        match Wall::parse_rfc3339(moment) {
            Some(moment) if self.relative => span(self.now.millis_since(moment)),
            Some(moment) => self.clock(moment),
            None => String::new(),
        }
    }

    /// `07:31, 12 min ago`.
    pub fn when(&self, moment: &str) -> String {
        match Wall::parse_rfc3339(moment) {
            Some(moment) => self.clock(moment) + &self.ago(moment),
            None => String::new(),
        }
    }

    /// `07:31`, however long ago.
    pub fn time(&self, moment: &str) -> String {
        Wall::parse_rfc3339(moment)
            .map(|moment| self.clock(moment))
            .unwrap_or_default()
    }

    /// `07:31`; of another day `19 Nov 07:31`, of another year `2025-11-19`.
    pub fn clock(&self, moment: Wall) -> String {
        let (then, now) = (self.local(moment), self.local(self.now));
        let form = match (then.year() == now.year(), then.ordinal() == now.ordinal()) {
            (true, true) => "%H:%M",
            (true, false) => "%-d %b %H:%M",
            (false, _) => "%Y-%m-%d",
        };
        then.format(form).to_string()
    }

    /// `07:31:07`, now.
    pub fn second(&self) -> String {
        self.local(self.now).format("%H:%M:%S").to_string()
    }

    fn ago(&self, moment: Wall) -> String {
        match self.relative {
            true => format!(", {} ago", span(self.now.millis_since(moment))),
            false => String::new(),
        }
    }

    fn local(&self, moment: Wall) -> DateTime<FixedOffset> {
        let utc = DateTime::from_timestamp_millis(moment.as_millis()).unwrap_or_default();
        let none = FixedOffset::east_opt(0);
        match FixedOffset::east_opt((self.offset)(moment)).or(none) {
            Some(offset) => utc.with_timezone(&offset),
            None => utc.fixed_offset(),
        }
    }
}

/// A clock that was set back makes nothing happen in the future.
fn span(millis: i64) -> String {
    write_span(Duration::from_millis(u64::try_from(millis).unwrap_or(0)))
}

/// 07:43:10 of a day in UTC, for the specs of all that is drawn.
#[cfg(test)]
pub fn moments(relative: bool) -> Moments {
    Moments {
        now: Wall::parse_rfc3339("2026-11-20T07:43:10Z").unwrap(),
        offset: |_| 0,
        relative,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_time_of_day_and_how_long_ago() {
        let moments = moments(true);
        assert_eq!(moments.since("2026-11-20T07:31:07Z"), "since 07:31, 12 min ago");
        assert_eq!(moments.since("2026-11-20T07:43:08Z"), "since 07:43, 2 s ago");
        assert_eq!(moments.since("2026-11-19T23:00:00Z"), "since 19 Nov 23:00, 8 h ago");
        assert_eq!(moments.since("2025-11-19T23:00:00Z"), "since 2025-11-19, 365 d ago");
        assert_eq!(moments.until("2026-11-20T09:43:10Z"), "until 09:43, in 2 h");
        assert_eq!(moments.since("2026-11-20T07:43:12Z"), "since 07:43, 0 s ago");
        assert_eq!(moments.since("never"), "");
    }

    #[test]
    fn what_is_printed_on_a_change_does_not_change_by_itself() {
        let moments = moments(false);
        assert_eq!(moments.since("2026-11-20T07:31:07Z"), "since 07:31");
        assert_eq!(moments.until("2026-11-20T09:43:10Z"), "until 09:43");
        assert_eq!(moments.age("2026-11-20T07:31:07Z"), "07:31");
    }

    #[test]
    fn the_time_of_day_is_the_readers_own() {
        let moments = Moments {
            offset: |_| 3600,
            ..moments(true)
        };
        assert_eq!(moments.since("2026-11-20T07:31:07Z"), "since 08:31, 12 min ago");
        assert_eq!(moments.since("2026-11-19T23:30:00Z"), "since 00:30, 8 h ago");
        assert_eq!(moments.second(), "08:43:10");
    }
}
