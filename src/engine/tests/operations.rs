//! What an operator asks for: in force at once, answered when it shows and is durable, or when that takes too long.

use super::world::{Store, World, check, millis, seconds, tenant};
use crate::engine::{Command, Done, Input, Refused};
use crate::readiness::snapshot::Phase;
use crate::words::Finding;

const ACME: &str = "tenants: {acme: {port: 18789}}\n";

fn drain() -> Command {
    Command::Drain {
        tenant: None,
        reason: "kernel upgrade".into(),
    }
}

fn is_durable(world: &World, id: u64) -> Option<bool> {
    world.reply(id).map(|reply| reply.as_ref().unwrap().durable)
}

#[test]
fn a_drain_is_answered_once_it_shows_and_is_on_disk() {
    let mut world = World::serving(ACME);
    let id = world.command(drain());
    for _ in 0..20 {
        if world.reply(id).is_some() {
            break;
        }
        world.pass(millis(10));
    }
    assert_eq!(is_durable(&world, id), Some(true));
    assert_eq!(world.snapshot().phase, Phase::Draining, "who was answered sees it");
    assert!(world.disk.state["operations"].contains("kernel upgrade"));
    assert!(!world.snapshot().not_yet_durable);

    world.restart(seconds(1));
    world.pass(seconds(2));
    assert_eq!(world.snapshot().phase, Phase::Draining);
}

#[test]
fn while_commits_fail_it_is_in_force_at_once_and_says_that_it_would_be_lost() {
    let mut world = World::serving(ACME);
    world.store_fails();
    world.pass(seconds(1));
    let id = world.command(drain());
    world.pass(millis(100));
    assert_eq!(is_durable(&world, id), Some(false));
    assert_eq!(world.snapshot().phase, Phase::Draining);
    assert!(world.snapshot().not_yet_durable);

    world.store_recovers();
    world.pass(seconds(2));
    assert!(!world.snapshot().not_yet_durable);
    assert!(world.disk.state["operations"].contains("kernel upgrade"));
}

#[test]
fn that_it_has_become_durable_shows_at_once() {
    let mut world = World::serving(ACME);
    world.store_fails();
    world.command(drain());
    world.pass(seconds(3));
    assert!(world.snapshot().not_yet_durable);
    world.store_recovers();
    world.pass(millis(250));
    assert!(!world.snapshot().not_yet_durable);
}

#[test]
fn a_store_that_hangs_keeps_an_operator_waiting_for_two_seconds_and_not_longer() {
    let mut world = World::serving(ACME);
    world.store = Store::Hangs;
    let id = world.command(drain());
    world.pass(millis(1900));
    assert_eq!(world.snapshot().phase, Phase::Draining);
    assert_eq!(is_durable(&world, id), None);
    world.pass(millis(200));
    assert_eq!(is_durable(&world, id), Some(false));
}

#[test]
fn what_cannot_be_done_is_refused_at_once_and_changes_nothing() {
    let mut world = World::serving(ACME);
    let id = world.command(Command::Drain {
        tenant: Some(tenant("nobody")),
        reason: String::new(),
    });
    assert_eq!(world.reply(id), Some(&Err(Refused::UnknownTenant(tenant("nobody")))));
    let id = world.command(Command::Ask {
        check: Some(check("doctor@nobody")),
    });
    assert_eq!(
        world.reply(id),
        Some(&Err(Refused::UnknownCheck(check("doctor@nobody"))))
    );
    world.pass(seconds(1));
    assert_eq!(world.shows(), "ok");
}

#[test]
fn asking_by_hand_asks_at_once_and_once_more_when_it_is_in_flight() {
    let mut world = World::serving(ACME);
    world.takes("gateway@acme", seconds(2));
    let before = world.asks_of("gateway@acme");
    let ask = || Command::Ask {
        check: Some(check("gateway@acme")),
    };
    let id = world.command(ask());
    let done = Done {
        message: "asking gateway@acme".into(),
        durable: true,
    };
    assert_eq!(world.reply(id), Some(&Ok(done)));
    assert_eq!(world.asks_of("gateway@acme"), before + 1);
    world.command(ask());
    assert_eq!(world.asks_of("gateway@acme"), before + 1);
    world.pass(millis(2100));
    assert_eq!(world.asks_of("gateway@acme"), before + 2);
}

#[test]
fn a_tenant_in_maintenance_counts_nothing_until_it_expires_and_it_is_asked_all_the_while() {
    let mut world = World::serving(ACME);
    world.says("gateway@acme", Finding::down("refused"));
    world.command(Command::MaintenanceStart {
        tenant: tenant("acme"),
        duration: seconds(60),
        reason: "upgrade".into(),
        ticket: Some("OPS-1".into()),
    });
    world.pass(seconds(50));
    assert_eq!(world.shows(), "degraded | gateway@acme down (nothing)");
    assert!(world.asks_of("gateway@acme") > 3);
    world.pass(seconds(12));
    assert_eq!(world.shows(), "down | gateway@acme down");
}

#[test]
fn at_the_end_it_drains_at_once_discards_its_runs_asks_nobody_and_keeps_its_state() {
    let mut world = World::serving(ACME);
    world.takes("gateway@acme", seconds(2));
    world.command(Command::Ask {
        check: Some(check("gateway@acme")),
    });
    assert_eq!(world.in_flight.len(), 1);
    let asked = world.asked.len();
    let published = world.published.len();
    world.give(Input::Shutdown);
    assert_eq!(world.snapshot().phase, Phase::Draining);
    assert_eq!(world.published.len(), published + 1);
    assert_eq!(world.cancelled, [check("gateway@acme")]);

    let id = world.command(Command::Undrain { tenant: None });
    world.pass(seconds(30));
    assert!(world.reply(id).is_some(), "who asks meanwhile is answered");
    assert_eq!(world.asked.len(), asked);

    world.restart(seconds(1));
    world.pass(seconds(2));
    assert_eq!(world.shows(), "ok", "the next process serves");
}
