//! What was written to this host, so that it can be told from what people changed, and taken back. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::layout::Supervisor;
use super::{Sum, plain_path};

/// The form of the file; another is a newer readyd's.
const FORM: u32 = 1;

/// Entries at most: a record that is longer is not ours.
const ENTRIES_MAX: usize = 1_000;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    form: u32,
    pub supervisor: Supervisor,
    /// Checksums by path on the host. Two while one is replaced by the other, so that a kill in between makes neither a stranger's.
    pub files: BTreeMap<PathBuf, BTreeSet<Sum>>,
    /// Those that had to be made.
    pub directories: BTreeSet<PathBuf>,
}

impl Record {
    pub fn new(supervisor: Supervisor) -> Record {
        Record {
            form: FORM,
            supervisor,
            files: BTreeMap::new(),
            directories: BTreeSet::new(),
        }
    }

    /// Errors: in words, when it is not one that this readyd understands.
    pub fn parse(text: &str) -> Result<Record, String> {
        let record: Record = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if record.form != FORM {
            return Err(format!(
                "it is of form {}, which another version of readyd wrote",
                record.form
            ));
        }
        let mut paths = record.files.keys().chain(&record.directories);
        if let Some(odd) = paths.find(|path| !plain_path(path)) {
            return Err(format!("it names {}, which is no plain absolute path", odd.display()));
        }
        match record.files.len().max(record.directories.len()) > ENTRIES_MAX {
            true => Err(format!("it names more than {ENTRIES_MAX} files")),
            false => Ok(record),
        }
    }

    pub fn render(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    pub fn wrote(&self, path: &std::path::Path, sum: &Sum) -> bool {
        self.files.get(path).is_some_and(|sums| sums.contains(sum))
    }
}
