use expect_test::{Expect, expect};

use super::build::{Build, degraded, operation, tenant};
use crate::http::answer::{Head, render};
use crate::http::topic::Topic;
use crate::http::{body, forms};
use crate::readiness::snapshot::{Phase, Reason, Snapshot, VerdictChange};
use crate::words::{CheckId, Level, Verdict};

fn check(bytes: &[u8], expected: Expect) {
    expected.assert_eq(std::str::from_utf8(bytes).unwrap());
}

/// Status and headers, one a line.
fn head(snapshot: &Snapshot) -> String {
    said(Head::of(&Topic::node(snapshot)))
}

fn said(head: Head) -> String {
    let headers = head.headers().map(|(name, value)| format!("{name}: {value}\n"));
    format!("{}\n{}", head.status, headers.collect::<String>())
}

#[test]
fn json_has_the_fields_of_the_contract_in_its_order() {
    check(
        &render(&degraded().done()).node.json,
        expect![[r#"
            {
              "status": "degraded",
              "phase": "serving",
              "node": "mac-3",
              "labels": {
                "cluster": "eu"
              },
              "since": "2026-11-20T07:21:07Z",
              "checked_at": "2026-11-20T07:31:07Z",
              "cycle": 812,
              "green_cycles": 3,
              "reasons": [
                "acme doctor: agent database refused"
              ],
              "tenants": {
                "acme": "degraded",
                "beta": "ok"
              },
              "tenants_total": 2,
              "checks_total": 3,
              "checks_ok": 2,
              "checks": [
                {
                  "check": "doctor",
                  "tenant": "acme",
                  "layer": "runtime",
                  "level": "degraded",
                  "counts_as": "degraded",
                  "required": true,
                  "summary": "agent database refused",
                  "since": "2026-11-20T07:21:07Z",
                  "checked_at": "2026-11-20T07:30:55Z",
                  "age_sec": 12,
                  "hint": "Run: readyd explain doctor@acme",
                  "cause": null
                }
              ]
            }
        "#]],
    );
}

#[test]
fn a_tenants_answer_has_its_own_checks_and_the_nodes_and_no_other_tenants() {
    let snapshot = degraded().check("write", Level::Down, "no space left").done();
    let rendered = render(&snapshot);
    let beta: serde_json::Value = serde_json::from_slice(&rendered.tenants[&tenant("beta")].json).unwrap();
    assert_eq!(beta["status"], "down");
    assert_eq!(beta["tenant"], "beta");
    assert_eq!(beta["tenants"], serde_json::json!({"beta": "ok"}));
    assert_eq!(beta["checks_total"], 3);
    assert_eq!(beta["checks"][0]["check"], "write");
    assert_eq!(beta["reasons"], serde_json::json!(["write: no space left"]));
    assert!(!String::from_utf8_lossy(&rendered.tenants[&tenant("beta")].json).contains("acme"));
}

#[test]
fn one_pass_over_all_tenants_finds_what_asking_for_each_finds() {
    let snapshot = degraded().check("write", Level::Down, "no space left").done();
    let mut seen = 0;
    for (name, topic) in Topic::tenants(&snapshot) {
        let alone = Topic::tenant(&snapshot, name).unwrap();
        let ids = |topic: &Topic<'_>| topic.checks.iter().map(|check| check.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&topic), ids(&alone));
        seen += 1;
    }
    assert_eq!(seen, 2);
}

#[test]
fn each_verdict_has_its_status_and_headers() {
    let of = |level| head(&Build::node().check("disk", level, "as it is").done());
    assert_eq!(of(Level::Ok), "200\n");
    assert_eq!(of(Level::Degraded), "200\nx-envoy-degraded: 1\n");
    assert_eq!(of(Level::Down), "503\nretry-after: 7\n");
}

#[test]
fn starting_and_draining_are_503_whatever_the_verdict() {
    for level in [Level::Ok, Level::Degraded, Level::Down] {
        let of = |phase| head(&Build::node().check("disk", level, "as it is").phase(phase).done());
        assert_eq!(of(Phase::Starting), "503\nretry-after: 1\n");
        assert_eq!(
            of(Phase::Draining),
            "503\nx-envoy-immediate-health-check-fail: 1\nretry-after: 10\n"
        );
    }
}

#[test]
fn retry_after_is_never_zero() {
    let snapshot = Build::node()
        .check("disk", Level::Down, "full")
        .with(|snapshot| snapshot.retry_after = 0);
    assert_eq!(head(&snapshot.done()), "503\nretry-after: 1\n");
}

#[test]
fn a_tenants_head_is_its_own() {
    let snapshot = degraded().with(|snapshot| {
        let acme = snapshot.tenants.get_mut(&tenant("acme")).unwrap();
        acme.answer = Verdict::Down;
    });
    let rendered = render(&snapshot.done());
    assert_eq!(said(rendered.tenants[&tenant("acme")].head), "503\nretry-after: 4\n");
    assert_eq!(said(rendered.tenants[&tenant("beta")].head), "200\n");
}

#[test]
fn operations_show_on_every_answer_with_their_actor() {
    let snapshot = degraded()
        .phase(Phase::Draining)
        .with(|snapshot| {
            let mut drain = operation("kernel upgrade");
            drain.until = None;
            snapshot.drain = Some(drain);
            snapshot.tenants.get_mut(&tenant("beta")).unwrap().maintenance = Some(operation("migration"));
            snapshot.not_yet_durable = true;
        })
        .done();
    let rendered = render(&snapshot);
    let node: serde_json::Value = serde_json::from_slice(&rendered.node.json).unwrap();
    check(
        &serde_json::to_vec_pretty(&serde_json::json!([
            node["drain"],
            node["maintenance"],
            node["not_yet_durable"]
        ]))
        .unwrap(),
        expect![[r#"
            [
              {
                "actor": "uid 501 (ann)",
                "reason": "kernel upgrade",
                "started": "2026-11-20T07:31:07Z",
                "ticket": "OPS-1"
              },
              {
                "beta": {
                  "actor": "uid 501 (ann)",
                  "reason": "migration",
                  "started": "2026-11-20T07:31:07Z",
                  "ticket": "OPS-1",
                  "until": "2026-11-20T09:31:07Z"
                }
              },
              true
            ]"#]],
    );
    let acme: serde_json::Value = serde_json::from_slice(&rendered.tenants[&tenant("acme")].json).unwrap();
    assert_eq!(acme["drain"]["reason"], "kernel upgrade");
    assert!(
        acme.get("maintenance").is_none(),
        "beta's maintenance is none of acme's business"
    );
}

#[test]
fn a_crowd_is_cut_to_50_checks_50_tenants_and_20_reasons_worst_first() {
    let mut build = Build::node();
    for number in 0..80 {
        build = build.tenant(&format!("t{number:02}"));
    }
    for number in 0..80 {
        let level = if number == 79 { Level::Down } else { Level::Degraded };
        build = build.check(&format!("doctor@t{number:02}"), level, "complains");
    }
    let snapshot = build.done();
    let ready: serde_json::Value = serde_json::from_slice(&render(&snapshot).node.json).unwrap();
    let len = |field: &str| {
        ready[field]
            .as_array()
            .map_or_else(|| ready[field].as_object().unwrap().len(), Vec::len)
    };
    assert_eq!((len("checks"), len("tenants"), len("reasons")), (50, 50, 21));
    assert_eq!(
        (&ready["tenants_total"], &ready["checks_total"]),
        (&80.into(), &80.into())
    );
    assert_eq!(ready["checks"][0]["tenant"], "t79");
    assert_eq!(ready["tenants"]["t79"], "down");
    assert_eq!(ready["reasons"][0], "t79 doctor: complains");
    assert_eq!(ready["reasons"][20], "and 60 more");

    let status: serde_json::Value = serde_json::from_slice(&body::status(&snapshot)).unwrap();
    assert_eq!(status["checks"].as_array().unwrap().len(), 80);
    assert_eq!(status["tenants"].as_object().unwrap().len(), 80);
    assert_eq!(status["reasons"].as_array().unwrap().len(), 80);
}

#[test]
fn the_last_change_tells_what_is_wrong_since_and_what_became_better() {
    let snapshot = Build::node().with(|snapshot| {
        snapshot.last_change = Some(VerdictChange {
            at: snapshot.since,
            from: Verdict::Down,
            to: Verdict::Degraded,
            reasons: vec!["acme doctor: cadence".into()],
            better: vec!["acme gateway: ready (was down)".into()],
        });
    });
    let snapshot = snapshot.done();
    let status: serde_json::Value = serde_json::from_slice(&body::status(&snapshot)).unwrap();
    let change = serde_json::json!({
        "at": snapshot.since.rfc3339(),
        "from": "down",
        "to": "degraded",
        "reasons": ["acme doctor: cadence"],
        "better": ["acme gateway: ready (was down)"],
    });
    assert_eq!(status["last_change"], change);
}

#[test]
fn text_says_the_verdict_first_and_then_one_check_a_line() {
    let snapshot = degraded()
        .check("write", Level::Down, "no space left")
        .with(|snapshot| {
            snapshot.checks[1].in_maintenance = true;
        });
    check(
        &forms::text(&Topic::node(&snapshot.done())),
        expect![[r#"
            down
            down write: no space left
            degraded doctor@acme: agent database refused (in maintenance)
            ok disk: 40 GiB free
            ok doctor@beta: nothing to complain about
        "#]],
    );
}

#[test]
fn text_says_the_next_step_below_the_worst_reason_and_which_check_is_a_symptom() {
    let snapshot = degraded().with(|snapshot| {
        snapshot.reasons[0].hint = "Run: openclaw doctor --lint".into();
        let beta = snapshot
            .checks
            .iter_mut()
            .find(|check| check.id.to_string() == "doctor@beta");
        beta.unwrap().explained_by = CheckId::parse("doctor@acme");
    });
    check(
        &forms::text(&Topic::node(&snapshot.done())),
        expect![[r#"
            degraded
            degraded doctor@acme: agent database refused
            next: openclaw doctor --lint
            ok disk: 40 GiB free
            ok doctor@beta: nothing to complain about (explained by doctor@acme)
        "#]],
    );
}

#[test]
fn text_says_why_a_healthy_node_is_a_503() {
    let drained = Reason {
        text: "drained by uid 501 (ann): kernel upgrade".into(),
        severity: Verdict::Down,
        tenant: None,
        check: None,
        symptoms: Vec::new(),
        hint: String::new(),
    };
    let snapshot = Build::node()
        .check("disk", Level::Ok, "40 GiB free")
        .phase(Phase::Draining)
        .with(|snapshot| snapshot.reasons.push(drained));
    check(
        &forms::text(&Topic::node(&snapshot.done())),
        expect![[r#"
            ok, draining
            down drained by uid 501 (ann): kernel upgrade
            ok disk: 40 GiB free
        "#]],
    );
}

#[test]
fn verbose_lists_every_check_as_kubernetes_does() {
    check(
        &forms::verbose(&Topic::node(&degraded().done())),
        expect![[r#"
            [+]disk ok
            [-]doctor@acme failed: degraded: agent database refused
            [+]doctor@beta ok
            degraded
        "#]],
    );
}

#[test]
fn health_json_follows_the_draft() {
    let snapshot = degraded().check("write", Level::Down, "no space left").done();
    check(
        &forms::health_json(&Topic::node(&snapshot)),
        expect![[r#"
            {
              "status": "fail",
              "version": "1",
              "releaseId": "0.1.0",
              "serviceId": "mac-3",
              "description": "readiness of an OpenClaw host",
              "output": "write: no space left; acme doctor: agent database refused",
              "checks": {
                "doctor:level": [
                  {
                    "componentId": "doctor@acme",
                    "componentType": "component",
                    "observedValue": "degraded",
                    "status": "warn",
                    "time": "2026-11-20T07:30:55Z",
                    "output": "agent database refused"
                  }
                ],
                "write:level": [
                  {
                    "componentId": "write",
                    "componentType": "system",
                    "observedValue": "down",
                    "status": "fail",
                    "time": "2026-11-20T07:30:55Z",
                    "output": "no space left"
                  }
                ]
              }
            }
        "#]],
    );
}

#[test]
fn a_check_in_detail_shows_evidence_and_history() {
    let snapshot = degraded()
        .check("gateway@acme", Level::Unknown, "no answer within 60 s")
        .done();
    let gateway = snapshot
        .checks
        .iter()
        .find(|check| check.id.probe.as_str() == "gateway")
        .unwrap();
    check(
        &body::check(gateway, &snapshot),
        expect![[r#"
            {
              "check": "gateway",
              "tenant": "acme",
              "layer": "runtime",
              "level": "unknown",
              "counts_as": "degraded",
              "required": true,
              "summary": "no answer within 60 s",
              "since": "2026-11-20T07:21:07Z",
              "checked_at": "2026-11-20T07:30:55Z",
              "age_sec": 12,
              "hint": "Run: readyd explain gateway@acme",
              "cause": null,
              "title": "The probe gateway",
              "answered": "degraded",
              "unknown_because": "timeout",
              "evidence": [],
              "notes": [],
              "measurements": [],
              "causes": [],
              "explains": [],
              "explains_total": 0,
              "layer_looks_at": "whether the gateway's process works",
              "known_good": "df -h; df -i",
              "every_sec": 300.0,
              "next_due_in_sec": 288.0,
              "max_stale_sec": 960.0,
              "notice_within_sec": 450.0,
              "cost": null,
              "history": [
                {
                  "at": "2026-11-20T07:21:07Z",
                  "from": "pending",
                  "to": "unknown",
                  "summary": "no answer within 60 s"
                }
              ]
            }
        "#]],
    );
}

#[test]
fn a_hanging_loop_makes_no_ok_and_empties_nothing() {
    let hang = std::time::Duration::from_millis(14_200);
    let of = |level| {
        let snapshot = Build::node().check("disk", level, "as it is").done();
        let topic = Topic::node(&snapshot).from_a_hanging_loop(hang);
        (topic.verdict, topic.reasons[0].text.clone())
    };
    let why = "readyd: the main loop has not turned for 14 s, this is what it knew at 2026-11-20T07:31:07Z";
    assert_eq!(of(Level::Ok), (Verdict::Degraded, why.into()));
    assert_eq!(of(Level::Degraded), (Verdict::Degraded, why.into()));
    assert_eq!(of(Level::Down), (Verdict::Down, why.into()));
}

#[test]
fn a_check_in_detail_says_what_explains_it_and_what_it_explains() {
    let mut snapshot = Build::node()
        .check("config@acme", Level::Down, "broken")
        .check("gateway@acme", Level::Down, "refused")
        .check("doctor@acme", Level::Down, "broken")
        .check("queue@acme", Level::Degraded, "deep")
        .check("disk", Level::Ok, "as it is")
        .done();
    for (symptom, cause) in [
        ("gateway@acme", "config@acme"),
        ("doctor@acme", "config@acme"),
        ("queue@acme", "gateway@acme"),
    ] {
        let mut checks = snapshot.checks.iter_mut();
        let check = checks.find(|check| check.id.to_string() == symptom).unwrap();
        check.explained_by = CheckId::parse(cause);
    }
    let of = |name: &str| {
        let mut checks = snapshot.checks.iter();
        let check = checks.find(|check| check.id.to_string() == name).unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body::check(check, &snapshot)).unwrap();
        (
            body["causes"].to_string(),
            body["explains"].to_string(),
            body["explains_total"].to_string(),
        )
    };
    let said = |causes: &str, explains: &str, total: &str| (causes.to_owned(), explains.to_owned(), total.to_owned());
    assert_eq!(of("disk"), said("[]", "[]", "0"));
    assert_eq!(of("queue@acme"), said(r#"["gateway@acme","config@acme"]"#, "[]", "0"));
    assert_eq!(of("gateway@acme"), said(r#"["config@acme"]"#, r#"["queue@acme"]"#, "1"));
    assert_eq!(of("config@acme").2, "3");
}
