//! A gateway that reports and is acknowledged: what it was promised is what a node must have counted, once.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::time::Instant;

use serde_json::Value;

use crate::harness::{Node, PATIENCE, pause};

/// How many events are on their way before an acknowledgement is awaited.
const AHEAD_MAX: u64 = 1_000;

#[derive(Debug)]
pub struct Sender {
    name: String,
    /// Acknowledged, by this or an earlier process of the node.
    pub acknowledged: u64,
}

impl Sender {
    pub fn called(name: &str) -> Sender {
        Sender {
            name: name.to_owned(),
            acknowledged: 0,
        }
    }

    /// Sends what follows the last acknowledged event, up to the one of number `last`; `false`: the node went away before
    /// all of it was acknowledged.
    pub fn sends(&mut self, node: &Node, last: u64, event: impl Fn(u64) -> String) -> bool {
        self.try_send(node, last, event).is_some()
    }

    fn try_send(&mut self, node: &Node, last: u64, event: impl Fn(u64) -> String) -> Option<()> {
        let mut stream = UnixStream::connect(node.runtime_dir().join("events.sock")).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        stream.set_write_timeout(Some(PATIENCE)).ok()?;
        let mut answers = BufReader::new(stream.try_clone().ok()?).lines();
        writeln!(stream, "{{\"hello\":{{\"producer\":\"{}\"}}}}", self.name).ok()?;
        let mut sent = self.acknowledged;
        while self.acknowledged < last {
            let until = last.min(self.acknowledged + AHEAD_MAX);
            let lines: String = (sent + 1..=until).map(&event).collect();
            sent = sent.max(until);
            stream.write_all(lines.as_bytes()).ok()?;
            // Nothing for so long is a hang, and no end.
            let line = match answers.next()? {
                Ok(line) => line,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    panic!("no acknowledgement for {PATIENCE:?}\n{}", node.log())
                }
                Err(_) => return None,
            };
            let answer: Value = serde_json::from_str(&line).unwrap();
            if let Some(acknowledged) = answer["ack"].as_u64() {
                self.acknowledged = acknowledged;
            }
            assert!(answer["reject"].is_null() && answer["error"].is_null(), "{line}");
        }
        Some(())
    }
}

/// One failed delivery of acme's to crm.
pub fn to_crm(seq: u64) -> String {
    format!("{{\"tenant\":\"acme\",\"endpoint\":\"crm\",\"status\":503,\"seq\":{seq}}}\n")
}

/// What the sliding window holds, as `control.sock` tells it: so also where nobody reaches the listener.
pub fn until_counted(node: &Node, failures: u64) {
    let began = Instant::now();
    loop {
        let digest = node.control("GET", "/v1/webhook-digest?limit=1", "").json();
        let counted = digest["totals"]["failures"].as_u64().unwrap();
        assert!(counted <= failures, "{counted} counted, and {failures} sent");
        if counted == failures {
            return;
        }
        assert!(
            began.elapsed() < PATIENCE,
            "{counted} counted of {failures}\n{}",
            node.log()
        );
        pause();
    }
}
