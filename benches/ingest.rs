//! What one acknowledging connection gets through: events a second, CPU a million events, and how long an acknowledgement
//! takes at 100 000 events/s. Lines of 264 bytes, 1 000 endpoints, 10 lines a `write()`; medians of five rounds, each in
//! one run beside parsing the same lines with serde_json on one core, since times alone mean nothing on a shared machine.
//!
//! `INGEST_EVENTS` (1000000): how many a round.
#![allow(clippy::disallowed_methods, reason = "starts processes and reads the clock")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a measurement that cannot go on should stop"
)]

#[path = "../tests/harness/mod.rs"]
mod harness;

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::Value;

use harness::cost::cpu_seconds;
use harness::{Node, PATIENCE};

const ROUNDS: usize = 5;
const ENDPOINTS: usize = 1_000;
const LINES_A_WRITE: usize = 10;
/// Targets: the floor of one connection, and the patience of an acknowledgement at [`PACE`].
const EVENTS_A_SECOND_MIN: f64 = 1e6;
const PACE: usize = 100_000;
const ACK_P99_MAX: Duration = Duration::from_millis(50);
const PACED_FOR: Duration = Duration::from_secs(10);
/// What takes longer has failed.
const ROUND_MAX: Duration = Duration::from_secs(300);

fn main() {
    let events = std::env::var("INGEST_EVENTS").ok();
    let events: usize = events.and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let node = Node::start("tenants: {acme: {}}\nprobes: {write: {enabled: false}}\n");
    let mut rounds: Vec<Round> = (0..ROUNDS)
        .map(|round| unpaced(&node, &format!("bench-{round}"), events))
        .collect();
    rounds.sort_by(|one, other| one.per_second.total_cmp(&other.per_second));
    let median = &rounds[ROUNDS / 2];
    println!(
        "ingest, acknowledged, one connection: {:.2} M events/s (floor {:.0} M), {:.2} CPU s per million",
        median.per_second / 1e6,
        EVENTS_A_SECOND_MIN / 1e6,
        median.cpu_per_million
    );
    println!(
        "beside serde_json parsing the same lines alone: {:.2} M lines/s, ratio {:.2}",
        median.parsed_per_second / 1e6,
        median.per_second / median.parsed_per_second
    );
    let (p50, p99) = paced(&node);
    println!(
        "acknowledgement at {PACE} events/s: p50 {:.1} ms, p99 {:.1} ms (target < {} ms)",
        p50.as_secs_f64() * 1e3,
        p99.as_secs_f64() * 1e3,
        ACK_P99_MAX.as_millis()
    );
    let wanted = ROUNDS * events + PACE * PACED_FOR.as_secs() as usize;
    // Published once a second.
    node.until("/metrics", PATIENCE, |answer| counted(&answer.body) == Some(wanted));
    println!("{wanted} events sent, {wanted} counted");
}

struct Round {
    per_second: f64,
    parsed_per_second: f64,
    cpu_per_million: f64,
}

/// As fast as it goes: from the first byte to the acknowledgement of the last event.
fn unpaced(node: &Node, producer: &str, events: usize) -> Round {
    let lines = lines(events);
    let parsed_per_second = events as f64 / parsed(&lines).as_secs_f64();
    let (mut stream, acks) = connect(node, producer);
    let before = cpu_seconds(node);
    let began = Instant::now();
    let mut rest = lines.as_slice();
    while !rest.is_empty() {
        let end = end_of_lines(rest, LINES_A_WRITE);
        stream.write_all(&rest[..end]).unwrap();
        rest = &rest[end..];
    }
    while acks.recv_timeout(ROUND_MAX).unwrap().seq < events {}
    Round {
        per_second: events as f64 / began.elapsed().as_secs_f64(),
        parsed_per_second,
        cpu_per_million: (cpu_seconds(node) - before) * 1e6 / events as f64,
    }
}

