//! Programs that one could use instead, each started in a directory of its own. `scripts/tools.sh bench` installs them.

pub mod collectd;
pub mod nginx;
pub mod node_exporter;
pub mod redis;
pub mod rsyslog;
pub mod sqlite;

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::harness::{PATIENCE, pause, signal};

/// Lines that wait for their answers at a time.
pub const PIPELINED: usize = 64;

const END_MAX: Duration = Duration::from_secs(2);

/// Ends with its handle.
#[derive(Debug)]
pub struct Running(Child);

impl Running {
    /// Returns once `is_up`.
    pub fn start(command: &mut Command, is_up: impl Fn() -> bool) -> Running {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut running = Running(child);
        let began = Instant::now();
        while !is_up() {
            assert!(running.0.try_wait().unwrap().is_none(), "{command:?} ended");
            assert!(began.elapsed() < PATIENCE, "{command:?} does not come up");
            pause();
        }
        running
    }

    pub fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Running {
    /// Asked first: nginx's worker would outlive its master.
    fn drop(&mut self) {
        signal(self.0.id(), "TERM");
        let began = Instant::now();
        while self.0.try_wait().unwrap().is_none() && began.elapsed() < END_MAX {
            pause();
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
