//! Files that checks read change while they are asked.

use super::world::{World, millis, seconds, tenant};
use crate::engine::Input;
use crate::words::ProbeName;

/// `doctor` is an exec check: every 5 min, again after 30 s.
const TWO: &str = "tenants: {acme: {port: 18789, profile: acme}, beta: {port: 18790, profile: beta}}\n\
                   probes: {doctor: {every: 5m, retry_every: 30s}}\n";

fn touch(world: &mut World, name: &str) {
    let probes = ["doctor", "config", "stale-process", "no-such-probe"];
    world.give(Input::Touched {
        tenant: tenant(name),
        probes: probes.into_iter().filter_map(ProbeName::parse).collect(),
    });
}

fn settled() -> World {
    let mut world = World::serving(TWO);
    world.pass(seconds(400));
    world
}

#[test]
fn a_change_is_asked_about_at_once_and_of_that_tenant_alone() {
    let mut world = settled();
    world.pass(seconds(60));
    let before = ["doctor@acme", "doctor@beta", "gateway@acme"].map(|check| world.asks_of(check));
    touch(&mut world, "acme");
    world.pass(millis(100));
    let after = ["doctor@acme", "doctor@beta", "gateway@acme"].map(|check| world.asks_of(check));
    assert_eq!(after[0], before[0] + 1);
    assert_eq!(after[1], before[1]);
    assert!(
        after[2] <= before[2] + 1,
        "what does not read the file is asked as ever"
    );
}

#[test]
fn a_file_that_is_rewritten_in_a_loop_asks_at_most_every_retry() {
    let mut world = settled();
    let before = world.asks_of("doctor@acme");
    let mut times = Vec::new();
    let mut known = before;
    for _ in 0..1200 {
        touch(&mut world, "acme");
        world.pass(millis(500));
        if world.asks_of("doctor@acme") > known {
            known = world.asks_of("doctor@acme");
            times.push(world.now.at);
        }
    }
    assert!((20..=21).contains(&times.len()), "in ten minutes: {}", times.len());
    for pair in times.windows(2) {
        assert!(
            pair[1].since(pair[0]) >= seconds(30).saturating_sub(millis(500)),
            "{pair:?}"
        );
    }
}

#[test]
fn a_slow_check_of_a_file_that_never_rests_still_answers() {
    let mut world = settled();
    world.takes("doctor@acme", seconds(45));
    for _ in 0..300 {
        touch(&mut world, "acme");
        world.pass(seconds(1));
    }
    assert_eq!(world.cancelled, [], "a run that began is heard");
    let asks = world.asks_of("doctor@acme");
    assert!(asks >= 6, "{asks}");
}
