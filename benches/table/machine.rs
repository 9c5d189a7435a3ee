//! The machine, in one line: figures mean nothing without it. Its name is nobody's business.

use std::fs;
use std::path::Path;
use std::thread::available_parallelism;

pub fn described() -> String {
    let model = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    });
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let system = rustix::system::uname();
    let day = readyd::clock::now().wall.rfc3339();
    format!(
        "{} · {} · {} cores · {} {} · {}",
        day.split('T').next().unwrap_or_default(),
        model.unwrap_or_else(|| "CPU of an unknown model".into()),
        cores(),
        system.sysname().to_string_lossy(),
        kernel.trim(),
        disk(&std::env::temp_dir())
    )
}

pub fn cores() -> usize {
    available_parallelism().map_or(1, usize::from)
}

/// The file system that holds `path`: `ext4 on vda`.
fn disk(path: &Path) -> String {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let holding = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ');
        let (device, at, kind) = (fields.next()?, fields.next()?, fields.next()?);
        path.starts_with(at).then_some((at.len(), device, kind))
    });
    holding.max().map_or("unknown disk".into(), |(_, device, kind)| {
        format!("{kind} on {}", device.trim_start_matches("/dev/"))
    })
}
