//! A gateway that sends without end, keeps what is not acknowledged, and knows what must be counted.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Node, PATIENCE};

const ENDPOINTS: u64 = 20;
/// A window of the digest.
const WINDOW_SECONDS: i64 = 300;

/// How it sends.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Events that may wait for their acknowledgement.
    pub in_flight: u64,
    /// Events of one write.
    pub burst: u64,
}

impl Pace {
    /// As much as readyd takes.
    pub const LOAD: Pace = Pace {
        in_flight: 5_000,
        burst: 50,
    };
    /// A few, and more when they are acknowledged: many small commits.
    pub const STEPS: Pace = Pace {
        in_flight: 10,
        burst: 10,
    };
}

/// One producer of failed deliveries of acme's, on a thread of its own: it connects again whenever the connection ends,
/// and sends again what was not acknowledged.
#[derive(Debug)]
pub struct Producer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    /// Unix seconds.
    since: i64,
}

#[derive(Debug)]
struct Shared {
    pace: Pace,
    acknowledged: AtomicU64,
    sent: AtomicU64,
    /// Nothing new is sent.
    held: AtomicBool,
    ended: AtomicBool,
    /// What readyd said and must never say.
    broken: Mutex<Option<String>>,
}

impl Producer {
    pub fn start(node: &Node, pace: Pace) -> Producer {
        let shared = Arc::new(Shared {
            pace,
            acknowledged: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            held: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            broken: Mutex::default(),
        });
        let socket = node.runtime_dir().join("events.sock");
        let thread = {
            let shared = Arc::clone(&shared);
            std::thread::spawn(move || shared.run(&socket))
        };
        Producer {
            shared,
            thread: Some(thread),
            since: chrono::Utc::now().timestamp(),
        }
    }

    pub fn acknowledged(&self) -> u64 {
        self.shared.acknowledged.load(Ordering::SeqCst)
    }

