//! `openclaw config validate --json`, and `config lint --tenant` of the articles' CLI. Measured on openclaw 2026.9.6: JSON
//! before exit code.

use serde_json::Value;

use super::doctor::{first_line, refusal};
use super::object::{self, NoObject, Object};
use super::status::{self, Fused};
use super::{Said, json, not_started};
use crate::probe::openclaw::Speaks;
use crate::words::{Cause, Finding};

/// One entry of `issues` or `warnings`.
#[derive(Clone, Debug)]
struct Issue<'a> {
    /// Where in the configuration: `gateway.port`.
    path: &'a str,
    message: &'a str,
    /// Where it is not the configuration file itself, but one that it includes.
    file: Option<&'a str>,
    line: Option<u64>,
}

/// `parse: config`. Only a CLI that was asked in the articles' words may answer by its exit code: of the real one, text
/// without an object is what a wrong Node.js says, and nothing about a configuration.
pub fn config(said: &Said<'_>, speaks: Speaks) -> Finding {
    match object::find(said.stdout) {
        Ok(object) => match object.get("valid").and_then(Value::as_bool) {
            Some(valid) => validated(valid, &object, said),
            None => {
                refusal(&object).map_or_else(|| otherwise(&object, said, speaks), |refused| refused.with_exit(said))
            }
        },
        Err(why) if speaks == Speaks::Article && !begins_object(why, said) => linted(said),
        Err(why) => json::unreadable(why, said),
    }
}

fn validated(valid: bool, object: &Object, said: &Said<'_>) -> Finding {
    let file = object
        .get("path")
        .and_then(Value::as_str)
        .unwrap_or("the configuration");
    let error = object.get("error").filter(|error| !error.is_null());
    if valid {
        if said.code != 0 || error.is_some() {
            let text = format!("contradicts itself: `valid` is true, the exit code {}", said.code);
            return Finding::unknown(Cause::Unreadable, text).with_exit(said);
        }
        let mut finding = Finding::ok(format!("{file} is valid"));
        for key in ["warnings", "issues"] {
            for issue in issues(object, key) {
                finding.note_push(format!("{}: {}", issue.path, first_line(issue.message)));
            }
        }
        return finding;
    }
    let (unseen, wrong): (Vec<_>, Vec<_>) = issues(object, "issues").into_iter().partition(Issue::could_not_look);
    let Some(first) = wrong.first() else {
        // No issue at all is how a missing file is told, and an error of the command's own.
        let told = error.and_then(|error| error.get("message")?.as_str());
        let why = unseen
            .first()
            .map(|issue| issue.message)
            .or(told)
            .unwrap_or("no issue is named");
        let text = format!("{file} could not be validated: {}", first_line(why));
        return Finding::unknown(Cause::Misconfigured, text).with_exit(said);
    };
    let more = match wrong.len() {
        1 => String::new(),
        several => format!(" (+{} more)", several - 1),
    };
    let mut finding = Finding::down(format!("{}: {}{more}", first.path, first_line(first.message)));
    finding.evidence_push("file", file);
    for issue in wrong.iter().chain(&unseen) {
        finding.evidence_push(issue.path, issue.story(file));
    }
    finding
}

/// An object that is no answer to `config validate`.
fn otherwise(object: &Object, said: &Said<'_>, speaks: Speaks) -> Finding {
    if speaks == Speaks::Openclaw {
        let text = "the JSON object has no `valid`: not an answer that readyd knows";
        return Finding::unknown(Cause::Unreadable, text).with_exit(said);
    }
    // A log line in JSON, say, among a linter's text.
    let mut finding = match status::fuse(object, said.code) {
        Fused::Silent => linted(said),
        Fused::Says(_) | Fused::Disagree(_) => json::answered(object, said),
    };
    for key in ["issues", "errors", "problems"] {
        for issue in issues(object, key) {
            finding.evidence_push(issue.path, issue.story("the tenant's configuration"));
        }
    }
    finding
}

