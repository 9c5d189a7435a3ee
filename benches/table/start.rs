//! From being started to the first right answer, with all that a node keeps.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::Rounds;
use crate::harness::{Answer, Node, PATIENCE};
use crate::history;
use crate::nodes::{QUIET, tenants};
use crate::rounds::Series;
use crate::rows::Row;

const TENANTS: usize = 100;

pub fn rows(Rounds(rounds): Rounds) -> Vec<Row> {
    let kept = tempfile::tempdir().unwrap();
    history::write(kept.path(), TENANTS);
    let mut took = Series::default();
    for _ in 0..rounds {
        took.push(beyond_slowest_check_ms(kept.path(), TENANTS));
    }
    vec![Row::alone(
        "start → first right answer, 100 tenants, 90 days of history, beyond the slowest native check",
        "ms",
        &took,
        100.0,
    )]
}

/// Of a node that finds a copy of `kept` as its state.
pub fn beyond_slowest_check_ms(kept: &Path, tenant_count: usize) -> f64 {
    let mut node = Node::prepared(&format!("{}{QUIET}", tenants(tenant_count)));
    fs::create_dir(node.state_dir()).unwrap();
    let mut bytes = 0;
    for entry in fs::read_dir(kept).unwrap() {
        let entry = entry.unwrap();
        bytes += fs::copy(entry.path(), node.state_dir().join(entry.file_name())).unwrap();
    }
    // The copy itself is not to be waited for.
    rustix::fs::sync();
    let began = Instant::now();
    node.spawn();
    while node
        .try_get("/ready")
        .is_none_or(|answer| answer.json()["phase"] != "serving")
    {
        assert!(began.elapsed() < PATIENCE, "{}", node.log());
        std::thread::sleep(Duration::from_millis(1));
    }
    let took = began.elapsed().as_secs_f64() * 1e3;
    let slowest = slowest_ms(&node.get("/metrics"));
    eprintln!(
        "{} MiB of history: {took:.0} ms, its slowest native check {slowest:.0} ms",
        bytes >> 20
    );
    took - slowest
}

/// By probe, the mean of what its checks took: each has been asked once.
fn slowest_ms(metrics: &Answer) -> f64 {
    let value = |name: &str, probe: &str| -> Option<f64> {
        let name = format!("readyd_probe_duration_seconds_{name}{{probe=\"{probe}\"}} ");
        metrics
            .body
            .lines()
            .find_map(|line| line.strip_prefix(name.as_str()))?
            .parse()
            .ok()
    };
    let probes = metrics.body.lines().filter_map(|line| {
        let rest = line.strip_prefix("readyd_probe_duration_seconds_sum{probe=\"")?;
        Some(rest.split('"').next()?.to_owned())
    });
    let means = probes.filter_map(|probe| Some(value("sum", &probe)? / value("count", &probe)?.max(1.0)));
    means.fold(0.0, f64::max) * 1e3
}
