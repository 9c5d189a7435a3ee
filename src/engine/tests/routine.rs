//! What an order says of itself and brings along: whether an answer may be repeated, whose clocks are known, and what a
//! link knows of jobs.

use std::sync::Arc;
use std::time::Duration;

use super::world::{World, check, millis, seconds, tenant};
use crate::engine::{Command, Input, LinkNews};
use crate::ingest::delta::Lag;
use crate::link::duties::{Duties, Job, Jobs};
use crate::link::session::LinkFacts;
use crate::probe::declaration::Target;
use crate::words::{Cause, Finding, Instant};

const ACME: &str = "tenants: {acme: {profile: acme, port: 18789}}\n\
    probes: {doctor: {every: 5m, retry_every: 30s, stretch: 2h}, cost: {every: 30m}}\n";
const DOCTOR: &str = "doctor@acme";

/// Until the doctor is asked next; whether that is routine.
fn next(world: &mut World) -> bool {
    let asks = world.asks_of(DOCTOR);
    for _ in 0..6000 {
        world.pass(millis(100));
        if world.asks_of(DOCTOR) > asks {
            // And answered.
            world.pass(millis(100));
            return world.ordered[&check(DOCTOR)].routine;
        }
    }
    panic!("the doctor is not asked");
}

#[test]
fn asks_are_routine_once_the_first_has_been_answered_well() {
    let mut world = World::new(ACME);
    assert!(!next(&mut world), "the first");
    for _ in 0..5 {
        assert!(next(&mut world));
    }
}

#[test]
fn what_a_person_asks_is_no_routine_and_the_next_is_again() {
    let mut world = World::new(ACME);
    next(&mut world);
    world.command(Command::Ask {
        check: Some(check(DOCTOR)),
    });
    world.pass(seconds(1));
    assert!(!world.ordered[&check(DOCTOR)].routine);
    assert!(next(&mut world));
    world.command(Command::Ask { check: None });
    world.pass(seconds(1));
    assert!(!world.ordered[&check(DOCTOR)].routine);
}

#[test]
fn nothing_is_routine_while_a_run_is_open_or_the_level_is_not_ok_or_it_could_not_be_asked() {
    for worse in [
        Finding::degraded("x"),
        Finding::down("x"),
        Finding::unknown(Cause::Timeout, "x"),
    ] {
        let mut world = World::new(ACME);
        next(&mut world);
        assert!(next(&mut world));
        world.says(DOCTOR, worse.clone());
        // The one that is answered so for the first time was begun in good faith.
        assert!(next(&mut world));
        for _ in 0..4 {
            assert!(!next(&mut world), "{}", worse.answer);
        }
        world.says(DOCTOR, Finding::ok("fine"));
        let mut asks = 0;
        while !next(&mut world) {
            asks += 1;
            assert!(asks < 5, "{}", worse.answer);
        }
    }
}

#[test]
fn the_first_ask_after_a_sleep_or_another_configuration_is_no_routine() {
    let mut world = World::new(ACME);
    next(&mut world);
    assert!(next(&mut world));
    world.sleep(seconds(3600));
    assert!(!next(&mut world));
    assert!(next(&mut world));
    world.reload(&ACME.replace("stretch: 2h", "stretch: 1h"));
    world.pass(seconds(1));
    assert!(!world.ordered[&check(DOCTOR)].routine);
    assert!(next(&mut world));
}

fn facts(at: Instant, job: &str, skew_millis: i64) -> LinkFacts {
    let mut jobs = Jobs::default();
    jobs.add(Job::read(&format!(r#"{{"id":"{job}"}}"#)).into_iter().collect());
    LinkFacts {
        connected: true,
        skew_millis: Some(skew_millis),
        duties: Some(Arc::new(Duties { jobs, providers: None })),
        duties_at: Some(at),
        ..LinkFacts::default()
    }
}

fn knows(world: &mut World, facts: LinkFacts) {
    world.give(Input::Link {
        tenant: tenant("acme"),
        news: LinkNews::Facts(Box::new(facts)),
    });
    world.pass(seconds(1));
}

#[test]
fn other_jobs_are_judged_as_soon_as_the_link_knows_them() {
    let mut world = World::serving(ACME);
    let asked = world.asks_of("cost@acme");
    let at = world.now.at;
    knows(&mut world, facts(at, "a", 0));
    assert_eq!(world.asks_of("cost@acme"), asked + 1);
    knows(&mut world, facts(at + Duration::from_secs(60), "a", 5));
    assert_eq!(world.asks_of("cost@acme"), asked + 1, "the same jobs told again");
    knows(&mut world, facts(at, "b", 0));
    assert_eq!(world.asks_of("cost@acme"), asked + 2);
    let Target::Tenant(target) = &world.ordered[&check("cost@acme")].target else {
        panic!("a tenant's")
    };
    let duties = target.link.as_ref().unwrap().duties.as_ref().unwrap();
    assert_eq!(duties.jobs.list[0].id, "b");
}

fn senders(world: &mut World) -> Vec<(String, i64)> {
    world.pass(seconds(60));
    let Target::Node { senders, .. } = &world.ordered[&check("clock")].target else {
        panic!("the node's")
    };
    let told = senders
        .iter()
        .map(|sender| (sender.name.to_string(), sender.skew_millis));
    told.collect()
}

#[test]
fn the_clock_is_asked_with_whoever_has_told_theirs() {
    let mut world = World::serving(ACME);
    assert_eq!(senders(&mut world), []);
    let at = world.now.at;
    // The gateway's clock is 45 s behind: ours is ahead of it.
    knows(&mut world, facts(at, "a", -45_000));
    for lag in [40_000, 41_000, 42_000] {
        world.fails_with_lag(Lag {
            sender: "gw-1".into(),
            millis: lag,
            said: false,
        });
        world.pass(seconds(11));
    }
    let told = senders(&mut world);
    assert_eq!(told, [("gw-1".to_owned(), 41_000), ("link:acme".to_owned(), 45_000)]);

    knows(
        &mut world,
        LinkFacts {
            connected: false,
            ..facts(at, "a", -45_000)
        },
    );
    assert_eq!(
        senders(&mut world),
        [("gw-1".to_owned(), 41_000)],
        "a link that is away tells no time"
    );
    world.now.wall = world.now.wall.plus_millis(40_000);
    assert_eq!(senders(&mut world), [], "our own clock was set: what was seen is void");
}

#[test]
fn other_checks_of_the_node_are_not_burdened_with_senders() {
    let mut world = World::serving(ACME);
    let at = world.now.at;
    knows(&mut world, facts(at, "a", 0));
    world.pass(seconds(60));
    let Target::Node { senders, .. } = &world.ordered[&check("disk")].target else {
        panic!("the node's")
    };
    assert!(senders.is_empty());
}
