use std::sync::Arc;

use super::build::{Build, degraded};
use crate::digest::Counts;
use crate::http::board::{Board, EVENTS_QUEUED_MAX, LISTENERS_MAX};
use crate::words::Level;

fn board() -> Board {
    Board::new(Arc::new(ok().done()), Arc::default())
}

fn ok() -> Build {
    Build::node().check("disk", Level::Ok, "40 GiB free")
}

fn publish(board: &Board, build: Build) {
    board.publish(Arc::new(build.done()), Arc::new(Counts::default()));
}

/// The verdicts of the events that wait, or what they are instead.
fn waiting(events: &mut tokio::sync::mpsc::Receiver<actix_web::web::Bytes>) -> Vec<String> {
    let mut verdicts = Vec::new();
    while let Ok(event) = events.try_recv() {
        let event = std::str::from_utf8(&event).unwrap().to_owned();
        let data = event
            .strip_prefix("event: snapshot\ndata: ")
            .and_then(|rest| rest.strip_suffix("\n\n"));
        verdicts.push(match data {
            Some(data) => {
                assert!(!data.contains('\n'), "one line: {data}");
                let ready: serde_json::Value = serde_json::from_str(data).unwrap();
                ready["status"].as_str().unwrap().to_owned()
            }
            None => event,
        });
    }
    verdicts
}

#[test]
fn a_listener_gets_the_present_state_and_then_each_change() {
    let board = board();
    let mut events = board.listen().unwrap();
    assert_eq!(waiting(&mut events), ["ok"]);
    publish(&board, ok());
    assert_eq!(waiting(&mut events), [""; 0], "nothing changed");
    publish(&board, degraded());
    publish(&board, degraded());
    publish(&board, ok());
    assert_eq!(waiting(&mut events), ["degraded", "ok"]);
}

#[test]
fn quiet_times_have_a_comment_so_that_the_dead_are_noticed() {
    let board = board();
    let mut events = board.listen().unwrap();
    for _ in 0..30 {
        publish(&board, ok());
    }
    assert_eq!(waiting(&mut events), ["ok", ":\n\n", ":\n\n"]);
}

#[test]
fn a_listener_that_lags_is_dropped_and_the_others_are_not() {
    let board = board();
    let mut slow = board.listen().unwrap();
    let mut quick = board.listen().unwrap();
    let mut seen = 0;
    for number in 0..EVENTS_QUEUED_MAX + 5 {
        publish(&board, if number % 2 == 0 { degraded() } else { ok() });
        seen += waiting(&mut quick).len();
    }
    assert_eq!(seen, EVENTS_QUEUED_MAX + 6);
    assert_eq!(waiting(&mut slow).len(), EVENTS_QUEUED_MAX);
    assert_eq!(
        slow.try_recv(),
        Err(tokio::sync::mpsc::error::TryRecvError::Disconnected)
    );
}

#[test]
fn there_are_so_many_listeners_and_no_more() {
    let board = board();
    let mut listeners: Vec<_> = (0..LISTENERS_MAX).map(|_| board.listen().unwrap()).collect();
    assert!(board.listen().is_none());
    listeners.pop();
    assert!(board.listen().is_some(), "a place that was left is free");
    board.hang_up();
    for listener in &mut listeners {
        waiting(listener);
        assert!(listener.is_closed());
    }
}
