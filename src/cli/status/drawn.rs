//! What `readyd status` shows of `/v1/status`. Pure.
//!
//! In the order of reading: the verdict and since when, what was taken out on purpose, why (worst first, symptoms below
//! their cause), tenants, what is shown and does not count, and the next step at the end, where the eye rests.

use std::cmp::Reverse;

use serde_json::Value;

use crate::cli::moment::Moments;
use crate::cli::reasons::{self, INDENT, Reason, counts, of_answer};
use crate::cli::sheet::{Sheet, Span, Tone};
use crate::cli::table::{Column, Fit, Table};
use crate::cli::view::{age, check_name, items, text};
use crate::words::text::counted;

/// Tenants that are listed without `--all`.
const TENANTS_MAX: usize = 20;
/// Checks that are not ok and do not count, without `--all`.
const UNCOUNTED_MAX: usize = 6;
/// Lines of a sentence about a drain, a maintenance or the configuration.
const LINES_MAX: usize = 3;

/// What of it was asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'a> {
    pub tenant: Option<&'a str>,
    /// Every check, not only what is wrong.
    pub all: bool,
}

pub fn drawn(status: &Value, wanted: &Wanted<'_>, width: Option<usize>, moments: &Moments) -> Sheet {
    let mut sheet = Sheet::new(width);
    draw_head(&mut sheet, status, wanted.tenant, moments);
    let reasons = match wanted.tenant {
        Some(tenant) => reasons::of_tenant(status, tenant),
        None => reasons::of_node(status),
    };
    draw_operations(&mut sheet, status, wanted.tenant, moments);
    configuration(&mut sheet, status);
    if !reasons.is_empty() {
        sheet.gap();
        reasons::draw(&mut sheet, &reasons, moments, wanted.all);
    }
    if wanted.tenant.is_none() {
        tenants(&mut sheet, status, wanted.all, moments);
    }
    let checks: Vec<&Value> = match wanted.tenant {
        Some(tenant) => of_answer(status, tenant).collect(),
        None => items(&status["checks"]).collect(),
    };
    match wanted.all {
        true => every_check(&mut sheet, &checks, moments),
        false => uncounted(&mut sheet, &checks),
    }
    sheet.gap();
    let ok = checks.iter().filter(|check| check["level"] == "ok").count();
    let shown = if wanted.all { "" } else { " (--all lists them)" };
    sheet.line([format!("{ok} of {} ok{shown}", counted(checks.len(), "check")).into()]);
    next(&mut sheet, status, wanted.tenant, &reasons);
    sheet
}

/// What `tenants_detail` says of a tenant.
pub fn tenant<'a>(status: &'a Value, name: &str) -> Option<&'a Value> {
    items(&status["tenants_detail"]).find(|tenant| tenant["tenant"] == name)
}

/// `degraded  mac-3  since 07:31, 12 min ago`; a phase that is not serving goes before the verdict, as it does for a balancer.
pub fn draw_head(sheet: &mut Sheet, status: &Value, only: Option<&str>, moments: &Moments) {
    let node = text(&status["node"]);
    let (whose, verdict, phase, since) = match only.and_then(|name| Some((name, tenant(status, name)?))) {
        Some((name, tenant)) => (
            format!("{name} on {node}"),
            &tenant["answer"],
            &tenant["answer_phase"],
            &tenant["since"],
        ),
        None => (node, &status["status"], &status["phase"], &status["since"]),
    };
    let verdict = text(verdict);
    let (state, beside) = match phase.as_str() {
        Some(phase @ ("starting" | "draining")) => (phase.to_owned(), format!("  its checks say {verdict}")),
        _ => (verdict, String::new()),
    };
    let gap = " ".repeat(INDENT.saturating_sub(state.len()).max(2));
    sheet.line([
        Span::state(&state),
        gap.into(),
        Span::new(whose, Tone::Strong),
        format!("  {}", moments.since(&text(since))).into(),
        beside.into(),
    ]);
}

