//! One tenant's link as a state machine: what happened goes in, what is to be done comes out. Pure.
//!
//! It holds no socket and no token, and reads no clock. In each state something is due at
//! [`Session::next_wake`]; a wake-up that comes more than [`RESUME_AFTER`] late is a resume from sleep, after which
//! all patience starts afresh (nobody can be blamed for what he said while we slept).

mod established;
mod facts;
mod patience;
mod survey;
mod verdict;

use std::collections::VecDeque;
use std::time::Duration;

use super::events::{LinkEvent, Memory};
use super::protocol::{self, Answer, Ask, Frame, HelloOk, Method, Refusal};
use crate::fingerprint::Fingerprint;
use crate::words::{Cause, Finding, Instant, Now, TenantName, Wall, text};
use established::Established;
use facts::Ticks;

pub use facts::LinkFacts;
pub use patience::{Jitter, Patience};

/// What happened on the way to the gateway. Frames are borrowed: nothing of one outlives its reading.
#[derive(Debug)]
pub enum Happening<'a> {
    /// TCP, TLS and the WebSocket's upgrade are done.
    Connected,
    ConnectFailed(ConnectFailure),
    /// [`Act::Authenticate`] is carried out, with the token of this fingerprint.
    Offered(Fingerprint),
    /// [`Act::Authenticate`] was not carried out: the token was kept back.
    Withheld(String),
    /// The token's file is another one than when it was last read.
    TokenChanged,
    /// A text frame.
    Frame(&'a [u8]),
    /// A ping or pong.
    Sign,
    /// The peer closed, or the connection broke. `code` 0: without a word.
    Closed {
        code: u16,
        reason: String,
    },
    /// The peer broke the rules of the wire.
    Broken(Breach),
    TimeUp,
}

/// Why no WebSocket came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectFailure {
    Refused,
    /// Something answers, and it is no WebSocket: with this HTTP status, if it was HTTP.
    NotWebSocket(Option<u16>),
    Closed,
    TimedOut,
    Tls(String),
    Dns(String),
    /// No descriptors, no buffers, no route.
    Local(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breach {
    /// A frame above the cap.
    TooLarge,
    NotWebSocket,
    NotText,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    Connect,
    /// Judge the listener's owner, read the token, send [`Ask::connect`].
    Authenticate(Ask),
    Send(String),
    Ping,
    /// Drop the connection or the attempt.
    Close,
    Report(Report),
    Deliver(LinkEvent),
    /// [`Session::memory`]'s standing is worth keeping, after what was delivered before.
    Keep,
    Know(LinkFacts),
    /// Events may be missing, why, and since when by our clock (`None`: it cannot be told).
    Gap {
        why: &'static str,
        since: Option<Wall>,
    },
}

/// A finding of `gateway-link`.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    pub finding: Finding,
    /// With an unknown finding: it answered, so it lives, and a remembered `down` becomes `degraded`.
    pub alive: bool,
}

/// A wake-up that is later than this is a resume (CONTRACT, *Time*).
pub const RESUME_AFTER: Duration = Duration::from_secs(10);
/// That many restarts within [`CRASH_LOOP_WITHIN`] are a crash loop.
pub const CRASH_LOOP_RESTARTS: usize = 3;
/// While nothing is delivered, the standing is kept this often: a restart then reads at most so much history again.
const KEEP_EVERY: Duration = Duration::from_secs(300);
pub const CRASH_LOOP_WITHIN: Duration = Duration::from_secs(600);

#[derive(Debug)]
pub struct Session {
    tenant: TenantName,
    patience: Patience,
    jitter: Jitter,
    memory: Memory,
    facts: LinkFacts,
    /// Of the token that the present attempt sent.
    offered: Option<Fingerprint>,
    state: State,
    /// Attempts since the last connection that held.
    attempts: u32,
    asks: u64,
    restarts: VecDeque<Instant>,
    /// Since when it says that it is starting.
    starting: Option<Instant>,
    /// The gateway's clock minus ours, in milliseconds; `None` until told.
    skew_millis: Option<i64>,
    ticks: Ticks,
    /// Credentials were refused or kept back: another token is worth another try.
    wants_token: bool,
    /// When the standing was last kept.
    kept_at: Instant,
}

