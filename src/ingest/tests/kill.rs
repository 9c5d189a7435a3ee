//! Exactly once, across SIGKILL at any moment.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::*;
use crate::store::tests::open;
use crate::store::{Fold, Persist, StoreEvent};

const ROUNDS: u32 = 120;
const PRODUCERS: u64 = 3;
const ENDPOINTS: u64 = 7;
/// Events a producer sends ahead of their acknowledgement.
const AHEAD: u64 = 2000;
const DIRECTORY: &str = "READYD_SPEC_KILL_DIRECTORY";

type Counts = BTreeMap<String, u64>;

/// The process that is killed, started by the spec below. Its engine folds the log into one slot now and then.
#[test]
fn the_killed_one() {
    let Some(dir) = std::env::var_os(DIRECTORY) else { return };
    let dir = Path::new(&dir);
    let house = House::new(&dir.join("state"));
    let mut counts = counts_of(&house.restored);
    let _socket = EventsSocket::start(&dir.join("run/events.sock"), &access(), house.hub.clone()).unwrap();
    // Killed long before; a bound for when the other side has died.
    for ticket in 1..100_000 {
        let Ok(event) = house.events.recv_timeout(PATIENCE) else {
            return;
        };
        let StoreEvent::Committed(batch) = event else { continue };
        let upto = batch.log_id;
        add(&mut counts, batch.cells);
        if upto % 3 == 0 {
            let slots = vec![(0, serde_json::to_vec(&counts).unwrap())];
            let fold = Some(Fold {
                upto,
                slots,
                ..Fold::default()
            });
            house.persist(Persist {
                ticket,
                fold,
                ..Persist::default()
            });
        }
    }
}

#[test]
fn every_event_is_counted_exactly_once_though_readyd_is_killed_again_and_again() {
    let seed = seed();
    println!("seed {seed} (set READYD_SPEC_SEED to repeat its moments)");
    let mut random = Random(seed);
    let dir = TempDir::new().unwrap();
    let enough = Arc::new(AtomicBool::new(false));
    let producers: Vec<_> = (0..PRODUCERS)
        .map(|number| {
            let (path, enough) = (dir.path().join("run/events.sock"), enough.clone());
            let random = Random(random.next() | 1);
            thread::spawn(move || Producer::new(number, random).run(&path, &enough))
        })
        .collect();
    for _ in 0..ROUNDS {
        let mut victim = Victim::start(dir.path());
        thread::sleep(Duration::from_micros(5_000 + random.below(40_000)));
        victim.0.kill().unwrap();
        victim.0.wait().unwrap();
    }
    let last = Victim::start(dir.path());
    enough.store(true, Ordering::Release);
    let sent: Vec<u64> = producers.into_iter().map(|producer| producer.join().unwrap()).collect();
    drop(last);

    let mut wanted = Counts::new();
    for (number, sent) in sent.iter().enumerate() {
        for seq in 1..=*sent {
            *wanted.entry(endpoint(number as u64, seq)).or_default() += 1;
        }
    }
    let counted = counts_of(&open(&dir.path().join("state")).unwrap().restored);
    println!(
        "{} events of {PRODUCERS} producers, {ROUNDS} kills",
        sent.iter().sum::<u64>()
    );
    assert_eq!(counted, wanted, "seed {seed}");
    assert!(
        sent.iter().sum::<u64>() > u64::from(ROUNDS),
        "seed {seed}: too little was sent to mean anything"
    );
}

fn endpoint(producer: u64, seq: u64) -> String {
    format!("p{producer}-{}", seq % ENDPOINTS)
}

fn counts_of(restored: &crate::store::Restored) -> Counts {
    assert_eq!(restored.quarantined, None);
    let mut counts = match restored.slots.first() {
        Some((_, body)) => serde_json::from_slice(body).unwrap(),
        None => Counts::new(),
    };
    for batch in &restored.log {
        add(&mut counts, batch.cells.clone());
    }
    counts
}

fn add(counts: &mut Counts, cells: Vec<(crate::ingest::delta::CellKey, crate::ingest::delta::CellCount)>) {
    for (key, count) in cells {
        *counts.entry(key.subject.endpoint.to_string()).or_default() += count.count;
    }
}

struct Victim(Child);

impl Victim {
    fn start(dir: &Path) -> Victim {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "ingest::tests::kill::the_killed_one"])
            .env(DIRECTORY, dir)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Victim(child.unwrap())
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Sends events 1, 2, 3, … and again what was not acknowledged, until it is told that it is enough.
struct Producer {
    number: u64,
    random: Random,
    made: u64,
    acked: u64,
}

impl Producer {
    fn new(number: u64, random: Random) -> Producer {
        Producer {
            number,
            random,
            made: 0,
            acked: 0,
        }
    }

    /// How many events it has made; all are acknowledged.
    fn run(mut self, path: &Path, enough: &AtomicBool) -> u64 {
        for _ in 0..1_000_000 {
            if enough.load(Ordering::Acquire) && self.acked == self.made {
                return self.made;
            }
            match UnixStream::connect(path) {
                Ok(stream) => self.converse(Client::new(stream), enough).unwrap_or_default(),
                Err(_) => thread::sleep(Duration::from_millis(1)),
            }
        }
        panic!("producer {} was never done", self.number);
    }

    /// Until the connection breaks (`None`), or all is acknowledged.
    fn converse(&mut self, mut client: Client, enough: &AtomicBool) -> Option<()> {
        let mut stream = client.stream().try_clone().unwrap();
        stream.write_all(hello(&format!("p{}", self.number)).as_bytes()).ok()?;
        let last_seq = number_in(&next_line(&mut client)?)?;
        assert!(
            last_seq >= self.acked,
            "an acknowledged event is lost: {last_seq} < {}",
            self.acked
        );
        assert!(last_seq <= self.made);
        self.acked = last_seq;
        let mut sent = last_seq;
        loop {
            let done = enough.load(Ordering::Acquire);
            let lines = 1 + self.random.below(60);
            let mut text = String::new();
            for _ in 0..lines {
                if (done && sent == self.made) || sent >= self.acked + AHEAD {
                    break;
                }
                sent += 1;
                self.made = self.made.max(sent);
                text.push_str(&event(sent, &endpoint(self.number, sent)));
            }
            // Sometimes a line is torn apart, so that the kill falls between its parts.
            let (first, second) = text.split_at(self.random.below(text.len() as u64 + 1) as usize);
            stream.write_all(first.as_bytes()).ok()?;
            stream.write_all(second.as_bytes()).ok()?;
            if sent >= self.acked + AHEAD / 2 || done {
                self.acked = number_in(&next_line(&mut client)?)?;
            }
            if done && self.acked == self.made {
                return Some(());
            }
        }
    }
}

fn next_line(client: &mut Client) -> Option<String> {
    let mut line = String::new();
    client.0.read_line(&mut line).ok()?;
    line.ends_with('\n').then_some(line)
}

/// Of an acknowledgement or of a hello's answer; `None` while the pair is still in use.
fn number_in(line: &str) -> Option<u64> {
    assert!(!line.contains("reject"), "{line}");
    line.split(|byte: char| !byte.is_ascii_digit())
        .find(|digits| !digits.is_empty())?
        .parse()
        .ok()
}

fn seed() -> u64 {
    match std::env::var("READYD_SPEC_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as u64 | 1,
    }
}

/// xorshift64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}
