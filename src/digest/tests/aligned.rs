//! Aligned windows serve history, by event time.

use super::*;

#[test]
fn a_window_closes_thirty_seconds_after_its_end() {
    let mut t = Timeline::new();
    t.arrive(&[fails("acme", "crm", 503, 1)]);
    t.pass(329);
    assert_eq!(t.window(START), "open r0: acme crm 5xx 1");
    t.pass(1);
    assert_eq!(t.window(START), "final r0: acme crm 5xx 1");
}

#[test]
fn a_late_event_makes_a_revision_for_ten_minutes_and_is_counted_late_afterwards() {
    let mut t = Timeline::new();
    t.arrive(&[fails("acme", "crm", 503, 1)]);
    t.pass(330);
    t.arrive(&[
        fails("acme", "crm", 503, 1).aged(330),
        fails("acme", "crm", 502, 1).aged(330),
    ]);
    assert_eq!(t.window(START), "final r1: acme crm 5xx 3");
    t.pass(599);
    t.arrive(&[fails("acme", "crm", 503, 1).aged(929)]);
    assert_eq!(t.window(START), "final r2: acme crm 5xx 4");
    assert_eq!(t.view().sliding.dropped.late, 0);
    t.pass(1);
    t.arrive(&[fails("acme", "crm", 503, 5).aged(930)]);
    assert_eq!(t.window(START), "final r2: acme crm 5xx 4");
    assert_eq!(t.view().sliding.dropped.late, 5);
    t.pass(60);
    assert_eq!(
        t.window(START),
        "final r2: acme crm 5xx 4",
        "and the store has the same"
    );
}

#[test]
fn a_quiet_window_is_kept_as_an_empty_one() {
    let mut t = Timeline::new();
    t.pass(3600);
    assert_eq!(t.window(START), "final r0: ");
}

#[test]
fn a_window_in_which_readyd_was_down_takes_late_events_for_seventy_two_hours() {
    let mut t = Timeline::new();
    t.sleep(7200);
    t.restart();
    t.pass(1);
    let during = START + 3600;
    let age = 3601 - 60;
    assert_eq!(t.window(during), "not kept");
    t.arrive(&[fails("acme", "crm", 503, 7).aged(age)]);
    t.pass(20);
    assert_eq!(t.window(during), "final r1: acme crm 5xx 7");
    t.pass(60);
    t.arrive(&[fails("acme", "crm", 503, 1).aged(age + 80)]);
    t.pass(20);
    assert_eq!(t.window(during), "final r2: acme crm 5xx 8");
    assert_eq!(
        t.disk.rollups[&(during, tenant("acme"))],
        r#"{"failures":{"5xx":8},"delivered":0}"#
    );
    t.now = t.now + Duration::from_secs(72 * 3600);
    t.restart();
    t.pass(1);
    t.arrive(&[fails("acme", "crm", 503, 2).aged(age + 101 + 72 * 3600)]);
    t.pass(20);
    assert_eq!(t.window(during), "final r2: acme crm 5xx 8");
    assert_eq!(t.view().sliding.dropped.late, 2);
}

#[test]
fn a_window_in_which_the_machine_slept_takes_late_events() {
    let mut t = Timeline::new();
    t.sleep(7200);
    t.tick();
    t.arrive(&[fails("acme", "crm", 503, 7).aged(3600)]);
    assert_eq!(t.view().sliding.dropped.late, 0);
    assert_eq!(t.window(START + 3600), "final r1: acme crm 5xx 7");
}

#[test]
fn a_window_in_which_the_store_could_not_commit_takes_late_events() {
    let mut t = Timeline::new();
    t.is_committing = false;
    t.pass(3600);
    t.is_committing = true;
    t.pass(1);
    t.arrive(&[fails("acme", "crm", 503, 7).aged(1800)]);
    assert_eq!(t.view().sliding.dropped.late, 0);
    t.pass(7200);
    t.arrive(&[fails("acme", "crm", 503, 1).aged(3700)]);
    assert_eq!(t.view().sliding.dropped.late, 1, "not so a window after that");
}

#[test]
fn a_sender_that_was_disconnected_may_deliver_late_and_others_may_not() {
    let mut t = Timeline::new();
    t.connect("gw-1");
    t.connect("gw-2");
    t.arrive_from(&["gw-1"], &[fails("acme", "crm", 503, 1)]);
    t.arrive_from(&["gw-2"], &[fails("acme", "crm", 503, 1)]);
    t.pass(3600);
    t.disconnect("gw-1");
    t.pass(3600);
    t.connect("gw-1");
    t.arrive_from(&["gw-2"], &[fails("acme", "crm", 503, 2).aged(1800)]);
    assert_eq!(t.view().sliding.dropped.late, 2);
    t.arrive_from(&["gw-1"], &[fails("acme", "crm", 503, 4).aged(1800)]);
    assert_eq!(t.view().sliding.dropped.late, 2);
    t.arrive_from(&["gw-1"], &[fails("acme", "crm", 503, 8).aged(5400)]);
    assert_eq!(t.view().sliding.dropped.late, 10, "it was connected then");
    t.pass(20);
    assert_eq!(t.window(START + 5400), "final r1: acme crm 5xx 4");
}

