//! A second daemon over the state or the sockets of the first.

use std::fs;
use std::os::unix::net::UnixListener;
use std::process::{Child, Stdio};

use crate::harness::dice::Dice;
use crate::harness::producer::{Pace, Producer};
use crate::harness::{Node, PATIENCE, pause};
use crate::tally::{Fault, Scale, Tally};

pub const FAULTS: &[Fault] = &[
    Fault {
        name: "two-daemons",
        done: "a second daemon on the same state directory, ten at once",
        promise: "each says who holds it and ends with an error; the first answers and counts on",
        run: two_daemons,
    },
    Fault {
        name: "takeover",
        done: "SIGKILL of the first while the second starts, under load",
        promise: "the second serves, or says who held it; each event counts once",
        run: takeover,
    },
    Fault {
        name: "stale-remains",
        done: "a lock and sockets of a process that is gone, a lock of somebody else's number, an empty one, none, a directory",
        promise: "it starts over them, and each event counts once",
        run: stale_remains,
    },
];

const QUIET: &str =
    "tenants: {acme: {}}\nprobes: {doctor: {enabled: false}, write: {enabled: false}, disk: {enabled: false}}\n";

fn second(node: &Node) -> Child {
    let mut command = node.command(&["serve"]);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn two_daemons(scale: Scale) -> Tally {
    let mut tally = Tally::default();
    let mut node = Node::start("tenants: {acme: {}}\n");
    for round in 0..scale.rounds(1, 10) {
        tally.round(&format!("round {round}"), || {
            let seconds: Vec<_> = (0..10).map(|_| second(&node)).collect();
            for second in seconds {
                let output = second.wait_with_output().unwrap();
                assert!(!output.status.success(), "a second daemon ended with {}", output.status);
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                assert!(
                    said.contains(&node.pid().to_string()),
                    "it does not say who holds it: {said}"
                );
            }
            node.fails(1);
            node.until("/v1/webhook-digest", PATIENCE, |answer| {
                answer.json()["totals"]["failures"] == round + 1
            });
            assert!(node.is_running());
        });
    }
    tally
}

fn takeover(scale: Scale) -> Tally {
    let mut tally = Tally::default();
    let mut dice = Dice::thrown(3);
    let mut node = Node::start(QUIET);
    let producer = Producer::start(&node, Pace::LOAD);
    let (mut served, mut refused) = (0, 0);
    for round in 0..scale.rounds(4, 60) {
        tally.round(&format!("round {round}"), || {
            producer.release();
            producer.until_progress(&node);
            let first = node.pid();
            let mut second = second(&node);
            std::thread::sleep(std::time::Duration::from_micros(dice.below(30_000)));
            node.kill();
            let ended = loop {
                if let Some(status) = second.try_wait().unwrap() {
                    break Some(status);
                }
                if node.try_get("/livez").is_some() {
                    break None;
                }
                pause();
            };
            match ended {
                Some(status) => {
                    refused += 1;
                    let said = second.wait_with_output().unwrap().stderr;
                    let said = String::from_utf8_lossy(&said).into_owned();
                    assert_eq!(status.code(), Some(1), "{said}");
                    assert!(said.contains(&first.to_string()), "it does not say who held it: {said}");
                }
                None => {
                    served += 1;
                    producer.settle(&node);
                    second.kill().unwrap();
                    second.wait().unwrap();
                }
            }
            node.revive();
            producer.settle(&node);
        });
    }
    tally.with_figure(format!("the second served {served}, was refused {refused} times"))
}

fn stale_remains(scale: Scale) -> Tally {
    type Remains = fn(&Node);
    let all: [(&str, Remains); 7] = [
        ("as after a kill", |_| {}),
        ("the number of somebody else", |node| {
            fs::write(node.state_dir().join("readyd.lock"), "1\n").unwrap();
        }),
        ("an empty lock", |node| {
            fs::write(node.state_dir().join("readyd.lock"), "").unwrap();
        }),
        ("garbage in the lock", |node| {
            fs::write(node.state_dir().join("readyd.lock"), [0xff; 5000]).unwrap();
        }),
        ("no lock", |node| {
            fs::remove_file(node.state_dir().join("readyd.lock")).unwrap();
        }),
        ("a directory for a lock", |node| {
            let lock = node.state_dir().join("readyd.lock");
            fs::remove_file(&lock).unwrap();
            fs::create_dir(lock).unwrap();
        }),
        ("sockets that nobody listens on", |node| {
            for name in ["events.sock", "control.sock"] {
                let path = node.runtime_dir().join(name);
                let _ = fs::remove_file(&path);
                drop(UnixListener::bind(&path).unwrap());
            }
        }),
    ];
    let mut tally = Tally::default();
    let mut node = Node::start(QUIET);
    let producer = Producer::start(&node, Pace::STEPS);
    for round in 0..scale.rounds(1, 5) {
        for (name, remains) in all {
            tally.round(&format!("round {round}: {name}"), || {
                producer.release();
                producer.until_progress(&node);
                node.kill();
                remains(&node);
                node.revive();
                producer.settle(&node);
                let lock = node.state_dir().join("readyd.lock");
                if lock.is_dir() {
                    fs::remove_dir(lock).unwrap();
                }
            });
        }
    }
    tally
}
