//! Which files readyd has on a host, and what their supervisor is told: all of it data. Pure.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Sum;

const UNIT: &str = include_str!("../../deploy/systemd/readyd.service");
const SYSUSERS: &str = include_str!("../../deploy/systemd/readyd.sysusers");
const PLIST: &str = include_str!("../../deploy/launchd/dev.readyd.readyd.plist");
const NEWSYSLOG: &str = include_str!("../../deploy/launchd/readyd.newsyslog.conf");
const CONFIG: &str = include_str!("../../deploy/readyd.yaml");

/// Where the shipped unit and property list expect the program: what `--prefix` replaces.
const UNIT_PROGRAM: &str = "/usr/bin/readyd";
const PLIST_PROGRAM: &str = "/usr/local/bin/readyd";

/// Where the shipped configuration has state and sockets, and where they are on a Mac.
const DIRECTORIES: [(&str, &str); 2] = [
    ("/var/lib/readyd", "/usr/local/var/readyd"),
    ("/run/readyd", "/usr/local/var/run/readyd"),
];

/// Who starts readyd and starts it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Supervisor {
    Systemd,
    Launchd,
}

/// A path below which programs and pages lie, such as `/usr/local`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prefix(PathBuf);

/// One file as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// On the host itself, without a staging root.
    pub path: PathBuf,
    pub mode: u32,
    pub content: Content,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    Text(String),
    /// The program that runs now; too big to carry around.
    Program(Sum),
}

/// A page of the manual or a shell's completions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Below `PREFIX/share`.
    pub below_share: PathBuf,
    pub text: String,
}

/// Something for root to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub command: Vec<String>,
    /// It may have nothing to do, which it calls a failure.
    pub may_fail: bool,
}

impl Prefix {
    /// An absolute path of plain names: it is written into units and property lists as it is.
    pub fn parse(text: &str) -> Result<Prefix, String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
        let trimmed = text.trim_end_matches('/');
        let climbs = trimmed.split('/').any(|name| matches!(name, "." | ".."));
        if !trimmed.starts_with('/') || trimmed.contains("//") || climbs || !trimmed.chars().all(plain) {
            return Err("a prefix is an absolute path of letters, digits and . _ - +, such as /usr/local".to_owned());
        }
        Ok(Prefix(PathBuf::from(trimmed)))
    }

    pub fn program(&self) -> PathBuf {
        self.0.join("bin/readyd")
    }

    /// What was written. Not in the state directory: that belongs to readyd's user, who is not to tell root what to delete.
    pub fn record(&self) -> PathBuf {
        self.0.join("share/readyd/installed.json")
    }
}

/// Every file, those first that others need.
pub fn wanted(supervisor: Supervisor, prefix: &Prefix, program: Sum, pages: Vec<Page>) -> Vec<Wanted> {
    let at = prefix.program();
    let put = |path: &str, text: String| Wanted {
        path: PathBuf::from(path),
        mode: 0o644,
        content: Content::Text(text),
    };
    let mut files = vec![Wanted {
        path: at.clone(),
        mode: 0o755,
        content: Content::Program(program),
    }];
    files.push(put(config(), configuration(supervisor)));
    let program = at.display().to_string();
    match supervisor {
        Supervisor::Systemd => {
            files.push(put("/etc/sysusers.d/readyd.conf", SYSUSERS.to_owned()));
            files.push(put(
                "/etc/systemd/system/readyd.service",
                UNIT.replace(UNIT_PROGRAM, &program),
            ));
        }
        Supervisor::Launchd => {
            files.push(put("/etc/newsyslog.d/readyd.conf", NEWSYSLOG.to_owned()));
            files.push(put(
                "/Library/LaunchDaemons/dev.readyd.readyd.plist",
                PLIST.replace(PLIST_PROGRAM, &program),
            ));
        }
    }
    let share = prefix.0.join("share");
    files.extend(pages.into_iter().map(|page| Wanted {
        path: share.join(page.below_share),
        mode: 0o644,
        content: Content::Text(page.text),
    }));
    files
}

fn configuration(supervisor: Supervisor) -> String {
    let mac = |text: String, (linux, mac): (&str, &str)| text.replace(linux, mac);
    match supervisor {
        Supervisor::Systemd => CONFIG.to_owned(),
        Supervisor::Launchd => DIRECTORIES.into_iter().fold(CONFIG.to_owned(), mac),
    }
}

