//! Calls of the store that fail, one after the other: at a start, in a commit, in a checkpoint, at the end.

use std::time::{Duration, Instant};

use crate::harness::producer::{Pace, Producer};
use crate::harness::{Node, PATIENCE, pause};
use crate::injector::{
    self, ALL_CALLS, ALL_FILES, Armed, DIE, EINTR, EIO, ENOSPC, Injector, MAIN_FILE, OPENS, RENAMES, SHORT, SYNCS,
    TRUNCATES, WRITES,
};
use crate::lanes::{in_lanes, spread};
use crate::tally::{Fault, Scale, Tally};

pub const FAULTS: &[Fault] = &[
    Fault {
        name: "enospc-at-each-call",
        done: "ENOSPC at each write, open, truncation and rename of a start, a commit, a checkpoint, an end; once or lasting in turn",
        promise: "nothing is acknowledged that is not kept, the check `store` says it, it heals by itself, each event counts once",
        run: |scale| {
            walk(
                scale,
                &[ENOSPC],
                CHANGES,
                |from| if from % 2 == 0 { ONCE } else { AS_LONG },
            )
        },
    },
    Fault {
        name: "eio-at-each-call",
        done: "EIO at each of them; lasting or once in turn",
        promise: "the same",
        run: |scale| {
            walk(
                scale,
                &[EIO],
                CHANGES,
                |from| if from % 2 == 0 { AS_LONG } else { ONCE },
            )
        },
    },
    Fault {
        name: "sync-errors",
        done: "EIO and ENOSPC at each fsync and fdatasync; once and lasting",
        promise: "the same, and a descriptor whose sync failed is never written or synced again",
        run: |scale| walk(scale, &[EIO, ENOSPC], SYNCS, |_| &[1, LASTING]),
    },
    Fault {
        name: "short-and-interrupted-calls",
        done: "half a write, and EINTR at each call",
        promise: "each event counts once",
        run: |scale| {
            let mut tally = walk(scale, &[SHORT], WRITES, |_| ONCE);
            tally.add(walk(scale, &[EINTR], ALL_CALLS, |_| ONCE));
            tally
        },
    },
    Fault {
        name: "sigkill-at-each-call",
        done: "SIGKILL before each call that changes a file: of a start with its fold, a commit, a checkpoint, an end",
        promise: "acknowledged ≤ counted ≤ sent, and after a resend each event counts once",
        run: |scale| walk(scale, &[DIE], ALL_CALLS, |_| ONCE),
    },
];

/// Until the fault is taken away.
const LASTING: u64 = u64::MAX;
const ONCE: &[u64] = &[1];
const AS_LONG: &[u64] = &[LASTING];
const CHANGES: u64 = WRITES | OPENS | TRUNCATES | RENAMES;
const LANES: u64 = 3;
/// A node with a failing disk ends in time all the same.
const END_MAX: Duration = Duration::from_secs(2);
/// Calls of so many commits are walked.
const COMMITS: u64 = 2;
const CONFIG: &str =
    "tenants: {acme: {}}\nprobes: {doctor: {enabled: false}, write: {enabled: false}, disk: {enabled: false}}\n";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// After a kill, so that the log is read, migrated and folded.
    Start,
    Commit,
    Checkpoint,
    End,
}

#[derive(Clone, Copy)]
struct Step {
    phase: Phase,
    fault: Armed,
}

impl std::fmt::Debug for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Armed {
            calls,
            what,
            from,
            times,
            ..
        } = self.fault;
        let times = if times == LASTING { "lasting" } else { "once" };
        write!(f, "{:?}: call {from} (kinds {calls}) says {what}, {times}", self.phase)
    }
}

/// A node, its producer, and what may fail between the node and its disk.
struct Lane {
    node: Node,
    producer: Producer,
    injector: Injector,
}

fn walk(scale: Scale, whats: &[u64], calls: u64, times: fn(u64) -> &'static [u64]) -> Tally {
    if let Err(why) = injector::library() {
        return Tally::left_out(why);
    }
    let mut lane = Lane::begin();
    let mut steps = Vec::new();
    for phase in [Phase::Start, Phase::Commit, Phase::Checkpoint, Phase::End] {
        let calls_of_phase = lane.calls_of(phase, calls);
        for (what, from) in whats
            .iter()
            .flat_map(|what| (1..=calls_of_phase).map(move |from| (*what, from)))
        {
            steps.extend(times(from).iter().map(|times| Step {
                phase,
                fault: Armed {
                    calls,
                    files: files_of(phase),
                    what,
                    from,
                    times: *times,
                },
            }));
        }
    }
    drop(lane);
    in_lanes(LANES, &spread(steps, scale, 9), |_| Lane::begin(), Lane::round)
}

const fn files_of(phase: Phase) -> u64 {
    match phase {
        Phase::Checkpoint => MAIN_FILE,
        _ => ALL_FILES,
    }
}

impl Lane {
    fn begin() -> Lane {
        let (node, injector) = Injector::beside(Node::prepared(CONFIG));
        let node = node.started();
        let producer = Producer::start(&node, Pace::STEPS);
        producer.until_progress(&node);
        producer.settle(&node);
        Lane {
            node,
            producer,
            injector,
        }
    }

