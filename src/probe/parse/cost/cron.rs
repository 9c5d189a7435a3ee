//! Cron expressions of five or six fields (`second minute hour day month weekday`), as far as it takes to tell how soon
//! after each other two firings can be, and whether two schedules ever meet.
//!
//! Source: croner 10, by which OpenClaw reads them. Days that are reckoned (`L W #`) are read as days that follow
//! nobody's and meet everybody's.

use std::time::Duration;

/// An expression's firings within a day, and which days those are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cron {
    /// Bits: seconds, minutes, hours.
    seconds: u64,
    minutes: u64,
    hours: u64,
    days: Days,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Days {
    /// Bits 1..=31; `None`: any.
    of_month: Option<u64>,
    /// Bits 1..=12.
    months: u64,
    /// Bits 0..=6, Sunday first; `None`: any.
    of_week: Option<u64>,
    /// Some are reckoned, and not among those.
    reckoned: bool,
}

const HOUR_SECONDS: u64 = 3600;
const DAY_SECONDS: u64 = 24 * HOUR_SECONDS;
const MONTHS: [&str; 12] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

impl Cron {
    /// `None`: not in a form that is understood.
    pub fn parse(expression: &str) -> Option<Cron> {
        let expression = match expression.trim().to_ascii_lowercase().as_str() {
            "@yearly" | "@annually" => "0 0 1 1 *".to_owned(),
            "@monthly" => "0 0 1 * *".to_owned(),
            "@weekly" => "0 0 * * 0".to_owned(),
            "@daily" | "@midnight" => "0 0 * * *".to_owned(),
            "@hourly" => "0 * * * *".to_owned(),
            other => other.to_owned(),
        };
        let fields: Vec<&str> = expression.split_ascii_whitespace().collect();
        let (seconds, fields) = match fields.as_slice() {
            fields @ [_, _, _, _, _] => ("0", fields),
            [seconds, fields @ ..] if fields.len() == 5 => (*seconds, fields),
            _ => return None,
        };
        let &[minutes, hours, of_month, months, of_week] = fields else {
            return None;
        };
        let (of_month, month_reckoned) = days(of_month, 1, 31, &[])?;
        // Sunday is 0 and 7.
        let (of_week, week_reckoned) = days(of_week.trim_start_matches('+'), 0, 7, &WEEKDAYS)?;
        let fold_sunday = |bits: u64| (bits | bits >> 7) & 0x7f;
        Some(Cron {
            seconds: set(seconds, 0, 59, &[])?,
            minutes: set(minutes, 0, 59, &[])?,
            hours: set(hours, 0, 23, &[])?,
            days: Days {
                of_month,
                months: set(months, 1, 12, &MONTHS)?,
                of_week: of_week.map(fold_sunday),
                reckoned: month_reckoned || week_reckoned,
            },
        })
    }

    /// The shortest time between two firings, as far as it is below a day; a day otherwise.
    pub fn shortest(&self) -> Duration {
        // Hours are alike, so that one of them is looked through and not the day: some fire every second.
        let (mut first, mut last, mut shortest) = (None, 0, DAY_SECONDS);
        for time in self.times_of_an_hour() {
            if first.is_some() {
                shortest = shortest.min(time - last);
            }
            first = first.or(Some(time));
            last = time;
        }
        let Some(first) = first else {
            return Duration::from_secs(DAY_SECONDS);
        };
        let over = |from: u64, to: u64| (to - from) * HOUR_SECONDS + first - last;
        let hours: Vec<u64> = bits(self.hours).collect();
        for pair in hours.windows(2) {
            shortest = shortest.min(over(pair[0], pair[1]));
        }
        if let (Some(from), Some(to), true) = (hours.last(), hours.first(), self.days.follow_each_other()) {
            shortest = shortest.min(over(*from, to + 24));
        }
        Duration::from_secs(shortest)
    }

    /// Whether both may fire at the same second.
    pub fn meets(&self, other: &Cron) -> bool {
        let at_a_time = [
            (self.seconds, other.seconds),
            (self.minutes, other.minutes),
            (self.hours, other.hours),
        ];
        at_a_time.iter().all(|(ours, theirs)| ours & theirs != 0) && self.days.meet(&other.days)
    }

    /// Seconds of an hour, in order.
    fn times_of_an_hour(&self) -> impl Iterator<Item = u64> {
        bits(self.minutes).flat_map(move |minute| bits(self.seconds).map(move |second| minute * 60 + second))
    }
}

impl Days {
    fn follow_each_other(&self) -> bool {
        let in_month = self.of_month.is_none_or(|days| {
            let ends = (28..=31).any(|day| days & 1 << day != 0) && days & 1 << 1 != 0;
            days & days >> 1 != 0 || ends
        });
        let in_week = self.of_week.is_none_or(|days| {
            let around = days & 1 != 0 && days & 1 << 6 != 0;
            days & days >> 1 != 0 || around
        });
        match (self.of_month, self.of_week) {
            (_, None) => in_month,
            (None, Some(_)) => in_week,
            // Either of them fires, so that one may be the day after the other.
            (Some(_), Some(_)) => true,
        }
    }

