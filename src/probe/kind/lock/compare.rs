//! What a lock pins against what was seen, entry by entry. Pure.

use std::path::PathBuf;

use super::format::Pins;
use crate::probe::openclaw::Release;
use crate::words::{Cause, Finding, Verdict};

/// What was seen of one tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub cli: Result<Release, (Cause, String)>,
    pub gateway: Running,
    /// The files whose checksums the lock pins.
    pub files: Vec<(PathBuf, Sum)>,
}

/// The running gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Running {
    /// Nobody said where it is.
    Nowhere,
    NotRunning,
    /// It answers, and does not say its version.
    Unsaid(String),
    Silent(Cause, String),
    Runs(Runs),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Runs {
    pub version: String,
    pub build: Option<String>,
    /// Its build was told by a link that is away now.
    pub build_was_told: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sum {
    /// Hexadecimal SHA-256 in lower case.
    Of(String),
    Missing,
    Unreadable(Cause, String),
}

/// One entry of the lock, compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// `openclaw.cli`, `gateway.version`, `checksums./opt/x`; `skew` is the gateway against the CLI.
    pub entry: String,
    pub outcome: Outcome,
    /// One sentence for people.
    pub says: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Same,
    Differs,
    /// There is nothing to compare with: no gateway runs.
    Absent,
    /// Nothing here tells it, however often it is asked.
    Untold,
    /// It could not be asked this time.
    Unknown(Cause),
}

/// Compares each entry of `pins`; without pins the gateway with its CLI alone.
pub fn compare(pins: Option<&Pins>, seen: &Seen) -> Vec<Compared> {
    let none = Pins::default();
    let pinned = pins.unwrap_or(&none);
    let mut compared = Vec::new();
    of_cli(pinned, &seen.cli, &mut compared);
    of_gateway(pinned, &seen.gateway, &mut compared);
    for (path, sum) in &seen.files {
        if let Some(wanted) = pinned.checksums.get(path) {
            compared.push(of_file(path, wanted, sum));
        }
    }
    // Who pins both has said that they may differ; where one differs already, that they do is no further news.
    let said = ["openclaw.cli", "gateway.version"];
    let differs = |entry: &Compared| entry.outcome == Outcome::Differs && said.contains(&entry.entry.as_str());
    if (pinned.cli.is_none() || pinned.gateway.is_none()) && !compared.iter().any(differs) {
        compared.extend(skew(seen));
    }
    compared
}

/// The finding of one tenant. `pins` is `None` where there is no lock: a skew is then a note. `worst` is the cap of the
/// probe: who raised it to `down` blocks on drift.
pub fn judge(pins: Option<&Pins>, seen: &Seen, worst: Verdict) -> Finding {
    let compared = compare(pins, seen);
    let of = |wanted: fn(&Outcome) -> bool| -> Vec<&Compared> {
        compared.iter().filter(|entry| wanted(&entry.outcome)).collect()
    };
    let differs = of(|outcome| *outcome == Outcome::Differs);
    let unknown = of(|outcome| matches!(outcome, Outcome::Unknown(_)));
    // A difference is certain, whatever else could not be asked.
    let mut finding = match (pins, differs.first(), unknown.first()) {
        (None, ..) => Finding::ok(seen_in_words(seen)),
        (Some(_), Some(first), _) => {
            let summary = and_more(&first.says, differs.len());
            match worst {
                Verdict::Down => Finding::down(summary),
                Verdict::Ok | Verdict::Degraded => Finding::degraded(summary),
            }
        }
        (Some(_), None, Some(first)) => {
            let cause = match first.outcome {
                Outcome::Unknown(cause) => cause,
                _ => Cause::Local,
            };
            Finding::unknown(cause, and_more(&first.says, unknown.len()))
        }
        (Some(_), None, None) => {
            let same = of(|outcome| *outcome == Outcome::Same).len();
            let entries = if same == 1 { "entry" } else { "entries" };
            Finding::ok(format!("{same} {entries} of the lock match; {}", seen_in_words(seen)))
        }
    };
    for entry in &compared {
        match (entry.outcome, pins) {
            (Outcome::Untold | Outcome::Absent, _) | (Outcome::Differs, None) => finding.note_push(&entry.says),
            (_, None) => {}
            (_, Some(_)) => finding.evidence_push(&entry.entry, &entry.says),
        }
    }
    if let (None, Err((_, why))) = (pins, &seen.cli) {
        finding.note_push(format!("the CLI cannot be asked: {why}"));
    }
    finding
}

fn of_cli(pins: &Pins, cli: &Result<Release, (Cause, String)>, compared: &mut Vec<Compared>) {
    type Told = fn(&Release) -> &Option<String>;
    let entries: [(&str, &str, &Option<String>, Told); 5] = [
        ("openclaw.cli", "the CLI", &pins.cli, |cli| &cli.version),
        ("openclaw.build", "the CLI's build", &pins.build, |cli| &cli.build),
        ("openclaw.daemon", "the daemon's hash", &pins.daemon, |cli| &cli.daemon),
        ("companion.version", "the companion", &pins.companion, |cli| {
            &cli.companion
        }),
        ("swift.runtime", "the Swift runtime", &pins.swift, |cli| &cli.swift),
    ];
    for (entry, what, wanted, told) in entries {
        let Some(wanted) = wanted else { continue };
        compared.push(match cli {
            Err((cause, why)) => entry_of(
                entry,
                Outcome::Unknown(*cause),
                format!("{what} cannot be asked for: {why}"),
            ),
            Ok(cli) => match told(cli) {
                None => entry_of(
                    entry,
                    Outcome::Untold,
                    format!("{what} cannot be compared here: the CLI does not say it"),
                ),
                Some(found) if is_same(entry, wanted, found) => {
                    entry_of(entry, Outcome::Same, format!("{what} is {found}, as the lock wants"))
                }
                Some(found) => entry_of(
                    entry,
                    Outcome::Differs,
                    format!("{what} is {found}, the lock wants {wanted}"),
                ),
            },
        });
    }
}

