//! All declarations in their layers: shipped, then `probes.d`, then a tenant's fragments, then the
//! config file's `probes:`. A later layer overrides field by field; `null` there means the default.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::declaration::{Reading, decode};
use super::keys::declaration::DECLARATION;
use super::problem::{Place, Problems};
use super::raw::Patience;
use super::shape::{self, Shape, Wording, join, nearest};
use super::yaml::{self, Entry, Node, Value};
use crate::probe::declaration::Probe;
use crate::words::ProbeName;

/// How places call a shipped declaration: `shipped:doctor.yaml:12`.
pub const SHIPPED: &str = "shipped:";

/// The layers that are the same for every tenant.
#[derive(Clone, Debug)]
pub struct Declarations {
    /// Shipped ones with those of `probes.d` laid over them.
    base: BTreeMap<ProbeName, Node>,
    /// The config file's.
    overrides: BTreeMap<ProbeName, Node>,
    patience: Patience,
}

/// One file of declarations: its name for problems, and its text.
pub type File<'file> = (&'file str, &'file [u8]);

/// What is said along the way.
#[derive(Debug, Default)]
pub struct Remarks {
    pub problems: Problems,
    pub warnings: Vec<String>,
}

impl Declarations {
    /// Reads all layers but the fragments'. `files` are those of `probes.d`, in byte order of name.
    pub fn gather(
        shipped: &[(&str, &str)],
        files: &[File<'_>],
        overrides: Option<&Node>,
        patience: Patience,
        remarks: &mut Remarks,
    ) -> Declarations {
        let mut declarations = Declarations {
            base: BTreeMap::new(),
            overrides: BTreeMap::new(),
            patience,
        };
        for (name, text) in shipped {
            declarations.add_file(&format!("{SHIPPED}{name}"), text.as_bytes(), remarks);
        }
        for (name, text) in files {
            declarations.add_file(name, text, remarks);
        }
        for entry in overrides.map(Node::entries).unwrap_or_default() {
            if let Some(name) = ProbeName::parse(&entry.key) {
                declarations.add_override(name, entry, remarks);
            }
        }
        declarations
    }

    /// The node's probes: all of them, disabled ones too.
    pub fn probes(&self, remarks: &mut Remarks) -> BTreeMap<ProbeName, Arc<Probe>> {
        let mut probes = BTreeMap::new();
        for name in self.names() {
            if let Some(probe) = self.probe(name, None, remarks) {
                probes.insert(name.clone(), Arc::new(probe));
            }
        }
        for probe in probes.values() {
            for cause in &probe.explained_by {
                if !probes.contains_key(cause) {
                    let message = format!(
                        "probes.{}.explained_by names {cause}, which no probe is called",
                        probe.name
                    );
                    remarks.warnings.push(message);
                }
            }
        }
        probes
    }

    /// The probes that a tenant's fragments (`probes:` of doctor.d) change.
    pub fn of_tenant(&self, fragments: &Node, remarks: &mut Remarks) -> BTreeMap<ProbeName, Arc<Probe>> {
        let mut probes = BTreeMap::new();
        for entry in fragments.entries() {
            let known = ProbeName::parse(&entry.key).filter(|name| self.names().contains(name));
            let Some(name) = known else {
                remarks.warnings.push(self.unknown(&entry.key, &entry.key_at));
                continue;
            };
            if let Some(probe) = self.probe(&name, Some(&entry.node), remarks) {
                probes.insert(name, Arc::new(probe));
            }
        }
        probes
    }

    /// A probe's merged tree, with each value's place; `None` when no layer declares it.
    pub fn tree(&self, name: &ProbeName, fragment: Option<&Node>) -> Option<Node> {
        let layers = [self.base.get(name), fragment, self.overrides.get(name)];
        let mut merged: Option<Node> = None;
        for layer in layers.into_iter().flatten() {
            merged = Some(match merged {
                Some(below) => overlay(&below, layer),
                None => layer.clone(),
            });
        }
        merged
    }

    fn names(&self) -> BTreeSet<&ProbeName> {
        self.base.keys().chain(self.overrides.keys()).collect()
    }

    fn probe(&self, name: &ProbeName, fragment: Option<&Node>, remarks: &mut Remarks) -> Option<Probe> {
        let tree = self.tree(name, fragment)?;
        let path = format!("probes.{name}");
        let reading = Reading {
            name,
            path: &path,
            patience: self.patience,
        };
        decode(&tree, reading, &mut remarks.problems, &mut remarks.warnings)
    }

    fn add_file(&mut self, file: &str, text: &[u8], remarks: &mut Remarks) {
        let tree = match yaml::parse(file, text) {
            Ok(tree) => tree,
            Err(problems) => return remarks.problems.extend(problems),
        };
        let name = tree.get("name").and_then(Node::text).map(str::to_owned);
        let Some(parsed) = name.as_deref().and_then(ProbeName::parse) else {
            let message = "a declaration needs a `name` ([a-z0-9][a-z0-9-]{0,31})";
            return remarks.problems.add(&tree.at, "name", message);
        };
        let tree = without(tree, "name");
        let path = format!("probes.{parsed}");
        let mut problems = Problems::default();
        shape::check(
            &Shape::Object(DECLARATION),
            &tree,
            &path,
            Wording::CONFIG,
            &mut problems,
        );
        if !problems.is_empty() {
            return remarks.problems.extend(problems);
        }
        match self.base.get(&parsed) {
            Some(below) if !same_kind(below, &tree) => other_kind(&tree, &path, remarks),
            Some(below) => {
                let merged = overlay(below, &tree);
                self.base.insert(parsed, merged);
            }
            None if tree.get("kind").is_some() => {
                self.base.insert(parsed, tree);
            }
            None => remarks.warnings.push(self.unknown(parsed.as_str(), &tree.at)),
        }
    }

    fn add_override(&mut self, name: ProbeName, entry: &Entry, remarks: &mut Remarks) {
        if entry.node.is_null() {
            return;
        }
        match self.base.get(&name) {
            Some(below) if !same_kind(below, &entry.node) => {
                other_kind(&entry.node, &join("probes", &entry.key), remarks);
            }
            None if entry.node.get("kind").is_none() => {
                remarks.warnings.push(self.unknown(&entry.key, &entry.key_at));
            }
            _ => {
                self.overrides.insert(name, entry.node.clone());
            }
        }
    }

    fn unknown(&self, name: &str, at: &Place) -> String {
        let known = self.names().into_iter().map(ProbeName::as_str);
        let near = nearest(name, known).map(|near| format!("; did you mean `{near}`?"));
        format!(
            "{at}: no probe is called `{name}`, so this override does nothing{}",
            near.unwrap_or_default()
        )
    }
}

/// `over`'s fields in place of `below`'s. The place is `over`'s: what does not fit together is
/// most likely its doing.
fn overlay(below: &Node, over: &Node) -> Node {
    let mut entries: Vec<Entry> = below.entries().to_vec();
    for entry in over.entries() {
        match entries.iter_mut().find(|known| known.key == entry.key) {
            Some(known) => *known = entry.clone(),
            None => entries.push(entry.clone()),
        }
    }
    Node::map(over.at.clone(), entries)
}

fn same_kind(below: &Node, over: &Node) -> bool {
    let kind = |node: &Node| node.get("kind").and_then(Node::text).map(str::to_owned);
    kind(over).is_none_or(|over| kind(below).is_none_or(|below| below == over))
}

fn other_kind(over: &Node, path: &str, remarks: &mut Remarks) {
    let at = over.get("kind").map_or(&over.at, |node| &node.at);
    let message = "an override cannot change the kind; give the new probe a name of its own";
    remarks.problems.add(at, &join(path, "kind"), message);
}

fn without(node: Node, key: &str) -> Node {
    match node.value {
        Value::Map(entries) => Node {
            at: node.at,
            value: Value::Map(entries.into_iter().filter(|entry| entry.key != key).collect()),
        },
        value => Node { at: node.at, value },
    }
}

#[cfg(test)]
mod tests;

/// What ships, without anybody's overrides. For specs of those who use it.
#[cfg(test)]
pub(crate) fn shipped_probes() -> BTreeMap<ProbeName, Arc<Probe>> {
    let mut remarks = Remarks::default();
    let patience = Patience { fall: 2, rise: 2 };
    let declarations = Declarations::gather(crate::probe::SHIPPED, &[], None, patience, &mut remarks);
    let probes = declarations.probes(&mut remarks);
    assert!(remarks.problems.is_empty(), "{}", remarks.problems);
    assert!(remarks.warnings.is_empty(), "{:?}", remarks.warnings);
    probes
}
