//! Shell: `readyd history`: what the node, its tenants and their checks were, as a table with a strip of time below
//! each, and the last changes.
#![expect(clippy::disallowed_methods, reason = "shell: which characters this terminal has")]

use std::process::ExitCode;
use std::time::Duration;

use serde_json::Value;

use super::Outcome;
use super::arguments::{History, Place};
use super::daemon::{Daemon, encoded};
use super::table::{columns, cut, fitted, width};
use super::view::{check_name, items, text};
use crate::config::units::write_span;
use crate::history::{Segment, Status, cells};
use crate::words::Wall;

/// Cells of a strip.
const STRIP: usize = 40;
/// Changes that are shown.
const CHANGES: usize = 10;
/// The columns that give way: who, and why.
const WHO: usize = 0;
const WHY: usize = 3;

pub fn run(place: &Place, options: &History, as_json: bool) -> Outcome {
    let daemon = Daemon::find(place)?;
    let mut target = format!("/v1/history?span={}&limit={CHANGES}", encoded(&options.span));
    for (key, value) in [("tenant", &options.tenant), ("check", &options.check)] {
        if let Some(value) = value {
            target.push_str(&format!("&{key}={}", encoded(value)));
        }
    }
    let history = daemon.json(&target)?;
    let nobody = items(&history["subjects"]).next().is_none();
    anyhow::ensure!(
        !nobody || (options.tenant.is_none() && options.check.is_none()),
        "this node has no such tenant or check; `readyd status --all` lists them"
    );
    if as_json {
        println!("{history:#}");
    } else {
        print!("{}", drawn(&history, &options.span, width(), glyphs()));
    }
    Ok(ExitCode::SUCCESS)
}

/// A character for each of [`Status::ALL`]: the higher, the better; what tells nothing is pale.
type Glyphs = [char; Status::ALL.len()];

const BLOCKS: Glyphs = ['█', '▄', '▁', '?', '░', '▒', '▒', '·'];
const ASCII: Glyphs = ['#', '+', '_', '?', ':', '=', '=', '.'];

/// By the first of the variables that say it.
fn glyphs() -> Glyphs {
    let said = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(std::env::var_os);
    let said = said.map(|value| value.to_string_lossy().to_ascii_lowercase());
    let locale = said.into_iter().find(|value| !value.is_empty()).unwrap_or_default();
    match locale.contains("utf-8") || locale.contains("utf8") {
        true => BLOCKS,
        false => ASCII,
    }
}

fn drawn(history: &Value, span: &str, width: Option<usize>, glyphs: Glyphs) -> String {
    let mut out = format!("{span} until {}\n", text(&history["until"]));
    if let Some(began) = history["truncated_before"].as_str() {
        out.push_str(&format!("nothing is known of before {began}\n"));
    }
    out.push('\n');
    let subjects: Vec<&Value> = items(&history["subjects"]).collect();
    let head = ["WHO", "UPTIME", "OUTAGES", "DETECT", "RECOVER", "FLAPS", "BUDGET"];
    let mut rows = vec![head.map(String::from).to_vec()];
    rows.extend(subjects.iter().map(|subject| figures(subject)));
    let mut lines = fitted(rows, WHO, width.map(|width| width.min(80)));
    let table: Vec<String> = lines.lines().map(str::to_owned).collect();
    lines.clear();
    for (nth, line) in table.iter().enumerate() {
        lines.push_str(&format!("{line}\n"));
        if let Some(subject) = nth.checked_sub(1).and_then(|nth| subjects.get(nth)) {
            lines.push_str(&format!("  {}\n", strip(&subject["segments"], glyphs)));
        }
    }
    out.push_str(&lines);
    out.push_str(&legend(glyphs));
    out.push_str(&changes(&history["transitions"], width));
    out
}

fn figures(subject: &Value) -> Vec<String> {
    let mean = |spread: &Value| match spread["mean_sec"].as_f64() {
        Some(seconds) => write_span(Duration::try_from_secs_f64(seconds).unwrap_or_default()),
        None => "-".to_owned(),
    };
    vec![
        who(subject),
        subject["uptime"].as_f64().map_or("-".to_owned(), percent),
        subject["outages"].to_string(),
        mean(&subject["time_to_detect"]),
        mean(&subject["time_to_recover"]),
        subject["flaps"].to_string(),
        budget(&subject["budget"]),
    ]
}

fn budget(budget: &Value) -> String {
    match budget["remaining"].as_f64() {
        None => "-".to_owned(),
        Some(left) if left < 0.0 => format!("{:.0}% over", -left * 100.0),
        Some(left) => format!("{:.0}% left", left * 100.0),
    }
}

/// `99.95%`: rounded down, so that what was not always up does not look so.
fn percent(share: f64) -> String {
    let hundredths = (share * 10_000.0).floor();
    format!("{:.2}%", hundredths / 100.0)
}

fn who(subject: &Value) -> String {
    match (subject["check"].is_null(), subject["tenant"].as_str()) {
        (true, None) => "node".to_owned(),
        (true, Some(tenant)) => tenant.to_owned(),
        (false, _) => check_name(subject),
    }
}

fn strip(segments: &Value, glyphs: Glyphs) -> String {
    let segments = items(segments).filter_map(|segment| {
        Some(Segment {
            status: Status::of_word(segment["status"].as_str()?),
            from: Wall::parse_rfc3339(segment["from"].as_str()?)?,
            until: Wall::parse_rfc3339(segment["until"].as_str()?)?,
        })
    });
    let segments: Vec<Segment> = segments.collect();
    let cells = cells(&segments, STRIP).into_iter();
    cells.map(|cell| glyphs[cell.status as usize]).collect()
}

fn legend(glyphs: Glyphs) -> String {
    let [ok, degraded, down, unknown, starting, out, _, not_watched] = glyphs;
    format!(
        "\n{ok} ok  {degraded} degraded  {down} down  {unknown} unknown  {starting} starting  {out} out  {not_watched} not watched\n"
    )
}

fn changes(transitions: &Value, width: Option<usize>) -> String {
    let transitions: Vec<&Value> = items(transitions).collect();
    if transitions.is_empty() {
        return "\nno changes\n".to_owned();
    }
    let mut rows = vec![["AT", "WHO", "CHANGE", "WHY"].map(String::from).to_vec()];
    rows.extend(transitions.iter().map(|change| {
        vec![
            text(&change["at"]),
            cut(&who(change), 24),
            format!("{} > {}", text(&change["from"]), text(&change["to"])),
            text(&change["summary"]),
        ]
    }));
    let table = match width {
        Some(_) => fitted(rows, WHY, width),
        None => columns(&rows),
    };
    format!("\n{table}")
}

#[cfg(test)]
mod tests;
