//! The words of HAProxy's agent-check (its manual, `agent-check`). Pure; the listener is in the server.

use std::fmt::Write as _;

use super::topic::Topic;
use crate::readiness::snapshot::Phase;
use crate::words::{CountsAs, Verdict};

/// Check names in one answer.
const NAMES_MAX: usize = 8;

/// One line: `up 100%`, `up 50%` when degraded, `up 0%` while draining, `down #doctor@acme,disk`.
///
/// Draining is weight 0 and not the word `drain`: that word sets the server's administrative state,
/// which only `ready` takes back, and `ready` would also undo a `maint` that an operator set in
/// HAProxy by hand. Weight 0 has the same effect (HAProxy shows it as DRAIN) and needs no taking
/// back. Reasons hold names of checks only, never text from outside.
pub fn line(topic: &Topic<'_>) -> String {
    match (topic.phase, topic.verdict) {
        (Phase::Draining, _) => "up 0%\n".into(),
        (Phase::Starting, _) => "down #starting\n".into(),
        (Phase::Serving, Verdict::Ok) => "up 100%\n".into(),
        (Phase::Serving, Verdict::Degraded) => "up 50%\n".into(),
        (Phase::Serving, Verdict::Down) => down(topic),
    }
}

fn down(topic: &Topic<'_>) -> String {
    let mut line = "down #".to_owned();
    let guilty = topic.checks.iter().filter(|check| check.counts_as == CountsAs::Down);
    for (position, check) in guilty.take(NAMES_MAX).enumerate() {
        let comma = if position == 0 { "" } else { "," };
        let _ = write!(line, "{comma}{}", check.id);
    }
    line.push('\n');
    line
}
