//! Values that look like secrets, in files that come from git.
//!
//! A guess by design: it must catch what is commonly pasted (tokens of known makes, `Bearer …`,
//! passwords in URLs, long random strings), and let pass names, addresses and prose. Where a random
//! looking value is meant, its key says so: `…hash`, `…commit`, `…fingerprint`.

use super::problem::Problems;
use super::shape::join;
use super::yaml::{Node, Scalar, Value};

/// Adds a problem for every value, and every key, that looks like a secret. Names file, line and
/// key; never the value.
pub fn find(node: &Node, path: &str, problems: &mut Problems) {
    find_below(node, "", path, problems);
}

/// Why `text` under `key` looks like a secret; `None` when it does not.
pub fn looks_like_secret(key: &str, text: &str) -> Option<&'static str> {
    if names_a_secret(key) && !is_reference(text) {
        return Some("its key names a secret");
    }
    if MAKES.iter().any(|make| contains_make(text, make)) {
        return Some("it has the form of a well-known token");
    }
    if after_scheme(text, "bearer")
        .or_else(|| after_scheme(text, "basic"))
        .is_some()
    {
        return Some("it is an Authorization header");
    }
    if text.contains("-----BEGIN") {
        return Some("it is a key or certificate block");
    }
    if has_password(text) || has_secret_parameter(text) {
        return Some("it is a URL with a secret in it");
    }
    let named_random = RANDOM_ON_PURPOSE.iter().any(|word| last_word(key).ends_with(word));
    let pieces = text.split(|letter: char| !(letter.is_ascii_alphanumeric() || "+_=-".contains(letter)));
    let prefixed = ["sha256:", "sha1:", "sha512:", "md5:"]
        .iter()
        .any(|prefix| text.starts_with(prefix));
    let random = !named_random && !prefixed && pieces.into_iter().any(is_random);
    random.then_some("it is long and random")
}

/// What tokens of well-known makes begin with, and how many letters follow at least.
const MAKES: [(&str, usize); 13] = [
    ("sk-", 16),
    ("xoxb-", 8),
    ("xoxa-", 8),
    ("xoxp-", 8),
    ("xoxs-", 8),
    ("xapp-", 8),
    ("ghp_", 16),
    ("gho_", 16),
    ("ghs_", 16),
    ("github_pat_", 16),
    ("glpat-", 16),
    ("AKIA", 16),
    ("eyJ", 20),
];

const SECRET_WORDS: [&str; 12] = [
    "token",
    "tokens",
    "secret",
    "secrets",
    "password",
    "passwd",
    "passphrase",
    "bearer",
    "apikey",
    "credential",
    "credentials",
    "authorization",
];

const RANDOM_ON_PURPOSE: [&str; 7] = ["hash", "sha1", "sha256", "digest", "commit", "fingerprint", "checksum"];

fn find_below(node: &Node, key: &str, path: &str, problems: &mut Problems) {
    match &node.value {
        Value::Null => {}
        Value::Scalar(scalar) => {
            if let Some(why) = scalar_secret(key, scalar) {
                let message =
                    format!("looks like a secret ({why}); keep secrets in a token or env file, not in a fragment");
                problems.add(&node.at, path, message);
            }
        }
        Value::List(items) => {
            for (index, item) in items.iter().enumerate() {
                find_below(item, key, &format!("{path}[{index}]"), problems);
            }
        }
        Value::Map(entries) => {
            for entry in entries {
                if looks_like_secret("", &entry.key).is_some() {
                    problems.add(&entry.key_at, path, "a key here looks like a secret itself");
                    continue;
                }
                find_below(&entry.node, &entry.key, &join(path, &entry.key), problems);
            }
        }
    }
}

fn scalar_secret(key: &str, scalar: &Scalar) -> Option<&'static str> {
    let boolean = scalar.plain && matches!(scalar.text.as_str(), "true" | "false");
    (!boolean && !scalar.text.is_empty())
        .then(|| looks_like_secret(key, &scalar.text))
        .flatten()
}

/// By the last word: `gateway_token` and `gatewayToken` hold one, `token_file` and
/// `token-rotation` speak of one.
fn names_a_secret(key: &str) -> bool {
    let words = words(key);
    let last = words.last().map(String::as_str).unwrap_or_default();
    let before = words.len().checked_sub(2).map(|index| words[index].as_str());
    SECRET_WORDS.contains(&last) || last == "key" && matches!(before, Some("api" | "private" | "access" | "secret"))
}

fn last_word(key: &str) -> String {
    words(key).pop().unwrap_or_default()
}

