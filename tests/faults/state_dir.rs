//! A state directory that is taken away under a running node, replaced, filled or made read-only.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use crate::harness::producer::{Pace, Producer};
use crate::harness::{Node, PATIENCE};
use crate::lanes::in_lanes;
use crate::tally::{Fault, Scale, Tally};

pub const FAULTS: &[Fault] = &[
    Fault {
        name: "state-directory-taken-away",
        done: "state directory removed, moved away and back, replaced by an empty one or a file; database and log deleted or replaced, under load",
        promise: "said while it lasts, healed by itself when there is a directory, and each event counts once, after a restart too",
        run: taken_away,
    },
    Fault {
        name: "state-directory-full",
        done: "a file system of its own is filled to the last byte under load, and emptied",
        promise: "the same, and nothing is acknowledged meanwhile",
        run: full,
    },
    Fault {
        name: "state-directory-read-only",
        done: "a file system of its own is read-only at the start, after an end and after a kill, and then is not",
        promise: "it starts with what is there, says it, and heals by itself",
        run: read_only,
    },
];

const LANES: u64 = 3;
const CONFIG: &str =
    "tenants: {acme: {}}\nprobes: {doctor: {enabled: false}, write: {enabled: false}, disk: {enabled: false}}\n";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    Directory,
    DirectoryAndNewOne,
    DirectoryMovedAndBack,
    FileInItsPlace,
    Files,
    Database,
    Log,
    AnotherDatabase,
}

const ALL: [Taken; 8] = [
    Taken::Directory,
    Taken::DirectoryAndNewOne,
    Taken::DirectoryMovedAndBack,
    Taken::FileInItsPlace,
    Taken::Files,
    Taken::Database,
    Taken::Log,
    Taken::AnotherDatabase,
];

struct Lane {
    node: Node,
    producer: Producer,
}

impl Lane {
    fn new() -> Lane {
        Lane::of(Node::start(CONFIG))
    }

    fn of(node: Node) -> Lane {
        let producer = Producer::start(&node, Pace::STEPS);
        producer.until_progress(&node);
        Lane { node, producer }
    }

    fn until_told(&self) {
        self.node
            .until("/ready", PATIENCE / 4, |answer| answer.body.contains("commits fail"));
    }

    /// All that was ever sent counts once, and does so after an end and a start.
    fn is_whole(&mut self) {
        self.producer.settle(&self.node);
        // The second of these is kept after what was held in memory.
        let start = ["maintenance", "start", "acme", "--for", "1h", "--reason", "a fault"];
        self.node.cli_ok(&start);
        self.node.cli_ok(&["maintenance", "end", "acme"]);
        self.node.revive();
        self.producer.settle(&self.node);
        assert!(!self.node.log().contains("panicked"), "{}", self.node.log());
        self.producer.release();
        self.producer.until_progress(&self.node);
    }
}

fn taken_away(scale: Scale) -> Tally {
    let rounds = usize::try_from(scale.rounds(1, 6)).unwrap();
    let items: Vec<Taken> = ALL.repeat(rounds);
    in_lanes(
        LANES,
        &items,
        |_| Lane::new(),
        |lane, taken| {
            take(lane, *taken);
            // One that was set aside would still be told of in the next round.
            clear_aside(&lane.node);
            true
        },
    )
}

fn take(lane: &mut Lane, taken: Taken) {
    let state = lane.node.state_dir();
    let elsewhere = lane.node.dir.path().join("elsewhere");
    let gone = |names: &[&str]| {
        for name in names {
            fs::remove_file(state.join(name)).unwrap();
        }
    };
    match taken {
        Taken::Directory => {
            fs::rename(&state, &elsewhere).unwrap();
            fs::remove_dir_all(&elsewhere).unwrap();
            lane.until_told();
            fs::create_dir(&state).unwrap();
        }
        Taken::DirectoryAndNewOne => {
            fs::rename(&state, &elsewhere).unwrap();
            fs::create_dir(&state).unwrap();
            fs::remove_dir_all(&elsewhere).unwrap();
        }
        Taken::DirectoryMovedAndBack => {
            fs::rename(&state, &elsewhere).unwrap();
            lane.until_told();
            fs::rename(&elsewhere, &state).unwrap();
        }
        Taken::FileInItsPlace => {
            fs::rename(&state, &elsewhere).unwrap();
            fs::write(&state, "not a directory").unwrap();
            lane.until_told();
            fs::remove_file(&state).unwrap();
            fs::rename(&elsewhere, &state).unwrap();
        }
        Taken::Files => gone(&["readyd.sqlite", "readyd.sqlite-wal", "readyd.sqlite-shm", "readyd.lock"]),
        Taken::Database => gone(&["readyd.sqlite"]),
        Taken::Log => gone(&["readyd.sqlite-wal"]),
        Taken::AnotherDatabase => {
            let mut other = Node::start(CONFIG);
            other.fails(3);
            other.stop();
            fs::rename(other.state_dir().join("readyd.sqlite"), state.join("readyd.sqlite")).unwrap();
        }
    }
    lane.producer.until_progress(&lane.node);
    lane.is_whole();
}

