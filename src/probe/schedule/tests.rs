use std::collections::BTreeSet;

use super::*;
use crate::probe::declaration::{Exec, Host, Parse};
use crate::words::TenantName;

const SECOND: Duration = Duration::from_secs(1);

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn native() -> Asks {
    Asks::Host(Host {
        warn_memory: 1.0,
        warn_descriptors: 1.0,
        warn_load_per_core: 1.0,
    })
}

fn exec(lane: Lane) -> Asks {
    Asks::Exec(Exec {
        lane,
        command: vec!["true".into()],
        parse: Parse::ExitCode,
        env: Vec::new(),
        rules: Vec::new(),
        interval_min: Duration::from_secs(60),
        stretch: None,
    })
}

fn probe(name: &str, asks: Asks, every: Duration, retry_every: Duration) -> Arc<Probe> {
    Arc::new(Probe {
        every,
        retry_every,
        timeout: SECOND,
        max_stale: every * 3,
        ..Probe::specimen(name, asks)
    })
}

fn id(text: &str) -> CheckId {
    CheckId::parse(text).unwrap()
}

fn of_tenants(probe: &Arc<Probe>, count: usize) -> Vec<(CheckId, Arc<Probe>)> {
    (0..count)
        .map(|index| {
            let tenant = TenantName::parse(&format!("t{index}")).unwrap();
            (CheckId::of(probe.name.clone(), tenant), Arc::clone(probe))
        })
        .collect()
}

/// One check named `c`, on a quiet host.
struct Alone(Schedule, CheckId);

impl Alone {
    fn new(asks: Asks, every: Duration, retry_every: Duration) -> Alone {
        let mut schedule = Schedule::default();
        schedule.configure(&[(id("c"), probe("c", asks, every, retry_every))], at(1_000_000));
        Alone(schedule, id("c"))
    }

    fn next(&self) -> Instant {
        self.0.next_due(&self.1).unwrap()
    }

    /// Asks it when it is next due and says how long after `before` that was.
    fn run(&mut self, before: Instant, again: Again) -> (Instant, Duration) {
        let next = self.next();
        assert_eq!(self.0.next_wake(), Some(next));
        let just_before = at(next.as_millis() - 1);
        assert_eq!(self.0.due(just_before, ALL), [], "not a moment early");
        assert_eq!(self.0.due(next, ALL), std::slice::from_ref(&self.1));
        self.0.done(next, &self.1, again);
        (next, next.since(before))
    }
}

const ALL: Slots = Slots {
    light: 4,
    heavy: 4,
    native: NATIVE_AT_ONCE,
};

#[test]
fn a_new_check_is_due_at_once_whatever_its_kind() {
    for asks in [native(), exec(Lane::Light), exec(Lane::Heavy)] {
        let mut alone = Alone::new(asks, seconds(300), seconds(30));
        assert_eq!(alone.0.next_wake(), Some(at(1_000_000)));
        assert_eq!(alone.0.due(at(1_000_000), ALL), [id("c")]);
    }
}

#[test]
fn after_its_first_ask_a_check_keeps_to_its_grid() {
    let mut alone = Alone::new(native(), seconds(10), SECOND);
    let (first, _) = alone.run(at(0), Again::No);
    let (second, on_the_way) = alone.run(first, Again::No);
    assert!(
        on_the_way >= seconds(5) && on_the_way <= seconds(10),
        "half an interval to a whole one: {on_the_way:?}"
    );
    let (third, after) = alone.run(second, Again::No);
    assert!(
        after == on_the_way || after == seconds(10),
        "two equal steps at most: {after:?}"
    );
    let (fourth, after) = alone.run(third, Again::No);
    assert_eq!(after, seconds(10));
    let (_, after) = alone.run(fourth, Again::No);
    assert_eq!(after, seconds(10));
}

#[test]
fn nobody_waits_longer_than_its_interval_whenever_its_last_run_began() {
    let probe = probe("gateway", native(), seconds(10), SECOND);
    for start in (0..10_000).step_by(97) {
        let mut schedule = Schedule::default();
        let checks = of_tenants(&probe, 8);
        schedule.configure(&checks, at(start));
        for (check, _) in &checks {
            let mut before = at(start);
            for _ in 0..4 {
                schedule.due(before, ALL);
                schedule.done(before + Duration::from_millis(3), check, Again::No);
                let next = schedule.next_due(check).unwrap();
                let gap = next.since(before);
                assert!(gap >= seconds(5) && gap <= seconds(10), "{check} from {start}: {gap:?}");
                before = next;
            }
            assert_eq!(before.as_millis() % 10_000, phase_of(check) % 10_000, "on its grid");
        }
    }
}

