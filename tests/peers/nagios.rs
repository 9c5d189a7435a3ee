//! Plugins that were written for Nagios and Icinga work unchanged: real ones, of Debian's `monitoring-plugins-basic`.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::harness::{Node, PATIENCE, free_port, peer};

/// Where distributions put them.
const PLACES: [&str; 3] = [
    "/usr/lib/nagios/plugins",
    "/usr/lib64/nagios/plugins",
    "/usr/lib/monitoring-plugins",
];

/// A plugin's call, and what readyd should make of it.
struct Case {
    name: &'static str,
    plugin: &'static str,
    arguments: &'static [&'static str],
    level: &'static str,
    /// Part of the plugin's own first line.
    says: &'static str,
    /// A label of its performance data.
    measures: Option<&'static str>,
}

/// Thresholds that any host meets, or none does.
const CASES: [Case; 12] = [
    case(
        "disk-ok",
        "check_disk",
        &["-w", "0%", "-c", "0%", "-p", "/"],
        "ok",
        "DISK OK",
        Some("/"),
    ),
    case(
        "disk-full-soon",
        "check_disk",
        &["-w", "100%", "-c", "0%", "-p", "/"],
        "degraded",
        "DISK WARNING",
        Some("/"),
    ),
    case(
        "disk-full",
        "check_disk",
        &["-w", "100%", "-c", "100%", "-p", "/"],
        "down",
        "DISK CRITICAL",
        Some("/"),
    ),
    case(
        "disk-gone",
        "check_disk",
        &["-w", "1%", "-c", "1%", "-p", "/no/such/place"],
        "down",
        "/no/such/place is not accessible",
        None,
    ),
    case(
        "load-ok",
        "check_load",
        &["-w", "9000,9000,9000", "-c", "9999,9999,9999"],
        "ok",
        "load average",
        Some("load15"),
    ),
    case(
        "procs-ok",
        "check_procs",
        &["-w", "1:999999", "-c", "1:999999"],
        "ok",
        "PROCS OK",
        Some("procs"),
    ),
    case(
        "procs-none",
        "check_procs",
        &["-w", "1:", "-C", "no-such-program"],
        "degraded",
        "PROCS WARNING: 0 processes",
        Some("procs"),
    ),
    case(
        "procs-dead",
        "check_procs",
        &["-c", "1:", "-C", "no-such-program"],
        "down",
        "PROCS CRITICAL: 0 processes",
        Some("procs"),
    ),
    case(
        "dummy-ok",
        "check_dummy",
        &["0", "as it should be"],
        "ok",
        "OK: as it should be",
        None,
    ),
    case(
        "dummy-unknown",
        "check_dummy",
        &["3", "nobody knows"],
        "unknown",
        "UNKNOWN: nobody knows",
        None,
    ),
    // How a plugin complains of its arguments: exit 3, and usage on standard output or error.
    case(
        "procs-misused",
        "check_procs",
        &["--no-such-option"],
        "unknown",
        "",
        None,
    ),
    case(
        "not-installed",
        "check_of_another_package",
        &[],
        "unknown",
        "check_of_another_package",
        None,
    ),
];

const fn case(
    name: &'static str,
    plugin: &'static str,
    arguments: &'static [&'static str],
    level: &'static str,
    says: &'static str,
    measures: Option<&'static str>,
) -> Case {
    Case {
        name,
        plugin,
        arguments,
        level,
        says,
        measures,
    }
}

/// The folder of plugins; `None`: there is none here, and the spec says so.
fn plugins() -> Option<PathBuf> {
    let places = PLACES.map(|place| format!("{place}/check_disk"));
    let places: Vec<&str> = places.iter().map(String::as_str).collect();
    Some(peer("check_disk", &places)?.parent()?.to_path_buf())
}

/// A file in `probes.d`, as an operator writes it.
fn declare(node: &Node, name: &str, plugin: &Path, arguments: &[&str], further: &str) {
    let mut command = vec![plugin.to_str().unwrap()];
    command.extend(arguments);
    let command = serde_json::to_string(&command).unwrap();
    let text = format!(
        "name: {name}\nlayer: host\nscope: node\nkind: exec\nlane: light\ncommand: {command}\nparse: nagios\ntimeout: 20s\n{further}"
    );
    fs::write(node.dir.path().join(format!("probes.d/{name}.yaml")), text).unwrap();
}

