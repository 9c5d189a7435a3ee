//! Shell: asks by running a command: who runs it, with which arguments and environment, and what the
//! answer means. `openclaw` knows the dialects, `runner` runs, `parse` translates.
#![expect(clippy::disallowed_methods, reason = "shell: tries whether files may be read")]

mod secrets;
mod stretch;
#[cfg(test)]
mod tests;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::declaration::{Exec, Instance, Order, Parse, Target};
use super::kind::Means;
use super::openclaw::{self, Cli, Dialects, Identity, Release, Speaks};
use super::parse::secrets::Beside;
use super::parse::{self, Policy, Said};
use super::runner::{self, Command, Exit, Limits, NotStarted, RunResult};
use super::target::{config_file_of, fill, has_placeholder, state_dir_of};
use crate::account::{self, Account};
use crate::clock;
use crate::config::env_file::read_env_file;
use crate::config::environment::Environment;
use crate::config::units::write_span;
use crate::config::{Config, Dialect, Openclaw, Posture};
use crate::words::{Answer, Cause, Cost, Finding, Instant, redact};
use stretch::{Inputs, Kept, Making};

/// What every run is given, from the configuration and the daemon's own environment.
#[derive(Clone, Debug)]
pub struct Tools {
    /// `exec.path`: where commands are looked for, and the `PATH` of every child.
    pub path: Vec<PathBuf>,
    /// Our own `HOME`, for commands that run as ourselves; `/` where ours is not set.
    pub home: PathBuf,
    pub lang: String,
    pub openclaw: Openclaw,
    /// Kept over a reload of the configuration.
    pub dialects: Dialects,
    /// As well.
    pub kept: Kept,
}

/// `LANG` of children where ours is not set: a doctor's text should be what the parsers know.
const LANG: &str = "C.UTF-8";
/// How long users, env files and programs may take to be looked up.
const LOOK_UP_WITHIN: Duration = Duration::from_secs(5);

impl Tools {
    pub fn new(config: &Config, environment: &Environment) -> Tools {
        Tools {
            path: config.exec.path.clone(),
            home: environment.home.clone().unwrap_or_else(|| "/".into()),
            lang: environment.lang.clone().unwrap_or_else(|| LANG.to_owned()),
            openclaw: config.openclaw.clone(),
            dialects: Dialects::default(),
            kept: Kept::default(),
        }
    }

    pub fn configure(&mut self, config: &Config) {
        self.path.clone_from(&config.exec.path);
        self.openclaw.clone_from(&config.openclaw);
    }
}

/// Asks. Whatever goes wrong is a finding; the cost is that of the command alone. Dropping the future
/// ends the command.
pub async fn ask_exec(order: &Order, exec: &Exec, tools: &Tools, means: &Means) -> (Finding, Cost) {
    match ask(order, exec, tools, means).await {
        Ok(answered) => answered,
        Err(trouble) => (Finding::unknown(trouble.cause, trouble.text), Cost::default()),
    }
}

async fn ask(order: &Order, exec: &Exec, tools: &Tools, means: &Means) -> Result<(Finding, Cost), NotStarted> {
    let began = clock::instant();
    if let Some(finding) = over_the_link(order, exec, began) {
        return Ok((finding, Cost::default()));
    }
    let place = look_up(order, exec, tools).await?;
    let Some(Question { args, speaks }) = question(&place, order, exec, tools).await? else {
        return Ok((
            Finding::ok("the articles' openclaw has no such question"),
            Cost::default(),
        ));
    };
    let shown = std::iter::once(place.program.display().to_string())
        .chain(args.iter().cloned())
        .collect::<Vec<_>>()
        .join(" ");
    let inputs = match exec.stretch {
        Some(_) => inputs(&place, &args, order, tools).await,
        None => None,
    };
    if let (Some(stretch), Some(inputs)) = (exec.stretch, &inputs)
        && let Some(finding) = tools.kept.repeated(order, inputs, stretch, began)
    {
        return Ok((finding, Cost::default()));
    }
    let beside = match exec.parse {
        Parse::Secrets => Some(secrets::look(order, &place).await?),
        _ => None,
    };
    let limits = Limits::within(order.probe.timeout);
    let secrets = secrets_of(&place.env);
    let result = runner::run(Command {
        program: place.program,
        args,
        env: place.env,
        user: place.account,
        limits,
    })
    .await?;
    let mut finding = match (ended(&result, limits), beside) {
        (Err(finding), _) => finding,
        (Ok(said), Some(beside)) => secrets::judge(&said, beside, order, tools.openclaw.posture, means).await,
        (Ok(said), None) => translate(&said, exec, &order.target, speaks, tools.openclaw.posture),
    };
    if finding.answer == Answer::Unknown {
        finding.evidence_push("command", shown);
    }
    for note in place.notes {
        finding.note_push(note);
    }
    finding.hide(&secrets);
    if exec.stretch.is_some() {
        tools.kept.answered(&order.check, inputs, &finding, began);
    }
    Ok((finding, result.cost))
}

