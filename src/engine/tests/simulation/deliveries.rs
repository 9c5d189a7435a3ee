//! Deliveries as the ingest folds them: by the rules of the event lines, a cell each.

use std::sync::Arc;

use super::steps::{CODES, Delivery, ENDPOINTS, FLOOD, TENANTS};
use crate::engine::tests::world::tenant;
use crate::ingest::delta::{Batch, CellCount, CellKey, Reporter, Subject};
use crate::words::{Code, Now, TenantName, Via, Wall};

/// What is older stays out of the sliding window.
const LIVE_MILLIS_MAX: i64 = 300_000;
/// What is further ahead is taken as of its arrival.
const AHEAD_MILLIS_MAX: i64 = 30_000;

impl Delivery {
    pub fn batch(self, now: Now, log_id: i64) -> Batch {
        let name = TENANTS[self.tenant];
        let happened = now.wall.plus_millis(-self.age_secs * 1000);
        let cell = cell(
            name,
            ENDPOINTS[self.endpoint],
            CODES[self.code],
            self.via,
            self.count,
            happened,
            now,
        );
        let reporters = match self.via {
            Via::Socket => vec![(Reporter("gw-1".into()), tenant(name))],
            _ => Vec::new(),
        };
        batch(log_id, now, vec![cell], reporters)
    }
}

pub fn flood(now: Now, log_id: i64, name: &str) -> Batch {
    let fails = |number| {
        let endpoint = format!("e{number}");
        cell(name, &endpoint, Code::Status(500), Via::Operator, 1, now.wall, now)
    };
    batch(log_id, now, (0..FLOOD).map(fails).collect(), Vec::new())
}

/// The same events as they arrive when their producer sends them again.
pub fn again(mut sent: Batch, now: Now, log_id: i64) -> Batch {
    for (key, count) in &mut sent.cells {
        (key.window, key.live) = place(count.last, now);
    }
    sent.log_id = log_id;
    sent.arrival = now.wall;
    sent
}

fn batch(log_id: i64, now: Now, cells: Vec<(CellKey, CellCount)>, reporters: Vec<(Reporter, TenantName)>) -> Batch {
    Batch {
        log_id,
        arrival: now.wall,
        cells,
        reporters,
        rejected: 0,
        marks: Vec::new(),
        lags: Vec::new(),
    }
}

fn cell(
    name: &str,
    endpoint: &str,
    code: Code,
    via: Via,
    count: u64,
    happened: Wall,
    now: Now,
) -> (CellKey, CellCount) {
    let (window, live) = place(happened, now);
    let subject = Arc::new(Subject {
        tenant: tenant(name),
        endpoint: endpoint.into(),
        gateway: "gw-1".into(),
    });
    let key = CellKey {
        subject,
        code,
        window,
        live,
        via,
    };
    let count = CellCount {
        count,
        max_attempt: 1,
        first: happened,
        last: happened,
        sample: None,
    };
    (key, count)
}

/// The aligned window, and whether it is young enough for the sliding one.
fn place(happened: Wall, now: Now) -> (i64, bool) {
    let age = now.wall.millis_since(happened);
    let happened = if age < -AHEAD_MILLIS_MAX { now.wall } else { happened };
    (happened.as_secs().div_euclid(300) * 300, age <= LIVE_MILLIS_MAX)
}
