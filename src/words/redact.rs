//! Secrets out of texts before they are stored or shown: errors and ids of samples, names of endpoints and gateways, findings.
//!
//! Rather a word too many than a secret: what looks like one is replaced by [`MARK`]. Each text is bounded
//! and read once; what is looked at ahead is looked at once too, so that the time is linear.

use std::fmt::Write as _;
use std::sync::Arc;

use super::text;

pub const MARK: &str = "[redacted]";
/// Of a request or task id.
pub const ID_BYTES_MAX: usize = 128;
/// What is stored of an error.
pub const ERROR_BYTES_MAX: usize = 512;
/// What is looked at of an error: more than is stored, or a secret across the cut would lose the end
/// that gives it away (`@`, say) and stay.
pub const ERROR_RAW_BYTES_MAX: usize = 1024;

/// An error on one line, clean and without secrets; `None` when nothing is left.
///
/// `is_cut`: `text` is the beginning of a longer one, so that its last word may be half a secret.
pub fn error(text: &str, is_cut: bool) -> Option<Arc<str>> {
    let clean = text::clean(text, text.len());
    let mut out = String::with_capacity(clean.len());
    for line in clean.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        Redaction::of(line, Kind::Error).write(&mut out);
    }
    if is_cut && out.len() <= ERROR_BYTES_MAX {
        out.truncate(out.rfind(' ').map_or(0, |space| space + 1));
        out.push_str(MARK);
    }
    out.truncate(out.floor_char_boundary(ERROR_BYTES_MAX));
    (!out.is_empty()).then(|| out.into())
}

/// A request or task id, clean. Long hexadecimal ids are what tracing makes: they stay, known forms of tokens do not.
pub fn id(text: &str) -> Option<Arc<str>> {
    let clean = text::clean_line(text, ID_BYTES_MAX);
    let mut out = String::with_capacity(clean.len());
    Redaction::of(clean.trim(), Kind::Id).write(&mut out);
    out.truncate(out.floor_char_boundary(ID_BYTES_MAX));
    (!out.is_empty()).then(|| out.into())
}

/// What a probe found, its line feeds kept: text of doctors, plugins and errors, which is shown to whoever asks.
pub fn finding(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        Redaction::of(line, Kind::Finding).write(&mut out);
    }
    out
}

/// Whether a variable of that name holds a secret.
pub fn names_secret(name: &str) -> bool {
    let name = plain_name(name);
    NAME_PARTS.iter().any(|part| name.contains(part)) && !name.ends_with("tokens") || name.ends_with("key")
}

/// An endpoint or a gateway without the secrets in it. What is replaced leaves a fingerprint, so that names that differ
/// there stay apart; 32 bits of it say nothing about a secret of twice as many.
///
/// `is_url`: words of its path that look drawn at random are secrets too: webhooks of chats (Slack, Discord, Telegram) carry
/// theirs there. Ids that look like that are just ids.
pub fn name(text: &str, bytes_max: usize, is_url: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = "";
    for piece in text.split_inclusive(['/', ' ']) {
        let word = piece.trim_end_matches(['/', ' ']);
        if is_secret(word, before, is_url) {
            let _ = write!(out, "[redacted-{:08x}]", fingerprint(word));
            out.push_str(piece.get(word.len()..).unwrap_or_default());
        } else {
            out.push_str(piece);
        }
        if !word.is_empty() {
            before = word;
        }
    }
    out.truncate(out.floor_char_boundary(bytes_max));
    out
}

/// What stands between `://` and the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserInfo {
    None,
    /// So many bytes, the `@` included.
    Bytes(usize),
    /// The authority's bytes. No `@`, and a `:` that no port follows: user info that was cut off, it seems.
    Unclear(usize),
}

/// Looks behind a URL's `://`. A password may wrongly hold a `/`, `?` or `#`: better a host lost than a
/// password kept.
pub fn user_info(rest: &str) -> UserInfo {
    let bytes = rest.as_bytes();
    let end = bytes
        .iter()
        .position(|byte| matches!(byte, b'/' | b'?' | b'#'))
        .unwrap_or(bytes.len());
    let authority = &bytes[..end];
    if let Some(at) = memchr::memrchr(b'@', authority) {
        return UserInfo::Bytes(at + 1);
    }
    let is_port = |port: &[u8]| port.iter().all(u8::is_ascii_digit);
    match memchr::memrchr(b':', authority) {
        None => UserInfo::None,
        Some(_) if authority.first() == Some(&b'[') && authority.last() == Some(&b']') => UserInfo::None,
        Some(colon) if is_port(&authority[colon + 1..]) => UserInfo::None,
        Some(_) => match memchr::memrchr(b'@', bytes) {
            Some(at) => UserInfo::Bytes(at + 1),
            None => UserInfo::Unclear(end),
        },
    }
}

