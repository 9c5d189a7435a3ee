//! Events: acknowledged, durable, counted exactly once; beside parsing them, and beside what else one could send them to.

use std::fs::File;
use std::io::Write as _;
use std::thread;
use std::time::{Duration, Instant};

use crate::Rounds;
use crate::harness::cost::cpu_seconds;
use crate::harness::{Node, PATIENCE};
use crate::nodes::{QUIET, tenants};
use crate::parse;
use crate::peers::{collectd, redis, rsyslog, sqlite};
use crate::producer::{Lines, send_all, send_paced};
use crate::rounds::{Series, quantile};
use crate::rows::{Row, Target};

const EVENTS: usize = 1_000_000;
const ENDPOINTS: usize = 1_000;
const MANY_ENDPOINTS: usize = 50_000;
const CONNECTIONS: usize = 4;
/// Peers are slower; their rounds are shorter.
const PEER_EVENTS: usize = 200_000;
/// Of what one connection gets through, where acknowledgements are timed.
const LOAD: f64 = 0.4;
const PACED_FOR: f64 = 2.0;
const SYNCS: usize = 500;

pub fn rows(rounds: Rounds) -> Vec<Row> {
    let mut measured = Measured::default();
    let lines = Lines::new(EVENTS, 1, ENDPOINTS);
    let many = Lines::new(EVENTS, 1, MANY_ENDPOINTS);
    let part = Lines::new(EVENTS / CONNECTIONS, 1, ENDPOINTS);
    let for_peers = Lines::new(PEER_EVENTS, 1, ENDPOINTS);
    let node = Node::start(&format!("{}{QUIET}", tenants(1)));
    let node_of_many = Node::start(&format!("{}{QUIET}", tenants(1)));
    let mut peers = Peers::start(&for_peers);
    for round in 0..rounds.0 {
        measured.parse(&lines);
        measured.ours(&node, &node_of_many, round, [&lines, &many, &part]);
        peers.round();
    }
    let mut expected = rounds.0 * (2 * EVENTS);
    for round in 0..rounds.0 {
        let pace = measured.one.median() * LOAD;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count of lines"
        )]
        let count = (pace * PACED_FOR) as usize;
        expected += count;
        let lines = Lines::new(count, 1, ENDPOINTS);
        measured.acknowledgements(&node, &format!("paced-{round}"), &lines, pace);
    }
    // Published once a second.
    node.until("/metrics", PATIENCE, |answer| counted(&answer.body) == Some(expected));
    eprintln!("{expected} events sent, {expected} counted");
    let mut rows = measured.rows();
    rows.extend(peers.rows(&measured.one));
    rows
}

#[derive(Debug, Default)]
struct Measured {
    /// Lines a second, by each crate.
    parsed: [Series; 3],
    /// CPU seconds a million lines.
    parse_cpu: [Series; 3],
    one: Series,
    cpu: Series,
    many_endpoints: Series,
    many_connections: Series,
    ack_p50: Series,
    ack_p99: Series,
    sync_p50: Series,
    sync_p99: Series,
}

impl Measured {
    fn parse(&mut self, lines: &Lines) {
        for (index, took) in parse::took(&lines.bytes).into_iter().enumerate() {
            self.parsed[index].push(lines.count as f64 / took.seconds);
            self.parse_cpu[index].push(took.cpu_seconds * 1e6 / lines.count as f64);
        }
    }

    fn ours(&mut self, node: &Node, node_of_many: &Node, round: usize, [lines, many, part]: [&Lines; 3]) {
        let before = cpu_seconds(node);
        self.one
            .push(EVENTS as f64 / send_all(node, &format!("one-{round}"), lines));
        self.cpu.push((cpu_seconds(node) - before) * 1e6 / EVENTS as f64);
        self.many_endpoints
            .push(EVENTS as f64 / send_all(node_of_many, &format!("many-{round}"), many));
        let began = Instant::now();
        thread::scope(|scope| {
            for connection in 0..CONNECTIONS {
                scope.spawn(move || send_all(node, &format!("part-{round}-{connection}"), part));
            }
        });
        self.many_connections
            .push(EVENTS as f64 / began.elapsed().as_secs_f64());
    }

