//! The store as specs: on real files, with a real writer.
#![expect(clippy::disallowed_methods, reason = "shell: specs of a shell, on real files")]

mod disk;
mod failure;
mod history;
mod lost;
mod merging;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use expect_test::expect;
use tempfile::TempDir;

use super::schema::Unfit;
use super::{Fold, MergedWindow, OpenError, Opened, Persist, Restored, Store, StoreEvent, TransitionQuery, Writer};
use crate::clock;
use crate::history::Entry;
use crate::ingest::delta::{Batch, Reporter};
use crate::ingest::hub::{Hub, HubSettings};
use crate::ingest::registry::Pair;
use crate::readiness::snapshot::Transition;
use crate::words::{ProbeName, TenantName, Wall};

/// The answer of the next successful commit is lost, as when an error of a COMMIT that is in is all one hears; or the next
/// checkpoint fails.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fault(Arc<[AtomicBool; 2]>);

impl Fault {
    pub(super) fn after_commit(&self, done: Result<u64, Unfit>) -> Result<u64, Unfit> {
        match done {
            Ok(_) if self.0[0].swap(false, Ordering::AcqRel) => Err(Unfit::Io("the answer was lost".into())),
            done => done,
        }
    }

    pub(super) fn after_checkpoint(&self, done: Result<bool, Unfit>) -> Result<bool, Unfit> {
        match done {
            Ok(true) if self.0[1].swap(false, Ordering::AcqRel) => Err(Unfit::Io("the checkpoint failed".into())),
            done => done,
        }
    }

    fn lose_the_next_answer(&self) {
        self.0[0].store(true, Ordering::Release);
    }

    fn fail_the_next_checkpoint(&self) {
        self.0[1].store(true, Ordering::Release);
    }
}

/// A spec that cannot run here says so. Where everything is to be tested (`CI=true`) that is a failure.
pub(crate) fn left_out(why: &str) {
    let ci = std::env::var("CI").is_ok_and(|value| value == "true");
    assert!(!ci, "cannot run here: {why}");
    eprintln!("left out: {why}");
}

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A store at work.
pub(crate) struct House {
    pub hub: Arc<Hub>,
    pub writer: Option<Writer>,
    pub events: Receiver<StoreEvent>,
    /// Producers that came (`+gw-1`) and went (`-gw-1`).
    pub reporters: Receiver<String>,
    fault: Fault,
    reader: super::Reader,
    pub stats: Arc<super::Stats>,
    pub restored: Restored,
}

impl House {
    pub fn new(dir: &Path) -> House {
        let Opened {
            store,
            restored,
            producers,
        } = open(dir).unwrap();
        let settings = HubSettings {
            node: "node".into(),
            peers: BTreeMap::new(),
        };
        let (report, reporters) = channel();
        let report = Mutex::new(report);
        let on_reporter = move |Reporter(name), connected| {
            let sign = if connected { '+' } else { '-' };
            let _ = report.lock().unwrap().send(format!("{sign}{name}"));
        };
        let hub = Hub::new(settings, producers, Box::new(on_reporter));
        let fault = store.database.fault.clone();
        let (reader, stats) = (store.reader(), store.stats());
        let (tell, events) = channel();
        let tell = Mutex::new(tell);
        let on_event = Box::new(move |event| {
            // The test may have ended.
            let _ = tell.lock().unwrap().send(event);
        });
        let writer = Some(Writer::start(store, hub.clone(), on_event).unwrap());
        House {
            hub,
            writer,
            events,
            reporters,
            fault,
            reader,
            stats,
            restored,
        }
    }

    pub fn persist(&self, persist: Persist) {
        self.writer.as_ref().unwrap().persist(persist);
    }

    /// Counts one failure of an endpoint; blocks until it is on disk.
    pub fn count(&self, endpoint: &str) -> u64 {
        let line = format!("{{\"tenant\":\"acme\",\"endpoint\":\"{endpoint}\",\"status\":503}}\n");
        self.hub.submit(line.as_bytes()).unwrap().accepted
    }

