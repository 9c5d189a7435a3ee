//! A restart at any point equals no restart.

use super::*;
use crate::dice::Dice;

const TENANTS: [&str; 4] = ["acme", "beta", "s1", "s2"];

fn random_events(dice: &mut Dice) -> Vec<Event> {
    let one = |dice: &mut Dice| {
        let tenant = TENANTS[dice.index(4)];
        let endpoint = format!("e{}", dice.index(6));
        let status = [200, 302, 404, 500, 503][dice.index(5)];
        let mut event = fails(tenant, &endpoint, status, 1 + dice.index(9) as u64)
            .aged([0, 0, 0, 2, 40, 290, 310, 600][dice.index(8)])
            .via(&format!("gw-{}", dice.index(4)))
            .attempt(dice.index(5) as u32);
        if dice.index(3) == 0 {
            event = event.error(&format!("error {}", dice.index(100)));
        }
        if dice.index(5) == 0 { event.timed_out() } else { event }
    };
    (0..1 + dice.index(4)).map(|_| one(dice)).collect()
}

/// What a user can see: sliding rows, all windows with their heads, findings.
fn seen(t: &mut Timeline) -> String {
    let sliding = format!("{:#?}", t.view().sliding.rows);
    let delivered = format!("{:?}", t.view().sliding.delivered);
    let mut windows = String::new();
    for n in -3..14 {
        let start = START + n * 300;
        let Some(window) = t.aligned(start) else { continue };
        let _ = writeln!(windows, "{:?} {:?} {:?}", window.head, window.rows, window.delivered);
    }
    format!(
        "{sliding}\n{delivered}\n{windows}\n{}\n{}",
        t.judge("acme"),
        t.judge("beta")
    )
}

#[test]
fn killed_at_random_points_the_digest_is_what_it_would_have_been() {
    for seed in 0..30 {
        let mut dice = Dice::new(seed);
        let mut steady = Timeline::new();
        let mut killed = steady.clone();
        for step in 0..120 {
            let events = random_events(&mut dice);
            let seconds = [0, 0, 1, 3, 9, 30][dice.index(6)];
            steady.arrive(&events);
            killed.arrive(&events);
            steady.pass(seconds);
            killed.pass(seconds);
            if dice.index(4) == 0 {
                killed.restart();
            }
            if step % 10 == 9 {
                assert_eq!(seen(&mut killed), seen(&mut steady), "seed {seed}, step {step}");
            }
        }
        steady.pass(1000);
        killed.pass(1000);
        assert_eq!(seen(&mut killed), seen(&mut steady), "seed {seed}, at rest");
        assert!(
            killed.disk.log.is_empty(),
            "every entry of the log is contained in a fold"
        );
    }
}

#[test]
fn what_a_failed_write_left_behind_is_counted_once_from_the_log() {
    let mut t = Timeline::new();
    t.arrive(&[fails("acme", "crm", 503, 60)]);
    let before = t.disk.clone();
    t.pass(20);
    t.disk = Disk {
        last_id: t.disk.last_id,
        alive_until: t.disk.alive_until,
        ..before
    };
    t.restart();
    assert_eq!(t.sliding(), "acme crm 5xx 60");
    assert_eq!(t.window(START), "open r0: acme crm 5xx 60");
    t.pass(20);
    t.restart();
    assert_eq!(t.sliding(), "acme crm 5xx 60");
    assert_eq!(t.window(START), "open r0: acme crm 5xx 60");
}

#[test]
fn a_node_that_is_new_welcomes_what_gateways_kept_for_it() {
    let mut t = Timeline::new();
    t.disk = Disk::default();
    t.restart();
    t.pass(1);
    t.arrive(&[fails("acme", "crm", 503, 9).aged(48 * 3600)]);
    t.arrive(&[fails("acme", "crm", 503, 1).aged(73 * 3600)]);
    t.pass(20);
    assert_eq!(t.window(START - 48 * 3600), "final r1: acme crm 5xx 9");
    assert_eq!(t.view().sliding.dropped.late, 1);
}

#[test]
fn what_counted_before_a_better_way_was_heard_of_counts_after_a_kill_in_the_same_slot() {
    let mut t = Timeline::new();
    t.arrive(&[fails("acme", "crm", 503, 15).told_by(Via::Log)]);
    t.arrive(&[fails("acme", "crm", 503, 29).told_by(Via::Socket)]);
    t.arrive(&[fails("acme", "crm", 503, 7).told_by(Via::Log)]);
    let before = t.sliding();
    assert!(before.contains("44"), "{before}");
    // Killed before the next checkpoint: all of it is in the log.
    t.disk.state = t.digest.state(t.now);
    t.restart();
    assert_eq!(t.sliding(), before);
}

#[test]
fn a_checkpoint_is_due_once_a_slot_and_only_when_something_changed() {
    let mut t = Timeline::new();
    t.pass(60);
    assert!(t.digest.checkpoint(t.now).is_none());
    t.arrive(&[fails("acme", "crm", 503, 1)]);
    let fold = t.digest.checkpoint(t.now).unwrap();
    assert_eq!(
        (fold.upto, fold.slots.len(), fold.windows.len()),
        (t.disk.last_id, 1, 1)
    );
    assert_eq!(fold.slots[0].0 % 10, 0);
    t.disk.write(fold);
    t.arrive(&[fails("acme", "crm", 503, 1)]);
    assert!(t.digest.checkpoint(t.now).is_none());
    t.sleep(10);
    assert_eq!(t.digest.checkpoint(t.now).unwrap().upto, t.disk.last_id);
}

#[test]
fn even_what_was_only_late_lets_the_log_shrink() {
    let mut t = Timeline::new();
    t.arrive(&[fails("acme", "crm", 503, 1).aged(3000)]);
    assert_eq!(t.view().sliding.dropped.late, 1);
    t.pass(20);
    assert!(t.disk.log.is_empty());
}

#[test]
fn the_state_is_said_when_it_changed_and_only_then() {
    let mut t = Timeline::new();
    assert_eq!(t.digest.state(t.now), None);
    t.arrive(&[fails("acme", "crm", 503, 1)]);
    assert!(
        t.digest.state(t.now).is_some_and(|state| state.contains("socket")),
        "a way of reporting is new"
    );
    t.arrive(&[fails("acme", "crm", 503, 1)]);
    assert_eq!(t.digest.state(t.now), None);
    t.connect("gw-1");
    assert!(t.digest.state(t.now).is_some_and(|state| state.contains("gw-1")));
    assert_eq!(t.digest.state(t.now), None);
}
