//! The product from outside, in reading order: what a newcomer sees in the first minute, what gateways
//! and operators rely on, what bad input and a bad host get, and the shape of the house itself.
#![allow(
    clippy::disallowed_methods,
    reason = "specs from outside start processes and read the clock"
)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a spec that cannot go on should stop"
)]

#[path = "../harness/mod.rs"]
mod harness;

mod access;
mod article;
mod bad_host;
mod command_line;
mod documents;
mod ending;
mod exactly_once;
mod first_minute;
mod fragments;
mod fuzz_corpus;
mod history;
mod hostile_sockets;
mod install;
mod link_cost;
mod link_events;
mod link_markers;
mod lock;
mod log_source;
mod lost_state;
mod metrics;
mod operations;
mod operator;
mod ratios;
mod reload;
mod restart;
mod resume;
mod secrets;
mod shape;
mod skills;
mod supervised;
mod ten_seconds;
mod terminal;
mod threats;
mod tokens;
mod triage;
mod two_nodes;
mod write_a_probe;
