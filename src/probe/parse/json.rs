//! Any command or URL that answers with a JSON object.

use super::object::{self, NoObject, Object};
use super::status::{self, Fused};
use super::{Said, not_started};
use crate::words::{Answer, Cause, Finding};

/// `parse: json`: an object with `status` or `ok`, and `summary` (or `message`, `reason`, `error`).
pub fn json(said: &Said<'_>) -> Finding {
    match object::find(said.stdout) {
        Ok(object) => answered(&object, said),
        Err(why) => unreadable(why, said),
    }
}

/// The finding of an object with `ok` or `status`.
pub(super) fn answered(object: &Object, said: &Said<'_>) -> Finding {
    let summary = status::summary(object);
    match status::fuse(object, said.code) {
        Fused::Says(Answer::Ok) => Finding::ok(summary.unwrap_or("says ok")),
        Fused::Says(Answer::Degraded) => Finding::degraded(summary.unwrap_or("says degraded")),
        Fused::Says(Answer::Down) => Finding::down(summary.unwrap_or("says not ok")),
        Fused::Says(Answer::Unknown) => {
            Finding::unknown(Cause::SaidUnknown, summary.unwrap_or("says that it does not know"))
        }
        Fused::Disagree(how) => Finding::unknown(Cause::Unreadable, format!("contradicts itself: {how}")),
        Fused::Silent => Finding::unknown(
            Cause::Unreadable,
            "the JSON object has neither findings nor `ok` nor a known `status`",
        ),
    }
    .with_exit(said)
}

/// The finding when there is no object to read.
pub(super) fn unreadable(why: NoObject, said: &Said<'_>) -> Finding {
    if let Some(finding) = not_started(said) {
        return finding;
    }
    let what = match why {
        NoObject::Absent => "no JSON object on standard output",
        NoObject::CutOff => "the JSON object is cut off",
        NoObject::Broken => "the JSON object cannot be parsed",
    };
    let complaint = said.complaint();
    let cause = if refuses_arguments(&complaint) {
        Cause::Misconfigured
    } else {
        Cause::Unreadable
    };
    let summary = if complaint.is_empty() {
        format!("{what} (exit {})", said.code)
    } else {
        format!("{what} (exit {}): {complaint}", said.code)
    };
    Finding::unknown(cause, summary).with_exit(said)
}

/// How CLIs without machine-readable errors (commander.js in old OpenClaw versions, getopt) say that
/// they were asked in a way they do not know.
fn refuses_arguments(complaint: &str) -> bool {
    let complaint = complaint.to_ascii_lowercase();
    [
        "unknown option",
        "unknown command",
        "unrecognized option",
        "does not recognize option",
    ]
    .iter()
    .any(|phrase| complaint.contains(phrase))
}

impl Finding {
    /// With the exit code and the first complaint, unless all is well.
    pub(super) fn with_exit(mut self, said: &Said<'_>) -> Finding {
        if self.answer != Answer::Ok {
            self.evidence_push("exit code", said.code.to_string());
            let complaint = said.complaint();
            if !complaint.is_empty() {
                self.evidence_push("standard error", complaint);
            }
        }
        self
    }
}
