//! Shell: as pid 1 (in a container) orphans become our children, and nobody else will reap them.
//!
//! Elsewhere nothing is done: they go to the system's own pid 1. Only children that no run waits for are
//! reaped, one by one and by number, so that no run loses its exit. It happens after each run: what
//! escaped a run's group is a zombie at most until a later run ends.
#![expect(clippy::disallowed_methods, reason = "shell: reads /proc")]

use std::collections::BTreeSet;
use std::io;
use std::process::Child;
use std::sync::{Mutex, PoisonError, RwLock};

use rustix::process::{Pid, WaitOptions, getpid, waitpid};

/// Held shared while a child is started and entered below: a sweep in between could take its exit.
static STARTING: RwLock<()> = RwLock::new(());
/// Children that a run waits for.
static AWAITED: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// Starts a child and enters it.
pub fn starting(start: impl FnOnce() -> io::Result<Child>) -> io::Result<Child> {
    let _shared = STARTING.read().unwrap_or_else(PoisonError::into_inner);
    let child = start()?;
    AWAITED
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(Pid::from_child(&child).as_raw_nonzero().get());
    Ok(child)
}

pub fn reaped(child: Pid) {
    AWAITED
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .remove(&child.as_raw_nonzero().get());
}

/// Reaps the zombies that nobody waits for, as pid 1.
pub fn sweep() {
    if !getpid().is_init() {
        return;
    }
    // A start that hangs only puts the sweep off.
    let Ok(_alone) = STARTING.try_write() else { return };
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return;
    };
    for process in processes.flatten() {
        let Ok(stat) = std::fs::read_to_string(process.path().join("stat")) else {
            continue;
        };
        let awaited = AWAITED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(zombie) = orphan(&stat, getpid(), &awaited) {
            let _ = waitpid(Some(zombie), WaitOptions::NOHANG);
        }
    }
}

/// The process of a `/proc/PID/stat` line (`pid (name) state ppid …`; the name may hold anything), when
/// it is a zombie child of `parent` that nobody waits for.
fn orphan(stat: &str, parent: Pid, awaited: &BTreeSet<i32>) -> Option<Pid> {
    let (pid, _) = stat.split_once(' ')?;
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    let zombie = fields.next()? == "Z";
    let ours = fields.next()?.parse() == Ok(parent.as_raw_nonzero().get());
    let pid: i32 = pid.parse().ok()?;
    (zombie && ours && !awaited.contains(&pid))
        .then(|| Pid::from_raw(pid))
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn swept(stat: &str, awaited: &[i32]) -> Option<i32> {
        let parent = Pid::from_raw(1).unwrap();
        orphan(stat, parent, &awaited.iter().copied().collect()).map(|pid| pid.as_raw_nonzero().get())
    }

    #[test]
    fn only_zombie_children_that_nobody_waits_for_are_swept() {
        assert_eq!(swept("77 (node) Z 1 77 70 0 -1", &[]), Some(77));
        assert_eq!(
            swept("77 (a) Z 9) Z 1 77 70 0 -1", &[]),
            Some(77),
            "a name may look like fields"
        );
        assert_eq!(swept("77 (node) Z 1 77 70 0 -1", &[77]), None, "a run waits for it");
        assert_eq!(swept("77 (node) S 1 77 70 0 -1", &[]), None, "it lives");
        assert_eq!(swept("77 (node) Z 5 77 70 0 -1", &[]), None, "it is somebody else's");
        assert_eq!(swept("", &[]), None);
    }
}
