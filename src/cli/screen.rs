//! Shell: what reads standard output: how wide it is, whether it shows colour, which time of day its reader has.
#![expect(
    clippy::disallowed_methods,
    reason = "shell: asks the environment what it says about colour"
)]

use std::ffi::OsString;
use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::sync::OnceLock;

use chrono::{DateTime, Local, Offset as _};

use crate::clock;
use crate::words::Wall;

use super::arguments::Colour;
use super::moment::Moments;

/// Of a terminal that does not say how large it is.
const WIDTH: usize = 80;
const HEIGHT: usize = 24;

/// `--color`, said once for all that is printed.
static CHOSEN: OnceLock<Colour> = OnceLock::new();

/// How text is to be made for its reader.
#[derive(Clone, Copy, Debug)]
pub struct Screen {
    /// Columns and lines; `None` when no terminal reads it: nothing is cut then.
    pub size: Option<(usize, usize)>,
    pub coloured: bool,
}

impl Screen {
    pub fn width(&self) -> Option<usize> {
        self.size.map(|(width, _)| width)
    }
}

/// What `--color` says.
pub fn choose(colour: Colour) {
    // Said once a process.
    let _ = CHOSEN.set(colour);
}

pub fn stdout() -> Screen {
    of(&std::io::stdout())
}

pub fn stderr() -> Screen {
    of(&std::io::stderr())
}

/// The time of day of whoever reads this, and now.
pub fn moments() -> Moments {
    Moments {
        now: clock::now().wall,
        offset: |moment: Wall| {
            let utc = DateTime::from_timestamp_millis(moment.as_millis()).unwrap_or_default();
            utc.with_timezone(&Local).offset().fix().local_minus_utc()
        },
        relative: true,
    }
}

fn of(stream: &(impl AsFd + IsTerminal)) -> Screen {
    let is_terminal = stream.is_terminal();
    let told = |told: u16, else_: usize| if told == 0 { else_ } else { usize::from(told) };
    let size = is_terminal.then(|| match rustix::termios::tcgetwinsize(stream) {
        Ok(size) => (told(size.ws_col, WIDTH), told(size.ws_row, HEIGHT)),
        Err(_) => (WIDTH, HEIGHT),
    });
    let chosen = CHOSEN.get().copied().unwrap_or_default();
    Screen {
        size,
        coloured: is_coloured(chosen, |name| std::env::var_os(name), is_terminal),
    }
}

/// `--color` before `NO_COLOR` (no-color.org) before `CLICOLOR_FORCE` before `TERM=dumb` and `CLICOLOR=0` (bixense.com/clicolors).
fn is_coloured(chosen: Colour, variable: impl Fn(&str) -> Option<OsString>, is_terminal: bool) -> bool {
    let said = |name| variable(name).filter(|value| !value.is_empty());
    match chosen {
        Colour::Always => true,
        Colour::Never => false,
        Colour::Auto if said("NO_COLOR").is_some() => false,
        Colour::Auto if said("CLICOLOR_FORCE").is_some_and(|value| value != "0") => true,
        Colour::Auto => {
            let is_dumb = said("TERM").is_some_and(|value| value == "dumb");
            is_terminal && !is_dumb && said("CLICOLOR").is_none_or(|value| value != "0")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_for_terminals_unless_somebody_says_otherwise() {
        use Colour::{Always, Auto, Never};
        for (chosen, environment, is_terminal, expected) in [
            (Auto, &[][..], true, true),
            (Auto, &[], false, false),
            (Auto, &[("NO_COLOR", "1")], true, false),
            (Auto, &[("NO_COLOR", "")], true, true),
            (Auto, &[("TERM", "dumb")], true, false),
            (Auto, &[("CLICOLOR", "0")], true, false),
            (Auto, &[("CLICOLOR_FORCE", "1")], false, true),
            (Auto, &[("CLICOLOR_FORCE", "0")], false, false),
            (Auto, &[("CLICOLOR_FORCE", "1"), ("TERM", "dumb")], true, true),
            (Auto, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], true, false),
            (Always, &[("NO_COLOR", "1")], false, true),
            (Never, &[("CLICOLOR_FORCE", "1")], true, false),
        ] {
            let variable = |name: &str| {
                let found = environment.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| OsString::from(value))
            };
            let is = is_coloured(chosen, variable, is_terminal);
            assert_eq!(is, expected, "{chosen:?} {environment:?} {is_terminal}");
        }
    }
}
