//! A delta in the making: counts by cell, and at most one sample's raw text a cell.

use std::collections::HashMap;
use std::sync::Arc;

use rustc_hash::FxBuildHasher;

use super::delta::{CellCount, CellKey, Sample, Subject};
use super::event::Event;
use super::scan::Text;
use super::subjects::Subjects;
use crate::words::{Code, Family, Outcome, Via, Wall, redact};

/// Cells of one delta; at this number the reader waits for the writer.
pub const CELLS_MAX: usize = 65_536;
/// Raw sample text of one delta, likewise.
pub const SAMPLES_BYTES_MAX: usize = 8 << 20;

/// What one delta keeps room for once it was taken.
const CELLS_KEPT: usize = 8_192;
const SAMPLES_BYTES_KEPT: usize = 1 << 20;
/// Start-to-start distance of aligned windows.
const WINDOW_MILLIS: i64 = 300_000;
/// An event whose own time is older at its arrival is history: it stays out of the sliding window.
const LIVE_MILLIS_MAX: i64 = 300_000;
/// A row keeps one sample a slot of the sliding window: more are not worth their redaction.
const SLOT_MILLIS: i64 = 10_000;
/// No cell of that number exists.
const NO_CELL: u32 = u32::MAX;

#[derive(Debug, Default)]
pub(super) struct Cells {
    cells: Vec<Cell>,
    /// Of subjects that are counted in several cells of the delta; most are in one, which `lasts` tells.
    by_spot: HashMap<Spot, u32, FxBuildHasher>,
    /// By subject.
    lasts: Vec<Last>,
    /// Raw text of samples.
    texts: String,
    /// The sliding window's slot that this delta is filed in.
    slot: i64,
}

/// What a subject was counted as last.
#[derive(Clone, Copy, Debug)]
struct Last {
    /// The cell, of this or an earlier delta. A hint, checked when used.
    cell: u32,
    sampled: Option<Sampled>,
}

/// A row and slot that has its sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sampled {
    slot: i64,
    family: Family,
    live: bool,
    window: i64,
}

/// A cell's key, with the subject's index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Spot {
    subject: u32,
    code: Code,
    live: bool,
    /// Start of the aligned window: Unix seconds.
    window: i64,
}

#[derive(Debug)]
struct Cell {
    spot: Spot,
    count: u64,
    max_attempt: u32,
    first: Wall,
    last: Wall,
    sample: CellSample,
}

#[derive(Clone, Copy, Debug)]
enum CellSample {
    /// A success, or its row has one of this slot.
    Unwanted,
    Wanted(Sampled),
    Kept(RawSample),
}

/// A sample before redaction: one text after the other, from `start` in [`Cells::texts`].
#[derive(Clone, Copy, Debug)]
struct RawSample {
    start: usize,
    request_id: Option<u16>,
    task_id: Option<u16>,
    error: Option<u16>,
    error_is_cut: bool,
}

impl Cells {
    pub fn is_full(&self) -> bool {
        self.cells.len() >= CELLS_MAX || self.texts.len() >= SAMPLES_BYTES_MAX
    }

    /// A delta's first line has arrived.
    pub fn begin(&mut self, arrival: Wall) {
        self.slot = arrival.as_millis().div_euclid(SLOT_MILLIS);
    }

    /// Counts one event of a subject that happened at `own`.
    #[inline]
    pub fn count(&mut self, subject: u32, event: &Event<'_>, own: Wall, arrival: Wall) {
        let spot = Spot {
            subject,
            code: event.code,
            live: arrival.millis_since(own) <= LIVE_MILLIS_MAX,
            window: own.as_millis().div_euclid(WINDOW_MILLIS) * (WINDOW_MILLIS / 1000),
        };
        let hint = self.lasts.get(subject as usize).map_or(NO_CELL, |last| last.cell);
        let index = match self.cells.get(hint as usize) {
            Some(cell) if cell.spot == spot => hint as usize,
            _ => self.locate(spot, own),
        };
        let Some(cell) = self.cells.get_mut(index) else {
            return;
        };
        cell.count += 1;
        cell.max_attempt = cell.max_attempt.max(event.attempt);
        cell.first = cell.first.min(own);
        cell.last = cell.last.max(own);
        if let CellSample::Wanted(sampled) = cell.sample
            && let Some(sample) = keep(&mut self.texts, event)
        {
            cell.sample = CellSample::Kept(sample);
            self.lasts[subject as usize].sampled = Some(sampled);
        }
    }

    /// All that was counted; empty afterwards, with room for about as much again.
    pub fn take(&mut self, subjects: &Subjects) -> RawCells {
        let room = Vec::with_capacity(self.cells.len().min(CELLS_KEPT));
        let texts_room = String::with_capacity(self.texts.len().min(SAMPLES_BYTES_KEPT));
        if self.by_spot.capacity() > CELLS_KEPT {
            self.by_spot = HashMap::default();
        }
        self.by_spot.clear();
        RawCells {
            cells: std::mem::replace(&mut self.cells, room),
            texts: std::mem::replace(&mut self.texts, texts_room),
            subjects: subjects.all(),
            via: subjects.via(),
        }
    }

    /// Forgets which subject counted where: their indexes mean others now.
    pub fn subjects_changed(&mut self) {
        self.lasts.clear();
    }

