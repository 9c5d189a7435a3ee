//! What is there against what should be: what is written, what is kept and why. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use similar::TextDiff;

use super::Sum;
use super::layout::{self, Content, Supervisor, Wanted};
use super::record::Record;

/// Lines of a difference that are shown.
const DIFF_LINES_MAX: usize = 40;

/// What lies at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    Absent,
    File {
        sum: Sum,
        mode: u32,
        /// `None`: too long to show, or no text.
        text: Option<String>,
    },
    /// A link, a directory, a device.
    Other,
}

/// What is found at paths; those not in it are absent.
pub type Host = BTreeMap<PathBuf, Found>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub path: PathBuf,
    pub mode: u32,
    pub action: Action,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Create,
    /// As it should be.
    Same,
    /// Ours of before, unchanged since. With the difference, as text.
    Replace(Option<String>),
    /// Ours of before, unchanged since, and not wanted any more.
    Remove,
    Keep(Why, Option<String>),
    /// Gone already.
    Gone,
}

/// Why a file is left as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Its content is not what was written.
    Changed,
    /// It was there before.
    NotOurs,
    /// Its mode is this one.
    Mode(u32),
    NotAFile,
    /// The administrator's, until it is purged.
    Config,
}

/// What installing comes to, in the order in which it is done.
pub fn install(wanted: &[Wanted], host: &Host, record: Option<&Record>) -> Vec<Change> {
    let mut changes: Vec<Change> = wanted
        .iter()
        .map(|file| Change {
            path: file.path.clone(),
            mode: file.mode,
            action: to_have(file, host, record),
        })
        .collect();
    let of_before = record.into_iter().flat_map(|record| record.files.keys());
    for path in of_before.filter(|path| !wanted.iter().any(|file| file.path == **path)) {
        changes.push(to_be_rid_of(path, host, record, true));
    }
    changes
}

/// What uninstalling comes to; files of ours that somebody else put there are named too. `purge`: the configuration goes, whoever
/// wrote it.
pub fn uninstall(wanted: &[Wanted], host: &Host, record: &Record, purge: bool) -> Vec<Change> {
    let there = |path: &&PathBuf| !matches!(host.get(*path), None | Some(Found::Absent));
    let found = wanted.iter().map(|file| &file.path).filter(there);
    let paths: BTreeSet<&PathBuf> = record.files.keys().chain(found).collect();
    let rid = |path: &PathBuf| to_be_rid_of(path, host, Some(record), purge);
    paths.into_iter().map(rid).collect()
}

fn to_have(file: &Wanted, host: &Host, record: Option<&Record>) -> Action {
    let (sum, mode, text) = match host.get(&file.path) {
        None | Some(Found::Absent) => return Action::Create,
        Some(Found::Other) => return Action::Keep(Why::NotAFile, None),
        Some(Found::File { sum, mode, text }) => (sum, *mode, text),
    };
    if *sum == file.content.sum() {
        return match mode == file.mode {
            true => Action::Same,
            false => Action::Keep(Why::Mode(mode), None),
        };
    }
    let difference = match (&file.content, text) {
        (Content::Text(wanted), Some(there)) => Some(diff(there, wanted)),
        _ => None,
    };
    let recorded = record.is_some_and(|record| record.files.contains_key(&file.path));
    if !recorded {
        Action::Keep(Why::NotOurs, difference)
    } else if record.is_some_and(|record| record.wrote(&file.path, sum)) {
        Action::Replace(difference)
    } else {
        Action::Keep(Why::Changed, difference)
    }
}

