//! Since when something held, where the record has gaps: a stepped clock, a removal, an older file.

use super::*;

#[test]
fn who_was_taken_out_of_the_configuration_is_not_watched_until_it_is_back() {
    // Down when it was removed; readyd was restarted before it was back.
    let entries = [
        change(50, "ok", 200, "down"),
        change(200, "down", 300, "not_watched"),
        dark(400, 410),
        change(700, "starting", 800, "ok"),
    ];
    check(
        record(entries, Status::Ok, 800),
        expect![
            "ok 100..200 | down 200..300 | not_watched 300..700 | starting 700..800 | ok 800..1000 | up 0.750, 1 outages, 1 flaps, detect -, recover 600s/600s/600s of 1"
        ],
    );
    // It is back, and nothing has changed since.
    check(
        record([change(50, "ok", 300, "not_watched")], Status::Ok, 600),
        expect![
            "ok 100..300 | not_watched 300..600 | ok 600..1000 | up 1.000, 0 outages, 0 flaps, detect -, recover -"
        ],
    );
}

#[test]
fn a_clock_that_was_stepped_back_long_ago_costs_no_later_stamp_its_worth() {
    check(
        record([step(100, 60)], Status::Ok, 990),
        expect!["not_watched 100..990 | ok 990..1000 | up 1.000, 0 outages, 0 flaps, detect -, recover -"],
    );
    // Of before the step: it has held ever since.
    check(
        record([step(500, 300)], Status::Ok, 200),
        expect!["not_watched 100..200 | ok 200..1000 | up 1.000, 0 outages, 0 flaps, detect -, recover -"],
    );
    check(
        record([step(160, 127), change(630, "down", 980, "ok")], Status::Ok, 980),
        expect![
            "not_watched 100..630 | down 630..980 | ok 980..1000 | up 0.054, 1 outages, 1 flaps, detect -, recover 350s/350s/350s of 1"
        ],
    );
}

#[test]
fn rows_of_before_the_record_begins_are_not_believed() {
    let migrated = |entries: Vec<Entry>| Record {
        begins: at(500),
        ..record(entries, Status::Ok, 700)
    };
    let old = [change(50, "ok", 200, "down"), change(200, "down", 300, "draining")];
    let then = [change(450, "down", 700, "ok")];
    check(
        migrated([&old[..], &then[..]].concat()),
        expect![
            "not_watched 100..500 | down 500..700 | ok 700..1000 | up 0.600, 1 outages, 1 flaps, detect -, recover 200s/200s/200s of 1"
        ],
    );
    // After it began the clock was set back to before that: what is lived from there on is known.
    let stepped = [step(600, 400), change(450, "down", 700, "ok")];
    check(
        migrated([&old[..], &stepped[..]].concat()),
        expect![
            "not_watched 100..450 | down 450..700 | ok 700..1000 | up 0.545, 1 outages, 1 flaps, detect -, recover 250s/250s/250s of 1"
        ],
    );
}
