//! A second daemon over the state or the sockets of the first.

use crate::harness::{Node, PATIENCE, READYD};
use crate::tally::{Fault, Scale, Tally};
use std::process::{Command, Stdio};

pub const FAULTS: &[Fault] = &[Fault {
    name: "two-daemons",
    done: "a second daemon on the same state directory, ten at once",
    promise: "each says who holds it and ends with an error; the first answers and counts on",
    run: two_daemons,
}];

fn two_daemons(scale: Scale) -> Tally {
    let mut tally = Tally::default();
    let mut node = Node::start("tenants: {acme: {}}\n");
    for round in 0..scale.rounds(1, 10) {
        tally.round(&format!("round {round}"), || {
            let second = || {
                let mut command = Command::new(READYD);
                command.args(["serve", "--config"]).arg(node.config_path());
                command
                    .stdin(Stdio::null())
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped());
                command.spawn().unwrap()
            };
            let seconds: Vec<_> = (0..10).map(|_| second()).collect();
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
