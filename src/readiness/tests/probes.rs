//! Probes as they ship, as far as readiness looks at them, and ways to change them.

use std::time::Duration;

use super::timeline::probe_name;
use crate::probe::declaration::{Amount, Asks, Disk, Exec, Http, Lane, Parse, Probe, Scope};
use crate::words::{Layer, Verdict};

/// As the shipped probe: native, every 10 s, stale after 32 s, its silence is `down`.
pub fn gateway() -> Probe {
    let asks = Asks::Http(Http {
        url: "http://127.0.0.1:{port}/readyz".to_owned(),
        parse: Parse::Readyz,
        insecure: false,
        body_bytes_max: 65_536,
    });
    Probe {
        layer: Layer::Transport,
        every: Duration::from_secs(10),
        retry_every: Duration::from_secs(2),
        timeout: Duration::from_secs(2),
        max_stale: Duration::from_secs(32),
        on_silence: Verdict::Down,
        ..Probe::specimen("gateway", asks)
    }
}

/// As the shipped probe: shells out every 5 min, stale after 16 min, its silence is `degraded`.
pub fn doctor() -> Probe {
    Probe::specimen("doctor", exec())
}

pub fn config() -> Probe {
    Probe {
        layer: Layer::Policy,
        ..Probe::specimen("config", exec())
    }
}

/// Of the node, native, every 10 s, stale after 32 s, its silence is `down`.
pub fn disk() -> Probe {
    let asks = Asks::Disk(Disk {
        paths: Vec::new(),
        warn_free: Amount::Share(0.1),
        down_free: Amount::Share(0.01),
        warn_inodes: 0.1,
        down_inodes: 0.01,
    });
    Probe {
        layer: Layer::Host,
        scope: Scope::Node,
        asks,
        name: probe_name("disk"),
        title: "disk".to_owned(),
        ..gateway()
    }
}

pub fn digest_probe() -> Probe {
    Probe {
        layer: Layer::Webhooks,
        every: Duration::from_secs(1),
        fall: 1,
        rise: 1,
        worst: Verdict::Degraded,
        ..Probe::specimen("webhook-digest", Asks::Digest)
    }
}

pub fn advisory(probe: Probe) -> Probe {
    Probe {
        required: false,
        ..probe
    }
}

pub fn explained_by(probe: Probe, causes: &[&str]) -> Probe {
    Probe {
        explained_by: causes.iter().map(|cause| probe_name(cause)).collect(),
        ..probe
    }
}

pub fn named(name: &str, probe: Probe) -> Probe {
    Probe {
        name: probe_name(name),
        title: name.to_owned(),
        ..probe
    }
}

pub fn exec() -> Asks {
    Asks::Exec(Exec {
        lane: Lane::Heavy,
        command: Vec::new(),
        parse: Parse::Doctor,
        env: Vec::new(),
        rules: Vec::new(),
        interval_min: Duration::from_secs(60),
        stretch: None,
    })
}
