//! `openclaw doctor`, both dialects. The table is the one that was measured on openclaw 2026.9.6:
//! JSON before exit code, findings before `ok`.

use serde_json::Value;

use super::object::{self, Object};
use super::{Said, json};
use crate::config::Posture;
use crate::probe::declaration::{Rule, RuleAct};
use crate::words::{Cause, Finding};

/// Check ids by which the doctor says that it could not look: evidence of nothing.
const COULD_NOT_LOOK: [&str; 3] = [
    "core/doctor/lint-inspection",
    "core/doctor/lint-selection",
    "core/doctor/lint-state-inspection",
];
/// How the doctor reports a check of its own that failed: as an `error` of that check, which it is not.
const THREW: &str = "health check threw: ";
/// What the system, or the doctor, says to a user who may not look. Everything else in such a report
/// (no token, no mode, nothing writable) is that user's view, not the gateway's.
const WRONG_USER: [&str; 3] = ["EACCES", "EPERM", "Owner mismatch (uid "];
/// What a rule may leave out of a `checkId`.
const CORE: &str = "core/doctor/";

/// Worse is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Severity {
    Info,
    Warning,
    Error,
}

/// One entry of `findings`.
#[derive(Clone, Debug)]
struct Reported<'a> {
    check_id: &'a str,
    severity: Severity,
    message: &'a str,
    path: &'a str,
    requirement: &'a str,
    fix: &'a str,
}

/// `parse: doctor`. A report with `findings` is the real OpenClaw's; an object without is read as the
/// articles' CLI. The first of `rules` that matches a finding is applied; under [`Posture::Strict`]
/// `note` rules are not.
pub fn doctor(said: &Said<'_>, rules: &[Rule], posture: Posture) -> Finding {
    let object = match object::find(said.stdout) {
        Ok(object) => object,
        Err(why) => return json::unreadable(why, said),
    };
    match object.get("findings").and_then(Value::as_array) {
        Some(findings) => report(&object, findings, rules, posture),
        None => refusal(&object).map_or_else(|| json::answered(&object, said), |refused| refused.with_exit(said)),
    }
}

/// An `error` with a `type` is the real CLI's way to say that there is no report.
pub(super) fn refusal(object: &Object) -> Option<Finding> {
    let error = object.get("error")?;
    let kind = error.get("type")?.as_str()?;
    let message = first_line(error.get("message").and_then(Value::as_str).unwrap_or(kind));
    let cause = if kind == "cli_error" {
        Cause::Misconfigured
    } else {
        // The gateway's transport, or its credentials: other checks judge those.
        Cause::SaidUnknown
    };
    Some(Finding::unknown(cause, format!("no report ({kind}): {message}")))
}

fn report(object: &Object, findings: &[Value], rules: &[Rule], posture: Posture) -> Finding {
    let Some(reported) = findings.iter().map(read).collect::<Option<Vec<_>>>() else {
        return Finding::unknown(
            Cause::Unreadable,
            "a finding has no checkId: not a report that readyd knows",
        );
    };
    if let Some(blind) = could_not_look(object, &reported) {
        return Finding::unknown(Cause::Misconfigured, format!("the doctor could not look: {blind}"));
    }
    let mut counted = Vec::new();
    let mut noted = Vec::new();
    for mut finding in reported {
        match act(&finding, rules) {
            Some(RuleAct::Ignore) => continue,
            Some(RuleAct::Note) if posture == Posture::Relaxed => finding.severity = Severity::Info,
            Some(RuleAct::Downgrade) => finding.severity = finding.severity.min(Severity::Warning),
            Some(RuleAct::Note) | None => {}
        }
        if finding.severity == Severity::Info {
            noted.push(finding);
        } else {
            counted.push(finding);
        }
    }
    // Stable: within a severity the doctor's order stays.
    counted.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let refused = object.get("error").filter(|error| !error.is_null());
    let mut finding = match (counted.first(), refused) {
        (Some(worst), _) if worst.severity == Severity::Error => Finding::down(headline(worst, counted.len())),
        (_, Some(error)) => Finding::unknown(Cause::Unreadable, format!("the report is incomplete: {error}")),
        (Some(worst), None) => Finding::degraded(headline(worst, counted.len())),
        (None, None) => Finding::ok(nothing_left(object, noted.len())),
    };
    for counted in &counted {
        finding.evidence_push(counted.name(), counted.story());
    }
    for noted in &noted {
        finding.note_push(format!("{}: {}", noted.name(), first_line(noted.message)));
    }
    finding
}

