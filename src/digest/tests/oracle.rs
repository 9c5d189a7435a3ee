//! The digest against a naive recount of every event.

use super::*;
use crate::dice::Dice;
use crate::words::{Family, Outcome};

type Key = (String, String, Family);

/// Every event, as it came.
#[derive(Default)]
struct Recount(Vec<(Instant, Wall, Event)>);

impl Recount {
    fn failures(&self, counts: impl Fn(&(Instant, Wall, Event)) -> bool) -> BTreeMap<Key, u64> {
        let mut totals = BTreeMap::new();
        for event in self.0.iter().filter(|event| counts(event)) {
            if let Outcome::Failed(family) = event.2.code.outcome() {
                let key = (event.2.tenant.to_string(), event.2.endpoint.to_string(), family);
                *totals.entry(key).or_insert(0) += event.2.count;
            }
        }
        totals
    }
}

fn counted(window: &WindowView) -> BTreeMap<Key, u64> {
    (window.rows.iter())
        .map(|row| {
            (
                (row.tenant.to_string(), row.endpoint.to_string(), row.family),
                row.count,
            )
        })
        .collect()
}

fn slot(at: Instant) -> u64 {
    at.as_millis() / 10_000
}

#[test]
fn every_event_is_in_its_window_or_late_and_the_sliding_window_holds_the_last_thirty_slots() {
    for seed in 0..20 {
        let mut dice = Dice::new(seed);
        let mut t = Timeline::new();
        let mut recount = Recount::default();
        for step in 0..150 {
            let events: Vec<Event> = (0..1 + dice.index(5))
                .map(|_| {
                    fails(["acme", "beta"][dice.index(2)], &format!("e{}", dice.index(8)), 503, 1)
                        .aged([0, 0, 1, 100, 299, 301, 700, 1100, 4000][dice.index(9)])
                })
                .collect();
            recount
                .0
                .extend(events.iter().map(|event| (t.now.at, t.now.wall, event.clone())));
            t.arrive(&events);
            t.pass(dice.index(40) as u64);
            if dice.index(10) == 0 {
                t.restart();
            }
            let now = t.now.at;
            let in_sliding = recount.failures(|(at, _, event)| event.age <= 300 && slot(*at) + 30 > slot(now));
            assert_eq!(counted(&t.view().sliding), in_sliding, "seed {seed}, step {step}");
        }
        let end = t.now.wall.as_secs();
        t.pass(20);
        let mut late = recount.0.iter().map(|event| event.2.count).sum::<u64>();
        let mut start = START - 6000;
        while start <= end {
            let in_window = recount.failures(|(_, arrival, event)| {
                window_of(arrival.plus_millis(-event.age * 1000)) == start
                    && (arrival.as_secs() < start + 930 || t.digest.outages.contains(start))
            });
            let window = t.aligned(start).map(|window| counted(&window)).unwrap_or_default();
            let taken: u64 = window.values().sum();
            late -= taken;
            if !t.digest.outages.contains(start) {
                assert_eq!(window, in_window, "seed {seed}, window {start}");
            }
            start += 300;
        }
        assert!(late >= t.view().sliding.dropped.late, "seed {seed}");
    }
}

#[test]
fn without_outages_what_is_in_no_window_is_exactly_what_was_late() {
    for seed in 100..110 {
        let mut dice = Dice::new(seed);
        let mut t = Timeline::new();
        let mut all = 0;
        for _ in 0..200 {
            let count = 1 + dice.index(5) as u64;
            let age = [0, 10, 400, 900, 1000, 2000][dice.index(6)];
            t.arrive(&[fails("acme", &format!("e{}", dice.index(700)), 503, count).aged(age)]);
            all += count;
            t.pass(dice.index(30) as u64);
        }
        t.pass(20);
        let windows = (-8..30).filter_map(|n| t.aligned(START + n * 300));
        let kept: u64 = windows
            .flat_map(|window| window.rows.to_vec())
            .map(|row| row.count)
            .sum();
        assert_eq!(kept, all - t.view().sliding.dropped.late, "seed {seed}");
    }
}
