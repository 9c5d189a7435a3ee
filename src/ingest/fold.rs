//! One connection's lines into a delta of its own.
//!
//! Invariant: what comes out depends on the bytes and the arrivals alone, not on how the bytes were cut
//! into reads. Memory is bounded whatever is sent: a line's length, the cells and samples of a delta, and the
//! names remembered all have their limits.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

pub use super::cells::{CELLS_MAX, SAMPLES_BYTES_MAX};
use super::cells::{Cells, RawCells};
use super::delta::{CellCount, CellKey, Lag};
use super::event::Event;
use super::scan::{self, Fields, NotJson, Value};
use super::sequence::{Place, Sequence};
use super::shape::Shape;
use super::skew::Skew;
pub use super::subjects::FoldSettings;
use super::subjects::Subjects;
use crate::words::{Now, Reject, TenantName, Via, Wall};

/// A line, its newline not counted.
pub const LINE_BYTES_MAX: usize = 16 << 10;
/// Older events (by their corrected time) tell nothing of their sender's clock: they waited somewhere.
pub const LAG_OF_EVENTS_UP_TO_MILLIS: i64 = 300_000;
/// Rejections handed over before more lines are read.
pub const REJECTIONS_MAX: usize = 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Plain,
    /// Each line bears a sequence number.
    Acknowledged {
        /// Of the answer to the hello.
        last_seq: u64,
    },
}

/// One per connection.
#[derive(Debug)]
pub struct Folder {
    sequence: Option<Sequence>,
    shape: Shape,
    skew: Skew,
    subjects: Subjects,
    cells: Cells,
    tally: Tally,
    /// The smallest arrival − event time of the delta, and the subject of that event.
    lag: Option<(i64, u32)>,
    /// Of the delta's first line.
    arrival: Option<Wall>,
    /// Lines so far, empty ones too.
    lines: u64,
    /// Inside a line that was refused as too long.
    skipping: bool,
}

/// What [`Folder::read`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read {
    /// Bytes at the front that are done with. The rest is to be handed over again, with more behind it;
    /// without `full` it is the beginning of one line and at most [`LINE_BYTES_MAX`].
    pub consumed: usize,
    /// Stopped early, with lines left: take the delta, empty the rejections, read the rest.
    pub full: bool,
}

/// A line that was refused. Final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// `None` when it could not be read.
    pub seq: Option<u64>,
    /// The first line (behind the hello, if there is one) is 1. Empty lines have a number too.
    pub line: u64,
    pub reason: Reject,
}

/// What was folded between two [`Folder::take`]s.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delta {
    /// When its first line arrived.
    pub arrival: Wall,
    /// Each key once.
    pub cells: Vec<(CellKey, CellCount)>,
    pub tally: Tally,
    /// In acknowledged mode: the producer's `last_seq`, and what may be acknowledged, once this is
    /// committed. Never below the hello's.
    pub last_seq: Option<u64>,
    /// Tenants it counts events for: sorted, each once.
    pub tenants: Vec<TenantName>,
    /// `None`: no event said its time, or its sender has no clock of its own.
    pub lag: Option<Lag>,
}

/// A [`Delta`] whose cells are not put together yet.
#[derive(Debug)]
pub struct RawDelta {
    cells: RawCells,
    /// All but cells and tenants.
    rest: Delta,
}

/// Lines by what became of them: `received` is the sum of `accepted`, `duplicate` and all `rejected`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub received: u64,
    pub accepted: u64,
    /// Repeats of what an earlier connection made durable.
    pub duplicate: u64,
    /// Sequence numbers that were skipped.
    pub gaps: u64,
    /// By reason, in the order of [`Reject::ALL`].
    pub rejected: [u64; Reject::ALL.len()],
}

#[derive(Clone, Copy)]
enum Line<'a> {
    Text(&'a str),
    NotUtf8,
    TooLong,
}

/// What became of one line.
enum Fate {
    Accepted,
    Repeat,
    Refused(Option<u64>, Reject),
}

impl Folder {
    /// `skew_from_hello`: arrival − the hello's `now`, in milliseconds.
    pub fn new(settings: Arc<FoldSettings>, mode: Mode, skew_from_hello: Option<i64>) -> Folder {
        Folder {
            sequence: match mode {
                Mode::Plain => None,
                Mode::Acknowledged { last_seq } => Some(Sequence::new(last_seq)),
            },
            shape: Shape::default(),
            skew: Skew::new(skew_from_hello),
            subjects: Subjects::new(settings),
            cells: Cells::default(),
            tally: Tally::default(),
            lag: None,
            arrival: None,
            lines: 0,
            skipping: false,
        }
    }

