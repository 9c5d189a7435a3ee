//! What the kinds `listener` and `tls` declare. Pure.

use super::Reading;
use crate::config::problem::Problems;
use crate::config::shape::{Fields, join};
use crate::config::yaml::Node;
use crate::probe::allowed::Allowed;
use crate::probe::declaration::{Listener, Tls};

pub(super) const NO_URL: &str = "expected http:// or https:// with a host and without user info";

/// Whether it is an `http` or `https` URL with a host, and without what a log should not hold.
pub(super) fn is_url(url: &str) -> bool {
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    let authority = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    authority.is_some_and(|host| !host.is_empty() && !host.contains(['@', ' ']))
}

pub(super) fn listener(fields: Fields<'_>, node: &Node, reading: Reading<'_>, problems: &mut Problems) -> Listener {
    let must_refuse: Vec<String> = texts(fields, "must_refuse");
    if must_refuse.iter().any(|url| !is_url(url)) {
        let at = fields.node("must_refuse").map_or(&node.at, |node| &node.at);
        problems.add(at, &join(reading.path, "must_refuse"), NO_URL);
    }
    if must_refuse.is_empty() && fields.text("scope") == Some("node") {
        let message = "a probe of kind listener that is bound to the node needs `must_refuse`";
        problems.add(&node.at, &join(reading.path, "must_refuse"), message);
    }
    let allow = fields.texts("allow");
    Listener {
        allow: allow.map_or_else(
            || vec![Allowed::Loopback],
            |words| words.into_iter().filter_map(Allowed::parse).collect(),
        ),
        must_refuse,
    }
}

pub(super) fn tls(fields: Fields<'_>, node: &Node, reading: Reading<'_>, problems: &mut Problems) -> Tls {
    let text = |key| fields.text(key).map(str::to_owned);
    let tls = Tls {
        addresses: texts(fields, "addresses"),
        ca_file: text("ca_file"),
        certificate_file: text("certificate_file"),
        warn_days: fields.count("warn_days").unwrap_or(21),
        down_days: fields.count("down_days").unwrap_or(7),
    };
    if tls.warn_days < tls.down_days {
        let message = format!(
            "warn_days ({}) must be at least down_days ({})",
            tls.warn_days, tls.down_days
        );
        problems.add(&node.at, reading.path, message);
    }
    if tls.addresses.is_empty() && fields.text("scope") == Some("node") {
        let message = "a probe of kind tls that is bound to the node needs `addresses`";
        problems.add(&node.at, &join(reading.path, "addresses"), message);
    }
    tls
}

/// All that has placeholders.
pub(super) fn filled(tls: &Tls) -> impl Iterator<Item = &str> {
    let files = tls.ca_file.iter().chain(&tls.certificate_file);
    tls.addresses.iter().chain(files).map(String::as_str)
}

fn texts(fields: Fields<'_>, key: &str) -> Vec<String> {
    let texts = fields.texts(key).unwrap_or_default();
    texts.into_iter().map(str::to_owned).collect()
}
