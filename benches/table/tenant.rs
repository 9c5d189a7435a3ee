//! What one tenant costs an hour with every probe on, real OpenClaw, beside a script that asks the same questions of the
//! command as often. CPU seconds: those of readyd's children and its own; each command is run once for the script's side.
//!
//! `TENANT_COST_SECONDS` (120): how long readyd's own share is watched after every check has answered.
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use wait4::Wait4 as _;

use crate::Rounds;
use crate::harness::cost::cpu_seconds;
use crate::harness::openclaw::{BOOT, Gateway};
use crate::harness::{Answer, Node};
use crate::rounds::Series;
use crate::rows::{Row, Target};

/// Target: at most half of what the script costs.
const SHARE_MAX: f64 = 0.5;
const HOUR: f64 = 3600.0;
/// Every check once, on a busy machine.
const FIRST_ROUND: Duration = Duration::from_secs(400);

/// What readyd asks and how the script would, as often: the probe, its period in seconds, the arguments.
const QUESTIONS: [(&str, f64, &[&str]); 8] = [
    ("doctor", 300.0, &["doctor", "--json"]),
    ("gateway-link", 60.0, &["health", "--json", "--timeout", "5000"]),
    ("config", 600.0, &["config", "validate", "--json"]),
    ("secrets", 600.0, &["secrets", "audit", "--check", "--json"]),
    ("security", 3600.0, &["security", "audit", "--deep", "--json"]),
    ("version-lock", 300.0, &["--version"]),
    ("exposure", 300.0, &["gateway", "status", "--json", "--require-rpc"]),
    ("cost", 1800.0, &["cron", "list", "--json"]),
];

pub fn rows(_: Rounds) -> Vec<Row> {
    let seconds = std::env::var("TENANT_COST_SECONDS").ok();
    let watched = Duration::from_secs(seconds.and_then(|text| text.parse().ok()).unwrap_or(120));
    let state_dir = tempfile::Builder::new().prefix("readyd-openclaw-").tempdir().unwrap();
    let Some(mut gateway) = Gateway::new(state_dir.path()) else {
        return Vec::new();
    };
    gateway.start();
    gateway.wait_until_it_is_ready();
    let node = Node::start(&format!(
        "exec: {{heavy: 1, path: [{path}]}}\n\
         openclaw: {{dialect: openclaw}}\n\
         tenants:\n  acme: {{state_dir: {state}, port: {port}, token_file: {token}}}\n\
         probes: {{config: {{enabled: true}}, secrets: {{enabled: true}}, security: {{enabled: true}}, cost: {{enabled: true}}}}\n",
        path = gateway.path().replace(':', ", "),
        state = gateway.state_dir.display(),
        token = gateway.token_file().display(),
        port = gateway.port,
    ));
    node.until_status("ok", BOOT + FIRST_ROUND);
    let (metrics, _) = node.until("/metrics", FIRST_ROUND, |answer| {
        ["doctor", "config", "secrets", "security"]
            .iter()
            .all(|probe| spent(answer, probe) > 0.0)
    });
    // From here on the first round is over: what readyd takes for itself, and for what it asks natively.
    let before = cpu_seconds(&node);
    sleep(watched);
    let own = (cpu_seconds(&node) - before) * HOUR / watched.as_secs_f64();

    eprintln!(
        "{:<13} {:>8} {:>14} {:>14}",
        "CPU s an hour", "every s", "by the script", "by readyd"
    );
    let (mut script, mut ours) = (0.0, own);
    for (probe, every, arguments) in QUESTIONS {
        let once = cpu_of(&gateway, arguments);
        let (by_script, by_readyd) = (
            once * HOUR / every,
            spent(&metrics, probe) * HOUR / period(&node, probe),
        );
        eprintln!("{probe:<13} {every:>8.0} {by_script:>14.1} {by_readyd:>14.1}");
        script += by_script;
        ours += by_readyd;
    }
    eprintln!("{:<13} {:>8} {:>14} {own:>14.1}", "readyd itself", "", "");
    eprintln!("{:<13} {:>8} {script:>14.1} {ours:>14.1}", "all", "");
    vec![Row::beside(
        "every probe, CPU a tenant and hour",
        "s",
        &Series(vec![ours]),
        "a script that asks as often",
        &Series(vec![script]),
        Target::RatioMax(SHARE_MAX),
    )]
}

/// CPU seconds of a probe's runs so far; each has run once when this is read.
fn spent(metrics: &Answer, probe: &str) -> f64 {
    let name = format!("readyd_probe_cpu_seconds_total{{probe=\"{probe}\"}} ");
    let line = metrics.body.lines().find_map(|line| line.strip_prefix(name.as_str()));
    line.and_then(|value| value.parse().ok()).unwrap_or(0.0)
}

/// How often readyd asks it, in seconds.
fn period(node: &Node, probe: &str) -> f64 {
    let shown = node.cli_ok(&["--json", "probe", "show", probe]);
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let every = shown["every"].as_str().unwrap();
    readyd::config::units::duration(every).unwrap().as_secs_f64()
}

/// User and system CPU seconds of `openclaw ARGUMENTS`, once.
fn cpu_of(gateway: &Gateway, arguments: &[&str]) -> f64 {
    let mut command = gateway.command(arguments);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let rusage = child.wait4().unwrap().rusage;
    (rusage.utime + rusage.stime).as_secs_f64()
}
