//! Five-minute totals, kept for 90 days after the rows are gone.

use std::collections::BTreeMap;

use serde::Serialize;

use super::body::{self, WindowBody};
use super::tally::Tally;
use crate::words::Family;

#[derive(Serialize)]
struct Rollup {
    failures: BTreeMap<Family, u64>,
    delivered: u64,
}

/// `{"failures":{"5xx":500},"delivered":12000}` of a tenant's window as the store keeps it, for the
/// rollup to follow when late events were merged. `None`: nothing was counted, or the bytes cannot be read.
pub fn rollup(window: &[u8]) -> Option<String> {
    of(&body::read::<WindowBody>(window).ok()?.tally)
}

pub(super) fn of(tally: &Tally) -> Option<String> {
    let rollup = Rollup {
        failures: tally.failures(),
        delivered: tally.delivered,
    };
    if rollup.failures.is_empty() && rollup.delivered == 0 {
        return None;
    }
    serde_json::to_string(&rollup).ok()
}
