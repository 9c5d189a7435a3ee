//! A host that stands still, as far as a row can make it: the process is stopped while everybody else goes on.

use std::io::Write as _;
use std::time::Duration;

use crate::harness::{Node, PATIENCE, signal};
use crate::polled::{has_not_panicked, is_ok};
use crate::sender::{Sender, to_crm, until_counted};
use crate::tally::{Fault, Scale, Tally};

pub const FAULTS: &[Fault] = &[Fault {
    name: "asleep",
    done: "the process stands still, for seconds and for longer than a resume takes, while senders send and clients ask",
    promise: "it goes on, nobody is blamed for it, and every event counts once",
    run: asleep,
}];

fn asleep(scale: Scale) -> Tally {
    let node = Node::start(
        "tenants: {acme: {}}\ndigest: {budget: 1000000, tenant_budget: 1000000, stale_after: 15s}\n\
         probes: {doctor: {enabled: false}}\n",
    );
    node.until_status("ok", PATIENCE);
    let mut tally = Tally::default();
    let mut sender = Sender::called("awake");
    let stands: &[u64] = match scale {
        Scale::Few => &[3],
        Scale::Full => &[1, 3, 9, 11, 15, 30],
    };
    for seconds in stands {
        tally.round(&format!("{seconds} s"), || {
            let before = downs(&node);
            signal(node.pid(), "STOP");
            let last = sender.acknowledged + 20_000;
            std::thread::scope(|scope| {
                let sending = scope.spawn(|| assert!(sender.sends(&node, last, to_crm), "it went away"));
                let mut asking = std::net::TcpStream::connect(node.address()).unwrap();
                asking
                    .write_all(b"GET /ready HTTP/1.1\r\nhost: localhost\r\n\r\n")
                    .unwrap();
                // The fault itself is that time passes.
                std::thread::sleep(Duration::from_secs(*seconds));
                signal(node.pid(), "CONT");
                sending.join().unwrap();
            });
            node.until("/ready", PATIENCE, is_ok);
            until_counted(&node, last);
            assert_eq!(
                downs(&node),
                before,
                "somebody is blamed for it: {}",
                node.get("/v1/history?limit=20").body
            );
            has_not_panicked(&node);
        });
    }
    tally
}

/// Changes to something else than ok.
fn downs(node: &Node) -> usize {
    let history = node.get("/v1/history?limit=1000").json();
    let transitions = history["transitions"].as_array().unwrap();
    transitions.iter().filter(|transition| transition["to"] != "ok").count()
}
