//! The sliding window: the last 300 s by arrival, in ten-second slots.
//!
//! A cell keeps one small slice per slot in which it was counted, so that memory follows what was
//! counted, and what leaves the window is taken back out exactly.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde::{Serialize, Serializer};

use super::body::SlotBody;
use super::filing::{Filing, SLOT_MILLIS, Slot};
use super::rows::{Counted, Rows};
use super::tally::{Cell, GATEWAYS_MAX, Tally, families, is_beyond, other, rows_of, sort_rows};
use super::view::{Dropped, Row, WindowHead, WindowKind, WindowView};
use crate::ingest::delta::Sample;
use crate::words::{Code, Now, TenantName, Wall};

/// Slots of the window, the current one included.
pub(super) const SLOTS: Slot = 30;

#[derive(Clone, Debug)]
pub(super) struct Sliding {
    /// The slot of now. The window begins `SLOTS - 1` before it.
    current: Slot,
    /// Shared with the windows that are shown: one of these is copied when it changes.
    tenants: BTreeMap<TenantName, Arc<Tenant>>,
    /// Slots whose bodies in the store are behind.
    dirty: BTreeSet<Slot>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Tenant {
    failures: u64,
    /// By slot, ascending.
    delivered: Vec<(Slot, u64)>,
    endpoints: FxHashMap<Arc<str>, Endpoint>,
}

#[derive(Clone, Debug, Default)]
struct Endpoint {
    failures: u64,
    cells: Vec<SlicedCell>,
}

#[derive(Clone, Debug)]
struct SlicedCell {
    code: Code,
    /// By slot, ascending; never empty.
    slices: Vec<Slice>,
    /// With the last slot in which each reported.
    gateways: Vec<(Arc<str>, Slot)>,
    sample: Option<(Slot, Sample)>,
}

#[derive(Clone, Copy, Debug)]
struct Slice {
    slot: Slot,
    max_attempt: u32,
    count: u64,
    first: Wall,
    last: Wall,
}

impl Sliding {
    pub fn new(current: Slot) -> Sliding {
        Sliding {
            current,
            tenants: BTreeMap::new(),
            dirty: BTreeSet::new(),
        }
    }

    pub fn current(&self) -> Slot {
        self.current
    }

    pub fn oldest(&self) -> Slot {
        self.current.saturating_sub(SLOTS - 1)
    }

    pub fn holds(&self, slot: Slot) -> bool {
        (self.oldest()..=self.current).contains(&slot)
    }

    /// Moves on to the slot of now and drops what is older than the window. `true` when it moved.
    pub fn advance(&mut self, current: Slot) -> bool {
        if current <= self.current {
            return false;
        }
        self.current = current;
        let oldest = self.oldest();
        self.tenants
            .retain(|_, tenant| !tenant.has_before(oldest) || Arc::make_mut(tenant).forget_before(oldest));
        self.dirty.retain(|slot| *slot >= oldest);
        true
    }

    /// Counts failures in a slot of the window; `true` when the endpoint was one too many.
    pub fn fail(&mut self, slot: Slot, tenant: &TenantName, endpoint: &Arc<str>, cell: &Cell) -> bool {
        self.dirty.insert(slot);
        Arc::make_mut(self.tenants.entry(tenant.clone()).or_default()).fail(slot, endpoint, cell)
    }

    pub fn deliver(&mut self, slot: Slot, tenant: &TenantName, count: u64) {
        self.dirty.insert(slot);
        let delivered = &mut Arc::make_mut(self.tenants.entry(tenant.clone()).or_default()).delivered;
        match delivered.binary_search_by_key(&slot, |entry| entry.0) {
            Ok(place) => delivered[place].1 = delivered[place].1.saturating_add(count),
            Err(place) => delivered.insert(place, (slot, count)),
        }
    }

    /// Failures of a tenant, all endpoints and families.
    pub fn failures(&self, tenant: &TenantName) -> u64 {
        self.tenants.get(tenant).map_or(0, |tenant| tenant.failures)
    }

    /// Failures of an endpoint, all families.
    pub fn endpoint_failures(&self, tenant: &TenantName, endpoint: &str) -> u64 {
        self.tenants
            .get(tenant)
            .and_then(|tenant| tenant.endpoints.get(endpoint))
            .map_or(0, |endpoint| endpoint.failures)
    }

    /// Every endpoint with failures, and how many.
    pub fn endpoints(&self) -> impl Iterator<Item = (&TenantName, &Arc<str>, u64)> {
        self.tenants.iter().flat_map(|(name, tenant)| {
            (tenant.endpoints.iter()).map(move |(endpoint, counted)| (name, endpoint, counted.failures))
        })
    }

    /// One endpoint's rows, most failures first.
    pub fn rows_of(&self, tenant: &TenantName, endpoint: &str) -> Vec<Row> {
        let mut rows = Vec::new();
        if let Some((endpoint, counted)) = self
            .tenants
            .get(tenant)
            .and_then(|t| t.endpoints.get_key_value(endpoint))
        {
            rows_of(tenant, endpoint, counted.cells.iter().map(SlicedCell::whole), &mut rows);
        }
        sort_rows(&mut rows);
        rows
    }

