//! Asking what the gateway does by the clock: after a handshake, when it says that something changed, and now and then.
//!
//! After a handshake the filling reads the list of jobs anyway, and hands it over.

use std::sync::Arc;
use std::time::Duration;

use super::{Act, Session, State};
use crate::link::duties::{Duties, Jobs, Provider};
use crate::link::fill::{PAGE_ENTRIES, PAGES_MAX};
use crate::link::protocol::{Answer, Ask, Method, Page};
use crate::words::{Instant, Now};

/// Without news it is asked this often.
const ASK_EVERY: Duration = Duration::from_secs(1800);
/// And with news at most this often: somebody may be editing.
const NEWS_EVERY: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub struct Survey {
    stage: Stage,
    jobs: Jobs,
    /// Pages of the list that were read.
    pages: usize,
    asked: Option<(Ask, Instant)>,
    /// When the next one begins; `None`: the first one, when the handshake is filled.
    at: Option<Instant>,
    ended: Instant,
    /// There was news while one was under way, which may have read the list before.
    is_behind: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Rest,
    Jobs,
    Models,
}

impl Survey {
    pub fn next_wake(&self, patience: Duration) -> Option<Instant> {
        match self.asked {
            Some((_, asked)) => Some(asked + patience),
            None => self.at,
        }
    }

    /// The host slept.
    pub fn resume(&mut self, now: Instant) {
        if let Some((_, asked)) = &mut self.asked {
            *asked = now;
        }
    }

    /// Jobs or the configuration are others than before.
    pub fn news(&mut self, now: Instant) {
        let soonest = now.max(self.ended + NEWS_EVERY);
        match self.at {
            Some(at) => self.at = Some(at.min(soonest)),
            None => self.is_behind = true,
        }
    }

    /// The list was read by others.
    pub fn jobs_known(&mut self, jobs: Jobs) {
        *self = Survey {
            stage: Stage::Models,
            jobs,
            ended: self.ended,
            is_behind: self.is_behind,
            ..Survey::default()
        };
    }

    /// It is over: a while later again, or soon where there was news meanwhile.
    pub fn give_up(&mut self, now: Instant) {
        let wait = if self.is_behind { NEWS_EVERY } else { ASK_EVERY };
        *self = Survey {
            at: Some(now + wait),
            ended: now,
            ..Survey::default()
        };
    }

    fn page(&mut self, page: Page) {
        self.pages += 1;
        self.jobs.add(page.jobs);
        let more = page.has_more && page.entries > 0;
        if more && self.pages < PAGES_MAX {
            return;
        }
        self.jobs.cut |= more;
        self.stage = Stage::Models;
    }

    fn end(&mut self, now: Instant, providers: Option<Vec<Provider>>) -> Duties {
        let jobs = std::mem::take(&mut self.jobs);
        self.give_up(now);
        Duties { jobs, providers }
    }
}

impl Session {
    /// Asks what is next.
    pub(super) fn survey_on(&mut self, now: Now, acts: &mut Vec<Act>) {
        let patience = self.patience.history;
        let State::Established(established) = &mut self.state else {
            return;
        };
        let survey = &mut established.survey;
        if let Some((_, asked)) = survey.asked
            && now.at.since(asked) >= patience
        {
            survey.asked = None;
            match survey.stage {
                Stage::Models => {
                    let duties = survey.end(now.at, None);
                    return self.duties_known(now, duties, acts);
                }
                _ => survey.give_up(now.at),
            }
        }
        if survey.stage == Stage::Rest && survey.at.is_some_and(|at| now.at >= at) {
            survey.at = None;
            survey.stage = Stage::Jobs;
        }
        if survey.asked.is_some() || survey.stage == Stage::Rest {
            return;
        }
        self.asks += 1;
        let ask = |method| Ask {
            method,
            number: self.asks,
        };
        let (ask, frame) = match survey.stage {
            Stage::Jobs => {
                let ask = ask(Method::CronList);
                (ask, ask.jobs(survey.pages * PAGE_ENTRIES, PAGE_ENTRIES))
            }
            _ => {
                let ask = ask(Method::ModelsAuthStatus);
                (ask, ask.model_credentials())
            }
        };
        survey.asked = Some((ask, now.at));
        acts.push(Act::Send(frame));
    }

    /// `false`: it is no answer to a question of the survey.
    pub(super) fn survey_told(&mut self, now: Now, ask: Ask, answer: &mut Answer, acts: &mut Vec<Act>) -> bool {
        let State::Established(established) = &mut self.state else {
            return false;
        };
        let survey = &mut established.survey;
        if !survey.asked.is_some_and(|(asked, _)| asked == ask) {
            return false;
        }
        survey.asked = None;
        match (survey.stage, answer) {
            (Stage::Jobs, Answer::Jobs(page)) => survey.page(std::mem::take(page)),
            (Stage::Models, answer) => {
                let providers = match answer {
                    Answer::Models(providers) => providers.take(),
                    _ => None,
                };
                let duties = survey.end(now.at, providers);
                self.duties_known(now, duties, acts);
            }
            _ => survey.give_up(now.at),
        }
        self.survey_on(now, acts);
        true
    }

    fn duties_known(&mut self, now: Now, duties: Duties, acts: &mut Vec<Act>) {
        self.facts.duties = Some(Arc::new(duties));
        self.facts.duties_at = Some(now.at);
        acts.push(Act::Know(self.facts.clone()));
    }
}
