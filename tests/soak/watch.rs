//! What the node holds, and what it says, once a second.

use std::fs;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::harness::cost::rss_mib;
use crate::harness::{Node, pause};
use crate::load::STOPPED;

/// Probes that hang are ended after their timeout (3 s), links and streams sooner.
const REST_WITHIN: Duration = Duration::from_secs(40);

#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub rss_mib: f64,
    pub descriptors: usize,
    pub threads: usize,
    /// Processes that it started and that are still there, theirs included.
    pub children: usize,
    /// Dead ones that it has not reaped.
    pub zombies: usize,
    pub store_mib: f64,
    /// `None` while it was stopped.
    pub verdicts: Option<Verdicts>,
}

/// What was said of tenants whose answer is known.
#[derive(Clone, Copy, Debug)]
pub struct Verdicts {
    /// Of the tenant whose probe is critical.
    pub broken_is_ok: bool,
    /// Of the tenant that nothing is wrong with, by a check of its own.
    pub quiet_is_down: bool,
}

/// In the end, without load.
#[derive(Clone, Copy, Debug)]
pub struct Rest {
    pub descriptors: usize,
    pub children: usize,
    pub zombies: usize,
    /// How long until nothing was left of what it had started under load.
    pub after: Duration,
}

pub fn sample(node: &Node) -> Sample {
    let pid = node.pid();
    let (children, zombies) = descendants(pid);
    Sample {
        rss_mib: rss_mib(pid),
        descriptors: entries(pid, "fd"),
        threads: entries(pid, "task"),
        children,
        zombies,
        store_mib: bytes_below(&node.state_dir()) / 1_048_576.0,
        verdicts: verdicts(node),
    }
}

/// Waits until no child is left that has been there for long; regular probes come and go.
pub fn at_rest(node: &Node) -> Rest {
    let began = Instant::now();
    loop {
        let (children, zombies) = descendants(node.pid());
        let after = began.elapsed();
        if (children == 0 && zombies == 0) || after > REST_WITHIN {
            let descriptors = entries(node.pid(), "fd");
            return Rest {
                descriptors,
                children,
                zombies,
                after,
            };
        }
        pause();
    }
}

fn verdicts(node: &Node) -> Option<Verdicts> {
    if STOPPED.load(Ordering::SeqCst) {
        return None;
    }
    let status = node.try_get("/v1/status")?.json();
    let checks = node.try_get("/v1/checks/known/quiet")?.json();
    Some(Verdicts {
        broken_is_ok: status["tenants"]["broken"] == "ok",
        quiet_is_down: checks["level"] == "down",
    })
}

fn entries(pid: u32, of: &str) -> usize {
    fs::read_dir(format!("/proc/{pid}/{of}")).map_or(0, Iterator::count)
}

/// Processes below `pid`, and how many of its own are zombies.
fn descendants(pid: u32) -> (usize, usize) {
    let all: Vec<(u32, u32, String)> = fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| process(&entry))
        .collect();
    let mut below = vec![pid];
    let mut next = 0;
    let mut zombies = 0;
    while let Some(parent) = below.get(next).copied() {
        next += 1;
        for (child, _, state) in all.iter().filter(|(_, of, _)| *of == parent) {
            zombies += usize::from(state == "Z");
            below.push(*child);
        }
    }
    (below.len() - 1, zombies)
}

/// Its number, its parent's and its state.
fn process(entry: &fs::DirEntry) -> Option<(u32, u32, String)> {
    let pid = entry.file_name().to_str()?.parse().ok()?;
    let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?.to_owned();
    Some((pid, fields.next()?.parse().ok()?, state))
}

fn bytes_below(dir: &std::path::Path) -> f64 {
    let files = fs::read_dir(dir).into_iter().flatten().flatten();
    let files = files.filter(|entry| entry.file_name() != "filler");
    files
        .filter_map(|entry| entry.metadata().ok())
        .map(|file| file.len() as f64)
        .sum()
}
