//! Frames of the gateway's WebSocket protocol (versions 3 and 4): bytes into the few fields that matter. Pure.
//!
//! Source: the `gateway/protocol` pages of openclaw 2026.9.6 and recorded frames. Reading is lenient: an unknown
//! frame is [`Frame::Other`], an unknown field is skipped unread, a field of another type is as good as absent.
//!
//! Invariant: no wire struct has a field for a job's output, diagnostics, prompt or message; its payload is borrowed
//! while it is hashed ([`super::duties::Job::read`]).

mod wire;

use serde::de::DeserializeOwned;
use serde_json::json;
use serde_json::value::RawValue;

use super::duties::{self, Job, Provider};
use super::events::Ended;
use super::health::Health;
use super::token::Token;
use crate::words::{Wall, text};
use wire::{Envelope, ErrorWire, HelloWire, JobWire, PageWire, RunWire, Stamped};

pub(super) use wire::Lenient;

/// The versions that readyd speaks.
pub const PROTOCOL_MIN: u32 = 3;
pub const PROTOCOL_MAX: u32 = 4;
/// A frame, and a message of many, is no larger. The gateway's own limit is 25 MiB; what a link asks for is far below
/// this one, and a larger frame is refused by its header, before a byte of it is kept.
pub const FRAME_BYTES_MAX: usize = 4 << 20;
/// All that is ever asked for.
pub const SCOPE: &str = "operator.read";

const PLATFORM: &str = if cfg!(target_os = "macos") { "macos" } else { "linux" };

/// Ids, names and versions from outside are cut here.
pub const WORD_BYTES_MAX: usize = 128;

/// What is kept of one frame.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    /// The gateway's first word; answered with a `connect` request.
    Challenge {
        ts: Option<Wall>,
    },
    Tick {
        ts: Option<Wall>,
    },
    /// Pushed, about once a minute.
    Health(Health),
    CronFinished(Run),
    /// Jobs were added, changed or removed, or the configuration was.
    DutiesChanged,
    Shutdown(Shutdown),
    /// `accepting` is the normal phase.
    Suspension {
        phase: String,
    },
    Answer {
        ask: Ask,
        answer: Answer,
    },
    /// Valid, and nothing to us.
    Other,
}

/// A frame, and its place among those of the connection; `None` where it bears none.
#[derive(Clone, Debug, PartialEq)]
pub struct Numbered {
    pub seq: Option<u64>,
    pub frame: Frame,
}

/// One request. Written as the frame's id (`health:7`), so that its answer tells what it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    pub method: Method,
    pub number: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Connect,
    Health,
    CronList,
    CronRuns,
    ModelsAuthStatus,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Hello(Box<HelloOk>),
    Health(Health),
    Jobs(Page),
    Runs(Page),
    /// Providers whose credentials cannot be used; `None`: it cannot tell.
    Models(Option<Vec<Provider>>),
    Refused(Refusal),
}

/// The handshake's end. `None` and empty: not said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HelloOk {
    pub protocol: u32,
    pub version: String,
    pub build_id: String,
    /// Another one is another process.
    pub boot_id: String,
    /// Keyed hash of the configuration that is in force.
    pub applied_config_hash: String,
    pub tick_interval_ms: Option<u64>,
    /// Whether the scope that was asked for was granted; `None` when the grant was not told.
    pub may_read: Option<bool>,
    pub suspension: Option<String>,
}

/// Why a request was not granted. Its message is not kept: it may quote what was asked about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusal {
    /// `UNAVAILABLE`, `INVALID_REQUEST`, `FORBIDDEN`, …
    pub code: String,
    /// `details.code`: `AUTH_TOKEN_MISMATCH`, `PROTOCOL_MISMATCH`, `MISSING_SCOPE`, …
    pub detail: String,
    /// `details.reason`: `startup-sidecars`, …
    pub reason: String,
    pub retry_after_ms: Option<u64>,
    /// What it speaks, on a protocol mismatch.
    pub expected_protocol: Option<u32>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shutdown {
    pub reason: String,
    pub restart_expected_ms: Option<u64>,
}

/// One finished run of a job, as far as its delivery goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub job_id: String,
    pub run_id: Option<String>,
    /// The target without user info, query and fragment, when it is an HTTP URL; else the job's name or id. Other
    /// targets are people's numbers and rooms.
    pub endpoint: String,
    /// By the gateway's clock.
    pub started: Option<Wall>,
    pub ended: Option<Wall>,
    /// `None`: nothing was to be delivered, or it is not known yet.
    pub delivery: Option<Ended>,
}

