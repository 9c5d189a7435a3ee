//! Shell: `readyd emit`: report deliveries by hand or from a script, counted once they are durable.

use std::io::{self, BufRead, IsTerminal as _, Read as _};
use std::process::ExitCode;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use crate::ingest::fold::LINE_BYTES_MAX;

use super::arguments::{Emit, Place};
use super::daemon::Daemon;
use super::{Outcome, USAGE};

/// One request holds this much and so many lines; longer input goes in several.
const REQUEST_BYTES_MAX: usize = 256 << 10;
const REQUEST_LINES_MAX: u64 = 10_000;
/// Lines that are read while a request is under way.
const LINES_AHEAD_MAX: usize = 1024;
/// Standard input that is silent for so long keeps nothing back.
const IDLE: Duration = Duration::from_millis(200);

#[derive(Debug, Default)]
struct Tally {
    accepted: u64,
    rejected: Vec<(u64, String)>,
}

pub fn run(place: &Place, options: &Emit) -> Outcome {
    let mut tally = Tally::default();
    match (&options.tenant, &options.endpoint) {
        (Some(tenant), Some(endpoint)) => {
            if options.status.is_none() && options.kind.is_none() {
                eprintln!("readyd: say how the delivery ended: --status 503 or --kind timeout");
                return Ok(ExitCode::from(USAGE));
            }
            let line = event(options, tenant, endpoint);
            let lines = line.repeat(options.count as usize).into_bytes();
            send(&Daemon::find(place)?, lines, 0, u64::from(options.count), &mut tally)?;
        }
        _ => from_stdin(place, &mut tally)?,
    }
    report(options, &tally)
}

fn event(options: &Emit, tenant: &str, endpoint: &str) -> String {
    let mut event = json!({"tenant": tenant, "endpoint": endpoint});
    let fields: [(&str, Value); 6] = [
        ("status", json!(options.status)),
        ("kind", json!(options.kind)),
        ("error", json!(options.error)),
        ("attempt", json!(options.attempt)),
        ("request_id", json!(options.request_id)),
        ("task_id", json!(options.task_id)),
    ];
    for (name, value) in fields {
        if !value.is_null() {
            event[name] = value;
        }
    }
    format!("{event}\n")
}

/// Sends what comes on standard input as it comes: whoever feeds it slowly is not kept waiting for the end.
fn from_stdin(place: &Place, tally: &mut Tally) -> anyhow::Result<()> {
    if std::io::stdin().is_terminal() {
        bail!("nothing to send: give --tenant, --endpoint and --status, or NDJSON on standard input");
    }
    let daemon = Daemon::find(place)?;
    let (feed, lines) = sync_channel(LINES_AHEAD_MAX);
    thread::Builder::new()
        .name("stdin".into())
        .spawn(move || read_lines(&mut std::io::stdin().lock(), &feed))
        .context("a thread to read standard input")?;
    let (mut request, mut held, mut sent) = (Vec::new(), 0, 0);
    loop {
        let next = match lines.recv_timeout(if held == 0 { Duration::MAX } else { IDLE }) {
            Ok(line) => Some(line.context("standard input")?),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                return if held == 0 {
                    Ok(())
                } else {
                    send(&daemon, request, sent, held, tally)
                };
            }
        };
        let is_idle = next.is_none();
        if let Some(line) = next {
            request.extend(line);
            held += 1;
        }
        if is_idle || request.len() >= REQUEST_BYTES_MAX || held >= REQUEST_LINES_MAX {
            send(&daemon, std::mem::take(&mut request), sent, held, tally)?;
            sent += std::mem::take(&mut held);
        }
    }
}

/// Each line with its newline. One that is too long is cut just beyond what an event may have, so that the daemon
/// refuses it by its number and memory stays bounded.
fn read_lines(input: &mut impl BufRead, feed: &SyncSender<io::Result<Vec<u8>>>) {
    const KEPT: u64 = LINE_BYTES_MAX as u64 + 1;
    loop {
        let mut line = Vec::new();
        match input.by_ref().take(KEPT).read_until(b'\n', &mut line) {
            Ok(0) => return,
            Ok(_) if line.ends_with(b"\n") => {}
            Ok(_) => {
                line.push(b'\n');
                if let Err(error) = skip_line(input) {
                    let _ = feed.send(Err(error));
                    return;
                }
            }
            Err(error) => {
                // Nobody takes it when the sending side has given up already.
                let _ = feed.send(Err(error));
                return;
            }
        }
        if feed.send(Ok(line)).is_err() {
            return;
        }
    }
}

/// Up to the end of the line, or of the input.
fn skip_line(input: &mut impl BufRead) -> io::Result<()> {
    loop {
        let bytes = input.fill_buf()?;
        let newline = memchr::memchr(b'\n', bytes);
        let skipped = newline.map_or(bytes.len(), |newline| newline + 1);
        input.consume(skipped);
        if newline.is_some() || skipped == 0 {
            return Ok(());
        }
    }
}

/// Sends `count` whole lines; `before` is how many lines went in earlier requests.
fn send(daemon: &Daemon, lines: Vec<u8>, before: u64, count: u64, tally: &mut Tally) -> anyhow::Result<()> {
    let (first, last) = (before + 1, before + count);
    let reply = daemon.post("/v1/events", lines).with_context(|| {
        format!(
            "lines {first} to {last} (go on at line {first}; {} before them were counted)",
            tally.accepted
        )
    })?;
    tally.accepted += reply["accepted"].as_u64().unwrap_or(0);
    for rejected in reply["rejected"].as_array().into_iter().flatten() {
        let line = before + rejected["line"].as_u64().unwrap_or(0);
        tally
            .rejected
            .push((line, rejected["reason"].as_str().unwrap_or_default().to_string()));
    }
    Ok(())
}

/// Rejections are the caller's to mend, so they fail the command.
fn report(options: &Emit, tally: &Tally) -> Outcome {
    if options.json {
        let rejected: Vec<Value> = tally
            .rejected
            .iter()
            .map(|(line, reason)| json!({"line": line, "reason": reason}))
            .collect();
        println!("{}", json!({"accepted": tally.accepted, "rejected": rejected}));
    } else {
        println!("{} accepted, {} rejected", tally.accepted, tally.rejected.len());
        for (line, reason) in &tally.rejected {
            eprintln!("line {line}: {reason}");
        }
    }
    Ok(ExitCode::from(u8::from(!tally.rejected.is_empty())))
}
