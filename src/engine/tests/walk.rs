//! The two walks of ARCHITECTURE.md, arrow by arrow, and how often what comes of them is published.

use super::world::{World, check, failures, millis, seconds};
use crate::words::{Cause, Finding, Level};

const ACME: &str = "tenants: {acme: {port: 18789}}\nprobes: {doctor: {every: 5m, retry_every: 30s}}\n";

#[test]
fn a_check_is_due_is_run_answers_is_debounced_and_shows_at_once() {
    let mut world = World::serving(ACME);
    assert_eq!(world.shows(), "ok");

    world.says("gateway@acme", Finding::down("refused"));
    let asked = world.asks_of("gateway@acme");
    world.pass(seconds(11));
    assert!(world.asks_of("gateway@acme") > asked, "it was due");

    // Native ones that have opened a run are asked again after two seconds, and the second `down` counts.
    world.pass(seconds(3));
    assert_eq!(world.shows(), "down | gateway@acme down");
    assert_eq!(world.snapshot().reasons[0].text, "acme gateway: refused");
    let mut told = world.disk.transitions.iter().filter(|line| line.contains("gateway"));
    assert_eq!(told.next_back().unwrap(), r#"Some(ProbeName("gateway")) ok -> down"#);
}

#[test]
fn a_change_is_published_within_a_tenth_of_a_second() {
    let mut world = World::serving(ACME);
    world.says("gateway@acme", Finding::down("draining").at_once());
    for _ in 0..2_000 {
        world.pass(millis(10));
        if world.level("gateway@acme") == Level::Down {
            break;
        }
    }
    let view = world
        .snapshot()
        .checks
        .iter()
        .find(|view| view.id == check("gateway@acme"));
    let heard = view.unwrap().checked_instant.unwrap();
    let shown = *world.published.last().unwrap();
    assert!(shown.since(heard) <= millis(100), "{:?}", shown.since(heard));
}

#[test]
fn a_failed_webhook_is_a_reason_within_a_second_and_its_log_entry_is_folded_within_ten() {
    let mut world = World::serving(ACME);
    world.fails("acme", "crm", 500);
    world.pass(millis(1200));
    assert_eq!(world.shows(), "degraded | webhook-digest@acme degraded");
    assert_eq!(
        world.snapshot().reasons[0].text,
        "acme webhook-digest: crm ×500 in 5 min (budget 10)"
    );
    assert_eq!(failures(world.snapshot()), 500);
    assert_eq!(world.disk.log.len(), 1, "what was counted is in the log");

    world.pass(seconds(11));
    assert_eq!(world.disk.log.len(), 0, "or folded, and never in both");
    assert!(!world.disk.slots.is_empty() && !world.disk.windows.is_empty());

    world.pass(seconds(310));
    assert_eq!(world.shows(), "ok", "five minutes later it is history");
}

#[test]
fn nothing_new_is_published_once_a_second_and_a_storm_of_changes_ten_times() {
    let mut world = World::serving(ACME);
    let from = world.published.len();
    world.pass(seconds(20));
    assert_eq!(world.published.len() - from, 20);

    let from = world.published.len();
    for round in 0..500 {
        let bad = round % 2 == 0;
        let finding = if bad {
            Finding::down("flips").at_once()
        } else {
            Finding::ok("flips")
        };
        world.says("gateway@acme", finding);
        world.command(crate::engine::Command::Ask {
            check: Some(check("gateway@acme")),
        });
        world.command(crate::engine::Command::Drain {
            tenant: Some(super::world::tenant("acme")),
            reason: format!("round {round}"),
        });
        world.pass(millis(20));
    }
    let gaps = world.published[from..].windows(2).map(|pair| pair[1].since(pair[0]));
    let closest = gaps.min().unwrap();
    assert!(closest >= millis(100), "{closest:?}");
    assert!(world.published.len() - from > 50, "and what changes is not held back");
}

#[test]
fn nobody_listens_before_every_native_check_has_answered_and_that_is_published() {
    let mut world = World::new(ACME);
    world
        .takes("gateway@acme", millis(900))
        .takes("doctor@acme", seconds(20));
    world.pass(millis(850));
    assert!(world.engine.is_in_first_round());
    world.pass(millis(250));
    assert!(!world.engine.is_in_first_round(), "an exec check is not waited for");
    assert_eq!(world.level("gateway@acme"), Level::Ok);
    assert!(!world.engine.has_answered_all());
    world.pass(seconds(25));
    assert!(world.engine.has_answered_all());
}

#[test]
fn the_answer_that_completes_the_first_round_is_published_at_once_and_the_pause_holds_from_then_on() {
    let mut world = World::new(ACME);
    world
        .says("gateway@acme", Finding::down("refused").at_once())
        .takes("gateway@acme", millis(37))
        .takes("doctor@acme", millis(38));
    let began = world.now.at;
    world.pass(millis(36));
    assert!(world.engine.is_in_first_round(), "the others have answered long ago");
    world.pass(millis(1));
    assert!(!world.engine.is_in_first_round());
    assert_eq!(world.level("gateway@acme"), Level::Down);
    assert_eq!(*world.published.last().unwrap(), began + millis(37));

    // The next change is not the first answer any more.
    world.pass(millis(200));
    let completed = world.published.iter().position(|at| *at == began + millis(37)).unwrap();
    let gaps = world.published[completed..]
        .windows(2)
        .map(|pair| pair[1].since(pair[0]));
    assert_eq!(gaps.min(), Some(millis(100)));
}

#[test]
fn an_outage_that_ends_long_ignorance_shows_after_one_retry() {
    let mut world = World::serving(ACME);
    let ignorant = Finding::unknown(Cause::Spawn, "no such file");
    world.says("doctor@acme", ignorant);
    world.pass(seconds(3600));
    assert_eq!(world.level("doctor@acme"), Level::Unknown);

    world.says("doctor@acme", Finding::down("agent database refused"));
    let asks = world.asks_of("doctor@acme");
    while world.asks_of("doctor@acme") == asks {
        world.pass(seconds(1));
    }
    world.pass(seconds(32));
    assert_eq!(world.level("doctor@acme"), Level::Down);
}