    fn acknowledgements(&mut self, node: &Node, producer: &str, lines: &Lines, pace: f64) {
        let mut synced = syncs(node);
        let mut took = send_paced(node, producer, lines, pace);
        self.ack_p50.push(quantile(&mut took, 0.5).as_secs_f64() * 1e3);
        self.ack_p99.push(quantile(&mut took, 0.99).as_secs_f64() * 1e3);
        self.sync_p50.push(quantile(&mut synced, 0.5).as_secs_f64() * 1e3);
        self.sync_p99.push(quantile(&mut synced, 0.99).as_secs_f64() * 1e3);
    }

    fn rows(&self) -> Vec<Row> {
        let speed = |index: &usize| self.parsed[*index].median();
        for index in 0..parse::CRATES.len() {
            eprintln!("{}: {:.2} M lines/s", parse::CRATES[index], speed(&index) / 1e6);
        }
        let fastest = (0..parse::CRATES.len())
            .max_by(|one, other| speed(one).total_cmp(&speed(other)))
            .unwrap();
        let parsing = format!("parsing alone, {}", parse::CRATES[fastest]);
        let (parse_cpu, fastest) = (&self.parse_cpu[fastest], &self.parsed[fastest]);
        let row = |what: &str, ours: &Series, least: f64| {
            Row::beside(
                what,
                "M/s",
                &millions(ours),
                &parsing,
                &millions(fastest),
                Target::RatioMin(least),
            )
        };
        vec![
            row("ingest, durable, exactly once", &self.one, 1.2),
            row("ingest, 50 000 endpoints", &self.many_endpoints, 0.6),
            row("ingest, 4 connections", &self.many_connections, 2.0),
            Row::beside(
                "ingest CPU a million events",
                "s",
                &self.cpu,
                &parsing,
                parse_cpu,
                Target::RatioMax(1.0),
            ),
            Row::beside(
                "acknowledgement p50 at 40 % load",
                "ms",
                &self.ack_p50,
                "fdatasync of this disk, p50",
                &self.sync_p50,
                Target::RatioMax(10.0),
            ),
            Row::beside(
                "acknowledgement p99 at 40 % load",
                "ms",
                &self.ack_p99,
                "fdatasync of this disk, p99",
                &self.sync_p99,
                Target::RatioOrValueMax(10.0, 10.0),
            ),
        ]
    }
}

/// What else one could send events to: each with its series, its name and the target.
struct Peers {
    measured: Vec<(&'static str, f64, Peer, Series)>,
}

type Peer = Box<dyn FnMut() -> f64>;

impl Peers {
    /// Those that are here.
    fn start(lines: &Lines) -> Peers {
        let all: [(&str, f64, Option<Peer>); 4] = [
            ("SQLite, a row an event, commits of 64", 5.0, Some(sqlite::peer(lines))),
            ("Redis `HINCRBY` pipelined by 64", 2.0, redis::peer(lines)),
            ("rsyslog `imptcp` → file", 3.0, rsyslog::peer(lines)),
            ("collectd unixsock", 15.0, collectd::peer(lines)),
        ];
        let here = all
            .into_iter()
            .filter_map(|(name, least, peer)| Some((name, least, peer?, Series::default())));
        Peers {
            measured: here.collect(),
        }
    }

    fn round(&mut self) {
        for (_, _, peer, series) in &mut self.measured {
            series.push(peer());
        }
    }

    fn rows(&self, ours: &Series) -> Vec<Row> {
        let row = |(name, least, _, series): &(&'static str, f64, Peer, Series)| {
            let what = "ingest, durable, exactly once";
            Row::beside(
                what,
                "M/s",
                &millions(ours),
                name,
                &millions(series),
                Target::RatioMin(*least),
            )
        };
        self.measured.iter().map(row).collect()
    }
}

fn millions(series: &Series) -> Series {
    Series(series.0.iter().map(|per_second| per_second / 1e6).collect())
}

/// Appending 4 KiB and waiting for the disk, where the node has its state.
fn syncs(node: &Node) -> Vec<Duration> {
    let path = node.dir.path().join("synced");
    let mut file = File::create(path).unwrap();
    let sync = |_| {
        let began = Instant::now();
        file.write_all(&[7; 4096]).unwrap();
        file.sync_data().unwrap();
        began.elapsed()
    };
    (0..SYNCS).map(sync).collect()
}

/// What was counted, by the metrics.
fn counted(metrics: &str) -> Option<usize> {
    let name = "readyd_webhook_failures_total{tenant=\"t000\",family=\"5xx\"} ";
    metrics.lines().find_map(|line| line.strip_prefix(name))?.parse().ok()
}
