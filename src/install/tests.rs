//! What installing and uninstalling come to, told as hosts and what is shown of the plan.

use std::path::{Path, PathBuf};

use expect_test::{Expect, expect};

use super::layout::{self, Content, Page, Prefix, Supervisor, Wanted};
use super::plan::{self, Change, Found, Host};
use super::record::Record;
use super::{Sum, summed};

const PROGRAM: &[u8] = b"\x7fELF";

fn wanted(supervisor: Supervisor, prefix: &str) -> Vec<Wanted> {
    let page = Page {
        below_share: PathBuf::from("man/man1/readyd.1"),
        text: ".TH readyd\n".to_owned(),
    };
    let prefix = Prefix::parse(prefix).unwrap();
    layout::wanted(supervisor, &prefix, Sum::of(PROGRAM), vec![page])
}

fn small() -> Vec<Wanted> {
    let text = |path: &str, text: &str| Wanted {
        path: PathBuf::from(path),
        mode: 0o644,
        content: Content::Text(text.to_owned()),
    };
    vec![
        text("/etc/readyd/readyd.yaml", "listen: 1\n"),
        text("/unit", "[Unit]\nA=1\nB=2\n"),
    ]
}

fn file(text: &str, mode: u32) -> Found {
    Found::File {
        sum: Sum::of(text.as_bytes()),
        mode,
        text: Some(text.to_owned()),
    }
}

fn host(files: &[(&str, &str)]) -> Host {
    let files = files.iter();
    files
        .map(|(path, text)| (PathBuf::from(path), file(text, 0o644)))
        .collect()
}

/// After `wanted` was installed on a host that had nothing.
fn installed(wanted: &[Wanted]) -> Record {
    let changes = plan::install(wanted, &Host::new(), None);
    let under_way = plan::under_way(Supervisor::Systemd, &changes, wanted, None);
    plan::done(&under_way, &changes, wanted)
}

fn check(changes: &[Change], expected: Expect) {
    let shown: String = changes.iter().map(|change| change.line("root:root")).collect();
    expected.assert_eq(&shown);
}

