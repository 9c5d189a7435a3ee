use std::time::Duration;

use super::*;
use crate::words::Instant;

const START: Now = Now {
    at: Instant::from_millis(5_010_000),
    wall: Wall::from_millis(1_795_163_644_000),
};

fn after(seconds: u64) -> Now {
    START + Duration::from_secs(seconds)
}

/// One sender; each call is an event that says it happened `behind` seconds before it arrives, and the
/// answer is how many seconds before its arrival it is taken to have happened.
struct Sender(Skew);

impl Sender {
    fn unknown() -> Sender {
        Sender(Skew::new(None))
    }

    fn event(&mut self, at_seconds: u64, behind_seconds: i64) -> i64 {
        let now = after(at_seconds);
        let own = self.0.own_time(Some(now.wall.plus_millis(-behind_seconds * 1000)), now);
        now.wall.millis_since(own) / 1000
    }

    fn steady(&mut self, seconds: std::ops::Range<u64>, behind_seconds: i64) {
        for second in seconds.step_by(10) {
            self.event(second, behind_seconds);
        }
    }
}

#[test]
fn an_event_without_a_time_happens_when_it_arrives() {
    assert_eq!(Skew::new(Some(99_000)).own_time(None, START), START.wall);
    assert_eq!(Skew::new(None).own_time(None, START), START.wall);
}

#[test]
fn what_the_sender_said_of_its_clock_is_trusted_at_once() {
    let mut behind = Sender(Skew::new(Some(3_600_000)));
    assert_eq!(behind.event(0, 3600), 0);
    assert_eq!(behind.event(1, 3605), 5);
    let mut ahead = Sender(Skew::new(Some(-3_600_000)));
    assert_eq!(ahead.event(0, -3590), 10);
}

#[test]
fn more_than_thirty_seconds_ahead_is_taken_as_arrival() {
    for said in [None, Some(0)] {
        assert_eq!(Sender(Skew::new(said)).event(0, -31), 0, "{said:?}");
    }
    assert_eq!(Sender(Skew::new(Some(0))).event(0, -30), -30);
    assert_eq!(Sender(Skew::new(Some(3_600_000))).event(0, 0), 0);
}

#[test]
fn an_unknown_skew_is_none() {
    let mut sender = Sender::unknown();
    assert_eq!(sender.event(0, 0), 0);
    assert_eq!(sender.event(1, 250), 250);
}

#[test]
fn an_event_ahead_of_its_arrival_proves_a_clock_ahead_at_once() {
    let mut sender = Sender::unknown();
    assert_eq!(sender.event(0, -20), 0);
    assert_eq!(sender.event(1, 0), 20);
}

#[test]
fn a_clock_that_is_far_ahead_proves_nothing_and_its_events_count_as_arriving() {
    let mut sender = Sender::unknown();
    assert_eq!(sender.event(0, -3600), 0);
    assert_eq!(sender.event(1, 40), 40);
}

#[test]
fn a_clock_behind_is_believed_after_ten_full_minutes() {
    let mut sender = Sender::unknown();
    sender.steady(0..600, 120);
    assert_eq!(sender.event(600, 120), 120);
    sender.steady(610..660, 120);
    assert_eq!(sender.event(660, 120), 0);
    assert_eq!(sender.event(661, 150), 30);
}

#[test]
fn a_backlog_after_an_outage_is_not_taken_for_skew() {
    let mut sender = Sender::unknown();
    // Half an hour of events, delivered oldest first within nine minutes.
    for second in 0..540 {
        let behind = 1800 - i64::try_from(second).unwrap() * 3;
        assert_eq!(sender.event(second, behind), behind);
    }
}

#[test]
fn a_backlog_after_a_silence_on_an_old_connection_is_not_taken_for_skew_either() {
    let mut sender = Sender::unknown();
    sender.steady(0..1200, 0);
    assert_eq!(sender.event(1200 + 900, 900), 900);
    assert_eq!(sender.event(1200 + 901, 890), 890);
}

#[test]
fn a_corrected_clock_is_noticed_at_once_when_it_goes_forward() {
    let mut sender = Sender::unknown();
    sender.steady(0..700, 120);
    assert_eq!(sender.event(700, 120), 0);
    assert_eq!(sender.event(701, 0), 0);
    assert_eq!(sender.event(702, 60), 60);
}

#[test]
fn a_believed_skew_outlives_a_silence() {
    let mut sender = Sender::unknown();
    sender.steady(0..700, 120);
    assert_eq!(sender.event(7_000, 125), 5);
}

#[test]
fn one_early_event_is_forgotten_after_ten_minutes() {
    let mut sender = Sender::unknown();
    sender.event(0, -20);
    sender.steady(10..640, 0);
    assert_eq!(sender.event(641, 0), 20);
    sender.steady(650..700, 0);
    assert_eq!(sender.event(700, 0), 0);
}

#[test]
fn times_at_the_ends_of_the_world_do_not_overflow() {
    for said in [None, Some(i64::MAX), Some(i64::MIN)] {
        for ts in [i64::MIN, i64::MAX, 0] {
            let mut skew = Skew::new(said);
            for at in [0, 1, 10_000_000] {
                skew.own_time(Some(Wall::from_millis(ts)), after(at));
            }
        }
    }
}
