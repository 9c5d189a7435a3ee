//! A real gateway and its CLI: files that change under it, and versions that a lock pins.

use std::fs;
use std::time::Duration;

use crate::harness::openclaw::{BOOT, Gateway};
use crate::harness::{Node, signal};

const PATIENCE: Duration = Duration::from_secs(40);
/// What a gateway is given to take a change up, twice over for a busy machine.
const SETTLED: Duration = Duration::from_secs(140);

#[test]
fn a_change_that_a_gateway_does_not_take_up_needs_a_restart_and_one_that_it_takes_up_does_not() {
    let state_dir = tempfile::Builder::new().prefix("readyd-stale-").tempdir().unwrap();
    let Some(mut gateway) = Gateway::new(state_dir.path()) else {
        return;
    };
    gateway.start();
    let node = Node::start(&format!(
        "exec: {{heavy: 1, path: [{path}]}}\n\
         tenants:\n  acme: {{state_dir: {state}, port: {port}, token_file: {token}}}\n\
         probes:\n  doctor: {{enabled: false}}\n  gateway: {{every: 1s}}\n  version-lock: {{every: 2s, retry_every: 1s}}\n  \
         stale-process: {{every: 3s, retry_every: 500ms}}\n",
        path = gateway.path().replace(':', ", "),
        state = gateway.state_dir.display(),
        port = gateway.port,
        token = gateway.token_file().display(),
    ));
    node.until_status("ok", BOOT);
    let check = |probe: &str| node.get(&format!("/v1/checks/{probe}/acme")).json();
    assert_eq!(check("stale-process")["level"], "ok", "{:#}", check("stale-process"));

    node.cli_ok(&["lock", "write"]);
    println!("{}", node.cli_ok(&["lock", "check"]));
    let lock = node.dir.path().join("openclaw.lock");
    let other = fs::read_to_string(&lock).unwrap().replace("2026.", "2025.");
    fs::write(&lock, other).unwrap();
    let (skewed, took) = node.until("/v1/checks/version-lock/acme", PATIENCE, |answer| {
        answer.json()["level"] == "degraded"
    });
    println!("another lock: {} after {took:?}", skewed.json()["summary"]);
    assert_eq!(node.cli(&["lock", "check"]).status.code(), Some(1));
    fs::remove_file(&lock).unwrap();
    node.until_status("ok", PATIENCE);

    let healthy = gateway.healthy_config();
    gateway.configure(&healthy.replacen('{', r#"{"logging":{"level":"warn"},"#, 1));
    // Said once, for three seconds; then it is remembered as what the gateway runs with.
    let taken = |answer: &crate::harness::Answer| {
        answer
            .body
            .contains("after the gateway started; the gateway runs with it")
    };
    let (_, took) = node.until("/v1/checks/stale-process/acme", PATIENCE, taken);
    println!("a change that is taken up: known after {took:?}");
    assert_eq!(check("stale-process")["level"], "ok");

    gateway.configure(&healthy.replacen(r#"{"gateway":{"#, r#"{"gateway":{"reload":{"mode":"off"},"#, 1));
    let (stale, took) = node.until("/v1/checks/stale-process/acme", SETTLED, |answer| {
        answer.json()["level"] == "degraded"
    });
    println!("a change that is not: {} after {took:?}", stale.json()["summary"]);
    assert!(stale.body.contains("gateway.reload.mode is off"), "{}", stale.body);

    signal(gateway.pid(), "TERM");
    gateway.wait_until_it_is_gone();
    gateway.start();
    let (_, took) = node.until_status("ok", BOOT);
    println!("started again: ok after {took:?}");
}
