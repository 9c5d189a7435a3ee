//! Shell: `readyd check`: ask everything once and say the verdict with the exit code.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use crate::config::Config;
use crate::daemon::oneshot;
use crate::http::body;
use crate::probe::declaration::Scope;
use crate::readiness::snapshot::{CheckView, Snapshot};
use crate::words::{CountsAs, Level, ProbeName, TenantName, Verdict};

use super::arguments::{Check, Format, Place};
use super::config;
use super::daemon::Daemon;
use super::progress::Progress;
use super::screen;
use super::sheet::{Sheet, Span};
use super::table::{Column, Fit, Table};
use super::view::{items, text};
use super::{CHECK_UNKNOWN, Outcome};

/// Lines of one reason, or of what to do; `readyd probe run` has all of it.
const LINES_MAX: usize = 4;
const NOTHING_AGAINST: &str = "nothing to say against it";

pub fn run(place: &Place, options: &Check) -> Outcome {
    if options.daemon {
        return from_daemon(place, options);
    }
    let mut config = Config::clone(&config::loaded(place)?.config);
    narrow(&mut config, options)?;
    let mut progress = Progress::of(&config, format(options));
    let snapshot = oneshot::ask_all(config, &config::options(place), |standing| progress.show(standing))?;
    drop(progress);
    match format(options) {
        Format::Json => print!("{}", String::from_utf8_lossy(&body::status(&snapshot))),
        Format::Text => print!(
            "{}",
            drawn(&snapshot, screen::stdout().width()).text(screen::stdout().coloured)
        ),
        Format::Nagios => println!("{}", nagios(&snapshot)),
    }
    Ok(ExitCode::from(exit_code(&snapshot)))
}

/// What the running daemon says, with the same exit codes; its `starting` and `draining` are critical, as
/// they are for a load balancer.
fn from_daemon(place: &Place, options: &Check) -> Outcome {
    if options.probe.is_some() {
        bail!("--daemon answers for the node or a tenant; ask one check with `readyd explain`");
    }
    let target = match &options.tenant {
        Some(tenant) => format!("/ready/{tenant}"),
        None => "/ready".to_string(),
    };
    let answer = Daemon::find(place)?.get(&target)?;
    let body: Value = serde_json::from_slice(&answer.body).context("the daemon's answer")?;
    let Some(verdict) = body["status"].as_str().and_then(Verdict::parse) else {
        match (answer.status, &options.tenant) {
            (404, Some(tenant)) => bail!("{tenant} is not a tenant of this node; `readyd status` lists them"),
            _ => bail!("the daemon's answer has no verdict"),
        }
    };
    let code = match (answer.status, verdict) {
        (503, _) | (_, Verdict::Down) => 2,
        (_, Verdict::Degraded) => 1,
        (_, Verdict::Ok) => 0,
    };
    match format(options) {
        Format::Json => println!("{body:#}"),
        Format::Text => print!(
            "{}",
            Sheet::of_lines(&drawn_answer(&body)).text(screen::stdout().coloured)
        ),
        Format::Nagios => println!("{}", nagios_answer(code, &body)),
    }
    Ok(ExitCode::from(code))
}

/// The phase when the daemon is not serving, else the verdict: what a load balancer goes by.
fn state_of(body: &Value) -> String {
    match body["phase"].as_str() {
        Some(phase @ ("starting" | "draining")) => phase.to_owned(),
        _ => text(&body["status"]),
    }
}

fn drawn_answer(body: &Value) -> String {
    let mut out = format!("{}  {}\n", state_of(body), text(&body["node"]));
    for reason in items(&body["reasons"]) {
        out.push_str(&format!("  - {}\n", text(reason)));
    }
    out
}

fn nagios_answer(code: u8, body: &Value) -> String {
    let state = state_of(body);
    let reason = match body["reasons"][0].as_str() {
        // A verdict is said by the code, and a reason may begin with the phase itself.
        Some(reason) if Verdict::parse(&state).is_some() || reason.starts_with(&state) => reason.to_owned(),
        Some(reason) => format!("{state}: {reason}"),
        None if Verdict::parse(&state).is_some() => NOTHING_AGAINST.to_owned(),
        None => state,
    };
    let figures = ["checks_ok", "checks_total"].map(|name| format!("{name}={}", body[name].as_u64().unwrap_or(0)));
    nagios_line(code, &reason, &figures)
}

fn format(options: &Check) -> Format {
    if options.json { Format::Json } else { options.format }
}