    /// Folds the complete lines at the front of `bytes`, which arrived at `now`, and appends what was
    /// refused. Stops early when the delta or the list of rejections is full.
    pub fn read(&mut self, bytes: &[u8], now: Now, rejections: &mut Vec<Rejection>) -> Read {
        let mut consumed = self.skip(bytes);
        let block = Block::of_complete_lines(bytes.get(consumed..).unwrap_or_default());
        let start = consumed;
        for newline in memchr::memchr_iter(b'\n', block.bytes) {
            if self.cells.is_full() || rejections.len() >= REJECTIONS_MAX {
                return Read { consumed, full: true };
            }
            self.line(block.line(consumed - start..newline), now, rejections);
            consumed = start + newline + 1;
        }
        if bytes.len() - consumed > LINE_BYTES_MAX {
            self.line(Line::TooLong, now, rejections);
            self.skipping = true;
            consumed = bytes.len();
        }
        Read { consumed, full: false }
    }

    /// The end of the stream: what is left counts like any line, its newline or not, full or not.
    pub fn finish(&mut self, bytes: &[u8], now: Now, rejections: &mut Vec<Rejection>) {
        let rest = bytes.get(self.skip(bytes)..).unwrap_or_default();
        for line in rest.split(|byte| *byte == b'\n') {
            self.one(line, now, rejections);
        }
    }

    /// Folds one line that is already known to be one: an element of a list, say, which may hold newlines.
    pub fn one(&mut self, line: &[u8], now: Now, rejections: &mut Vec<Rejection>) {
        self.line(Line::of(line), now, rejections);
    }

    /// Nothing more is to be folded before the delta is taken.
    pub fn is_full(&self) -> bool {
        self.cells.is_full()
    }

    /// What was folded since the last time; `None` when no line arrived.
    pub fn take(&mut self) -> Option<Delta> {
        self.take_raw().map(RawDelta::finished)
    }

    /// The same, to be finished where no lines wait for it.
    pub fn take_raw(&mut self) -> Option<RawDelta> {
        let arrival = self.arrival.take()?;
        let cells = self.cells.take(&self.subjects);
        let lag = self.lag();
        if self.subjects.trim() {
            self.cells.subjects_changed();
        }
        Some(RawDelta {
            cells,
            rest: Delta {
                tally: std::mem::take(&mut self.tally),
                last_seq: self.sequence.map(|sequence| sequence.last()),
                lag,
                ..Delta::empty(arrival)
            },
        })
    }

    /// Bytes of a too long line that is still going on; its newline ends it.
    fn skip(&mut self, bytes: &[u8]) -> usize {
        if !self.skipping {
            return 0;
        }
        match memchr::memchr(b'\n', bytes) {
            Some(newline) => {
                self.skipping = false;
                newline + 1
            }
            None => bytes.len(),
        }
    }

    fn line(&mut self, line: Line<'_>, now: Now, rejections: &mut Vec<Rejection>) {
        self.lines += 1;
        if matches!(line, Line::Text(text) if scan::is_blank(text)) {
            return;
        }
        self.tally.received += 1;
        if self.arrival.is_none() {
            self.arrival = Some(now.wall);
            self.cells.begin(now.wall);
        }
        match self.fold(line, now) {
            Fate::Accepted => self.tally.accepted += 1,
            Fate::Repeat => self.tally.duplicate += 1,
            Fate::Refused(seq, reason) => {
                self.tally.rejected[reason as usize] += 1;
                rejections.push(Rejection {
                    seq,
                    line: self.lines,
                    reason,
                });
            }
        }
    }

