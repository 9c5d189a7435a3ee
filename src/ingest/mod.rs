//! Bytes into counts. The pure part: what is said on `events.sock`, folded by each connection for itself.
//!
//! ```text
//! bytes ─ fold ─▶ line ─ scan ─▶ Fields ─ sequence ─▶ event ─▶ subjects ─▶ cells ─ take ─▶ Delta
//!                                                        └ skew (own time) ─┘        └ words::redact
//! ```
//!
//! Shell: `bell connection counters hub local output parts socket source submit`: the socket, its threads, and where
//! they meet the writer.
//!
//! Invariant: the other files read no clock and touch no socket; whatever is sent, memory stays bounded.

pub mod bell;
mod cells;
mod connection;
pub mod counters;
pub mod delta;
pub mod endpoint;
pub mod event;
pub mod fold;
pub mod hello;
pub mod hub;
pub mod local;
mod output;
pub(crate) mod parts;
mod plain;
pub mod registry;
pub mod scan;
pub mod sequence;
pub mod shape;
pub mod skew;
pub mod socket;
mod source;
mod subjects;
pub mod submit;
pub(crate) mod way;

#[cfg(test)]
mod tests;
