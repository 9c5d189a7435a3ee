//! Nodes as they are measured: any number of tenants whose checks are quiet.

use std::fmt::Write as _;

use crate::harness::{Node, signal};
use crate::machine::cores;

/// Nothing that starts a process, asks a gateway or writes to the disk on its own: those are not what is measured.
pub const QUIET: &str = "probes: {write: {enabled: false}, doctor: {enabled: false}, version-lock: {enabled: false}}\n";

/// `tenants:` with t000, t001 and so on.
pub fn tenants(count: usize) -> String {
    let mut text = "tenants:\n".to_owned();
    for index in 0..count {
        writeln!(text, "  {}: {{}}", tenant(index)).unwrap();
    }
    text
}

pub fn tenant(index: usize) -> String {
    format!("t{index:03}")
}

/// On the first core alone, so that the load generator on the other one takes nothing from it.
pub fn pinned(config: &str) -> Node {
    let mut node = Node::prepared(config);
    node.spawn_through(&server_core());
    node.wait_until_it_answers();
    node
}

/// What a server is started through.
pub fn server_core() -> Vec<&'static str> {
    if cores() > 1 {
        vec!["taskset", "-c", "0"]
    } else {
        Vec::new()
    }
}

/// What a load generator is started through.
pub fn load_core() -> Vec<&'static str> {
    if cores() > 1 {
        vec!["taskset", "-c", "1"]
    } else {
        Vec::new()
    }
}

/// `measure` with all of `others` stopped: they share its core.
pub fn alone<T>(node: &Node, others: &[&Node], measure: impl FnOnce() -> T) -> T {
    for other in others {
        signal(other.pid(), "STOP");
    }
    signal(node.pid(), "CONT");
    let measured = measure();
    for other in others {
        signal(other.pid(), "CONT");
    }
    measured
}
