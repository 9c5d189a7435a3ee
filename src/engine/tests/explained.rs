//! What a cause explained, once the cause is over.

use super::world::{World, check, seconds};
use crate::engine::Command;
use crate::words::{Cause, Finding, Level};

const TWO: &str = "tenants: {acme: {profile: acme, port: 18789}, beta: {profile: beta, port: 18790}}\n";
const DOCTOR: &str = "doctor@acme";

/// A configuration that has been broken for an hour, and a doctor that could not be asked since.
fn broken() -> World {
    let mut world = World::new(TWO);
    world.says("config@acme", Finding::down("not valid"));
    for doctor in [DOCTOR, "doctor@beta"] {
        world.says(doctor, Finding::unknown(Cause::Unreadable, "it printed no answer"));
    }
    world.pass(seconds(3600));
    assert_eq!(world.level(DOCTOR), Level::Unknown);
    world
}

#[test]
fn what_could_not_be_asked_for_it_is_asked_when_it_is_over_and_not_at_its_regular_time() {
    let mut world = broken();
    world.says(DOCTOR, Finding::ok("well"));
    world.says("config@acme", Finding::ok("valid"));
    world.command(Command::Ask {
        check: Some(check("config@acme")),
    });
    world.pass(seconds(30));
    assert_eq!(world.level(DOCTOR), Level::Ok);
}

#[test]
fn nobody_is_asked_for_what_another_tenant_mended() {
    let mut world = broken();
    let asks = world.asks_of("doctor@beta");
    world.says("config@acme", Finding::ok("valid"));
    world.pass(seconds(1300));
    let more = world.asks_of("doctor@beta") - asks;
    assert!((4..=5).contains(&more), "{more}: every five minutes as before");
}

#[test]
fn a_cause_that_comes_and_goes_asks_no_faster_than_retry_every() {
    let mut world = broken();
    let asks = world.asks_of(DOCTOR);
    for _ in 0..60 {
        world.says("config@acme", Finding::ok("valid"));
        world.pass(seconds(10));
        world.says("config@acme", Finding::down("not valid"));
        world.pass(seconds(10));
    }
    let more = world.asks_of(DOCTOR) - asks;
    assert!(more <= 1200 / 30, "{more}");
}
