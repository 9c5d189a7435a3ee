//! Shell: all that commands print.
//!
//! `print!` and their like of the standard library panic when nobody reads any more (`readyd status | head -1`).
//! In this folder the names mean ours, so that no command has to remember: what a reader that went away does not
//! want is dropped in silence, and the command goes on to the exit code that it would have had.

use std::fmt;
use std::io::{self, ErrorKind, Write as _};
use std::sync::OnceLock;

/// Why standard output could not be written, other than that nobody reads.
static FAILURE: OnceLock<io::Error> = OnceLock::new();

macro_rules! print {
    ($($argument:tt)*) => { $crate::cli::output::out(format_args!($($argument)*)) };
}

macro_rules! println {
    ($($argument:tt)*) => { $crate::cli::output::out(format_args!("{}\n", format_args!($($argument)*))) };
}

macro_rules! eprint {
    ($($argument:tt)*) => { $crate::cli::output::err(format_args!($($argument)*)) };
}

macro_rules! eprintln {
    ($($argument:tt)*) => { $crate::cli::output::err(format_args!("{}\n", format_args!($($argument)*))) };
}

/// Writes to standard output, at once.
pub fn out(text: fmt::Arguments<'_>) {
    let mut stdout = io::stdout().lock();
    if let Err(why) = stdout.write_fmt(text).and_then(|()| stdout.flush())
        && why.kind() != ErrorKind::BrokenPipe
    {
        // The first is the cause; what follows it says nothing new.
        let _ = FAILURE.set(why);
    }
}

/// Writes to standard error; when that fails, there is nobody left to tell.
pub fn err(text: fmt::Arguments<'_>) {
    let _ = io::stderr().lock().write_fmt(text);
}

/// What became of all that was printed: an error when some of it is lost though somebody wanted it (a full disk).
pub fn failure() -> Option<&'static io::Error> {
    FAILURE.get()
}
