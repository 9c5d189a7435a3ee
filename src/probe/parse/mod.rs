//! What a command said, translated into a finding.
//!
//! Pure: bytes and an exit code in, a [`Finding`] out. Every byte sequence has an answer, and whatever
//! is not understood is `unknown`, never `ok` and never `down`.

mod config;
mod cost;
mod doctor;
mod json;
mod nagios;
pub(crate) mod object;
pub mod secrets;
mod security;
mod status;

#[cfg(test)]
mod tests;

pub use config::config;
pub use cost::{Policy, cost, judge as judge_cost};
pub use doctor::doctor;
pub use json::json;
pub use nagios::{exit_code, nagios};
pub use security::security;

use crate::words::{Cause, Finding};

/// What a command left behind that ended by itself.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// Its exit code, 0..=255.
    pub code: i32,
    pub stdout: &'a [u8],
    pub stderr: &'a [u8],
}

impl Said<'_> {
    /// The first line of standard error that is not blank, or nothing.
    pub fn complaint(&self) -> String {
        first_line(self.stderr)
    }
}

/// By POSIX a shell (and `env`, in a script's first line) answers 126 when it could not start a
/// command and 127 when it could not find it. Nobody was asked then.
const NOT_STARTED: [i32; 2] = [126, 127];

/// The finding for [`NOT_STARTED`]; `None` for any other code.
fn not_started(said: &Said<'_>) -> Option<Finding> {
    NOT_STARTED.contains(&said.code).then(|| {
        let complaint = said.complaint();
        let why = if complaint.is_empty() {
            "a command in it was not found or not executable".to_owned()
        } else {
            complaint
        };
        Finding::unknown(
            Cause::Spawn,
            format!("could not be started (exit {}): {why}", said.code),
        )
    })
}

/// The first line with something on it, without its ends; invalid UTF-8 replaced.
fn first_line(bytes: &[u8]) -> String {
    bytes
        .split(|byte| *byte == b'\n')
        .map(|line| {
            String::from_utf8_lossy(&line[..line.len().min(Finding::SEEN_BYTES_MAX)])
                .trim()
                .to_owned()
        })
        .find(|line| !line.is_empty())
        .unwrap_or_default()
}
