//! Asking: what a probe is (`declaration`), who is due (`schedule`), how each kind asks (`kind`, `exec`), what
//! an answer means (`parse`), which skills a tenant has (`skills`), and the one door to all of them (`ask`).

pub mod allowed;
pub mod ask;
pub mod declaration;
pub mod exec;
pub mod kind;
pub mod openclaw;
pub mod parse;
pub mod runner;
pub mod schedule;
pub mod shipped;
pub mod skills;
pub mod target;

pub use shipped::SHIPPED;
