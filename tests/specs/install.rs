//! `readyd install` and `uninstall`, in a directory that stands for a host.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::harness::{READYD, peer, repository};

struct Root(tempfile::TempDir);

impl Root {
    fn new() -> Root {
        Root(tempfile::tempdir().unwrap())
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(READYD)
            .args(arguments)
            .arg("--root")
            .arg(self.0.path())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// It must succeed; what it said.
    fn said(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path.trim_start_matches('/'))
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    /// Every file and directory with what tells whether it was touched.
    fn all(&self) -> Vec<(String, u32, i64, u64)> {
        let mut all = Vec::new();
        walk(self.0.path(), &mut |path, metadata| {
            let name = path.strip_prefix(self.0.path()).unwrap().display().to_string();
            all.push((name, metadata.mode(), metadata.mtime_nsec(), metadata.ino()));
        });
        all.sort();
        all
    }

    fn names(&self) -> Vec<String> {
        self.all().into_iter().map(|(name, ..)| name).collect()
    }
}

fn walk(directory: &Path, see: &mut dyn FnMut(&Path, &fs::Metadata)) {
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let metadata = fs::symlink_metadata(entry.path()).unwrap();
        see(&entry.path(), &metadata);
        if metadata.is_dir() {
            walk(&entry.path(), see);
        }
    }
}

const SYSTEMD: &str = "--supervisor=systemd";
const UNIT: &str = "/etc/systemd/system/readyd.service";
const CONFIG: &str = "/etc/readyd/readyd.yaml";

#[test]
fn a_host_is_installed_once_again_without_a_change_and_left_as_it_was() {
    let root = Root::new();
    let planned = root.said(&["install", SYSTEMD, "--dry-run"]);
    assert!(
        planned.contains("create   0644 root:root /etc/systemd/system/readyd.service"),
        "{planned}"
    );
    assert_eq!(root.names(), Vec::<String>::new(), "a dry run writes nothing");

    let asked = root.run(&["install", SYSTEMD]);
    assert_eq!(asked.status.code(), Some(64), "nobody agreed: {asked:?}");
    assert_eq!(root.names(), Vec::<String>::new());

    let installed = root.said(&["install", SYSTEMD, "--yes"]);
    assert!(installed.contains("systemctl daemon-reload"), "{installed}");
    let program = root.path("/usr/local/bin/readyd");
    assert_eq!(fs::metadata(&program).unwrap().permissions().mode() & 0o7777, 0o755);
    let version = Command::new(&program).arg("--version").output().unwrap();
    assert!(version.status.success());
    for page in [
        "man/man1/readyd.1",
        "man/man1/readyd-config-check.1",
        "bash-completion/completions/readyd",
        "zsh/site-functions/_readyd",
        "fish/vendor_completions.d/readyd.fish",
    ] {
        assert!(root.path("/usr/local/share").join(page).is_file(), "{page}");
    }
    let as_generated = tempfile::tempdir().unwrap();
    let man = Command::new(READYD)
        .arg("man")
        .arg(as_generated.path())
        .status()
        .unwrap();
    assert!(man.success());
    for page in fs::read_dir(as_generated.path()).unwrap().flatten() {
        let there = fs::read(root.path("/usr/local/share/man/man1").join(page.file_name())).unwrap();
        assert_eq!(there, fs::read(page.path()).unwrap(), "{page:?}");
    }
    let checked = Command::new(READYD)
        .args(["config", "check", "--config"])
        .arg(root.path(CONFIG))
        .output()
        .unwrap();
    assert!(checked.status.success(), "{checked:?}");

    let before = root.all();
    let again = root.said(&["install", SYSTEMD, "--yes"]);
    assert!(
        again.contains("nothing to change") && !again.contains("create"),
        "{again}"
    );
    assert_eq!(root.all(), before);

    fs::create_dir_all(root.path("/var/lib/readyd")).unwrap();
    let gone = root.said(&["uninstall", SYSTEMD, "--yes"]);
    for kept in [CONFIG, "/var/lib/readyd", "the user readyd"] {
        assert!(
            gone.lines()
                .any(|line| line.starts_with("keep ") && line.contains(kept)),
            "{kept}: {gone}"
        );
    }
    let left = [
        "etc",
        "etc/readyd",
        "etc/readyd/readyd.yaml",
        "var",
        "var/lib",
        "var/lib/readyd",
    ];
    assert_eq!(root.names(), left);
    assert!(
        root.said(&["uninstall", SYSTEMD, "--yes"])
            .contains("nothing to take back")
    );
}

#[test]
fn purging_leaves_nothing_that_was_not_there() {
    let root = Root::new();
    fs::create_dir_all(root.path("/etc/systemd/system")).unwrap();
    fs::write(root.path("/etc/systemd/system/other.service"), "").unwrap();
    root.said(&["install", SYSTEMD, "--yes"]);
    fs::create_dir_all(root.path("/var/lib/readyd")).unwrap();
    fs::write(root.path("/var/lib/readyd/readyd.db"), "").unwrap();
    root.said(&["uninstall", SYSTEMD, "--yes", "--purge"]);
    let left = [
        "etc",
        "etc/systemd",
        "etc/systemd/system",
        "etc/systemd/system/other.service",
        "var",
        "var/lib",
    ];
    assert_eq!(root.names(), left);
}

