//! Counts: nothing lost, nothing twice, and never more than there is room for.

use std::collections::{BTreeMap, BTreeSet};

use super::Held;
use crate::digest::view::WindowView;
use crate::digest::window_view;
use crate::engine::Engine;
use crate::engine::tests::simulation::ledger::{Entry, Ledger};
use crate::engine::tests::simulation::witness::Witness;
use crate::engine::tests::world::Disk;
use crate::words::TenantName;

/// A producer is promised that what was acknowledged is counted exactly once: all that was committed is in the aligned windows
/// on disk or was counted late, whoever was killed meanwhile.
pub fn every_event_is_counted_once(ledger: &Ledger, disk: &Disk, late: u64) -> Held {
    if ledger.is_lost {
        return Ok(());
    }
    if !disk.log.is_empty() {
        return Err(format!("{} log entries are in no fold", disk.log.len()));
    }
    let waits = ledger.entries.iter().filter(|entry| !entry.committed).count();
    if waits > 0 {
        return Err(format!("{waits} batches are not committed"));
    }
    let mut bodies = BTreeMap::<i64, Vec<(TenantName, Vec<u8>)>>::new();
    for ((start, tenant), body) in &disk.windows {
        bodies.entry(*start).or_default().push((tenant.clone(), body.clone()));
    }
    let in_windows: u64 = bodies
        .iter()
        .map(|(start, bodies)| total(&window_view(*start, bodies)))
        .sum();
    let late = ledger.late_before + late;
    let least = ledger.counted().map(|entry| entry.count).sum::<u64>();
    let most = ledger.may_count().map(|entry| entry.count).sum::<u64>();
    match (least..=most).contains(&(in_windows + late)) {
        true => Ok(()),
        false => Err(format!(
            "{least} to {most} count; {in_windows} are in windows and {late} were late"
        )),
    }
}

/// Readiness must see a storm that is going on and forget one that is over: the sliding window holds what arrived in the last
/// five minutes, give or take a slot. While the store does not commit nothing ages out of it.
pub fn rows_are_of_the_last_five_minutes_and_add_up(witness: &Witness) -> Held {
    let Some(shown) = &witness.shown else { return Ok(()) };
    let sliding = &shown.digest.sliding;
    let mut keys = BTreeSet::new();
    for row in &sliding.rows {
        let by_code = row.statuses.iter().map(|(_, count)| count).sum::<u64>();
        if row.count != by_code || row.count == 0 || !keys.insert((&row.tenant, &row.endpoint, row.family)) {
            return Err(format!(
                "{} {} {}: {} and by code {by_code}",
                row.tenant, row.endpoint, row.family, row.count
            ));
        }
    }
    if witness.ledger.is_lost {
        return Ok(());
    }
    let rolled_for = i64::try_from(shown.made.at.since(shown.digest.rolled_at).as_millis()).unwrap();
    let (now, rolled) = (witness.lived, witness.lived - rolled_for);
    let upto = shown.digest.upto.max(witness.ledger.restored);
    let seen = |entry: &&Entry| entry.live && entry.log_id <= upto;
    let counted = witness.ledger.counted().filter(seen);
    let lately = counted.filter(|entry| entry.arrived > now - 290_000 && !entry.doubtful);
    let least: u64 = lately.map(|entry| entry.count).sum();
    let may_count = witness.ledger.may_count().filter(seen);
    let perhaps = may_count.filter(|entry| entry.arrived >= rolled - 311_000 || entry.doubtful);
    let most: u64 = perhaps.map(|entry| entry.count).sum();
    let there = total(sliding);
    match (least..=most).contains(&there) {
        true => Ok(()),
        false => Err(format!("{there} are in the sliding window, not {least} to {most}")),
    }
}

/// Whatever reports, and however long: what is shown grows with what is configured and not with what happens.
pub fn what_is_shown_is_bounded(witness: &Witness) -> Held {
    const ENDPOINTS_MAX: usize = 512 + 1;
    /// Configured at any time, as many strangers as have rows of their own, and `__other__`.
    const TENANTS_MAX: usize = 3 + 2 + 1;
    const HISTORY_MAX: usize = 20;
    let Some(shown) = &witness.shown else { return Ok(()) };
    let windows = shown.digest.aligned.values().chain([&shown.digest.sliding]);
    for window in windows {
        let mut endpoints = BTreeMap::<&TenantName, BTreeSet<&str>>::new();
        for row in &window.rows {
            endpoints.entry(&row.tenant).or_default().insert(&row.endpoint);
        }
        let most = endpoints.values().map(BTreeSet::len).max().unwrap_or(0);
        if most > ENDPOINTS_MAX || endpoints.len() > TENANTS_MAX {
            return Err(format!("{most} endpoints of a tenant, {} tenants", endpoints.len()));
        }
    }
    if shown.checks.len() != witness.checks.len() {
        return Err(format!(
            "{} checks are shown, {} configured",
            shown.checks.len(),
            witness.checks.len()
        ));
    }
    let history = shown.checks.iter().map(|check| check.history.len()).max();
    match history.unwrap_or(0) > HISTORY_MAX {
        true => Err(format!("{history:?} changes are kept of a check")),
        false => Ok(()),
    }
}

/// A daemon that runs for a year holds what one holds that runs for a day.
pub fn what_is_held_is_bounded(engine: &Engine, witness: &Witness) -> Held {
    let lane = |lane| {
        witness
            .checks
            .values()
            .filter(move |probe| probe.asks.lane() == lane)
            .count()
    };
    let exec = engine.config.exec.light + engine.config.exec.heavy;
    let held = [
        ("runs in flight", engine.runs.len(), lane(None) + exec),
        (
            "links",
            engine.links.len(),
            usize::from(!engine.config.tenants.is_empty()),
        ),
    ];
    for (what, many, most) in held {
        if many > most {
            return Err(format!("{many} {what}, not {most} at most"));
        }
    }
    Ok(())
}

fn total(window: &WindowView) -> u64 {
    let failed: u64 = window.rows.iter().map(|row| row.count).sum();
    failed + window.delivered.values().sum::<u64>()
}
