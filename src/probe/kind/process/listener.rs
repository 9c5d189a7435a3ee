//! Shell: which process serves a port of this host, since when, and with which environment.
//!
//! `listeners` finds the processes. Linux: procfs tells the rest. macOS: `ps`, the system's tool; its output is parsed below
//! and tested on a recording, the call is not run by this project's suite.
#![expect(clippy::disallowed_methods, reason = "shell: reads procfs, asks ps")]

use std::time::Duration;

use super::judge::Listener;
use crate::probe::kind::listeners::{self, passes_on_for_many};
use crate::words::{Instant, Now};

/// Who listens at `port`. Blocks; ends early when `late`.
///
/// Sockets may be held by several processes (a supervisor that opened it and handed it on): the one that was started
/// last is the one that serves. Who listens for a gateway that it outlives (a proxy) is not it.
pub fn find(port: u16, now: Now, late: &dyn Fn() -> bool) -> Listener {
    let listeners = match listeners::look(port, late) {
        Err(why) => return Listener::Hidden(why),
        Ok(listeners) => listeners,
    };
    if !listeners.sockets.iter().any(|socket| socket.address.port() == port) {
        return Listener::Nobody;
    }
    let (proxies, servers): (Vec<_>, Vec<_>) = listeners
        .holders
        .iter()
        .partition(|holder| passes_on_for_many(&holder.name));
    let newest = servers
        .iter()
        .filter_map(|holder| Some((started(holder.pid, now)?, holder.pid)))
        .max();
    match newest {
        Some((started, pid)) => Listener::Found {
            pid,
            started,
            environment: environment(pid),
        },
        None => Listener::Hidden(match (proxies.first(), listeners.unseen) {
            (Some(proxy), _) => format!("{} holds the port and passes connections on", proxy.name),
            (None, Some(unseen)) => unseen,
            (None, None) => "the process behind the port has just ended".to_owned(),
        }),
    }
}

/// When the process was started, by the clock that counts from boot.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn started(pid: u32, now: Now) -> Option<Instant> {
    let ticks = start_ticks(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?;
    let a_second = rustix::param::clock_ticks_per_second().max(1);
    let since_boot = Duration::from_millis(ticks.saturating_mul(1000) / a_second);
    // Both count from boot, sleep included: no wall clock has a part in it.
    Some((Instant::default() + since_boot).min(now.at))
}

/// As above, asked of `ps`. Not run by this project's suite.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn started(pid: u32, now: Now) -> Option<Instant> {
    let output = std::process::Command::new("/bin/ps")
        .args(["-o", "lstart=", "-p", &pid.to_string()])
        .env_clear()
        .envs([("LC_ALL", "C"), ("TZ", "UTC0")])
        .stdin(std::process::Stdio::null())
        .output()
        .ok()?;
    let age = now
        .wall
        .millis_since(wall_of_ps(&String::from_utf8_lossy(&output.stdout))?);
    Some(now.at.before(Duration::from_millis(u64::try_from(age).unwrap_or(0))))
}

/// What the process was started with; `None`: it is not shown to us.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn environment(pid: u32) -> Option<Vec<u8>> {
    use std::io::Read as _;
    /// As much as the kernel takes of arguments and environment on common limits.
    const ENVIRONMENT_BYTES_MAX: u64 = 2 << 20;
    let mut bytes = Vec::new();
    let file = std::fs::File::open(format!("/proc/{pid}/environ")).ok()?;
    file.take(ENVIRONMENT_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn environment(_pid: u32) -> Option<Vec<u8>> {
    None
}

/// `Wed Nov 25 13:33:18 2026`, as `ps -o lstart=` prints it in UTC.
#[cfg(any(test, not(any(target_os = "linux", target_os = "android"))))]
pub fn wall_of_ps(lstart: &str) -> Option<crate::words::Wall> {
    let moment = chrono::NaiveDateTime::parse_from_str(lstart.trim(), "%a %b %e %H:%M:%S %Y").ok()?;
    Some(crate::words::Wall::from_millis(moment.and_utc().timestamp_millis()))
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
    fn what_ps_prints_on_macos_is_read() {
        let moment = Wall::parse_rfc3339("2026-11-05T13:33:18Z");
        assert_eq!(wall_of_ps("Thu Nov  5 13:33:18 2026    \n"), moment);
        assert_eq!(wall_of_ps(""), None);
        assert_eq!(wall_of_ps("5 Nov"), None);
    }
}