/// Which build the configured `openclaw` says that it is, whatever dialect it is told to speak. Asked as ourselves, with
/// nothing of any tenant.
///
/// # Errors
/// It cannot be found, or does not say.
pub async fn release(tools: &Tools) -> Result<Release, NotStarted> {
    let (command, path) = (tools.openclaw.command.clone(), tools.path.clone());
    let looking = tokio::task::spawn_blocking(move || {
        let program = runner::resolve(&command, &path)?;
        Identity::of(&program).ok_or_else(|| {
            let text = format!("{}: vanished while it was looked at", program.display());
            NotStarted::new(Cause::Spawn, text)
        })
    });
    let identity = match tokio::time::timeout(LOOK_UP_WITHIN, looking).await {
        Ok(Ok(identity)) => identity?,
        Ok(Err(gone)) => return Err(NotStarted::new(Cause::Local, gone.to_string())),
        Err(_) => {
            let text = format!(
                "looking up {} took more than {LOOK_UP_WITHIN:?}",
                tools.openclaw.command
            );
            return Err(NotStarted::new(Cause::Local, text));
        }
    };
    let mut env = base_env(tools, &tools.home);
    env.extend(openclaw::ENV.map(|(name, value)| (name.to_owned(), value.to_owned())));
    tools.dialects.release(&identity, &env).await
}

/// How old the jobs may be that a standing link knows: it asks every half hour, and hears of changes at once.
const DUTIES_BELIEVED: Duration = Duration::from_secs(3600);

/// The answer that needs no process, since the tenant's link has had it.
fn over_the_link(order: &Order, exec: &Exec, now: Instant) -> Option<Finding> {
    let Target::Tenant(tenant) = &order.target else {
        return None;
    };
    let facts = tenant.link.as_ref().filter(|facts| facts.connected)?;
    let asks = exec.parse == Parse::Cost && exec.command.is_empty();
    let told = facts.duties_at.filter(|told| now.since(*told) <= DUTIES_BELIEVED)?;
    let duties = facts.duties.as_ref().filter(|_| asks)?;
    let asked = format!("over the link, {} ago", write_span(now.since(told)));
    Some(parse::judge_cost(duties, policy(exec, &order.target)?, &asked))
}

/// What a tenant's jobs may cost; `None`: the probe is not a tenant's.
fn policy<'a>(exec: &Exec, target: &'a Target) -> Option<Policy<'a>> {
    match target {
        Target::Tenant(tenant) => Some(Policy {
            interval_min: exec.interval_min,
            approved: &tenant.approved_jobs,
        }),
        Target::Node { .. } => None,
    }
}

/// What the run is about to be made of, off the async threads; `None`: nothing can be promised by it.
async fn inputs(place: &Place, args: &[String], order: &Order, tools: &Tools) -> Option<Inputs> {
    let cli = match &place.identity {
        Some(_) => Some(cli(place, tools).await.ok()?),
        None => None,
    };
    let making = Making {
        program: place.program.clone(),
        cli,
        args: args.to_vec(),
        env: place.env.clone(),
        home: place.home.clone(),
    };
    let order = order.clone();
    let looking = tokio::task::spawn_blocking(move || Inputs::of(&order, making));
    tokio::time::timeout(LOOK_UP_WITHIN, looking).await.ok()?.ok()?
}

/// What a command was given and must not be seen to say: values of variables that are secret by their name. Short ones are
/// no secrets, and would take words out of what it says.
fn secrets_of(env: &[(String, String)]) -> Vec<String> {
    const SECRET_BYTES_MIN: usize = 8;
    let secret = env
        .iter()
        .filter(|(name, value)| value.len() >= SECRET_BYTES_MIN && redact::names_secret(name));
    secret.map(|(_, value)| value.clone()).collect()
}

/// What a command said that ended by itself; else the finding that says how it ended.
fn ended(result: &RunResult, limits: Limits) -> Result<Said<'_>, Finding> {
    let said = |code| Said {
        code,
        stdout: &result.stdout,
        stderr: &result.stderr,
    };
    Err(match result.exit {
        Exit::Code(code) => return Ok(said(code)),
        Exit::Signal(signal) => {
            let text = format!("ended by signal {signal}, not by readyd (out of memory, or somebody's kill)");
            without_answer(Cause::Signal, text, &said(signal))
        }
        Exit::TimedOut => {
            let text = format!("no answer within {:?}", limits.timeout);
            without_answer(Cause::Timeout, text, &said(0))
        }
        Exit::TooLarge => {
            let text = format!("more than {} MiB of output", limits.output_bytes_max >> 20);
            Finding::unknown(Cause::OutputTooLarge, text)
        }
    })
}