    /// How many calls there are to fail.
    fn calls_of(&mut self, phase: Phase, calls: u64) -> u64 {
        let counting = Armed {
            calls,
            files: files_of(phase),
            what: 0,
            from: 0,
            times: 0,
        };
        match phase {
            Phase::Start => {
                self.some_more();
                self.node.kill();
                self.injector.arm(counting);
                self.node.spawn();
                self.node.wait_until_it_answers();
                self.injector.counted()
            }
            Phase::Commit => {
                // Of one commit that waits for nobody else.
                let mut fewest = u64::MAX;
                for _ in 0..10 {
                    self.injector.arm(counting);
                    self.some_more();
                    fewest = fewest.min(self.injector.counted());
                }
                fewest * COMMITS
            }
            Phase::Checkpoint => {
                self.injector.arm(Armed {
                    calls: ALL_CALLS,
                    ..counting
                });
                self.producer.release();
                until(&self.node, "a checkpoint", || self.injector.counted() > 0);
                self.producer.settle(&self.node);
                self.injector.arm(counting);
                self.producer.release();
                until(&self.node, "a checkpoint", || self.injector.counted() > 0);
                self.producer.settle(&self.node);
                self.injector.counted()
            }
            Phase::End => {
                self.some_more();
                self.injector.arm(counting);
                self.node.stop();
                let counted = self.injector.counted();
                self.node.spawn();
                self.node.wait_until_it_answers();
                counted
            }
        }
    }

    /// Something to be kept, and acknowledged.
    fn some_more(&self) {
        self.producer.release();
        self.producer.until_progress(&self.node);
        self.producer.settle(&self.node);
    }

    fn round(&mut self, step: &Step) -> bool {
        match step.phase {
            Phase::Start => self.start(step.fault),
            Phase::Commit | Phase::Checkpoint => self.running(step.fault),
            Phase::End => self.end(step.fault),
        }
        let met = self.injector.failed() > 0;
        self.injector.disarm();
        self.producer.settle(&self.node);
        self.is_well();
        assert_eq!(
            self.injector.again(),
            0,
            "a descriptor was used after its sync had failed\n{}",
            self.node.log()
        );
        assert!(!self.node.log().contains("panicked"), "{}", self.node.log());
        met
    }

    fn start(&mut self, fault: Armed) {
        self.producer.release();
        self.producer.until_progress(&self.node);
        self.node.kill();
        self.injector.arm(fault);
        self.node.spawn();
        if fault.what == DIE {
            self.dies();
        } else if self.answers_or_refuses() && fault.times == LASTING && self.injector.failed() > 0 {
            self.is_told();
        }
        self.injector.disarm();
        if !self.node.is_running() {
            self.node.revive();
        }
    }

    fn running(&mut self, fault: Armed) {
        self.injector.arm(fault);
        self.producer.release();
        if fault.what == DIE {
            self.dies();
            self.injector.disarm();
            return self.node.revive();
        }
        until(&self.node, "the fault is met", || self.injector.failed() > 0);
        if fault.times == LASTING {
            self.is_told();
        }
        self.injector.disarm();
        self.producer.until_progress(&self.node);
        self.producer.settle(&self.node);
        self.node.revive();
    }

    fn end(&mut self, fault: Armed) {
        self.producer.release();
        self.producer.until_progress(&self.node);
        self.injector.arm(fault);
        let took = self.node.stop();
        assert!(took < END_MAX, "{took:?}\n{}", self.node.log());
        self.injector.disarm();
        self.node.revive();
    }

    /// It is killed at the call that was chosen; one that was not reached kills it here.
    fn dies(&mut self) {
        let began = Instant::now();
        while self.node.is_running() && began.elapsed() < PATIENCE / 10 {
            pause();
        }
    }

    /// `false`: it has ended by itself, with an error and a sentence.
    fn answers_or_refuses(&mut self) -> bool {
        let began = Instant::now();
        loop {
            if !self.node.is_running() {
                let status = self.node.ended();
                assert_eq!(status.code(), Some(1), "{status}\n{}", self.node.log());
                assert!(self.node.log().contains("rror"), "{}", self.node.log());
                return false;
            }
            if self.node.try_get("/livez").is_some_and(|answer| answer.status == 200) {
                return true;
            }
            assert!(began.elapsed() < PATIENCE, "it does not answer\n{}", self.node.log());
            pause();
        }
    }

    /// The node says that its store fails, and acknowledges nothing meanwhile.
    fn is_told(&self) {
        self.producer.release();
        self.node
            .until("/ready", PATIENCE / 4, |answer| answer.body.contains("commits fail"));
        let acknowledged = self.producer.acknowledged();
        let failed = self.injector.failed();
        until(&self.node, "it is tried again", || self.injector.failed() > failed);
        assert_eq!(
            self.producer.acknowledged(),
            acknowledged,
            "acknowledged while nothing can be kept\n{}",
            self.node.log()
        );
    }

    fn is_well(&self) {
        self.node.until("/v1/checks/store", PATIENCE / 4, |answer| {
            answer.json()["level"] == "ok"
        });
    }
}

fn until(node: &Node, what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "{what}: not yet\n{}", node.log());
        std::thread::sleep(Duration::from_millis(2));
    }
}
