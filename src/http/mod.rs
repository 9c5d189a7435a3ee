//! What the node tells others over HTTP, and what its operator may change over `control.sock`.
//!
//! ```text
//! Snapshot ─ board (answer: rendered beforehand) ─▶ site ─▶ reply ─ transfer (ETag, gzip) ─▶ server
//!                                                    ▲
//! request ─ access (who sees how much) ─ route ──────┘
//! ```
//!
//! Plain questions of load balancers are answered by `front`, below actix; whatever else is asked goes on to it.
//!
//! `openapi` describes what `route` finds and `body` writes.
//!
//! Invariants: a read-only question is answered from the last snapshot in memory: no request runs a
//! probe, waits for one, or (but for `/v1/history` and old digest windows) reads the disk. Nothing on
//! a TCP listener changes state. Only `server`, `entrance`, `front`, `wire`, `handle`, `credentials`,
//! `long`, `off_loop`, `pair`, `past`, `token`, `client` and `heartbeat` touch the world.

pub mod accept;
pub mod access;
pub mod agent;
pub mod answer;
pub mod board;
pub mod body;
pub mod client;
pub mod control;
mod credentials;
mod entrance;
pub mod exclude;
pub mod forms;
mod front;
mod handle;
pub mod heartbeat;
mod long;
pub mod metrics;
mod newcomers;
mod off_loop;
pub mod openapi;
pub mod page;
pub mod pair;
mod past;
pub mod reply;
pub mod route;
pub mod server;
pub mod site;
pub mod token;
pub mod topic;
pub mod transfer;
mod wire;

#[cfg(test)]
mod tests;
