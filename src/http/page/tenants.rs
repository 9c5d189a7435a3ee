//! Every tenant in a line: how it is, why, since when, and its webhook failures of the last two hours.

use maud::{Markup, html};

use super::sparks::Subject;
use super::{Page, glyph, sparks, times};
use crate::readiness::snapshot::{Phase, TenantView};
use crate::words::Verdict;

/// Tenants whose failures are drawn, the worst; the others' pages have them.
const SPARKS_MAX: usize = 60;
/// Reasons that stand under a tenant's name; the others are on its page.
const REASON_CHARS_MAX: usize = 160;

pub(super) fn section(page: &Page<'_>) -> Markup {
    let listed = page.topic.listed_tenants();
    html! {
        section #tenants aria-labelledby="h-tenants" {
            h2 #h-tenants { "Tenants" }
            @if listed.is_empty() {
                p.calm {
                    "No tenant is configured, so no gateway is watched. Name one under " code { "tenants" }
                    " in the configuration; " code { "readyd config check" } " says whether it is understood."
                }
            } @else {
                table {
                    caption.unseen { "Tenants, the worst first" }
                    thead {
                        tr {
                            th scope="col" { "Tenant" }
                            th scope="col" { "Status" }
                            th.wide scope="col" { "Failures, 2 h" }
                            th.number scope="col" { "For" }
                        }
                    }
                    tbody {
                        @for (nth, (view, verdict)) in listed.iter().enumerate() { (row(page, view, *verdict, nth < SPARKS_MAX)) }
                    }
                }
            }
        }
    }
}

fn row(page: &Page<'_>, view: &TenantView, verdict: Verdict, is_drawn: bool) -> Markup {
    html! {
        tr data-key={ "tenant " (view.name) } {
            th scope="row" {
                a href={ "/tenants/" (view.name) } { (view.name) }
                @if !view.required { span.chip { "advisory" } }
                @if let Some(why) = because(view) { p.because { (why) } }
            }
            td {
                @match view.phase {
                    Phase::Serving => (glyph::badge(verdict)),
                    phase => span.badge.pending { (glyph::shape("pending")) (phase.as_str()) },
                }
                @if view.maintenance.is_some() { span.chip { "in maintenance" } }
            }
            td.wide { @if is_drawn { (sparks::drawn(page, &Subject::Tenant(&view.name))) } }
            td.number { (times::for_how_long(view.since, page.now)) }
        }
    }
}

/// Its first reason of its own, without its name before it.
fn because(view: &TenantView) -> Option<String> {
    if let Some(maintenance) = &view.maintenance {
        return Some(cut(&maintenance.reason));
    }
    let reason = view
        .reasons
        .iter()
        .find(|reason| reason.tenant.as_ref() == Some(&view.name))?;
    let text = reason
        .text
        .strip_prefix(view.name.as_str())
        .map_or(reason.text.as_str(), str::trim_start);
    Some(cut(text))
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(REASON_CHARS_MAX) {
        None => text.to_owned(),
        Some((at, _)) => format!("{}…", &text[..at]),
    }
}
