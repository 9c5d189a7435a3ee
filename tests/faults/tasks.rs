//! A host that lets nobody have one more process or thread.

use std::net::TcpStream;
use std::time::Duration;

use crate::cgroup::Cgroup;
use crate::harness::{Node, PATIENCE};
use crate::polled::{Slowest, has_not_panicked, is_ok, serves, while_polled};
use crate::sender::{Sender, to_crm, until_counted};
use crate::tally::{Fault, Scale, Tally};

pub const FAULTS: &[Fault] = &[Fault {
    name: "tasks",
    done: "no further process or thread (pids.max at what is there, and few above)",
    promise: "a probe that cannot be started is `unknown` and says so, /ready is answered, senders are counted or refused, all heals",
    run: tasks_run_out,
}];

/// What an end may take.
const END_WITHIN: Duration = Duration::from_secs(2);
/// Until a check that is due every second has said so in two runs.
const TOLD_WITHIN: Duration = Duration::from_secs(30);

fn tasks_run_out(scale: Scale) -> Tally {
    let Some(cgroup) = Cgroup::with("pids") else {
        return Tally::left_out("no cgroup of our own with the controller pids");
    };
    let mut node = Node::prepared(
        "tenants: {acme: {}}\ndigest: {budget: 1000000, tenant_budget: 1000000}\n\
         probes: {doctor: {enabled: false}, own: {kind: exec, command: [/bin/true], parse: exit-code, \
         layer: runtime, scope: node, every: 1s, timeout: 5s}}\n",
    );
    let wrapper = cgroup.wrapper();
    node.spawn_through(&wrapper.each_ref().map(String::as_str));
    node.wait_until_it_answers();
    node.until_status("ok", PATIENCE);
    let mut sender = Sender::called("tasks");
    let (mut tally, mut slowest) = (Tally::default(), Slowest::default());
    for round in 0..scale.rounds(1, 10) {
        // None, or room for the one or the other.
        let spare = [0, 0, 1, 2, 3][round as usize % 5];
        let name = format!("{spare} to spare, {round}");
        tally.round(&name, || {
            let ((), took) = while_polled(&node, serves, || {
                cgroup.limit_tasks(Some(cgroup.tasks() + spare));
                // Each wants a thread of its own; with none to be had they are refused.
                let senders: Vec<_> = (0..8).map(|_| node.events()).collect();
                let strangers: Vec<_> = (0..8).map(|_| TcpStream::connect(node.address())).collect();
                if spare == 0 {
                    node.until("/v1/checks/own", TOLD_WITHIN, |answer| {
                        let check = answer.json();
                        let summary = check["summary"].as_str().unwrap_or_default().to_owned();
                        check["level"] == "unknown" && summary.contains("could not")
                    });
                }
                // What needs the disk says that it cannot, or is answered: it does not hang.
                for path in ["/v1/history", "/", "/metrics", "/v1/webhook-digest?window=last"] {
                    let answer = node.get(path);
                    assert!([200, 503, 504].contains(&answer.status), "{path}: {answer:?}");
                }
                let status = node.cli(&["status"]);
                assert!(!status.stdout.is_empty(), "{status:?}");
                drop((senders, strangers));
                cgroup.limit_tasks(None);
            });
            slowest.note(took, &name);
            node.until("/ready", PATIENCE, is_ok);
            let last = sender.acknowledged + 10;
            assert!(sender.sends(&node, last, to_crm), "it went away");
            until_counted(&node, last);
            has_not_panicked(&node);
        });
        cgroup.limit_tasks(None);
    }
    tally.round("SIGTERM without a thread to spare", || {
        cgroup.limit_tasks(Some(cgroup.tasks()));
        let took = node.stop();
        cgroup.limit_tasks(None);
        assert!(took < END_WITHIN, "it ended after {took:?}");
    });
    drop(node);
    tally.with_figure(slowest.told())
}
