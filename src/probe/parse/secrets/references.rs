//! A tenant's SecretRefs as its `openclaw.json` writes them: which secret serves which purpose. Values are never looked at.
//!
//! The rule is the users' own, "one name, one purpose": typos in names and collisions of variables are a third of their
//! incidents once there are a dozen references. A collision is `degraded` and not a note, since both places work, until one of
//! them is rotated or leaks and the other goes with it: nothing but a check will tell before. It is never `down`: nothing is
//! broken yet. One key of one vendor at several places (a model, its speech, its search) is one purpose, and a note.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::words::redact;

/// A configuration with more is looked at as far as that.
pub const REFERENCES_MAX: usize = 4096;
/// Collisions, and uses of one secret, that are told.
const TOLD_MAX: usize = 16;
/// References without a class, above which they are counted under strict posture: from the users' articles, 12 to 20.
const UNCLASSIFIED_MAX: usize = 20;
/// And above which they are a note.
const UNCLASSIFIED_NOTE: usize = 12;

/// All references of one configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct References {
    all: Vec<Reference>,
    /// It includes other files, which are not read.
    includes: bool,
    is_cut: bool,
}

/// `{source, provider, id}` at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Reference {
    path: Vec<String>,
    source: String,
    provider: String,
    id: String,
    /// What is read to resolve it: two providers of one file are one.
    store: String,
    is_default: bool,
}

/// Which door a secret opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door<'a> {
    /// Into the gateway itself: full power over it.
    Gateway,
    /// Into it for whoever sends it events.
    Hooks,
    /// The gateway's identity at a chat service.
    Channel(&'a str),
    /// A vendor's API key.
    ApiKey,
    Other,
}

/// How a reference is called: `env NAME`, `file /gw/token of provider f`. No colon follows a word like `token`, behind which
/// findings hide what stands there.
pub fn name(source: &str, provider: &str, id: &str) -> String {
    match (source, provider) {
        ("env", "default") => format!("env {id}"),
        _ => format!("{source} {id} of provider {provider}"),
    }
}

impl References {
    /// Those of a parsed `openclaw.json`.
    ///
    /// Source: `coerceSecretRef` of openclaw 2026.9.6: objects with `source` and `id`, and the strings `${NAME}` and `$NAME`,
    /// which stand for many things elsewhere and so count only where the key names a secret.
    pub fn of(config: &Value) -> References {
        let mut references = References::default();
        let mut path = Vec::new();
        references.walk(config, &mut path, &config["secrets"]);
        references
    }

    /// One secret that serves two purposes, and names that differ only by case.
    pub fn collisions(&self) -> Vec<String> {
        let mut told = Vec::new();
        for uses in self.by_secret().values() {
            let collide = |one: &&Reference| uses.iter().any(|other| one.collides_with(other));
            let colliding: Vec<&Reference> = uses.iter().copied().filter(collide).collect();
            if let Some(first) = colliding.first() {
                told.push(format!("{} serves {}", first.name(), places(&colliding)));
            }
        }
        for spellings in self.by_spelling().into_values().filter(|spellings| spellings.len() > 1) {
            let names: Vec<String> = spellings.into_values().collect();
            told.push(format!("names differ only by case: {}", names.join(" and ")));
        }
        told.truncate(TOLD_MAX);
        told
    }

    /// Which references need a command to be run, as the end of a sentence; empty where there are none.
    pub fn of_commands(&self) -> String {
        let by_command = self.all.iter().filter(|reference| reference.source == "exec");
        let named: Vec<String> = by_command
            .take(TOLD_MAX)
            .map(|reference| format!("{} at {}", reference.name(), reference.path.join(".")))
            .collect();
        match named.is_empty() {
            true => String::new(),
            false => format!(": {}", named.join(", ")),
        }
    }

    /// Too many references that say nothing of what they are for; counted under strict posture.
    pub fn unclassified_too_many(&self) -> Option<String> {
        (self.unclassified() > UNCLASSIFIED_MAX).then(|| self.unclassified_told())
    }

    /// What is shown and never counted.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if (UNCLASSIFIED_NOTE + 1..=UNCLASSIFIED_MAX).contains(&self.unclassified()) {
            notes.push(self.unclassified_told());
        }
        for uses in self.by_secret().values().filter(|uses| uses.len() > 1) {
            let is_shared = uses
                .iter()
                .all(|one| !uses.iter().any(|other| one.collides_with(other)));
            // Its own clients know the gateway by the same token.
            if is_shared && uses[0].door() != Door::Gateway && notes.len() < TOLD_MAX {
                notes.push(format!("{} is used at {}", uses[0].name(), places(uses)));
            }
        }
        if self.includes {
            notes.push("references in files that openclaw.json includes are not looked through".to_owned());
        }
        if self.is_cut {
            notes.push(format!(
                "only the first {REFERENCES_MAX} references were looked through"
            ));
        }
        notes
    }

    /// serde_json has bounded the depth (128).
    fn walk(&mut self, value: &Value, path: &mut Vec<String>, secrets: &Value) {
        if self.all.len() >= REFERENCES_MAX {
            self.is_cut = true;
            return;
        }
        if let Some(reference) = Reference::of(value, path, secrets) {
            return self.all.push(reference);
        }
        match value {
            Value::Object(entries) => self.walk_all(entries, path, secrets),
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    path.push(index.to_string());
                    self.walk(item, path, secrets);
                    path.pop();
                }
            }
            _ => {}
        }
    }

    fn walk_all(&mut self, entries: &Map<String, Value>, path: &mut Vec<String>, secrets: &Value) {
        for (key, value) in entries {
            self.includes |= key == "$include";
            // Providers have a `source` too, and refer to nothing.
            if path.is_empty() && key == "secrets" {
                continue;
            }
            path.push(key.clone());
            self.walk(value, path, secrets);
            path.pop();
        }
    }

    fn by_secret(&self) -> BTreeMap<(&str, &str), Vec<&Reference>> {
        let mut secrets: BTreeMap<_, Vec<&Reference>> = BTreeMap::new();
        for reference in &self.all {
            let secret = (reference.store.as_str(), reference.id.as_str());
            secrets.entry(secret).or_default().push(reference);
        }
        secrets
    }

    /// Place and plain id → the ids that are written there, and how those are called.
    fn by_spelling(&self) -> BTreeMap<(&str, String), BTreeMap<&str, String>> {
        let mut spellings: BTreeMap<_, BTreeMap<&str, String>> = BTreeMap::new();
        for reference in &self.all {
            let plain = (reference.store.as_str(), reference.id.to_lowercase());
            spellings
                .entry(plain)
                .or_default()
                .insert(&reference.id, reference.name());
        }
        spellings
    }

    fn unclassified(&self) -> usize {
        self.all.iter().filter(|reference| !reference.is_classified()).count()
    }

    fn unclassified_told(&self) -> String {
        format!(
            "{} references without a class (default provider, flat names): give each kind of secret a provider of its own",
            self.unclassified()
        )
    }
}

