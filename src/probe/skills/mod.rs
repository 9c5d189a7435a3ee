//! A tenant's skills on disk, and how they differ from those that were recorded. Pure, but for `walk`, which
//! looks, and `baseline`, which remembers.
//!
//! ```text
//! openclaw.json, agents ─ roots ─▶ walk ─ tree ─▶ Seen ─┐
//!                       <state_dir>/skills/T.json ─▶ Baseline ─┴─ compare ─▶ Changes
//! ```
//!
//! A skill is a folder with a `SKILL.md`: instructions that an agent follows with the tenant's rights, and the
//! scripts they name. Whoever can change one can do what the agent can.

pub mod baseline;
pub mod roots;
mod tree;
pub mod walk;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use baseline::Baseline;

/// One skill, as it was found or recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skill {
    /// SHA-256 of its tree, in hexadecimal; `walk` says of what.
    pub digest: String,
    /// The same of what is left behind by running and installing it (`__pycache__`, `.git`…); `None`: nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leftovers: Option<String>,
    /// Files in the digests.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// It is larger than what is read of one: the digests are of its beginning.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
}

/// A skill that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub skill: Skill,
    /// It is OpenClaw's Workshop's, which writes skills by itself and reviews them every week.
    pub learned: bool,
    /// It is a link, which is not followed: this is where it leads.
    pub link_to: Option<String>,
}

/// What one look found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// By path; what is not UTF-8 in it is escaped.
    pub skills: BTreeMap<String, Found>,
    /// Where it could not look, and why.
    pub troubles: Vec<Trouble>,
    /// What is not watched though OpenClaw may load it.
    pub notes: Vec<String>,
    /// It came to its end: what was not found is not there, but for [`Seen::troubles`].
    pub complete: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    pub path: PathBuf,
    pub why: String,
}

/// How what was found differs from what was recorded. Paths, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    pub new: Vec<String>,
    pub changed: Vec<String>,
    pub removed: Vec<String>,
    /// As recorded, but for what running or installing leaves behind.
    pub leftovers: Vec<String>,
    /// New or changed, and the Workshop's.
    pub learned: Vec<String>,
}

impl Changes {
    /// Whether a person should look: not at what is gone, nor at what changes by itself.
    pub fn count(&self) -> bool {
        !self.new.is_empty() || !self.changed.is_empty()
    }

    pub fn is_empty(&self) -> bool {
        *self == Changes::default()
    }
}

/// What changed since `baseline`. `strict`: what changes by itself is changed as well.
///
/// A recorded skill is removed only where the look came to its end and met no trouble at its place: what
/// could not be seen is not gone.
pub fn compare(baseline: &Baseline, seen: &Seen, strict: bool) -> Changes {
    let mut changes = Changes::default();
    for (path, found) in &seen.skills {
        let known = baseline.skills.get(path);
        let list = match known {
            Some(known) if known.digest != found.skill.digest => &mut changes.changed,
            Some(known) if known.leftovers == found.skill.leftovers => continue,
            Some(_) if strict => &mut changes.changed,
            Some(_) => {
                changes.leftovers.push(path.clone());
                continue;
            }
            None => &mut changes.new,
        };
        match found.learned && !strict {
            true => changes.learned.push(path.clone()),
            false => list.push(path.clone()),
        }
    }
    let unseen = |path: &&String| {
        let path = Path::new(path.as_str());
        let near = |trouble: &Trouble| path.starts_with(&trouble.path) || trouble.path.starts_with(path);
        seen.troubles.iter().any(near)
    };
    if seen.complete {
        let gone = baseline.skills.keys().filter(|path| !seen.skills.contains_key(*path));
        changes.removed = gone.filter(|path| !unseen(path)).cloned().collect();
    }
    changes
}

/// What people call the skill at `path`: its folder.
pub fn name_of(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests;
