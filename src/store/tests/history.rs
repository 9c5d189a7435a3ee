//! The record of history on disk: what an older file becomes, what is forgotten, and what ninety days cost.

use std::time::Instant;

use rusqlite::Connection;

use super::{House, open};
use crate::clock;
use crate::history::{Asked, Entry, Present, Record, SPAN_MAX, Slo, Slos, Status, Unwatched, Who, Why, report};
use crate::readiness::snapshot::Transition;
use crate::store::history::bound;
use crate::store::{OpenError, Persist, RecordQuery, RecordRows, TransitionQuery};
use crate::words::{ProbeName, TenantName, Wall};

use tempfile::TempDir;

const DAY: i64 = 86_400_000;

/// As version 1 made its tables, word by word.
const VERSION_1: &str = "
CREATE TABLE header (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    -- Grows with each commit: tells whether a commit of unknown outcome is in.
    commit_no INTEGER NOT NULL,
    -- The last log id that was given out, also when its row is folded and gone.
    log_id INTEGER NOT NULL,
    -- The readyd that last wrote here.
    written_by TEXT NOT NULL
) STRICT;
CREATE TABLE log (id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE producers (
    producer TEXT NOT NULL,
    epoch TEXT NOT NULL,
    uid INTEGER NOT NULL,
    -- u64 in two's complement.
    last_seq INTEGER NOT NULL,
    seen INTEGER NOT NULL,
    -- Order of first appearance: the eight newest epochs of a producer are kept.
    born INTEGER NOT NULL,
    retired INTEGER NOT NULL,
    PRIMARY KEY (producer, epoch)
) STRICT, WITHOUT ROWID;
-- What sources within readyd remember of what they have counted; see `Mark`.
CREATE TABLE marks (
    source TEXT NOT NULL,
    key TEXT NOT NULL,
    body TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (source, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE state (key TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE transitions (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    tenant TEXT,
    probe TEXT,
    was TEXT NOT NULL,
    became TEXT NOT NULL,
    summary TEXT NOT NULL
) STRICT;
CREATE INDEX transitions_at ON transitions (at);
CREATE TABLE slots (start INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE windows (start INTEGER NOT NULL, tenant TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (start, tenant)) STRICT;
CREATE TABLE rollups (
    start INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (start, tenant)
) STRICT, WITHOUT ROWID;
";

fn change(at: Wall, tenant: Option<&str>, probe: Option<&str>, to: &str) -> Entry {
    Entry::Change(Transition {
        at,
        tenant: tenant.and_then(TenantName::parse),
        probe: probe.and_then(ProbeName::parse),
        from: "ok".into(),
        to: to.into(),
        summary: "gateway: refused by 127.0.0.1:18789".into(),
        since: Some(at.plus_millis(-1000)),
        last_good_at: Some(at.plus_millis(-20)),
        first_bad_at: Some(at.plus_millis(-10)),
    })
}

fn untold(entry: Entry) -> Entry {
    match entry {
        Entry::Change(change) => Entry::Change(Transition {
            summary: String::new(),
            ..change
        }),
        dark @ Entry::Unwatched(_) => dark,
    }
}

fn all_since(since: Wall) -> RecordQuery {
    RecordQuery {
        since,
        tenant: None,
        probe: None,
        listed: TransitionQuery {
            limit: 10,
            ..TransitionQuery::default()
        },
    }
}

fn read(house: &House, wanted: &RecordQuery) -> RecordRows {
    house.reader.record(wanted, &|_| true).unwrap()
}

#[test]
fn what_is_written_is_read_in_the_order_in_which_it_came() {
    let dir = TempDir::new().unwrap();
    let house = House::new(dir.path());
    let now = clock::now().wall;
    let dark = Entry::Unwatched(Unwatched {
        from: now.plus_millis(-40),
        until: now.plus_millis(-30),
        why: Why::Asleep,
    });
    let history = vec![
        change(now.plus_millis(-50), Some("acme"), None, "down"),
        dark,
        change(now.plus_millis(-20), None, None, "degraded"),
        change(now.plus_millis(-60), Some("acme"), Some("doctor"), "down"),
        change(now.plus_millis(-10), Some("beta"), Some("doctor"), "down"),
    ];
    house.persist(Persist {
        ticket: 1,
        state: [("tenant/acme".to_owned(), Some("{}".to_owned()))].into(),
        history: history.clone(),
        ..Persist::default()
    });
    house.until("persisted 1");
    let entries = |rows: &RecordRows| {
        let entries = rows.entries.iter();
        entries.map(|(_, entry)| entry.clone()).collect::<Vec<_>>()
    };
    // Why it changed is read where it is listed.
    let history: Vec<Entry> = history.into_iter().map(untold).collect();

    let verdicts = read(&house, &all_since(now.plus_millis(-100)));
    assert_eq!(entries(&verdicts), history[..3]);
    assert_eq!(verdicts.state, [("tenant/acme".to_owned(), "{}".to_owned())]);
    assert!(
        (0..60_000).contains(&now.millis_since(verdicts.begins)),
        "a new file begins now"
    );
    let listed: Vec<&str> = verdicts.transitions.iter().map(|listed| listed.to.as_str()).collect();
    assert_eq!(
        listed,
        ["down", "degraded", "down", "down"],
        "times unwatched are no transitions"
    );

    let acme = RecordQuery {
        tenant: TenantName::parse("acme"),
        ..all_since(now.plus_millis(-30))
    };
    assert_eq!(
        entries(&read(&house, &acme)),
        history[1..3],
        "its check changed earlier"
    );
    let doctors = RecordQuery {
        probe: ProbeName::parse("doctor"),
        ..all_since(now.plus_millis(-100))
    };
    assert_eq!(entries(&read(&house, &doctors)), history);
}

#[test]
fn a_file_of_version_1_keeps_its_transitions_and_claims_nothing_of_before() {
    let dir = TempDir::new().unwrap();
    let old = Connection::open(dir.path().join("readyd.sqlite")).unwrap();
    old.execute_batch(VERSION_1).unwrap();
    old.execute_batch(
        "PRAGMA application_id = 0x72647964; PRAGMA user_version = 1;
         INSERT INTO header VALUES (1, 7, 3, '0.1.0');
         INSERT INTO state VALUES ('operations', '{}');",
    )
    .unwrap();
    let before = clock::now().wall;
    old.execute(
        "INSERT INTO transitions (at, tenant, probe, was, became, summary) VALUES (?1, 'acme', NULL, 'ok', 'down', 'why')",
        [before.plus_millis(-1000).as_millis()],
    )
    .unwrap();
    drop(old);

    let house = House::new(dir.path());
    assert_eq!(house.restored.state["operations"], "{}");
    let rows = read(&house, &all_since(before.plus_millis(-10_000)));
    assert_eq!(rows.entries.len(), 1);
    assert_eq!(rows.transitions[0].summary, "why");
    assert_eq!(rows.transitions[0].since, None);
    assert!(rows.begins >= before);
    let present = Present {
        who: Who {
            tenant: TenantName::parse("acme"),
            check: None,
        },
        status: Status::Down,
        since: before.plus_millis(-1000),
    };
    let record = Record {
        entries: rows.entries.clone(),
        presents: vec![present],
        begins: rows.begins,
        ..Record::default()
    };
    let asked = Asked {
        node: "mac-3".into(),
        now: rows.begins.plus_millis(5000),
        span: std::time::Duration::from_secs(600),
        slos: &Slos::new(),
    };
    let told = report(record, |_| true, &asked).subjects.remove(0).segments;
    let told: Vec<_> = told.iter().map(|segment| (segment.status, segment.until)).collect();
    let known = (Status::Down, rows.begins.plus_millis(5000));
    assert_eq!(told, [(Status::NotWatched, rows.begins), known]);
    // It is written as if it had always been of this version.
    house.persist(Persist {
        ticket: 1,
        history: vec![change(clock::now().wall, None, None, "down")],
        ..Persist::default()
    });
    house.until("persisted 1");
    let begins = rows.begins;
    house.stop();
    let again = House::new(dir.path());
    let rows = read(&again, &all_since(before.plus_millis(-10_000)));
    assert_eq!(
        (rows.entries.len(), rows.begins),
        (2, begins),
        "a second start migrates nothing"
    );
}

#[test]
fn a_readyd_of_version_1_would_refuse_the_file_as_this_one_refuses_the_next() {
    let dir = TempDir::new().unwrap();
    House::new(dir.path()).stop();
    let file = Connection::open(dir.path().join("readyd.sqlite")).unwrap();
    let version: i32 = file.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, 3);
    file.pragma_update(None, "user_version", 4).unwrap();
    drop(file);
    let refused = open(dir.path()).err();
    assert!(
        matches!(refused, Some(OpenError::Newer { found: 4, known: 3, .. })),
        "{refused:?}"
    );
}

#[test]
fn what_is_too_much_goes_from_the_crowd_first_and_then_the_oldest_and_it_is_said() {
    let dir = TempDir::new().unwrap();
    let house = House::new(dir.path());
    let now = clock::now().wall;
    let mut history = vec![Entry::Unwatched(Unwatched {
        from: now.plus_millis(-10_000),
        until: now.plus_millis(-9000),
        why: Why::Stopped,
    })];
    history.extend((0..10).map(|nth| change(now.plus_millis(-8000 + nth), Some("calm"), None, "down")));
    history.extend((0..100).map(|nth| change(now.plus_millis(-7000 + nth), Some("acme"), None, "down")));
    house.persist(Persist {
        ticket: 1,
        history,
        ..Persist::default()
    });
    house.until("persisted 1");
    house.stop();

    let mut file = Connection::open(dir.path().join("readyd.sqlite")).unwrap();
    file.execute("UPDATE header SET history_from = 5", []).unwrap();
    let counts = |file: &Connection| -> (i64, i64, i64, i64) {
        file.query_row(
            "SELECT count(*), sum(tenant IS 'calm'), sum(kind), (SELECT history_from FROM header) FROM transitions",
            [],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)),
        )
        .unwrap()
    };
    let shrink = |file: &mut Connection, rows_max, of_subject| {
        let transaction = file.transaction().unwrap();
        bound(&transaction, rows_max, of_subject).unwrap();
        transaction.commit().unwrap();
    };
    shrink(&mut file, 200, 1);
    assert_eq!(counts(&file), (111, 10, 1, 5), "it is not too much");
    shrink(&mut file, 100, 50);
    assert_eq!(counts(&file), (61, 10, 1, 5), "one that flaps costs the others nothing");
    shrink(&mut file, 55, 50);
    let (rows, calm, dark, begins) = counts(&file);
    assert_eq!((rows, calm, dark), (55, 5, 0));
    assert_eq!(
        begins,
        now.plus_millis(-8000 + 4).as_millis(),
        "up to the last one that is gone"
    );
}

#[test]
fn ninety_days_of_256_tenants_are_read_in_a_moment_and_take_little_room() {
    const TENANTS: i64 = 256;
    const A_DAY: i64 = 4;
    let dir = TempDir::new().unwrap();
    House::new(dir.path()).stop();
    let path = dir.path().join("readyd.sqlite");
    let now = clock::now().wall;
    let mut file = Connection::open(&path).unwrap();
    let began = now.as_millis() - 90 * DAY;
    file.execute("UPDATE header SET history_from = ?1", [began]).unwrap();
    let transaction = file.transaction().unwrap();
    let mut entries = Vec::new();
    // Each tenant is down for a minute twice a day, and readyd was restarted once.
    for nth in 0..90 * A_DAY {
        for tenant in 0..TENANTS {
            let at = began + nth * (DAY / A_DAY) + tenant * 60_000;
            let goes = nth % 2 == 0;
            let Entry::Change(seen) = change(Wall::from_millis(at), None, None, "down") else {
                continue;
            };
            entries.push(Entry::Change(Transition {
                tenant: TenantName::parse(&format!("t{tenant:03}")),
                from: if goes { "ok" } else { "down" }.into(),
                to: if goes { "down" } else { "ok" }.into(),
                since: Some(Wall::from_millis(at - DAY / A_DAY)),
                ..seen
            }));
        }
        if nth % A_DAY == 0 {
            let until = Wall::from_millis(began + nth * (DAY / A_DAY));
            entries.push(Entry::Unwatched(Unwatched {
                from: until.plus_millis(-2000),
                until,
                why: Why::Stopped,
            }));
        }
    }
    super::super::history::write(&transaction, &entries).unwrap();
    transaction.commit().unwrap();
    drop(file);
    let bytes = std::fs::metadata(&path).unwrap().len();

    let house = House::new(dir.path());
    let reading = Instant::now();
    let since = now.plus_millis(-i64::try_from(SPAN_MAX.as_millis()).unwrap());
    let rows = read(&house, &all_since(since));
    let read_in = reading.elapsed();
    let presents = (0..TENANTS).map(|tenant| Present {
        who: Who {
            tenant: TenantName::parse(&format!("t{tenant:03}")),
            check: None,
        },
        status: Status::Ok,
        since: now.plus_millis(-DAY / A_DAY),
    });
    let record = Record {
        presents: presents.collect(),
        alive: Some(now),
        begins: rows.begins,
        entries: rows.entries,
        transitions: rows.transitions,
    };
    let (n, slo) = (
        record.entries.len(),
        Slo {
            target: 0.995,
            window: std::time::Duration::from_secs(30 * 86_400),
        },
    );
    let slos: Slos = record
        .presents
        .iter()
        .filter_map(|present| Some((present.who.tenant.clone()?, slo)))
        .collect();
    let counting = Instant::now();
    let asked = Asked {
        node: "mac-3".into(),
        now,
        span: SPAN_MAX,
        slos: &slos,
    };
    let told = report(record, |_| true, &asked);
    let told_in = counting.elapsed();
    let json = serde_json::to_string(&told).unwrap().len();
    println!("{n} rows, {bytes} bytes on disk, read in {read_in:?}, told in {told_in:?}, {json} bytes of JSON");
    assert_eq!(told.subjects.len(), 256);
    assert!(
        told.subjects.iter().all(|subject| subject.outages >= 179),
        "every outage is counted"
    );
    assert!(bytes < 250 * u64::try_from(n).unwrap(), "{bytes} bytes for {n} rows");
    assert!(json < 4_000_000, "{json} bytes of JSON");
    // An unoptimised build on a busy machine; optimised it is a tenth of that.
    assert!(
        read_in + told_in < std::time::Duration::from_secs(20),
        "{read_in:?} and {told_in:?}"
    );
}
