//! Shell: asks a CLI once what it speaks, and remembers it while its file stays the same.
//!
//! Never learned from a tenant's failure: a broken tenant must not change how its neighbours are asked.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use super::{Cli, Introduction, Release, introduced_by_command, introduced_by_flag};
use crate::clock;
use crate::config::files::{self, Stamp};
use crate::probe::parse::{Said, object};
use crate::probe::runner::{self, Command, Exit, Limits, NotStarted, RunResult};
use crate::words::{Cause, Instant};

/// What is known of each CLI. Cheap to clone; clones share it, also across a reload of the config.
#[derive(Clone, Debug, Default)]
pub struct Dialects {
    known: Arc<Mutex<HashMap<PathBuf, Known>>>,
}

/// Which file a CLI is, and which state of it. Its stamp tells versions apart although npm gives every file
/// of every version the same `mtime`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// As it was found, and as it is started: a version manager's shim goes by the name of its link.
    program: PathBuf,
    /// Links followed.
    file: PathBuf,
    stamp: Stamp,
}

#[derive(Debug)]
struct Known {
    identity: Identity,
    answer: Result<Learned, NotStarted>,
    asked_at: Instant,
    /// How long the answer is believed.
    believed: Duration,
}

#[derive(Clone, Debug)]
struct Learned {
    cli: Cli,
    release: Release,
}

/// `--version` takes 0.1 s; on a host that is busy starting gateways, some seconds.
const FLAG_WITHIN: Duration = Duration::from_secs(10);
/// `version --json` takes the real CLI, which does not know it, 3 CPU seconds.
const COMMAND_WITHIN: Duration = Duration::from_secs(20);
/// A wrapper script stays the same when what it starts is upgraded.
const BELIEVED: Duration = Duration::from_secs(600);
const RETRY_AFTER: Duration = Duration::from_secs(30);
const CLIS_MAX: usize = 16;

impl Identity {
    /// Blocks on the file system.
    pub fn of(program: &Path) -> Option<Identity> {
        let file = std::fs::canonicalize(program).ok()?;
        Some(Identity {
            program: program.to_owned(),
            stamp: files::stamp(&file)?,
            file,
        })
    }
}

impl Dialects {
    /// What the CLI speaks. Those who ask at the same time share one run; it waits at most for the two
    /// questions and their ends. A failure is repeated from memory until 30 s have passed.
    pub async fn cli(&self, identity: &Identity, env: &[(String, String)]) -> Result<Cli, NotStarted> {
        self.learned(identity, env).await.map(|learned| learned.cli)
    }

    /// Which build it says that it is; learned with what it speaks, by the same run.
    pub async fn release(&self, identity: &Identity, env: &[(String, String)]) -> Result<Release, NotStarted> {
        self.learned(identity, env).await.map(|learned| learned.release)
    }

    async fn learned(&self, identity: &Identity, env: &[(String, String)]) -> Result<Learned, NotStarted> {
        let mut known = self.known.lock().await;
        let before = known.get(&identity.program).filter(|known| known.identity == *identity);
        if let Some(before) = before
            && clock::instant().since(before.asked_at) < before.believed
        {
            return before.answer.clone();
        }
        let asked = ask(&identity.program, env).await;
        // What it spoke a while ago, it speaks: that it cannot say so now is no news of its dialect.
        let (answer, believed) = match (asked, before.map(|before| &before.answer)) {
            (Ok(learned), _) => (Ok(learned), BELIEVED),
            (Err(_), Some(Ok(learned))) => (Ok(learned.clone()), RETRY_AFTER),
            (Err(trouble), _) => (Err(trouble), RETRY_AFTER),
        };
        if known.len() >= CLIS_MAX {
            known.clear();
        }
        known.insert(
            identity.program.clone(),
            Known {
                identity: identity.clone(),
                answer: answer.clone(),
                asked_at: clock::instant(),
                believed,
            },
        );
        answer
    }
}

async fn ask(program: &Path, env: &[(String, String)]) -> Result<Learned, NotStarted> {
    let flag = answer(program, env, &["--version"], FLAG_WITHIN).await?;
    let otherwise = match introduced_by_flag(&said(&flag)) {
        Introduction::Known(cli) => return Ok(Learned::by_flag(cli)),
        Introduction::Ask { otherwise } => otherwise,
    };
    let command = answer(program, env, &["version", "--json"], COMMAND_WITHIN).await;
    let learned = command
        .as_ref()
        .ok()
        .and_then(|command| Learned::by_command(&said(command)));
    learned.or(otherwise.map(Learned::by_flag)).ok_or_else(|| {
        let complaint = said(&flag).complaint();
        let why = if complaint.is_empty() {
            "it says nothing"
        } else {
            &complaint
        };
        NotStarted::new(
            Cause::Misconfigured,
            format!(
                "{} --version fails ({}): {why}",
                program.display(),
                exit_word(flag.exit)
            ),
        )
    })
}

impl Learned {
    fn by_flag(cli: Cli) -> Learned {
        let release = cli.version.as_deref().map(Release::of_words).unwrap_or_default();
        Learned { cli, release }
    }

    fn by_command(said: &Said<'_>) -> Option<Learned> {
        let cli = introduced_by_command(said)?;
        let release = object::find(said.stdout)
            .map(|object| Release::of_object(&object))
            .unwrap_or_default();
        Some(Learned { cli, release })
    }
}

/// The answer of a CLI that ended by itself.
async fn answer(
    program: &Path,
    env: &[(String, String)],
    args: &[&str],
    within: Duration,
) -> Result<RunResult, NotStarted> {
    let question = format!("{} {}", program.display(), args.join(" "));
    let command = Command {
        program: program.to_owned(),
        args: args.iter().map(|&arg| arg.to_owned()).collect(),
        env: env.to_vec(),
        user: None,
        limits: Limits::within(within),
    };
    let result = runner::run(command).await?;
    let trouble = match result.exit {
        Exit::Code(_) => return Ok(result),
        Exit::Signal(signal) => (Cause::Signal, format!("{question}: ended by signal {signal}")),
        Exit::TimedOut => (Cause::Timeout, format!("{question}: no answer within {within:?}")),
        Exit::TooLarge => (Cause::OutputTooLarge, format!("{question}: endless output")),
    };
    Err(NotStarted::new(trouble.0, trouble.1))
}

fn said(result: &RunResult) -> Said<'_> {
    let code = match result.exit {
        Exit::Code(code) => code,
        Exit::Signal(_) | Exit::TimedOut | Exit::TooLarge => -1,
    };
    Said {
        code,
        stdout: &result.stdout,
        stderr: &result.stderr,
    }
}

fn exit_word(exit: Exit) -> String {
    match exit {
        Exit::Code(code) => format!("exit {code}"),
        other => format!("{other:?}"),
    }
}
