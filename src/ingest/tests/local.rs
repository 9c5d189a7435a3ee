//! Sources within this process: what makes their events count once is committed with them.

use super::*;
use crate::clock;
use crate::ingest::delta::{Mark, Reporter};
use crate::ingest::local::{Local, MARKS_MAX, NotCounted};
use crate::words::{Reject, TenantName, Via, Wall};

fn acme() -> TenantName {
    TenantName::parse("acme").unwrap()
}

fn mark(key: &str, body: &str) -> Mark {
    Mark {
        source: Reporter::link(&acme()).0,
        key: key.into(),
        body: body.into(),
        // Of today: older ones without a body are forgotten.
        at: Wall::from_millis(clock::wall().as_millis() / 3_600_000 * 3_600_000),
    }
}

fn line(endpoint: &str) -> String {
    plain(endpoint).trim_end().to_owned()
}

#[test]
fn an_event_and_its_mark_are_both_on_disk_or_neither_is() {
    let place = Place::new();
    let local = Local::link(&place.house.hub, &acme());
    local.count(&line("crm"), vec![mark("01", "")]).unwrap();
    let place = place.restart();
    let marks = &place.house.restored.marks;
    assert_eq!(marks, &[mark("01", "")]);
    assert_eq!(place.counts(), [("crm".to_owned(), 1)].into());
}

#[test]
fn a_line_that_is_refused_leaves_no_mark() {
    let place = Place::new();
    let local = Local::link(&place.house.hub, &acme());
    let refused = local.count(r#"{"tenant":"acme"}"#, vec![mark("01", "")]);
    assert_eq!(refused, Err(NotCounted::Refused(Reject::MissingField)));
    let place = place.restart();
    assert_eq!(place.house.restored.marks, []);
}

#[test]
fn a_later_mark_of_the_same_key_replaces_the_earlier_one_also_when_nothing_is_counted() {
    let place = Place::new();
    let local = Local::link(&place.house.hub, &acme());
    local.keep(vec![mark("standing", "1")]).unwrap();
    local.keep(vec![mark("standing", "2"), mark("01", "")]).unwrap();
    let place = place.restart();
    let mut kept: Vec<_> = place
        .house
        .restored
        .marks
        .iter()
        .map(|mark| (&*mark.key, &*mark.body))
        .collect();
    kept.sort_unstable();
    assert_eq!(kept, [("01", ""), ("standing", "2")]);
}

#[test]
fn what_waits_for_the_store_is_bounded_and_the_rest_is_refused_not_forgotten() {
    let place = Place::new();
    let local = Local::link(&place.house.hub, &acme());
    let many = (0..=MARKS_MAX).map(|key| mark(&format!("{key:016x}"), "")).collect();
    assert_eq!(local.count(&line("crm"), many), Err(NotCounted::Full));
    local.count(&line("crm"), vec![mark("01", "")]).unwrap();
    assert_eq!(place.counts(), [("crm".to_owned(), 1)].into());
}

#[test]
fn a_producer_may_not_take_the_name_of_a_source_within_this_process() {
    let place = Place::new();
    let mut client = place.connect();
    client.send(&hello("link:acme"));
    assert!(client.line().contains("bad_hello"));
    assert_eq!(Reporter("plugin:acme".into()).via(), Via::Plugin);
    let mut client = place.connect();
    client.send(&hello("plugin:acme"));
    assert_eq!(client.line(), r#"{"hello":{"last_seq":0}}"#);
}
