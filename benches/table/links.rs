//! What the standing links to gateways cost: beside one question of the `openclaw` command, and 256 of them.
//!
//! `LINK_COST_SECONDS` (120): how long each part is watched.

use std::process::Stdio;
use std::time::Duration;

use wait4::Wait4 as _;

use crate::Rounds;
use crate::harness::cost::{Beside, CORE_PERCENT_MAX, MIB_MAX, many_links};
use crate::harness::openclaw::{BOOT, Gateway};
use crate::rounds::Series;
use crate::rows::{Row, Target};

const HOUR: f64 = 3600.0;
/// Of CPU, for a tenant's link: once a minute it asks what the command answers as well.
const SECONDS_AN_HOUR_MAX: f64 = 2.0;
const ASKED_AN_HOUR: f64 = 60.0;

pub fn rows(_: Rounds) -> Vec<Row> {
    let seconds = std::env::var("LINK_COST_SECONDS").ok();
    let watched = Duration::from_secs(seconds.and_then(|text| text.parse().ok()).unwrap_or(120));
    let mut rows = to_a_real_gateway(watched);
    let links = many_links();
    let percent = links.beside.added_cpu(watched) * 100.0 / watched.as_secs_f64();
    let mib = links.beside.added_mib();
    rows.push(Row::alone(
        "256 links, CPU",
        "% of a core",
        &Series(vec![percent]),
        CORE_PERCENT_MAX,
    ));
    rows.push(Row::alone("256 links, memory", "MiB", &Series(vec![mib]), MIB_MAX));
    rows
}

fn to_a_real_gateway(watched: Duration) -> Vec<Row> {
    let state_dir = tempfile::Builder::new().prefix("readyd-openclaw-").tempdir().unwrap();
    let Some(mut gateway) = Gateway::new(state_dir.path()) else {
        return Vec::new();
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
    let hourly = beside.added_cpu(watched) * HOUR / watched.as_secs_f64();
    let mut command = gateway.command(&["health", "--json", "--timeout", "5000"]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let rusage = child.wait4().unwrap().rusage;
    let asked = (rusage.utime + rusage.stime).as_secs_f64() * ASKED_AN_HOUR;
    vec![Row::beside(
        "link to a real gateway, CPU a tenant and hour",
        "s",
        &Series(vec![hourly]),
        "`openclaw health` as often",
        &Series(vec![asked]),
        Target::RatioOrValueMax(0.0, SECONDS_AN_HOUR_MAX),
    )]
}
