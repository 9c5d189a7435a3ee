//! Shell: `readyd serve`: the daemon, in the foreground, until SIGTERM or SIGINT.

use std::process::ExitCode;

use super::Outcome;
use super::arguments::Place;
use super::config;

pub fn run(place: &Place) -> Outcome {
    crate::daemon::serve(&config::options(place))?;
    Ok(ExitCode::SUCCESS)
}