fn of_gateway(pins: &Pins, gateway: &Running, compared: &mut Vec<Compared>) {
    let entries = [
        ("gateway.version", "gateway", &pins.gateway),
        ("gateway.build", "gateway build", &pins.gateway_build),
    ];
    for (entry, what, wanted) in entries {
        let Some(wanted) = wanted else { continue };
        let (outcome, says) = match gateway {
            Running::Nowhere => (
                Outcome::Untold,
                format!("the {what} cannot be compared: say `port:` for the tenant"),
            ),
            Running::NotRunning => (Outcome::Absent, "the gateway is not running".to_owned()),
            Running::Unsaid(why) => (Outcome::Untold, format!("the {what} cannot be compared here: {why}")),
            Running::Silent(cause, why) => (
                Outcome::Unknown(*cause),
                format!("the {what} cannot be asked for: {why}"),
            ),
            Running::Runs(runs) => {
                let found = if entry == "gateway.build" {
                    runs.build.as_ref()
                } else {
                    Some(&runs.version)
                };
                match found {
                    // A difference that was seen must not heal because nobody tells it any more.
                    None if runs.build_was_told => (
                        Outcome::Unknown(Cause::Local),
                        "the gateway build cannot be asked for: the link that told it is away".to_owned(),
                    ),
                    None => (
                        Outcome::Untold,
                        "the gateway build cannot be compared: only a link with a token tells it".to_owned(),
                    ),
                    Some(found) if is_same(entry, wanted, found) => {
                        (Outcome::Same, format!("{what} {found} runs, as the lock wants"))
                    }
                    Some(found) => (
                        Outcome::Differs,
                        format!("{what} {found} runs, the lock wants {wanted}"),
                    ),
                }
            }
        };
        compared.push(entry_of(entry, outcome, says));
    }
}

fn of_file(path: &std::path::Path, wanted: &str, sum: &Sum) -> Compared {
    let shown = path.display();
    let (outcome, says) = match sum {
        Sum::Of(found) if found == wanted => (Outcome::Same, format!("{shown} is the file that the lock wants")),
        Sum::Of(found) => (
            Outcome::Differs,
            format!(
                "{shown} is another file than the lock wants: sha256:{}…, not sha256:{}…",
                &found[..12],
                &wanted[..12]
            ),
        ),
        Sum::Missing => (
            Outcome::Differs,
            format!("{shown}, of which the lock has a checksum, is not there"),
        ),
        Sum::Unreadable(cause, why) => (Outcome::Unknown(*cause), format!("{shown} {why}")),
    };
    entry_of(&format!("checksums.{shown}"), outcome, says)
}

fn skew(seen: &Seen) -> Option<Compared> {
    let (Running::Runs(runs), Ok(cli)) = (&seen.gateway, &seen.cli) else {
        return None;
    };
    let cli = cli.version.as_ref().filter(|cli| !is_same("", cli, &runs.version))?;
    let says = format!(
        "gateway {} runs, the CLI is {cli}: restart the gateway, or put the other openclaw on the path",
        runs.version
    );
    Some(entry_of("skew", Outcome::Differs, says))
}

fn seen_in_words(seen: &Seen) -> String {
    let said = |version: &Option<String>| version.clone().unwrap_or_else(|| "of an unknown version".to_owned());
    let cli = match &seen.cli {
        Ok(cli) => format!("the CLI is {}", said(&cli.version)),
        Err(_) => "the CLI cannot be asked".to_owned(),
    };
    let gateway = match &seen.gateway {
        Running::Nowhere => "no gateway is known".to_owned(),
        Running::NotRunning => "no gateway runs".to_owned(),
        Running::Unsaid(_) => "the gateway does not say its version".to_owned(),
        Running::Silent(..) => "the gateway does not answer".to_owned(),
        Running::Runs(runs) => format!("gateway {} runs", runs.version),
    };
    format!("{cli}, {gateway}")
}

fn and_more(first: &str, all: usize) -> String {
    match all {
        0 | 1 => first.to_owned(),
        all => format!("{first} (and {} more)", all - 1),
    }
}

/// Builds are commits, which are written in seven digits or in all forty.
fn is_same(entry: &str, wanted: &str, found: &str) -> bool {
    const SHORT: usize = 7;
    let bare = |version: &str| version.strip_prefix('v').unwrap_or(version).to_ascii_lowercase();
    let (wanted, found) = (bare(wanted), bare(found));
    let (short, long) = if wanted.len() <= found.len() {
        (&wanted, &found)
    } else {
        (&found, &wanted)
    };
    wanted == found || (entry.ends_with(".build") && short.len() >= SHORT && long.starts_with(short.as_str()))
}

fn entry_of(entry: &str, outcome: Outcome, says: String) -> Compared {
    Compared {
        entry: entry.to_owned(),
        outcome,
        says,
    }
}
