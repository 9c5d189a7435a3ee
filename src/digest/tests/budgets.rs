//! Rows against budgets.

use super::*;

#[test]
fn an_endpoint_at_its_budget_is_ok_and_above_it_degraded() {
    let mut t = Timeline::new();
    t.arrive(&[fails("acme", "crm", 503, 50)]);
    assert_eq!(t.judge("acme"), "ok: 50 failures in 5 min (tenant budget 50)");
    t.arrive(&[fails("acme", "crm", 0, 1).timed_out()]);
    assert_eq!(t.judge("acme"), "degraded: crm ×51 in 5 min (budget 50)");
    assert_eq!(t.judge("beta"), "ok: no failures in 5 min (tenant budget 50)");
    assert_eq!(t.judge_node(), "ok: digest up to date");
}

#[test]
fn it_clears_at_eighty_percent_and_not_before() {
    let mut t = Timeline::new();
    t.arrive(&[fails("beta", "erp", 503, 2)]);
    t.pass(60);
    t.arrive(&[fails("beta", "erp", 503, 1)]);
    t.pass(60);
    t.arrive(&[fails("beta", "erp", 503, 8)]);
    assert_eq!(t.judge("beta"), "degraded: erp ×11 in 5 min (budget 10)");
    t.pass(180);
    assert_eq!(t.judge("beta"), "degraded: erp ×9 in 5 min (budget 10, clears at 8)");
    t.restart();
    assert_eq!(
        t.judge("beta"),
        "degraded: erp ×9 in 5 min (budget 10, clears at 8)",
        "a restart forgets nothing"
    );
    t.pass(60);
    assert_eq!(t.judge("beta"), "ok: 8 failures in 5 min (tenant budget 50)");
    t.arrive(&[fails("beta", "erp", 503, 2)]);
    assert_eq!(
        t.judge("beta"),
        "ok: 10 failures in 5 min (tenant budget 50)",
        "what cleared may fill its budget again"
    );
}

#[test]
fn a_tenants_budget_counts_all_of_its_endpoints() {
    let mut t = Timeline::new();
    let events: Vec<Event> = (0..6).map(|n| fails("beta", &format!("e{n}"), 500, 9)).collect();
    t.arrive(&events);
    assert_eq!(t.judge("beta"), "degraded: 54 failures in 5 min (tenant budget 50)");
}

#[test]
fn the_worst_endpoint_leads_and_the_evidence_tells_the_rest() {
    let mut t = Timeline::new();
    t.arrive(&[
        fails("acme", "crm", 503, 498).error("upstream connect error"),
        fails("acme", "crm", 502, 2).via("gw-2"),
        fails("acme", "erp", 404, 11),
    ]);
    let finding = t.digest.judge(t.now, Some(&tenant("acme")));
    assert_eq!(finding.summary, "crm ×500 in 5 min (budget 50) and 1 more endpoint");
    let seen: Vec<String> = finding
        .evidence
        .iter()
        .map(|e| format!("{}: {}", e.what, e.seen))
        .collect();
    expect_test::expect![[r#"
        failures in 5 min: 511 (tenant budget 50)
        crm: 500 (budget 50): 5xx 500 (503 ×498, 502 ×2), gateways gw-1, gw-2, upstream connect error
        erp: 11 (budget 10): 4xx 11 (404 ×11), gateways gw-1"#]]
    .assert_eq(&seen.join("\n"));
}

#[test]
fn evidence_is_cut_at_the_worst_ten() {
    let mut t = Timeline::new();
    let events: Vec<Event> = (0..30)
        .map(|n| fails("beta", &format!("e{n:02}"), 500, 11 + n))
        .collect();
    t.arrive(&events);
    let finding = t.digest.judge(t.now, Some(&tenant("beta")));
    assert_eq!(finding.summary, "e29 ×40 in 5 min (budget 10) and 29 more endpoints");
    assert_eq!(finding.evidence.len(), 11);
}

#[test]
fn a_new_budget_is_held_against_what_stands_already() {
    let mut t = Timeline::new();
    t.arrive(&[fails("beta", "erp", 503, 9)]);
    t.settings.budget = 5;
    t.digest.configure(t.now, t.settings.clone());
    assert_eq!(t.judge("beta"), "degraded: erp ×9 in 5 min (budget 5)");
    t.settings.budget = 100;
    t.digest.configure(t.now, t.settings.clone());
    assert_eq!(t.judge("beta"), "ok: 9 failures in 5 min (tenant budget 50)");
}

#[test]
fn a_tenant_that_is_not_configured_degrades_the_node_when_over_budget() {
    let mut t = Timeline::new();
    t.arrive(&[fails("stray", "crm", 503, 10)]);
    assert_eq!(t.judge_node(), "ok: digest up to date");
    t.arrive(&[fails("stray", "crm", 503, 1)]);
    assert_eq!(
        t.judge_node(),
        "degraded: stray (not configured): crm ×11 in 5 min (budget 10)"
    );
}

#[test]
fn the_nodes_own_age_degrades_only_when_it_is_stale() {
    let mut t = Timeline::new();
    t.is_committing = false;
    t.pass(60);
    assert_eq!(t.judge_node(), "ok: digest up to date");
    t.pass(15);
    assert_eq!(t.judge_node(), "degraded: digest stale for 75 s");
}

#[test]
fn after_a_sleep_patience_starts_afresh() {
    let mut t = Timeline::new();
    t.is_committing = false;
    t.sleep(3600);
    t.tick();
    assert_eq!(t.judge_node(), "ok: digest up to date");
    t.pass(61);
    assert_eq!(t.judge_node(), "degraded: digest stale for 3661 s");
}

#[test]
fn endpoints_that_were_too_many_are_held_against_the_tenants_budget_alone() {
    let mut settings = settings();
    settings.tenant_budget = 100_000;
    let mut t = Timeline::with(settings);
    let events: Vec<Event> = (0..600)
        .map(|index| fails("acme", &format!("e{index}"), 503, 1))
        .collect();
    t.arrive(&events);
    assert!(t.sliding().contains("__other__"), "{}", t.sliding());
    assert_eq!(t.judge("acme"), "ok: 600 failures in 5 min (tenant budget 100000)");
}
