//! Shell: which process serves a port of this host, since when, and with which environment.
//!
//! Linux: procfs. macOS: `lsof` and `ps`, the system's tools; their output is parsed below and tested on recordings, the
//! calls are not run by this project's suite.
#![expect(clippy::disallowed_methods, reason = "shell: reads procfs, asks lsof and ps")]

use crate::words::Now;

use super::judge::Listener;
use crate::probe::kind::listeners::passes_on_for_many;

/// Who listens at `port` on loopback. Blocks; ends early when `late`.
///
/// Sockets may be held by several processes (a supervisor that opened it and handed it on): the one that was started
/// last is the one that serves. Who listens for a gateway that it outlives (a proxy) is not it.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn find(port: u16, now: Now, late: &dyn Fn() -> bool) -> Listener {
    match linux::inodes(port) {
        Err(why) => Listener::Hidden(why),
        Ok(inodes) if inodes.is_empty() => Listener::Nobody,
        Ok(inodes) => linux::holder(&inodes, now, late)
            .unwrap_or_else(|| Listener::Hidden("the process behind the port belongs to another user".to_owned())),
    }
}

/// As above, asked of `lsof` and `ps`. Not run by this project's suite.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub fn find(port: u16, now: Now, _late: &dyn Fn() -> bool) -> Listener {
    let pids = match crate::link::owner::lsof(port) {
        Err(why) => return Listener::Hidden(why),
        Ok(output) => pids_of_lsof(&output),
    };
    let mut passes_on = None;
    let mut started = |pid: u32| {
        let output = std::process::Command::new("/bin/ps")
            .args(["-o", "lstart=", "-o", "comm=", "-p", &pid.to_string()])
            .env_clear()
            .envs([("LC_ALL", "C"), ("TZ", "UTC0")])
            .stdin(std::process::Stdio::null())
            .output()
            .ok()?;
        let (since, name) = process_of_ps(&String::from_utf8_lossy(&output.stdout))?;
        if passes_on_for_many(&name) {
            passes_on = Some(name);
            return None;
        }
        let age = now.wall.millis_since(since);
        let age = std::time::Duration::from_millis(u64::try_from(age).unwrap_or(0));
        Some((now.at.before(age), pid))
    };
    let newest = pids.iter().filter_map(|pid| started(*pid)).max();
    match (newest, passes_on) {
        (Some((started, pid)), _) => Listener::Found {
            pid,
            started,
            environment: None,
        },
        (None, Some(name)) => Listener::Hidden(listens_for_it(&name)),
        // To users that are not root, lsof shows their own processes alone.
        (None, None) => Listener::Hidden("lsof shows no process behind the port".to_owned()),
    }
}

/// The processes in `lsof -Fpu`: lines `p1234`.
#[cfg(any(test, not(any(target_os = "linux", target_os = "android"))))]
pub fn pids_of_lsof(output: &str) -> Vec<u32> {
    let pids = output
        .lines()
        .filter_map(|line| line.strip_prefix('p')?.trim().parse().ok());
    pids.take(64).collect()
}

/// `Wed Nov 25 13:33:18 2026     /usr/sbin/x`, as `ps -o lstart= -o comm=` prints it in UTC: since when, and the
/// program's name, cut as the kernel cuts it.
#[cfg(any(test, not(any(target_os = "linux", target_os = "android"))))]
pub fn process_of_ps(line: &str) -> Option<(crate::words::Wall, String)> {
    const LSTART: usize = "Wed Nov 25 13:33:18 2026".len();
    const NAME_CHARS_MAX: usize = 16;
    let (lstart, program) = line.trim().split_at_checked(LSTART)?;
    let moment = chrono::NaiveDateTime::parse_from_str(lstart, "%a %b %e %H:%M:%S %Y").ok()?;
    let since = crate::words::Wall::from_millis(moment.and_utc().timestamp_millis());
    let name = program.trim().rsplit('/').next().unwrap_or_default();
    Some((since, name.chars().take(NAME_CHARS_MAX).collect()))
}

