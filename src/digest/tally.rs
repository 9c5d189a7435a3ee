//! What one tenant's deliveries amount to in one window: the form that is kept, merged and stored.

use std::borrow::Borrow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use super::view::Row;
use crate::ingest::delta::{CellCount, Sample};
use crate::words::{Code, Family, Outcome, TenantName, Wall};

/// Endpoints per tenant and window; further ones are counted as [`OTHER`].
pub(super) const ENDPOINTS_MAX: usize = 512;
pub(super) const OTHER: &str = "__other__";
/// Gateways shown per row: the first of them by name.
pub(super) const GATEWAYS_MAX: usize = 16;

/// Failures by endpoint, deliveries in one number.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Tally {
    pub delivered: u64,
    endpoints: FxHashMap<Arc<str>, Vec<Cell>>,
}

/// Failures of one endpoint with one code.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Cell {
    pub code: Code,
    pub count: u64,
    pub max_attempt: u32,
    pub first: Wall,
    pub last: Wall,
    /// Sorted, at most [`GATEWAYS_MAX`].
    pub gateways: Vec<Arc<str>>,
    pub sample: Option<Sample>,
}

impl Tally {
    pub fn cells(&self) -> impl Iterator<Item = (&Arc<str>, &Cell)> {
        self.endpoints
            .iter()
            .flat_map(|(endpoint, cells)| cells.iter().map(move |cell| (endpoint, cell)))
    }

    /// Adds failures; `true` when the endpoint was one too many and they went to [`OTHER`].
    pub fn add(&mut self, endpoint: &Arc<str>, cell: Cell) -> bool {
        let folds = is_beyond(&self.endpoints, endpoint);
        let endpoint = if folds { other() } else { Arc::clone(endpoint) };
        let cells = self.endpoints.entry(endpoint).or_default();
        match cells.iter_mut().find(|known| known.code == cell.code) {
            Some(known) => known.merge(cell),
            None => {
                // Most endpoints fail with one code.
                cells.reserve_exact(1);
                cells.push(cell);
            }
        }
        folds
    }

    /// Returns how many events went to [`OTHER`], since their endpoints were too many for both together.
    pub fn merge(&mut self, later: Tally) -> u64 {
        self.delivered = self.delivered.saturating_add(later.delivered);
        let mut folded = 0_u64;
        for (endpoint, cells) in later.endpoints {
            for cell in cells {
                let count = cell.count;
                if self.add(&endpoint, cell) {
                    folded = folded.saturating_add(count);
                }
            }
        }
        folded
    }

    pub fn failures(&self) -> BTreeMap<Family, u64> {
        let mut failures = BTreeMap::new();
        for (_, cell) in self.cells() {
            if let Some(family) = family(cell.code) {
                let total = failures.entry(family).or_insert(0_u64);
                *total = total.saturating_add(cell.count);
            }
        }
        failures
    }

    pub fn row_count(&self) -> usize {
        let counts = self
            .endpoints
            .values()
            .map(|cells| families(cells.iter().map(|cell| cell.code)));
        counts.sum()
    }

    pub fn rows(&self, tenant: &TenantName, rows: &mut Vec<Row>) {
        for (endpoint, cells) in &self.endpoints {
            rows_of(tenant, endpoint, cells.iter().cloned(), rows);
        }
    }
}

impl Cell {
    pub fn new(code: Code, gateway: &Arc<str>, count: &CellCount) -> Cell {
        Cell {
            code,
            count: count.count,
            max_attempt: count.max_attempt,
            first: count.first,
            last: count.last,
            gateways: vec![Arc::clone(gateway)],
            sample: count.sample.clone(),
        }
    }

    pub fn merge(&mut self, later: Cell) {
        self.count = self.count.saturating_add(later.count);
        self.max_attempt = self.max_attempt.max(later.max_attempt);
        self.first = self.first.min(later.first);
        self.last = self.last.max(later.last);
        gateways_join(&mut self.gateways, &later.gateways);
        if later.sample.is_some() {
            self.sample = later.sample;
        }
    }
}