#[test]
fn a_host_with_systemd_gets_the_unit_the_user_the_program_and_the_pages() {
    let changes = plan::install(&wanted(Supervisor::Systemd, "/usr/local"), &Host::new(), None);
    check(
        &changes,
        expect![[r#"
            create   0755 root:root /usr/local/bin/readyd
            create   0644 root:root /etc/readyd/readyd.yaml
            create   0644 root:root /etc/sysusers.d/readyd.conf
            create   0644 root:root /etc/systemd/system/readyd.service
            create   0644 root:root /usr/local/share/man/man1/readyd.1
        "#]],
    );
}

#[test]
fn a_mac_gets_the_property_list_and_the_rotation_of_its_log() {
    let changes = plan::install(&wanted(Supervisor::Launchd, "/opt/readyd/"), &Host::new(), None);
    check(
        &changes,
        expect![[r#"
            create   0755 root:root /opt/readyd/bin/readyd
            create   0644 root:root /etc/readyd/readyd.yaml
            create   0644 root:root /etc/newsyslog.d/readyd.conf
            create   0644 root:root /Library/LaunchDaemons/dev.readyd.readyd.plist
            create   0644 root:root /opt/readyd/share/man/man1/readyd.1
        "#]],
    );
}

#[test]
fn the_supervisor_starts_the_program_where_it_was_put() {
    let of = |supervisor, path: &str| {
        let files = wanted(supervisor, "/opt/readyd");
        let found = files.into_iter().find(|file| file.path == Path::new(path)).unwrap();
        match found.content {
            Content::Text(text) => text,
            Content::Program(_) => panic!("a text"),
        }
    };
    let unit = of(Supervisor::Systemd, "/etc/systemd/system/readyd.service");
    assert!(unit.contains("\nExecStart=/opt/readyd/bin/readyd serve\n"), "{unit}");
    let plist = of(Supervisor::Launchd, "/Library/LaunchDaemons/dev.readyd.readyd.plist");
    assert!(plist.contains("<string>/opt/readyd/bin/readyd</string>"), "{plist}");
    // Commands find what the daemon has: both are told the same directories.
    let config = of(Supervisor::Launchd, "/etc/readyd/readyd.yaml");
    for (key, variable, path) in [
        ("state_dir", "STATE_DIRECTORY", "/usr/local/var/readyd"),
        ("runtime_dir", "RUNTIME_DIRECTORY", "/usr/local/var/run/readyd"),
    ] {
        assert!(config.contains(&format!("\n{key}: {path}\n")), "{config}");
        let entry = format!("<key>{variable}</key>\n\t\t<string>{path}</string>");
        assert!(plist.contains(&entry), "{plist}");
    }
}

#[test]
fn a_prefix_is_a_plain_absolute_path() {
    for good in ["/usr/local", "/usr", "/opt/readyd-0.1/"] {
        assert!(Prefix::parse(good).is_ok(), "{good}");
    }
    for bad in [
        "",
        "/",
        "usr",
        "/opt/a b",
        "/opt/%h",
        "/opt/../etc",
        "/opt//a",
        "/opt/<a>",
    ] {
        assert!(Prefix::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_second_time_nothing_is_to_be_done() {
    let there = host(&[
        ("/etc/readyd/readyd.yaml", "listen: 1\n"),
        ("/unit", "[Unit]\nA=1\nB=2\n"),
    ]);
    let changes = plan::install(&small(), &there, Some(&installed(&small())));
    assert!(!changes.iter().any(Change::is_work));
    check(
        &changes,
        expect![[r#"
            same     0644 root:root /etc/readyd/readyd.yaml
            same     0644 root:root /unit
        "#]],
    );
}

#[test]
fn a_newer_readyd_replaces_what_an_older_one_wrote_and_removes_what_it_no_longer_has() {
    let mut older = small();
    older[1].content = Content::Text("[Unit]\nA=0\nB=2\n".to_owned());
    older.push(Wanted {
        path: PathBuf::from("/share/readyd-old.1"),
        mode: 0o644,
        content: Content::Text("old\n".to_owned()),
    });
    let there = host(&[
        ("/etc/readyd/readyd.yaml", "listen: 2\n"),
        ("/unit", "[Unit]\nA=0\nB=2\n"),
        ("/share/readyd-old.1", "old\n"),
    ]);
    let record = installed(&older);
    let changes = plan::install(&small(), &there, Some(&record));
    check(
        &changes,
        expect![[r#"
            keep     /etc/readyd/readyd.yaml: changed since readyd wrote it
                     @@ -1 +1 @@
                     -listen: 2
                     +listen: 1
            replace  0644 root:root /unit
                     @@ -2 +2 @@
                     -A=0
                     +A=1
            remove   /share/readyd-old.1
        "#]],
    );
    let under_way = plan::under_way(Supervisor::Systemd, &changes, &small(), Some(&record));
    let (unit, old, new) = (
        Path::new("/unit"),
        Sum::of(b"[Unit]\nA=0\nB=2\n"),
        small()[1].content.sum(),
    );
    // Killed here, both are ours.
    assert!(under_way.wrote(unit, &old) && under_way.wrote(unit, &new));
    let done = plan::done(&under_way, &changes, &small());
    assert!(!done.wrote(unit, &old) && done.wrote(unit, &new));
    assert!(!done.files.contains_key(Path::new("/share/readyd-old.1")));
}

#[test]
fn what_was_there_before_is_nobodys_to_overwrite_or_take_away() {
    let mut there = host(&[("/unit", "by hand\n")]);
    there.insert(PathBuf::from("/etc/readyd/readyd.yaml"), Found::Other);
    let changes = plan::install(&small(), &there, None);
    assert!(!changes.iter().any(Change::is_work));
    check(
        &changes,
        expect![[r#"
            keep     /etc/readyd/readyd.yaml: not a regular file
            keep     /unit: it is not as readyd wrote it
                     @@ -1 +1,3 @@
                     -by hand
                     +[Unit]
                     +A=1
                     +B=2
        "#]],
    );
    check(
        &plan::uninstall(&small(), &there, &Record::new(Supervisor::Systemd), true),
        expect![[r#"
            keep     /etc/readyd/readyd.yaml: not a regular file
            keep     /unit: it is not as readyd wrote it
        "#]],
    );
}

#[test]
fn what_is_the_same_by_chance_is_not_taken_for_ours() {
    let there = host(&[("/unit", "[Unit]\nA=1\nB=2\n")]);
    let changes = plan::install(&small(), &there, None);
    let under_way = plan::under_way(Supervisor::Systemd, &changes, &small(), None);
    let record = plan::done(&under_way, &changes, &small());
    check(
        &plan::uninstall(&small(), &there, &record, false),
        expect![[r#"
            gone     /etc/readyd/readyd.yaml
            keep     /unit: it is not as readyd wrote it
        "#]],
    );
}

#[test]
fn a_mode_that_somebody_gave_stays() {
    let mut there = host(&[("/etc/readyd/readyd.yaml", "listen: 1\n")]);
    there.insert(PathBuf::from("/unit"), file("[Unit]\nA=1\nB=2\n", 0o600));
    check(
        &plan::install(&small(), &there, Some(&installed(&small()))),
        expect![[r#"
            same     0644 root:root /etc/readyd/readyd.yaml
            keep     /unit: its mode is 0600, not 0644
        "#]],
    );
}

#[test]
fn uninstalling_takes_what_is_unchanged_and_the_configuration_only_when_it_is_purged() {
    let record = installed(&small());
    let there = host(&[
        ("/etc/readyd/readyd.yaml", "listen: 1\n"),
        ("/unit", "[Unit]\nA=1\nB=2\n"),
    ]);
    check(
        &plan::uninstall(&small(), &there, &record, false),
        expect![[r#"
            keep     /etc/readyd/readyd.yaml: the configuration is yours; --purge removes it
            remove   /unit
        "#]],
    );
    let edited = host(&[("/etc/readyd/readyd.yaml", "listen: 2\n"), ("/unit", "[Unit]\n")]);
    check(
        &plan::uninstall(&small(), &edited, &record, true),
        expect![[r#"
            remove   /etc/readyd/readyd.yaml
            keep     /unit: changed since readyd wrote it
        "#]],
    );
}

#[test]
fn a_long_difference_is_cut_and_says_nothing_to_the_terminal() {
    let long: String = (0..200).map(|n| format!("{n}\u{1b}[31m\n")).collect();
    let there = host(&[("/unit", &long)]);
    let changes = plan::install(&small(), &there, None);
    let shown = changes[1].line("root:root");
    assert_eq!(shown.lines().count(), 42, "{shown}");
    assert!(shown.ends_with("…\n") && !shown.contains('\u{1b}'), "{shown}");
}

#[test]
fn a_record_is_read_as_it_was_written_and_nothing_else_is() {
    let record = installed(&small());
    assert_eq!(Record::parse(&record.render()), Ok(record.clone()));
    let refused = |text: String| Record::parse(&text).unwrap_err();
    assert!(refused(record.render().replace("\"form\": 1", "\"form\": 2")).contains("another version"));
    assert!(refused(record.render().replace("/unit", "/a/../../unit")).contains("no plain"));
    assert!(refused(record.render().replace("/unit", "unit")).contains("no plain"));
    assert!(refused("{}".to_owned()).contains("missing field"));
}

#[test]
fn a_sum_does_not_depend_on_how_it_was_read() {
    let bytes = vec![7; 700_000];
    assert_eq!(summed(&mut bytes.as_slice()).unwrap(), Sum::of(&bytes));
}
