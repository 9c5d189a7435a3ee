//! Shell: `readyd digest`: webhook failures by endpoint and family.

use std::process::ExitCode;

use serde_json::Value;

use super::Outcome;
use super::arguments::{Digest, Place};
use super::daemon::{Daemon, encoded};
use super::table::{fitted, width};
use super::view::{items, text};

/// The column of the endpoints.
const ENDPOINT: usize = 3;

pub fn run(place: &Place, options: &Digest, as_json: bool) -> Outcome {
    let daemon = Daemon::find(place)?;
    let mut target = format!(
        "/v1/webhook-digest?window={}&limit={}",
        encoded(&options.window),
        options.limit
    );
    if let Some(tenant) = &options.tenant {
        target.push_str(&format!("&tenant={}", encoded(tenant)));
    }
    let digest = daemon.json(&target)?;
    if as_json {
        println!("{digest:#}");
    } else {
        print!("{}", drawn(&digest, width()));
    }
    Ok(ExitCode::SUCCESS)
}

fn drawn(digest: &Value, width: Option<usize>) -> String {
    let totals = &digest["totals"];
    let mut out = format!(
        "{} failed, {} delivered from {} to {} ({} s old)\n",
        totals["failures"],
        totals["delivered"],
        text(&digest["window"]["start"]),
        text(&digest["window"]["end"]),
        digest["age_sec"],
    );
    let rows: Vec<&Value> = items(&digest["top"]).collect();
    if rows.is_empty() {
        return out;
    }
    out.push('\n');
    let mut table = vec![
        ["COUNT", "FAMILY", "TENANT", "ENDPOINT", "STATUSES", "LAST"]
            .map(String::from)
            .to_vec(),
    ];
    table.extend(rows.iter().map(|row| {
        vec![
            row["count"].to_string(),
            text(&row["family"]),
            text(&row["tenant"]),
            text(&row["endpoint"]),
            statuses(&row["statuses"]),
            text(&row["last_seen"]),
        ]
    }));
    out.push_str(&fitted(table, ENDPOINT, width));
    let more = totals["rows"].as_u64().unwrap_or(0).saturating_sub(rows.len() as u64);
    if more > 0 {
        out.push_str(&format!("and {more} more rows (--limit)\n"));
    }
    out
}

fn statuses(statuses: &Value) -> String {
    let mut all: Vec<(u64, &String)> = statuses
        .as_object()
        .into_iter()
        .flatten()
        .map(|(status, count)| (count.as_u64().unwrap_or(0), status))
        .collect();
    all.sort_by(|left, right| right.cmp(left));
    let shown: Vec<String> = all
        .iter()
        .take(3)
        .map(|(count, status)| format!("{status}×{count}"))
        .collect();
    shown.join(" ")
}