/// Whether one more endpoint would be one too many.
pub(super) fn is_beyond<T>(endpoints: &FxHashMap<Arc<str>, T>, endpoint: &str) -> bool {
    // With one more than that, [`OTHER`] is there.
    endpoints.len() >= ENDPOINTS_MAX
        && endpoint != OTHER
        && !endpoints.contains_key(endpoint)
        && (endpoints.len() > ENDPOINTS_MAX || !endpoints.contains_key(OTHER))
}

/// [`OTHER`] as a key: one text for all.
pub(super) fn other() -> Arc<str> {
    static NAME: LazyLock<Arc<str>> = LazyLock::new(|| OTHER.into());
    Arc::clone(&NAME)
}

/// The family of a failure; `None` for a delivery that succeeded.
pub(super) fn family(code: Code) -> Option<Family> {
    match code.outcome() {
        Outcome::Delivered => None,
        Outcome::Failed(family) => Some(family),
    }
}

/// How many rows one endpoint's cells are: its families.
pub(super) fn families(codes: impl ExactSizeIterator<Item = Code>) -> usize {
    // Most endpoints fail with one code.
    match codes.len() {
        0 | 1 => codes.filter_map(family).count(),
        _ => codes.filter_map(family).collect::<BTreeSet<_>>().len(),
    }
}

/// One row per family of one endpoint's cells. The sample is that of the code seen last.
pub(super) fn rows_of(
    tenant: &TenantName,
    endpoint: &Arc<str>,
    cells: impl Iterator<Item = Cell>,
    rows: &mut Vec<Row>,
) {
    let from = rows.len();
    let mut sampled: Vec<(Wall, Code)> = Vec::new();
    for cell in cells {
        let Some(family) = family(cell.code) else { continue };
        let index = match rows[from..].iter().position(|row| row.family == family) {
            Some(index) => index,
            None => {
                rows.push(empty_row(tenant, endpoint, family, &cell));
                sampled.push((Wall::from_millis(i64::MIN), cell.code));
                sampled.len() - 1
            }
        };
        let (row, latest) = (&mut rows[from + index], &mut sampled[index]);
        row.count = row.count.saturating_add(cell.count);
        row.statuses.reserve_exact(1);
        row.statuses.push((cell.code, cell.count));
        row.max_attempt = row.max_attempt.max(cell.max_attempt);
        row.first_seen = row.first_seen.min(cell.first);
        row.last_seen = row.last_seen.max(cell.last);
        gateways_join(&mut row.gateways, &cell.gateways);
        if let Some(sample) = cell.sample
            && (cell.last, cell.code) >= *latest
        {
            row.sample = sample;
            *latest = (cell.last, cell.code);
        }
    }
    for row in &mut rows[from..] {
        sort_statuses(&mut row.statuses);
    }
}

pub(super) fn sort_statuses(statuses: &mut [(Code, u64)]) {
    statuses.sort_unstable_by_key(|(code, count)| (Reverse(*count), *code));
}

pub(super) fn sort_rows<R: Borrow<Row>>(rows: &mut [R]) {
    rows.sort_unstable_by(|a, b| row_order(a.borrow()).cmp(&row_order(b.borrow())));
}

/// Most failures first, then by name.
fn row_order(row: &Row) -> impl Ord + use<'_> {
    (Reverse(row.count), &row.tenant, &row.endpoint, row.family, &row.node)
}

fn empty_row(tenant: &TenantName, endpoint: &Arc<str>, family: Family, cell: &Cell) -> Row {
    Row {
        tenant: tenant.clone(),
        endpoint: Arc::clone(endpoint),
        family,
        count: 0,
        statuses: Vec::new(),
        gateways: Vec::new(),
        max_attempt: 0,
        first_seen: cell.first,
        last_seen: cell.last,
        sample: Sample::default(),
        node: None,
    }
}

fn gateways_join(known: &mut Vec<Arc<str>>, more: &[Arc<str>]) {
    for gateway in more {
        if let Err(place) = known.binary_search(gateway)
            && place < GATEWAYS_MAX
        {
            known.reserve_exact(1);
            known.insert(place, Arc::clone(gateway));
            known.truncate(GATEWAYS_MAX);
        }
    }
}