#[derive(Debug)]
enum State {
    Resting {
        until: Instant,
    },
    /// Until the challenge is there.
    Connecting {
        until: Instant,
        connected: bool,
    },
    Authenticating {
        until: Instant,
        ask: Ask,
    },
    Established(Box<Established>),
}

impl Session {
    /// Due at once. `seed` spreads the attempts of many links.
    pub fn new(tenant: TenantName, memory: Memory, patience: Patience, seed: u64, now: Now) -> Session {
        Session {
            tenant,
            patience,
            jitter: Jitter::new(seed),
            facts: LinkFacts {
                handshake_at: memory.standing.handshake_at,
                ..LinkFacts::default()
            },
            memory,
            offered: None,
            state: State::Resting { until: now.at },
            attempts: 0,
            asks: 0,
            restarts: VecDeque::new(),
            starting: None,
            skew_millis: None,
            ticks: Ticks::default(),
            wants_token: false,
            kept_at: now.at,
        }
    }

    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// An event that was to be delivered could not be counted.
    pub fn not_counted(&mut self, event: &LinkEvent) {
        if let Some(key) = event.key {
            self.memory.forget(key);
        }
    }

    pub fn facts(&self) -> &LinkFacts {
        &self.facts
    }

    pub fn is_established(&self) -> bool {
        matches!(self.state, State::Established(_))
    }

    /// Whether [`Happening::TokenChanged`] would be news.
    pub fn wants_token(&self) -> bool {
        self.wants_token
    }

    /// When [`Happening::TimeUp`] is due.
    pub fn next_wake(&self) -> Instant {
        match &self.state {
            State::Resting { until } | State::Connecting { until, .. } | State::Authenticating { until, .. } => *until,
            State::Established(established) => established.next_wake(&self.patience),
        }
    }

    pub fn handle(&mut self, now: Now, happening: Happening<'_>) -> Vec<Act> {
        let mut acts = Vec::new();
        if now.at.since(self.next_wake()) > RESUME_AFTER {
            self.resume(now);
        }
        match happening {
            Happening::Connected => self.connected(now),
            Happening::ConnectFailed(why) => self.connect_failed(now, &why, &mut acts),
            Happening::Offered(token) => self.offered = Some(token),
            Happening::Withheld(why) => self.withheld(now, &why, &mut acts),
            Happening::TokenChanged => self.token_changed(now),
            Happening::Frame(bytes) => self.frame(now, bytes, &mut acts),
            Happening::Sign => self.heard(now),
            Happening::Closed { code, reason } => self.closed(now, code, &reason, &mut acts),
            Happening::Broken(breach) => self.broken(now, breach, &mut acts),
            Happening::TimeUp => {}
        }
        self.due(now, &mut acts);
        acts
    }

    fn resume(&mut self, now: Now) {
        match &mut self.state {
            State::Resting { .. } => {}
            State::Connecting { until, .. } | State::Authenticating { until, .. } => {
                *until = now.at + self.patience.handshake;
            }
            State::Established(established) => established.resume(now.at),
        }
    }

    fn due(&mut self, now: Now, acts: &mut Vec<Act>) {
        match &mut self.state {
            State::Resting { until } if now.at >= *until => {
                self.wants_token = false;
                self.offered = None;
                self.state = State::Connecting {
                    until: now.at + self.patience.handshake,
                    connected: false,
                };
                acts.push(Act::Connect);
            }
            State::Connecting { until, connected } if now.at >= *until => {
                let what = if *connected {
                    "sends no challenge"
                } else {
                    "opens no WebSocket"
                };
                let summary = format!("the gateway {what} within {} s", self.patience.handshake.as_secs());
                self.give_up(now, Finding::unknown(Cause::Timeout, summary), false, acts);
            }
            State::Authenticating { until, .. } if now.at >= *until => {
                let summary = format!(
                    "the handshake is not answered within {} s",
                    self.patience.handshake.as_secs()
                );
                self.give_up(now, Finding::unknown(Cause::Timeout, summary), false, acts);
            }
            State::Established(_) => self.tend(now, acts),
            _ => {}
        }
    }

