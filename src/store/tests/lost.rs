//! A database that loses its name (or its log) while it is in use: noticed before anything is acknowledged.

use super::*;

fn side(dir: &TempDir, suffix: &str) -> PathBuf {
    dir.path().join(format!("readyd.sqlite{suffix}"))
}

/// What the engine does when it hears that a file has begun anew.
fn everything(ticket: u64) -> Persist {
    state(ticket, "drain", Some("all of it"))
}

#[test]
fn a_deleted_database_is_noticed_with_the_next_commit_and_a_new_one_takes_that_commit() {
    for left in [&["-wal", "-shm"][..], &[]] {
        let dir = TempDir::new().unwrap();
        let house = House::new(dir.path());
        house.count("before");
        std::fs::remove_file(database(&dir)).unwrap();
        for suffix in ["-wal", "-shm"].iter().filter(|suffix| !left.contains(suffix)) {
            std::fs::remove_file(side(&dir, suffix)).unwrap();
        }
        assert_eq!(
            house.count("after"),
            1,
            "what is accepted is on a disk where it will be found"
        );
        assert_eq!(
            house.until("committed")[..],
            ["committed"],
            "the first one was told before anything was lost"
        );
        assert_eq!(
            house.until("committed"),
            ["failing", "begun anew", "recovered", "committed"]
        );
        assert!(house.reader.windows(0).unwrap().is_empty());
        house.persist(everything(1));
        house.until("persisted 1");
        house.stop();
        let restored = open(dir.path()).unwrap().restored;
        assert_eq!(restored.state["drain"], "all of it");
        assert_eq!(restored.quarantined, None);
        assert_eq!(on_disk(dir.path()), of(&[("after", 1)]));
    }
}

#[test]
fn producers_go_on_where_they_were_in_a_new_database() {
    let dir = TempDir::new().unwrap();
    let house = House::new(dir.path());
    let pair = Pair::new("gw", "");
    house.claim_and_advance(&pair, 7);
    house.count("crm");
    std::fs::remove_file(database(&dir)).unwrap();
    house.count("crm");
    house.stop();
    let producers = open(dir.path()).unwrap().producers;
    assert_eq!(producers.len(), 1);
    assert_eq!((&*producers[0].producer, producers[0].last_seq), ("gw", 7));
}

#[test]
fn another_file_in_its_place_is_set_aside_and_not_written_into() {
    let dir = TempDir::new().unwrap();
    let house = House::new(dir.path());
    house.count("before");
    let other = TempDir::new().unwrap();
    let theirs = House::new(other.path());
    theirs.count("theirs");
    theirs.stop();
    std::fs::rename(database(&other), database(&dir)).unwrap();
    let bytes = std::fs::read(database(&dir)).unwrap();
    house.count("after");
    house.until("failing");
    assert_eq!(house.until("recovered"), ["quarantined", "begun anew", "recovered"]);
    house.stop();
    assert_eq!(on_disk(dir.path()), of(&[("after", 1)]));
    let aside: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().contains("corrupt"))
        .collect();
    assert_eq!(aside.len(), 1, "{aside:?}");
    assert_eq!(std::fs::read(&aside[0]).unwrap(), bytes);
}

#[test]
fn a_deleted_log_loses_nothing() {
    let dir = TempDir::new().unwrap();
    let house = House::new(dir.path());
    house.count("before");
    std::fs::remove_file(side(&dir, "-wal")).unwrap();
    assert_eq!(house.count("after"), 1);
    house.stop();
    assert_eq!(on_disk(dir.path()), of(&[("before", 1), ("after", 1)]));
}

#[test]
fn a_database_deleted_while_commits_fail_is_begun_anew_and_not_taken_for_an_old_one() {
    let dir = TempDir::new().unwrap();
    let house = House::new(dir.path());
    house.count("before");
    let intruder = Intruder::new(dir.path());
    house.persist(state(1, "drain", Some("1")));
    house.until("failing");
    for suffix in ["", "-wal", "-shm"] {
        std::fs::remove_file(side(&dir, suffix)).unwrap();
    }
    drop(intruder);
    assert_eq!(house.until("recovered"), ["begun anew", "recovered"]);
    house.until("persisted 1");
}

#[test]
fn a_state_directory_that_is_gone_is_a_failure_until_it_is_back() {
    let dir = TempDir::new().unwrap();
    let state_dir = dir.path().join("state");
    let house = House::new(&state_dir);
    house.count("before");
    std::fs::remove_dir_all(&state_dir).unwrap();
    house.persist(everything(1));
    house.until("failing");
    assert!(!house.hub.is_committing());
    std::fs::create_dir(&state_dir).unwrap();
    house.until("persisted 1");
    house.stop();
    assert_eq!(open(&state_dir).unwrap().restored.state["drain"], "all of it");
}