    /// As a connection of that pair that has counted up to `last_seq` and is gone.
    fn claim_and_advance(&self, pair: &Pair, last_seq: u64) {
        self.hub.with_registry(|registry| {
            registry.claim(pair, 1, noon()).unwrap();
            registry.advance(pair, last_seq, noon());
        });
    }

    pub fn next(&self) -> StoreEvent {
        self.events.recv_timeout(PATIENCE).unwrap()
    }

    pub fn next_batch(&self) -> Batch {
        loop {
            if let StoreEvent::Committed(batch) = self.next() {
                return batch;
            }
        }
    }

    /// Waits for an event and says what came before it, as words.
    pub fn until(&self, wanted: &str) -> Vec<String> {
        let mut heard = Vec::new();
        while heard.last().map(String::as_str) != Some(wanted) {
            heard.push(word(&self.next()));
            assert!(heard.len() < 1000, "{heard:?}");
        }
        heard
    }

    pub fn stop(mut self) {
        assert!(self.writer.take().unwrap().stop(PATIENCE));
    }
}

/// Somebody who holds the database's write lock, as `sqlite3` in a careless hand: commits fail.
pub(crate) struct Intruder {
    _connection: rusqlite::Connection,
}

impl Intruder {
    pub fn new(dir: &Path) -> Intruder {
        let connection = rusqlite::Connection::open(dir.join("readyd.sqlite")).unwrap();
        connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        Intruder {
            _connection: connection,
        }
    }
}

fn word(event: &StoreEvent) -> String {
    match event {
        StoreEvent::Committed(_) => "committed".into(),
        StoreEvent::Persisted { ticket } => format!("persisted {ticket}"),
        StoreEvent::Failing { .. } => "failing".into(),
        StoreEvent::Recovered => "recovered".into(),
        StoreEvent::Merged { folded } => format!("merged {folded}"),
        StoreEvent::Quarantined { .. } => "quarantined".into(),
        StoreEvent::BegunAnew => "begun anew".into(),
        StoreEvent::QuarantineCleared => "cleared".into(),
    }
}

/// A body is a list of letters here, so that a merge shows its order. Its rollup is its length, and a `!` that is added
/// to another body is an event that was folded.
fn merge(old: Option<&[u8]>, new: &[u8]) -> MergedWindow {
    let body = [old.unwrap_or_default(), new].concat();
    MergedWindow {
        rollup: Some(body.len().to_string()),
        folded: old.map_or(0, |_| new.iter().filter(|byte| **byte == b'!').count() as u64),
        body,
    }
}

pub(crate) fn open(dir: &Path) -> Result<Opened, OpenError> {
    Store::open(dir, merge, noon())
}

fn noon() -> Wall {
    Wall::parse_rfc3339("2026-11-20T07:31:07Z").unwrap()
}

pub(crate) fn tenant(name: &str) -> TenantName {
    TenantName::parse(name).unwrap()
}

fn database(dir: &TempDir) -> PathBuf {
    dir.path().join("readyd.sqlite")
}

/// endpoint → events, as the next start would find them in the log.
pub(crate) fn on_disk(dir: &Path) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for batch in open(dir).unwrap().restored.log {
        for (key, count) in batch.cells {
            *counts.entry(key.subject.endpoint.to_string()).or_default() += count.count;
        }
    }
    counts
}

pub(crate) fn of(counts: &[(&str, u64)]) -> BTreeMap<String, u64> {
    counts.iter().map(|(name, count)| (name.to_string(), *count)).collect()
}

fn state(ticket: u64, key: &str, body: Option<&str>) -> Persist {
    Persist {
        ticket,
        state: BTreeMap::from([(key.into(), body.map(Into::into))]),
        ..Persist::default()
    }
}

