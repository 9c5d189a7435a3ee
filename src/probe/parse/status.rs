//! `ok`, `status` and an exit code, fused: the shape of the articles' doctor and of `parse: json`.

use serde_json::Value;

use super::object::Object;
use crate::words::Answer;

/// What the three say together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fused {
    Says(Answer),
    /// They contradict each other; the text says how.
    Disagree(String),
    /// Neither `ok` nor a known `status`: another shape.
    Silent,
}

/// JSON before exit code. A `status` between good and bad is `degraded`, whatever `ok` and the exit
/// code make of it, since neither of them has a word for it. `ok: false` is down even with exit code 0
/// (real CLIs do that); `ok: true` with a failing exit code is a contradiction.
pub fn fuse(object: &Object, code: i32) -> Fused {
    let ok = object.get("ok").and_then(Value::as_bool);
    let status = object.get("status").and_then(Value::as_str);
    match (status.and_then(word), ok) {
        (Some(Answer::Degraded), _) => Fused::Says(Answer::Degraded),
        (Some(Answer::Unknown), _) => Fused::Says(Answer::Unknown),
        (Some(Answer::Ok), Some(false)) | (Some(Answer::Down), Some(true)) => Fused::Disagree(format!(
            "`status` says {}, `ok` says {}",
            status.unwrap_or_default(),
            ok.unwrap_or_default()
        )),
        (Some(Answer::Down), _) | (None, Some(false)) => Fused::Says(Answer::Down),
        (Some(Answer::Ok), _) | (None, Some(true)) if code == 0 => Fused::Says(Answer::Ok),
        (Some(Answer::Ok), _) | (None, Some(true)) => {
            Fused::Disagree(format!("the answer says ok, the exit code is {code}"))
        }
        (None, None) => Fused::Silent,
    }
}

/// The first text that explains the answer: what a person reads.
pub fn summary(object: &Object) -> Option<&str> {
    ["summary", "message", "reason", "error"]
        .into_iter()
        .chain(["reasons", "errors", "problems", "issues", "failing"])
        .find_map(|key| text(object.get(key)?))
}

fn text(value: &Value) -> Option<&str> {
    let text = match value {
        Value::String(text) => Some(text.as_str()),
        Value::Object(object) => object.get("message").and_then(Value::as_str),
        Value::Array(list) => match list.first()? {
            Value::String(text) => Some(text.as_str()),
            Value::Object(object) => object.get("message").and_then(Value::as_str),
            _ => None,
        },
        _ => None,
    };
    text.map(str::trim).filter(|text| !text.is_empty())
}

/// The words in use: readyd's, draft-inadarei-api-health-check's (pass, warn, fail), traffic lights.
fn word(status: &str) -> Option<Answer> {
    match status.trim().to_ascii_lowercase().as_str() {
        "ok" | "green" | "pass" | "healthy" | "up" => Some(Answer::Ok),
        "degraded" | "yellow" | "amber" | "warn" | "warning" => Some(Answer::Degraded),
        "down" | "red" | "fail" | "failed" | "error" | "critical" | "unhealthy" => Some(Answer::Down),
        "unknown" => Some(Answer::Unknown),
        _ => None,
    }
}
