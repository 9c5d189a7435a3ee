//! What links cost readyd: two nodes side by side, one with them, one without. Linux: the figures are those of `/proc`.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use tempfile::TempDir;

use super::gateway::{Gateway, Script};
use super::{Node, PATIENCE};

/// The most that a node has.
pub const LINKS: usize = 256;
/// Targets: what all of them may add.
pub const MIB_MAX: f64 = 32.0;
pub const CORE_PERCENT_MAX: f64 = 3.0;
/// Of one tick in `/proc/PID/stat`, on every Linux.
const TICK_SECONDS: f64 = 0.01;
/// Nothing but the link, so that the difference is its own.
const WITH: &str = "probes: {gateway: {enabled: false}, doctor: {enabled: false}, write: {enabled: false}}\n";
const WITHOUT: &str = "probes: {gateway: {enabled: false}, doctor: {enabled: false}, write: {enabled: false}, gateway-link: {enabled: false}}\n";

#[derive(Debug)]
pub struct Beside {
    pub with: Node,
    pub without: Node,
}

impl Beside {
    /// Two nodes of the same `tenants:`.
    pub fn of(tenants: &str) -> Beside {
        Beside {
            with: Node::start(&format!("{tenants}{WITH}")),
            without: Node::start(&format!("{tenants}{WITHOUT}")),
        }
    }

    /// CPU seconds, of the user and of the system, that the links took while they were watched.
    pub fn added_cpu(&self, watched: Duration) -> f64 {
        let added = || cpu_seconds(&self.with) - cpu_seconds(&self.without);
        let before = added();
        sleep(watched);
        added() - before
    }

    pub fn added_mib(&self) -> f64 {
        rss_mib(&self.with) - rss_mib(&self.without)
    }
}

/// [`LINKS`] tenants of one scripted gateway, all connected; the directory holds their token.
pub fn many_links() -> (Beside, TempDir) {
    let gateway = Gateway::start(Script::recorded());
    let directory = tempfile::tempdir().unwrap();
    let token_file = directory.path().join("token.current");
    fs::write(&token_file, "token-of-many-links").unwrap();
    fs::set_permissions(&token_file, fs::Permissions::from_mode(0o600)).unwrap();
    let mut tenants = "tenants:\n".to_owned();
    for index in 0..LINKS {
        let (port, token_file) = (gateway.port, token_file.display());
        writeln!(tenants, "  t{index}: {{port: {port}, token_file: {token_file}}}").unwrap();
    }
    let beside = Beside::of(&tenants);
    beside.with.until("/v1/status", PATIENCE, |answer| {
        let links = answer.json()["links"].as_object().map_or(0, |links| {
            links.values().filter(|link| link["connected"] == true).count()
        });
        links == LINKS
    });
    (beside, directory)
}

/// Of the user and of the system, since its start.
pub fn cpu_seconds(node: &Node) -> f64 {
    let stat = read(node, "stat");
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks = fields.split_whitespace().skip(11).take(2);
    ticks.map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() * TICK_SECONDS
}

fn rss_mib(node: &Node) -> f64 {
    let status = read(node, "status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}

fn read(node: &Node, file: &str) -> String {
    fs::read_to_string(Path::new("/proc").join(node.pid().to_string()).join(file)).unwrap()
}
