//! The log of a gateway as a source: it is followed while it grows, and across restarts each failure counts once.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use readyd::log_tail::position::Position;
use readyd::log_tail::{self, Claim, Output, Sink, Wiring};
use readyd::words::TenantName;
use serde_json::Value;

use crate::harness::{Node, PATIENCE, repository};

/// One life of readyd's log source, on its thread.
struct Life {
    stop: Sender<()>,
    thread: JoinHandle<()>,
    /// Each event with the position kept with it; the event is `null` where only the position was kept.
    heard: Receiver<(Value, String)>,
}

impl Life {
    fn start(folder: &Path, position: Option<&str>) -> Life {
        let wiring = Wiring {
            path: folder.join("openclaw-YYYY-MM-DD.log"),
            claims: vec![Claim {
                state_dir: "/srv/openclaw/tenants/acme/state".into(),
                tenant: TenantName::parse("acme").unwrap(),
                owner: fs::metadata(folder).unwrap().uid(),
            }],
        };
        let position = position.map(|body| Position::parse(body).unwrap());
        let (stop, stopped) = channel();
        let (hear, heard) = channel();
        let sink = move |output: Output<'_>| {
            let (event, position) = match output {
                Output::Event { line, position, .. } => (serde_json::from_str(line).unwrap(), position),
                Output::Passed { position } => (Value::Null, position),
                Output::State(_) => return Sink::Done,
            };
            hear.send((event, position.body())).unwrap();
            Sink::Done
        };
        let thread = std::thread::spawn(move || log_tail::run(wiring, position, sink, &stopped));
        Life { stop, thread, heard }
    }

    fn next(&self) -> (Value, String) {
        self.heard.recv_timeout(PATIENCE).unwrap()
    }

    /// Ends it; what it still told.
    fn end(self) -> Vec<(Value, String)> {
        drop(self.stop);
        self.thread.join().unwrap();
        self.heard.iter().collect()
    }
}

#[test]
fn a_growing_log_is_followed_through_dates_and_restarts_and_counts_each_failure_once() {
    let recorded =
        fs::read_to_string(repository().join("tests/fixtures/openclaw/gateway-log-webhook-runs.jsonl")).unwrap();
    let lines: Vec<String> = recorded.lines().map(|line| format!("{line}\n")).collect();
    let folder = tempfile::tempdir().unwrap();
    let append = |day: usize, lines: &[String]| {
        let path = folder.path().join(format!("openclaw-2026-11-2{day}.log"));
        let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
        file.write_all(lines.concat().as_bytes()).unwrap();
    };

    // What was logged before readyd was there is not its to tell.
    append(0, &lines);
    let life = Life::start(folder.path(), None);
    let (event, mut kept) = life.next();
    assert_eq!(event, Value::Null);
    assert_eq!(life.end(), []);

    let mut counted = Vec::new();
    for (day, part) in lines.chunks(lines.len().div_ceil(4)).enumerate() {
        // One half while readyd is away, the other under its eyes.
        let (away, present) = part.split_at(part.len() / 2);
        append(day, away);
        let life = Life::start(folder.path(), Some(&kept));
        append(day, present);
        let failures = part
            .iter()
            .filter(|line| line.contains("webhook delivery failed"))
            .count();
        for _ in 0..failures {
            let (event, position) = life.next();
            counted.push(event["task_id"].as_str().unwrap().to_owned());
            kept = position;
        }
        assert_eq!(life.end(), [], "no line is counted again");
    }
    assert_eq!(counted.len(), 6);
    counted.dedup();
    assert_eq!(counted.len(), 6, "each of another job");
}

#[test]
fn a_tenant_says_where_its_log_is() {
    let node =
        Node::prepared("tenants: {acme: {profile: acme, webhook_source: log, log_file: logs/acme-YYYY-MM-DD.log}}\n");
    let shown = node.cli_ok(&["config", "show"]);
    let absolute = node.dir.path().join("logs/acme-YYYY-MM-DD.log");
    assert!(shown.contains(&format!("log_file: {}", absolute.display())), "{shown}");
}

#[test]
fn a_node_counts_what_a_log_tells_and_a_kill_makes_it_neither_lose_nor_repeat_anything() {
    let node = Node::prepared(
        "tenants: {acme: {state_dir: /srv/openclaw/tenants/acme/state, webhook_source: log, log_file: gateway.log}}\n\
         probes: {doctor: {enabled: false}, disk: {enabled: false}, write: {enabled: false}, queue: {enabled: false}}\n",
    );
    let log = node.dir.path().join("gateway.log");
    fs::write(&log, "").unwrap();
    let mut node = node.started();
    let source = |answer: &crate::harness::Answer| answer.json()["webhook_sources"]["acme"]["counts"] == "log";
    node.until("/v1/status", PATIENCE, source);

    let fails = |times: u64| {
        let mut file = OpenOptions::new().append(true).open(&log).unwrap();
        for job in 0..times {
            writeln!(file, "{}", failed(&format!("job-{job}"))).unwrap();
        }
    };
    let counted = |node: &Node, failures: u64| {
        node.until("/v1/webhook-digest", PATIENCE, |answer| {
            answer.json()["totals"]["failures"].as_u64() >= Some(failures)
        });
    };
    fails(3);
    counted(&node, 3);
    node.kill();
    fails(2);
    node.spawn();
    node.wait_until_it_answers();
    counted(&node, 5);
    fails(1);
    counted(&node, 6);
    let digest = node.get("/v1/webhook-digest").json();
    assert_eq!(digest["totals"]["failures"], 6, "{digest:#}");

    writeln!(node.events(), r#"{{"tenant":"acme","endpoint":"crm","status":500}}"#).unwrap();
    node.until("/v1/status", PATIENCE, |answer| {
        answer.json()["webhook_sources"]["acme"]["not_counted"]["socket"] == 1
    });
    let digest = node.get("/v1/webhook-digest").json();
    assert_eq!(
        digest["totals"]["failures"], 6,
        "another source is shown and not counted"
    );
    node.cli_ok(&["emit", "--tenant", "acme", "--endpoint", "crm", "--status", "500"]);
    let digest = node.get("/v1/webhook-digest").json();
    assert_eq!(digest["totals"]["failures"], 7, "what an operator says counts");
}

/// A failed webhook as a gateway logs it, now.
fn failed(job: &str) -> String {
    let now = readyd::clock::wall().rfc3339();
    serde_json::json!({
        "0": r#"{"module":"cron","storeKey":"/srv/openclaw/tenants/acme/state/cron/jobs.json"}"#,
        "1": {"jobId": job, "err": "Webhook request failed with HTTP 500"},
        "2": "cron: webhook delivery failed",
        "_meta": {"date": now, "logLevelName": "WARN"},
        "time": now,
    })
    .to_string()
}
