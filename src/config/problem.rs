//! What is wrong with a file, and where: every problem of it, not the first alone.

use std::fmt;
use std::sync::Arc;

use crate::words::text;

/// A line of a file. Line 0: the file as a whole.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub file: Arc<str>,
    /// From 1.
    pub line: usize,
}

/// One thing that is wrong. Its texts are clean and bounded by construction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub place: Place,
    /// `tenants.acme.port`; empty: the file as a whole.
    pub key: String,
    /// What was expected, what was found, what to do.
    pub message: String,
}

/// All that is wrong, in the order of reading. Displays one problem a line.
#[derive(Clone, Debug, Default, PartialEq, Eq, thiserror::Error)]
pub struct Problems {
    list: Vec<Problem>,
    /// How many were found beyond [`Problems::KEPT_MAX`].
    beyond: usize,
}

impl Place {
    pub fn new(file: &Arc<str>, line: usize) -> Place {
        Place {
            file: Arc::clone(file),
            line,
        }
    }

    /// The file as a whole.
    pub fn file(file: &str) -> Place {
        Place {
            file: file.into(),
            line: 0,
        }
    }
}

impl Problem {
    const MESSAGE_BYTES_MAX: usize = 1024;
    const KEY_BYTES_MAX: usize = 256;

    pub fn new(place: Place, key: &str, message: impl AsRef<str>) -> Problem {
        Problem {
            place,
            key: text::clean_line(key, Self::KEY_BYTES_MAX),
            message: text::clean_line(message.as_ref(), Self::MESSAGE_BYTES_MAX),
        }
    }
}

impl Problems {
    /// Beyond this many a reader has seen enough; the rest is counted.
    pub const KEPT_MAX: usize = 100;

    pub fn one(problem: Problem) -> Problems {
        Problems {
            list: vec![problem],
            beyond: 0,
        }
    }

    pub fn push(&mut self, problem: Problem) {
        if self.list.len() < Self::KEPT_MAX {
            self.list.push(problem);
        } else {
            self.beyond += 1;
        }
    }

    pub fn add(&mut self, place: &Place, key: &str, message: impl AsRef<str>) {
        self.push(Problem::new(place.clone(), key, message));
    }

    pub fn extend(&mut self, more: Problems) {
        self.beyond += more.beyond;
        more.list.into_iter().for_each(|problem| self.push(problem));
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether another one would only be counted: its wording is then not worth the work.
    pub fn is_full(&self) -> bool {
        self.list.len() >= Self::KEPT_MAX
    }

    /// Leaves out the names of keys for which `hides` holds.
    pub fn hide_keys(&mut self, hides: impl Fn(&str) -> bool) {
        for problem in self.list.iter_mut().filter(|problem| hides(&problem.key)) {
            problem.key.clear();
        }
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.list.iter()
    }

    /// The first problem and how many more there are, on one line; `None` when all is well.
    pub fn summary(&self) -> Option<String> {
        let first = self.list.first()?;
        Some(match self.list.len() - 1 + self.beyond {
            0 => first.to_string(),
            more => format!("{first} (and {more} more)"),
        })
    }

    /// `value`, unless something is wrong.
    pub fn or<T>(self, value: T) -> Result<T, Problems> {
        if self.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl fmt::Display for Place {
    /// `readyd.yaml:12`, or `readyd.yaml`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}", self.file),
        }
    }
}

impl fmt::Display for Problem {
    /// `readyd.yaml:12: tenants.acme.port: expected …`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.list.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        match self.beyond {
            0 => Ok(()),
            beyond => write!(f, "\nand {beyond} more"),
        }
    }
}

impl From<Problem> for Problems {
    fn from(problem: Problem) -> Problems {
        Problems::one(problem)
    }
}
