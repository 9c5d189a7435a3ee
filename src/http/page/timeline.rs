//! How the verdict was: 24 hours, 7 days, 90 days, a strip for the node and each tenant, with uptime.
//!
//! A strip is a skyline: the worse, the higher. What nobody watched is a gap.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use maud::{Markup, html};

use super::Page;
use super::times;
use crate::history::{Report, Segment, Status, Subject, Who};

/// Strips on the node's page: itself, and the worst tenants.
const STRIPS_MAX: usize = 25;
/// Of the viewBox; about a pixel.
const WIDTH: i64 = 600;
const HEIGHT: i64 = 18;
/// Narrower segments are drawn so wide: an outage of a minute is seen in 90 days.
const SEGMENT_WIDTH_MIN: i64 = 2;

/// What span of the past is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Range {
    #[default]
    Day,
    Week,
    Quarter,
}

/// What the past was, one report a range, in the order of [`Range::ALL`]; `None` where it could not be read.
#[derive(Clone, Debug, Default)]
pub struct Timelines([Option<Arc<Report>>; Range::ALL.len()]);

impl Range {
    pub const ALL: [Range; 3] = [Range::Day, Range::Week, Range::Quarter];

    /// `?range=7d`; what is not known is a day.
    pub fn of_query(pairs: &[(String, String)]) -> Range {
        let asked = pairs.iter().rev().find(|(key, _)| key == "range");
        let known = asked.and_then(|(_, value)| Range::ALL.into_iter().find(|range| range.as_str() == value));
        known.unwrap_or_default()
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Range::Day => "24h",
            Range::Week => "7d",
            Range::Quarter => "90d",
        }
    }

    pub const fn span(self) -> Duration {
        Duration::from_secs(match self {
            Range::Day => 86_400,
            Range::Week => 7 * 86_400,
            Range::Quarter => 90 * 86_400,
        })
    }

    const fn words(self) -> &'static str {
        match self {
            Range::Day => "24 h",
            Range::Week => "7 d",
            Range::Quarter => "90 d",
        }
    }
}

impl Timelines {
    pub fn new(reports: [Option<Arc<Report>>; Range::ALL.len()]) -> Timelines {
        Timelines(reports)
    }

    fn report(&self, range: Range) -> Option<&Report> {
        self.0[range as usize].as_deref()
    }

    fn subject(&self, range: Range, who: &Who) -> Option<&Subject> {
        self.report(range)?.subjects.iter().find(|subject| subject.who == *who)
    }
}

pub(super) fn section(page: &Page<'_>) -> Markup {
    let is_known = page.timelines.0.iter().any(Option::is_some);
    html! {
        section #history aria-labelledby="h-history" {
            h2 #h-history { "History" }
            @if !is_known {
                p.calm { "The history cannot be read now; the check " code { "store" } " says how the store is." }
            } @else {
                @match page.topic.tenant {
                    Some(view) => (of_one(page, &Who::tenant(view.name.clone()))),
                    None => (of_all(page)),
                }
                (legend())
            }
        }
    }
}

/// Every range of a tenant.
fn of_one(page: &Page<'_>, who: &Who) -> Markup {
    html! {
        table.strips {
            caption.unseen { "How " (page.name()) " was, and its uptime" }
            thead {
                tr {
                    th scope="col" { "Last" }
                    th.wide-strip scope="col" { "From then to now" }
                    th.number scope="col" { "Uptime" }
                    th.number scope="col" { "Outages" }
                }
            }
            tbody {
                @for range in Range::ALL {
                    @let subject = page.timelines.subject(range, who);
                    tr data-key={ "range " (range.as_str()) } {
                        th scope="row" { (range.words()) }
                        td { (strip(page.timelines.report(range), subject, page.name())) }
                        td.number { (uptime(subject)) }
                        td.number { @if let Some(subject) = subject { (subject.outages) } }
                    }
                }
            }
        }
    }
}

/// One range of the node and its tenants, with the uptime of all ranges.
fn of_all(page: &Page<'_>) -> Markup {
    let tenants = page.topic.listed_tenants();
    let whos = tenants.iter().map(|(view, _)| Who::tenant(view.name.clone()));
    html! {
        nav.ranges aria-label="Range of the history" {
            @for range in Range::ALL {
                a href={ "?range=" (range.as_str()) "#history" } data-range=(range.as_str())
                    aria-current=[(range == page.range).then_some("true")] { (range.words()) }
            }
        }
        table.strips {
            caption.unseen { "How the node and its tenants were in the last " (page.range.words()) ", and their uptime" }
            thead {
                tr {
                    th scope="col" { "Who" }
                    th.wide-strip scope="col" { "Last " (page.range.words()) }
                    @for range in Range::ALL {
                        th.number.wide[range != page.range] scope="col" { "Uptime " (range.words()) }
                    }
                }
            }
            tbody {
                @for who in std::iter::once(Who::node()).chain(whos).take(STRIPS_MAX) { (row(page, &who)) }
            }
        }
        @if tenants.len() >= STRIPS_MAX {
            p.quiet { "and " (tenants.len() + 1 - STRIPS_MAX) " tenants more, each on its own page" }
        }
    }
}

