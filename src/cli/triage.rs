//! Shell: `readyd triage`: walks a tenant's checks in the order of triage, and says where to look first.
//!
//! The order is that of the users' articles: "when something misbehaves, triage in this order: directory drift,
//! version skew, probe JSON, token overlap", and "only then open vendor tickets". What explains something else is
//! looked at before its symptoms, wherever they stand: a symptom is never the place to begin.

use std::process::ExitCode;

use anyhow::bail;
use serde_json::{Value, json};

use super::arguments::{Place, Triage};
use super::daemon::{Daemon, encoded};
use super::screen;
use super::sheet::Sheet;
use super::view::{check_name, items, text};
use super::{CHECK_UNKNOWN, Outcome};

/// The articles' steps with their probes. What is in none of them comes last, in [`REST`].
const STEPS: [(&str, &[&str]); 4] = [
    ("drift", &["fragments", "config"]),
    ("version", &["version-lock", "stale-process"]),
    (
        "probes",
        &["gateway", "gateway-link", "doctor", "disk", "write", "queue"],
    ),
    ("tokens", &["secrets", "token-rotation"]),
];
const REST: &str = "the rest";
/// Lines of evidence that a check shows here; `readyd explain` has all of them.
const EVIDENCE_MAX: usize = 3;

pub fn run(place: &Place, options: &Triage, as_json: bool) -> Outcome {
    let daemon = Daemon::find(place)?;
    let tenant = &options.tenant;
    let ready = daemon.get(&format!("/ready/{}", encoded(tenant)))?;
    if ready.status == 404 {
        bail!("{tenant} is not a tenant of this node; `readyd status` lists them");
    }
    let ready: Value = serde_json::from_slice(&ready.body)?;
    let all = daemon.json("/v1/checks")?;
    let mut checks = Vec::new();
    for check in items(&all["checks"]).filter(|check| concerns(check, tenant)) {
        checks.push(if is_ok(check) {
            check.clone()
        } else {
            detail(&daemon, check)?
        });
    }
    let walk = Walk::over(tenant, &ready, checks);
    if as_json {
        println!("{:#}", walk.json());
    } else {
        print!("{}", Sheet::of_lines(&walk.drawn()).text(screen::stdout().coloured));
    }
    Ok(ExitCode::from(walk.exit_code()))
}

/// The tenant's own, and those of the node that it stands on.
fn concerns(check: &Value, tenant: &str) -> bool {
    check["tenant"].is_null() || check["tenant"] == tenant
}

/// What it found; as it was listed where it has gone since (another configuration came).
fn detail(daemon: &Daemon, check: &Value) -> anyhow::Result<Value> {
    let mut target = format!("/v1/checks/{}", encoded(&text(&check["check"])));
    if let Some(tenant) = check["tenant"].as_str() {
        target.push_str(&format!("/{}", encoded(tenant)));
    }
    let answer = daemon.get(&target)?;
    if answer.status == 404 {
        return Ok(check.clone());
    }
    Ok(serde_json::from_slice(&answer.body)?)
}

/// What a check, or a step of several, comes to. The worse the later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    /// No check asks this here.
    NotAsked,
    Ok,
    /// Pending, or could not be asked.
    NotKnown,
    /// Something else is the matter, and explains it.
    Symptom,
    Wrong,
}

/// The steps of one tenant with their checks, and the one to look at first.
#[derive(Debug)]
struct Walk {
    tenant: String,
    /// What makes its answer another than its checks do: a drain, a start, maintenance.
    beside: Vec<String>,
    steps: Vec<Step>,
    /// Step and check.
    first: Option<(usize, usize)>,
}

#[derive(Debug)]
struct Step {
    name: &'static str,
    /// As the daemon describes them, in the order in which they are looked at.
    checks: Vec<Value>,
}

