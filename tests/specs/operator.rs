//! What an operator types, and what comes back: text for people, JSON for machines, files for tickets.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::harness::{Node, PATIENCE, free_port};

const NODE: &str = "tenants: {acme: {endpoints: {crm: {budget: 50}}}}\nprobes: {doctor: {enabled: false}}\n";

fn json_of(node: &Node, arguments: &[&str]) -> Value {
    let said = node.cli_ok(arguments);
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{arguments:?}: not JSON ({error}): {said}"))
}

#[test]
fn every_operation_answers_in_json_with_the_flag_before_or_after_it() {
    let node = Node::start(NODE);
    node.until_status("ok", PATIENCE);
    let start = ["maintenance", "start", "acme", "--for", "1h", "--reason", "upgrade"];
    let operations = [
        &start[..],
        &["maintenance", "end", "acme"],
        &["drain", "--reason", "upgrade"],
        &["undrain"],
        &["reload"],
    ];
    for operation in operations {
        let before = [&["--json"][..], operation].concat();
        let after = [operation, &["--json"]].concat();
        for arguments in [before, after] {
            let reply = json_of(&node, &arguments);
            assert_eq!(reply["ok"], true, "{arguments:?}: {reply}");
            assert!(reply["message"].is_string(), "{arguments:?}: {reply}");
        }
    }
}

#[test]
fn every_question_answers_in_json_with_the_flag_before_or_after_it() {
    let node = Node::start(NODE);
    node.until_status("ok", PATIENCE);
    let explained = json_of(&node, &["config", "explain", "acme", "endpoints.crm.budget", "--json"]);
    assert_eq!(explained[0]["key"], "endpoints.crm.budget");
    assert_eq!(explained[0]["value"], "50");
    assert!(
        explained[0]["set_by"].as_str().unwrap().contains("readyd.yaml:"),
        "{explained}"
    );
    let questions = [
        &["status"][..],
        &["why"],
        &["digest"],
        &["explain", "disk"],
        &["simulate", "--without", "disk"],
        &["probe", "list"],
        &["probe", "show", "disk"],
        &["probe", "run", "write"],
        &["check", "--daemon"],
        &["maintenance", "list"],
        &["config", "check"],
        &["config", "show"],
        &["config", "explain", "acme", "port"],
    ];
    for question in questions {
        json_of(&node, &[&["--json"][..], question].concat());
        json_of(&node, &[question, &["--json"]].concat());
    }
}

#[test]
fn json_is_refused_where_there_is_none() {
    let node = Node::prepared(NODE);
    for arguments in [
        &["--json", "serve"][..],
        &["status", "--watch", "--json"],
        &["man", "--json"],
    ] {
        let output = node.cli(arguments);
        assert_eq!(output.status.code(), Some(64), "{arguments:?}: {output:?}");
    }
}

#[test]
fn what_only_the_daemon_knows_is_not_asked_and_the_way_to_it_is_named() {
    let node = Node::prepared(NODE);
    for check in ["store", "webhook-digest", "webhook-digest@acme", "gateway-link@acme"] {
        let output = node.cli(&["probe", "run", check]);
        assert_eq!(output.status.code(), Some(3), "{check}: {output:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(&format!("readyd explain {check}")), "{said}");
    }
}

#[test]
fn a_summary_is_whole_where_no_terminal_reads_it() {
    let path = format!("/srv/{}", "a-directory-with-a-long-name/".repeat(6));
    let node = Node::start(&format!(
        "tenants: {{}}\nprobes: {{doctor: {{enabled: false}}, disk: {{paths: [{path}]}}}}\n"
    ));
    node.until_status_any(&["ok", "degraded", "down"], PATIENCE);
    let status = node.cli_ok(&["status", "--all"]);
    let summary = json_of(&node, &["explain", "disk", "--json"])["summary"]
        .as_str()
        .unwrap()
        .to_string();
    assert!(summary.len() > 100, "{summary}");
    assert!(status.contains(&summary), "{status}");
}

#[test]
fn a_bundle_is_for_its_owner_only_and_never_replaces_a_file() {
    let node = Node::start(NODE);
    let path = node.dir.path().join("bundle.json");
    let name = path.display().to_string();
    node.cli_ok(&["bundle", "--output", &name]);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = node.cli(&["bundle", "--output", &name]);
    assert_eq!(again.status.code(), Some(1), "{again:?}");
    assert!(
        String::from_utf8_lossy(&again.stderr).contains("exists already"),
        "{again:?}"
    );
}

#[test]
fn a_reload_names_what_waits_for_the_next_start_until_it_is_taken_back() {
    let node = Node::start(NODE);
    let agent_check = format!("{NODE}agent_check: 127.0.0.1:{}\n", free_port());
    node.configure(&agent_check);
    let said = node.cli_ok(&["reload"]);
    assert!(
        said.contains("changes of agent_check take effect at the next start"),
        "{said}"
    );
    node.configure(&format!(
        "{agent_check}sockets: {{events_mode: \"0600\", events_peers: {{1: [acme]}}}}\n"
    ));
    let said = node.cli_ok(&["reload"]);
    assert!(said.contains("changes of agent_check, sockets take"), "{said}");
    node.configure(&format!("{NODE}sockets: {{events_peers: {{1: [acme]}}}}\n"));
    let said = node.cli_ok(&["reload"]);
    assert!(!said.contains("next start"), "{said}");
}
