//! From a record to segments: each stretch that was lived is painted with what held in it, in the order in which it
//! was lived; what nothing has painted is `not_watched`.
//!
//! A change says what it ends and since when that held. So a stretch is known by the change at its end, also when
//! what began it is not kept any more, or the process died in between.

use super::record::{Entry, Present, Unwatched, Why};
use super::{Segment, Status};
use crate::readiness::snapshot::Transition;
use crate::words::Wall;

/// Painted stretches in order, without overlap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Timeline(Vec<Segment>);

/// A change, or the present: it ends what held until `at`.
struct End<'a> {
    id: i64,
    at: Wall,
    status: Status,
    /// `None`: not recorded, so not known.
    since: Option<Wall>,
    change: Option<&'a Transition>,
}

/// A time between two moments of one run of the wall clock.
#[derive(Clone, Copy)]
struct Stretch {
    from: Wall,
    until: Wall,
    /// Nobody watched.
    is_dark: bool,
}

/// The entries of one subject and the times unwatched, both ascending by id.
#[derive(Clone, Debug, Default)]
pub(super) struct Rows<'a> {
    pub changes: &'a [(i64, &'a Transition)],
    pub unwatched: &'a [(i64, Unwatched)],
}

impl Stretch {
    const fn lived(from: Wall, until: Wall) -> Stretch {
        Stretch {
            from,
            until,
            is_dark: false,
        }
    }

    /// What a stepped clock has left out was not lived at all: what is there stays, as a host that boots in 1970 would
    /// else forget its yesterday.
    fn of(dark: Unwatched) -> Stretch {
        Stretch {
            from: dark.from,
            until: if dark.why == Why::Clock { dark.from } else { dark.until },
            is_dark: true,
        }
    }
}

impl Timeline {
    /// `begins`: of the record. `lived`: until when the present held for sure.
    pub fn of(rows: &Rows<'_>, present: &Present, begins: Wall, lived: Wall) -> Timeline {
        let mut timeline = Timeline::default();
        let ends = rows.changes.iter().map(|(id, change)| End {
            id: *id,
            at: change.at,
            status: Status::of_word(&change.from),
            since: change.since,
            change: Some(*change),
        });
        let now = End {
            id: i64::MAX,
            at: lived,
            status: present.status,
            since: Some(present.since),
            change: None,
        };
        let mut unwatched = rows.unwatched.iter().peekable();
        let mut cursor = begins;
        // Rows of before the record begins are not believed; once the clock was stepped back, stamps do not tell.
        let mut floor = Some(begins);
        let mut before: Option<&Transition> = None;
        for end in ends.chain([now]) {
            let mut lived = Vec::new();
            let known = |from: Wall, floor: Option<Wall>| floor.map_or(from, |floor| from.max(floor));
            while let Some((_, dark)) = unwatched.next_if(|(id, _)| *id < end.id) {
                lived.push(Stretch::lived(known(cursor, floor), dark.from));
                lived.push(Stretch::of(*dark));
                floor = floor.filter(|_| dark.until >= dark.from);
                cursor = dark.until;
            }
            lived.push(Stretch::lived(known(cursor, floor), end.at));
            cursor = end.at;
            timeline.paint_all(&lived, before, &end);
            before = end.change.filter(|change| floor.is_none_or(|floor| change.at >= floor));
        }
        timeline
    }

    /// What was lived between `before` and `end`.
    fn paint_all(&mut self, lived: &[Stretch], before: Option<&Transition>, end: &End<'_>) {
        // It became something else while nobody watched: a process that ends says `draining`, the next one serves.
        let other = before.map(|change| Status::of_word(&change.to));
        let other = other.filter(|status| *status != end.status && (lived.len() > 1 || end.change.is_none()));
        let began = end.since.filter(|_| !before.is_some_and(|before| goes_on(before, end)));
        let began = began.and_then(|since| Some((since, began_in(lived, since)?)));
        for (nth, Stretch { from, until, is_dark }) in lived.iter().copied().enumerate() {
            // Lost rows, or it was not there for a while: only since then it is known.
            let since = match began {
                Some((_, at)) if nth < at => until,
                Some((since, at)) if nth == at => since.clamp(from, until.max(from)),
                _ => from,
            };
            match (nth, other) {
                _ if is_dark => self.paint(from, until, Status::NotWatched),
                (0, Some(status)) => {
                    let since = if since > from { since } else { until };
                    self.paint(from, since, status);
                    self.paint(since, until, end.status);
                }
                _ => {
                    self.paint(from, since, Status::NotWatched);
                    self.paint(since, until, end.status);
                }
            }
        }
    }

