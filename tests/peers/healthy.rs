//! A healthy gateway with every probe on, as shipped: ten minutes without one false finding.

use std::time::{Duration, Instant};

use crate::harness::openclaw::{BOOT, Gateway};
use crate::harness::{Node, pause};

const WATCHED: Duration = Duration::from_secs(600);
/// Every check once, in one heavy lane on a busy machine.
const FIRST_ROUND: Duration = Duration::from_secs(300);

#[test]
fn a_healthy_gateway_is_ok_for_ten_minutes_without_one_false_finding() {
    let state_dir = tempfile::Builder::new().prefix("readyd-healthy-").tempdir().unwrap();
    let Some(mut gateway) = Gateway::new(state_dir.path()) else {
        return;
    };
    gateway.start();
    gateway.wait_until_it_is_ready();
    let node = Node::start(&format!(
        "exec: {{heavy: 1, path: [{path}]}}\nsecrets_dir: {state}\n\
         tenants:\n  acme: {{state_dir: {state}, port: {port}, token_file: {token}}}\n\
         probes: {{config: {{enabled: true}}, secrets: {{enabled: true}}, security: {{enabled: true}}, cost: {{enabled: true}}}}\n",
        path = gateway.path().replace(':', ", "),
        state = gateway.state_dir.display(),
        port = gateway.port,
        token = gateway.token_file().display(),
    ));
    // Each has its own pace: the first round is over when nobody is pending.
    node.until("/v1/status", BOOT + FIRST_ROUND, |answer| {
        let status = answer.json();
        let checks = status["checks"].as_array().unwrap();
        status["status"] == "ok" && checks.iter().all(|check| check["level"] != "pending")
    });
    let began = Instant::now();
    let mut looks = 0;
    let mut seen = String::new();
    while began.elapsed() < WATCHED {
        let status = node.get("/v1/status").json();
        let at = status["checked_at"].as_str().unwrap_or_default().to_owned();
        if at == seen {
            pause();
            continue;
        }
        seen = at;
        looks += 1;
        for check in status["checks"].as_array().unwrap() {
            assert_eq!(check["level"], "ok", "after {:?}: {check:#}", began.elapsed());
        }
        assert_eq!(
            status["status"],
            "ok",
            "after {:?}: {:#}",
            began.elapsed(),
            status["reasons"]
        );
    }
    let status = node.get("/v1/status").json();
    let names: Vec<_> = status["checks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|check| check["check"].clone())
        .collect();
    println!(
        "{looks} looks in {WATCHED:?}, {} checks, all ok: {names:?}",
        names.len()
    );
    assert!(looks > 300, "{looks} looks");
    assert!(gateway.is_alive());
}
