//! The top of the page: who speaks, whether it is fresh, and the verdict in one sentence.

use maud::{Markup, html};

use super::glyph;
use super::{Page, times};
use crate::http::answer::Head;
use crate::http::topic::Topic;
use crate::readiness::snapshot::Phase;
use crate::words::{Level, Verdict};

/// What it is, in a word: `degraded`, `starting`, `draining`.
pub(super) const fn word(topic: &Topic<'_>) -> &'static str {
    match topic.phase {
        Phase::Serving => topic.verdict.as_str(),
        phase => phase.as_str(),
    }
}

/// Which node this is and whether what it says is of now. The script writes the second.
pub(super) fn banner(page: Option<&Page<'_>>) -> Markup {
    html! {
        header.banner {
            p.brand { a href="/" { "readyd" } }
            @if let Some(page) = page {
                @let snapshot = page.topic.snapshot;
                p.node {
                    @if page.topic.tenant.is_some() {
                        a href="/" { (snapshot.node) }
                        span.slash aria-hidden="true" { "/" }
                        (page.name())
                    } @else {
                        (snapshot.node)
                    }
                }
                @if !snapshot.labels.is_empty() {
                    ul.labels aria-label="Labels" {
                        @for (key, value) in snapshot.labels.iter().take(LABELS_MAX) {
                            li { (key) "=" (value) }
                        }
                    }
                }
                p #live .live {
                    span.dot aria-hidden="true" {}
                    span #live-text {
                        "as of " (times::moment(page.now.wall, page.now))
                        " UTC; reload for news"
                    }
                }
            }
        }
    }
}

pub(super) fn hero(page: &Page<'_>) -> Markup {
    let topic = page.topic;
    let (name, word) = (page.name(), word(topic));
    let class = match topic.phase {
        Phase::Starting => Level::Pending.as_str(),
        Phase::Draining => "draining",
        Phase::Serving => topic.verdict.as_str(),
    };
    let glyph = match topic.phase {
        Phase::Serving => topic.verdict.as_str(),
        Phase::Starting | Phase::Draining => Level::Pending.as_str(),
    };
    let ok = topic.checks.iter().filter(|check| check.level == Level::Ok).count();
    let tenants = topic.snapshot.tenants.len();
    html! {
        section.hero.(class) aria-labelledby="verdict" {
            (glyph::shape(glyph))
            div {
                div aria-live="polite" aria-atomic="true" {
                    h1 #verdict data-lost={ (name) " was " (word) } { (name) " is " strong { (word) } }
                }
                p.facts {
                    span { "for " (times::for_how_long(topic.since, page.now)) ", since " (times::moment(topic.since, page.now)) }
                    span { (ok) " of " (topic.checks.len()) " checks ok" }
                    @if topic.tenant.is_none() {
                        span { (tenants) @if tenants == 1 { " tenant" } @else { " tenants" } }
                    }
                    span { (phase(topic)) }
                }
            }
        }
    }
}

/// What load balancers are told.
fn phase(topic: &Topic<'_>) -> Markup {
    let head = Head::of(topic);
    html! {
        @if topic.phase != Phase::Serving { "phase " (topic.phase.as_str()) ": " }
        "load balancers get " strong { (head.status) }
        @if head.degraded { ", marked degraded" }
        @match topic.phase {
            Phase::Starting => " until every required check has answered",
            Phase::Draining => {
                @match topic.verdict {
                    Verdict::Ok => " although every check is ok",
                    verdict => { " (its checks say " (verdict) ")" },
                }
            },
            Phase::Serving => "",
        }
    }
}

/// A node has few labels, and a page has little room.
const LABELS_MAX: usize = 12;
