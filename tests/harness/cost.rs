//! What links cost readyd: two nodes side by side, one with them, one without. Linux: the figures are those of `/proc`.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use tempfile::TempDir;

use super::gateway::{Gateway, Script};
use super::{Node, pause};

/// The most that a node has.
pub const LINKS: usize = 256;
/// Targets: what all of them may add.
pub const MIB_MAX: f64 = 32.0;
pub const CORE_PERCENT_MAX: f64 = 3.0;
/// Of one tick in `/proc/PID/stat`, on every Linux.
const TICK_SECONDS: f64 = 0.01;
/// Nothing but the link, so that the difference is its own and the rest does not keep a busy machine from it.
const OFF: [&str; 9] = [
    "gateway",
    "doctor",
    "write",
    "certificate",
    "exposure",
    "queue",
    "stale-process",
    "token-rotation",
    "version-lock",
];
/// For all links to be there, or for all to ask again, on a busy machine and not optimised.
const LINKS_WITHIN: Duration = Duration::from_secs(180);

#[derive(Debug)]
pub struct Beside {
    pub with: Node,
    pub without: Node,
}

impl Beside {
    /// Two nodes of the same `tenants:`.
    pub fn of(tenants: &str) -> Beside {
        let off: Vec<String> = OFF.iter().map(|probe| format!("{probe}: {{enabled: false}}")).collect();
        let probes = |further: &str| format!("{tenants}probes: {{{}{further}}}\n", off.join(", "));
        Beside {
            with: Node::start(&probes("")),
            without: Node::start(&probes(", gateway-link: {enabled: false}")),
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
        rss_mib(self.with.pid()) - rss_mib(self.without.pid())
    }
}

/// [`LINKS`] tenants of one scripted gateway, all connected.
#[derive(Debug)]
pub struct ManyLinks {
    pub beside: Beside,
    pub gateway: Gateway,
    /// Holds their token.
    _directory: TempDir,
}

pub fn many_links() -> ManyLinks {
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
    beside.with.until("/v1/status", LINKS_WITHIN, |answer| {
        let links = answer.json()["links"].as_object().map_or(0, |links| {
            links.values().filter(|link| link["connected"] == true).count()
        });
        links == LINKS
    });
    ManyLinks {
        beside,
        gateway,
        _directory: directory,
    }
}

impl ManyLinks {
    /// CPU seconds that so many rounds of questions took: of the links, and of the gateway that answered.
    pub fn cost_of(&self, rounds: u64) -> (f64, f64) {
        // What follows a greeting is over once everybody has asked again.
        self.until_asked(1);
        let spent = || {
            let links = cpu_seconds(&self.beside.with) - cpu_seconds(&self.beside.without);
            (links, self.gateway.cpu().as_secs_f64())
        };
        let before = spent();
        self.until_asked(rounds);
        let after = spent();
        (after.0 - before.0, after.1 - before.1)
    }

    fn until_asked(&self, rounds: u64) {
        let wanted = self.gateway.answers() + rounds * LINKS as u64;
        let began = Instant::now();
        while self.gateway.answers() < wanted {
            assert!(
                began.elapsed() < LINKS_WITHIN,
                "{} of {wanted} answers",
                self.gateway.answers()
            );
            pause();
        }
    }
}

/// Of the user and of the system, since its start.
pub fn cpu_seconds(node: &Node) -> f64 {
    let stat = read(node.pid(), "stat");
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks = fields.split_whitespace().skip(11).take(2);
    ticks.map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() * TICK_SECONDS
}

/// Of the calling thread, of the user and of the system.
pub fn thread_cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap(),
        u32::try_from(time.tv_nsec).unwrap(),
    )
    .as_secs_f64()
}

/// Of any process.
pub fn rss_mib(pid: u32) -> f64 {
    let status = read(pid, "status");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}

fn read(pid: u32, file: &str) -> String {
    fs::read_to_string(Path::new("/proc").join(pid.to_string()).join(file)).unwrap()
}
