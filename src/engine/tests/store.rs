//! A store that fails, hangs, or begins anew: what shows, what is kept, and that it heals by itself.

use super::world::{Store, World, begin, failures, seconds, shows};
use crate::engine::{Command, Input, Output};
use crate::store::StoreEvent;
use crate::words::Finding;

const ACME: &str = "tenants: {acme: {port: 18789}}\ndigest: {stale_after: 20s}\n";

#[test]
fn while_commits_fail_the_verdict_says_so_the_digest_grows_old_and_both_heal_by_themselves() {
    let mut world = World::serving(ACME);
    world.store_fails();
    world.pass(seconds(2));
    assert_eq!(world.shows(), "degraded | store degraded");
    assert_eq!(world.snapshot().reasons[0].text, "store: commits fail: disk full");

    world.pass(seconds(28));
    let age = world.snapshot().made.at.since(world.snapshot().digest.rolled_at);
    assert!(age > seconds(28), "{age:?}");
    assert_eq!(world.shows(), "degraded | store degraded | webhook-digest degraded");

    world.store_recovers();
    world.pass(seconds(4));
    assert_eq!(world.shows(), "ok");
    let age = world.snapshot().made.at.since(world.snapshot().digest.rolled_at);
    assert!(age < seconds(2), "{age:?}");
}

#[test]
fn a_store_that_hangs_is_noticed_without_its_saying_so() {
    let mut world = World::serving(ACME);
    world.store = Store::Hangs;
    world.pass(seconds(30));
    assert!(world.shows().contains("store degraded"), "{}", world.shows());
    assert!(world.shows().contains("webhook-digest degraded"), "{}", world.shows());
    world.store = Store::Commits;
    world.pass(seconds(5));
    assert_eq!(world.shows(), "ok");
}

#[test]
fn the_state_that_was_found_while_commits_failed_is_on_disk_once_they_succeed() {
    let mut world = World::serving(ACME);
    world.store_fails();
    world.says("gateway@acme", Finding::down("refused"));
    world.pass(seconds(40));
    world.store_recovers();
    world.pass(seconds(1));
    world.restart(seconds(1));
    world.says("gateway@acme", Finding::ok("back"));
    // The store was degraded a moment before: that heals by its own answers, one a second.
    world.pass(seconds(2));
    assert_eq!(
        world.shows(),
        "down | gateway@acme down",
        "one `ok` does not heal what was known"
    );
}

#[test]
fn a_store_that_begins_anew_is_given_everything_again_at_once() {
    let mut world = World::serving(ACME);
    world.fails("acme", "crm", 500);
    world.says("gateway@acme", Finding::down("refused"));
    world.command(Command::Drain {
        tenant: None,
        reason: "kernel upgrade".into(),
    });
    world.pass(seconds(25));
    let shown = world.shows();
    assert_eq!(
        shown,
        "draining down | gateway@acme down | webhook-digest@acme degraded"
    );

    // Something is on its way when the file turns out to be corrupt: it is committed to the new one.
    world.fails("acme", "crm", 1);
    world.disk.begin_anew();
    let path = "/state/readyd.sqlite.corrupt-1".into();
    world.give(Input::Store(StoreEvent::Quarantined { path }));
    world.give(Input::Store(StoreEvent::BegunAnew));
    world.pass(seconds(2));
    assert_eq!(
        world.shows(),
        "draining down | gateway@acme down | store degraded | webhook-digest@acme degraded"
    );

    let mut next = begin(&world.config, world.boot, &world.disk, world.now);
    let published = next
        .handle(world.now, Input::Tick)
        .into_iter()
        .find_map(|output| match output {
            Output::Publish { snapshot, .. } => Some(snapshot),
            _ => None,
        });
    let restored = published.unwrap();
    assert_eq!(
        shows(&restored),
        world.shows(),
        "a kill two seconds later loses nothing"
    );
    assert_eq!(failures(&restored), failures(world.snapshot()));

    world.give(Input::Store(StoreEvent::QuarantineCleared));
    world.pass(seconds(3));
    assert_eq!(world.shows(), shown);
}
