//! Shell: what listens on this host, and whose processes hold the sockets of a port.
//!
//! Linux: the tables of `/proc/net`, and `/proc/PID/fd` for the processes. Others' descriptors are shown to root and to
//! the same user alone: who is neither knows the sockets and not their processes, and says so. macOS: `lsof`, the
//! system's tool, parsed in [`lsof`]; the call is not run by this project's suite.
//!
//! Nothing is waited for: the tables are read up to a cap, and the walk through the processes ends when it is late.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use crate::link::owner::{Row, rows};

#[cfg_attr(any(target_os = "linux", target_os = "android"), allow(dead_code))]
mod lsof;

/// What listens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listeners {
    /// Every TCP socket of this host (or of its container) that listens, in order of its address.
    pub sockets: Vec<Socket>,
    /// Those processes that hold a socket which listens on the port that was asked for.
    pub holders: Vec<Holder>,
    /// Why `holders` is not all of them.
    pub unseen: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Socket {
    pub address: SocketAddr,
    /// Whoever made it.
    pub uid: u32,
    /// Names it within this host; 0 where the system has no such number.
    pub inode: u64,
}

/// A process and all that it listens on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    pub pid: u32,
    /// As the kernel has it: 15 bytes at most.
    pub name: String,
    pub listens: Vec<SocketAddr>,
}

/// A table holds connections as well; listeners stand first in it. 150 bytes a socket.
#[cfg(any(target_os = "linux", target_os = "android"))]
const TABLE_BYTES_MAX: u64 = 32 << 20;
/// Descriptors that are looked at, of all processes together.
#[cfg(any(target_os = "linux", target_os = "android"))]
const DESCRIPTORS_MAX: usize = 500_000;
/// Forked servers share one socket; more of them tell nothing new.
const HOLDERS_MAX: usize = 16;

/// Who passes connections on to others, for as long as it likes: what else such a process listens on, when it was
/// started and with what, is not the gateway's doing. Names as the kernel has them.
const FORWARDERS: [&str; 23] = [
    "OrbStack Helper",
    "apache2",
    "caddy",
    "com.docker.back",
    "com.docker.backe",
    "envoy",
    "gvproxy",
    "haproxy",
    "httpd",
    "kube-proxy",
    "launchd",
    "limactl",
    "nginx",
    "rootlesskit",
    "socat",
    "ssh",
    "sshd",
    "stunnel",
    "stunnel4",
    "systemd",
    "systemd-socket-",
    "tailscaled",
    "traefik",
];

/// Those that are started with one container and end with it.
const FORWARDERS_OF_ONE: [&str; 5] = ["conmon", "docker-proxy", "pasta", "rootlessport", "slirp4netns"];

/// Whether a process of that name listens for others.
pub fn passes_on(name: &str) -> bool {
    FORWARDERS_OF_ONE.contains(&name) || passes_on_for_many(name)
}

/// Whether it does so longer than any gateway behind it runs.
pub fn passes_on_for_many(name: &str) -> bool {
    FORWARDERS.contains(&name)
}

/// Looks once; blocks. `late` ends the walk through the processes.
///
/// # Errors
/// Why this host does not tell.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn look(port: u16, late: &dyn Fn() -> bool) -> Result<Listeners, String> {
    let mut sockets = BTreeSet::new();
    let mut told = false;
    // A kernel without IPv6 has no second table.
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        if let Ok(text) = proc::read(table, TABLE_BYTES_MAX) {
            told = true;
            sockets.extend(of_table(&text));
        }
    }
    if !told {
        return Err("/proc/net/tcp cannot be read".to_owned());
    }
    let sockets: Vec<Socket> = sockets.into_iter().collect();
    let (holders, unseen) = proc::holders(&sockets, port, late);
    Ok(Listeners {
        sockets,
        holders,
        unseen,
    })
}

/// As above, asked of `lsof`. Not run by this project's suite.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[expect(clippy::disallowed_methods, reason = "shell: asks lsof")]
pub fn look(port: u16, _late: &dyn Fn() -> bool) -> Result<Listeners, String> {
    // The caller has given it a thread and gives that up; lsof itself looks at no file system that may hang (-b).
    let output = std::process::Command::new("/usr/sbin/lsof")
        .args(["-b", "-w", "-nP", "-iTCP", "-sTCP:LISTEN", "-FpcuLtn"])
        .stdin(std::process::Stdio::null())
        .output()
        .map_err(|error| format!("lsof cannot be run: {error}"))?;
    Ok(lsof::parse(&String::from_utf8_lossy(&output.stdout), port))
}

