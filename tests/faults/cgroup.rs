//! A control group of a row's own: version 2 where its controller is delegated to us, version 1 where that is mounted.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use crate::harness::{PATIENCE, pause};

/// Removed when it is dropped, once everybody in it has ended.
#[derive(Debug)]
pub struct Cgroup {
    path: PathBuf,
    is_v2: bool,
}

static NUMBER: AtomicU32 = AtomicU32::new(0);

impl Cgroup {
    /// `None`: this host does not let us have one with `controller` (`memory`, `pids`).
    pub fn with(controller: &str) -> Option<Cgroup> {
        let root = Path::new("/sys/fs/cgroup");
        let delegated = fs::read_to_string(root.join("cgroup.subtree_control")).unwrap_or_default();
        let is_v2 = delegated.split_whitespace().any(|one| one == controller);
        let parent = match is_v2 {
            true => root.to_owned(),
            false => root.join(controller),
        };
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!("readyd-faults-{}-{number}", std::process::id()));
        let has_it = parent.join("cgroup.procs").is_file() && fs::create_dir(&path).is_ok();
        let cgroup = has_it.then_some(Cgroup { path, is_v2 })?;
        let limit = cgroup.path.join(if controller == "pids" {
            "pids.max"
        } else {
            cgroup.memory_max()
        });
        limit.is_file().then_some(cgroup)
    }

    /// To start a program in it: `sh -c 'echo … && exec …' sh PROGRAM ARGUMENTS…`.
    pub fn wrapper(&self) -> [String; 4] {
        let procs = self.path.join("cgroup.procs");
        let script = format!("echo $$ > {} && exec \"$@\"", procs.display());
        ["sh".into(), "-c".into(), script, "sh".into()]
    }

    /// `None`: no limit.
    pub fn limit_memory(&self, bytes: Option<u64>) {
        let none = if self.is_v2 { "max" } else { "-1" };
        let value = bytes.map_or_else(|| none.to_owned(), |bytes| bytes.to_string());
        self.write(self.memory_max(), &value);
        if self.is_v2 {
            // What does not fit is not put elsewhere.
            let _ = fs::write(self.path.join("memory.swap.max"), "0");
        }
    }

    pub fn limit_tasks(&self, tasks: Option<u64>) {
        let value = tasks.map_or_else(|| "max".to_owned(), |tasks| tasks.to_string());
        self.write("pids.max", &value);
    }

    /// Processes and threads.
    pub fn tasks(&self) -> u64 {
        fs::read_to_string(self.path.join("pids.current"))
            .unwrap()
            .trim()
            .parse()
            .unwrap()
    }

    fn memory_max(&self) -> &'static str {
        match self.is_v2 {
            true => "memory.max",
            false => "memory.limit_in_bytes",
        }
    }

    fn write(&self, file: &str, value: &str) {
        fs::write(self.path.join(file), value).unwrap_or_else(|error| panic!("{file}: {value}: {error}"));
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let began = Instant::now();
        while fs::remove_dir(&self.path).is_err() && began.elapsed() < PATIENCE {
            pause();
        }
    }
}
