//! What is not yet on disk: merged key by key, so that it stays small however long commits fail.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Fold, MergeWindow, Persist};
use crate::history::{Entry, Unwatched, Why};
use crate::ingest::delta::{Batch, CellCount, CellKey};
use crate::ingest::registry::ProducerRow;
use crate::words::{TenantName, Wall};

/// (producer, epoch) → its row, or `None` to forget it.
pub(crate) type ProducerChanges = BTreeMap<(Arc<str>, Arc<str>), Option<ProducerRow>>;

/// Source and key of a [`crate::ingest::delta::Mark`].
type MarkKey = (Arc<str>, Box<str>);

/// One commit's worth. After a failure it is kept and grows by merging.
#[derive(Debug, Default)]
pub(super) struct Pending {
    /// In the order of their ids.
    pub batches: Vec<Batch>,
    /// Cells of the last batch that were not yet held against its others.
    unmerged: usize,
    pub producers: ProducerChanges,
    /// Body and time.
    pub marks: BTreeMap<MarkKey, (Box<str>, Wall)>,
    pub persist: Option<Kept>,
}

/// [`Persist`] as it waits: by key, so that what comes later replaces what came before.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub ticket: u64,
    pub state: BTreeMap<String, Option<String>>,
    pub history: Vec<Entry>,
    pub fold: Option<KeptFold>,
}

#[derive(Debug, Default)]
pub(super) struct KeptFold {
    pub upto: i64,
    pub slots: BTreeMap<i64, Vec<u8>>,
    pub slots_from: i64,
    pub windows: BTreeMap<(i64, TenantName), Vec<u8>>,
    pub late: BTreeMap<(i64, TenantName), Vec<u8>>,
    /// Events that lost their endpoint's name when late parts were merged with each other.
    pub folded: u64,
    pub windows_from: i64,
    pub rollups: BTreeMap<(i64, TenantName), String>,
    pub rollups_from: i64,
}

impl Pending {
    /// Cells that wait, all batches together, and marks, which are as large.
    pub fn cells(&self) -> usize {
        let cells: usize = self.batches.iter().map(|batch| batch.cells.len()).sum();
        cells + self.marks.len()
    }

    pub fn is_empty(&self) -> bool {
        self.batches.is_empty() && self.producers.is_empty() && self.marks.is_empty() && self.persist.is_none()
    }

    /// Adds what was counted: what belongs to one slot of the sliding window becomes one batch, and what was merely
    /// refused belongs to any. A batch of its own gets an id by `next_id`, unless it has one.
    pub fn push(&mut self, mut batch: Batch, next_id: impl FnOnce() -> i64) {
        let marks = std::mem::take(&mut batch.marks).into_iter();
        self.marks
            .extend(marks.map(|mark| ((mark.source, mark.key), (mark.body, mark.at))));
        if batch.cells.is_empty() && batch.rejected == 0 {
            return;
        }
        let is_count = batch.cells.is_empty() && batch.reporters.is_empty();
        match self.batches.last_mut() {
            Some(last) if is_count => last.rejected = last.rejected.saturating_add(batch.rejected),
            Some(last) if slot(last) == slot(&batch) => {
                last.arrival = last.arrival.min(batch.arrival);
                self.unmerged += batch.cells.len();
                last.cells.append(&mut batch.cells);
                last.reporters.append(&mut batch.reporters);
                last.rejected = last.rejected.saturating_add(batch.rejected);
                last.lags.append(&mut batch.lags);
                last.lags.truncate(Batch::LAGS_MAX);
                if self.unmerged > CELLS_UNMERGED_MAX {
                    self.merge();
                }
            }
            _ => {
                self.merge();
                if batch.log_id == 0 {
                    batch.log_id = next_id();
                }
                self.batches.push(batch);
            }
        }
        if let Some(last) = self.batches.last_mut() {
            last.reporters.sort_unstable();
            last.reporters.dedup();
        }
    }

    /// Adds up equal cells of the last batch; those of earlier ones were when their slot ended. So an outage costs as
    /// many cells as there were places to count in, however many batches brought them.
    pub fn merge(&mut self) {
        if std::mem::take(&mut self.unmerged) > 0
            && let Some(last) = self.batches.last_mut()
        {
            merge_cells(&mut last.cells);
        }
    }

    /// Adds what came later.
    pub fn append(&mut self, later: Pending, merge: MergeWindow) {
        for batch in later.batches {
            let id = batch.log_id;
            self.push(batch, || id);
        }
        self.marks.extend(later.marks);
        self.unmerged += later.unmerged;
        self.producers.extend(later.producers);
        if let Some(kept) = later.persist {
            self.keep(kept, merge);
        }
    }

    pub fn keep(&mut self, later: Kept, merge: MergeWindow) {
        match &mut self.persist {
            Some(kept) => kept.absorb(later, merge),
            none => *none = Some(later),
        }
    }
}

/// Below this, adding up equal cells costs more than it saves.
const CELLS_UNMERGED_MAX: usize = 16_384;

/// The sliding window's slots: a batch must not straddle two of them.
const SLOT_SECONDS: i64 = 10;

fn slot(batch: &Batch) -> i64 {
    batch.arrival.as_secs().div_euclid(SLOT_SECONDS)
}

fn merge_cells(cells: &mut Vec<(CellKey, CellCount)>) {
    // Stable: of equal keys the later sample wins.
    cells.sort_by(|(left, _), (right, _)| left.cmp(right));
    cells.dedup_by(|(later_key, later), (key, count)| {
        if later_key != key {
            return false;
        }
        count.merge(later.clone());
        true
    });
}

