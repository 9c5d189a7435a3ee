//! A wall clock that is stepped neither loses counts, nor makes storms, nor opens what was closed.

use super::*;

const HOUR: i64 = 3600;

#[test]
fn stepped_forward_it_ages_nothing_in_the_sliding_window() {
    let mut t = Timeline::new();
    t.arrive(&[fails("acme", "crm", 503, 60)]);
    t.pass(100);
    t.step_wall_clock(24 * HOUR);
    t.pass(150);
    assert_eq!(t.sliding(), "acme crm 5xx 60");
    t.pass(60);
    assert_eq!(t.sliding(), "");
}

#[test]
fn stepped_back_it_keeps_nothing_longer_in_the_sliding_window() {
    let mut t = Timeline::new();
    t.arrive(&[fails("acme", "crm", 503, 60)]);
    t.pass(100);
    t.step_wall_clock(-HOUR);
    t.arrive(&[fails("acme", "crm", 503, 1)]);
    t.pass(150);
    assert_eq!(t.sliding(), "acme crm 5xx 61");
    t.pass(60);
    assert_eq!(t.sliding(), "acme crm 5xx 1");
    t.pass(100);
    assert_eq!(t.sliding(), "");
}

#[test]
fn stepped_between_arrival_and_commit_a_batch_counts_where_it_arrived() {
    for step in [HOUR, -HOUR] {
        let mut t = Timeline::new();
        let batch = t.batch(&[], &[fails("acme", "crm", 503, 60)]);
        t.step_wall_clock(step);
        t.commit(batch);
        t.pass(20);
        assert_eq!(t.sliding(), "acme crm 5xx 60", "step {step}");
        assert_eq!(t.view().sliding.dropped.late, 0, "step {step}");
        assert!(
            t.window(START).ends_with("acme crm 5xx 60"),
            "step {step}: {}",
            t.window(START)
        );
    }
}

#[test]
fn a_window_that_is_final_stays_final_when_the_clock_goes_back() {
    let mut t = Timeline::new();
    t.arrive(&[fails("acme", "crm", 503, 1)]);
    t.pass(340);
    assert_eq!(t.window(START), "final r0: acme crm 5xx 1");
    t.step_wall_clock(-200);
    t.pass(5);
    t.arrive(&[fails("acme", "crm", 503, 1)]);
    assert_eq!(t.window(START), "final r1: acme crm 5xx 2");
    t.pass(20);
    t.restart();
    t.pass(20);
    assert_eq!(t.window(START), "final r1: acme crm 5xx 2");
}

#[test]
fn an_hour_back_no_count_of_either_pass_is_lost() {
    let mut t = Timeline::new();
    for _ in 0..12 {
        t.arrive(&[fails("acme", "crm", 503, 1)]);
        t.pass(300);
    }
    t.step_wall_clock(-HOUR);
    for _ in 0..12 {
        t.arrive(&[fails("acme", "crm", 503, 10)]);
        t.pass(300);
    }
    t.pass(20);
    for window in 0..12 {
        let seen = t.window(START + window * 300);
        assert!(seen.ends_with("acme crm 5xx 11"), "window {window}: {seen}");
    }
    assert_eq!(t.view().sliding.dropped.late, 0);
}

#[test]
fn a_month_forward_and_back_again_windows_go_on_as_before() {
    let mut t = Timeline::new();
    t.arrive(&[fails("acme", "crm", 503, 1)]);
    t.step_wall_clock(30 * 24 * HOUR);
    t.pass(30);
    t.arrive(&[fails("acme", "crm", 503, 2)]);
    t.step_wall_clock(-30 * 24 * HOUR);
    t.pass(300);
    t.arrive(&[fails("acme", "crm", 503, 4)]);
    assert_eq!(t.window(START + 300), "open r0: acme crm 5xx 4");
    t.pass(60);
    assert!(t.window(START).ends_with("acme crm 5xx 1"), "{}", t.window(START));
    assert!(t.window(START + 30 * 86_400).ends_with("acme crm 5xx 2"));
    let kept: Vec<i64> = t.disk.windows.keys().map(|key| key.0).collect();
    assert!(kept.contains(&(START - 3600)), "a step forward empties no history");
    let held_until = t.view().aligned.keys().next_back().copied();
    assert!(
        held_until <= Some(START + 900),
        "the future is left to the store: {held_until:?}"
    );
}

#[test]
fn across_a_reboot_slots_age_by_the_wall_clock() {
    let mut t = Timeline::new();
    t.arrive(&[fails("acme", "crm", 503, 60)]);
    t.pass(20);
    t.arrive(&[fails("acme", "crm", 503, 2)]);
    t.sleep(100);
    t.now.at = Instant::from_millis(30_000);
    t.settings.boot = "boot-2".to_owned();
    t.restart();
    t.tick();
    assert_eq!(t.sliding(), "acme crm 5xx 62");
    t.pass(170);
    assert_eq!(t.sliding(), "acme crm 5xx 62");
    t.pass(30);
    assert_eq!(t.sliding(), "");
}

#[test]
fn after_a_reboot_into_the_past_old_slots_are_stale_and_do_not_come_back() {
    let mut t = Timeline::new();
    t.arrive(&[fails("acme", "crm", 503, 60)]);
    t.pass(20);
    t.now = Now {
        at: Instant::from_millis(30_000),
        wall: Wall::from_millis((START - 86_400) * 1000),
    };
    t.settings.boot = "boot-2".to_owned();
    t.restart();
    assert_eq!(t.sliding(), "");
    t.arrive(&[fails("acme", "crm", 503, 3)]);
    t.pass(20);
    assert_eq!(t.sliding(), "acme crm 5xx 3");
    t.restart();
    assert_eq!(t.sliding(), "acme crm 5xx 3");
    t.step_wall_clock(86_400);
    t.pass(20);
    t.restart();
    assert_eq!(t.sliding(), "acme crm 5xx 3");
}

#[test]
fn within_one_boot_a_step_while_readyd_was_down_ages_nothing() {
    for step in [HOUR, -HOUR] {
        let mut t = Timeline::new();
        t.arrive(&[fails("acme", "crm", 503, 60)]);
        t.pass(20);
        t.arrive(&[fails("acme", "erp", 503, 5)]);
        t.sleep(5);
        t.step_wall_clock(step);
        t.restart();
        t.tick();
        assert_eq!(t.sliding(), "acme crm 5xx 60\nacme erp 5xx 5", "step {step}");
        t.pass(250);
        t.restart();
        t.tick();
        assert_eq!(t.sliding(), "acme crm 5xx 60\nacme erp 5xx 5", "step {step}");
        t.pass(60);
        assert_eq!(t.sliding(), "", "step {step}");
    }
}
