//! From a record to a report.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::budget::Budget;
use super::draw::{SEGMENTS_ALL_MAX, SEGMENTS_MAX, drawn};
use super::figures::{ends_an_outage, figures, time_to_detect};
use super::record::{Entry, Present, Record, Unwatched};
use super::timeline::{Rows, Timeline, unwatched};
use super::{Report, SUBJECTS_MAX, Slos, Status, Subject, Who};
use crate::readiness::snapshot::Transition;
use crate::words::Wall;

/// The store says every ten seconds that readyd lives. When it has not for three times as long, what holds since is not
/// known: commits fail, or the host sleeps.
const ALIVE_WITHIN_MILLIS: i64 = 30_000;

/// What a report is to tell.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    pub node: Arc<str>,
    pub now: Wall,
    /// Until now; at most [`super::SPAN_MAX`].
    pub span: Duration,
    pub slos: &'a Slos,
}

/// The changes of each subject, by id.
type Changes<'a> = BTreeMap<Who, Vec<(i64, &'a Transition)>>;

/// What a record says, by subject.
struct Reading<'a> {
    changes: Changes<'a>,
    dark: Vec<(i64, Unwatched)>,
    begins: Wall,
    lived: Wall,
}

/// What `record` amounts to. Its rows reach back to the span's beginning, and to that of the longest budget.
pub fn report(record: Record, wanted: impl Fn(&Who) -> bool, asked: &Asked<'_>) -> Report {
    let now = asked.now;
    let from = back(now, asked.span);
    let reading = Reading::of(&record, now);
    let mut wanted: Vec<&Present> = record.presents.iter().filter(|present| wanted(&present.who)).collect();
    wanted.sort_by_key(|present| (present.who.check.is_some(), &present.who));
    wanted.truncate(SUBJECTS_MAX);
    let segments_max = SEGMENTS_MAX.min(SEGMENTS_ALL_MAX / wanted.len().max(1));

    let tenants = reading.tenants_of_checks(&record.presents, &wanted);
    let subjects = wanted.iter().map(|present| {
        let mut timeline = reading.timeline(present);
        if let (Some(tenant), Some(_)) = (&present.who.tenant, &present.who.check) {
            let maintained = tenants.get(&Who::tenant(tenant.clone())).into_iter();
            for segment in maintained.flat_map(|tenant| tenant.of_status(Status::Maintenance)) {
                timeline.paint(segment.from, segment.until, Status::Maintenance);
            }
        }
        reading.subject(present, &timeline, from, asked, segments_max)
    });
    let subjects = subjects.collect();
    Report {
        node: asked.node.clone(),
        generated_at: now,
        from,
        until: now,
        subjects,
        truncated_before: (record.begins > from).then_some(record.begins),
        transitions: record.transitions,
    }
}

impl<'a> Reading<'a> {
    fn of(record: &'a Record, now: Wall) -> Reading<'a> {
        let mut changes = Changes::new();
        for (id, entry) in &record.entries {
            if let Entry::Change(change) = entry {
                changes.entry(Who::of(change)).or_default().push((*id, change));
            }
        }
        Reading {
            changes,
            dark: unwatched(&record.entries),
            begins: record.begins,
            lived: match record.alive {
                Some(alive) if now.millis_since(alive) > ALIVE_WITHIN_MILLIS => alive,
                _ => now,
            },
        }
    }

    fn timeline(&self, present: &Present) -> Timeline {
        let rows = Rows {
            changes: self.changes.get(&present.who).map_or(&[], Vec::as_slice),
            unwatched: &self.dark,
        };
        Timeline::of(&rows, present, self.begins, self.lived)
    }

    /// What a tenant's maintenance covers, it covers of its checks too.
    fn tenants_of_checks(&self, presents: &[Present], wanted: &[&Present]) -> BTreeMap<Who, Timeline> {
        let of_checks = wanted.iter().filter(|present| present.who.check.is_some());
        let tenants = of_checks.filter_map(|present| Some(Who::tenant(present.who.tenant.clone()?)));
        let mut timelines: BTreeMap<Who, Timeline> = tenants.map(|who| (who, Timeline::default())).collect();
        for present in presents {
            if let Some(timeline) = timelines.get_mut(&present.who) {
                *timeline = self.timeline(present);
            }
        }
        timelines
    }

    fn subject(
        &self,
        present: &Present,
        timeline: &Timeline,
        from: Wall,
        asked: &Asked<'_>,
        segments_max: usize,
    ) -> Subject {
        let segments = timeline.within(from, asked.now);
        let changes = self.changes.get(&present.who).into_iter().flatten();
        let changes = changes.map(|(_, change)| *change);
        let ends: BTreeSet<Wall> = (changes.clone().filter(|change| ends_an_outage(change)))
            .map(|change| change.at)
            .collect();
        let figures = figures(&segments, timeline.begin_of(from), |at| ends.contains(&at));
        let slo = match (&present.who.tenant, &present.who.check) {
            (Some(tenant), None) => asked.slos.get(tenant).copied(),
            _ => None,
        };
        Subject {
            who: present.who.clone(),
            segments: drawn(segments, segments_max),
            lasted: figures.lasted,
            uptime: figures.uptime,
            outages: figures.outages,
            flaps: figures.flaps,
            time_to_detect: time_to_detect(changes, from, asked.now),
            time_to_recover: figures.time_to_recover,
            budget: slo.map(|slo| Budget::of(slo, timeline, asked.now)),
        }
    }
}

fn back(now: Wall, span: Duration) -> Wall {
    now.plus_millis(-i64::try_from(span.as_millis()).unwrap_or(i64::MAX))
}
