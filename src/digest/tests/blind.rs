//! A tenant whose source is away is blind; one whose source is silent is not.

use super::*;

fn watched() -> Timeline {
    let mut t = Timeline::new();
    t.connect("gw-1");
    t.arrive_from(&["gw-1"], &[fails("acme", "crm", 503, 1)]);
    t
}

#[test]
fn silence_on_a_live_connection_is_not_blindness() {
    let mut t = watched();
    t.pass(7200);
    assert_eq!(t.judge("acme"), "ok: no failures in 5 min (tenant budget 50)");
}

#[test]
fn a_source_that_is_away_longer_than_stale_after_makes_its_tenants_blind_until_it_is_back() {
    let mut t = watched();
    t.disconnect("gw-1");
    t.pass(60);
    assert_eq!(t.judge("acme"), "ok: 1 failure in 5 min (tenant budget 50)");
    t.pass(1);
    assert_eq!(
        t.judge("acme"),
        "degraded: blind: gw-1 disconnected since 2026-11-20T07:30:00Z"
    );
    assert_eq!(t.judge("beta"), "ok: no failures in 5 min (tenant budget 50)");
    t.connect("gw-1");
    assert_eq!(t.judge("acme"), "ok: 1 failure in 5 min (tenant budget 50)");
}

#[test]
fn one_of_several_sources_lost_is_partly_blind_and_that_degrades() {
    let mut t = watched();
    t.connect("gw-2");
    t.connect("gw-3");
    t.arrive_from(&["gw-2", "gw-3"], &[fails("acme", "crm", 503, 1)]);
    t.disconnect("gw-2");
    t.pass(61);
    assert_eq!(
        t.judge("acme"),
        "degraded: blind: gw-2 disconnected since 2026-11-20T07:30:00Z"
    );
    t.disconnect("gw-3");
    t.pass(61);
    assert_eq!(
        t.judge("acme"),
        "degraded: blind: gw-2 disconnected since 2026-11-20T07:30:00Z and 1 more"
    );
}

#[test]
fn a_name_with_two_connections_is_away_when_both_are_gone() {
    let mut t = watched();
    t.connect("gw-1");
    t.disconnect("gw-1");
    t.pass(100);
    assert!(t.judge("acme").starts_with("ok"));
    t.disconnect("gw-1");
    t.pass(61);
    assert!(t.judge("acme").starts_with("degraded: blind"));
}

#[test]
fn a_source_is_forgotten_a_day_after_its_last_report() {
    let mut t = watched();
    t.pass(3600);
    t.disconnect("gw-1");
    t.pass(100);
    assert!(t.judge("acme").starts_with("degraded: blind"));
    t.pass(24 * 3600 - 3700 - 20);
    assert!(t.judge("acme").starts_with("degraded: blind"));
    t.pass(30);
    assert!(t.judge("acme").starts_with("ok"));
}

#[test]
fn blindness_and_rows_are_told_together() {
    let mut t = watched();
    t.disconnect("gw-1");
    t.pass(61);
    t.arrive(&[fails("acme", "crm", 503, 60)]);
    assert_eq!(
        t.judge("acme"),
        "degraded: crm ×61 in 5 min (budget 50); blind: gw-1 disconnected since 2026-11-20T07:30:00Z"
    );
}

#[test]
fn after_a_restart_sources_have_their_patience_again_and_then_are_missed() {
    let mut t = watched();
    t.pass(30);
    t.sleep(5);
    t.restart();
    t.pass(60);
    assert!(t.judge("acme").starts_with("ok"), "{}", t.judge("acme"));
    t.pass(1);
    assert_eq!(
        t.judge("acme"),
        "degraded: blind: gw-1 disconnected since 2026-11-20T07:30:30Z"
    );
    t.connect("gw-1");
    assert!(t.judge("acme").starts_with("ok"));
}

#[test]
fn a_source_that_reported_for_days_is_still_missed_after_a_restart() {
    let mut t = watched();
    for _ in 0..26 * 6 {
        t.pass(600);
        t.arrive_from(&["gw-1"], &[fails("acme", "crm", 200, 1)]);
    }
    t.pass(60);
    t.restart();
    t.pass(61);
    assert!(
        t.judge("acme").starts_with("degraded: blind: gw-1"),
        "{}",
        t.judge("acme")
    );
}

#[test]
fn after_a_sleep_sources_have_their_patience_again() {
    let mut t = watched();
    t.disconnect("gw-1");
    t.sleep(3600);
    t.tick();
    assert!(t.judge("acme").starts_with("ok"));
    t.pass(61);
    assert!(t.judge("acme").starts_with("degraded: blind"));
}

#[test]
fn a_report_that_only_the_log_has_makes_its_producer_a_source() {
    let mut t = Timeline::new();
    t.connect("gw-9");
    t.arrive_from(&["gw-9"], &[fails("acme", "crm", 503, 1)]);
    t.restart();
    t.pass(61);
    assert!(
        t.judge("acme").starts_with("degraded: blind: gw-9"),
        "{}",
        t.judge("acme")
    );
}
