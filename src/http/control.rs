//! What the operator asks of `control.sock`: bodies into commands, outcomes into replies. Pure.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::body;
use super::reply::Reply;
use crate::config::units;
use crate::engine::{Command, Done, Refused};
use crate::ingest::submit::{Receipt, SubmitError};
use crate::readiness::Request;
use crate::words::{CheckId, Reject, TenantName, text};

/// A command's body.
pub const COMMAND_BYTES_MAX: usize = 64 * 1024;
/// A body of `POST /v1/events`.
pub const EVENTS_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The body of `POST /v1/maintenance`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MaintenanceWanted {
    #[schemars(example = &"acme", extend("pattern" = "^[a-z0-9][a-z0-9._-]{0,63}$"))]
    tenant: String,
    /// A whole number and a unit, from 1 s to 30 days: `30m`, `2h`, `1d`.
    #[serde(rename = "for")]
    #[schemars(example = &"2h", extend("pattern" = "^[1-9][0-9]{0,2}(s|m|h|d)$"))]
    duration: String,
    #[serde(default)]
    reason: String,
    ticket: Option<String>,
}

/// The body of `POST /v1/drain`; without one, the node is drained.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DrainWanted {
    /// The node when it is left out.
    #[schemars(extend("pattern" = "^[a-z0-9][a-z0-9._-]{0,63}$"))]
    tenant: Option<String>,
    #[serde(default)]
    reason: String,
}

/// The body of `POST /v1/ask`; without one, every check is asked.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AskWanted {
    /// A probe (`disk`) or a probe and a tenant (`doctor@acme`).
    #[schemars(extend("pattern" = "^[a-z0-9][a-z0-9-]{0,31}(@[a-z0-9][a-z0-9._-]{0,63})?$"))]
    check: Option<String>,
}