#[test]
fn what_was_counted_is_found_again_until_a_fold_contains_it() {
    let dir = TempDir::new().unwrap();
    let house = House::new(dir.path());
    assert_eq!(house.count("crm"), 1);
    assert_eq!(house.count("erp"), 1);
    let (first, second) = (house.next_batch(), house.next_batch());
    assert!(first.log_id < second.log_id);
    house.stop();
    assert_eq!(on_disk(dir.path()), of(&[("crm", 1), ("erp", 1)]));

    let house = House::new(dir.path());
    house.persist(Persist {
        ticket: 7,
        fold: Some(Fold {
            upto: first.log_id,
            slots: vec![(1_795_163_440, b"slot".into())],
            ..Fold::default()
        }),
        ..Persist::default()
    });
    house.until("persisted 7");
    house.stop();
    assert_eq!(on_disk(dir.path()), of(&[("erp", 1)]));
    assert_eq!(
        open(dir.path()).unwrap().restored.slots,
        [(1_795_163_440, b"slot".into())]
    );
}

#[test]
fn log_ids_go_on_after_a_restart_though_every_entry_is_folded() {
    let dir = TempDir::new().unwrap();
    let house = House::new(dir.path());
    house.count("crm");
    let upto = house.next_batch().log_id;
    let fold = Some(Fold {
        upto,
        ..Fold::default()
    });
    house.persist(Persist {
        ticket: 1,
        fold,
        ..Persist::default()
    });
    house.until("persisted 1");
    house.stop();
    let house = House::new(dir.path());
    assert!(house.restored.log.is_empty());
    house.count("crm");
    assert!(house.next_batch().log_id > upto);
}

