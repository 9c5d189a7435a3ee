//! The Debian package, in a Debian of its own: installed, used, upgraded, removed and purged by dpkg.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Instant;

use crate::balancer::assert_well;
use crate::harness::{PATIENCE, READYD, free_port, left_out, pause, peer, repository, signal};

/// A root file system, entered with mounts that are gone when the command is.
struct Debian {
    root: PathBuf,
    _dir: tempfile::TempDir,
}

impl Debian {
    /// A copy of what `scripts/tools.sh` made.
    fn new() -> Option<Debian> {
        let made = repository().join("target/tools/debian-root");
        if !made.join("etc").is_dir() {
            left_out("target/tools/debian-root is missing: scripts/tools.sh makes it, as root");
            return None;
        }
        let mounts = Command::new("unshare").args(["--mount", "true"]).output();
        if !mounts.is_ok_and(|output| output.status.success()) {
            left_out("only who may mount can enter a Debian of its own");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        assert_well(&Command::new("cp").arg("-a").arg(made).arg(&root).output().unwrap());
        Some(Debian { root, _dir: dir })
    }

    fn command(&self, script: &str) -> Command {
        let mut command = Command::new("unshare");
        let enter = "mount --rbind /proc \"$0/proc\" && exec chroot \"$0\" /bin/sh -euc \"$1\"";
        command
            .args(["--mount", "sh", "-euc", enter])
            .arg(&self.root)
            .arg(script);
        command
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        command.env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
        command
    }

    /// It must succeed; what it printed.
    fn run(&self, script: &str) -> String {
        let output = self.command(script).output().unwrap();
        assert_well(&output);
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    fn brings(&self, package: &Path) {
        fs::copy(package, self.path("/readyd.deb")).unwrap();
    }
}

/// Made by the script, with little time for compression.
fn package(directory: &Path) -> PathBuf {
    let made = Command::new(repository().join("scripts/deb.sh"))
        .arg(READYD)
        .arg(directory)
        .env("DPKG_DEB_COMPRESSOR_TYPE", "gzip")
        .env("DPKG_DEB_COMPRESSOR_LEVEL", "1")
        .output()
        .unwrap();
    assert_well(&made);
    PathBuf::from(String::from_utf8(made.stdout).unwrap().trim())
}

/// The same package as a later version whose default configuration is another.
fn later(package: &Path, directory: &Path) -> PathBuf {
    let tree = directory.join("later");
    let dpkg_deb = |arguments: &[&Path], option: &str| -> Output {
        let mut command = Command::new("dpkg-deb");
        command
            .args(["-Zgzip", "-z1", "--root-owner-group", option])
            .args(arguments);
        command.output().unwrap()
    };
    assert_well(&dpkg_deb(&[package, &tree], "--raw-extract"));
    let control = tree.join("DEBIAN/control");
    let text = fs::read_to_string(&control).unwrap();
    let (head, tail) = text.split_once("\nVersion: ").unwrap();
    fs::write(&control, format!("{head}\nVersion: 99.{tail}")).unwrap();
    let config = tree.join("etc/readyd/readyd.yaml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{text}\n# Later.\n")).unwrap();
    let made = directory.join("later.deb");
    assert_well(&dpkg_deb(&[&tree, &made], "--build"));
    made
}

/// readyd in there, as the user that the package made.
struct Served(Child);

impl Served {
    fn start(debian: &Debian) -> Served {
        let serve = "install -d -o readyd -g readyd -m 750 /run/readyd\n\
                     exec setpriv --reuid readyd --regid readyd --clear-groups readyd serve";
        Served(debian.command(serve).spawn().unwrap())
    }

