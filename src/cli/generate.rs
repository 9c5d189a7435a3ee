//! Shell: completions and manual pages, made from the arguments themselves.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::CommandFactory as _;

use super::Outcome;
use super::arguments::Arguments;
use crate::install::layout::Page;

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
    // As `clap_mangen::generate_to` does, into memory.
    let mut whole = Arguments::command().disable_help_subcommand(true);
    whole.build();
    let mut commands = vec![whole];
    while let Some(command) = commands.pop() {
        commands.extend(command.get_subcommands().filter(|sub| !sub.is_hide_set()).cloned());
        let man = clap_mangen::Man::new(command);
        let mut page = Vec::new();
        man.render(&mut page)?;
        pages.push(Page {
            below_share: Path::new("man/man1").join(man.get_filename()),
            text: String::from_utf8_lossy(&page).into_owned(),
        });
    }
    pages.sort_by(|one, other| one.below_share.cmp(&other.below_share));
    Ok(pages)
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
