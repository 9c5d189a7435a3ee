//! A host that is against us: a full disk, a read-only state, two daemons, a ruined database.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::harness::{Node, PATIENCE};

const ONE_TENANT: &str = "tenants: {acme: {}}\nprobes: {doctor: {enabled: false}}\n";

#[test]
fn a_second_daemon_on_the_same_state_says_who_holds_it_and_ends() {
    let first = Node::start(ONE_TENANT);
    let output = first.cli(&["serve"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains(&first.pid().to_string()), "{said}");
    assert_eq!(first.get("/livez").status, 200);
}

#[test]
fn a_ruined_database_is_set_aside_and_the_verdict_says_so() {
    let mut node = Node::start(ONE_TENANT);
    node.until_status("ok", PATIENCE);
    node.stop();
    let database = fs::read_dir(node.state_dir())
        .unwrap()
        .flatten()
        .map(|entry| entry.path())
        .find(|path| {
            path.extension()
                .is_some_and(|extension| extension == "sqlite" || extension == "db")
        })
        .unwrap();
    fs::write(
        &database,
        b"this is not a database, and never was one; it is only long enough to look like it",
    )
    .unwrap();
    for journal in ["-wal", "-shm"] {
        let _ = fs::remove_file(format!("{}{journal}", database.display()));
    }
    node.spawn();
    node.wait_until_it_answers();
    let (answer, _) = node.until("/ready", PATIENCE, |answer| answer.body.contains("set aside"));
    assert_eq!(answer.json()["status"], "degraded");
    let aside = fs::read_dir(node.state_dir())
        .unwrap()
        .flatten()
        .any(|entry| entry.file_name().to_string_lossy().contains("corrupt"));
    assert!(aside, "the ruined file should be kept for who wants to look");
    node.cli_ok(&["emit", "--tenant", "acme", "--endpoint", "crm", "--status", "500"]);
}

/// A file system of its own, so small that a test can fill it.
struct Tmpfs(tempfile::TempDir);

impl Tmpfs {
    fn mount(size: &str) -> Option<Tmpfs> {
        let dir = tempfile::Builder::new().prefix("readyd-tmpfs-").tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o"])
            .arg(format!("size={size}"))
            .arg("tmpfs")
            .arg(dir.path())
            .output()
            .is_ok_and(|output| output.status.success());
        if !mounted {
            let ci = std::env::var("CI").is_ok_and(|value| value == "true");
            assert!(!ci, "a tmpfs cannot be mounted here");
            eprintln!("left out: a tmpfs cannot be mounted here (it needs root)");
            return None;
        }
        Some(Tmpfs(dir))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}

#[test]
fn a_full_disk_is_down_at_once_keeps_answering_and_heals_by_itself() {
    let Some(tmpfs) = Tmpfs::mount("16m") else { return };
    let mut node = Node::prepared("");
    let config = format!(
        "listen: 127.0.0.1:{}\nstate_dir: {}\nruntime_dir: {}\n{ONE_TENANT}",
        node.port,
        tmpfs.path().join("state").display(),
        node.runtime_dir().display()
    ) .replace("doctor: {enabled: false}", "doctor: {enabled: false}, disk: {warn_free: 256KiB, down_free: 64KiB, every: 1s, retry_every: 200ms}, write: {every: 1s, retry_every: 200ms}");
    fs::write(node.config_path(), config).unwrap();
    node.spawn();
    node.wait_until_it_answers();
    node.until_status("ok", PATIENCE);

    let filler = tmpfs.path().join("filler");
    let mut file = fs::File::create(&filler).unwrap();
    let block = vec![7_u8; 64 * 1024];
    for _ in 0..1024 {
        if file.write_all(&block).is_err() {
            break;
        }
    }
    let _ = file.write_all(&[7; 4096]);
    drop(file);
    let (down, took) = node.until_status("down", PATIENCE);
    println!("full disk: down after {took:?}");
    assert_eq!(node.get("/ready").status, 503);
    assert!(
        down["reasons"].to_string().contains("write") || down["reasons"].to_string().contains("disk"),
        "{down:#}"
    );

    let mut plain = node.events();
    for _ in 0..1_000 {
        writeln!(plain, r#"{{"tenant":"acme","endpoint":"crm","status":500}}"#).unwrap();
    }
    node.cli_ok(&["drain", "--reason", "full"]);
    assert_eq!(
        node.get("/ready").json()["phase"],
        "draining",
        "drain acts at once even when it cannot be kept"
    );
    node.cli_ok(&["undrain"]);

    fs::remove_file(&filler).unwrap();
    let (_, took) = node.until_status_any(&["ok", "degraded"], PATIENCE);
    println!("mended: healed after {took:?}");
    node.cli_ok(&["emit", "--tenant", "acme", "--endpoint", "other", "--status", "500"]);
}

#[test]
fn sigterm_ends_it_within_two_seconds_whatever_it_is_doing() {
    let mut node = Node::start(
        "exec: {path: [/usr/bin, /bin]}\ntenants: {acme: {}}\n\
         probes: {doctor: {enabled: false}, slow: {kind: exec, command: [sleep, '600'], parse: exit-code, layer: runtime, scope: tenant, every: 1s, timeout: 300s}}\n",
    );
    let mut events = node.events();
    writeln!(events, r#"{{"tenant":"acme","endpoint":"crm","status":500}}"#).unwrap();
    let took = node.stop();
    assert!(took < Duration::from_secs(2), "{took:?}");
}
