//! Whether a gateway runs with its files as they are now. Pure.
//!
//! | file | read by the gateway | stale when it changed after, unless |
//! |---|---|---|
//! | `openclaw.json` | at its start, and whenever it changes | its last start; the gateway took the change up by itself |
//! | env file | by who starts the process, once | the process's start; the process holds these very values |
//! | token file | at its start, and when told to | its last start; the gateway has since accepted it on the link |
//!
//! A gateway restarts within its process (measured on 2026.9.6), so that its last start is told by its uptime and not by
//! the process. A content that was there at the start is remembered: who writes it again has changed nothing.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::units::write_span;
use crate::probe::kind::http::startup::Startup;
use crate::words::{Cause, Finding, Instant, Now, Wall};

/// Clocks of files and of processes are not read at one moment.
pub const TOLERANCE: Duration = Duration::from_secs(5);
/// Where only the process's start is known: OpenClaw reads, migrates and writes its files for so long after it.
pub const STARTING: Duration = Duration::from_secs(60);
/// What a gateway is given to take a change up, or to restart for it.
pub const SETTLING: Duration = Duration::from_secs(60);

/// All that was seen of one tenant.
#[derive(Clone, Debug)]
pub struct Seen {
    pub startup: Startup,
    pub listener: Listener,
    pub files: Vec<File>,
}

/// Who listens on the port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listener {
    Nobody,
    Found {
        pid: u32,
        started: Instant,
        /// As the kernel shows it: `NAME=value`, zero bytes between. Never shown.
        environment: Option<Vec<u8>>,
    },
    /// Somebody may, and why it cannot be seen who.
    Hidden(String),
}

#[derive(Clone, Debug)]
pub struct File {
    pub role: Role,
    pub path: PathBuf,
    pub looked: Result<Looked, Blind>,
    /// What was there when the gateway was last seen to be up to date with it.
    pub remembered: Option<Remembered>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    Config,
    Env,
    Token,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Looked {
    pub modified: Wall,
    /// Of the content, keyed for this process alone.
    pub fingerprint: u64,
    pub in_force: InForce,
}

/// What says, other than time, whether the gateway runs with this content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InForce {
    Yes,
    No(&'static str),
    /// Nothing tells, and nothing will: it is not judged by time either, since it may well be.
    Untold(&'static str),
    /// Could not be asked now.
    Unknown(Cause, &'static str),
    /// Only time tells.
    ByTime,
}

/// Why a file was not looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blind {
    Missing,
    /// Not ours to read, or no readable file: it will not get better by asking again.
    Refused(String),
}

/// A content that a gateway was started with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remembered {
    pub fingerprint: u64,
    /// The start that it belongs to.
    pub started: Instant,
}

/// A finding, and what to remember of each file: the file's role and its content.
#[derive(Clone, Debug)]
pub struct Judged {
    pub finding: Finding,
    pub remember: Vec<(Role, Remembered)>,
}

/// How one file stands to the gateway's start.
enum Standing {
    /// The gateway runs with it; `true`: which is worth remembering.
    Fresh(String, bool),
    Stale(String),
    Note(String),
    Unknown(Cause, String),
}

pub fn judge(seen: &Seen, now: Now) -> Judged {
    let only = |finding| Judged {
        finding,
        remember: Vec::new(),
    };
    if seen.listener == Listener::Nobody && !matches!(seen.startup, Startup::Says(_)) {
        return only(Finding::ok(
            "no gateway runs: there is no process that could be out of date",
        ));
    }
    let starts = Starts::of(seen, now);
    let Some(last) = starts.last else {
        let why = match &seen.listener {
            Listener::Hidden(why) => why.as_str(),
            Listener::Nobody | Listener::Found { .. } => "nothing says since when it runs",
        };
        let mut finding = Finding::ok("not judged: it cannot be seen from here since when the gateway runs");
        finding.note_push(format!("{why}, and the gateway does not tell its uptime at /startupz"));
        return only(finding);
    };
    let mut judged = only(Finding::ok(format!(
        "the gateway runs for {} with its files as they are",
        write_span(now.at.since(last))
    )));
    let standings: Vec<(&File, Standing)> = seen.files.iter().map(|file| (file, stand(file, starts, now))).collect();
    let stale: Vec<&str> = standings
        .iter()
        .filter_map(|(_, standing)| match standing {
            Standing::Stale(why) => Some(why.as_str()),
            _ => None,
        })
        .collect();
    if !stale.is_empty() {
        judged.finding = Finding::degraded(format!("restart needed: {}", stale.join("; ")));
    } else if let Some((cause, why)) = standings.iter().find_map(|(_, standing)| match standing {
        Standing::Unknown(cause, why) => Some((*cause, why)),
        _ => None,
    }) {
        judged.finding = Finding::unknown(cause, why);
    }
    for (file, standing) in &standings {
        let what = file.path.display().to_string();
        match standing {
            Standing::Fresh(says, _) | Standing::Stale(says) | Standing::Unknown(_, says) => {
                judged.finding.evidence_push(what, says);
            }
            Standing::Note(says) => judged.finding.note_push(says),
        }
        if let (Standing::Fresh(_, true), Ok(looked)) = (standing, &file.looked) {
            let remembered = Remembered {
                fingerprint: looked.fingerprint,
                started: starts.of_role(file.role).unwrap_or(last),
            };
            judged.remember.push((file.role, remembered));
        }
    }
    judged.finding.evidence_push("gateway", starts.in_words(seen, now));
    judged
}

/// Since when what runs.
#[derive(Clone, Copy)]
struct Starts {
    process: Option<Instant>,
    /// The gateway's last start, within the process or with it.
    last: Option<Instant>,
    /// `last` is the moment at which the gateway serves, after it has read its files.
    after_reading: bool,
}

impl Starts {
    fn of(seen: &Seen, now: Now) -> Starts {
        let process = match &seen.listener {
            Listener::Found { started, .. } => Some(*started),
            Listener::Nobody | Listener::Hidden(_) => None,
        };
        let uptime = match &seen.startup {
            Startup::Says(said) => said.uptime,
            _ => None,
        };
        let told = uptime.map(|uptime| now.at.before(uptime));
        Starts {
            process,
            // Its own word first: a proxy may listen for it, which is another process.
            last: told.or(process),
            after_reading: told.is_some(),
        }
    }

