//! The shape that a tree must have: one table says what is accepted ([`check`]), what an editor
//! completes ([`super::schema`]) and which keys the decoders may ask for ([`Fields`]).
//!
//! Invariant: nothing here knows a key by name; those stand in [`super::keys`]. `null` (or nothing
//! after the colon) is accepted everywhere in a map and means "not set".

use std::time::Duration;

use super::problem::Problems;
use super::units;
use super::yaml::{Node, Scalar, Value};
use crate::words::redact;

/// One key of a map.
#[derive(Debug)]
pub struct Key {
    pub name: &'static str,
    pub shape: &'static Shape,
    /// One sentence for the schema and for people.
    pub about: &'static str,
    /// A value that is valid and not the default.
    pub example: &'static str,
}

/// What a node must be.
#[derive(Debug)]
pub enum Shape {
    /// One line of text, not empty.
    Text {
        bytes_max: usize,
    },
    /// Text of a certain form.
    Word(&'static Word),
    Bool,
    Count {
        min: u64,
        max: u64,
    },
    /// A decimal number.
    Factor {
        min: f64,
        max: f64,
    },
    Duration {
        min: Duration,
        max: Duration,
    },
    Size,
    Share,
    /// A size or a share.
    Amount,
    OneOf(&'static [&'static str]),
    List {
        of: &'static Shape,
        items_max: usize,
    },
    Map {
        key: &'static Word,
        of: &'static Shape,
        entries_max: usize,
    },
    Object(&'static [Key]),
    /// A single value of one shape, or a list or map of another.
    Either {
        single: &'static Shape,
        other: &'static Shape,
    },
    /// Anything: kept as it is.
    Data,
}

/// Text of a certain form.
pub struct Word {
    /// `an address such as 127.0.0.1:9099`.
    pub expected: &'static str,
    pub is: fn(&str) -> bool,
    /// For editors; `None` where a pattern would be longer than it helps.
    pub pattern: Option<&'static str>,
}

/// How to word problems for whom.
#[derive(Clone, Copy, Debug)]
pub struct Wording {
    /// Values may be shown. Never for fragments: what is mistyped there may be a secret.
    pub quotes_values: bool,
    /// Keys that are known to readyd and are not this file's to set.
    pub forbidden: &'static [&'static str],
}

/// A map of known keys, to read typed values from after [`check`].
///
/// A value that [`check`] has refused reads as `None`: it is reported already.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'tree> {
    node: Option<&'tree Node>,
    keys: &'static [Key],
}

impl Wording {
    pub const CONFIG: Wording = Wording {
        quotes_values: true,
        forbidden: &[],
    };
}

/// Adds to `problems` all that keeps `node` from having `shape`.
pub fn check(shape: &Shape, node: &Node, path: &str, wording: Wording, problems: &mut Problems) {
    match (shape, &node.value) {
        (_, Value::Null) | (Shape::Data, _) => {}
        (Shape::Either { single, .. }, Value::Scalar(_)) => check(single, node, path, wording, problems),
        (Shape::Either { other, .. }, _) => check(other, node, path, wording, problems),
        (Shape::List { of, items_max }, Value::List(items)) => {
            if items.len() > *items_max {
                let message = format!("has {} items; at most {items_max} are allowed", items.len());
                problems.add(&node.at, path, message);
            }
            for (index, item) in items.iter().enumerate() {
                let path = format!("{path}[{index}]");
                if item.is_null() {
                    problems.add(&item.at, &path, format!("expected {}, found nothing", of.expected()));
                }
                check(of, item, &path, wording, problems);
            }
        }
        (Shape::Map { key, of, entries_max }, Value::Map(entries)) => {
            if entries.len() > *entries_max {
                let message = format!("has {} entries; at most {entries_max} are allowed", entries.len());
                problems.add(&node.at, path, message);
            }
            for entry in entries {
                let path = join(path, &entry.key);
                if !(key.is)(&entry.key) {
                    problems.add(&entry.key_at, &path, format!("the key must be {}", key.expected));
                }
                check(of, &entry.node, &path, wording, problems);
            }
        }
        (Shape::Object(keys), Value::Map(entries)) => {
            for entry in entries {
                let here = join(path, &entry.key);
                match keys.iter().find(|key| key.name == entry.key) {
                    Some(key) => check(key.shape, &entry.node, &here, wording, problems),
                    None if problems.is_full() => problems.add(&entry.key_at, &here, "unknown key"),
                    None => problems.add(&entry.key_at, &here, unknown_key(&entry.key, keys, wording)),
                }
            }
        }
        (_, Value::Scalar(scalar)) => {
            if let Err(expected) = single(shape, scalar) {
                let found = match wording.quotes_values {
                    true => format!("{:?}", shortened(&redact::finding(&scalar.text))),
                    false => "something else".to_owned(),
                };
                problems.add(&node.at, path, format!("expected {expected}, found {found}"));
            }
        }
        (_, Value::List(_) | Value::Map(_)) => {
            let message = format!("expected {}, found {}", shape.expected(), node.kind());
            problems.add(&node.at, path, message);
        }
    }
}