/// Split at `_`, `-`, `.`, spaces and before capitals, in lower case.
fn words(key: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut lower = false;
    for letter in key.chars() {
        let separates = matches!(letter, '_' | '-' | '.' | ' ');
        if separates || (letter.is_uppercase() && lower) {
            words.push(String::new());
        }
        lower = letter.is_lowercase();
        if let (false, Some(word)) = (separates, words.last_mut()) {
            word.extend(letter.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// A value that says where the secret is.
fn is_reference(text: &str) -> bool {
    text.is_empty() || text.starts_with(['$', '/']) || text.starts_with("file:") || text.starts_with("env:")
}

fn contains_make(text: &str, (prefix, following): &(&str, usize)) -> bool {
    text.match_indices(prefix).any(|(start, _)| {
        let begins = text[..start]
            .chars()
            .next_back()
            .is_none_or(|before| !before.is_alphanumeric());
        let rest = text[start + prefix.len()..].bytes();
        let token = rest.take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
        let token: Vec<u8> = token.collect();
        // `sk-telecom-regional-endpoint` is a name; tokens have digits.
        begins && token.len() >= *following && token.iter().any(u8::is_ascii_digit)
    })
}

fn after_scheme<'text>(text: &'text str, scheme: &str) -> Option<&'text str> {
    let text = match text.to_ascii_lowercase().find("authorization:") {
        Some(start) => text[start + "authorization:".len()..].trim_start(),
        None => text,
    };
    let (word, credentials) = text.split_once(' ')?;
    let one_word = credentials.len() >= 6 && !credentials.contains(' ');
    (word.eq_ignore_ascii_case(scheme) && one_word).then_some(credentials)
}

/// `scheme://user:password@host`.
fn has_password(text: &str) -> bool {
    let Some((_, rest)) = text.split_once("://") else {
        return false;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let user = authority.rsplit_once('@').map(|(user, _)| user);
    user.and_then(|user| user.split_once(':'))
        .is_some_and(|(_, password)| !password.is_empty())
}

/// `?token=…`, `&api_key=…`.
fn has_secret_parameter(text: &str) -> bool {
    let Some((_, query)) = text.split_once('?') else {
        return false;
    };
    let signed = |name: &str| matches!(name, "sig" | "signature" | "key" | "auth");
    query
        .split(['&', ';'])
        .filter_map(|parameter| parameter.split_once('='))
        .any(|(name, value)| !value.is_empty() && (names_a_secret(name) || signed(name)))
}

/// Long, and with the letters of a random string: hexadecimal of at least 32 with many different
/// digits, or mixed case and digits that change their kind about as often as chance does (in words
/// of a CamelCase name they change less).
fn is_random(piece: &str) -> bool {
    let bytes = piece.trim_matches(['=', '-', '_']).as_bytes();
    if bytes.len() < 24 {
        return false;
    }
    let mut seen = [false; 256];
    bytes.iter().for_each(|byte| seen[usize::from(*byte)] = true);
    let different = seen.iter().filter(|seen| **seen).count();
    let lower_hex = bytes
        .iter()
        .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte));
    let upper_hex = bytes
        .iter()
        .all(|byte| byte.is_ascii_digit() || (b'A'..=b'F').contains(byte));
    let digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
    if lower_hex || upper_hex {
        return bytes.len() >= 32 && different >= 8 && digits < bytes.len();
    }
    let kind = |byte: &u8| match byte {
        b'0'..=b'9' => 0,
        b'a'..=b'z' => 1,
        b'A'..=b'Z' => 2,
        _ => 3,
    };
    let has = |wanted: u8| bytes.iter().any(|byte| kind(byte) == wanted);
    let changes = bytes.windows(2).filter(|pair| kind(&pair[0]) != kind(&pair[1])).count();
    has(1) && has(2) && digits >= 2 && different >= 12 && changes * 2 >= bytes.len() - 1
}

#[cfg(test)]
mod tests {
    use super::looks_like_secret;

    #[test]
    fn what_is_commonly_pasted_is_caught() {
        let secrets = [
            ("token", "hunter2"),
            ("gatewayToken", "12345678"),
            ("api_key", "abc"),
            ("x", "Bearer abcdef123456"),
            ("header", "Authorization: Basic dXNlcjpwYXNz"),
            ("x", "sk-proj-4f9a8b7c6d5e4f3a2b1c"),
            ("x", "xoxb-1234567890-abcdef"),
            ("x", "ghp_0123456789abcdefghij"),
            ("x", "https://user:pass@example.net/hook"),
            ("x", "https://example.net/hook?api_key=abc"),
            ("x", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
            ("x", "https://hooks.example.net/services/T0aB3cD4eF5gH6iJ7kL8mN9oP0"),
            ("x", "-----BEGIN PRIVATE KEY-----"),
            ("x", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.abc"),
        ];
        for (key, value) in secrets {
            assert!(looks_like_secret(key, value).is_some(), "{key}: {value}");
        }
    }

    #[test]
    fn names_addresses_and_prose_pass() {
        let harmless = [
            ("port", "18789"),
            ("state_dir", "/var/lib/openclaw/acme"),
            ("token_file", "/var/db/openclaw/secrets/acme/token.current"),
            ("token", "/run/secrets/acme"),
            ("token", "${ACME_TOKEN}"),
            ("token-rotation", "monthly"),
            ("endpoint", "https://crm.example.net/hooks/openclaw"),
            ("x", "my-very-long-endpoint-name-for-customer-42"),
            ("x", "MyVeryLongEndpointNameForCustomer42"),
            ("x", "123e4567-e89b-12d3-a456-426614174000"),
            ("commit", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"),
            (
                "x",
                "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            ),
            ("invariant", "no bearer token is ever logged"),
            ("x", "core/doctor/heartbeat-cadence-migration"),
            ("x", "sk-telecom-regional-endpoint"),
            ("x", "00000000000000000000000000000000"),
        ];
        for (key, value) in harmless {
            assert_eq!(looks_like_secret(key, value), None, "{key}: {value}");
        }
    }
}
