//! Shell: `readyd skills`: records the skills of tenants, and compares them with what was recorded.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use crate::clock;
use crate::config::{Config, Posture, Tenant};
use crate::probe::declaration::{Asks, Parse};
use crate::probe::skills::walk::{self, Owner};
use crate::probe::skills::{Baseline, Changes, Seen, Skill, compare};
use crate::words::TenantName;
use crate::words::text::clean_line;

use super::Outcome;
use super::arguments::{Place, Skills};
use super::config;
use super::daemon::Daemon;

/// People wait longer for it than a probe does.
const LOOK_WITHIN: Duration = Duration::from_secs(60);

/// What `skills check` comes to for one tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Same,
    Differs,
    NoBaseline,
    NotCompared,
}

/// One tenant's comparison.
#[derive(Debug)]
struct Compared {
    state: State,
    changes: Changes,
    /// `None`: nothing was recorded, or it could not be read.
    recorded_at: Option<String>,
    skills: usize,
    /// What a person should know: where it could not look, what is not watched, why it was not compared.
    remarks: Vec<String>,
}

pub fn run(place: &Place, command: &Skills, as_json: bool) -> Outcome {
    let loaded = config::loaded(place)?;
    let home = config::options(place).environment.home;
    match command {
        Skills::Baseline { tenant, all: _ } => {
            record(place, &loaded.config, home.as_deref(), tenant.as_deref(), as_json)
        }
        Skills::Check { tenant } => check(&loaded.config, home.as_deref(), tenant.as_deref(), as_json),
    }
}

fn record(place: &Place, config: &Config, home: Option<&Path>, tenant: Option<&str>, as_json: bool) -> Outcome {
    let mut shown = serde_json::Map::new();
    let mut failed = Vec::new();
    for tenant in named(config, tenant)? {
        match record_one(config, tenant, home) {
            Ok((changes, before, skills)) => {
                ask_anew(place, config, &tenant.name);
                if as_json {
                    shown.insert(
                        tenant.name.to_string(),
                        json!({"skills": skills, "replaces": before, "changes": told(&changes)}),
                    );
                } else {
                    let instead = before.map_or(String::new(), |at| format!(", in place of {at}"));
                    print!(
                        "{}: recorded {}{instead}\n{}",
                        tenant.name,
                        counted(skills),
                        drawn(&changes)
                    );
                }
            }
            Err(why) => failed.push(clean(&format!("{}: nothing was recorded: {why:#}", tenant.name))),
        }
    }
    if as_json {
        println!("{:#}", json!({"tenants": shown, "failed": failed}));
    }
    if !failed.is_empty() {
        bail!("{}", failed.join("\nreadyd: "));
    }
    Ok(ExitCode::SUCCESS)
}

/// What changed since the last baseline, when that was, and how many skills there are now.
fn record_one(
    config: &Config,
    tenant: &Tenant,
    home: Option<&Path>,
) -> anyhow::Result<(Changes, Option<String>, usize)> {
    if let Some(config) = walk::missing_config(&owner(tenant, home)) {
        // Whoever runs this may have another home than the daemon: an empty baseline would be of no tenant.
        bail!(
            "{} is not there: run this as the user that readyd runs as, or correct the tenant's `profile:` or `state_dir:`",
            config.display()
        );
    }
    let seen = look(tenant, home)?;
    // What is recorded is what will not be reported any more: half of it would be guesswork.
    if let Some(trouble) = seen.troubles.first() {
        bail!("{}: {}", trouble.path.display(), trouble.why);
    }
    if !seen.complete {
        bail!("not all skills could be read within {} s", LOOK_WITHIN.as_secs());
    }
    for note in &seen.notes {
        eprintln!("readyd: {}: {}", tenant.name, clean(note));
    }
    // A damaged one is replaced: recording again is what mends it.
    let before = Baseline::read(&config.state_dir, &tenant.name).unwrap_or_else(|why| {
        eprintln!("readyd: replaced: {why}");
        None
    });
    let found = seen.skills.iter();
    let skills: BTreeMap<String, Skill> = found.map(|(path, found)| (path.clone(), found.skill.clone())).collect();
    let baseline = |skills| Baseline::new(&tenant.name, clock::now().wall, skills);
    let changes = match &before {
        Some(before) => compare(before, &seen, true),
        None => compare(&baseline(BTreeMap::new()), &seen, true),
    };
    let count = skills.len();
    baseline(skills).write(&config.state_dir).map_err(anyhow::Error::msg)?;
    Ok((changes, before.map(|before| before.recorded_at), count))
}

