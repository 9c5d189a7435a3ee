//! What readyd knows of OpenClaw's command line: its two dialects, and how tenants are told apart.
//!
//! Pure, but for `dialects`, which asks a CLI once what it speaks. Measured on openclaw 2026.9.6.

mod dialects;
mod release;

#[cfg(test)]
mod tests;

use std::path::Path;

pub use dialects::{Dialects, Identity};
pub use release::Release;

use super::declaration::{Instance, Parse, Target};
use super::parse::{Said, object};
use super::target::{config_file_of, state_dir_of};
use crate::words::text;

/// A CLI as it introduced itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cli {
    pub speaks: Speaks,
    /// As it was said; `None` when it did not say, or was not asked.
    pub version: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// The real one: `doctor --lint --json`, `findings`, profiles.
    Openclaw,
    /// The one that the users' articles describe: `doctor --tenant T --json`, `ok`.
    Article,
}

/// What `openclaw --version` told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Introduction {
    Known(Cli),
    /// `openclaw version --json` has to be asked; when that tells nothing, this holds.
    Ask {
        otherwise: Option<Cli>,
    },
}

/// The program's name, which a command may use for whatever `openclaw.command` says.
pub const NAME: &str = "openclaw";

/// Set for every run of an OpenClaw. Without the first, its launcher starts the CLI proper in a session
/// of its own, where no signal to the group reaches it; its output is the same, byte by byte.
pub const ENV: [(&str, &str); 2] = [("OPENCLAW_NO_RESPAWN", "1"), ("NO_COLOR", "1")];

/// What the doctor is asked of a tenant: what can stop a gateway, or will at its next start. All of it
/// takes 1 to 6 CPU seconds, the default set 13.
const DOCTOR_CHECKS: [&str; 7] = [
    "core/doctor/final-config-validation",
    "core/doctor/gateway-config",
    "core/doctor/gateway-auth",
    "core/doctor/security",
    "core/doctor/state-integrity",
    "core/doctor/agent-database-admission",
    "core/doctor/disk-space",
];
/// Asked as well where the gateway's port is not known. Elsewhere the probe `gateway` asks the same every
/// ten seconds; from the doctor the news would be minutes old, after an outage and after its end.
const GATEWAY_HEALTH: &str = "core/doctor/gateway-health";

/// The newest version known to have no `doctor --lint` (2026.7.35 has it; those between were not tried).
const WITHOUT_LINT: [u32; 3] = [2026, 3, 31];

/// Reads the answer to `openclaw --version`: `OpenClaw 2026.9.6 (eb377ac)`, maybe among log lines.
pub fn introduced_by_flag(said: &Said<'_>) -> Introduction {
    let stdout = String::from_utf8_lossy(said.stdout);
    let named = stdout.lines().find_map(|line| line.trim().strip_prefix("OpenClaw "));
    if let Some(version) = named.filter(|version| numbers(version).is_some()) {
        return Introduction::Known(Cli {
            speaks: Speaks::Openclaw,
            version: Some(text::clean_line(version, VERSION_BYTES_MAX)),
        });
    }
    if said.code != 0 {
        return Introduction::Ask { otherwise: None };
    }
    let line = stdout.lines().map(str::trim).find(|line| !line.is_empty());
    // Early OpenClaw versions said their number alone: a year, a month, a day.
    let calendar = line.and_then(numbers).is_some_and(|numbers| numbers[0] >= 2000);
    Introduction::Ask {
        otherwise: Some(Cli {
            speaks: if calendar { Speaks::Openclaw } else { Speaks::Article },
            version: line.map(|line| text::clean_line(line, VERSION_BYTES_MAX)),
        }),
    }
}

/// Reads the answer to `openclaw version --json`, which the real one does not know: any object without
/// an `error`, at exit code 0.
pub fn introduced_by_command(said: &Said<'_>) -> Option<Cli> {
    let object = object::find(said.stdout).ok()?;
    let answered = said.code == 0 && !object.contains_key("error");
    answered.then(|| Cli {
        speaks: Speaks::Article,
        version: object
            .get("version")
            .and_then(|version| version.as_str())
            .map(|version| text::clean_line(version, VERSION_BYTES_MAX)),
    })
}

/// The arguments with which the CLI is asked in its dialect, `None` where that has no words for it; the error
/// says what to set.
pub fn args(parse: Parse, cli: &Cli, target: &Target) -> Result<Option<Vec<String>>, String> {
    match parse {
        Parse::Doctor => doctor_args(cli, target).map(Some),
        Parse::Config => config_args(cli, target).map(Some),
        Parse::Secrets => secrets_args(cli, target),
        Parse::Security => security_args(cli, target),
        Parse::Cost => match cli.speaks {
            Speaks::Article => Ok(None),
            Speaks::Openclaw => cron_list_args(target).map(Some),
        },
        Parse::Nagios | Parse::ExitCode | Parse::Json | Parse::Readyz => {
            Err("it has no command: say `command:`".to_owned())
        }
    }
}

