//! Shell: completions and manual pages, made from the arguments themselves.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::CommandFactory as _;

use super::Outcome;
use super::arguments::Arguments;

pub fn completions(shell: clap_complete::Shell) -> Outcome {
    // Into memory first: the generator panics at a writer that fails.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "readyd", &mut script);
    print!("{}", String::from_utf8_lossy(&script));
    Ok(ExitCode::SUCCESS)
}

/// One page on standard output, or `readyd.1`, `readyd-serve.1`, … in a directory.
pub fn man(directory: Option<&Path>) -> Outcome {
    match directory {
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Arguments::command()).render(&mut page)?;
            print!("{}", String::from_utf8_lossy(&page));
        }
        Some(directory) => clap_mangen::generate_to(Arguments::command(), directory)
            .with_context(|| format!("{}: manual pages cannot be written there", directory.display()))?,
    }
    Ok(ExitCode::SUCCESS)
}