/// A running daemon should not say for another hour what was accepted just now. Without one, nobody says it.
fn ask_anew(place: &Place, config: &Config, tenant: &TenantName) {
    let Ok(daemon) = Daemon::find(place) else { return };
    for (check, probe) in config.checks() {
        let is_ours = matches!(&probe.asks, Asks::Exec(exec) if exec.parse == Parse::Security);
        if is_ours && check.tenant.as_ref() == Some(tenant) {
            // It asks by itself some time; there is nothing to mend here.
            let _ = daemon.post("/v1/ask", json!({"check": check.to_string()}).to_string().into_bytes());
        }
    }
}

fn check(config: &Config, home: Option<&Path>, tenant: Option<&str>, as_json: bool) -> Outcome {
    let mut shown = serde_json::Map::new();
    let mut states = Vec::new();
    for tenant in named(config, tenant)? {
        let compared = compare_one(config, tenant, home);
        states.push(compared.state);
        if as_json {
            shown.insert(tenant.name.to_string(), compared.to_json());
        } else {
            print!("{}", compared.drawn(&tenant.name));
        }
    }
    if as_json {
        println!("{:#}", json!({"tenants": shown}));
    }
    let code = [State::Differs, State::NotCompared, State::NoBaseline]
        .into_iter()
        .find(|state| states.contains(state))
        .map_or(0, State::exit_code);
    Ok(ExitCode::from(code))
}

fn compare_one(config: &Config, tenant: &Tenant, home: Option<&Path>) -> Compared {
    let mut compared = Compared {
        state: State::NotCompared,
        changes: Changes::default(),
        recorded_at: None,
        skills: 0,
        remarks: Vec::new(),
    };
    // Before the look, and in a thread that has our own rights.
    let baseline = Baseline::read(&config.state_dir, &tenant.name);
    let seen = match look(tenant, home) {
        Ok(seen) => seen,
        Err(why) => {
            compared.remarks.push(format!("{why:#}"));
            return compared;
        }
    };
    compared.skills = seen.skills.len();
    let troubles = seen.troubles.iter();
    compared
        .remarks
        .extend(troubles.map(|trouble| format!("not looked at: {}: {}", trouble.path.display(), trouble.why)));
    compared.remarks.extend(seen.notes.iter().cloned());
    let is_whole = seen.complete && seen.troubles.is_empty();
    match baseline {
        Ok(Some(baseline)) => {
            compared.changes = compare(&baseline, &seen, config.openclaw.posture == Posture::Strict);
            compared.recorded_at = Some(baseline.recorded_at);
            compared.state = match compared.changes.count() {
                true => State::Differs,
                false if is_whole => State::Same,
                false => State::NotCompared,
            };
        }
        Ok(None) => {
            compared.state = State::NoBaseline;
            let next = format!("record one with `readyd skills baseline {}`", tenant.name);
            compared.remarks.push(next);
        }
        Err(why) => compared.remarks.push(why),
    }
    compared
}

fn owner(tenant: &Tenant, home: Option<&Path>) -> Owner {
    Owner {
        instance: tenant.instance.clone(),
        user: tenant.user.clone(),
        env_file: tenant.env_file.clone(),
        own_home: home.map(Path::to_owned),
    }
}

