//! What is odd about a tenant's fragments, beyond what keeps them from merging: advice with its place.
//!
//! Invariant: pure, and never a part of the merge: what stands here is said, and changes nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;

use ring::digest::{SHA256, digest};

use super::fragments::{Parsed, Section};
use super::problem::{Place, Problem, Problems};
use super::yaml::{Node, Value};
use crate::words::Finding;

/// One thing to say of a tenant's fragments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advice {
    pub kind: Kind,
    pub problem: Problem,
}

/// What kind of oddity it is, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It is not merged: not YAML, not a known key, not to be read.
    Broken,
    /// It is not merged, since a value or a key looks like a secret.
    Secret,
    /// Two files of one section set a key to different values.
    Conflict,
    /// A SQLite file or a queue lies where files are synced between nodes.
    Synced,
    /// Two files of one section have the same number.
    Number,
    /// A YAML file that is not merged, or not where its number says.
    Name,
    /// Another file that is not read.
    Stranger,
    /// There is nothing to roll back to.
    NoPrevious,
}

/// What was seen of a tenant's fragments when they were last read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lint {
    /// Worst first, at most [`Lint::ADVICE_MAX`].
    advice: Vec<Advice>,
    /// How many counted ones were found beyond that.
    beyond: usize,
    /// [`tree_hash`]; `None` when one of them could not be read.
    pub hash: Option<String>,
    /// Fragments, good and broken.
    pub files: usize,
}

/// What lies beside the fragments, as the shell saw it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beside {
    /// Paths of files in the sections that are not called as fragments are.
    pub strangers: Vec<String>,
    /// Paths of SQLite files and queue folders below the tenant's directory.
    pub databases: Vec<String>,
    /// Where the previous directory should be and is not.
    pub no_previous: Option<String>,
}

impl Kind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Broken => "broken",
            Kind::Secret => "secret",
            Kind::Conflict => "conflict",
            Kind::Synced => "database in a synced directory",
            Kind::Number => "number given twice",
            Kind::Name => "name",
            Kind::Stranger => "not a fragment",
            Kind::NoPrevious => "no .prev",
        }
    }

    /// Shown, never counted: a README is no fault, and a first deployment has no previous one.
    pub const fn is_note(self) -> bool {
        matches!(self, Kind::Stranger | Kind::NoPrevious)
    }

    /// Whether the file is not merged, which is the tenant's trouble already.
    pub const fn is_refused(self) -> bool {
        matches!(self, Kind::Broken | Kind::Secret)
    }

    /// Both keep a file out of the merge, and are told in the order of reading.
    const fn rank(self) -> Kind {
        match self {
            Kind::Secret => Kind::Broken,
            kind => kind,
        }
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(f)
    }
}

impl Lint {
    /// One finding shows no more, with a line for the hash and one for the rest.
    pub const ADVICE_MAX: usize = Finding::EVIDENCE_MAX - 2;

    /// What is to be said of `files` (in the order of merging), of what `problems` keep from merging, and
    /// of what lies beside them.
    pub fn of(files: &[Parsed], problems: &Problems, beside: &Beside) -> Lint {
        let mut advice = Vec::new();
        let holds_secrets = |problem: &Problem| {
            let of_it = |file: &&Parsed| *file.name_of_file == *problem.place.file;
            files.iter().find(of_it).is_some_and(|file| file.holds_secrets)
        };
        advice.extend(problems.iter().map(|problem| Advice {
            kind: if holds_secrets(problem) {
                Kind::Secret
            } else {
                Kind::Broken
            },
            problem: problem.clone(),
        }));
        for section in Section::ALL {
            let of_section: Vec<&Parsed> = files.iter().filter(|file| file.section == section).collect();
            conflicts(&of_section, &mut advice);
            numbers(&of_section, &mut advice);
        }
        lies_beside(beside, &mut advice);
        advice.sort_by_key(|one| one.kind.rank());
        let counted = advice.iter().filter(|one| !one.kind.is_note()).count();
        advice.truncate(Lint::ADVICE_MAX);
        let kept = advice.iter().filter(|one| !one.kind.is_note()).count();
        Lint {
            advice,
            beyond: counted - kept,
            hash: tree_hash(files),
            files: files.iter().filter(|file| !file.name.is_empty()).count(),
        }
    }

    /// Those that degrade, worst first.
    pub fn counted(&self) -> impl Iterator<Item = &Advice> {
        self.advice.iter().filter(|one| !one.kind.is_note())
    }