/// What was done.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Done")]
pub(super) struct DoneBody {
    ok: bool,
    message: String,
    /// It is in force, and will be after a restart.
    durable: bool,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Reloaded")]
pub(super) struct ReloadedBody {
    ok: bool,
    message: String,
}

/// What became of the lines of `POST /v1/events`, after the commit.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "EventsTaken")]
pub(super) struct EventsBody {
    accepted: u64,
    rejected: Vec<Rejected>,
}

#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RejectedLine")]
struct Rejected {
    line: u64,
    reason: Reject,
}

/// `POST /v1/maintenance`.
///
/// # Errors
/// The reply that says what is wrong.
pub fn maintenance_start(body: &[u8]) -> Result<Command, Reply> {
    let example = r#"send {"tenant": "acme", "for": "2h", "reason": "upgrade", "ticket": "OPS-1"}; `for` is mandatory"#;
    let wanted: MaintenanceWanted = parse(body, example)?;
    let Some(duration) = units::duration(&wanted.duration).filter(|duration| !duration.is_zero()) else {
        let error = format!("for: {:?} is not a duration", wanted.duration);
        return Err(Reply::problem(
            422,
            &error,
            "a duration is a whole number and a unit: 30m, 2h, 1d",
        ));
    };
    Ok(Command::MaintenanceStart {
        tenant: tenant(&wanted.tenant)?,
        duration,
        reason: reason(&wanted.reason),
        ticket: wanted
            .ticket
            .map(|ticket| text::clean_line(&ticket, Request::TEXT_BYTES_MAX))
            .filter(|ticket| !ticket.is_empty()),
    })
}

/// `DELETE /v1/maintenance/{tenant}`.
///
/// # Errors
/// The reply that says what is wrong.
pub fn maintenance_end(name: &str) -> Result<Command, Reply> {
    Ok(Command::MaintenanceEnd { tenant: tenant(name)? })
}

/// `POST /v1/drain`. An empty body drains the node.
///
/// # Errors
/// The reply that says what is wrong.
pub fn drain(body: &[u8]) -> Result<Command, Reply> {
    let example = r#"send {"reason": "kernel upgrade"} for the node, {"tenant": "acme", "reason": "…"} for one tenant"#;
    let wanted: DrainWanted = parse_or_default(body, example)?;
    Ok(Command::Drain {
        tenant: wanted.tenant.as_deref().map(tenant).transpose()?,
        reason: reason(&wanted.reason),
    })
}

/// `DELETE /v1/drain?tenant=`.
///
/// # Errors
/// The reply that says what is wrong.
pub fn undrain(pairs: &[(String, String)]) -> Result<Command, Reply> {
    let mut named = None;
    for (key, value) in pairs {
        // Not forgiven here: a misspelt `tenant` would undrain the node.
        if key != "tenant" {
            let error = format!("{key}: not known here");
            return Err(Reply::problem(
                422,
                &error,
                "DELETE /v1/drain for the node, /v1/drain?tenant=acme for a tenant",
            ));
        }
        named = Some(tenant(value)?);
    }
    Ok(Command::Undrain { tenant: named })
}

/// `POST /v1/ask`. An empty body asks every check.
///
/// # Errors
/// The reply that says what is wrong.
pub fn ask(body: &[u8]) -> Result<Command, Reply> {
    let example = r#"send {"check": "doctor@acme"}, or {} to ask every check"#;
    let wanted: AskWanted = parse_or_default(body, example)?;
    let check = |name: String| {
        CheckId::parse(&name).ok_or_else(|| {
            let error = format!("check: {name:?} is not a check");
            Reply::problem(
                422,
                &error,
                "a check is a probe (disk) or a probe and a tenant (doctor@acme)",
            )
        })
    };
    Ok(Command::Ask {
        check: wanted.check.map(check).transpose()?,
    })
}

/// What became of a command.
pub fn outcome(outcome: Result<Done, Refused>) -> Reply {
    match outcome {
        Ok(Done { message, durable }) => {
            let message = if durable {
                message
            } else {
                format!("{message} (in force, not yet durable: the store does not commit now)")
            };
            let ok = true;
            Reply::json(body::json(&DoneBody { ok, message, durable }))
        }
        Err(Refused::UnknownTenant(tenant)) => Reply::problem(
            404,
            &format!("there is no tenant {tenant}"),
            "GET /v1/status lists the tenants of this node",
        ),
        Err(Refused::UnknownCheck(check)) => Reply::problem(
            404,
            &format!("there is no check {check}"),
            "GET /v1/checks lists the checks of this node",
        ),
        Err(Refused::Invalid(why)) => Reply::problem(
            422,
            &why,
            "nothing was changed; GET /v1/maintenance shows what is in force",
        ),
    }
}

/// What became of `POST /v1/reload`: a message, or why the old configuration stays.
pub fn reloaded(outcome: Result<String, String>) -> Reply {
    match outcome {
        Ok(message) => Reply::json(body::json(&ReloadedBody { ok: true, message })),
        Err(why) => Reply::problem(
            422,
            &why,
            "the old configuration stays in force; `readyd config check` looks at the file without applying it",
        ),
    }
}

/// What became of `POST /v1/events`.
pub fn events(outcome: Result<Receipt, SubmitError>) -> Reply {
    match outcome {
        Ok(receipt) => Reply::json(body::json(&EventsBody {
            accepted: receipt.accepted,
            rejected: receipt
                .rejected
                .into_iter()
                .map(|(line, reason)| Rejected { line, reason })
                .collect(),
        })),
        Err(why) => {
            let (status, hint) = match why {
                SubmitError::TooLarge => (413, "nothing was counted"),
                SubmitError::NotAnArray => (400, "nothing was counted"),
                SubmitError::StoreFailing => (503, "nothing was counted: send the same again"),
                SubmitError::Unknown => (504, "if it is sent again, some of it may be counted twice"),
            };
            Reply::problem(status, &why.to_string(), hint)
        }
    }
}

fn parse_or_default<T: DeserializeOwned + Default>(body: &[u8], example: &str) -> Result<T, Reply> {
    if body.trim_ascii().is_empty() {
        Ok(T::default())
    } else {
        parse(body, example)
    }
}

fn parse<T: DeserializeOwned>(body: &[u8], example: &str) -> Result<T, Reply> {
    serde_json::from_slice(body).map_err(|why| {
        let status = if why.is_data() { 422 } else { 400 };
        Reply::problem(
            status,
            &format!("the body is not what is expected here: {why}"),
            example,
        )
    })
}

fn tenant(name: &str) -> Result<TenantName, Reply> {
    TenantName::parse(name).ok_or_else(|| {
        let error = format!("tenant: {name:?} is not a tenant name");
        Reply::problem(422, &error, "a tenant name is [a-z0-9][a-z0-9._-]{0,63}")
    })
}

fn reason(said: &str) -> String {
    let said = text::clean_line(said.trim(), Request::TEXT_BYTES_MAX);
    if said.is_empty() {
        "no reason given".into()
    } else {
        said
    }
}
