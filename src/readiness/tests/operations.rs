//! Maintenance and drain.

use std::time::Duration;

use expect_test::expect;

use super::probes::gateway;
use super::timeline::{World, check, check_reasons, gateway_node, name, node, play};
use crate::engine::Refused;
use crate::readiness::{MAINTENANCE_MAX, Request};

const REQUEST: Request<'_> = Request {
    actor: "uid 501 (ann)",
    reason: "upgrade",
    ticket: Some("CHG-7"),
};

#[test]
fn in_maintenance_a_tenants_findings_count_nothing_and_are_still_taken() {
    check(
        node(&["acme", "beta"], &[gateway()]),
        "1s gateway@acme ok
         1s gateway@beta ok
         2s maintenance acme 30s
         3s gateway@acme down
         5s gateway@acme down
         6s end acme",
        expect![[r#"
            1s     degraded | acme degraded, beta degraded | gateway@acme pending (degraded), gateway@beta pending (degraded)
            1s     degraded | acme ok, beta degraded | gateway@acme ok, gateway@beta pending (degraded)
            1s     ok | acme ok, beta ok | gateway@acme ok, gateway@beta ok
            2s     ok | acme ok in maintenance, beta ok | gateway@acme ok (nothing), gateway@beta ok
            5s     ok | acme ok in maintenance, beta ok | gateway@acme down (nothing), gateway@beta ok
            6s     down | acme down, beta ok | gateway@acme down, gateway@beta ok
        "#]],
    );
}

#[test]
fn maintenance_ends_by_itself() {
    check(
        node(&["acme", "beta"], &[gateway()]),
        "1s gateway@acme down
         1s gateway@beta ok
         2s maintenance acme 10s
         20s",
        expect![[r#"
            1s     degraded | acme degraded, beta degraded | gateway@acme pending (degraded), gateway@beta pending (degraded)
            1s     down | acme down, beta degraded | gateway@acme down, gateway@beta pending (degraded)
            1s     down | acme down, beta ok | gateway@acme down, gateway@beta ok
            2s     ok | acme ok in maintenance, beta ok | gateway@acme down (nothing), gateway@beta ok
            12s    down | acme down, beta ok | gateway@acme down, gateway@beta ok
        "#]],
    );
}

#[test]
fn a_stepped_wall_clock_neither_ends_nor_stretches_maintenance() {
    for step in ["+10h", "-10h"] {
        let mut world = play(
            node(&["acme"], &[gateway()]),
            &format!("1s maintenance acme 1m\n 2s wall {step}\n 60s"),
        );
        assert!(world.view().tenants[&name("acme")].maintenance.is_some(), "{step}");
        world.play("61s");
        assert!(world.view().tenants[&name("acme")].maintenance.is_none(), "{step}");
    }
}

#[test]
fn maintenance_survives_restarts_and_reboots_and_ends_in_time() {
    let mut world = play(
        gateway_node(),
        "1s maintenance acme 10m
         2m restart 1m
         4m reboot 2m
         7m",
    );
    assert!(world.view().tenants[&name("acme")].maintenance.is_some());
    world.play("10m");
    assert!(world.view().tenants[&name("acme")].maintenance.is_some());
    world.play("10m1s");
    assert!(world.view().tenants[&name("acme")].maintenance.is_none());
}

#[test]
fn a_reboot_with_a_clock_that_lost_its_time_gives_no_more_than_was_asked_for() {
    let mut world = play(gateway_node(), "1s maintenance acme 10m\n 5m wall -20h\n 5m reboot 1m");
    assert!(world.view().tenants[&name("acme")].maintenance.is_some());
    world.play("16m1s");
    assert!(world.view().tenants[&name("acme")].maintenance.is_none());
}

#[test]
fn a_nap_counts_as_maintenance_time() {
    let world = play(gateway_node(), "1s maintenance acme 10m\n 2s sleep 11m");
    assert!(world.view().tenants[&name("acme")].maintenance.is_none());
}

#[test]
fn all_required_tenants_in_maintenance_degrade_the_node() {
    check_reasons(
        node(&["acme", "beta?"], &[gateway()]),
        "1s gateway@acme down
         1s gateway@beta ok
         2s maintenance acme 10s",
        expect![[r#"
            1s     degraded | acme degraded, beta degraded | gateway@acme pending (degraded), gateway@beta pending (degraded)
                - acme gateway: not answered yet
                - beta gateway: not answered yet
            1s     down | acme down, beta degraded | gateway@acme down, gateway@beta pending (degraded)
                - acme gateway: down
                - beta gateway: not answered yet
            1s     down | acme down, beta ok | gateway@acme down, gateway@beta ok
                - acme gateway: down
            2s     degraded | acme ok in maintenance, beta ok | gateway@acme down (nothing), gateway@beta ok
                - every required tenant is in maintenance
                - acme is in maintenance by uid 501 (ann) until 2026-11-20T08:30:12Z: upgrade
        "#]],
    );
}

#[test]
fn a_drained_node_says_so_at_once_and_names_who_drained_it() {
    check_reasons(
        gateway_node(),
        "1s gateway@acme ok
         2s drain
         3s undrain",
        expect![[r#"
            1s     degraded | acme degraded | gateway@acme pending (degraded)
                - acme gateway: not answered yet
            1s     ok | acme ok | gateway@acme ok
            2s     draining/ok | acme draining/ok | gateway@acme ok
                - drained by uid 501 (ann): upgrade
            3s     ok | acme ok | gateway@acme ok
        "#]],
    );
}

#[test]
fn a_drained_tenant_is_out_of_the_nodes_verdict_which_says_so() {
    check_reasons(
        node(&["acme", "beta"], &[gateway()]),
        "1s gateway@acme down
         1s gateway@beta ok
         2s drain acme
         3s undrain acme",
        expect![[r#"
            1s     degraded | acme degraded, beta degraded | gateway@acme pending (degraded), gateway@beta pending (degraded)
                - acme gateway: not answered yet
                - beta gateway: not answered yet
            1s     down | acme down, beta degraded | gateway@acme down, gateway@beta pending (degraded)
                - acme gateway: down
                - beta gateway: not answered yet
            1s     down | acme down, beta ok | gateway@acme down, gateway@beta ok
                - acme gateway: down
            2s     ok | acme draining/down, beta ok | gateway@acme down, gateway@beta ok
                - acme is drained by uid 501 (ann): upgrade
            3s     down | acme down, beta ok | gateway@acme down, gateway@beta ok
                - acme gateway: down
        "#]],
    );
}

#[test]
fn when_every_required_tenant_is_drained_the_node_is_degraded() {
    check_reasons(
        node(&["acme", "beta"], &[gateway()]),
        "1s gateway@acme ok
         1s gateway@beta ok
         2s drain acme
         3s maintenance beta 1h
         4s end beta
         5s drain beta",
        expect![[r#"
            1s     degraded | acme degraded, beta degraded | gateway@acme pending (degraded), gateway@beta pending (degraded)
                - acme gateway: not answered yet
                - beta gateway: not answered yet
            1s     degraded | acme ok, beta degraded | gateway@acme ok, gateway@beta pending (degraded)
                - beta gateway: not answered yet
            1s     ok | acme ok, beta ok | gateway@acme ok, gateway@beta ok
            2s     ok | acme draining/ok, beta ok | gateway@acme ok, gateway@beta ok
                - acme is drained by uid 501 (ann): upgrade
            3s     degraded | acme draining/ok, beta ok in maintenance | gateway@acme ok, gateway@beta ok (nothing)
                - every required tenant is in maintenance or drained
                - acme is drained by uid 501 (ann): upgrade
                - beta is in maintenance by uid 501 (ann) until 2026-11-20T09:30:03Z: upgrade
            4s     ok | acme draining/ok, beta ok | gateway@acme ok, gateway@beta ok
                - acme is drained by uid 501 (ann): upgrade
            5s     degraded | acme draining/ok, beta draining/ok | gateway@acme ok, gateway@beta ok
                - every required tenant is drained
                - acme is drained by uid 501 (ann): upgrade
                - beta is drained by uid 501 (ann): upgrade
        "#]],
    );
}

#[test]
fn drains_survive_restarts_and_reboots_and_the_absence_of_their_tenant() {
    let world = play(
        node(&["acme", "beta"], &[gateway()]),
        "1s drain
         2s drain acme
         3s tenants beta
         4s restart 5s
         20s reboot 5m
         7m tenants acme beta",
    );
    let view = world.view();
    assert!(view.drain.is_some());
    assert!(view.tenants[&name("acme")].drain.is_some());
    assert_eq!(view.drain.unwrap().started, World::BEGINS.wall + Duration::from_secs(1));
}

#[test]
fn a_drained_tenants_trouble_still_stands_in_its_own_reasons() {
    let world = play(
        node(&["acme", "beta"], &[gateway()]),
        "1s gateway@acme down refused
         1s gateway@beta ok
         2s drain acme",
    );
    let reasons = &world.view().tenants[&name("acme")].reasons;
    let texts = reasons.iter().map(|reason| reason.text.as_str()).collect::<Vec<_>>();
    assert_eq!(
        texts,
        ["acme is drained by uid 501 (ann): upgrade", "acme gateway: refused"]
    );
}

#[test]
fn a_shutdown_drains_and_the_next_process_serves() {
    check(
        gateway_node(),
        "1s gateway@acme ok
         2s shutdown
         3s restart 2s
         5s gateway@acme ok",
        expect![[r#"
            1s     degraded | acme degraded | gateway@acme pending (degraded)
            1s     ok | acme ok | gateway@acme ok
            2s     draining/ok | acme draining/ok | gateway@acme ok
            5s     ok | acme ok | gateway@acme ok
        "#]],
    );
}

#[test]
fn retry_after_is_ten_seconds_while_draining_and_one_while_starting() {
    let drained = play(gateway_node(), "1s gateway@acme ok\n 2s drain").view();
    assert_eq!(
        (drained.retry_after, drained.tenants[&name("acme")].retry_after),
        (10, 10)
    );
    let starting = play(super::timeline::fresh(&["acme"], &[gateway()]), "1s").view();
    assert_eq!(
        (starting.retry_after, starting.tenants[&name("acme")].retry_after),
        (1, 1)
    );
}

#[test]
fn unknown_tenants_and_endless_maintenance_are_refused() {
    let mut world = World::new(gateway_node());
    let (now, day) = (world.now, Duration::from_secs(86_400));
    let readiness = &mut world.readiness;
    let stranger = name("stranger");
    let unknown = Err(Refused::UnknownTenant(stranger.clone()));
    assert_eq!(readiness.maintenance_start(now, &stranger, day, REQUEST), unknown);
    assert_eq!(readiness.maintenance_end(now, &stranger), unknown);
    assert_eq!(readiness.drain(now, Some(&stranger), REQUEST), unknown);
    assert_eq!(readiness.undrain(now, Some(&stranger)), unknown);
    for wrong in [Duration::ZERO, MAINTENANCE_MAX + Duration::from_secs(1)] {
        let refused = readiness.maintenance_start(now, &name("acme"), wrong, REQUEST);
        assert!(matches!(refused, Err(Refused::Invalid(_))), "{refused:?}");
    }
    assert!(
        readiness
            .maintenance_start(now, &name("acme"), MAINTENANCE_MAX, REQUEST)
            .is_ok()
    );
}

#[test]
fn operations_say_what_they_did() {
    let mut world = World::new(gateway_node());
    let (now, acme, hour) = (world.now, name("acme"), Duration::from_secs(3600));
    let readiness = &mut world.readiness;
    let said = [
        readiness.maintenance_start(now, &acme, hour, REQUEST),
        readiness.maintenance_end(now, &acme),
        readiness.maintenance_end(now, &acme),
        readiness.drain(now, Some(&acme), REQUEST),
        readiness.undrain(now, Some(&acme)),
        readiness.drain(now, None, REQUEST),
        readiness.undrain(now, None),
        readiness.undrain(now, None),
    ];
    let said = said.map(Result::unwrap).join("\n");
    expect![[r#"
        acme is in maintenance until 2026-11-20T09:30:00Z
        acme is no longer in maintenance
        acme was not in maintenance; nothing has changed
        acme is drained until `readyd undrain acme`
        acme is no longer drained
        the node is drained until `readyd undrain`
        the node is no longer drained
        the node was not drained; nothing has changed"#]]
    .assert_eq(&said);
}

#[test]
fn what_operators_say_is_cleaned_and_bounded() {
    let mut world = World::new(gateway_node());
    let long = "x\u{202e}\n".repeat(1000);
    let request = Request {
        actor: "uid 0",
        reason: &long,
        ticket: Some("  "),
    };
    world.readiness.drain(world.now, None, request).unwrap();
    let drain = world.view().drain.unwrap();
    assert!(drain.reason.len() <= 256 && drain.reason.starts_with("x x x"));
    assert_eq!(drain.ticket, None);
}