    pub fn view(&self, now: Now, filing: &Filing, dropped: Dropped) -> WindowView {
        let mut delivered = BTreeMap::new();
        for (name, tenant) in &self.tenants {
            let total = tenant
                .delivered
                .iter()
                .fold(0_u64, |sum, slot| sum.saturating_add(slot.1));
            if total > 0 {
                delivered.insert(name.clone(), total);
            }
        }
        let counted =
            |(name, tenant): (&TenantName, &Arc<Tenant>)| (name.clone(), Counted::Sliding(Arc::clone(tenant)));
        let start = filing.wall(now, i64::from(self.oldest()) * SLOT_MILLIS);
        WindowView {
            head: WindowHead {
                kind: WindowKind::Sliding,
                start,
                end: start.plus_millis(i64::from(SLOTS) * SLOT_MILLIS),
                is_final: false,
                revision: 0,
            },
            rows: Rows::of(self.tenants.iter().map(counted).collect()),
            delivered,
            dropped,
        }
    }

    pub fn is_dirty(&self) -> bool {
        !self.dirty.is_empty()
    }

    pub fn mark_dirty(&mut self, slot: Slot) {
        self.dirty.insert(slot);
    }

    pub fn mark_all_dirty(&mut self) {
        self.dirty.extend(self.oldest()..=self.current);
    }

    /// The slots to be written over, oldest first; what is in none of them is in the store already.
    pub fn take_dirty(&mut self) -> BTreeSet<Slot> {
        std::mem::take(&mut self.dirty)
    }

    /// What the store keeps of a slot: serialises as `Vec<(TenantName, Tally)>`.
    pub fn slot(&self, slot: Slot) -> impl Serialize {
        let tenants = self.tenants.iter().filter(|(_, tenant)| tenant.has_slot(slot));
        SlotParts {
            slot,
            tenants: tenants.collect(),
        }
    }

    /// Adds a slot that was read from the store.
    pub fn restore(&mut self, slot: Slot, body: &SlotBody) {
        for (tenant, tally) in &body.tenants {
            if tally.delivered > 0 {
                self.deliver(slot, tenant, tally.delivered);
            }
            for (endpoint, cell) in tally.cells() {
                self.fail(slot, tenant, endpoint, cell);
            }
        }
        self.dirty.remove(&slot);
    }
}

/// Tallies of one slot, each made when its turn comes: all together they would be as large as the window.
struct SlotParts<'a> {
    slot: Slot,
    tenants: Vec<(&'a TenantName, &'a Arc<Tenant>)>,
}

impl Serialize for SlotParts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq((self.tenants.iter()).map(|(name, tenant)| (*name, tenant.in_slot(self.slot))))
    }
}

impl Tenant {
    pub fn row_count(&self) -> usize {
        let counts = self
            .endpoints
            .values()
            .map(|endpoint| families(endpoint.cells.iter().map(|cell| cell.code)));
        counts.sum()
    }

    pub fn rows(&self, name: &TenantName, rows: &mut Vec<Row>) {
        for (endpoint, counted) in &self.endpoints {
            rows_of(name, endpoint, counted.cells.iter().map(SlicedCell::whole), rows);
        }
    }

    fn fail(&mut self, slot: Slot, endpoint: &Arc<str>, cell: &Cell) -> bool {
        let folds = is_beyond(&self.endpoints, endpoint);
        let endpoint = if folds { other() } else { Arc::clone(endpoint) };
        self.failures = self.failures.saturating_add(cell.count);
        let counted = self.endpoints.entry(endpoint).or_default();
        counted.failures = counted.failures.saturating_add(cell.count);
        match counted.cells.iter_mut().find(|known| known.code == cell.code) {
            Some(known) => known.add(slot, cell),
            None => {
                let mut sliced = SlicedCell {
                    code: cell.code,
                    slices: Vec::with_capacity(1),
                    gateways: Vec::with_capacity(cell.gateways.len()),
                    sample: None,
                };
                sliced.add(slot, cell);
                // Most endpoints fail with one code.
                counted.cells.reserve_exact(1);
                counted.cells.push(sliced);
            }
        }
        folds
    }

    fn delivered_in(&self, slot: Slot) -> u64 {
        match self.delivered.binary_search_by_key(&slot, |entry| entry.0) {
            Ok(place) => self.delivered[place].1,
            Err(_) => 0,
        }
    }

    /// Whether anything was counted in that slot.
    fn has_slot(&self, slot: Slot) -> bool {
        let mut cells = self.endpoints.values().flat_map(|endpoint| &endpoint.cells);
        self.delivered_in(slot) > 0 || cells.any(|cell| cell.place(slot).is_ok())
    }

