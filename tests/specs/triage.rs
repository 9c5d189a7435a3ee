//! Where to look first, on a node that serves; and the commands that may be pasted there.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::harness::{Node, PATIENCE, READYD, free_port};

/// A tenant whose gateway does not run, and one of which nothing is known.
fn node() -> Node {
    let node = Node::prepared("");
    let state = node.dir.path().join("openclaw");
    fs::create_dir(&state).unwrap();
    node.configure(&format!(
        "tenants: {{acme: {{port: {}, state_dir: {}}}, beta: {{required: false}}}}\nprobes: {{doctor: {{enabled: false}}, gateway: {{every: 1s, retry_every: 200ms}}}}\n",
        free_port(),
        state.display()
    ));
    let node = node.started();
    node.until_status("down", PATIENCE);
    node
}

fn triage(node: &Node, arguments: &[&str]) -> (i32, String) {
    let arguments: Vec<&str> = std::iter::once("triage").chain(arguments.iter().copied()).collect();
    let output = node.cli(&arguments);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code().unwrap(),
        text(&output.stdout) + &text(&output.stderr),
    )
}

#[test]
fn triage_says_where_to_look_first_and_its_exit_code_is_that_of_check() {
    let node = node();
    let (code, said) = triage(&node, &["acme"]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("1. drift: ok (fragments@acme"), "{said}");
    assert!(said.contains("2. version: ok (version-lock@acme"), "{said}");
    assert!(said.contains("=> down  gateway@acme: "), "{said}");
    assert!(
        said.contains("known good: curl -sS -i -m 5 http://127.0.0.1:"),
        "{said}"
    );
    assert!(
        said.lines()
            .last()
            .unwrap()
            .starts_with("look first at: gateway@acme: "),
        "{said}"
    );

    let (code, said) = triage(&node, &["acme", "--json"]);
    let read: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, read["exit_code"].as_i64()), (2, Some(2)));
    assert_eq!(read["first"], "gateway@acme");

    let (code, said) = triage(&node, &["beta"]);
    assert_eq!(code, 0, "another tenant's gateway does not concern it: {said}");
    assert!(said.contains("look first at: nothing: "), "{said}");
}

#[test]
fn what_could_not_be_looked_at_is_unknown_and_never_ok() {
    let node = node();
    let (code, said) = triage(&node, &["nobody"]);
    assert!(
        code == 3 && said.contains("nobody is not a tenant of this node"),
        "{code}: {said}"
    );
    let (code, said) = triage(&node, &[]);
    assert!(code == 3 && said.contains("<TENANT>"), "{code}: {said}");
    let asleep = Node::prepared("tenants: {acme: {}}\n");
    let (code, said) = triage(&asleep, &["acme"]);
    assert!(code == 3 && said.contains("no readyd answers at"), "{code}: {said}");
}

/// Every check of the node in depth, by name.
fn details(node: &Node) -> BTreeMap<String, Value> {
    let all = node.get("/v1/checks").json();
    let of = |check: &Value| {
        let probe = check["check"].as_str().unwrap();
        let (name, path) = match check["tenant"].as_str() {
            Some(tenant) => (format!("{probe}@{tenant}"), format!("/v1/checks/{probe}/{tenant}")),
            None => (probe.to_owned(), format!("/v1/checks/{probe}")),
        };
        (name, node.get(&path).json())
    };
    all["checks"].as_array().unwrap().iter().map(of).collect()
}