    /// The order of the rules: its length, UTF-8, JSON, its place in the sequence, its fields. So a repeat is a
    /// repeat whatever else it says, and a refused line with a readable `seq` advances the sequence.
    fn fold(&mut self, line: Line<'_>, now: Now) -> Fate {
        let mut fields = Fields::default();
        let scanned = match line {
            Line::TooLong => Err(Reject::TooLong),
            Line::NotUtf8 => Err(Reject::NotUtf8),
            Line::Text(text) => scan::scan_like(text, &mut self.shape, &mut fields).map_err(|NotJson| Reject::NotJson),
        };
        if let Err(reason) = scanned {
            return Fate::Refused(None, reason);
        }
        let seq = match fields.seq {
            Value::Unsigned(seq) => Some(seq),
            _ => None,
        };
        if let (Some(sequence), Some(seq)) = (&mut self.sequence, seq) {
            match sequence.place(seq) {
                Place::New { gap } => self.tally.gaps = self.tally.gaps.saturating_add(gap),
                Place::Repeat => return Fate::Repeat,
                Place::Refused(reason) => return Fate::Refused(Some(seq), reason),
            }
        }
        match self.count(&fields, now) {
            Ok(()) => Fate::Accepted,
            Err(reason) => Fate::Refused(seq, reason),
        }
    }

    #[inline]
    fn count(&mut self, fields: &Fields<'_>, now: Now) -> Result<(), Reject> {
        let event = Event::read(fields, self.sequence.is_some())?;
        let subject = self.subjects.find(&event)?;
        let own = self.skew.own_time(event.ts, now);
        if let Some(ts) = event.ts {
            let lag = now.wall.millis_since(ts);
            let is_recent = now.wall.millis_since(own) <= LAG_OF_EVENTS_UP_TO_MILLIS;
            if is_recent && self.lag.is_none_or(|(least, _)| lag < least) {
                self.lag = Some((lag, subject));
            }
        }
        self.cells.count(subject, &event, own, now.wall);
        Ok(())
    }

    /// Of those who report with a clock of their own. An event cannot arrive before it happened: where it seems to have
    /// been sooner than the sender's word allows, one of the clocks was set since.
    fn lag(&mut self) -> Option<Lag> {
        let (least, subject) = self.lag.take()?;
        let said = self.skew.said();
        matches!(self.subjects.via(), Via::Socket | Via::Plugin).then_some(())?;
        Some(Lag {
            sender: Arc::clone(&self.subjects.get(subject)?.gateway),
            millis: said.map_or(least, |said| said.min(least)),
            said: said.is_some(),
        })
    }
}

impl RawDelta {
    /// Lines that were counted.
    pub fn accepted(&self) -> u64 {
        self.rest.tally.accepted
    }

    pub fn finished(self) -> Delta {
        let cells = self.cells.named();
        let mut tenants: BTreeSet<&TenantName> = BTreeSet::new();
        // Cells of one tenant often follow each other, and share its name.
        for run in cells.chunk_by(|(one, _), (next, _)| one.subject.tenant == next.subject.tenant) {
            tenants.extend(run.first().map(|(key, _)| &key.subject.tenant));
        }
        Delta {
            tenants: tenants.into_iter().cloned().collect(),
            cells,
            ..self.rest
        }
    }
}

impl Delta {
    /// Of no line.
    pub fn empty(arrival: Wall) -> Delta {
        Delta {
            arrival,
            cells: Vec::new(),
            tally: Tally::default(),
            last_seq: None,
            tenants: Vec::new(),
            lag: None,
        }
    }
}

impl Tally {
    pub fn rejected_total(&self) -> u64 {
        self.rejected.iter().sum()
    }
}

/// Complete lines, looked through for UTF-8 at once: a newline is never part of another character.
struct Block<'a> {
    bytes: &'a [u8],
    /// `None`: at least one of its lines is not UTF-8.
    text: Option<&'a str>,
}

impl<'a> Block<'a> {
    fn of_complete_lines(bytes: &'a [u8]) -> Block<'a> {
        let end = memchr::memrchr(b'\n', bytes).map_or(0, |newline| newline + 1);
        let bytes = &bytes[..end];
        Block {
            bytes,
            text: simdutf8::basic::from_utf8(bytes).ok(),
        }
    }

    #[inline]
    fn line(&self, range: Range<usize>) -> Line<'a> {
        match self.text.and_then(|text| text.get(range.clone())) {
            Some(text) if text.len() <= LINE_BYTES_MAX => Line::Text(text),
            _ => Line::of(&self.bytes[range]),
        }
    }
}

impl Line<'_> {
    fn of(bytes: &[u8]) -> Line<'_> {
        if bytes.len() > LINE_BYTES_MAX {
            return Line::TooLong;
        }
        simdutf8::basic::from_utf8(bytes).map_or(Line::NotUtf8, Line::Text)
    }
}

#[cfg(test)]
mod tests;