impl Walk {
    /// Over checks in the daemon's order: the worst first. `ready`: what `/ready/T` says.
    fn over(tenant: &str, ready: &Value, checks: Vec<Value>) -> Walk {
        let mut rest = checks;
        let mut steps = Vec::new();
        for (name, probes) in STEPS {
            let mut checks = Vec::new();
            for probe in probes {
                let (taken, left) = rest.into_iter().partition(|check| check["check"] == *probe);
                rest = left;
                checks.extend::<Vec<Value>>(taken);
            }
            steps.push(Step { name, checks });
        }
        steps.push(Step {
            name: REST,
            checks: rest,
        });
        let mut walk = Walk {
            tenant: tenant.to_owned(),
            beside: beside(ready, tenant),
            steps,
            first: None,
        };
        walk.first = walk.worst_in_order();
        walk
    }

    /// In the first step with something wrong, what counts most there; where nothing is wrong, the first that is
    /// not known.
    fn worst_in_order(&self) -> Option<(usize, usize)> {
        [State::Wrong, State::NotKnown].into_iter().find_map(|wanted| {
            let places = |step: &Step| {
                let found = step.checks.iter().enumerate();
                let found = found.filter(|(_, check)| state(check) == wanted);
                // Of equals the first.
                found.rev().max_by_key(|(_, check)| weight(check)).map(|(at, _)| at)
            };
            let mut steps = self.steps.iter().enumerate();
            steps.find_map(|(at, step)| Some((at, places(step)?)))
        })
    }

    fn all(&self) -> impl Iterator<Item = &Value> {
        self.steps.iter().flat_map(|step| &step.checks)
    }

    /// As `check`'s: 2 when something counts as down, 1 when something is wrong, 3 when something is not known.
    fn exit_code(&self) -> u8 {
        let any = |wanted| self.all().any(|check| state(check) == wanted);
        if self.all().any(|check| check["counts_as"] == "down") {
            2
        } else if any(State::Wrong) || any(State::Symptom) {
            1
        } else if any(State::NotKnown) {
            CHECK_UNKNOWN
        } else {
            0
        }
    }

    fn look_first_at(&self) -> String {
        let check = self.first.map(|(step, check)| &self.steps[step].checks[check]);
        let Some(check) = check else {
            let asked = self.all().count();
            return match asked {
                0 => "nothing is asked of this tenant".to_owned(),
                _ => format!("nothing: {asked} of {asked} checks are ok"),
            };
        };
        let known = match state(check) {
            State::NotKnown => " (nothing is known to be wrong, and this is not known)",
            _ => "",
        };
        let symptoms = check["explains_total"].as_u64().unwrap_or(0);
        let symptoms = match symptoms {
            0 => String::new(),
            count => format!(" (explains {count} more)"),
        };
        format!("{}: {}{symptoms}{known}", check_name(check), text(&check["summary"]))
    }

    fn drawn(&self) -> String {
        let mut out = String::new();
        for (at, step) in self.steps.iter().enumerate() {
            let first = self.first.filter(|(first, _)| *first == at).map(|(_, check)| check);
            out.push_str(&step.drawn(at + 1, first));
        }
        for said in &self.beside {
            out.push_str(&format!("\n{said}"));
        }
        out.push_str(&format!("\nlook first at: {}{}\n", self.look_first_at(), self.next()));
        out
    }

    /// `; next: openclaw doctor`: on the line that is read, wherever the step stands.
    fn next(&self) -> String {
        let first = self.first.map(|(step, check)| &self.steps[step].checks[check]);
        match first.and_then(|check| check["hint"].as_str()) {
            Some(hint) if !hint.is_empty() => format!("; next: {}", hint.strip_prefix("Run: ").unwrap_or(hint)),
            _ => String::new(),
        }
    }

    fn json(&self) -> Value {
        let steps = self.steps.iter().enumerate().map(|(at, step)| {
            json!({
                "step": step.name,
                "state": step.state().as_str(),
                "first": self.first.is_some_and(|(first, _)| first == at),
                "checks": step.checks,
            })
        });
        let first = self
            .first
            .map(|(step, check)| check_name(&self.steps[step].checks[check]));
        json!({
            "tenant": self.tenant,
            "beside": self.beside,
            "steps": steps.collect::<Vec<_>>(),
            "first": first,
            "look_first_at": self.look_first_at(),
            "exit_code": self.exit_code(),
        })
    }
}

impl Step {
    fn state(&self) -> State {
        self.checks.iter().map(state).max().unwrap_or(State::NotAsked)
    }

