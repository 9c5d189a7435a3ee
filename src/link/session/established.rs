//! The established link: heartbeat, patience, and what is pushed.

use std::time::Duration;

use super::survey::Survey;
use super::{Act, CRASH_LOOP_RESTARTS, CRASH_LOOP_WITHIN, KEEP_EVERY, Patience, Report, Session, State, verdict};
use crate::link::events::Synced;
use crate::link::fill::Fill;
use crate::link::health::Health;
use crate::link::protocol::{Answer, Ask, Frame, Method, Numbered, Shutdown};
use crate::words::{Answer as Judged, Finding, Instant, Now, Wall};

/// Until the gateway says otherwise.
const TICK_EVERY: Duration = Duration::from_secs(30);
const TICK_EVERY_MIN: Duration = Duration::from_secs(1);
const TICK_EVERY_MAX: Duration = Duration::from_secs(600);
/// Ticks that may be missing.
const TICKS: u32 = 2;
/// Questions in quick succession after a handshake and after trouble.
const QUICK_ASKS: u8 = 3;
/// Lost frames start another reading of the history at most this often.
const REFILL_EVERY: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub struct Established {
    since: Instant,
    /// Anything at all, the last time.
    heard: Instant,
    tick: Instant,
    tick_every: Duration,
    /// The oldest `health` that is not answered, and the newest.
    asked: Option<(Instant, Instant)>,
    pinged: Option<Instant>,
    ask_at: Instant,
    quick: u8,
    health: Option<Health>,
    /// What was reported last, and when.
    reported: Option<(Judged, Instant)>,
    in_trouble: bool,
    draining: Option<Shutdown>,
    suspended: Option<String>,
    fill: Option<Fill>,
    fill_asked: Option<(Ask, Instant)>,
    pub(super) survey: Survey,
    /// All until the handshake is filled: ticks move the mark.
    synced: bool,
    seq: Option<u64>,
    refill_at: Option<Instant>,
    filled_at: Instant,
}

impl Established {
    pub fn new(now: Instant, tick_every: Option<Duration>, suspension: Option<String>) -> Established {
        Established {
            since: now,
            heard: now,
            tick: now,
            tick_every: tick_every.unwrap_or(TICK_EVERY).clamp(TICK_EVERY_MIN, TICK_EVERY_MAX),
            asked: None,
            pinged: None,
            ask_at: now,
            quick: QUICK_ASKS,
            health: None,
            reported: None,
            in_trouble: false,
            draining: None,
            suspended: suspension.filter(|phase| phase != "accepting"),
            fill: None,
            fill_asked: None,
            survey: Survey::default(),
            synced: false,
            seq: None,
            refill_at: Some(now),
            filled_at: now,
        }
    }

    pub fn held_for(&self, now: Instant) -> Duration {
        now.since(self.since)
    }

    pub fn is_draining(&self) -> bool {
        self.draining.is_some()
    }

    pub fn heard(&mut self, now: Instant) {
        self.heard = now;
        self.pinged = None;
    }

    pub fn resume(&mut self, now: Instant) {
        self.heard(now);
        self.tick = now;
        self.ask_at = now;
        self.asked = None;
        self.quick = QUICK_ASKS;
        if let Some((_, asked)) = &mut self.fill_asked {
            *asked = now;
        }
        self.survey.resume(now);
    }

    pub fn next_wake(&self, patience: &Patience) -> Instant {
        let mut wake = self.tick + self.tick_every * TICKS;
        let mut sooner = |at: Instant| wake = wake.min(at);
        sooner(self.heard + patience.silence);
        match self.asked {
            Some((oldest, newest)) => {
                sooner(oldest + patience.answer);
                sooner(newest + patience.answer);
            }
            None => sooner(self.ask_at),
        }
        match self.pinged {
            Some(pinged) => sooner(pinged + patience.answer),
            None => sooner(self.heard + patience.ping_after),
        }
        if let Some((_, asked)) = self.fill_asked {
            sooner(asked + patience.history);
        }
        if let Some(at) = self.survey.next_wake(patience.history) {
            sooner(at);
        }
        if let Some(at) = self.refill_at.filter(|_| self.may_refill()) {
            sooner(at);
        }
        // What is overdue in trouble has been said; it is said again in a while.
        match self.reported {
            Some((_, at)) if self.in_trouble => wake.max(at + patience.repeat).min(self.heard + patience.silence),
            _ => wake,
        }
    }

