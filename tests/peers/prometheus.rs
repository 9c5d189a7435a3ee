//! What a real Prometheus makes of `/metrics`.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::{Node, PATIENCE, free_port, peer};

const TROUBLE: &str = "tenants: {acme: {required: true}}\nprobes: {doctor: {enabled: false}}\n";

#[test]
fn promtool_finds_nothing_to_say_about_the_metrics() {
    let Some(promtool) = peer("promtool", &["/usr/bin/promtool"]) else {
        return;
    };
    let node = Node::start(TROUBLE);
    report_failures(&node, 12);
    let metrics = node.get("/metrics");
    assert_eq!(metrics.status, 200);
    let mut child = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(metrics.body.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
}

#[test]
fn a_real_prometheus_scrapes_it_and_answers_questions_about_it() {
    let Some(prometheus) = peer("prometheus", &["/usr/bin/prometheus"]) else {
        return;
    };
    let node = Node::start(TROUBLE);
    report_failures(&node, 12);
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("prometheus.yml");
    fs::write(
        &config,
        format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs:\n  - job_name: readyd\n    static_configs: [{{targets: ['127.0.0.1:{}']}}]\n",
            node.port
        ),
    )
    .unwrap();
    let port = free_port();
    let mut child = Command::new(prometheus)
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .arg("--log.level=error")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(dir.path().join("log")).unwrap())
        .spawn()
        .unwrap();

    let questions = [
        ("up{job=\"readyd\"}", "1"),
        ("readyd_status{status=\"degraded\"}", "1"),
        ("readyd_webhook_failures_total{tenant=\"acme\",family=\"5xx\"}", "12"),
        ("sum(readyd_tenant_status{tenant=\"acme\"})", "1"),
    ];
    let outcome = questions.map(|(query, expected)| (query, expected, ask_until(port, query, expected)));
    let _ = child.kill();
    let _ = child.wait();
    for (query, expected, seen) in outcome {
        assert_eq!(
            seen.as_deref(),
            Some(expected),
            "{query}\n{}",
            fs::read_to_string(dir.path().join("log")).unwrap()
        );
    }
}

fn report_failures(node: &Node, count: usize) {
    let line = "{\"tenant\":\"acme\",\"endpoint\":\"crm\",\"status\":503}\n";
    let answer = node.control("POST", "/v1/events", &line.repeat(count));
    assert_eq!(answer.json()["accepted"], count, "{answer:?}");
}

/// The value of an instant query once it is the expected one; the last one seen otherwise.
fn ask_until(port: u16, query: &str, expected: &str) -> Option<String> {
    let began = Instant::now();
    let mut seen = None;
    while began.elapsed() < PATIENCE {
        let answer = Command::new("curl")
            .args(["-sS", "--max-time", "2", "--get", "--data-urlencode"])
            .arg(format!("query={query}"))
            .arg(format!("http://127.0.0.1:{port}/api/v1/query"))
            .output()
            .unwrap();
        if let Ok(body) = serde_json::from_slice::<Value>(&answer.stdout)
            && let Some(value) = body["data"]["result"][0]["value"][1].as_str()
        {
            seen = Some(value.to_string());
            if value == expected {
                break;
            }
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    seen
}
