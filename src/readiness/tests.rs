//! The rules of readiness as timelines: sentences as names, inputs at virtual times, transcripts out.

mod arrival;
mod causes;
mod changes;
mod dead_gateway;
mod histories;
mod operations;
mod probes;
mod silence;
mod start;
mod tenants;
mod time;
mod timeline;
