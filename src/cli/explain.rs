//! Shell: `readyd explain` and `readyd simulate`: one check in depth, and the verdict without some.

use std::process::ExitCode;

use serde_json::Value;

use super::Outcome;
use super::arguments::{Explain, Place, Simulate};
use super::daemon::{Daemon, encoded};
use super::view::{age, check_name, duration, evidence, items, text};

pub fn run(place: &Place, options: &Explain, as_json: bool) -> Outcome {
    let daemon = Daemon::find(place)?;
    let (probe, tenant) = match options.check.split_once('@') {
        Some((probe, tenant)) => (probe, Some(tenant)),
        None => (options.check.as_str(), None),
    };
    let mut target = format!("/v1/checks/{}", encoded(probe));
    if let Some(tenant) = tenant {
        target.push_str(&format!("/{}", encoded(tenant)));
    }
    let check = daemon.json(&target)?;
    if as_json {
        println!("{check:#}");
    } else {
        print!("{}", drawn(&check));
    }
    Ok(ExitCode::SUCCESS)
}

pub fn simulate(place: &Place, options: &Simulate, as_json: bool) -> Outcome {
    let daemon = Daemon::find(place)?;
    let excluded: Vec<String> = options
        .without
        .iter()
        .map(|check| format!("exclude={}", encoded(check)))
        .collect();
    let answer = daemon.get(&format!("/ready?{}", excluded.join("&")))?;
    let body: Value = serde_json::from_slice(&answer.body)?;
    if as_json {
        println!("{body:#}");
        return Ok(ExitCode::SUCCESS);
    }
    let now = daemon.json("/v1/status")?;
    println!(
        "now {}, without {}: {}",
        text(&now["status"]),
        options.without.join(", "),
        text(&body["status"])
    );
    for reason in items(&body["reasons"]) {
        println!("  - {}", text(reason));
    }
    for warning in items(&body["warnings"]) {
        eprintln!("readyd: {}", text(warning));
    }
    Ok(ExitCode::SUCCESS)
}

/// A probe of several tenants answers with all of them; one check with itself.
fn drawn(answer: &Value) -> String {
    match answer["checks"].as_array() {
        Some(checks) => checks.iter().map(one).collect::<Vec<_>>().join("\n"),
        None => one(answer),
    }
}

fn one(check: &Value) -> String {
    let name = check_name(check);
    let mut out = format!(
        "{}  {name}  (counts as {}, {} layer)\n  {}\n",
        text(&check["level"]),
        text(&check["counts_as"]),
        text(&check["layer"]),
        text(&check["summary"])
    );
    out.push_str(&format!(
        "  since {}, {}\n",
        text(&check["since"]),
        match check["age_sec"].is_null() {
            true => "never answered".to_owned(),
            false => format!("asked {} ago", age(check)),
        }
    ));
    out.push_str(&rhythm(check));
    out.push_str(&causes(check));
    out.push_str(&evidence(check));
    for change in items(&check["history"]) {
        out.push_str(&format!(
            "  {}  {} → {}  {}\n",
            text(&change["at"]),
            text(&change["from"]),
            text(&change["to"]),
            text(&change["summary"])
        ));
    }
    if let Some(hint) = check["hint"].as_str().filter(|hint| !hint.is_empty()) {
        out.push_str(&format!("  next: {hint}\n"));
    }
    if let Some(command) = check["known_good"].as_str() {
        let layer = text(&check["layer"]);
        out.push_str(&format!("  known good for the {layer} layer: {command}\n"));
    }
    out
}

/// `asked every 10s, next in 3s; believed for 32s; an outage shows within 16s`.
fn rhythm(check: &Value) -> String {
    let parts = [
        duration(&check["every_sec"]).map(|every| {
            let next = check["next_due_in_sec"].as_f64().map(f64::ceil);
            format!("asked every {every}") + &next.map(|next| format!(", next in {next}s")).unwrap_or_default()
        }),
        duration(&check["max_stale_sec"]).map(|time| format!("believed for {time}")),
        duration(&check["notice_within_sec"]).map(|time| format!("an outage shows within {time}")),
    ];
    match parts.into_iter().flatten().collect::<Vec<_>>().join("; ") {
        nothing if nothing.is_empty() => nothing,
        said => format!("  {said}\n"),
    }
}

/// What explains it, up to the root, and what it explains.
fn causes(check: &Value) -> String {
    let mut out = String::new();
    let causes: Vec<String> = items(&check["causes"]).map(text).collect();
    if !causes.is_empty() {
        out.push_str(&format!("  explained by {}\n", causes.join(", and that by ")));
    }
    let symptoms: Vec<String> = items(&check["explains"]).map(text).collect();
    if !symptoms.is_empty() {
        let total = check["explains_total"].as_u64().unwrap_or(0);
        let more = total.saturating_sub(symptoms.len() as u64);
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        out.push_str(&format!("  explains {}{more}\n", symptoms.join(", ")));
    }
    out
}

#[cfg(test)]
mod tests;
