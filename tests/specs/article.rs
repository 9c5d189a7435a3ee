//! The users' own script: unchanged but for the absolute paths of its tools.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::Value;

use crate::harness::{Node, PATIENCE};

/// As published ("Health probe merge"); `TOOLS`, `TMP` and `PORT` stand for what differs between hosts.
const SCRIPT: &str = r#"#!/usr/bin/env bash
set -euo pipefail
TOOLS/openclaw doctor --tenant "${TENANT}" --json >TMP/doctor.json
TOOLS/curl -fsS --max-time 3 "http://127.0.0.1:PORT/v1/webhook-digest" -o TMP/digest.json
TOOLS/diskutil apfs list | TOOLS/grep -q "Container"
TOOLS/python3 - <<'PY'
import json,sys
d=json.load(open("TMP/doctor.json"));g=json.load(open("TMP/digest.json"))
print(json.dumps({"doctor":d.get("ok"),"digest_age_sec":g.get("age_sec"),"failures":g.get("top",[])}))
PY
"#;

#[test]
fn the_articles_script_prints_what_its_author_expects() {
    let node = Node::start("tenants: {acme: {}}\nprobes: {doctor: {enabled: false}}\n");
    node.until_status("ok", PATIENCE);
    let mut events = node.events();
    for _ in 0..500 {
        writeln!(events, r#"{{"tenant":"acme","endpoint":"crm","status":503}}"#).unwrap();
    }
    node.until("/v1/webhook-digest", PATIENCE, |answer| {
        answer.json()["totals"]["failures"] == 500
    });

    let tools = tempfile::tempdir().unwrap();
    for tool in ["curl", "grep", "python3"] {
        let found = String::from_utf8(Command::new("which").arg(tool).output().unwrap().stdout).unwrap();
        std::os::unix::fs::symlink(found.trim(), tools.path().join(tool)).unwrap();
    }
    executable(&tools.path().join("openclaw"), "#!/bin/sh\necho '{\"ok\":true}'\n");
    executable(
        &tools.path().join("diskutil"),
        "#!/bin/sh\necho '+-- Container disk3 0000'\n",
    );
    let directory = tools.path().to_str().unwrap();
    let script = SCRIPT
        .replace("TOOLS", directory)
        .replace("TMP", directory)
        .replace("PORT", &node.port.to_string());
    let path = tools.path().join("merge.sh");
    executable(&path, &script);

    let output = Command::new(&path).env("TENANT", "acme").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(said["doctor"], true);
    assert!(said["digest_age_sec"].as_u64().unwrap() <= 2, "{said}");
    let failures = said["failures"].as_array().unwrap();
    assert_eq!(
        failures.len(),
        1,
        "five hundred failures of one endpoint are one row: {said}"
    );
    assert_eq!(failures[0]["count"], 500);
    assert_eq!(failures[0]["endpoint"], "crm");
}

#[test]
fn the_articles_own_command_line_is_asked_in_its_own_dialect() {
    let tools = tempfile::tempdir().unwrap();
    let answer = tools.path().join("answer");
    fs::write(&answer, r#"{"ok":true}"#).unwrap();
    executable(
        &tools.path().join("openclaw"),
        &format!(
            "#!/bin/sh\n[ \"$1\" = version ] && echo '{{\"version\":\"9.9.9\"}}' && exit 0\n\
             [ \"$1 $2 $3 $4\" = 'doctor --tenant acme --json' ] && exec cat {}\nexit 9\n",
            answer.display()
        ),
    );
    let node = Node::start(&format!(
        "exec: {{path: [{}, /usr/bin, /bin]}}\ntenants: {{acme: {{}}}}\nprobes: {{doctor: {{every: 1s, retry_every: 200ms, timeout: 10s}}}}\n",
        tools.path().display()
    ));
    node.until_status("ok", PATIENCE);
    fs::write(&answer, r#"{"ok":true,"status":"yellow"}"#).unwrap();
    let (degraded, _) = node.until_status("degraded", PATIENCE);
    assert_eq!(node.get("/ready").status, 200, "{degraded:#}");
    fs::write(&answer, r#"{"ok":false}"#).unwrap();
    node.until_status("down", PATIENCE);
    assert_eq!(node.get("/ready").status, 503);
    fs::write(&answer, "not JSON at all").unwrap();
    let (garbled, _) = node.until("/v1/checks/doctor/acme", PATIENCE, |answer| {
        answer.json()["level"] == "unknown"
    });
    assert_eq!(
        garbled.json()["counts_as"],
        "down",
        "ignorance does not heal an answered down"
    );
    fs::write(&answer, r#"{"ok":true}"#).unwrap();
    node.until_status("ok", PATIENCE);
}

fn executable(path: &std::path::Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}