    /// The start at which a file of this role was read for sure.
    fn of_role(self, role: Role) -> Option<Instant> {
        match role {
            Role::Env => self.process.or(self.last),
            Role::Config | Role::Token => self.last,
        }
    }

    /// Changes up to this much after the start count as part of it.
    fn leeway(self, role: Role) -> Duration {
        match role {
            // Read before the process is there.
            Role::Env => TOLERANCE,
            Role::Config | Role::Token if self.after_reading => TOLERANCE,
            Role::Config | Role::Token => STARTING,
        }
    }

    fn in_words(self, seen: &Seen, now: Now) -> String {
        let mut words = match self.last {
            Some(last) => format!("runs since {}", now.wall_of(last)),
            None => "runs".to_owned(),
        };
        if let (Listener::Found { pid, .. }, Some(process)) = (&seen.listener, self.process) {
            words.push_str(&format!("; process {pid} since {}", now.wall_of(process)));
        }
        words
    }
}

fn stand(file: &File, starts: Starts, now: Now) -> Standing {
    let what = what(file.role);
    let looked = match &file.looked {
        Ok(looked) => looked,
        Err(Blind::Missing) => return Standing::Note(format!("there is no {what} {}", file.path.display())),
        Err(Blind::Refused(why)) => {
            return Standing::Note(format!("the {what} {} is not judged: {why}", file.path.display()));
        }
    };
    let Some(started) = starts.of_role(file.role) else {
        return Standing::Note(format!(
            "the {what} is not judged: since when the process runs is not seen"
        ));
    };
    let leeway = i64::try_from(starts.leeway(file.role).as_millis()).unwrap_or(i64::MAX);
    let after_start = looked.modified.millis_since(now.wall_of(started));
    let remembered = file.remembered.filter(|remembered| is_one(remembered.started, started));
    match remembered {
        Some(remembered) if remembered.fingerprint == looked.fingerprint => {
            return Standing::Fresh("the gateway runs with this content".to_owned(), false);
        }
        // Another content than it was started with, whatever time its file bears (`cp -p`, `rsync -t`).
        Some(_) => {}
        None if after_start <= leeway => {
            return Standing::Fresh(
                format!("last changed at {}, before the gateway started", looked.modified),
                true,
            );
        }
        None => {}
    }
    let age = now.wall.millis_since(looked.modified);
    if age < -i64::try_from(TOLERANCE.as_millis()).unwrap_or(0) {
        return Standing::Note(format!(
            "the {what} bears a time to come: not judged, a clock was set back"
        ));
    }
    let age = Duration::from_millis(u64::try_from(age).unwrap_or(0));
    let changed = match after_start > leeway {
        true => format!("the {what} changed {} ago, after the gateway started", write_span(age)),
        false => format!("the {what} is another one than the gateway started with"),
    };
    match looked.in_force {
        InForce::Yes => Standing::Fresh(format!("{changed}; the gateway runs with it"), true),
        _ if age < SETTLING && after_start > leeway => Standing::Fresh(format!("{changed}; it is given time"), false),
        InForce::Untold(why) => Standing::Note(format!("{changed}: {why}")),
        InForce::Unknown(cause, why) => Standing::Unknown(cause, format!("{changed}: {why}")),
        InForce::No(why) => Standing::Stale(format!("{changed}: {why}")),
        InForce::ByTime => Standing::Stale(changed),
    }
}

/// Whether two readings are of one start: they are made of an uptime that travelled over a network.
fn is_one(one: Instant, other: Instant) -> bool {
    one.since(other).max(other.since(one)) <= TOLERANCE
}

fn what(role: Role) -> &'static str {
    match role {
        Role::Config => "openclaw.json",
        Role::Env => "env file",
        Role::Token => "token file",
    }
}
