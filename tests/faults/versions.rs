//! A database of another readyd: of a later one, and of an earlier one.

use std::fs;

use rusqlite::Connection;

use crate::harness::Node;
use crate::harness::producer::{Pace, Producer};
use crate::injector::{self, ALL_CALLS, ALL_FILES, Armed, DIE, Injector};
use crate::lanes::{in_lanes, spread};
use crate::tally::{Fault, Scale, Tally};

pub const FAULTS: &[Fault] = &[
    Fault {
        name: "downgrade",
        done: "a database of a later readyd, after an end and after a kill",
        promise: "refused with a sentence that says who wrote it and what to do; not a byte of it is changed",
        run: downgrade,
    },
    Fault {
        name: "upgrade-killed",
        done: "a database of version 1, and SIGKILL before each call of the start that migrates it",
        promise: "the next start migrates it, and each event counts once",
        run: upgrade,
    },
];

const CONFIG: &str =
    "tenants: {acme: {}}\nprobes: {doctor: {enabled: false}, write: {enabled: false}, disk: {enabled: false}}\n";

/// What the second version added, taken away.
const TO_VERSION_1: &str = "
DROP INDEX transitions_verdicts;
DROP INDEX transitions_checks;
ALTER TABLE header DROP COLUMN history_from;
ALTER TABLE transitions DROP COLUMN kind;
ALTER TABLE transitions DROP COLUMN since;
ALTER TABLE transitions DROP COLUMN last_good;
ALTER TABLE transitions DROP COLUMN first_bad;
PRAGMA user_version = 1;
";

fn downgrade(scale: Scale) -> Tally {
    let mut tally = Tally::default();
    let mut node = Node::start(CONFIG);
    let producer = Producer::start(&node, Pace::STEPS);
    for round in 0..scale.rounds(2, 10) {
        tally.round(&format!("round {round}"), || {
            producer.release();
            producer.until_progress(&node);
            producer.settle(&node);
            if round % 2 == 0 {
                node.stop();
            } else {
                node.kill();
            }
            let path = node.state_dir().join("readyd.sqlite");
            let database = Connection::open(&path).unwrap();
            // It stays in the log, if there is one.
            let no_checkpoint = rusqlite::config::DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE;
            database.set_db_config(no_checkpoint, round % 2 == 1).unwrap();
            let known: i32 = database
                .pragma_query_value(None, "user_version", |row| row.get(0))
                .unwrap();
            let written_by: String = database
                .query_row("SELECT written_by FROM header", [], |row| row.get(0))
                .unwrap();
            database
                .execute_batch("UPDATE header SET written_by = '9.1.0'; PRAGMA user_version = 99;")
                .unwrap();
            drop(database);
            let bytes =
                |suffix: &str| fs::read(node.state_dir().join(format!("readyd.sqlite{suffix}"))).unwrap_or_default();
            let before = ["", "-wal"].map(bytes);
            let output = node.cli(&["serve"]);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(1), "{said}");
            assert!(said.contains("was written by readyd 9.1.0 (schema 99"), "{said}");
            assert!(
                said.contains("run that readyd or a newer one, or move the file away"),
                "{said}"
            );
            assert!(["", "-wal"].map(bytes) == before, "it was changed");
            let database = Connection::open(&path).unwrap();
            database
                .execute("UPDATE header SET written_by = ?1", [written_by])
                .unwrap();
            database.pragma_update(None, "user_version", known).unwrap();
            drop(database);
            node.revive();
            producer.settle(&node);
        });
    }
    tally
}

fn upgrade(scale: Scale) -> Tally {
    if let Err(why) = injector::library() {
        return Tally::left_out(why);
    }
    let dying = |from| Armed {
        calls: ALL_CALLS,
        files: ALL_FILES,
        what: DIE,
        from,
        times: 1,
    };
    let begin = |_| {
        let (node, injector) = Injector::beside(Node::prepared(CONFIG));
        let node = node.started();
        let producer = Producer::start(&node, Pace::STEPS);
        (node, producer, injector)
    };
    let calls: Vec<u64> = (1..=100).collect();
    in_lanes(
        3,
        &spread(calls, scale, 6),
        begin,
        |(node, producer, injector), call| {
            producer.release();
            producer.until_progress(node);
            producer.settle(node);
            node.stop();
            let database = Connection::open(node.state_dir().join("readyd.sqlite")).unwrap();
            database.execute_batch(TO_VERSION_1).unwrap();
            drop(database);
            injector.arm(dying(*call));
            node.spawn();
            while node.is_running() && node.try_get("/livez").is_none() {
                crate::harness::pause();
            }
            let met = injector.failed() > 0;
            injector.disarm();
            node.revive();
            producer.settle(node);
            assert!(!node.log().contains("set aside"), "{}", node.log());
            met
        },
    )
}