fn clear_aside(node: &Node) {
    for entry in fs::read_dir(node.state_dir()).unwrap().flatten() {
        if entry.file_name().to_string_lossy().contains("corrupt") {
            fs::remove_file(entry.path()).unwrap();
        }
    }
}

/// A file system of its own in the place of a node's state directory.
struct Mounted {
    lane: Lane,
}

impl Mounted {
    fn begin() -> Mounted {
        let node = Node::prepared(CONFIG);
        fs::create_dir(node.state_dir()).unwrap();
        assert!(mount(
            &["-t", "tmpfs", "-o", "size=4m,mode=700", "tmpfs"],
            &node.state_dir()
        ));
        Mounted {
            lane: Lane::of(node.started()),
        }
    }

    fn remount(&self, how: &str) {
        let how = format!("remount,{how}");
        assert!(mount(&["-o", &how], &self.lane.node.state_dir()), "{how}");
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount")
            .arg("-l")
            .arg(self.lane.node.state_dir())
            .status();
    }
}

fn mount(arguments: &[&str], at: &Path) -> bool {
    let mounted = Command::new("mount").args(arguments).arg(at).output();
    mounted.is_ok_and(|output| output.status.success())
}

/// Why a file system cannot be mounted here, if so.
fn no_mounts() -> Option<Tally> {
    let probe = tempfile::tempdir().unwrap();
    if !mount(&["-t", "tmpfs", "-o", "size=64k", "tmpfs"], probe.path()) {
        return Some(Tally::left_out("a tmpfs cannot be mounted here (it needs root)"));
    }
    let _ = Command::new("umount").arg(probe.path()).status();
    None
}

fn full(scale: Scale) -> Tally {
    if let Some(left_out) = no_mounts() {
        return left_out;
    }
    let rounds: Vec<u64> = (0..scale.rounds(2, 20)).collect();
    in_lanes(
        2,
        &rounds,
        |_| Mounted::begin(),
        |mounted, _| {
            let lane = &mut mounted.lane;
            let filler = lane.node.state_dir().join("filler");
            let mut file = fs::File::create(&filler).unwrap();
            let mut size = 1 << 20;
            while size > 0 {
                // Until not one byte more fits.
                if file.write_all(&vec![7; size]).is_err() {
                    size /= 2;
                }
            }
            drop(file);
            lane.producer.release();
            lane.until_told();
            let acknowledged = lane.producer.acknowledged();
            lane.node.cli_ok(&["drain", "--reason", "full"]);
            lane.node.cli_ok(&["undrain"]);
            assert_eq!(lane.producer.acknowledged(), acknowledged);
            fs::remove_file(&filler).unwrap();
            lane.producer.until_progress(&lane.node);
            lane.is_whole();
            true
        },
    )
}

fn read_only(scale: Scale) -> Tally {
    if let Some(left_out) = no_mounts() {
        return left_out;
    }
    let rounds: Vec<u64> = (0..scale.rounds(2, 20)).collect();
    in_lanes(
        2,
        &rounds,
        |_| Mounted::begin(),
        |mounted, round| {
            mounted.lane.producer.settle(&mounted.lane.node);
            match round % 2 {
                0 => drop(mounted.lane.node.stop()),
                _ => mounted.lane.node.kill(),
            }
            mounted.remount("ro");
            mounted.lane.node.spawn();
            mounted.lane.node.wait_until_it_answers();
            mounted.lane.until_told();
            // What is there is known, though nothing can be written.
            mounted.lane.producer.settle(&mounted.lane.node);
            mounted.remount("rw");
            mounted.lane.producer.release();
            mounted.lane.producer.until_progress(&mounted.lane.node);
            mounted.lane.is_whole();
            true
        },
    )
}
