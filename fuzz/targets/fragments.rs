//! Fragments, from git and many hands: the merge is the same in any order of reading, keeps its bounds, and shows no secret.

use readyd::config::fragments::{Fragment, Merged, Section, merge};
use readyd::config::problem::Place;
use readyd::config::yaml::{DEPTH_MAX, NODES_MAX, Node, Value};

const NAMES: [&str; 4] = ["10-base.yaml", "20-team.yaml", "30-host.yml", "40-late.yaml"];

pub fn run(data: &[u8]) {
    let (section, data) = super::chosen(data);
    let fragment = |(name, content): (&&str, &[u8])| Fragment {
        section: Section::ALL[usize::from(section) % Section::ALL.len()],
        name: (*name).to_owned(),
        file: format!("acme/{name}"),
        content: Ok(content.to_vec()),
    };
    let fragments: Vec<Fragment> = NAMES.iter().zip(super::parts(data)).map(fragment).collect();
    let merged = merged(fragments.clone());
    let mut backwards = fragments.clone();
    backwards.reverse();
    assert_eq!(self::merged(backwards), merged, "the order of reading decides");
    within_bounds(&merged.tree, 0);

    // The last good file has the last word.
    let mut with_last_again = fragments;
    if let Some(last) = with_last_again.last().cloned() {
        let name = "99-again.yaml".to_owned();
        with_last_again.push(Fragment { name, ..last });
        let again = self::merged(with_last_again);
        assert_eq!(plain(&again.tree), plain(&merged.tree), "merged twice");
    }
}

fn merged(fragments: Vec<Fragment>) -> Merged {
    let count = fragments.len();
    let merged = merge(Place::new(&"acme".into(), 1), fragments);
    assert_eq!(merged.files.len(), count);
    merged
}

/// Without the places, which tell who said it.
fn plain(node: &Node) -> String {
    match &node.value {
        Value::Null => "~".to_owned(),
        Value::Scalar(scalar) => format!("{:?}", scalar.text),
        Value::List(items) => format!("{:?}", items.iter().map(plain).collect::<Vec<_>>()),
        Value::Map(entries) => {
            let mut entries: Vec<_> = entries
                .iter()
                .map(|entry| (entry.key.clone(), plain(&entry.node)))
                .collect();
            entries.sort();
            format!("{entries:?}")
        }
    }
}

fn within_bounds(node: &Node, depth: usize) -> usize {
    assert!(depth <= DEPTH_MAX, "too deep");
    let below = match &node.value {
        Value::Null | Value::Scalar(_) => 0,
        Value::List(items) => items.iter().map(|item| within_bounds(item, depth + 1)).sum(),
        Value::Map(entries) => entries.iter().map(|entry| within_bounds(&entry.node, depth + 1)).sum(),
    };
    assert!(below < NAMES.len() * NODES_MAX, "too many nodes");
    below + 1
}