    fn in_slot(&self, slot: Slot) -> Tally {
        let mut tally = Tally::default();
        tally.delivered = self.delivered_in(slot);
        for (endpoint, counted) in &self.endpoints {
            for cell in counted.cells.iter().filter_map(|cell| cell.in_slot(slot)) {
                tally.add(endpoint, cell);
            }
        }
        tally
    }

    /// Whether anything of it was counted before that slot.
    fn has_before(&self, oldest: Slot) -> bool {
        let first = |cell: &SlicedCell| cell.slices.first().map(|slice| slice.slot);
        let mut cells = self.endpoints.values().flat_map(|endpoint| &endpoint.cells);
        self.delivered.first().is_some_and(|entry| entry.0 < oldest) || cells.any(|cell| first(cell) < Some(oldest))
    }

    /// `false` when nothing is left.
    fn forget_before(&mut self, oldest: Slot) -> bool {
        self.delivered.retain(|entry| entry.0 >= oldest);
        let mut failures = 0_u64;
        self.endpoints.retain(|_, endpoint| {
            endpoint.cells.retain_mut(|cell| cell.forget_before(oldest));
            endpoint.failures = endpoint
                .cells
                .iter()
                .fold(0, |sum, cell| sum.saturating_add(cell.count()));
            failures = failures.saturating_add(endpoint.failures);
            !endpoint.cells.is_empty()
        });
        self.failures = failures;
        !self.delivered.is_empty() || !self.endpoints.is_empty()
    }
}

impl SlicedCell {
    fn count(&self) -> u64 {
        self.slices.iter().fold(0, |sum, slice| sum.saturating_add(slice.count))
    }

    fn place(&self, slot: Slot) -> Result<usize, usize> {
        self.slices.binary_search_by_key(&slot, |slice| slice.slot)
    }

    fn add(&mut self, slot: Slot, cell: &Cell) {
        let added = Slice {
            slot,
            max_attempt: cell.max_attempt,
            count: cell.count,
            first: cell.first,
            last: cell.last,
        };
        match self.place(slot) {
            Ok(place) => self.slices[place].merge(added),
            Err(place) => {
                // At most thirty; most windows have few.
                self.slices.reserve_exact(1);
                self.slices.insert(place, added);
            }
        }
        for gateway in &cell.gateways {
            match self.gateways.iter_mut().find(|known| known.0 == *gateway) {
                Some(known) => known.1 = known.1.max(slot),
                None => {
                    self.gateways.push((Arc::clone(gateway), slot));
                    if self.gateways.len() > GATEWAYS_MAX {
                        self.gateways.sort_unstable();
                        self.gateways.truncate(GATEWAYS_MAX);
                    }
                }
            }
        }
        if let Some(sample) = &cell.sample
            && self.sample.as_ref().is_none_or(|known| known.0 <= slot)
        {
            self.sample = Some((slot, sample.clone()));
        }
    }

    /// `false` when nothing is left.
    fn forget_before(&mut self, oldest: Slot) -> bool {
        self.slices.retain(|slice| slice.slot >= oldest);
        self.gateways.retain(|gateway| gateway.1 >= oldest);
        self.sample.take_if(|sample| sample.0 < oldest);
        !self.slices.is_empty()
    }

    /// All slots in one.
    fn whole(&self) -> Cell {
        let mut gateways: Vec<Arc<str>> = self.gateways.iter().map(|gateway| Arc::clone(&gateway.0)).collect();
        gateways.sort_unstable();
        Cell {
            code: self.code,
            count: self.count(),
            max_attempt: self.slices.iter().map(|slice| slice.max_attempt).max().unwrap_or(0),
            first: self.slices.iter().map(|slice| slice.first).min().unwrap_or_default(),
            last: self.slices.iter().map(|slice| slice.last).max().unwrap_or_default(),
            gateways,
            sample: self.sample.as_ref().map(|sample| sample.1.clone()),
        }
    }

    /// What the store keeps of one slot. Gateways and the sample are written with the last slot that
    /// had them: together the slots make up the window, alone they need not.
    fn in_slot(&self, slot: Slot) -> Option<Cell> {
        let slice = self.slices[self.place(slot).ok()?];
        let mut gateways: Vec<Arc<str>> = (self.gateways.iter())
            .filter(|gateway| gateway.1 == slot)
            .map(|gateway| Arc::clone(&gateway.0))
            .collect();
        gateways.sort_unstable();
        let sample = self.sample.as_ref().filter(|sample| sample.0 == slot);
        Some(Cell {
            code: self.code,
            count: slice.count,
            max_attempt: slice.max_attempt,
            first: slice.first,
            last: slice.last,
            gateways,
            sample: sample.map(|sample| sample.1.clone()),
        })
    }
}

impl Slice {
    fn merge(&mut self, later: Slice) {
        self.count = self.count.saturating_add(later.count);
        self.max_attempt = self.max_attempt.max(later.max_attempt);
        self.first = self.first.min(later.first);
        self.last = self.last.max(later.last);
    }
}
