//! A rotation as readyd sees it: under way, promoted under a running gateway, and a secret that two tenants share.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;

use crate::harness::gateway::{Gateway, Script};
use crate::harness::{Node, PATIENCE};

const ACME: &str = "/v1/checks/token-rotation/acme";

fn put(path: &Path, secret: &str) {
    fs::write(path, secret).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

fn until(node: &Node, path: &str, level: &str, text: &str) -> Value {
    let holds = |answer: &crate::harness::Answer| answer.json()["level"] == level && answer.body.contains(text);
    node.until(path, PATIENCE, holds).0.json()
}

#[test]
fn a_rotation_is_seen_from_the_first_file_to_the_gateway_that_must_be_restarted() {
    let gateway = Gateway::start(Script::recorded());
    let secrets = tempfile::tempdir().unwrap();
    for tenant in ["acme", "beta"] {
        fs::create_dir(secrets.path().join(tenant)).unwrap();
    }
    let (current, next) = (
        secrets.path().join("acme/token.current"),
        secrets.path().join("acme/token.next"),
    );
    put(&current, "the-first");
    put(&secrets.path().join("beta/slack.current"), "of-beta");
    let node = Node::start(&format!(
        "openclaw: {{dialect: article}}\nsecrets_dir: {}\n\
         tenants: {{acme: {{port: {}, token_file: {}}}, beta: {{}}}}\n\
         probes:\n  gateway: {{enabled: false}}\n  doctor: {{enabled: false}}\n  \
         token-rotation: {{every: 1s, fall: 1, rise: 1}}\n",
        secrets.path().display(),
        gateway.port,
        current.display(),
    ));
    until(&node, ACME, "ok", "in use");

    put(&next, "the-second");
    until(&node, ACME, "ok", "rotation under way since");
    fs::rename(&next, &current).unwrap();
    until(&node, ACME, "degraded", "the gateway still goes by");
    put(&current, "the-first");
    until(&node, ACME, "ok", "in use");

    put(&secrets.path().join("beta/slack.current"), "the-first");
    until(&node, ACME, "degraded", "is the same secret as beta's slack.current");
    until(
        &node,
        "/v1/checks/token-rotation/beta",
        "degraded",
        "is the same secret as acme's token.current",
    );
    let ready = node.ready();
    assert_ne!(ready["status"], "down", "{ready:#}");
}
