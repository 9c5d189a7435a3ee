//! One answer of one check, with its evidence.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Answer, redact, text};

/// One answer of one check. Its texts are clean ([`text::clean`]) and bounded by construction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    pub answer: Answer,
    /// One line that a person reads first.
    pub summary: String,
    pub evidence: Vec<Evidence>,
    /// Shown and never counted: posture advice, say.
    pub notes: Vec<String>,
    /// Whether it counts at once, without `fall` (ENOSPC, a wedge, a shutdown).
    pub immediate: bool,
    /// It was seen to live, even where it could not be asked. A remembered `down` is `degraded` from then on (a gateway
    /// that refuses our token, or that serves while its secrets do not resolve).
    #[serde(default)]
    pub alive: bool,
    /// Why it could not be asked. Set when, and only when, `answer` is unknown.
    pub cause: Option<Cause>,
    /// What was measured along the way: Nagios perfdata, free bytes, queue depths.
    pub measurements: Vec<Measurement>,
}

/// One fact behind a finding: what was looked at, and what was seen there. One line each, whatever a process
/// or a peer said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    pub what: String,
    pub seen: String,
}

/// A number that came with a finding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Measurement {
    /// `disk_free_bytes`, `disk_free_ratio`, `queue_depth`, `queue_oldest_age_seconds`; a perfdata label otherwise.
    pub name: String,
    /// What was measured: a path, a queue's name; empty when there is one alone.
    pub subject: String,
    pub value: f64,
}

/// Why a check could not be asked: a closed set, it labels `readyd_probe_failures_total`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The command could not be started.
    Spawn,
    /// It did not answer within its timeout.
    Timeout,
    /// It was ended by a signal that was not ours.
    Signal,
    /// It said more than the cap allows.
    OutputTooLarge,
    /// What it said could not be read.
    Unreadable,
    /// It refused how it was asked: wrong arguments, wrong version, wrong user.
    Misconfigured,
    /// This host could not ask: no descriptors, no buffers, no route.
    Local,
    /// It said of itself that it does not know.
    SaidUnknown,
}

/// What one run of an exec probe cost, by `wait4`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// From the spawn to the answer.
    pub wall: Duration,
    /// User and system CPU time; zero for native probes.
    pub cpu: Duration,
    /// Zero for native probes.
    pub peak_rss_bytes: u64,
}

impl Finding {
    pub const SUMMARY_BYTES_MAX: usize = 512;
    pub const SEEN_BYTES_MAX: usize = 2048;
    pub const EVIDENCE_MAX: usize = 64;
    pub const NOTES_MAX: usize = 64;
    pub const MEASUREMENTS_MAX: usize = 256;

    pub fn ok(summary: impl AsRef<str>) -> Finding {
        Finding::answered(Answer::Ok, summary)
    }

    pub fn degraded(summary: impl AsRef<str>) -> Finding {
        Finding::answered(Answer::Degraded, summary)
    }

    pub fn down(summary: impl AsRef<str>) -> Finding {
        Finding::answered(Answer::Down, summary)
    }

    pub fn unknown(cause: Cause, summary: impl AsRef<str>) -> Finding {
        let mut finding = Finding::answered(Answer::Unknown, summary);
        finding.cause = Some(cause);
        finding
    }

    /// Counts at once, whatever the probe's `fall` says.
    pub fn at_once(mut self) -> Finding {
        self.immediate = true;
        self
    }

    /// It was seen to live, whatever else was found.
    pub fn but_alive(mut self) -> Finding {
        self.alive = true;
        self
    }

    pub fn with_evidence(mut self, what: impl AsRef<str>, seen: impl AsRef<str>) -> Finding {
        self.evidence_push(what, seen);
        self
    }

    /// Adds a fact; beyond [`Finding::EVIDENCE_MAX`] it is left out.
    pub fn evidence_push(&mut self, what: impl AsRef<str>, seen: impl AsRef<str>) {
        if self.evidence.len() < Self::EVIDENCE_MAX {
            self.evidence.push(Evidence {
                what: line(what.as_ref()),
                seen: shown(&text::clean_line(seen.as_ref(), SOURCE_BYTES_MAX), Self::SEEN_BYTES_MAX),
            });
        }
    }

    pub fn note_push(&mut self, note: impl AsRef<str>) {
        if self.notes.len() < Self::NOTES_MAX {
            self.notes.push(line(note.as_ref()));
        }
    }

    pub fn measure(&mut self, name: &str, subject: &str, value: f64) {
        if self.measurements.len() < Self::MEASUREMENTS_MAX {
            self.measurements.push(Measurement {
                name: text::clean_line(name, 128),
                subject: text::clean_line(subject, Self::SUMMARY_BYTES_MAX),
                value,
            });
        }
    }

    /// Takes secrets that are known (of an env file, say) out of everything it says.
    pub fn hide(&mut self, secrets: &[String]) {
        let evidence = self
            .evidence
            .iter_mut()
            .flat_map(|evidence| [&mut evidence.what, &mut evidence.seen]);
        let texts = std::iter::once(&mut self.summary)
            .chain(evidence)
            .chain(&mut self.notes);
        for text in texts {
            for secret in secrets
                .iter()
                .filter(|secret| text.contains(secret.as_str()))
                .collect::<Vec<_>>()
            {
                *text = text.replace(secret.as_str(), redact::MARK);
            }
        }
    }

    fn answered(answer: Answer, summary: impl AsRef<str>) -> Finding {
        Finding {
            answer,
            summary: line(summary.as_ref()),
            evidence: Vec::new(),
            notes: Vec::new(),
            immediate: false,
            alive: false,
            cause: None,
            measurements: Vec::new(),
        }
    }
}

/// Read before it is cut, so that a secret across the cut is still seen whole.
const SOURCE_BYTES_MAX: usize = 16 << 10;

fn line(text: &str) -> String {
    shown(&text::clean_line(text, SOURCE_BYTES_MAX), Finding::SUMMARY_BYTES_MAX)
}

fn shown(clean: &str, bytes_max: usize) -> String {
    let mut shown = redact::finding(clean);
    shown.truncate(shown.floor_char_boundary(bytes_max));
    shown
}

impl Cause {
    pub const ALL: [Cause; 8] = [
        Cause::Spawn,
        Cause::Timeout,
        Cause::Signal,
        Cause::OutputTooLarge,
        Cause::Unreadable,
        Cause::Misconfigured,
        Cause::Local,
        Cause::SaidUnknown,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Cause::Spawn => "spawn",
            Cause::Timeout => "timeout",
            Cause::Signal => "signal",
            Cause::OutputTooLarge => "output_too_large",
            Cause::Unreadable => "unreadable",
            Cause::Misconfigured => "misconfigured",
            Cause::Local => "local",
            Cause::SaidUnknown => "said_unknown",
        }
    }
}
