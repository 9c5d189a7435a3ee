//! Everything has a limit, and what is beyond it is counted all the same.

use super::*;

#[test]
fn beyond_five_hundred_and_twelve_endpoints_the_rest_is_other() {
    let mut t = Timeline::new();
    let events: Vec<Event> = (0..600).map(|n| fails("acme", &format!("e{n:03}"), 503, 2)).collect();
    t.arrive(&events);
    let view = t.view();
    assert_eq!(view.sliding.rows.len(), 513);
    assert_eq!(rows(&view.sliding).lines().next(), Some("acme __other__ 5xx 176"));
    assert_eq!(view.aligned[&START].rows.len(), 513);
    assert_eq!(
        view.sliding.dropped.folded, 176,
        "an event that was folded twice is counted once"
    );
    t.arrive(&[fails("acme", "e511", 503, 1), fails("beta", "e999", 503, 1)]);
    assert_eq!(t.view().sliding.dropped.folded, 176);
    t.pass(300);
    t.arrive(&[fails("acme", "new", 503, 1)]);
    assert_eq!(t.sliding(), "acme new 5xx 1", "what left the window makes room");
}

#[test]
fn late_events_are_bounded_in_the_store_too() {
    let mut t = Timeline::new();
    t.sleep(7200);
    t.restart();
    t.pass(1);
    for round in 0..3 {
        let events: Vec<Event> = (0..300)
            .map(|n| fails("acme", &format!("e{round}-{n}"), 503, 1).aged(3600))
            .collect();
        t.arrive(&events);
        t.pass(300);
    }
    let rows: Vec<usize> = (0..3)
        .filter_map(|n| t.aligned(window_of(Wall::from_millis((START + 3600 + n * 300) * 1000))))
        .map(|window| window.rows.len())
        .collect();
    assert!(rows.iter().all(|rows| *rows <= 513), "{rows:?}");
}

#[test]
fn a_late_merge_beyond_the_bound_folds_and_loses_nothing() {
    let mut t = Timeline::new();
    let first: Vec<Event> = (0..500).map(|n| fails("acme", &format!("a{n}"), 503, 1)).collect();
    t.arrive(&first);
    t.pass(20);
    let body = t.disk.windows[&(START, tenant("acme"))].clone();
    let mut other = Timeline::new();
    let second: Vec<Event> = (0..500).map(|n| fails("acme", &format!("b{n}"), 503, 1)).collect();
    other.arrive(&second);
    other.pass(20);
    let late = other.disk.windows[&(START, tenant("acme"))].clone();
    let merged = merge_window(Some(&body), &late);
    let window = window_view(START, &[(tenant("acme"), merged.body)]);
    assert_eq!(window.rows.len(), 513);
    assert_eq!(window.rows.iter().map(|row| row.count).sum::<u64>(), 1000);
    assert_eq!(merged.folded, 488);
    t.digest.merged(merged.folded);
    t.pass(1);
    assert_eq!(t.digest.view(t.now).sliding.dropped.folded, 488);
}