/// A page of `cron.list` or `cron.runs`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    pub runs: Vec<Run>,
    /// Of `cron.list`.
    pub jobs: Vec<Job>,
    /// Entries as sent, also those without a run.
    pub entries: usize,
    pub has_more: bool,
}

/// What came is no frame of this protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("what it sends is not JSON")]
    NotJson,
    #[error("what it sends is not a frame of the gateway protocol")]
    NotAFrame,
    #[error("its answer has no readable payload")]
    NoPayload,
}

impl Method {
    const ALL: [Method; 5] = [
        Method::Connect,
        Method::Health,
        Method::CronList,
        Method::CronRuns,
        Method::ModelsAuthStatus,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Method::Connect => "connect",
            Method::Health => "health",
            Method::CronList => "cron.list",
            Method::CronRuns => "cron.runs",
            Method::ModelsAuthStatus => "models.authStatus",
        }
    }
}

impl Ask {
    fn id(self) -> String {
        format!("{}:{}", self.method.as_str(), self.number)
    }

    fn parse(id: &str) -> Option<Ask> {
        let (method, number) = id.rsplit_once(':')?;
        Some(Ask {
            method: Method::ALL.into_iter().find(|known| known.as_str() == method)?,
            number: number.parse().ok()?,
        })
    }

    /// The request frame of `health`.
    pub fn health(self) -> String {
        self.render(json!({}))
    }

    /// The request frame of `models.authStatus`, for the gateway's own agent.
    pub fn model_credentials(self) -> String {
        self.render(json!({}))
    }

    /// A page of all jobs with the state of their last run. Not `compact`: that leaves the target out.
    pub fn jobs(self, offset: usize, limit: usize) -> String {
        self.render(json!({
            "includeDisabled": true, "includeDeliveryPreviews": false, "offset": offset, "limit": limit,
        }))
    }

    /// A page of finished runs of all jobs whose delivery ended one way or the other, newest first.
    pub fn runs(self, offset: usize, limit: usize) -> String {
        self.render(json!({
            "scope": "all", "sortDir": "desc", "deliveryStatuses": ["delivered", "not-delivered"],
            "offset": offset, "limit": limit,
        }))
    }

    /// The handshake: read-only, as the kind of client that needs no device of its own on loopback.
    pub fn connect(self, token: &Token) -> String {
        self.render(json!({
            "minProtocol": PROTOCOL_MIN,
            "maxProtocol": PROTOCOL_MAX,
            "client": {
                "id": "gateway-client", "mode": "backend",
                "version": env!("CARGO_PKG_VERSION"), "platform": PLATFORM,
            },
            "role": "operator",
            "scopes": [SCOPE],
            "caps": [], "commands": [], "permissions": {},
            "auth": { "token": token.reveal() },
        }))
    }

    fn render(self, params: serde_json::Value) -> String {
        json!({ "type": "req", "id": self.id(), "method": self.method.as_str(), "params": params }).to_string()
    }
}

impl Refusal {
    pub fn is_starting(&self) -> bool {
        self.code == "UNAVAILABLE" && self.reason == "startup-sidecars"
    }

    /// The most telling of its words.
    pub fn word(&self) -> &str {
        [&self.detail, &self.reason, &self.code]
            .into_iter()
            .find(|word| !word.is_empty())
            .map_or("no reason", String::as_str)
    }
}

/// Reads one text frame.
///
/// # Errors
/// It is not a frame of this protocol, or it answers us without what the answer is about.
pub fn parse(frame: &[u8]) -> Result<Numbered, Unreadable> {
    let envelope: Envelope<'_> = serde_json::from_slice(frame).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => Unreadable::NotAFrame,
        _ => Unreadable::NotJson,
    })?;
    let seq = envelope.seq.0;
    let payload = envelope.payload;
    let frame = match envelope.kind.as_str() {
        "event" => event(envelope.event.0.as_deref().unwrap_or_default(), payload),
        "res" => match envelope.id.0.as_deref().and_then(Ask::parse) {
            None => Frame::Other,
            Some(ask) if envelope.ok.0 == Some(true) => Frame::Answer {
                ask,
                answer: granted(ask.method, payload).ok_or(Unreadable::NoPayload)?,
            },
            Some(ask) => Frame::Answer {
                ask,
                answer: Answer::Refused(refusal(envelope.error)),
            },
        },
        _ => Frame::Other,
    };
    Ok(Numbered { seq, frame })
}

