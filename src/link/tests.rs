//! Frames that a real gateway sent, and timelines of a link in virtual time.

mod deliveries;
mod duties;
mod frames;
mod timeline;

use std::time::Duration;

use super::events::Memory;
use super::session::{Act, Happening, Patience, Session};
use crate::words::{Instant, Now, TenantName, Wall};

pub(super) const RECORDED: &str = include_str!("../../tests/fixtures/openclaw/gateway-link.ndjson");

/// The gateway's frames of the recording, as they stood on the wire.
pub(super) fn recorded() -> Vec<String> {
    RECORDED
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|line| line["dir"] == "gateway")
        .map(|line| line["frame"].to_string())
        .collect()
}

pub(super) fn recorded_event(name: &str, nth: usize) -> String {
    let mark = format!("\"event\":\"{name}\"");
    recorded()
        .into_iter()
        .filter(|frame| frame.contains(&mark))
        .nth(nth)
        .unwrap()
}

/// A session, a clock, and a transcript of what it did.
pub(super) struct Line {
    pub session: Session,
    pub now: Now,
    start: Instant,
    /// Wake-ups so far: a session that wakes without end is broken.
    wakes: usize,
}

pub(super) const START: Wall = Wall::from_millis(1_795_163_644_479);

impl Line {
    pub fn new(memory: Memory) -> Line {
        let now = Now {
            at: Instant::from_millis(1_000_000),
            wall: START,
        };
        let tenant = TenantName::parse("acme").unwrap();
        Line {
            session: Session::new(tenant, memory, Patience::default(), 7, now),
            now,
            start: now.at,
            wakes: 0,
        }
    }

    /// Handshaken at once, its first `health` answered, its history told to be empty.
    pub fn established() -> Line {
        Line::established_with(Memory::default(), "boot-1")
    }

    pub fn established_with(memory: Memory, boot: &str) -> Line {
        let mut line = Line::new(memory);
        line.handshake(boot);
        line.settle();
        line
    }

    pub fn handshake(&mut self, boot: &str) {
        self.does(Happening::TimeUp);
        self.does(Happening::Connected);
        let challenge = challenge(self.now.wall);
        self.says(&challenge);
        let hello = hello(self.ask("connect"), boot);
        self.says(&hello);
    }

