//! Shell: what a process inherits and a daemon should not live with.

use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit, umask};
use tracing::warn;

/// 1 024 connections of gateways, 640 of HTTP, 64 native asks, and pipes and files for the rest. Not the hard
/// limit, which can be a billion: there are programs that close every descriptor they might have.
const DESCRIPTORS_WANTED: u64 = 4096;
/// Files are never writable by others. What must be private gets its mode when it is made; children of probes
/// inherit this, and theirs may be meant to be read.
const NEVER: Mode = Mode::from_raw_mode(0o022);

/// Once, before there is a second thread.
pub(super) fn settle() {
    let inherited = umask(NEVER);
    umask(inherited | NEVER);
    forbid_core_dumps();
    raise_descriptors();
}

/// A core holds tokens, and lies where somebody else may read it. Children inherit it: their environments hold some, too.
fn forbid_core_dumps() {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    if let Err(error) = setrlimit(Resource::Core, none) {
        warn!(%error, "core dumps cannot be forbidden");
    }
}

/// The soft limit is often 256 or 1 024.
fn raise_descriptors() {
    let limits = getrlimit(Resource::Nofile);
    let Some(limit) = raised(limits.current, limits.maximum) else {
        return;
    };
    let wanted = Rlimit {
        current: Some(limit),
        maximum: limits.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, wanted) {
        warn!(%error, limit, "the limit of open files cannot be raised");
    } else if limit < DESCRIPTORS_WANTED {
        warn!(
            limit,
            "few files may be open at once: many gateways' connections will be refused; raise LimitNOFILE (or ulimit -Hn) to {DESCRIPTORS_WANTED}"
        );
    }
}

/// The soft limit to set; `None`: it is high enough. A limit of `None` is none.
fn raised(soft: Option<u64>, hard: Option<u64>) -> Option<u64> {
    let soft = soft.filter(|soft| *soft < DESCRIPTORS_WANTED)?;
    let reachable = hard.map_or(DESCRIPTORS_WANTED, |hard| hard.min(DESCRIPTORS_WANTED));
    Some(reachable.max(soft))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_open_files_is_raised_as_far_as_it_may_be_and_never_lowered() {
        assert_eq!(raised(Some(1024), Some(524_288)), Some(4096));
        assert_eq!(raised(Some(256), None), Some(4096), "macOS says no hard limit");
        assert_eq!(raised(Some(1024), Some(2048)), Some(2048));
        assert_eq!(raised(Some(1024), Some(1024)), Some(1024), "nothing to gain, and said");
        assert_eq!(raised(Some(65_536), Some(524_288)), None);
        assert_eq!(raised(None, None), None);
    }
}
