//! `make soak`: a real node under load, with probes that misbehave and a trouble every few seconds, for `SOAK_MINUTES` (30; a
//! fraction in the suite). What it holds (memory, descriptors, threads, children) must be flat, what it says right throughout,
//! and every event that it acknowledged counted once in the end, after a kill.
//!
//! The table is printed, and written to `target/soak.md`. Linux: what it holds is read in `/proc`.
#![allow(clippy::disallowed_methods, reason = "starts real daemons and reads the clock")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on should stop"
)]
#![allow(clippy::cast_precision_loss, reason = "counts and bytes of a soak are below 2^53")]

#[path = "../harness/mod.rs"]
mod harness;

mod load;
mod site;
mod troubles;
mod verdict;
mod watch;

use std::fs;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use libtest_mimic::{Arguments, Failed, Trial};

use site::Site;

/// In the suite: enough for one round of troubles.
const MINUTES_IN_THE_SUITE: f64 = 0.6;

fn main() -> ExitCode {
    let minutes = std::env::var("SOAK_MINUTES").ok().and_then(|text| text.parse().ok());
    let length = Duration::from_secs_f64(60.0 * minutes.unwrap_or(MINUTES_IN_THE_SUITE));
    let trial = Trial::test("a_node_under_load_and_trouble_stays_as_it_is", move || soak(length));
    libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit_code()
}

fn soak(length: Duration) -> Result<(), Failed> {
    let mut site = Site::new();
    let stop = Arc::new(AtomicBool::new(false));
    let load = load::begin(&site, &stop);
    let began = Instant::now();
    let mut troubles = troubles::Troubles::new(length);
    let mut samples = Vec::new();
    while began.elapsed() < length {
        samples.push(watch::sample(&site.node));
        troubles.at(began.elapsed(), &mut site);
        let next = Duration::from_secs(samples.len() as u64);
        std::thread::sleep(next.saturating_sub(began.elapsed()));
    }
    troubles.over(&mut site);
    stop.store(true, Ordering::SeqCst);
    let done = load.end();
    let rest = watch::at_rest(&site.node);
    let counted = site.counted_after_a_kill();

    let lines = verdict::judge(&samples, &rest, &done, &counted);
    let table = verdict::table(length, troubles.done(), &lines);
    println!("{table}");
    fs::write(harness::repository().join("target/soak.md"), &table).unwrap();
    let broken: Vec<&str> = lines.iter().filter(|line| !line.holds).map(|line| line.what).collect();
    if broken.is_empty() {
        Ok(())
    } else {
        let log = site.node.log();
        Err(format!("not flat or not right: {}\n{log}", broken.join(", ")).into())
    }
}
