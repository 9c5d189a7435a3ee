//! Load: producers that are acknowledged, senders that are not in their right mind, and those who ask.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::PATIENCE;
use crate::site::Site;

pub const PRODUCERS: usize = 3;
pub const TENANTS: u64 = 6;
/// Of each tenant.
const ENDPOINTS: u64 = 167;
/// Ten lines a write, a write a millisecond.
const LINES_A_WRITE: u64 = 10;
const PAUSE: Duration = Duration::from_millis(1);
const IN_FLIGHT: u64 = 20_000;
/// Then a producer hangs up and connects again.
const LINES_A_CONNECTION: u64 = 50_000;
/// Of a load balancer.
const ASKED_EVERY: Duration = Duration::from_millis(20);
const PAGES: [&str; 6] = [
    "/metrics",
    "/v1/status",
    "/",
    "/v1/webhook-digest?limit=50",
    "/v1/history?span=1h",
    "/openapi.json",
];

/// While it is set nobody can expect an answer: the node is stopped.
pub static STOPPED: AtomicBool = AtomicBool::new(false);

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Done {
    pub sent: Vec<u64>,
    pub acknowledged: Vec<u64>,
    pub asked: u64,
    pub unanswered: u64,
    pub slowest: Duration,
    pub pages: u64,
}

#[derive(Debug)]
pub struct Load {
    threads: Vec<JoinHandle<()>>,
    counts: Vec<Arc<Count>>,
    asked: Arc<Mutex<Done>>,
}

/// Of one producer.
#[derive(Debug, Default)]
struct Count {
    sent: AtomicU64,
    acknowledged: AtomicU64,
}

pub fn begin(site: &Site, stop: &Arc<AtomicBool>) -> Load {
    let socket = site.node.runtime_dir().join("events.sock");
    let address = site.node.address();
    let counts: Vec<Arc<Count>> = (0..PRODUCERS).map(|_| Arc::default()).collect();
    let asked = Arc::new(Mutex::new(Done::default()));
    let mut threads = Vec::new();
    for (number, count) in counts.iter().enumerate() {
        let (socket, count, stop) = (socket.clone(), Arc::clone(count), Arc::clone(stop));
        threads.push(thread::spawn(move || produce(&socket, number, &count, &stop)));
    }
    let spawn = |work: fn(&Around)| {
        let around = Around {
            socket: socket.clone(),
            address,
            stop: Arc::clone(stop),
            asked: Arc::clone(&asked),
        };
        thread::spawn(move || work(&around))
    };
    threads.extend([spawn(balance), spawn(browse), spawn(stream), spawn(confuse)]);
    Load { threads, counts, asked }
}

impl Load {
    /// Waits for all of them, who were told to stop.
    pub fn end(self) -> Done {
        for thread in self.threads {
            thread.join().unwrap();
        }
        let mut done = self.asked.lock().unwrap().clone();
        done.sent = self
            .counts
            .iter()
            .map(|count| count.sent.load(Ordering::SeqCst))
            .collect();
        done.acknowledged = self
            .counts
            .iter()
            .map(|count| count.acknowledged.load(Ordering::SeqCst))
            .collect();
        done
    }
}