#[test]
fn a_run_that_took_longer_than_its_interval_skips_the_times_it_missed() {
    let mut alone = Alone::new(native(), seconds(10), SECOND);
    for _ in 0..3 {
        alone.run(at(0), Again::No);
    }
    let due = alone.next();
    assert_eq!(alone.0.due(due, ALL).len(), 1);
    assert_eq!(alone.0.next_due(&id("c")), None, "in flight");
    assert_eq!(alone.0.due(due + seconds(20), ALL), [], "one run at a time");
    alone.0.done(due + seconds(33), &id("c"), Again::No);
    assert_eq!(alone.next(), due + seconds(40));
}

#[test]
fn retries_of_what_cannot_be_asked_double_up_to_the_interval_and_an_answer_resets_them() {
    let mut alone = Alone::new(native(), seconds(60), seconds(2));
    let (first, _) = alone.run(at(0), Again::No);
    // The grid falls into the retries; what counts is that no gap is longer than the doubling allows.
    let mut before = alone.run(first, Again::Unknown).0;
    let mut gaps = Vec::new();
    for _ in 0..8 {
        let (now, gap) = alone.run(before, Again::Unknown);
        gaps.push(gap.as_secs());
        before = now;
    }
    assert_eq!(gaps[..3], [2, 4, 8]);
    assert!(gaps[3..].iter().all(|gap| *gap <= 60), "{gaps:?}");
    let (settled, _) = alone.run(before, Again::No);
    let (again, _) = alone.run(settled, Again::Unknown);
    assert_eq!(alone.run(again, Again::Unknown).1, seconds(2));
}

#[test]
fn a_run_that_opens_after_long_ignorance_is_asked_about_soon() {
    let mut alone = Alone::new(native(), seconds(60), seconds(2));
    let mut before = alone.run(at(0), Again::Unknown).0;
    for _ in 0..10 {
        before = alone.run(before, Again::Unknown).0;
    }
    let (opened, _) = alone.run(before, Again::RunOpen { heard: 1 });
    let (_, gap) = alone.run(opened, Again::No);
    assert_eq!(gap, seconds(2));
}

#[test]
fn the_gaps_of_a_run_double_with_its_answers_and_another_run_begins_with_the_first_gap() {
    let mut alone = Alone::new(native(), seconds(3600), seconds(2));
    let mut before = alone.run(at(0), Again::RunOpen { heard: 1 }).0;
    let mut gaps = Vec::new();
    for heard in [2, 3, 1, 1] {
        let (now, gap) = alone.run(before, Again::RunOpen { heard });
        gaps.push(gap.as_secs());
        before = now;
    }
    gaps.push(alone.run(before, Again::No).1.as_secs());
    assert_eq!(gaps, [2, 4, 8, 2, 2]);
}

#[test]
fn a_retry_never_waits_longer_than_the_regular_time() {
    let mut alone = Alone::new(native(), seconds(10), seconds(10));
    let (first, _) = alone.run(at(0), Again::Unknown);
    let (_, gap) = alone.run(first, Again::Unknown);
    assert!(gap <= seconds(10), "{gap:?}");
}

#[test]
fn one_probe_of_many_tenants_spreads_over_its_interval_always_in_the_same_way() {
    let probe = probe("gateway", native(), seconds(10), SECOND);
    let checks = of_tenants(&probe, 256);
    let times = |start: u64| {
        let mut schedule = Schedule::default();
        schedule.configure(&checks, at(start));
        // At most two steps lead to the grid.
        let mut now = at(start);
        while now < at(start) + seconds(21) {
            for check in schedule.due(now, ALL) {
                schedule.done(now, &check, Again::No);
            }
            now = schedule.next_wake().unwrap();
        }
        let time = |(check, _): &(CheckId, _)| schedule.next_due(check).unwrap().as_millis() % 10_000;
        checks.iter().map(time).collect::<Vec<u64>>()
    };
    let phases = times(5_000_000);
    assert_eq!(phases, times(98_765_432), "the same phases after a restart");
    let mut by_second = [0; 10];
    for phase in &phases {
        by_second[usize::try_from(phase / 1000).unwrap()] += 1;
    }
    assert!(by_second.iter().all(|count| (10..=45).contains(count)), "{by_second:?}");
    assert!(
        phases.iter().collect::<BTreeSet<_>>().len() > 240,
        "hardly two at one moment"
    );
}

