//! What the gateway link costs: CPU beside one question of the `openclaw` command, and what 256 links add to readyd.
//!
//! `LINK_COST_SECONDS` (300): how long each part is watched. Linux: the figures are those of `/proc`.
#![allow(clippy::disallowed_methods, reason = "starts processes and reads the clock")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a measurement that cannot go on should stop"
)]

#[path = "../tests/harness/mod.rs"]
mod harness;

use std::process::Stdio;
use std::time::{Duration, Instant};

use harness::cost::{Beside, CORE_PERCENT_MAX, LINKS, MIB_MAX, many_links};
use harness::openclaw::{BOOT, Gateway};
use wait4::Wait4;

/// Target: what the link may cost.
const CPU_SECONDS_PER_HOUR_MAX: f64 = 2.0;

fn main() {
    let seconds = std::env::var("LINK_COST_SECONDS").ok();
    let watched = Duration::from_secs(seconds.and_then(|text| text.parse().ok()).unwrap_or(300));
    one_link_to_a_real_gateway(watched);
    links_to_the_most_tenants(watched);
}

fn one_link_to_a_real_gateway(watched: Duration) {
    let state_dir = tempfile::Builder::new().prefix("readyd-openclaw-").tempdir().unwrap();
    let Some(mut gateway) = Gateway::new(state_dir.path()) else {
        return;
    };
    gateway.start();
    let tenants = format!(
        "tenants: {{acme: {{port: {}, token_file: {}}}}}\n",
        gateway.port,
        gateway.token_file().display()
    );
    let beside = Beside::of(&tenants);
    beside.with.until("/v1/checks/gateway-link/acme", BOOT, |answer| {
        answer.json()["level"] == "ok"
    });
    let cpu = beside.added_cpu(watched);
    let hourly = cpu * 3600.0 / watched.as_secs_f64();
    println!(
        "link to a real gateway: {hourly:.2} CPU s per tenant-hour ({cpu:.2} s in {} s; target < {CPU_SECONDS_PER_HOUR_MAX})",
        watched.as_secs()
    );
    let began = Instant::now();
    let mut command = gateway.command(&["health", "--json", "--timeout", "5000"]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let ended = child.wait4().unwrap();
    println!(
        "openclaw health --json, once: {:.2} CPU s, {:.1} s ({})",
        (ended.rusage.utime + ended.rusage.stime).as_secs_f64(),
        began.elapsed().as_secs_f64(),
        ended.status
    );
}

fn links_to_the_most_tenants(watched: Duration) {
    let links = many_links();
    let beside = &links.beside;
    let percent = beside.added_cpu(watched) * 100.0 / watched.as_secs_f64();
    println!("{LINKS} links: {percent:.2} % of a core more (target < {CORE_PERCENT_MAX})");
    println!("{LINKS} links: {:.1} MiB more (target < {MIB_MAX})", beside.added_mib());
}
