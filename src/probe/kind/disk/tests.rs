use std::path::PathBuf;

use super::super::Scene;
use super::*;
use crate::probe::declaration::{StateDir, Target};
use crate::words::{Answer, TenantName};

const GIB: u64 = 1 << 30;

fn disk(paths: &[&Path]) -> Disk {
    Disk {
        paths: paths.iter().map(PathBuf::from).collect(),
        warn_free: Amount::Bytes(2 * GIB),
        down_free: Amount::Bytes(GIB / 4),
        warn_inodes: 0.05,
        down_inodes: 0.01,
    }
}

fn roomy() -> Volume {
    Volume {
        free_bytes: 40 * GIB,
        total_bytes: 100 * GIB,
        free_inodes: 900,
        total_inodes: 1000,
        read_only: false,
    }
}

fn judged(disk: &Disk, seen: Seen) -> String {
    let place = Place {
        path: "/data".into(),
        user: None,
        must_exist: true,
    };
    let finding = judge(disk, &[(place, seen)]);
    assert!(!finding.immediate, "low space is debounced");
    let cause = finding
        .cause
        .map_or(String::new(), |cause| format!(" ({})", cause.as_str()));
    format!("{}{cause}: {}", finding.answer.as_str(), finding.summary)
}

#[test]
fn free_bytes_inodes_and_mode_each_have_their_answer() {
    let bytes = |free_bytes| Seen::Volume(Volume { free_bytes, ..roomy() });
    let inodes = |free_inodes| Seen::Volume(Volume { free_inodes, ..roomy() });
    let table = [
        (bytes(40 * GIB), "ok: /data has 40.0 GiB free, the least of all"),
        (bytes(2 * GIB), "ok: /data has 2.0 GiB free, the least of all"),
        (bytes(2 * GIB - 1), "degraded: /data: 2.0 GiB free (1 %), below 2.0 GiB"),
        (bytes(GIB / 4 - 1), "down: /data: 256.0 MiB free (0 %), below 256.0 MiB"),
        (bytes(0), "down: /data: 0 B free (0 %), below 256.0 MiB"),
        (inodes(49), "degraded: /data: 4 % of inodes free, below 5 %"),
        (inodes(9), "down: /data: 0 % of inodes free, below 1 %"),
        (
            Seen::Volume(Volume {
                free_inodes: 0,
                total_inodes: 0,
                ..roomy()
            }),
            "ok: /data has 40.0 GiB free, the least of all",
        ),
        (
            Seen::Volume(Volume {
                read_only: true,
                ..roomy()
            }),
            "down: /data: the file system is read-only",
        ),
        (
            Seen::Volume(Volume {
                free_bytes: 0,
                total_bytes: 0,
                free_inodes: 0,
                total_inodes: 0,
                read_only: false,
            }),
            "ok: there is no path to watch",
        ),
        (Seen::Missing, "degraded: /data: does not exist"),
        (
            Seen::Refused("Permission denied".into()),
            "degraded: /data: cannot be looked at: Permission denied",
        ),
        (
            Seen::Silent(Cause::Timeout, "does not return (asked 2 s ago)".into()),
            "unknown (timeout): /data: statvfs does not return (asked 2 s ago)",
        ),
    ];
    for (seen, expected) in table {
        assert_eq!(judged(&disk(&[]), seen), expected);
    }
}

#[test]
fn shares_are_of_the_whole() {
    let disk = Disk {
        warn_free: Amount::Share(0.50),
        down_free: Amount::Share(0.41),
        ..disk(&[])
    };
    assert_eq!(
        judged(&disk, Seen::Volume(roomy())),
        "down: /data: 40.0 GiB free (40 %), below 41 %"
    );
}

#[test]
fn each_path_is_measured() {
    let place = |path: &str| Place {
        path: path.into(),
        user: None,
        must_exist: true,
    };
    let finding = judge(
        &disk(&[]),
        &[(place("/a"), Seen::Volume(roomy())), (place("/b"), Seen::Missing)],
    );
    let measured: Vec<_> = finding
        .measurements
        .iter()
        .map(|one| (one.name.as_str(), one.subject.as_str(), one.value))
        .collect();
    assert_eq!(
        measured,
        [
            ("disk_free_bytes", "/a", 40.0 * GIB as f64),
            ("disk_free_ratio", "/a", 0.4)
        ]
    );
}

#[tokio::test]
async fn a_real_file_system_is_looked_at_and_what_is_configured_must_exist() {
    let folder = tempfile::tempdir().unwrap();
    let mut disk = disk(&[folder.path()]);
    disk.warn_free = Amount::Bytes(0);
    disk.down_free = Amount::Bytes(0);
    (disk.warn_inodes, disk.down_inodes) = (0.0, 0.0);
    let scene = Scene::node();
    assert_eq!(ask(&disk, &scene.ask()).await.answer, Answer::Ok);
    disk.paths.push(folder.path().join("gone"));
    let finding = ask(&disk, &scene.ask()).await;
    assert_eq!(finding.answer, Answer::Degraded);
    assert!(finding.summary.ends_with("gone: does not exist"), "{}", finding.summary);
}

#[tokio::test]
async fn a_tenants_directory_may_be_missing_until_it_was_there_once() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join(".openclaw-acme");
    let scene = Scene::of(Target::Node {
        state_dirs: vec![StateDir {
            path: state.clone(),
            tenant: TenantName::parse("acme"),
            user: None,
        }],
        senders: Vec::new(),
    });
    let disk = Disk {
        warn_free: Amount::Bytes(0),
        down_free: Amount::Bytes(0),
        warn_inodes: 0.0,
        down_inodes: 0.0,
        ..disk(&[])
    };
    assert_eq!(ask(&disk, &scene.ask()).await.summary, "there is no path to watch");
    std::fs::create_dir(&state).unwrap();
    assert_eq!(ask(&disk, &scene.ask()).await.answer, Answer::Ok);
    std::fs::remove_dir(&state).unwrap();
    assert_eq!(ask(&disk, &scene.ask()).await.answer, Answer::Degraded);
}
