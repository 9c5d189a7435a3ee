//! What a bare `readyd` and `readyd --help` say: the commands by what one wants, and what to try first. Pure.

use clap::builder::{StyledStr, Styles};
use clap::{Command, CommandFactory as _};

use super::arguments::Arguments;
use super::sheet::cut;

/// By what one wants. A command that stands nowhere comes under the last head.
const GROUPS: [(&str, &[&str]); 5] = [
    (
        "See how it is",
        &["status", "why", "digest", "history", "explain", "triage", "check"],
    ),
    ("Operate", &["maintenance", "drain", "undrain", "reload"]),
    (
        "Set up",
        &[
            "demo",
            "serve",
            "config",
            "probe",
            "lock",
            "skills",
            "install",
            "uninstall",
        ],
    ),
    ("Report and rehearse", &["emit", "simulate", "bundle"]),
    ("The command line itself", &["completions", "man"]),
];

const FIRST: [(&str, &str); 3] = [
    ("readyd demo", "a daemon with a day of trouble, to look at"),
    ("readyd check", "ask this host everything once"),
    ("readyd status", "what the running daemon says, and what to do"),
];

const ABOUT_WIDTH: usize = 60;

/// The arguments, with this as their help.
pub fn command() -> Command {
    let command = Arguments::command();
    let help = help(&command);
    command.override_help(help)
}

fn help(command: &Command) -> StyledStr {
    use std::fmt::Write as _;
    let styles = Styles::styled();
    let (head, literal) = (styles.get_header(), styles.get_literal());
    let mut text = StyledStr::new();
    let mut say = |line: std::fmt::Arguments<'_>| {
        // Into memory: it cannot fail.
        let _ = writeln!(text, "{line}");
    };
    say(format_args!("{}\n", command.get_about().cloned().unwrap_or_default()));
    say(format_args!(
        "{head}Usage:{head:#} {literal}readyd{literal:#} [OPTIONS] COMMAND    (readyd help COMMAND tells more)"
    ));
    for (title, commands) in grouped(command) {
        say(format_args!("\n{head}{title}{head:#}"));
        for one in commands {
            let about = one.get_about().map(ToString::to_string).unwrap_or_default();
            say(format_args!(
                "  {literal}{:<12}{literal:#}  {}",
                one.get_name(),
                short(&about)
            ));
        }
    }
    say(format_args!("\n{head}Options, before or after any command{head:#}"));
    for (option, about) in [
        (
            "--config FILE",
            "the configuration, which also tells where the daemon is",
        ),
        ("--socket SOCKET", "the running daemon's control socket"),
        ("--json", "JSON, for machines to read"),
        ("--color WHEN", "auto, always or never"),
    ] {
        say(format_args!("  {literal}{option:<16}{literal:#}  {about}"));
    }
    say(format_args!("\n{head}Try first{head:#}"));
    for (command, about) in FIRST {
        say(format_args!("  {literal}{command:<16}{literal:#}  {about}"));
    }
    text
}

fn grouped(command: &Command) -> Vec<(&'static str, Vec<&Command>)> {
    let mut left: Vec<&Command> = command.get_subcommands().filter(|one| !one.is_hide_set()).collect();
    let mut groups: Vec<(&'static str, Vec<&Command>)> = Vec::new();
    for (title, names) in GROUPS {
        let mut commands = Vec::new();
        for name in names {
            if let Some(at) = left.iter().position(|one| one.get_name() == *name) {
                commands.push(left.remove(at));
            }
        }
        groups.push((title, commands));
    }
    if let Some((_, last)) = groups.last_mut() {
        last.extend(left);
    }
    groups
}

/// The first clause, where all of it is too long for a line.
fn short(about: &str) -> String {
    let ends = about
        .find([',', '(', ':'])
        .filter(|_| about.chars().count() > ABOUT_WIDTH);
    cut(about[..ends.unwrap_or(about.len())].trim_end(), ABOUT_WIDTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_stands_in_the_help_once_and_the_help_fits_a_terminal() {
        let command = Arguments::command();
        let help = help(&command).to_string();
        for one in command.get_subcommands().filter(|one| !one.is_hide_set()) {
            let begins = format!("  {:<12}  ", one.get_name());
            let lines = help.lines().filter(|line| line.starts_with(&begins)).count();
            assert_eq!(lines, 1, "{begins}\n{help}");
        }
        assert!(help.lines().count() <= 50, "{help}");
        assert!(help.lines().all(|line| line.chars().count() <= 80), "{help}");
        let last: Vec<&str> = help.lines().rev().take(3).collect();
        assert!(last.iter().all(|line| line.starts_with("  readyd ")), "{help}");
    }
}