/// The articles' linter by its exit code: 0 is ok; anything else is down with its first lines, unless they say that it was
/// not looked.
fn linted(said: &Said<'_>) -> Finding {
    if let Some(finding) = not_started(said) {
        return finding;
    }
    let lines = lines(said);
    let first = lines.first().map(String::as_str);
    match said.code {
        0 => return Finding::ok(first.unwrap_or("the linter finds nothing")),
        USAGE => return not_asked(Cause::Misconfigured, first, said),
        // A shell's word for a command that a signal ended.
        SIGNALLED.. => return not_asked(Cause::Signal, first, said),
        _ => {}
    }
    if let Some(line) = lines.iter().find(|line| says_that_it_did_not_look(line)) {
        return not_asked(Cause::Misconfigured, Some(line), said);
    }
    let mut finding = Finding::down(first.unwrap_or("the linter fails and does not say why"));
    for (index, line) in lines.iter().enumerate() {
        finding.evidence_push(format!("line {}", index + 1), line);
    }
    finding.evidence_push("exit code", said.code.to_string());
    finding
}

/// `EX_USAGE` of sysexits.h.
const USAGE: i32 = 64;
/// By POSIX a shell answers 128 and the signal's number.
const SIGNALLED: i32 = 128;
/// What is shown of a linter's words.
const LINES_MAX: usize = 16;

fn not_asked(cause: Cause, why: Option<&str>, said: &Said<'_>) -> Finding {
    let text = format!(
        "the linter did not look (exit {}): {}",
        said.code,
        why.unwrap_or("it says nothing")
    );
    Finding::unknown(cause, text).with_exit(said)
}

/// How command lines say that they do not know what they were asked, that they cannot run here, or that this user may not
/// look. Rather `unknown` once too often: a configuration is `down` for its own faults alone.
fn says_that_it_did_not_look(line: &str) -> bool {
    const SIGNS: [&str; 28] = [
        "unknown option",
        "unknown command",
        "unknown subcommand",
        "unknown argument",
        "unknown flag",
        "unknown shorthand flag",
        "unknown tenant",
        "unrecognized option",
        "unrecognized command",
        "unrecognized subcommand",
        "unrecognized arguments",
        "does not recognize",
        "unexpected argument",
        "invalid option",
        "invalid choice",
        "no such option",
        "no such command",
        "no such tenant",
        "no such file",
        "command not found",
        "file not found",
        "tenant not found",
        "permission denied",
        "eacces",
        "eperm",
        "enoent",
        "cannot find module",
        "requires node",
    ];
    let line = line.to_ascii_lowercase();
    line.starts_with("usage:") || line.contains("node.js v") || SIGNS.iter().any(|sign| line.contains(sign))
}

/// The first lines with something on them: standard output's, where a linter reports, then the complaints.
fn lines(said: &Said<'_>) -> Vec<String> {
    let of = |bytes: &[u8]| {
        let head = &bytes[..bytes.len().min(LINES_MAX * Finding::SEEN_BYTES_MAX)];
        let text = String::from_utf8_lossy(head);
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.take(LINES_MAX).map(str::to_owned).collect::<Vec<_>>()
    };
    let mut lines = of(said.stdout);
    lines.extend(of(said.stderr));
    lines.truncate(LINES_MAX);
    lines
}

/// Whether what was said is half an object rather than text: braces within a line are a linter's own.
fn begins_object(why: NoObject, said: &Said<'_>) -> bool {
    why != NoObject::Absent
        && said
            .stdout
            .split(|byte| *byte == b'\n')
            .any(|line| line.starts_with(b"{"))
}

fn issues<'a>(object: &'a Object, key: &str) -> Vec<Issue<'a>> {
    let entries = object.get(key).and_then(Value::as_array).map(Vec::as_slice);
    entries.unwrap_or_default().iter().map(Issue::of).collect()
}

impl<'a> Issue<'a> {
    fn of(value: &'a Value) -> Issue<'a> {
        let text = |key: &str| value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        Issue {
            path: text("path").unwrap_or("<root>"),
            message: text("message")
                .or(value.as_str())
                .unwrap_or("it does not say what is wrong"),
            file: text("sourceFile").or(text("file")),
            line: value.get("line").and_then(Value::as_u64),
        }
    }

    /// What the CLI's own user could not see or does not own. The gateway, which is another user, may well. Source: the
    /// texts of `config validate` in openclaw 2026.9.6.
    fn could_not_look(&self) -> bool {
        const SIGNS: [&str; 4] = [
            "must be owned by the current user (uid=",
            "permissions could not be verified",
            "EACCES",
            "EPERM",
        ];
        self.message.starts_with("read failed: ") || SIGNS.iter().any(|sign| self.message.contains(sign))
    }

    /// The message, and in which file and line.
    fn story(&self, file: &str) -> String {
        let file = self.file.unwrap_or(file);
        match self.line {
            Some(line) => format!("{} (in {file}:{line})", self.message),
            None => format!("{} (in {file})", self.message),
        }
    }
}
