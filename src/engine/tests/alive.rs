//! When nobody watched: what history is told of deaths, naps and stepped clocks.

use super::world::{World, millis, seconds};
use crate::history::Why;
use crate::words::Finding;

const ACME: &str = "tenants: {acme: {port: 18789}}\n";

/// Why, from and until, in milliseconds of the wall clock since `began`.
fn told(world: &World, began: i64) -> Vec<(Why, i64, i64)> {
    let dark = world.disk.unwatched.iter();
    dark.map(|dark| (dark.why, dark.from.as_millis() - began, dark.until.as_millis() - began))
        .collect()
}

#[test]
fn who_lives_on_is_watched() {
    let mut world = World::serving(ACME);
    world.pass(seconds(60));
    // As long as a busy host may keep us waiting.
    world.sleep(seconds(9));
    world.pass(seconds(10));
    // NTP slews.
    world.now.wall = world.now.wall.plus_millis(-900);
    world.pass(seconds(10));
    assert_eq!(told(&world, 0), []);
}

#[test]
fn a_process_that_dies_is_not_taken_to_have_lived_longer_than_the_store_says() {
    let mut world = World::serving(ACME);
    world.pass(seconds(60));
    let died = world.now.wall.as_millis();
    world.restart(seconds(100));
    world.pass(seconds(1));
    let dark = told(&world, died);
    let [(Why::Stopped, from, until)] = dark[..] else {
        panic!("{dark:?}");
    };
    assert!((-10_000..=0).contains(&from) && until == 100_000, "{dark:?}");
}

#[test]
fn what_changed_just_before_the_end_was_watched() {
    let mut world = World::serving(ACME);
    world.pass(seconds(24));
    world.says("gateway@acme", Finding::down("refused").at_once());
    while !world.disk.transitions.iter().any(|line| line.contains("ok -> down")) {
        world.pass(millis(50));
    }
    let died = world.now.wall.as_millis();
    world.restart(seconds(5));
    world.pass(seconds(1));
    let (_, from, _) = told(&world, died)[0];
    assert!((-60..=0).contains(&from), "{from}");
}

#[test]
fn a_night_and_a_stepped_clock_are_times_that_nobody_watched() {
    let mut world = World::serving(ACME);
    let began = world.now.wall.as_millis();
    world.sleep(seconds(3600));
    world.pass(seconds(5));
    world.now.wall = world.now.wall.plus_millis(-600_000);
    world.pass(seconds(5));
    world.now.wall = world.now.wall.plus_millis(60_000);
    world.pass(seconds(5));
    let dark = told(&world, began);
    let near = |is: i64, wanted: i64| (is - wanted).abs() <= 1000;
    let [(Why::Asleep, a, b), (Why::Clock, c, d), (Why::Clock, e, f)] = dark[..] else {
        panic!("{dark:?}");
    };
    assert!(near(a, 0) && near(b, 3_600_000), "{dark:?}");
    assert!(near(c, 3_605_000) && near(d, 3_005_000), "{dark:?}");
    assert!(near(e, 3_010_000) && near(f, 3_070_000), "{dark:?}");
}

#[test]
fn a_death_during_which_the_clock_was_set_back_says_so() {
    let mut world = World::serving(ACME);
    world.pass(seconds(30));
    world.now.wall = world.now.wall.plus_millis(-7_200_000);
    let died = world.now.wall.as_millis();
    world.restart(seconds(60));
    world.pass(seconds(1));
    let dark = told(&world, died);
    assert!(
        matches!(dark[..], [(Why::Stopped, from, 60_000)] if from > 7_000_000),
        "{dark:?}"
    );
}