/// What somebody took out on purpose: who, why, until when.
pub fn draw_operations(sheet: &mut Sheet, status: &Value, only: Option<&str>, moments: &Moments) {
    let mut say = |head: &str, operation: &Value| {
        let until = match operation["until"].as_str() {
            Some(until) => moments.until(until),
            None => moments.since(&text(&operation["started"])),
        };
        let ticket = match operation["ticket"].as_str() {
            Some(ticket) => format!(" [{ticket}]"),
            None => String::new(),
        };
        let said = format!(
            "{head} {until} by {}: {}{ticket}",
            text(&operation["actor"]),
            text(&operation["reason"])
        );
        sheet.paragraph(Span::default(), 2, &Span::new(said, Tone::Poor), LINES_MAX);
    };
    if status["drain"].is_object() {
        say("the node is drained", &status["drain"]);
    }
    let tenants = items(&status["tenants_detail"]).filter(|tenant| only.is_none_or(|only| tenant["tenant"] == only));
    for tenant in tenants {
        let name = text(&tenant["tenant"]);
        if tenant["drain"].is_object() {
            say(&format!("{name} is drained"), &tenant["drain"]);
        }
        if tenant["maintenance"].is_object() {
            say(&format!("{name} is in maintenance"), &tenant["maintenance"]);
        }
    }
    if status["not_yet_durable"] == true {
        let said = "not yet durable: the store does not commit, and a restart would forget the last operation";
        sheet.paragraph(Span::default(), 2, &Span::new(said, Tone::Bad), LINES_MAX);
    }
}

fn configuration(sheet: &mut Sheet, status: &Value) {
    let config = &status["config"];
    if let Some(why) = config["reload_error"].as_str() {
        let said = format!("the configuration was refused, the old one is in force: {why}");
        sheet.paragraph(Span::default(), 2, &Span::new(said, Tone::Poor), LINES_MAX);
    }
    let warnings = items(&config["warnings"]).count();
    if warnings > 0 {
        let said = format!(
            "the configuration has {}: readyd config check",
            counted(warnings, "warning")
        );
        sheet.paragraph(Span::default(), 2, &Span::new(said, Tone::Faint), LINES_MAX);
    }
}

fn tenants(sheet: &mut Sheet, status: &Value, all: bool, moments: &Moments) {
    let mut tenants: Vec<(&Value, String)> = items(&status["tenants_detail"])
        .map(|tenant| (tenant, state_of(tenant)))
        .collect();
    if tenants.is_empty() {
        return;
    }
    tenants.sort_by_key(|(_, state)| Reverse(badness(state)));
    let mut table = Table::new([
        Column::new("TENANT", Fit::Cut),
        Column::new("IS", Fit::Kept),
        Column::new("CHECKS OK", Fit::Dropped),
        Column::new("WRONG", Fit::Cut),
        Column::new("SINCE", Fit::Dropped),
    ]);
    let shown = if all { tenants.len() } else { TENANTS_MAX };
    for (tenant, state) in tenants.iter().take(shown) {
        let name = text(&tenant["tenant"]);
        let own: Vec<&Value> = items(&status["checks"])
            .filter(|check| check["tenant"] == *name)
            .collect();
        let ok = own.iter().filter(|check| check["level"] == "ok").count();
        let advisory = if tenant["required"] == false { " (advisory)" } else { "" };
        table.row([
            format!("{name}{advisory}").into(),
            Span::state(state),
            format!("{ok} of {}", own.len()).into(),
            wrong(&own).into(),
            moments.when(&text(&tenant["since"])).into(),
        ]);
    }
    sheet.gap();
    table.draw(sheet);
    let rest = tenants.iter().skip(shown);
    let (ok, others): (Vec<_>, Vec<_>) = rest.partition(|(_, state)| state == "ok");
    for (list, which) in [(others, "not ok"), (ok, "ok")] {
        if !list.is_empty() {
            sheet.line([format!("and {} {which} (--all)", counted(list.len(), "more tenant")).into()]);
        }
    }
}