/// `None` when it is not an object with a `checkId`.
fn read(value: &Value) -> Option<Reported<'_>> {
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
    let check_id = value.get("checkId")?.as_str()?;
    let severity = match text("severity") {
        _ if text("message").starts_with(THREW) => Severity::Warning,
        "error" | "critical" | "fatal" => Severity::Error,
        "info" | "note" => Severity::Info,
        // `warning`, and whatever a later version may add: neither hidden nor an outage.
        _ => Severity::Warning,
    };
    Some(Reported {
        check_id,
        severity,
        message: Some(text("message"))
            .filter(|message| !message.is_empty())
            .unwrap_or(check_id),
        path: text("path"),
        requirement: text("requirement"),
        fix: text("fixHint"),
    })
}

/// Why the report is evidence of nothing, when it is.
fn could_not_look(object: &Object, reported: &[Reported<'_>]) -> Option<String> {
    let blind = |finding: &&Reported<'_>| {
        COULD_NOT_LOOK[..2].contains(&finding.check_id)
            || (finding.severity == Severity::Error && COULD_NOT_LOOK.contains(&finding.check_id))
    };
    if let Some(finding) = reported.iter().find(blind) {
        return Some(first_line(finding.message).to_owned());
    }
    if let Some(refused) = reported.iter().find(|finding| finding.is_refused_to_this_user()) {
        return Some(format!(
            "{}: is tenants.*.user the gateway's user?",
            first_line(refused.message)
        ));
    }
    if object.get("checksRun").and_then(Value::as_u64) != Some(0) {
        return None;
    }
    let error = object.get("error").and_then(|error| error.get("message")?.as_str());
    Some(first_line(error.unwrap_or("it ran no checks")).to_owned())
}

fn act(finding: &Reported<'_>, rules: &[Rule]) -> Option<RuleAct> {
    let matches = |rule: &&Rule| {
        let same = rule.check_id == finding.check_id || finding.check_id.strip_prefix(CORE) == Some(&rule.check_id);
        same && rule
            .requirement
            .as_deref()
            .is_none_or(|requirement| requirement == finding.requirement)
    };
    rules.iter().find(matches).map(|rule| rule.act)
}

/// The worst finding's message, and how many more there are.
fn headline(worst: &Reported<'_>, counted: usize) -> String {
    let message = first_line(worst.message);
    // The level already says it.
    let message = ["WARNING: ", "CRITICAL: ", "ERROR: "]
        .iter()
        .find_map(|prefix| message.strip_prefix(prefix))
        .unwrap_or(message);
    match counted {
        1 => message.to_owned(),
        several => format!("{message} (+{} more)", several - 1),
    }
}

fn nothing_left(object: &Object, noted: usize) -> String {
    let checks = match object.get("checksRun").and_then(Value::as_u64) {
        Some(1) => "1 check".to_owned(),
        Some(run) => format!("{run} checks"),
        None => "the doctor's checks".to_owned(),
    };
    match noted {
        0 => format!("{checks}, no findings"),
        1 => format!("{checks}, 1 note"),
        several => format!("{checks}, {several} notes"),
    }
}

impl Reported<'_> {
    fn is_refused_to_this_user(&self) -> bool {
        let not_writable = self.check_id == "core/doctor/state-integrity" && self.message.contains("not writable");
        (not_writable || self.message.starts_with(THREW)) && WRONG_USER.iter().any(|sign| self.message.contains(sign))
    }

    /// `core/doctor/security (config.plaintext_secrets)`: what a rule matches.
    fn name(&self) -> String {
        if self.requirement.is_empty() {
            self.check_id.to_owned()
        } else {
            format!("{} ({})", self.check_id, self.requirement)
        }
    }

    /// The message, where, and the first line of the fix.
    fn story(&self) -> String {
        let mut story = self.message.to_owned();
        if !self.path.is_empty() {
            story.push_str("\nat: ");
            story.push_str(self.path);
        }
        if !self.fix.is_empty() {
            story.push_str(" fix: ");
            story.push_str(first_line(self.fix));
        }
        story
    }
}

pub(super) fn first_line(text: &str) -> &str {
    // Some messages carry the two characters `\n` where a line should end.
    let line = text.trim().lines().next().unwrap_or_default();
    line.split("\\n").next().unwrap_or(line).trim_end()
}