impl Reference {
    fn of(value: &Value, path: &[String], secrets: &Value) -> Option<Reference> {
        let (source, provider, id) = match value {
            Value::Object(_) => {
                let text = |key: &str| value.get(key).and_then(Value::as_str);
                let source = text("source").filter(|source| SOURCES.contains(source))?;
                (source, text("provider"), text("id").filter(|id| !id.trim().is_empty())?)
            }
            Value::String(text) => ("env", None, template(text).filter(|_| is_secret_place(path))?),
            _ => return None,
        };
        let default = secrets["defaults"][source].as_str().unwrap_or("default");
        let provider = provider.unwrap_or(default);
        let file = secrets["providers"][provider]["path"]
            .as_str()
            .filter(|_| source == "file");
        Some(Reference {
            path: path.to_vec(),
            // A variable is the same one through every provider.
            store: match (source, file) {
                ("env", _) => "env".to_owned(),
                (_, Some(file)) => format!("file at {file}"),
                _ => format!("{source} {provider}"),
            },
            source: source.to_owned(),
            provider: provider.to_owned(),
            id: id.to_owned(),
            is_default: provider == default,
        })
    }

    fn name(&self) -> String {
        name(&self.source, &self.provider, &self.id)
    }

    /// A provider of its own, or a name with a folder, tells what kind of secret it is.
    fn is_classified(&self) -> bool {
        !self.is_default || self.id.trim_start_matches('/').contains('/')
    }

    fn door(&self) -> Door<'_> {
        let part = |at: usize| self.path.get(at).map_or("", String::as_str);
        match (part(0), self.key()) {
            ("gateway", _) => Door::Gateway,
            ("hooks", _) => Door::Hooks,
            (_, "apiKey") => Door::ApiKey,
            ("channels", _) => Door::Channel(part(1)),
            _ => Door::Other,
        }
    }

    fn key(&self) -> &str {
        self.path.last().map_or("", String::as_str)
    }

    /// Whether one secret cannot rightly be both: another door, or two different keys of one object (a bot's token and its
    /// webhook's secret).
    fn collides_with(&self, other: &Reference) -> bool {
        let siblings =
            self.path.split_last().map(|(_, parent)| parent) == other.path.split_last().map(|(_, parent)| parent);
        match (self.door(), other.door()) {
            (one @ (Door::Gateway | Door::Hooks), other) | (other, one @ (Door::Gateway | Door::Hooks)) => one != other,
            (Door::Channel(one), Door::Channel(other)) if one != other => true,
            (Door::Channel(_), Door::ApiKey) | (Door::ApiKey, Door::Channel(_)) => true,
            (Door::Channel(_), Door::Channel(_)) => siblings && self.key() != other.key(),
            // Headers and variables may well hold one key under two names.
            _ => false,
        }
    }
}

const SOURCES: [&str; 4] = ["env", "file", "exec", "store"];

/// `NAME` of `${NAME}` and `$NAME`.
fn template(text: &str) -> Option<&str> {
    let rest = text.trim().strip_prefix('$')?;
    let name = rest
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'))
        .unwrap_or(rest);
    let is_name = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    let begins = name.bytes().next().is_some_and(|byte| byte.is_ascii_uppercase());
    (begins && name.len() <= 128 && name.bytes().all(is_name)).then_some(name)
}

/// By its key, or by a folder of headers.
fn is_secret_place(path: &[String]) -> bool {
    let parent = path.iter().rev().nth(1).map(String::as_str);
    path.last().is_some_and(|key| redact::names_secret(key)) || parent == Some("headers")
}

fn places(uses: &[&Reference]) -> String {
    let mut places: Vec<String> = uses
        .iter()
        .take(TOLD_MAX)
        .map(|reference| reference.path.join("."))
        .collect();
    if uses.len() > TOLD_MAX {
        places.push(format!("{} more", uses.len() - TOLD_MAX));
    }
    match places.split_last() {
        Some((last, before)) if !before.is_empty() => format!("{} and {last}", before.join(", ")),
        _ => places.join(""),
    }
}

#[cfg(test)]
mod tests;