fn listens_for_it(name: &str) -> String {
    format!("{name} holds the port and passes connections on")
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod linux {
    use std::collections::BTreeSet;
    use std::fs;
    use std::io::Read as _;
    use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
    use std::path::Path;
    use std::time::Duration;

    use super::super::judge::Listener;
    use crate::link::owner::listeners_of_table;
    use crate::words::{Instant, Now};

    /// Beyond these something is wrong with procfs, or with us.
    const PROCESSES_MAX: usize = 1 << 16;
    const DESCRIPTORS_MAX: usize = 1 << 16;
    /// As much as the kernel takes of arguments and environment on common limits.
    const ENVIRONMENT_BYTES_MAX: u64 = 2 << 20;

    pub fn inodes(port: u16) -> Result<BTreeSet<u64>, String> {
        let peers = [
            SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            SocketAddr::from((Ipv6Addr::LOCALHOST, port)),
        ];
        let mut found = BTreeSet::new();
        let mut told = false;
        for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
            // A kernel without IPv6 has no second table.
            if let Ok(text) = crate::probe::kind::listeners::read_table(table) {
                told = true;
                found.extend(peers.iter().flat_map(|peer| listeners_of_table(&text, *peer)));
            }
        }
        told.then_some(found)
            .ok_or_else(|| "/proc/net/tcp cannot be read".to_owned())
    }

    /// `None`: no process that we may look into holds one of the sockets.
    pub fn holder(inodes: &BTreeSet<u64>, now: Now, late: &dyn Fn() -> bool) -> Option<Listener> {
        let wanted: BTreeSet<String> = inodes.iter().map(|inode| format!("socket:[{inode}]")).collect();
        let mut newest: Option<(Instant, u32)> = None;
        let mut passes_on: Option<String> = None;
        for process in fs::read_dir("/proc").ok()?.flatten().take(PROCESSES_MAX) {
            if late() {
                break;
            }
            let Some(pid) = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
                continue;
            };
            if !holds(&process.path(), &wanted) {
                continue;
            }
            let name = name(&process.path());
            if super::passes_on_for_many(&name) {
                passes_on = Some(name);
            } else if let Some(started) = started(&process.path(), now) {
                newest = newest.max(Some((started, pid)));
            }
        }
        let Some((started, pid)) = newest else {
            return passes_on.map(|name| Listener::Hidden(super::listens_for_it(&name)));
        };
        Some(Listener::Found {
            pid,
            started,
            environment: environment(&Path::new("/proc").join(pid.to_string())),
        })
    }

    fn holds(process: &Path, wanted: &BTreeSet<String>) -> bool {
        let Ok(descriptors) = fs::read_dir(process.join("fd")) else {
            return false;
        };
        let mut links = descriptors.flatten().take(DESCRIPTORS_MAX);
        links.any(|descriptor| {
            let target = fs::read_link(descriptor.path()).ok();
            target.is_some_and(|target| target.to_str().is_some_and(|target| wanted.contains(target)))
        })
    }

    fn name(process: &Path) -> String {
        let name = fs::read_to_string(process.join("comm")).unwrap_or_default();
        name.trim_end().to_owned()
    }

    fn started(process: &Path, now: Now) -> Option<Instant> {
        let ticks = super::start_ticks(&fs::read_to_string(process.join("stat")).ok()?)?;
        let a_second = rustix::param::clock_ticks_per_second().max(1);
        let since_boot = Duration::from_millis(ticks.saturating_mul(1000) / a_second);
        // Both count from boot, sleep included: no wall clock has a part in it.
        Some((Instant::default() + since_boot).min(now.at))
    }

    fn environment(process: &Path) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        let file = fs::File::open(process.join("environ")).ok()?;
        file.take(ENVIRONMENT_BYTES_MAX).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }
}

/// The start in a line of `/proc/PID/stat`, in clock ticks after boot: the 22nd field. The second is the program's name in
/// brackets, in which anything may stand.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn start_ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::Wall;

    #[test]
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn the_start_is_the_twenty_second_field_whatever_the_program_is_called() {
        let stat = "4675 (a) b (c) R 1 4675 3 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 11 0 128836 1 2 3";
        assert_eq!(start_ticks(stat), Some(128_836));
        for junk in [
            "",
            ")",
            "1 (x) R 1 2",
            "1 (x) R 1 4675 3 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 11 0 x",
        ] {
            assert_eq!(start_ticks(junk), None, "{junk}");
        }
    }

    #[test]
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn our_own_listener_is_found_and_a_free_port_is_nobodys() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let now = crate::clock::now();
        let found = find(port, now, &|| false);
        let Listener::Found {
            pid,
            started,
            environment,
        } = found
        else {
            panic!("{found:?}");
        };
        assert_eq!(pid, std::process::id());
        assert!(started <= now.at && now.at.since(started).as_secs() < 86_400);
        let path = format!("PATH={}", std::env::var("PATH").unwrap());
        assert!(
            environment
                .unwrap()
                .split(|byte| *byte == 0)
                .any(|held| held == path.as_bytes())
        );
        drop(listener);
        assert_eq!(find(port, now, &|| false), Listener::Nobody);
    }

    /// A proxy was started long before the gateway, with another environment, and stays when that restarts.
    #[test]
    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn a_proxy_that_holds_the_port_is_not_the_gateway() {
        let folder = tempfile::tempdir().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let proxy = folder.path().join("nginx");
        std::fs::copy("/bin/sleep", &proxy).unwrap();
        let started = std::process::Command::new(&proxy)
            .arg("60")
            .stdin(std::process::Stdio::from(std::os::fd::OwnedFd::from(listener)))
            .spawn();
        let mut started = started.unwrap();
        let found = find(port, crate::clock::now(), &|| false);
        started.kill().unwrap();
        started.wait().unwrap();
        assert_eq!(
            found,
            Listener::Hidden("nginx holds the port and passes connections on".to_owned())
        );
    }

    #[test]
    fn what_the_tools_of_macos_print_is_read() {
        assert_eq!(pids_of_lsof("p4211\nu501\nf23\np4300\nu0\nf3\n"), [4211, 4300]);
        assert_eq!(pids_of_lsof("lsof: no such port\npx\n"), [0u32; 0]);
        let moment = Wall::parse_rfc3339("2026-11-05T13:33:18Z").unwrap();
        let said = |program: &str| process_of_ps(&format!("Thu Nov  5 13:33:18 2026    {program}\n"));
        assert_eq!(said(""), Some((moment, String::new())));
        assert_eq!(said("node"), Some((moment, "node".to_owned())));
        let (_, docker) = said("/Applications/Docker.app/Contents/MacOS/com.docker.backend").unwrap();
        assert!(passes_on_for_many(&docker), "{docker}");
        for junk in ["", "5 Nov", "Thu Nov  5 13:33:18 202ü"] {
            assert_eq!(process_of_ps(junk), None, "{junk}");
        }
    }
}