/// What was done to it on purpose, its start, or its verdict.
fn state_of(tenant: &Value) -> String {
    match (&tenant["drain"], &tenant["maintenance"], tenant["phase"].as_str()) {
        (drain, _, _) if drain.is_object() => "drained".to_owned(),
        (_, maintenance, _) if maintenance.is_object() => "maintenance".to_owned(),
        (_, _, Some("starting")) => "starting".to_owned(),
        _ => text(&tenant["verdict"]),
    }
}

fn badness(state: &str) -> u8 {
    match state {
        "ok" => 0,
        "maintenance" | "drained" => 1,
        "starting" => 2,
        "degraded" => 3,
        _ => 4,
    }
}

/// The tenant's own checks that are wrong by themselves: `gateway (+4), webhook-digest`.
fn wrong(own: &[&Value]) -> String {
    let bad = |check: &&&Value| check["level"] != "ok" && check["level"] != "pending";
    let roots = own.iter().filter(bad).filter(|check| check["cause"].is_null());
    let names = roots.map(|root| {
        let under = own
            .iter()
            .filter(bad)
            .filter(|check| check["cause"] == root["check"])
            .count();
        let more = if under > 0 {
            format!(" (+{under})")
        } else {
            String::new()
        };
        text(&root["check"]) + &more
    });
    let names: Vec<String> = names.collect();
    match names.as_slice() {
        [] => "-".to_owned(),
        names => names.join(", "),
    }
}

fn every_check(sheet: &mut Sheet, checks: &[&Value], moments: &Moments) {
    if checks.is_empty() {
        return;
    }
    let mut table = Table::new([
        Column::new("LEVEL", Fit::Kept),
        Column::new("CHECK", Fit::Cut),
        Column::new("SUMMARY", Fit::Cut),
        Column::new("AGE", Fit::Dropped),
    ]);
    for check in checks {
        // On a change alone: an age is none.
        let age = if moments.relative { age(check) } else { String::new() };
        table.row([
            Span::state(&text(&check["level"])),
            check_name(check).into(),
            text(&check["summary"]).into(),
            age.into(),
        ]);
    }
    sheet.gap();
    table.draw(sheet);
}

/// What is not ok and makes no verdict worse: in maintenance, or not answered yet.
fn uncounted(sheet: &mut Sheet, checks: &[&Value]) {
    let found: Vec<&&Value> = checks
        .iter()
        .filter(|check| check["level"] != "ok" && !counts(check))
        .collect();
    if found.is_empty() {
        return;
    }
    sheet.gap();
    sheet.line([Span::new("shown, and not counted", Tone::Faint)]);
    let mut table = Table::new([
        Column::new("LEVEL", Fit::Kept),
        Column::new("CHECK", Fit::Cut),
        Column::new("SUMMARY", Fit::Cut),
    ]);
    for check in found.iter().take(UNCOUNTED_MAX) {
        table.row([
            Span::state(&text(&check["level"])),
            check_name(check).into(),
            text(&check["summary"]).into(),
        ]);
    }
    table.draw(sheet);
    if let Some(more) = found.len().checked_sub(UNCOUNTED_MAX).filter(|more| *more > 0) {
        sheet.line([format!("and {more} more (--all)").into()]);
    }
}

fn next(sheet: &mut Sheet, status: &Value, only: Option<&str>, reasons: &[Reason]) {
    if !reasons.is_empty() {
        return reasons::draw_next(sheet, reasons);
    }
    let drained = only.filter(|only| tenant(status, only).is_some_and(|tenant| tenant["drain"].is_object()));
    let step = match (status["drain"].is_object(), drained) {
        (true, _) => "readyd undrain".to_owned(),
        (false, Some(tenant)) => format!("readyd undrain {tenant}"),
        (false, None) => return,
    };
    sheet.paragraph(
        Span::new("next:", Tone::Strong),
        "next: ".len(),
        &step.into(),
        LINES_MAX,
    );
}

#[cfg(test)]
mod tests;
