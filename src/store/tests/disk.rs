//! What a start finds on disk: other owners, damage, newer files.

use std::os::unix::fs::PermissionsExt;

use super::*;

#[test]
fn a_directory_has_one_owner_and_the_other_is_told_whose_it_is() {
    let dir = TempDir::new().unwrap();
    let _house = House::new(dir.path());
    let error = open(dir.path()).unwrap_err();
    let wanted = format!("another readyd (pid {}) uses this state directory", std::process::id());
    assert!(error.to_string().starts_with(&wanted), "{error}");
    assert!(matches!(error, OpenError::InUse { .. }));
}

#[test]
fn the_directory_and_its_files_are_for_us_alone() {
    let dir = TempDir::new().unwrap();
    let state = dir.path().join("deep/state");
    let house = House::new(&state);
    house.count("crm");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&state), 0o700);
    for entry in std::fs::read_dir(&state).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(mode(&path), 0o600, "{}", path.display());
    }
}

#[test]
fn a_file_of_a_newer_readyd_is_left_alone_and_the_error_names_who_wrote_it() {
    let dir = TempDir::new().unwrap();
    House::new(dir.path()).stop();
    let file = rusqlite::Connection::open(database(&dir)).unwrap();
    file.execute_batch("UPDATE header SET written_by = '9.1.0'; PRAGMA user_version = 99;")
        .unwrap();
    drop(file);
    let before = std::fs::read(database(&dir)).unwrap();
    let error = open(dir.path()).unwrap_err().to_string();
    assert!(
        error.contains("was written by readyd 9.1.0 (schema 99; this one knows up to 3)"),
        "{error}"
    );
    assert_eq!(std::fs::read(database(&dir)).unwrap(), before);
}

#[test]
fn a_damaged_file_is_set_aside_under_a_dated_name_and_a_new_one_begins() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 10] = [
        ("not a database", |file| {
            std::fs::write(file, "what is this? ".repeat(1000)).unwrap()
        }),
        ("cut in half", |file| {
            let bytes = std::fs::read(file).unwrap();
            std::fs::write(file, &bytes[..bytes.len() / 2]).unwrap();
        }),
        ("cut within a page", |file| {
            let bytes = std::fs::read(file).unwrap();
            std::fs::write(file, &bytes[..bytes.len() - 5000]).unwrap();
        }),
        ("pages of another file", |file| {
            let mut bytes = std::fs::read(file).unwrap();
            bytes[4096..].fill(0xa5);
            std::fs::write(file, bytes).unwrap();
        }),
        ("of another program", |file| {
            std::fs::remove_file(file).unwrap();
            let other = rusqlite::Connection::open(file).unwrap();
            other.execute_batch("CREATE TABLE theirs (x)").unwrap();
        }),
        ("a log entry nobody can read", |file| {
            let file = rusqlite::Connection::open(file).unwrap();
            file.execute_batch("UPDATE log SET body = x'01ff'").unwrap();
        }),
        ("a log entry with one bit flipped", |file| {
            let file = rusqlite::Connection::open(file).unwrap();
            let body: Vec<u8> = file.query_row("SELECT body FROM log", [], |row| row.get(0)).unwrap();
            let mut flipped = body.clone();
            // The last of the body is the sum; before it, counts.
            flipped[body.len() - 6] ^= 1;
            file.execute("UPDATE log SET body = ?1", [flipped]).unwrap();
        }),
        ("a window of no possible tenant", |file| {
            let file = rusqlite::Connection::open(file).unwrap();
            file.execute_batch("INSERT INTO windows VALUES (0, 'No Name', x'00')")
                .unwrap();
        }),
        ("a producer of no possible user", |file| {
            let file = rusqlite::Connection::open(file).unwrap();
            file.execute_batch("INSERT INTO producers VALUES ('gw', '', -1, 0, 0, 0, 0)")
                .unwrap();
        }),
        ("a text that is none", |file| {
            let file = rusqlite::Connection::open(file).unwrap();
            file.execute_batch("INSERT INTO state VALUES ('key', CAST(x'ff' AS TEXT))")
                .unwrap();
        }),
    ];
    for (name, damage) in damages {
        let dir = TempDir::new().unwrap();
        let house = House::new(dir.path());
        house.count("crm");
        house.stop();
        damage(&database(&dir));
        let damaged = std::fs::read(database(&dir)).unwrap();

        let house = House::new(dir.path());
        let aside = house
            .restored
            .quarantined
            .clone()
            .unwrap_or_else(|| panic!("{name}: taken as sound"));
        assert_eq!(
            aside,
            dir.path().join("readyd.sqlite.corrupt-2026-11-20T07-31-07Z"),
            "{name}"
        );
        assert_eq!(std::fs::read(aside).unwrap(), damaged, "{name}");
        assert_eq!(house.stats.quarantined(), 1);
        assert_eq!(house.count("erp"), 1, "{name}");
        house.stop();
        assert_eq!(on_disk(dir.path()), of(&[("erp", 1)]), "{name}");
    }
}

