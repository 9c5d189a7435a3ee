//! Histories as tables: what was recorded, and what is told of it. Times are seconds.

mod chance;
mod stamps;

use std::fmt::Write as _;
use std::time::Duration;

use expect_test::{Expect, expect};

use super::*;
use crate::words::{ProbeName, TenantName};

pub const NOW: i64 = 1000;

pub fn at(second: i64) -> Wall {
    Wall::from_millis(second * 1000)
}

pub fn tenant() -> TenantName {
    TenantName::parse("acme").unwrap()
}

/// `from` had held since `since`, when it became `to`.
pub fn change(since: i64, from: &str, second: i64, to: &str) -> Entry {
    Entry::Change(Transition {
        at: at(second),
        tenant: Some(tenant()),
        probe: None,
        from: from.into(),
        to: to.into(),
        summary: String::new(),
        since: Some(at(since)),
        last_good_at: None,
        first_bad_at: None,
    })
}

pub fn dark(from: i64, until: i64) -> Entry {
    Entry::Unwatched(Unwatched {
        from: at(from),
        until: at(until),
        why: Why::Stopped,
    })
}

/// The clock showed `from`, and was set to `until`.
pub fn step(from: i64, until: i64) -> Entry {
    Entry::Unwatched(Unwatched {
        from: at(from),
        until: at(until),
        why: Why::Clock,
    })
}

pub fn record(entries: impl IntoIterator<Item = Entry>, status: Status, since: i64) -> Record {
    let who = Who::tenant(tenant());
    Record {
        entries: (1..).zip(entries).collect(),
        presents: vec![Present {
            who,
            status,
            since: at(since),
        }],
        alive: Some(at(NOW - 5)),
        begins: at(0),
        transitions: Vec::new(),
    }
}

pub fn told(record: Record, span: i64, slos: &Slos) -> Report {
    let asked = Asked {
        node: "mac-3".into(),
        now: at(NOW),
        span: Duration::from_secs(span.unsigned_abs()),
        slos,
    };
    report(record, |_| true, &asked)
}

fn shown(subject: &Subject) -> String {
    let mut out = String::new();
    for segment in &subject.segments {
        let (from, until) = (segment.from.as_secs(), segment.until.as_secs());
        let _ = write!(out, "{} {from}..{until} | ", segment.status.as_str());
    }
    let uptime = subject.uptime.map_or("-".to_owned(), |uptime| format!("{uptime:.3}"));
    let spread = |spread: Spread| match spread.n {
        0 => "-".to_owned(),
        n => format!("{:?}/{:?}/{:?} of {n}", spread.mean, spread.median, spread.max),
    };
    let _ = write!(
        out,
        "up {uptime}, {} outages, {} flaps, detect {}, recover {}",
        subject.outages,
        subject.flaps,
        spread(subject.time_to_detect),
        spread(subject.time_to_recover)
    );
    out
}

/// The last 900 of a thousand seconds.
fn check(record: Record, expected: Expect) {
    let report = told(record, 900, &Slos::new());
    expected.assert_eq(&shown(&report.subjects[0]));
}

#[test]
fn what_has_never_changed_is_what_it_is_since_it_was_first_seen() {
    check(
        record([], Status::Ok, 50),
        expect!["ok 100..1000 | up 1.000, 0 outages, 0 flaps, detect -, recover -"],
    );
    check(
        record([], Status::Ok, 400),
        expect!["not_watched 100..400 | ok 400..1000 | up 1.000, 0 outages, 0 flaps, detect -, recover -"],
    );
}

#[test]
fn a_change_tells_what_was_before_it_as_well_as_what_came() {
    check(
        record(
            [change(50, "ok", 300, "down"), change(300, "down", 400, "ok")],
            Status::Ok,
            400,
        ),
        expect![
            "ok 100..300 | down 300..400 | ok 400..1000 | up 0.889, 1 outages, 2 flaps, detect -, recover 100s/100s/100s of 1"
        ],
    );
}

