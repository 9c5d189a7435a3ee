//! Shell: completions and manual pages, made from the arguments themselves.
#![expect(clippy::disallowed_methods, reason = "shell: writes manual pages")]

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::CommandFactory as _;

use super::Outcome;
use super::arguments::Arguments;
use super::manual;

/// Of the command line's words. What a daemon knows (tenants, checks) is not completed: clap's engine for that is not stable.
pub fn completions(shell: clap_complete::Shell) -> Outcome {
    // Into memory first: the generator panics at a writer that fails.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "readyd", &mut script);
    print!("{}", String::from_utf8_lossy(&script));
    Ok(ExitCode::SUCCESS)
}

/// One page on standard output, or `readyd.1`, `readyd-serve.1`, … in a directory.
pub fn man(directory: Option<&Path>) -> Outcome {
    let Some(directory) = directory else {
        let page = manual::first(Arguments::command())?;
        print!("{}", String::from_utf8_lossy(&page));
        return Ok(ExitCode::SUCCESS);
    };
    for (name, page) in manual::pages(Arguments::command())? {
        let path = directory.join(name);
        std::fs::write(&path, page).with_context(|| format!("{}: cannot be written", path.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}