fn to_be_rid_of(path: &Path, host: &Host, record: Option<&Record>, purge: bool) -> Change {
    let is_config = path == Path::new(layout::config());
    let (mode, action) = match host.get(path) {
        None | Some(Found::Absent) => (0, Action::Gone),
        Some(Found::Other) => (0, Action::Keep(Why::NotAFile, None)),
        Some(Found::File { mode, .. }) if is_config && purge => (*mode, Action::Remove),
        Some(Found::File { mode, .. }) if is_config => (*mode, Action::Keep(Why::Config, None)),
        Some(Found::File { sum, mode, .. }) => match record {
            Some(record) if record.wrote(path, sum) => (*mode, Action::Remove),
            Some(record) if record.files.contains_key(path) => (*mode, Action::Keep(Why::Changed, None)),
            _ => (*mode, Action::Keep(Why::NotOurs, None)),
        },
    };
    Change {
        path: path.to_owned(),
        mode,
        action,
    }
}

impl Change {
    /// Whether anything is to be done for it.
    pub fn is_work(&self) -> bool {
        matches!(self.action, Action::Create | Action::Replace(_) | Action::Remove)
    }

    /// As people read it, with what differs below it.
    pub fn line(&self, owner: &str) -> String {
        let path = self.path.display();
        let mode = self.mode;
        match &self.action {
            Action::Create => format!("create   {mode:04o} {owner} {path}\n"),
            Action::Same => format!("same     {mode:04o} {owner} {path}\n"),
            Action::Remove => format!("remove   {path}\n"),
            Action::Gone => format!("gone     {path}\n"),
            Action::Replace(diff) => format!("replace  {mode:04o} {owner} {path}\n{}", indented(diff.as_deref())),
            Action::Keep(why, diff) => format!("keep     {path}: {}\n{}", why.words(mode), indented(diff.as_deref())),
        }
    }
}

impl Why {
    fn words(self, wanted: u32) -> String {
        match self {
            Why::Changed => "changed since readyd wrote it".to_owned(),
            Why::NotOurs => "it is not as readyd wrote it".to_owned(),
            Why::Mode(found) => format!("its mode is {found:04o}, not {wanted:04o}"),
            Why::NotAFile => "not a regular file".to_owned(),
            Why::Config => "the configuration is yours; --purge removes it".to_owned(),
        }
    }
}

/// The record while changes are under way: what is there and what will be are both ours.
pub fn under_way(supervisor: Supervisor, changes: &[Change], wanted: &[Wanted], before: Option<&Record>) -> Record {
    let mut record = before.cloned().unwrap_or_else(|| Record::new(supervisor));
    record.supervisor = supervisor;
    for change in changes.iter().filter(|change| change.is_work()) {
        if let Some(file) = wanted.iter().find(|file| file.path == change.path) {
            record
                .files
                .entry(change.path.clone())
                .or_default()
                .insert(file.content.sum());
        }
    }
    record
}

/// The record when all of it is done.
pub fn done(under_way: &Record, changes: &[Change], wanted: &[Wanted]) -> Record {
    let mut record = under_way.clone();
    for change in changes {
        match change.action {
            Action::Remove | Action::Gone => drop(record.files.remove(&change.path)),
            Action::Create | Action::Replace(_) => {
                if let Some(file) = wanted.iter().find(|file| file.path == change.path) {
                    let only = BTreeSet::from([file.content.sum()]);
                    record.files.insert(change.path.clone(), only);
                }
            }
            Action::Same | Action::Keep(..) => {}
        }
    }
    record
}

fn indented(diff: Option<&str>) -> String {
    let lines = diff.into_iter().flat_map(str::lines);
    lines.map(|line| format!("         {line}\n")).collect()
}

/// From what is there to what should be, without the lines that are the same.
fn diff(there: &str, wanted: &str) -> String {
    let diff = TextDiff::from_lines(there, wanted);
    let mut unified = diff.unified_diff();
    let text = unified.context_radius(0).to_string();
    // Text from the host is on its way to a terminal.
    let clean = |line: &str| {
        line.chars()
            .map(|c| if c.is_control() && c != '\t' { '?' } else { c })
            .collect::<String>()
    };
    let mut lines: Vec<String> = text.lines().take(DIFF_LINES_MAX + 1).map(clean).collect();
    if lines.len() > DIFF_LINES_MAX {
        lines.truncate(DIFF_LINES_MAX);
        lines.push("…".to_owned());
    }
    lines.join("\n")
}
