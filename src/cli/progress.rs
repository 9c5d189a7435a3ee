//! Shell: how far `readyd check` has come, on standard error: one line redrawn on a terminal, a few sentences elsewhere.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::clock;
use crate::config::Config;
use crate::daemon::oneshot::{self, Standing};
use crate::words::text::counted;
use crate::words::{Instant, ProbeName};

use super::arguments::Format;
use super::screen;
use super::sheet::cut;

/// Where no terminal reads it: what still runs is told after this, and again each time as long has passed as before.
const TELL_AFTER: Duration = Duration::from_secs(10);
/// Checks that are named before the rest is counted.
const NAMED_MAX: usize = 5;

/// Takes its line back when it is dropped, however the asking ends.
#[derive(Debug)]
pub struct Progress {
    began: Instant,
    form: Form,
}

#[derive(Debug)]
enum Form {
    /// The line that stands there.
    Line(String),
    Sentences {
        tell_at: Duration,
        begun: bool,
    },
    /// A Nagios plugin says one line, and that is its answer.
    Silent,
}

impl Progress {
    /// Says at once what will not be asked, and why.
    pub fn of(config: &Config, format: Format) -> Progress {
        let form = match (format, screen::stderr().size) {
            (Format::Nagios, _) => Form::Silent,
            (_, Some(_)) => Form::Line(String::new()),
            (_, None) => Form::Sentences {
                tell_at: TELL_AFTER,
                begun: false,
            },
        };
        let checks = config.checks();
        let unasked = checks
            .iter()
            .filter(|(_, probe)| oneshot::only_a_daemon_knows(&probe.asks));
        let unasked: BTreeSet<&ProbeName> = unasked.map(|(check, _)| &check.probe).collect();
        if !unasked.is_empty() && !matches!(form, Form::Silent) {
            let names: Vec<&str> = unasked.iter().map(|name| name.as_str()).collect();
            eprintln!(
                "readyd: not asked: {}: only a running daemon knows them (readyd check --daemon)",
                names.join(", ")
            );
        }
        Progress {
            began: clock::instant(),
            form,
        }
    }

    pub fn show(&mut self, standing: &Standing) {
        let waited = clock::instant().since(self.began);
        match &mut self.form {
            Form::Silent => {}
            Form::Line(shown) => {
                let width = screen::stderr().width().unwrap_or(usize::MAX);
                // The last column stays free: a cursor behind it would be on the next line.
                let line = cut(&line(standing), width.saturating_sub(1));
                if line != *shown {
                    eprint!("\r\u{1b}[K{line}");
                    *shown = line;
                }
            }
            Form::Sentences { tell_at, begun } => {
                if !*begun {
                    eprintln!("readyd: asking {}", counted(standing.total, "check"));
                    *begun = true;
                }
                if waited >= *tell_at && standing.answered < standing.total {
                    eprintln!("readyd: {}", sentence(standing, waited));
                    *tell_at = waited * 2;
                }
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Form::Line(shown) = &self.form
            && !shown.is_empty()
        {
            eprint!("\r\u{1b}[K");
        }
    }
}

/// `12 of 18 answered; doctor@acme runs, 23 s`.
fn line(standing: &Standing) -> String {
    let slowest = match standing.running.first() {
        Some((check, time)) => format!("; {check} runs, {} s", time.as_secs()),
        None => String::new(),
    };
    format!("{} of {} answered{slowest}", standing.answered, standing.total)
}

/// `after 10 s 12 of 18 have answered; still running: doctor@acme (9 s)`.
fn sentence(standing: &Standing, waited: Duration) -> String {
    let named = standing.running.iter().take(NAMED_MAX);
    let named: Vec<String> = named
        .map(|(check, time)| format!("{check} ({} s)", time.as_secs()))
        .collect();
    let more = match standing.running.len().saturating_sub(NAMED_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "after {} s {} of {} have answered; still running: {}{more}",
        waited.as_secs(),
        standing.answered,
        standing.total,
        named.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::CheckId;

    fn standing(running: &[(&str, u64)]) -> Standing {
        let running = running
            .iter()
            .map(|(check, seconds)| (CheckId::parse(check).unwrap(), Duration::from_secs(*seconds)));
        Standing {
            answered: 12,
            total: 18,
            running: running.collect(),
        }
    }

    #[test]
    fn it_names_what_is_waited_for() {
        assert_eq!(
            line(&standing(&[("doctor@acme", 23), ("disk", 1)])),
            "12 of 18 answered; doctor@acme runs, 23 s"
        );
        assert_eq!(line(&standing(&[])), "12 of 18 answered");
        assert_eq!(
            sentence(
                &standing(&[("doctor@acme", 9), ("cost@acme", 2)]),
                Duration::from_secs(10)
            ),
            "after 10 s 12 of 18 have answered; still running: doctor@acme (9 s), cost@acme (2 s)"
        );
    }
}
