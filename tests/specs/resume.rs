//! A host that sleeps, as far as a spec can make it: the process stands still for longer than ten seconds.

use std::fs;
use std::time::Duration;

use crate::harness::{Node, PATIENCE, signal};

#[test]
fn after_a_sleep_nothing_is_blamed_for_it_and_runs_in_flight_are_asked_again() {
    let node = Node::prepared("");
    let asked = node.dir.path().join("asked");
    node.configure(&format!(
        "exec: {{path: [/usr/bin, /bin]}}\ntenants: {{acme: {{}}}}\ndigest: {{stale_after: 5s}}\n\
         probes: {{doctor: {{enabled: false}}, slow: {{kind: exec, command: [sh, -c, 'echo run >> {}; sleep 8'], \
         parse: exit-code, layer: runtime, scope: tenant, every: 10m, timeout: 60s, required: false}}}}\n",
        asked.display()
    ));
    let node = node.started();
    let runs = || fs::read_to_string(&asked).unwrap_or_default().lines().count();
    node.until("/livez", PATIENCE, |_| runs() == 1);
    node.until_status("ok", PATIENCE);

    let before = history(&node).len();
    signal(node.pid(), "STOP");
    std::thread::sleep(Duration::from_millis(11_500));
    signal(node.pid(), "CONT");
    node.until("/livez", PATIENCE, |_| runs() == 2);
    let (_, took) = node.until("/v1/checks/slow/acme", PATIENCE, |answer| {
        answer.body.contains("\"level\": \"ok\"")
    });
    println!("the run that was discarded has answered after {took:?}");
    assert_eq!(runs(), 2);
    // What is shown is on disk a moment later.
    node.until("/v1/history", PATIENCE, |_| history(&node).len() > before);
    let new = &history(&node)[..];
    let new = &new[..new.len() - before];
    assert_eq!(new.len(), 1, "{new:#?}");
    assert_eq!((&new[0]["check"], &new[0]["to"]), (&"slow".into(), &"ok".into()));
    assert_eq!(node.ready()["status"], "ok");
}

/// Newest first.
fn history(node: &Node) -> Vec<serde_json::Value> {
    let body = node.get("/v1/history?limit=100").json();
    body["transitions"].as_array().unwrap().clone()
}