    fn connected(&mut self, now: Now) {
        if let State::Connecting { until, connected } = &mut self.state {
            *connected = true;
            // Name, TCP, TLS and upgrade had their time; the words have theirs.
            *until = now.at + self.patience.handshake;
        }
    }

    fn heard(&mut self, now: Now) {
        if let State::Established(established) = &mut self.state {
            established.heard(now.at);
        }
    }

    fn token_changed(&mut self, now: Now) {
        if let State::Resting { until } = &mut self.state
            && self.wants_token
        {
            *until = now.at;
        }
    }

    fn frame(&mut self, now: Now, bytes: &[u8], acts: &mut Vec<Act>) {
        if matches!(
            self.state,
            State::Resting { .. } | State::Connecting { connected: false, .. }
        ) {
            return;
        }
        self.heard(now);
        let frame = match protocol::parse(bytes) {
            Ok(frame) => frame,
            // An established gateway that says one odd thing is no broken one; the heartbeat judges it.
            Err(_) if self.is_established() => return,
            Err(error) => {
                let finding = Finding::unknown(Cause::Unreadable, format!("no gateway answers: {error}"));
                return self.give_up(now, finding, false, acts);
            }
        };
        match &self.state {
            State::Connecting { .. } => self.challenged_by(now, frame.frame, acts),
            State::Authenticating { ask, .. } => {
                let ask = *ask;
                self.answered_by(now, ask, frame.frame, acts);
            }
            _ => self.told(now, frame, acts),
        }
    }

    fn challenged_by(&mut self, now: Now, frame: Frame, acts: &mut Vec<Act>) {
        // Others push to everybody before the handshake; they are no challenge.
        let Frame::Challenge { ts } = frame else { return };
        self.clock(now, ts);
        let ask = self.ask(Method::Connect);
        self.state = State::Authenticating {
            until: now.at + self.patience.handshake,
            ask,
        };
        acts.push(Act::Authenticate(ask));
    }

    fn answered_by(&mut self, now: Now, ours: Ask, frame: Frame, acts: &mut Vec<Act>) {
        match frame {
            Frame::Answer { ask, answer } if ask == ours => match answer {
                Answer::Hello(hello) => self.greeted(now, *hello, acts),
                Answer::Refused(refusal) => self.refused(now, &refusal, acts),
                _ => {}
            },
            Frame::Shutdown(shutdown) => {
                let finding = verdict::unknown_shutdown(&shutdown);
                self.give_up(now, finding, true, acts);
            }
            _ => {}
        }
    }

    fn greeted(&mut self, now: Now, hello: HelloOk, acts: &mut Vec<Act>) {
        self.starting = None;
        if !(protocol::PROTOCOL_MIN..=protocol::PROTOCOL_MAX).contains(&hello.protocol) {
            let finding = verdict::other_protocol(Some(hello.protocol), &hello.version);
            return self.refuse(now, finding, acts);
        }
        if hello.may_read == Some(false) {
            let summary = format!("the gateway grants this token no {}", protocol::SCOPE);
            return self.refuse(now, Finding::unknown(Cause::Misconfigured, summary), acts);
        }
        if !hello.boot_id.is_empty() {
            if !self.memory.standing.boot_id.is_empty() && self.memory.standing.boot_id != hello.boot_id {
                self.facts.restarts += 1;
                self.restarts.push_back(now.at);
                self.restarts
                    .drain(..self.restarts.len().saturating_sub(CRASH_LOOP_RESTARTS));
            }
            self.memory.standing.boot_id.clone_from(&hello.boot_id);
        }
        self.memory.standing.handshake_at = Some(now.wall);
        let tick_every = hello.tick_interval_ms.map(Duration::from_millis);
        self.state = State::Established(Box::new(Established::new(now.at, tick_every, hello.suspension)));
        self.facts = LinkFacts {
            connected: true,
            version: hello.version,
            build_id: hello.build_id,
            boot_id: hello.boot_id,
            applied_config_hash: hello.applied_config_hash,
            handshake_at: Some(now.wall),
            token: self.offered,
            restarts: self.facts.restarts,
            skew_millis: self.facts.skew_millis,
            duties: self.facts.duties.take(),
            duties_at: self.facts.duties_at,
        };
        self.ticks.is_news(self.facts.skew_millis);
        acts.push(Act::Know(self.facts.clone()));
    }

