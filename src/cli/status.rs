//! Shell: `readyd status`: verdict, reasons, tenants and checks, worst first.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::Value;

use super::Outcome;
use super::arguments::{Place, Status};
use super::daemon::{Daemon, encoded};
use super::table::{coloured, fitted, width};
use super::view::{age, check_name, items, text};

const REDRAW_EVERY: Duration = Duration::from_secs(1);
/// The column of the summaries.
const SUMMARY: usize = 3;

pub fn run(place: &Place, options: &Status, as_json: bool) -> Outcome {
    let daemon = Daemon::find(place)?;
    if options.watch {
        return watch(&daemon, options);
    }
    let status = fetch(&daemon, options)?;
    if as_json {
        println!("{status:#}");
    } else {
        print!("{}", coloured(&drawn(&status, options.all, width())));
    }
    Ok(ExitCode::SUCCESS)
}

/// Until interrupted or the reader goes away.
fn watch(daemon: &Daemon, options: &Status) -> Outcome {
    loop {
        let drawn = match fetch(daemon, options) {
            Ok(status) => drawn(&status, options.all, width()),
            Err(error) => format!("{error:#}\n"),
        };
        let mut out = std::io::stdout().lock();
        let written = write!(out, "\u{1b}[H\u{1b}[2J{}", coloured(&drawn)).and_then(|()| out.flush());
        if written.is_err() {
            return Ok(ExitCode::SUCCESS);
        }
        drop(out);
        std::thread::sleep(REDRAW_EVERY);
    }
}

/// Everything, or what `/ready/T` says of one tenant (a 503 is an answer here).
fn fetch(daemon: &Daemon, options: &Status) -> anyhow::Result<Value> {
    match &options.tenant {
        None => daemon.json("/v1/status"),
        Some(tenant) => {
            let answer = daemon.get(&format!("/ready/{}", encoded(tenant)))?;
            anyhow::ensure!(
                answer.status != 404,
                "{tenant} is not a tenant of this node; `readyd status` lists them"
            );
            Ok(serde_json::from_slice(&answer.body)?)
        }
    }
}

fn drawn(status: &Value, all: bool, width: Option<usize>) -> String {
    let mut out = format!(
        "{}  {}  {} since {}\n",
        text(&status["status"]),
        text(&status["node"]),
        text(&status["phase"]),
        text(&status["since"])
    );
    for reason in items(&status["reasons"]) {
        out.push_str(&format!("  - {}\n", text(reason)));
    }
    let checks: Vec<&Value> = items(&status["checks"]).collect();
    let shown: Vec<&&Value> = checks.iter().filter(|check| all || check["level"] != "ok").collect();
    if !shown.is_empty() {
        out.push('\n');
        let mut rows = vec![["LEVEL", "CHECK", "AGE", "SUMMARY"].map(String::from).to_vec()];
        rows.extend(shown.iter().map(|check| check_row(check)));
        out.push_str(&fitted(rows, SUMMARY, width));
    }
    out.push_str(&format!(
        "\n{} of {} checks ok, {} tenants\n",
        status["checks_ok"], status["checks_total"], status["tenants_total"]
    ));
    for check in shown
        .iter()
        .filter(|check| check["hint"].as_str().is_some_and(|hint| !hint.is_empty()))
        .take(3)
    {
        out.push_str(&format!("next: {} ({})\n", text(&check["hint"]), check_name(check)));
    }
    out
}

fn check_row(check: &Value) -> Vec<String> {
    vec![
        text(&check["level"]),
        check_name(check),
        age(check),
        text(&check["summary"]),
    ]
}
