//! A gateway that reports over an acknowledging connection, and notes when it is acknowledged.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::Node;
use crate::nodes::tenant;

pub const LINES_A_WRITE: usize = 10;
/// What takes longer has failed.
const ACK_MAX: Duration = Duration::from_secs(300);

/// Lines of 264 bytes with increasing `seq`.
#[derive(Clone, Debug)]
pub struct Lines {
    pub bytes: Vec<u8>,
    pub count: usize,
    /// Of each line, behind its newline: who sends is not to look for them.
    ends: Vec<usize>,
}

impl Lines {
    /// Spread over so many tenants and, all of them together, so many endpoints.
    pub fn new(count: usize, tenants: usize, endpoints: usize) -> Lines {
        let mut bytes = Vec::with_capacity(count * 270);
        let mut ends = Vec::with_capacity(count);
        for seq in 1..=count {
            let endpoint = seq * 7 % endpoints;
            let tenant = tenant(endpoint % tenants);
            writeln!(
                bytes,
                r#"{{"tenant":"{tenant}","endpoint":"https://hooks.example.net/v1/ep-{endpoint:05}","status":503,"gateway":"gw-1","attempt":2,"latency_ms":1834,"task_id":"task-{seq:012}","request_id":"req-{seq:012}","error":"upstream connect error or disconnect before headers","seq":{seq}}}"#
            )
            .unwrap();
            ends.push(bytes.len());
        }
        Lines { bytes, count, ends }
    }

    /// Parts of so many lines each.
    pub fn writes(&self, lines: usize) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.chunks(lines).map(move |ends| {
            let end = *ends.last().unwrap_or(&start);
            let part = &self.bytes[start..end];
            start = end;
            part
        })
    }
}

#[derive(Clone, Copy, Debug)]
struct Ack {
    seq: usize,
    at: Instant,
}

/// Everything at once; seconds from the first byte to the acknowledgement of the last event.
pub fn send_all(node: &Node, producer: &str, lines: &Lines) -> f64 {
    let (mut stream, acks) = connect(node, producer);
    let began = Instant::now();
    for part in lines.writes(LINES_A_WRITE) {
        stream.write_all(part).unwrap();
    }
    while acks.recv_timeout(ACK_MAX).unwrap().seq < lines.count {}
    began.elapsed().as_secs_f64()
}

/// `per_second` lines, a write a millisecond: the time from each write to the acknowledgement that covers it.
pub fn send_paced(node: &Node, producer: &str, lines: &Lines, per_second: f64) -> Vec<Duration> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count of lines"
    )]
    let a_write = (per_second / 1e3).max(1.0) as usize;
    let (mut stream, acks) = connect(node, producer);
    let mut written = Vec::new();
    let began = Instant::now();
    for part in lines.writes(a_write) {
        let due = began + Duration::from_millis(written.len() as u64);
        thread::sleep(due.saturating_duration_since(Instant::now()));
        written.push(Instant::now());
        stream.write_all(part).unwrap();
    }
    let mut took = Vec::with_capacity(written.len());
    while took.len() < written.len() {
        let ack = acks.recv_timeout(ACK_MAX).unwrap();
        let covered = if ack.seq == lines.count {
            written.len()
        } else {
            ack.seq / a_write
        };
        took.extend(
            written[took.len()..covered]
                .iter()
                .map(|written| ack.at.duration_since(*written)),
        );
    }
    took
}

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
            #[expect(clippy::cast_possible_truncation, reason = "a count of lines")]
            let ack = Ack { seq: seq as usize, at };
            if send.send(ack).is_err() {
                return;
            }
        }
    });
    (stream, acks)
}