    pub fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::SeqCst)
    }

    /// From now on it sends again only what was not acknowledged.
    pub fn hold(&self) {
        self.shared.held.store(true, Ordering::SeqCst);
    }

    pub fn release(&self) {
        self.shared.held.store(false, Ordering::SeqCst);
    }

    /// Until something more is acknowledged.
    pub fn until_progress(&self, node: &Node) {
        let (before, began) = (self.acknowledged(), Instant::now());
        while self.acknowledged() == before {
            assert!(began.elapsed() < PATIENCE, "nothing is acknowledged\n{}", node.log());
            std::thread::sleep(Duration::from_micros(500));
        }
    }

    /// Until all that was ever sent is acknowledged and counted, once; how much that is. Nothing new is sent.
    pub fn settle(&self, node: &Node) -> u64 {
        self.hold();
        let began = Instant::now();
        loop {
            self.judge();
            let (acknowledged, sent) = (self.acknowledged(), self.sent());
            if acknowledged == sent {
                let counted = counted(node, self.since);
                assert!(
                    counted <= sent,
                    "{counted} counted, {sent} were ever sent\n{}",
                    node.log()
                );
                if counted == sent {
                    return counted;
                }
                assert!(
                    began.elapsed() < PATIENCE / 4,
                    "{counted} counted, {sent} acknowledged\n{}",
                    node.log()
                );
            }
            assert!(
                began.elapsed() < PATIENCE,
                "{acknowledged} of {sent} are acknowledged\n{}",
                node.log()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Panics with what readyd said and must never say.
    pub fn judge(&self) {
        if let Some(broken) = &*self.shared.broken.lock().unwrap() {
            panic!("{broken}");
        }
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn run(&self, socket: &Path) {
        while !self.ended.load(Ordering::SeqCst) {
            let owes = self.acknowledged.load(Ordering::SeqCst) < self.sent.load(Ordering::SeqCst);
            let wants = owes || !self.held.load(Ordering::SeqCst);
            match UnixStream::connect(socket) {
                Ok(stream) if wants => {
                    let _ = self.produce(&stream);
                }
                _ => std::thread::sleep(Duration::from_millis(2)),
            }
        }
    }

    /// Sends until the connection ends, or nothing is left to be sent.
    fn produce(&self, stream: &UnixStream) -> std::io::Result<()> {
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        stream.set_write_timeout(Some(Duration::from_secs(20)))?;
        let mut writer = stream.try_clone()?;
        writer.write_all(b"{\"hello\":{\"producer\":\"gw-1\",\"epoch\":\"e1\"}}\n")?;
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let hello: Value = serde_json::from_str(&line)?;
        let Some(last) = hello["hello"]["last_seq"].as_u64() else {
            return Ok(());
        };
        let (acknowledged, sent) = (
            self.acknowledged.load(Ordering::SeqCst),
            self.sent.load(Ordering::SeqCst),
        );
        if last < acknowledged {
            self.is_broken(format!("acknowledged up to {acknowledged}, and it remembers {last}"));
        }
        if last > sent {
            self.is_broken(format!("sent up to {sent}, and it remembers {last}"));
        }
        self.acknowledged.fetch_max(last, Ordering::SeqCst);
        let gone = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                self.hear(reader);
                gone.store(true, Ordering::SeqCst);
            });
            let sent = self.send(&mut writer, last + 1, &gone);
            let _ = stream.shutdown(std::net::Shutdown::Both);
            sent
        })
    }

    fn hear(&self, reader: BufReader<UnixStream>) {
        for line in reader.lines() {
            let Ok(line) = line else { return };
            // The end of what a killed readyd said may be missing.
            let Ok(answer) = serde_json::from_str::<Value>(&line) else {
                return;
            };
            if answer.get("reject").is_some() {
                self.is_broken(format!("rejected: {line}"));
            }
            if let Some(seq) = answer["ack"].as_u64() {
                self.acknowledged.fetch_max(seq, Ordering::SeqCst);
            }
        }
    }

    fn send(&self, writer: &mut UnixStream, mut next: u64, gone: &AtomicBool) -> std::io::Result<()> {
        let mut burst = String::new();
        while !self.ended.load(Ordering::SeqCst) && !gone.load(Ordering::SeqCst) {
            let acknowledged = self.acknowledged.load(Ordering::SeqCst);
            let last = match self.held.load(Ordering::SeqCst) {
                true => self.sent.load(Ordering::SeqCst),
                false => acknowledged + self.pace.in_flight,
            };
            if next > last {
                std::thread::sleep(Duration::from_micros(200));
                continue;
            }
            let last = last.min(next + self.pace.burst - 1);
            burst.clear();
            for seq in next..=last {
                let endpoint = seq % ENDPOINTS;
                let _ = writeln!(
                    burst,
                    r#"{{"tenant":"acme","endpoint":"e{endpoint}","status":503,"seq":{seq}}}"#
                );
            }
            next = last + 1;
            self.sent.fetch_max(last, Ordering::SeqCst);
            writer.write_all(burst.as_bytes())?;
        }
        Ok(())
    }

    fn is_broken(&self, what: String) {
        self.broken.lock().unwrap().get_or_insert(what);
    }
}

/// What the node remembers of the producer, who has gone: the last sequence number it has counted. Until the node has
/// noticed that, it refuses a second connection of the same producer.
pub fn last_seq(node: &Node) -> u64 {
    let began = Instant::now();
    loop {
        let mut stream = node.events();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
            .write_all(b"{\"hello\":{\"producer\":\"gw-1\",\"epoch\":\"e1\"}}\n")
            .unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        let hello: Value = serde_json::from_str(&line).unwrap();
        if let Some(last) = hello["hello"]["last_seq"].as_u64() {
            return last;
        }
        assert!(began.elapsed() < PATIENCE, "no hello: {line}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// All failures in the aligned windows since then (Unix seconds), the open one included.
pub fn counted(node: &Node, since: i64) -> u64 {
    let now = chrono::Utc::now().timestamp();
    let window = |at: i64| at.div_euclid(WINDOW_SECONDS);
    // An event a moment before the end of a window may be counted in the next one.
    let windows = window(since)..=window(now) + 1;
    let totals = windows.map(|window| {
        let start = chrono::DateTime::from_timestamp(window * WINDOW_SECONDS, 0).unwrap();
        let start = start.format("%Y-%m-%dT%H:%M:%SZ");
        let answer = node.get(&format!("/v1/webhook-digest?window={start}&limit=100"));
        match answer.status {
            200 => answer.json()["totals"]["failures"].as_u64().unwrap(),
            _ => 0,
        }
    });
    totals.sum()
}
