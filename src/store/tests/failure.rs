//! Commits that fail: said once, tried again, counted once.

use std::process::Command;

use super::*;
use crate::ingest::submit::SubmitError;

#[test]
fn a_failure_is_said_once_and_what_waited_is_committed_once_when_it_ends() {
    let dir = TempDir::new().unwrap();
    let house = House::new(dir.path());
    let intruder = Intruder::new(dir.path());
    house.persist(state(1, "drain", Some("1")));
    assert_eq!(house.until("failing"), ["failing"]);
    assert!(!house.hub.is_committing());
    assert!(house.stats.failing().unwrap().reason.contains("locked"));
    assert_eq!(house.hub.submit(b"{}"), Err(SubmitError::StoreFailing));
    house.persist(state(2, "drain", Some("2")));
    drop(intruder);
    assert_eq!(house.until("persisted 2"), ["recovered", "persisted 2"]);
    assert!(house.hub.is_committing());
    assert_eq!(house.stats.failing(), None);
    house.stop();
    assert_eq!(open(dir.path()).unwrap().restored.state["drain"], "2");
}

#[test]
fn a_commit_whose_answer_was_lost_is_not_made_twice() {
    let dir = TempDir::new().unwrap();
    let house = House::new(dir.path());
    house.count("crm");
    house.fault.lose_the_next_answer();
    // `late` is merged with what is stored: a second time would show.
    let fold = Some(Fold {
        late: vec![(300, tenant("acme"), b"once ".into())],
        ..Fold::default()
    });
    house.persist(Persist {
        ticket: 1,
        fold,
        ..Persist::default()
    });
    assert_eq!(
        house.until("recovered"),
        ["committed", "failing", "persisted 1", "recovered"]
    );
    assert_eq!(
        house.reader.windows(300).unwrap(),
        [(tenant("acme"), b"once ".to_vec())]
    );
    house.fault.lose_the_next_answer();
    assert_eq!(house.count("erp"), 1);
    house.stop();
    assert_eq!(on_disk(dir.path()), of(&[("crm", 1), ("erp", 1)]));
}

#[test]
fn a_database_found_corrupt_while_running_is_set_aside_and_what_waits_goes_to_the_new_one() {
    let dir = TempDir::new().unwrap();
    let house = House::new(dir.path());
    house.count("crm");
    let old_id = house.next_batch().log_id;
    let intruder = Intruder::new(dir.path());
    house.persist(state(1, "drain", Some("1")));
    house.until("failing");
    drop(intruder);
    // It may recover before the damage is done; the next failure finds it then.
    for suffix in ["", "-wal", "-shm"] {
        let path = dir.path().join(format!("readyd.sqlite{suffix}"));
        std::fs::write(path, "garbage ".repeat(2000)).unwrap();
    }
    house.persist(state(2, "drain", Some("2")));
    let heard = house.until("quarantined");
    assert!(!heard.contains(&"persisted 2".to_string()), "{heard:?}");
    house.until("persisted 2");
    assert_eq!(house.count("erp"), 1);
    assert!(house.next_batch().log_id > old_id);
    assert!(house.reader.windows(0).unwrap().is_empty());
    house.stop();
    let restored = open(dir.path()).unwrap().restored;
    assert_eq!(restored.state["drain"], "2");
    assert_eq!(restored.quarantined, None);
}

#[test]
fn a_checkpoint_that_fails_is_said_and_what_it_was_to_take_is_kept() {
    let dir = TempDir::new().unwrap();
    let house = House::new(dir.path());
    house.fault.fail_the_next_checkpoint();
    house.count("crm");
    let longer_than_the_log_may_be = "x".repeat(5 << 20);
    house.persist(state(1, "large", Some(&longer_than_the_log_may_be)));
    assert_eq!(
        house.until("recovered"),
        ["committed", "persisted 1", "failing", "recovered"]
    );
    assert_eq!(house.count("crm"), 1);
    house.stop();
    assert_eq!(on_disk(dir.path()), of(&[("crm", 2)]));
}

#[test]
fn a_file_that_is_cut_while_it_is_in_use_is_not_opened_in_vain_for_ever() {
    let dir = TempDir::new().unwrap();
    let house = House::new(dir.path());
    house.persist(state(1, "large", Some(&"x".repeat(400_000))));
    house.until("persisted 1");
    house.stop();
    // The log has the first page, which says how long the file is, and not those that will be missing.
    let house = House::new(dir.path());
    house.count("crm");
    let path = dir.path().join("readyd.sqlite");
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.set_len(file.metadata().unwrap().len() / 2).unwrap();
    // What is written over lay on pages that are not there any more.
    house.persist(state(2, "large", Some("2")));
    house.until("persisted 2");
}

