//! What was recorded: changes of status, and times in which nobody watched, in the order in which they came.

use super::{Status, Who};
use crate::readiness::snapshot::Transition;
use crate::words::Wall;

/// One row of the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    Change(Transition),
    Unwatched(Unwatched),
}

/// What was lived ends at `from` and goes on at `until`, by the wall clock. Where that was stepped back, `until` is the
/// earlier one: the time between is lived again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unwatched {
    pub from: Wall,
    pub until: Wall,
    pub why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// readyd did not run.
    Stopped,
    /// The host, or readyd, slept or stood still.
    Asleep,
    /// The wall clock was stepped.
    Clock,
}

/// What a subject is now, as the store has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Present {
    pub who: Who,
    pub status: Status,
    pub since: Wall,
}

/// All that a [`super::Report`] is made of, read from the store in one transaction.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record {
    /// Id and row, ascending; of the subjects that are wanted and, of times unwatched, all.
    pub entries: Vec<(i64, Entry)>,
    /// The subjects there are.
    pub presents: Vec<Present>,
    /// The last moment of which the store knows that readyd lived.
    pub alive: Option<Wall>,
    /// What was before is not known.
    pub begins: Wall,
    /// Newest first, as asked for.
    pub transitions: Vec<Transition>,
}

impl Why {
    pub const ALL: [Why; 3] = [Why::Stopped, Why::Asleep, Why::Clock];

    pub const fn as_str(self) -> &'static str {
        match self {
            Why::Stopped => "stopped",
            Why::Asleep => "asleep",
            Why::Clock => "clock",
        }
    }
}
