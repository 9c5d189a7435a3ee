use std::sync::LazyLock;
use std::time::Duration;

use crate::config::declarations::shipped_probes;
use crate::fingerprint::Fingerprints;
use crate::probe::declaration::{Asks, Tokens};
use crate::words::{Finding, ProbeName, Wall};

mod judged;
mod looked;

const NOW: Wall = Wall::from_millis(1_795_163_644_000);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// One key for all specs.
static BY: LazyLock<Fingerprints> = LazyLock::new(Fingerprints::default);

/// What ships.
fn shipped() -> Tokens {
    let probe = &shipped_probes()[&ProbeName::parse("token-rotation").unwrap()];
    match &probe.asks {
        Asks::Tokens(tokens) => tokens.clone(),
        other => panic!("{other:?}"),
    }
}

/// The answer, the summary, and the notes, a line each; fingerprints are called by their secret.
fn told(finding: &Finding, secrets: &[&str]) -> String {
    assert!(!finding.immediate, "{finding:?}");
    let cause = finding
        .cause
        .map_or(String::new(), |cause| format!(" ({})", cause.as_str()));
    let notes = finding.notes.iter().map(|note| format!("\nnote: {note}"));
    let mut text = format!("{}{cause}: {}", finding.answer.as_str(), finding.summary);
    text.extend(notes);
    named(text, secrets)
}

fn named(mut text: String, secrets: &[&str]) -> String {
    for secret in secrets {
        assert!(!text.contains(&format!("-{secret}-")), "{text}");
        text = text.replace(&BY.of(&format!("-{secret}-")).to_string(), &format!("<{secret}>"));
    }
    text
}
