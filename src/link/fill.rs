//! What happened while the link was away: asked of the gateway's own history after a handshake. Pure.
//!
//! `cron.runs`, newest first, back to the last tick that was heard; then each job's last run in `cron.list` as a
//! cross-check: one that the history does not know shows that the history is not whole.

use super::duties::Jobs;
use super::events::{LinkEvent, Memory};
use super::protocol::{Ask, Page, Run};
use crate::words::{Now, TenantName, Wall};

/// Entries of one page: an entry holds a job's output, some KiB of it, and a page must stay below the frame cap.
pub const PAGE_ENTRIES: usize = 50;
/// Pages of each list that are asked for: a thousand runs of a gap, a thousand jobs.
pub const PAGES_MAX: usize = 20;
/// Before the last tick, that much is read again; known runs are known.
const OVERLAP_MILLIS: i64 = 5_000;

/// A filling under way.
#[derive(Debug)]
pub struct Fill {
    /// By the gateway's clock.
    since: Wall,
    stage: Stage,
    pages: usize,
    found: Vec<Run>,
    /// `None`: the list could not be had.
    jobs: Option<Jobs>,
    gap: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Runs,
    Jobs,
    Done,
}

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Filled {
    /// In the order in which they ended.
    pub events: Vec<LinkEvent>,
    /// Why there may be more that cannot be known.
    pub gap: Option<&'static str>,
    /// All jobs, for who wants to know what the gateway does.
    pub jobs: Option<Jobs>,
}

impl Fill {
    /// `gateway_now`: its clock at the handshake, where it told it.
    pub fn begin(memory: &Memory, gateway_now: Option<Wall>, now: Now) -> Fill {
        let Some(synced) = &memory.standing.synced else {
            // Never connected before: nothing was missed, since nothing was watched.
            return Fill::since(gateway_now.unwrap_or(now.wall), None);
        };
        match gateway_now {
            Some(gateway_now) if gateway_now < synced.gateway.plus_millis(-OVERLAP_MILLIS) => {
                let away = now.wall.millis_since(synced.ours).max(0);
                Fill::since(gateway_now.plus_millis(-away), Some("the gateway's clock went back"))
            }
            _ => Fill::since(synced.gateway, None),
        }
    }

    fn since(moment: Wall, gap: Option<&'static str>) -> Fill {
        Fill {
            since: moment.plus_millis(-OVERLAP_MILLIS),
            stage: Stage::Runs,
            pages: 0,
            found: Vec::new(),
            jobs: Some(Jobs::default()),
            gap,
        }
    }

    /// What to ask next; `None` when it is done.
    pub fn request(&self, ask: impl FnOnce(super::protocol::Method) -> Ask) -> Option<(Ask, String)> {
        use super::protocol::Method;
        let offset = self.pages * PAGE_ENTRIES;
        match self.stage {
            Stage::Runs => {
                let ask = ask(Method::CronRuns);
                Some((ask, ask.runs(offset, PAGE_ENTRIES)))
            }
            Stage::Jobs => {
                let ask = ask(Method::CronList);
                Some((ask, ask.jobs(offset, PAGE_ENTRIES)))
            }
            Stage::Done => None,
        }
    }

    pub fn runs(&mut self, page: Page) {
        if self.stage != Stage::Runs {
            return;
        }
        let since = self.since;
        let is_within = |run: &Run| run.ended.is_some_and(|ended| ended >= since);
        let more = page.has_more && page.entries > 0 && page.runs.iter().all(is_within);
        self.found.extend(page.runs.into_iter().filter(is_within));
        self.turn(more, Stage::Jobs);
    }

    pub fn jobs(&mut self, page: Page, memory: &Memory) {
        if self.stage != Stage::Jobs {
            return;
        }
        if let Some(jobs) = &mut self.jobs {
            jobs.add(page.jobs);
            jobs.cut |= page.has_more && self.pages + 1 == PAGES_MAX;
        }
        for run in page.runs {
            let missed = run.delivery.is_some()
                && run.ended.is_some_and(|ended| ended >= self.since)
                && !memory.has(&run)
                && !self
                    .found
                    .iter()
                    .any(|found| found.job_id == run.job_id && found.started == run.started);
            if missed {
                self.gap.get_or_insert("the gateway's history of runs is not whole");
                self.found.push(run);
            }
        }
        self.turn(page.has_more && page.entries > 0, Stage::Done);
    }

    /// The gateway refused, or did not answer in time.
    pub fn unanswered(&mut self) {
        match self.stage {
            Stage::Runs => {
                self.gap.get_or_insert("the gateway does not tell its history of runs");
                self.next(Stage::Jobs);
            }
            _ => {
                self.jobs = None;
                self.gap.get_or_insert("the gateway does not tell its jobs");
                self.next(Stage::Done);
            }
        }
    }

    /// The events, and the memory brought up to the handshake. `skew_millis`: gateway's clock minus ours.
    pub fn finish(mut self, tenant: &TenantName, memory: &mut Memory, now: Now, skew_millis: i64) -> Filled {
        self.found.sort_by_key(|run| (run.ended, run.started));
        let mut events = Vec::new();
        for run in &self.found {
            let ts = run.ended.map_or(now.wall, |ended| ended.plus_millis(-skew_millis));
            events.extend(memory.event(tenant, run, ts, now, true));
        }
        Filled {
            events,
            gap: self.gap,
            jobs: self.jobs,
        }
    }

    fn turn(&mut self, more: bool, next: Stage) {
        self.pages += 1;
        if !more {
            self.next(next);
        } else if self.pages == PAGES_MAX {
            self.gap.get_or_insert("more happened than is read back");
            self.next(next);
        }
    }

    fn next(&mut self, stage: Stage) {
        self.stage = stage;
        self.pages = 0;
    }
}

#[cfg(test)]
mod tests;
