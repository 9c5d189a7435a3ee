//! A finding about several things (paths, queues): the worst of them speaks, all of them are evidence.

use crate::words::{Answer, Cause, Finding};

/// What was seen at one of several things.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// A path, a queue: whatever was looked at.
    pub what: String,
    pub answer: Answer,
    /// Set when, and only when, `answer` is unknown.
    pub cause: Option<Cause>,
    pub immediate: bool,
    /// Reads after `what`: `120.0 MiB free, below 256.0 MiB`.
    pub seen: String,
}

impl Part {
    pub fn ok(what: impl Into<String>, seen: impl Into<String>) -> Part {
        Part::answered(Answer::Ok, what, seen)
    }

    pub fn degraded(what: impl Into<String>, seen: impl Into<String>) -> Part {
        Part::answered(Answer::Degraded, what, seen)
    }

    pub fn down(what: impl Into<String>, seen: impl Into<String>) -> Part {
        Part::answered(Answer::Down, what, seen)
    }

    pub fn unknown(cause: Cause, what: impl Into<String>, seen: impl Into<String>) -> Part {
        let mut part = Part::answered(Answer::Unknown, what, seen);
        part.cause = Some(cause);
        part
    }

    pub fn at_once(mut self) -> Part {
        self.immediate = true;
        self
    }

    fn answered(answer: Answer, what: impl Into<String>, seen: impl Into<String>) -> Part {
        Part {
            what: what.into(),
            answer,
            cause: None,
            immediate: false,
            seen: seen.into(),
        }
    }
}

/// The worst part's answer, with every part as evidence, worst first. `all_well` is the summary when
/// nothing is wrong.
///
/// `unknown` ranks below `down` and above `degraded`: a path that is silent may be the worse one, but a
/// path that is certainly full is down whatever the silent one would have said.
pub fn fuse(mut parts: Vec<Part>, all_well: impl AsRef<str>) -> Finding {
    parts.sort_by_key(|part| std::cmp::Reverse((rank(part.answer), part.immediate)));
    let wrong = parts.iter().filter(|part| part.answer != Answer::Ok).count();
    let summary = match (parts.first(), wrong) {
        (Some(worst), 1) => format!("{}: {}", worst.what, worst.seen),
        (Some(worst), more @ 2..) => format!("{}: {} (and {} more)", worst.what, worst.seen, more - 1),
        _ => all_well.as_ref().to_owned(),
    };
    let mut finding = match parts.first() {
        None => Finding::ok(summary),
        Some(worst) => match (worst.answer, worst.cause) {
            (Answer::Ok, _) => Finding::ok(summary),
            (Answer::Degraded, _) => Finding::degraded(summary),
            (Answer::Down, _) => Finding::down(summary),
            (Answer::Unknown, cause) => Finding::unknown(cause.unwrap_or(Cause::Local), summary),
        },
    };
    finding.immediate = parts.first().is_some_and(|worst| worst.immediate);
    for part in &parts {
        finding.evidence_push(&part.what, &part.seen);
    }
    finding
}

fn rank(answer: Answer) -> u8 {
    match answer {
        Answer::Ok => 0,
        Answer::Degraded => 1,
        Answer::Unknown => 2,
        Answer::Down => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_part_speaks_and_the_others_are_counted() {
        let finding = fuse(
            vec![
                Part::ok("/a", "fine"),
                Part::degraded("/b", "low"),
                Part::down("/c", "full").at_once(),
                Part::down("/d", "read-only"),
            ],
            "all well",
        );
        assert_eq!(finding.summary, "/c: full (and 2 more)");
        assert_eq!(finding.answer, Answer::Down);
        assert!(finding.immediate);
        let order: Vec<&str> = finding.evidence.iter().map(|fact| fact.what.as_str()).collect();
        assert_eq!(order, ["/c", "/d", "/b", "/a"]);
    }

    #[test]
    fn a_silent_part_hides_a_degraded_one_but_never_a_down_one() {
        let silent = Part::unknown(Cause::Timeout, "/a", "silent");
        let degraded = fuse(vec![silent.clone(), Part::degraded("/b", "low")], "");
        assert_eq!(
            (degraded.answer, degraded.cause),
            (Answer::Unknown, Some(Cause::Timeout))
        );
        let down = fuse(vec![silent, Part::down("/b", "full")], "");
        assert_eq!((down.answer, down.cause), (Answer::Down, None));
    }

    #[test]
    fn nothing_wrong_is_ok_with_the_given_words() {
        let finding = fuse(vec![Part::ok("/a", "fine")], "1 path has room");
        assert_eq!(
            (finding.answer, finding.summary.as_str()),
            (Answer::Ok, "1 path has room")
        );
        assert_eq!(fuse(Vec::new(), "no path to watch").answer, Answer::Ok);
    }
}