fn doctor_args(cli: &Cli, target: &Target) -> Result<Vec<String>, String> {
    match cli.speaks {
        Speaks::Article => Ok(strings(&["doctor", "--tenant", tenant_name(target)?, "--json"])),
        Speaks::Openclaw => {
            if let Some(version) = cli.version.as_deref().filter(|version| is_too_old(version)) {
                return Err(format!(
                    "OpenClaw {version} has no `doctor --lint`: upgrade it to 2026.7.35 or later"
                ));
            }
            let mut args = profile_args(target)?;
            args.extend(strings(&["doctor", "--lint", "--json", "--severity-min", "warning"]));
            let port_known = matches!(target, Target::Tenant(tenant) if tenant.port.is_some());
            let further = (!port_known).then_some(GATEWAY_HEALTH);
            for check in DOCTOR_CHECKS.into_iter().chain(further) {
                args.extend(strings(&["--only", check]));
            }
            Ok(args)
        }
    }
}

fn config_args(cli: &Cli, target: &Target) -> Result<Vec<String>, String> {
    match cli.speaks {
        Speaks::Article => Ok(strings(&["config", "lint", "--tenant", tenant_name(target)?])),
        Speaks::Openclaw => {
            let mut args = profile_args(target)?;
            args.extend(strings(&["config", "validate", "--json"]));
            Ok(args)
        }
    }
}

fn secrets_args(cli: &Cli, target: &Target) -> Result<Option<Vec<String>>, String> {
    match cli.speaks {
        Speaks::Article => Ok(None),
        Speaks::Openclaw => {
            let mut args = profile_args(target)?;
            args.extend(strings(&["secrets", "audit", "--check", "--json"]));
            Ok(Some(args))
        }
    }
}

/// Deep: only then it reads the code of skills and plugins.
fn security_args(cli: &Cli, target: &Target) -> Result<Option<Vec<String>>, String> {
    match (cli.speaks, target) {
        (Speaks::Article, _) => Ok(None),
        (_, Target::Node { .. }) => Err("the audit is asked of a tenant: say `scope: tenant`".to_owned()),
        (Speaks::Openclaw, Target::Tenant(_)) => {
            let mut args = profile_args(target)?;
            args.extend(strings(&["security", "audit", "--deep", "--json"]));
            Ok(Some(args))
        }
    }
}

/// How the articles' CLI tells tenants apart.
fn tenant_name(target: &Target) -> Result<&str, String> {
    match target {
        Target::Tenant(tenant) => Ok(tenant.name.as_str()),
        Target::Node { .. } => Err("it is asked of a tenant: say `scope: tenant`".to_owned()),
    }
}

/// Asks the gateway for its jobs: those that are enabled, of all agents.
fn cron_list_args(target: &Target) -> Result<Vec<String>, String> {
    let mut args = profile_args(target)?;
    args.extend(strings(&["cron", "list", "--json"]));
    Ok(args)
}

/// The variables that make an OpenClaw look at this instance, whatever else its arguments say. A profile
/// is named by an argument where readyd writes the arguments (`by_args`), else by its state directory:
/// `OPENCLAW_PROFILE` alone selects nothing.
pub fn isolation(instance: &Instance, home: &Path, by_args: bool) -> Vec<(String, String)> {
    let by_env = match instance {
        Instance::StateDir { .. } => true,
        Instance::Profile(_) => !by_args,
        Instance::Default | Instance::Unknown => false,
    };
    let home = Some(home);
    let (Some(state_dir), Some(config), true) = (state_dir_of(instance, home), config_file_of(instance, home), by_env)
    else {
        return Vec::new();
    };
    vec![
        (
            "OPENCLAW_STATE_DIR".to_owned(),
            state_dir.to_string_lossy().into_owned(),
        ),
        ("OPENCLAW_CONFIG_PATH".to_owned(), config.to_string_lossy().into_owned()),
    ]
}

/// What to say where the real OpenClaw cannot be told which instance is meant.
pub fn unknown_instance(target: &Target) -> Option<String> {
    match target {
        Target::Tenant(tenant) if tenant.instance == Instance::Unknown => Some(format!(
            "this OpenClaw knows profiles and state directories, no tenants: say `profile:` or `state_dir:` for tenant {}",
            tenant.name
        )),
        Target::Tenant(_) | Target::Node { .. } => None,
    }
}

const VERSION_BYTES_MAX: usize = 128;

fn profile_args(target: &Target) -> Result<Vec<String>, String> {
    if let Some(unknown) = unknown_instance(target) {
        return Err(unknown);
    }
    match target {
        Target::Tenant(tenant) => match &tenant.instance {
            Instance::Profile(profile) => Ok(strings(&["--profile", profile])),
            Instance::Default | Instance::StateDir { .. } | Instance::Unknown => Ok(Vec::new()),
        },
        Target::Node { .. } => Ok(Vec::new()),
    }
}

fn is_too_old(version: &str) -> bool {
    numbers(version).is_some_and(|numbers| numbers <= WITHOUT_LINT)
}

/// The three numbers that a version begins with: `2026.9.6 (eb377ac)`, `v2026.3.31-1`.
fn numbers(version: &str) -> Option<[u32; 3]> {
    let mut rest = version.strip_prefix('v').unwrap_or(version);
    let mut numbers = [0; 3];
    for (place, number) in numbers.iter_mut().enumerate() {
        if place > 0 {
            rest = rest.strip_prefix('.')?;
        }
        let end = rest
            .find(|character: char| !character.is_ascii_digit())
            .unwrap_or(rest.len());
        *number = rest[..end].parse().ok()?;
        rest = &rest[end..];
    }
    Some(numbers)
}

fn strings(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}
