//! Naps and clocks.

use expect_test::expect;

use super::probes::{disk, doctor, gateway};
use super::timeline::{check, fresh, gateway_node, node, play};

#[test]
fn after_a_nap_levels_are_held_while_native_checks_are_asked() {
    check(
        node(&["acme"], &[gateway(), disk()]),
        "1s gateway@acme ok
         1s disk ok
         2s sleep 8h
         8h5s gateway@acme ok
         8h6s disk ok",
        expect![[r#"
            1s     degraded | acme degraded | disk pending (degraded), gateway@acme pending (degraded)
            1s     degraded | acme degraded | disk pending (degraded), gateway@acme ok
            1s     ok | acme ok | disk ok, gateway@acme ok
        "#]],
    );
}

#[test]
fn levels_are_held_for_ten_seconds_at_most() {
    check(
        gateway_node(),
        "1s gateway@acme ok\n 2s sleep 8h\n 8h30s",
        expect![[r#"
            1s     degraded | acme degraded | gateway@acme pending (degraded)
            1s     ok | acme ok | gateway@acme ok
            8h12s  down | acme down | gateway@acme unknown (down)
        "#]],
    );
}

#[test]
fn an_answer_within_the_hold_is_debounced_as_ever() {
    check(
        gateway_node(),
        "1s gateway@acme ok
         2s sleep 8h
         8h3s gateway@acme down
         8h5s gateway@acme down",
        expect![[r#"
            1s     degraded | acme degraded | gateway@acme pending (degraded)
            1s     ok | acme ok | gateway@acme ok
            8h5s   down | acme down | gateway@acme down
        "#]],
    );
}

#[test]
fn once_native_checks_have_answered_the_age_of_a_doctors_answer_counts() {
    check(
        node(&["acme"], &[gateway(), doctor()]),
        "1s gateway@acme ok
         1s doctor@acme ok
         2s sleep 8h
         8h3s gateway@acme ok
         8h20s doctor@acme ok",
        expect![[r#"
            1s     degraded | acme degraded | doctor@acme pending (degraded), gateway@acme pending (degraded)
            1s     degraded | acme degraded | doctor@acme pending (degraded), gateway@acme ok
            1s     ok | acme ok | doctor@acme ok, gateway@acme ok
            8h3s   degraded | acme degraded | doctor@acme unknown (degraded), gateway@acme ok
            8h20s  ok | acme ok | doctor@acme ok, gateway@acme ok
        "#]],
    );
}

#[test]
fn what_is_shown_between_waking_and_the_first_tick_is_what_was_shown_before() {
    let mut world = play(gateway_node(), "1s gateway@acme ok");
    world.pass(std::time::Duration::from_secs(8 * 3600));
    assert_eq!(world.view().verdict.as_str(), "ok");
    assert!(world.readiness.resume_due(world.now));
    assert!(world.readiness.tick(world.now).resumed);
    assert!(!world.readiness.tick(world.now).resumed);
    assert_eq!(world.view().verdict.as_str(), "ok");
}

#[test]
fn a_gap_of_ten_seconds_is_no_resume_and_more_is_one() {
    let mut world = play(gateway_node(), "1s gateway@acme ok");
    world.pass(std::time::Duration::from_secs(10));
    assert!(!world.readiness.tick(world.now).resumed);
    world.pass(std::time::Duration::from_millis(10_001));
    assert!(world.readiness.tick(world.now).resumed);
}

#[test]
fn naps_within_a_hold_do_not_wear_it_out() {
    check(
        gateway_node(),
        "1s gateway@acme ok
         2s sleep 8h
         8h4s sleep 1h
         9h6s sleep 1h
         10h8s gateway@acme ok",
        expect![[r#"
            1s     degraded | acme degraded | gateway@acme pending (degraded)
            1s     ok | acme ok | gateway@acme ok
        "#]],
    );
}

#[test]
fn a_restart_within_a_hold_goes_on_holding() {
    check(
        gateway_node(),
        "1s gateway@acme ok
         2s sleep 8h
         8h3s restart 1s
         8h5s gateway@acme ok",
        expect![[r#"
            1s     degraded | acme degraded | gateway@acme pending (degraded)
            1s     ok | acme ok | gateway@acme ok
        "#]],
    );
}

#[test]
fn a_wall_clock_stepped_either_way_changes_no_level() {
    for step in ["+100h", "-100h"] {
        let script = |step: &str| {
            format!(
                "1s gateway@acme ok
                 10s gateway@acme down
                 {step}
                 12s gateway@acme down
                 30s gateway@acme ok
                 32s gateway@acme ok
                 2m"
            )
        };
        let stepped = play(gateway_node(), &script(&format!("11s wall {step}")));
        let plain = play(gateway_node(), &script("11s"));
        assert_eq!(stepped.transcript, plain.transcript);
    }
}

#[test]
fn a_stepped_wall_clock_does_not_age_what_a_restart_restores() {
    for step in ["+100h", "-100h"] {
        let world = play(
            node(&["acme"], &[disk()]),
            &format!("1s disk ok\n 2s wall {step}\n 3s restart 1s\n 9s"),
        );
        assert_eq!(world.view().checks[0].level.as_str(), "ok", "{step}");
    }
}

#[test]
fn a_nap_while_starting_does_not_use_up_the_grace_within_the_hold() {
    check(
        fresh(&["acme"], &[gateway(), doctor()]),
        "1s gateway@acme ok
         2s sleep 1h
         1h4s gateway@acme ok
         1h5s doctor@acme ok",
        expect![[r#"
            1s     starting/degraded | acme starting/degraded | doctor@acme pending (degraded), gateway@acme pending (degraded)
            1s     starting/degraded | acme starting/degraded | doctor@acme pending (degraded), gateway@acme ok
            1h4s   degraded | acme degraded | doctor@acme pending (degraded), gateway@acme ok
            1h5s   ok | acme ok | doctor@acme ok, gateway@acme ok
        "#]],
    );
}
