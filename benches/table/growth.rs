//! How figures grow from one tenant to as many as a node has. For the eye: flat or near linear is what it should be.

use std::thread::sleep;
use std::time::Duration;

use crate::Rounds;
use crate::harness::PATIENCE;
use crate::harness::cost::{cpu_seconds, rss_mib};
use crate::history;
use crate::load::{answer_times, requests_per_second};
use crate::nodes::{QUIET, pinned, tenants};
use crate::producer::{Lines, send_all};
use crate::rounds::{Series, quantile};
use crate::scrape::scrape_ms;
use crate::start::beyond_slowest_check_ms;

pub const TENANTS: [usize; 4] = [1, 16, 64, 256];
const EVENTS: usize = 500_000;
const ENDPOINTS_A_TENANT: usize = 4;
const WATCHED: Duration = Duration::from_secs(5);
/// These are no targets: three say enough.
const ROUNDS_MAX: usize = 3;

#[derive(Clone, Debug)]
pub struct Line {
    pub what: &'static str,
    pub unit: &'static str,
    /// For each of [`TENANTS`].
    pub by_tenants: Vec<f64>,
}

const FIGURES: [(&str, &str); 8] = [
    ("`/ready`", "req/s"),
    ("`/ready` p99 at rest", "ms"),
    ("`/metrics`", "ms"),
    ("ingest", "M/s"),
    ("ingest CPU a million events", "s"),
    ("CPU at rest", "% of a core"),
    ("resident memory", "MiB"),
    ("start with 90 days of history, beyond the slowest native check", "ms"),
];

pub fn lines(Rounds(rounds): Rounds) -> Vec<Line> {
    let by_tenants: Vec<[f64; FIGURES.len()]> = TENANTS.into_iter().map(|count| figures(count, rounds)).collect();
    let line = |(index, (what, unit)): (usize, (&'static str, &'static str))| Line {
        what,
        unit,
        by_tenants: by_tenants.iter().map(|figures| figures[index]).collect(),
    };
    FIGURES.into_iter().enumerate().map(line).collect()
}

fn figures(count: usize, rounds: usize) -> [f64; FIGURES.len()] {
    eprintln!("measuring: growth, {count} tenants");
    let kept = tempfile::tempdir().unwrap();
    history::write(kept.path(), count);
    let node = pinned(&format!("{}{QUIET}", tenants(count)));
    node.until("/ready", PATIENCE, |answer| answer.status == 200);
    let memory = rss_mib(node.pid());
    let lines = Lines::new(EVENTS, count, count * ENDPOINTS_A_TENANT);
    let mut series: [Series; FIGURES.len()] = Default::default();
    for round in 0..rounds.min(ROUNDS_MAX) {
        let before = cpu_seconds(&node);
        sleep(WATCHED);
        let idle = (cpu_seconds(&node) - before) * 100.0 / WATCHED.as_secs_f64();
        let per_second = requests_per_second(node.port, "/ready").unwrap_or(f64::NAN);
        let p99 = quantile(&mut answer_times(node.port, "/ready", Duration::from_secs(2)), 0.99);
        let scrape = scrape_ms(node.port);
        let before = cpu_seconds(&node);
        let seconds = send_all(&node, &format!("growth-{round}"), &lines);
        let cpu = cpu_seconds(&node) - before;
        let start = beyond_slowest_check_ms(kept.path(), count);
        let figures = [
            per_second,
            p99.as_secs_f64() * 1e3,
            scrape,
            EVENTS as f64 / seconds / 1e6,
            cpu * 1e6 / EVENTS as f64,
            idle,
            memory,
            start,
        ];
        for (series, figure) in series.iter_mut().zip(figures) {
            series.push(figure);
        }
    }
    series.map(|series| series.median())
}
