//! Shell: finds the running daemon and talks to it over `control.sock`.

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
    runtime: tokio::runtime::Runtime,
}

impl Daemon {
    /// By `--socket`, else by the configuration, else `/run/readyd`, else the XDG place (CONTRACT: sockets).
    pub fn find(place: &Place) -> anyhow::Result<Daemon> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        if let Some(socket) = &place.socket {
            return Ok(Daemon {
                socket: socket.clone(),
                runtime,
            });
        }
        let candidates = candidates(place)?;
        let socket = candidates
            .iter()
            .find(|candidate| candidate.exists())
            .or_else(|| candidates.first())
            .cloned()
            .context("no place to look for control.sock: set HOME or give --socket")?;
        Ok(Daemon { socket, runtime })
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
        let mut request = Fetch::over_unix(&self.socket, method, target).within(PATIENCE);
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
        match error {
            FetchError::NoSocket(_) | FetchError::Refused => anyhow!(
                "no readyd answers at {socket}: start one with `readyd serve`, or name its socket with --socket or its file with --config"
            ),
            other => anyhow!("{socket}: {other}"),
        }
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
    let error = body["error"].as_str().unwrap_or("it was refused");
    match body["hint"].as_str() {
        Some(hint) if !hint.is_empty() => bail!("{error}; {hint}"),
        _ => bail!("{error} ({})", answer.status),
    }
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
