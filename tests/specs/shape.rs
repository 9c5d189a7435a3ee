//! The shape of the house, read from its `use` lines and module documents.

use std::fs;
use std::path::{Path, PathBuf};

use crate::harness::repository;

/// What only a shell file may import or name.
const WORLD: &[&str] = &[
    "std::fs",
    "std::process::Command",
    "std::process::Child",
    "std::process::id",
    "std::thread",
    "std::env::",
    "std::os::",
    "std::io::stdin",
    "std::io::stdout",
    "std::net::Tcp",
    "std::net::Udp",
    "std::time::Instant",
    "std::time::SystemTime",
    "std::time::{Duration, Instant",
    "tokio",
    "rustix",
    "rusqlite",
    "hyper",
    "actix_web",
    "sysinfo",
    "wait4",
    "crate::clock",
];

/// Folders without a single shell file: they decide.
const DECIDERS: &[&str] = &[
    "words",
    "digest",
    "readiness",
    "history",
    "engine",
    "probe/parse",
    "install",
];

/// Beyond this a file should have told its one thing.
const FILE_LINES_MAX: usize = 500;

struct Source {
    path: PathBuf,
    /// Below `src/`, with `/`.
    name: String,
    text: String,
}

impl Source {
    fn is_shell(&self) -> bool {
        self.text.lines().take(40).any(|line| line.starts_with("//! Shell:"))
    }

    fn is_test(&self) -> bool {
        self.name.ends_with("tests.rs") || self.name.contains("/tests/")
    }

    /// Lines of code without comments and test modules, which need not stand at the end.
    fn code(&self) -> impl Iterator<Item = &str> {
        let mut code = Vec::new();
        let mut lines = self.text.lines();
        while let Some(line) = lines.next() {
            if line != "#[cfg(test)]" {
                code.push(line);
                continue;
            }
            let mut ahead = lines.clone();
            let item = ahead.find(|line| !line.starts_with("#["));
            let Some(module) = item.filter(|item| is_module(item)) else {
                continue;
            };
            lines = ahead;
            if module.ends_with('{') {
                // Formatted by rustfmt, so that the first brace in the first column is its own.
                lines.find(|line| *line == "}");
            }
        }
        code.into_iter().filter(|line| !line.trim_start().starts_with("//"))
    }
}

fn is_module(item: &str) -> bool {
    let item = item.strip_prefix("pub(crate) ").unwrap_or(item);
    item.starts_with("mod ") && (item.ends_with('{') || item.ends_with(';'))
}

#[test]
fn only_modules_of_tests_are_left_out_of_the_code_wherever_they_stand() {
    let source = Source {
        path: PathBuf::new(),
        name: "lamp.rs".to_owned(),
        text: "\
//! A lamp.
mod wick;
#[cfg(test)]
mod tests;
use std::fs;
#[cfg(test)]
#[expect(dead_code)]
mod inline {
    fn lit() {
    }
}
#[cfg(test)]
fn burns() {}
// dark
fn end() {}
"
        .to_owned(),
    };
    let code: Vec<&str> = source.code().collect();
    let expected = ["mod wick;", "use std::fs;", "fn burns() {}", "fn end() {}"];
    assert_eq!(code, expected);
}

/// Types that are only data or a queue, although a crate of the world defines them.
const HARMLESS: &[&str] = &["actix_web::web::Bytes", "actix_web::http::Method", "tokio::sync"];

fn sources() -> Vec<Source> {
    let root = repository().join("src");
    let mut found = Vec::new();
    collect(&root, &root, &mut found);
    assert!(found.len() > 30, "the walk finds the sources");
    found
}

fn collect(root: &Path, directory: &Path, found: &mut Vec<Source>) {
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(root, &path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
            let text = fs::read_to_string(&path).unwrap();
            found.push(Source { path, name, text });
        }
    }
}

#[test]
fn only_files_that_say_shell_on_top_touch_the_world() {
    let mut wrong = Vec::new();
    for source in sources()
        .iter()
        .filter(|source| !source.is_shell() && !source.is_test())
    {
        for line in source.code() {
            if HARMLESS.iter().any(|word| line.contains(word)) {
                continue;
            }
            if let Some(word) = WORLD.iter().find(|word| line.contains(*word)) {
                wrong.push(format!("{}: {} ({word})", source.path.display(), line.trim()));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "name the file a shell (`//! Shell: …`) or move this out:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn the_folders_that_decide_hold_no_shell_file() {
    let wrong: Vec<String> = sources()
        .iter()
        .filter(|source| {
            DECIDERS
                .iter()
                .any(|folder| source.name.starts_with(&format!("{folder}/")))
        })
        .filter(|source| source.is_shell())
        .map(|source| source.name.clone())
        .collect();
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn the_words_import_only_each_other() {
    let mut wrong = Vec::new();
    let is_word = |source: &&Source| source.name.starts_with("words/") && !source.is_test();
    for source in sources().iter().filter(is_word) {
        for line in source.code().filter(|line| line.contains("crate::")) {
            if !line.contains("crate::words") {
                wrong.push(format!("{}: {}", source.name, line.trim()));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn the_deciders_know_nothing_of_those_who_serve() {
    let mut wrong = Vec::new();
    for source in sources() {
        if !DECIDERS
            .iter()
            .any(|folder| source.name.starts_with(&format!("{folder}/")))
        {
            continue;
        }
        for line in source.code() {
            for server in ["crate::http", "crate::cli", "crate::daemon"] {
                if line.contains(server) {
                    wrong.push(format!("{}: {}", source.name, line.trim()));
                }
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn a_file_tells_one_thing() {
    let long: Vec<String> = sources()
        .iter()
        .filter(|source| !source.is_test())
        .map(|source| (source.code().count(), &source.name))
        .filter(|(lines, _)| *lines > FILE_LINES_MAX)
        .map(|(lines, name)| format!("{name}: {lines} lines"))
        .collect();
    assert_eq!(long, Vec::<String>::new(), "look for the seam");
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent: Vec<String> = sources()
        .iter()
        .filter(|source| !source.is_test())
        .filter(|source| source.text.lines().count() > 60 && !source.text.starts_with("//!"))
        .map(|source| source.name.clone())
        .collect();
    assert_eq!(silent, Vec::<String>::new());
}
