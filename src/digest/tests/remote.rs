//! Another node's digest is joined with ours.

use super::*;
use crate::digest::answer::{Query, answer, read_remote};
use crate::engine;

fn joined() -> Timeline {
    let mut settings = settings();
    settings.source = Some("http://mac-2:9099".to_owned());
    let mut t = Timeline::with(settings);
    t.digest.remote(t.now, Ok(from("mac-2", &[])));
    t
}

/// What another node of that name answers when asked for its own rows.
fn from(node: &str, events: &[Event]) -> engine::Remote {
    let mut other = Timeline::new();
    other.arrive(events);
    let view = other.view();
    let query = Query::of("scope=local").unwrap();
    let answer = answer(&view, &query, node, other.now).unwrap();
    read_remote(&serde_json::to_vec(&answer).unwrap(), "http://mac-2:9099", other.now).unwrap()
}

fn shown(t: &Timeline, query: &str) -> Vec<String> {
    let view = t.view();
    let answer = answer(&view, &Query::of(query).unwrap(), "mac-3", t.now).unwrap();
    let row = |row: &crate::digest::answer::TopRow<'_>| {
        format!(
            "{} {} {} {}",
            row.tenant,
            row.endpoint,
            row.count,
            row.node.unwrap_or("here")
        )
    };
    answer.top.iter().map(row).collect()
}

#[test]
fn the_answer_is_the_union_and_rows_say_where_they_come_from() {
    let mut t = joined();
    t.arrive(&[fails("acme", "crm", 503, 5), fails("beta", "erp", 503, 1)]);
    let remote = from(
        "mac-2",
        &[
            fails("acme", "crm", 503, 30),
            fails("foreign", "x", 503, 3),
            fails("acme", "a", 200, 7),
        ],
    );
    t.digest.remote(t.now, Ok(remote));
    assert_eq!(
        shown(&t, ""),
        [
            "acme crm 30 mac-2",
            "acme crm 5 here",
            "foreign x 3 mac-2",
            "beta erp 1 here"
        ]
    );
    assert_eq!(shown(&t, "limit=2"), ["acme crm 30 mac-2", "acme crm 5 here"]);
    assert_eq!(shown(&t, "tenant=beta"), ["beta erp 1 here"]);
    assert_eq!(shown(&t, "scope=local&limit=1"), ["acme crm 5 here", "beta erp 1 here"]);
    let view = t.view();
    let whole = answer(&view, &Query::default(), "mac-3", t.now).unwrap();
    assert_eq!(
        (whole.totals.failures, whole.totals.delivered, whole.totals.rows),
        (39, 7, 4)
    );
    let aligned = answer(
        &view,
        &Query::of("window=2026-11-20T07:30:00Z").unwrap(),
        "mac-3",
        t.now,
    )
    .unwrap();
    assert_eq!(aligned.totals.failures, 6, "aligned windows are ours alone");
}

#[test]
fn remote_rows_of_known_tenants_count_towards_budgets_and_the_summary_says_so() {
    let mut t = joined();
    t.arrive(&[fails("acme", "crm", 503, 50)]);
    assert!(t.judge("acme").starts_with("ok"));
    t.digest.remote(
        t.now,
        Ok(from(
            "mac-2",
            &[fails("acme", "crm", 502, 450), fails("foreign", "x", 503, 900)],
        )),
    );
    assert_eq!(
        t.judge("acme"),
        "degraded: crm ×500 in 5 min (budget 50), 450 of them on mac-2"
    );
    assert_eq!(
        t.judge_node(),
        "ok: digest up to date",
        "foreign tenants are shown and not counted"
    );
    let finding = t.digest.judge(t.now, Some(&tenant("acme")));
    assert!(
        finding.evidence[1].seen.contains("5xx 450 (502 ×450) on mac-2"),
        "{:?}",
        finding.evidence
    );
    t.digest.remote(t.now, Ok(from("mac-2", &[])));
    assert_eq!(t.judge("acme"), "degraded: crm ×50 in 5 min (budget 50, clears at 40)");
}

