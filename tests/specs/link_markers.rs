//! What a gateway's frames carry besides what readyd asks for is found nowhere that readyd writes or answers.

use std::fs;

use serde_json::{Value, json};

use crate::harness::gateway::{Gateway, Script};
use crate::harness::{Node, PATIENCE};
use crate::secrets::{gathered, leaks};

/// Plain words: nothing here may be saved by looking like a secret.
const MARKERS: [(&str, &str); 10] = [
    ("a job's argv", "markerofanargv"),
    ("a job's output", "markerofanoutput"),
    ("a prompt", "markerofaprompt"),
    ("message text", "markerofamessage"),
    ("a delivery's error", "markerofadelivery"),
    ("the user of a webhook's target", "markerofauser"),
    ("the query of a webhook's target", "markerofaquery"),
    ("a surface's capability", "markerofacapability"),
    ("a frame that nobody asked for", "markerofachat"),
    ("the token", "markerofatoken"),
];

fn marker(place: &str) -> &'static str {
    MARKERS
        .iter()
        .find(|(name, _)| *name == place)
        .unwrap_or_else(|| panic!("{place}?"))
        .1
}

fn planted(key: &str, value: &mut Value) {
    match (key, &*value) {
        ("argv", Value::Array(_)) => *value = json!(["sh", "-lc", marker("a job's argv")]),
        ("summary" | "lastDiagnosticSummary" | "terminalSummary" | "progressSummary", _) => {
            *value = json!(marker("a job's output"));
        }
        ("prompt", _) => *value = json!(marker("a prompt")),
        ("message", Value::String(_)) => *value = json!(marker("message text")),
        ("deliveryError" | "lastDeliveryError" | "error", Value::String(_)) => {
            *value = json!(format!(
                "Webhook request failed with HTTP 503: {}",
                marker("a delivery's error")
            ));
        }
        ("to", Value::String(_)) => {
            *value = json!(format!(
                "http://{}@127.0.0.1:9913/x?key={}",
                marker("the user of a webhook's target"),
                marker("the query of a webhook's target")
            ));
        }
        ("pluginSurfaceUrls", _) => *value = json!({"canvas": marker("a surface's capability")}),
        _ => {}
    }
}

/// As recorded, with every marker in its place, and with a health that only this gateway has.
fn script() -> Script {
    let mut script = Script::recorded().with(&planted);
    let text = marker("a frame that nobody asked for");
    let chat = json!({"role": "user", "content": [{"type": "text", "text": text}]});
    script
        .pushes
        .push(json!({"type": "event", "event": "chat", "payload": {"message": chat}}));
    script.health["plugins"]["errors"] = json!([{"id": "plugin-of-this-spec", "error": marker("message text")}]);
    script
}

fn assert_clean(node: &Node) {
    let mut gathered = gathered(node);
    let explained = node.cli(&["explain", "gateway-link@acme"]);
    gathered.insert("readyd explain".into(), [explained.stdout, explained.stderr].concat());
    let leaks = leaks(&MARKERS, &gathered);
    assert!(leaks.is_empty(), "{leaks:#?}");
}

#[test]
fn what_frames_carry_besides_is_found_nowhere() {
    let gateway = Gateway::start(script());
    let files = tempfile::tempdir().unwrap();
    let token_file = files.path().join("token.current");
    fs::write(&token_file, marker("the token")).unwrap();
    let mut node = gateway.node(&token_file).with_env("READYD_LOG", "trace").started();

    // Frames are read in their order: who knows the health has read what was pushed before.
    let (link, _) = node.until("/v1/checks/gateway-link/acme", PATIENCE, |answer| {
        answer.body.contains("plugin-of-this-spec")
    });
    assert_eq!(link.json()["level"], "degraded", "{}", link.body);
    // Its failed webhook was counted: what is searched below has been through everything.
    node.until("/v1/webhook-digest", PATIENCE, |answer| {
        answer.json()["totals"]["failures"].as_u64() >= Some(1)
    });
    let status = node.get("/v1/status").json();
    assert_eq!(status["links"]["acme"]["version"], "2026.9.6", "{:#}", status["links"]);
    let (said, heard) = (gateway.said().concat(), gateway.heard().concat());
    assert!(heard.contains(marker("the token")), "{heard}");
    for (name, marker) in MARKERS.iter().filter(|(name, _)| *name != "the token") {
        assert!(said.contains(marker), "{name} was not sent");
    }
    let log = fs::read_to_string(node.log_path()).unwrap();
    assert!(log.contains("TRACE"), "the log tells all that it can tell");
    assert_clean(&node);

    // What was held goes to the disk at the end, and comes back.
    node.stop();
    node.spawn();
    node.wait_until_it_answers();
    node.until("/v1/checks/gateway-link/acme", PATIENCE, |answer| {
        answer.body.contains("plugin-of-this-spec")
    });
    assert_clean(&node);
}
