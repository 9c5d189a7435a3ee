//! Why the verdict is what it is: worst first, each with what to do next, the command that is known to be good
//! and what was seen. Symptoms stand under their cause.

use maud::{Markup, html};

use super::{Page, glyph, times};
use crate::readiness::snapshot::{CheckView, Reason, Snapshot};
use crate::words::{CheckId, Verdict};

/// As `/ready` lists.
pub(super) const REASONS_MAX: usize = 20;
const SYMPTOMS_MAX: usize = 20;
/// Lines of evidence of one reason; the check's own page has more.
const EVIDENCE_MAX: usize = 3;
/// Longer texts are cut here: what was seen may be two kilobytes.
pub(super) const SEEN_CHARS_MAX: usize = 300;

pub(super) fn section(page: &Page<'_>) -> Markup {
    // What is in maintenance is told above: it is no reason for anything.
    let counts = |reason: &&Reason| reason.severity > Verdict::Ok;
    let reasons: Vec<&Reason> = page.topic.reasons.iter().filter(counts).collect();
    html! {
        section #why aria-labelledby="h-why" {
            h2 #h-why { "Why" }
            @if reasons.is_empty() {
                p.calm { (nothing(page)) }
            } @else {
                ol.reasons {
                    @for reason in reasons.iter().copied().take(REASONS_MAX) { (one(page, reason)) }
                }
                @if reasons.len() > REASONS_MAX {
                    p.quiet { "and " (reasons.len() - REASONS_MAX) " more: " code { "readyd status" } " lists them all" }
                }
            }
        }
    }
}

/// What to do about it: in words, and as a command.
pub(super) fn advice(check: Option<&CheckView>, hint: &str) -> Markup {
    html! {
        @if !hint.is_empty() {
            p.next { b { "Next" } " " (hint.strip_prefix("Run: ").unwrap_or(hint)) }
        }
        @if let Some(check) = check && let Some(command) = check.known_good.as_deref() {
            div.command {
                b { "Known good" }
                code { (command) }
                button.copy type="button" aria-label={ "Copy the known-good command of " (check.id) } { "Copy" }
            }
        }
    }
}

/// Facts of a finding, at most so many; how many more there are.
pub(super) fn evidence(check: &CheckView, lines_max: usize) -> Markup {
    let facts = check.finding.as_deref().map_or(&[][..], |finding| &finding.evidence);
    html! {
        @if !facts.is_empty() {
            dl.evidence {
                @for fact in facts.iter().take(lines_max) {
                    div { dt { (fact.what) } dd { (cut(&fact.seen)) } }
                }
            }
            @if facts.len() > lines_max {
                p.quiet { "and " (facts.len() - lines_max) " more: " code { "readyd explain " (check.id) } }
            }
        }
    }
}

/// Where a check is shown in full.
pub(super) fn link(check: &CheckId) -> String {
    match &check.tenant {
        Some(tenant) => format!("/tenants/{tenant}#check-{check}"),
        None => format!("#check-{check}"),
    }
}

fn one(page: &Page<'_>, reason: &Reason) -> Markup {
    let snapshot = page.topic.snapshot;
    let check = reason.check.as_ref().and_then(|id| find(snapshot, id));
    let severity = glyph::Look::from(reason.severity);
    html! {
        li.reason.(severity.class) data-key={ "reason " @match &reason.check { Some(id) => (id), None => (reason.text) } } {
            div.head {
                (glyph::badge(reason.severity))
                h3 { (reason.text) }
                @if let Some(check) = check {
                    span.age { "for " (times::for_how_long(check.since, page.now)) }
                }
            }
            (advice(check, &reason.hint))
            @if let Some(check) = check { (evidence(check, EVIDENCE_MAX)) }
            @if !reason.symptoms.is_empty() { (symptoms(snapshot, reason)) }
            @if let Some(check) = check {
                p.more { a href=(link(&check.id)) { "All that " (check.id) " found" } }
            }
        }
    }
}

fn symptoms(snapshot: &Snapshot, reason: &Reason) -> Markup {
    let count = reason.symptoms.len();
    html! {
        details data-key="symptoms" {
            summary { "Explains " (count) " more " @if count == 1 { "check" } @else { "checks" } }
            ul.symptoms {
                @for id in reason.symptoms.iter().take(SYMPTOMS_MAX) {
                    li {
                        @if let Some(check) = find(snapshot, id) {
                            (glyph::badge(check.level)) " " b { (id) } ": " (check.summary)
                        } @else {
                            b { (id) }
                        }
                    }
                }
                @if count > SYMPTOMS_MAX { li { "and " (count - SYMPTOMS_MAX) " more" } }
            }
        }
    }
}

fn nothing(page: &Page<'_>) -> &'static str {
    let topic = page.topic;
    if topic.checks.is_empty() {
        "Nothing is asked here, so nothing is known to be wrong."
    } else if topic.checks.iter().any(|check| check.in_maintenance) {
        "Nothing that counts is wrong. What is in maintenance counts nothing."
    } else {
        "Nothing is wrong: every check that counts is ok."
    }
}

fn find<'a>(snapshot: &'a Snapshot, id: &CheckId) -> Option<&'a CheckView> {
    snapshot.checks.iter().find(|check| check.id == *id)
}

pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(SEEN_CHARS_MAX) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}…", &text[..at]),
    }
}