    fn meet(&self, other: &Days) -> bool {
        if self.months & other.months == 0 {
            return false;
        }
        let free = |days: &Days| days.reckoned || (days.of_month.is_some() && days.of_week.is_some());
        if free(self) || free(other) {
            return true;
        }
        let apart = |ours: Option<u64>, theirs: Option<u64>| matches!((ours, theirs), (Some(ours), Some(theirs)) if ours & theirs == 0);
        !apart(self.of_month, other.of_month) && !apart(self.of_week, other.of_week)
    }
}

fn bits(set: u64) -> impl Iterator<Item = u64> {
    (0..64).filter(move |bit| set & 1 << bit != 0)
}

/// `None`: any day; whether some are reckoned.
fn days(field: &str, least: u32, most: u32, names: &[&str]) -> Option<(Option<u64>, bool)> {
    if matches!(field, "*" | "?") {
        return Some((None, false));
    }
    let (mut known, mut reckoned) = (0, false);
    for part in field.split(',') {
        match set(part, least, most, names) {
            Some(days) => known |= days,
            None if is_reckoned(part) => reckoned = true,
            None => return None,
        }
    }
    Some((Some(known), reckoned))
}

/// `L`, `LW`, `15W`, `5#2`, `fri#L`.
fn is_reckoned(part: &str) -> bool {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || letter == '#';
    part.len() <= 8 && part.contains(['l', 'w', '#']) && part.chars().all(allowed)
}

/// A list of values, ranges and steps.
fn set(field: &str, least: u32, most: u32, names: &[&str]) -> Option<u64> {
    field
        .split(',')
        .try_fold(0, |all, part| Some(all | range(part, least, most, names)?))
}

fn range(part: &str, least: u32, most: u32, names: &[&str]) -> Option<u64> {
    let (span, step) = match part.split_once('/') {
        Some((span, step)) => (span, Some(step.parse::<u32>().ok().filter(|step| *step > 0)?)),
        None => (part, None),
    };
    let value = |text: &str| {
        let named = names.iter().position(|name| *name == text);
        let number = match named {
            // The first month is 1, the first weekday 0.
            Some(index) => u32::try_from(index).ok()? + u32::from(least == 1),
            None => text.parse().ok()?,
        };
        (least..=most).contains(&number).then_some(number)
    };
    let (from, to) = match span {
        "*" | "?" => (least, most),
        span => match span.split_once('-') {
            Some((from, to)) => (value(from)?, value(to)?),
            // A step without an end goes on to the last.
            None => (value(span)?, if step.is_some() { most } else { value(span)? }),
        },
    };
    let values = (from..=to).step_by(usize::try_from(step.unwrap_or(1)).ok()?);
    (from <= to).then(|| values.fold(0, |set, value| set | 1 << value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shortest(expression: &str) -> Option<u64> {
        Cron::parse(expression).map(|cron| cron.shortest().as_secs())
    }

    #[test]
    fn the_shortest_time_between_two_firings_is_known() {
        for (expression, seconds) in [
            ("* * * * *", 60),
            ("*/5 * * * *", 300),
            ("0 3 * * *", 86_400),
            ("* * * * * *", 1),
            ("*/30 * * * * *", 30),
            ("0,45 0 * * * *", 45),
            ("0/20 * * * * *", 20),
            ("*/7 * * * *", 240),
            ("59,0 23,0 * * *", 60),
            ("59,0 23,0 1 1 *", 3540),
            ("0 9-17 * * MON-FRI", 3600),
            ("30 8 * * 1,3", 86_400),
            ("0 0,23 * * 0", 82_800),
            ("0 0,23 * * sat,sun", 3600),
            ("0 0,23 L * *", 82_800),
            ("0 9 15 * +1", 86_400),
            ("0 0 * * 5#2", 86_400),
            ("@hourly", 3600),
            ("  @daily ", 86_400),
        ] {
            assert_eq!(shortest(expression), Some(seconds), "{expression}");
        }
    }

    #[test]
    fn what_is_no_expression_is_none() {
        for nonsense in [
            "",
            "* * * *",
            "* * * * * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * * 13 *",
            "* * * * 8",
            "*/0 * * * *",
            "5-1 * * * *",
            "a * * * *",
            "1-2-3 * * * *",
            "* * * * mon-",
            "-1 * * * *",
            "@reboot",
            "* * w.x * *",
            "99999999999 * * * *",
        ] {
            assert_eq!(shortest(nonsense), None, "{nonsense}");
        }
    }

    #[test]
    fn schedules_meet_when_both_may_fire_at_one_time() {
        let meets = |one: &str, other: &str| {
            let (one, other) = (Cron::parse(one).unwrap(), Cron::parse(other).unwrap());
            assert_eq!(one.meets(&other), other.meets(&one));
            one.meets(&other)
        };
        assert!(meets("*/5 * * * *", "0 9 * * *"));
        assert!(!meets("0 9 * * *", "0 17 * * *"));
        assert!(!meets("0 9 * * 1-5", "0 9 * * 6,0"));
        assert!(meets("0 9 * * 7", "0 9 * * 0"));
        assert!(!meets("0 9 1 1 *", "0 9 1 2 *"));
        assert!(!meets("0 9 1 * *", "0 9 2 * *"));
        assert!(meets("0 9 1 * *", "0 9 * * 1"));
        assert!(meets("0 9 15 * 1", "0 9 16 * *"), "some 16th is a Monday");
        assert!(!meets("10 * * * * *", "*/30 * * * * *"));
    }
}
