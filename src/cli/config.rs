//! Shell: `readyd config`: what is wrong, what is in force, and where a value comes from.

mod fragments;

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use anyhow::{Context as _, anyhow};
use serde_json::{Value, json};

use crate::config::load::{self, Loaded, Options};
use crate::config::{schema, show};
use crate::http::pair::Pair;
use crate::http::token::TokenFile;
use crate::probe::declaration::Asks;
use crate::probe::runner;
use crate::words::text::counted;
use crate::words::{ProbeName, TenantName};
use crate::{clock, config::problem::Problems};

use super::Outcome;
use super::arguments::{Config, Place};

pub fn run(place: &Place, command: &Config, as_json: bool) -> Outcome {
    match command {
        Config::Check => check(place, as_json),
        Config::Show => {
            let shown = shown(place)?;
            if as_json {
                println!("{shown:#}");
            } else {
                print!("{}", show::to_yaml(&shown));
            }
            Ok(ExitCode::SUCCESS)
        }
        Config::Explain { tenant, key } => explain(place, tenant, key, as_json),
        Config::Hash { tenant } => fragments::hash(place, tenant.as_deref(), as_json),
        Config::Promote { directory, tenant } => fragments::promote(place, directory, tenant.as_deref(), as_json),
        Config::Rollback { tenant } => fragments::rollback(place, tenant, as_json),
        Config::Schema { probe } => {
            let schema = match probe {
                true => schema::declaration_schema(),
                false => schema::config_schema(),
            };
            println!("{schema:#}");
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// The configuration of this command line.
///
/// # Errors
/// Every problem of every file, each with its place.
pub fn loaded(place: &Place) -> anyhow::Result<Loaded> {
    load::load(&options(place), clock::instant()).map_err(told)
}

/// What the environment and `--config` say.
pub fn options(place: &Place) -> Options {
    Options::from_environment(place.config.clone())
}

/// The configuration in force, every default filled in; it names secrets' files, never their content.
pub fn shown(place: &Place) -> anyhow::Result<Value> {
    Ok(show::show(&loaded(place)?.config))
}

fn check(place: &Place, as_json: bool) -> Outcome {
    let config = match load::load(&options(place), clock::instant()) {
        Ok(loaded) => loaded.config,
        Err(problems) if as_json => {
            println!("{:#}", refused(&problems));
            return Ok(ExitCode::FAILURE);
        }
        Err(problems) => return Err(told(problems)),
    };
    let mut report = config.report();
    report.warnings.extend(not_startable(&config));
    let tenants = counted(config.tenants.len(), "tenant");
    let checks = counted(report.checks.len(), "check");
    // Files that the daemon alone need be able to read, and that nobody but `check` asks for here.
    match config.tls.as_ref().map(Pair::read) {
        Some(Ok(pair)) => report.warnings.extend(pair.remarks(clock::wall())),
        Some(Err(why)) => report.errors.push(why),
        None => {}
    }
    if !config.listen.ip().is_loopback() {
        let mut token = TokenFile::default();
        let refused = token.refresh(config.token_file.as_deref()).err();
        report.warnings.extend(refused.or_else(|| token.remark()));
    }
    if as_json {
        let checks: Vec<Value> = report
            .checks
            .iter()
            .map(|notice| json!({"check": notice.check.to_string(), "notices_within_seconds": notice.within.as_secs_f64()}))
            .collect();
        println!(
            "{:#}",
            json!({"ok": report.errors.is_empty(), "file": config.path, "problems": [], "errors": report.errors,
                "warnings": report.warnings, "checks": checks})
        );
    } else {
        let file = match &config.path {
            Some(path) => path.display().to_string(),
            None => "the embedded default, since there is no file".to_owned(),
        };
        let judged = match report.errors.len() {
            0 => "valid".to_owned(),
            errors => counted(errors, "error"),
        };
        println!("{file}: {judged}; {tenants}, {checks}");
        print!("{report}");
    }
    Ok(ExitCode::from(u8::from(!report.errors.is_empty())))
}

/// What `config check --json` says of a file that is not valid: of each problem its place, the key and what is wrong.
fn refused(problems: &Problems) -> Value {
    let list: Vec<Value> = problems
        .iter()
        .map(|problem| {
            // Line 0 is the file as a whole.
            let line = Some(problem.place.line).filter(|line| *line > 0);
            json!({"file": &*problem.place.file, "line": line, "key": problem.key, "message": problem.message})
        })
        .collect();
    let errors: Vec<String> = problems.iter().map(ToString::to_string).collect();
    json!({"ok": false, "problems": list, "errors": errors, "warnings": [], "checks": []})
}

/// Programs that checks start and that are not there, each with the probes that want it. Another host may have them, so
/// that they are no errors.
fn not_startable(config: &crate::config::Config) -> Vec<String> {
    let mut missing: BTreeMap<String, BTreeSet<ProbeName>> = BTreeMap::new();
    for (check, probe) in config.checks() {
        let Asks::Exec(exec) = &probe.asks else { continue };
        let program = match exec.command.first() {
            Some(program) => program,
            None => &config.openclaw.command,
        };
        if let Err(why) = runner::resolve(program, &config.exec.path) {
            missing.entry(why.to_string()).or_default().insert(check.probe);
        }
    }
    let told = missing.into_iter().map(|(why, probes)| {
        let probes: Vec<&str> = probes.iter().map(ProbeName::as_str).collect();
        format!("{why}; until then unknown: {}", probes.join(", "))
    });
    told.collect()
}

fn explain(place: &Place, tenant: &str, key: &str, as_json: bool) -> Outcome {
    let loaded = loaded(place)?;
    let name = TenantName::parse(tenant).with_context(|| format!("{tenant:?} is not a tenant name"))?;
    let origins = loaded
        .sources
        .explain(&loaded.config, &name, key)
        .map_err(|why| anyhow!(why))?;
    if as_json {
        let all: Vec<Value> = origins
            .iter()
            .map(|origin| json!({"key": origin.key, "value": origin.value, "set_by": origin.set_by}))
            .collect();
        println!("{:#}", Value::from(all));
        return Ok(ExitCode::SUCCESS);
    }
    for origin in origins {
        println!("{} = {}  ({})", origin.key, origin.value, origin.set_by);
    }
    Ok(ExitCode::SUCCESS)
}

fn told(problems: Problems) -> anyhow::Error {
    anyhow!("the configuration is not valid:\n{problems}")
}
