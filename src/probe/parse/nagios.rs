//! The plugin conventions of monitoring (Nagios, Icinga): an exit code, one line, performance data.

use super::{Said, first_line, not_started};
use crate::words::{Answer, Cause, Finding};

/// `parse: nagios`, by the Monitoring Plugins' guidelines: exit 0/1/2/3 is ok/degraded/down/unknown, any
/// other code is unknown. Text before the first `|` of a line is for people, behind it is performance
/// data; in the long output (all but the first line) a `|` turns everything after it into data.
pub fn nagios(said: &Said<'_>) -> Finding {
    let output = Output::of(said);
    let summary = if output.line.is_empty() {
        format!("no output (exit {})", said.code)
    } else {
        output.line.clone()
    };
    let mut finding = match said.code {
        0 => Finding::ok(summary),
        1 => Finding::degraded(summary),
        2 => Finding::down(summary),
        3 => Finding::unknown(Cause::SaidUnknown, summary),
        other => not_started(said).unwrap_or_else(|| {
            Finding::unknown(
                Cause::Unreadable,
                format!("exit {other} is not a plugin's (0 to 3): {summary}"),
            )
        }),
    };
    if !output.long.is_empty() {
        finding.evidence_push("output", &output.long);
    }
    for (label, value) in perfdata(&output.data) {
        finding.measure(&label, "", value);
    }
    finding
}

/// `parse: exit-code`: 0 is ok, all else is down; but 126 and 127 (nobody was asked) are unknown, and so
/// are 129 to 159, by which a shell says that a signal ended its command. The first line is the summary.
pub fn exit_code(said: &Said<'_>) -> Finding {
    if let Some(finding) = not_started(said) {
        return finding;
    }
    let line = Some(first_line(said.stdout))
        .filter(|line| !line.is_empty())
        .unwrap_or_else(|| said.complaint());
    let with_line = |text: String| {
        if line.is_empty() {
            text
        } else {
            format!("{text}: {line}")
        }
    };
    let finding = match said.code {
        0 if line.is_empty() => Finding::ok("exit 0"),
        0 => Finding::ok(&line),
        signalled @ 129..=159 => Finding::unknown(
            Cause::Signal,
            with_line(format!(
                "exit {signalled}: a command in it was ended by signal {}",
                signalled - 128
            )),
        ),
        other => Finding::down(with_line(format!("exit {other}"))),
    };
    if finding.answer == Answer::Ok {
        return finding;
    }
    finding.with_exit(said)
}

#[derive(Debug, Default)]
struct Output {
    line: String,
    long: String,
    data: String,
}

impl Output {
    fn of(said: &Said<'_>) -> Output {
        let stdout = String::from_utf8_lossy(said.stdout);
        let mut lines = stdout.lines();
        let mut output = Output::default();
        let first = lines.next().unwrap_or_default();
        let (line, data) = first.split_once('|').unwrap_or((first, ""));
        output.line = line.trim().to_owned();
        output.data.push_str(data);
        let mut in_data = false;
        for line in lines {
            let (text, data) = match line.split_once('|') {
                _ if in_data => ("", line),
                Some((text, data)) => {
                    in_data = true;
                    (text, data)
                }
                None => (line, ""),
            };
            if !text.trim().is_empty() {
                output.long.push_str(text.trim_end());
                output.long.push('\n');
            }
            output.data.push(' ');
            output.data.push_str(data);
        }
        if output.line.is_empty() {
            // Nothing on standard output: a plugin that failed early complains on the other one.
            output.line = said.complaint();
        }
        output
    }
}

/// `'label'=value[unit];[warn];[crit];[min];[max]`, separated by blanks; labels with blanks are quoted,
/// a quote in them is doubled. Values are kept in their own unit; `U` (unknown) and what is not
/// understood is left out.
fn perfdata(data: &str) -> Vec<(String, f64)> {
    let mut measured = Vec::new();
    let mut rest = data.trim_start();
    while !rest.is_empty() && measured.len() < Finding::MEASUREMENTS_MAX {
        let (label, after) = match rest.strip_prefix('\'') {
            Some(quoted) => {
                let Some((label, after)) = until_quote(quoted) else {
                    break;
                };
                (label, after.strip_prefix('='))
            }
            None => {
                let end = rest.find(|character: char| character == '=' || character.is_whitespace());
                let end = end.unwrap_or(rest.len());
                (rest[..end].to_owned(), rest[end..].strip_prefix('='))
            }
        };
        let value = after.unwrap_or_default();
        let end = value.find(char::is_whitespace).unwrap_or(value.len());
        if let Some(number) = number(&value[..end])
            && !label.is_empty()
        {
            measured.push((label, number));
        }
        rest = match after {
            Some(after) => after[end..].trim_start(),
            // Not `label=`: go on behind the next blank.
            None => rest
                .split_once(char::is_whitespace)
                .map_or("", |(_, rest)| rest.trim_start()),
        };
    }
    measured
}

fn until_quote(quoted: &str) -> Option<(String, &str)> {
    let mut label = String::new();
    let mut rest = quoted;
    loop {
        let (before, after) = rest.split_once('\'')?;
        label.push_str(before);
        match after.strip_prefix('\'') {
            Some(further) => {
                label.push('\'');
                rest = further;
            }
            None => return Some((label, after)),
        }
    }
}

/// The number before its unit: the longest beginning that is one. Some plugins write a decimal comma.
fn number(value: &str) -> Option<f64> {
    const DIGITS_MAX: usize = 32;
    let value = value.split(';').next()?.replace(',', ".");
    if !value.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '.' | '-' | '+')) {
        return None;
    }
    (1..=value.len().min(DIGITS_MAX))
        .rev()
        .find_map(|end| value.get(..end)?.parse().ok())
        .filter(|number: &f64| number.is_finite())
}