#[test]
fn after_a_restart_late_events_are_added_to_what_only_the_store_has() {
    let mut t = Timeline::new();
    t.connect("gw-1");
    t.arrive_from(&["gw-1"], &[fails("acme", "crm", 503, 1)]);
    t.disconnect("gw-1");
    for _ in 0..12 {
        t.pass(300);
        t.arrive(&[fails("acme", "crm", 503, 1)]);
    }
    t.restart();
    t.pass(1);
    t.connect("gw-1");
    t.arrive_from(&["gw-1"], &[fails("acme", "crm", 503, 10).aged(3301)]);
    t.pass(20);
    assert_eq!(t.window(START + 300), "final r1: acme crm 5xx 11");
}

#[test]
fn what_is_more_than_one_window_ahead_is_filed_by_its_arrival() {
    let mut t = Timeline::new();
    let mut batch = t.batch(&[], &[fails("acme", "crm", 503, 1)]);
    batch.cells[0].0.window += 86_400;
    t.commit(batch);
    assert_eq!(t.window(START), "open r0: acme crm 5xx 1");
}

#[test]
fn rows_are_kept_for_seven_days_and_rollups_for_ninety() {
    let mut t = Timeline::new();
    t.arrive(&[fails("acme", "crm", 503, 3), fails("acme", "x", 200, 9)]);
    t.pass(400);
    let rollup = t.disk.rollups[&(START, tenant("acme"))].clone();
    assert_eq!(rollup, r#"{"failures":{"5xx":3},"delivered":9}"#);
    t.now = t.now + Duration::from_secs(6 * 86_400);
    t.pass(20);
    assert_eq!(t.window(START), "final r0: acme crm 5xx 3, acme delivered 9");
    t.now = t.now + Duration::from_secs(86_400);
    t.pass(20);
    assert_eq!(t.window(START), "not kept");
    assert!(t.disk.rollups.contains_key(&(START, tenant("acme"))));
    t.now = t.now + Duration::from_secs(83 * 86_400);
    t.pass(20);
    assert!(!t.disk.rollups.contains_key(&(START, tenant("acme"))));
}

#[test]
fn bodies_of_another_version_are_left_alone_and_counted() {
    let mut t = Timeline::new();
    t.arrive(&[fails("acme", "crm", 503, 3)]);
    t.pass(30);
    let key = (START, tenant("acme"));
    t.disk.windows.get_mut(&key).unwrap()[0] = 99;
    let newest = *t.disk.slots.keys().last().unwrap();
    t.disk.slots.insert(newest - 200, vec![1, 255, 255, 255]);
    t.restart();
    assert_eq!(t.digest.counts().unreadable, 2);
    t.pass(30);
    assert_eq!(t.disk.windows[&key][0], 99);
    t.disk.state = Some("{".to_owned());
    t.restart();
    assert_eq!(t.digest.counts().unreadable, 3);
    assert!(said(&t.digest.judge(t.now, None)).starts_with("ok"));
}

#[test]
fn merging_late_bodies_adds_counts_and_revisions_and_survives_any_bytes() {
    let mut t = Timeline::new();
    t.arrive(&[fails("acme", "crm", 503, 3).via("gw-2")]);
    t.pass(20);
    let old = t.disk.windows[&(START, tenant("acme"))].clone();
    let merged = merge_window(Some(&old), &old);
    assert_eq!(
        merged.rollup.as_deref(),
        Some(r#"{"failures":{"5xx":6},"delivered":0}"#)
    );
    assert_eq!(rollup(&merged.body), merged.rollup);
    let window = window_view(START, &[(tenant("acme"), merged.body)]);
    assert_eq!(rows(&window), "acme crm 5xx 6");
    let merged: body::WindowBody = body::read(&merge_window(None, &old).body).unwrap();
    assert!(merged.is_final, "what takes late events is closed");
    assert_eq!(merge_window(Some(&old), &[]).body, old);
    assert_eq!(merge_window(Some(&old), &[1, 2, 3]).body, old);
    assert_eq!(merge_window(None, &[9]).body, [9]);
    for cut in 0..old.len() {
        let merged = merge_window(Some(&old[..cut]), &old).body;
        let window = window_view(START, &[(tenant("acme"), merged)]);
        assert_eq!(window.rows[0].count, 3, "cut at {cut}");
    }
}
