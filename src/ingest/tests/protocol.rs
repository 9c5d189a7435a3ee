//! Acknowledged mode to the letter.

use expect_test::{Expect, expect};

use super::*;
use crate::ingest::counters::Talk;
use crate::store::tests::{Intruder, of};
use crate::words::Reject;

/// What one connection hears that sends all this at once and then ends.
fn check(sent: &[&str], heard: Expect) {
    let place = Place::new();
    let mut client = place.connect();
    client.send(&sent.concat());
    heard.assert_eq(&client.rest());
}

#[test]
fn a_new_producer_begins_at_0_and_what_it_sent_is_acknowledged() {
    check(
        &[&hello("gw"), &event(1, "crm"), &event(2, "crm")],
        expect![[r#"
            {"hello":{"last_seq":0}}
            {"ack":2}"#]],
    );
}

#[test]
fn a_bad_line_is_rejected_before_the_acknowledgement_that_covers_it() {
    check(
        &[
            &hello("gw"),
            &event(1, "crm"),
            "{\"seq\":2,\"tenant\":\"acme\"}\n",
            "half a line {\n",
            &event(3, "crm"),
            &event(3, "again"),
            &event(5_000_000_000, "too far"),
            &plain("no seq"),
        ],
        expect![[r#"
            {"hello":{"last_seq":0}}
            {"reject":{"seq":2,"line":2,"reason":"missing_field"}}
            {"reject":{"line":3,"reason":"not_json"}}
            {"reject":{"seq":3,"line":5,"reason":"not_increasing"}}
            {"reject":{"seq":5000000000,"line":6,"reason":"bad_field"}}
            {"reject":{"line":7,"reason":"missing_field"}}
            {"ack":3}"#]],
    );
}

#[test]
fn a_rejection_alone_advances_last_seq_for_good() {
    let place = Place::new();
    let mut client = place.connect();
    client.send(&hello("gw")).send("{\"seq\":4}\n");
    expect![[r#"
        {"hello":{"last_seq":0}}
        {"reject":{"seq":4,"line":1,"reason":"missing_field"}}
        {"ack":4}"#]]
    .assert_eq(&client.rest());
    let place = place.restart();
    let mut client = place.connect();
    assert_eq!(client.send(&hello("gw")).line(), r#"{"hello":{"last_seq":4}}"#);
}

#[test]
fn a_bad_hello_is_told_why_and_closed() {
    check(
        &["{\"hello\":{\"producer\":\"\"}}\n"],
        expect![[r#"{"error":"bad_hello","message":"hello.producer: must be a text of 1 to 64 printable bytes"}"#]],
    );
}

#[test]
fn repeats_are_dropped_counted_and_acknowledged_also_after_a_restart() {
    let place = Place::new();
    let mut client = place.connect();
    client.send(&hello("gw")).send(&event(1, "a")).send(&event(2, "a"));
    client.line();
    client.until_ack(2);
    drop(client);
    let place = place.restart();
    let mut client = place.connect();
    assert_eq!(client.send(&hello("gw")).line(), r#"{"hello":{"last_seq":2}}"#);
    client.send(&event(1, "a")).until_ack(2);
    client.send(&event(2, "a")).send(&event(3, "a")).send(&event(9, "a"));
    assert_eq!(client.rest(), r#"{"ack":9}"#);
    assert_eq!(place.house.hub.counters().duplicate(), 2);
    assert_eq!(place.house.hub.counters().gap(), 5);
    assert_eq!(place.house.hub.counters().received(), 4);
    assert_eq!(place.counts(), of(&[("a", 4)]));
}

#[test]
fn a_second_connection_of_a_pair_is_refused_while_the_first_lives() {
    let place = Place::new();
    let mut first = place.connect();
    first.send(&hello("gw")).line();
    let mut second = place.connect();
    second.send(&hello("gw"));
    assert_eq!(second.line(), r#"{"error":"producer_in_use"}"#);
    assert_eq!(second.line(), "");
    let mut other = place.connect();
    other.send("{\"hello\":{\"producer\":\"gw\",\"epoch\":\"b\"}}\n");
    assert_eq!(other.line(), r#"{"hello":{"last_seq":0}}"#);
    first.send(&event(1, "crm")).until_ack(1);
    assert_eq!(place.house.hub.counters().connections(Talk::Acknowledged), 2);
}

#[test]
fn a_producer_whose_child_closes_its_copy_of_the_old_connection_late_is_waited_for() {
    let place = Place::new();
    let mut old = place.connect();
    old.send(&hello("gw")).line();
    let mut new = place.connect();
    new.send(&hello("gw"));
    assert!(new.is_silent());
    drop(old);
    assert_eq!(new.line(), r#"{"hello":{"last_seq":0}}"#);
}

#[test]
fn a_producer_that_comes_back_at_once_hears_what_its_earlier_connection_sent() {
    let place = Place::new();
    let mut sent = 0;
    for _ in 0..50 {
        let mut client = place.connect();
        let answer = client.send(&hello("gw")).line();
        assert_eq!(answer, format!("{{\"hello\":{{\"last_seq\":{sent}}}}}"));
        for _ in 0..20 {
            sent += 1;
            client.send(&event(sent, "crm"));
        }
    }
    assert_eq!(place.counts(), of(&[("crm", sent)]));
}

#[test]
fn while_commits_fail_nobody_is_acknowledged_and_a_hello_waits_for_what_came_before() {
    let place = Place::new();
    let mut first = place.connect();
    first.send(&hello("gw")).line();
    let intruder = Intruder::new(&place.state());
    first.send(&event(1, "crm"));
    place.house.until("failing");
    first.send(&event(2, "crm"));
    assert!(first.is_silent());
    let mut other = place.connect();
    other.send(&hello("other")).line();
    other.send(&event(1, "crm"));
    drop(first);
    let mut second = place.connect();
    second.send(&hello("gw"));
    assert!(second.is_silent() && other.is_silent());
    drop(intruder);
    // What the store had no room for was never read: it is sent again.
    assert_eq!(second.line(), r#"{"hello":{"last_seq":1}}"#);
    other.until_ack(1);
    second.send(&event(2, "crm")).until_ack(2);
    drop((second, other));
    assert_eq!(place.counts(), of(&[("crm", 3)]));
}

#[test]
fn a_last_line_without_its_newline_counts() {
    check(
        &[&hello("gw"), event(1, "crm").trim_end()],
        expect![[r#"
            {"hello":{"last_seq":0}}
            {"ack":1}"#]],
    );
}

#[test]
fn the_engine_hears_who_comes_who_goes_and_for_whom_they_report() {
    let place = Place::new();
    let mut one = place.connect();
    one.send("{\"hello\":{\"producer\":\"gw\",\"epoch\":\"a\"}}\n").line();
    let mut two = place.connect();
    two.send("{\"hello\":{\"producer\":\"gw\",\"epoch\":\"b\"}}\n").line();
    two.send(&event(1, "crm")).until_ack(1);
    let reporters = place.house.next_batch().reporters;
    assert_eq!(format!("{reporters:?}"), r#"[(Reporter("gw"), TenantName("acme"))]"#);
    assert_eq!(one.rest(), "");
    assert_eq!(two.rest(), "");
    let mut three = place.connect();
    three.send(&hello("last")).line();
    let heard: Vec<String> = (0..3)
        .map(|_| place.house.reporters.recv_timeout(PATIENCE).unwrap())
        .collect();
    assert_eq!(heard, ["+gw", "-gw", "+last"]);
}

#[test]
fn what_was_sent_before_the_end_is_on_disk_and_acknowledged() {
    let mut place = Place::new();
    let mut client = place.connect();
    client.send(&hello("gw")).line();
    let mut naive = place.connect();
    for seq in 1..=500 {
        client.send(&event(seq, "crm"));
        naive.send(&plain("erp"));
    }
    assert!(place.socket.take().unwrap().stop(PATIENCE));
    client.until_ack(500);
    assert_eq!(client.line(), "");
    let state = place.state();
    place.house.stop();
    assert_eq!(crate::store::tests::on_disk(&state), of(&[("crm", 500), ("erp", 500)]));
}

#[test]
fn submitted_events_are_counted_line_by_line_or_element_by_element() {
    let place = Place::new();
    let hub = &place.house.hub;
    let lines = format!(
        "{}\n{{\"tenant\":\"acme\"}}\nhuh\n{}",
        plain("a"),
        plain("a").trim_end()
    );
    let receipt = hub.submit(lines.as_bytes()).unwrap();
    assert_eq!(receipt.accepted, 2);
    assert_eq!(receipt.rejected, [(3, Reject::MissingField), (4, Reject::NotJson)]);
    let array = format!("[\n{},\n{{\n\"tenant\": 1}}, 5]", plain("b").replace(',', ",\n"));
    let receipt = hub.submit(array.as_bytes()).unwrap();
    assert_eq!(receipt.accepted, 1);
    assert_eq!(receipt.rejected, [(2, Reject::MissingField), (3, Reject::NotJson)]);
    assert!(hub.submit(b"[{").is_err());
    assert_eq!(hub.submit(b"").unwrap().accepted, 0);
    // More cells than one delta holds, on a machine that may be busy.
    let many: String = (0..70_000).map(|number| plain(&format!("e{number}"))).collect();
    assert_eq!(hub.submit_within(many.as_bytes(), PATIENCE).unwrap().accepted, 70_000);
}
