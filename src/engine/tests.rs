//! The engine as timelines: a world in virtual time that answers its orders and keeps what it hands over.

mod alive;
mod explained;
mod operations;
mod refuted;
mod reload;
mod restart;
mod resume;
mod routine;
mod simulation;
mod store;
mod touched;
mod walk;
pub(in crate::engine) mod world;