#[test]
fn a_restart_heals_nothing_while_the_other_node_has_yet_to_answer() {
    let mut t = joined();
    t.digest
        .remote(t.now, Ok(from("mac-2", &[fails("acme", "crm", 502, 450)])));
    t.persist();
    t.restart();
    t.pass(12);
    assert_eq!(t.judge("acme"), "degraded: crm ×0 in 5 min (budget 50, clears at 40)");
    t.digest
        .remote(t.now, Ok(from("mac-2", &[fails("acme", "crm", 502, 45)])));
    assert_eq!(
        t.judge("acme"),
        "degraded: crm ×45 in 5 min (budget 50, clears at 40), 45 of them on mac-2"
    );
    t.digest.remote(t.now, Ok(from("mac-2", &[])));
    assert_eq!(t.judge("acme"), "ok: no failures in 5 min (tenant budget 50)");
}

#[test]
fn its_age_is_the_worse_of_both_and_counts_while_nothing_comes() {
    let mut t = joined();
    let mut remote = from("mac-2", &[]);
    remote.age_sec = 20;
    t.digest.remote(t.now, Ok(remote));
    t.pass(5);
    let view = t.view();
    let age = |query| {
        answer(&view, &Query::of(query).unwrap(), "mac-3", t.now)
            .unwrap()
            .age_sec
    };
    assert_eq!((age(""), age("scope=local")), (25, 0));
}

#[test]
fn a_source_that_cannot_be_had_for_longer_than_stale_after_degrades_the_node() {
    let mut t = joined();
    t.digest
        .remote(t.now, Ok(from("mac-2", &[fails("acme", "crm", 503, 60)])));
    for _ in 0..12 {
        t.pass(5);
        t.digest.remote(t.now, Err("connection refused".to_owned()));
    }
    assert_eq!(t.judge_node(), "ok: digest up to date");
    assert!(t.judge("acme").starts_with("degraded: crm ×60"), "its last word stands");
    t.pass(5);
    assert_eq!(
        t.judge_node(),
        "degraded: digest of http://mac-2:9099 not had for 65 s: connection refused"
    );
    t.pass(300);
    assert!(
        t.judge("acme").starts_with("ok"),
        "rows of more than five minutes ago are history"
    );
    assert_eq!(shown(&t, ""), Vec::<String>::new());
}

#[test]
fn a_source_that_was_never_had_degrades_the_node_in_time() {
    let mut settings = settings();
    settings.source = Some("http://mac-2:9099".to_owned());
    let t = Timeline::with(settings);
    assert_eq!(
        t.judge_node(),
        "degraded: digest of http://mac-2:9099 not had for 3600 s: no answer"
    );
}

#[test]
fn a_stale_digest_of_the_other_node_degrades_this_one() {
    let mut t = joined();
    let mut remote = from("mac-2", &[]);
    remote.age_sec = 90;
    t.digest.remote(t.now, Ok(remote));
    assert_eq!(t.judge_node(), "degraded: digest of mac-2 stale for 90 s");
}

#[test]
fn a_source_that_is_this_very_node_is_not_counted_twice() {
    let mut t = joined();
    t.arrive(&[fails("acme", "crm", 503, 30)]);
    t.digest
        .remote(t.now, Ok(from("mac-3", &[fails("acme", "crm", 503, 30)])));
    assert_eq!(shown(&t, ""), ["acme crm 30 here"]);
    t.pass(61);
    assert!(t.judge_node().contains("this node's own digest"), "{}", t.judge_node());
}

#[test]
fn a_new_source_begins_anew_and_none_ends_it() {
    let mut t = joined();
    t.digest
        .remote(t.now, Ok(from("mac-2", &[fails("acme", "crm", 503, 60)])));
    t.settings.source = None;
    t.digest.configure(t.now, t.settings.clone());
    assert!(t.judge("acme").starts_with("ok"));
    assert!(t.view().remote.is_none());
}
