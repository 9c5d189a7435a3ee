//! readyd beside the programs it lives with: a real OpenClaw, Prometheus and HAProxy.
//!
//! `scripts/tools.sh` installs them. Under `CI=true` a missing one fails; elsewhere the spec says that it
//! was left out.
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

mod dashboards;
mod haproxy;
mod link;
mod openclaw;
mod plugin;
mod prometheus;
mod stale;
mod webhooks;
