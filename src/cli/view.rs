//! Parts of the daemon's answers, as text for a terminal.

use std::time::Duration;

use serde_json::Value;

use crate::config::units::{write_duration, write_span};

/// A JSON string's text; nothing for anything else.
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The items of a JSON array; none for anything else.
pub fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// `doctor@acme`, `disk`.
pub fn check_name(check: &Value) -> String {
    let probe = text(&check["check"]);
    match check["tenant"].as_str() {
        Some(tenant) => format!("{probe}@{tenant}"),
        None => probe,
    }
}

/// How long ago a check was answered.
pub fn age(check: &Value) -> String {
    match check["age_sec"].as_u64() {
        Some(seconds) => write_span(Duration::from_secs(seconds)),
        None => "never".to_owned(),
    }
}

/// A number of seconds, exact, as configurations write it: `450s`, `16m`.
pub fn duration(seconds: &Value) -> Option<String> {
    let duration = Duration::try_from_secs_f64(seconds.as_f64()?).ok()?;
    let millis = u64::try_from(duration.as_millis()).ok()?;
    Some(write_duration(Duration::from_millis(millis)))
}

/// What a check saw and remarked, a line each.
pub fn evidence(check: &Value) -> String {
    let seen = items(&check["evidence"]).map(|fact| format!("  {}: {}\n", text(&fact["what"]), text(&fact["seen"])));
    let notes = items(&check["notes"]).map(|note| format!("  note: {}\n", text(note)));
    seen.chain(notes).collect()
}
