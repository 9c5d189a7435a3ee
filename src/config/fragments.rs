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
//! Fragments come from git and many hands: they may set the keys of [`keys::fragment`] and nothing
//! else, and a value that looks like a secret is an error that never shows it.

use super::keys::fragment::{DOCTOR, FORBIDDEN, GATEWAY, WEBHOOK};
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
    for fragment in fragments {
        match read(&fragment) {
            Ok(read) => merge_into(&mut tree, read),
            Err(more) => problems.extend(more),
        }
    }
    if let (Some(_), Some(state_dir)) = (set(&tree, "profile"), set(&tree, "state_dir")) {
        let message = "give either `profile` or `state_dir`: OpenClaw would follow the state directory in silence";
        problems.add(&state_dir.at, "state_dir", message);
    }
    Merged { tree, problems }
}

/// One fragment's tree, when all of it is allowed.
fn read(fragment: &Fragment) -> Result<Node, Problems> {
    let bytes = fragment
        .content
        .as_ref()
        .map_err(|why| Problem::new(Place::file(&fragment.file), "", why))?;
    let tree = yaml::parse(&fragment.file, bytes).map_err(|mut problems| {
        problems.hide_keys(|key| secrets::looks_like_secret("", key).is_some());
        problems
    })?;
    let mut problems = Problems::default();
    secrets::find(&tree, "", &mut problems);
    if problems.is_empty() {
        let wording = Wording {
            quotes_values: false,
            forbidden: FORBIDDEN,
        };
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
