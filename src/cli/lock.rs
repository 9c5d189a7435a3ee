//! Shell: `readyd lock`: what runs against `openclaw.lock`, for deploy scripts, and a lock made from what runs.
//!
//! Needs no daemon: it asks the CLI and each tenant's gateway itself. `check` exits 0 when every entry matches, 1 when
//! one does not, 3 when it cannot be told: a script that reloads on 0 alone never reloads on a guess. A gateway that does
//! not run is no obstacle, since the first start comes after the check.
#![expect(clippy::disallowed_methods, reason = "shell: writes the lock that was asked for")]

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use crate::config;
use crate::link::place::Place as GatewayPlace;
use crate::probe::declaration::{Asks, Lock as Asked};
use crate::probe::exec::Tools;
use crate::probe::kind::lock::{self, Compared, Found, Outcome as Compares, Pins, Running, Seen, Sum, Sums, compare};
use crate::probe::openclaw::Release;
use crate::words::{Cause, ProbeName, TenantName};

use super::arguments::{Lock, LockCheck, LockWrite, Place};
use super::config as configured;
use super::table::columns;
use super::{CHECK_UNKNOWN, Outcome};

/// The probe whose `lock_file` says where the lock is.
const PROBE: &str = "version-lock";
/// For one gateway's answer.
const GATEWAY_WITHIN: Duration = Duration::from_secs(5);

pub fn run(place: &Place, command: &Lock, as_json: bool) -> Outcome {
    let host = Host::of(place)?;
    match command {
        Lock::Check(options) => check(&host, options, as_json),
        Lock::Write(options) => write(&host, options),
    }
}

/// What this command line is about.
struct Host {
    config: Arc<config::Config>,
    tools: Tools,
    asked: Asked,
    places: Vec<PathBuf>,
}

impl Host {
    fn of(place: &Place) -> anyhow::Result<Host> {
        let config = configured::loaded(place)?.config;
        let probe = ProbeName::parse(PROBE).and_then(|name| config.probes.get(&name).cloned());
        let asked = match probe.as_deref().map(|probe| &probe.asks) {
            Some(Asks::Lock(lock)) => lock.clone(),
            _ => Asked::default(),
        };
        Ok(Host {
            tools: Tools::new(&config, &configured::options(place).environment),
            places: lock::places(config.path.as_deref()),
            asked,
            config,
        })
    }

    /// The tenants with their gateways' places: all, or the one that was named.
    fn gateways(&self, only: Option<&str>) -> anyhow::Result<Vec<(TenantName, Option<GatewayPlace>)>> {
        let tenants = &self.config.tenants;
        if let Some(name) = only {
            let known = TenantName::parse(name).filter(|tenant| tenants.contains_key(tenant));
            if known.is_none() {
                let names: Vec<&str> = tenants.keys().map(TenantName::as_str).collect();
                bail!("{name} is not a tenant of this node; it has: {}", names.join(", "));
            }
        }
        let chosen = tenants
            .values()
            .filter(|tenant| only.is_none_or(|only| tenant.name.as_str() == only));
        Ok(chosen.map(|tenant| (tenant.name.clone(), tenant.place())).collect())
    }

    /// Asks the CLI once and every gateway, at the same time.
    fn ask(&self, gateways: Vec<(TenantName, Option<GatewayPlace>)>) -> anyhow::Result<Answers> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let asked = runtime.block_on(async {
            let mut running = tokio::task::JoinSet::new();
            for (tenant, place) in gateways {
                running.spawn(async move { (tenant, lock::gateway(place.as_ref(), None, GATEWAY_WITHIN).await) });
            }
            let cli = lock::exec_release(&self.tools).await;
            let mut gateways = running.join_all().await;
            gateways.sort_by(|one, other| one.0.cmp(&other.0));
            Answers { cli, gateways }
        });
        runtime.shutdown_background();
        Ok(asked)
    }
}

struct Answers {
    cli: Result<Release, (Cause, String)>,
    gateways: Vec<(TenantName, Running)>,
}

