//! Why a node or a tenant is what it is: reasons worst first, symptoms folded under their cause, and what to do. Pure.

use std::collections::BTreeMap;

use serde_json::Value;

use super::moment::Moments;
use super::sheet::{Sheet, Span, Tone};
use super::view::{check_name, items, text};

/// Reasons that are shown before the rest is counted.
const SHOWN_MAX: usize = 8;
/// Lines of one reason; `readyd explain` has all of it.
const LINES_MAX: usize = 3;
/// Symptoms that are named before the rest is counted.
const SYMPTOMS_MAX: usize = 4;
/// The column beside levels: `degraded` and a gap.
pub const INDENT: usize = 10;
const FAULT: &str = "probe_fault: ";

/// One line of why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reason {
    pub severity: String,
    pub text: String,
    /// The check that gives it; empty for reasons of the node or a tenant itself.
    pub check: String,
    /// Checks that it explains.
    pub symptoms: Vec<String>,
    pub hint: String,
    /// RFC 3339.
    pub since: String,
}

/// Of the node, as the daemon folded them. Drains and maintenance are told apart from them, with their times.
pub fn of_node(status: &Value) -> Vec<Reason> {
    let since: BTreeMap<String, &Value> = items(&status["checks"])
        .map(|check| (check_name(check), &check["since"]))
        .collect();
    let reasons = items(&status["why"]).filter(|reason| !is_operation(reason));
    reasons
        .map(|reason| {
            let check = text(&reason["check"]);
            let symptoms: Vec<String> = items(&reason["symptoms"]).map(text).collect();
            let counted = format!(" (explains {} more)", symptoms.len());
            let said = text(&reason["text"]);
            Reason {
                severity: text(&reason["severity"]),
                // They are named below it.
                text: said.strip_suffix(&counted).unwrap_or(&said).to_owned(),
                since: since.get(&check).map(|since| text(since)).unwrap_or_default(),
                symptoms,
                hint: text(&reason["hint"]),
                check,
            }
        })
        .collect()
}

/// Of one tenant: what counts of its own checks and the node's, in the daemon's order.
///
/// The node's reasons are not enough: they leave out what a tenant in maintenance, a drained or an advisory one has.
pub fn of_tenant(status: &Value, tenant: &str) -> Vec<Reason> {
    let suspects: Vec<&Value> = of_answer(status, tenant).filter(|check| counts(check)).collect();
    let at = |name: &str| suspects.iter().position(|check| check_name(check) == name);
    let cause = |check: &Value| {
        let probe = check["cause"].as_str()?;
        at(&format!("{probe}@{tenant}")).or_else(|| at(probe))
    };
    let root = |mut place: usize| {
        // Bounded, whatever a daemon says.
        for _ in 0..suspects.len() {
            match cause(suspects[place]) {
                Some(other) => place = other,
                None => break,
            }
        }
        place
    };
    let roots: Vec<usize> = (0..suspects.len()).map(root).collect();
    let mut reasons = Vec::new();
    for (place, check) in suspects.iter().enumerate().filter(|(place, _)| roots[*place] == *place) {
        let under = (0..suspects.len()).filter(|other| *other != place && roots[*other] == place);
        reasons.push(Reason {
            severity: text(&check["counts_as"]),
            text: format!("{}: {}", text(&check["check"]), text(&check["summary"])),
            check: check_name(check),
            symptoms: under.map(|other| check_name(suspects[other])).collect(),
            hint: text(&check["hint"]),
            since: text(&check["since"]),
        });
    }
    reasons
}

/// The checks that a tenant's answer is made of: its own and the node's.
pub fn of_answer<'a>(status: &'a Value, tenant: &'a str) -> impl Iterator<Item = &'a Value> {
    items(&status["checks"]).filter(move |check| check["tenant"].is_null() || check["tenant"] == tenant)
}

/// Whether a check makes the verdict worse.
pub fn counts(check: &Value) -> bool {
    matches!(check["counts_as"].as_str(), Some("degraded" | "down"))
}

/// All of them, or the worst.
pub fn draw(sheet: &mut Sheet, reasons: &[Reason], moments: &Moments, all: bool) {
    let shown = if all { reasons.len() } else { SHOWN_MAX };
    for reason in reasons.iter().take(shown) {
        let said = Span::new(&reason.text, Tone::Plain);
        sheet.paragraph(Span::state(&reason.severity), INDENT, &said, LINES_MAX);
        let beside = [moments.since(&reason.since), folded(reason)];
        let beside: Vec<&str> = beside
            .iter()
            .map(String::as_str)
            .filter(|said| !said.is_empty())
            .collect();
        if !beside.is_empty() {
            let beside = Span::new(beside.join("; "), Tone::Faint);
            sheet.paragraph(Span::default(), INDENT, &beside, LINES_MAX);
        }
    }
    if let Some(more) = reasons.len().checked_sub(shown).filter(|more| *more > 0) {
        sheet.line([format!("and {more} more (--all)").into()]);
    }
}

/// The next step for the worst of them.
pub fn draw_next(sheet: &mut Sheet, reasons: &[Reason]) {
    let Some(worst) = reasons.first() else { return };
    let explain = match worst.check.is_empty() {
        true => None,
        false => Some(format!("readyd explain {}", worst.check)),
    };
    // A hint is for what the probe looks at, which could not be looked at.
    let is_fault = worst.text.starts_with(FAULT);
    let hint = worst.hint.strip_prefix("Run: ").unwrap_or(&worst.hint);
    let steps = match (hint, explain) {
        ("", None) if worst.text == "no gateway is watched" => {
            vec!["name one under `tenants:` in the configuration, then: readyd reload".to_owned()]
        }
        ("", None) => return,
        ("", Some(explain)) => vec![explain],
        (_, Some(explain)) if is_fault => vec![explain],
        (hint, None) => vec![hint.to_owned()],
        (hint, Some(explain)) => vec![hint.to_owned(), format!("evidence: {explain}")],
    };
    let mut head = Span::new("next:", Tone::Strong);
    for step in steps {
        sheet.paragraph(std::mem::take(&mut head), "next: ".len(), &step.into(), LINES_MAX);
    }
}

/// `explains doctor, secrets and 2 more`.
fn folded(reason: &Reason) -> String {
    if reason.symptoms.is_empty() {
        return String::new();
    }
    let is_fault = reason.text.starts_with(FAULT);
    let tenant = reason.check.split_once('@').map(|(_, tenant)| format!("@{tenant}"));
    let short = |name: &String| match &tenant {
        // Whose they are is said by the reason itself.
        Some(tenant) if !is_fault => name.strip_suffix(tenant.as_str()).unwrap_or(name).to_owned(),
        _ => name.clone(),
    };
    let mut names: Vec<String> = reason.symptoms.iter().map(short).collect();
    if is_fault {
        names.insert(0, reason.check.clone());
    }
    let more = match names.len().saturating_sub(SYMPTOMS_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    names.truncate(SYMPTOMS_MAX);
    let verb = if is_fault { "of" } else { "explains" };
    format!("{verb} {}{more}", names.join(", "))
}

fn is_operation(reason: &Value) -> bool {
    let said = reason["text"].as_str().unwrap_or_default();
    let tenant = reason["tenant"].as_str().map(|tenant| format!("{tenant} is "));
    let said = said.strip_prefix(tenant.as_deref().unwrap_or_default()).unwrap_or(said);
    reason["check"].is_null() && (said.starts_with("drained by ") || said.starts_with("in maintenance by "))
}
