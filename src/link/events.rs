//! How a delivery ended, and which runs were counted before. Pure.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::protocol::Run;
use crate::ingest::delta::{Mark, Reporter};
use crate::words::{Code, Kind, Now, TenantName, Wall};

/// The end of one delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    pub code: Code,
    /// The word of a closed set that told the code: `ECONNREFUSED`. Empty when the code says it all.
    pub why: &'static str,
}

/// One delivery, to be counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkEvent {
    pub tenant: TenantName,
    /// A URL without user info, query and fragment, or the job's name.
    pub endpoint: String,
    pub code: Code,
    pub why: &'static str,
    /// By this host's clock.
    pub ts: Wall,
    pub job_id: String,
    pub run_id: Option<String>,
    /// What its run is remembered by; `None`: it cannot be told from others, and is always a new one.
    pub key: Option<RunKey>,
    /// It was missed when it happened, and found afterwards.
    pub filled: bool,
}

/// Runs remembered per tenant.
pub const SEEN_MAX: usize = 4096;
/// Runs that started longer ago are forgotten.
pub const SEEN_FOR: Duration = Duration::from_secs(24 * 3600);

/// A run as it is remembered: the same for the same run across builds and restarts.
///
/// 64 bits of SHA-256, so that one in 10^12 full memories confuses two runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RunKey(u64);

/// What must outlive a restart: without it a restart would count replays again, or lose what was missed.
///
/// It is kept as [`Mark`]s, each in the transaction that counts what it stands for. So what is remembered was counted,
/// and what was counted is remembered, whenever the process is killed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// By arrival, with when it was noted.
    order: VecDeque<(RunKey, Wall)>,
    seen: HashSet<RunKey>,
    pub standing: Standing,
}

/// How far a link has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Standing {
    /// `None`: never connected.
    pub synced: Option<Synced>,
    /// The gateway's process when it was last met.
    pub boot_id: String,
    /// When the last handshake succeeded, by our clock.
    pub handshake_at: Option<Wall>,
}

/// All that ended before this moment was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Synced {
    /// By the gateway's clock.
    pub gateway: Wall,
    /// By ours.
    pub ours: Wall,
}

/// The key of the mark that holds a [`Standing`]; those of runs are 16 hex digits.
const STANDING: &str = "standing";

impl RunKey {
    fn mark(self, reporter: &Reporter, noted: Wall) -> Mark {
        Mark {
            source: reporter.0.clone(),
            key: format!("{:016x}", self.0).into(),
            body: "".into(),
            at: noted,
        }
    }
}

impl Memory {
    /// What an earlier process has kept; `marks`: of this link alone, oldest first.
    pub fn restore<'a>(marks: impl IntoIterator<Item = &'a Mark>) -> Memory {
        let mut memory = Memory::default();
        for mark in marks {
            if &*mark.key == STANDING {
                // What cannot be read is as if it had never been: nothing was missed, since nothing is known.
                memory.standing = serde_json::from_str(&mark.body).unwrap_or_default();
            } else if let Ok(key) = u64::from_str_radix(&mark.key, 16) {
                memory.note(RunKey(key), mark.at);
            }
        }
        memory
    }

    /// To be kept after everything that was delivered before.
    pub fn mark(&self, reporter: &Reporter, now: Wall) -> Option<Mark> {
        let body = serde_json::to_string(&self.standing).ok()?;
        Some(Mark {
            source: reporter.0.clone(),
            key: STANDING.into(),
            body: body.into(),
            at: now,
        })
    }

    /// Everything, for a database that has begun anew.
    pub fn marks(&self, reporter: &Reporter, now: Wall) -> Vec<Mark> {
        let runs = self.order.iter().map(|(key, noted)| key.mark(reporter, *noted));
        runs.chain(self.mark(reporter, now)).collect()
    }

    /// It was counted.
    pub fn remember(&mut self, event: &LinkEvent, now: Wall) {
        if let Some(key) = event.key {
            self.note(key, now);
        }
    }

    /// It could not be counted: when it is told again, it is a new one.
    pub fn forget(&mut self, key: RunKey) {
        if self.seen.remove(&key) {
            self.order.retain(|(noted, _)| *noted != key);
        }
    }

    /// Whether that run is a new one; from now on it is not.
    ///
    /// A run is known by its job and start, which all of `cron`, `cron.list` and `cron.runs` tell (their run ids
    /// differ); by its id where it tells no start. One that tells neither is always new.
    pub fn observe(&mut self, run: &Run, now: Wall) -> bool {
        key(run).is_none_or(|key| self.note(key, now))
    }

    fn note(&mut self, key: RunKey, now: Wall) -> bool {
        if !self.seen.insert(key) {
            return false;
        }
        self.order.push_back((key, now));
        let forget_before = now.plus_millis(-i64::try_from(SEEN_FOR.as_millis()).unwrap_or(i64::MAX));
        while self.order.len() > SEEN_MAX || self.order.front().is_some_and(|(_, noted)| *noted < forget_before) {
            if let Some((key, _)) = self.order.pop_front() {
                self.seen.remove(&key);
            }
        }
        true
    }

    pub fn has(&self, run: &Run) -> bool {
        key(run).is_some_and(|key| self.seen.contains(&key))
    }

    /// The event of a run whose delivery ended; `None` when nothing was to be delivered or it was counted before.
    pub fn event(&mut self, tenant: &TenantName, run: &Run, ts: Wall, now: Now, filled: bool) -> Option<LinkEvent> {
        let ended = run.delivery?;
        if !self.observe(run, now.wall) {
            return None;
        }
        Some(LinkEvent {
            tenant: tenant.clone(),
            endpoint: run.endpoint.clone(),
            code: ended.code,
            why: ended.why,
            ts,
            job_id: run.job_id.clone(),
            run_id: run.run_id.clone(),
            key: key(run),
            filled,
        })
    }

    pub fn len(&self) -> usize {
        self.order.len()
    }

    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

