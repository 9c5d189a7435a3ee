//! Checks in full: what each found, what explains it, what to do, how old its answer is and what it cost.

use maud::{Markup, html};

use super::reason::{advice, evidence};
use super::{Page, glyph, probes, times};
use crate::config::units::write_duration;
use crate::readiness::layers::Row;
use crate::readiness::snapshot::CheckView;
use crate::words::Level;

/// Checks that are shown in full; a tenant has some twenty.
const CHECKS_MAX: usize = 60;
const EVIDENCE_MAX: usize = 12;
const NOTES_MAX: usize = 6;
const CHANGES_MAX: usize = 5;

/// A tenant's page shows all that its answer is made of, the node's only its own: tenants have pages for theirs.
pub(super) fn section(page: &Page<'_>) -> Markup {
    let topic = page.topic;
    let shown = topic
        .checks
        .iter()
        .filter(|check| topic.tenant.is_some() || check.id.tenant.is_none());
    let shown: Vec<&&CheckView> = shown.collect();
    let title = match topic.tenant {
        Some(_) => "Checks",
        None => "Checks of the node itself",
    };
    html! {
        section #checks aria-labelledby="h-checks" {
            h2 #h-checks { (title) }
            @if shown.is_empty() {
                p.calm { "There are none." }
            }
            div.checks {
                @for check in shown.iter().take(CHECKS_MAX) { (one(page, check)) }
            }
            @if shown.len() > CHECKS_MAX { p.quiet { "and " (shown.len() - CHECKS_MAX) " more: GET /v1/checks" } }
        }
    }
}

fn one(page: &Page<'_>, check: &CheckView) -> Markup {
    let is_open = page.topic.tenant.is_some() && check.level != Level::Ok && check.explained_by.is_none();
    let answered = times::answered_at(check, page.now);
    html! {
        details.check #{ "check-" (check.id) } open[is_open] {
            summary {
                span.state { (glyph::of_check(check)) }
                span.name { (check.id.probe.as_str()) }
                span.summary { (check.summary) }
                span.age { @match answered { Some(at) => (times::ago(at, page.now)), None => "never" } }
            }
            div.body {
                p.quiet { (check.title) " · looks at " (Row::of(check.layer).looks_at) }
                @if let Some(cause) = &check.explained_by {
                    p { "Explained by " a href={ "#check-" (cause) } { (cause) } "." }
                }
                (evidence(check, EVIDENCE_MAX))
                @if let Some(finding) = check.finding.as_deref() && !finding.notes.is_empty() {
                    ul.notes { @for note in finding.notes.iter().take(NOTES_MAX) { li { (note) } } }
                }
                @if check.level != Level::Ok {
                    (advice(Some(check), &check.hint))
                }
                dl.terms {
                    div { dt { "Counts as" } dd { (glyph::Look::from(check.counts_as).word) } }
                    div { dt { "Since" } dd { (times::moment(check.since, page.now)) } }
                    div { dt { "Asked" } dd {
                        "every " (write_duration(check.every))
                        @if let Some(due) = check.next_due { ", next " (times::until(page.now.wall_of(due), page.now)) }
                    } }
                    div { dt { "Believed for" } dd { (write_duration(check.max_stale)) } }
                    div { dt { "An outage shows within" } dd { (write_duration(check.notice_within)) } }
                    @if let Some(cost) = check.cost {
                        div { dt { "Last answer took" } dd { (times::seconds(cost.wall)) } }
                        div { dt { "It cost" } dd { (probes::cost(cost.cpu, cost.peak_rss_bytes)) } }
                    }
                }
                @if !check.history.is_empty() { (changes(page, check)) }
            }
        }
    }
}

fn changes(page: &Page<'_>, check: &CheckView) -> Markup {
    html! {
        ul.changes aria-label="Last changes" {
            @for change in check.history.iter().rev().take(CHANGES_MAX) {
                li {
                    (times::moment(change.at, page.now)) " " (change.from.as_str()) " → " (change.to.as_str()) ": " (change.summary)
                }
            }
        }
    }
}