#[test]
fn degraded_is_up_and_maintenance_drains_and_starts_are_neither_up_nor_down() {
    let entries = [
        change(50, "ok", 200, "degraded"),
        change(200, "degraded", 300, "maintenance"),
        change(300, "maintenance", 500, "draining"),
        change(500, "draining", 600, "starting"),
        change(600, "starting", 700, "down"),
    ];
    check(
        record(entries, Status::Down, 700),
        expect![
            "ok 100..200 | degraded 200..300 | maintenance 300..500 | draining 500..600 | starting 600..700 | down 700..1000 | up 0.400, 1 outages, 1 flaps, detect -, recover -"
        ],
    );
}

#[test]
fn while_readyd_was_dead_nothing_is_claimed_and_an_outage_that_spans_it_is_one() {
    let entries = [
        change(50, "ok", 200, "down"),
        dark(300, 400),
        change(200, "down", 500, "ok"),
        dark(600, 700),
    ];
    check(
        record(entries, Status::Ok, 500),
        expect![
            "ok 100..200 | down 200..300 | not_watched 300..400 | down 400..500 | ok 500..600 | not_watched 600..700 | ok 700..1000 | up 0.714, 1 outages, 2 flaps, detect -, recover 300s/300s/300s of 1"
        ],
    );
}

#[test]
fn an_outage_whose_end_nobody_saw_has_no_time_to_recover() {
    let entries = [change(50, "ok", 200, "down"), dark(300, 400)];
    // It came back as something else: the process restored nothing.
    check(
        record(entries, Status::Ok, 400),
        expect![
            "ok 100..200 | down 200..300 | not_watched 300..400 | ok 400..1000 | up 0.875, 1 outages, 1 flaps, detect -, recover -"
        ],
    );
}

#[test]
fn an_outage_whose_end_was_the_last_thing_that_was_seen_has_its_time_to_recover() {
    let entries = [
        change(50, "ok", 200, "down"),
        change(200, "down", 300, "ok"),
        dark(300, 400),
    ];
    check(
        record(entries, Status::Ok, 300),
        expect![
            "ok 100..200 | down 200..300 | not_watched 300..400 | ok 400..1000 | up 0.875, 1 outages, 1 flaps, detect -, recover 100s/100s/100s of 1"
        ],
    );
}

#[test]
fn a_process_that_ends_says_draining_and_the_next_one_goes_on_with_what_was() {
    let entries = [
        change(50, "ok", 300, "draining"),
        dark(301, 350),
        change(50, "ok", 700, "degraded"),
    ];
    check(
        record(entries, Status::Degraded, 700),
        expect![
            "ok 100..300 | draining 300..301 | not_watched 301..350 | ok 350..700 | degraded 700..1000 | up 1.000, 0 outages, 1 flaps, detect -, recover -"
        ],
    );
}

#[test]
fn a_tenant_that_was_away_for_a_while_is_not_watched_until_it_is_back() {
    let entries = [change(50, "down", 200, "ok"), change(500, "ok", 600, "degraded")];
    check(
        record(entries, Status::Degraded, 600),
        expect![
            "down 100..200 | not_watched 200..500 | ok 500..600 | degraded 600..1000 | up 0.833, 1 outages, 1 flaps, detect -, recover 150s/150s/150s of 1"
        ],
    );
}

#[test]
fn a_store_that_has_not_committed_for_long_knows_nothing_of_the_present() {
    let stale = Record {
        alive: Some(at(600)),
        ..record([change(50, "ok", 200, "down")], Status::Down, 200)
    };
    check(
        stale,
        expect![
            "ok 100..200 | down 200..600 | not_watched 600..1000 | up 0.200, 1 outages, 1 flaps, detect -, recover -"
        ],
    );
}