fn check(host: &Host, options: &LockCheck, as_json: bool) -> Outcome {
    let gateways = host.gateways(options.tenant.as_deref())?;
    let (path, pins) = match lock::find(&host.asked, &host.places) {
        Found::At(path, pins) => (path, pins),
        Found::Nowhere(places) => {
            let places: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
            return Ok(cannot_tell(
                as_json,
                &format!(
                    "there is no lock at {}; make one: readyd lock write",
                    places.join(" or ")
                ),
            ));
        }
        Found::Malformed(_, why) => return Ok(cannot_tell(as_json, &format!("the lock cannot be used:\n{why}"))),
        Found::Unreadable(path, why) => return Ok(cannot_tell(as_json, &format!("{} {why}", path.display()))),
    };
    let asked = host.ask(gateways)?;
    let files = Sums::default().of_all(pins.checksums.keys().cloned().collect());
    let compared = compared(&pins, &asked, &files);
    let code = exit_code(&compared);
    if as_json {
        let entries: Vec<Value> = compared
            .iter()
            .map(|(tenant, entry)| {
                json!({
                    "tenant": tenant.as_ref().map(TenantName::as_str), "entry": entry.entry,
                    "outcome": word(entry.outcome), "says": entry.says,
                })
            })
            .collect();
        let verdict = ["match", "mismatch"].get(usize::from(code)).unwrap_or(&"unknown");
        println!(
            "{:#}",
            json!({"lock": path.display().to_string(), "verdict": verdict, "compared": entries})
        );
        return Ok(ExitCode::from(code));
    }
    let rows: Vec<Vec<String>> = compared
        .iter()
        .map(|(tenant, entry)| {
            let who = tenant.as_ref().map_or_else(|| "-".to_owned(), TenantName::to_string);
            vec![
                word(entry.outcome).to_owned(),
                who,
                entry.entry.clone(),
                entry.says.clone(),
            ]
        })
        .collect();
    print!("{}", columns(&rows));
    println!("{}: {}", path.display(), sentence(code));
    Ok(ExitCode::from(code))
}

/// What concerns the host once, then each gateway.
fn compared(pins: &Pins, asked: &Answers, files: &[(PathBuf, Sum)]) -> Vec<(Option<TenantName>, Compared)> {
    let seen = |gateway: &Running, files: &[(PathBuf, Sum)]| Seen {
        cli: asked.cli.clone(),
        gateway: gateway.clone(),
        files: files.to_vec(),
    };
    let is_gateways = |entry: &Compared| entry.entry.starts_with("gateway.") || entry.entry == "skew";
    let mut all: Vec<(Option<TenantName>, Compared)> = compare::compare(Some(pins), &seen(&Running::NotRunning, files))
        .into_iter()
        .filter(|entry| !is_gateways(entry))
        .map(|entry| (None, entry))
        .collect();
    for (tenant, gateway) in &asked.gateways {
        let entries = compare::compare(Some(pins), &seen(gateway, &[]));
        let own = entries.into_iter().filter(is_gateways);
        all.extend(own.map(|entry| (Some(tenant.clone()), entry)));
    }
    all
}

fn exit_code(compared: &[(Option<TenantName>, Compared)]) -> u8 {
    let any = |wanted: fn(Compares) -> bool| compared.iter().any(|(_, entry)| wanted(entry.outcome));
    if any(|outcome| outcome == Compares::Differs) {
        1
    } else if any(|outcome| matches!(outcome, Compares::Unknown(_) | Compares::Untold)) {
        CHECK_UNKNOWN
    } else {
        0
    }
}

fn word(outcome: Compares) -> &'static str {
    match outcome {
        Compares::Same => "same",
        Compares::Differs => "differs",
        Compares::Absent => "absent",
        Compares::Untold => "untold",
        Compares::Unknown(_) => "unknown",
    }
}

fn sentence(code: u8) -> &'static str {
    match code {
        0 => "what runs is what the lock wants",
        1 => "what runs is not what the lock wants",
        _ => "it cannot be told whether what runs is what the lock wants",
    }
}

