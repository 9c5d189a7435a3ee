//! The table of levels: what silence, ignorance and age count as.

use expect_test::expect;

use super::probes::{advisory, doctor, gateway};
use super::timeline::{check, fresh, gateway_node, node, play};
use crate::probe::declaration::Probe;
use crate::words::Verdict;

#[test]
fn silence_of_a_gateway_is_down_once_its_answer_is_older_than_max_stale() {
    check(
        gateway_node(),
        "1s gateway@acme ok\n 2m",
        expect![[r#"
            1s     degraded | acme degraded | gateway@acme pending (degraded)
            1s     ok | acme ok | gateway@acme ok
            34s    down | acme down | gateway@acme unknown (down)
        "#]],
    );
}

#[test]
fn silence_of_a_doctor_degrades() {
    check(
        node(&["acme"], &[doctor()]),
        "1s doctor@acme ok\n 30m",
        expect![[r#"
            1s     degraded | acme degraded | doctor@acme pending (degraded)
            1s     ok | acme ok | doctor@acme ok
            16m2s  degraded | acme degraded | doctor@acme unknown (degraded)
        "#]],
    );
}

#[test]
fn silence_never_heals_an_answered_down() {
    check(
        node(&["acme"], &[doctor()]),
        "1s doctor@acme down\n 3h",
        expect![[r#"
            1s     degraded | acme degraded | doctor@acme pending (degraded)
            1s     down | acme down | doctor@acme down
            16m2s  down | acme down | doctor@acme unknown (down)
        "#]],
    );
}

#[test]
fn what_could_not_be_asked_degrades_until_max_stale_and_then_counts_as_silence() {
    check(
        gateway_node(),
        "1s gateway@acme ok
         10s gateway@acme unknown
         20s gateway@acme unknown
         30s gateway@acme unknown
         40s gateway@acme ok",
        expect![[r#"
            1s     degraded | acme degraded | gateway@acme pending (degraded)
            1s     ok | acme ok | gateway@acme ok
            10s    degraded | acme degraded | gateway@acme unknown (degraded)
            34s    down | acme down | gateway@acme unknown (down)
            40s    ok | acme ok | gateway@acme ok
        "#]],
    );
}

#[test]
fn what_could_not_be_asked_never_hides_a_remembered_down() {
    check(
        node(&["acme"], &[doctor()]),
        "1s doctor@acme down
         30s doctor@acme unknown
         1h",
        expect![[r#"
            1s     degraded | acme degraded | doctor@acme pending (degraded)
            1s     down | acme down | doctor@acme down
            30s    down | acme down | doctor@acme unknown (down)
        "#]],
    );
}

#[test]
fn after_silence_a_worse_answer_makes_nothing_ok_again_while_its_run_is_open() {
    check(
        gateway_node(),
        "1s gateway@acme ok
         1m gateway@acme down
         62s gateway@acme down",
        expect![[r#"
            1s     degraded | acme degraded | gateway@acme pending (degraded)
            1s     ok | acme ok | gateway@acme ok
            34s    down | acme down | gateway@acme unknown (down)
            1m2s   down | acme down | gateway@acme down
        "#]],
    );
}

#[test]
fn after_silence_an_answer_that_is_no_worse_shows_the_remembered_level_again() {
    check(
        gateway_node(),
        "1s gateway@acme degraded
         1m gateway@acme ok
         62s gateway@acme ok
         2m gateway@acme ok",
        expect![[r#"
            1s     degraded | acme degraded | gateway@acme pending (degraded)
            1s     degraded | acme degraded | gateway@acme degraded
            34s    down | acme down | gateway@acme unknown (down)
            1m     degraded | acme degraded | gateway@acme degraded
            1m2s   ok | acme ok | gateway@acme ok
            1m35s  down | acme down | gateway@acme unknown (down)
            2m     ok | acme ok | gateway@acme ok
        "#]],
    );
}

#[test]
fn a_restart_gives_a_check_that_never_answered_no_second_grace() {
    check(
        gateway_node(),
        "65s
         70s restart 1s
         75s
         76s reboot 20s",
        expect![[r#"
            1s     degraded | acme degraded | gateway@acme pending (degraded)
            1m     down | acme down | gateway@acme pending (down)
            1m36s  starting/degraded | acme starting/degraded | gateway@acme pending (degraded)
        "#]],
    );
}

#[test]
fn an_advisory_check_degrades_at_most_whatever_it_says_or_does_not_say() {
    check(
        node(&["acme"], &[advisory(gateway())]),
        "1s gateway@acme down
         10s gateway@acme unknown
         2m",
        expect![[r#"
            1s     ok | acme ok | gateway@acme pending (nothing)
            1s     degraded | acme degraded | gateway@acme down (degraded)
            10s    degraded | acme degraded | gateway@acme unknown (degraded)
        "#]],
    );
}

#[test]
fn a_probe_counts_no_worse_than_its_worst() {
    let capped = Probe {
        worst: Verdict::Degraded,
        ..gateway()
    };
    check(
        node(&["acme"], &[capped]),
        "1s gateway@acme down\n 2m",
        expect![[r#"
            1s     degraded | acme degraded | gateway@acme pending (degraded)
            1s     degraded | acme degraded | gateway@acme down (degraded)
            34s    degraded | acme degraded | gateway@acme unknown (degraded)
        "#]],
    );
}

#[test]
fn a_required_check_without_any_finding_degrades_for_its_grace_and_then_counts_as_silence() {
    check(
        node(&["acme"], &[gateway(), doctor()]),
        "2m",
        expect![[r#"
            1s     degraded | acme degraded | doctor@acme pending (degraded), gateway@acme pending (degraded)
            1m     down | acme down | doctor@acme pending (degraded), gateway@acme pending (down)
        "#]],
    );
}

#[test]
fn an_advisory_check_without_any_finding_counts_nothing_for_its_grace_and_then_degrades() {
    check(
        node(&["acme"], &[advisory(gateway())]),
        "2m",
        expect![[r#"
            1s     ok | acme ok | gateway@acme pending (nothing)
            1m     degraded | acme degraded | gateway@acme pending (degraded)
        "#]],
    );
}

#[test]
fn an_unknown_finding_ends_pending() {
    check(
        gateway_node(),
        "1s gateway@acme unknown\n 2m",
        expect![[r#"
            1s     degraded | acme degraded | gateway@acme pending (degraded)
            1s     degraded | acme degraded | gateway@acme unknown (degraded)
            34s    down | acme down | gateway@acme unknown (down)
        "#]],
    );
}

#[test]
fn an_unknown_finding_beyond_the_grace_degrades_until_max_stale_and_then_counts_as_silence() {
    super::timeline::check_reasons(
        gateway_node(),
        "70s gateway@acme unknown:local no route
         80s gateway@acme unknown:local no route
         2m gateway@acme ok",
        expect![[r#"
            1s     degraded | acme degraded | gateway@acme pending (degraded)
                - acme gateway: not answered yet
            1m     down | acme down | gateway@acme pending (down)
                - acme gateway: no answer within 1m of the start
            1m10s  degraded | acme degraded | gateway@acme unknown (degraded)
                - acme gateway: could not be asked: no route
            1m43s  down | acme down | gateway@acme unknown (down)
                - acme gateway: could not be asked for more than 32s: no route
            2m     ok | acme ok | gateway@acme ok
        "#]],
    );
}

#[test]
fn a_first_answer_after_nothing_but_unknown_counts_at_once() {
    check(
        gateway_node(),
        "1s gateway@acme unknown
         10s gateway@acme down",
        expect![[r#"
            1s     degraded | acme degraded | gateway@acme pending (degraded)
            1s     degraded | acme degraded | gateway@acme unknown (degraded)
            10s    down | acme down | gateway@acme down
        "#]],
    );
}

#[test]
fn reasons_say_why_there_is_no_answer_and_what_the_last_one_was() {
    super::timeline::check_reasons(
        node(&["acme"], &[doctor()]),
        "30s doctor@acme down agent database refused
         1m doctor@acme ok fine
         90s doctor@acme unknown:spawn no such file
         20m",
        expect![[r#"
            1s     degraded | acme degraded | doctor@acme pending (degraded)
                - acme doctor: not answered yet
            30s    down | acme down | doctor@acme down
                - acme doctor: agent database refused
            1m     down | acme down | doctor@acme down
                - acme doctor: agent database refused (then ok, 1 of 2)
            1m30s  down | acme down | doctor@acme unknown (down)
                - acme doctor: could not be asked: no such file; last answer: down, agent database refused
            17m1s  down | acme down | doctor@acme unknown (down)
                - acme doctor: could not be asked for more than 16m: no such file; last answer: down, agent database refused
        "#]],
    );
}

#[test]
fn green_cycles_count_whole_cycles_of_ok_and_fall_to_nothing_at_once() {
    let mut world = play(
        node(&["acme"], &[gateway(), doctor()]),
        "1s gateway@acme ok
         2s doctor@acme ok",
    );
    let counts = |world: &super::timeline::World| {
        let view = world.view();
        (view.cycle, view.green_cycles)
    };
    // The verdict was degraded while checks were pending: complete, not green.
    assert_eq!(counts(&world), (1, 0));
    world.play("10s gateway@acme ok\n 20s gateway@acme ok\n 21s doctor@acme ok");
    assert_eq!(counts(&world), (2, 1));
    world.play("30s gateway@acme ok\n 31s doctor@acme ok");
    assert_eq!(counts(&world), (3, 2));
    world.play("40s gateway@acme down!");
    assert_eq!(counts(&world), (3, 0));
    world.play("50s gateway@acme ok\n 52s gateway@acme ok\n 53s doctor@acme ok");
    // It was down within this cycle.
    assert_eq!(counts(&world), (4, 0));
    world.play("60s gateway@acme ok\n 61s doctor@acme unknown");
    assert_eq!(counts(&world), (5, 0));
    world.play("62s doctor@acme ok\n 63s gateway@acme ok");
    assert_eq!(counts(&world), (6, 0));
    world.play("64s doctor@acme ok\n 65s gateway@acme ok\n 66s restart 1s");
    assert_eq!(counts(&world), (7, 1));
}

#[test]
fn checks_that_are_asked_more_seldom_or_are_advisory_make_no_cycle() {
    let daily = Probe {
        every: std::time::Duration::from_secs(24 * 3600),
        max_stale: std::time::Duration::from_secs(72 * 3600),
        ..super::probes::named("audit", doctor())
    };
    let extra = super::probes::named("extra", advisory(gateway()));
    let world = play(
        fresh(&["acme"], &[gateway(), daily, extra]),
        "1s gateway@acme ok\n 2s gateway@acme ok",
    );
    assert_eq!(world.view().cycle, 2);
}
