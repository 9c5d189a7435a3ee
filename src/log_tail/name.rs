//! Which files of a folder are a log's: of each date, with those that were rotated away. Pure.
//!
//! Source: openclaw 2026.9.6 writes `openclaw-2026-11-20.log` by its own local date, and renames a full one to
//! `openclaw-2026-11-20.1.log`, that one to `.2.log`, and so on to 5. The date is read off the names: the time zone of
//! a gateway is not known here.

use std::cmp::Reverse;
use std::path::{Path, PathBuf};

/// Stands for a date in a configured path, as in OpenClaw's own settings.
pub const DATE: &str = "YYYY-MM-DD";
/// The newest so many files of a log are read. OpenClaw keeps the six of a date, and yesterday's for a day.
pub const FILES_MAX: usize = 16;

/// The files of one log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    pub folder: PathBuf,
    /// Before the date, or up to the extension.
    before: String,
    /// Between the date and the extension; `None`: no date.
    after: Option<String>,
    /// With its dot, or empty.
    extension: String,
}

/// Orders the files of a log, oldest first: by date, and of a date those that were rotated more often.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Age {
    date: String,
    rotated: Reverse<u32>,
}

impl Names {
    /// `None`: the path names no file in a folder.
    pub fn of(path: &Path) -> Option<Names> {
        let name = path.file_name()?.to_str()?;
        let (stem, extension) = match name.rfind('.') {
            Some(dot) if dot > 0 => name.split_at(dot),
            _ => (name, ""),
        };
        let (before, after) = match stem.split_once(DATE) {
            Some((before, after)) => (before, Some(after.to_owned())),
            None => (stem, None),
        };
        Some(Names {
            folder: path.parent()?.to_owned(),
            before: before.to_owned(),
            after,
            extension: extension.to_owned(),
        })
    }

    /// `None`: not a file of this log.
    pub fn age(&self, name: &str) -> Option<Age> {
        let stem = name.strip_suffix(&self.extension)?;
        let rest = stem.strip_prefix(&self.before)?;
        let (date, rest) = match &self.after {
            None => ("", rest),
            Some(after) => {
                let date = rest.get(..DATE.len()).filter(|date| is_date(date))?;
                (date, rest.get(DATE.len()..)?.strip_prefix(after.as_str())?)
            }
        };
        let rotated = match rest.strip_prefix('.') {
            None if rest.is_empty() => 0,
            None => return None,
            Some(number) => number.parse().ok().filter(|number| *number > 0)?,
        };
        Some(Age {
            date: date.to_owned(),
            rotated: Reverse(rotated),
        })
    }
}

fn is_date(text: &str) -> bool {
    text.bytes().zip(DATE.bytes()).all(|(byte, form)| match form {
        b'-' => byte == b'-',
        _ => byte.is_ascii_digit(),
    })
}

#[cfg(test)]
mod tests;