    /// Answers `health`, both lists and what is asked of models, all empty.
    pub fn settle(&mut self) {
        self.answers_health("{}");
        for method in ["cron.runs", "cron.list"] {
            self.answers(method, r#"{"jobs":[],"entries":[],"hasMore":false}"#);
        }
        self.answers("models.authStatus", r#"{"providers":[]}"#);
    }

    /// The connection is lost, and a minute later it is back and its `health` answered.
    pub fn away_for_a_minute(&mut self) {
        self.does(Happening::Closed {
            code: 1006,
            reason: String::new(),
        });
        self.to(self.now.at + Duration::from_secs(60));
        self.handshake("boot-1");
        self.answers_health("{}");
    }

    pub fn at(&self) -> u64 {
        self.now.at.since(self.start).as_millis() as u64
    }

    pub fn does(&mut self, happening: Happening<'_>) -> Vec<String> {
        let acts = self.session.handle(self.now, happening);
        self.told(&acts)
    }

    pub fn acts(&mut self, frame: &str) -> Vec<Act> {
        self.session.handle(self.now, Happening::Frame(frame.as_bytes()))
    }

    pub fn says(&mut self, frame: &str) -> Vec<String> {
        self.does(Happening::Frame(frame.as_bytes()))
    }

    /// The number of the last question of a method; questions are numbered one after the other.
    pub fn ask(&self, method: &str) -> String {
        let debug = format!("{:?}", self.session);
        let asks = debug.split("asks: ").nth(1).unwrap();
        let last: u64 = asks.split(',').next().unwrap().parse().unwrap();
        format!("{method}:{last}")
    }

    pub fn answers_health(&mut self, payload: &str) -> Vec<String> {
        self.answers("health", payload)
    }

    /// Answers the last question; `health` may be answered whatever its number.
    pub fn answers(&mut self, method: &str, payload: &str) -> Vec<String> {
        let frame = format!(
            r#"{{"type":"res","id":"{}","ok":true,"payload":{payload}}}"#,
            self.ask(method)
        );
        self.says(&frame)
    }

    /// Time passes for `millis`; at each wake-up the session is told, and `peer` sees what it sent.
    pub fn passes(&mut self, millis: u64, mut peer: impl FnMut(&mut Line, &[Act])) -> Vec<String> {
        let until = self.now.at + Duration::from_millis(millis);
        let mut transcript = Vec::new();
        loop {
            let wake = self.session.next_wake().max(self.now.at);
            if wake > until {
                break;
            }
            self.wakes += 1;
            assert!(self.wakes < 10_000, "it wakes without end");
            self.to(wake);
            let acts = self.session.handle(self.now, Happening::TimeUp);
            transcript.extend(self.told(&acts));
            peer(self, &acts);
            assert!(
                self.session.next_wake() > self.now.at || acts.iter().any(|act| matches!(act, Act::Close)),
                "a wake-up leaves nothing due: {acts:?}"
            );
        }
        self.to(until);
        transcript
    }

    /// Nobody answers.
    pub fn silence(&mut self, millis: u64) -> Vec<String> {
        self.passes(millis, |_, _| {})
    }

    /// Every question and ping is answered at once, and ticks come.
    pub fn alive(&mut self, millis: u64) -> Vec<String> {
        let mut reports = Vec::new();
        let mut tick = self.now.at;
        let others = self.passes(millis, |line, acts| {
            for act in acts {
                match act {
                    Act::Send(frame) if frame.contains("health") => reports.extend(line.answers_health("{}")),
                    Act::Ping => reports.extend(line.does(Happening::Sign)),
                    _ => {}
                }
            }
            if line.now.at.since(tick) >= Duration::from_secs(25) {
                tick = line.now.at;
                let frame = tick_at(line.now.wall);
                reports.extend(line.says(&frame));
            }
        });
        reports.extend(others);
        reports
    }

    pub fn to(&mut self, at: Instant) {
        let passed = at.since(self.now.at);
        self.now = self.now + passed;
    }

    fn told(&self, acts: &[Act]) -> Vec<String> {
        let at = self.at();
        acts.iter().map(|act| format!("{at} {}", transcript(act))).collect()
    }
}

pub(super) fn transcript(act: &Act) -> String {
    match act {
        Act::Report(report) => {
            let finding = &report.finding;
            let at_once = if finding.immediate { " at once" } else { "" };
            let alive = if report.alive { " (alive)" } else { "" };
            let answer = format!("{:?}", finding.answer).to_lowercase();
            format!("{answer}{at_once}{alive}: {}", finding.summary)
        }
        Act::Send(frame) => {
            let frame: serde_json::Value = serde_json::from_str(frame).unwrap();
            format!("ask {}", frame["method"].as_str().unwrap())
        }
        Act::Deliver(event) => format!(
            "deliver {} {} {}{}",
            event.endpoint,
            event.code,
            event.ts,
            if event.filled { " filled" } else { "" }
        ),
        Act::Know(facts) => format!("know connected={} restarts={}", facts.connected, facts.restarts),
        Act::Gap { why, .. } => format!("gap: {why}"),
        Act::Authenticate(_) => "authenticate".into(),
        other => format!("{other:?}").to_lowercase(),
    }
}

pub(super) fn findings(transcript: &[String]) -> Vec<String> {
    let words = ["ok", "degraded", "down", "unknown"];
    let is_finding = |line: &&String| {
        let said = line.split_once(' ').unwrap().1;
        words.iter().any(|word| said.starts_with(word))
    };
    transcript.iter().filter(is_finding).cloned().collect()
}

pub(super) fn challenge(ts: Wall) -> String {
    format!(
        r#"{{"type":"event","event":"connect.challenge","payload":{{"nonce":"n","ts":{}}}}}"#,
        ts.as_millis()
    )
}

pub(super) fn tick_at(ts: Wall) -> String {
    format!(
        r#"{{"type":"event","event":"tick","payload":{{"ts":{}}}}}"#,
        ts.as_millis()
    )
}

pub(super) fn hello(ask: String, boot: &str) -> String {
    format!(
        r#"{{"type":"res","id":"{ask}","ok":true,"payload":{{"type":"hello-ok","protocol":4,
        "server":{{"version":"2026.9.6","bootId":"{boot}"}},"auth":{{"scopes":["operator.read"]}},
        "policy":{{"tickIntervalMs":30000}}}}}}"#
    )
}

pub(super) fn finished(job: &str, run_at: Wall, delivery: &str) -> String {
    format!(
        r#"{{"type":"event","event":"cron","payload":{{"action":"finished","jobId":"{job}","job":{{"name":"{job}-name"}},
        "runAtMs":{},"durationMs":40,"runId":"r-{job}-{}",{delivery}}}}}"#,
        run_at.as_millis(),
        run_at.as_millis()
    )
}
