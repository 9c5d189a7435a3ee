//! The fault matrix: what can break under, beside and inside a node, done to a real one, and how often it kept its promises.
//!
//! `make faults` runs it whole (`FAULTS=full`) and writes the table to `target/faults.md`; `cargo test` runs each row with
//! a few rounds. `cargo test --test faults -- torn` runs the rows whose name has `torn`.
//!
//! A row is done when every round was survived: no acknowledged event lost or counted twice, no wrong `ok`, no wrong
//! `down`, no end that nobody asked for, and all of it healed when the fault is over.
#![allow(clippy::disallowed_methods, reason = "starts real daemons and reads the clock")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on should stop"
)]

#[path = "../harness/mod.rs"]
mod harness;

mod asleep;
mod calls;
mod cgroup;
mod clock_steps;
mod cut;
mod descriptors;
mod injector;
mod kill;
mod lanes;
mod memory;
mod names;
mod namespace;
mod polled;
mod sender;
mod slow;
mod smuggling;
mod state_dir;
mod tally;
mod tasks;
mod torn;
mod two_daemons;
mod versions;

use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use libtest_mimic::{Arguments, Trial};

use tally::{Done, Fault, Scale};

/// A module a family of faults; the table has its rows in this order.
const FAMILIES: &[&[Fault]] = &[
    kill::FAULTS,
    calls::FAULTS,
    torn::FAULTS,
    state_dir::FAULTS,
    two_daemons::FAULTS,
    versions::FAULTS,
    clock_steps::FAULTS,
    asleep::FAULTS,
    descriptors::FAULTS,
    memory::FAULTS,
    tasks::FAULTS,
    names::FAULTS,
    cut::FAULTS,
    slow::FAULTS,
    smuggling::FAULTS,
];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    let threads = std::env::var("RUST_TEST_THREADS")
        .ok()
        .and_then(|text| text.parse().ok());
    arguments.test_threads = arguments.test_threads.or(threads);
    let scale = Scale::wanted();
    let done = Arc::new(Mutex::new(Vec::new()));
    let faults = FAMILIES.iter().copied().flatten().enumerate();
    let trials = faults
        .map(|(place, fault)| {
            let done = Arc::clone(&done);
            Trial::test(fault.name, move || {
                let tally = (fault.run)(scale);
                let ended = tally.judged();
                done.lock().unwrap().push((place, Done { fault, tally }));
                ended.map_err(Into::into)
            })
        })
        .collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    let mut done = std::mem::take(&mut *done.lock().unwrap());
    done.sort_by_key(|(place, _)| *place);
    let done: Vec<Done> = done.into_iter().map(|(_, done)| done).collect();
    if !done.is_empty() {
        tally::print(&done, scale);
    }
    conclusion.exit_code()
}
