//! Shell: kind `disk`: free bytes, inodes and read-only state of each path, all from one `statvfs`.

use std::path::Path;

use rustix::fs::{StatVfs, StatVfsMountFlags};
use rustix::io::Errno;

use super::part::{Part, fuse};
use super::place::Place;
use super::thread::{Lost, gather};
use super::{Ask, percent, shown, size};
use crate::probe::declaration::{Amount, Disk};
use crate::words::{Cause, Finding};

/// One file system, as `statvfs` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Volume {
    /// What an ordinary user may still write (`f_bavail`): root's reserve is not for gateways.
    pub free_bytes: u64,
    pub total_bytes: u64,
    pub free_inodes: u64,
    /// 0: this file system has no fixed number of inodes (btrfs, APFS).
    pub total_inodes: u64,
    pub read_only: bool,
}

/// What was seen at one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Volume(Volume),
    Missing,
    /// `statvfs` failed otherwise: the errno, in words.
    Refused(String),
    /// It did not return, or could not be asked.
    Silent(Cause, String),
}

pub async fn ask(disk: &Disk, ask: &Ask<'_>) -> Finding {
    let places = match ask.places(&disk.paths).await {
        Ok(places) => places,
        Err(finding) => return finding,
    };
    let begin = |place: &Place| {
        let path = place.path.clone();
        ask.begin(&place.path, move || rustix::fs::statvfs(&path))
    };
    let begun = places.iter().map(begin).collect();
    let results = gather(begun, ask.patience).await;
    let seen: Vec<(Place, Seen)> = places
        .into_iter()
        .zip(results.into_iter().map(seen_of))
        .filter(|(place, seen)| {
            if matches!(seen, Seen::Volume(_)) {
                ask.means.places.note_seen(&place.path);
            }
            *seen != Seen::Missing || ask.means.places.is_missed(place)
        })
        .collect();
    judge(disk, &seen)
}

/// The finding of all paths: the worst speaks.
pub fn judge(disk: &Disk, seen: &[(Place, Seen)]) -> Finding {
    let parts: Vec<Part> = seen
        .iter()
        .map(|(place, seen)| part_of(disk, &place.path, seen))
        .collect();
    let least = seen
        .iter()
        .filter_map(|(place, seen)| match seen {
            Seen::Volume(volume) if volume.total_bytes > 0 => Some((volume.free_bytes, place)),
            _ => None,
        })
        .min_by_key(|(free, _)| *free);
    let all_well = match least {
        Some((free, place)) => format!("{} has {} free, the least of all", shown(&place.path), size(free)),
        None => "there is no path to watch".into(),
    };
    let mut finding = fuse(parts, all_well);
    for (place, seen) in seen {
        if let Seen::Volume(volume) = seen {
            let path = shown(&place.path);
            finding.measure("disk_free_bytes", &path, volume.free_bytes as f64);
            if volume.total_bytes > 0 {
                finding.measure("disk_free_ratio", &path, share(volume.free_bytes, volume.total_bytes));
            }
        }
    }
    finding
}

fn part_of(disk: &Disk, path: &Path, seen: &Seen) -> Part {
    let what = shown(path);
    let volume = match seen {
        Seen::Volume(volume) => volume,
        Seen::Missing => return Part::degraded(what, "does not exist"),
        Seen::Refused(why) => return Part::degraded(what, format!("cannot be looked at: {why}")),
        Seen::Silent(cause, why) => return Part::unknown(*cause, what, format!("statvfs {why}")),
    };
    // A gateway cannot live on it, whatever the reason: an operator's remount or a kernel that gave the disk up.
    if volume.read_only {
        return Part::down(what, "the file system is read-only");
    }
    // /proc and some FUSE and overlay mounts report nothing at all.
    if volume.total_bytes == 0 {
        return Part::ok(what, "the file system does not say how large it is");
    }
    let free = format!(
        "{} free ({})",
        size(volume.free_bytes),
        percent(share(volume.free_bytes, volume.total_bytes))
    );
    let below = |amount: Amount| match amount {
        Amount::Bytes(bytes) => (volume.free_bytes < bytes).then(|| size(bytes)),
        Amount::Share(least) => (share(volume.free_bytes, volume.total_bytes) < least).then(|| percent(least)),
    };
    if let Some(limit) = below(disk.down_free) {
        return Part::down(what, format!("{free}, below {limit}"));
    }
    let inodes = (volume.total_inodes > 0).then(|| share(volume.free_inodes, volume.total_inodes));
    if let Some(inodes) = inodes.filter(|inodes| *inodes < disk.down_inodes) {
        return Part::down(
            what,
            format!(
                "{} of inodes free, below {}",
                percent(inodes),
                percent(disk.down_inodes)
            ),
        );
    }
    if let Some(limit) = below(disk.warn_free) {
        return Part::degraded(what, format!("{free}, below {limit}"));
    }
    if let Some(inodes) = inodes.filter(|inodes| *inodes < disk.warn_inodes) {
        return Part::degraded(
            what,
            format!(
                "{} of inodes free, below {}",
                percent(inodes),
                percent(disk.warn_inodes)
            ),
        );
    }
    Part::ok(what, free)
}

fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64
}

fn seen_of(result: Result<Result<StatVfs, Errno>, Lost>) -> Seen {
    match result {
        Ok(Ok(stat)) => Seen::Volume(Volume {
            free_bytes: stat.f_bavail.saturating_mul(stat.f_frsize),
            total_bytes: stat.f_blocks.saturating_mul(stat.f_frsize),
            free_inodes: stat.f_favail,
            total_inodes: stat.f_files,
            read_only: stat.f_flag.contains(StatVfsMountFlags::RDONLY),
        }),
        Ok(Err(Errno::NOENT)) => Seen::Missing,
        Ok(Err(errno)) => Seen::Refused(errno.to_string()),
        Err(lost) => Seen::Silent(lost.cause(), lost.to_string()),
    }
}

#[cfg(test)]
mod tests;
