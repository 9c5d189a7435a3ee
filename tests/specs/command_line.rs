//! The command line: which daemon it talks to, and what it answers about one probe.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use crate::harness::{Node, PATIENCE, READYD, left_out};

const NODE: &str = "tenants: {acme: {}}\nprobes: {doctor: {enabled: false}}\n";

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_config_file_that_cannot_be_read_is_an_error_and_never_another_daemon() {
    // The fallback of this environment is a daemon that does run.
    let node = Node::prepared(NODE);
    let runtime_dir = node.runtime_dir().display().to_string();
    let node = node.with_env("RUNTIME_DIRECTORY", &runtime_dir).started();
    node.until_status("ok", PATIENCE);
    std::fs::remove_file(node.config_path()).unwrap();
    let output = node.cli(&["drain", "--reason", "upgrade"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = said(&output);
    assert!(said.contains("readyd.yaml") && said.contains("--socket"), "{said}");
    assert_eq!(node.get("/ready").status, 200);
}

#[test]
fn a_daemon_whose_file_has_become_invalid_is_still_found_by_it() {
    let node = Node::start(NODE);
    node.until_status("ok", PATIENCE);
    node.configure("no_such_key: 1\n");
    let output = node.cli(&["reload"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = said(&output);
    assert!(said.contains("no_such_key"), "{said}");
    node.cli_ok(&["drain", "--reason", "upgrade"]);
    assert_eq!(node.get("/ready").status, 503);
}

#[test]
fn one_probe_of_the_node_is_not_degraded_by_there_being_no_gateway() {
    let node = Node::prepared("");
    let output = node.cli(&["check", "--probe", "write"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

/// Runs a command whose standard output nobody reads.
fn unread(node: &Node, arguments: &[&str]) -> Output {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    node.command(arguments)
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
        .wait_with_output()
        .unwrap()
}

#[test]
fn a_reader_that_went_away_changes_no_exit_code_and_brings_no_panic() {
    let node = Node::start(NODE);
    node.until_status("ok", PATIENCE);
    let commands: [&[&str]; 8] = [
        &["status"],
        &["status", "--json"],
        &["why"],
        &["digest"],
        &["config", "show"],
        &["check", "--daemon"],
        &["completions", "bash"],
        &["man"],
    ];
    for command in commands {
        let output = unread(&node, command);
        assert_eq!(output.status.code(), Some(0), "{command:?}: {output:?}");
        assert!(output.stderr.is_empty(), "{command:?}: {output:?}");
    }
    let output = unread(&node, &["config", "explain", "nobody", "endpoints"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

#[test]
fn output_that_does_not_fit_on_the_disk_is_an_error() {
    let Ok(full) = std::fs::File::options().write(true).open("/dev/full") else {
        return left_out("there is no /dev/full");
    };
    let node = Node::prepared(NODE);
    let output = node.command(&["config", "show"]).stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(said(&output).contains("standard output"), "{output:?}");
}

#[test]
fn a_probe_of_tenants_says_nothing_good_of_a_node_without_tenants() {
    let node = Node::prepared("probes: {doctor: {enabled: true}}\n");
    let output = node.cli(&["check", "--probe", "doctor"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(shown.contains("no gateway is watched"), "{shown}");
}

#[test]
fn a_probe_that_cannot_be_asked_once_is_unknown_and_not_ok() {
    let node = Node::prepared(NODE);
    for (probe, why) in [
        ("doctor", "is off"),
        ("store", "running daemon"),
        ("webhook-digest", "running daemon"),
    ] {
        let output = node.cli(&["check", "--probe", probe]);
        assert_eq!(output.status.code(), Some(3), "{probe}: {output:?}");
        assert!(said(&output).contains(why), "{probe}: {output:?}");
    }
    let output = node.cli(&["probe", "run", "nope"]);
    assert_eq!(output.status.code(), Some(3), "1 would be degraded: {output:?}");
}

#[test]
fn a_wrong_value_is_a_wrong_command_line_before_anything_is_asked() {
    let node = Node::prepared(NODE);
    let commands: [&[&str]; 7] = [
        &["maintenance", "start", "acme", "--for", "2", "--reason", "x"],
        &["maintenance", "start", "acme", "--for", "0s", "--reason", "x"],
        &["maintenance", "start", "acme", "--for", "2h", "--reason", ""],
        &["drain", "--reason", " \t"],
        &["digest", "--window", "yesterday"],
        &["digest", "--window", "2026-11-20T07:26:00Z"],
        &["emit", "--tenant", "acme", "--endpoint", "crm"],
    ];
    for command in commands {
        let output = node.cli(command);
        assert_eq!(output.status.code(), Some(64), "{command:?}: {output:?}");
    }
    let output = node.cli(&["drain", "--reason", "upgrade"]);
    assert_eq!(output.status.code(), Some(1), "no daemon runs: {output:?}");
}

#[test]
fn lines_that_come_slowly_are_counted_as_they_come_and_keep_their_numbers() {
    let node = Node::start(NODE);
    let mut emit = node
        .command(&["emit"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut feed = emit.stdin.take().unwrap();
    let line = "{\"tenant\":\"acme\",\"endpoint\":\"crm\",\"status\":503}\n";
    for failures in 1..=2 {
        feed.write_all(line.as_bytes()).unwrap();
        node.until("/v1/webhook-digest", PATIENCE, |answer| {
            answer.json()["totals"]["failures"] == failures
        });
    }
    let long = format!("{{\"tenant\":\"acme\",\"endpoint\":\"{}\"}}\n", "x".repeat(1 << 20));
    feed.write_all(format!("{long}{line}not json\n{}", line.trim_end()).as_bytes())
        .unwrap();
    drop(feed);
    let output = emit.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(said, "4 accepted, 2 rejected\nline 3: too_long\nline 5: not_json\n");
}

#[test]
fn a_request_that_fails_says_what_was_counted_before_it_and_where_to_go_on() {
    let mut node = Node::start(NODE);
    let mut emit = node
        .command(&["emit"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut feed = emit.stdin.take().unwrap();
    let line = "{\"tenant\":\"acme\",\"endpoint\":\"crm\",\"status\":503}\n";
    feed.write_all(line.as_bytes()).unwrap();
    node.until("/v1/webhook-digest", PATIENCE, |answer| {
        answer.json()["totals"]["failures"] == 1
    });
    node.stop();
    feed.write_all(line.as_bytes()).unwrap();
    drop(feed);
    let output = emit.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("lines 2 to 2 (go on at line 2; 1 before them were counted)"),
        "{said}"
    );
}

#[test]
fn a_drained_daemon_is_critical_and_says_so_in_one_line() {
    let node = Node::start(NODE);
    node.until_status("ok", PATIENCE);
    let output = node.cli(&["check", "--daemon", "--format", "nagios"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(
        shown.starts_with("READYD OK - nothing to say against it | checks_ok="),
        "{shown}"
    );

    node.cli_ok(&["drain", "--reason", "kernel|upgrade"]);
    let output = node.cli(&["check", "--daemon", "--format", "nagios"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(shown.starts_with("READYD CRITICAL - draining: drained by "), "{shown}");
    assert!(shown.contains("kernel/upgrade | checks_ok="), "{shown}");
    assert_eq!(shown.matches('|').count(), 1, "{shown}");

    let output = node.cli(&["check", "--daemon"]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(shown.starts_with("draining  "), "{shown}");

    let output = node.cli(&["check", "--daemon", "--tenant", "nobody"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
}

#[test]
fn a_default_config_file_that_is_of_no_use_is_passed_over_aloud() {
    let node = Node::prepared(NODE);
    for broken in ["tenants: [", "\u{0}"] {
        std::fs::write(node.config_path(), broken).unwrap();
        let output = Command::new(READYD)
            .args(["status"])
            .current_dir(node.dir.path())
            .env_remove("READYD_CONFIG")
            .env("HOME", node.dir.path())
            .output()
            .unwrap();
        let said = said(&output);
        assert!(said.contains("warning") && said.contains("readyd.yaml"), "{said}");
    }
}
