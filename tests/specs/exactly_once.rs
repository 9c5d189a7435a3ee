//! Every acknowledged event is counted exactly once, whenever readyd is killed.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::harness::{Node, PATIENCE, pause};

const ROUNDS: u64 = 100;
const ENDPOINTS: u64 = 20;
const IN_FLIGHT: u64 = 5_000;
const BURST: u64 = 50;

/// A small generator of its own: the spec prints its seed, and one seed is one order of kills.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// Sends from `next` on until the connection breaks; returns at the end of the connection.
fn produce(stream: &UnixStream, acknowledged: &AtomicU64, sent: &AtomicU64) -> Option<()> {
    stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    stream.set_write_timeout(Some(Duration::from_secs(20))).ok()?;
    let mut writer = stream.try_clone().ok()?;
    writeln!(writer, r#"{{"hello":{{"producer":"gw-1","epoch":"e1"}}}}"#).ok()?;
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let hello: Value = serde_json::from_str(&line).ok()?;
    let last = hello["hello"]["last_seq"].as_u64()?;
    acknowledged.fetch_max(last, Ordering::SeqCst);
    let reading = reader;
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for line in reading.lines() {
                let Ok(line) = line else { return };
                let Ok(answer) = serde_json::from_str::<Value>(&line) else {
                    return;
                };
                assert!(answer.get("reject").is_none(), "rejected: {line}");
                if let Some(seq) = answer["ack"].as_u64() {
                    acknowledged.fetch_max(seq, Ordering::SeqCst);
                }
            }
        });
        let mut next = last + 1;
        let mut burst = String::new();
        loop {
            if next > acknowledged.load(Ordering::SeqCst) + IN_FLIGHT {
                if writer.write_all(b"").is_err() || stream.peer_addr().is_err() {
                    break;
                }
                std::thread::sleep(Duration::from_micros(200));
                if writer.write_all(b"\n").is_err() {
                    break;
                }
                continue;
            }
            burst.clear();
            for seq in next..next + BURST {
                use std::fmt::Write as _;
                let _ = writeln!(
                    burst,
                    r#"{{"tenant":"acme","endpoint":"e{}","status":503,"seq":{seq}}}"#,
                    seq % ENDPOINTS
                );
            }
            next += BURST;
            sent.fetch_max(next - 1, Ordering::SeqCst);
            if writer.write_all(burst.as_bytes()).is_err() {
                break;
            }
        }
        let _ = stream.shutdown(std::net::Shutdown::Both);
    });
    Some(())
}

#[test]
fn a_hundred_kills_under_load_lose_nothing_and_count_nothing_twice() {
    let seed = 0x9e37_79b9_7f4a_7c15 ^ u64::from(std::process::id());
    println!("seed {seed:#x}");
    let mut dice = Dice(seed);
    let mut node = Node::start(
        "tenants: {acme: {}}\nprobes: {doctor: {enabled: false}, write: {enabled: false}, disk: {enabled: false}}\n",
    );
    let socket = node.runtime_dir().join("events.sock");
    let acknowledged = Arc::new(AtomicU64::new(0));
    let sent = Arc::new(AtomicU64::new(0));
    let stop = Arc::new(AtomicU64::new(0));
    let producer = {
        let (acknowledged, sent, stop) = (Arc::clone(&acknowledged), Arc::clone(&sent), Arc::clone(&stop));
        std::thread::spawn(move || {
            while stop.load(Ordering::SeqCst) == 0 {
                match UnixStream::connect(&socket) {
                    Ok(stream) => {
                        let _ = produce(&stream, &acknowledged, &sent);
                    }
                    Err(_) => pause(),
                }
            }
        })
    };
    for _ in 0..ROUNDS {
        let before = acknowledged.load(Ordering::SeqCst);
        let began = std::time::Instant::now();
        while acknowledged.load(Ordering::SeqCst) == before && began.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_micros(500));
        }
        assert!(
            acknowledged.load(Ordering::SeqCst) > before,
            "no progress\n{}",
            node.log()
        );
        std::thread::sleep(Duration::from_micros(dice.below(40_000)));
        node.kill();
        node.spawn();
    }
    stop.store(1, Ordering::SeqCst);
    node.kill();
    producer.join().unwrap();
    node.spawn();
    node.wait_until_it_answers();

    // One last, quiet connection says what is counted: `last_seq`, and the rows beside it.
    let stream = node.events();
    let mut writer = stream.try_clone().unwrap();
    writeln!(writer, r#"{{"hello":{{"producer":"gw-1","epoch":"e1"}}}}"#).unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    let last = serde_json::from_str::<Value>(&line).unwrap()["hello"]["last_seq"]
        .as_u64()
        .unwrap();
    assert!(
        last >= acknowledged.load(Ordering::SeqCst),
        "an acknowledged event was forgotten"
    );
    assert!(
        last <= sent.load(Ordering::SeqCst),
        "an event was counted that was never sent"
    );

    let counted = all_windows_total(&node);
    println!("{ROUNDS} kills, {last} events, {counted} counted");
    assert_eq!(counted, last);
}

/// All failures in the aligned windows, the open one included, by endpoint and in sum.
fn all_windows_total(node: &Node) -> u64 {
    let now = node.get("/v1/webhook-digest").json()["generated_at"]
        .as_str()
        .unwrap()
        .to_string();
    let end = chrono::DateTime::parse_from_rfc3339(&now)
        .unwrap()
        .timestamp()
        .div_euclid(300)
        * 300;
    let mut total = 0;
    for step in 0..6 {
        let start = chrono::DateTime::from_timestamp(end - 300 * step, 0).unwrap();
        let answer = node.get(&format!(
            "/v1/webhook-digest?window={}&limit=100",
            start.format("%Y-%m-%dT%H:%M:%SZ")
        ));
        if answer.status == 200 {
            total += answer.json()["totals"]["failures"].as_u64().unwrap();
        }
    }
    total
}
