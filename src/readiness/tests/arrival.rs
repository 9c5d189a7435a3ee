//! From finding to level: the first, runs, `unknown`, immediate evidence, flapping.

use expect_test::expect;

use super::probes::{digest_probe, gateway};
use super::timeline::{World, check, gateway_node, name, node, play};
use crate::probe::declaration::Probe;
use crate::probe::schedule::Again;

#[test]
fn the_first_finding_ever_counts_at_once() {
    check(
        gateway_node(),
        "1s gateway@acme down",
        expect![[r#"
            1s     degraded | acme degraded | gateway@acme pending (degraded)
            1s     down | acme down | gateway@acme down
        "#]],
    );
    check(
        gateway_node(),
        "1s gateway@acme ok",
        expect![[r#"
            1s     degraded | acme degraded | gateway@acme pending (degraded)
            1s     ok | acme ok | gateway@acme ok
        "#]],
    );
}

#[test]
fn one_worse_finding_is_a_hiccup_and_two_are_an_outage() {
    check(
        gateway_node(),
        "1s gateway@acme ok
         10s gateway@acme down
         12s gateway@acme ok
         20s gateway@acme down
         22s gateway@acme down",
        expect![[r#"
            1s     degraded | acme degraded | gateway@acme pending (degraded)
            1s     ok | acme ok | gateway@acme ok
            22s    down | acme down | gateway@acme down
        "#]],
    );
}

#[test]
fn after_fall_worse_findings_the_level_becomes_the_mildest_of_them() {
    check(
        gateway_node(),
        "1s gateway@acme ok
         10s gateway@acme down
         12s gateway@acme degraded",
        expect![[r#"
            1s     degraded | acme degraded | gateway@acme pending (degraded)
            1s     ok | acme ok | gateway@acme ok
            12s    degraded | acme degraded | gateway@acme degraded
        "#]],
    );
}

#[test]
fn after_rise_better_findings_the_level_becomes_the_worst_of_them() {
    check(
        gateway_node(),
        "1s gateway@acme down
         10s gateway@acme ok
         12s gateway@acme degraded",
        expect![[r#"
            1s     degraded | acme degraded | gateway@acme pending (degraded)
            1s     down | acme down | gateway@acme down
            12s    degraded | acme degraded | gateway@acme degraded
        "#]],
    );
}

#[test]
fn what_lies_beyond_the_new_level_is_a_run_of_it_so_that_fall_downs_in_a_row_are_always_down() {
    check(
        gateway_node(),
        "1s gateway@acme ok
         10s gateway@acme degraded
         12s gateway@acme down
         14s gateway@acme down",
        expect![[r#"
            1s     degraded | acme degraded | gateway@acme pending (degraded)
            1s     ok | acme ok | gateway@acme ok
            12s    degraded | acme degraded | gateway@acme degraded
            14s    down | acme down | gateway@acme down
        "#]],
    );
}

#[test]
fn a_finding_equal_to_the_level_ends_the_run() {
    check(
        gateway_node(),
        "1s gateway@acme degraded
         10s gateway@acme down
         12s gateway@acme degraded
         14s gateway@acme down
         16s gateway@acme down",
        expect![[r#"
            1s     degraded | acme degraded | gateway@acme pending (degraded)
            1s     degraded | acme degraded | gateway@acme degraded
            16s    down | acme down | gateway@acme down
        "#]],
    );
}

#[test]
fn a_finding_on_the_other_side_of_the_level_begins_a_run_of_its_own() {
    check(
        gateway_node(),
        "1s gateway@acme degraded
         10s gateway@acme down
         12s gateway@acme ok
         14s gateway@acme down
         16s gateway@acme ok
         18s gateway@acme ok",
        expect![[r#"
            1s     degraded | acme degraded | gateway@acme pending (degraded)
            1s     degraded | acme degraded | gateway@acme degraded
            18s    ok | acme ok | gateway@acme ok
        "#]],
    );
}

#[test]
fn unknown_shows_at_once_and_neither_advances_nor_ends_a_run() {
    check(
        gateway_node(),
        "1s gateway@acme ok
         10s gateway@acme down
         12s gateway@acme unknown
         14s gateway@acme unknown
         16s gateway@acme down",
        expect![[r#"
            1s     degraded | acme degraded | gateway@acme pending (degraded)
            1s     ok | acme ok | gateway@acme ok
            12s    degraded | acme degraded | gateway@acme unknown (degraded)
            16s    down | acme down | gateway@acme down
        "#]],
    );
}

#[test]
fn the_next_answer_after_unknown_shows_the_remembered_level_again() {
    check(
        gateway_node(),
        "1s gateway@acme down
         10s gateway@acme unknown
         12s gateway@acme ok
         14s gateway@acme ok",
        expect![[r#"
            1s     degraded | acme degraded | gateway@acme pending (degraded)
            1s     down | acme down | gateway@acme down
            10s    down | acme down | gateway@acme unknown (down)
            12s    down | acme down | gateway@acme down
            14s    ok | acme ok | gateway@acme ok
        "#]],
    );
}

#[test]
fn immediate_evidence_counts_at_once_and_recovers_with_patience() {
    check(
        gateway_node(),
        "1s gateway@acme ok
         10s gateway@acme down! wedged
         12s gateway@acme ok!
         14s gateway@acme ok!",
        expect![[r#"
            1s     degraded | acme degraded | gateway@acme pending (degraded)
            1s     ok | acme ok | gateway@acme ok
            10s    down | acme down | gateway@acme down
            14s    ok | acme ok | gateway@acme ok
        "#]],
    );
}

#[test]
fn the_webhook_digest_falls_and_rises_at_once_and_degrades_at_most() {
    check(
        node(&["acme"], &[digest_probe()]),
        "1s webhook-digest@acme ok
         2s webhook-digest@acme down crm
         3s webhook-digest@acme ok",
        expect![[r#"
            1s     degraded | acme degraded | webhook-digest@acme pending (degraded)
            1s     ok | acme ok | webhook-digest@acme ok
            2s     degraded | acme degraded | webhook-digest@acme down (degraded)
            3s     ok | acme ok | webhook-digest@acme ok
        "#]],
    );
}

#[test]
fn while_a_run_is_open_or_it_could_not_be_asked_it_is_asked_again_soon() {
    let world = play(
        gateway_node(),
        "1s gateway@acme ok
         10s gateway@acme down
         12s gateway@acme unknown
         14s gateway@acme down
         24s gateway@acme down
         34s gateway@acme ok
         36s gateway@acme ok",
    );
    let asks = world.noted.iter().map(|noted| noted.again).collect::<Vec<_>>();
    let (settled, opened) = (Again::No, Again::RunOpen { heard: 1 });
    assert_eq!(
        asks,
        [settled, opened, Again::Unknown, settled, settled, opened, settled]
    );
}

#[test]
fn a_change_is_said_so_and_is_among_the_transitions() {
    let world = play(
        gateway_node(),
        "1s gateway@acme ok
         10s gateway@acme ok
         20s gateway@acme down refused
         22s gateway@acme down refused",
    );
    let changed = world.noted.iter().map(|noted| noted.changed).collect::<Vec<_>>();
    assert_eq!(changed, [true, false, false, true]);
    let transition = |noted: usize| world.noted[noted].transition.clone().unwrap();
    assert!(world.transitions.contains(&transition(0)));
    assert!(world.transitions.contains(&transition(3)));
    let told = world.transitions.iter().map(|change| {
        let probe = change.probe.as_ref().map_or("", |probe| probe.as_str());
        let tenant = change.tenant.as_ref().map_or("node", |tenant| tenant.as_str());
        format!("{tenant} {probe}: {} to {}: {}", change.from, change.to, change.summary)
            .trim_end_matches(": ")
            .to_owned()
    });
    expect![[r#"
        acme gateway: pending to ok: ok
        acme : degraded to ok
        node : degraded to ok
        acme gateway: ok to down: refused
        acme : ok to down: gateway: refused
        node : ok to down: acme gateway: refused"#]]
    .assert_eq(&told.collect::<Vec<_>>().join("\n"));
}

#[test]
fn a_check_that_changes_six_times_in_a_row_flaps_and_takes_one_more_to_rise() {
    // Icinga: 1.18 + 1.16 + … + 1.08 = 6.78 of 20 is 33.9 %; five changes are 28.5 %.
    check(
        gateway_node(),
        "1s gateway@acme ok
         2s gateway@acme down!
         3s gateway@acme ok
         4s gateway@acme down
         5s gateway@acme ok
         6s gateway@acme down
         7s gateway@acme ok
         8s gateway@acme ok
         9s gateway@acme ok",
        expect![[r#"
            1s     degraded | acme degraded | gateway@acme pending (degraded)
            1s     ok | acme ok | gateway@acme ok
            2s     down | acme down | gateway@acme down
            7s     down | acme down | gateway@acme down~
            9s     ok | acme ok | gateway@acme ok~
        "#]],
    );
}

#[test]
fn flapping_ends_when_the_weighted_changes_are_a_quarter() {
    // Six changes; with every quiet finding each of them loses 0.02: 6.78 - n × 0.12 <= 5 after 15.
    let mut script = String::new();
    for second in 1..=7 {
        let answer = if second % 2 == 1 { "ok" } else { "degraded" };
        script += &format!("{second}s gateway@acme {answer}\n");
    }
    let mut world = play(gateway_node(), &script);
    assert!(world.view().checks[0].flapping);
    for quiet in 1..=15 {
        assert!(world.view().checks[0].flapping, "after {} quiet findings", quiet - 1);
        world.play(&format!("{}s gateway@acme ok", 7 + quiet));
    }
    assert!(!world.view().checks[0].flapping);
}

#[test]
fn unknown_is_no_flapping() {
    let mut world = World::new(gateway_node());
    for second in 1..=30 {
        let answer = if second % 2 == 1 { "ok" } else { "unknown" };
        world.play(&format!("{second}s gateway@acme {answer}"));
        assert!(!world.view().checks[0].flapping);
    }
}

#[test]
fn a_shorter_patience_after_a_reload_moves_the_level_with_the_next_finding() {
    let patient = Probe { fall: 5, ..gateway() };
    let mut world = play(
        node(&["acme"], &[patient]),
        "1s gateway@acme ok
         2s gateway@acme down
         3s gateway@acme down
         4s gateway@acme down",
    );
    let hasty = super::timeline::settings(&["acme"], &gateway_node());
    world.readiness.configure(world.now, hasty);
    assert_eq!(world.view().tenants[&name("acme")].verdict.as_str(), "ok");
    world.play("5s gateway@acme down");
    assert_eq!(world.view().tenants[&name("acme")].verdict.as_str(), "down");
}

#[test]
fn findings_of_checks_that_are_not_configured_change_nothing() {
    let world = play(gateway_node(), "1s gateway@beta down");
    assert!(!world.noted[0].changed && world.noted[0].again == Again::No);
    assert_eq!(world.view().checks.len(), 1);
}

#[test]
fn a_change_to_the_worse_says_when_it_was_last_better_and_first_as_bad_and_every_change_since_when_it_was_otherwise() {
    let world = play(
        gateway_node(),
        "1s gateway@acme ok
         10s gateway@acme ok
         20s gateway@acme degraded
         22s gateway@acme down
         24s gateway@acme down
         30s gateway@acme ok
         32s gateway@acme ok",
    );
    let began = world.transitions[0].at;
    let second = |at: crate::words::Wall| at.millis_since(began).div_euclid(1000) + 1;
    let shown = |at: Option<crate::words::Wall>| at.map_or("-".to_owned(), |at| second(at).max(-1).to_string());
    let told = world.transitions.iter().map(|change| {
        let probe = change.probe.as_ref().map_or("", |probe| probe.as_str());
        let tenant = change.tenant.as_ref().map_or("node", |tenant| tenant.as_str());
        format!(
            "{tenant} {probe}: {} since {} to {} at {}: good {}, bad {}",
            change.from,
            shown(change.since),
            change.to,
            second(change.at),
            shown(change.last_good_at),
            shown(change.first_bad_at)
        )
    });
    expect![[r#"
        acme gateway: pending since 0 to ok at 1: good -, bad -
        acme : degraded since -1 to ok at 1: good -, bad -
        node : degraded since 0 to ok at 1: good -, bad -
        acme gateway: ok since 1 to degraded at 22: good 10, bad 20
        acme : ok since 1 to degraded at 22: good 10, bad 20
        node : ok since 1 to degraded at 22: good 10, bad 20
        acme gateway: degraded since 22 to down at 24: good 20, bad 22
        acme : degraded since 22 to down at 24: good 20, bad 22
        node : degraded since 22 to down at 24: good 20, bad 22
        acme gateway: down since 24 to ok at 32: good -, bad -
        acme : down since 24 to ok at 32: good -, bad -
        node : down since 24 to ok at 32: good -, bad -"#]]
    .assert_eq(&told.collect::<Vec<_>>().join("\n"));
}
