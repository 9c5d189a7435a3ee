//! Shell: the command line, one file a command. Arguments come in, an exit code goes out.
//!
//! Exit codes: 0 done, 1 it failed, 64 the command line was wrong (`EX_USAGE` of sysexits). `check`, `triage` and `probe run`
//! speak the Nagios plugins' language instead: 0/1/2/3 for ok/degraded/down/unknown, 3 also where they fail; for the first two
//! a wrong command line is 3 as well. `skills check` and `lock check` have codes of their own, which their help tells, and 3 where they fail.

// First, since its macros are known only below it.
#[macro_use]
mod output;

pub mod arguments;
mod bundle;
mod check;
mod config;
mod daemon;
mod demo;
mod digest;
mod emit;
mod explain;
mod generate;
mod help;
mod history;
mod install;
mod lock;
mod manual;
mod moment;
mod operations;
mod probe;
mod progress;
mod reasons;
mod screen;
mod serve;
mod sheet;
mod skills;
mod status;
mod table;
mod triage;
mod values;
mod view;
mod watch;
mod why;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, FromArgMatches as _};

use arguments::{Arguments, Command, Digest, Lock, Probe, Skills, Status};

/// `EX_USAGE`: the command was used wrongly.
const USAGE: u8 = 64;
/// The Nagios plugins' `UNKNOWN`.
const CHECK_UNKNOWN: u8 = 3;

/// What a command comes to: an exit code, or why it failed and what to do next.
type Outcome = anyhow::Result<ExitCode>;

/// Runs the command that the process was started with.
pub fn run() -> ExitCode {
    let parsed = help::command().try_get_matches();
    let parsed = parsed.and_then(|matches| Arguments::from_arg_matches(&matches));
    let arguments = match parsed.and_then(json_has_a_use) {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    let judges = matches!(
        arguments.command,
        Command::Check(_)
            | Command::Triage(_)
            | Command::Probe(Probe::Run { .. })
            | Command::Skills(Skills::Check { .. })
            | Command::Lock(Lock::Check(_))
    );
    let outcome = dispatch(arguments).and_then(|code| match output::failure() {
        Some(why) => Err(anyhow::anyhow!("standard output: {why}")),
        None => Ok(code),
    });
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("readyd: {error:#}");
            ExitCode::from(if judges { CHECK_UNKNOWN } else { 1 })
        }
    }
}

/// `--json` is said before or after any command; some have nothing that it could be.
fn json_has_a_use(arguments: Arguments) -> Result<Arguments, clap::Error> {
    let instead = match &arguments.command {
        _ if !arguments.json => return Ok(arguments),
        Command::Serve(_) => "`serve` answers over HTTP, in JSON",
        Command::Status(Status { watch: true, .. }) | Command::Digest(Digest { watch: true, .. }) => {
            "`--watch` draws for people: leave one of them out; /v1/stream has each change in JSON"
        }
        Command::Demo(_)
        | Command::Completions { .. }
        | Command::Man { .. }
        | Command::Lock(Lock::Write(_))
        | Command::Install(_)
        | Command::Uninstall(_) => "this command prints only text",
        _ => return Ok(arguments),
    };
    Err(Arguments::command().error(
        ErrorKind::ArgumentConflict,
        format!("--json has no use here: {instead}"),
    ))
}

fn usage(error: &clap::Error) -> ExitCode {
    // Printing fails only when the terminal is gone, and then there is nobody to tell.
    let _ = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
        _ if asked_to_judge() => ExitCode::from(CHECK_UNKNOWN),
        _ => ExitCode::from(USAGE),
    }
}

/// Whether the command line, which could not be understood, was one of `check` or `triage`.
fn asked_to_judge() -> bool {
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--config" | "--socket" | "--color" | "--colour" => drop(words.next()),
            word if word.starts_with('-') => {}
            word => return matches!(word, "check" | "triage"),
        }
    }
    false
}

fn dispatch(arguments: Arguments) -> Outcome {
    let Arguments {
        place,
        json,
        colour,
        command,
    } = arguments;
    screen::choose(colour);
    match command {
        Command::Serve(options) => serve::run(&place, &options),
        Command::Check(options) => check::run(&place, &options),
        Command::Status(options) => status::run(&place, &options, json),
        Command::Why(options) => why::run(&place, &options, json),
        Command::Digest(options) => digest::run(&place, &options, json),
        Command::Emit(options) => emit::run(&place, &options),
        Command::Explain(options) => explain::run(&place, &options, json),
        Command::History(options) => history::run(&place, &options, json),
        Command::Triage(options) => triage::run(&place, &options, json),
        Command::Simulate(options) => explain::simulate(&place, &options, json),
        Command::Probe(command) => probe::run(&place, &command, json),
        Command::Maintenance(command) => operations::maintenance(&place, &command, json),
        Command::Drain(options) => operations::drain(&place, &options, json),
        Command::Undrain(options) => operations::undrain(&place, &options, json),
        Command::Reload => operations::reload(&place, json),
        Command::Config(command) => config::run(&place, &command, json),
        Command::Lock(command) => lock::run(&place, &command, json),
        Command::Bundle(options) => bundle::run(&place, &options),
        Command::Skills(command) => skills::run(&place, &command, json),
        Command::Demo(options) => demo::run(&options),
        Command::Install(options) => install::install(&options),
        Command::Uninstall(options) => install::uninstall(&options),
        Command::Completions { shell } => generate::completions(shell),
        Command::Man { directory } => generate::man(directory.as_deref()),
    }
}