#[test]
fn before_the_record_begins_nothing_is_known_and_the_report_says_so() {
    let late = Record {
        begins: at(500),
        ..record([change(50, "ok", 700, "down")], Status::Down, 700)
    };
    let report = told(late.clone(), 900, &Slos::new());
    assert_eq!(report.truncated_before, Some(at(500)));
    assert_eq!(told(late.clone(), 400, &Slos::new()).truncated_before, None);
    check(
        late,
        expect![
            "not_watched 100..500 | ok 500..700 | down 700..1000 | up 0.400, 1 outages, 1 flaps, detect -, recover -"
        ],
    );
}

#[test]
fn what_is_lived_again_after_a_clock_was_stepped_back_takes_the_place_of_what_was_there() {
    // At 600 the clock was set to 400; 100 seconds later it became ok.
    let entries = [
        change(50, "ok", 300, "degraded"),
        change(300, "degraded", 550, "down"),
        step(600, 400),
        change(550, "down", 500, "ok"),
    ];
    check(
        record(entries, Status::Ok, 500),
        expect![
            "ok 100..300 | degraded 300..400 | down 400..500 | ok 500..1000 | up 0.889, 1 outages, 3 flaps, detect -, recover 100s/100s/100s of 1"
        ],
    );
}

#[test]
fn a_clock_that_was_a_year_ahead_leaves_nothing_behind() {
    let year = 31_536_000;
    let entries = [
        change(50, "ok", 200, "degraded"),
        step(300, year),
        change(200, "degraded", year + 50, "down"),
        step(year + 100, 400),
        change(year + 50, "down", 500, "ok"),
    ];
    check(
        record(entries, Status::Ok, 500),
        expect![
            "ok 100..200 | degraded 200..300 | not_watched 300..400 | down 400..500 | ok 500..1000 | up 0.875, 1 outages, 2 flaps, detect -, recover 100s/100s/100s of 1"
        ],
    );
}

#[test]
fn a_host_without_a_clock_of_its_own_loses_nothing_of_what_was_before_its_boot() {
    let entries = [
        change(50, "ok", 200, "degraded"),
        // It boots in 1970 and hears the time ten seconds later.
        dark(300, 0),
        step(10, 500),
    ];
    check(
        record(entries, Status::Degraded, 200),
        expect![
            "ok 100..200 | degraded 200..300 | not_watched 300..500 | degraded 500..1000 | up 1.000, 0 outages, 1 flaps, detect -, recover -"
        ],
    );
}

#[test]
fn how_late_it_was_noticed_is_told_from_the_last_better_answer_else_from_the_first_bad_one() {
    let seen = |entry: Entry, good: Option<i64>, bad: Option<i64>| match entry {
        Entry::Change(change) => Entry::Change(Transition {
            last_good_at: good.map(at),
            first_bad_at: bad.map(at),
            ..change
        }),
        dark => dark,
    };
    let entries = [
        seen(change(50, "ok", 200, "down"), Some(170), Some(190)),
        change(200, "down", 210, "ok"),
        seen(change(210, "ok", 300, "down"), None, Some(290)),
        change(300, "down", 320, "ok"),
        // Nobody knows, and a clock that was stepped tells nothing.
        change(320, "ok", 400, "down"),
        change(400, "down", 460, "ok"),
        seen(change(460, "ok", 500, "down"), Some(550), None),
        change(500, "down", 530, "ok"),
        seen(change(530, "ok", 600, "degraded"), Some(1), Some(2)),
    ];
    check(
        record(entries, Status::Degraded, 600),
        expect![
            "ok 100..200 | down 200..210 | ok 210..300 | down 300..320 | ok 320..400 | down 400..460 | ok 460..500 | down 500..530 | ok 530..600 | degraded 600..1000 | up 0.867, 4 outages, 9 flaps, detect 20s/20s/30s of 2, recover 30s/25s/60s of 4"
        ],
    );
}