impl LinkEvent {
    /// What is kept with its count.
    pub fn mark(&self, reporter: &Reporter, now: Wall) -> Option<Mark> {
        Some(self.key?.mark(reporter, now))
    }

    /// The event as a line of `events.sock`, without its newline and `seq`.
    pub fn line(&self) -> String {
        let mut line = json!({
            "tenant": self.tenant.as_str(),
            "endpoint": self.endpoint,
            "ts": self.ts.as_millis(),
            "task_id": self.job_id,
        });
        match self.code {
            Code::Status(status) => line["status"] = status.into(),
            Code::Kind(kind) => line["kind"] = kind.as_str().into(),
        }
        if let Some(run_id) = &self.run_id {
            line["request_id"] = run_id.as_str().into();
        }
        if !self.why.is_empty() {
            line["error"] = self.why.into();
        }
        line.to_string()
    }
}

/// How a run's delivery ended. `None`: nothing was requested, it was held back on purpose, or it is not known.
pub fn ended(status: Option<&str>, delivered: Option<bool>, error: Option<&str>, suppressed: bool) -> Option<Ended> {
    const DELIVERED: Option<Ended> = Some(Ended {
        code: Code::Status(200),
        why: "",
    });
    match (status, delivered) {
        (Some("delivered"), _) => DELIVERED,
        (Some("not-delivered"), _) if suppressed && error.is_none() => None,
        (Some("not-delivered"), _) => Some(failure(error.unwrap_or_default())),
        (Some(_), _) => None,
        (None, Some(true)) => DELIVERED,
        // A gateway that tells no status tells `delivered: false` of every run that delivers nothing.
        (None, Some(false)) => error.map(failure),
        (None, None) => None,
    }
}

