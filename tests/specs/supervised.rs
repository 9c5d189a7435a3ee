//! What a supervisor is told, and that it is told the truth.

use std::os::unix::net::UnixDatagram;

use crate::harness::{Node, PATIENCE};

/// As systemd listens; each message is one line here.
struct Systemd {
    socket: UnixDatagram,
    directory: tempfile::TempDir,
}

impl Systemd {
    fn new() -> Systemd {
        let directory = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(directory.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Systemd { socket, directory }
    }

    fn path(&self) -> String {
        self.directory.path().join("notify").display().to_string()
    }

    fn hears(&self) -> String {
        let mut message = [0; 256];
        let length = self.socket.recv(&mut message).unwrap();
        String::from_utf8_lossy(&message[..length]).trim().to_owned()
    }
}

#[test]
fn systemd_is_told_when_it_serves_that_it_lives_and_when_it_stops() {
    let systemd = Systemd::new();
    let mut node = Node::prepared("tenants: {}\n")
        .with_env("NOTIFY_SOCKET", &systemd.path())
        .with_env("WATCHDOG_USEC", "400000");
    node.spawn();
    let mut heard = systemd.hears();
    // The watchdog counts from the start of the process.
    while heard == "WATCHDOG=1" {
        heard = systemd.hears();
    }
    assert_eq!(heard, "READY=1");
    assert_eq!(node.get("/ready").status, 200, "told before it answered");
    assert_eq!(systemd.hears(), "WATCHDOG=1");
    assert_eq!(systemd.hears(), "WATCHDOG=1");

    node.stop();
    let mut heard = systemd.hears();
    while heard == "WATCHDOG=1" {
        heard = systemd.hears();
    }
    assert_eq!(heard, "STOPPING=1");
}

#[test]
fn a_supervisor_that_does_not_read_holds_nothing_up() {
    let systemd = Systemd::new();
    let mut node = Node::prepared("tenants: {}\n")
        .with_env("NOTIFY_SOCKET", &systemd.path())
        // More messages than its queue takes.
        .with_env("WATCHDOG_USEC", "2000")
        .started();
    node.until("/ready", PATIENCE, |answer| {
        answer.json()["green_cycles"].as_u64() > Some(0)
    });
    assert_eq!(node.get("/livez").status, 200);
    assert!(node.stop() < std::time::Duration::from_secs(2));
}
