//! The layers that checks look at, and for each the one command that is known to be good.
//!
//! The users' articles ask for both: "layer failures mentally: Layer A transport and credentials, Layer B policy
//! and approvals, Layer C SecretRef resolution, Layer D node runtime and desktop session. Jumping from Layer A
//! symptoms to Layer C fixes wastes cycles", and "runbooks should include a known-good curl or CLI probe per
//! layer so on-call engineers do not improvise live commands that accidentally exfiltrate secrets into shared
//! terminals". A to D are `transport policy secrets runtime` here; `host` and `webhooks` stand behind them,
//! because a host or a receiver is looked at once the gateway itself is known. The order is [`Layer::ALL`]'s, by
//! which reasons of equal weight are sorted as well.
//!
//! A known-good command reads and changes nothing, ends by itself, prints no secret (names, paths and codes at
//! most: measured on openclaw 2026.9.6), and can be pasted as it is.
//!
//! Invariant: nothing here knows a tenant; who does fills the words in.

use crate::words::Layer;

/// One layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    pub layer: Layer,
    /// The articles' letter for it.
    pub letter: Option<char>,
    /// What a check of it asks about.
    pub looks_at: &'static str,
    /// For a tenant's check, the best first: that one is taken whose words all have a value.
    of_tenant: &'static [&'static str],
    /// For a check of the node.
    of_node: &'static [&'static str],
}

/// In order of triage. `{…}` are the words of [`Word`].
pub const LAYERS: [Row; 6] = [
    Row {
        layer: Layer::Transport,
        letter: Some('A'),
        looks_at: "whether a caller gets through to the gateway",
        // Not `-f`: it would leave out the body, which says what is failing.
        of_tenant: &["curl -sS -i -m 5 {readyz}", "curl -sS -i -m 5 {ready}"],
        of_node: &["curl -sS -i -m 5 {ready}"],
    },
    Row {
        layer: Layer::Policy,
        letter: Some('B'),
        looks_at: "what is configured, in which version, and who may do what",
        of_tenant: &[
            "{openclaw} config validate --json",
            "{article} config lint --tenant {tenant}",
            "{readyd} config check",
        ],
        of_node: &["{readyd} config check"],
    },
    Row {
        layer: Layer::Secrets,
        letter: Some('C'),
        looks_at: "whether secrets resolve, and how their files are kept",
        // References to the environment resolve in the asker's own: without the tenant's env file every one of them
        // would be missing. readyd reads that file; a shell that did would run what is in it.
        of_tenant: &[
            "{openclaw_alone} secrets audit --check --json",
            "{readyd} probe run {secrets_check}",
            "ls -ln {secrets_dir}",
        ],
        of_node: &["ls -ln {secrets_dir}"],
    },
    Row {
        layer: Layer::Runtime,
        letter: Some('D'),
        looks_at: "whether the gateway's process works",
        of_tenant: &[
            "{openclaw} doctor --lint --json --severity-min error",
            "{article} doctor --tenant {tenant} --json",
            // Finds out by itself what the CLI speaks.
            "{readyd} probe run {doctor_check}",
        ],
        of_node: &["{readyd} status"],
    },
    Row {
        layer: Layer::Host,
        letter: None,
        looks_at: "room, writes, queues and load of this host",
        // `;`: a path that is not there must not hide the second answer.
        of_tenant: &["df -h {paths}; df -i {paths}", "df -h; df -i"],
        of_node: &["df -h {paths}; df -i {paths}", "df -h; df -i"],
    },
    Row {
        layer: Layer::Webhooks,
        letter: None,
        looks_at: "whether deliveries arrive where they should",
        of_tenant: &["{readyd} digest --tenant {tenant}"],
        of_node: &["{readyd} digest"],
    },
];

/// What stands in a command for what is known of a tenant or the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// The URL of the gateway's `/readyz`, and what `curl` has to be told about its certificate.
    Readyz,
    /// The URL of our own `/ready`, or the tenant's.
    Ready,
    /// The real OpenClaw, as the tenant's user, on the tenant's state. No value: it cannot be told which.
    Openclaw,
    /// The same, where no env file adds to its environment.
    OpenclawAlone,
    /// The articles' `openclaw`, where the configuration says that it is theirs.
    Article,
    /// `readyd`, with the configuration in force.
    Readyd,
    Tenant,
    /// `secrets@acme`, where there is such a check.
    SecretsCheck,
    DoctorCheck,
    /// The folder of secrets: the tenant's own, or all of them.
    SecretsDir,
    /// Where state is.
    Paths,
}

