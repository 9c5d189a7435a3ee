#![expect(clippy::disallowed_methods, reason = "tests make files, mounts and threads")]

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::time::Duration;

use super::super::Scene;
use super::*;
use crate::words::Answer;

fn place(path: &str) -> Place {
    Place {
        path: path.into(),
        user: None,
        must_exist: true,
    }
}

fn failed(step: Step, errno: Errno) -> Seen {
    Seen::Attempt(Attempt {
        acted_as: "oc-acme".into(),
        failed: Some((step, errno)),
        note: None,
    })
}

fn told(seen: Seen) -> String {
    let finding = judge(&[(place("/state"), seen)]);
    let at_once = if finding.immediate { " at once" } else { "" };
    let cause = finding
        .cause
        .map_or(String::new(), |cause| format!(" ({})", cause.as_str()));
    format!("{}{at_once}{cause}: {}", finding.answer.as_str(), finding.summary)
}

/// Root in a container without CAP_SETUID is not root enough for these.
fn is_root() -> bool {
    crate::account::own_uid() == 0
}

/// Under CI a test that cannot run is a failure, elsewhere it says that it did not run.
fn cannot(what: &str) {
    assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "{what}");
    eprintln!("not tested: {what}");
}

#[test]
fn each_failure_names_the_path_the_user_and_what_it_means() {
    let table = [
        (
            failed(Step::Write, Errno::NOSPC),
            "down at once: /state: to write as oc-acme failed: no space left on device",
        ),
        (
            failed(Step::Create, Errno::NOSPC),
            "down at once: /state: to create a file as oc-acme failed: no space left on device",
        ),
        (
            failed(Step::Sync, Errno::IO),
            "down: /state: to sync as oc-acme failed: input/output error",
        ),
        (
            failed(Step::Write, Errno::DQUOT),
            "down: /state: to write as oc-acme failed: disk quota exceeded",
        ),
        (
            failed(Step::Create, Errno::ACCESS),
            "degraded: /state: to create a file as oc-acme failed: permission denied",
        ),
        (
            failed(Step::Create, Errno::PERM),
            "degraded: /state: to create a file as oc-acme failed: operation not permitted",
        ),
        (
            failed(Step::Create, Errno::ROFS),
            "degraded: /state: to create a file as oc-acme failed: read-only file system",
        ),
        (
            failed(Step::Open, Errno::NOENT),
            "degraded: /state: to open the directory as oc-acme failed: no such file or directory",
        ),
        (
            failed(Step::Become, Errno::IO),
            "degraded: /state: to act as oc-acme failed: input/output error",
        ),
        (
            failed(Step::Create, Errno::MFILE),
            "unknown (local): /state: to create a file as oc-acme failed: too many open files",
        ),
        (
            Seen::Silent(Cause::Timeout, "does not return (asked 9 s ago)".into()),
            "unknown (timeout): /state: a write does not return (asked 9 s ago)",
        ),
    ];
    for (seen, expected) in table {
        assert_eq!(told(seen), expected);
    }
}

#[test]
fn a_full_disk_counts_at_once_whatever_else_is_wrong() {
    let finding = judge(&[
        (place("/a"), failed(Step::Sync, Errno::IO)),
        (place("/b"), failed(Step::Write, Errno::NOSPC)),
    ]);
    assert!(finding.immediate);
    assert!(finding.summary.starts_with("/b: "), "{}", finding.summary);
}

#[tokio::test]
async fn a_writable_path_is_ok_and_nothing_is_left_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let write = Write {
        paths: vec![folder.path().into()],
    };
    let finding = ask(&write, &Scene::node().ask()).await;
    assert_eq!(finding.answer, Answer::Ok, "{}", finding.summary);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn what_a_killed_run_left_is_taken_away() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(FILE_NAME), [b'.'; 4096]).unwrap();
    assert_eq!(attempt(folder.path(), None).failed, None);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn nothing_that_is_not_ours_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let (path, precious) = (folder.path().join(FILE_NAME), folder.path().join("precious"));
    let refused = |what: &str| {
        let attempt = attempt(folder.path(), None);
        assert_eq!(attempt.failed, Some((Step::Create, Errno::EXIST)), "{what}");
    };

    std::fs::write(&precious, "data").unwrap();
    std::os::unix::fs::symlink(&precious, &path).unwrap();
    refused("a link");
    assert_eq!(std::fs::read_to_string(&precious).unwrap(), "data");

    std::fs::remove_file(&path).unwrap();
    std::fs::hard_link(&precious, &path).unwrap();
    refused("a second name of another file");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "data");

    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    refused("a directory");

    std::fs::remove_dir(&path).unwrap();
    std::fs::write(&path, [0; 4097]).unwrap();
    refused("a file larger than ours");
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 4097);
}

#[test]
fn a_path_that_is_no_directory_is_told_by_its_step() {
    let folder = tempfile::tempdir().unwrap();
    let missing = attempt(&folder.path().join("gone"), None);
    assert!(missing.no_directory());
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert_eq!(attempt(&file, None).failed, Some((Step::Open, Errno::NOTDIR)));
}