    fn may_refill(&self) -> bool {
        self.health.is_some() && self.fill.is_none()
    }

    /// What is wrong by silence alone.
    fn trouble(&self, now: Instant, patience: &Patience) -> Option<Finding> {
        let silence = now.since(self.heard);
        let question = [self.asked.map(|(oldest, _)| oldest), self.pinged];
        let asked = question.into_iter().flatten().min();
        if silence >= patience.answer && asked.is_some_and(|asked| now.since(asked) >= patience.answer) {
            return Some(verdict::silent(silence));
        }
        if let Some((oldest, _)) = self.asked
            && now.since(oldest) >= patience.answer
        {
            return Some(verdict::unanswered(now.since(oldest)));
        }
        let since_tick = now.since(self.tick);
        (since_tick >= self.tick_every * TICKS).then(|| verdict::no_tick(since_tick, self.tick_every))
    }
}

impl Session {
    /// What time brings on an established link.
    pub(super) fn tend(&mut self, now: Now, acts: &mut Vec<Act>) {
        let patience = self.patience;
        let State::Established(established) = &mut self.state else {
            return;
        };
        if now.at.since(established.heard) >= patience.silence {
            return self.rest(now, Some(Duration::ZERO), None, acts);
        }
        let trouble = established.trouble(now.at, &patience);
        if let Some(finding) = trouble {
            let is_due = match established.reported {
                Some((_, at)) if established.in_trouble => now.at.since(at) >= patience.repeat,
                _ => true,
            };
            // Silence is graver than what may have been said before it.
            if is_due || (finding.immediate && established.reported.is_some_and(|(judged, _)| judged != Judged::Down)) {
                established.in_trouble = true;
                established.quick = QUICK_ASKS;
                self.report(now, finding, false, acts);
            }
        } else if established.in_trouble {
            established.in_trouble = false;
            established.ask_at = established.ask_at.min(now.at);
        }
        self.ask_health(now, acts);
        self.read_back(now, acts);
        self.survey_on(now, acts);
    }

    fn ask_health(&mut self, now: Now, acts: &mut Vec<Act>) {
        let patience = self.patience;
        let State::Established(established) = &mut self.state else {
            return;
        };
        if established.pinged.is_none() && now.at.since(established.heard) >= patience.ping_after {
            established.pinged = Some(now.at);
            acts.push(Act::Ping);
        }
        let due = match established.asked {
            None => now.at >= established.ask_at,
            Some((_, newest)) => now.at.since(newest) >= patience.answer,
        };
        if due {
            let oldest = established.asked.map_or(now.at, |(oldest, _)| oldest);
            established.asked = Some((oldest, now.at));
            let ask = self.ask(Method::Health);
            acts.push(Act::Send(ask.health()));
        }
    }

    /// The history after a handshake, once `health` has answered: it is the smaller question.
    fn read_back(&mut self, now: Now, acts: &mut Vec<Act>) {
        let State::Established(established) = &mut self.state else {
            return;
        };
        if let Some((_, asked)) = established.fill_asked
            && now.at.since(asked) >= self.patience.history
        {
            established.fill_asked = None;
            if let Some(fill) = &mut established.fill {
                fill.unanswered();
            }
        }
        let is_due = established.refill_at.is_some_and(|at| now.at >= at);
        if is_due && established.may_refill() {
            established.refill_at = None;
            let gateway_now = self.skew_millis.map(|skew| now.wall.plus_millis(skew));
            established.fill = Some(Fill::begin(&self.memory, gateway_now, now));
        }
        self.read_on(now, acts);
    }