#[test]
fn what_a_person_changed_stays_and_they_are_told() {
    let root = Root::new();
    root.said(&["install", SYSTEMD, "--yes"]);
    let edited = root.read(UNIT).replace("TasksMax=4096", "TasksMax=64");
    fs::write(root.path(UNIT), &edited).unwrap();
    fs::write(root.path(CONFIG), "tenants: {}\n").unwrap();
    fs::remove_file(root.path("/usr/local/share/man/man1/readyd.1")).unwrap();

    let again = root.said(&["install", SYSTEMD, "--yes"]);
    assert!(
        again.contains("readyd.service: changed since readyd wrote it"),
        "{again}"
    );
    assert!(
        again.contains("-TasksMax=64") && again.contains("+TasksMax=4096"),
        "{again}"
    );
    assert!(
        again.contains("create   0644 root:root /usr/local/share/man/man1/readyd.1"),
        "{again}"
    );
    assert_eq!(root.read(UNIT), edited);
    assert_eq!(root.read(CONFIG), "tenants: {}\n");

    let gone = root.said(&["uninstall", SYSTEMD, "--yes"]);
    assert!(gone.contains("readyd.service: changed since readyd wrote it"), "{gone}");
    assert_eq!(root.read(UNIT), edited);
    assert_eq!(root.read(CONFIG), "tenants: {}\n");
    assert!(!root.path("/usr/local").exists());
}

#[test]
fn a_mac_is_staged_from_any_host() {
    let root = Root::new();
    let said = root.said(&["install", "--supervisor=launchd", "--yes", "--prefix=/opt/readyd"]);
    assert!(said.contains("launchctl bootstrap system"), "{said}");
    let plist = root.read("/Library/LaunchDaemons/dev.readyd.readyd.plist");
    assert!(plist.contains("<string>/opt/readyd/bin/readyd</string>"), "{plist}");
    assert!(root.path("/etc/newsyslog.d/readyd.conf").is_file());
    root.said(&[
        "uninstall",
        "--supervisor=launchd",
        "--yes",
        "--prefix=/opt/readyd",
        "--purge",
    ]);
    assert_eq!(root.names(), Vec::<String>::new());
}

#[test]
fn a_package_or_a_service_that_is_enabled_is_not_worked_against() {
    let Some(_) = peer("dpkg-query", &[]) else {
        return;
    };
    let root = Root::new();
    let database = root.path("/var/lib/dpkg/info");
    fs::create_dir_all(&database).unwrap();
    fs::write(
        root.path("/var/lib/dpkg/status"),
        "Package: readyd\nStatus: install ok installed\nVersion: 0.1.0\nArchitecture: all\nMaintainer: A <a@b.c>\nDescription: a\n\n",
    )
    .unwrap();
    fs::write(database.join("readyd.list"), "/.\n/usr\n/usr/bin\n/usr/bin/readyd\n").unwrap();
    let refused = root.run(&["install", SYSTEMD, "--yes"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        said.contains("/usr/bin/readyd is of the Debian package readyd"),
        "{said}"
    );
    assert!(!root.path(UNIT).exists());

    fs::write(root.path("/var/lib/dpkg/status"), "").unwrap();
    fs::remove_file(database.join("readyd.list")).unwrap();
    root.said(&["install", SYSTEMD, "--yes"]);
    let wants = root.path("/etc/systemd/system/multi-user.target.wants");
    fs::create_dir(&wants).unwrap();
    std::os::unix::fs::symlink(UNIT, wants.join("readyd.service")).unwrap();
    let refused = root.run(&["uninstall", SYSTEMD, "--yes"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("systemctl disable --now readyd.service"), "{said}");
    assert!(root.path(UNIT).exists());
}

#[test]
fn systemd_has_nothing_to_say_about_the_unit_that_is_written() {
    let Some(systemd_analyze) = peer("systemd-analyze", &[]) else {
        return;
    };
    let root = Root::new();
    // Below a prefix that is really there, so that the program which the unit names is found.
    let prefix = root.path("/opt");
    root.said(&["install", SYSTEMD, "--yes", &format!("--prefix={}", prefix.display())]);
    fs::create_dir_all(prefix.join("bin")).unwrap();
    fs::copy(READYD, prefix.join("bin/readyd")).unwrap();
    let verified = Command::new(systemd_analyze)
        .args(["verify", "--man=no"])
        .arg(root.path(UNIT))
        .output()
        .unwrap();
    assert!(verified.status.success() && verified.stderr.is_empty(), "{verified:?}");
}

#[test]
fn what_is_commented_out_in_the_shipped_configuration_is_valid_too() {
    let shipped = fs::read_to_string(repository().join("deploy/readyd.yaml")).unwrap();
    let uncommented: String = shipped
        .lines()
        // A blank after the sign, and no more, is a sentence for people.
        .filter(|line| !line.starts_with("# ") || line.starts_with("#  "))
        .map(|line| format!("{}\n", line.strip_prefix('#').unwrap_or(line)))
        .collect();
    assert!(uncommented.contains("\ntenants:\n  acme:\n"), "{uncommented}");
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("readyd.yaml");
    fs::write(&config, uncommented).unwrap();
    let shown = Command::new(READYD)
        .args(["config", "show", "--config"])
        .arg(&config)
        .output()
        .unwrap();
    assert!(shown.status.success(), "{shown:?}");
}