/// What it means.
fn translate(said: &Said<'_>, exec: &Exec, target: &Target, speaks: Speaks, posture: Posture) -> Finding {
    match exec.parse {
        Parse::Doctor => parse::doctor(said, &exec.rules, posture),
        Parse::Config => parse::config(said, speaks),
        Parse::Nagios => parse::nagios(said),
        // With nothing known beside it, which `ask` never does.
        Parse::Secrets => parse::secrets::read(said).map_or_else(
            |finding| finding,
            |audit| parse::secrets::judge(&audit, &Beside::default(), posture),
        ),
        Parse::ExitCode => parse::exit_code(said),
        Parse::Security => parse::security(said, &exec.rules, posture),
        Parse::Json => parse::json(said),
        Parse::Cost => match policy(exec, target) {
            Some(policy) => parse::cost(said, policy),
            None => Finding::unknown(Cause::Misconfigured, "jobs are a tenant's: say `scope: tenant`"),
        },
        Parse::Readyz => Finding::unknown(Cause::Misconfigured, "`parse: readyz` is for `kind: http`"),
    }
}

fn without_answer(cause: Cause, text: String, said: &Said<'_>) -> Finding {
    let mut finding = Finding::unknown(cause, text);
    let complaint = said.complaint();
    if !complaint.is_empty() {
        finding.evidence_push("standard error", complaint);
    }
    finding
}

/// Where and as whom a command runs.
#[derive(Debug)]
struct Place {
    account: Option<Account>,
    home: PathBuf,
    program: PathBuf,
    /// Of the program, where it is an OpenClaw.
    identity: Option<Identity>,
    env: Vec<(String, String)>,
    /// The environment without anything of the tenant: for asking a CLI what it speaks.
    bare_env: Vec<(String, String)>,
    notes: Vec<String>,
}

/// Off the async threads: a directory server or a file server may keep it waiting.
async fn look_up(order: &Order, exec: &Exec, tools: &Tools) -> Result<Place, NotStarted> {
    let (order, exec, tools) = (order.clone(), exec.clone(), tools.clone());
    off_thread("its user, env file and program", move || {
        place(&order.target, &exec, &tools)
    })
    .await
}

async fn off_thread<T: Send + 'static>(
    what: &str,
    look: impl FnOnce() -> Result<T, NotStarted> + Send + 'static,
) -> Result<T, NotStarted> {
    match tokio::time::timeout(LOOK_UP_WITHIN, tokio::task::spawn_blocking(look)).await {
        Ok(Ok(found)) => found,
        Ok(Err(gone)) => Err(NotStarted::new(Cause::Local, gone.to_string())),
        Err(_) => Err(NotStarted::new(
            Cause::Local,
            format!("looking up {what} took more than {LOOK_UP_WITHIN:?}"),
        )),
    }
}

fn place(target: &Target, exec: &Exec, tools: &Tools) -> Result<Place, NotStarted> {
    let misconfigured = |text| NotStarted::new(Cause::Misconfigured, text);
    let tenant = match target {
        Target::Tenant(tenant) => Some(tenant),
        Target::Node { .. } => None,
    };
    let account = tenant
        .and_then(|tenant| tenant.user.as_deref())
        .map(account_to_run_as)
        .transpose()?;
    let home = account
        .as_ref()
        .map_or_else(|| tools.home.clone(), |account| account.home.clone());
    let name = match exec.command.first() {
        Some(name) => fill(name, target, Some(&home)).map_err(misconfigured)?,
        None if exec.parse.is_openclaws() => openclaw::NAME.to_owned(),
        None => return Err(misconfigured("it has no command: say `command:`".to_owned())),
    };
    let command = if name == openclaw::NAME {
        &tools.openclaw.command
    } else {
        &name
    };
    let is_openclaw = *command == tools.openclaw.command
        || Path::new(command)
            .file_name()
            .is_some_and(|file| file == openclaw::NAME);
    let program = runner::resolve(command, &tools.path)?;
    let mut env = base_env(tools, &home);
    let mut bare_env = base_env(tools, &tools.home);
    let mut notes = Vec::new();
    if let Some(file) = tenant.and_then(|tenant| tenant.env_file.as_deref()) {
        let read = read_env_file(file).map_err(misconfigured)?;
        env.extend(read.vars);
        notes = read.notes;
    }
    env.extend(exec.env.iter().cloned());
    let mut identity = None;
    if is_openclaw {
        // Last, so that nothing else decides which instance is asked.
        let ours = openclaw::ENV.map(|(name, value)| (name.to_owned(), value.to_owned()));
        env.extend(ours.clone());
        bare_env.extend(ours);
        let by_args = exec.command.is_empty() || exec.command.iter().any(|arg| arg == "--profile");
        let instance = tenant.map_or(&Instance::Unknown, |tenant| &tenant.instance);
        env.extend(openclaw::isolation(instance, &home, by_args));
        identity = Identity::of(&program);
        if account.as_ref().is_none_or(Account::is_ours) {
            may_look(instance, &home).map_err(misconfigured)?;
        }
    }
    Ok(Place {
        account,
        home,
        program,
        identity,
        env,
        bare_env,
        notes,
    })
}