#[test]
fn a_start_finds_state_slots_and_the_newest_five_windows() {
    let dir = TempDir::new().unwrap();
    let house = House::new(dir.path());
    house.persist(state(1, "drain", Some("{}")));
    house.persist(state(2, "gone", Some("{}")));
    house.persist(state(3, "gone", None));
    let windows = (0..7).map(|index| (index * 300, tenant("acme"), vec![index as u8]));
    house.persist(Persist {
        ticket: 4,
        fold: Some(Fold {
            slots: vec![(10, b"old".into()), (20, b"new".into())],
            slots_from: 20,
            windows: windows.collect(),
            late: vec![
                (300, tenant("acme"), b"+".into()),
                (300, tenant("beta"), b"alone".into()),
            ],
            windows_from: 300,
            rollups: vec![(0, tenant("acme"), "{}".into()), (300, tenant("acme"), "[1]".into())],
            rollups_from: 300,
            ..Fold::default()
        }),
        ..Persist::default()
    });
    house.until("persisted 4");
    let show = |bodies: Vec<(TenantName, Vec<u8>)>| format!("{bodies:?}");
    let read = [
        show(house.reader.windows(0).unwrap()),
        show(house.reader.windows(300).unwrap()),
        format!("{:?}", house.reader.rollups(0, 1000).unwrap()),
    ];
    expect![[r#"
        []
        [(TenantName("acme"), [1, 43]), (TenantName("beta"), [97, 108, 111, 110, 101])]
        [(300, TenantName("acme"), "2"), (300, TenantName("beta"), "5")]"#]]
    .assert_eq(&read.join("\n"));
    house.stop();

    let restored = open(dir.path()).unwrap().restored;
    assert_eq!(restored.state, BTreeMap::from([("drain".into(), "{}".into())]));
    assert_eq!(restored.slots, [(20, b"new".into())]);
    let starts: Vec<i64> = restored.windows.iter().map(|(start, _, _)| *start).collect();
    assert_eq!(starts, [600, 900, 1200, 1500, 1800]);
}

#[test]
fn the_rollup_follows_a_late_merge_also_when_an_older_one_waited_with_it() {
    let dir = TempDir::new().unwrap();
    let house = House::new(dir.path());
    let fold = |ticket, windows: &[&str], late: &[&str], rollup: &[&str]| {
        let of = |bodies: &[&str]| {
            bodies
                .iter()
                .map(|body| (300, tenant("acme"), (*body).into()))
                .collect()
        };
        Persist {
            ticket,
            fold: Some(Fold {
                windows: of(windows),
                late: of(late),
                rollups: rollup
                    .iter()
                    .map(|body| (300, tenant("acme"), (*body).into()))
                    .collect(),
                ..Fold::default()
            }),
            ..Persist::default()
        }
    };
    let intruder = Intruder::new(dir.path());
    house.persist(fold(1, &["abc"], &[], &["3"]));
    house.until("failing");
    house.persist(fold(2, &[], &["d!", "e"], &[]));
    drop(intruder);
    assert_eq!(house.until("persisted 2"), ["recovered", "merged 1", "persisted 2"]);
    assert_eq!(
        house.reader.windows(300).unwrap(),
        [(tenant("acme"), b"abcd!e".to_vec())]
    );
    assert_eq!(
        house.reader.rollups(0, 1000).unwrap(),
        [(300, tenant("acme"), "6".into())]
    );
}

#[test]
fn transitions_are_asked_for_by_time_tenant_and_probe_newest_first() {
    let dir = TempDir::new().unwrap();
    let house = House::new(dir.path());
    let now = clock::now().wall;
    let transition = |ago: i64, tenant: Option<&str>, probe: Option<&str>, to: &str| Transition {
        at: now.plus_millis(-ago),
        tenant: tenant.and_then(TenantName::parse),
        probe: probe.and_then(ProbeName::parse),
        from: "ok".into(),
        to: to.into(),
        summary: "why".into(),
        since: None,
        last_good_at: None,
        first_bad_at: None,
    };
    house.persist(Persist {
        ticket: 1,
        history: [
            transition(91 * 86_400_000, None, None, "too old"),
            transition(3000, Some("acme"), Some("doctor"), "a"),
            transition(2000, Some("beta"), Some("doctor"), "b"),
            transition(1000, None, None, "c"),
        ]
        .map(Entry::Change)
        .into(),
        ..Persist::default()
    });
    house.until("persisted 1");
    let ask = |query: TransitionQuery| {
        let found = house.reader.transitions(&query).unwrap();
        found.into_iter().map(|transition| transition.to).collect::<Vec<_>>()
    };
    let limit = 10;
    let all = TransitionQuery {
        limit,
        ..TransitionQuery::default()
    };
    assert_eq!(ask(all.clone()), ["c", "b", "a"]);
    assert_eq!(
        ask(TransitionQuery {
            limit: 1,
            ..all.clone()
        }),
        ["c"]
    );
    let since = Some(now.plus_millis(-2000));
    assert_eq!(ask(TransitionQuery { since, ..all.clone() }), ["c", "b"]);
    let of_acme = Some(tenant("acme"));
    assert_eq!(
        ask(TransitionQuery {
            tenant: of_acme,
            ..all.clone()
        }),
        ["a"]
    );
    let doctor = ProbeName::parse("doctor");
    assert_eq!(ask(TransitionQuery { probe: doctor, ..all }), ["b", "a"]);
}

#[test]
fn readers_neither_wait_for_a_writer_nor_hold_it_up() {
    let dir = TempDir::new().unwrap();
    let house = House::new(dir.path());
    let reading = rusqlite::Connection::open(database(&dir)).unwrap();
    reading.execute_batch("BEGIN; SELECT * FROM log;").unwrap();
    assert_eq!(house.count("crm"), 1);
    let writing = rusqlite::Connection::open(database(&dir)).unwrap();
    writing.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(house.reader.windows(0).unwrap().is_empty());
}

#[test]
fn commits_are_measured() {
    let dir = TempDir::new().unwrap();
    let house = House::new(dir.path());
    house.count("crm");
    let seconds = house.stats.commit_seconds();
    assert_eq!(seconds.get_sample_count(), 1);
    assert!(seconds.get_sample_sum() > 0.0);
    assert!(house.stats.bytes().0 > 0);
    assert_eq!(house.stats.failing(), None);
}
