//! What waits is merged key by key. Pure.

use std::collections::BTreeMap;

use super::super::pending::{Kept, Pending};
use super::super::{Fold, Persist};
use super::{merge, tenant};
use crate::history::{Entry, Unwatched, Why};
use crate::ingest::delta::{Batch, CellCount, CellKey, Reporter, Subject};
use crate::readiness::snapshot::Transition;
use crate::words::{Code, Via, Wall};

fn kept(persists: Vec<Persist>) -> Kept {
    let mut kept = Kept::default();
    for persist in persists {
        kept.absorb(Kept::new(persist, merge), merge);
    }
    kept
}

#[test]
fn what_comes_later_replaces_what_came_before_key_by_key() {
    let of = |ticket, pairs: &[(&str, Option<&str>)]| Persist {
        ticket,
        state: pairs
            .iter()
            .map(|(key, body)| (key.to_string(), body.map(str::to_owned)))
            .collect(),
        ..Persist::default()
    };
    let kept = kept(vec![
        of(1, &[("a", Some("1")), ("b", Some("1"))]),
        of(2, &[("b", None), ("c", Some("2"))]),
    ]);
    assert_eq!(kept.ticket, 2);
    let wanted = [("a", Some("1")), ("b", None), ("c", Some("2"))];
    let wanted = wanted.map(|(key, body)| (key.to_owned(), body.map(str::to_owned)));
    assert_eq!(kept.state, BTreeMap::from(wanted));
}

#[test]
fn late_parts_of_one_window_add_up_and_forgotten_windows_go() {
    let fold = |upto, late: &str, windows_from| Persist {
        fold: Some(Fold {
            upto,
            windows: vec![(0, tenant("acme"), b"whole".into())],
            late: vec![(300, tenant("acme"), late.into()), (300, tenant("acme"), b"!".into())],
            windows_from,
            ..Fold::default()
        }),
        ..Persist::default()
    };
    let fold = kept(vec![fold(1, "a", 0), fold(2, "b", 300)]).fold.unwrap();
    assert_eq!(fold.upto, 2);
    assert!(fold.windows.is_empty());
    assert_eq!(fold.late[&(300, tenant("acme"))], b"a!b!");
    assert_eq!(
        fold.folded, 3,
        "`!`, then `b!` in the second, then all of the second into the first"
    );
}

#[test]
fn batches_of_one_slot_are_one_and_those_of_two_are_two() {
    let batch = |seconds: i64, reporter: &str| Batch {
        log_id: 0,
        arrival: Wall::from_millis(seconds * 1000),
        cells: Vec::new(),
        reporters: vec![(Reporter(reporter.into()), tenant("acme"))],
        rejected: 1,
        marks: Vec::new(),
        lags: Vec::new(),
    };
    let mut ids = 1..;
    let mut pending = Pending::default();
    for batch in [batch(11, "a"), batch(10, "a"), batch(19, "b"), batch(20, "a")] {
        pending.push(batch, || ids.next().unwrap());
    }
    let seen: Vec<_> = pending
        .batches
        .iter()
        .map(|batch| {
            (
                batch.log_id,
                batch.arrival.as_secs(),
                batch.reporters.len(),
                batch.rejected,
            )
        })
        .collect();
    assert_eq!(seen, [(1, 10, 2, 3), (2, 20, 1, 1)]);
}

/// One failure of one endpoint, `seconds` after 1970.
fn failure(seconds: i64) -> Batch {
    let arrival = Wall::from_millis(seconds * 1000);
    let subject = Subject {
        tenant: tenant("acme"),
        endpoint: "crm".into(),
        gateway: "gw".into(),
    };
    let key = CellKey {
        subject: subject.into(),
        code: Code::Status(503),
        window: 0,
        live: true,
        via: Via::Socket,
    };
    let count = CellCount {
        count: 1,
        max_attempt: 0,
        first: arrival,
        last: arrival,
        sample: None,
    };
    Batch {
        log_id: 0,
        arrival,
        cells: vec![(key, count)],
        reporters: Vec::new(),
        rejected: 0,
        marks: Vec::new(),
        lags: Vec::new(),
    }
}

#[test]
fn an_outage_costs_cells_and_not_batches() {
    let mut ids = 1..;
    let mut pending = Pending::default();
    for seconds in [10, 11, 12, 20, 21] {
        pending.push(failure(seconds), || ids.next().unwrap());
    }
    let cells = |pending: &Pending| {
        pending
            .batches
            .iter()
            .map(|batch| batch.cells.len())
            .collect::<Vec<_>>()
    };
    assert_eq!(cells(&pending), [1, 2], "a slot that has ended is added up");
    pending.merge();
    assert_eq!(cells(&pending), [1, 1], "and the other one before anybody is refused");
    let counts: Vec<u64> = pending.batches.iter().map(|batch| batch.cells[0].1.count).collect();
    assert_eq!(counts, [3, 2]);
}

#[test]
fn what_was_merely_refused_makes_no_batch_of_its_own_where_there_is_one() {
    let mut ids = 1..;
    let mut pending = Pending::default();
    pending.push(failure(10), || ids.next().unwrap());
    for slot in 2..1000 {
        let refused = Batch {
            cells: Vec::new(),
            rejected: 1,
            ..failure(slot * 10)
        };
        pending.push(refused, || ids.next().unwrap());
    }
    assert_eq!(pending.batches.len(), 1);
    assert_eq!(pending.batches[0].arrival.as_secs(), 10);
    assert_eq!(pending.batches[0].rejected, 998);
}

#[test]
fn however_long_commits_fail_no_time_unwatched_is_lost_and_no_more_changes_than_fit_are_kept() {
    let dark = |from: i64| {
        Entry::Unwatched(Unwatched {
            from: Wall::from_millis(from),
            until: Wall::from_millis(from + 1),
            why: Why::Asleep,
        })
    };
    let change = |at: i64| {
        Entry::Change(Transition {
            at: Wall::from_millis(at),
            tenant: None,
            probe: None,
            from: "ok".into(),
            to: "down".into(),
            summary: String::new(),
            since: None,
            last_good_at: None,
            first_bad_at: None,
        })
    };
    let of = |history: Vec<Entry>| Persist {
        history,
        ..Persist::default()
    };
    let first = kept(vec![of(vec![dark(0)]), of((10..20_010).map(change).collect())]);
    assert_eq!(first.history.len(), 10_001);
    assert_eq!(first.history[..2], [dark(0), change(10_010)]);

    // Sleep after sleep: the oldest become one, in the place of the first.
    let naps = (0..1200)
        .flat_map(|nth| [dark(nth * 10), change(nth * 10 + 5)])
        .collect();
    let second = kept(vec![of(Vec::new()), of(naps)]).history;
    let one = Entry::Unwatched(Unwatched {
        from: Wall::from_millis(0),
        until: Wall::from_millis(2001),
        why: Why::Stopped,
    });
    assert_eq!(second[..2], [one, change(5)]);
    assert_eq!(second.len(), 1000 + 1200);
    assert_eq!(second[second.len() - 2], dark(11_990));
}
