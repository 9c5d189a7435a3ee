//! The status page: one document that needs nothing else, rendered from the snapshot in memory.
//!
//! ```text
//! Snapshot ─ topic ─┐
//! windows, history ─┴─ past ─▶ render ─▶ HTML with its policy
//! ```
//!
//! Invariants: every text goes through `maud`, which escapes it; nothing but the two files of ours, `page.css` and
//! `page.js`, is written as it is, and the policy lets nothing else be a style or a script. The page says everything
//! without its script, which only keeps it fresh. A limit on every list: a page of 256 tenants with 20 checks each
//! stays below [`BYTES_MAX`].

mod check;
mod digest;
mod glyph;
mod operation;
mod probes;
mod reason;
pub mod sparks;
mod tenants;
pub mod timeline;
mod times;
mod verdict;

use std::sync::LazyLock;

use actix_web::web::Bytes;
use data_encoding::BASE64;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use ring::digest::{SHA256, digest as hash};

use super::reply::Reply;
use super::topic::Topic;
use crate::words::Now;
use sparks::Sparks;
use timeline::{Range, Timelines};

/// What a page of the largest node weighs at most; a spec holds it against that.
pub const BYTES_MAX: usize = 320 << 10;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// No outside request is possible: not one directive names anything but this origin, `data:` or a hash.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        source(STYLE),
        source(SCRIPT)
    )
});

/// Which style and script a page was made for: a page that is fetched after an upgrade tells the old script to start
/// anew.
static BUILD: LazyLock<String> = LazyLock::new(|| {
    let both = hash(&SHA256, [STYLE, SCRIPT].concat().as_bytes());
    data_encoding::HEXLOWER.encode(&both.as_ref()[..8])
});

/// What a page is made from.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    pub topic: &'a Topic<'a>,
    pub now: Now,
    pub sparks: &'a Sparks,
    pub timelines: &'a Timelines,
    pub range: Range,
}

/// The page of the node, or of the tenant that the topic is about.
pub fn render(page: &Page<'_>) -> Bytes {
    let name = page.name();
    let main = html! {
        (verdict::hero(page))
        (operation::notices(page))
        (reason::section(page))
        @if page.topic.tenant.is_none() {
            (tenants::section(page))
        }
        (digest::section(page))
        (timeline::section(page))
        @if page.topic.tenant.is_some() {
            (check::section(page))
        } @else {
            (probes::section(page))
            (check::section(page))
        }
    };
    let title = format!("{} · {name}", verdict::word(page.topic));
    document(
        &title,
        glyph::icon(page.topic.phase, page.topic.verdict),
        Some(page),
        &main,
    )
}

/// Nothing here, for people.
pub fn not_found(node: &str, name: &str) -> Bytes {
    let main = html! {
        section.hero.unknown {
            p.kicker { "404" }
            h1 { "No tenant " q { (name) } " on " (node) }
            p.facts { a href="/" { "All tenants of " (node) } }
        }
    };
    document("not found", glyph::ICON_UNKNOWN, None, &main)
}

/// A page goes out with what keeps it to itself.
pub fn guarded(reply: Reply) -> Reply {
    reply
        .with("content-security-policy", POLICY.as_str())
        .with("x-content-type-options", "nosniff")
        .with("referrer-policy", "no-referrer")
        .with("cross-origin-opener-policy", "same-origin")
        .with("cross-origin-resource-policy", "same-origin")
}

impl Page<'_> {
    /// The tenant, or the node.
    pub(self) fn name(&self) -> &str {
        match self.topic.tenant {
            Some(view) => view.name.as_str(),
            None => &self.topic.snapshot.node,
        }
    }
}

fn document(title: &str, icon: &str, page: Option<&Page<'_>>, main: &Markup) -> Bytes {
    let made = page.map(|page| page.now.wall.as_millis());
    let document = html! {
        (DOCTYPE)
        html lang="en" data-build=(BUILD.as_str()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                link #icon rel="icon" href=(icon);
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#main" { "Skip to the verdict" }
                (glyph::symbols())
                (verdict::banner(page))
                main #main tabindex="-1" data-now=[made] data-self=[page.map(path)] { (main) }
                footer {
                    p {
                        "readyd " (env!("CARGO_PKG_VERSION"))
                        " · all times UTC · "
                        a href="/v1/status" { "status as JSON" } " · "
                        a href="/v1/webhook-digest" { "digest" } " · "
                        a href="/v1/history" { "history" } " · "
                        a href="/metrics" { "metrics" }
                    }
                }
                p #said .unseen role="status" aria-live="polite" {}
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    Bytes::from(document.into_string())
}

/// Where the same page is, always as a 200: a script that asks `/ready` would fill the console with 503.
fn path(page: &Page<'_>) -> String {
    match page.topic.tenant {
        Some(view) => format!("/tenants/{}", view.name),
        None => "/".to_owned(),
    }
}

/// A source expression of the policy: the hash of an inline text, as browsers compute it (CSP3 §6.7.3.3).
fn source(text: &str) -> String {
    format!("sha256-{}", BASE64.encode(hash(&SHA256, text.as_bytes()).as_ref()))
}
