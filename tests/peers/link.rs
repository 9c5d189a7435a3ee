//! What a real gateway does not know of itself: its state directory on a disk that is full.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::harness::openclaw::{BOOT, Gateway};
use crate::harness::{Node, left_out};

/// Set to the mount point in the run of this spec that has mounts of its own.
const MOUNT_POINT: &str = "READYD_SPEC_MOUNT_POINT";
const DISK: &str = "size=192m";
/// To notice a full disk, and that it is not full any more.
const NOTICED: Duration = Duration::from_secs(30);

/// The spec runs itself again where its mounts are nobody else's, and are gone with it.
#[test]
fn a_full_state_disk_is_told_within_seconds_although_the_gateway_is_ready() {
    if let Some(mount_point) = std::env::var_os(MOUNT_POINT) {
        return on_a_small_disk(&PathBuf::from(mount_point));
    }
    let directory = tempfile::Builder::new().prefix("readyd-openclaw-").tempdir().unwrap();
    let alone = || {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "--"]);
        command
    };
    let may = alone()
        .args(["mount", "-t", "tmpfs", "-o", DISK, "tmpfs"])
        .arg(directory.path())
        .status();
    if !may.is_ok_and(|status| status.success()) {
        return left_out("a small disk needs root and a mount namespace (unshare)");
    }
    let status = alone()
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", std::thread::current().name().unwrap(), "--nocapture"])
        .env(MOUNT_POINT, directory.path())
        .status()
        .unwrap();
    assert!(status.success(), "{status}");
}

fn on_a_small_disk(mount_point: &Path) {
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", DISK, "tmpfs"])
        .arg(mount_point)
        .status();
    assert!(mounted.unwrap().success());
    let Some(mut gateway) = Gateway::new(mount_point) else {
        return;
    };
    gateway.start();
    // Thresholds for a small disk. The doctor, which takes longer than all this, is another spec's.
    let node = Node::start(&format!(
        "openclaw: {{dialect: openclaw}}\n\
         tenants:\n  acme: {{state_dir: {}, port: {}, token_file: {}}}\n\
         probes:\n  disk: {{warn_free: 16MiB, down_free: 4MiB}}\n  doctor: {{enabled: false}}\n",
        mount_point.display(),
        gateway.port,
        gateway.token_file().display(),
    ));
    node.until_status("ok", BOOT);

    // A gateway that has just started still gives back what it wrote: the disk is kept full, not filled once.
    let filler = mount_point.join("filler");
    fill(&filler);
    let (full, took) = node.until("/ready", NOTICED, |answer| {
        fill(&filler);
        answer.json()["status"] != "ok"
    });
    println!("full state disk: {} after {took:?}", full.json()["status"]);
    println!("{}", full.json()["reasons"]);
    assert_eq!(rustix::fs::statvfs(mount_point).unwrap().f_bavail, 0);
    assert_eq!(gateway.readyz(), "200", "the gateway itself does not know");
    // Long enough for every check to have noticed.
    let (_, took) = node.until("/v1/checks/write", NOTICED, |answer| {
        fill(&filler);
        answer.json()["level"] == "down"
    });
    println!("full state disk: writing fails after {took:?} more");
    assert_eq!(gateway.readyz(), "200");

    fs::remove_file(&filler).unwrap();
    let (_, took) = node.until_status("ok", NOTICED);
    println!("freed state disk: ok after {took:?}");
}

/// Until not a byte more goes onto the disk.
fn fill(path: &Path) {
    let mut file = fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    for chunk in [1 << 20, 4096, 1] {
        while file.write(&vec![0; chunk]).is_ok_and(|written| written > 0) {}
    }
}