impl Kept {
    /// While commits fail, older changes beyond this are lost (they are history, not state).
    const HISTORY_MAX: usize = 10_000;
    /// Times unwatched are never lost: what was in them would be taken for watched. Beyond this, the oldest become one.
    const UNWATCHED_MAX: usize = 1000;
    /// While commits fail, the oldest windows beyond this are lost.
    const FOLD_BYTES_MAX: usize = 64 << 20;

    /// Puts what came later over this.
    pub fn absorb(&mut self, later: Kept, merge: MergeWindow) {
        self.ticket = self.ticket.max(later.ticket);
        self.state.extend(later.state);
        self.history.extend(later.history);
        bound(&mut self.history, Self::HISTORY_MAX, Self::UNWATCHED_MAX);
        match (&mut self.fold, later.fold) {
            (Some(fold), Some(later)) => fold.absorb(later, merge),
            (fold @ None, later) => *fold = later,
            (Some(_), None) => {}
        }
    }
}

/// Loses the oldest changes beyond `changes_max`, and makes one of the oldest times unwatched beyond `unwatched_max`: at
/// the place of the first of them, so that what was seen in between is not watched either.
fn bound(history: &mut Vec<Entry>, changes_max: usize, unwatched_max: usize) {
    let is_dark = |entry: &Entry| matches!(entry, Entry::Unwatched(_));
    let dark = history.iter().filter(|entry| is_dark(entry)).count();
    let mut changes_beyond = (history.len() - dark).saturating_sub(changes_max);
    let mut dark_beyond = dark.saturating_sub(unwatched_max);
    if changes_beyond + dark_beyond == 0 {
        return;
    }
    let mut first: Option<usize> = None;
    let mut kept: Vec<Entry> = Vec::with_capacity(history.len());
    for entry in history.drain(..) {
        let one = first.and_then(|at| match kept.get_mut(at) {
            Some(Entry::Unwatched(one)) => Some(one),
            _ => None,
        });
        match (&entry, one) {
            (Entry::Change(_), _) if changes_beyond > 0 => changes_beyond -= 1,
            (Entry::Unwatched(later), Some(one)) if dark_beyond > 0 => {
                dark_beyond -= 1;
                *one = Unwatched {
                    from: one.from,
                    until: later.until,
                    why: Why::Stopped,
                };
            }
            _ => {
                if is_dark(&entry) {
                    first.get_or_insert(kept.len());
                }
                kept.push(entry);
            }
        }
    }
    *history = kept;
}

impl KeptFold {
    fn absorb(&mut self, later: KeptFold, merge: MergeWindow) {
        self.upto = self.upto.max(later.upto);
        self.slots_from = self.slots_from.max(later.slots_from);
        self.windows_from = self.windows_from.max(later.windows_from);
        self.rollups_from = self.rollups_from.max(later.rollups_from);
        self.slots.extend(later.slots);
        self.windows.extend(later.windows);
        self.rollups.extend(later.rollups);
        self.folded = self.folded.saturating_add(later.folded);
        for (key, body) in later.late {
            let sum = merge(self.late.get(&key).map(Vec::as_slice), &body);
            self.folded = self.folded.saturating_add(sum.folded);
            self.late.insert(key, sum.body);
        }
        self.slots.retain(|start, _| *start >= self.slots_from);
        self.windows.retain(|(start, _), _| *start >= self.windows_from);
        self.late.retain(|(start, _), _| *start >= self.windows_from);
        self.rollups.retain(|(start, _), _| *start >= self.rollups_from);
        self.bound();
    }

    fn bound(&mut self) {
        let of = |bodies: &BTreeMap<(i64, TenantName), Vec<u8>>| bodies.values().map(Vec::len).sum::<usize>();
        let mut bytes = of(&self.windows) + of(&self.late);
        while bytes > Kept::FOLD_BYTES_MAX {
            let Some((_, body)) = self.late.pop_first().or_else(|| self.windows.pop_first()) else {
                break;
            };
            bytes = bytes.saturating_sub(body.len());
            tracing::warn!(
                bytes = body.len(),
                "commits fail for too long: the oldest window that waits is lost"
            );
        }
    }
}

impl Kept {
    pub fn new(persist: Persist, merge: MergeWindow) -> Kept {
        Kept {
            ticket: persist.ticket,
            state: persist.state,
            history: persist.history,
            fold: persist.fold.map(|fold| KeptFold::new(fold, merge)),
        }
    }
}

impl KeptFold {
    fn new(fold: Fold, merge: MergeWindow) -> KeptFold {
        let mut late = BTreeMap::<(i64, TenantName), Vec<u8>>::new();
        let mut folded = 0_u64;
        for (start, tenant, body) in fold.late {
            let key = (start, tenant);
            let sum = match late.get(&key) {
                Some(earlier) => {
                    let sum = merge(Some(earlier), &body);
                    folded = folded.saturating_add(sum.folded);
                    sum.body
                }
                None => body,
            };
            late.insert(key, sum);
        }
        let keyed = |(start, tenant, body)| ((start, tenant), body);
        KeptFold {
            upto: fold.upto,
            slots: fold.slots.into_iter().collect(),
            slots_from: fold.slots_from,
            windows: fold.windows.into_iter().map(keyed).collect(),
            late,
            folded,
            windows_from: fold.windows_from,
            rollups: fold
                .rollups
                .into_iter()
                .map(|(start, tenant, body)| ((start, tenant), body))
                .collect(),
            rollups_from: fold.rollups_from,
        }
    }
}
