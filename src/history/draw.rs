//! Fewer segments than there were, for who draws them.

use super::{Lasted, Segment, Status};
use crate::words::Wall;

/// Segments of one subject in an answer.
pub const SEGMENTS_MAX: usize = 500;
/// Segments of all subjects in an answer: about 1.5 MB.
pub const SEGMENTS_ALL_MAX: usize = 20_000;

/// At most `segments_max` segments: when there are more, the span is cut into as many equal parts, and each is shown as
/// the worst of down and degraded in it, else as what it mostly was. So an outage is never too short to be seen.
pub fn drawn(segments: Vec<Segment>, segments_max: usize) -> Vec<Segment> {
    let (Some(first), Some(last)) = (segments.first(), segments.last()) else {
        return segments;
    };
    if segments.len() <= segments_max || segments_max == 0 {
        return segments;
    }
    let (begins, ends) = (first.from, last.until);
    let parts = i64::try_from(segments_max).unwrap_or(i64::MAX);
    let length = ends.millis_since(begins);
    let edge = |nth: i64| begins.plus_millis(length / parts * nth + length % parts * nth / parts);
    let mut drawn: Vec<Segment> = Vec::new();
    let mut rest = segments.as_slice();
    for nth in 0..parts {
        let (from, until) = (edge(nth), edge(nth + 1));
        rest = &rest[rest.partition_point(|segment| segment.until <= from)..];
        let status = mostly(rest, from, until);
        match drawn.last_mut() {
            Some(before) if before.status == status => before.until = until,
            _ => drawn.push(Segment { status, from, until }),
        }
    }
    drawn
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
