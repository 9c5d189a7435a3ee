//! What an endpoint is stored as: an id, or a URL without user info, query and fragment, and in both no token.

use std::borrow::Cow;
use std::sync::Arc;

use crate::words::redact::{self, MARK, UserInfo, user_info};
use crate::words::text;

/// What a sender may say.
pub const ENDPOINT_BYTES_MAX: usize = 512;

/// The endpoint as it is stored and counted; `None` when nothing of it remains.
pub fn stored(endpoint: &str) -> Option<Arc<str>> {
    normalise(cut(endpoint))
}

/// The endpoint up to its query or fragment. Ids are cut as well: what follows a `?` is where secrets
/// stand, and an id needs neither.
pub fn cut(endpoint: &str) -> &str {
    let end = memchr::memchr2(b'?', b'#', endpoint.as_bytes()).unwrap_or(endpoint.len());
    endpoint.get(..end).unwrap_or(endpoint)
}

/// The stored form of what [`cut`] left, or `None` when nothing remains of it.
pub fn normalise(cut: &str) -> Option<Arc<str>> {
    let clean = text::clean_line(cut, ENDPOINT_BYTES_MAX);
    let clean = clean.trim();
    let (stored, is_url) = match split_scheme(clean) {
        Some((scheme, rest)) => (without_user_info(scheme, rest), true),
        None => {
            let stripped = id_without_user_info(clean);
            // What had an authority is a URL in all but its scheme.
            let is_url = clean.starts_with("//") || matches!(stripped, Cow::Owned(_));
            (stripped, is_url)
        }
    };
    (!stored.is_empty()).then(|| redact::name(&stored, ENDPOINT_BYTES_MAX, is_url).into())
}

/// `https` and what follows its `://`; `None` for an id.
fn split_scheme(endpoint: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = endpoint.split_once("://")?;
    let (first, others) = scheme.as_bytes().split_first()?;
    let follows = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    (first.is_ascii_alphabetic() && others.iter().all(follows)).then_some((scheme, rest))
}

/// Schemes whose address follows at once, and has an `@` of its own.
const ADDRESS_SCHEMES: [&str; 4] = ["mailto:", "sip:", "sips:", "xmpp:"];

/// Of what has no `scheme://`. `crm@eu` is an id; a leading `//`, or a `:` before the `@`, makes it user info. The id
/// `a:b@c` is taken for a password too: better a name lost than a password kept.
fn id_without_user_info(id: &str) -> Cow<'_, str> {
    let address = ADDRESS_SCHEMES.iter().find(|scheme| {
        id.get(..scheme.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    });
    let (head, rest) = match (address, id.find("//")) {
        (Some(scheme), _) => id.split_at(scheme.len()),
        (None, Some(slashes)) => id.split_at(slashes + 2),
        (None, None) => ("", id),
    };
    let (mark, bytes) = match user_info(rest) {
        UserInfo::Bytes(bytes) if head == "//" || rest.get(..bytes).is_some_and(|info| info.contains(':')) => {
            ("", bytes)
        }
        UserInfo::Unclear(bytes) if head == "//" => (MARK, bytes),
        _ => return Cow::Borrowed(id),
    };
    let rest = rest.get(bytes..).unwrap_or_default();
    if mark.is_empty() && rest.is_empty() {
        return Cow::Borrowed("");
    }
    Cow::Owned(format!("{head}{mark}{rest}"))
}

/// Empty when no host is left.
fn without_user_info<'a>(scheme: &str, rest: &'a str) -> Cow<'a, str> {
    let (mark, rest) = match user_info(rest) {
        UserInfo::None => ("", rest),
        UserInfo::Bytes(bytes) => ("", rest.get(bytes..).unwrap_or_default()),
        UserInfo::Unclear(bytes) => (MARK, rest.get(bytes..).unwrap_or_default()),
    };
    if mark.is_empty() && rest.is_empty() {
        return Cow::Borrowed("");
    }
    Cow::Owned(format!("{scheme}://{mark}{rest}"))
}

#[cfg(test)]
mod tests;
