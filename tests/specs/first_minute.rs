//! What a newcomer sees: one command, and everything answers.

use std::io::Write;

use crate::harness::{Node, PATIENCE};

const TWO_TENANTS: &str = "tenants: {acme: {}, beta: {required: false}}\nprobes: {doctor: {enabled: false}}\n";

#[test]
fn with_no_tenant_at_all_it_serves_and_says_that_no_gateway_is_watched() {
    let node = Node::start("");
    let (ready, _) = node.until_status("degraded", PATIENCE);
    assert_eq!(ready["reasons"][0], "no gateway is watched");
    assert_eq!(node.get("/ready").status, 200);
}

#[test]
fn with_no_tenant_on_purpose_it_is_ok() {
    let node = Node::start("tenants: {}\n");
    let (ready, _) = node.until_status("ok", PATIENCE);
    assert_eq!(ready["tenants_total"], 0);
}

#[test]
fn an_emitted_failure_becomes_a_digest_row_a_metric_and_at_last_a_reason() {
    let node = Node::start(TWO_TENANTS);
    node.until_status("ok", PATIENCE);

    node.cli_ok(&[
        "emit",
        "--tenant",
        "acme",
        "--endpoint",
        "https://user:pw@crm.example/hook?token=s3cret",
        "--status",
        "503",
    ]);
    let digest = node.get("/v1/webhook-digest").json();
    assert_eq!(
        digest["totals"]["failures"], 1,
        "it is there as soon as it is said to be counted"
    );
    let row = &digest["top"][0];
    assert_eq!(row["tenant"], "acme");
    assert_eq!(row["endpoint"], "https://crm.example/hook");
    assert_eq!(row["family"], "5xx");
    assert_eq!(row["count"], 1);
    assert_eq!(row["statuses"]["503"], 1);
    assert!(digest["age_sec"].as_u64().unwrap() <= 2, "{digest:#}");

    let metrics = node.get("/metrics").body;
    assert!(
        metrics.contains("readyd_webhook_failures_total{tenant=\"acme\",family=\"5xx\"} 1"),
        "{metrics}"
    );
    assert!(metrics.contains("readyd_status{status=\"ok\"} 1"), "{metrics}");

    let mut events = node.events();
    for _ in 0..500 {
        writeln!(
            events,
            r#"{{"tenant":"acme","endpoint":"crm","status":502,"attempt":3}}"#
        )
        .unwrap();
    }
    let (degraded, _) = node.until_status("degraded", PATIENCE);
    assert_eq!(degraded["tenants"]["acme"], "degraded");
    assert_eq!(degraded["tenants"]["beta"], "ok");
    let reason = degraded["reasons"][0].as_str().unwrap();
    assert!(
        reason.starts_with("acme webhook-digest: crm ×500 in 5 min (budget 10)"),
        "{reason}"
    );
    assert_eq!(node.get("/ready").status, 200);
    assert_eq!(node.get("/ready").header("x-envoy-degraded"), Some("1"));
    let rows = node.get("/v1/webhook-digest").json();
    assert_eq!(rows["totals"]["rows"], 2, "{rows:#}");
}

#[test]
fn every_answer_is_there_for_get_and_for_head_and_nothing_else_is_allowed() {
    let node = Node::start(TWO_TENANTS);
    node.until_status("ok", PATIENCE);
    for path in [
        "/ready",
        "/readyz",
        "/ready/acme",
        "/readyz/acme",
        "/livez",
        "/startupz",
        "/metrics",
        "/v1/status",
        "/v1/webhook-digest",
        "/v1/webhook-digest?window=last",
        "/v1/checks/disk",
        "/v1/checks/webhook-digest/acme",
        "/v1/history",
    ] {
        let get = node.get(path);
        assert_eq!(get.status, 200, "{path}: {get:?}");
        let head = node
            .request(&format!(
                "HEAD {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
            ))
            .unwrap();
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
        let post = node
            .request(&format!(
                "POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
            ))
            .unwrap();
        assert_eq!(post.status, 405, "{path}");
        assert_eq!(post.header("allow"), Some("GET, HEAD"), "{path}");
    }
    assert_eq!(node.get("/ready/nobody").status, 404);
    assert_eq!(node.get("/ready").header("cache-control"), Some("no-store"));
    assert!(node.get("/ready").body.ends_with("}\n"));
}

#[test]
fn the_command_line_answers_the_same_questions() {
    let node = Node::start(TWO_TENANTS);
    node.until_status("ok", PATIENCE);
    for arguments in [
        &["status"][..],
        &["status", "--json"],
        &["digest"],
        &["why"],
        &["explain", "disk"],
        &["explain", "webhook-digest@acme"],
        &["probe", "list"],
        &["probe", "show", "doctor"],
        &["simulate", "--without", "disk"],
        &["config", "check"],
        &["config", "show"],
        &["config", "schema"],
        &["config", "schema", "--probe"],
        &["completions", "bash"],
        &["man"],
        &["maintenance", "list"],
        &["reload"],
    ] {
        let said = node.cli_ok(arguments);
        assert!(!said.trim().is_empty(), "readyd {arguments:?} says nothing");
    }
    let usage = node.cli(&["no-such-command"]);
    assert_eq!(usage.status.code(), Some(64));
}

#[test]
fn one_shot_check_says_it_with_its_exit_code() {
    let node = Node::prepared(TWO_TENANTS);
    let output = node.cli(&["check", "--format", "json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let down = Node::prepared(&format!(
        "tenants: {{acme: {{port: {}}}}}\nprobes: {{doctor: {{enabled: false}}}}\n",
        crate::harness::free_port()
    ));
    let output = down.cli(&["check", "--format", "nagios"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(
        String::from_utf8_lossy(&output.stdout).contains("gateway"),
        "{output:?}"
    );
    assert_eq!(down.cli(&["check", "--no-such-flag"]).status.code(), Some(3));
}
