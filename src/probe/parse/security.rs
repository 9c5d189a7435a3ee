//! `openclaw security audit --deep --json`. Only the real OpenClaw has it; measured on 2026.9.6.
//!
//! Its exit code is 0 even with critical findings, so that only the report counts. Nothing it says is `down`:
//! an audit judges what may be done to a gateway, not whether it serves.

use serde_json::Value;

use super::doctor::{first_line, refusal};
use super::object::{self, Object};
use super::{Said, json, secrets};
use crate::config::Posture;
use crate::probe::declaration::{Rule, RuleAct};
use crate::words::{Cause, Finding};

/// By these ids the audit flags the code of a skill: a title with its name, its folder behind [`UNDER`].
const SKILL_CODE: &str = "skills.code_safety";
/// `Found 2 critical issue(s) in 2 scanned file(s) under /srv/oc/skills/evil:`
const UNDER: &str = " under ";
/// Configured secrets that the audit could not resolve, shown at most.
const DIAGNOSTICS_MAX: usize = 8;

/// Worse is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Severity {
    Info,
    Warn,
    Critical,
}

/// One entry of `findings`.
#[derive(Clone, Copy, Debug)]
struct Reported<'a> {
    check_id: &'a str,
    severity: Severity,
    title: &'a str,
    detail: &'a str,
    remediation: &'a str,
}

/// `parse: security`. Critical findings degrade, warnings do under [`Posture::Strict`], and all else is a
/// note. The first of `rules` whose `check_id` is a finding's is applied; under [`Posture::Strict`] `note`
/// rules are not.
pub fn security(said: &Said<'_>, rules: &[Rule], posture: Posture) -> Finding {
    let object = match object::find(said.stdout) {
        Ok(object) => object,
        Err(why) => return json::unreadable(why, said),
    };
    let findings = object.get("findings").and_then(Value::as_array);
    let claimed = object
        .get("summary")
        .and_then(|summary| summary.get("critical")?.as_u64());
    match (findings, claimed) {
        (Some(findings), Some(claimed)) => report(&object, findings, claimed, rules, posture),
        // A list alone may be anybody's, and an empty one would be a false ok.
        _ => refusal(&object).unwrap_or_else(no_report).with_exit(said),
    }
}

fn no_report() -> Finding {
    Finding::unknown(
        Cause::Unreadable,
        "the JSON object has no findings with a summary that counts them: not an audit that readyd knows",
    )
}

/// `claimed`: how many of `findings` the audit itself counts as critical.
fn report(object: &Object, findings: &[Value], claimed: u64, rules: &[Rule], posture: Posture) -> Finding {
    let Some(reported) = findings.iter().map(read).collect::<Option<Vec<_>>>() else {
        return Finding::unknown(
            Cause::Unreadable,
            "a finding has no checkId: not an audit that readyd knows",
        );
    };
    let is_critical = |finding: &&Reported<'_>| finding.severity == Severity::Critical;
    let listed = reported.iter().filter(is_critical).count() as u64;
    let mut counted = Vec::new();
    let mut noted = Vec::new();
    for mut finding in reported {
        match act(&finding, rules) {
            Some(RuleAct::Ignore) => continue,
            Some(RuleAct::Note) if posture == Posture::Relaxed => finding.severity = Severity::Info,
            Some(RuleAct::Downgrade) => finding.severity = finding.severity.min(Severity::Warn),
            Some(RuleAct::Note) | None => {}
        }
        let counts = match posture {
            Posture::Relaxed => Severity::Critical,
            Posture::Strict => Severity::Warn,
        };
        match finding.severity >= counts {
            true => counted.push(finding),
            false => noted.push(finding),
        }
    }
    // Stable: within a severity the audit's order stays, but for flagged skills. What they do is under way,
    // while a gateway's settings wait for somebody to use them.
    counted.sort_by_key(|finding| std::cmp::Reverse((finding.severity, finding.is_of_a_skill())));
    let mut finding = match counted.first() {
        Some(worst) => Finding::degraded(headline(worst, counted.len())),
        // Half a report: what it does not list must not read as well.
        None if claimed > listed => Finding::degraded(format!(
            "the audit counts {claimed} critical findings and lists {listed}"
        )),
        None => Finding::ok(nothing_counted(noted.len())),
    };
    for counted in &counted {
        finding.evidence_push(counted.check_id, counted.story());
    }
    for noted in &noted {
        finding.note_push(format!("{}: {}", noted.check_id, noted.remark()));
    }
    for diagnostic in diagnostics(object) {
        finding.note_push(unresolved(diagnostic));
    }
    finding
}