#[test]
fn lanes_are_bounded_each_by_itself_and_a_full_one_wakes_nobody() {
    let heavy = probe("heavy", exec(Lane::Heavy), seconds(300), seconds(30));
    let light = probe("light", exec(Lane::Light), seconds(300), seconds(30));
    let mut schedule = Schedule::default();
    schedule.configure(&[of_tenants(&heavy, 3), of_tenants(&light, 3)].concat(), at(0));
    let slots = Slots {
        light: 2,
        heavy: 1,
        native: 0,
    };
    let first = schedule.due(at(0), slots);
    assert_eq!(
        first.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["light@t0", "light@t1", "heavy@t0"]
    );
    assert_eq!(schedule.in_flight(), slots);
    assert_eq!(slots.less(schedule.in_flight()), Slots::default());
    assert_eq!(schedule.due(at(1), slots.less(schedule.in_flight())), []);
    assert_eq!(schedule.next_wake(), None, "nothing can begin before something is done");
    schedule.done(at(2000), &id("heavy@t0"), Again::No);
    assert!(schedule.next_wake().unwrap() <= at(2000));
    assert_eq!(
        schedule.due(at(2000), slots.less(schedule.in_flight())),
        [id("heavy@t1")]
    );
}

#[test]
fn who_is_due_goes_before_who_retries_and_the_longest_due_first() {
    let often = probe("often", exec(Lane::Heavy), seconds(60), seconds(5));
    let mut schedule = Schedule::default();
    schedule.configure(&of_tenants(&often, 3), at(0));
    for check in schedule.due(at(0), ALL) {
        let again = if check == id("often@t0") {
            Again::Unknown
        } else {
            Again::No
        };
        schedule.done(at(0), &check, again);
    }
    // t0 retries since 5 s; the others became due later, in the order of their phases.
    let mut others = [id("often@t1"), id("often@t2")];
    others.sort_by_key(|check| schedule.next_due(check));
    let late = others
        .iter()
        .filter_map(|check| schedule.next_due(check))
        .max()
        .unwrap();
    let one = Slots {
        heavy: 1,
        ..Slots::default()
    };
    let t0_regular = schedule.checks[&id("often@t0")].regular;
    assert!(schedule.next_due(&id("often@t0")).unwrap() == at(5000));
    let mut order = Vec::new();
    for _ in 0..3 {
        order.extend(schedule.due(late, one));
    }
    let expected = if t0_regular <= late {
        // Its regular time has come as well: then it is due like anybody.
        let mut all = vec![id("often@t0"), others[0].clone(), others[1].clone()];
        all.sort_by_key(|check| schedule.checks[check].regular);
        all
    } else {
        vec![others[0].clone(), others[1].clone(), id("often@t0")]
    };
    assert_eq!(order, expected);
}

#[test]
fn what_a_person_asks_for_goes_first_and_once_more_when_it_is_in_flight() {
    let slow = probe("slow", exec(Lane::Heavy), seconds(300), seconds(30));
    let mut schedule = Schedule::default();
    schedule.configure(&of_tenants(&slow, 3), at(0));
    schedule.ask_now(&id("slow@t2"));
    let one = Slots {
        heavy: 1,
        ..Slots::default()
    };
    assert_eq!(schedule.due(at(0), one), [id("slow@t2")]);
    schedule.ask_now(&id("slow@t2"));
    assert_eq!(schedule.due(at(1), Slots::default()), []);
    schedule.done(at(1000), &id("slow@t2"), Again::No);
    assert!(schedule.next_wake().unwrap() <= at(1000));
    assert_eq!(
        schedule.due(at(1000), one),
        [id("slow@t2")],
        "asked again after that run"
    );
    schedule.done(at(2000), &id("slow@t2"), Again::No);
    assert_eq!(schedule.due(at(2000), one), [id("slow@t0")]);
    schedule.ask_now(&id("nobody"));
}

#[test]
fn a_reload_keeps_times_forgets_the_gone_and_asks_the_new_at_once() {
    let (a, b) = (
        probe("a", native(), seconds(60), SECOND),
        probe("b", native(), seconds(60), SECOND),
    );
    let mut schedule = Schedule::default();
    schedule.configure(&[(id("a"), Arc::clone(&a)), (id("b"), Arc::clone(&b))], at(0));
    for check in schedule.due(at(0), ALL) {
        schedule.done(at(0), &check, Again::No);
    }
    let before = schedule.next_due(&id("a"));
    let internal = probe("digest", Asks::Digest, SECOND, SECOND);
    let now = at(1000);
    schedule.configure(
        &[
            (id("a"), a),
            (id("new"), probe("new", native(), seconds(60), SECOND)),
            (id("digest"), internal),
        ],
        now,
    );
    assert_eq!(schedule.next_due(&id("a")), before);
    assert_eq!(schedule.next_due(&id("b")), None);
    assert_eq!(schedule.next_due(&id("digest")), None, "the engine answers it");
    assert_eq!(schedule.due(now, ALL), [id("new")]);
    // Gone while in flight: its end is nobody's business any more.
    schedule.configure(&[], now);
    schedule.done(now, &id("new"), Again::Unknown);
    assert_eq!((schedule.next_wake(), schedule.in_flight()), (None, Slots::default()));
}

