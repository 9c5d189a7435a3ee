//! readyd beside the programs it lives with: a real OpenClaw, Prometheus, Grafana's types, HAProxy, nginx, systemd's own
//! checks, Kubernetes' schemas, Nagios' plugins, and a browser.
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
mod balancer;
mod conventions;
mod dashboards;
mod debian;
mod deploy;
mod envoy;
mod faults;
mod haproxy;
mod healthy;
mod known_good;
mod link;
mod nagios;
mod network;
mod openapi;
mod openclaw;
mod page;
mod plugin;
mod policy;
mod prometheus;
mod rotation;
mod security;
mod stale;
mod webhooks;