impl Row {
    pub fn of(layer: Layer) -> &'static Row {
        // In the order of `Layer::ALL`, which is the order of its variants: a test sees to it.
        &LAYERS[layer as usize]
    }

    /// The layer's known-good command, with every word filled in; `None` when nothing can be asked with what is known.
    pub fn known_good(&self, is_of_tenant: bool, value: impl Fn(Word) -> Option<String>) -> Option<String> {
        let templates = if is_of_tenant { self.of_tenant } else { self.of_node };
        templates.iter().find_map(|template| fill(template, &value))
    }
}

impl Word {
    pub const ALL: [Word; 11] = [
        Word::Readyz,
        Word::Ready,
        Word::Openclaw,
        Word::OpenclawAlone,
        Word::Article,
        Word::Readyd,
        Word::Tenant,
        Word::SecretsCheck,
        Word::DoctorCheck,
        Word::SecretsDir,
        Word::Paths,
    ];

    const fn as_str(self) -> &'static str {
        match self {
            Word::Readyz => "readyz",
            Word::Ready => "ready",
            Word::Openclaw => "openclaw",
            Word::OpenclawAlone => "openclaw_alone",
            Word::Article => "article",
            Word::Readyd => "readyd",
            Word::Tenant => "tenant",
            Word::SecretsCheck => "secrets_check",
            Word::DoctorCheck => "doctor_check",
            Word::SecretsDir => "secrets_dir",
            Word::Paths => "paths",
        }
    }
}

/// `text` as one word of a POSIX shell: as it is where that is safe, else in single quotes.
pub fn shell_word(text: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "/._-:@,+".contains(character);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn fill(template: &str, value: &impl Fn(Word) -> Option<String>) -> Option<String> {
    let mut filled = String::with_capacity(template.len() * 2);
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once('{') {
        let (name, after) = behind.split_once('}')?;
        let word = Word::ALL.into_iter().find(|word| word.as_str() == name)?;
        filled.push_str(before);
        filled.push_str(&value(word)?);
        rest = after;
    }
    filled.push_str(rest);
    Some(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layer_has_one_row_in_the_order_of_triage() {
        assert_eq!(LAYERS.map(|row| row.layer), Layer::ALL);
        for layer in Layer::ALL {
            assert_eq!(Row::of(layer).layer, layer);
        }
        let letters: Vec<_> = LAYERS.iter().filter_map(|row| row.letter).collect();
        assert_eq!(letters, ['A', 'B', 'C', 'D']);
    }

    #[test]
    fn a_command_is_taken_only_when_all_of_its_words_have_a_value() {
        let all = |word: Word| Some(word.as_str().to_uppercase());
        for row in LAYERS {
            for is_of_tenant in [true, false] {
                let command = row.known_good(is_of_tenant, all).unwrap();
                assert!(!command.contains(['{', '}']), "{command}");
            }
        }
        let policy = Row::of(Layer::Policy);
        assert_eq!(policy.known_good(true, all).unwrap(), "OPENCLAW config validate --json");
        let no_openclaw = |word| (word == Word::Readyd).then(|| "readyd".to_owned());
        assert_eq!(policy.known_good(true, no_openclaw).unwrap(), "readyd config check");
        assert_eq!(Row::of(Layer::Secrets).known_good(true, no_openclaw), None);
    }

    #[test]
    fn every_template_names_words_that_exist() {
        for row in LAYERS {
            for template in row.of_tenant.iter().chain(row.of_node) {
                let filled = fill(template, &|_| Some("x".to_owned()));
                assert!(filled.is_some(), "{template}");
            }
        }
    }

    #[test]
    fn no_command_writes_or_shows_a_secret() {
        let writes = [
            "--fix",
            "--repair",
            "--allow-exec",
            "cat ",
            "rm ",
            ">",
            "--token",
            "set ",
        ];
        for row in LAYERS {
            for template in row.of_tenant.iter().chain(row.of_node) {
                for word in writes {
                    assert!(!template.contains(word), "{template}");
                }
            }
        }
    }

    #[test]
    fn a_word_is_quoted_where_a_shell_would_read_more_into_it() {
        for (text, word) in [
            ("/srv/acme", "/srv/acme"),
            ("http://127.0.0.1:18789/readyz", "http://127.0.0.1:18789/readyz"),
            ("/srv/my state", "'/srv/my state'"),
            ("$(reboot)", "'$(reboot)'"),
            ("it's", r"'it'\''s'"),
            ("http://[::1]:1/readyz", "'http://[::1]:1/readyz'"),
            ("=ls", "'=ls'"),
            ("", "''"),
        ] {
            assert_eq!(shell_word(text), word);
        }
    }
}
