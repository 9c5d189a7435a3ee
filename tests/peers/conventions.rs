//! HTTP as others speak it: curl's tags and compression, a real Prometheus that gets gzip, and a JSON Schema's word on
//! health+json.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use crate::harness::prometheus::Prometheus;
use crate::harness::{Node, PATIENCE, peer, repository};
use crate::openapi::Trouble;

/// `curl` with these arguments: what it wrote.
fn curl(directory: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("curl")
        .args(["-sS", "--max-time", "10"])
        .args(arguments)
        .current_dir(directory)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

#[test]
fn curl_keeps_what_has_not_changed_and_unpacks_what_was_compressed() {
    if peer("curl", &[]).is_none() {
        return;
    }
    let trouble = Trouble::start();
    let dir = tempfile::tempdir().unwrap();
    let url = |path: &str| format!("http://127.0.0.1:{}{path}", trouble.node.port);
    let description = url("/openapi.json");
    let ask = |url: &str, more: &[&str]| {
        let arguments = [&["-o", "body", "-w", "%{http_code} %{size_download}", url], more].concat();
        String::from_utf8(curl(dir.path(), &arguments)).unwrap()
    };
    let body = || fs::read(dir.path().join("body")).unwrap();
    let first = ask(&description, &["--etag-save", "etag"]);
    let plain = body();
    assert_eq!(first, format!("200 {}", plain.len()));
    assert_eq!(ask(&description, &["--etag-compare", "etag"]), "304 0");
    let packed = ask(&description, &["--compressed"]);
    let size: usize = packed.strip_prefix("200 ").unwrap().parse().unwrap();
    assert!(size * 4 < plain.len(), "{size} of {}", plain.len());
    assert_eq!(body(), plain, "curl unpacked it");
    assert_eq!(ask(&description, &["--compressed", "--etag-compare", "etag"]), "304 0");
    // What changes each second is sent each second.
    ask(&url("/v1/status"), &["--etag-save", "status"]);
    trouble.node.until("/v1/status", PATIENCE, |answer| {
        fs::read_to_string(dir.path().join("status")).unwrap().trim() != answer.header("etag").unwrap()
    });
    let changed = ask(
        &url("/v1/status"),
        &["--etag-compare", "status", "--etag-save", "status"],
    );
    assert!(changed.starts_with("200 "), "{changed}");
}

#[test]
fn every_curl_line_of_the_document_is_answered() {
    if peer("curl", &[]).is_none() {
        return;
    }
    let trouble = Trouble::start();
    let text = fs::read_to_string(repository().join("docs/http.md")).unwrap();
    let mut ran = 0;
    for line in text.lines().filter_map(|line| line.strip_prefix("$ ")) {
        let line = line
            .replace("/tmp", trouble.node.dir.path().to_str().unwrap())
            .replace("localhost:9099", &format!("127.0.0.1:{}", trouble.node.port))
            .replace("/run/readyd", trouble.node.runtime_dir().to_str().unwrap());
        let output = Command::new("sh")
            .args(["-c", &format!("{line} --max-time 10 -w '\\n%{{http_code}}'")])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let status = said.lines().last().unwrap_or_default();
        // The gateway of acme is away.
        let expected = if line.contains("/ready/acme") { "503" } else { "200" };
        assert_eq!((output.status.success(), status), (true, expected), "{line}\n{said}");
        ran += 1;
    }
    assert!(ran > 10, "{ran}");
}

/// Hands bytes on to a node, and remembers the heads of its answers.
struct Relay {
    port: u16,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Relay {
    fn to(node: &Node) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let (seen, address) = (Arc::clone(&heads), node.address());
        // Ends with the test program; whoever asks later is not answered, since the node is gone.
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(node) = TcpStream::connect(address) else { return };
                let (mut from_client, mut to_node) = (client.try_clone().unwrap(), node.try_clone().unwrap());
                std::thread::spawn(move || {
                    let _ = std::io::copy(&mut from_client, &mut to_node);
                    let _ = to_node.shutdown(Shutdown::Write);
                });
                let seen = Arc::clone(&seen);
                std::thread::spawn(move || hand_on(node, client, &seen));
            }
        });
        Relay { port, heads }
    }
}

