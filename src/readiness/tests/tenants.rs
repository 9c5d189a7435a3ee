//! What tenants make of a node: required and advisory ones, none, new ones.

use expect_test::expect;

use super::probes::{disk, doctor, gateway};
use super::timeline::{Node, check, check_reasons, fresh, gateway_node, node, play};

#[test]
fn a_required_tenant_that_is_down_takes_the_node_down() {
    check(
        node(&["acme", "beta"], &[gateway()]),
        "1s gateway@acme ok
         1s gateway@beta down",
        expect![[r#"
            1s     degraded | acme degraded, beta degraded | gateway@acme pending (degraded), gateway@beta pending (degraded)
            1s     degraded | acme ok, beta degraded | gateway@acme ok, gateway@beta pending (degraded)
            1s     down | acme ok, beta down | gateway@acme ok, gateway@beta down
        "#]],
    );
}

#[test]
fn an_advisory_tenant_that_is_down_degrades_the_node() {
    check(
        node(&["acme", "beta?"], &[gateway()]),
        "1s gateway@acme ok
         1s gateway@beta down",
        expect![[r#"
            1s     degraded | acme degraded, beta degraded | gateway@acme pending (degraded), gateway@beta pending (degraded)
            1s     degraded | acme ok, beta degraded | gateway@acme ok, gateway@beta pending (degraded)
            1s     degraded | acme ok, beta down | gateway@acme ok, gateway@beta down
        "#]],
    );
}

#[test]
fn a_tenants_answer_is_the_worst_of_its_checks_and_of_the_nodes() {
    check(
        node(&["acme", "beta"], &[gateway(), disk()]),
        "1s gateway@acme ok
         1s gateway@beta degraded
         1s disk ok
         2s disk down! full",
        expect![[r#"
            1s     degraded | acme degraded, beta degraded | disk pending (degraded), gateway@acme pending (degraded), gateway@beta pending (degraded)
            1s     degraded | acme degraded, beta degraded | disk pending (degraded), gateway@acme ok, gateway@beta pending (degraded)
            1s     degraded | acme degraded, beta degraded | disk pending (degraded), gateway@acme ok, gateway@beta degraded
            1s     degraded | acme ok, beta degraded | disk ok, gateway@acme ok, gateway@beta degraded
            2s     down | acme down, beta down | disk down, gateway@acme ok, gateway@beta degraded
        "#]],
    );
}

#[test]
fn a_node_without_tenants_is_degraded() {
    check_reasons(
        fresh(&[], &[disk()]),
        "1s disk ok",
        expect![[r#"
            1s     degraded |  | disk pending (degraded)
                - no gateway is watched
                - disk: not answered yet
            1s     degraded |  | disk ok
                - no gateway is watched
        "#]],
    );
}

#[test]
fn unless_it_has_none_on_purpose() {
    let on_purpose = Node {
        no_tenants_on_purpose: true,
        ..fresh(&[], &[disk()])
    };
    check_reasons(
        on_purpose,
        "1s disk ok",
        expect![[r#"
            1s     degraded |  | disk pending (degraded)
                - disk: not answered yet
            1s     ok |  | disk ok
        "#]],
    );
}

#[test]
fn a_new_tenant_whose_gateway_is_not_started_yet_empties_nothing() {
    check(
        gateway_node(),
        "1s gateway@acme ok
         2s tenants acme beta
         3s gateway@beta down
         4s gateway@acme ok
         5s gateway@beta down
         20s gateway@acme ok
         40s gateway@acme ok
         40s gateway@beta down
         60s gateway@acme ok
         60s gateway@beta down
         80s gateway@acme ok
         80s gateway@beta ok
         82s gateway@beta ok
         84s gateway@beta down!",
        expect![[r#"
            1s     degraded | acme degraded | gateway@acme pending (degraded)
            1s     ok | acme ok | gateway@acme ok
            2s     degraded | acme ok, beta starting/degraded | gateway@acme ok, gateway@beta pending (degraded)
            3s     degraded | acme ok, beta starting/down | gateway@acme ok, gateway@beta down
            38s    degraded | acme ok, beta starting/down | gateway@acme ok, gateway@beta unknown (down)
            40s    degraded | acme ok, beta starting/down | gateway@acme ok, gateway@beta down
            1m22s  ok | acme ok, beta ok | gateway@acme ok, gateway@beta ok
            1m24s  down | acme ok, beta down | gateway@acme ok, gateway@beta down
        "#]],
    );
}

#[test]
fn pending_checks_prove_nothing_about_a_new_tenant() {
    check(
        node(&["acme"], &[doctor(), gateway()]),
        "1s gateway@acme ok
         1s doctor@acme ok
         2s tenants acme beta
         3s doctor@beta ok
         4s gateway@beta down",
        expect![[r#"
            1s     degraded | acme degraded | doctor@acme pending (degraded), gateway@acme pending (degraded)
            1s     degraded | acme degraded | doctor@acme pending (degraded), gateway@acme ok
            1s     ok | acme ok | doctor@acme ok, gateway@acme ok
            2s     degraded | acme ok, beta starting/degraded | doctor@acme ok, doctor@beta pending (degraded), gateway@acme ok, gateway@beta pending (degraded)
            3s     degraded | acme ok, beta starting/degraded | doctor@acme ok, doctor@beta ok, gateway@acme ok, gateway@beta pending (degraded)
            4s     degraded | acme ok, beta starting/down | doctor@acme ok, doctor@beta ok, gateway@acme ok, gateway@beta down
        "#]],
    );
}

#[test]
fn a_new_tenant_stops_starting_when_its_grace_is_over_and_it_is_better_than_down() {
    check(
        node(&["acme"], &[doctor()]),
        "1s doctor@acme ok
         2s tenants acme beta
         70s",
        expect![[r#"
            1s     degraded | acme degraded | doctor@acme pending (degraded)
            1s     ok | acme ok | doctor@acme ok
            2s     degraded | acme ok, beta starting/degraded | doctor@acme ok, doctor@beta pending (degraded)
            1m2s   degraded | acme ok, beta degraded | doctor@acme ok, doctor@beta pending (degraded)
        "#]],
    );
}

#[test]
fn a_starting_node_does_not_wait_for_tenants_that_appear_meanwhile() {
    check(
        fresh(&["acme"], &[gateway()]),
        "1s tenants acme beta
         2s gateway@acme ok",
        expect![[r#"
            1s     starting/degraded | acme starting/degraded | gateway@acme pending (degraded)
            1s     starting/degraded | acme starting/degraded, beta starting/degraded | gateway@acme pending (degraded), gateway@beta pending (degraded)
            2s     degraded | acme ok, beta starting/degraded | gateway@acme ok, gateway@beta pending (degraded)
        "#]],
    );
}

#[test]
fn maintenance_does_not_make_a_new_tenant_look_proven() {
    check(
        gateway_node(),
        "1s gateway@acme ok
         2s tenants acme beta
         3s maintenance beta 10s
         4s gateway@beta down
         5s gateway@acme ok
         14s",
        expect![[r#"
            1s     degraded | acme degraded | gateway@acme pending (degraded)
            1s     ok | acme ok | gateway@acme ok
            2s     degraded | acme ok, beta starting/degraded | gateway@acme ok, gateway@beta pending (degraded)
            3s     ok | acme ok, beta starting/ok in maintenance | gateway@acme ok, gateway@beta pending (nothing)
            4s     ok | acme ok, beta starting/ok in maintenance | gateway@acme ok, gateway@beta down (nothing)
            13s    degraded | acme ok, beta starting/down | gateway@acme ok, gateway@beta down
        "#]],
    );
}

#[test]
fn a_new_check_on_an_older_tenant_is_pending_and_nothing_more() {
    let mut world = super::timeline::play(gateway_node(), "1s gateway@acme ok");
    let more = node(&["acme"], &[gateway(), doctor()]);
    world
        .readiness
        .configure(world.now, super::timeline::settings(&["acme"], &more));
    world.transcript.clear();
    world.play("2s gateway@acme ok\n 3s doctor@acme ok");
    expect![[r#"
        2s     degraded | acme degraded | doctor@acme pending (degraded), gateway@acme ok
        3s     ok | acme ok | doctor@acme ok, gateway@acme ok
    "#]]
    .assert_eq(&world.transcript);
}

#[test]
fn a_tenant_that_a_serving_node_finds_at_its_restart_is_new_as_well() {
    let mut world = super::timeline::play(node(&["acme", "beta"], &[gateway()]), "1s gateway@acme ok");
    world.store.remove("tenant/beta");
    world.transcript.clear();
    world.play("3s restart 1s\n 5s gateway@acme ok\n 6s gateway@beta down\n 20s gateway@beta ok\n 22s gateway@beta ok");
    expect![[r#"
        4s     degraded | acme ok, beta starting/degraded | gateway@acme ok, gateway@beta pending (degraded)
        6s     degraded | acme ok, beta starting/down | gateway@acme ok, gateway@beta down
        22s    ok | acme ok, beta ok | gateway@acme ok, gateway@beta ok
    "#]]
    .assert_eq(&world.transcript);
}

#[test]
fn a_removed_tenant_is_gone_and_its_state_is_forgotten() {
    let mut world = super::timeline::play(
        node(&["acme", "beta"], &[gateway()]),
        "1s gateway@acme ok
         1s gateway@beta down",
    );
    assert!(world.store.contains_key("check/gateway@beta"));
    world.play("2s tenants acme");
    assert_eq!(world.view().verdict.as_str(), "ok");
    let left = world
        .store
        .keys()
        .filter(|key| key.contains("beta"))
        .collect::<Vec<_>>();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn history_is_told_when_a_tenant_and_its_checks_are_configured_no_more() {
    let world = play(
        node(&["acme", "beta"], &[gateway()]),
        "1s gateway@acme down
         1s gateway@beta ok
         9s tenants beta",
    );
    let gone = world.transitions.iter().filter(|change| change.to == "not_watched");
    let gone: Vec<String> = gone
        .map(|change| {
            let who = change.probe.as_ref().map_or("tenant", |probe| probe.as_str());
            let held = change.at.millis_since(change.since.unwrap()) / 1000;
            format!(
                "{who} of {}: {} for {held} s",
                change.tenant.as_ref().unwrap(),
                change.from
            )
        })
        .collect();
    assert_eq!(gone, ["gateway of acme: down for 8 s", "tenant of acme: down for 8 s"]);
}
