//! A load balancer that polls while something is done to a node, and what the node spends meanwhile.

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

use crate::harness::{Answer, Node, PATIENCE, pause};

/// What a load balancer waits for an answer: none may take longer, on a machine that runs all rows at once.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(2);

/// The slowest answers of a row, by name of its rounds.
#[derive(Debug, Default)]
pub struct Slowest(Option<(Duration, String)>);

impl Slowest {
    pub fn note(&mut self, took: Duration, round: &str) {
        if self.0.as_ref().is_none_or(|(slowest, _)| *slowest < took) {
            self.0 = Some((took, round.to_owned()));
        }
    }

    /// `slowest answer 12 ms (in: a day back)`.
    pub fn told(&self) -> String {
        match &self.0 {
            Some((took, round)) => format!("slowest /ready {} ms (in: {round})", took.as_millis()),
            None => "no answer".to_owned(),
        }
    }
}

/// Tells the poller to end, also when the work panics.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Does `work` while a load balancer asks `/ready`, each time on a connection of its own; the slowest answer.
///
/// Every question must be answered within [`ANSWER_WITHIN`], with what `holds`.
pub fn while_polled<T>(node: &Node, holds: impl Fn(&Answer) -> bool + Sync, work: impl FnOnce() -> T) -> (T, Duration) {
    while_asked(&|| node.try_get("/ready"), node, holds, work)
}

/// As [`while_polled`], for a load balancer that asks in a way of its own.
pub fn while_asked<T>(
    ask: &(dyn Fn() -> Option<Answer> + Sync),
    node: &Node,
    holds: impl Fn(&Answer) -> bool + Sync,
    work: impl FnOnce() -> T,
) -> (T, Duration) {
    let stop = AtomicBool::new(false);
    let (done, (slowest, answers)) = std::thread::scope(|scope| {
        let polling = scope.spawn(|| poll(ask, node, &holds, &stop));
        let done = {
            let _stop = Stop(&stop);
            work()
        };
        (
            done,
            polling.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
        )
    });
    assert!(answers > 0, "nothing was asked");
    assert!(
        slowest < ANSWER_WITHIN,
        "the slowest of {answers} answers took {slowest:?}"
    );
    (done, slowest)
}

fn poll(
    ask: &(dyn Fn() -> Option<Answer> + Sync),
    node: &Node,
    holds: &(impl Fn(&Answer) -> bool + Sync),
    stop: &AtomicBool,
) -> (Duration, u64) {
    let (mut slowest, mut answers) = (Duration::ZERO, 0);
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        let answer = ask();
        slowest = slowest.max(began.elapsed());
        let Some(answer) = answer else {
            panic!("no answer to GET /ready after {:?}\n{}", began.elapsed(), node.log());
        };
        assert!(holds(&answer), "/ready: {answer:?}\n{}", node.log());
        answers += 1;
        pause();
    }
    (slowest, answers)
}

/// The node takes traffic: for those whose fault is not the node's.
pub fn serves(answer: &Answer) -> bool {
    answer.status == 200 && answer.json()["phase"] == "serving"
}

pub fn is_ok(answer: &Answer) -> bool {
    serves(answer) && answer.json()["status"] == "ok"
}

/// Of any process: how many descriptors are open.
pub fn descriptors(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count)
}

/// Waits until no more than so many descriptors are open again.
pub fn until_descriptors(node: &Node, most: usize) {
    let began = Instant::now();
    while descriptors(node.pid()) > most {
        let open = descriptors(node.pid());
        assert!(began.elapsed() < PATIENCE, "{open} descriptors are open, not {most}");
        pause();
    }
}

/// No thread of it has panicked so far, as far as its log tells.
pub fn has_not_panicked(node: &Node) {
    let log = fs::read_to_string(node.log_path()).unwrap_or_default();
    let line = log.lines().find(|line| line.contains("panicked at"));
    assert_eq!(line, None, "\n{}", node.log());
}

/// Without waiting where the backlog is full: a UNIX socket would let us wait until somebody goes.
pub fn knock_unix(path: &Path) -> Option<UnixStream> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap();
    connect(&socket, &SocketAddrUnix::new(path).unwrap()).ok()?;
    Some(UnixStream::from(socket))
}
