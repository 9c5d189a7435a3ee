//! Another configuration while checks are in flight.

use std::sync::Arc;

use super::world::{World, check, config, seconds, tenant};
use crate::engine::{Input, Remote};
use crate::readiness::snapshot::Phase;
use crate::words::{Cost, Finding, Level};

const ACME: &str = "tenants: {acme: {port: 18789}}\nprobes: {doctor: {every: 5m}}\n";
const BOTH: &str = "tenants: {acme: {port: 18789}, beta: {port: 18790}}\nprobes: {doctor: {every: 5m}}\n";

#[test]
fn what_stays_keeps_its_state_and_is_not_asked_again() {
    let mut world = World::serving(ACME);
    world.says("gateway@acme", Finding::down("refused"));
    world.pass(seconds(20));
    let asks = world.asks_of("doctor@acme");
    world.reload(BOTH);
    world.pass(seconds(1));
    assert_eq!(world.level("gateway@acme"), Level::Down);
    assert_eq!(world.asks_of("doctor@acme"), asks);
}

#[test]
fn where_commands_are_looked_for_has_changed_so_what_starts_one_is_asked_anew() {
    let mut world = World::serving(ACME);
    let asks = |world: &World| (world.asks_of("doctor@acme"), world.asks_of("version-lock@acme"));
    let before = asks(&world);
    world.reload(&format!("{ACME}exec: {{path: [/opt/node24/bin, /usr/bin]}}\n"));
    world.pass(seconds(2));
    assert_eq!(asks(&world), (before.0 + 1, before.1 + 1));
    let before = asks(&world);
    world.reload(&format!(
        "{ACME}exec: {{path: [/opt/node24/bin, /usr/bin], light: 9}}\n"
    ));
    world.pass(seconds(2));
    assert_eq!(asks(&world), before, "how many run at a time is no other question");
}

#[test]
fn a_tenant_that_is_gone_takes_its_runs_with_it_and_their_answers_change_nothing() {
    let mut world = World::new(BOTH);
    world.takes("doctor@beta", seconds(30));
    world.pass(seconds(5));
    let (run, _) = world
        .in_flight
        .iter()
        .map(|(run, asked)| (*run, asked.clone()))
        .next()
        .unwrap();
    world.reload(ACME);
    assert_eq!(world.cancelled, [check("doctor@beta")]);
    let late = |world: &mut World| {
        world.give(Input::Finding {
            run,
            check: check("doctor@beta"),
            finding: Finding::down("late").at_once(),
            cost: Cost::default(),
        });
    };
    late(&mut world);
    world.pass(seconds(1));
    assert_eq!(world.shows(), "ok");
    assert!(!world.disk.state.keys().any(|key| key.contains("beta")));

    // It comes back while the old answer is still under way.
    world.reload(BOTH);
    late(&mut world);
    world.pass(seconds(1));
    assert_ne!(world.level("doctor@beta"), Level::Down);
}

#[test]
fn a_tenant_that_comes_while_serving_empties_nothing_until_it_has_worked() {
    let mut world = World::serving(ACME);
    world.says("gateway@beta", Finding::down("refused"));
    world.reload(BOTH);
    assert!(world.asks_of("gateway@beta") > 0, "it is asked at once");
    world.pass(seconds(20));
    assert_eq!(world.snapshot().tenants[&tenant("beta")].phase, Phase::Starting);
    assert_eq!(world.shows(), "degraded | gateway@beta down");

    world.says("gateway@beta", Finding::ok("started"));
    world.pass(seconds(20));
    assert_eq!(world.snapshot().tenants[&tenant("beta")].phase, Phase::Serving);
    world.says("gateway@beta", Finding::down("refused"));
    world.pass(seconds(20));
    assert_eq!(world.shows(), "down | gateway@beta down", "now it counts");
}

