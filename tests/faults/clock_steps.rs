//! The wall clock of a running node is set: by hand, by a first answer of NTP, by a host that woke up wrong.
//!
//! The real clock is left alone: `clock.c`, loaded before all libraries, adds to it what a file says.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::harness::{Node, PATIENCE, peer, repository};
use crate::polled::{Slowest, has_not_panicked, is_ok, while_polled};
use crate::sender::{Sender, to_crm, until_counted};
use crate::tally::{Fault, Scale, Tally};

pub const FAULTS: &[Fault] = &[Fault {
    name: "clock-steps",
    done: "the wall clock is set forward and back: minutes, a day, years, to 1970 and to 2230; the node is killed and started under it",
    promise: "no level changes, no age or maintenance does; every event counts once; a time that was jumped over is `not_watched`",
    run: clock_steps,
}];

const MINUTE: i64 = 60;
const DAY: i64 = 24 * 3600;
const YEAR: i64 = 365 * DAY;
/// Ten minutes after the beginning, where a clock without a battery starts.
const EPOCH: i64 = i64::MIN;
/// Until it is back at zero: how far off, in seconds, and what to call that.
///
/// Not further: no kernel takes a time before the beginning of 1970, or one that leaves it less than 30 years.
const STEPS: &[(&str, i64)] = &[
    ("ten minutes forward", 10 * MINUTE),
    ("a day back", 10 * MINUTE - DAY),
    ("to 1970", EPOCH),
    ("back to right", 0),
    ("a second back", -1),
    ("a minute forward", MINUTE),
    ("a day forward", DAY),
    ("past 2038", 13 * YEAR),
    ("to the last that a kernel takes", 204 * YEAR),
    ("a year back", -YEAR),
    ("a minute before the windows are late", -YEAR + 9 * MINUTE),
    ("to right again", 0),
];
/// Events in each round.
const EVENTS: u64 = 50;
/// The engine ticks each second: so long after a step everything has seen it.
const SEEN_AFTER: u64 = 3;
/// Seconds that a round takes at most.
const LIVED_MAX: i64 = 120;
/// The history of a longer jump does not begin before it.
const TOLD_MAX: i64 = 80 * DAY;

/// A node whose wall clock is ours to set.
struct Clocked {
    node: Node,
    control: PathBuf,
    off_by: i64,
}

fn clock_steps(scale: Scale) -> Tally {
    let Some(compiler) = peer("cc", &["/usr/bin/cc"]) else {
        return Tally::left_out("no C compiler for the clock");
    };
    if !cfg!(target_os = "linux") {
        return Tally::left_out("the clock of a process is set by LD_PRELOAD here");
    }
    let mut clocked = Clocked::start(&compiler);
    let mut sender = Sender::called("clocked");
    let (mut tally, mut slowest) = (Tally::default(), Slowest::default());
    for around in 0..scale.rounds(1, 2) {
        let steps = usize::try_from(scale.rounds(4, STEPS.len() as u64)).unwrap();
        for (number, (name, off_by)) in STEPS[..steps].iter().enumerate() {
            let is_killed = scale == Scale::Full || number == 1;
            tally.round(&format!("{name}, {around}"), || {
                let off_by = match *off_by {
                    EPOCH => 600 - chrono::Utc::now().timestamp(),
                    off_by => off_by,
                };
                slowest.note(clocked.step(off_by, &mut sender), name);
                if is_killed {
                    clocked.restart(&sender);
                }
            });
        }
    }
    tally.with_figure(slowest.told())
}

impl Clocked {
    fn start(compiler: &Path) -> Clocked {
        let node = Node::prepared(
            "tenants: {acme: {}, beta: {}}\ndigest: {budget: 1000000, tenant_budget: 1000000}\n\
             probes: {doctor: {enabled: false}}\n",
        );
        let library = node.dir.path().join("clock.so");
        let mut command = Command::new(compiler);
        command.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]);
        command.arg(&library).arg(repository().join("tests/faults/clock.c"));
        assert!(command.status().unwrap().success(), "clock.c is not compiled");
        let control = node.dir.path().join("off-by");
        fs::write(&control, 0_i64.to_ne_bytes()).unwrap();
        let node = node
            .with_env("LD_PRELOAD", library.to_str().unwrap())
            .with_env("READYD_FAULT_CLOCK", control.to_str().unwrap());
        let node = node.started();
        node.until_status("ok", PATIENCE);
        node.cli_ok(&["maintenance", "start", "beta", "--for", "1h", "--reason", "the clock"]);
        let off_by = 0;
        Clocked { node, control, off_by }
    }

    /// Sets the clock while a load balancer polls; the slowest answer.
    fn step(&mut self, off_by: i64, sender: &mut Sender) -> Duration {
        let before = transitions(&self.node);
        let ((), slowest) = while_polled(&self.node, is_ok, || {
            let nanos = off_by.checked_mul(1_000_000_000).unwrap().to_ne_bytes();
            // In place: the node has the file mapped.
            let control = OpenOptions::new().write(true).open(&self.control).unwrap();
            control.write_all_at(&nanos, 0).unwrap();
            let last = sender.acknowledged + EVENTS;
            assert!(sender.sends(&self.node, last, to_crm), "it went away");
            until_counted(&self.node, last);
            self.until_seen();
        });
        let jumped = off_by - self.off_by;
        self.off_by = off_by;
        assert_eq!(transitions(&self.node), before, "a level has changed");
        self.ages_are_right();
        if (10 * MINUTE..TOLD_MAX).contains(&jumped) {
            self.jump_is_told(jumped);
        }
        let operations = self.node.control("GET", "/v1/maintenance", "").body;
        assert!(
            operations.contains("the clock"),
            "the maintenance has ended: {operations}"
        );
        has_not_panicked(&self.node);
        slowest
    }

    /// Until the node has looked at its clock that often: its snapshot says when it was made.
    fn until_seen(&self) {
        for _ in 0..SEEN_AFTER {
            let made = self.node.ready()["checked_at"].clone();
            self.node
                .until("/ready", PATIENCE, |answer| answer.json()["checked_at"] != made);
        }
    }

    /// Nothing is older than the test, or younger than nothing.
    fn ages_are_right(&self) {
        let digest = self.node.get("/v1/webhook-digest").json();
        assert!(digest["age_sec"].as_u64().is_some_and(|age| age < 30), "{digest:#}");
        let checks = self.node.get("/v1/checks").json();
        for check in checks["checks"].as_array().unwrap() {
            let age = check["age_sec"].as_u64();
            assert!(age.is_some_and(|age| age < 3600), "{check:#}");
        }
    }

    /// The seconds that were jumped over are in no uptime, but for those that were lived under an earlier setting.
    fn jump_is_told(&self, jumped: i64) {
        let path = format!("/v1/history?span={jumped}s");
        self.node.until(&path, PATIENCE, |answer| {
            let history = answer.json();
            let dark = history["subjects"][0]["seconds"]["not_watched"].as_f64();
            dark >= Some((jumped - LIVED_MAX) as f64)
        });
    }

    fn restart(&mut self, sender: &Sender) {
        self.node.kill();
        self.node.spawn();
        self.node.wait_until_it_answers();
        self.node.until_status("ok", PATIENCE);
        until_counted(&self.node, sender.acknowledged);
    }
}

/// Those of levels, not of history's own notes.
fn transitions(node: &Node) -> usize {
    let history = node.get("/v1/history?limit=1000").json();
    history["transitions"].as_array().unwrap().len()
}