fn row(page: &Page<'_>, who: &Who) -> Markup {
    let name = who
        .tenant
        .as_ref()
        .map_or(&*page.topic.snapshot.node, |tenant| tenant.as_str());
    html! {
        tr data-key={ "strip " @if who.tenant.is_some() { "of " } (name) } {
            th scope="row" {
                @if who.tenant.is_some() { a href={ "/tenants/" (name) } { (name) } } @else { (name) " (node)" }
            }
            td { (strip(page.timelines.report(page.range), page.timelines.subject(page.range, who), name)) }
            @for range in Range::ALL {
                td.number.wide[range != page.range] { (uptime(page.timelines.subject(range, who))) }
            }
        }
    }
}

fn strip(report: Option<&Report>, subject: Option<&Subject>, name: &str) -> Markup {
    let (Some(report), Some(subject)) = (report, subject) else {
        return html! { span.quiet { "not known yet" } };
    };
    let text = in_words(subject, name);
    let paths = paths(report, &subject.segments);
    html! {
        svg.strip role="img" viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } preserveAspectRatio="none" {
            title { (text) }
            @for (status, path) in paths { path class={ "t-" (status.as_str()) } d=(path) {} }
        }
    }
}

/// Up to hundredths, rounded down: what is not 100 % does not look like it.
fn uptime(subject: Option<&Subject>) -> Markup {
    let share = subject.and_then(|subject| subject.uptime);
    html! {
        @match share {
            None => span.quiet { "–" },
            Some(share) if share >= 1.0 => "100 %",
            Some(share) => (format!("{:.2} %", (share * 10_000.0).floor() / 100.0)),
        }
    }
}

/// `acme: ok 97.9 %, down 0.5 %, not watched 1.6 %; 2 outages`.
fn in_words(subject: &Subject, name: &str) -> String {
    let total = subject.lasted.total_millis().max(1);
    let mut text = format!("{name}:");
    for status in Status::ALL {
        let millis = subject.lasted.millis(status);
        if millis > 0 {
            // A span is at most 90 days: thousandths of it fit.
            let thousandths = (millis.saturating_mul(1000) / total).max(1);
            let _ = write!(text, " {} {}.{} %,", word(status), thousandths / 10, thousandths % 10);
        }
    }
    let _ = match subject.outages {
        1 => write!(text, " one outage"),
        outages => write!(text, " {} outages", times::grouped(outages as u64)),
    };
    text
}

const fn word(status: Status) -> &'static str {
    match status {
        Status::NotWatched => "not watched",
        other => other.as_str(),
    }
}

/// How high it stands; nothing for a gap.
const fn height(status: Status) -> i64 {
    match status {
        Status::NotWatched => 0,
        Status::Ok => 6,
        Status::Starting | Status::Unknown | Status::Draining | Status::Maintenance => 9,
        Status::Degraded => 12,
        Status::Down => HEIGHT,
    }
}

/// One path a status; the worst comes last, so that it is above what it would share a pixel with.
fn paths(report: &Report, segments: &[Segment]) -> Vec<(Status, String)> {
    let span = report.until.millis_since(report.from).max(1);
    let x = |millis: i64| (millis.clamp(0, span) * WIDTH + span / 2) / span;
    let mut of: [String; Status::ALL.len()] = Default::default();
    for segment in segments {
        let height = height(segment.status);
        let from = x(segment.from.millis_since(report.from));
        let until = x(segment.until.millis_since(report.from));
        if height == 0 {
            continue;
        }
        let from = from.min(WIDTH - SEGMENT_WIDTH_MIN);
        let width = (until - from).max(SEGMENT_WIDTH_MIN);
        let _ = write!(
            of[segment.status as usize],
            "M{from} {HEIGHT}h{width}v-{height}h-{width}z"
        );
    }
    let mut paths: Vec<_> = Status::ALL
        .into_iter()
        .zip(of)
        .filter(|(_, path)| !path.is_empty())
        .collect();
    paths.sort_by_key(|(status, _)| height(*status));
    paths
}

/// What heights and shades mean.
fn legend() -> Markup {
    const SHOWN: [Status; 5] = [
        Status::Ok,
        Status::Degraded,
        Status::Down,
        Status::Maintenance,
        Status::NotWatched,
    ];
    html! {
        ul.legend aria-label="Legend" {
            @for status in SHOWN {
                @let height = height(status);
                li {
                    svg.key aria-hidden="true" viewBox="0 0 12 18" {
                        path class={ "t-" (status.as_str()) } d={ "M0 18h12v-" (height) "h-12z" } {}
                    }
                    @match status {
                        Status::Maintenance => "maintenance, drained or starting",
                        other => (word(other)),
                    }
                }
            }
        }
    }
}
