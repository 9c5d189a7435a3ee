//! Shell: finds the running daemon and talks to it over `control.sock`.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use hyper::Method;
use serde_json::Value;

use crate::config::environment::Environment;
use crate::config::raw::{self, Draft};
use crate::config::{files, yaml};
use crate::http::client::{Fetch, FetchError, Fetched, fetch};

use super::arguments::Place;
use super::config;

/// An operation waits for its commit; everything else answers at once.
const PATIENCE: Duration = Duration::from_secs(15);
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;
const SOCKET: &str = "control.sock";

/// A running daemon.
#[derive(Debug)]
pub struct Daemon {
    socket: PathBuf,
    /// Where else there was none.
    missed: Vec<PathBuf>,
    patience: Duration,
    runtime: tokio::runtime::Runtime,
}

impl Daemon {
    /// By `--socket`, else by the configuration, else `/run/readyd`, else the XDG place (CONTRACT: sockets).
    pub fn find(place: &Place) -> anyhow::Result<Daemon> {
        let mut candidates = match &place.socket {
            Some(socket) => vec![socket.clone()],
            None => candidates(place)?,
        };
        if candidates.is_empty() {
            bail!("no place to look for control.sock: set HOME or give --socket");
        }
        candidates.dedup();
        let there = candidates.iter().position(|candidate| candidate.exists()).unwrap_or(0);
        Ok(Daemon {
            socket: candidates.remove(there),
            missed: candidates,
            patience: PATIENCE,
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build()?,
        })
    }

    /// The same, asked less patiently.
    pub fn within(self, patience: Duration) -> Daemon {
        Daemon { patience, ..self }
    }

    pub fn get(&self, target: &str) -> anyhow::Result<Fetched> {
        self.send(Method::GET, target, None)
    }

    /// The JSON of a 2xx answer; anything else is an error in the daemon's own words.
    pub fn json(&self, target: &str) -> anyhow::Result<Value> {
        json_of(&self.get(target)?)
    }

    pub fn post(&self, target: &str, body: Vec<u8>) -> anyhow::Result<Value> {
        json_of(&self.send(Method::POST, target, Some(body))?)
    }

    pub fn delete(&self, target: &str) -> anyhow::Result<Value> {
        json_of(&self.send(Method::DELETE, target, None)?)
    }

    fn send(&self, method: Method, target: &str, body: Option<Vec<u8>>) -> anyhow::Result<Fetched> {
        let mut request = Fetch::over_unix(&self.socket, method, target).within(self.patience);
        request.body_bytes_max = ANSWER_BYTES_MAX;
        if let Some(body) = body {
            request = request.with_body("application/json", body);
        }
        self.runtime
            .block_on(fetch(request))
            .map_err(|error| self.unreachable(error))
    }

    fn unreachable(&self, error: FetchError) -> anyhow::Error {
        let socket = self.socket.display();
        let why = match &error {
            FetchError::NoSocket(_) => "there is none",
            FetchError::Refused => "nobody listens",
            FetchError::Local(why) if why.kind() == ErrorKind::PermissionDenied => {
                return anyhow!("{socket} is for the user that runs readyd: run this as that user, or with sudo");
            }
            other => return anyhow!("readyd at {socket}: {other}"),
        };
        let elsewhere = match self.missed.as_slice() {
            [] => String::new(),
            missed => {
                let missed: Vec<String> = missed.iter().map(|path| path.display().to_string()).collect();
                format!(", nor at {}", missed.join(", "))
            }
        };
        anyhow!(
            "no readyd answers at {socket} ({why}){elsewhere}: start one with `readyd serve`, or name its socket with --socket or its file with --config"
        )
    }
}

/// Percent-encodes what may stand in a path segment or a query value.
pub fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

fn json_of(answer: &Fetched) -> anyhow::Result<Value> {
    let body: Value = serde_json::from_slice(&answer.body)
        .with_context(|| format!("readyd answered {} with something that is not JSON", answer.status))?;
    if (200..300).contains(&answer.status) {
        return Ok(body);
    }
    let error = in_commands(body["error"].as_str().unwrap_or("readyd refused it"));
    match body["hint"].as_str() {
        Some(hint) if !hint.is_empty() => bail!("{error}; {}", in_commands(hint)),
        _ => bail!("{error}"),
    }
}

/// The daemon's hints name routes, which is what it speaks; who types commands is told of commands.
fn in_commands(said: &str) -> String {
    /// The longest first: one may begin with another.
    const COMMANDS: [(&str, &str); 7] = [
        ("GET /v1/checks/store", "`readyd explain store`"),
        ("GET /v1/checks", "`readyd status --all`"),
        ("GET /v1/status", "`readyd status`"),
        ("GET /v1/maintenance", "`readyd maintenance list`"),
        ("GET /livez", "`readyd status`"),
        (
            "DELETE /v1/drain for the node, /v1/drain?tenant=acme for a tenant",
            "`readyd undrain`, `readyd undrain acme`",
        ),
        ("window=last", "--window last"),
    ];
    COMMANDS
        .iter()
        .fold(said.to_owned(), |said, (route, command)| said.replace(route, command))
}

/// Where `control.sock` may be, best first.
///
/// Read leniently: a daemon goes on serving while its file is broken, and must be found to be told so.
///
/// # Errors
/// When a file that was asked for cannot be read: another daemon is not what was meant.
fn candidates(place: &Place) -> anyhow::Result<Vec<PathBuf>> {
    let environment = config::options(place).environment;
    let mut places: Vec<PathBuf> = Vec::new();
    for file in environment.config_candidates(place.config.as_deref()) {
        match draft(&file.path, &environment) {
            Ok(draft) => {
                let named = draft
                    .tree
                    .as_ref()
                    .is_some_and(|tree| tree.get("runtime_dir").is_some());
                places.push(draft.config.runtime_dir);
                if named && file.asked_for {
                    return Ok(sockets(places));
                }
                break;
            }
            Err(why) if file.asked_for => bail!(
                "{why}: which daemon is meant cannot be told; mend the file, or name the daemon's socket with --socket"
            ),
            // A file that is there and is of no use is passed over aloud: what follows may be another daemon.
            Err(why) if std::fs::symlink_metadata(&file.path).is_ok() => {
                eprintln!("readyd: warning: {why}: looking for the daemon elsewhere");
            }
            Err(_) => {}
        }
    }
    let state_dir = environment.state_dir();
    places.extend([
        "/run/readyd".into(),
        environment.runtime_dir(&state_dir),
        state_dir.join("run"),
    ]);
    Ok(sockets(places))
}

fn draft(path: &Path, environment: &Environment) -> anyhow::Result<Draft> {
    let name = path.display().to_string();
    let bytes = files::read(path, yaml::FILE_BYTES_MAX).map_err(|why| anyhow!("{name}: {why}"))?;
    let tree = yaml::parse(&name, &bytes).map_err(|problems| anyhow!("{}", problems.to_string().trim_end()))?;
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    Ok(raw::decode(Some(&tree), Some(&whole), environment).0)
}

fn sockets(directories: Vec<PathBuf>) -> Vec<PathBuf> {
    directories
        .into_iter()
        .map(|directory| directory.join(SOCKET))
        .collect()
}