/// On a thread of its own, which takes on the tenant's rights and may stick on a dead mount.
fn look(tenant: &Tenant, home: Option<&Path>) -> anyhow::Result<Seen> {
    let owner = owner(tenant, home);
    let deadline = clock::instant() + LOOK_WITHIN.mul_f64(0.9);
    let (send, seen) = mpsc::channel();
    std::thread::Builder::new().name("skills".into()).spawn(move || {
        // Nobody waits any more when it was given up.
        let _ = send.send(walk::look(&owner, &|| clock::instant() >= deadline));
    })?;
    let seen = seen
        .recv_timeout(LOOK_WITHIN)
        .with_context(|| format!("its skills could not be read within {} s", LOOK_WITHIN.as_secs()))?;
    seen.with_context(|| {
        format!(
            "its state directory is not known: say `profile:` or `state_dir:` for tenant {}",
            tenant.name
        )
    })
}

/// The tenant of that name, or all.
fn named<'a>(config: &'a Config, name: Option<&str>) -> anyhow::Result<Vec<&'a Tenant>> {
    let Some(name) = name else {
        if config.tenants.is_empty() {
            bail!("this configuration has no tenants; `readyd config show` shows what it has");
        }
        return Ok(config.tenants.values().collect());
    };
    match TenantName::parse(name).and_then(|name| config.tenants.get(&name)) {
        Some(tenant) => Ok(vec![tenant]),
        None => {
            let names: Vec<&str> = config.tenants.keys().map(TenantName::as_str).collect();
            bail!("{name} is not a tenant of this node; it has: {}", names.join(", "))
        }
    }
}

impl State {
    fn exit_code(self) -> u8 {
        match self {
            State::Same => 0,
            State::Differs => 1,
            State::NoBaseline => 2,
            State::NotCompared => 3,
        }
    }

    fn word(self) -> &'static str {
        match self {
            State::Same => "same",
            State::Differs => "differs",
            State::NoBaseline => "no_baseline",
            State::NotCompared => "not_compared",
        }
    }
}

impl Compared {
    fn to_json(&self) -> Value {
        json!({
            "state": self.state.word(),
            "skills": self.skills,
            "recorded_at": self.recorded_at,
            "changes": told(&self.changes),
            "remarks": self.remarks,
        })
    }

    fn drawn(&self, tenant: &TenantName) -> String {
        let since = self.recorded_at.as_deref().unwrap_or_default();
        let head = match self.state {
            State::Same => format!("{} as recorded at {since}", counted(self.skills)),
            State::Differs => format!("not as recorded at {since}"),
            State::NoBaseline => format!("{}, and no baseline", counted(self.skills)),
            State::NotCompared => "not compared".to_owned(),
        };
        let remarks = self.remarks.iter().map(|remark| format!("  {}\n", clean(remark)));
        let remarks: String = remarks.collect();
        format!("{tenant}: {head}\n{}{remarks}", drawn(&self.changes))
    }
}

fn lists(changes: &Changes) -> [(&'static str, &[String]); 5] {
    [
        ("new", &changes.new),
        ("changed", &changes.changed),
        ("removed", &changes.removed),
        ("learned", &changes.learned),
        ("leftovers", &changes.leftovers),
    ]
}

fn told(changes: &Changes) -> Value {
    let lists = lists(changes).map(|(word, paths)| (word.to_owned(), json!(paths)));
    Value::Object(lists.into_iter().collect())
}

fn drawn(changes: &Changes) -> String {
    let line = |word: &str, path: &String| format!("  {word:<10}{}\n", clean(path));
    let lines = lists(changes)
        .into_iter()
        .flat_map(|(word, paths)| paths.iter().map(move |path| line(word, path)));
    lines.collect()
}

/// Names of files are a tenant's: they may hold what a terminal would obey.
fn clean(text: &str) -> String {
    clean_line(text, LINE_BYTES_MAX)
}

const LINE_BYTES_MAX: usize = 4096;

fn counted(skills: usize) -> String {
    match skills {
        1 => "1 skill".to_owned(),
        count => format!("{count} skills"),
    }
}