    /// Finds or makes a cell.
    #[cold]
    fn locate(&mut self, spot: Spot, own: Wall) -> usize {
        let subject = spot.subject as usize;
        if self.lasts.len() <= subject {
            let unknown = Last {
                cell: NO_CELL,
                sampled: None,
            };
            self.lasts.resize(subject + 1, unknown);
        }
        let last = &mut self.lasts[subject];
        let cells = &mut self.cells;
        let push = |cells: &mut Vec<Cell>| {
            cells.push(Cell {
                spot,
                count: 0,
                max_attempt: 0,
                first: own,
                last: own,
                sample: match Sampled::of(spot, self.slot) {
                    Some(sampled) if last.sampled != Some(sampled) => CellSample::Wanted(sampled),
                    _ => CellSample::Unwanted,
                },
            });
            u32::try_from(cells.len() - 1).unwrap_or(NO_CELL)
        };
        // The subject's last cell is its first of this delta, or of an earlier delta.
        let other = cells.get(last.cell as usize).map(|cell| cell.spot);
        last.cell = match other.filter(|other| other.subject == spot.subject) {
            None => push(cells),
            Some(other) => {
                self.by_spot.entry(other).or_insert(last.cell);
                *self.by_spot.entry(spot).or_insert_with(|| push(cells))
            }
        };
        last.cell as usize
    }
}

/// Cells as they were counted: to be put together by whoever took them, while the connection counts on.
#[derive(Debug)]
pub(super) struct RawCells {
    cells: Vec<Cell>,
    texts: String,
    subjects: Arc<Vec<Arc<Subject>>>,
    via: Via,
}

impl RawCells {
    /// Named and redacted.
    pub fn named(self) -> Vec<(CellKey, CellCount)> {
        let mut errors = Errors::default();
        let named = |cell: &Cell| {
            let key = CellKey {
                subject: Arc::clone(self.subjects.get(cell.spot.subject as usize)?),
                code: cell.spot.code,
                window: cell.spot.window,
                live: cell.spot.live,
                via: self.via,
            };
            let count = CellCount {
                count: cell.count,
                max_attempt: cell.max_attempt,
                first: cell.first,
                last: cell.last,
                sample: match cell.sample {
                    CellSample::Kept(sample) => Some(sample.redacted(&self.texts, &mut errors)),
                    CellSample::Unwanted | CellSample::Wanted(_) => None,
                },
            };
            Some((key, count))
        };
        let mut cells = Vec::with_capacity(self.cells.len());
        cells.extend(self.cells.iter().filter_map(named));
        cells
    }
}

impl Sampled {
    fn of(spot: Spot, slot: i64) -> Option<Sampled> {
        match spot.code.outcome() {
            Outcome::Delivered => None,
            Outcome::Failed(family) => Some(Sampled {
                slot,
                family,
                live: spot.live,
                window: spot.window,
            }),
        }
    }
}

/// Copies what a sample needs: `None` when the event says nothing of it.
fn keep(texts: &mut String, event: &Event<'_>) -> Option<RawSample> {
    if event.request_id.is_none() && event.task_id.is_none() && event.error.is_none() {
        return None;
    }
    let start = texts.len();
    let mut push = |text: Option<Text<'_>>, bytes_max: usize| {
        let text = text?.decoded();
        let kept = text.floor_char_boundary(bytes_max);
        texts.push_str(text.get(..kept)?);
        Some((u16::try_from(kept).ok()?, kept < text.len()))
    };
    let request_id = push(event.request_id, usize::from(u16::MAX));
    let task_id = push(event.task_id, usize::from(u16::MAX));
    let error = push(event.error, redact::ERROR_RAW_BYTES_MAX);
    Some(RawSample {
        start,
        request_id: request_id.map(|(bytes, _)| bytes),
        task_id: task_id.map(|(bytes, _)| bytes),
        error: error.map(|(bytes, _)| bytes),
        error_is_cut: error.is_some_and(|(_, is_cut)| is_cut),
    })
}

impl RawSample {
    fn redacted<'t>(self, texts: &'t str, errors: &mut Errors<'t>) -> Sample {
        let mut at = self.start;
        let mut next = |bytes: Option<u16>| {
            let start = at;
            at += usize::from(bytes?);
            texts.get(start..at)
        };
        Sample {
            request_id: next(self.request_id).and_then(redact::id),
            task_id: next(self.task_id).and_then(redact::id),
            error: next(self.error).and_then(|error| errors.redacted(error, self.error_is_cut)),
        }
    }
}

/// Errors of one delta, redacted: endpoints that fail for one reason share its text.
#[derive(Debug, Default)]
struct Errors<'t>(HashMap<(&'t str, bool), Option<Arc<str>>, FxBuildHasher>);

impl<'t> Errors<'t> {
    /// Beyond, a text is redacted for itself.
    const KEPT_MAX: usize = 256;

    fn redacted(&mut self, error: &'t str, is_cut: bool) -> Option<Arc<str>> {
        if let Some(known) = self.0.get(&(error, is_cut)) {
            return known.clone();
        }
        let redacted = redact::error(error, is_cut);
        if self.0.len() < Errors::KEPT_MAX {
            self.0.insert((error, is_cut), redacted.clone());
        }
        redacted
    }
}