    pub fn notes(&self) -> impl Iterator<Item = &Advice> {
        self.advice.iter().filter(|one| one.kind.is_note())
    }

    /// Whether some of it may go away without a trace in the stamps of fragments.
    pub fn may_change_unseen(&self) -> bool {
        self.advice.iter().any(|one| one.kind == Kind::Synced)
    }
}

/// What the probe `fragments` finds. `trouble`: why the last good merge is kept, if it is.
pub fn finding(trouble: Option<&str>, lint: Option<&Lint>) -> Finding {
    let counted: Vec<&Advice> = lint.into_iter().flat_map(Lint::counted).collect();
    let beyond = lint.map_or(0, |lint| lint.beyond);
    let first = counted.first().map(ToString::to_string);
    // A broken file is the trouble itself; a directory that vanished is one more.
    let is_told = |trouble: &&str| first.as_deref().is_some_and(|first| trouble.starts_with(first));
    let further = trouble.filter(|trouble| !is_told(trouble));
    let worst = further.map(str::to_owned).or(first);
    let more = counted.len() + beyond + usize::from(further.is_some());
    let mut finding = match worst {
        None => Finding::ok(all_well(lint)),
        Some(worst) if more > 1 => Finding::degraded(format!("{worst} (and {} more)", more - 1)),
        Some(worst) => Finding::degraded(worst),
    };
    let Some(lint) = lint else { return finding };
    for one in counted {
        finding.evidence_push(one.kind.as_str(), one.to_string());
    }
    if beyond > 0 {
        finding.evidence_push("more", format!("and {beyond} more"));
    }
    if let Some(hash) = &lint.hash {
        finding.evidence_push("fragments_hash", hash);
    }
    for note in lint.notes() {
        finding.note_push(format!("{}: {note}", note.kind.as_str()));
    }
    finding
}

fn all_well(lint: Option<&Lint>) -> String {
    match lint.map(|lint| lint.files) {
        None => "fragments merge".to_owned(),
        Some(1) => "1 fragment merges".to_owned(),
        Some(files) => format!("{files} fragments merge"),
    }
}

/// The first 12 hex digits of a SHA-256 over section, name and content of every fragment, in the order of
/// merging; `None` when one could not be read, or there is none. Equal on two nodes: equal fragments.
///
/// What is hashed is what `sha256sum gateway.d/* doctor.d/* webhook.d/*` prints in the C locale, so that a host
/// without readyd can be compared: one line a file, `{sha256}  {section}/{name}`.
pub fn tree_hash(files: &[Parsed]) -> Option<String> {
    let mut lines = String::new();
    for file in files {
        let content = file.content_hash.as_ref()?;
        lines.push_str(&format!("{content}  {}/{}\n", file.section.dir(), file.name));
    }
    (!lines.is_empty()).then(|| hex(lines.as_bytes())[..12].to_owned())
}

/// SHA-256 in lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    let digest = digest(&SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Keys that a later file sets to another value than an earlier one, without saying in `overrides` that it means to.
fn conflicts(files: &[&Parsed], advice: &mut Vec<Advice>) {
    let mut set = BTreeMap::new();
    for file in files {
        if let Some(tree) = &file.tree {
            let mut walk = Walk {
                set: &mut set,
                overrides: &file.overrides,
                advice,
            };
            walk.down(tree, &mut Vec::new());
        }
    }
}

/// Who set each key last: a path that ends at a single value, a list or nothing.
type Setters<'tree> = BTreeMap<Vec<&'tree str>, &'tree Node>;

struct Walk<'walk, 'tree> {
    set: &'walk mut Setters<'tree>,
    overrides: &'walk [String],
    advice: &'walk mut Vec<Advice>,
}