/// What a delivery error means. Codes of Node's network stack first, phrases after them, so that a host whose name
/// holds a phrase is not taken for it.
pub fn failure(error: &str) -> Ended {
    if let Some(status) = http_status(error) {
        return match status {
            // It failed, whatever it quotes.
            100..=299 => other(""),
            status => Ended {
                code: Code::Status(status),
                why: "",
            },
        };
    }
    let codes = error.split(|letter: char| !(letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_'));
    for code in codes.filter(|code| code.len() > 3) {
        if let Some((why, kind)) = CODES.iter().find(|(known, _)| *known == code) {
            return kind_of(*kind, why);
        }
    }
    let lower = error.to_ascii_lowercase();
    match PHRASES.iter().find(|(phrase, _)| lower.contains(phrase)) {
        Some((why, kind)) => kind_of(*kind, why),
        None => other(""),
    }
}

/// Of Node's `errno`, c-ares, undici and OpenSSL.
const CODES: [(&str, Kind); 35] = [
    ("ENOTFOUND", Kind::Dns),
    ("EAI_AGAIN", Kind::Dns),
    ("EAI_FAIL", Kind::Dns),
    ("EAI_NODATA", Kind::Dns),
    ("EAI_NONAME", Kind::Dns),
    ("ENODATA", Kind::Dns),
    ("ESERVFAIL", Kind::Dns),
    ("ECONNREFUSED", Kind::Connect),
    ("ECONNRESET", Kind::Connect),
    ("ECONNABORTED", Kind::Connect),
    ("EHOSTUNREACH", Kind::Connect),
    ("EHOSTDOWN", Kind::Connect),
    ("ENETUNREACH", Kind::Connect),
    ("ENETDOWN", Kind::Connect),
    ("EADDRNOTAVAIL", Kind::Connect),
    ("EPIPE", Kind::Connect),
    ("UND_ERR_SOCKET", Kind::Connect),
    ("ETIMEDOUT", Kind::Timeout),
    ("ESOCKETTIMEDOUT", Kind::Timeout),
    ("UND_ERR_CONNECT_TIMEOUT", Kind::Timeout),
    ("UND_ERR_HEADERS_TIMEOUT", Kind::Timeout),
    ("UND_ERR_BODY_TIMEOUT", Kind::Timeout),
    ("EPROTO", Kind::Tls),
    ("CERT_HAS_EXPIRED", Kind::Tls),
    ("CERT_NOT_YET_VALID", Kind::Tls),
    ("CERT_UNTRUSTED", Kind::Tls),
    ("CERT_REVOKED", Kind::Tls),
    ("SELF_SIGNED_CERT_IN_CHAIN", Kind::Tls),
    ("DEPTH_ZERO_SELF_SIGNED_CERT", Kind::Tls),
    ("UNABLE_TO_VERIFY_LEAF_SIGNATURE", Kind::Tls),
    ("UNABLE_TO_GET_ISSUER_CERT", Kind::Tls),
    ("UNABLE_TO_GET_ISSUER_CERT_LOCALLY", Kind::Tls),
    ("ERR_TLS_CERT_ALTNAME_INVALID", Kind::Tls),
    ("ERR_TLS_HANDSHAKE_TIMEOUT", Kind::Tls),
    ("ERR_SSL_WRONG_VERSION_NUMBER", Kind::Tls),
];

const PHRASES: [(&str, Kind); 18] = [
    ("getaddrinfo", Kind::Dns),
    ("could not resolve", Kind::Dns),
    ("blocked hostname", Kind::Blocked),
    ("blocked url", Kind::Blocked),
    ("private/internal/special-use", Kind::Blocked),
    ("ssrf", Kind::Blocked),
    ("certificate", Kind::Tls),
    ("ssl routines", Kind::Tls),
    ("secure tls connection", Kind::Tls),
    ("deadline exceeded", Kind::Timeout),
    ("timed out", Kind::Timeout),
    ("timeout", Kind::Timeout),
    // The gateway aborts a request at its own time limit.
    ("operation was aborted", Kind::Timeout),
    ("connection refused", Kind::Connect),
    ("socket hang up", Kind::Connect),
    ("other side closed", Kind::Connect),
    ("blocked", Kind::Blocked),
    // `fetch` rejects for the network alone.
    ("fetch failed", Kind::Connect),
];

fn kind_of(kind: Kind, why: &'static str) -> Ended {
    Ended {
        code: Code::Kind(kind),
        why,
    }
}

fn other(why: &'static str) -> Ended {
    kind_of(Kind::Other, why)
}

/// The number behind `HTTP ` or `status `: `Webhook request failed with HTTP 503`.
fn http_status(error: &str) -> Option<u16> {
    let lower = error.to_ascii_lowercase();
    for mark in ["http ", "http/1.1 ", "http/2 ", "status ", "status: ", "status code "] {
        let Some(at) = lower.find(mark) else { continue };
        let behind = lower.get(at + mark.len()..).unwrap_or_default();
        let digits = behind.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 3
            && let Some(status) = behind.get(..3).and_then(|digits| digits.parse().ok())
            && (100..=599).contains(&status)
        {
            return Some(status);
        }
    }
    None
}

fn key(run: &Run) -> Option<RunKey> {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    match (run.started, &run.run_id) {
        (Some(started), _) => {
            context.update(b"start");
            context.update(&started.as_millis().to_le_bytes());
            context.update(run.job_id.as_bytes());
        }
        (None, Some(run_id)) => {
            context.update(b"run");
            context.update(run_id.as_bytes());
        }
        (None, None) => return None,
    }
    let digest = context.finish();
    let first = digest.as_ref().first_chunk::<8>()?;
    Some(RunKey(u64::from_le_bytes(*first)))
}

#[cfg(test)]
mod tests;
