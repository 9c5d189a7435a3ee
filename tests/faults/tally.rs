//! What was tried, what was survived, and the table of both.

use std::any::Any;
use std::fmt::Write as _;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Broken rounds that are told one by one.
const TOLD_MAX: usize = 5;

/// One row of the matrix.
#[derive(Debug)]
pub struct Fault {
    /// Of the test, and to filter by: `sigkill-under-load`.
    pub name: &'static str,
    /// What is done.
    pub done: &'static str,
    /// What is survival, in each round.
    pub promise: &'static str,
    pub run: fn(Scale) -> Tally,
}

/// How many rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// In the suite: seconds a row.
    Few,
    /// `make faults`: minutes a row.
    Full,
}

/// Rounds of one row.
#[derive(Debug, Default)]
pub struct Tally {
    pub tried: u64,
    pub survived: u64,
    /// What the first broken rounds said.
    broken: Vec<String>,
    /// Why nothing was tried, when it cannot be tried here.
    left_out: Option<String>,
    /// A figure worth a word: `slowest answer 12 ms`.
    pub figure: Option<String>,
}

#[derive(Debug)]
pub struct Done {
    pub fault: &'static Fault,
    pub tally: Tally,
}

impl Scale {
    /// By the environment: `FAULTS=full`.
    pub fn wanted() -> Scale {
        match std::env::var("FAULTS").as_deref() {
            Ok("full") => Scale::Full,
            _ => Scale::Few,
        }
    }

    pub fn rounds(self, few: u64, full: u64) -> u64 {
        match self {
            Scale::Few => few,
            Scale::Full => full,
        }
    }
}

impl Tally {
    /// One round, survived when `body` returns; what it panics with is told with `name`.
    pub fn round(&mut self, name: &str, body: impl FnOnce()) {
        self.tried += 1;
        match catch_unwind(AssertUnwindSafe(body)) {
            Ok(()) => self.survived += 1,
            Err(panic) if self.broken.len() < TOLD_MAX => self.broken.push(format!("{name}: {}", told(&*panic))),
            Err(_) => {}
        }
    }

    /// Rounds that another thread has counted.
    pub fn add(&mut self, other: Tally) {
        self.tried += other.tried;
        self.survived += other.survived;
        let room = TOLD_MAX.saturating_sub(self.broken.len());
        self.broken.extend(other.broken.into_iter().take(room));
    }

    /// Nothing can be tried here: a failure under `CI=true`, told in the table elsewhere.
    pub fn left_out(why: &str) -> Tally {
        crate::harness::left_out(why);
        Tally {
            left_out: Some(why.into()),
            ..Tally::default()
        }
    }

    pub fn with_figure(mut self, figure: String) -> Tally {
        self.figure = Some(figure);
        self
    }

    /// # Errors
    /// The broken rounds, or that there was no round at all.
    pub fn judged(&self) -> Result<(), String> {
        if self.left_out.is_some() || (self.tried > 0 && self.survived == self.tried) {
            return Ok(());
        }
        let broken = self.broken.join("\n");
        Err(format!("tried {}, survived {}\n{broken}", self.tried, self.survived))
    }
}

fn told(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without words")
}

/// Prints the table, and writes that of a full run to `target/faults.md`.
pub fn print(done: &[Done], scale: Scale) {
    let mut table = String::from("| fault | promise | tried | survived | |\n|---|---|---|---|---|\n");
    for Done { fault, tally } in done {
        let note = tally.left_out.as_ref().map(|why| format!("left out: {why}"));
        let note = note.or_else(|| tally.figure.clone()).unwrap_or_default();
        let (what, promise) = (fault.done, fault.promise);
        let _ = writeln!(
            table,
            "| {what} | {promise} | {} | {} | {note} |",
            tally.tried, tally.survived
        );
    }
    println!("{table}");
    if scale == Scale::Full {
        let path = crate::harness::repository().join("target/faults.md");
        fs::write(path, table).unwrap();
    }
}