    fn end(mut self) {
        signal(self.0.id(), "TERM");
        assert!(self.0.wait().unwrap().success());
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn until_ready(curl: &Path, port: u16) {
    let began = Instant::now();
    loop {
        let mut asks = Command::new(curl);
        asks.args(["-s", "--max-time", "5", &format!("http://127.0.0.1:{port}/ready")]);
        let answer: Option<serde_json::Value> = serde_json::from_slice(&asks.output().unwrap().stdout).ok();
        if answer
            .as_ref()
            .is_some_and(|answer| answer["status"] == "ok" && answer["phase"] == "serving")
        {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{answer:?}");
        pause();
    }
}

#[test]
fn the_package_installs_serves_upgrades_and_leaves_nothing_once_it_is_purged() {
    let tools = ["dpkg-shlibdeps", "strip", "unshare"].map(|name| peer(name, &[]));
    let (Some(curl), Some(lintian)) = (peer("curl", &[]), peer("lintian", &[])) else {
        return;
    };
    let Some(debian) = Debian::new().filter(|_| tools.iter().all(Option::is_some)) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let package = package(dir.path());
    // It takes as long as all the rest.
    let lints = Command::new(lintian)
        .args(["--allow-root", "--fail-on", "error"])
        .arg(&package)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();

    debian.brings(&package);
    debian.run("dpkg --install /readyd.deb");
    let version = format!("readyd {}", env!("CARGO_PKG_VERSION"));
    assert_eq!(debian.run("readyd --version"), version);
    debian.run("readyd config check");
    assert_eq!(debian.run("stat -c '%U:%G %a' /var/lib/readyd"), "readyd:readyd 700");
    for file in [
        "/usr/share/man/man1/readyd-serve.1.gz",
        "/usr/share/bash-completion/completions/readyd",
        "/usr/share/doc/readyd/copyright",
        "/usr/share/doc/readyd/changelog.gz",
    ] {
        assert!(debian.path(file).is_file(), "{file}");
    }
    let unit = fs::read_to_string(debian.path("/usr/lib/systemd/system/readyd.service")).unwrap();
    assert!(unit.contains("\nExecStart=/usr/bin/readyd serve\n"));
    let enabled = debian.path("/etc/systemd/system/multi-user.target.wants/readyd.service");
    assert!(enabled.is_symlink(), "a first installation enables it");

    let refused = debian
        .command("readyd install --supervisor systemd --root / --yes")
        .output();
    let refused = String::from_utf8(refused.unwrap().stderr).unwrap();
    assert!(refused.contains("of the Debian package readyd"), "{refused}");

    let port = free_port();
    let config = debian.path("/etc/readyd/readyd.yaml");
    let shipped = fs::read_to_string(&config).unwrap();
    let quiet = "tenants: {}\nprobes: {host: {enabled: false}}\n";
    let edited = format!("{shipped}listen: 127.0.0.1:{port}\n{quiet}");
    fs::write(&config, &edited).unwrap();
    let served = Served::start(&debian);
    until_ready(&curl, port);
    served.end();

    // As `systemctl disable` does.
    fs::remove_file(&enabled).unwrap();
    debian.brings(&later(&package, dir.path()));
    debian.run("dpkg --force-confdef --install /readyd.deb");
    assert!(debian.run("dpkg-query --show readyd").contains("99."));
    assert_eq!(
        fs::read_to_string(&config).unwrap(),
        edited,
        "an edited configuration stays"
    );
    assert!(!enabled.is_symlink(), "disabled by hand, it stays so");

    debian.run("dpkg --remove readyd");
    assert!(!debian.path("/usr/bin/readyd").exists());
    assert_eq!(fs::read_to_string(&config).unwrap(), edited);
    let state = debian.path("/var/lib/readyd");
    assert!(fs::read_dir(&state).unwrap().count() > 0, "what readyd remembers stays");

    debian.run("dpkg --purge readyd");
    let left = debian.run("find / -xdev -name '*readyd*' -not -path '/proc/*' -not -name readyd.deb");
    assert_eq!(left, "/run/readyd", "which only lives until the next boot");
    assert_eq!(debian.run("id -un readyd"), "readyd", "the user stays");
    assert_well(&lints.wait_with_output().unwrap());
}

/// Every path there is.
fn everything(debian: &Debian) -> BTreeSet<String> {
    let all = debian.run("find / -xdev -not -path '/proc/*' -not -path '/tmp/*'");
    all.lines().map(str::to_owned).collect()
}

#[test]
fn readyd_installs_itself_as_root_and_what_it_says_is_all_that_is_left() {
    let (Some(_), Some(debian)) = (peer("unshare", &[]), Debian::new()) else {
        return;
    };
    fs::copy(READYD, debian.path("/tmp/readyd")).unwrap();
    let no_systemd = debian.command("/tmp/readyd install --yes").output().unwrap();
    assert_eq!(no_systemd.status.code(), Some(1), "{no_systemd:?}");
    // As where systemd runs; what it is told is written down.
    fs::create_dir_all(debian.path("/run/systemd/system")).unwrap();
    let systemctl = "printf '#!/bin/sh\necho \"$@\" >>/tmp/told\n' >/usr/bin/systemctl; chmod 755 /usr/bin/systemctl";
    debian.run(systemctl);
    // What the first users of a system bring along (shadow, then its backups) is there already.
    debian.run("for name in first second; do echo \"u $name - -\" | systemd-sysusers -; done");
    let before = everything(&debian);

    debian.run("/tmp/readyd install --yes --now");
    let told = || fs::read_to_string(debian.path("/tmp/told")).unwrap();
    assert_eq!(told(), "daemon-reload\nenable readyd.service\nrestart readyd.service\n");
    assert_eq!(debian.run("id -un readyd"), "readyd");
    let owner = debian.run("stat -c '%U:%G %a' /usr/local/bin/readyd /etc/systemd/system/readyd.service");
    assert_eq!(owner, "root:root 755\nroot:root 644");
    // A program that runs from its place is as it should be.
    fs::remove_file(debian.path("/tmp/told")).unwrap();
    let again = debian.run("readyd install --now");
    assert!(again.contains("nothing to change"), "{again}");
    assert_eq!(told(), "daemon-reload\nenable readyd.service\nstart readyd.service\n");

    fs::remove_file(debian.path("/tmp/told")).unwrap();
    debian.run("readyd uninstall --yes --now --purge");
    assert_eq!(told(), "disable --now readyd.service\ndaemon-reload\n");
    let after = everything(&debian);
    let changed: Vec<&String> = before.symmetric_difference(&after).collect();
    assert_eq!(changed, Vec::<&String>::new());
    assert_eq!(debian.run("id -un readyd"), "readyd", "the user stays");
}