/// Which of them is the administrator's from then on: it stays unless it is purged.
pub fn config() -> &'static str {
    "/etc/readyd/readyd.yaml"
}

/// What readyd writes itself while it runs: it stays unless it is purged.
pub fn state(supervisor: Supervisor) -> &'static [&'static str] {
    match supervisor {
        Supervisor::Systemd => &["/var/lib/readyd"],
        Supervisor::Launchd => &["/usr/local/var/readyd", "/usr/local/var/log/readyd"],
    }
}

/// Where a distribution's package has its files: one of them there, and two installations would fight.
pub fn of_packages(supervisor: Supervisor) -> &'static [&'static str] {
    match supervisor {
        Supervisor::Systemd => &["/usr/bin/readyd", "/usr/lib/systemd/system/readyd.service"],
        Supervisor::Launchd => &[],
    }
}

/// The link that says that the service is started at boot. launchd has none: what lies in its folder is.
pub fn enabled(supervisor: Supervisor) -> Option<&'static str> {
    match supervisor {
        Supervisor::Systemd => Some("/etc/systemd/system/multi-user.target.wants/readyd.service"),
        Supervisor::Launchd => None,
    }
}

/// What makes the files take effect, in order. A daemon whose files have not `changed` is left to run.
pub fn after_install(supervisor: Supervisor, changed: bool) -> Vec<Step> {
    match supervisor {
        Supervisor::Systemd => vec![
            must("systemd-sysusers /etc/sysusers.d/readyd.conf"),
            must("systemctl daemon-reload"),
            must("systemctl enable readyd.service"),
            must(match changed {
                true => "systemctl restart readyd.service",
                false => "systemctl start readyd.service",
            }),
        ],
        // A role account has a number of 200 to 400. Both commands fail where there is one already.
        Supervisor::Launchd => {
            let mut steps = vec![
                may("dseditgroup -o create -i 385 _readyd"),
                may(
                    "sysadminctl -addUser _readyd -roleAccount -UID 385 -GID 385 -home /var/empty -shell /usr/bin/false",
                ),
                must("install -d -o _readyd -g _readyd -m 700 /usr/local/var/readyd"),
                must("install -d -o _readyd -g _readyd -m 750 /usr/local/var/run/readyd"),
                must("install -d -o _readyd -g _readyd -m 750 /usr/local/var/log/readyd"),
            ];
            let bootstrap = "launchctl bootstrap system /Library/LaunchDaemons/dev.readyd.readyd.plist";
            match changed {
                true => steps.extend([may("launchctl bootout system/dev.readyd.readyd"), must(bootstrap)]),
                // It fails where it is loaded already.
                false => steps.push(may(bootstrap)),
            }
            steps
        }
    }
}

/// What has to be over before the files go.
pub fn before_uninstall(supervisor: Supervisor) -> Vec<Step> {
    match supervisor {
        Supervisor::Systemd => vec![must("systemctl disable --now readyd.service")],
        Supervisor::Launchd => vec![may("launchctl bootout system/dev.readyd.readyd")],
    }
}

pub fn after_uninstall(supervisor: Supervisor) -> Vec<Step> {
    match supervisor {
        Supervisor::Systemd => vec![must("systemctl daemon-reload")],
        Supervisor::Launchd => Vec::new(),
    }
}

/// The user that is left: numbers of files that it may own elsewhere would become somebody else's.
pub fn user(supervisor: Supervisor) -> &'static str {
    match supervisor {
        Supervisor::Systemd => "readyd",
        Supervisor::Launchd => "_readyd",
    }
}

/// Who owns what is written.
pub fn owner(supervisor: Supervisor) -> &'static str {
    match supervisor {
        Supervisor::Systemd => "root:root",
        Supervisor::Launchd => "root:wheel",
    }
}

fn must(line: &str) -> Step {
    step(line, false)
}

fn may(line: &str) -> Step {
    step(line, true)
}

fn step(line: &str, may_fail: bool) -> Step {
    Step {
        command: line.split(' ').map(str::to_owned).collect(),
        may_fail,
    }
}

impl Content {
    pub fn sum(&self) -> Sum {
        match self {
            Content::Text(text) => Sum::of(text.as_bytes()),
            Content::Program(sum) => sum.clone(),
        }
    }
}
