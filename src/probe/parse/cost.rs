//! What a gateway's scheduled work costs: jobs that run too often, work that is done twice, heartbeats on top of each
//! other, models whose credentials are missing.
//!
//! One judgement for what the link heard and for what `openclaw cron list --json` says. Of a job only its name and its
//! schedule are shown.

mod cron;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::Value;

use self::cron::Cron;
use super::object::{self, Object};
use super::{Said, json};
use crate::config::units::write_duration;
use crate::link::duties::{Credentials, Duties, Job, Jobs, Provider, Schedule, Work};
use crate::words::{Cause, Finding};

/// What is allowed.
#[derive(Clone, Copy, Debug)]
pub struct Policy<'a> {
    /// A job that is due more often needs to be approved.
    pub interval_min: Duration,
    /// By name or id.
    pub approved: &'a BTreeSet<String>,
}

/// Names in a list that a person reads.
const NAMED_MAX: usize = 5;

/// Reads the answer to `openclaw cron list --json`.
pub fn cost(said: &Said<'_>, policy: Policy<'_>) -> Finding {
    let object = match object::find(said.stdout) {
        Ok(object) => object,
        Err(why) => return json::unreadable(why, said),
    };
    let Some(told) = object.get("jobs").and_then(Value::as_array) else {
        return refusal(&object).with_exit(said);
    };
    let mut jobs = Jobs::default();
    jobs.add(told.iter().filter_map(|job| Job::read(&job.to_string())).collect());
    jobs.cut |= object.get("hasMore").and_then(Value::as_bool) == Some(true);
    let duties = Duties { jobs, providers: None };
    let mut finding = judge(&duties, policy, "by openclaw cron list");
    finding.note_push("whether models lack credentials is asked over the link alone, and there is none");
    finding
}

/// `asked`: of whom the duties were had.
pub fn judge(duties: &Duties, policy: Policy<'_>, asked: &str) -> Finding {
    let jobs = &duties.jobs.list;
    let is_approved = |job: &&Job| policy.approved.contains(&job.name) || policy.approved.contains(&job.id);
    let enabled: Vec<&Job> = jobs.iter().filter(|job| job.enabled).collect();
    let (approved, judged): (Vec<&Job>, Vec<&Job>) = enabled.iter().copied().partition(is_approved);

    let mut wrong = Vec::new();
    wrong.extend(judged.iter().filter_map(|job| too_often(job, policy)));
    wrong.extend(done_twice(&judged));
    wrong.extend(stacked(&judged));
    wrong.extend(without_credentials(duties));
    let mut finding = match wrong.as_slice() {
        [] => Finding::ok(all_well(&enabled)),
        [(what, seen)] => Finding::degraded(format!("{what} {seen}")),
        [(what, seen), more @ ..] => Finding::degraded(format!("{what} {seen} (and {} more)", more.len())),
    };
    for (what, seen) in &wrong {
        finding.evidence_push(what, seen);
    }
    finding.evidence_push("asked", asked);
    if !approved.is_empty() {
        finding.evidence_push("approved", names(&approved));
    }
    notes(&mut finding, duties, policy);
    finding
}

/// What is wrong: of whom, and how.
type Wrong = (String, String);

fn too_often(job: &Job, policy: Policy<'_>) -> Option<Wrong> {
    let interval = interval(job)?;
    (interval < policy.interval_min).then(|| {
        let seen = format!(
            "is due every {}, more often than every {}, and is not approved",
            write_duration(interval),
            write_duration(policy.interval_min)
        );
        (format!("job {}", job.called()), seen)
    })
}

/// Jobs of the same work, each group once. Heartbeats have a rule of their own.
fn done_twice(jobs: &[&Job]) -> Vec<Wrong> {
    let mut by_work: BTreeMap<Work, Vec<&Job>> = BTreeMap::new();
    for job in jobs.iter().filter(|job| !job.is_heartbeat) {
        if let Some(work) = job.work {
            by_work.entry(work).or_default().push(job);
        }
    }
    let mut wrong = Vec::new();
    for same in by_work.into_values() {
        let meets_another = |job: &&&Job| {
            same.iter()
                .any(|other| !std::ptr::eq(**job, *other) && meet(&job.schedule, &other.schedule))
        };
        let meeting: Vec<&Job> = same.iter().filter(meets_another).copied().collect();
        if !meeting.is_empty() {
            let seen = format!("do the same work at the same times: {}", names(&meeting));
            wrong.push((format!("{} jobs", meeting.len()), seen));
        }
    }
    wrong
}

/// More than one heartbeat of an agent.
fn stacked(jobs: &[&Job]) -> Vec<Wrong> {
    let several = heartbeats(jobs).into_iter().filter(|(_, beats)| beats.len() > 1);
    let told = several.map(|(agent, beats)| {
        let seen = format!("has {} heartbeats on top of each other: {}", beats.len(), names(&beats));
        (format!("agent {agent}"), seen)
    });
    told.collect()
}

