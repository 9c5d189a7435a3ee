//! Webhook failures: the last five minutes as rows, then what failed earlier in these two hours.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::sparks::Subject;
use super::{Page, sparks, times};
use crate::digest::answer::{Answer, Query, TopRow, answer};
use crate::words::{Family, TenantName, Wall};

/// Of now, and of earlier.
const ROWS_MAX: usize = 20;
const STATUSES_MAX: usize = 4;

pub(super) fn section(page: &Page<'_>) -> Markup {
    let snapshot = page.topic.snapshot;
    let query = Query {
        tenant: page.topic.tenant.map(|view| view.name.clone()),
        limit: ROWS_MAX,
        ..Query::default()
    };
    let Ok(answer) = answer(&snapshot.digest, &query, &snapshot.node, page.now) else {
        return html! {};
    };
    let earlier = earlier(page, &answer, query.tenant.as_ref());
    html! {
        section #digest aria-labelledby="h-digest" {
            h2 #h-digest { "Webhook failures" }
            p.facts {
                span { "last five minutes: " strong { (times::grouped(answer.totals.failures)) } " failed, "
                    (times::grouped(answer.totals.delivered)) " delivered" }
                @for (family, count) in &answer.totals.by_family { span { (family.as_str()) " ×" (times::grouped(*count)) } }
                @if answer.gap { span { "some events of this time may be missing" } }
                @if answer.age_sec > STALE_AFTER_SECS { span { "as of " (answer.age_sec) " s ago" } }
            }
            @if answer.top.is_empty() && earlier.is_empty() {
                p.calm { "No delivery has failed in the last two hours." }
            } @else {
                table {
                    caption.unseen { "Failed deliveries by endpoint, most in the last five minutes first" }
                    thead {
                        tr {
                            th scope="col" { "Endpoint" }
                            th scope="col" { "Last 2 h" }
                            th.number scope="col" { "5 min" }
                            th.number.wide scope="col" { "Last seen" }
                        }
                    }
                    tbody {
                        @for row in &answer.top { (now(page, row)) }
                        @for (tenant, endpoint, family) in &earlier { (quiet(page, tenant, endpoint, *family)) }
                    }
                }
                @if answer.totals.rows > answer.top.len() {
                    p.quiet { "and " (answer.totals.rows - answer.top.len()) " rows more: " code { "readyd digest --limit 100" } }
                }
            }
        }
    }
}

/// A digest is rolled forward each second; older than this it says so.
const STALE_AFTER_SECS: u64 = 5;

fn now(page: &Page<'_>, row: &TopRow<'_>) -> Markup {
    let last_seen = Wall::parse_rfc3339(&row.last_seen);
    html! {
        tr data-key={ "row " (row.tenant) " " (row.endpoint) " " (row.family.as_str()) } {
            th scope="row" {
                span.endpoint { (row.endpoint) }
                p.because {
                    (row.tenant) " · " (row.family.as_str())
                    @for (code, count) in row.statuses.iter().take(STATUSES_MAX) { " · " (code) " ×" (times::grouped(*count)) }
                    @if row.max_attempt > 1 { " · up to attempt " (row.max_attempt) }
                    @if let Some(node) = row.node { " · seen by " (node) }
                }
                @if let Some(error) = row.sample.error {
                    p.because.said { (super::reason::cut(error)) }
                }
            }
            td { (sparks::drawn(page, &Subject::Row(row.tenant, row.endpoint, row.family))) }
            td.number { strong { (times::grouped(row.count)) } }
            td.number.wide { @if let Some(last) = last_seen { (times::ago(last, page.now)) } }
        }
    }
}

fn quiet(page: &Page<'_>, tenant: &TenantName, endpoint: &str, family: Family) -> Markup {
    html! {
        tr.over data-key={ "row " (tenant) " " (endpoint) " " (family.as_str()) } {
            th scope="row" {
                span.endpoint { (endpoint) }
                p.because { (tenant) " · " (family.as_str()) }
            }
            td { (sparks::drawn(page, &Subject::Row(tenant, endpoint, family))) }
            td.number { "0" }
            td.number.wide { "earlier" }
        }
    }
}

/// Rows that have failed within two hours and do not any more.
fn earlier<'a>(
    page: &Page<'a>,
    answer: &Answer<'_>,
    tenant: Option<&TenantName>,
) -> Vec<(&'a TenantName, &'a str, Family)> {
    if answer.totals.rows > answer.top.len() {
        return Vec::new();
    }
    let failing: BTreeSet<_> = answer
        .top
        .iter()
        .map(|row| (row.tenant, row.endpoint, row.family))
        .collect();
    let rows = page.sparks.rows(tenant).into_iter().map(|(row, _)| row);
    let rows = rows.filter(|row| !failing.contains(row));
    rows.take(ROWS_MAX.saturating_sub(failing.len())).collect()
}