#[test]
fn a_shortened_interval_is_felt_at_once_and_a_lengthened_one_takes_nothing_away() {
    let mut schedule = Schedule::default();
    let with = |every| [(id("c"), probe("c", native(), seconds(every), SECOND))];
    schedule.configure(&with(3600), at(0));
    let due = schedule.due(at(0), ALL);
    schedule.done(at(0), &due[0], Again::No);
    schedule.configure(&with(10), at(1000));
    let soon = schedule.next_due(&id("c")).unwrap();
    assert!(soon <= at(11_000), "{soon:?}");
    schedule.configure(&with(3600), at(1500));
    assert_eq!(schedule.next_due(&id("c")), Some(soon));
}

#[test]
fn after_sleep_runs_are_discarded_native_checks_are_due_and_retries_start_afresh() {
    let (n, x) = (
        probe("n", native(), seconds(10), SECOND),
        probe("x", exec(Lane::Light), seconds(300), seconds(30)),
    );
    let mut schedule = Schedule::default();
    let checks = [of_tenants(&n, 2), of_tenants(&x, 2)].concat();
    schedule.configure(&checks, at(0));
    assert_eq!(schedule.due(at(0), ALL).len(), 4);
    schedule.done(at(0), &id("n@t0"), Again::Unknown);
    schedule.done(at(0), &id("x@t0"), Again::No);
    let x0 = schedule.next_due(&id("x@t0")).unwrap();
    let woken = at(x0.as_millis() - 1000);
    schedule.resume(woken);
    let due = schedule.due(woken, ALL);
    assert_eq!(
        due,
        [id("n@t0"), id("n@t1"), id("x@t1")],
        "x@t0 was answered and is not due yet"
    );
    // A late end of a discarded run finds a run in flight again: the engine knows it by its run id.
    schedule.done(woken, &id("n@t0"), Again::Unknown);
    assert_eq!(
        schedule.next_due(&id("n@t0")),
        Some(woken + SECOND),
        "the first wait again, not the doubled one"
    );
}

mod simulated;

#[test]
fn a_check_whose_files_changed_is_asked_soon_and_not_more_often_than_it_retries() {
    let mut alone = Alone::new(exec(Lane::Heavy), seconds(300), seconds(30));
    let (asked, _) = alone.run(at(0), Again::No);
    let check = alone.1.clone();

    alone.0.touch(asked + seconds(10), &check);
    let (again, after) = alone.run(asked, Again::No);
    assert_eq!(after, seconds(30), "not sooner after its last run");
    alone.0.touch(again + seconds(100), &check);
    let (again, after) = alone.run(again, Again::No);
    assert_eq!(after, seconds(100), "at once when that was long ago");
    assert!(alone.next().since(again) >= seconds(150), "and then as ever");

    // Touched again and again while it is due already: the first time stands.
    for second in 1..20 {
        alone.0.touch(again + seconds(second), &check);
    }
    let (_, after) = alone.run(again, Again::No);
    assert_eq!(after, seconds(30));
}

#[test]
fn a_run_in_flight_is_not_ended_by_a_touch_and_is_followed_by_another() {
    let mut alone = Alone::new(exec(Lane::Heavy), seconds(300), seconds(30));
    let began = alone.next();
    assert_eq!(alone.0.due(began, ALL).len(), 1);
    alone.0.touch(began + SECOND, &id("c"));
    assert_eq!(alone.0.due(began + seconds(40), ALL), [], "one run at a time");
    assert_eq!(alone.0.in_flight().heavy, 1);
    alone.0.done(began + seconds(45), &id("c"), Again::No);
    assert_eq!(alone.0.due(began + seconds(45), ALL), [id("c")]);
}

#[test]
fn one_that_retries_still_retries_when_it_is_touched() {
    let mut alone = Alone::new(native(), seconds(300), seconds(5));
    let (asked, _) = alone.run(at(0), Again::Unknown);
    alone.0.touch(asked + seconds(100), &id("c"));
    let (_, after) = alone.run(asked, Again::No);
    assert_eq!(after, seconds(5));
    alone.0.touch(asked, &id("nobody"));
}