fn without_credentials(duties: &Duties) -> Vec<Wrong> {
    let missing = troubled(duties, Credentials::Missing);
    let told = missing.map(|provider| {
        let seen = "is configured, and its credentials are missing".to_owned();
        (format!("model provider {}", provider.name), seen)
    });
    told.collect()
}

fn troubled(duties: &Duties, state: Credentials) -> impl Iterator<Item = &Provider> {
    let providers = duties.providers.iter().flatten();
    providers.filter(move |provider| provider.state == state)
}

fn heartbeats<'a>(jobs: &[&'a Job]) -> BTreeMap<&'a str, Vec<&'a Job>> {
    let mut by_agent: BTreeMap<&str, Vec<&Job>> = BTreeMap::new();
    for job in jobs.iter().filter(|job| job.is_heartbeat) {
        by_agent.entry(&job.agent).or_default().push(job);
    }
    by_agent
}

fn notes(finding: &mut Finding, duties: &Duties, policy: Policy<'_>) {
    let jobs = &duties.jobs;
    let enabled: Vec<&Job> = jobs.list.iter().filter(|job| job.enabled).collect();
    let beats = heartbeats(&enabled);
    if beats.len() > 1 {
        let first = beats.values().filter_map(|beats| beats.first());
        let list: Vec<&Job> = first.copied().collect();
        finding.note_push(format!("{} agents have a heartbeat: {}", beats.len(), names(&list)));
    }
    let unread = |job: &&&Job| match &job.schedule {
        Schedule::Cron { expression, .. } => Cron::parse(expression).is_none(),
        Schedule::Unknown => true,
        Schedule::Every { .. } | Schedule::NotByTheClock => false,
    };
    let unread: Vec<&Job> = enabled.iter().filter(unread).copied().collect();
    if !unread.is_empty() {
        finding.note_push(format!("how often these are due is not understood: {}", names(&unread)));
    }
    for provider in troubled(duties, Credentials::Expired) {
        finding.note_push(format!(
            "model provider {}: its credentials have expired, and may be renewed at their next use",
            provider.name
        ));
    }
    if jobs.cut {
        finding.note_push(format!(
            "there are more jobs than the {} that were looked at",
            jobs.list.len()
        ));
        return;
    }
    let is_there = |name: &&String| !jobs.list.iter().any(|job| job.name == **name || job.id == **name);
    for name in policy.approved.iter().filter(is_there).take(NAMED_MAX) {
        finding.note_push(format!("{name} is approved, and there is no such job"));
    }
}

fn all_well(enabled: &[&Job]) -> String {
    let soonest = enabled.iter().filter_map(|job| interval(job)).min();
    match (enabled.len(), soonest) {
        (0, _) => "no job is enabled".to_owned(),
        (1, Some(soonest)) => format!("1 job, due every {}", write_duration(soonest)),
        (1, None) => "1 job".to_owned(),
        (count, Some(soonest)) => format!("{count} jobs, the most frequent every {}", write_duration(soonest)),
        (count, None) => format!("{count} jobs"),
    }
}

/// The shortest time between two of its firings; `None`: it is not by the clock, or not understood.
fn interval(job: &Job) -> Option<Duration> {
    match &job.schedule {
        Schedule::Every { millis } => Some(Duration::from_millis(*millis)),
        Schedule::Cron { expression, .. } => Cron::parse(expression).map(|cron| cron.shortest()),
        Schedule::NotByTheClock | Schedule::Unknown => None,
    }
}

/// Whether two schedules come to be due together. One of fixed intervals meets any other in time.
fn meet(one: &Schedule, other: &Schedule) -> bool {
    match (one, other) {
        (Schedule::Every { .. }, Schedule::Every { .. } | Schedule::Cron { .. })
        | (Schedule::Cron { .. }, Schedule::Every { .. }) => true,
        (
            Schedule::Cron { expression, zone },
            Schedule::Cron {
                expression: other,
                zone: other_zone,
            },
        ) => {
            // The same hour elsewhere is another hour.
            let meets = || Some(Cron::parse(expression)?.meets(&Cron::parse(other)?));
            zone == other_zone && (expression == other || meets() == Some(true))
        }
        _ => false,
    }
}

fn names(jobs: &[&Job]) -> String {
    let every = |job: &Job| interval(job).map_or(String::new(), |every| format!(" (every {})", write_duration(every)));
    let named: Vec<String> = jobs
        .iter()
        .take(NAMED_MAX)
        .map(|job| format!("{}{}", job.called(), every(job)))
        .collect();
    match jobs.len().saturating_sub(NAMED_MAX) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

/// There is no list: it could not be asked, whatever the reason.
fn refusal(object: &Object) -> Finding {
    let error = object.get("error");
    let word = |key| error.and_then(|error| error.get(key)).and_then(Value::as_str);
    let cause = match word("type") {
        Some("cli_error") => Cause::Misconfigured,
        Some(_) => Cause::SaidUnknown,
        None => Cause::Unreadable,
    };
    match (word("message"), word("type")) {
        (Some(why), _) | (None, Some(why)) => Finding::unknown(cause, format!("the jobs were not told: {why}")),
        (None, None) => Finding::unknown(cause, "the JSON object has no list of jobs"),
    }
}
