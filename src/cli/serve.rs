//! Shell: `readyd serve`: the daemon, in the foreground, until SIGTERM or SIGINT.

use std::process::ExitCode;

use super::Outcome;
use super::arguments::{Place, Serve};
use super::config;

pub fn run(place: &Place, options: &Serve) -> Outcome {
    crate::memory::give_back_what_is_freed();
    crate::daemon::serve(&config::options(place), options.log_file.as_deref())?;
    Ok(ExitCode::SUCCESS)
}