fn check(node: &Node, name: &str, level: &str) -> Value {
    let path = format!("/v1/checks/{name}");
    let (answer, _) = node.until(&path, PATIENCE, |answer| answer.json()["level"] == level);
    answer.json()
}

#[test]
fn real_plugins_are_read_as_nagios_reads_them() {
    let Some(plugins) = plugins() else { return };
    let node = Node::prepared("tenants: {}\n");
    for case in &CASES {
        declare(
            &node,
            case.name,
            &plugins.join(case.plugin),
            case.arguments,
            "every: 1m\n",
        );
    }
    let node = node.started();
    for case in &CASES {
        let answer = check(&node, case.name, case.level);
        let summary = answer["summary"].as_str().unwrap();
        assert!(summary.contains(case.says), "{}: {summary}", case.name);
        assert!(
            !summary.contains('|'),
            "{}: performance data is not for people: {summary}",
            case.name
        );
        let measured: Vec<&str> = answer["measurements"].as_array().unwrap().iter().map(name).collect();
        match case.measures {
            Some(label) => assert!(measured.contains(&label), "{}: {measured:?}", case.name),
            None => assert!(measured.is_empty(), "{}: {measured:?}", case.name),
        }
        println!("{}: {} ({summary}) {measured:?}", case.name, case.level);
    }
    // Unknown is neither ok nor down: of these alone the node would be degraded.
    let unknown = check(&node, "dummy-unknown", "unknown");
    assert_eq!(unknown["counts_as"], "degraded");
    assert_eq!(unknown["unknown_because"], "said_unknown");
    assert_eq!(check(&node, "not-installed", "unknown")["unknown_because"], "spawn");
    node.until_status("down", PATIENCE);
}

fn name(measurement: &Value) -> &str {
    measurement["name"].as_str().unwrap()
}

#[test]
fn a_plugin_run_by_hand_ends_with_the_code_that_it_gave() {
    let Some(plugins) = plugins() else { return };
    let node = Node::prepared("tenants: {}\n");
    for (name, code) in [("zero", "0"), ("one", "1"), ("two", "2"), ("three", "3")] {
        declare(
            &node,
            name,
            &plugins.join("check_dummy"),
            &[code, "said so"],
            "every: 1m\n",
        );
        let output = node.cli(&["probe", "run", name]);
        assert_eq!(
            output.status.code().map(|code| code.to_string()).as_deref(),
            Some(code),
            "{output:?}"
        );
        assert!(
            String::from_utf8_lossy(&output.stdout).contains("said so"),
            "{output:?}"
        );
    }
}

#[test]
fn a_plugin_that_changes_its_mind_takes_the_node_out_and_back() {
    let Some(plugins) = plugins() else { return };
    let port = free_port();
    let node = Node::prepared("tenants: {}\n");
    let port_text = port.to_string();
    declare(
        &node,
        "port",
        &plugins.join("check_tcp"),
        &["-H", "127.0.0.1", "-p", &port_text],
        "every: 1s\nretry_every: 200ms\n",
    );
    let node = node.started();
    let refused = check(&node, "port", "down");
    assert!(refused["summary"].as_str().unwrap().contains("refused"), "{refused}");
    assert_eq!(node.get("/ready").status, 503);

    // It is connected to and left alone: a listener's backlog is enough.
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let open = check(&node, "port", "ok");
    let measured = &open["measurements"][0];
    assert_eq!(name(measured), "time", "{open}");
    node.until_status("ok", PATIENCE);
    assert_eq!(node.get("/ready").status, 200);

    drop(listener);
    check(&node, "port", "down");
    node.until_status("down", PATIENCE);
}

#[test]
fn check_http_of_readyd_itself_is_ok() {
    let Some(plugins) = plugins() else { return };
    let node = Node::prepared("tenants: {}\n");
    let port = node.port.to_string();
    declare(
        &node,
        "myself",
        &plugins.join("check_http"),
        &["-H", "127.0.0.1", "-p", &port, "-u", "/livez"],
        "every: 1s\nretry_every: 200ms\n",
    );
    let node = node.started();
    let answer = check(&node, "myself", "ok");
    assert!(answer["summary"].as_str().unwrap().contains("200 OK"), "{answer}");
    let measured: Vec<&str> = answer["measurements"].as_array().unwrap().iter().map(name).collect();
    assert_eq!(measured, ["time", "size"]);
}
