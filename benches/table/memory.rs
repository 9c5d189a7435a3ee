//! Resident memory.

use std::time::Duration;

use crate::Rounds;
use crate::harness::Node;
use crate::harness::cost::rss_mib;
use crate::load::answer_time;
use crate::nodes::{QUIET, tenants};
use crate::peers::node_exporter::NodeExporter;
use crate::producer::{Lines, send_all};
use crate::rounds::Series;
use crate::rows::{Row, Target};

const TENANTS: usize = 100;
const ENDPOINTS: usize = 500;
/// Each endpoint a few times.
const EVENTS: usize = TENANTS * ENDPOINTS * 4;
/// Longer than a slot of the digest: what it writes over is written.
const SETTLED: Duration = Duration::from_secs(15);

pub fn rows(Rounds(rounds): Rounds) -> Vec<Row> {
    let (mut one, mut many, mut exporter) = (Series::default(), Series::default(), Series::default());
    // What memory comes to hardly differs from start to start.
    for round in 0..rounds.min(3) {
        let node = Node::start(&format!("{}{QUIET}", tenants(1)));
        let large = Node::start(&format!("{}{QUIET}", tenants(TENANTS)));
        send_all(
            &large,
            &format!("memory-{round}"),
            &Lines::new(EVENTS, TENANTS, TENANTS * ENDPOINTS),
        );
        let peer = NodeExporter::start();
        std::thread::sleep(SETTLED);
        for port in [Some(node.port), Some(large.port), peer.as_ref().map(|peer| peer.port)]
            .into_iter()
            .flatten()
        {
            answer_time(port, "/metrics");
        }
        one.push(rss_mib(node.pid()));
        many.push(rss_mib(large.pid()));
        exporter.push(peer.map_or(f64::NAN, |peer| rss_mib(peer.pid())));
    }
    vec![
        Row::beside(
            "resident memory, one tenant",
            "MiB",
            &one,
            // `goss serve` is in no registry that the bench installs from.
            "node_exporter's (for want of `goss serve`)",
            &exporter,
            Target::RatioMax(1.0),
        ),
        Row::alone("resident memory, 100 tenants × 500 endpoints", "MiB", &many, 64.0),
    ]
}
