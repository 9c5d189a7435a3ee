//! Configuration that changes while it serves: files by SIGHUP, fragments by themselves.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::harness::{Node, PATIENCE, signal};

/// A change of fragments is noticed within 2 s; a second more for a busy machine.
const NOTICED: Duration = Duration::from_secs(3);

/// A node with a tenants directory, and a probe that writes down each time it is asked.
fn with_fragments(tenants: &[&str]) -> Node {
    let node = Node::prepared("");
    for tenant in tenants {
        write(
            &tenants_dir(&node).join(tenant).join("webhook.d/10-base.yaml"),
            "tenant_budget: 40\n",
        );
    }
    node.configure(&format!(
        "tenants_dir: {}\nexec: {{path: [/usr/bin, /bin]}}\nprobes: {{doctor: {{enabled: false}}, counted: {{kind: exec, \
         command: [sh, -c, 'echo {{tenant}} >> {}'], parse: exit-code, layer: policy, scope: tenant, every: 1h, timeout: 10s}}}}\n",
        tenants_dir(&node).display(),
        node.dir.path().join("asked").display(),
    ));
    node.started()
}

fn tenants_dir(node: &Node) -> PathBuf {
    node.dir.path().join("tenants")
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn asked(node: &Node, tenant: &str) -> usize {
    let text = fs::read_to_string(node.dir.path().join("asked")).unwrap_or_default();
    text.lines().filter(|line| *line == tenant).count()
}

#[test]
fn a_changed_fragment_is_noticed_within_two_seconds_and_that_tenant_is_asked_again() {
    let node = with_fragments(&["acme", "beta"]);
    node.until_status("ok", PATIENCE);
    assert_eq!((asked(&node, "acme"), asked(&node, "beta")), (1, 1));
    write(
        &tenants_dir(&node).join("acme/webhook.d/20-team.yaml"),
        "tenant_budget: 20\n",
    );
    let (_, took) = node.until("/livez", NOTICED, |_| asked(&node, "acme") == 2);
    println!("noticed and asked again after {took:?}");
    assert_eq!(asked(&node, "beta"), 1);
}

#[test]
fn a_broken_fragment_degrades_its_tenant_and_the_last_good_merge_stays() {
    let node = with_fragments(&["acme", "beta"]);
    node.until_status("ok", PATIENCE);
    let broken = tenants_dir(&node).join("acme/webhook.d/20-team.yaml");
    write(&broken, "tenant_budget: [\n");
    let (answer, _) = node.until("/ready", PATIENCE, |answer| answer.body.contains("20-team.yaml"));
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["tenants"]["acme"], "degraded");
    assert_eq!(answer.json()["tenants"]["beta"], "ok");
    fs::remove_file(broken).unwrap();
    node.until_status("ok", PATIENCE);
}

#[test]
fn a_tenant_that_comes_while_serving_is_starting_and_empties_nothing() {
    let node = with_fragments(&["acme"]);
    node.until_status("ok", PATIENCE);
    // Nobody listens there yet: the checkout comes before the gateway is started.
    let port = crate::harness::free_port();
    write(
        &tenants_dir(&node).join("beta/gateway.d/10-base.yaml"),
        &format!("port: {port}\n"),
    );
    let (answer, _) = node.until("/ready/beta", PATIENCE, |answer| answer.status != 404);
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json()["phase"], "starting");
    node.until("/v1/checks/gateway/beta", PATIENCE, |answer| {
        answer.body.contains("down")
    });
    assert_eq!(node.get("/ready/beta").json()["phase"], "starting");
    assert_eq!(node.get("/ready").status, 200);
    assert_eq!(node.get("/ready/acme").status, 200);
}

#[test]
fn an_emptied_tenants_dir_removes_nobody_and_a_reload_does_at_once() {
    let node = with_fragments(&["acme", "beta"]);
    node.until_status("ok", PATIENCE);
    for tenant in ["acme", "beta"] {
        fs::remove_dir_all(tenants_dir(&node).join(tenant)).unwrap();
    }
    let (answer, _) = node.until("/ready", PATIENCE, |answer| answer.json()["status"] != "ok");
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.json()["tenants_total"], 2);
    assert_eq!(node.get("/ready/acme").status, 200);

    node.cli_ok(&["reload"]);
    node.until("/ready/acme", PATIENCE, |answer| answer.status == 404);
    let ready = node.ready();
    assert_eq!(ready["status"], "degraded", "no gateway is watched: {ready:#}");
}

const ACME: &str = "tenants: {acme: {}}\nprobes: {doctor: {enabled: false}}\n";

#[test]
fn a_sighup_takes_a_valid_file_whole() {
    let node = Node::start(ACME);
    node.until_status("ok", PATIENCE);
    node.configure(&ACME.replace("acme: {}", "acme: {}, beta: {}"));
    signal(node.pid(), "HUP");
    node.until("/ready/beta", PATIENCE, |answer| answer.status == 200);
    assert_eq!(node.ready()["status"], "ok");
}

#[test]
fn a_file_that_is_not_valid_changes_nothing_and_says_why_until_it_is() {
    let node = Node::start(ACME);
    node.until_status("ok", PATIENCE);
    let reloaded = |node: &Node| {
        let metrics = node.get("/metrics").body;
        let line = metrics
            .lines()
            .find(|line| line.starts_with("readyd_config_reload_success_timestamp_seconds "));
        line.unwrap().to_owned()
    };
    let before = reloaded(&node);
    std::thread::sleep(Duration::from_millis(1100));
    node.configure(&ACME.replace("tenants", "tenant"));
    signal(node.pid(), "HUP");
    let error = |answer: &crate::harness::Answer| answer.json()["config"]["reload_error"].as_str().map(str::to_owned);
    let (answer, _) = node.until("/v1/status", PATIENCE, |answer| error(answer).is_some());
    assert!(error(&answer).unwrap().contains("tenant"), "{:?}", error(&answer));
    assert_eq!(node.ready()["status"], "ok");
    assert_eq!(reloaded(&node), before);
    let said = node.control("POST", "/v1/reload", "");
    assert_eq!(said.status, 422);
    assert!(said.body.contains("tenants"), "the nearest known key: {}", said.body);
    assert!(node.log().contains("stays as it was"), "{}", node.log());

    node.configure(ACME);
    node.cli_ok(&["reload"]);
    node.until("/v1/status", PATIENCE, |answer| error(answer).is_none());
    assert_ne!(reloaded(&node), before);
}

#[test]
fn the_journal_has_one_line_for_each_change_of_the_verdict_and_for_who_did_what() {
    let node = Node::start(&format!(
        "tenants: {{acme: {{port: {}}}}}\nprobes: {{doctor: {{enabled: false}}}}\n",
        crate::harness::free_port()
    ));
    node.until_status("down", PATIENCE);
    node.cli_ok(&["maintenance", "start", "acme", "--for", "2h", "--reason", "upgrade"]);
    node.until_status("degraded", PATIENCE);
    let log = node.log();
    let lines = |words: &[&str]| {
        log.lines()
            .filter(|line| words.iter().all(|word| line.contains(word)))
            .count()
    };
    assert_eq!(lines(&["node: ", "-> down: acme gateway: "]), 1, "{log}");
    assert_eq!(lines(&["node: down -> degraded: "]), 1, "{log}");
    assert_eq!(lines(&["actor=", "acme", "maintenance", "durable=true"]), 1, "{log}");
}
