//! What must last: across restarts, against an operator's will, and for whoever waits.

use std::collections::BTreeMap;

use super::Held;
use super::levels::STARTUP_GRACE;
use crate::engine::tests::simulation::witness::Witness;
use crate::engine::tests::world::Disk;
use crate::readiness::snapshot::{Phase, Snapshot, TenantView};
use crate::words::{CheckId, TenantName, Verdict};

/// An upgrade is no outage and heals none: a process that was killed at once, with all that it handed over on disk, is followed
/// by one that shows the same. Checks that never answered begin their grace anew, and so does a node that has not served.
pub fn a_restart_changes_nothing_but_ages(witness: &Witness) -> Held {
    let (Some(before), Some(after)) = (&witness.to_restore, &witness.shown) else {
        return Ok(());
    };
    if before.phase == Phase::Starting {
        return Ok(());
    }
    let before = essence(before);
    let after = essence(after);
    for (what, was) in &before {
        let is = after.get(what);
        if is != Some(was) {
            return Err(format!("{what}: {was}, then {}", is.map_or("nothing", |is| is)));
        }
    }
    match after.keys().find(|what| !before.contains_key(*what)) {
        None => Ok(()),
        Some(new) => Err(format!("{new} is new: {}", after[new])),
    }
}

/// What a restart must not change, by name.
fn essence(snapshot: &Snapshot) -> BTreeMap<String, String> {
    let mut essence = BTreeMap::new();
    let mut is = |what: String, value: String| drop(essence.insert(what, value));
    is("phase".into(), format!("{:?}", snapshot.phase));
    is("drain".into(), format!("{:?}", snapshot.drain));
    let mut pending = false;
    for check in &snapshot.checks {
        if check.finding.is_none() {
            pending = true;
            continue;
        }
        let shown = (
            check.level,
            check.answered,
            check.counts_as,
            check.since,
            check.flapping,
        );
        let cause = (&check.explained_by, &check.history);
        is(check.id.to_string(), format!("{shown:?} {cause:?}"));
    }
    for tenant in snapshot.tenants.values() {
        let operations = (&tenant.maintenance, &tenant.drain, tenant.phase, tenant.required);
        is(tenant.name.to_string(), format!("{operations:?}"));
    }
    if !pending {
        is("verdict".into(), format!("{:?}", (snapshot.verdict, snapshot.since)));
        is("why".into(), format!("{:?}", snapshot.last_change));
        is(
            "cycles".into(),
            format!("{:?}", (snapshot.cycle, snapshot.green_cycles)),
        );
        let reasons = snapshot
            .reasons
            .iter()
            .map(|reason| (&reason.check, reason.severity, &reason.symptoms));
        is("reasons".into(), format!("{:?}", reasons.collect::<Vec<_>>()));
    }
    for row in &snapshot.digest.sliding.rows {
        let key = format!("{} {} {}", row.tenant, row.endpoint, row.family);
        is(
            key,
            format!("{:?}", (row.count, &row.statuses, row.first_seen, row.last_seen)),
        );
    }
    essence
}

/// A drain or a maintenance that is lost sends traffic to a host on which somebody works; one that stays takes a host out for good.
pub fn orders_of_an_operator_hold_until_he_says_otherwise(witness: &Witness) -> Held {
    let Some(shown) = &witness.shown else { return Ok(()) };
    let orders = &witness.model.operations;
    let drained = |tenant: Option<&TenantName>| orders.drained.contains(&tenant.cloned());
    if (shown.phase == Phase::Draining) != drained(None) || shown.drain.is_some() != drained(None) {
        return Err(format!("the node is {:?}, drained: {}", shown.phase, drained(None)));
    }
    for (name, tenant) in &shown.tenants {
        let is_drained = drained(Some(name));
        if (tenant.phase == Phase::Draining) != is_drained || tenant.drain.is_some() != is_drained {
            return Err(format!("{name} is {:?}, drained: {is_drained}", tenant.phase));
        }
        let answers_draining = tenant.answer_phase == Phase::Draining;
        if answers_draining != (is_drained || drained(None)) {
            return Err(format!("{name} answers {:?}", tenant.answer_phase));
        }
        let ordered = orders.maintenance.get(name);
        let is_over = ordered.is_none_or(|ordered| witness.lived - ordered.began.lived >= ordered.millis);
        match (tenant.maintenance.is_some(), ordered) {
            (true, None) => return Err(format!("{name} is in maintenance, and nobody asked for it")),
            (false, Some(_)) if !is_over => return Err(format!("{name} is not in maintenance")),
            _ => {}
        }
    }
    Ok(())
}

