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

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use harness::gateway::{Gateway as Scripted, Script};
use harness::openclaw::{BOOT, Gateway};
use harness::{Node, PATIENCE};
use wait4::Wait4;

/// Targets: what the link may cost.
const CPU_SECONDS_PER_HOUR_MAX: f64 = 2.0;
const LINKS: usize = 256;
const MIB_MAX: f64 = 32.0;
const CORE_PERCENT_MAX: f64 = 3.0;
/// Of one tick in `/proc/PID/stat`, on every Linux.
const TICK_SECONDS: f64 = 0.01;
/// Nothing but the link, so that the difference is its own.
const QUIET: &str = "probes: {gateway: {enabled: false}, doctor: {enabled: false}, write: {enabled: false}}\n";
const WITHOUT: &str = "probes: {gateway: {enabled: false}, doctor: {enabled: false}, write: {enabled: false}, gateway-link: {enabled: false}}\n";

fn main() {
    let seconds = std::env::var("LINK_COST_SECONDS").ok();
    let watched = Duration::from_secs(seconds.and_then(|text| text.parse().ok()).unwrap_or(300));
    one_link_to_a_real_gateway(watched);
    many_links(watched);
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
    let (with, without) = (
        Node::start(&format!("{tenants}{QUIET}")),
        Node::start(&format!("{tenants}{WITHOUT}")),
    );
    with.until("/v1/checks/gateway-link/acme", BOOT, |answer| {
        answer.json()["level"] == "ok"
    });
    let cpu = added_cpu(&with, &without, watched);
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

fn many_links(watched: Duration) {
    let gateway = Scripted::start(Script::recorded());
    let directory = tempfile::tempdir().unwrap();
    let token_file = directory.path().join("token.current");
    fs::write(&token_file, "token-of-the-bench").unwrap();
    fs::set_permissions(&token_file, fs::Permissions::from_mode(0o600)).unwrap();
    let mut tenants = "tenants:\n".to_owned();
    for index in 0..LINKS {
        let (port, token_file) = (gateway.port, token_file.display());
        writeln!(tenants, "  t{index}: {{port: {port}, token_file: {token_file}}}").unwrap();
    }
    let (with, without) = (
        Node::start(&format!("{tenants}{QUIET}")),
        Node::start(&format!("{tenants}{WITHOUT}")),
    );
    with.until("/v1/status", PATIENCE, |answer| {
        let links = answer.json()["links"].as_object().map_or(0, |links| {
            links.values().filter(|link| link["connected"] == true).count()
        });
        links == LINKS
    });
    let cpu = added_cpu(&with, &without, watched);
    let percent = cpu * 100.0 / watched.as_secs_f64();
    println!("{LINKS} links: {percent:.2} % of a core more (target < {CORE_PERCENT_MAX})");
    let mib = rss_mib(&with) - rss_mib(&without);
    println!("{LINKS} links: {mib:.1} MiB more (target < {MIB_MAX})");
}

/// CPU seconds that one took more than the other.
fn added_cpu(with: &Node, without: &Node, watched: Duration) -> f64 {
    let before = cpu_seconds(with) - cpu_seconds(without);
    sleep(watched);
    cpu_seconds(with) - cpu_seconds(without) - before
}

/// Of the user and of the system.
fn cpu_seconds(node: &Node) -> f64 {
    let stat = read(node, "stat");
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks = fields.split_whitespace().skip(11).take(2);
    ticks.map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() * TICK_SECONDS
}

fn rss_mib(node: &Node) -> f64 {
    let status = read(node, "status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}

fn read(node: &Node, file: &str) -> String {
    fs::read_to_string(Path::new("/proc").join(node.pid().to_string()).join(file)).unwrap()
}
