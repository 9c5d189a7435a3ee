//! A process that is ended at any moment, with and without a word.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::harness::dice::Dice;
use crate::harness::producer::{Pace, Producer};
use crate::harness::{Node, PATIENCE, signal};
use crate::lanes::in_lanes;
use crate::tally::{Fault, Scale, Tally};

pub const FAULTS: &[Fault] = &[
    Fault {
        name: "sigkill-under-load",
        done: "SIGKILL at random moments under load: serving, starting, ending",
        promise: "acknowledged ≤ counted ≤ sent, and after a resend each event counts once",
        run: sigkill,
    },
    Fault {
        name: "sigterm-under-load",
        done: "SIGTERM at random moments under load: serving, starting",
        promise: "it ends in 2 s; no acknowledged event is lost, and after a resend each counts once",
        run: sigterm,
    },
];

const LANES: u64 = 3;
const END_MAX: Duration = Duration::from_secs(2);
/// A start takes about so long: a moment within it is taken at random.
const START: u64 = 200_000;
const CONFIG: &str =
    "tenants: {acme: {}}\nprobes: {doctor: {enabled: false}, write: {enabled: false}, disk: {enabled: false}}\n";

struct Lane {
    node: Node,
    producer: Producer,
    dice: Dice,
}

fn begin(lane: u64) -> Lane {
    let node = Node::start(CONFIG);
    let producer = Producer::start(&node, Pace::LOAD);
    Lane {
        node,
        producer,
        dice: Dice::thrown(lane),
    }
}

impl Lane {
    /// A while under load.
    fn serve(&mut self) {
        self.producer.release();
        self.producer.until_progress(&self.node);
        self.wait(40_000);
    }

    fn wait(&mut self, micros_max: u64) {
        std::thread::sleep(Duration::from_micros(self.dice.below(micros_max)));
    }

    /// After a fault: all is there, once.
    fn judge(&mut self) {
        self.node.revive();
        self.producer.settle(&self.node);
    }
}

fn sigkill(scale: Scale) -> Tally {
    let rounds: Vec<u64> = (0..scale.rounds(21, 1000)).collect();
    in_lanes(LANES, &rounds, begin, |lane, _| {
        lane.serve();
        match lane.dice.below(10) {
            0..6 => {}
            // While it starts, the producer already at the door.
            6..9 => {
                lane.node.kill();
                lane.node.spawn();
                lane.wait(START);
            }
            _ => {
                signal(lane.node.pid(), "TERM");
                lane.wait(40_000);
            }
        }
        lane.node.kill();
        lane.judge();
        true
    })
}

fn sigterm(scale: Scale) -> Tally {
    let rounds: Vec<u64> = (0..scale.rounds(9, 200)).collect();
    let slowest = Mutex::new(Duration::ZERO);
    let tally = in_lanes(LANES, &rounds, begin, |lane, _| {
        lane.serve();
        if lane.dice.below(3) == 0 {
            lane.node.kill();
            lane.node.spawn();
            lane.wait(START);
        }
        signal(lane.node.pid(), "TERM");
        let began = Instant::now();
        while lane.node.is_running() && began.elapsed() < PATIENCE {
            std::thread::sleep(Duration::from_millis(2));
        }
        let took = began.elapsed();
        assert!(took < END_MAX, "{took:?}\n{}", lane.node.log());
        let mut slowest = slowest.lock().unwrap();
        *slowest = took.max(*slowest);
        drop(slowest);
        lane.judge();
        true
    });
    let slowest = slowest.into_inner().unwrap();
    tally.with_figure(format!("slowest end {} ms", slowest.as_millis()))
}