    fn read_on(&mut self, now: Now, acts: &mut Vec<Act>) {
        let State::Established(established) = &mut self.state else {
            return;
        };
        if established.fill_asked.is_some() {
            return;
        }
        let Some(fill) = established.fill.take() else { return };
        self.asks += 1;
        let number = self.asks;
        if let Some((ask, frame)) = fill.request(|method| Ask { method, number }) {
            established.fill = Some(fill);
            established.fill_asked = Some((ask, now.at));
            acts.push(Act::Send(frame));
            return;
        }
        // A frame that was lost meanwhile is asked for from where the last whole reading ended.
        let is_whole = established.refill_at.is_none();
        established.synced = is_whole;
        established.filled_at = now.at;
        let since = self.memory.standing.synced.map(|synced| synced.ours);
        let skew = self.skew_millis.unwrap_or(0);
        let filled = fill.finish(&self.tenant, &mut self.memory, now, skew);
        if is_whole {
            self.memory.standing.synced = Some(Synced {
                gateway: now.wall.plus_millis(skew),
                ours: now.wall,
            });
        }
        acts.extend(filled.events.into_iter().map(Act::Deliver));
        acts.push(Act::Keep);
        self.kept_at = now.at;
        acts.extend(filled.gap.map(|why| Act::Gap { why, since }));
        if let State::Established(established) = &mut self.state {
            match filled.jobs {
                Some(jobs) => established.survey.jobs_known(jobs),
                None => established.survey.give_up(now.at),
            }
        }
        self.survey_on(now, acts);
    }

    /// A frame on the established link.
    pub(super) fn told(&mut self, now: Now, numbered: Numbered, acts: &mut Vec<Act>) {
        self.count_frames(now, numbered.seq);
        match numbered.frame {
            Frame::Tick { ts } => self.ticked(now, ts, acts),
            Frame::Health(health) => self.pushed(now, health),
            Frame::CronFinished(run) => {
                let event = self.memory.event(&self.tenant, &run, now.wall, now, false);
                acts.extend(event.map(Act::Deliver));
            }
            Frame::DutiesChanged => {
                if let State::Established(established) = &mut self.state {
                    established.survey.news(now.at);
                }
            }
            Frame::Shutdown(shutdown) => {
                let finding = verdict::shutdown(&shutdown);
                if let State::Established(established) = &mut self.state {
                    established.draining = Some(shutdown);
                }
                self.report(now, finding, false, acts);
            }
            Frame::Suspension { phase } => {
                if let State::Established(established) = &mut self.state {
                    established.suspended = Some(phase).filter(|phase| phase != "accepting");
                    established.ask_at = established.ask_at.min(now.at);
                }
            }
            Frame::Answer { ask, answer } => self.answered(now, ask, answer, acts),
            Frame::Challenge { .. } | Frame::Other => {}
        }
    }

    /// The gateway drops frames of a slow reader; the numbers tell.
    fn count_frames(&mut self, now: Now, seq: Option<u64>) {
        let State::Established(established) = &mut self.state else {
            return;
        };
        let Some(seq) = seq else { return };
        let lost = established.seq.is_some_and(|last| seq > last.saturating_add(1));
        established.seq = Some(seq);
        if lost && established.refill_at.is_none() {
            established.refill_at = Some(now.at.max(established.filled_at + REFILL_EVERY));
            established.synced = false;
        }
    }

    fn ticked(&mut self, now: Now, ts: Option<Wall>, acts: &mut Vec<Act>) {
        self.clock(now, ts);
        if self.ticks.is_news(self.facts.skew_millis) {
            acts.push(Act::Know(self.facts.clone()));
        }
        let State::Established(established) = &mut self.state else {
            return;
        };
        established.tick = now.at;
        if established.synced
            && let Some(gateway) = ts
        {
            self.memory.standing.synced = Some(Synced {
                gateway,
                ours: now.wall,
            });
            if now.at.since(self.kept_at) >= KEEP_EVERY {
                self.kept_at = now.at;
                acts.push(Act::Keep);
            }
        }
    }