#[test]
fn unknown_tenants_beyond_the_bound_share_one_name() {
    let mut t = Timeline::new();
    t.arrive(&[
        fails("s1", "x", 503, 1),
        fails("s2", "x", 503, 2),
        fails("s3", "x", 503, 3),
    ]);
    expect_test::expect![[r#"
        __other__ x 5xx 3
        s2 x 5xx 2
        s1 x 5xx 1"#]]
    .assert_eq(&t.sliding());
    assert_eq!(t.view().sliding.dropped.folded, 3);
    t.restart();
    t.arrive(&[fails("s3", "x", 503, 1)]);
    assert!(t.sliding().starts_with("__other__ x 5xx 4"), "{}", t.sliding());
    let labels: std::collections::BTreeSet<_> = t.digest.counts().failures.keys().map(|key| key.0.clone()).collect();
    assert!(labels.len() <= 5, "{labels:?}");
}

#[test]
fn a_stranger_that_is_configured_later_keeps_its_rows_and_frees_its_place() {
    let mut t = Timeline::new();
    t.arrive(&[fails("s1", "x", 503, 20), fails("s2", "x", 503, 1)]);
    t.settings.tenants.insert(tenant("s1"), TenantBudgets::default());
    t.digest.configure(t.now, t.settings.clone());
    t.arrive(&[fails("s3", "x", 503, 1)]);
    assert_eq!(t.judge("s1"), "degraded: x ×20 in 5 min (budget 10)");
    assert_eq!(t.sliding(), "s1 x 5xx 20\ns2 x 5xx 1\ns3 x 5xx 1");
}

#[test]
fn a_row_shows_sixteen_gateways() {
    let mut t = Timeline::new();
    for n in 0..40 {
        t.arrive(&[fails("acme", "crm", 503, 1).via(&format!("gw-{n:02}"))]);
    }
    let view = t.view();
    for window in [&view.sliding, &view.aligned[&START]] {
        assert_eq!(window.rows[0].count, 40);
        assert_eq!(window.rows[0].gateways.len(), 16);
    }
}

#[test]
fn fifty_thousand_endpoints_are_counted_to_the_last_and_come_back_after_a_restart() {
    let mut settings = settings();
    settings.tenants = (0..100)
        .map(|n| (tenant(&format!("t{n}")), TenantBudgets::default()))
        .collect();
    let mut t = Timeline::with(settings);
    for _ in 0..3 {
        for n in 0..100 {
            let events: Vec<Event> = (0..500)
                .map(|e| fails(&format!("t{n}"), &format!("https://e{e}.example/hook"), 503, 1))
                .collect();
            t.arrive(&events);
        }
        t.pass(10);
    }
    let before = t.view();
    assert_eq!(before.sliding.rows.len(), 50_000);
    assert!(before.sliding.rows.iter().all(|row| row.count == 3));
    t.restart();
    let after = t.view();
    assert_eq!(after.sliding.rows, before.sliding.rows);
    assert_eq!(after.aligned[&START].rows, before.aligned[&START].rows);
    let slot_bytes = t.disk.slots.values().map(Vec::len).max().unwrap_or(0);
    assert!(slot_bytes < 5_000_000, "{slot_bytes}");
}

#[test]
fn counts_saturate_and_never_wrap() {
    let mut t = Timeline::new();
    t.arrive(&[fails("acme", "crm", 503, u64::MAX), fails("acme", "crm", 503, u64::MAX)]);
    t.arrive(&[fails("acme", "crm", 200, u64::MAX), fails("acme", "crm", 200, 1)]);
    assert_eq!(t.view().sliding.rows[0].count, u64::MAX);
    t.pass(20);
    t.restart();
    assert_eq!(t.view().sliding.rows[0].count, u64::MAX);
    t.pass(400);
    assert_eq!(t.sliding(), "");
}

#[test]
fn a_tenant_that_is_removed_leaves_no_label_and_takes_no_strangers_place() {
    let labels = |t: &Timeline| {
        let counts = t.digest.counts();
        let named = counts.delivered.keys().chain(counts.failures.keys().map(|key| &key.0));
        let names: std::collections::BTreeSet<_> = named.map(ToString::to_string).collect();
        names.into_iter().collect::<Vec<_>>().join(" ")
    };
    let mut t = Timeline::new();
    t.arrive(&[fails("acme", "x", 503, 1), fails("s1", "x", 503, 1)]);
    assert_eq!(labels(&t), "acme beta s1");
    t.settings.tenants.remove(&tenant("acme"));
    t.digest.configure(t.now, t.settings.clone());
    assert_eq!(labels(&t), "beta s1");
    // Two strangers may have names; the removed one is none of them unless it reports.
    t.arrive(&[fails("s2", "x", 503, 1)]);
    assert_eq!(labels(&t), "beta s1 s2");
    t.arrive(&[fails("acme", "x", 503, 1)]);
    assert_eq!(labels(&t), "__other__ beta s1 s2");
    for _ in 0..25 {
        t.pass(3600);
        t.arrive(&[fails("s2", "x", 503, 1)]);
    }
    t.pass(20);
    t.arrive(&[fails("s3", "x", 503, 1)]);
    assert_eq!(labels(&t), "__other__ beta s2 s3", "who was forgotten makes room");
}