/// A script that reads JSON finds a verdict there too.
fn cannot_tell(as_json: bool, why: &str) -> ExitCode {
    if as_json {
        println!(
            "{:#}",
            json!({"lock": null, "verdict": "unknown", "why": why, "compared": []})
        );
    }
    eprintln!("readyd: {why}");
    ExitCode::from(CHECK_UNKNOWN)
}

fn write(host: &Host, options: &LockWrite) -> Outcome {
    let asked = host.ask(host.gateways(None)?)?;
    let pins = pins_of(&asked, &options.checksum)?;
    let text = format!(
        "# What runs on {}, as readyd found it.\n{}",
        host.config.node,
        pins.render()
    );
    let path = match &options.output {
        Some(path) if path.as_os_str() == "-" => {
            print!("{text}");
            return Ok(ExitCode::SUCCESS);
        }
        Some(path) => path.clone(),
        None => target(host)?,
    };
    put(&path, &text, options.force)?;
    println!("{}", path.display());
    Ok(ExitCode::SUCCESS)
}

/// Where the lock is looked for first.
fn target(host: &Host) -> anyhow::Result<PathBuf> {
    let named = host.asked.file.clone();
    named
        .or_else(|| host.places.first().cloned())
        .context("say where: --output FILE")
}

fn pins_of(asked: &Answers, files: &[PathBuf]) -> anyhow::Result<Pins> {
    let cli = match &asked.cli {
        Ok(cli) => cli.clone(),
        Err((_, why)) => bail!("the CLI cannot be asked: {why}"),
    };
    let mut running: Option<(&TenantName, &String)> = None;
    for (tenant, gateway) in &asked.gateways {
        match (gateway, running) {
            (Running::Runs(runs), Some((first, version))) if *version != runs.version => bail!(
                "gateway {version} of {first} and gateway {} of {tenant} run: a lock pins one version; restart the older one first",
                runs.version
            ),
            (Running::Runs(runs), _) => running = Some((tenant, &runs.version)),
            (other, _) => eprintln!("readyd: the gateway of {tenant} is left out: {}", left_out(other)),
        }
    }
    let mut checksums = std::collections::BTreeMap::new();
    for file in files {
        let path = fs::canonicalize(file).with_context(|| format!("{}", file.display()))?;
        match Sums::default().of_all(vec![path]).pop() {
            Some((path, Sum::Of(sum))) => drop(checksums.insert(path, sum)),
            Some((path, Sum::Unreadable(_, why))) => bail!("{} {why}", path.display()),
            _ => bail!("{}: vanished while it was read", file.display()),
        }
    }
    Ok(Pins {
        cli: cli.version,
        build: cli.build,
        daemon: cli.daemon,
        gateway: running.map(|(_, version)| version.clone()),
        gateway_build: None,
        companion: cli.companion,
        swift: cli.swift,
        checksums,
    })
}

fn left_out(running: &Running) -> String {
    match running {
        Running::Nowhere => "nobody said its port".to_owned(),
        Running::NotRunning => "it does not run".to_owned(),
        Running::Unsaid(why) | Running::Silent(_, why) => why.clone(),
        Running::Runs(_) => String::new(),
    }
}

/// Whole or not at all: written beside, synced, then put in place. Without `force` by a hard link, which never replaces.
fn put(path: &Path, text: &str, force: bool) -> anyhow::Result<()> {
    let shown = path.display();
    let name = path.file_name().with_context(|| format!("{shown} names no file"))?;
    let beside = path.with_file_name(format!(".{}.{}.tmp", name.to_string_lossy(), std::process::id()));
    let written = || -> std::io::Result<()> {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o644)
            .open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        match force {
            true => fs::rename(&beside, path),
            false => fs::hard_link(&beside, path),
        }
    };
    let outcome = written();
    // Gone already after a rename.
    let _ = fs::remove_file(&beside);
    match outcome {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            bail!("{shown} exists already: replace it with --force, or print with `--output -`")
        }
        other => other.with_context(|| format!("{shown}")),
    }
}
