//! What people see of a node in trouble, at 80 columns and at 60.

use expect_test::{Expect, expect};
use serde_json::json;

use super::*;
use crate::cli::moment::moments;
use crate::cli::sheet::columns;

/// As a node with two tenants answered whose first gateway was down: shortened, nothing made up.
fn in_trouble() -> Value {
    let check = |name: &str, tenant: Value, level: &str, cause: Value, summary: &str| {
        json!({"check": name, "tenant": tenant, "layer": "runtime", "level": level,
            "counts_as": if level == "unknown" { "degraded" } else { level }, "required": true,
            "summary": summary, "since": "2026-11-20T07:31:07Z", "checked_at": "2026-11-20T07:43:08Z", "age_sec": 2,
            "hint": "Run: openclaw gateway status --require-rpc, then: openclaw logs --follow", "cause": cause})
    };
    let none = Value::Null;
    let acme = || json!("acme");
    json!({
        "status": "down", "phase": "serving", "node": "mac-3", "since": "2026-11-20T07:31:09Z",
        "reasons": [], "checks_total": 8, "checks_ok": 3,
        "checks": [
            check("gateway", acme(), "down", none.clone(), "connection refused at 127.0.0.1:18789"),
            check("gateway-link", acme(), "unknown", json!("gateway"), "no link: connection refused"),
            check("doctor", acme(), "unknown", json!("gateway"), "not asked while the gateway is down"),
            check("webhook-digest", acme(), "degraded", none.clone(), "crm ×512 in 5 min (budget 50)"),
            check("disk", none.clone(), "ok", none.clone(), "/var/lib/openclaw: 81 GiB free"),
            check("write", none.clone(), "ok", none.clone(), "written in 2 ms"),
            check("gateway", json!("beta"), "ok", none.clone(), "ready"),
            check("doctor", json!("beta"), "ok", none.clone(), "no findings"),
        ],
        "why": [
            {"text": "acme gateway: connection refused at 127.0.0.1:18789 (explains 2 more)", "severity": "down",
             "tenant": "acme", "check": "gateway@acme", "symptoms": ["doctor@acme", "gateway-link@acme"],
             "hint": "Run: openclaw gateway status --require-rpc, then: openclaw logs --follow"},
            {"text": "acme webhook-digest: crm ×512 in 5 min (budget 50)", "severity": "degraded", "tenant": "acme",
             "check": "webhook-digest@acme", "symptoms": [],
             "hint": "Run: readyd digest --tenant acme, then ask whoever runs the endpoint"},
        ],
        "tenants_detail": [
            {"tenant": "beta", "verdict": "ok", "phase": "serving", "since": "2026-11-18T06:00:00Z", "required": false,
             "answer": "ok", "answer_phase": "serving", "maintenance": null, "drain": null},
            {"tenant": "acme", "verdict": "down", "phase": "serving", "since": "2026-11-20T07:31:09Z", "required": true,
             "answer": "down", "answer_phase": "serving", "maintenance": null, "drain": null},
        ],
        "config": {"reload_error": null, "warnings": []},
    })
}

fn check(status: &Value, wanted: Wanted<'_>, width: usize, expected: Expect) {
    let text = drawn(status, &wanted, Some(width), &moments(true)).text(false);
    assert!(text.lines().all(|line| columns(line) <= width), "{text}");
    expected.assert_eq(&text);
}

const NODE: Wanted<'_> = Wanted {
    tenant: None,
    all: false,
};