/// As somebody on call would: in a shell of their own, with readyd on the path.
fn pasted(node: &Node, command: &str, syntax_alone: bool) -> Output {
    let place = node.dir.path().join("bin");
    if !place.exists() {
        fs::create_dir(&place).unwrap();
        let wrapper = place.join("readyd");
        fs::write(&wrapper, format!("#!/bin/sh\nexec {READYD} \"$@\"\n")).unwrap();
        fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut shell = Command::new("sh");
    if syntax_alone {
        shell.arg("-n");
    }
    shell
        .args(["-c", command])
        .env_clear()
        .env("PATH", format!("{}:/usr/bin:/bin", place.display()))
        .stdin(Stdio::null());
    shell.output().unwrap()
}

#[test]
fn every_shipped_check_has_a_hint_and_a_command_that_a_shell_can_read() {
    let node = node();
    let probes: Value = serde_json::from_str(&node.cli_ok(&["probe", "list", "--json"])).unwrap();
    for probe in probes.as_array().unwrap() {
        let hint = probe["hint"].as_str().unwrap_or_default();
        assert!(!hint.is_empty() && !hint.contains('\n'), "{}: {hint:?}", probe["name"]);
        assert!(probe["layer"].is_string(), "{probe}");
    }
    for (name, check) in details(&node) {
        assert!(check["layer_looks_at"].is_string(), "{name}");
        let Some(command) = check["known_good"].as_str() else {
            // Of beta nobody said where its OpenClaw is.
            assert!(name.ends_with("@beta"), "{name} has no command: {check:#}");
            continue;
        };
        let read = pasted(&node, command, true);
        assert!(read.status.success(), "{name}: {command}: {read:?}");
    }
}

#[test]
fn known_good_commands_work_as_they_are_pasted() {
    let node = node();
    let details = details(&node);
    for (check, says) in [
        ("gateway@acme", "Failed to connect"),
        ("disk", "Filesystem"),
        ("queue@acme", "Inodes"),
        ("webhook-digest@acme", "0 failed, "),
        ("webhook-digest", "0 failed, "),
        ("fragments@beta", "an outage shows within"),
    ] {
        let command = details[check]["known_good"].as_str().unwrap();
        let output = pasted(&node, command, false);
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        let curl_is_missing = command.starts_with("curl") && said.contains("not found");
        assert!(said.contains(says) || curl_is_missing, "{check}: {command}\n{said}");
    }
}

#[test]
fn a_gateway_that_died_of_its_config_is_one_reason_and_the_config_is_looked_at_first() {
    let node = Node::prepared("");
    let broken = node.dir.path().join("broken");
    fs::write(
        &broken,
        r#"{"status": "down", "summary": "gateway.port: expected number"}"#,
    )
    .unwrap();
    // Instead of asking an OpenClaw, which is not here.
    let declared = format!(
        "name: config\nlayer: policy\nscope: tenant\nkind: exec\ncommand: [/bin/cat, '{}']\nparse: json\nevery: 1s\nretry_every: 200ms\n",
        broken.display()
    );
    fs::write(node.dir.path().join("probes.d/config.yaml"), declared).unwrap();
    node.configure(&format!(
        "tenants: {{acme: {{port: {}}}}}\nprobes: {{doctor: {{enabled: false}}, gateway: {{every: 1s, retry_every: 200ms}}}}\n",
        free_port()
    ));
    let node = node.started();
    let (_, _) = node.until("/v1/checks/gateway/acme", PATIENCE, |answer| {
        answer.json()["cause"] == "config"
    });

    let ready = node.ready();
    let reasons: Vec<&str> = ready["reasons"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert!(
        reasons[0].starts_with("acme config: gateway.port: expected number (explains "),
        "{reasons:?}"
    );
    assert!(
        !reasons.iter().any(|reason| reason.contains("acme gateway")),
        "{reasons:?}"
    );

    let said = node.cli_ok(&["explain", "gateway@acme"]);
    assert!(said.contains("  explained by config@acme\n"), "{said}");
    let said = node.cli_ok(&["explain", "config@acme"]);
    assert!(said.contains("  explains gateway@acme"), "{said}");

    let (code, said) = triage(&node, &["acme"]);
    let last = said.lines().last().unwrap();
    assert_eq!(code, 2, "{said}");
    assert!(
        last.starts_with("look first at: config@acme: gateway.port: expected number"),
        "{said}"
    );
}

#[test]
fn explain_shows_rhythm_cause_hint_and_known_good_command() {
    let node = node();
    let said = node.cli_ok(&["explain", "gateway@acme"]);
    for part in [
        "down  gateway@acme  (counts as down, transport layer)",
        "  asked every 1s, next in ",
        "; believed for 5s; an outage shows within ",
        "  next: Run: ",
        "  known good for the transport layer: curl -sS -i -m 5 http://127.0.0.1:",
    ] {
        assert!(said.contains(part), "{part:?} is not in\n{said}");
    }
}