#[test]
fn a_file_that_failed_is_opened_again_when_nobody_reads_from_it_any_more() {
    let dir = TempDir::new().unwrap();
    let house = House::new(dir.path());
    house.count("crm");
    let open_files = || {
        let files = std::fs::read_dir("/proc/self/fd").ok()?.flatten();
        let ours = |path: &PathBuf| path.starts_with(dir.path()) && path.extension().is_some_and(|it| it == "sqlite");
        Some(
            files
                .filter_map(|file| std::fs::read_link(file.path()).ok())
                .filter(ours)
                .count(),
        )
    };
    let (read_on, wait) = std::sync::mpsc::sync_channel::<()>(0);
    let wait = Mutex::new(wait);
    let reader = house.reader.clone();
    let reading = std::thread::spawn(move || reader.read(|_| Ok(wait.lock().unwrap().recv().is_ok())).unwrap());
    house.fault.lose_the_next_answer();
    house.persist(state(1, "drain", Some("1")));
    house.until("failing");
    assert!(house.events.recv_timeout(Duration::from_millis(300)).is_err());
    let another = house.reader.read(|_| Ok(()));
    assert!(
        another.is_err(),
        "readers that follow each other would keep it from the writer"
    );
    assert_eq!(house.stats.failing().unwrap().reason, "the answer was lost");
    read_on.send(()).unwrap();
    assert!(reading.join().unwrap());
    house.until("recovered");
    // Else the one whose sync failed may be in use again.
    assert!(open_files().is_none_or(|open| open == 1), "{:?}", open_files());
    assert!(house.reader.read(|_| Ok(())).is_ok());
}

/// A small file system of its own; `None` where we may not mount one.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn new() -> Option<SmallDisk> {
        let dir = TempDir::new().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=512k,mode=700", "tmpfs"])
            .arg(dir.path())
            .status();
        match mounted {
            Ok(status) if status.success() => Some(SmallDisk(dir)),
            _ => {
                left_out("a tmpfs cannot be mounted here (needs root)");
                None
            }
        }
    }

    fn fill(&self) {
        let path = self.0.path().join("fill");
        let mut size = 1 << 20;
        let mut file = std::fs::File::create(path).unwrap();
        while size > 0 {
            // Until not one byte more fits.
            if std::io::Write::write_all(&mut file, &vec![0; size]).is_err() {
                size /= 2;
            }
        }
    }

    fn remount(&self, how: &str) {
        let how = format!("remount,{how}");
        let remounted = Command::new("mount").args(["-o", &how]).arg(self.0.path()).status();
        assert!(remounted.unwrap().success());
    }

    fn free(&self) {
        std::fs::remove_file(self.0.path().join("fill")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_is_said_and_space_heals_it() {
    let Some(disk) = SmallDisk::new() else { return };
    let house = House::new(disk.0.path());
    house.count("crm");
    disk.fill();
    let large = "x".repeat(200_000);
    house.persist(state(1, "large", Some(&large)));
    house.until("failing");
    let reason = house.stats.failing().unwrap().reason;
    assert!(reason.contains("full") || reason.contains("I/O"), "{reason}");
    disk.free();
    house.until("recovered");
    assert_eq!(house.count("crm"), 1);
    house.stop();
    assert_eq!(on_disk(disk.0.path()), of(&[("crm", 2)]));
}

#[test]
fn a_start_on_a_full_disk_finds_the_old_state_and_begins_in_failure() {
    let Some(disk) = SmallDisk::new() else { return };
    let house = House::new(disk.0.path());
    house.persist(state(1, "drain", Some("{}")));
    house.until("persisted 1");
    house.count("crm");
    house.stop();
    disk.fill();
    let house = House::new(disk.0.path());
    assert_eq!(house.restored.state["drain"], "{}");
    assert_eq!(house.restored.log.len(), 1);
    assert_eq!(house.restored.quarantined, None);
    house.until("failing");
    disk.free();
    house.until("recovered");
    assert_eq!(house.count("crm"), 1);
    house.stop();
    assert_eq!(on_disk(disk.0.path()), of(&[("crm", 2)]));
}

#[test]
fn a_start_on_a_read_only_disk_finds_the_old_state_and_begins_in_failure() {
    // After an orderly end, and after a kill (the write-ahead log is still there).
    for orderly in [true, false] {
        let Some(disk) = SmallDisk::new() else { return };
        let house = House::new(disk.0.path());
        house.persist(state(1, "drain", Some("{}")));
        house.until("persisted 1");
        let name = |suffix: &str| disk.0.path().join(format!("readyd.sqlite{suffix}"));
        let killed = ["", "-wal", "-shm"].map(|suffix| (name(suffix), std::fs::read(name(suffix)).unwrap()));
        house.stop();
        if !orderly {
            killed
                .iter()
                .for_each(|(path, bytes)| std::fs::write(path, bytes).unwrap());
        }
        disk.remount("ro");
        let house = House::new(disk.0.path());
        assert_eq!(
            house.restored.state.get("drain").map(String::as_str),
            Some("{}"),
            "orderly: {orderly}"
        );
        house.until("failing");
        disk.remount("rw");
        house.until("recovered");
        assert_eq!(house.count("crm"), 1);
    }
}