    /// `first`: which of its checks is to be looked at first of all.
    fn drawn(&self, number: usize, first: Option<usize>) -> String {
        let mark = if first.is_some() { "  <- first" } else { "" };
        let oks = self.checks.iter().filter(|check| is_ok(check)).map(check_name);
        let oks = oks.collect::<Vec<_>>().join(", ");
        let mut out = format!("{number}. {}: {}", self.name, self.state().as_str());
        if !oks.is_empty() {
            let which = match self.state() {
                State::Ok => oks,
                _ => format!("ok: {oks}"),
            };
            out.push_str(&format!(" ({which})"));
        }
        out.push_str(mark);
        out.push('\n');
        for (at, check) in self.checks.iter().enumerate().filter(|(_, check)| !is_ok(check)) {
            out.push_str(&one(check, first == Some(at)));
        }
        out
    }
}

impl State {
    const fn as_str(self) -> &'static str {
        match self {
            State::NotAsked => "not asked",
            State::Ok => "ok",
            State::NotKnown => "not known",
            State::Symptom => "symptoms only",
            State::Wrong => "wrong",
        }
    }
}

/// What no check says: why the answer is 503 all the same, or is not although something is wrong; and what is wrong with
/// asking rather than with the tenant.
fn beside(ready: &Value, tenant: &str) -> Vec<String> {
    let faults = items(&ready["reasons"])
        .map(text)
        .filter(|reason| reason.starts_with("probe_fault: "));
    let mut said: Vec<String> = faults
        .map(|fault| format!("{fault}: the same of every tenant, so mend the asking before the tenant"))
        .collect();
    if let Some(phase @ ("starting" | "draining")) = ready["phase"].as_str() {
        let reason = ready["reasons"][0].as_str().unwrap_or_default();
        said.push(format!(
            "{tenant} is {phase}, and answers 503 whatever its checks say: {reason}"
        ));
    }
    if let Some(until) = ready["maintenance"][tenant]["until"].as_str() {
        said.push(format!(
            "{tenant} is in maintenance until {until}: its findings count nothing"
        ));
    }
    said
}

fn is_ok(check: &Value) -> bool {
    state(check) == State::Ok
}

/// By level, so that maintenance hides nothing here; but long silence that counts as down is as bad as that.
fn state(check: &Value) -> State {
    let level = check["level"].as_str().unwrap_or_default();
    match level {
        "ok" => State::Ok,
        _ if check["cause"].is_string() => State::Symptom,
        "degraded" | "down" => State::Wrong,
        _ if check["counts_as"] == "down" => State::Wrong,
        _ => State::NotKnown,
    }
}

/// What it counts as, then its level.
fn weight(check: &Value) -> (u8, u8) {
    let of = |value: &Value| match value.as_str() {
        Some("down") => 2,
        Some("degraded") => 1,
        _ => 0,
    };
    (of(&check["counts_as"]), of(&check["level"]))
}

/// A check that is not ok; in full when it is the first to look at, or a cause of its own.
fn one(check: &Value, is_first: bool) -> String {
    let mark = if is_first { "=>" } else { "  " };
    let mut out = format!(
        "{mark} {}  {}: {}\n",
        text(&check["level"]),
        check_name(check),
        text(&check["summary"])
    );
    if state(check) == State::Symptom {
        let cause = check["causes"][0].as_str().or(check["cause"].as_str());
        out.push_str(&format!("     explained by {}\n", cause.unwrap_or_default()));
        return out;
    }
    let seen = items(&check["evidence"]).map(|fact| (text(&fact["what"]), text(&fact["seen"])));
    for (what, seen) in seen.take(EVIDENCE_MAX) {
        out.push_str(&format!("     {what}: {}\n", seen.lines().next().unwrap_or_default()));
    }
    if let Some(hint) = check["hint"].as_str().filter(|hint| !hint.is_empty()) {
        out.push_str(&format!("     next: {hint}\n"));
    }
    if let Some(command) = check["known_good"].as_str() {
        out.push_str(&format!("     known good: {command}\n"));
    }
    out
}

#[cfg(test)]
mod tests;