/// A word from outside: one clean line of at most [`WORD_BYTES_MAX`].
pub(super) fn word(outside: &str) -> String {
    text::clean_line(outside, WORD_BYTES_MAX)
}

fn read<T: DeserializeOwned>(payload: Option<&RawValue>) -> Option<T> {
    serde_json::from_str(payload?.get()).ok()
}

fn event(name: &str, payload: Option<&RawValue>) -> Frame {
    let stamped = || read::<Stamped>(payload).unwrap_or_default();
    let ts = || stamped().ts.0.map(Wall::from_millis);
    match name {
        "connect.challenge" => Frame::Challenge { ts: ts() },
        "tick" => Frame::Tick { ts: ts() },
        "health" => payload
            .and_then(|payload| Health::parse(payload.get()))
            .map_or(Frame::Other, Frame::Health),
        "cron" => cron(read::<RunWire>(payload).unwrap_or_default()),
        "config.changed" => Frame::DutiesChanged,
        "shutdown" => {
            let stamped = stamped();
            Frame::Shutdown(Shutdown {
                reason: word(&stamped.reason.0.unwrap_or_default()),
                restart_expected_ms: stamped.restart_expected_ms.0,
            })
        }
        "gateway.suspension" => stamped()
            .phase
            .0
            .map_or(Frame::Other, |phase| Frame::Suspension { phase: word(&phase) }),
        _ => Frame::Other,
    }
}

fn cron(wire: RunWire) -> Frame {
    match wire.action.0.as_deref() {
        Some("finished") => wire.run().map_or(Frame::Other, Frame::CronFinished),
        Some("added" | "updated" | "removed") => Frame::DutiesChanged,
        _ => Frame::Other,
    }
}

fn granted(method: Method, payload: Option<&RawValue>) -> Option<Answer> {
    match method {
        Method::Connect => hello(&read::<HelloWire>(payload)?).map(|hello| Answer::Hello(Box::new(hello))),
        Method::Health => Health::parse(payload?.get()).map(Answer::Health),
        Method::CronList => {
            let page: PageWire<'_> = serde_json::from_str(payload?.get()).ok()?;
            Some(Answer::Jobs(page.read(
                |raw| serde_json::from_str::<JobWire>(raw).ok()?.last_run(),
                Job::read,
            )))
        }
        Method::CronRuns => {
            let page: PageWire<'_> = serde_json::from_str(payload?.get()).ok()?;
            Some(Answer::Runs(
                page.read(|raw| serde_json::from_str::<RunWire>(raw).ok()?.run(), |_| None),
            ))
        }
        Method::ModelsAuthStatus => Some(Answer::Models(duties::providers(payload?.get()))),
    }
}

fn hello(wire: &HelloWire) -> Option<HelloOk> {
    let said = |value: &Lenient<String>| value.0.as_deref().map(word).unwrap_or_default();
    let server = wire.server.0.as_ref()?;
    let snapshot = wire.snapshot.0.as_ref();
    let scopes = wire.auth.0.as_ref().and_then(|auth| auth.scopes.0.as_ref());
    Some(HelloOk {
        protocol: wire.protocol.0?,
        version: said(&server.version),
        build_id: said(&server.build_id),
        boot_id: said(&server.boot_id),
        applied_config_hash: snapshot
            .map(|snapshot| said(&snapshot.applied_config_hash))
            .unwrap_or_default(),
        tick_interval_ms: wire.policy.0.as_ref().and_then(|policy| policy.tick_interval_ms.0),
        may_read: scopes.map(|scopes| {
            let enough = [SCOPE, "operator.write", "operator.admin"];
            scopes.iter().any(|scope| enough.contains(&scope.as_str()))
        }),
        suspension: snapshot
            .and_then(|snapshot| snapshot.suspension.0.as_ref()?.phase.0.as_deref())
            .map(word),
    })
}

fn refusal(error: Option<&RawValue>) -> Refusal {
    let wire = read::<ErrorWire>(error).unwrap_or_default();
    let details = wire.details.0.unwrap_or_default();
    let said = |value: Lenient<String>| value.0.as_deref().map(word).unwrap_or_default();
    Refusal {
        code: said(wire.code),
        detail: said(details.code),
        reason: said(details.reason),
        retry_after_ms: wire.retry_after_ms.0,
        expected_protocol: details.expected_protocol.0,
    }
}
