//! Shell: `readyd history`: what the node, its tenants and their checks were, as a table with a strip of time below
//! each, and the last changes.
#![expect(clippy::disallowed_methods, reason = "shell: which characters this terminal has")]

use std::process::ExitCode;
use std::time::Duration;

use serde_json::Value;

use super::Outcome;
use super::arguments::{History, Place};
use super::daemon::{Daemon, encoded};
use super::moment::Moments;
use super::screen;
use super::sheet::{Sheet, Span, Tone};
use super::table::{Column, Fit, Table};
use super::view::{check_name, items, text};
use crate::config::units::write_span;
use crate::history::{Segment, Status, cells};
use crate::words::Wall;

/// Cells of a strip.
const STRIP: usize = 40;
/// Changes that are shown.
const CHANGES: usize = 10;

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
        let screen = screen::stdout();
        let sheet = drawn(&history, &options.span, screen.width(), &screen::moments(), glyphs());
        print!("{}", sheet.text(screen.coloured));
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

fn drawn(history: &Value, span: &str, width: Option<usize>, moments: &Moments, glyphs: Glyphs) -> Sheet {
    let mut sheet = Sheet::new(width);
    let until = moments.time(&text(&history["until"]));
    sheet.line([Span::new(format!("{span} until {until}"), Tone::Strong)]);
    if let Some(began) = history["truncated_before"].as_str() {
        sheet.line([format!("nothing is known of before {}", moments.time(began)).into()]);
    }
    sheet.gap();
    let mut table = Table::new([
        Column::new("WHO", Fit::Cut),
        Column::number("UPTIME", Fit::Kept),
        Column::number("OUTAGES", Fit::Kept),
        Column::number("DETECT", Fit::Dropped),
        Column::number("RECOVER", Fit::Dropped),
        Column::number("FLAPS", Fit::Dropped),
        Column::new("BUDGET", Fit::Kept),
    ]);
    for subject in items(&history["subjects"]) {
        table.row(figures(subject));
        table.beneath(strip(&subject["segments"], glyphs).into());
    }
    table.draw(&mut sheet);
    sheet.gap();
    sheet.line([Span::new(legend(glyphs), Tone::Faint)]);
    changes(&mut sheet, &history["transitions"], moments);
    sheet
}

fn figures(subject: &Value) -> [Span; 7] {
    let mean = |spread: &Value| match spread["mean_sec"].as_f64() {
        Some(seconds) => write_span(Duration::try_from_secs_f64(seconds).unwrap_or_default()),
        None => "-".to_owned(),
    };
    [
        Span::new(who(subject), Tone::Strong),
        subject["uptime"].as_f64().map_or("-".to_owned(), percent).into(),
        subject["outages"].to_string().into(),
        mean(&subject["time_to_detect"]).into(),
        mean(&subject["time_to_recover"]).into(),
        subject["flaps"].to_string().into(),
        budget(&subject["budget"]),
    ]
}

fn budget(budget: &Value) -> Span {
    match budget["remaining"].as_f64() {
        None => "-".into(),
        Some(left) if left < 0.0 => Span::new(format!("{:.0}% over", -left * 100.0), Tone::Bad),
        Some(left) => format!("{:.0}% left", left * 100.0).into(),
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
        "{ok} ok  {degraded} degraded  {down} down  {unknown} unknown  {starting} starting  {out} out  {not_watched} not watched"
    )
}

fn changes(sheet: &mut Sheet, transitions: &Value, moments: &Moments) {
    sheet.gap();
    let mut table = Table::new([
        Column::new("AT", Fit::Kept),
        Column::new("WHO", Fit::Cut),
        Column::new("CHANGE", Fit::Kept),
        Column::new("WHY", Fit::Cut),
    ]);
    let mut is_empty = true;
    for change in items(transitions) {
        is_empty = false;
        table.row([
            moments.time(&text(&change["at"])).into(),
            who(change).into(),
            format!("{} > {}", text(&change["from"]), text(&change["to"])).into(),
            text(&change["summary"]).into(),
        ]);
    }
    match is_empty {
        true => sheet.line(["no changes".into()]),
        false => table.draw(sheet),
    }
}

#[cfg(test)]
mod tests;