/// Whether one piece of a name is a secret, by itself or by what stands before it.
fn is_secret(word: &str, before: &str, is_url: bool) -> bool {
    let follows_scheme = ["bearer", "basic"]
        .iter()
        .any(|scheme| before.eq_ignore_ascii_case(scheme));
    let is_named = || {
        let named = word.split_once('=').map(|(name, _)| plain_name(name));
        named.is_some_and(|name| NAME_PARTS.iter().any(|part| name.contains(part)) || NAMES.contains(&name.as_str()))
    };
    let is_random = |part: &str| part.len() >= RANDOM_BYTES_MIN && (is_hex_key(part) || looks_random(part.as_bytes()));
    !word.is_empty()
        && (follows_scheme
            || is_named()
            || word
                .split(|character: char| !character.is_ascii() || !is_word(character as u8))
                .any(|part| is_token(part) || is_url && is_random(part)))
}

/// FNV-1a, folded: the same on every node and in every version.
fn fingerprint(text: &str) -> u32 {
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash ^ hash >> 32) as u32
}

/// What kind of text it is: how likely a word in it is to be a secret.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Words that look drawn at random are secrets.
    Error,
    /// Such words are ids.
    Id,
    /// Prose: digests stay, and `token: missing` tells no token.
    Finding,
}

/// Tokens that say what they are: OpenAI, Stripe, Slack, GitHub, GitLab, webhooks, AWS, Google, JSON web tokens.
const PREFIXES: [&str; 24] = [
    "sk-",
    "sk_live_",
    "sk_test_",
    "rk_live_",
    "rk_test_",
    "pk_live_",
    "xoxa-",
    "xoxb-",
    "xoxe-",
    "xoxp-",
    "xoxr-",
    "xoxs-",
    "xapp-",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "whsec_",
    "AKIA",
    "ASIA",
    "AIza",
    "eyJ",
];
/// How many bytes must follow to make it one.
const AFTER_PREFIX_BYTES_MIN: usize = 8;

/// Headers whose whole value is secret.
const HEADERS: [&str; 4] = ["authorization", "proxyauthorization", "cookie", "setcookie"];
/// A name that holds one of these has a secret value, after `=` or `:`.
const NAME_PARTS: [&str; 11] = [
    "token",
    "secret",
    "password",
    "passwd",
    "passphrase",
    "apikey",
    "accesskey",
    "privatekey",
    "credential",
    "bearer",
    "signature",
];
/// A name that is one of these has one after `=`.
const NAMES: [&str; 9] = [
    "key",
    "sig",
    "pwd",
    "pass",
    "auth",
    "jwt",
    "otp",
    "session",
    "sessionid",
];
/// And these only in a query: `code=` alone is an exit code.
const NAMES_IN_QUERY: [&str; 3] = ["code", "sid", "hash"];

/// Hexadecimal digits in a row that are a key (or a digest, which is no loss).
const HEX_BYTES_MIN: usize = 32;
/// Upper case, lower case and digits in turns, that long: drawn at random.
const RANDOM_BYTES_MIN: usize = 20;

struct Redaction<'a> {
    line: &'a str,
    at: usize,
    kind: Kind,
    /// Up to here the text was looked at as one long word.
    blob_end: usize,
}

