//! What readyd itself does: each probe with its checks' levels, how old their answers are, and what asking cost.

use std::collections::BTreeMap;
use std::time::Duration;

use maud::{Markup, html};

use super::{Page, glyph, times};
use crate::config::units::write_duration;
use crate::readiness::snapshot::CheckView;
use crate::words::{Level, Now, ProbeName, Wall};

/// Probes that are listed: those that ship are 20, and a node declares some of its own.
const PROBES_MAX: usize = 60;

/// All checks of one probe.
struct Asked<'a> {
    probe: &'a ProbeName,
    title: &'a str,
    every: Duration,
    levels: [usize; Level::ALL.len()],
    oldest: Option<Wall>,
    newest: Option<Wall>,
    cpu: Duration,
    peak_rss_bytes: u64,
}

pub(super) fn section(page: &Page<'_>) -> Markup {
    let probes = asked(&page.topic.checks, page.now);
    html! {
        section #probes aria-labelledby="h-probes" {
            h2 #h-probes { "Probes" }
            @if probes.is_empty() {
                p.calm { "Nothing is asked here: every probe is off or has nothing to ask of." }
            } @else {
                table {
                    caption.unseen { "Probes with the age of their answers and what the last ones cost" }
                    thead {
                        tr {
                            th scope="col" { "Probe" }
                            th scope="col" { "Checks" }
                            th.number scope="col" { "Answered" }
                            th.number scope="col" { "Cost" }
                        }
                    }
                    tbody {
                        @for probe in probes.iter().take(PROBES_MAX) { (row(page, probe)) }
                    }
                }
                @if probes.len() > PROBES_MAX { p.quiet { "and " (probes.len() - PROBES_MAX) " more: " code { "readyd probe list" } } }
            }
        }
    }
}

fn row(page: &Page<'_>, probe: &Asked<'_>) -> Markup {
    html! {
        tr data-key={ "probe " (probe.probe.as_str()) } {
            th scope="row" {
                (probe.probe.as_str())
                p.because { (probe.title) ", every " (write_duration(probe.every)) }
            }
            td {
                @for (level, count) in Level::ALL.into_iter().zip(probe.levels).rev() {
                    @if count > 0 {
                        span.badge.(level.as_str()) { (glyph::shape(level.as_str())) (count) " " (level.as_str()) }
                    }
                }
            }
            td.number {
                @match (probe.newest, probe.oldest) {
                    (Some(newest), Some(oldest)) => {
                        (times::ago(newest, page.now))
                        @if newest.millis_since(oldest) >= 60_000 { p.because { "oldest " (times::ago(oldest, page.now)) } }
                    },
                    _ => "never",
                }
            }
            td.number { (cost(probe.cpu, probe.peak_rss_bytes)) }
        }
    }
}

/// CPU time and peak memory of the process that asked. What readyd asks by itself needs none.
pub(super) fn cost(cpu: Duration, peak_rss_bytes: u64) -> Markup {
    html! {
        @if cpu.is_zero() && peak_rss_bytes == 0 {
            span.quiet { "none" }
        } @else {
            (times::seconds(cpu)) " CPU"
            p.because { (times::mebibytes(peak_rss_bytes)) " peak" }
        }
    }
}

/// In the order of the checks: the worst first.
fn asked<'a>(checks: &[&'a CheckView], now: Now) -> Vec<Asked<'a>> {
    let mut at: BTreeMap<&ProbeName, usize> = BTreeMap::new();
    let mut probes: Vec<Asked<'a>> = Vec::new();
    for check in checks {
        let index = *at.entry(&check.id.probe).or_insert_with(|| {
            probes.push(Asked {
                probe: &check.id.probe,
                title: &check.title,
                every: check.every,
                levels: [0; Level::ALL.len()],
                oldest: None,
                newest: None,
                cpu: Duration::ZERO,
                peak_rss_bytes: 0,
            });
            probes.len() - 1
        });
        let probe = &mut probes[index];
        probe.levels[usize::from(check.level.metric())] += 1;
        if let Some(answered) = times::answered_at(check, now) {
            probe.oldest = Some(probe.oldest.map_or(answered, |oldest| oldest.min(answered)));
            probe.newest = Some(probe.newest.map_or(answered, |newest| newest.max(answered)));
        }
        if let Some(cost) = check.cost {
            probe.cpu = probe.cpu.saturating_add(cost.cpu);
            probe.peak_rss_bytes = probe.peak_rss_bytes.max(cost.peak_rss_bytes);
        }
    }
    probes
}
