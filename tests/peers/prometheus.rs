//! What a real Prometheus makes of `/metrics`.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::harness::prometheus::Prometheus;
use crate::harness::{Node, peer};

const TROUBLE: &str = "tenants: {acme: {required: true}}\nprobes: {doctor: {enabled: false}}\n";

#[test]
fn promtool_finds_nothing_to_say_about_the_metrics() {
    let Some(promtool) = peer("promtool", &["/usr/bin/promtool"]) else {
        return;
    };
    let node = Node::start(TROUBLE);
    report_failures(&node, 12);
    let metrics = node.get("/metrics");
    assert_eq!(metrics.status, 200);
    let mut child = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(metrics.body.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
}

#[test]
fn a_real_prometheus_scrapes_it_and_answers_questions_about_it() {
    let Some(prometheus) = peer("prometheus", &["/usr/bin/prometheus"]) else {
        return;
    };
    let node = Node::start(TROUBLE);
    report_failures(&node, 12);
    let prometheus = Prometheus::start(&prometheus, &node, "");

    let questions = [
        ("up{job=\"readyd\"}", "1"),
        ("readyd_status{status=\"degraded\"}", "1"),
        ("readyd_webhook_failures_total{tenant=\"acme\",family=\"5xx\"}", "12"),
        ("sum(readyd_tenant_status{tenant=\"acme\"})", "1"),
    ];
    for (query, expected) in questions {
        prometheus.until(query, |values| values == [expected]);
    }
}

pub fn report_failures(node: &Node, count: usize) {
    let line = "{\"tenant\":\"acme\",\"endpoint\":\"crm\",\"status\":503}\n";
    let answer = node.control("POST", "/v1/events", &line.repeat(count));
    assert_eq!(answer.json()["accepted"], count, "{answer:?}");
}
