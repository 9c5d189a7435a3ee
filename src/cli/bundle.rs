//! Shell: `readyd bundle`: everything readyd knows, in one file for a ticket.
//!
//! It holds what the daemon shows anyway, which is redacted at the edge, and the configuration, which
//! names secrets' files and never their content.
#![expect(clippy::disallowed_methods, reason = "shell: writes the file that was asked for")]

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use crate::clock;

use super::Outcome;
use super::arguments::{Bundle, Place};
use super::daemon::Daemon;

const PARTS: [(&str, &str); 5] = [
    ("status", "/v1/status"),
    ("checks", "/v1/checks"),
    ("digest", "/v1/webhook-digest?limit=100"),
    ("history", "/v1/history"),
    ("maintenance", "/v1/maintenance"),
];

pub fn run(place: &Place, options: &Bundle) -> Outcome {
    let daemon = Daemon::find(place)?;
    let now = clock::now().wall.rfc3339();
    let mut bundle = json!({
        "made_at": now,
        "readyd": env!("CARGO_PKG_VERSION"),
        "host": {"os": std::env::consts::OS, "arch": std::env::consts::ARCH},
    });
    for (name, target) in PARTS {
        // A bundle is made in trouble: a part that cannot be had says why, and the rest goes on.
        bundle[name] = daemon
            .json(target)
            .unwrap_or_else(|error| json!({"unavailable": format!("{error:#}")}));
    }
    bundle["metrics"] = match daemon.get("/metrics") {
        Ok(answer) => Value::from(String::from_utf8_lossy(&answer.body).into_owned()),
        Err(error) => json!({"unavailable": format!("{error:#}")}),
    };
    bundle["config"] =
        super::config::shown(place).map_or_else(|error| json!({"unavailable": format!("{error:#}")}), Value::from);
    let text = format!("{bundle:#}\n");
    match &options.output {
        Some(path) if path.as_os_str() == "-" => print!("{text}"),
        chosen => {
            let node = bundle["status"]["node"].as_str().unwrap_or("node").to_string();
            let path = chosen
                .clone()
                .unwrap_or_else(|| PathBuf::from(format!("readyd-bundle-{node}-{}.json", now.replace(':', "-"))));
            write(&path, &text)?;
            println!("{}", path.display());
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// For its owner only from the first byte on: it tells more of the host than others may know. A file that
/// exists would keep its own mode and owner, and may be a link to elsewhere.
fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    let place = path.display();
    let mut file = match fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
    {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!("{place} exists already: remove it, name another file, or print with `--output -`")
        }
        opened => opened.with_context(|| format!("{place}"))?,
    };
    file.write_all(text.as_bytes()).with_context(|| format!("{place}"))
}
