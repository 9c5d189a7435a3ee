//! One node's verdict with another node's webhooks: `digest.source`.

use std::time::Duration;

use crate::harness::{Node, PATIENCE};

const PROBES: &str = "probes: {doctor: {enabled: false}}\n";

#[test]
fn rows_of_the_other_node_are_joined_and_when_it_dies_their_age_degrades() {
    let mut far = Node::start(&format!("node: mac-1\ntenants: {{acme: {{}}}}\n{PROBES}"));
    let near = Node::start(&format!(
        "node: mac-2\ntenants: {{acme: {{}}}}\ndigest: {{source: 'http://127.0.0.1:{}', stale_after: 8s}}\n{PROBES}",
        far.port
    ));
    near.until_status("ok", PATIENCE);
    let emit = |node: &Node, endpoint: &str, count: usize| {
        for _ in 0..count {
            node.cli_ok(&["emit", "--tenant", "acme", "--endpoint", endpoint, "--status", "503"]);
        }
    };
    emit(&far, "crm", 7);
    emit(&far, "elsewhere", 1);
    emit(&near, "crm", 5);

    // Seven there and five here are more than ten.
    let (ready, took) = near.until_status("degraded", PATIENCE);
    println!("the other node's rows counted after {took:?}");
    let reasons = ready["reasons"].to_string();
    assert!(
        reasons.contains("crm ×12") && reasons.contains("7 of them on mac-1"),
        "{reasons}"
    );
    let digest = near.get("/v1/webhook-digest").json();
    assert_eq!(digest["totals"]["failures"], 13, "{digest:#}");
    let own = near.get("/v1/webhook-digest?scope=local").json();
    assert_eq!(own["totals"]["failures"], 5, "{own:#}");

    far.kill();
    let (answer, took) = near.until("/ready", PATIENCE, |answer| answer.body.contains("not had for"));
    println!("its death showed after {took:?}");
    assert!(took > Duration::from_secs(2), "not before it is stale: {took:?}");
    assert_eq!(answer.status, 200, "what is shared empties no load balancer");
    let age = near.get("/v1/webhook-digest").json()["age_sec"].as_u64().unwrap();
    assert!(age >= 8, "{age}");

    far.spawn();
    far.wait_until_it_answers();
    near.until("/ready", PATIENCE, |answer| !answer.body.contains("not had for"));
}