/// `tenants.acme`, or `listen` at the top.
pub fn join(path: &str, key: &str) -> String {
    match path {
        "" => key.to_owned(),
        path => format!("{path}.{key}"),
    }
}

/// The candidate that a typing mistake most likely meant; `None` when all are far.
pub fn nearest<'word>(word: &str, candidates: impl IntoIterator<Item = &'word str>) -> Option<&'word str> {
    let near = |candidate: &&str| distance(word, candidate) <= 1 + candidate.len() / 3;
    candidates
        .into_iter()
        .filter(near)
        .min_by_key(|candidate| distance(word, candidate))
}

impl Shape {
    /// `a duration such as 250ms, 10s, 5m or 2h`.
    pub fn expected(&self) -> String {
        match self {
            Shape::Text { bytes_max } => format!("a line of text of at most {bytes_max} bytes"),
            Shape::Word(word) => word.expected.to_owned(),
            Shape::Bool => "true or false".to_owned(),
            Shape::Count { min, max: u64::MAX } => format!("a whole number from {min}"),
            Shape::Count { min, max } => format!("a whole number from {min} to {max}"),
            Shape::Factor { min, max } => format!("a number from {min} to {max}"),
            Shape::Duration { min, max } => format!(
                "a duration such as 250ms, 10s, 5m or 2h (from {} to {})",
                units::write_duration(*min),
                units::write_duration(*max)
            ),
            Shape::Size => "a size such as 64KiB or 2GiB".to_owned(),
            Shape::Share => "a share such as 15%".to_owned(),
            Shape::Amount => "a size such as 2GiB or a share such as 15%".to_owned(),
            Shape::OneOf(words) => words.join(" or "),
            Shape::List { .. } => "a list".to_owned(),
            Shape::Map { .. } | Shape::Object(_) => "a map".to_owned(),
            Shape::Either { single, other } => format!("{} or {}", single.expected(), other.expected()),
            Shape::Data => "anything".to_owned(),
        }
    }
}

impl<'tree> Fields<'tree> {
    /// `node` as a map of `keys`; anything but a map reads as empty.
    pub fn of(node: Option<&'tree Node>, keys: &'static [Key]) -> Fields<'tree> {
        Fields { node, keys }
    }

    /// The node under `key`; `None` when it is absent or null.
    pub fn node(&self, key: &str) -> Option<&'tree Node> {
        debug_assert!(self.keys.iter().any(|known| known.name == key), "{key} is in no table");
        self.node?.get(key).filter(|node| !node.is_null())
    }

    pub fn text(&self, key: &str) -> Option<&'tree str> {
        self.node(key)?.text()
    }

    pub fn bool(&self, key: &str) -> Option<bool> {
        match &self.node(key)?.value {
            Value::Scalar(scalar) => boolean(scalar),
            _ => None,
        }
    }

    pub fn count(&self, key: &str) -> Option<u64> {
        self.text(key)?.parse().ok()
    }

    pub fn factor(&self, key: &str) -> Option<f64> {
        units::decimal(self.text(key)?)
    }

    pub fn duration(&self, key: &str) -> Option<Duration> {
        units::duration(self.text(key)?)
    }

    /// The texts of a list; `None` when the key is absent.
    pub fn texts(&self, key: &str) -> Option<Vec<&'tree str>> {
        Some(self.node(key)?.items().iter().filter_map(Node::text).collect())
    }
}