    fn refused(&mut self, now: Now, refusal: &Refusal, acts: &mut Vec<Act>) {
        if refusal.is_starting() {
            let since = *self.starting.get_or_insert(now.at);
            let finding = verdict::starting(now.at.since(since), self.patience.startup_grace);
            let wait = refusal.retry_after_ms.map(Duration::from_millis);
            return self.rest(now, wait, Some(Report { finding, alive: true }), acts);
        }
        self.starting = None;
        if let Some(wait) = refusal.retry_after_ms {
            let finding = verdict::refused(refusal);
            let report = Report { finding, alive: true };
            return self.rest(now, Some(Duration::from_millis(wait)), Some(report), acts);
        }
        self.refuse(now, verdict::refused(refusal), acts);
    }

    fn connect_failed(&mut self, now: Now, why: &ConnectFailure, acts: &mut Vec<Act>) {
        if matches!(self.state, State::Connecting { .. }) {
            self.give_up(now, verdict::connect_failed(why), false, acts);
        }
    }

    fn withheld(&mut self, now: Now, why: &str, acts: &mut Vec<Act>) {
        if matches!(self.state, State::Authenticating { .. }) {
            self.refuse_as(now, Finding::unknown(Cause::Misconfigured, why), false, acts);
        }
    }

    fn closed(&mut self, now: Now, code: u16, reason: &str, acts: &mut Vec<Act>) {
        let during = match &self.state {
            State::Resting { .. } => return,
            State::Established(established) if established.is_draining() => "as it said",
            State::Established(_) => "while it was established",
            _ => "during the handshake",
        };
        let how = match code {
            0 => "without a word".to_owned(),
            code => format!("with {code} {}", text::clean_line(reason, protocol::WORD_BYTES_MAX)),
        };
        let summary = format!("the gateway closed the link {during}, {}", how.trim_end());
        self.give_up(now, Finding::unknown(Cause::SaidUnknown, summary), false, acts);
    }

    fn broken(&mut self, now: Now, breach: Breach, acts: &mut Vec<Act>) {
        if !matches!(self.state, State::Resting { .. }) {
            self.give_up(now, verdict::broken(breach), false, acts);
        }
    }

    /// Tried again after a back-off.
    fn give_up(&mut self, now: Now, finding: Finding, alive: bool, acts: &mut Vec<Act>) {
        self.rest(now, None, Some(Report { finding, alive }), acts);
    }

    /// It lives and does not want us as we are: tried again seldom, or with another token.
    fn refuse(&mut self, now: Now, finding: Finding, acts: &mut Vec<Act>) {
        self.refuse_as(now, finding, true, acts);
    }

    fn refuse_as(&mut self, now: Now, finding: Finding, alive: bool, acts: &mut Vec<Act>) {
        self.rest(now, Some(self.patience.refused), Some(Report { finding, alive }), acts);
        self.wants_token = true;
    }

    /// `wait`: as told; else the back-off.
    fn rest(&mut self, now: Now, wait: Option<Duration>, report: Option<Report>, acts: &mut Vec<Act>) {
        if let State::Established(established) = &self.state
            && established.held_for(now.at) >= self.patience.held
        {
            self.attempts = 0;
        }
        let wait = match wait {
            Some(wait) => self
                .jitter
                .above(wait.clamp(self.patience.retry_min, self.patience.retry_max)),
            None => self.jitter.below(self.patience.back_off(self.attempts)),
        };
        self.attempts = self.attempts.saturating_add(1);
        self.state = State::Resting { until: now.at + wait };
        acts.push(Act::Close);
        if std::mem::take(&mut self.facts.connected) {
            acts.push(Act::Know(self.facts.clone()));
        }
        acts.extend(report.map(Act::Report));
    }

    fn ask(&mut self, method: Method) -> Ask {
        self.asks += 1;
        Ask {
            method,
            number: self.asks,
        }
    }

    fn clock(&mut self, now: Now, gateway: Option<Wall>) {
        if let Some(gateway) = gateway {
            let skew = gateway.millis_since(now.wall);
            self.skew_millis = Some(skew);
            self.facts.skew_millis = self.ticks.see(skew);
        }
    }
}
