//! Shell: kind `host`: memory, load and descriptors of this host, and our own descriptors.
#![expect(clippy::disallowed_methods, reason = "shell: reads /proc")]

use rustix::process::{Resource, getrlimit};
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, RefreshKind, System};

use super::part::{Part, fuse};
use super::{Ask, percent, size};
use crate::probe::declaration::Host;
use crate::words::Finding;

/// What this host says of itself. `None`: this system does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Seen {
    pub memory_total_bytes: u64,
    pub memory_available_bytes: u64,
    /// Of one, five and fifteen minutes.
    pub load: [f64; 3],
    pub cores: usize,
    /// In use and at most, of the whole host.
    pub host_descriptors: Option<(u64, u64)>,
    /// In use and at most, of this process.
    pub own_descriptors: Option<(u64, u64)>,
}

pub async fn ask(host: &Host, ask: &Ask<'_>) -> Finding {
    match ask.one("host", look).await {
        Ok(seen) => judge(host, &seen),
        Err(lost) => lost.finding("reading what the host says"),
    }
}

/// The worst of memory, load and descriptors; degraded at most, since none of them stops a gateway by itself.
pub fn judge(host: &Host, seen: &Seen) -> Finding {
    let mut parts = Vec::new();
    let mut weigh = |what: &str, used: f64, limit: f64, said: String| {
        parts.push(if used > limit {
            Part::degraded(what, said)
        } else {
            Part::ok(what, said)
        });
    };
    if seen.memory_total_bytes > 0 {
        let (available, total) = (seen.memory_available_bytes, seen.memory_total_bytes);
        let used = 1.0 - available as f64 / total as f64;
        let said = format!(
            "{} used, {} of {} available",
            percent(used),
            size(available),
            size(total)
        );
        weigh("memory", used, host.warn_memory, said);
    }
    if seen.cores > 0 {
        // Five minutes: a build or a backup is not a sick host.
        let [one, five, fifteen] = seen.load;
        let per_core = five / seen.cores as f64;
        let said = format!(
            "{one:.2} {five:.2} {fifteen:.2} on {} cores, {per_core:.2} a core",
            seen.cores
        );
        weigh("load", per_core, host.warn_load_per_core, said);
    }
    for (what, descriptors) in [
        ("descriptors of the host", seen.host_descriptors),
        ("descriptors of readyd", seen.own_descriptors),
    ] {
        if let Some((used, most)) = descriptors.filter(|(_, most)| *most > 0) {
            let said = format!("{used} of {most}");
            weigh(what, used as f64 / most as f64, host.warn_descriptors, said);
        }
    }
    let all_well = match seen.memory_total_bytes {
        0 => "the host says nothing of its memory".to_owned(),
        _ => format!("{} of memory available", size(seen.memory_available_bytes)),
    };
    fuse(parts, all_well)
}

/// What a host does not tell stays zero, and is not judged.
fn look() -> Seen {
    let wanted = RefreshKind::nothing()
        .with_memory(MemoryRefreshKind::nothing().with_ram())
        .with_cpu(CpuRefreshKind::nothing());
    let mut seen = Seen {
        // Linux alone tells it there; elsewhere the file is missing.
        host_descriptors: std::fs::read_to_string("/proc/sys/fs/file-nr")
            .ok()
            .as_deref()
            .and_then(file_nr),
        own_descriptors: own_descriptors(),
        ..Seen::default()
    };
    if let Ok(system) = System::new_with_specifics(wanted) {
        seen.memory_total_bytes = system.total_memory();
        seen.memory_available_bytes = system.available_memory();
        seen.cores = system.cpus().len();
    }
    match System::load_average() {
        Ok(load) => seen.load = [load.one, load.five, load.fifteen],
        Err(_) => seen.cores = 0,
    }
    seen
}

/// `allocated unused most`, of which "unused" has been 0 since Linux 2.6.
fn file_nr(text: &str) -> Option<(u64, u64)> {
    let mut numbers = text.split_ascii_whitespace().map(str::parse::<u64>);
    let (allocated, unused, most) = (numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?);
    Some((allocated.saturating_sub(unused), most))
}

fn own_descriptors() -> Option<(u64, u64)> {
    // The same names on Linux (a link to /proc/self/fd) and macOS. One is the directory's own.
    let used = std::fs::read_dir("/dev/fd").ok()?.count().saturating_sub(1);
    Some((u64::try_from(used).ok()?, getrlimit(Resource::Nofile).current?))
}

#[cfg(test)]
mod tests;