/// A node that starts for ever serves nobody, and one that starts again and again flaps: it ends when everybody who is waited for
/// has been heard, or with the grace, once.
pub fn a_start_ends_and_does_not_come_back(witness: &Witness) -> Held {
    let Some(shown) = witness.shown.as_ref().filter(|shown| shown.phase == Phase::Starting) else {
        return Ok(());
    };
    if witness.has_left_start {
        return Err("it serves, and is starting again".to_owned());
    }
    let grace = i64::try_from(STARTUP_GRACE.as_millis()).unwrap();
    // The grace runs on the clock by which ages are judged: it stands still after a sleep.
    let started_for = witness.model.judged_at(witness.lived) - witness.began;
    if started_for >= grace {
        return Err(format!("it is starting {started_for} ms after it began"));
    }
    let is_waited_for = |id: &CheckId| {
        let tenant = id.tenant.as_ref().and_then(|tenant| shown.tenants.get(tenant));
        let decides = witness
            .checks
            .get(id)
            .is_some_and(|probe| probe.required && probe.worst == Verdict::Down);
        let is_in = |tenant: &&TenantView| tenant.phase == Phase::Serving && tenant.maintenance.is_none();
        decides && tenant.filter(is_in).is_some_and(|tenant| tenant.required)
    };
    let unheard = shown
        .checks
        .iter()
        .find(|check| check.finding.is_none() && is_waited_for(&check.id));
    match unheard {
        Some(_) => Ok(()),
        None => Err("it is starting, and everybody has been heard".to_owned()),
    }
}

/// A check that is not asked is a blind spot: each is asked within its interval, or as soon as its lane has asked the others.
pub fn everybody_is_asked_in_time(witness: &Witness) -> Held {
    /// A run takes no longer than that in these histories.
    const RUN_MILLIS_MAX: i64 = 30_000;
    const SLACK_MILLIS: i64 = 500;
    for (check, probe) in witness.checks.iter().filter(|(_, probe)| probe.asks.is_scheduled()) {
        if witness.in_flight.contains(check) {
            continue;
        }
        let others = witness
            .checks
            .values()
            .filter(|other| probe.asks.lane() == other.asks.lane());
        let in_its_lane = match probe.asks.lane() {
            Some(_) => i64::try_from(others.count()).unwrap() * RUN_MILLIS_MAX,
            None => 0,
        };
        let every = i64::try_from(probe.every.as_millis()).unwrap();
        let waited = witness.asked.get(check).map_or(0, |asked| witness.lived - asked);
        if waited > every + in_its_lane + SLACK_MILLIS {
            return Err(format!("{check} (every {every} ms) has not been asked for {waited} ms"));
        }
    }
    Ok(())
}

/// Whoever drains a host waits for the answer with his hand on the plug: durable or not, he hears within seconds.
pub fn an_operator_is_answered(witness: &Witness) -> Held {
    const REPLY_MILLIS_MAX: i64 = 2_500;
    let waits = |(id, since): (&u64, &i64)| (*id, witness.lived - since);
    let longest = witness.unanswered.iter().map(waits).max_by_key(|(_, waited)| *waited);
    match longest {
        Some((id, waited)) if waited > REPLY_MILLIS_MAX => Err(format!("command {id} waits for {waited} ms")),
        _ => Ok(()),
    }
}

/// What is not configured any more must not grow the file for ever.
pub fn what_is_gone_is_forgotten_on_disk(disk: &Disk, witness: &Witness) -> Held {
    let tenants: Vec<&TenantName> = witness.shown.iter().flat_map(|shown| shown.tenants.keys()).collect();
    let is_known = |key: &str| match key.split_once('/') {
        Some(("check" | "history", id)) => CheckId::parse(id).is_some_and(|id| witness.checks.contains_key(&id)),
        Some(("tenant", name)) => tenants.iter().any(|tenant| tenant.as_str() == name),
        Some(_) => false,
        None => ["ages", "alive", "digest", "node", "operations"].contains(&key),
    };
    match disk.state.keys().find(|key| !is_known(key)) {
        None => Ok(()),
        Some(key) => Err(format!("{key} is on disk")),
    }
}

/// Nothing is forgotten in flight, in a lane or in a window: everything heals without anybody's help.
pub fn once_the_world_is_well_so_is_the_node(witness: &Witness) -> Held {
    let Some(shown) = &witness.shown else { return Ok(()) };
    let counts: Vec<String> = shown.reasons.iter().map(|reason| reason.text.clone()).collect();
    match (shown.verdict, shown.phase) {
        (Verdict::Ok, Phase::Serving) => Ok(()),
        (verdict, phase) => Err(format!("{verdict} {phase:?}: {}", counts.join("; "))),
    }
}