    /// Not a finding of its own, or a push and an answer would count as two: it makes us ask when it is news.
    fn pushed(&mut self, now: Now, health: Health) {
        let State::Established(established) = &mut self.state else {
            return;
        };
        let judged = health.judge().answer;
        if established.reported.is_some_and(|(reported, _)| reported != judged) {
            established.ask_at = established.ask_at.min(now.at);
            established.quick = established.quick.max(1);
        }
    }

    fn answered(&mut self, now: Now, ask: Ask, mut answer: Answer, acts: &mut Vec<Act>) {
        if self.survey_told(now, ask, &mut answer, acts) {
            return;
        }
        match (ask.method, answer) {
            (Method::Health, Answer::Health(health)) => {
                let finding = health.judge();
                self.health_known(now, Some(health), finding, false, acts);
            }
            (Method::Health, Answer::Refused(refusal)) => {
                self.health_known(now, None, verdict::health_refused(&refusal), true, acts);
            }
            (Method::CronRuns | Method::CronList, answer) => self.history_told(now, ask, answer, acts),
            _ => {}
        }
    }

    fn health_known(&mut self, now: Now, health: Option<Health>, finding: Finding, alive: bool, acts: &mut Vec<Act>) {
        let patience = self.patience;
        let State::Established(established) = &mut self.state else {
            return;
        };
        let Some((asked, _)) = established.asked.take() else {
            return;
        };
        let wait = match established.quick.checked_sub(1) {
            Some(left) => {
                established.quick = left;
                patience.ask_again
            }
            None => patience.ask_every,
        };
        established.ask_at = now.at + wait;
        established.health = health.or(established.health.take());
        let trouble = established.trouble(now.at, &patience);
        established.in_trouble = trouble.is_some();
        let draining = established.draining.as_ref().map(verdict::shutdown);
        let mut finding = draining.or(trouble).unwrap_or(finding);
        finding.measure("rpc_latency_seconds", "health", now.at.since(asked).as_secs_f64());
        self.report(now, finding, alive, acts);
    }

    fn history_told(&mut self, now: Now, ask: Ask, answer: Answer, acts: &mut Vec<Act>) {
        let State::Established(established) = &mut self.state else {
            return;
        };
        if !established.fill_asked.is_some_and(|(asked, _)| asked == ask) {
            return;
        }
        established.fill_asked = None;
        let Some(fill) = &mut established.fill else { return };
        match answer {
            Answer::Runs(page) => fill.runs(page),
            Answer::Jobs(page) => fill.jobs(page, &self.memory),
            _ => fill.unanswered(),
        }
        self.read_on(now, acts);
    }

    /// Adds what the whole link knows, and reports.
    fn report(&mut self, now: Now, mut finding: Finding, alive: bool, acts: &mut Vec<Act>) {
        let State::Established(established) = &mut self.state else {
            return;
        };
        if let Some(phase) = &established.suspended {
            if finding.answer == Judged::Ok {
                finding = worse(&finding, format!("the gateway is suspended ({phase})"));
            }
            finding.evidence_push("suspension", phase);
        }
        while self
            .restarts
            .front()
            .is_some_and(|at| now.at.since(*at) > CRASH_LOOP_WITHIN)
        {
            self.restarts.pop_front();
        }
        if self.restarts.len() >= CRASH_LOOP_RESTARTS {
            let minutes = CRASH_LOOP_WITHIN.as_secs() / 60;
            let often = format!("restarted {} times in {minutes} min", self.restarts.len());
            if finding.answer == Judged::Ok {
                finding = worse(&finding, format!("the gateway {often}"));
            }
            finding.evidence_push("crash loop", often);
        }
        if !self.facts.version.is_empty() {
            finding.evidence_push("version", &self.facts.version);
        }
        if self.facts.restarts > 0 {
            finding.evidence_push("restarts seen", self.facts.restarts.to_string());
        }
        established.reported = Some((finding.answer, now.at));
        acts.push(Act::Report(Report { finding, alive }));
    }
}

/// Degraded, with the evidence of what would be ok.
fn worse(ok: &Finding, summary: String) -> Finding {
    let mut finding = Finding::degraded(summary);
    finding.notes.clone_from(&ok.notes);
    finding.measurements.clone_from(&ok.measurements);
    finding
}
