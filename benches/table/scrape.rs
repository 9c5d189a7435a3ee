//! `/metrics`, as Prometheus asks for it.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::thread;

use crate::Rounds;
use crate::harness::{Node, PATIENCE};
use crate::load::answer_time;
use crate::nodes::{QUIET, tenants};
use crate::peers::node_exporter::NodeExporter;
use crate::rounds::{Series, quantile};
use crate::rows::{Row, Target};

const TENANTS: usize = 100;
const CHECKS: usize = 20;
/// A scrape is short: each round asks so often, and its median counts.
const SCRAPES: usize = 15;

pub fn rows(Rounds(rounds): Rounds) -> Vec<Row> {
    let Some(exporter) = NodeExporter::start() else {
        return Vec::new();
    };
    let node = node();
    let (mut ours, mut theirs) = (Series::default(), Series::default());
    for _ in 0..rounds {
        ours.push(scrape_ms(node.port));
        theirs.push(scrape_ms(exporter.port));
    }
    vec![Row::beside(
        "`/metrics`, 100 tenants × 20 checks",
        "ms",
        &ours,
        "node_exporter's",
        &theirs,
        Target::RatioMax(1.0),
    )]
}

pub fn scrape_ms(port: u16) -> f64 {
    let mut times: Vec<_> = (0..SCRAPES).map(|_| answer_time(port, "/metrics")).collect();
    quantile(&mut times, 0.5).as_secs_f64() * 1e3
}

/// Checks that connect to us once an hour, and nothing else for tenants.
fn node() -> Node {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || listener.incoming().for_each(drop));
    let mut probes = QUIET.strip_suffix("}\n").unwrap().to_owned();
    for name in [
        "fragments",
        "webhook-digest",
        "exposure",
        "token-rotation",
        "queue",
        "certificate",
        "stale-process",
    ] {
        write!(probes, ", {name}: {{enabled: false}}").unwrap();
    }
    for index in 0..CHECKS {
        write!(
            probes,
            ", p{index:02}: {{kind: tcp, address: '127.0.0.1:{port}', every: 1h, timeout: 5s}}"
        )
        .unwrap();
    }
    let node = Node::start(&format!("{}{probes}}}\n", tenants(TENANTS)));
    node.until("/v1/checks", PATIENCE, |answer| {
        let checks = answer.json();
        let checks = checks["checks"].as_array().unwrap();
        let of_tenants: Vec<_> = checks.iter().filter(|check| !check["tenant"].is_null()).collect();
        assert_eq!(of_tenants.len(), TENANTS * CHECKS);
        of_tenants.iter().all(|check| check["level"] == "ok")
    });
    node
}
