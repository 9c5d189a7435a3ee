//! Shell: the one place that reads clocks, and the name of this boot.
//!
//! Linux: `CLOCK_BOOTTIME`, which counts sleep. macOS: its `CLOCK_MONOTONIC` is mach continuous time
//! and counts sleep too (there is no `CLOCK_BOOTTIME`). Not run on macOS by this project's suite.
#![expect(clippy::disallowed_methods, reason = "shell: reads the clocks and the boot id")]

use std::time::{SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

use crate::words::{Instant, Now, Wall};

#[cfg(any(target_os = "linux", target_os = "android"))]
const SLEEP_COUNTING: ClockId = ClockId::Boottime;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const SLEEP_COUNTING: ClockId = ClockId::Monotonic;

/// Both clocks, read one after the other.
pub fn now() -> Now {
    Now {
        at: instant(),
        wall: wall(),
    }
}

/// Milliseconds since boot, sleep included.
pub fn instant() -> Instant {
    let time = clock_gettime(SLEEP_COUNTING);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let millis = u64::try_from(time.tv_nsec / 1_000_000).unwrap_or(0);
    Instant::from_millis(seconds * 1000 + millis)
}

/// Unix milliseconds; negative before 1970.
pub fn wall() -> Wall {
    wall_of(SystemTime::now())
}

/// The moment that a file bears, say.
pub fn wall_of(moment: SystemTime) -> Wall {
    let millis = match moment.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
        Err(before) => -i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX),
    };
    Wall::from_millis(millis)
}

/// What tells one boot of this host from another; empty when the host does not say.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|id| id.trim().to_owned())
        .unwrap_or_default()
}

/// As above, asked of `sysctl`. Not run by this project's suite.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub fn boot_id() -> String {
    std::process::Command::new("/usr/sbin/sysctl")
        .args(["-n", "kern.bootsessionuuid"])
        .stdin(std::process::Stdio::null())
        .output()
        .ok()
        .filter(|output| output.status.success())
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        .unwrap_or_default()
}
