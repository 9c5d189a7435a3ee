//! Maintenance and drain: what an operator does, and what the load balancer sees of it.

use std::time::Duration;

use crate::harness::{Node, PATIENCE, free_port};

fn with_a_dead_gateway() -> String {
    format!(
        "tenants: {{acme: {{port: {}}}, beta: {{}}}}\nprobes: {{doctor: {{enabled: false}}}}\n",
        free_port()
    )
}

#[test]
fn a_tenant_in_maintenance_counts_nothing_and_its_name_and_expiry_show() {
    let node = Node::start(&with_a_dead_gateway());
    node.until_status("down", PATIENCE);
    assert_eq!(node.get("/ready").status, 503);

    node.cli_ok(&[
        "maintenance",
        "start",
        "acme",
        "--for",
        "2h",
        "--reason",
        "upgrade",
        "--ticket",
        "OPS-1",
    ]);
    let (answer, took) = node.until("/ready", PATIENCE, |answer| answer.status == 200);
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert_eq!(answer.json()["tenants"]["beta"], "ok");
    let listed = node.cli_ok(&["maintenance", "list"]);
    assert!(
        listed.contains("acme") && listed.contains("upgrade") && listed.contains("OPS-1"),
        "{listed}"
    );

    node.cli_ok(&["maintenance", "end", "acme"]);
    node.until("/ready", PATIENCE, |answer| answer.status == 503);
}

#[test]
fn maintenance_without_an_end_or_a_reason_is_refused_with_what_to_say_instead() {
    let node = Node::start("tenants: {acme: {}}\nprobes: {doctor: {enabled: false}}\n");
    let output = node.cli(&["maintenance", "start", "acme", "--reason", "upgrade"]);
    assert_eq!(output.status.code(), Some(64));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--for"), "{output:?}");
    let output = node.cli(&["maintenance", "start", "nobody", "--for", "1h", "--reason", "upgrade"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("nobody"), "{output:?}");
}

#[test]
fn a_drained_node_answers_503_at_once_survives_a_restart_and_comes_back() {
    let mut node = Node::start("tenants: {acme: {}}\nprobes: {doctor: {enabled: false}}\n");
    node.until_status("ok", PATIENCE);
    node.cli_ok(&["drain", "--reason", "kernel upgrade"]);
    let drained = node.get("/ready");
    assert_eq!(drained.status, 503);
    assert_eq!(drained.json()["phase"], "draining");
    assert_eq!(drained.header("retry-after"), Some("10"));
    assert_eq!(drained.header("x-envoy-immediate-health-check-fail"), Some("1"));

    node.kill();
    node.spawn();
    node.wait_until_it_answers();
    assert_eq!(node.get("/ready").json()["phase"], "draining");

    node.cli_ok(&["undrain"]);
    node.until_status("ok", PATIENCE);
}

#[test]
fn draining_a_tenant_takes_it_out_of_the_nodes_verdict_which_says_so() {
    let node = Node::start(&with_a_dead_gateway());
    node.until_status("down", PATIENCE);
    node.cli_ok(&["drain", "acme", "--reason", "moving away"]);
    let (answer, _) = node.until("/ready", PATIENCE, |answer| answer.status == 200);
    assert!(answer.body.contains("acme"), "{}", answer.body);
    assert_eq!(node.get("/ready/acme").status, 503);
    assert_eq!(node.get("/ready/beta").status, 200);
}
