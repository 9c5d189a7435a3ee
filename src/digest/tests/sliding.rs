//! The sliding window serves readiness, by arrival.

use super::*;

#[test]
fn five_hundred_failures_of_one_endpoint_are_one_row() {
    let mut t = Timeline::new();
    for _ in 0..50 {
        t.arrive(&[fails("acme", "crm", 503, 10)]);
    }
    assert_eq!(t.sliding(), "acme crm 5xx 500");
}

#[test]
fn families_are_rows_and_statuses_are_counted_within_them() {
    let mut t = Timeline::new();
    t.arrive(&[
        fails("acme", "crm", 503, 3).attempt(2).error("first"),
        fails("acme", "crm", 502, 1).via("gw-2").attempt(4),
        fails("acme", "crm", 404, 2),
        fails("acme", "crm", 0, 5).timed_out(),
        fails("beta", "crm", 100, 1),
        fails("acme", "crm", 200, 7),
    ]);
    expect_test::expect![[r#"
        acme crm timeout 5
        acme crm 5xx 4
        acme crm 4xx 2
        beta crm other 1
        acme delivered 7"#]]
    .assert_eq(&t.sliding());
    let view = t.view();
    let row = &view.sliding.rows[1];
    assert_eq!(row.statuses, [(Code::Status(503), 3), (Code::Status(502), 1)]);
    assert_eq!(row.gateways, [Arc::from("gw-1"), Arc::from("gw-2")]);
    assert_eq!(row.max_attempt, 4);
    assert_eq!(row.sample.error.as_deref(), Some("first"));
}

#[test]
fn a_failure_leaves_after_three_hundred_seconds_and_not_ten_seconds_earlier() {
    let mut t = Timeline::new();
    t.pass(5);
    t.arrive(&[fails("acme", "crm", 503, 1)]);
    t.pass(290);
    assert_eq!(t.sliding(), "acme crm 5xx 1");
    t.pass(10);
    assert_eq!(t.sliding(), "");
    assert_eq!(t.digest.sliding.failures(&tenant("acme")), 0);
}

#[test]
fn it_does_not_jump_at_the_edge_of_an_aligned_window() {
    let mut t = Timeline::new();
    t.pass(295);
    t.arrive(&[fails("acme", "crm", 503, 60)]);
    let before = t.judge("acme");
    t.pass(10);
    assert_eq!(t.judge("acme"), before);
    assert_eq!(before, "degraded: crm ×60 in 5 min (budget 50)");
}

#[test]
fn an_event_whose_own_time_is_long_past_is_history_and_not_a_storm() {
    let mut t = Timeline::new();
    t.arrive(&[fails("acme", "crm", 503, 500).aged(301)]);
    assert_eq!(t.sliding(), "");
    assert_eq!(t.judge("acme"), "ok: no failures in 5 min (tenant budget 50)");
    assert_eq!(t.window(START - 600), "final r1: acme crm 5xx 500");
}

#[test]
fn gateways_samples_and_attempts_leave_with_the_slots_that_had_them() {
    let mut t = Timeline::new();
    t.arrive(&[fails("acme", "crm", 503, 1).via("gw-old").attempt(9).error("old")]);
    t.pass(200);
    t.arrive(&[fails("acme", "crm", 503, 1).via("gw-new").attempt(1)]);
    t.pass(150);
    let view = t.view();
    let row = &view.sliding.rows[0];
    assert_eq!(row.gateways, [Arc::from("gw-new")]);
    assert_eq!((row.count, row.max_attempt, row.sample.error.clone()), (1, 1, None));
}

#[test]
fn its_head_names_the_three_hundred_seconds_of_its_slots() {
    let mut t = Timeline::new();
    t.pass(7);
    let head = t.view().sliding.head;
    assert_eq!(head.end.millis_since(head.start), 300_000);
    assert_eq!(head.end.rfc3339(), "2026-11-20T07:30:10Z");
    assert!(!head.is_final);
}

#[test]
fn few_rows_show_at_once_and_are_shared_while_nothing_changes() {
    let mut t = Timeline::new();
    t.arrive(&[fails("acme", "crm", 503, 1)]);
    assert_eq!(rows(&t.digest.view(t.now).sliding), "acme crm 5xx 1");
    t.arrive(&[fails("acme", "crm", 503, 1)]);
    let soon = t.digest.view(t.now);
    assert_eq!(rows(&soon.sliding), "acme crm 5xx 2");
    t.pass(1);
    let quiet = t.digest.view(t.now);
    assert!(Arc::ptr_eq(&soon.sliding, &quiet.sliding));
    assert_eq!(quiet.rolled_at, t.now.at);
}

#[test]
fn many_rows_are_rendered_at_most_once_a_second() {
    let mut t = Timeline::new();
    let endpoints = || (0..512).map(|number| format!("e{number}"));
    let many: Vec<_> = [301, 404, 503, 102]
        .into_iter()
        .flat_map(|status| endpoints().map(move |endpoint| fails("acme", &endpoint, status, 1)))
        .collect();
    t.arrive(&many);
    t.sleep(1);
    let first = t.digest.view(t.now);
    assert_eq!(first.sliding.rows.len(), 4 * 512);
    t.arrive(&[fails("acme", "e0", 503, 1)]);
    let soon = t.digest.view(t.now);
    assert!(Arc::ptr_eq(&first.sliding, &soon.sliding));
    t.pass(1);
    assert_eq!(t.digest.view(t.now).sliding.rows[0].count, 2);
}

#[test]
fn rows_that_are_looked_at_late_are_those_of_when_they_were_shown() {
    let mut t = Timeline::new();
    t.arrive(&[
        fails("acme", "crm", 503, 2),
        fails("acme", "crm", 404, 1),
        fails("beta", "crm", 503, 1),
    ]);
    let shown = t.digest.view(t.now);
    t.arrive(&[fails("acme", "crm", 503, 5), fails("beta", "mail", 503, 5)]);
    t.pass(400);
    assert_eq!(t.sliding(), "");
    assert_eq!(shown.sliding.rows.count(), 3, "nobody has looked yet");
    let then = "acme crm 5xx 2\nacme crm 4xx 1\nbeta crm 5xx 1";
    assert_eq!(rows(&shown.sliding), then);
    assert_eq!(rows(&shown.aligned[&START]), then);
}

#[test]
fn while_nothing_can_be_counted_it_does_not_roll_and_its_age_grows() {
    let mut t = Timeline::new();
    t.arrive(&[fails("acme", "crm", 503, 60)]);
    t.is_committing = false;
    t.pass(400);
    assert_eq!(t.sliding(), "acme crm 5xx 60");
    assert_eq!(t.judge_node(), "degraded: digest stale for 400 s");
    t.is_committing = true;
    t.pass(1);
    assert_eq!(t.sliding(), "");
    assert_eq!(t.judge_node(), "ok: digest up to date");
}

#[test]
fn totals_for_metrics_only_grow_and_start_at_zero() {
    let mut t = Timeline::new();
    let of = |t: &Timeline, family| t.digest.counts().failures.get(&(tenant("acme"), family)).copied();
    assert_eq!(of(&t, crate::words::Family::Dns), Some(0));
    t.arrive(&[fails("acme", "crm", 503, 3), fails("acme", "crm", 200, 4)]);
    t.pass(600);
    assert_eq!(of(&t, crate::words::Family::ServerError), Some(3));
    assert_eq!(t.digest.counts().delivered[&tenant("acme")], 4);
}
