//! What must not grow without notice: costs held against one another in the same run and the same build, with margin. The
//! table of `make bench` is measured beside real peers and optimised; this is what a change can break from one day to the next.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Instant;

use crate::harness::cost::{cpu_seconds, rss_mib, thread_cpu_seconds};
use crate::harness::{Node, PATIENCE};

/// Nothing that starts a process, asks a gateway or writes to the disk on its own.
const QUIET: &str = "probes: {write: {enabled: false}, doctor: {enabled: false}, version-lock: {enabled: false}}\n";
const ROUNDS: usize = 5;

fn node(tenants: usize) -> Node {
    let mut text = "tenants:\n".to_owned();
    for index in 0..tenants {
        writeln!(text, "  t{index:03}: {{}}").unwrap();
    }
    let node = Node::start(&format!("{text}{QUIET}"));
    node.until("/ready", PATIENCE, |answer| answer.status == 200);
    node
}

/// CPU seconds of `node` while it is asked `path` so often on one connection.
fn cpu_of_asking(node: &Node, path: &str, times: usize) -> f64 {
    let mut stream = TcpStream::connect(node.address()).unwrap();
    // In one piece: pieces would wait for each other's acknowledgement.
    let question = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    let before = cpu_seconds(node);
    for _ in 0..times {
        stream.write_all(question.as_bytes()).unwrap();
        let mut reader = BufReader::new(&stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            if let Some(value) = line.strip_prefix("content-length: ") {
                length = value.trim().parse().unwrap();
            }
            if line == "\r\n" {
                break;
            }
        }
        reader.read_exact(&mut vec![0; length]).unwrap();
    }
    cpu_seconds(node) - before
}

/// The same without what it does anyway: that goes by time, and a busy machine takes more of it for as many questions.
fn cpu_of_answers(node: &Node, path: &str, times: usize) -> f64 {
    let began = Instant::now();
    let asked = cpu_of_asking(node, path, times);
    let before = cpu_seconds(node);
    std::thread::sleep(began.elapsed());
    // A hundredth of a second is what the system counts in.
    (asked - (cpu_seconds(node) - before)).max(0.01)
}

fn median(mut ratios: Vec<f64>) -> f64 {
    ratios.sort_by(f64::total_cmp);
    ratios[ratios.len() / 2]
}

/// So many failed deliveries, spread over endpoints of as many tenants.
fn lines(count: usize, tenants: usize, endpoints: usize) -> String {
    let mut lines = String::new();
    for seq in 1..=count {
        let endpoint = seq * 7 % endpoints;
        let tenant = endpoint % tenants;
        writeln!(
            lines,
            r#"{{"tenant":"t{tenant:03}","endpoint":"https://hooks.example.net/v1/ep-{endpoint:05}","status":503,"gateway":"gw-1","attempt":2,"task_id":"task-{seq:012}","request_id":"req-{seq:012}","error":"upstream connect error or disconnect before headers","seq":{seq}}}"#
        )
        .unwrap();
    }
    lines
}

/// Until the last of them is acknowledged.
fn send(node: &Node, producer: &str, lines: &str, count: usize) {
    let mut stream = node.events();
    writeln!(stream, r#"{{"hello":{{"producer":"{producer}"}}}}"#).unwrap();
    stream.write_all(lines.as_bytes()).unwrap();
    let last = format!(r#"{{"ack":{count}}}"#);
    let mut answers = BufReader::new(stream).lines().map_while(Result::ok);
    assert!(answers.any(|answer| answer.trim() == last), "{}", node.log());
}

#[test]
fn an_answer_of_ready_costs_as_much_with_256_tenants_as_with_one() {
    const ASKED: usize = 2_000;
    /// Measured 1.0 to 1.1.
    const TIMES_MAX: f64 = 2.0;
    let (one, many) = (node(1), node(256));
    let ratio = |_| cpu_of_answers(&many, "/ready", ASKED) / cpu_of_answers(&one, "/ready", ASKED);
    let ratio = median((0..ROUNDS).map(ratio).collect());
    println!("/ready with 256 tenants costs {ratio:.2} times as much");
    assert!(ratio < TIMES_MAX, "{ratio}");
}

#[test]
fn an_event_costs_no_more_than_a_few_readings_of_its_line() {
    const EVENTS: usize = 40_000;
    /// Reading into a tree, as little optimised as readyd is here. Measured 1.6 to 1.9.
    const TIMES_MAX: f64 = 3.5;
    let node = node(1);
    let lines = lines(EVENTS, 1, 1_000);
    let ratio = |round| {
        let before = cpu_seconds(&node);
        send(&node, &format!("ratios-{round}"), &lines, EVENTS);
        let ours = cpu_seconds(&node) - before;
        let before = thread_cpu_seconds();
        for line in lines.lines() {
            let read: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(read.is_object());
        }
        ours / (thread_cpu_seconds() - before)
    };
    let ratio = median((0..ROUNDS).map(ratio).collect());
    println!("an event costs {ratio:.2} readings of its line");
    assert!(ratio < TIMES_MAX, "{ratio}");
}

#[test]
fn twenty_thousand_endpoints_fit_into_little_memory() {
    const TENANTS: usize = 40;
    const ENDPOINTS: usize = 20_000;
    /// Of each endpoint, in every window that holds it, and as it is shown. Measured 1.6 to 2.5.
    const KIB_MAX: f64 = 5.0;
    let node = node(TENANTS);
    let before = rss_mib(node.pid());
    send(
        &node,
        "memory",
        &lines(2 * ENDPOINTS, TENANTS, ENDPOINTS),
        2 * ENDPOINTS,
    );
    let shown = |body: &str| body.contains(&format!("readyd_digest_rows {ENDPOINTS}\n"));
    node.until("/metrics", PATIENCE, |answer| shown(&answer.body));
    let kib = (rss_mib(node.pid()) - before) * 1024.0 / ENDPOINTS as f64;
    println!("{kib:.2} KiB an endpoint");
    assert!(kib < KIB_MAX, "{kib} KiB an endpoint");
}

#[test]
fn a_scrape_grows_no_faster_than_what_it_tells() {
    const ASKED: usize = 20;
    /// Four times the tenants: 4 would be linear, 16 quadratic. Measured 2.4 to 5.6, its own ticking included.
    const TIMES_MAX: f64 = 10.0;
    let (few, many) = (node(64), node(256));
    let ratio = |_| cpu_of_asking(&many, "/metrics", ASKED) / cpu_of_asking(&few, "/metrics", ASKED);
    let ratio = median((0..ROUNDS).map(ratio).collect());
    println!("/metrics with four times the tenants costs {ratio:.2} times as much");
    assert!(ratio < TIMES_MAX, "{ratio}");
}
