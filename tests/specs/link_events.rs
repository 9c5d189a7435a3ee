//! What a gateway tells over its link is counted once, however often it is told.

use std::fs;

use crate::harness::gateway::{Gateway, Script};
use crate::harness::{Answer, PATIENCE};

#[test]
fn a_delivery_that_is_told_again_after_a_kill_is_counted_once() {
    let mut script = Script::recorded();
    script.health["plugins"]["errors"] = serde_json::json!([{"id": "plugin-of-this-spec", "error": "it is there"}]);
    let gateway = Gateway::start(script);
    let files = tempfile::tempdir().unwrap();
    let token_file = files.path().join("token.current");
    fs::write(&token_file, "t0ken").unwrap();
    let mut node = gateway.node(&token_file).started();
    let failures = |answer: &Answer| answer.json()["totals"]["failures"].as_u64().unwrap();
    let (first, _) = node.until("/v1/webhook-digest", PATIENCE, |answer| failures(answer) > 0);
    let status = node.get("/v1/status").json();
    assert_eq!(status["webhook_sources"]["acme"]["counts"], "link", "{status:#}");

    for _ in 0..2 {
        node.kill();
        let told = gateway.said().len();
        node.spawn();
        node.wait_until_it_answers();
        // Frames are read in their order: who knows this connection's health has read what was pushed before it.
        node.until("/v1/checks/gateway-link/acme", PATIENCE, |answer| {
            gateway.said()[told..].concat().contains("plugin-of-this-spec")
                && answer.body.contains("plugin-of-this-spec")
                && answer.json()["age_sec"] == 0
        });
        assert!(
            gateway.said()[told..].concat().contains("finished"),
            "it was told again"
        );
        node.until("/v1/status", PATIENCE, |answer| {
            answer.json()["links"]["acme"]["connected"] == true
        });
        let again = node.get("/v1/webhook-digest");
        assert_eq!(failures(&again), failures(&first), "{}", again.body);
    }
}
