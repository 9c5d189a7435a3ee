//! Shell: `readyd explain` and `readyd simulate`: one check in depth, and the verdict without some.

use std::process::ExitCode;

use serde_json::Value;

use super::Outcome;
use super::arguments::{Explain, Place, Simulate};
use super::daemon::{Daemon, encoded};
use super::view::{age, check_name, evidence, items, text};

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
        "  since {}, asked {} ago\n",
        text(&check["since"]),
        age(check)
    ));
    if let Some(cause) = check["cause"].as_str() {
        out.push_str(&format!("  explained by {cause}\n"));
    }
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
    out
}
