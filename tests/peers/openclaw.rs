//! A real gateway and the real CLI: each state a gateway can be brought to, and what readyd says of it.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::harness::openclaw::{BOOT, Gateway, TOKEN};
use crate::harness::{Node, signal};

/// Doctor alone costs six CPU seconds here, and the machine may be busy.
const DOCTOR: Duration = Duration::from_secs(120);
/// What the link promises: a frozen gateway is noticed within this.
const WEDGE: Duration = Duration::from_secs(15);
const GATEWAY: Duration = Duration::from_secs(40);
/// And that what was mended is ok again, counted from when the gateway itself is ready.
const MENDED: Duration = Duration::from_secs(30);
/// And that it says of itself that it ends: before its process is gone.
const SHUTDOWN: Duration = Duration::from_secs(2);

/// A process of somebody else's that happens to run beside.
struct Bystander(Child);

impl Bystander {
    fn new() -> Bystander {
        Bystander(Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().unwrap())
    }

    fn is_alive(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Bystander {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn readyd_follows_a_real_gateway_through_its_troubles_and_touches_nobody_else() {
    let state_dir = tempfile::Builder::new().prefix("readyd-openclaw-").tempdir().unwrap();
    let Some(mut gateway) = Gateway::new(state_dir.path()) else {
        return;
    };
    let mut bystander = Bystander::new();
    gateway.start();
    let node = Node::start(&node_config(&gateway));

    let (healthy, took) = node.until_status("ok", BOOT + DOCTOR);
    println!("healthy gateway: ok after {took:?}");
    assert_eq!(healthy["tenants"]["acme"], "ok");
    let doctor = node.get("/v1/checks/doctor/acme").json();
    assert_eq!(doctor["level"], "ok", "{doctor:#}");

    let link = node.get("/v1/checks/gateway-link/acme").json();
    assert_eq!(link["level"], "ok", "{link:#}");
    let status = node.get("/v1/status");
    assert_eq!(status.json()["links"]["acme"]["version"], "2026.9.6", "{}", status.body);
    assert!(!status.body.contains(TOKEN), "the token is shown");

    let first = gateway.pid();
    signal(first, "STOP");
    let frozen_at = Instant::now();
    let (frozen, took) = node.until_status("down", GATEWAY);
    println!("frozen gateway (SIGSTOP): down after {took:?}");
    assert_names(&frozen, "acme gateway");
    until_level(&node, "gateway-link", "down");
    println!(
        "frozen gateway (SIGSTOP): the link says so after {:?}",
        frozen_at.elapsed()
    );
    assert!(frozen_at.elapsed() < WEDGE);
    signal(first, "CONT");
    let (_, took) = node.until_status("ok", MENDED);
    println!("thawed gateway: ok after {took:?}");
    assert!(gateway.is_alive());
    assert_eq!(gateway.pid(), first);

    until_level(&node, "gateway-link", "ok");
    signal(first, "TERM");
    // "down" itself is shown for milliseconds: then the connection is closed, and what is down is unknown.
    let (_, took) = node.until("/v1/checks/gateway-link/acme", GATEWAY, |answer| {
        answer.json()["counts_as"] == "down"
    });
    println!("stopping gateway (SIGTERM): the link says so after {took:?}");
    assert!(took < SHUTDOWN);
    gateway.wait_until_it_is_gone();
    let (stopped, took) = node.until_status("down", GATEWAY);
    println!("stopped gateway: down after {took:?}");
    assert_names(&stopped, "acme gateway");
    gateway.start();
    gateway.wait_until_it_is_ready();
    let (_, took) = node.until_status("ok", MENDED);
    println!("started gateway: ok {took:?} after it was ready itself");

    gateway.configure(r#"{"gateway":{"mode":"local","portt":1},"bogusTop":true}"#);
    let (broken, took) = node.until("/ready", DOCTOR, |answer| answer.json()["status"] != "ok");
    println!("broken config: {} after {took:?}", broken.json()["status"]);
    let healthy_again = gateway.healthy_config();
    gateway.configure(&healthy_again);
    if !gateway.is_alive() {
        gateway.start();
    }
    let (_, took) = node.until_status("ok", BOOT + DOCTOR);
    println!("mended config: ok after {took:?}");

    assert!(bystander.is_alive(), "a process of somebody else's was ended");
    assert!(gateway.is_alive(), "the gateway was ended");
    assert_eq!(left_over_children(node.pid()), Vec::<String>::new());
}

fn node_config(gateway: &Gateway) -> String {
    format!(
        "exec: {{heavy: 1, path: [{path}]}}\n\
         tenants:\n  acme: {{state_dir: {state}, port: {port}, token_file: {token}}}\n\
         probes:\n  gateway: {{every: 2s}}\n  doctor: {{every: 10s, timeout: 90s, retry_every: 1s}}\n",
        path = gateway.path().replace(':', ", "),
        state = gateway.state_dir.display(),
        token = gateway.token_file().display(),
        port = gateway.port,
    )
}

fn until_level(node: &Node, probe: &str, level: &str) {
    node.until(&format!("/v1/checks/{probe}/acme"), GATEWAY, |answer| {
        answer.json()["level"] == level
    });
}

fn assert_names(answer: &serde_json::Value, reason: &str) {
    let reasons = answer["reasons"].as_array().unwrap();
    assert!(
        reasons.iter().any(|line| line.as_str().unwrap().starts_with(reason)),
        "{reasons:?} do not name {reason:?}"
    );
}

/// Zombies among readyd's children: there should be none, ever.
fn left_over_children(pid: u32) -> Vec<String> {
    let mut zombies = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let stat = fs::read_to_string(Path::new(&entry.path()).join("stat")).unwrap_or_default();
        let Some((_, rest)) = stat.rsplit_once(')') else {
            continue;
        };
        let mut fields = rest.split_whitespace();
        let (state, parent) = (fields.next().unwrap_or(""), fields.next().unwrap_or(""));
        if state == "Z" && parent == pid.to_string() {
            zombies.push(stat);
        }
    }
    zombies
}
