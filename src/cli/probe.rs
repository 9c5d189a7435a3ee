//! Shell: `readyd probe`: what is asked, and one check asked once.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::config::units::write_duration;
use crate::config::{Config, show};
use crate::daemon::oneshot;
use crate::probe::declaration::Scope;
use crate::words::{CheckId, Level, ProbeName};

use super::arguments::{Place, Probe};
use super::check::found;
use super::config;
use super::table::columns;
use super::view::{evidence, items, text};
use super::{CHECK_UNKNOWN, Outcome};

pub fn run(place: &Place, command: &Probe, as_json: bool) -> Outcome {
    let config = Config::clone(&config::loaded(place)?.config);
    match command {
        Probe::List if as_json => {
            let all: Vec<Value> = config.probes.values().map(|probe| show::probe(probe)).collect();
            println!("{:#}", Value::from(all));
            Ok(ExitCode::SUCCESS)
        }
        Probe::List => {
            print!("{}", listed(&config));
            Ok(ExitCode::SUCCESS)
        }
        Probe::Show { probe } => {
            let probe = ProbeName::parse(probe)
                .and_then(|name| config.probes.get(&name))
                .with_context(|| {
                    format!("{probe} is not a probe of this configuration; `readyd probe list` shows them")
                })?;
            let shown = show::probe(probe);
            if as_json {
                println!("{shown:#}");
            } else {
                print!("{}", show::to_yaml(&shown));
            }
            Ok(ExitCode::SUCCESS)
        }
        Probe::Run { check } => ask(config, place, check, as_json),
    }
}

fn ask(mut config: Config, place: &Place, name: &str, as_json: bool) -> Outcome {
    let check = CheckId::parse(name).with_context(|| format!("{name:?} is not a check: say PROBE or PROBE@TENANT"))?;
    if let Some(probe) = config.probes.get(&check.probe)
        && oneshot::only_a_daemon_knows(&probe.asks)
    {
        eprintln!("readyd: only the running daemon knows {check}: say `readyd explain {check}`");
        return Ok(ExitCode::from(CHECK_UNKNOWN));
    }
    let checks = config.checks();
    if !checks.contains_key(&check) {
        let known: Vec<String> = checks
            .keys()
            .filter(|known| known.probe == check.probe)
            .map(CheckId::to_string)
            .collect();
        bail!(
            "there is no check {check} here; {}",
            match known.as_slice() {
                [] => "`readyd probe list` shows the probes".to_string(),
                known => format!("of this probe there are: {}", known.join(", ")),
            }
        );
    }
    config.probes.retain(|probe, _| *probe == check.probe);
    if let Some(tenant) = &check.tenant {
        config.tenants.retain(|known, _| known == tenant);
    }
    let snapshot = oneshot::ask_all(config, &config::options(place), |_| {})?;
    let view = snapshot
        .checks
        .iter()
        .find(|view| view.id == check)
        .with_context(|| format!("{check} was not answered"))?;
    let answer = found(view);
    if as_json {
        println!("{answer:#}");
    } else {
        print!("{}", drawn(view.level, &answer));
    }
    Ok(ExitCode::from(match view.level {
        Level::Ok => 0,
        Level::Degraded => 1,
        Level::Down => 2,
        Level::Unknown | Level::Pending => CHECK_UNKNOWN,
    }))
}

fn drawn(level: Level, answer: &Value) -> String {
    let mut out = format!("{level}  {}\n", text(&answer["summary"]));
    out.push_str(&evidence(answer));
    for measurement in items(&answer["measurements"]) {
        out.push_str(&format!(
            "  {} {} = {}\n",
            text(&measurement["name"]),
            text(&measurement["subject"]),
            measurement["value"]
        ));
    }
    if answer["cost"]["cpu_seconds"]
        .as_f64()
        .is_some_and(|seconds| seconds > 0.0)
    {
        out.push_str(&format!("  cost: {}\n", answer["cost"]));
    }
    if level != Level::Ok && !text(&answer["hint"]).is_empty() {
        out.push_str(&format!("  next: {}\n", text(&answer["hint"])));
    }
    out
}

fn listed(config: &Config) -> String {
    let mut rows = vec![
        ["PROBE", "KIND", "LAYER", "SCOPE", "EVERY", "WORST", "TITLE"]
            .map(String::from)
            .to_vec(),
    ];
    rows.extend(config.probes.values().map(|probe| {
        vec![
            probe.name.to_string(),
            probe.asks.kind().to_string(),
            probe.layer.to_string(),
            scope(probe.scope).to_string(),
            if probe.enabled {
                write_duration(probe.every)
            } else {
                "off".into()
            },
            probe.worst.to_string(),
            probe.title.clone(),
        ]
    }));
    columns(&rows)
}

fn scope(scope: Scope) -> &'static str {
    match scope {
        Scope::Tenant => "tenant",
        Scope::Node => "node",
        Scope::Both => "both",
    }
}
