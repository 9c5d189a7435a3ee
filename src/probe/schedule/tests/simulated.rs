//! Hours of a full node in virtual time: who is asked how often.

use super::*;

/// Runs a schedule in virtual time: each ask takes `takes`, and fails for tenants that `fails` names.
fn simulate(
    checks: &[(CheckId, Arc<Probe>)],
    limits: Slots,
    lasting: Duration,
    takes: impl Fn(&CheckId) -> Duration,
    fails: impl Fn(&CheckId) -> bool,
) -> BTreeMap<CheckId, Vec<Instant>> {
    let mut schedule = Schedule::default();
    let start = at(50_000_000);
    schedule.configure(checks, start);
    let mut running: BTreeSet<(Instant, CheckId)> = BTreeSet::new();
    let mut asked: BTreeMap<CheckId, Vec<Instant>> = BTreeMap::new();
    let mut now = start;
    for _ in 0..5_000_000 {
        if now >= start + lasting {
            return asked;
        }
        for check in schedule.due(now, limits.less(schedule.in_flight())) {
            asked.entry(check.clone()).or_default().push(now);
            assert!(running.insert((now + takes(&check), check)), "one run at a time");
        }
        let taken = schedule.in_flight();
        assert!(taken.light <= limits.light && taken.heavy <= limits.heavy && taken.native <= limits.native);
        let ends = running.first().map(|(end, _)| *end);
        let wakes = schedule.next_wake().filter(|wake| {
            assert!(
                *wake > now,
                "a wake-up that has come and changes nothing is a busy loop"
            );
            true
        });
        now = [ends, wakes]
            .into_iter()
            .flatten()
            .min()
            .expect("somebody is always due or running");
        while let Some((_, check)) = running.pop_first_if_ended(now) {
            let again = if fails(&check) { Again::Unknown } else { Again::No };
            schedule.done(now, &check, again);
        }
    }
    panic!("the simulation does not end");
}

trait PopEnded {
    fn pop_first_if_ended(&mut self, now: Instant) -> Option<(Instant, CheckId)>;
}

impl PopEnded for BTreeSet<(Instant, CheckId)> {
    fn pop_first_if_ended(&mut self, now: Instant) -> Option<(Instant, CheckId)> {
        let ended = self.first().is_some_and(|(end, _)| *end <= now);
        ended.then(|| self.pop_first()).flatten()
    }
}

#[test]
fn a_full_node_asks_everybody_in_time_when_its_lanes_can_keep_up() {
    let gateway = probe("gateway", native(), seconds(10), seconds(2));
    let doctor = probe("doctor", exec(Lane::Heavy), seconds(300), seconds(30));
    let checks = [of_tenants(&gateway, 256), of_tenants(&doctor, 256)].concat();
    let limits = Slots {
        light: 2,
        heavy: 1,
        native: NATIVE_AT_ONCE,
    };
    // 256 × 1 s is 85 % of the one heavy place.
    let takes = |check: &CheckId| match check.probe.as_str() {
        "doctor" => SECOND,
        _ => Duration::from_millis(5),
    };
    let asked = simulate(&checks, limits, seconds(1800), takes, |_| false);
    assert_eq!(asked.len(), 512);
    for (check, times) in &asked {
        let every = if check.probe.as_str() == "doctor" { 300 } else { 10 };
        for pair in times.windows(2) {
            let gap = pair[1].since(pair[0]).as_secs();
            // By its grid and what the lane makes it wait; far below what makes an answer stale (3 × every).
            assert!(gap <= every * 2, "{check}: {gap} s");
        }
        let expected = 1800 / every;
        let count = u64::try_from(times.len()).unwrap();
        assert!(count + 2 >= expected && count <= expected + 2, "{check}: {count} times");
    }
}

#[test]
fn an_overloaded_lane_still_asks_everybody_in_turn() {
    let doctor = probe("doctor", exec(Lane::Heavy), seconds(300), seconds(30));
    let limits = Slots {
        heavy: 1,
        ..Slots::default()
    };
    // 256 × 12 s is ten times what one place can do in five minutes; a third of the tenants is broken.
    let broken = |check: &CheckId| check.to_string().ends_with('7') || check.to_string().ends_with('3');
    let asked = simulate(
        &of_tenants(&doctor, 256),
        limits,
        seconds(6 * 3600),
        |_| seconds(12),
        broken,
    );
    assert_eq!(asked.len(), 256, "everybody was asked");
    let round = 256 * 12;
    for (check, times) in &asked {
        for pair in times.windows(2) {
            let gap = pair[1].since(pair[0]).as_secs();
            assert!(
                gap <= round + 2 * 300,
                "{check} waited {gap} s, a round takes {round} s"
            );
        }
    }
    let counts: Vec<usize> = asked.values().map(Vec::len).collect();
    let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
    assert!(most - least <= 2, "{least} to {most} times");
}

#[test]
fn broken_probes_do_not_crowd_out_sound_ones() {
    let doctor = probe("doctor", exec(Lane::Heavy), seconds(60), SECOND);
    let limits = Slots {
        heavy: 1,
        ..Slots::default()
    };
    // 40 tenants × 1 s fill two thirds; those that fail want to be asked every second.
    let broken = |check: &CheckId| check.to_string().len() == "doctor@t0".len();
    let asked = simulate(&of_tenants(&doctor, 40), limits, seconds(3600), |_| SECOND, broken);
    for (check, times) in &asked {
        for pair in times.windows(2) {
            let gap = pair[1].since(pair[0]).as_secs();
            assert!(gap <= 100, "{check}: {gap} s");
        }
    }
}
