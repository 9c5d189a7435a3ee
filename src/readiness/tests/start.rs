//! Starts: what is restored, what is asked first, and how long the node says `starting`.

use expect_test::expect;

use super::probes::{advisory, disk, doctor, gateway, named};
use super::timeline::{check, check_reasons, fresh, gateway_node, node, play};
use crate::probe::declaration::Probe;
use crate::words::Verdict;

#[test]
fn a_node_without_state_is_starting_until_every_required_check_of_required_tenants_has_a_finding() {
    let probes = [gateway(), doctor(), named("extra", advisory(gateway())), disk()];
    check_reasons(
        fresh(&["acme", "beta?"], &probes),
        "1s gateway@acme ok
         2s doctor@acme unknown",
        expect![[r#"
            1s     starting/degraded | acme starting/degraded, beta starting/degraded | disk pending (degraded), doctor@acme pending (degraded), doctor@beta pending (degraded), extra@acme pending (nothing), extra@beta pending (nothing), gateway@acme pending (degraded), gateway@beta pending (degraded)
                - starting: waiting for doctor@acme, gateway@acme
                - acme gateway: not answered yet
                - beta gateway: not answered yet
                - acme doctor: not answered yet
                - beta doctor: not answered yet
                - disk: not answered yet
            1s     starting/degraded | acme starting/degraded, beta starting/degraded | disk pending (degraded), doctor@acme pending (degraded), doctor@beta pending (degraded), extra@acme pending (nothing), extra@beta pending (nothing), gateway@acme ok, gateway@beta pending (degraded)
                - starting: waiting for doctor@acme
                - beta gateway: not answered yet
                - acme doctor: not answered yet
                - beta doctor: not answered yet
                - disk: not answered yet
            2s     degraded | acme degraded, beta degraded | disk pending (degraded), doctor@acme unknown (degraded), doctor@beta pending (degraded), extra@acme pending (nothing), extra@beta pending (nothing), gateway@acme ok, gateway@beta pending (degraded)
                - beta gateway: not answered yet
                - acme doctor: could not be asked: unknown
                - beta doctor: not answered yet
                - disk: not answered yet
        "#]],
    );
}

#[test]
fn starting_ends_with_the_startup_grace() {
    check(
        fresh(&["acme"], &[gateway(), doctor()]),
        "1s gateway@acme ok\n 61s",
        expect![[r#"
            1s     starting/degraded | acme starting/degraded | doctor@acme pending (degraded), gateway@acme pending (degraded)
            1s     starting/degraded | acme starting/degraded | doctor@acme pending (degraded), gateway@acme ok
            34s    starting/down | acme starting/down | doctor@acme pending (degraded), gateway@acme unknown (down)
            1m     down | acme down | doctor@acme pending (degraded), gateway@acme unknown (down)
        "#]],
    );
}

#[test]
fn a_restart_keeps_levels_and_open_runs() {
    check(
        gateway_node(),
        "1s gateway@acme ok
         10s gateway@acme down
         11s restart 1s
         13s gateway@acme down",
        expect![[r#"
            1s     degraded | acme degraded | gateway@acme pending (degraded)
            1s     ok | acme ok | gateway@acme ok
            13s    down | acme down | gateway@acme down
        "#]],
    );
}

#[test]
fn a_restart_does_not_heal_a_wedge() {
    check(
        gateway_node(),
        "1s gateway@acme ok
         2s gateway@acme down! wedged
         3s restart 1s
         5s gateway@acme ok
         7s gateway@acme ok",
        expect![[r#"
            1s     degraded | acme degraded | gateway@acme pending (degraded)
            1s     ok | acme ok | gateway@acme ok
            2s     down | acme down | gateway@acme down
            7s     ok | acme ok | gateway@acme ok
        "#]],
    );
}

#[test]
fn a_restart_does_not_make_a_hiccup_an_outage() {
    check(
        gateway_node(),
        "1s gateway@acme ok
         3s restart 1s
         5s gateway@acme down
         7s gateway@acme ok",
        expect![[r#"
            1s     degraded | acme degraded | gateway@acme pending (degraded)
            1s     ok | acme ok | gateway@acme ok
        "#]],
    );
}

#[test]
fn a_native_finding_counts_at_once_where_all_that_was_restored_is_stale() {
    check(
        gateway_node(),
        "1s gateway@acme ok
         3s restart 10m
         10m4s gateway@acme down",
        expect![[r#"
            1s     degraded | acme degraded | gateway@acme pending (degraded)
            1s     ok | acme ok | gateway@acme ok
            10m4s  down | acme down | gateway@acme down
        "#]],
    );
    check(
        gateway_node(),
        "1s gateway@acme down
         3s restart 10m
         10m4s gateway@acme ok",
        expect![[r#"
            1s     degraded | acme degraded | gateway@acme pending (degraded)
            1s     down | acme down | gateway@acme down
            10m4s  ok | acme ok | gateway@acme ok
        "#]],
    );
}

#[test]
fn a_doctors_finding_is_debounced_after_a_long_absence_too() {
    check(
        node(&["acme"], &[doctor()]),
        "1s doctor@acme ok
         3s restart 1h
         1h4s doctor@acme down",
        expect![[r#"
            1s     degraded | acme degraded | doctor@acme pending (degraded)
            1s     ok | acme ok | doctor@acme ok
            1h3s   degraded | acme degraded | doctor@acme unknown (degraded)
        "#]],
    );
}

#[test]
fn levels_are_held_for_three_seconds_at_most_while_native_checks_are_asked() {
    check(
        gateway_node(),
        "1s gateway@acme ok
         3s restart 10m
         11m",
        expect![[r#"
            1s     degraded | acme degraded | gateway@acme pending (degraded)
            1s     ok | acme ok | gateway@acme ok
            10m6s  down | acme down | gateway@acme unknown (down)
        "#]],
    );
}

#[test]
fn after_a_reboot_a_remembered_ok_of_transport_and_runtime_is_worth_nothing() {
    check(
        node(&["acme"], &[gateway(), doctor(), disk()]),
        "1s gateway@acme ok
         1s doctor@acme ok
         1s disk ok
         2s reboot 20s
         23s disk ok
         24s gateway@acme ok
         26s doctor@acme ok",
        expect![[r#"
            1s     degraded | acme degraded | disk pending (degraded), doctor@acme pending (degraded), gateway@acme pending (degraded)
            1s     degraded | acme degraded | disk pending (degraded), doctor@acme pending (degraded), gateway@acme ok
            1s     degraded | acme degraded | disk pending (degraded), doctor@acme ok, gateway@acme ok
            1s     ok | acme ok | disk ok, doctor@acme ok, gateway@acme ok
            22s    starting/degraded | acme starting/degraded | disk ok, doctor@acme pending (degraded), gateway@acme pending (degraded)
            24s    starting/degraded | acme starting/degraded | disk ok, doctor@acme pending (degraded), gateway@acme ok
            26s    ok | acme ok | disk ok, doctor@acme ok, gateway@acme ok
        "#]],
    );
}

#[test]
fn after_a_reboot_a_remembered_down_is_kept() {
    check(
        node(&["acme"], &[doctor()]),
        "1s doctor@acme down
         2s reboot 20s
         30s doctor@acme ok
         60s doctor@acme ok",
        expect![[r#"
            1s     degraded | acme degraded | doctor@acme pending (degraded)
            1s     down | acme down | doctor@acme down
            1m     ok | acme ok | doctor@acme ok
        "#]],
    );
}

#[test]
fn the_age_of_an_answer_is_bridged_over_a_reboot_however_short_the_uptime() {
    check(
        node(&["acme"], &[disk()]),
        "1s disk ok
         2s reboot 2h
         2h10s",
        expect![[r#"
            1s     degraded | acme degraded | disk pending (degraded)
            1s     ok | acme ok | disk ok
            2h5s   down | acme down | disk unknown (down)
        "#]],
    );
}

#[test]
fn a_negative_age_is_stale() {
    check(
        node(&["acme"], &[disk()]),
        "1s disk ok
         2s wall -5h
         3s reboot 20s
         40s disk down full",
        expect![[r#"
            1s     degraded | acme degraded | disk pending (degraded)
            1s     ok | acme ok | disk ok
            23s    down | acme down | disk unknown (down)
            40s    down | acme down | disk down
        "#]],
    );
}

#[test]
fn stamps_of_an_earlier_boot_are_written_anew_so_that_a_second_restart_reads_them_right() {
    check(
        node(&["acme"], &[disk()]),
        "1s disk ok
         2s reboot 20s
         23s restart 1s
         25s disk down
         26s disk down",
        expect![[r#"
            1s     degraded | acme degraded | disk pending (degraded)
            1s     ok | acme ok | disk ok
            26s    down | acme down | disk down
        "#]],
    );
}

#[test]
fn a_kill_right_after_a_reboot_leaves_no_stamps_of_the_boot_before() {
    let mut world = play(node(&["acme"], &[disk()]), "1s disk ok\n 2s reboot 5s");
    assert!(!world.store.contains_key("ages"));
    world.pass(std::time::Duration::from_secs(5));
    world.start(true);
    let level = |world: &super::timeline::World| world.view().checks[0].level.to_string();
    assert_eq!(level(&world), "ok");
    world.play("14s disk down");
    assert_eq!(level(&world), "ok", "what was restored is 13 s old: debounced");
}

#[test]
fn a_node_that_was_killed_while_starting_starts_again() {
    check(
        fresh(&["acme"], &[gateway(), doctor()]),
        "1s gateway@acme ok
         2s restart 1s
         4s doctor@acme ok",
        expect![[r#"
            1s     starting/degraded | acme starting/degraded | doctor@acme pending (degraded), gateway@acme pending (degraded)
            1s     starting/degraded | acme starting/degraded | doctor@acme pending (degraded), gateway@acme ok
            4s     ok | acme ok | doctor@acme ok, gateway@acme ok
        "#]],
    );
}

#[test]
fn a_restart_during_the_starting_after_a_reboot_goes_on_starting() {
    check(
        node(&["acme"], &[gateway(), doctor()]),
        "1s gateway@acme ok
         1s doctor@acme ok
         2s reboot 20s
         24s restart 1s
         26s gateway@acme ok
         26s doctor@acme ok",
        expect![[r#"
            1s     degraded | acme degraded | doctor@acme pending (degraded), gateway@acme pending (degraded)
            1s     degraded | acme degraded | doctor@acme pending (degraded), gateway@acme ok
            1s     ok | acme ok | doctor@acme ok, gateway@acme ok
            22s    starting/degraded | acme starting/degraded | doctor@acme pending (degraded), gateway@acme pending (degraded)
            26s    starting/degraded | acme starting/degraded | doctor@acme pending (degraded), gateway@acme ok
            26s    ok | acme ok | doctor@acme ok, gateway@acme ok
        "#]],
    );
}

#[test]
fn a_tenant_in_maintenance_is_not_waited_for() {
    check(
        fresh(&["acme", "beta"], &[gateway()]),
        "1s gateway@acme ok
         2s maintenance beta 1h",
        expect![[r#"
            1s     starting/degraded | acme starting/degraded, beta starting/degraded | gateway@acme pending (degraded), gateway@beta pending (degraded)
            1s     starting/degraded | acme starting/ok, beta starting/degraded | gateway@acme ok, gateway@beta pending (degraded)
            2s     ok | acme ok, beta ok in maintenance | gateway@acme ok, gateway@beta pending (nothing)
        "#]],
    );
}

#[test]
fn state_that_cannot_be_read_is_as_if_it_were_not_there() {
    let mut world = play(gateway_node(), "1s gateway@acme ok\n 2s drain");
    world.stop();
    world.store.insert("check/gateway@acme".to_owned(), "{".to_owned());
    world.store.insert("ages".to_owned(), "[]".to_owned());
    world.store.insert("node".to_owned(), "7".to_owned());
    world.start(true);
    let view = world.view();
    assert_eq!(view.checks[0].level.as_str(), "pending");
    assert!(view.drain.is_some(), "an order holds even so");
}

#[test]
fn history_and_the_last_change_survive() {
    let mut world = play(
        gateway_node(),
        "1s gateway@acme ok
         10s gateway@acme down refused
         12s gateway@acme down refused",
    );
    let before = world.view();
    world.play("13s restart 1s");
    let after = world.view();
    assert_eq!(after.checks[0].history, before.checks[0].history);
    assert_eq!(before.checks[0].history.len(), 2);
    assert_eq!(after.last_change, before.last_change);
    assert_eq!(after.since, before.since);
    let change = before.last_change.unwrap();
    assert_eq!((change.from.as_str(), change.to.as_str()), ("ok", "down"));
    assert_eq!(change.reasons, ["acme gateway: refused"]);
}

#[test]
fn history_is_bounded() {
    let mut world = super::timeline::World::new(gateway_node());
    for second in 1..100 {
        let answer = if second % 2 == 0 { "unknown" } else { "ok" };
        world.play(&format!("{second}s gateway@acme {answer}"));
    }
    assert_eq!(world.view().checks[0].history.len(), 20);
}

#[test]
fn what_only_ages_is_written_with_the_ages_alone() {
    let mut world = play(gateway_node(), "1s gateway@acme ok");
    world.pass(std::time::Duration::from_secs(1));
    let quiet = super::timeline::finding("ok", "other words");
    let id = crate::words::CheckId::parse("gateway@acme").unwrap();
    world
        .readiness
        .finding(world.now, &id, quiet, crate::words::Cost::default());
    // The cycle is complete, which the node counts.
    let dirty = world.readiness.dirty_state();
    assert_eq!(dirty.keys().collect::<Vec<_>>(), ["node"]);
    let ages = world.readiness.ages_state(world.now);
    assert_eq!(ages.keys().collect::<Vec<_>>(), ["ages", "check/gateway@acme"]);
    let again = world.readiness.ages_state(world.now);
    assert_eq!(again.keys().collect::<Vec<_>>(), ["ages"]);
}

#[test]
fn numbers_that_json_cannot_say_do_not_cost_a_check_its_state() {
    let mut world = play(gateway_node(), "1s gateway@acme ok");
    let id = crate::words::CheckId::parse("gateway@acme").unwrap();
    for _ in 0..2 {
        let mut finding = super::timeline::finding("down", "");
        finding.measure("load", "", f64::NAN);
        world
            .readiness
            .finding(world.now, &id, finding, crate::words::Cost::default());
    }
    world.play("2s restart 1s");
    assert_eq!(world.view().checks[0].level.as_str(), "down");
}

#[test]
fn what_degrades_at_most_is_not_waited_for_by_a_start_or_a_new_tenant() {
    let cost = Probe {
        worst: Verdict::Degraded,
        ..named("cost", doctor())
    };
    check(
        fresh(&["acme"], &[gateway(), cost]),
        "1s gateway@acme ok
         2s cost@acme ok
         3s tenants acme beta
         4s gateway@beta ok
         5s gateway@beta down
         6s gateway@beta down",
        expect![[r#"
            1s     starting/degraded | acme starting/degraded | cost@acme pending (degraded), gateway@acme pending (degraded)
            1s     degraded | acme degraded | cost@acme pending (degraded), gateway@acme ok
            2s     ok | acme ok | cost@acme ok, gateway@acme ok
            3s     degraded | acme ok, beta starting/degraded | cost@acme ok, cost@beta pending (degraded), gateway@acme ok, gateway@beta pending (degraded)
            4s     degraded | acme ok, beta degraded | cost@acme ok, cost@beta pending (degraded), gateway@acme ok, gateway@beta ok
            6s     down | acme ok, beta down | cost@acme ok, cost@beta pending (degraded), gateway@acme ok, gateway@beta down
        "#]],
    );
}
