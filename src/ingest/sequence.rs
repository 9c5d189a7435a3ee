//! The order of an acknowledging producer's lines: what is new, what is a repeat, what is out of order.

use crate::words::Reject;

/// The sequence of one connection. `seq` 0 is never new: a new producer's `last_seq` is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// The hello's `last_seq`: what an earlier connection has made durable.
    hello: u64,
    /// The connection's own previous sequence number, of a repeat too.
    previous: Option<u64>,
}

/// What a line's sequence number makes of the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Beyond all that was seen; `gap` numbers before it were skipped.
    New {
        gap: u64,
    },
    /// Counted by an earlier connection: drop it.
    Repeat,
    Refused(Reject),
}

impl Sequence {
    /// How far a line may be ahead. A greater leap is a broken counter, and must not raise
    /// `last_seq`: the producer would be out of numbers.
    pub const LEAP_MAX: u64 = 1 << 32;

    pub fn new(hello_last_seq: u64) -> Sequence {
        Sequence {
            hello: hello_last_seq,
            previous: None,
        }
    }

    /// Places one line, in the order of the rules: not increasing, repeat, too far ahead.
    pub fn place(&mut self, seq: u64) -> Place {
        if self.previous.is_some_and(|previous| seq <= previous) {
            return Place::Refused(Reject::NotIncreasing);
        }
        if seq <= self.hello {
            self.previous = Some(seq);
            return Place::Repeat;
        }
        let last = self.last();
        if seq - last > Sequence::LEAP_MAX {
            return Place::Refused(Reject::BadField);
        }
        self.previous = Some(seq);
        Place::New { gap: seq - last - 1 }
    }

    /// The producer's `last_seq` once all that was placed is committed: never below the hello's.
    pub fn last(&self) -> u64 {
        self.hello.max(self.previous.unwrap_or(0))
    }
}

#[cfg(test)]
mod tests;
