//! What a link's happenings mean, in words.

use std::time::Duration;

use super::{Breach, ConnectFailure};
use crate::link::protocol::{FRAME_BYTES_MAX, PROTOCOL_MAX, PROTOCOL_MIN, Refusal, Shutdown};
use crate::words::{Cause, Finding};

pub fn connect_failed(why: &ConnectFailure) -> Finding {
    let unknown = |cause, summary: &str| Finding::unknown(cause, summary);
    match why {
        ConnectFailure::Refused => unknown(Cause::SaidUnknown, "the gateway's port refuses connections"),
        ConnectFailure::NotWebSocket(Some(status)) => unknown(
            Cause::Unreadable,
            &format!("what answers on the gateway's port opens no WebSocket (HTTP status {status})"),
        ),
        ConnectFailure::NotWebSocket(None) => {
            unknown(Cause::Unreadable, "what answers on the gateway's port is no gateway")
        }
        ConnectFailure::Closed => unknown(
            Cause::SaidUnknown,
            "the connection was closed before the WebSocket opened",
        ),
        ConnectFailure::TimedOut => unknown(Cause::Timeout, "the gateway's port does not answer"),
        ConnectFailure::Tls(why) => unknown(Cause::Misconfigured, &format!("TLS: {why}")),
        ConnectFailure::Dns(why) => unknown(Cause::Local, &format!("the gateway's name is not resolved: {why}")),
        ConnectFailure::Local(why) => unknown(Cause::Local, &format!("this host could not connect: {why}")),
    }
}

pub fn broken(breach: Breach) -> Finding {
    match breach {
        Breach::TooLarge => Finding::unknown(
            Cause::OutputTooLarge,
            format!("the gateway sent more than {} MiB in one frame", FRAME_BYTES_MAX >> 20),
        ),
        Breach::NotWebSocket => Finding::unknown(Cause::Unreadable, "what the gateway sends is not WebSocket"),
        Breach::NotText => Finding::unknown(
            Cause::Unreadable,
            "the gateway sends binary frames; a gateway sends text",
        ),
    }
}

/// Credentials, protocol, scope, or not now. It lives.
pub fn refused(refusal: &Refusal) -> Finding {
    if refusal.detail == "PROTOCOL_MISMATCH" || refusal.expected_protocol.is_some() {
        return other_protocol(refusal.expected_protocol, "");
    }
    let word = refusal.word();
    let summary = match word {
        "AUTH_TOKEN_MISMATCH" | "AUTH_UNAUTHORIZED" => {
            format!("the gateway does not know this token ({word}): look at the tenant's token_file")
        }
        "AUTH_TOKEN_MISSING" | "AUTH_REQUIRED" => {
            format!("the gateway wants a token ({word}): set the tenant's token_file")
        }
        _ if word.starts_with("AUTH_") || word.starts_with("PAIRING") || word.starts_with("DEVICE") => {
            format!("the gateway refuses these credentials ({word})")
        }
        _ if refusal.code == "UNAVAILABLE" => {
            return Finding::unknown(
                Cause::SaidUnknown,
                format!("the gateway takes no connections now ({word})"),
            );
        }
        _ => format!("the gateway refuses the handshake ({word})"),
    };
    Finding::unknown(Cause::Misconfigured, summary)
}

pub fn other_protocol(expected: Option<u32>, version: &str) -> Finding {
    let theirs = expected.map_or_else(
        || "another protocol".to_owned(),
        |expected| format!("protocol {expected}"),
    );
    let whose = match version {
        "" => String::new(),
        version => format!(" {version}"),
    };
    Finding::unknown(
        Cause::Misconfigured,
        format!("the gateway{whose} speaks {theirs}, readyd speaks {PROTOCOL_MIN} to {PROTOCOL_MAX}"),
    )
}

pub fn starting(since: Duration, grace: Duration) -> Finding {
    let seconds = since.as_secs();
    if since > grace {
        Finding::down(format!(
            "the gateway is starting for {seconds} s, longer than {} s",
            grace.as_secs()
        ))
    } else {
        Finding::degraded(format!("the gateway is starting for {seconds} s"))
    }
}

pub fn shutdown(shutdown: &Shutdown) -> Finding {
    let mut finding = Finding::down("the gateway is shutting down").at_once();
    describe(&mut finding, shutdown);
    finding
}

/// Heard before the handshake was through: nothing was established that could be down.
pub fn unknown_shutdown(shutdown: &Shutdown) -> Finding {
    let mut finding = Finding::unknown(Cause::SaidUnknown, "the gateway is shutting down");
    describe(&mut finding, shutdown);
    finding
}

pub fn silent(silence: Duration) -> Finding {
    let seconds = silence.as_secs();
    Finding::down(format!("wedged: nothing was heard on the open link for {seconds} s")).at_once()
}

pub fn unanswered(waited: Duration) -> Finding {
    Finding::down(format!(
        "wedged: the link is open, and health is not answered for {} s",
        waited.as_secs()
    ))
}

pub fn no_tick(since: Duration, every: Duration) -> Finding {
    Finding::down(format!(
        "wedged: no tick for {} s (one is due every {} s)",
        since.as_secs(),
        every.as_secs()
    ))
}

/// An answer to `health` that is not its health. It lives.
pub fn health_refused(refusal: &Refusal) -> Finding {
    let word = refusal.word();
    match refusal.code.as_str() {
        "FORBIDDEN" => Finding::unknown(
            Cause::Misconfigured,
            format!("the gateway does not let this token ask for health ({word})"),
        ),
        "INVALID_REQUEST" => Finding::unknown(
            Cause::Misconfigured,
            format!("the gateway does not understand how health is asked ({word})"),
        ),
        _ => Finding::degraded(format!("the gateway cannot tell its health ({word})")),
    }
}

fn describe(finding: &mut Finding, shutdown: &Shutdown) {
    if !shutdown.reason.is_empty() {
        finding.evidence_push("reason", &shutdown.reason);
    }
    if let Some(millis) = shutdown.restart_expected_ms {
        finding.evidence_push("restart expected", format!("{} s", millis / 1000));
    }
}
