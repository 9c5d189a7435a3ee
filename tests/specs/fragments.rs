//! Tenants' fragments while it serves: what is said of them, others put in their place, and files that checks read.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::{Node, PATIENCE};

/// What changes is noticed within 2 s; a second more for a busy machine.
const NOTICED: Duration = Duration::from_secs(3);

fn tenants_dir(node: &Node) -> PathBuf {
    node.dir.path().join("tenants")
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn fragment(node: &Node, name: &str, text: &str) {
    write(&tenants_dir(node).join(name), text);
}

/// A node with `acme` in a tenants directory; `more`: further lines of its configuration.
fn with_acme(more: &str) -> Node {
    let node = Node::prepared("");
    fragment(&node, "acme/webhook.d/10-base.yaml", "tenant_budget: 40\n");
    node.configure(&format!(
        "tenants_dir: {}\nexec: {{path: [/usr/bin, /bin]}}\n{more}",
        tenants_dir(&node).display()
    ));
    node
}

const NO_DOCTOR: &str = "probes: {doctor: {enabled: false}}\n";

fn check(node: &Node) -> Value {
    node.get("/v1/checks/fragments/acme").json()
}

fn hash(node: &Node) -> String {
    let status = node.get("/v1/status").json();
    status["tenants_detail"][0]["fragments_hash"]
        .as_str()
        .unwrap_or("none")
        .to_owned()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn every_oddity_is_said_with_its_place_and_nothing_of_it_changes_the_merge() {
    let node = with_acme(NO_DOCTOR).started();
    node.until_status("ok", PATIENCE);
    let notes = check(&node)["notes"].to_string();
    assert!(
        notes.contains("no .prev"),
        "a first deployment has none, and that is a note: {notes}"
    );

    fragment(&node, "acme/webhook.d/20-team.yaml", "tenant_budget: 20\n");
    fragment(&node, "acme/webhook.d/20-other.yaml", "");
    fragment(&node, "acme/webhook.d/base.yaml", "tenant_budget: 1\n");
    fragment(&node, "acme/queue.sqlite", "");
    let kinds = |answer: &Value| -> Vec<String> {
        let evidence = answer["evidence"].as_array().unwrap().iter();
        evidence.map(|one| one["what"].as_str().unwrap().to_owned()).collect()
    };
    let all = [
        "conflict",
        "database in a synced directory",
        "number given twice",
        "name",
        "fragments_hash",
    ];
    let (answer, _) = node.until("/v1/checks/fragments/acme", PATIENCE, |answer| {
        kinds(&answer.json()) == all
    });
    let answer = answer.json();
    assert_eq!(answer["level"], "degraded");
    let summary = answer["summary"].as_str().unwrap();
    assert!(
        summary.contains("20-team.yaml:1: tenant_budget: sets anew what") && summary.ends_with("(and 3 more)"),
        "{summary}"
    );
    let merged = node.cli_ok(&["config", "explain", "acme", "tenant_budget"]);
    assert!(merged.contains("= 20") && merged.contains("20-team.yaml:1"), "{merged}");
    let report = node.cli_ok(&["config", "check"]);
    assert!(report.contains("warning: tenant acme: "), "{report}");

    for name in ["webhook.d/20-other.yaml", "webhook.d/base.yaml", "queue.sqlite"] {
        fs::remove_file(tenants_dir(&node).join("acme").join(name)).unwrap();
    }
    fragment(
        &node,
        "acme/webhook.d/20-team.yaml",
        "overrides: [tenant_budget]\ntenant_budget: 20\n",
    );
    node.until_status("ok", PATIENCE);
}

#[test]
fn a_secret_in_a_fragment_is_named_by_file_line_and_key_and_never_shown() {
    let node = with_acme(NO_DOCTOR).started();
    node.until_status("ok", PATIENCE);
    fragment(
        &node,
        "acme/webhook.d/20-team.yaml",
        "tenant_budget: 20\napi_key: hunter2hunter2\n",
    );
    let (answer, _) = node.until("/v1/checks/fragments/acme", PATIENCE, |answer| {
        answer.body.contains("20-team.yaml:2: api_key")
    });
    assert!(answer.body.contains("\"secret\""), "{}", answer.body);
    for path in ["/v1/checks/fragments/acme", "/v1/status", "/ready", "/v1/history"] {
        assert!(!node.get(path).body.contains("hunter2"), "{path}");
    }
    assert!(!node.log().contains("hunter2"));
}

#[test]
fn a_promote_is_noticed_by_a_running_daemon_and_a_rollback_undoes_it() {
    let node = with_acme(NO_DOCTOR).started();
    node.until_status("ok", PATIENCE);
    let first = hash(&node);
    write(
        &node.dir.path().join("build/acme/webhook.d/10-base.yaml"),
        "tenant_budget: 41\n",
    );
    let build = node.dir.path().join("build/acme").display().to_string();

    let told = node.cli_ok(&["config", "promote", &build]);
    assert!(told.starts_with("promoted acme: 1 fragment, hash "), "{told}");
    node.until("/v1/status", NOTICED, |_| hash(&node) != first);
    let second = hash(&node);
    node.until("/v1/checks/fragments/acme", NOTICED, |answer| {
        !answer.body.contains("no .prev")
    });
    let by_command = json(&node.cli_ok(&["config", "hash", "--json"]));
    assert_eq!(
        by_command["acme"]["hash"].as_str(),
        Some(second.as_str()),
        "the same wherever it is asked"
    );

    let told = json(&node.cli_ok(&["config", "rollback", "acme", "--json"]));
    assert_eq!(
        (&told["done"], &told["now"]["hash"]),
        (&"rolled back".into(), &first.as_str().into())
    );
    assert_eq!(told["without_a_gap"], true);
    node.until("/v1/status", NOTICED, |_| hash(&node) == first);
    assert_eq!(node.ready()["status"], "ok");
    assert!(!node.log().contains("is gone"), "{}", node.log());
}

#[test]
fn without_a_daemon_it_works_as_well_and_what_is_refused_says_what_to_do() {
    let node = with_acme(NO_DOCTOR);
    let build = node.dir.path().join("build/acme");
    write(&build.join("webhook.d/10-base.yaml"), "tenant_budget: x\n");
    let build = build.display().to_string();
    let refused = |arguments: &[&str], code: i32| {
        let output = node.cli(arguments);
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        assert!(output.stdout.is_empty());
        String::from_utf8(output.stderr).unwrap()
    };
    let told = refused(&["config", "promote", &build], 1);
    assert!(told.contains("10-base.yaml:1: tenant_budget: expected"), "{told}");
    assert!(
        tenants_dir(&node).read_dir().unwrap().count() == 1,
        "nothing is left behind"
    );
    assert!(refused(&["config", "rollback", "acme"], 1).contains("nothing to go back to"));
    assert!(refused(&["config", "promote", "/"], 1).contains("--tenant TENANT"));
    assert!(refused(&["config", "hash", "beta"], 1).contains("tenant beta has no directory in"));
    refused(&["config", "rollback"], 64);

    write(&Path::new(&build).join("webhook.d/10-base.yaml"), "tenant_budget: 41\n");
    node.cli_ok(&["config", "promote", &build, "--tenant", "beta"]);
    let hashes = node.cli_ok(&["config", "hash"]);
    assert_eq!(hashes.lines().count(), 2, "{hashes}");
    node.configure("");
    assert!(refused(&["config", "rollback", "acme"], 1).contains("no tenants_dir is configured"));
}

#[test]
fn a_changed_fragment_is_applied_when_it_has_settled_and_file_events_make_that_soon() {
    let node = with_acme(NO_DOCTOR).started();
    node.until_status("ok", PATIENCE);
    let mut took = Vec::new();
    for budget in 50..54 {
        let before = hash(&node);
        let began = Instant::now();
        fragment(
            &node,
            "acme/webhook.d/10-base.yaml",
            &format!("tenant_budget: {budget}\n"),
        );
        node.until("/v1/status", NOTICED, |_| hash(&node) != before);
        took.push(began.elapsed());
    }
    println!("applied after {took:?}");
}

#[test]
fn a_changed_openclaw_json_asks_the_checks_that_read_it_again_within_two_seconds() {
    let asked = |node: &Node, what: &str| {
        let text = fs::read_to_string(node.dir.path().join("asked")).unwrap_or_default();
        text.lines().filter(|line| *line == what).count()
    };
    let node = with_acme("");
    let state = node.dir.path().join("state-of-acme");
    write(&state.join("openclaw.json"), "{}");
    let probe = |name: &str| {
        format!(
            "{name}: {{kind: exec, command: [sh, -c, 'echo {name} >> {}'], parse: exit-code, layer: policy, scope: tenant, \
             every: 1h, retry_every: 1s, timeout: 10s}}",
            node.dir.path().join("asked").display()
        )
    };
    node.configure(&format!(
        "exec: {{path: [/usr/bin, /bin]}}\ntenants: {{acme: {{state_dir: {}}}}}\n\
         probes: {{doctor: {{command: [sh, -c, 'echo doctor >> {}'], parse: exit-code, rules: null, every: 1h, retry_every: 1s, max_stale: 4h}}, {}}}\n",
        state.display(),
        node.dir.path().join("asked").display(),
        probe("unrelated"),
    ));
    let node = node.started();
    node.until("/livez", PATIENCE, |_| {
        asked(&node, "doctor") == 1 && asked(&node, "unrelated") == 1
    });
    // The first look at the file is the one that later ones are compared with.
    std::thread::sleep(Duration::from_secs(2));
    write(&state.join("openclaw.json"), "{\"gateway\": {}}");
    let (_, took) = node.until("/livez", NOTICED, |_| asked(&node, "doctor") == 2);
    println!("asked again after {took:?}");
    assert_eq!(asked(&node, "unrelated"), 1);
}
