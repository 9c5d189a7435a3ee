//! Which build a CLI says that it is. Pure.

use serde_json::{Map, Value};

use super::VERSION_BYTES_MAX;
use crate::words::text;

/// What a CLI says of itself, piece by piece; `None`: it does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Release {
    /// `2026.9.6`.
    pub version: Option<String>,
    /// A commit: `eb377ac`.
    pub build: Option<String>,
    /// The articles' `openclaw version --json` tells these too.
    pub daemon: Option<String>,
    pub companion: Option<String>,
    pub swift: Option<String>,
}

impl Release {
    /// `2026.9.6 (eb377ac)`, `v2026.9.6`: a version, and maybe the build in brackets.
    pub fn of_words(words: &str) -> Release {
        let mut words = words.split_ascii_whitespace();
        let version = words.next().map(|version| version.strip_prefix('v').unwrap_or(version));
        let build = words.next().and_then(|word| word.strip_prefix('(')?.strip_suffix(')'));
        Release {
            version: version.map(str::to_owned),
            build: build.map(str::to_owned),
            ..Release::default()
        }
    }

    /// The object of `openclaw version --json`. The articles name what it tells and not its keys, so a key is
    /// known in each of the usual spellings: `daemon_hash`, `daemonHash`, `daemon: {hash: …}`.
    pub fn of_object(object: &Map<String, Value>) -> Release {
        let said = |key: &str| word(object.get(key)?);
        let of_words = said("version").map(|words| Release::of_words(&words));
        let either = |keys: &[[&str; 2]]| keys.iter().find_map(|[thing, fact]| find(object, thing, fact));
        Release {
            build: said("build")
                .or_else(|| said("commit"))
                .or_else(|| of_words.as_ref()?.build.clone()),
            version: of_words.and_then(|words| words.version),
            daemon: either(&[["daemon", "hash"], ["daemon", "build"]]),
            companion: either(&[["companion", "version"], ["companion", "agent_version"]])
                .or_else(|| said("companion")),
            swift: either(&[["swift", "runtime"], ["swift", "version"], ["swift", "build"]]).or_else(|| said("swift")),
        }
    }
}

/// `thing_fact`, `thingFact` or `thing: {fact}`.
fn find(object: &Map<String, Value>, thing: &str, fact: &str) -> Option<String> {
    let camel = format!("{thing}{}{}", fact[..1].to_ascii_uppercase(), &fact[1..]);
    let flat = object.get(&format!("{thing}_{fact}")).or_else(|| object.get(&camel));
    word(flat.or_else(|| object.get(thing)?.get(fact))?)
}

fn word(value: &Value) -> Option<String> {
    let clean = text::clean_line(value.as_str()?.trim(), VERSION_BYTES_MAX);
    (!clean.is_empty()).then_some(clean)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(version: &str, build: Option<&str>) -> Release {
        Release {
            version: Some(version.to_owned()),
            build: build.map(str::to_owned),
            ..Release::default()
        }
    }

    #[test]
    fn a_version_is_a_word_and_its_build_stands_in_brackets() {
        assert_eq!(
            Release::of_words("2026.9.6 (eb377ac)"),
            release("2026.9.6", Some("eb377ac"))
        );
        assert_eq!(Release::of_words("v2026.3.31"), release("2026.3.31", None));
        assert_eq!(Release::of_words("2026.9.6 nightly"), release("2026.9.6", None));
        assert_eq!(Release::of_words(""), Release::default());
    }

    #[test]
    fn an_object_is_read_in_each_usual_spelling() {
        let full = Release {
            daemon: Some("sha256:ab".to_owned()),
            companion: Some("1.4".to_owned()),
            swift: Some("6.0.3".to_owned()),
            ..release("2.1.0", Some("eb377ac"))
        };
        for text in [
            r#"{"version":"2.1.0 (eb377ac)","daemon_hash":"sha256:ab","swift_runtime":"6.0.3","companion_version":"1.4"}"#,
            r#"{"version":"v2.1.0","build":"eb377ac","daemonHash":"sha256:ab","swiftRuntime":"6.0.3","companion":"1.4"}"#,
            r#"{"version":"2.1.0","commit":"eb377ac","daemon":{"hash":"sha256:ab"},"swift":{"runtime":"6.0.3"},
                "companion":{"version":"1.4"}}"#,
        ] {
            assert_eq!(Release::of_object(&serde_json::from_str(text).unwrap()), full, "{text}");
        }
        for junk in [
            r#"{}"#,
            r#"{"version":7,"daemon":[],"swift":{"runtime":null},"companion":""}"#,
        ] {
            assert_eq!(
                Release::of_object(&serde_json::from_str(junk).unwrap()),
                Release::default()
            );
        }
    }
}