fn hand_on(mut node: TcpStream, mut client: TcpStream, heads: &Mutex<Vec<String>>) {
    let mut piece = [0; 65_536];
    while let Ok(length @ 1..) = node.read(&mut piece) {
        let text = String::from_utf8_lossy(&piece[..length]);
        if let Some((head, _)) = text
            .split_once("\r\n\r\n")
            .filter(|(head, _)| head.starts_with("HTTP/"))
        {
            heads.lock().unwrap().push(head.to_ascii_lowercase());
        }
        if client.write_all(&piece[..length]).is_err() {
            return;
        }
    }
    let _ = client.shutdown(Shutdown::Write);
}

#[test]
fn a_real_prometheus_gets_gzip_and_reads_it() {
    let Some(prometheus) = peer("prometheus", &["/usr/bin/prometheus"]) else {
        return;
    };
    let trouble = Trouble::start();
    let relay = Relay::to(&trouble.node);
    let job = format!(
        "  - job_name: readyd\n    static_configs: [{{targets: ['127.0.0.1:{}']}}]\n",
        relay.port
    );
    let prometheus = Prometheus::scraping(&prometheus, &job, "");
    prometheus.until("up{job=\"readyd\"}", |values| values == ["1"]);
    prometheus.until("readyd_status{status=\"degraded\"}", |values| values == ["1"]);
    let heads = relay.heads.lock().unwrap();
    let packed = |head: &String| head.starts_with("http/1.1 200") && head.contains("\r\ncontent-encoding: gzip");
    assert!(!heads.is_empty() && heads.iter().all(packed), "{heads:?}");
}

#[test]
fn health_json_is_what_the_draft_says_in_every_verdict() {
    let place = repository().join("target/tools/python/bin/jsonschema");
    let Some(jsonschema) = peer("jsonschema", &[place.to_str().unwrap()]) else {
        return;
    };
    let trouble = Trouble::start();
    let schema = repository().join("tests/peers/health-check-06.schema.json");
    let accepts = |body: &str| {
        let instance = trouble.node.dir.path().join("health.json");
        fs::write(&instance, body).unwrap();
        let command = Command::new(&jsonschema).arg("-i").arg(&instance).arg(&schema).output();
        let output = command.unwrap();
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let (own, _) = accepts(r#"{"status": "warn", "checks": {"a:b:c": [{}]}, "output": 7}"#);
    assert!(!own, "the schema refuses what the draft does");

    let mut seen = Vec::new();
    for (path, status) in [
        ("/ready", "warn"),
        ("/ready/acme", "fail"),
        ("/ready/beta", "pass"),
        ("/ready?exclude=gateway,webhook-digest", "pass"),
        ("/ready?exclude=nonsense", "warn"),
    ] {
        let accept = "accept: application/json;q=0.5, application/health+json";
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{accept}\r\nconnection: close\r\n\r\n");
        let began = Instant::now();
        let answer = loop {
            let answer = trouble.node.request(&request).unwrap();
            if answer.json()["status"] == status || began.elapsed() > PATIENCE {
                break answer;
            }
        };
        assert_eq!(answer.json()["status"], status, "{path}: {}", answer.body);
        assert_eq!(answer.header("content-type"), Some("application/health+json"), "{path}");
        assert_eq!(answer.status == 503, status == "fail", "{path}");
        let (accepted, said) = accepts(&answer.body);
        assert!(accepted, "{path}: {said}\n{}", answer.body);
        seen.push(status);
    }
    assert!(["pass", "warn", "fail"].iter().all(|status| seen.contains(status)));
}
