//! A database that is not as it was left: cut, zeroed, overwritten, removed, somebody else's.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::harness::dice::Dice;
use crate::harness::producer::{Pace, Producer, counted, last_seq};
use crate::harness::{Node, PATIENCE, pause};
use crate::lanes::in_lanes;
use crate::tally::{Fault, Scale, Tally};

pub const FAULTS: &[Fault] = &[
    Fault {
        name: "torn-database",
        done: "the database cut, zeroed, overwritten by the sector and the page, flipped by the byte, at random; after an end and after a kill",
        promise: "it starts and answers; all is there, or the loss is told; never more than was sent; the next start is well",
        run: |scale| torn(scale.rounds(12, 240), &[Which::Main]),
    },
    Fault {
        name: "torn-log",
        done: "the same done to the write-ahead log, after a kill",
        promise: "the same, or the state of an earlier commit, which is what its producer is told",
        run: |scale| torn(scale.rounds(8, 120), &[Which::Wal]),
    },
    Fault {
        name: "missing-files",
        done: "database, log or index removed, empty, garbage, a directory; all of them",
        promise: "it starts and answers, or says what to do; never more than was sent; the next start is well",
        run: missing,
    },
];

const LANES: u64 = 3;
const CONFIG: &str =
    "tenants: {acme: {}}\nprobes: {doctor: {enabled: false}, write: {enabled: false}, disk: {enabled: false}}\n";
const SECTOR: u64 = 512;
const PAGE: u64 = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Which {
    Main,
    Wal,
    Shm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    End,
    Kill,
}

/// Places are parts of the file's length, in millionths.
#[derive(Clone, Copy, Debug)]
enum Damage {
    Cut(u64),
    Zeros(u64, u64),
    Garbage(u64, u64),
    Flip(u64),
    Removed,
    Empty,
    Directory,
    /// All of it, and something else.
    Overwritten,
}

#[derive(Clone, Copy, Debug)]
struct Round {
    after: After,
    file: Which,
    damage: Damage,
}

/// What a node has left: its files, and how much was sent and acknowledged by then.
struct Left {
    _dir: tempfile::TempDir,
    killed: PathBuf,
    ended: PathBuf,
    sent: u64,
    since: i64,
}