    /// Over what is there.
    pub fn paint(&mut self, from: Wall, until: Wall, status: Status) {
        if until <= from {
            return;
        }
        let first = self.0.partition_point(|segment| segment.until <= from);
        let after = self.0.partition_point(|segment| segment.from < until).max(first);
        let left = self.0.get(first).filter(|left| left.from < from);
        let left = left.map(|left| Segment { until: from, ..*left });
        let right = self.0[first..after].last().filter(|right| right.until > until);
        let right = right.map(|right| Segment { from: until, ..*right });
        let new = Segment { status, from, until };
        self.0.splice(first..after, left.into_iter().chain([new]).chain(right));
    }

    /// When that had begun which holds at `moment`.
    pub fn begin_of(&self, moment: Wall) -> Option<Wall> {
        let at = self.0.partition_point(|segment| segment.until <= moment);
        let segment = self.0.get(at).filter(|segment| segment.from <= moment)?;
        Some(segment.from)
    }

    /// The painted stretches of one status.
    pub fn of_status(&self, status: Status) -> impl Iterator<Item = &Segment> {
        self.0.iter().filter(move |segment| segment.status == status)
    }

    /// All of `from..until`, holes filled; neighbours of one status are one.
    pub fn within(&self, from: Wall, until: Wall) -> Vec<Segment> {
        let mut whole: Vec<Segment> = Vec::new();
        let mut add = |status, from: Wall, until: Wall| match whole.last_mut() {
            _ if until <= from => {}
            Some(last) if last.status == status => last.until = until,
            _ => whole.push(Segment { status, from, until }),
        };
        let mut cursor = from;
        let first = self.0.partition_point(|segment| segment.until <= from);
        for segment in self.0[first..].iter().take_while(|segment| segment.from < until) {
            let begins = segment.from.max(from);
            let ends = segment.until.min(until);
            add(Status::NotWatched, cursor, begins);
            add(segment.status, begins, ends);
            cursor = ends;
        }
        add(Status::NotWatched, cursor, until);
        whole
    }
}

/// Whether what `end` ends had begun with `before` or earlier, so that it held in all that was lived in between.
fn goes_on(before: &Transition, end: &End<'_>) -> bool {
    let (from, to) = (Status::of_word(&before.from), Status::of_word(&before.to));
    let began_with_it = to == end.status && end.since == Some(before.at);
    // A process that has said `draining` is followed by one that takes up what was.
    began_with_it || (from == end.status && end.since == before.since && to != Status::NotWatched)
}

/// Which of the stretches `since` lies in; `None`: it had begun before all of them. A clock that was stepped back shows
/// a moment twice: the last one is taken, so that nothing is claimed that is not known.
fn began_in(lived: &[Stretch], since: Wall) -> Option<usize> {
    let within = |stretch: &Stretch| (stretch.from..=stretch.until).contains(&since);
    let is_beyond = lived.last().is_some_and(|last| since > last.until);
    lived.iter().rposition(within).or(is_beyond.then_some(lived.len()))
}

/// Those of all that tell of times unwatched.
pub(super) fn unwatched(entries: &[(i64, Entry)]) -> Vec<(i64, Unwatched)> {
    let dark = entries.iter().filter_map(|(id, entry)| match entry {
        Entry::Unwatched(unwatched) => Some((*id, *unwatched)),
        Entry::Change(_) => None,
    });
    dark.collect()
}
