//! What segments amount to.

use std::time::Duration;

use super::{Lasted, Segment, Spread, Status};
use crate::readiness::snapshot::Transition;
use crate::words::Wall;

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Figures {
    pub lasted: Lasted,
    pub uptime: Option<f64>,
    pub outages: usize,
    pub flaps: usize,
    pub time_to_recover: Spread,
}

/// An outage that goes on.
struct Outage {
    from: Wall,
    /// Whether somebody watched at the last moment.
    seen: bool,
}

/// `segments`: without holes. `began`: when an outage that was there at the beginning had begun. `ended`: whether one was
/// seen to end at that moment, though nobody watched from then on: a process that says so and is killed.
pub(super) fn figures(segments: &[Segment], began: Option<Wall>, ended: impl Fn(Wall) -> bool) -> Figures {
    let lasted = lasted(segments);
    let mut figures = Figures {
        lasted,
        uptime: uptime(&lasted),
        ..Figures::default()
    };
    let mut recovered = Vec::new();
    let mut outage: Option<Outage> = None;
    let mut before: Option<Status> = None;
    for segment in segments {
        let flapped = before.is_some_and(|before| is_level(before) && is_level(segment.status));
        figures.flaps += usize::from(flapped);
        before = Some(segment.status);
        match (segment.status, &mut outage) {
            (Status::Down, Some(outage)) => outage.seen = true,
            (Status::Down, none) => {
                figures.outages += 1;
                let from = began.filter(|_| Some(segment) == segments.first());
                *none = Some(Outage {
                    from: from.unwrap_or(segment.from),
                    seen: true,
                });
            }
            (Status::NotWatched, Some(outage)) if !ended(segment.from) => outage.seen = false,
            (Status::Starting | Status::Unknown, Some(outage)) => outage.seen = true,
            (_, open) => {
                let ended = open.take().filter(|outage| outage.seen);
                recovered.extend(ended.map(|outage| segment.from.millis_since(outage.from)));
            }
        }
    }
    figures.time_to_recover = spread(recovered);
    figures
}

pub(super) fn lasted(segments: &[Segment]) -> Lasted {
    let mut lasted = Lasted::default();
    for segment in segments {
        lasted.add(segment);
    }
    lasted
}

/// Whether a change ends an outage: to what answers again, or was taken out by somebody.
pub(super) fn ends_an_outage(change: &Transition) -> bool {
    let to = Status::of_word(&change.to);
    let over = [Status::Ok, Status::Degraded, Status::Maintenance, Status::Draining];
    Status::of_word(&change.from) == Status::Down && over.contains(&to)
}

/// Up ÷ judged.
pub(super) fn uptime(lasted: &Lasted) -> Option<f64> {
    let up = lasted.millis(Status::Ok) + lasted.millis(Status::Degraded);
    let judged = up + lasted.millis(Status::Down);
    (judged > 0).then(|| ratio(up, judged))
}

/// How late each change to `down` in `from..=until` was noticed.
pub(super) fn time_to_detect<'a>(changes: impl Iterator<Item = &'a Transition>, from: Wall, until: Wall) -> Spread {
    let downs = changes.filter(|change| Status::of_word(&change.to) == Status::Down);
    let in_span = downs.filter(|change| (from..=until).contains(&change.at));
    let late = in_span.filter_map(|change| Some(change.at.millis_since(change.last_good_at.or(change.first_bad_at)?)));
    spread(late.collect())
}

/// Milliseconds are below 2^53 for 285 thousand years.
#[expect(clippy::cast_precision_loss, reason = "see above")]
pub(super) fn ratio(part: i64, whole: i64) -> f64 {
    part as f64 / whole as f64
}

fn is_level(status: Status) -> bool {
    matches!(status, Status::Ok | Status::Degraded | Status::Down | Status::Unknown)
}

/// Of milliseconds; a negative one (a clock was stepped back in between) is none.
fn spread(mut millis: Vec<i64>) -> Spread {
    millis.retain(|millis| *millis >= 0);
    millis.sort_unstable();
    let duration = |millis: i64| Duration::from_millis(u64::try_from(millis).unwrap_or(0));
    let (Some(max), Ok(n)) = (millis.last(), i64::try_from(millis.len())) else {
        return Spread::default();
    };
    let middle = millis.len() / 2;
    let median = match millis.len() % 2 {
        0 => i64::midpoint(millis[middle - 1], millis[middle]),
        _ => millis[middle],
    };
    Spread {
        n: millis.len(),
        mean: duration(millis.iter().sum::<i64>() / n),
        median: duration(median),
        max: duration(*max),
    }
}