/// `None` when it is not an object with a `checkId`.
fn read(value: &Value) -> Option<Reported<'_>> {
    let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
    let check_id = value.get("checkId")?.as_str()?;
    Some(Reported {
        check_id,
        severity: match text("severity") {
            "info" | "note" | "low" => Severity::Info,
            "warn" | "warning" | "medium" => Severity::Warn,
            // `critical`, and whatever a later version may add: not hidden.
            _ => Severity::Critical,
        },
        title: Some(text("title"))
            .filter(|title| !title.is_empty())
            .unwrap_or(check_id),
        detail: text("detail"),
        remediation: text("remediation"),
    })
}

/// An audit has no requirements: a rule that names one is for somebody else.
fn act(finding: &Reported<'_>, rules: &[Rule]) -> Option<RuleAct> {
    let matches = |rule: &&Rule| rule.check_id == finding.check_id && rule.requirement.is_none();
    rules.iter().find(matches).map(|rule| rule.act)
}

fn headline(worst: &Reported<'_>, counted: usize) -> String {
    let mut headline = first_line(worst.title).to_owned();
    if let Some(folder) = worst.skill_folder() {
        headline.push_str(": ");
        headline.push_str(folder);
    }
    match counted {
        1 => headline,
        several => format!("{headline} (+{} more)", several - 1),
    }
}

fn nothing_counted(noted: usize) -> String {
    match noted {
        0 => "nothing against it".to_owned(),
        1 => "nothing that counts, 1 note".to_owned(),
        several => format!("nothing that counts, {several} notes"),
    }
}

fn diagnostics(object: &Object) -> impl Iterator<Item = &str> {
    let listed = object.get("secretDiagnostics").and_then(Value::as_array);
    listed
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .take(DIAGNOSTICS_MAX)
}

/// Where and why, of what `failed to resolve gateway.auth.token locally (Unexpected token …)` says. Not in its own words:
/// of a file of secrets that is not JSON they quote the beginning.
fn unresolved(diagnostic: &str) -> String {
    let named = |mark: &str| diagnostic.split_once(mark)?.1.split(' ').next();
    let is_path = |path: &&str| path.contains('.') && !path.contains(['"', '(', '`']);
    match named("failed to resolve ").filter(is_path) {
        Some(path) => format!("a secret was not resolved: {path} {}", secrets::reason(diagnostic)),
        None => format!("a secret was not resolved: it {}", secrets::reason(diagnostic)),
    }
}

impl<'a> Reported<'a> {
    fn is_of_a_skill(&self) -> bool {
        self.check_id == SKILL_CODE
    }

    /// Where the flagged skill is.
    fn skill_folder(&self) -> Option<&'a str> {
        let line = self.detail.lines().next().filter(|_| self.is_of_a_skill())?;
        let folder = line.split_once(UNDER)?.1.trim_end_matches(':');
        (!folder.is_empty()).then_some(folder)
    }

    /// The title, what was seen, and the first line of what to do.
    fn story(&self) -> String {
        let mut story = self.title.to_owned();
        if !self.detail.is_empty() {
            story.push_str(": ");
            story.push_str(self.detail);
        }
        if !self.remediation.is_empty() {
            story.push_str(" fix: ");
            story.push_str(first_line(self.remediation));
        }
        story
    }

    fn remark(&self) -> String {
        match first_line(self.detail) {
            "" => first_line(self.title).to_owned(),
            detail => format!("{}: {detail}", first_line(self.title)),
        }
    }
}
