//! The host slept: nobody is blamed for it, and what was asked before is asked again.

use super::world::{Store, World, check, millis, seconds};
use crate::engine::Input;
use crate::words::{Cause, Cost, Finding, Level};

const ACME: &str = "tenants: {acme: {port: 18789}}\nprobes: {doctor: {every: 5m}}\n";

#[test]
fn runs_in_flight_are_discarded_and_asked_again_and_their_late_answers_change_nothing() {
    // Alone in its lane, so that nobody else is asked first.
    let alone = "probes: {doctor: {every: 5m}, config: {enabled: false}, secrets: {enabled: false}, security: {enabled: false}}\n";
    let mut world = World::new(&format!("tenants: {{acme: {{port: 18789}}}}\n{alone}"));
    world.takes("doctor@acme", seconds(30));
    world.pass(seconds(5));
    let (late, _) = world
        .in_flight
        .iter()
        .map(|(run, asked)| (*run, asked.clone()))
        .next()
        .unwrap();
    let asks = world.asks_of("doctor@acme");

    world.sleep(seconds(3600));
    let finding = Finding::down("the answer of an hour ago").at_once();
    world.give(Input::Finding {
        run: late,
        check: check("doctor@acme"),
        finding,
        cost: Cost::default(),
    });
    assert!(world.cancelled.contains(&check("doctor@acme")));
    assert_eq!(world.asks_of("doctor@acme"), asks + 1, "it is asked again at once");
    world.pass(seconds(1));
    assert_ne!(world.level("doctor@acme"), Level::Down);
    world.pass(seconds(40));
    assert_eq!(world.shows(), "ok");
}

#[test]
fn a_night_shows_nothing_but_what_is_found_in_the_morning() {
    let mut world = World::serving(ACME);
    world.sleep(seconds(8 * 3600));
    for _ in 0..40 {
        world.pass(millis(250));
        assert!(world.shows().starts_with("ok"), "{}", world.shows());
    }

    world.sleep(seconds(8 * 3600));
    world.says("gateway@acme", Finding::down("refused"));
    world.pass(seconds(4));
    assert_eq!(world.shows(), "down | gateway@acme down");
}

#[test]
fn what_was_shown_right_before_a_sleep_is_shown_right_after_it() {
    let short = "probes: {gateway: {every: 2s, retry_every: 500ms, timeout: 1s, max_stale: 4s}}";
    let mut shown_down = 0;
    for offset in 0..60 {
        let mut world = World::new(&format!("tenants: {{acme: {{port: 18789}}}}\n{short}\n"));
        world.says("gateway@acme", Finding::unknown(Cause::Local, "no descriptors"));
        world.pass(millis(3_800 + 10 * offset));
        // Between two ticks.
        world.give(Input::Show);
        if world.shows().starts_with("down") {
            shown_down += 1;
            world.sleep(seconds(60));
            world.give(Input::Tick);
            assert!(world.shows().starts_with("down"), "{offset}: {}", world.shows());
        }
    }
    assert!(shown_down > 0);
}

#[test]
fn the_store_owes_its_answer_from_the_morning_on() {
    let mut world = World::serving(ACME);
    world.store = Store::Hangs;
    world.says("gateway@acme", Finding::down("refused").at_once());
    world.pass(millis(500));
    world.command(crate::engine::Command::Drain {
        tenant: None,
        reason: "bed".into(),
    });
    world.sleep(seconds(8 * 3600));
    world.store = Store::Commits;
    world.pass(seconds(3));
    assert_ne!(world.level("store"), Level::Degraded);
    let told = world.disk.transitions.iter().filter(|line| line.contains("store"));
    assert!(
        !told.clone().any(|line| line.contains("degraded")),
        "{:?}",
        told.collect::<Vec<_>>()
    );
}

#[test]
fn a_pause_of_ten_seconds_is_no_sleep() {
    // Alone in its lane, so that nobody else is asked first.
    let alone = "probes: {doctor: {every: 5m}, config: {enabled: false}, secrets: {enabled: false}, security: {enabled: false}}\n";
    let mut world = World::new(&format!("tenants: {{acme: {{port: 18789}}}}\n{alone}"));
    world.takes("doctor@acme", seconds(30));
    world.pass(seconds(5));
    world.sleep(seconds(9));
    world.pass(seconds(1));
    assert!(world.cancelled.is_empty());
}
