//! Shell: completions and manual pages, made from the arguments themselves.
#![expect(clippy::disallowed_methods, reason = "shell: writes manual pages")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::CommandFactory as _;

use super::Outcome;
use super::arguments::Arguments;
use super::manual;
use crate::install::layout::Page;

/// Of the command line's words. What a daemon knows (tenants, checks) is not completed: clap's engine for that is not stable.
pub fn completions(shell: clap_complete::Shell) -> Outcome {
    print!("{}", script(shell));
    Ok(ExitCode::SUCCESS)
}

/// Into memory first: the generator panics at a writer that fails.
fn script(shell: clap_complete::Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "readyd", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// What `readyd install` puts below `PREFIX/share`: a manual page a command, and completions where each shell looks.
pub fn pages() -> anyhow::Result<Vec<Page>> {
    use clap_complete::Shell;
    let completions = [
        ("bash-completion/completions/readyd", Shell::Bash),
        ("zsh/site-functions/_readyd", Shell::Zsh),
        ("fish/vendor_completions.d/readyd.fish", Shell::Fish),
    ];
    let mut pages: Vec<Page> = completions
        .into_iter()
        .map(|(below_share, shell)| Page {
            below_share: PathBuf::from(below_share),
            text: script(shell),
        })
        .collect();
    for (name, page) in manual::pages(Arguments::command())? {
        pages.push(Page {
            below_share: Path::new("man/man1").join(name),
            text: String::from_utf8_lossy(&page).into_owned(),
        });
    }
    pages.sort_by(|one, other| one.below_share.cmp(&other.below_share));
    Ok(pages)
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