#[test]
fn a_file_cut_behind_a_log_that_speaks_of_all_its_pages_is_set_aside() {
    let dir = TempDir::new().unwrap();
    let house = House::new(dir.path());
    house.persist(state(1, "large", Some(&"x".repeat(400_000))));
    house.until("persisted 1");
    house.stop();
    // The log has the first page, which says how long the file is, and not those that are missing.
    let house = House::new(dir.path());
    house.count("crm");
    let copy = TempDir::new().unwrap();
    for suffix in ["", "-wal"] {
        let name = format!("readyd.sqlite{suffix}");
        std::fs::copy(dir.path().join(&name), copy.path().join(&name)).unwrap();
    }
    let file = std::fs::File::options().write(true).open(database(&copy)).unwrap();
    file.set_len(file.metadata().unwrap().len() / 2).unwrap();
    let restored = open(copy.path()).unwrap().restored;
    assert!(restored.quarantined.is_some());
    assert!(restored.state.is_empty());
}

#[test]
fn a_torn_write_ahead_log_loses_what_was_not_synced_and_nothing_else() {
    let dir = TempDir::new().unwrap();
    let house = House::new(dir.path());
    house.count("crm");
    // As after a kill: the log is there, with the beginning of a commit that never ended.
    let copy = TempDir::new().unwrap();
    for suffix in ["", "-wal"] {
        let name = format!("readyd.sqlite{suffix}");
        let mut bytes = std::fs::read(dir.path().join(&name)).unwrap();
        if suffix == "-wal" {
            assert!(!bytes.is_empty());
            bytes.extend(vec![7; 3000]);
        }
        std::fs::write(copy.path().join(&name), bytes).unwrap();
    }
    assert_eq!(on_disk(copy.path()), of(&[("crm", 1)]));
}

#[test]
fn only_the_newest_eight_of_those_set_aside_are_kept() {
    let dir = TempDir::new().unwrap();
    for day in 10..30 {
        std::fs::write(database(&dir), "garbage, and long enough to be looked at").unwrap();
        let now = Wall::parse_rfc3339(&format!("2026-11-{day}T00:00:00Z")).unwrap();
        Store::open(dir.path(), merge, now).unwrap();
        for suffix in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(dir.path().join(format!("readyd.sqlite{suffix}")));
        }
    }
    let mut aside: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("corrupt"))
        .collect();
    aside.sort();
    assert_eq!(aside.len(), 8);
    assert_eq!(aside[0], "readyd.sqlite.corrupt-2026-11-22T00-00-00Z");
}

#[test]
fn a_state_directory_that_cannot_be_made_is_an_error_with_a_next_step() {
    let dir = TempDir::new().unwrap();
    std::fs::write(dir.path().join("file"), "").unwrap();
    let error = open(&dir.path().join("file/state")).unwrap_err().to_string();
    assert!(
        error.contains("set `state_dir` to a directory that readyd may write"),
        "{error}"
    );
}
