//! What waits for the writer: bounded, told once it is on disk, and given back on every way out.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::*;

use crate::clock;
use crate::ingest::connection::{Connection, Tenure};
use crate::ingest::fold::{Folder, Mode};
use crate::ingest::hub::{Hub, HubSettings};
use crate::ingest::parts::Parts;
use crate::ingest::registry::Pair;
use crate::ingest::source::Source;
use crate::ingest::submit::SubmitError;
use crate::store::tests::Intruder;
use crate::words::{Reject, Via};

/// A hub whose writer is the spec itself.
fn hub() -> Arc<Hub> {
    let settings = HubSettings {
        node: "node".into(),
        peers: [].into(),
    };
    Hub::new(settings, Vec::new(), Box::new(|_, _| {}))
}

fn source(hub: &Hub) -> Arc<Source> {
    Source::new(
        Folder::new(hub.fold_settings(None, Via::Socket), Mode::Plain, None),
        None,
    )
}

fn send(hub: &Hub, source: &Arc<Source>, text: &str) {
    let folded = source.read(text.as_bytes(), clock::now(), &mut Vec::new());
    hub.folded(source, folded.newly_dirty);
}

fn take(hub: &Hub) -> Parts {
    hub.take(usize::MAX, clock::now().wall).parts
}

/// A connection whose peer has sent a text and gone.
fn connection(hub: &Arc<Hub>, text: &str) -> Connection {
    let (mut peer, ours) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    peer.write_all(text.as_bytes()).unwrap();
    Connection {
        hub: hub.clone(),
        stream: ours.into(),
        uid: 1,
        stopping: Arc::default(),
    }
}

#[test]
fn senders_pause_when_nothing_was_read_and_nothing_is_being_folded() {
    let hub = hub();
    let reads = hub.reads();
    assert!(hub.pauses_since(reads));
    let folding = hub.folding();
    assert!(!hub.pauses_since(reads), "its thread may wait for a core");
    hub.folded(&source(&hub), false);
    drop(folding);
    assert!(!hub.pauses_since(reads), "something has come meanwhile");
    assert!(hub.pauses_since(hub.reads()));
}

#[test]
fn one_sender_is_one_part_however_much_it_sends_and_is_told_when_all_of_it_is_on_disk() {
    let hub = hub();
    let source = source(&hub);
    send(&hub, &source, &plain("first"));
    let mut uncertain = take(&hub);
    let mut later = Parts::default();
    for _ in 0..1000 {
        send(&hub, &source, "no event\n");
        later.append(take(&hub));
    }
    assert_eq!(later.len(), 1);
    uncertain.committed();
    assert!(!source.wait_clean(Duration::ZERO), "what came later is not on disk");
    later.committed();
    assert!(source.wait_clean(Duration::ZERO));
}

#[test]
fn plain_connections_that_come_and_go_leave_nothing_behind_in_the_writer() {
    let hub = hub();
    for _ in 0..3 {
        let source = Source::untold(Folder::new(hub.fold_settings(None, Via::Socket), Mode::Plain, None));
        send(&hub, &source, &plain("crm"));
        assert!(take(&hub).is_empty());
        assert!(source.wait_taken(Duration::ZERO));
        assert_eq!(Arc::strong_count(&source), 1);
    }
}

#[test]
fn a_plain_connection_that_nobody_takes_drops_what_it_has_and_says_so() {
    let hub = hub();
    hub.set_committing(false);
    connection(&hub, &(plain("crm") + "no event\n")).serve();
    assert_eq!(hub.waiting(), 0, "no delta waits without its thread");
    assert_eq!(hub.counters().received(), 2);
    assert_eq!(hub.counters().rejected(Reject::Store), 1);
    assert_eq!(hub.counters().rejected(Reject::NotJson), 1);
    let batches = hub.take(usize::MAX, clock::now().wall).batches;
    assert_eq!(batches.iter().map(|batch| batch.rejected).sum::<u64>(), 2);
}

#[test]
fn a_full_delta_is_not_dropped_while_the_failing_store_has_room_for_it() {
    let place = Place::new();
    let intruder = Intruder::new(&place.state());
    let mut client = place.connect();
    client.send(&plain("first"));
    place.house.until("failing");
    let lines = 150_000_u64;
    let text: String = (0..lines).map(|number| plain(&format!("e{number}"))).collect();
    client.send(&text);
    assert_eq!(client.rest(), "");
    drop(intruder);
    place.house.until("recovered");
    assert_eq!(place.house.hub.counters().rejected(Reject::Store), 0);
    assert_eq!(place.counts().len() as u64, lines + 1);
}

#[test]
fn a_submission_says_that_nothing_was_counted_only_when_nothing_was_ever_taken() {
    let hub = hub();
    let body = plain("crm");
    let submit = || hub.submit_within(body.as_bytes(), Duration::ZERO);
    assert_eq!(submit(), Err(SubmitError::StoreFailing));
    assert_eq!(hub.waiting(), 0);
    // What one is told may depend on what was on disk before the last part.
    let source = source(&hub);
    send(&hub, &source, &plain("first"));
    take(&hub).committed();
    send(&hub, &source, &plain("second"));
    assert!(hub.withdraw(&source).is_some());
    assert!(source.was_taken());
}

#[test]
fn a_submission_of_many_parts_has_one_deadline() {
    const PATIENCE: Duration = Duration::from_millis(800);
    let hub = hub();
    let ended = AtomicBool::new(false);
    let elements = vec![plain("crm").trim_end().to_owned(); 40_000];
    let body = format!("[{}]", elements.join(","));
    let answer = std::thread::scope(|scope| {
        scope.spawn(|| {
            // Each part is committed well within the patience for all of them.
            while !ended.load(std::sync::atomic::Ordering::Acquire) {
                std::thread::sleep(PATIENCE * 2 / 3);
                take(&hub).committed();
            }
        });
        let answer = hub.submit_within(body.as_bytes(), PATIENCE);
        ended.store(true, std::sync::atomic::Ordering::Release);
        answer
    });
    assert_eq!(answer, Err(SubmitError::Unknown));
}

#[test]
fn a_producer_whose_connection_panics_is_not_in_use_and_what_was_half_folded_is_not_counted() {
    let hub = hub();
    let (_peer, stream) = UnixStream::pair().unwrap();
    let stream = Arc::new(stream);
    let pair = Pair::new("gw", "");
    let (holder, last_seq) = hub.claim(&pair, 1, &stream, || false).unwrap();
    let source = source(&hub);
    let tenure = Tenure {
        hub: hub.clone(),
        pair: pair.clone(),
        holder,
        source: source.clone(),
        stream: stream.clone(),
        stopping: Arc::default(),
    };
    let panicked = std::thread::scope(|scope| {
        let connection = scope.spawn(|| {
            let _tenure = tenure;
            send(&hub, &source, &plain("crm"));
            source.fold(&mut Vec::new(), |_, _| panic!("on purpose"))
        });
        connection.join().is_err()
    });
    assert!(panicked);
    let (_, again) = hub.claim(&pair, 1, &stream, || true).unwrap();
    assert_eq!((last_seq, again), (0, 0));
    let taken = hub.take(usize::MAX, clock::now().wall);
    assert!(taken.batches.is_empty() && taken.parts.is_empty());
}
