//! Secrets that are down because the gateway did not serve, once it does.

use super::world::{World, check, seconds};
use crate::words::{Finding, Level};

const ACME: &str = "tenants: {acme: {profile: acme, port: 18789}}\n";
const SECRETS: &str = "secrets@acme";

fn unresolved_and_silent() -> Finding {
    Finding::down("gateway.auth.token refers to env T, which is not set; and the gateway does not serve")
}

fn unresolved_and_serves() -> Finding {
    Finding::degraded("gateway.auth.token refers to env T, which is not set; the gateway serves").but_alive()
}

/// The first answers of a host that has just started, its gateways not yet.
fn down() -> World {
    let mut world = World::new(ACME);
    world.says("gateway@acme", Finding::down("connection refused"));
    world.says(SECRETS, unresolved_and_silent());
    world.pass(seconds(30));
    assert_eq!(world.level(SECRETS), Level::Down);
    world
}

#[test]
fn a_gateway_that_is_back_is_not_kept_out_by_what_its_secrets_said_while_it_was_away() {
    let mut world = down();
    world.says("gateway@acme", Finding::ok("ready"));
    world.says(SECRETS, unresolved_and_serves());
    world.pass(seconds(20));
    assert_eq!(world.level("gateway@acme"), Level::Ok);
    assert_eq!(world.level(SECRETS), Level::Degraded);
    let shown = world.snapshot().checks.iter().find(|view| view.id == check(SECRETS));
    let summary = &shown.unwrap().summary;
    assert!(summary.ends_with("the gateway serves"), "{summary}");
    let asks = world.asks_of(SECRETS);
    world.pass(seconds(300));
    assert_eq!(world.asks_of(SECRETS), asks, "and then as ever");
}

#[test]
fn while_the_gateway_is_away_its_secrets_are_asked_as_ever() {
    let mut world = down();
    let asks = world.asks_of(SECRETS);
    world.pass(seconds(300));
    assert_eq!(world.asks_of(SECRETS), asks);
    assert_eq!(world.level(SECRETS), Level::Down);
}

#[test]
fn one_that_is_down_whatever_the_gateway_says_is_not_asked_in_a_loop() {
    let mut world = down();
    world.says("gateway@acme", Finding::ok("ready"));
    world.pass(seconds(20));
    let asks = world.asks_of(SECRETS);
    world.pass(seconds(300));
    let asks = world.asks_of(SECRETS) - asks;
    assert!((3..=5).contains(&asks), "{asks}");
}
