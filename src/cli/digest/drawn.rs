//! What `readyd digest` shows of `/v1/webhook-digest`. Pure.

use serde_json::Value;

use crate::cli::moment::Moments;
use crate::cli::sheet::{Sheet, Span, Tone};
use crate::cli::table::{Column, Fit, Table};
use crate::cli::view::{items, text};

/// Statuses of a row that are told apart.
const STATUSES_MAX: usize = 3;

pub fn drawn(digest: &Value, width: Option<usize>, moments: &Moments) -> Sheet {
    let mut sheet = Sheet::new(width);
    head(&mut sheet, digest, moments);
    let rows: Vec<&Value> = items(&digest["top"]).collect();
    if !rows.is_empty() {
        sheet.gap();
        table(&rows, moments).draw(&mut sheet);
    }
    let total = digest["totals"]["rows"].as_u64().unwrap_or(0);
    let more = total.saturating_sub(rows.len() as u64);
    if more > 0 {
        sheet.line([format!("and {more} more rows (--limit)").into()]);
    }
    dropped(&mut sheet, &digest["dropped"]);
    sheet
}

/// `512 failed, 12000 delivered  mac-3  07:26 to 07:31, 1 s old`.
fn head(sheet: &mut Sheet, digest: &Value, moments: &Moments) {
    let totals = &digest["totals"];
    let failures = totals["failures"].as_u64().unwrap_or(0);
    let tone = if failures == 0 { Tone::Good } else { Tone::Poor };
    let window = &digest["window"];
    let of = |moment: &Value| moments.time(&text(moment));
    // A window that slides, and an age, change although nothing has happened.
    let window = match (moments.relative, text(&window["kind"]).as_str()) {
        (false, "sliding") => String::new(),
        (relative, _) => {
            let age = match digest["age_sec"].as_u64() {
                Some(age) if relative => format!(", {age} s old"),
                _ => String::new(),
            };
            format!("  {} to {}{age}", of(&window["start"]), of(&window["end"]))
        }
    };
    sheet.line([
        Span::new(format!("{failures} failed"), tone),
        format!(", {} delivered  ", totals["delivered"]).into(),
        Span::new(text(&digest["node"]), Tone::Strong),
        window.into(),
    ]);
    let mut families: Vec<(u64, &String)> = totals["by_family"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(family, count)| (count.as_u64().unwrap_or(0), family))
        .collect();
    families.sort_by(|left, right| right.cmp(left));
    let families = families.iter().map(|(count, family)| format!("{family} ×{count}"));
    let families = families.collect::<Vec<_>>().join("  ");
    if !families.is_empty() {
        sheet.line([Span::new(families, Tone::Faint)]);
    }
}

fn table(rows: &[&Value], moments: &Moments) -> Table {
    let mut table = Table::new([
        Column::number("COUNT", Fit::Kept),
        Column::number("SHARE", Fit::Dropped),
        Column::new("FAMILY", Fit::Kept),
        Column::new("TENANT", Fit::Cut),
        Column::new("ENDPOINT", Fit::Cut),
        Column::new("STATUSES", Fit::Dropped),
        Column::new("LAST", Fit::Dropped),
    ]);
    for row in rows {
        let share = row["share"].as_f64().unwrap_or(0.0) * 100.0;
        let last = match moments.relative {
            true => format!("{} ago", moments.age(&text(&row["last_seen"]))),
            false => moments.age(&text(&row["last_seen"])),
        };
        table.row([
            Span::new(row["count"].to_string(), Tone::Strong),
            format!("{share:.0} %").into(),
            Span::new(text(&row["family"]), Tone::Poor),
            text(&row["tenant"]).into(),
            text(&row["endpoint"]).into(),
            statuses(&row["statuses"]).into(),
            last.into(),
        ]);
    }
    table
}

/// What has no row of its own.
fn dropped(sheet: &mut Sheet, dropped: &Value) {
    let told = ["late", "rejected", "folded"].map(|name| (dropped[name].as_u64().unwrap_or(0), name));
    let told: Vec<String> = told
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{count} {name}"))
        .collect();
    if !told.is_empty() {
        sheet.line([Span::new(
            format!("without a row of their own: {}", told.join(", ")),
            Tone::Poor,
        )]);
    }
}

/// `503×498 502×2`, the most frequent first.
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
        .take(STATUSES_MAX)
        .map(|(count, status)| format!("{status}×{count}"))
        .collect();
    shown.join(" ")
}

#[cfg(test)]
mod tests;