#[test]
fn the_worst_comes_first_symptoms_below_it_and_the_next_step_last() {
    check(
        &in_trouble(),
        NODE,
        80,
        expect![[r#"
        down      mac-3  since 07:31, 12 min ago

        down      acme gateway: connection refused at 127.0.0.1:18789
                  since 07:31, 12 min ago; explains doctor, gateway-link
        degraded  acme webhook-digest: crm ×512 in 5 min (budget 50)
                  since 07:31, 12 min ago

        TENANT           IS    CHECKS OK  WRONG                    SINCE
        acme             down  0 of 4     gateway (+2), webhook-…  07:31, 12 min ago
        beta (advisory)  ok    2 of 2     -                        18 Nov 06:00, 2 d ago

        4 of 8 checks ok (--all lists them)
        next: openclaw gateway status --require-rpc, then: openclaw logs --follow
              evidence: readyd explain gateway@acme
    "#]],
    );
}

#[test]
fn a_narrow_terminal_loses_what_is_beside_the_point() {
    check(
        &in_trouble(),
        NODE,
        60,
        expect![[r#"
        down      mac-3  since 07:31, 12 min ago

        down      acme gateway: connection refused at
                  127.0.0.1:18789
                  since 07:31, 12 min ago; explains doctor,
                  gateway-link
        degraded  acme webhook-digest: crm ×512 in 5 min (budget 50)
                  since 07:31, 12 min ago

        TENANT           IS    CHECKS OK  WRONG
        acme             down  0 of 4     gateway (+2), webhook-dig…
        beta (advisory)  ok    2 of 2     -

        4 of 8 checks ok (--all lists them)
        next: openclaw gateway status --require-rpc, then: openclaw
              logs --follow
              evidence: readyd explain gateway@acme
    "#]],
    );
}

#[test]
fn a_tenants_answer_is_made_of_its_own_checks_and_the_nodes() {
    let wanted = Wanted {
        tenant: Some("acme"),
        all: false,
    };
    check(
        &in_trouble(),
        wanted,
        80,
        expect![[r#"
        down      acme on mac-3  since 07:31, 12 min ago

        down      gateway: connection refused at 127.0.0.1:18789
                  since 07:31, 12 min ago; explains gateway-link, doctor
        degraded  webhook-digest: crm ×512 in 5 min (budget 50)
                  since 07:31, 12 min ago

        2 of 6 checks ok (--all lists them)
        next: openclaw gateway status --require-rpc, then: openclaw logs --follow
              evidence: readyd explain gateway@acme
    "#]],
    );
    let all = Wanted {
        tenant: Some("beta"),
        all: true,
    };
    check(
        &in_trouble(),
        all,
        80,
        expect![[r#"
        ok        beta on mac-3  since 18 Nov 06:00, 2 d ago

        LEVEL  CHECK         SUMMARY                         AGE
        ok     disk          /var/lib/openclaw: 81 GiB free  2 s
        ok     write         written in 2 ms                 2 s
        ok     gateway@beta  ready                           2 s
        ok     doctor@beta   no findings                     2 s

        4 of 4 checks ok
    "#]],
    );
}

#[test]
fn what_was_taken_out_on_purpose_is_told_with_who_why_and_until_when() {
    let mut status = in_trouble();
    let operation = json!({"actor": "uid 501 (ann)", "reason": "upgrade to 2026.9.6", "ticket": "OPS-1",
        "started": "2026-11-20T07:30:00Z", "until": "2026-11-20T09:30:00Z"});
    status["status"] = json!("ok");
    status["phase"] = json!("draining");
    status["drain"] = json!({"actor": "uid 0 (root)", "reason": "kernel", "started": "2026-11-20T07:40:00Z"});
    status["why"] = json!([
        {"text": "drained by uid 0 (root): kernel", "severity": "down", "tenant": null, "check": null, "symptoms": []},
        {"text": "acme is in maintenance by uid 501 (ann) until 2026-11-20T09:30:00Z: upgrade", "severity": "ok",
         "tenant": "acme", "check": null, "symptoms": []},
    ]);
    status["tenants_detail"][1]["maintenance"] = operation;
    for check in status["checks"].as_array_mut().unwrap() {
        if check["tenant"] == "acme" {
            check["counts_as"] = json!("nothing");
        }
    }
    check(
        &status,
        NODE,
        80,
        expect![[r#"
        draining  mac-3  since 07:31, 12 min ago  its checks say ok
          the node is drained since 07:40, 3 min ago by uid 0 (root): kernel
          acme is in maintenance until 09:30, in 106 min by uid 501 (ann): upgrade to
          2026.9.6 [OPS-1]

        TENANT           IS           CHECKS OK  WRONG
        acme             maintenance  0 of 4     gateway (+2), webhook-digest
        beta (advisory)  ok           2 of 2     -

        shown, and not counted
        LEVEL     CHECK                SUMMARY
        down      gateway@acme         connection refused at 127.0.0.1:18789
        unknown   gateway-link@acme    no link: connection refused
        unknown   doctor@acme          not asked while the gateway is down
        degraded  webhook-digest@acme  crm ×512 in 5 min (budget 50)

        4 of 8 checks ok (--all lists them)
        next: readyd undrain
    "#]],
    );
}

#[test]
fn a_node_with_nothing_wrong_is_a_few_lines_and_one_without_tenants_says_what_to_do() {
    let mut status = in_trouble();
    status["status"] = json!("ok");
    status["why"] = json!([]);
    status["tenants_detail"].as_array_mut().unwrap().truncate(1);
    status["checks"] = status["checks"].as_array().unwrap()[4..].into();
    check(
        &status,
        NODE,
        80,
        expect![[r#"
        ok        mac-3  since 07:31, 12 min ago

        TENANT           IS  CHECKS OK  WRONG  SINCE
        beta (advisory)  ok  2 of 2     -      18 Nov 06:00, 2 d ago

        4 of 4 checks ok (--all lists them)
    "#]],
    );
    let empty = json!({"status": "degraded", "node": "mac-3", "since": "2026-11-20T07:31:09Z",
        "why": [{"text": "no gateway is watched", "severity": "degraded", "tenant": null, "check": null}]});
    check(
        &empty,
        NODE,
        80,
        expect![[r#"
        degraded  mac-3  since 07:31, 12 min ago

        degraded  no gateway is watched

        0 of 0 checks ok (--all lists them)
        next: name one under `tenants:` in the configuration, then: readyd reload
    "#]],
    );
}

#[test]
fn a_probe_that_cannot_be_asked_is_explained_by_itself_and_not_by_what_it_would_look_at() {
    let mut status = in_trouble();
    status["why"] = json!([{"text": "probe_fault: doctor (spawn failed: openclaw: not found on exec.path)",
        "severity": "degraded", "tenant": null, "check": "doctor@acme", "symptoms": ["doctor@beta"],
        "hint": "Run: openclaw doctor --lint --json"}]);
    let text = drawn(&status, &NODE, Some(80), &moments(true)).text(false);
    assert!(text.contains("of doctor@acme, doctor@beta"), "{text}");
    assert!(text.ends_with("next: readyd explain doctor@acme\n"), "{text}");
}

#[test]
fn many_tenants_and_reasons_are_counted_where_they_are_not_listed() {
    let mut status = in_trouble();
    let tenant = |number: u32, verdict: &str| json!({"tenant": format!("tenant-{number:03}-日本"), "verdict": verdict, "phase": "serving", "since": "2026-11-20T07:31:09Z"});
    let bad = (0..30).map(|number| tenant(number, "degraded"));
    status["tenants_detail"] = bad.chain((30..256).map(|number| tenant(number, "ok"))).collect();
    let reason = |number: u32| json!({"text": format!("tenant-{number:03} gateway: refused"), "severity": "degraded"});
    status["why"] = (0..30).map(reason).collect();
    let text = drawn(&status, &NODE, Some(60), &moments(true)).text(false);
    assert!(text.contains("\nand 22 more (--all)\n"), "{text}");
    assert!(
        text.contains("\nand 10 more tenants not ok (--all)\nand 226 more tenants ok (--all)\n"),
        "{text}"
    );
    assert!(text.lines().all(|line| columns(line) <= 60), "{text}");
}

#[test]
fn a_picture_for_a_pipe_is_the_same_until_something_happens() {
    let picture = |seconds: i64| {
        let moments = Moments {
            now: moments(false).now.plus_millis(seconds * 1000),
            ..moments(false)
        };
        let mut status = in_trouble();
        status["checks"][0]["age_sec"] = json!(seconds);
        let all = Wanted { all: true, ..NODE };
        drawn(&status, &all, None, &moments).text(false)
    };
    assert_eq!(picture(0), picture(300));
}

#[test]
fn a_refused_configuration_is_said_before_the_reasons() {
    let mut status = in_trouble();
    status["config"] = json!({"reload_error": "readyd.yaml:3: no_such_key: unknown", "warnings": ["x", "y"]});
    let text = drawn(&status, &NODE, Some(80), &moments(true)).text(false);
    let expected = "down      mac-3  since 07:31, 12 min ago\n  \
        the configuration was refused, the old one is in force: readyd.yaml:3:\n  \
        no_such_key: unknown\n  \
        the configuration has 2 warnings: readyd config check\n";
    assert!(text.starts_with(expected), "{text}");
}
