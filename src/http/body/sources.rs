//! What `/v1/status` says of links, and of how webhook events come.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use crate::digest::SourceView;
use crate::link::session::LinkFacts;
use crate::words::{Via, Wall};

/// What a link to a gateway knows for others: hashes only.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Link")]
pub(super) struct LinkBody<'a> {
    connected: bool,
    version: &'a str,
    build_id: &'a str,
    boot_id: &'a str,
    applied_config_hash: &'a str,
    #[schemars(extend("format" = "date-time"))]
    handshake_at: Option<String>,
    restarts: u64,
}

impl<'a> LinkBody<'a> {
    pub(super) fn new(facts: &'a LinkFacts) -> LinkBody<'a> {
        LinkBody {
            connected: facts.connected,
            version: &facts.version,
            build_id: &facts.build_id,
            boot_id: &facts.boot_id,
            applied_config_hash: &facts.applied_config_hash,
            handshake_at: facts.handshake_at.map(Wall::rfc3339),
            restarts: facts.restarts,
        }
    }
}

/// How a tenant's webhook events reach the digest.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "WebhookSource")]
pub(super) struct SourceBody<'a> {
    /// `null`: nothing was heard yet.
    counts: Option<Via>,
    /// Events that came another way, by way: shown and not counted.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    not_counted: &'a BTreeMap<Via, u64>,
    /// Events may be missing for good, from `gap_since` (`null`: it cannot be told) to `gap_until`.
    gap: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    gap_since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    gap_until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gap_why: Option<&'a str>,
}

impl<'a> SourceBody<'a> {
    pub(super) fn new(source: &'a SourceView) -> SourceBody<'a> {
        let gap = source.gap.as_ref();
        SourceBody {
            counts: source.counts,
            not_counted: &source.not_counted,
            gap: gap.is_some(),
            gap_since: gap.and_then(|gap| gap.since).map(Wall::rfc3339),
            gap_until: gap.map(|gap| gap.until.rfc3339()),
            gap_why: gap.map(|gap| gap.why.as_str()),
        }
    }
}