/// The listening sockets in a table of `/proc/net/tcp{,6}`.
pub fn of_table(table: &str) -> Vec<Socket> {
    let listening = rows(table).filter(|row| row.listens);
    let socket = |row: Row| Socket {
        address: row.local,
        uid: row.uid,
        inode: row.inode,
    };
    listening.map(socket).collect()
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[expect(clippy::disallowed_methods, reason = "shell: reads /proc")]
mod proc {
    use std::collections::{BTreeSet, HashSet};
    use std::fs;
    use std::io::{self, Read as _};
    use std::os::unix::fs::MetadataExt as _;
    use std::path::Path;

    use super::{DESCRIPTORS_MAX, HOLDERS_MAX, Holder, Socket};

    /// What stands in a file of `/proc`, whose length nobody knows before; cut at `bytes_max`.
    pub fn read(path: impl AsRef<Path>, bytes_max: u64) -> io::Result<String> {
        let mut bytes = Vec::new();
        fs::File::open(path)?.take(bytes_max).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The processes with a socket on `port`, and why that is not all of them. Those of the sockets' own users are
    /// looked at first: on a host with thousands of processes they are few.
    pub fn holders(sockets: &[Socket], port: u16, late: &dyn Fn() -> bool) -> (Vec<Holder>, Option<String>) {
        let on_port: Vec<&Socket> = sockets.iter().filter(|socket| socket.address.port() == port).collect();
        if on_port.is_empty() {
            return (Vec::new(), None);
        }
        let users: BTreeSet<u32> = on_port.iter().map(|socket| socket.uid).collect();
        let mut walk = Walk {
            inodes: on_port.iter().map(|socket| socket.inode).collect(),
            sockets,
            holders: Vec::new(),
            found: HashSet::new(),
            refused: false,
            descriptors: 0,
        };
        let processes = processes();
        let (theirs, others): (Vec<_>, Vec<_>) = processes.into_iter().partition(|(_, uid)| users.contains(uid));
        for (pid, _) in theirs.into_iter().chain(others) {
            if walk.is_complete() {
                break;
            }
            if late() || walk.descriptors >= DESCRIPTORS_MAX {
                return (
                    walk.holders,
                    Some("there are too many processes to look through".to_owned()),
                );
            }
            walk.visit(pid);
        }
        let unseen = match walk.is_complete() {
            true => None,
            false if walk.refused => {
                Some("the descriptors of other users' processes are shown to root alone".to_owned())
            }
            false => Some("no process that is seen from here holds it".to_owned()),
        };
        (walk.holders, unseen)
    }

    struct Walk<'a> {
        sockets: &'a [Socket],
        /// Of the sockets on the port.
        inodes: HashSet<u64>,
        /// Those of them whose process is known.
        found: HashSet<u64>,
        holders: Vec<Holder>,
        /// Some processes' descriptors are not shown to us.
        refused: bool,
        descriptors: usize,
    }

    impl Walk<'_> {
        fn is_complete(&self) -> bool {
            self.found.len() == self.inodes.len() || self.holders.len() >= HOLDERS_MAX
        }

        fn visit(&mut self, pid: u32) {
            let entries = match fs::read_dir(format!("/proc/{pid}/fd")) {
                Ok(entries) => entries,
                // It has ended meanwhile: it holds nothing.
                Err(error) if error.kind() == io::ErrorKind::NotFound => return,
                Err(_) => {
                    self.refused = true;
                    return;
                }
            };
            let mut held = HashSet::new();
            for entry in entries.flatten().take(DESCRIPTORS_MAX - self.descriptors) {
                self.descriptors += 1;
                let inode = fs::read_link(entry.path())
                    .ok()
                    .and_then(|target| inode(target.to_str()?));
                held.extend(inode);
            }
            if held.is_disjoint(&self.inodes) {
                return;
            }
            self.found.extend(held.intersection(&self.inodes));
            let name = read(format!("/proc/{pid}/comm"), 64).unwrap_or_default();
            let listens = self.sockets.iter().filter(|socket| held.contains(&socket.inode));
            self.holders.push(Holder {
                pid,
                name: name.trim_end().to_owned(),
                listens: listens.map(|socket| socket.address).collect(),
            });
        }
    }

    /// Every process that is shown to us, and its user.
    fn processes() -> Vec<(u32, u32)> {
        let Ok(entries) = fs::read_dir("/proc") else {
            return Vec::new();
        };
        entries
            .flatten()
            .filter_map(|entry| {
                let pid = entry.file_name().to_str()?.parse().ok()?;
                Some((pid, entry.metadata().ok()?.uid()))
            })
            .collect()
    }

    /// `socket:[30212]`.
    fn inode(target: &str) -> Option<u64> {
        target.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
    }
}

#[cfg(test)]
mod tests;
