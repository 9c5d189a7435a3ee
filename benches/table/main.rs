//! `make bench`: one table of ratios, each measured beside its peer in one run. Absolute figures are shown and mean little
//! on another machine.
//!
//! `BENCH` (all): which parts, by commas: ready, ingest, scrape, memory, start, growth, links, tenant. `BENCH_ROUNDS` (5).
//! The table is printed and written to `target/bench.md` and `target/bench.json`. Linux: processes are read in `/proc`.
#![allow(clippy::disallowed_methods, reason = "starts processes and reads the clock")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a measurement that cannot go on should stop"
)]
#![allow(
    clippy::cast_precision_loss,
    reason = "counts and bytes of a benchmark are below 2^53"
)]

#[path = "../../tests/harness/mod.rs"]
mod harness;

mod growth;
mod history;
mod ingest;
mod links;
mod load;
mod machine;
mod memory;
mod nodes;
mod parse;
mod peers;
mod producer;
mod ready;
mod rounds;
mod rows;
mod scrape;
mod start;
mod tenant;

use std::fs;

use rows::Row;

/// How often each side is measured.
#[derive(Clone, Copy, Debug)]
pub struct Rounds(pub usize);

type Part = fn(Rounds) -> Vec<Row>;

const PARTS: [(&str, Part); 7] = [
    ("ready", ready::rows),
    ("ingest", ingest::rows),
    ("scrape", scrape::rows),
    ("memory", memory::rows),
    ("start", start::rows),
    ("links", links::rows),
    ("tenant", tenant::rows),
];
const GROWTH: &str = "growth";

fn main() {
    let wanted = std::env::var("BENCH").unwrap_or_default();
    let wanted: Vec<&str> = wanted.split(',').filter(|part| !part.is_empty()).collect();
    let is_wanted = |part: &str| wanted.is_empty() || wanted.contains(&part);
    for part in &wanted {
        let known = *part == GROWTH || PARTS.iter().any(|(name, _)| name == part);
        assert!(known, "BENCH={part}: there are {PARTS:?} and {GROWTH}");
    }
    let rounds = std::env::var("BENCH_ROUNDS").ok();
    let rounds = Rounds(rounds.and_then(|text| text.parse().ok()).unwrap_or(5));

    let machine = machine::described();
    eprintln!("{machine}");
    let mut rows = Vec::new();
    for (name, part) in PARTS {
        if is_wanted(name) {
            eprintln!("measuring: {name}");
            rows.extend(part(rounds));
            eprintln!("{}", rows::markdown(&machine, &rows, &[]));
        }
    }
    let growth = if is_wanted(GROWTH) {
        growth::lines(rounds)
    } else {
        Vec::new()
    };
    let table = rows::markdown(&machine, &rows, &growth);
    println!("{table}");
    let target = harness::repository().join("target");
    fs::write(target.join("bench.md"), table).unwrap();
    let json = serde_json::to_string_pretty(&rows::json(&machine, &rows, &growth)).unwrap();
    fs::write(target.join("bench.json"), json + "\n").unwrap();
}