#[test]
fn what_is_asked_otherwise_is_asked_at_once() {
    let mut world = World::serving(BOTH);
    let asks = |world: &World| ["doctor@acme", "doctor@beta"].map(|id| world.asks_of(id));
    let [acme, beta] = asks(&world);
    world.reload(&BOTH.replace("acme: {port: 18789}", "acme: {port: 18789, profile: acme}"));
    world.pass(seconds(1));
    assert_eq!(asks(&world), [acme + 1, beta], "its tenant is another");
    world.reload(&BOTH.replace("every: 5m", "every: 5m, timeout: 61s"));
    world.pass(seconds(1));
    assert_eq!(asks(&world), [acme + 2, beta + 1], "the probe is another, for all");
}

#[test]
fn an_answer_of_the_old_target_is_not_taken_for_the_new_one() {
    let mut world = World::serving(ACME);
    world.takes("gateway@acme", seconds(2));
    world.says(
        "gateway@acme",
        Finding::down("nobody listens on the old port").at_once(),
    );
    world.command(crate::engine::Command::Ask {
        check: Some(check("gateway@acme")),
    });
    let old = *world.in_flight.last_key_value().expect("it is in flight").0;
    world.says("gateway@acme", Finding::ok("ready"));
    let asks = world.asks_of("gateway@acme");
    world.reload(&ACME.replace("18789", "18800"));
    assert_eq!(world.asks_of("gateway@acme"), asks + 1, "the new one is asked at once");
    world.give(Input::Finding {
        run: old,
        check: check("gateway@acme"),
        finding: Finding::down("nobody listens on the old port").at_once(),
        cost: Cost::default(),
    });
    world.pass(seconds(5));
    assert_eq!(world.shows(), "ok");
}

#[test]
fn a_run_that_asks_as_before_the_change_is_ended_and_others_are_not() {
    let mut world = World::new(BOTH);
    world
        .takes("doctor@acme", seconds(30))
        .takes("doctor@beta", seconds(30));
    world.pass(seconds(5));
    let running = |world: &World| {
        world
            .in_flight
            .values()
            .map(|asked| asked.check.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(running(&world), [check("doctor@acme")], "one heavy place");
    let other = BOTH.replace("beta: {port: 18790}", "beta: {port: 18790, profile: beta}");
    world.reload(&other);
    world.pass(seconds(1));
    assert_eq!(world.cancelled, []);
    world.reload(&other.replace("every: 5m", "every: 5m, timeout: 61s"));
    assert_eq!(world.cancelled, [check("doctor@acme")]);
}

#[test]
fn why_a_file_was_refused_stays_to_be_read_until_a_whole_one_is_taken() {
    let mut world = World::serving(ACME);
    world.give(Input::ConfigRefused("line 3: unknown key".into()));
    let give = |world: &mut World, whole| {
        world.give(Input::Config {
            config: config(ACME),
            state_dirs: Vec::new(),
            whole,
        });
        world.pass(seconds(1));
        world.snapshot().config.reload_error.clone()
    };
    let error = give(&mut world, false);
    assert_eq!(
        error.as_deref(),
        Some("line 3: unknown key"),
        "fragments have changed, the file has not"
    );
    assert_eq!(give(&mut world, true), None);
}

#[test]
fn rows_of_a_node_that_is_no_longer_asked_are_not_taken_for_another_ones() {
    let from = |source: &str| format!("{ACME}digest: {{source: 'http://{source}'}}\n");
    let mut world = World::serving(&from("mac-1:9099"));
    let answer = |world: &World, source: &str| Input::Remote {
        source: format!("http://{source}"),
        answer: Ok(Remote {
            node: Arc::from("mac-1"),
            age_sec: 0,
            window: (*world.snapshot().digest.sliding).clone(),
        }),
    };
    let old = answer(&world, "mac-1:9099");
    world.reload(&from("mac-2:9099"));
    world.give(old);
    world.pass(seconds(90));
    assert_eq!(
        world.shows(),
        "degraded | webhook-digest degraded",
        "nothing was had of mac-2"
    );
    let new = answer(&world, "mac-2:9099");
    world.give(new);
    world.pass(seconds(2));
    assert_eq!(world.shows(), "ok");
}