impl<'a> Redaction<'a> {
    fn of(line: &'a str, kind: Kind) -> Redaction<'a> {
        Redaction {
            line,
            at: 0,
            kind,
            blob_end: 0,
        }
    }

    fn write(mut self, out: &mut String) {
        while self.at < self.line.len() {
            let word = self.peek_while(is_word);
            if word.is_empty() {
                out.push_str(self.take_while(|byte| !is_word(byte)));
            } else {
                self.word(word, out);
            }
        }
    }

    /// One word and what belongs to it.
    fn word(&mut self, word: &'a str, out: &mut String) {
        if is_token(word) {
            self.take_while(|byte| is_blob(byte) || byte == b'.');
            out.push_str(MARK);
        } else if self.kind == Kind::Error && self.is_random(word) {
            self.take_while(is_blob);
            out.push_str(MARK);
        } else {
            let in_query = matches!(self.line.as_bytes().get(self.at.wrapping_sub(1)), Some(b'?' | b'&'));
            self.at += word.len();
            out.push_str(word);
            if self.rest().starts_with("://") {
                self.authority(out);
            } else {
                self.value_of(word, in_query, out);
            }
        }
    }

    /// What follows a word that may name a secret.
    fn value_of(&mut self, word: &str, in_query: bool, out: &mut String) {
        let scheme = ["bearer", "basic"]
            .iter()
            .any(|scheme| word.eq_ignore_ascii_case(scheme));
        if scheme && self.rest().starts_with(' ') {
            return self.credentials(out);
        }
        let gap = self.gap();
        let Some(separator @ (b'=' | b':')) = self.line.as_bytes().get(gap).copied() else {
            return;
        };
        let name = plain_name(word);
        let header = HEADERS.contains(&name.as_str());
        // Counts of a language model's tokens are what errors are about.
        let strong = NAME_PARTS.iter().any(|part| name.contains(part)) && !name.ends_with("tokens");
        let weak = NAMES.contains(&name.as_str()) || in_query && NAMES_IN_QUERY.contains(&name.as_str());
        let named = header || strong || weak && separator == b'=';
        if !named {
            return;
        }
        let opened_at = self.at;
        self.at = gap + 1;
        self.at = self.gap();
        let opened = self.line.get(opened_at..self.at).unwrap_or_default();
        out.push_str(opened);
        let quote = opened.bytes().next_back().filter(|byte| matches!(byte, b'"' | b'\''));
        let value_at = self.at;
        let value = match quote {
            Some(quote) => self.take_while(|byte| byte != quote && byte != b'\\'),
            None if header => self.take_while(|_| true),
            None => self.take_value(),
        };
        // `token: Bearer abc`: the value has two words.
        if quote.is_none() && !header && matches!(plain_name(value).as_str(), "bearer" | "basic") {
            self.take_while(|byte| byte == b' ');
            self.take_value();
        }
        let certain = self.kind != Kind::Finding || header || strong && separator == b'=';
        if !certain && !is_opaque(self.line.get(value_at..self.at).unwrap_or_default()) {
            self.at = value_at;
        } else if !value.is_empty() {
            out.push_str(MARK);
        }
    }

    /// Behind `Bearer` or `Basic`.
    fn credentials(&mut self, out: &mut String) {
        out.push_str(self.take_while(|byte| byte == b' '));
        // "basic auth failed", "basic authentication": no base64 of a name begins like that.
        let word = self.peek_while(is_word).to_ascii_lowercase();
        if self.kind == Kind::Finding && !is_opaque(self.rest().split(' ').next().unwrap_or_default()) {
            return;
        }
        if !word.starts_with("auth") && !word.starts_with("realm") && !self.take_value().is_empty() {
            out.push_str(MARK);
        }
    }

    /// Behind a URL's scheme: `://` and the user info.
    fn authority(&mut self, out: &mut String) {
        self.at += 3;
        out.push_str("://");
        let secret = match user_info(self.peek_while(is_url)) {
            UserInfo::None => return,
            UserInfo::Bytes(bytes) => bytes - 1,
            UserInfo::Unclear(bytes) => bytes,
        };
        self.at += secret;
        out.push_str(MARK);
    }

    /// Whether the word, or the base64 that it begins, looks drawn at random.
    fn is_random(&mut self, word: &str) -> bool {
        if word.len() >= RANDOM_BYTES_MIN && (is_hex_key(word) || looks_random(word.as_bytes())) {
            return true;
        }
        if self.at < self.blob_end {
            return false;
        }
        let blob = self.peek_while(is_blob);
        self.blob_end = self.at + blob.len();
        looks_random(blob.as_bytes())
    }

    /// Where the quotes and spaces around a separator end.
    fn gap(&self) -> usize {
        const GAP_BYTES_MAX: usize = 8;
        let gap = self.rest().bytes().take(GAP_BYTES_MAX);
        self.at
            + gap
                .take_while(|byte| matches!(byte, b' ' | b'"' | b'\'' | b'\\'))
                .count()
    }

    fn take_value(&mut self) -> &'a str {
        let value = self.rest();
        // The end of a mark ends no value: what is redacted twice would grow a bracket each time.
        if value.starts_with(MARK) {
            self.at += MARK.len();
        }
        self.take_while(|byte| {
            !matches!(
                byte,
                b' ' | b'&' | b'"' | b'\'' | b'`' | b',' | b';' | b')' | b'}' | b']' | b'<' | b'>' | b'#'
            )
        });
        value.get(..value.len() - self.rest().len()).unwrap_or_default()
    }

    fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'a str {
        let taken = self.peek_while(wanted);
        self.at += taken.len();
        taken
    }

    /// The predicates treat all bytes beyond ASCII alike, so that characters stay whole.
    fn peek_while(&self, wanted: impl Fn(u8) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.bytes().position(|byte| !wanted(byte)).unwrap_or(rest.len());
        rest.get(..end).unwrap_or(rest)
    }

    fn rest(&self) -> &'a str {
        self.line.get(self.at..).unwrap_or_default()
    }
}

/// Whether a word is a token that says what it is.
fn is_token(word: &str) -> bool {
    if word.len() <= AFTER_PREFIX_BYTES_MIN {
        return false;
    }
    let prefix = PREFIXES.iter().find(|prefix| word.starts_with(**prefix));
    prefix.is_some_and(|prefix| word.len() >= prefix.len() + AFTER_PREFIX_BYTES_MIN)
}

/// Whether a value is no word of a language: eight bytes or more, with digits in it or changing case all the time.
fn is_opaque(value: &str) -> bool {
    const OPAQUE_BYTES_MIN: usize = 8;
    const CASE_CHANGES_MIN: usize = 4;
    let letters = value.bytes().filter(u8::is_ascii_alphabetic);
    let next = letters.clone().skip(1);
    let changes = letters
        .clone()
        .zip(next)
        .filter(|(one, next)| one.is_ascii_uppercase() != next.is_ascii_uppercase());
    let has_digit = value.bytes().any(|byte| byte.is_ascii_digit()) && letters.clone().next().is_some();
    value.len() >= OPAQUE_BYTES_MIN && (has_digit || changes.count() >= CASE_CHANGES_MIN)
}

/// `X-Api-Key`, `api_key` and `apiKey` are one name.
fn plain_name(word: &str) -> String {
    let letters = word.bytes().filter(|byte| !matches!(byte, b'-' | b'_'));
    letters.map(|byte| char::from(byte.to_ascii_lowercase())).collect()
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// Base64 in both alphabets.
fn is_blob(byte: u8) -> bool {
    is_word(byte) || matches!(byte, b'+' | b'/' | b'=')
}

fn is_url(byte: u8) -> bool {
    !matches!(byte, b' ' | b'"' | b'\'' | b'`' | b'<' | b'>' | b'|')
}

fn is_hex_key(word: &str) -> bool {
    word.split(|character: char| !character.is_ascii_hexdigit())
        .any(|run| run.len() >= HEX_BYTES_MIN && run.bytes().any(|byte| byte.is_ascii_digit()))
}

/// All three classes, changing at least at every fourth byte: random base64 changes at three of five,
/// names of things at one of ten.
fn looks_random(word: &[u8]) -> bool {
    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Class {
        Upper,
        Lower,
        Digit,
        Other,
    }
    if word.len() < RANDOM_BYTES_MIN {
        return false;
    }
    let class = |byte: u8| match byte {
        b'A'..=b'Z' => Class::Upper,
        b'a'..=b'z' => Class::Lower,
        b'0'..=b'9' => Class::Digit,
        _ => Class::Other,
    };
    let classes = || {
        word.iter()
            .map(|byte| class(*byte))
            .filter(|class| *class != Class::Other)
    };
    let has = |wanted: Class| classes().any(|class| class == wanted);
    let changes = classes()
        .zip(classes().skip(1))
        .filter(|(one, next)| one != next)
        .count();
    has(Class::Upper) && has(Class::Lower) && has(Class::Digit) && changes * 4 >= word.len()
}

#[cfg(test)]
mod tests;
