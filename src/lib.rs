//! readyd: the one honest health answer for hosts that run OpenClaw gateways.
//!
//! ```text
//! events.sock ─ wire ─▶ deltas ─▶ writer ─▶ committed ─┐              ┌─▶ run a probe ─▶ Finding ─┐
//! control.sock ───────────────────────────▶ Command ───┼─▶ engine ────┼─▶ persist ─▶ writer ──────┤
//! timer ──────────────────────────────────▶ Tick ──────┤  (now, ·)    └─▶ publish Snapshot ─▶ http │
//!                                                      ▲                                           │
//!                                                      └───────────────────────────────────────────┘
//! ```
//!
//! The modules in reading order: `words` (the nouns), `config` (what was decided), `ingest` (bytes into
//! counts), `digest` (counts into windows and rows), `probe` (asking), `link` (a standing connection to each
//! gateway) and `log_tail` (its log file), `readiness` (findings into a verdict), `history` (what it was over time), `store`
//! (what is durable), `engine` (the decider), `daemon` (the doer), `http`, `install` (readyd's own files on a host) and
//! `cli`. `sealed`: bytes with a sum over them. Shared seams to the system: `clock`, `account`, `descriptors`, `unix_socket`,
//! `fingerprint`.

pub mod account;
pub mod cli;
pub mod clock;
pub mod config;
pub mod daemon;
pub mod descriptors;
#[cfg(test)]
mod dice;
pub mod digest;
pub mod engine;
pub mod fingerprint;
pub mod history;
pub mod http;
pub mod ingest;
pub mod install;
pub mod link;
pub mod log_tail;
pub mod probe;
pub mod readiness;
pub mod sealed;
pub mod store;
pub mod unix_socket;
pub mod words;
