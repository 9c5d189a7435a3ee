//! Lives by chance: changes, deaths, naps and stepped clocks, and what may not come of them.

use super::*;
use crate::dice::Dice;

/// A life, as it was and as it was recorded.
struct Life {
    dice: Dice,
    wall: i64,
    /// Status and since when, by the wall clock of then.
    status: Status,
    since: i64,
    entries: Vec<Entry>,
    /// What was, second by second; later ones over earlier ones. `None`: nobody watched.
    truth: std::collections::BTreeMap<i64, Option<Status>>,
}

const WORDS: [Status; 5] = [
    Status::Ok,
    Status::Degraded,
    Status::Down,
    Status::Maintenance,
    Status::Draining,
];

impl Life {
    fn live(&mut self, seconds: i64, watched: bool) {
        for _ in 0..seconds {
            self.truth.insert(self.wall, watched.then_some(self.status));
            self.wall += 1;
        }
    }

    /// It is taken out of the configuration, and put in again; readyd dies, sleeps or hears the time meanwhile.
    fn be_gone(&mut self, steps_clock: bool) {
        let gone = change(self.since, self.status.as_str(), self.wall, "not_watched");
        self.entries.push(gone);
        for _ in 0..self.dice.below(3) {
            let away = 1 + i64::try_from(self.dice.below(20)).unwrap();
            self.live(away, false);
            match steps_clock && self.dice.one_in(2) {
                true => self.step_clock(),
                false => self.nap(),
            }
        }
        self.live(1, false);
        self.since = self.wall;
        self.status = WORDS[self.dice.index(WORDS.len())];
    }

    fn nap(&mut self) {
        let from = self.wall;
        let asleep = i64::try_from(self.dice.below(40)).unwrap();
        self.live(asleep, false);
        self.entries.push(dark(from, self.wall));
    }

    fn step_clock(&mut self) {
        let from = self.wall;
        let step = i64::try_from(self.dice.below(160)).unwrap() - 80;
        self.wall = (self.wall + step).max(1);
        self.entries.push(super::step(from, self.wall));
    }

    fn step(&mut self, steps_clock: bool) {
        // Never nothing: what comes and goes within a moment leaves no trace.
        let lived = 1 + i64::try_from(self.dice.below(30)).unwrap();
        self.live(lived, true);
        match self.dice.below(if steps_clock { 9 } else { 7 }) {
            0..=3 => {
                let to = WORDS[self.dice.index(WORDS.len())];
                if to != self.status {
                    self.entries
                        .push(change(self.since, self.status.as_str(), self.wall, to.as_str()));
                    (self.status, self.since) = (to, self.wall);
                }
            }
            4 | 5 => self.nap(),
            6 => self.be_gone(steps_clock),
            _ => self.step_clock(),
        }
    }
}

fn lived(seed: u64, steps_clock: bool) -> Life {
    let mut life = Life {
        dice: Dice::new(seed),
        wall: 1,
        status: Status::Ok,
        since: 0,
        entries: Vec::new(),
        truth: std::collections::BTreeMap::new(),
    };
    while life.wall < NOW - 100 {
        life.step(steps_clock);
    }
    let rest = NOW - life.wall;
    life.live(rest, true);
    life
}

fn subject(life: &Life, span: i64) -> Subject {
    let record = record(life.entries.clone(), life.status, life.since);
    told(record, span, &Slos::new()).subjects.remove(0)
}

#[test]
fn the_seconds_of_all_statuses_are_the_span_and_none_is_negative() {
    for seed in 0..500 {
        let life = lived(seed, true);
        for span in [60, 500, 900, 5000] {
            let subject = subject(&life, span);
            assert_eq!(subject.lasted.total_millis(), span * 1000, "seed {seed}");
            let holes = subject.segments.windows(2).find(|pair| pair[0].until != pair[1].from);
            assert_eq!(holes, None, "seed {seed}");
            assert!(
                subject.segments.iter().all(|segment| segment.millis() > 0),
                "seed {seed}"
            );
            let of_each = Status::ALL.map(|status| subject.lasted.millis(status));
            assert!(of_each.iter().all(|millis| *millis >= 0), "seed {seed}");
        }
    }
}

#[test]
fn each_second_is_told_as_it_was_whatever_readyd_and_the_clock_did() {
    for (seed, steps_clock) in (0..300).flat_map(|seed| [(seed, false), (seed, true)]) {
        let life = lived(seed, steps_clock);
        let subject = subject(&life, 990);
        for segment in &subject.segments {
            for second in segment.from.as_secs()..segment.until.as_secs() {
                let was = life.truth.get(&second).copied().flatten();
                // Since when it is back can be read two ways where the clock showed that moment twice; it is then told later.
                let may_be_less = steps_clock && segment.status == Status::NotWatched;
                assert!(
                    may_be_less || segment.status == was.unwrap_or(Status::NotWatched),
                    "seed {seed}, clock stepped {steps_clock}, second {second}, told {:?}, was {was:?}: {:#?}",
                    segment.status,
                    life.entries
                );
            }
        }
    }
}

#[test]
fn a_death_splits_no_outage_and_makes_no_flap() {
    for seed in 0..200 {
        let life = lived(seed, false);
        let seen = subject(&life, 990);
        let undisturbed = Life {
            entries: life
                .entries
                .iter()
                .filter(|entry| matches!(entry, Entry::Change(_)))
                .cloned()
                .collect(),
            truth: life.truth.clone(),
            dice: life.dice.clone(),
            ..life
        };
        let whole = subject(&undisturbed, 990);
        assert_eq!(seen.outages, whole.outages, "seed {seed}");
        assert_eq!(seen.flaps, whole.flaps, "seed {seed}");
    }
}
