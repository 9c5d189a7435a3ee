//! Manual pages, made from the arguments themselves and from what no argument says. Pure.

use std::io;

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, roman};

/// What the program reads and writes, in `readyd.1`.
const FILES: [(&str, &str); 6] = [
    (
        "./readyd.yaml, $XDG_CONFIG_HOME/readyd/readyd.yaml, /etc/readyd/readyd.yaml",
        "The configuration; the first that exists. With none the embedded default serves.",
    ),
    (
        "probes.d/*.yaml",
        "Beside it: probes of one's own, and changes to those that ship.",
    ),
    (
        "/etc/openclaw/tenants/TENANT",
        "Fragments of tenants, where tenants_dir says so.",
    ),
    (
        "control.sock",
        "In the runtime directory: what this command line talks to. For the user that runs the daemon.",
    ),
    (
        "events.sock",
        "In the runtime directory: where gateways report deliveries.",
    ),
    (
        "$XDG_STATE_HOME/readyd, ~/.local/state/readyd",
        "The state directory, unless state_dir says otherwise.",
    ),
];

const ENVIRONMENT: [(&str, &str); 7] = [
    ("READYD_CONFIG", "The configuration file, unless --config names one."),
    (
        "READYD_LOG",
        "What serve logs: error, warn, info (the default), debug, trace, or readyd::link=trace.",
    ),
    (
        "STATE_DIRECTORY, RUNTIME_DIRECTORY",
        "Directories that a service manager made.",
    ),
    (
        "XDG_CONFIG_HOME, XDG_STATE_HOME, XDG_RUNTIME_DIR, HOME",
        "Where the defaults above begin.",
    ),
    ("NO_COLOR", "When set, nothing is coloured."),
    (
        "CLICOLOR_FORCE, CLICOLOR, TERM",
        "1 colours where no terminal reads; 0 and TERM=dumb colour nothing. --color goes before all.",
    ),
    ("TZ", "The time zone of what is shown to people. JSON is in UTC."),
];

const EXAMPLES: [(&str, &str); 8] = [
    ("readyd demo", "Look at a daemon with a day of trouble."),
    ("readyd check", "Ask this host everything once."),
    ("readyd status --watch", "What the running daemon says, as it changes."),
    ("readyd why acme", "Why a tenant is what it is."),
    ("readyd triage acme", "Where to look first."),
    ("readyd digest --tenant acme", "Which endpoints fail, and how."),
    (
        "readyd maintenance start acme --for 2h --reason upgrade",
        "From now on its findings count nothing.",
    ),
    (
        "readyd drain --reason 'kernel upgrade'",
        "Take this node out of rotation.",
    ),
];

/// When what stands here and is not made from the arguments was last changed. No build's date: the same source makes
/// the same pages.
const DATE: &str = "2026-11-25";

/// By the command's words: what its exit codes mean, where they are not 0, 1 and 64.
const JUDGES: [(&[&str], &str); 5] = [
    (
        &["check"],
        "0 ok, 1 degraded, 2 down, 3 not known, or the command line was wrong.",
    ),
    (
        &["triage"],
        "0 ok, 1 degraded, 2 down, 3 not known, no daemon answers, or the command line was wrong.",
    ),
    (&["probe", "run"], "0 ok, 1 degraded, 2 down, 3 not known."),
    (&["lock", "check"], "0 match, 1 mismatch, 3 it cannot be told."),
    (
        &["skills", "check"],
        "0 as recorded, 1 a skill is new or changed, 2 nothing was recorded, 3 it cannot be told.",
    ),
];
const USUAL: &str = "0 done, 1 it failed (standard error says why and what to do next), 64 the command line was wrong.";

/// The pages by file name: `readyd.1`, `readyd-status.1`, …, one a command that can be run.
///
/// # Errors
/// None that writing into memory can have.
pub fn pages(command: Command) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    collect(&command, &[], &mut pages)?;
    Ok(pages)
}

/// `readyd.1` alone.
///
/// # Errors
/// As [`pages`].
pub fn first(command: Command) -> io::Result<Vec<u8>> {
    let mut pages = pages(command)?;
    pages.retain(|(name, _)| name == "readyd.1");
    Ok(pages.pop().map(|(_, page)| page).unwrap_or_default())
}

/// `above`: the words before it, `readyd` first.
fn collect(command: &Command, above: &[&str], pages: &mut Vec<(String, Vec<u8>)>) -> io::Result<()> {
    let words: Vec<&str> = above.iter().copied().chain([command.get_name()]).collect();
    pages.push((format!("{}.1", words.join("-")), page(command, &words)?));
    for one in shown(command) {
        collect(one, &words, pages)?;
    }
    Ok(())
}

fn page(command: &Command, words: &[&str]) -> io::Result<Vec<u8>> {
    let man = Man::new(command.clone())
        .title(words.join("-").to_uppercase())
        .date(DATE)
        .source(format!("readyd {}", env!("CARGO_PKG_VERSION")))
        .manual("readyd");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    let mut roff = Roff::new();
    if command.has_subcommands() {
        section(&mut roff, "COMMANDS");
        for one in shown(command) {
            let about = one.get_about().map(ToString::to_string).unwrap_or_default();
            entry(&mut roff, &format!("{} {}", words.join(" "), one.get_name()), &about);
        }
    }
    section(&mut roff, "EXIT STATUS");
    let code = JUDGES
        .iter()
        .find(|(judge, _)| *judge == &words[1..])
        .map(|(_, codes)| *codes);
    roff.text([roman(code.unwrap_or(USUAL))]);
    if words.len() == 1 {
        for (judge, codes) in JUDGES {
            entry(&mut roff, &format!("readyd {}", judge.join(" ")), codes);
        }
        for (title, entries) in [
            ("FILES", &FILES[..]),
            ("ENVIRONMENT", &ENVIRONMENT),
            ("EXAMPLES", &EXAMPLES),
        ] {
            section(&mut roff, title);
            for (name, about) in entries {
                entry(&mut roff, name, about);
            }
        }
    }
    section(&mut roff, "SEE ALSO");
    roff.text(see_also(command, words));
    roff.to_writer(&mut page)?;
    Ok(without_idle_breaks(page))
}

/// clap_mangen breaks the line before and after an empty one, which breaks it anyhow; `mandoc -T lint` finds fault with that.
fn without_idle_breaks(page: Vec<u8>) -> Vec<u8> {
    match String::from_utf8(page) {
        Ok(text) => text
            .replace("\n.br\n\n", "\n\n")
            .replace("\n\n.br\n", "\n.sp\n")
            .into_bytes(),
        Err(bytes) => bytes.into_bytes(),
    }
}

/// The page above, and those below.
fn see_also(command: &Command, words: &[&str]) -> Vec<Inline> {
    let mut names: Vec<String> = Vec::new();
    if let Some((_, above)) = words.split_last().filter(|(_, above)| !above.is_empty()) {
        names.push(above.join("-"));
    }
    names.extend(shown(command).map(|one| format!("{}-{}", words.join("-"), one.get_name())));
    let last = names.len().saturating_sub(1);
    let named = names.into_iter().enumerate().flat_map(|(at, name)| {
        let behind = if at == last { "(1)" } else { "(1), " };
        [bold(name), roman(behind)]
    });
    named.collect()
}

fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|one| !one.is_hide_set())
}

fn section(roff: &mut Roff, title: &str) {
    roff.control("SH", [title]);
}

fn entry(roff: &mut Roff, name: &str, about: &str) {
    roff.control("TP", []);
    roff.text([bold(name)]);
    roff.text([roman(about)]);
}