impl<'tree> Walk<'_, 'tree> {
    fn down(&mut self, node: &'tree Node, path: &mut Vec<&'tree str>) {
        if let Value::Map(entries) = &node.value {
            if let Some(before) = self.set.remove(path.as_slice()).filter(|before| !before.is_null()) {
                self.fight(before, node, path);
            }
            for entry in entries {
                path.push(&entry.key);
                self.down(&entry.node, path);
                path.pop();
            }
            return;
        }
        if node.is_null() && self.below(path).is_some() {
            // Nothing after a map's key leaves the map as it is.
            return;
        }
        while let Some(below) = self.below(path) {
            if let Some(before) = self.set.remove(&below) {
                self.fight(before, node, path);
            }
        }
        match self.set.insert(path.clone(), node) {
            Some(before) if !is_same(before, node) && !before.is_null() => self.fight(before, node, path),
            _ => {}
        }
    }

    /// A key below `path` that was set.
    fn below(&self, path: &[&'tree str]) -> Option<Vec<&'tree str>> {
        let from = (Bound::Excluded(path.to_vec()), Bound::Unbounded);
        let (next, _) = self.set.range(from).next()?;
        next.starts_with(path).then(|| next.clone())
    }

    fn fight(&mut self, before: &Node, now: &Node, path: &[&str]) {
        let key = path.join(".");
        let is_meant = |meant: &String| {
            key.strip_prefix(meant.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        if before.at.file == now.at.file || self.overrides.iter().any(is_meant) {
            return;
        }
        let does = if now.is_null() { "unsets" } else { "sets anew" };
        let message = format!(
            "{does} what {} sets; the later file wins. Keep one, or list the key under `overrides:` there",
            before.at
        );
        self.advice.push(Advice {
            kind: Kind::Conflict,
            problem: Problem::new(now.at.clone(), &key, message),
        });
    }
}

/// Whether two values are the same, wherever they stand.
fn is_same(one: &Node, other: &Node) -> bool {
    match (&one.value, &other.value) {
        (Value::Null, Value::Null) => true,
        (Value::Scalar(one), Value::Scalar(other)) => one.text == other.text,
        (Value::List(one), Value::List(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| is_same(one, other))
        }
        (Value::Map(entries), Value::Map(more)) => {
            let has = |entry: &super::yaml::Entry| other.get(&entry.key).is_some_and(|node| is_same(&entry.node, node));
            entries.len() == more.len() && entries.iter().all(has)
        }
        _ => false,
    }
}

/// Numbers given twice, and numbers whose order is not that of the names' bytes.
fn numbers(files: &[&Parsed], advice: &mut Vec<Advice>) {
    let named: Vec<&&Parsed> = files.iter().filter(|file| !file.name.is_empty()).collect();
    for (index, later) in named.iter().enumerate() {
        let number = number(&later.name);
        let twin = named[..index].iter().find(|file| self::number(&file.name) == number);
        let problem = |message: String| Problem::new(Place::file(&later.name_of_file), "", message);
        if let Some(twin) = twin {
            let message = format!(
                "has the number of {}: which of them wins is left to the rest of their names; give each its own",
                twin.name
            );
            advice.push(Advice {
                kind: Kind::Number,
                problem: problem(message),
            });
        }
        let Some(before) = index.checked_sub(1).map(|index| named[index]) else {
            continue;
        };
        if self::number(&before.name) > number {
            let message = format!(
                "merges after {} although its number is lower: names are compared byte by byte; write all numbers \
                 equally long",
                before.name
            );
            advice.push(Advice {
                kind: Kind::Name,
                problem: problem(message),
            });
        }
    }
}

/// Ordered as numbers are, however long.
fn number(name: &str) -> (usize, &str) {
    let digits = name.bytes().take_while(u8::is_ascii_digit).count();
    let significant = name[..digits].trim_start_matches('0');
    (significant.len(), significant)
}

fn lies_beside(beside: &Beside, advice: &mut Vec<Advice>) {
    for path in &beside.strangers {
        let lower = path.to_ascii_lowercase();
        let meant = lower.ends_with(".yaml") || lower.ends_with(".yml");
        let (kind, message) = match meant {
            true => (
                Kind::Name,
                "is not merged: fragments are called NN-name.yaml, with at least two digits and a dash",
            ),
            false => (Kind::Stranger, "is not read"),
        };
        advice.push(Advice {
            kind,
            problem: Problem::new(Place::file(path), "", message),
        });
    }
    for path in &beside.databases {
        let message = "lies where fragments are synced between nodes, which tears a live database; move it out";
        advice.push(Advice {
            kind: Kind::Synced,
            problem: Problem::new(Place::file(path), "", message),
        });
    }
    if let Some(path) = &beside.no_previous {
        let message = "is not there: `readyd config promote` keeps the directory that it replaces";
        advice.push(Advice {
            kind: Kind::NoPrevious,
            problem: Problem::new(Place::file(path), "", message),
        });
    }
}

#[cfg(test)]
mod tests;
