//! How quantities are written: durations `250ms 10s 5m 2h 3d`, sizes `64KiB 2GiB`, shares `15%`; and spans
//! of time for people, who want them round.

use std::time::Duration;

use crate::probe::declaration::Amount;

const DURATIONS: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

const SIZES: [(&str, u64); 5] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// A whole number and a unit, `ms s m h d`. A number without a unit is none: seconds and
/// milliseconds are both too likely a guess.
pub fn duration(text: &str) -> Option<Duration> {
    scaled(text, &DURATIONS).map(Duration::from_millis)
}

/// Bytes: a whole number and a unit, `B KiB MiB GiB TiB`, or a bare 0.
pub fn size(text: &str) -> Option<u64> {
    if text == "0" {
        return Some(0);
    }
    scaled(text, &SIZES)
}

/// `15%` as 0.15; between 0 and 100.
pub fn share(text: &str) -> Option<f64> {
    let percent = decimal(text.strip_suffix('%')?)?;
    (0.0..=100.0).contains(&percent).then_some(percent / 100.0)
}

/// A size or a share.
pub fn amount(text: &str) -> Option<Amount> {
    size(text).map(Amount::Bytes).or_else(|| share(text).map(Amount::Share))
}

/// `4`, `0.5`: digits with at most one point, so that neither `inf` nor `nan` nor `1e9` is a number here.
pub fn decimal(text: &str) -> Option<f64> {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    (digits(whole) && digits(fraction)).then(|| text.parse().ok()).flatten()
}

/// The shortest way to write it exactly: `90s`, `5m`, `0s`.
pub fn write_duration(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    match millis {
        0 => "0s".into(),
        millis => written(millis, &DURATIONS),
    }
}

/// The shortest way to write it exactly: `2GiB`, `1000B`.
pub fn write_size(bytes: u64) -> String {
    match bytes {
        0 => "0B".into(),
        bytes => written(bytes, &SIZES),
    }
}

/// `15%`, `0.5%`. Rounded to a millionth of a percent, so that what was read as `7%` is not shown
/// as `7.000000000000001%`.
pub fn write_share(share: f64) -> String {
    let percent = (share * 1e8).round() / 1e6;
    format!("{percent}%")
}

pub fn write_amount(amount: Amount) -> String {
    match amount {
        Amount::Bytes(bytes) => write_size(bytes),
        Amount::Share(share) => write_share(share),
    }
}

/// `45 s`, `12 min`, `3 h`, `2 d`: rounded down.
pub fn write_span(span: Duration) -> String {
    match span.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds @ 7200..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let (_, scale) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*scale)
}

fn written(value: u64, units: &[(&str, u64)]) -> String {
    let largest = units.iter().rev().find(|(_, scale)| value.is_multiple_of(*scale));
    let (unit, scale) = largest.copied().unwrap_or(units[0]);
    format!("{}{unit}", value / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_whole_number_and_a_unit() {
        let read = |text| duration(text).map(|read| read.as_millis());
        let good = [
            ("250ms", 250),
            ("10s", 10_000),
            ("5m", 300_000),
            ("2h", 7_200_000),
            ("0s", 0),
        ];
        for (text, millis) in good {
            assert_eq!(read(text), Some(millis), "{text}");
        }
        for bad in [
            "",
            "10",
            "s",
            "-1s",
            "1.5s",
            "10 s",
            "10S",
            "5min",
            "99999999999999999999s",
            "18446744073709551615h",
            "１s",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn sizes_are_binary_and_shares_are_percent() {
        assert_eq!(size("64KiB"), Some(65_536));
        assert_eq!(size("2GiB"), Some(2 << 30));
        assert_eq!(size("0"), Some(0));
        for bad in ["64", "64KB", "64K", "1.5GiB", "KiB", "99999999TiB"] {
            assert_eq!(size(bad), None, "{bad}");
        }
        assert_eq!(share("15%"), Some(0.15));
        assert_eq!(share("0.5%"), Some(0.005));
        for bad in ["15", "%", "101%", "-1%", "nan%", "inf%", "1e1%", ".5%", "5.%"] {
            assert_eq!(share(bad), None, "{bad}");
        }
    }

    #[test]
    fn spans_read_as_people_say_them() {
        let spans = [5, 119, 120, 7199, 7200, 172_800].map(|seconds| write_span(Duration::from_secs(seconds)));
        assert_eq!(spans, ["5 s", "119 s", "2 min", "119 min", "2 h", "2 d"]);
    }

    #[test]
    fn what_is_written_reads_back_the_same() {
        for text in ["250ms", "90s", "5m", "2h", "3d", "0s", "1500ms"] {
            assert_eq!(duration(text).map(write_duration).as_deref(), Some(text));
        }
        for text in ["1000B", "64KiB", "2GiB", "0B"] {
            assert_eq!(size(text).map(write_size).as_deref(), Some(text));
        }
        for percent in 0..=1000 {
            let text = format!("{}%", f64::from(percent) / 10.0);
            assert_eq!(share(&text).map(write_share), Some(text));
        }
    }
}