impl Left {
    fn new() -> Left {
        let since = chrono::Utc::now().timestamp();
        let mut node = Node::start(CONFIG);
        let producer = Producer::start(&node, Pace::STEPS);
        // Folded by the next start, and beyond what a log of one page holds.
        for _ in 0..30 {
            producer.release();
            producer.until_progress(&node);
        }
        producer.settle(&node);
        node.stop();
        node.revive();
        for _ in 0..30 {
            producer.release();
            producer.until_progress(&node);
        }
        let sent = producer.settle(&node);
        let dir = tempfile::tempdir().unwrap();
        let (killed, ended) = (dir.path().join("killed"), dir.path().join("ended"));
        node.kill();
        copy(&node.state_dir(), &killed);
        node.revive();
        node.stop();
        copy(&node.state_dir(), &ended);
        assert!(fs::metadata(killed.join("readyd.sqlite-wal")).unwrap().len() > 0);
        Left {
            _dir: dir,
            killed,
            ended,
            sent,
            since,
        }
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

fn torn(rounds: u64, files: &[Which]) -> Tally {
    let left = Left::new();
    let mut dice = Dice::thrown(7);
    let rounds: Vec<Round> = (0..rounds)
        .map(|round| {
            let file = files[usize::try_from(round).unwrap() % files.len()];
            let after = match file {
                Which::Main if dice.below(2) == 0 => After::End,
                _ => After::Kill,
            };
            let place = dice.below(1_000_000);
            let length = [SECTOR, PAGE, 4 * PAGE][usize::try_from(dice.below(3)).unwrap()];
            let damage = match round % 4 {
                0 => Damage::Cut(place),
                1 => Damage::Zeros(place, length),
                2 => Damage::Garbage(place, length),
                _ => Damage::Flip(place),
            };
            Round { after, file, damage }
        })
        .collect();
    in_lanes(LANES, &rounds, Dice::thrown, |dice, round| {
        suffer(&left, round, dice);
        true
    })
}

fn missing(scale: Scale) -> Tally {
    let left = Left::new();
    let mut rounds = Vec::new();
    for after in [After::End, After::Kill] {
        for file in [Which::Main, Which::Wal, Which::Shm] {
            for damage in [Damage::Removed, Damage::Empty, Damage::Overwritten, Damage::Directory] {
                rounds.push(Round { after, file, damage });
            }
        }
    }
    let rounds = crate::lanes::spread(rounds, scale, 12);
    in_lanes(LANES, &rounds, Dice::thrown, |dice, round| {
        suffer(&left, round, dice);
        true
    })
}

fn suffer(left: &Left, round: &Round, dice: &mut Dice) {
    let mut node = Node::prepared(CONFIG);
    let from = if round.after == After::Kill {
        &left.killed
    } else {
        &left.ended
    };
    copy(from, &node.state_dir());
    let path = node.state_dir().join(match round.file {
        Which::Main => "readyd.sqlite",
        Which::Wal => "readyd.sqlite-wal",
        Which::Shm => "readyd.sqlite-shm",
    });
    damage(&path, round.damage, dice);
    node.spawn();
    if matches!(round.damage, Damage::Directory) && !answers(&mut node) {
        let status = node.ended();
        assert_eq!(status.code(), Some(1), "{status}\n{}", node.log());
        assert!(node.log().contains("move it away"), "{}", node.log());
        fs::remove_dir(&path).unwrap();
        node.spawn();
    }
    node.wait_until_it_answers();
    // What is restored is shown when the node answers.
    let (found, last) = (counted(&node, left.since), last_seq(&node));
    let ready = node.get("/ready").body;
    assert!(
        found <= left.sent,
        "{found} counted, {} sent: {ready}\n{}",
        left.sent,
        node.log()
    );
    assert!(last <= left.sent, "up to {last}, {} sent", left.sent);
    let whole = found == left.sent && last == left.sent;
    let is_told = ready.contains("set aside");
    // The log was cut where another one might end: that is how a commit looks that never was.
    let earlier = round.file != Which::Main && found == last;
    // Nothing was left that could say that there had been something.
    let removed = matches!(round.damage, Damage::Removed | Damage::Empty | Damage::Directory) && found == last;
    assert!(
        whole || is_told || earlier || removed,
        "{found} counted and up to {last} of {} sent, and nothing is said: {ready}\n{}",
        left.sent,
        node.log()
    );

    node.fails(1);
    let aside = set_aside(&node);
    node.stop();
    node.revive();
    assert_eq!(counted(&node, left.since), found + 1, "{}", node.log());
    assert_eq!(set_aside(&node), aside, "{}", node.log());
    node.until("/v1/checks/store", PATIENCE / 4, |answer| {
        answer.json()["level"] == if aside > 0 { "degraded" } else { "ok" }
    });
    assert!(!node.log().contains("panicked"), "{}", node.log());
}

fn set_aside(node: &Node) -> usize {
    let entries = fs::read_dir(node.state_dir()).unwrap().flatten();
    entries
        .filter(|entry| entry.file_name().to_string_lossy().contains("corrupt"))
        .count()
}

/// `false`: it has ended.
fn answers(node: &mut Node) -> bool {
    while node.is_running() {
        if node.try_get("/livez").is_some() {
            return true;
        }
        pause();
    }
    false
}

fn damage(path: &Path, damage: Damage, dice: &mut Dice) {
    let garbage = |length: u64, dice: &mut Dice| -> Vec<u8> { (0..length).map(|_| dice.below(256) as u8).collect() };
    let length = fs::metadata(path).map_or(0, |metadata| metadata.len());
    let place = |part: u64| length * part / 1_000_000;
    let put = |at: u64, bytes: &[u8]| {
        let room = usize::try_from(length.saturating_sub(at)).unwrap().min(bytes.len());
        let file = File::options().write(true).open(path).unwrap();
        file.write_all_at(&bytes[..room], at).unwrap();
    };
    match damage {
        Damage::Cut(part) => File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_len(place(part))
            .unwrap(),
        Damage::Zeros(part, length) => put(
            place(part) / SECTOR * SECTOR,
            &vec![0; usize::try_from(length).unwrap()],
        ),
        Damage::Garbage(part, length) => put(place(part) / SECTOR * SECTOR, &garbage(length, dice)),
        Damage::Flip(part) => {
            let mut byte = [0];
            File::open(path).unwrap().read_exact_at(&mut byte, place(part)).unwrap();
            put(place(part), &[byte[0] ^ (1 << dice.below(8))]);
        }
        Damage::Removed => remove(path),
        Damage::Empty => {
            File::create(path).unwrap();
        }
        Damage::Directory => {
            remove(path);
            fs::create_dir(path).unwrap();
        }
        Damage::Overwritten => fs::write(path, garbage(3 * PAGE, dice)).unwrap(),
    }
}

/// After an end there may be no index, say.
fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path) {
        assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    }
}