impl std::fmt::Debug for Word {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.expected)
    }
}

/// Whether a scalar has a shape of single values; `Err`: what was expected.
fn single(shape: &Shape, scalar: &Scalar) -> Result<(), String> {
    let text = scalar.text.as_str();
    let good = match shape {
        Shape::Text { bytes_max } => {
            let clean = !text.is_empty() && !text.chars().any(crate::words::text::is_harmful);
            clean && text.len() <= *bytes_max
        }
        Shape::Word(word) => (word.is)(text),
        Shape::Bool => boolean(scalar).is_some(),
        Shape::Count { min, max } => {
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            digits && text.parse().is_ok_and(|count: u64| (*min..=*max).contains(&count))
        }
        Shape::Factor { min, max } => units::decimal(text).is_some_and(|factor| (*min..=*max).contains(&factor)),
        Shape::Duration { min, max } => units::duration(text).is_some_and(|read| (*min..=*max).contains(&read)),
        Shape::Size => units::size(text).is_some(),
        Shape::Share => units::share(text).is_some(),
        Shape::Amount => units::amount(text).is_some(),
        Shape::OneOf(words) => {
            return match words.contains(&text) {
                true => Ok(()),
                false => Err(with_nearest(shape.expected(), text, words)),
            };
        }
        Shape::Data => true,
        Shape::Either { single: shape, .. } => return single(shape, scalar),
        Shape::List { .. } | Shape::Map { .. } | Shape::Object(_) => false,
    };
    if good { Ok(()) } else { Err(shape.expected()) }
}

fn boolean(scalar: &Scalar) -> Option<bool> {
    match (scalar.plain, scalar.text.as_str()) {
        (true, "true" | "True" | "TRUE") => Some(true),
        (true, "false" | "False" | "FALSE") => Some(false),
        _ => None,
    }
}

fn with_nearest(expected: String, text: &str, words: &[&'static str]) -> String {
    match nearest(text, words.iter().copied()) {
        Some(word) if words.len() > 3 => format!("{expected} (did you mean {word}?)"),
        _ => expected,
    }
}

fn unknown_key(key: &str, keys: &[Key], wording: Wording) -> String {
    if wording.forbidden.contains(&key) {
        return format!("a fragment may not set `{key}`: that is the node's to decide, in its config file");
    }
    match nearest(key, keys.iter().map(|key| key.name)) {
        Some(near) => format!("unknown key; did you mean `{near}`?"),
        None => {
            let known: Vec<_> = keys.iter().map(|key| key.name).collect();
            format!("unknown key; known here: {}", known.join(" "))
        }
    }
}

/// Long enough to recognise, short enough for a line.
fn shortened(text: &str) -> &str {
    const SHOWN_BYTES_MAX: usize = 60;
    let end = (0..=SHOWN_BYTES_MAX.min(text.len()))
        .rev()
        .find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}

/// Levenshtein's distance in characters. Keys are short; longer words are cut, since beyond the
/// longest key they cannot come near.
fn distance(one: &str, other: &str) -> usize {
    const LETTERS_MAX: usize = 64;
    let other: Vec<char> = other.chars().take(LETTERS_MAX).collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (above, letter) in one.chars().take(LETTERS_MAX).enumerate() {
        let mut diagonal = above;
        row[0] = above + 1;
        for (index, candidate) in other.iter().enumerate() {
            let substituted = diagonal + usize::from(letter != *candidate);
            diagonal = row[index + 1];
            row[index + 1] = substituted.min(row[index] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests;
