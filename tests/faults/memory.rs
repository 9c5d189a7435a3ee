//! A node that may have little more memory than it needs at rest, under a load that wants all of it.

use std::time::Instant;

use crate::cgroup::Cgroup;
use crate::harness::{Node, PATIENCE, pause};
use crate::sender::{Sender, until_counted};
use crate::tally::{Fault, Scale, Tally};

pub const FAULTS: &[Fault] = &[Fault {
    name: "memory",
    done: "a memory limit from too little to start up to more than enough, under 50 000 endpoints, lines of 15 KiB, 10 000 tenants' names",
    promise: "it stays within or is ended; never a hang or a wrong verdict; and started with enough, all that was acknowledged counts once",
    run: memory_runs_out,
}];

const MIB: u64 = 1 << 20;
/// Events of a round.
const EVENTS: u64 = 60_000;
const CONFIG: &str = "tenants: {acme: {}, beta: {}}\ndigest: {budget: 10000000, tenant_budget: 10000000}\n\
                      probes: {doctor: {enabled: false}}\n";

/// What holds the memory down.
enum Limit {
    Cgroup(Cgroup),
    /// `prlimit --data`: an allocation beyond fails.
    Data,
}

fn memory_runs_out(scale: Scale) -> Tally {
    if !cfg!(target_os = "linux") {
        return Tally::left_out("memory is limited by a cgroup or by prlimit --data here");
    }
    let limit = Cgroup::with("memory").map_or(Limit::Data, Limit::Cgroup);
    let mib: &[u64] = match scale {
        Scale::Few => &[24, 64],
        Scale::Full => &[8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 128, 192, 256],
    };
    let (mut tally, mut ended) = (Tally::default(), Vec::new());
    for mib in mib {
        tally.round(&format!("{mib} MiB"), || {
            if !stays_or_ends(&limit, mib * MIB) {
                ended.push(mib.to_string());
            }
        });
    }
    let by = match limit {
        Limit::Cgroup(_) => "cgroup",
        Limit::Data => "prlimit --data, for want of a cgroup",
    };
    let ended = match ended.is_empty() {
        true => "none".to_owned(),
        false => format!("those of {} MiB", ended.join(", ")),
    };
    tally.with_figure(format!("by {by}; ended: {ended}"))
}

/// `false`: it was ended. Either way it counts right in the end.
fn stays_or_ends(limit: &Limit, bytes: u64) -> bool {
    let mut node = Node::prepared(CONFIG);
    let wrapper: Vec<String> = match limit {
        Limit::Cgroup(cgroup) => {
            cgroup.limit_memory(Some(bytes));
            cgroup.wrapper().into()
        }
        Limit::Data => vec!["prlimit".into(), format!("--data={bytes}"), "--".into()],
    };
    node.spawn_through(&wrapper.iter().map(String::as_str).collect::<Vec<_>>());
    let mut sender = Sender::called("hungry");
    let stayed = answers(&mut node) && sender.sends(&node, EVENTS, hungry) && node.is_running();
    let acknowledged = sender.acknowledged;
    if stayed {
        until_counted(&node, EVENTS);
        assert_eq!(node.ready()["status"], "ok");
        node.kill();
    } else {
        // It ends by itself, soon: whoever watches over it starts it again.
        let status = node.ended();
        assert!(!status.success(), "it ended with {status}");
    }
    if let Limit::Cgroup(cgroup) = limit {
        cgroup.limit_memory(None);
    }
    node.spawn();
    node.wait_until_it_answers();
    node.until("/v1/webhook-digest?limit=1", PATIENCE, |answer| {
        answer.json()["totals"]["failures"].as_u64() >= Some(acknowledged)
    });
    // What was on its way is told anew, and counted once.
    assert!(sender.sends(&node, EVENTS, hungry), "it went away again");
    until_counted(&node, EVENTS);
    node.until_status("ok", PATIENCE);
    stayed
}

/// `false`: it ended before.
fn answers(node: &mut Node) -> bool {
    let began = Instant::now();
    while node.try_get("/livez").is_none_or(|answer| answer.status != 200) {
        if !node.is_running() {
            return false;
        }
        assert!(
            began.elapsed() < PATIENCE,
            "it neither answers nor ends\n{}",
            node.log()
        );
        pause();
    }
    true
}

/// 50 000 endpoints and, among them, names of 10 000 tenants that nobody configured and lines as long as may be.
fn hungry(seq: u64) -> String {
    let tenant = match seq % 6 {
        0 => format!("t{}", seq / 6),
        1 | 2 => "beta".to_owned(),
        _ => "acme".to_owned(),
    };
    let endpoint = seq % 50_000;
    let note = match seq % 500 {
        0 => "x".repeat(15_000),
        _ => String::new(),
    };
    format!(
        "{{\"tenant\":\"{tenant}\",\"endpoint\":\"https://crm.example/hook/{endpoint}\",\"status\":503,\"seq\":{seq},\"note\":\"{note}\"}}\n"
    )
}
