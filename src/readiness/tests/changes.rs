//! The last change of the verdict: what is one, and the findings that made it.

use expect_test::{Expect, expect};

use super::probes::{disk, doctor, gateway};
use super::timeline::{Node, fresh, node, play, settings};

fn check(node: Node, script: &str, expected: Expect) {
    told(&play(node, script), expected);
}

fn told(world: &super::timeline::World, expected: Expect) {
    let change = world.view().last_change.expect("the verdict has changed");
    let mut lines = vec![format!("{} to {}", change.from, change.to)];
    lines.extend(change.reasons.iter().map(|reason| format!("- {reason}")));
    lines.extend(change.better.iter().map(|better| format!("+ {better}")));
    expected.assert_eq(&lines.join("\n"));
}

fn two() -> Node {
    node(&["acme"], &[gateway(), doctor()])
}

#[test]
fn what_becomes_worse_is_told_by_what_is_wrong_now() {
    check(
        two(),
        "1s gateway@acme ok\n 2s doctor@acme ok\n 3s gateway@acme down! refused",
        expect![[r#"
            ok to down
            - acme gateway: refused"#]],
    );
}

#[test]
fn what_becomes_better_is_told_by_the_findings_that_made_it_better() {
    check(
        two(),
        "1s gateway@acme ok
         2s doctor@acme degraded cadence
         3s gateway@acme down! refused
         4s gateway@acme ok ready
         6s gateway@acme ok ready",
        expect![[r#"
            down to degraded
            - acme doctor: cadence
            + acme gateway: ready (was down)"#]],
    );
}

#[test]
fn the_last_of_several_that_recover_is_the_one_that_made_it() {
    check(
        two(),
        "1s gateway@acme down refused
         2s doctor@acme down database
         3s gateway@acme ok ready
         4s gateway@acme ok ready
         5s doctor@acme ok well
         6s doctor@acme ok well",
        expect![[r#"
            down to ok
            + acme doctor: well (was down)"#]],
    );
}

#[test]
fn maintenance_makes_it_better_without_a_finding_and_says_so() {
    check(
        node(&["acme", "beta"], &[gateway()]),
        "1s gateway@acme down refused
         2s gateway@beta ok
         3s maintenance acme 2h",
        expect![[r#"
            down to ok
            - acme is in maintenance by uid 501 (ann) until 2026-11-20T10:30:03Z: upgrade
            + acme gateway: in maintenance by uid 501 (ann) until 2026-11-20T10:30:03Z: upgrade (was down)"#]],
    );
}

#[test]
fn a_check_that_is_asked_no_longer_makes_it_better_and_says_so() {
    let mut world = play(
        node(&["acme"], &[gateway(), disk()]),
        "1s gateway@acme ok\n 2s disk down full",
    );
    world
        .readiness
        .configure(world.now, settings(&["acme"], &node(&["acme"], &[gateway()])));
    told(
        &world,
        expect![[r#"
            down to ok
            + disk: no longer asked (was down)"#]],
    );
}

#[test]
fn a_phase_that_ends_or_a_drain_is_no_change_of_the_verdict() {
    let mut world = play(
        fresh(&["acme"], &[gateway()]),
        "1s gateway@acme degraded\n 2s drain\n 3s undrain",
    );
    assert_eq!(world.view().last_change, None, "it was degraded all the while");
    world.play("4s gateway@acme ok\n 5s gateway@acme ok well\n 6s drain");
    told(
        &world,
        expect![[r#"
            degraded to ok
            + acme gateway: well (was degraded)"#]],
    );
}
