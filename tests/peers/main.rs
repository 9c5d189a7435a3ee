//! readyd beside the programs it lives with: a real OpenClaw, Prometheus, Grafana's types, HAProxy, nginx, systemd's own
//! checks, Kubernetes' schemas, and Nagios' plugins.
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

mod access;
mod dashboards;
mod deploy;
mod faults;
mod haproxy;
mod healthy;
mod known_good;
mod link;
mod nagios;
mod network;
mod openclaw;
mod plugin;
mod policy;
mod prometheus;
mod security;
mod stale;
mod webhooks;