#[test]
fn an_outage_that_began_before_the_span_took_as_long_as_it_took() {
    check(
        record([change(10, "down", 200, "ok")], Status::Ok, 200),
        expect!["down 100..200 | ok 200..1000 | up 0.889, 1 outages, 1 flaps, detect -, recover 190s/190s/190s of 1"],
    );
}

#[test]
fn a_tenants_maintenance_covers_its_checks() {
    let gateway = Who {
        tenant: Some(tenant()),
        check: ProbeName::parse("gateway"),
    };
    let of_check = |entry: Entry| match entry {
        Entry::Change(change) => Entry::Change(Transition {
            probe: gateway.check.clone(),
            ..change
        }),
        dark => dark,
    };
    let mut both = record(
        [
            change(50, "ok", 200, "maintenance"),
            of_check(change(50, "ok", 300, "down")),
            of_check(change(300, "down", 400, "unknown")),
            change(200, "maintenance", 350, "down"),
        ],
        Status::Down,
        350,
    );
    both.presents.push(Present {
        who: gateway.clone(),
        status: Status::Unknown,
        since: at(400),
    });
    let report = told(both, 900, &Slos::new());
    assert_eq!(report.subjects[1].who, gateway);
    expect!["ok 100..200 | maintenance 200..350 | down 350..400 | unknown 400..1000 | up 0.667, 1 outages, 1 flaps, detect -, recover -"].assert_eq(&shown(&report.subjects[1]));
}

#[test]
fn a_budget_is_what_the_target_leaves_of_its_window_whatever_the_span() {
    let slo = Slo {
        target: 0.9,
        window: Duration::from_secs(800),
    };
    let slos = Slos::from([(tenant(), slo)]);
    // Down for 10 s before the window, for 60 s in it.
    let entries = [
        change(50, "ok", 150, "down"),
        change(150, "down", 160, "ok"),
        change(160, "ok", 300, "down"),
        change(300, "down", 360, "ok"),
    ];
    let report = told(record(entries, Status::Ok, 360), 60, &slos);
    let budget = report.subjects[0].budget.unwrap();
    assert_eq!((budget.allowed_millis, budget.used_millis), (80_000, 60_000));
    assert!((budget.remaining() - 0.25).abs() < 1e-9, "{budget:?}");
    // 70 s of 950 that were judged, over a tenth of them.
    let rate = budget.burn[0].rate.unwrap();
    assert!((rate - 70.0 / 950.0 / 0.1).abs() < 1e-9, "{budget:?}");

    let never = told(record([], Status::Maintenance, 50), 900, &slos);
    let budget = never.subjects[0].budget.unwrap();
    assert_eq!((budget.remaining(), budget.burn[0].rate), (1.0, None));
    let overdrawn = told(record([change(50, "ok", 400, "down")], Status::Down, 400), 60, &slos);
    assert!(overdrawn.subjects[0].budget.unwrap().remaining() < -6.0);
}

#[test]
fn however_many_segments_there_were_an_outage_of_a_second_is_drawn() {
    let mut segments = Vec::new();
    for nth in 0..2000 {
        let status = match nth {
            777 => Status::Down,
            nth if nth % 2 == 0 => Status::Ok,
            _ => Status::Starting,
        };
        let from = nth * 10;
        let until = if status == Status::Down { from + 1 } else { from + 10 };
        segments.push(Segment {
            status,
            from: at(from),
            until: at(until),
        });
        if status == Status::Down {
            segments.push(Segment {
                status: Status::Ok,
                from: at(until),
                until: at(from + 10),
            });
        }
    }
    let drawn = drawn(segments.clone(), 500);
    assert!(drawn.len() <= 500);
    assert_eq!((drawn[0].from, drawn.last().unwrap().until), (at(0), at(20_000)));
    assert!(drawn.windows(2).all(|pair| pair[0].until == pair[1].from));
    assert!(drawn.iter().any(|segment| segment.status == Status::Down));
    assert_eq!(super::drawn(segments[..500].to_vec(), 500), segments[..500]);
    assert_eq!(cells(&[], 40), []);
}
