//! `openclaw.lock`: the format. Pure.
//!
//! YAML, every entry optional:
//!
//! ```text
//! openclaw: {cli: 2026.9.6, build: eb377ac, daemon: "sha256:…"}
//! gateway: {version: 2026.9.6, build: eb377ac}
//! companion: {version: 1.4.2}
//! swift: {runtime: 6.0.3}
//! checksums:
//!   /opt/openclaw/openclaw.mjs: sha256:5c0e…
//! ```

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::config::problem::Problems;
use crate::config::shape::{self, Fields, Key, Shape, Wording};
use crate::config::yaml::{self, Node};
use crate::probe::openclaw::Release;

/// A lock is a few lines.
pub const FILE_BYTES_MAX: usize = 64 << 10;
pub const CHECKSUMS_MAX: usize = 64;

/// What a lock pins; `None`: not pinned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pins {
    /// The version that `openclaw --version` says.
    pub cli: Option<String>,
    /// And its build: a commit, or the first seven or more digits of one.
    pub build: Option<String>,
    /// The daemon's hash that the articles' `openclaw version --json` says.
    pub daemon: Option<String>,
    pub gateway: Option<String>,
    pub gateway_build: Option<String>,
    pub companion: Option<String>,
    pub swift: Option<String>,
    /// Hexadecimal SHA-256 in lower case by absolute path.
    pub checksums: BTreeMap<PathBuf, String>,
}

/// The entries of a lock.
pub const LOCK: &[Key] = &[
    key("openclaw", &Shape::Object(OPENCLAW), "The CLI.", "{cli: 2026.9.6}"),
    key(
        "gateway",
        &Shape::Object(GATEWAY),
        "The running gateway.",
        "{version: 2026.9.6}",
    ),
    key(
        "companion",
        &Shape::Object(COMPANION),
        "The companion agent.",
        "{version: 1.4.2}",
    ),
    key("swift", &Shape::Object(SWIFT), "The Swift runtime.", "{runtime: 6.0.3}"),
    key("checksums", &CHECKSUMS, "Files by their SHA-256.", "{}"),
];
const OPENCLAW: &[Key] = &[
    key("cli", &WORDS, "Its version.", "2026.9.6"),
    key("build", &BUILD, "Its build.", "eb377ac"),
    key("daemon", &WORDS, "The daemon's hash.", "sha256:ab12"),
];
const GATEWAY: &[Key] = &[
    key("version", &WORDS, "Its version.", "2026.9.6"),
    key("build", &BUILD, "Its build.", "eb377ac"),
];
const COMPANION: &[Key] = &[key("version", &WORDS, "Its version.", "1.4.2")];
const SWIFT: &[Key] = &[key("runtime", &WORDS, "Its version.", "6.0.3")];
const WORDS: Shape = Shape::Text { bytes_max: 128 };
const BUILD: Shape = Shape::Word(&shape::Word {
    expected: "a build without spaces, such as eb377ac",
    is: |text| (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()),
    pattern: None,
});
const CHECKSUMS: Shape = Shape::Map {
    key: &shape::Word {
        expected: "an absolute path (it begins with /)",
        is: |text| text.starts_with('/') && text.len() <= 4096 && !text.chars().any(crate::words::text::is_harmful),
        pattern: Some("^/"),
    },
    of: &Shape::Word(&shape::Word {
        expected: "sha256: and 64 hexadecimal digits, as sha256sum prints them",
        is: |text| sum(text).is_some(),
        pattern: Some("^sha256:[0-9a-fA-F]{64}$"),
    }),
    entries_max: CHECKSUMS_MAX,
};

const fn key(name: &'static str, shape: &'static Shape, about: &'static str, example: &'static str) -> Key {
    Key {
        name,
        shape,
        about,
        example,
    }
}

impl Pins {
    /// The pins of a lock's text, or all that is wrong with it, with lines. `file` is how problems call it.
    ///
    /// # Errors
    /// Unknown keys, values of another form, no YAML.
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Pins, Problems> {
        let tree = yaml::parse(file, bytes)?;
        let mut problems = Problems::default();
        shape::check(&Shape::Object(LOCK), &tree, "", Wording::CONFIG, &mut problems);
        problems.or(Pins::of(&tree))
    }

    fn of(tree: &Node) -> Pins {
        let lock = Fields::of(Some(tree), LOCK);
        let openclaw = Fields::of(lock.node("openclaw"), OPENCLAW);
        let gateway = Fields::of(lock.node("gateway"), GATEWAY);
        let owned = |text: Option<&str>| text.map(str::to_owned);
        // `2026.9.6 (eb377ac)`, as it was printed, pins both.
        let cli = openclaw.text("cli").map(Release::of_words).unwrap_or_default();
        let running = gateway.text("version").map(Release::of_words).unwrap_or_default();
        let sums = lock.node("checksums").map(Node::entries).unwrap_or_default();
        Pins {
            cli: cli.version,
            build: owned(openclaw.text("build")).or(cli.build),
            daemon: owned(openclaw.text("daemon")),
            gateway: running.version,
            gateway_build: owned(gateway.text("build")).or(running.build),
            companion: owned(Fields::of(lock.node("companion"), COMPANION).text("version")),
            swift: owned(Fields::of(lock.node("swift"), SWIFT).text("runtime")),
            checksums: sums
                .iter()
                .filter_map(|entry| Some((PathBuf::from(&entry.key), sum(entry.node.text()?)?)))
                .collect(),
        }
    }

    /// As a lock is written; [`Pins::parse`] reads the same pins from it.
    pub fn render(&self) -> String {
        type Facts<'pins> = &'pins [(&'static str, &'pins Option<String>)];
        let mut out = String::new();
        let groups: [(&str, Facts<'_>); 4] = [
            (
                "openclaw",
                &[("cli", &self.cli), ("build", &self.build), ("daemon", &self.daemon)],
            ),
            ("gateway", &[("version", &self.gateway), ("build", &self.gateway_build)]),
            ("companion", &[("version", &self.companion)]),
            ("swift", &[("runtime", &self.swift)]),
        ];
        for (group, facts) in groups {
            if facts.iter().any(|(_, value)| value.is_some()) {
                out.push_str(&format!("{group}:\n"));
            }
            for (name, value) in facts {
                if let Some(value) = value {
                    out.push_str(&format!("  {name}: {}\n", quoted(value)));
                }
            }
        }
        if !self.checksums.is_empty() {
            out.push_str("checksums:\n");
        }
        for (path, sum) in &self.checksums {
            out.push_str(&format!("  {}: sha256:{sum}\n", quoted(&path.to_string_lossy())));
        }
        out
    }
}

/// JSON's quotes are YAML's too; a version such as `6.0` is then no number to any reader.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The digits of `sha256:…`, in lower case.
fn sum(text: &str) -> Option<String> {
    let digits = text.strip_prefix("sha256:")?;
    let good = digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    good.then(|| digits.to_ascii_lowercase())
}
