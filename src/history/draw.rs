//! Fewer segments than there were, for who draws them.

use super::{Lasted, Segment, Status};
use crate::words::Wall;

/// Segments of one subject in an answer.
pub const SEGMENTS_MAX: usize = 500;
/// Segments of all subjects in an answer: about 1.5 MB.
pub const SEGMENTS_ALL_MAX: usize = 20_000;

/// At most `segments_max` segments: when there are more, they are [`cells`], of which neighbours of one status are one.
pub fn drawn(segments: Vec<Segment>, segments_max: usize) -> Vec<Segment> {
    if segments.len() <= segments_max {
        return segments;
    }
    let mut drawn: Vec<Segment> = Vec::new();
    for cell in cells(&segments, segments_max) {
        match drawn.last_mut() {
            Some(before) if before.status == cell.status => before.until = cell.until,
            _ => drawn.push(cell),
        }
    }
    drawn
}

/// The span cut into `count` equal parts, each shown as the worst of down and degraded in it, else as what it mostly
/// was: so an outage is never too short to be seen. `segments`: without holes.
pub fn cells(segments: &[Segment], count: usize) -> Vec<Segment> {
    let (Some(first), Some(last)) = (segments.first(), segments.last()) else {
        return Vec::new();
    };
    let begins = first.from;
    let parts = i64::try_from(count).unwrap_or(i64::MAX).max(1);
    let length = last.until.millis_since(begins);
    let edge = |nth: i64| begins.plus_millis(length / parts * nth + length % parts * nth / parts);
    let mut rest = segments;
    let cell = |nth| {
        let (from, until) = (edge(nth), edge(nth + 1));
        rest = &rest[rest.partition_point(|segment| segment.until <= from)..];
        let status = mostly(rest, from, until);
        Segment { status, from, until }
    };
    (0..parts).map(cell).collect()
}

fn mostly(segments: &[Segment], from: Wall, until: Wall) -> Status {
    let mut lasted = Lasted::default();
    for segment in segments.iter().take_while(|segment| segment.from < until) {
        lasted.add(&Segment {
            status: segment.status,
            from: segment.from.max(from),
            until: segment.until.min(until),
        });
    }
    let worst = [Status::Down, Status::Degraded].into_iter();
    let longest = Status::ALL.into_iter().max_by_key(|status| lasted.millis(*status));
    let mut shown = worst.filter(|status| lasted.millis(*status) > 0);
    shown.next().or(longest).unwrap_or(Status::NotWatched)
}