/// The account of that name, when we may run commands as it: it is our own, or we are root.
fn account_to_run_as(name: &str) -> Result<Account, NotStarted> {
    let misconfigured = |text| NotStarted::new(Cause::Misconfigured, text);
    match account::by_name(name) {
        Ok(Some(account)) if account.is_ours() || account::own_uid() == 0 => Ok(account),
        Ok(Some(_)) => Err(misconfigured(format!(
            "user {name}: running commands as another user needs root"
        ))),
        Ok(None) => Err(misconfigured(format!(
            "user {name}: there is none on this host: correct tenants.*.user"
        ))),
        Err(error) => Err(NotStarted::new(
            Cause::Local,
            format!("user {name}: cannot be looked up: {error}"),
        )),
    }
}

/// To a user who may not look, the doctor says that the state is missing: an outage that is none. Who
/// runs as another user has that user's rights, which cannot be tried from here.
fn may_look(instance: &Instance, home: &Path) -> Result<(), String> {
    let places = [state_dir_of(instance, Some(home)), config_file_of(instance, Some(home))];
    for place in places.into_iter().flatten() {
        if std::fs::File::open(&place).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied) {
            let place = place.display();
            return Err(format!(
                "{place}: not readable to us: say `user:` for the tenant (that needs root)"
            ));
        }
    }
    Ok(())
}

fn base_env(tools: &Tools, home: &Path) -> Vec<(String, String)> {
    let path: Vec<_> = tools.path.iter().map(|folder| folder.to_string_lossy()).collect();
    vec![
        ("PATH".to_owned(), path.join(":")),
        ("HOME".to_owned(), home.to_string_lossy().into_owned()),
        ("LANG".to_owned(), tools.lang.clone()),
    ]
}

/// How a command is asked.
#[derive(Debug)]
struct Question {
    args: Vec<String>,
    /// Whose answer is expected.
    speaks: Speaks,
}

/// `None`: the CLI's dialect has no words for it.
async fn question(place: &Place, order: &Order, exec: &Exec, tools: &Tools) -> Result<Option<Question>, NotStarted> {
    let misconfigured = |text| NotStarted::new(Cause::Misconfigured, text);
    if exec.command.is_empty() {
        let cli = cli(place, tools).await?;
        let args = openclaw::args(exec.parse, &cli, &order.target).map_err(misconfigured)?;
        let speaks = cli.speaks;
        return Ok(args.map(|args| Question { args, speaks }));
    }
    // A command that names nothing of the tenant would ask the same instance for every one of them.
    let says_whom = exec
        .command
        .iter()
        .any(|arg| has_placeholder(arg) || arg == "--profile");
    if let (Some(unknown), true, false) = (
        openclaw::unknown_instance(&order.target),
        place.identity.is_some(),
        says_whom,
    ) && cli(place, tools).await?.speaks == Speaks::Openclaw
    {
        return Err(misconfigured(unknown));
    }
    let args = exec.command[1..]
        .iter()
        .map(|arg| fill(arg, &order.target, Some(&place.home)).map_err(misconfigured))
        .collect::<Result<_, _>>()?;
    // Who writes the command down may ask whomever; only the configuration says that it is the articles' CLI.
    let speaks = match tools.openclaw.dialect {
        Dialect::Article => Speaks::Article,
        Dialect::Openclaw | Dialect::Auto => Speaks::Openclaw,
    };
    Ok(Some(Question { args, speaks }))
}

async fn cli(place: &Place, tools: &Tools) -> Result<Cli, NotStarted> {
    let told = |speaks| Cli { speaks, version: None };
    match tools.openclaw.dialect {
        Dialect::Openclaw => Ok(told(Speaks::Openclaw)),
        Dialect::Article => Ok(told(Speaks::Article)),
        Dialect::Auto => {
            let identity = place.identity.as_ref().ok_or_else(|| {
                let text = format!("{}: vanished while it was looked at", place.program.display());
                NotStarted::new(Cause::Spawn, text)
            })?;
            tools.dialects.cli(identity, &place.bare_env).await
        }
    }
}
