//! A tenant's fragments: numbered YAML files of three directories, merged with provenance.
//!
//! ```text
//! <tenants_dir>/acme/gateway.d/10-base.yaml    port profile state_dir listeners upstreams
//!                    doctor.d/20-team.yaml     probes.{name}.{every timeout max_stale fall rise ignore}, invariants
//!                    webhook.d/10-base.yaml    endpoints.{id}.{budget retry_budget}, tenant_budget, retry_budget
//! ```
//!
//! Files merge in byte order of name: maps deep, the last single value wins, lists replace. A key
//! with nothing after it leaves a map as it is and unsets anything else. Every value keeps the place
//! that set it. `listeners`, `upstreams`, `invariants` and `retry_budget` are kept and shown.
//!
//! Any file may say `overrides: [tenant_budget]`: the keys of earlier files of its section that it sets anew on
//! purpose. That is about files and not about the tenant: it is no part of the merge, and only [`super::lint`] asks.
//!
//! Fragments come from git and many hands: they may set the keys of [`keys::fragment`] and nothing
//! else, and a value that looks like a secret is an error that never shows it.

use super::keys::fragment::{DOCTOR, FORBIDDEN, GATEWAY, WEBHOOK};
use super::lint;
use super::problem::{Place, Problem, Problems};
use super::secrets;
use super::shape::{self, Key, Shape, Wording};
use super::yaml::{self, Entry, Node, Value};

/// The directories of a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    Gateway,
    Doctor,
    Webhook,
}

/// One file as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    pub section: Section,
    /// `10-base.yaml`; merging goes by its bytes.
    pub name: String,
    /// How problems call it: its path.
    pub file: String,
    /// Or why it could not be read.
    pub content: Result<Vec<u8>, String>,
}

/// What all good files say together, and what is wrong with the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// A map; of good files only.
    pub tree: Node,
    pub problems: Problems,
    /// Each file by itself, in the order of merging.
    pub files: Vec<Parsed>,
}

/// One file before it is merged: what [`super::lint`] reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    pub section: Section,
    /// Empty: stands for a section that could not be read.
    pub name: String,
    /// As [`Fragment::file`].
    pub name_of_file: String,
    /// SHA-256 in hex; `None` when it could not be read.
    pub content_hash: Option<String>,
    /// `None` when it is broken.
    pub tree: Option<Node>,
    /// It is broken because of them.
    pub holds_secrets: bool,
    pub overrides: Vec<String>,
}

impl Section {
    pub const ALL: [Section; 3] = [Section::Gateway, Section::Doctor, Section::Webhook];

    /// `gateway.d`.
    pub const fn dir(self) -> &'static str {
        match self {
            Section::Gateway => "gateway.d",
            Section::Doctor => "doctor.d",
            Section::Webhook => "webhook.d",
        }
    }

    /// What its files may set. No key belongs to two sections.
    pub const fn keys(self) -> &'static [Key] {
        match self {
            Section::Gateway => GATEWAY,
            Section::Doctor => DOCTOR,
            Section::Webhook => WEBHOOK,
        }
    }
}

/// Whether a file is merged: `NN-name.yaml` or `.yml`, with at least two digits.
pub fn is_fragment_name(name: &str) -> bool {
    let stem = name.strip_suffix(".yaml").or_else(|| name.strip_suffix(".yml"));
    let digits = name.bytes().take_while(u8::is_ascii_digit).count();
    stem.and_then(|stem| stem.get(digits..))
        .is_some_and(|rest| digits >= 2 && rest.len() > 1 && rest.starts_with('-'))
}

/// Merges a tenant's fragments. `place` stands for the tree as a whole: the tenant's directory.
pub fn merge(place: Place, mut fragments: Vec<Fragment>) -> Merged {
    fragments.sort_by(|one, other| (one.section, &one.name).cmp(&(other.section, &other.name)));
    let mut tree = Node::map(place, Vec::new());
    let mut problems = Problems::default();
    let mut files = Vec::new();
    for fragment in fragments {
        let mut parsed = Parsed {
            section: fragment.section,
            content_hash: fragment.content.as_ref().ok().map(|bytes| lint::hex(bytes)),
            tree: None,
            holds_secrets: false,
            overrides: Vec::new(),
            name: String::new(),
            name_of_file: String::new(),
        };
        match read(&fragment, &mut parsed) {
            Ok(read) => {
                parsed.tree = Some(read.clone());
                merge_into(&mut tree, read);
            }
            Err(more) => problems.extend(more),
        }
        files.push(Parsed {
            name: fragment.name,
            name_of_file: fragment.file,
            ..parsed
        });
    }
    if let (Some(_), Some(state_dir)) = (set(&tree, "profile"), set(&tree, "state_dir")) {
        let message = "give either `profile` or `state_dir`: OpenClaw would follow the state directory in silence";
        problems.add(&state_dir.at, "state_dir", message);
    }
    Merged { tree, problems, files }
}

/// One fragment's tree, when all of it is allowed. Notes in `parsed` what it says of itself.
fn read(fragment: &Fragment, parsed: &mut Parsed) -> Result<Node, Problems> {
    let bytes = fragment
        .content
        .as_ref()
        .map_err(|why| Problem::new(Place::file(&fragment.file), "", why))?;
    let mut tree = yaml::parse(&fragment.file, bytes).map_err(|mut problems| {
        problems.hide_keys(|key| secrets::looks_like_secret("", key).is_some());
        problems
    })?;
    let mut problems = Problems::default();
    secrets::find(&tree, "", &mut problems);
    parsed.holds_secrets = !problems.is_empty();
    if problems.is_empty() {
        let wording = Wording {
            quotes_values: false,
            forbidden: FORBIDDEN,
        };
        parsed.overrides = take_overrides(&mut tree, wording, &mut problems);
        shape::check(
            &Shape::Object(fragment.section.keys()),
            &tree,
            "",
            wording,
            &mut problems,
        );
    }
    problems.or(tree)
}

const OVERRIDES: Shape = Shape::List {
    of: &Shape::Text { bytes_max: 1024 },
    items_max: 512,
};

fn take_overrides(tree: &mut Node, wording: Wording, problems: &mut Problems) -> Vec<String> {
    let Value::Map(entries) = &mut tree.value else {
        return Vec::new();
    };
    let Some(index) = entries.iter().position(|entry| entry.key == "overrides") else {
        return Vec::new();
    };
    let said = entries.remove(index).node;
    shape::check(&OVERRIDES, &said, "overrides", wording, problems);
    said.items().iter().filter_map(Node::text).map(str::to_owned).collect()
}

fn merge_into(below: &mut Node, over: Node) {
    match (&mut below.value, over.value) {
        (Value::Map(_), Value::Null) => {}
        (Value::Map(entries), Value::Map(more)) => {
            for entry in more {
                merge_entry(entries, entry);
            }
        }
        (_, value) => {
            below.at = over.at;
            below.value = value;
        }
    }
}

fn merge_entry(entries: &mut Vec<Entry>, over: Entry) {
    match entries.iter_mut().find(|entry| entry.key == over.key) {
        Some(entry) => {
            entry.key_at = over.key_at;
            merge_into(&mut entry.node, over.node);
        }
        None => entries.push(over),
    }
}

fn set<'tree>(tree: &'tree Node, key: &str) -> Option<&'tree Node> {
    tree.get(key).filter(|node| !node.is_null())
}

#[cfg(test)]
mod tests;