/// A hundred lines a millisecond; the time from each write to the acknowledgement that covers it, median and p99.
fn paced(node: &Node) -> (Duration, Duration) {
    let a_write = PACE / 1_000;
    let lines = lines(PACE * PACED_FOR.as_secs() as usize);
    let (mut stream, acks) = connect(node, "bench-paced");
    let mut written = Vec::new();
    let began = Instant::now();
    let mut rest = lines.as_slice();
    while !rest.is_empty() {
        let due = began + Duration::from_millis(written.len() as u64);
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let end = end_of_lines(rest, a_write);
        written.push(Instant::now());
        stream.write_all(&rest[..end]).unwrap();
        rest = &rest[end..];
    }
    let mut took = Vec::with_capacity(written.len());
    while took.len() < written.len() {
        let ack = acks.recv_timeout(ROUND_MAX).unwrap();
        let covered = ack.seq / a_write;
        took.extend(
            written[took.len()..covered]
                .iter()
                .map(|written| ack.at.duration_since(*written)),
        );
    }
    took.sort();
    (took[took.len() / 2], took[took.len() * 99 / 100])
}

#[derive(Clone, Copy)]
struct Ack {
    seq: usize,
    at: Instant,
}

/// An acknowledging connection, and a thread that notes when acknowledgements come.
fn connect(node: &Node, producer: &str) -> (UnixStream, mpsc::Receiver<Ack>) {
    let mut stream = node.events();
    writeln!(stream, r#"{{"hello":{{"producer":"{producer}"}}}}"#).unwrap();
    let mut answers = BufReader::new(stream.try_clone().unwrap());
    let mut hello = String::new();
    answers.read_line(&mut hello).unwrap();
    assert_eq!(hello.trim(), r#"{"hello":{"last_seq":0}}"#);
    let (send, acks) = mpsc::channel();
    thread::spawn(move || {
        for line in answers.lines().map_while(Result::ok) {
            let at = Instant::now();
            let answer: Value = serde_json::from_str(&line).unwrap();
            let seq = answer["ack"].as_u64().unwrap_or_else(|| panic!("{line}"));
            let ack = Ack { seq: seq as usize, at };
            if send.send(ack).is_err() {
                return;
            }
        }
    });
    (stream, acks)
}

/// Lines with increasing `seq`, one buffer.
fn lines(count: usize) -> Vec<u8> {
    let mut lines = Vec::with_capacity(count * 270);
    for seq in 1..=count {
        let endpoint = seq * 7 % ENDPOINTS;
        writeln!(
            lines,
            r#"{{"tenant":"acme","endpoint":"https://hooks.example.net/v1/ep-{endpoint:04}","status":503,"gateway":"gw-1","attempt":2,"latency_ms":1834,"task_id":"task-{seq:012}","request_id":"req-{seq:012}","error":"upstream connect error or disconnect before headers","seq":{seq}}}"#
        )
        .unwrap();
    }
    lines
}

fn end_of_lines(bytes: &[u8], count: usize) -> usize {
    let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    ends.map(|(at, _)| at + 1).take(count).last().unwrap_or(bytes.len())
}

/// How long one core takes to do nothing but parse them.
fn parsed(lines: &[u8]) -> Duration {
    #[derive(Deserialize)]
    struct Line<'a> {
        #[serde(borrow)]
        tenant: &'a str,
        endpoint: &'a str,
        status: u16,
        gateway: &'a str,
        attempt: u32,
        task_id: &'a str,
        request_id: &'a str,
        error: &'a str,
        seq: u64,
    }
    let began = Instant::now();
    let mut seen = 0_u64;
    for line in lines.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let line: Line<'_> = serde_json::from_slice(line).unwrap();
        let texts = [
            line.tenant,
            line.endpoint,
            line.gateway,
            line.task_id,
            line.request_id,
            line.error,
        ];
        seen += texts.iter().map(|text| text.len() as u64).sum::<u64>();
        seen += line.seq + u64::from(line.status) + u64::from(line.attempt);
    }
    assert!(seen > 0);
    began.elapsed()
}

/// What was counted, by the metrics.
fn counted(metrics: &str) -> Option<usize> {
    let name = "readyd_webhook_failures_total{tenant=\"acme\",family=\"5xx\"} ";
    metrics.lines().find_map(|line| line.strip_prefix(name))?.parse().ok()
}