/// Leaves only what was asked for.
fn narrow(config: &mut Config, options: &Check) -> anyhow::Result<()> {
    if let Some(name) = &options.tenant {
        let known = TenantName::parse(name).filter(|tenant| config.tenants.contains_key(tenant));
        let Some(tenant) = known else {
            let names: Vec<&str> = config.tenants.keys().map(TenantName::as_str).collect();
            bail!("{name} is not a tenant of this node; it has: {}", names.join(", "));
        };
        config.tenants.retain(|known, _| *known == tenant);
    }
    if let Some(name) = &options.probe {
        let known = ProbeName::parse(name).filter(|probe| config.probes.contains_key(probe));
        let Some(probe) = known else {
            bail!("{name} is not a probe of this configuration; `readyd probe list` shows them");
        };
        config.probes.retain(|known, _| *known == probe);
        // Asked about things of the node alone: that no gateway is watched is not an answer to it.
        config.no_tenants_on_purpose |= config.probes.values().all(|probe| probe.scope == Scope::Node);
        answerable(config, &probe)?;
    }
    Ok(())
}

/// Whether asking once can say anything of this probe: with nothing to ask, the verdict would be an empty ok.
fn answerable(config: &Config, name: &ProbeName) -> anyhow::Result<()> {
    let checks = config.checks();
    if checks.is_empty() && !config.tenants.is_empty() {
        bail!("{name} is off in this configuration; `readyd probe list` shows what is asked");
    }
    if checks.values().any(|probe| oneshot::only_a_daemon_knows(&probe.asks)) {
        bail!("only a running daemon can answer {name}: `readyd explain {name}`");
    }
    Ok(())
}

/// 0/1/2 by the verdict; 3 when nothing worse than ignorance made it degraded.
fn exit_code(snapshot: &Snapshot) -> u8 {
    match snapshot.verdict {
        Verdict::Ok => 0,
        Verdict::Down => 2,
        Verdict::Degraded => {
            let known = |check: &&CheckView| check.counts_as == CountsAs::Degraded && check.level == Level::Degraded;
            let ignorance = snapshot.checks.iter().any(|check| check.level == Level::Unknown);
            if ignorance && !snapshot.checks.iter().any(|check| known(&check)) {
                CHECK_UNKNOWN
            } else {
                1
            }
        }
    }
}

fn drawn(snapshot: &Snapshot, width: Option<usize>) -> Sheet {
    let mut sheet = Sheet::new(width);
    let mut table = Table::new([
        Column::new("LEVEL", Fit::Kept),
        Column::new("CHECK", Fit::Cut),
        Column::new("SUMMARY", Fit::Cut),
    ]);
    for check in &snapshot.checks {
        table.row([
            Span::state(check.level.as_str()),
            check.id.to_string().into(),
            check.summary.as_str().into(),
        ]);
    }
    table.draw(&mut sheet);
    sheet.gap();
    let verdict = snapshot.verdict.as_str();
    sheet.line([Span::state(verdict), format!("  {}", snapshot.node).into()]);
    for reason in &snapshot.reasons {
        sheet.paragraph("  -".into(), 4, &reason.text.as_str().into(), LINES_MAX);
        if !reason.hint.is_empty() {
            let hint = reason.hint.strip_prefix("Run: ").unwrap_or(&reason.hint);
            sheet.paragraph("    next:".into(), 10, &hint.into(), LINES_MAX);
        }
    }
    sheet
}

fn nagios(snapshot: &Snapshot) -> String {
    let reason = snapshot
        .reasons
        .first()
        .map_or(NOTHING_AGAINST, |reason| reason.text.as_str());
    let count = |level: Level| snapshot.checks.iter().filter(|check| check.level == level).count();
    let figures = Level::ALL.map(|level| format!("{level}={}", count(level)));
    nagios_line(exit_code(snapshot), reason, &figures)
}

/// `STATE - reason | perfdata`, as the Nagios plugins' guidelines ask: one line, and the only `|` is that one.
fn nagios_line(code: u8, reason: &str, figures: &[String]) -> String {
    let state = match code {
        0 => "OK",
        1 => "WARNING",
        2 => "CRITICAL",
        _ => "UNKNOWN",
    };
    let reason = reason.replace('|', "/").replace(['\n', '\r'], " ");
    format!("READYD {state} - {reason} | {}", figures.join(" "))
}

/// One check with all it found, for `probe run`.
pub fn found(check: &CheckView) -> Value {
    let finding = check.finding.as_deref();
    json!({
        "check": check.id.probe.as_str(),
        "tenant": check.id.tenant.as_ref().map(TenantName::as_str),
        "level": check.level.as_str(),
        "summary": check.summary,
        "evidence": finding.map(|finding| &finding.evidence),
        "notes": finding.map(|finding| &finding.notes),
        "measurements": finding.map(|finding| &finding.measurements),
        "cost": check.cost.map(|cost| json!({
            "wall_seconds": cost.wall.as_secs_f64(),
            "cpu_seconds": cost.cpu.as_secs_f64(),
            "peak_rss_bytes": cost.peak_rss_bytes,
        })),
        "hint": check.hint,
    })
}