#[test]
fn a_user_that_does_not_exist_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let attempt = attempt(folder.path(), Some("nobody-has-this-name"));
    assert_eq!(attempt.acted_as, "nobody-has-this-name (no such user)");
    assert_eq!(attempt.failed, Some((Step::Become, Errno::NOENT)));
    assert!(!attempt.no_directory(), "the directory is there; the user is not");
}

#[test]
fn root_writes_as_the_tenants_user_and_stays_root_elsewhere() {
    if !is_root() || !cfg!(target_os = "linux") {
        return cannot("acting as another user needs root on Linux");
    }
    let folder = tempfile::tempdir().unwrap();
    let reach = |mode| std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(mode)).unwrap();
    let as_nobody = || {
        let path: PathBuf = folder.path().into();
        std::thread::spawn(move || attempt(&path, Some("nobody")))
            .join()
            .unwrap()
    };
    // Root may write everywhere; the user may not.
    reach(0o755);
    let refused = as_nobody();
    assert_eq!(refused.failed, Some((Step::Create, Errno::ACCESS)), "{refused:?}");
    assert_eq!(refused.acted_as, "nobody");
    reach(0o777);
    assert_eq!(as_nobody().failed, None);
    assert_eq!(crate::account::own_uid(), 0, "only that thread changed");
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    assert!(status.contains("Uid:\t0\t0\t0\t0\n"), "{status}");
}

#[test]
fn a_thread_that_acts_as_a_user_cannot_be_signalled_by_it() {
    if !is_root() || !cfg!(target_os = "linux") {
        return cannot("acting as another user needs root on Linux");
    }
    let ids = std::thread::spawn(|| {
        become_named("nobody");
        std::fs::read_to_string("/proc/thread-self/status").unwrap()
    });
    let status = ids.join().unwrap();
    let uids: Vec<&str> = status
        .lines()
        .find(|line| line.starts_with("Uid:"))
        .unwrap()
        .split('\t')
        .collect();
    // Real, effective, saved, file system: kill(2) looks at real and saved.
    assert_eq!((uids[1], uids[3]), ("0", "0"));
    assert!(uids[2] != "0" && uids[4] == uids[2], "{uids:?}");
}

/// A file system of 64 KiB of its own. `None` where none may be mounted.
struct Tmpfs(PathBuf);

impl Tmpfs {
    fn mounted(at: &Path, options: &str) -> Option<Tmpfs> {
        let mount = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(at)
            .output()
            .ok()?;
        mount.status.success().then(|| Tmpfs(at.to_owned()))
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(&self.0).status();
    }
}

#[tokio::test]
async fn a_full_file_system_is_down_at_once_and_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_tmpfs) = Tmpfs::mounted(folder.path(), "size=64k") else {
        return cannot("a full disk needs root and tmpfs");
    };
    let write = Write {
        paths: vec![folder.path().into()],
    };
    let scene = Scene::node();
    let filler = folder.path().join("filler");
    let block = vec![b'x'; 1 << 20];
    assert!(std::fs::write(&filler, block).is_err(), "the disk is full now");
    let finding = ask(&write, &scene.ask()).await;
    assert_eq!(
        (finding.answer, finding.immediate),
        (Answer::Down, true),
        "{}",
        finding.summary
    );
    assert!(
        finding.summary.ends_with("no space left on device"),
        "{}",
        finding.summary
    );
    assert!(
        !folder.path().join(FILE_NAME).exists(),
        "a full disk is not filled further"
    );

    std::fs::remove_file(&filler).unwrap();
    assert_eq!(ask(&write, &scene.ask()).await.answer, Answer::Ok);
}

#[tokio::test]
async fn a_read_only_file_system_is_down_for_disk_and_degraded_for_write() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_tmpfs) = Tmpfs::mounted(folder.path(), "size=64k,ro") else {
        return cannot("a read-only file system needs root and tmpfs");
    };
    let write = Write {
        paths: vec![folder.path().into()],
    };
    let finding = ask(&write, &Scene::node().ask()).await;
    assert_eq!(finding.answer, Answer::Degraded);
    assert!(
        finding.summary.ends_with("read-only file system"),
        "{}",
        finding.summary
    );
    let disk = crate::probe::declaration::Disk {
        paths: write.paths,
        warn_free: crate::probe::declaration::Amount::Bytes(0),
        down_free: crate::probe::declaration::Amount::Bytes(0),
        warn_inodes: 0.0,
        down_inodes: 0.0,
    };
    let finding = super::super::disk::ask(&disk, &Scene::node().ask()).await;
    assert_eq!(finding.answer, Answer::Down);
}

/// A FIFO in place of the probe's file would block an `open` without O_EXCL; this must not.
#[tokio::test]
async fn a_trap_in_the_path_does_not_hold_the_probe() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE_NAME);
    let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    let mut scene = Scene::node();
    scene.patience = Duration::from_secs(5);
    let write = Write {
        paths: vec![folder.path().into()],
    };
    let finding = ask(&write, &scene.ask()).await;
    assert_eq!(finding.answer, Answer::Degraded, "{}", finding.summary);
    assert_eq!(
        std::fs::symlink_metadata(&path).unwrap().mode() & 0o170_000,
        0o010_000,
        "the FIFO stays"
    );
}
