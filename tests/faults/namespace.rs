//! A network of a row's own: what is done to it is done to nobody else. Root on Linux alone may have one.

use std::fs::File;
use std::os::fd::AsFd as _;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::harness::left_out;

/// One of `ip netns`, with loopback up; removed when it is dropped.
#[derive(Debug)]
pub struct Namespace {
    pub name: String,
}

static NUMBER: AtomicU32 = AtomicU32::new(0);

impl Namespace {
    /// `None`: not here, and why was told.
    pub fn new(what: &str) -> Option<Namespace> {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("readyd-{what}-{}-{number}", std::process::id());
        let made = Command::new("ip").args(["netns", "add", &name]).output();
        if !made.is_ok_and(|output| output.status.success()) {
            left_out("no network namespace of our own (ip netns, as root)");
            return None;
        }
        let namespace = Namespace { name };
        namespace.ip(&["link", "set", "lo", "up"]);
        Some(namespace)
    }

    /// `ip ARGUMENTS` in it, which must succeed.
    pub fn ip(&self, arguments: &[&str]) -> String {
        let output = self.try_ip(arguments);
        assert!(output.status.success(), "ip {arguments:?}: {output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub fn try_ip(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new("ip");
        command.args(["-n", &self.name]).args(arguments).stdin(Stdio::null());
        command.output().unwrap()
    }

    /// Does `work` on a thread that lives in it, as do the threads and programs that it starts.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let file = File::open(format!("/run/netns/{}", self.name)).unwrap();
        std::thread::scope(|scope| {
            let there = scope.spawn(move || {
                move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
                work()
            });
            there.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.name]).output();
    }
}