fn produce(socket: &Path, number: usize, count: &Count, stop: &AtomicBool) {
    while !stop.load(Ordering::SeqCst) {
        if connection(socket, number, count, stop).is_none() {
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// One connection, until its lines are sent or it breaks; what is not acknowledged is sent again on the next.
fn connection(socket: &Path, number: usize, count: &Count, stop: &AtomicBool) -> Option<()> {
    let mut stream = UnixStream::connect(socket).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.set_write_timeout(Some(PATIENCE)).ok()?;
    writeln!(stream, r#"{{"hello":{{"producer":"soak-{number}","epoch":"e1"}}}}"#).ok()?;
    let mut answers = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    answers.read_line(&mut line).ok()?;
    let hello: Value = serde_json::from_str(&line).ok()?;
    let last = hello["hello"]["last_seq"].as_u64()?;
    count.acknowledged.fetch_max(last, Ordering::SeqCst);
    thread::scope(|scope| {
        scope.spawn(|| {
            for line in answers.lines().map_while(Result::ok) {
                let answer: Value = serde_json::from_str(&line).unwrap();
                let ack = answer["ack"].as_u64().unwrap_or_else(|| panic!("{line}"));
                count.acknowledged.fetch_max(ack, Ordering::SeqCst);
            }
        });
        let mut next = last + 1;
        let mut lines = String::new();
        while next < last + LINES_A_CONNECTION && !stop.load(Ordering::SeqCst) {
            thread::sleep(PAUSE);
            if next > count.acknowledged.load(Ordering::SeqCst) + IN_FLIGHT {
                continue;
            }
            lines.clear();
            for seq in next..next + LINES_A_WRITE {
                let (endpoint, tenant) = (seq / TENANTS % ENDPOINTS, seq % TENANTS);
                let _ = writeln!(
                    lines,
                    r#"{{"tenant":"t{tenant}","endpoint":"https://hooks.example.net/v1/{endpoint}","status":503,"gateway":"gw-{number}","latency_ms":1834,"error":"upstream connect error","seq":{seq}}}"#
                );
            }
            next += LINES_A_WRITE;
            count.sent.fetch_max(next - 1, Ordering::SeqCst);
            if stream.write_all(lines.as_bytes()).is_err() {
                break;
            }
        }
        let _ = stream.shutdown(std::net::Shutdown::Both);
    });
    Some(())
}

/// What a thread of the load knows.
struct Around {
    socket: PathBuf,
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    asked: Arc<Mutex<Done>>,
}

impl Around {
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::SeqCst)
    }

    fn ask(&self, path: &str) -> Option<usize> {
        let mut stream = TcpStream::connect_timeout(&self.address, Duration::from_secs(5)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok()?;
        answer.starts_with(b"HTTP/1.1 ").then_some(answer.len())
    }
}

/// As a load balancer does.
fn balance(around: &Around) {
    while around.goes_on() {
        thread::sleep(ASKED_EVERY);
        let was_stopped = STOPPED.load(Ordering::SeqCst);
        let began = Instant::now();
        let answer = around.ask("/ready");
        if was_stopped || STOPPED.load(Ordering::SeqCst) {
            continue;
        }
        let mut done = around.asked.lock().unwrap();
        done.asked += 1;
        done.unanswered += u64::from(answer.is_none());
        done.slowest = done.slowest.max(began.elapsed());
    }
}

/// As people and Prometheus do.
fn browse(around: &Around) {
    for path in PAGES.iter().cycle() {
        if !around.goes_on() {
            return;
        }
        if around.ask(path).is_some() {
            around.asked.lock().unwrap().pages += 1;
        }
        thread::sleep(Duration::from_millis(200));
    }
}

/// Opens the stream, reads a while, and leaves without a word.
fn stream(around: &Around) {
    while around.goes_on() {
        if let Ok(mut stream) = TcpStream::connect(around.address) {
            let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
            let _ = stream.write_all(b"GET /v1/stream HTTP/1.1\r\nhost: localhost\r\n\r\n");
            let mut heard = [0; 4096];
            while around.goes_on() && stream.read(&mut heard).is_ok_and(|read| read > 0) {}
            // Where there is no place yet it says so at once.
            thread::sleep(Duration::from_millis(500));
        }
    }
}

/// Lines that are none, half lines, and far too long ones.
fn confuse(around: &Around) {
    let long = vec![b'x'; 300_000];
    let all: [&[u8]; 4] = [
        b"nonsense\n{}\n{\"tenant\":7}\n",
        b"{\"tenant\":\"t0\",\"endpo",
        &long,
        b"{\"hello\":{\"producer\":\"\"}}\n",
    ];
    for bytes in all.iter().cycle() {
        if !around.goes_on() {
            return;
        }
        if let Ok(mut stream) = UnixStream::connect(&around.socket) {
            let _ = stream.set_write_timeout(Some(Duration::from_secs(1)));
            let _ = stream.write_all(bytes);
        }
        thread::sleep(Duration::from_millis(100));
    }
}
