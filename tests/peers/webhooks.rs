//! Each way in which a real gateway's webhook can end, heard over the link alone.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use readyd::clock;
use readyd::words::Wall;
use serde_json::{Value, json};

use crate::harness::openclaw::{BOOT, Gateway};
use crate::harness::{Node, free_port, pause};

/// From the gateway's own record of the failure to the row.
const ROW_WITHIN: Duration = Duration::from_secs(2);
/// A command of OpenClaw takes some seconds of CPU, and then the job runs.
const RUN: Duration = Duration::from_secs(60);

/// A receiver that answers each request with the status that its path names; its port.
fn receiver() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
            let mut request = [0; 16 * 1024];
            let length = stream.read(&mut request).unwrap_or(0);
            let request = String::from_utf8_lossy(&request[..length]).into_owned();
            let path = request.split(' ').nth(1).unwrap_or("/500");
            let status = path.trim_start_matches('/').split('?').next().unwrap_or("500");
            let answer = format!("HTTP/1.1 {status} Spec\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    port
}

#[test]
fn each_way_a_webhook_can_fail_is_a_row_within_two_seconds_and_a_success_is_counted() {
    let state_dir = tempfile::Builder::new().prefix("readyd-openclaw-").tempdir().unwrap();
    let Some(mut gateway) = Gateway::new(state_dir.path()) else {
        return;
    };
    let log = state_dir.path().join("gateway.log");
    let mut config: Value = serde_json::from_str(&gateway.healthy_config()).unwrap();
    config["cron"] = json!({"webhookSsrfPolicy": {"allowedHostnames": ["127.0.0.1", "no-such-host.invalid"]}});
    config["logging"] = json!({"file": log});
    gateway.configure(&config.to_string());
    gateway.start();
    let node = Node::start(&format!(
        "tenants: {{acme: {{state_dir: {}, port: {}, token_file: {}, webhook_source: link}}}}\n\
         probes: {{doctor: {{enabled: false}}}}\n",
        state_dir.path().display(),
        gateway.port,
        gateway.token_file().display(),
    ));
    node.until("/v1/status", BOOT, |answer| {
        answer.json()["links"]["acme"]["connected"] == true
    });

    let (open, closed) = (receiver(), free_port());
    let ways = [
        (
            "http-500",
            format!("http://127.0.0.1:{open}/500?key=hunter2"),
            "5xx",
            "500",
        ),
        ("http-404", format!("http://127.0.0.1:{open}/404"), "4xx", "404"),
        ("http-429", format!("http://127.0.0.1:{open}/429"), "4xx", "429"),
        (
            "refused",
            format!("http://127.0.0.1:{closed}/hook"),
            "connect",
            "connect",
        ),
        ("no-name", "http://no-such-host.invalid/hook".to_owned(), "dns", "dns"),
        ("blocked", "http://10.11.12.13/hook".to_owned(), "blocked", "blocked"),
    ];
    for (name, url, family, code) in &ways {
        let job = add(&gateway, name, url);
        let mut run = gateway.command(&["cron", "run", &job, "--json"]).spawn().unwrap();
        println!("{name}: {job}");
        let is_row = |row: &Value| {
            let endpoint = row["endpoint"].as_str().unwrap_or_default();
            let bare = url.split('?').next().unwrap_or_default();
            row["family"] == *family && !row["statuses"][code].is_null() && (endpoint == bare || endpoint == *name)
        };
        node.until("/v1/webhook-digest", RUN, |answer| {
            answer.json()["top"].as_array().unwrap().iter().any(is_row)
        });
        let shown = clock::wall();
        run.wait().unwrap();
        let failed = logged(&log, &job);
        let took = shown.millis_since(failed);
        println!("{name}: a row of {family} {took} ms after the gateway's own record");
        assert!(
            u128::try_from(took.max(0)).unwrap() < ROW_WITHIN.as_millis(),
            "{name}: {took} ms"
        );
    }
    let digest = node.get("/v1/webhook-digest");
    assert_eq!(digest.json()["totals"]["failures"], ways.len(), "{}", digest.body);
    assert_eq!(digest.json()["totals"]["delivered"], 0);
    assert!(!digest.body.contains("hunter2"), "{}", digest.body);

    let job = add(&gateway, "well", &format!("http://127.0.0.1:{open}/200"));
    let mut run = gateway.command(&["cron", "run", &job, "--json"]).spawn().unwrap();
    node.until("/v1/webhook-digest", RUN, |answer| {
        answer.json()["totals"]["delivered"] == 1
    });
    run.wait().unwrap();
}

fn add(gateway: &Gateway, name: &str, url: &str) -> String {
    let added = gateway.ask(&[
        "cron",
        "add",
        "--name",
        name,
        "--every",
        "24h",
        "--command",
        // A job that says nothing delivers nothing.
        "echo done",
        "--session",
        "isolated",
        "--webhook",
        url,
        "--json",
    ]);
    added["id"].as_str().unwrap().to_owned()
}

/// When the gateway says that a job's delivery failed. On a busy machine it writes that after the link has told it.
fn logged(log: &Path, job: &str) -> Wall {
    let is_failure = |record: &Value| record["1"]["jobId"] == job && record["2"] == "cron: webhook delivery failed";
    let began = Instant::now();
    loop {
        let text = std::fs::read_to_string(log).unwrap();
        let mut records = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        if let Some(record) = records.find(is_failure) {
            // With an offset, as the gateway's time zone is.
            return Wall::parse_rfc3339(record["time"].as_str().unwrap()).unwrap();
        }
        assert!(began.elapsed() < RUN, "no failure of {job} in the log:\n{text}");
        pause();
    }
}
