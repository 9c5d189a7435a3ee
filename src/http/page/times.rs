//! Moments and amounts as the page writes them. The script rewrites ages in the same words as time goes by.

use std::time::Duration;

use maud::{Markup, html};

use crate::config::units::write_span;
use crate::readiness::snapshot::CheckView;
use crate::words::{Now, Wall};

/// `12 min ago`, which ticks.
pub(super) fn ago(then: Wall, now: Now) -> Markup {
    html! {
        time datetime=(then) data-ago=(then.as_millis()) { (span(then, now.wall)) " ago" }
    }
}

/// `12 min`, which ticks.
pub(super) fn for_how_long(then: Wall, now: Now) -> Markup {
    html! {
        time datetime=(then) data-for=(then.as_millis()) { (span(then, now.wall)) }
    }
}

/// `in 12 min`, which ticks; `now` once it is over.
pub(super) fn until(then: Wall, now: Now) -> Markup {
    html! {
        time datetime=(then) data-until=(then.as_millis()) {
            @if then > now.wall { "in " (span(now.wall, then)) } @else { "now" }
        }
    }
}

/// `07:31:07`, with its day where that is another one.
pub(super) fn moment(then: Wall, now: Now) -> Markup {
    let text = then.rfc3339();
    let (day, time) = text.split_once('T').unwrap_or((&text, ""));
    let time = time.trim_end_matches('Z');
    let today = now.wall.rfc3339();
    html! {
        time datetime=(text) {
            @if !today.starts_with(day) { (day) " " }
            (time)
        }
    }
}

/// When a check was last answered: by the clock that counts sleep where there is one, since the other may be stepped.
pub(super) fn answered_at(check: &CheckView, now: Now) -> Option<Wall> {
    let by_boot = check.checked_instant.map(|instant| now.wall_of(instant));
    by_boot.or(check.checked_at)
}

/// `0.41 s`, `12 s`.
pub(super) fn seconds(duration: Duration) -> String {
    match duration.as_secs_f64() {
        zero if zero < 0.0005 => "0 s".to_owned(),
        short if short < 0.1 => format!("{:.0} ms", short * 1000.0),
        short if short < 10.0 => format!("{short:.2} s"),
        long => format!("{long:.0} s"),
    }
}

/// `212 MiB`.
pub(super) fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}

/// `12,345`.
pub(super) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn span(from: Wall, to: Wall) -> String {
    let millis = to.millis_since(from).max(0);
    write_span(Duration::from_millis(millis.unsigned_abs()))
}
