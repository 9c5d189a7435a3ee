//! What stands in paths, queries and headers.

use serde_json::{Map, Value, json};

use crate::digest::answer::Query;
use crate::http::exclude;
use crate::http::page::timeline::Range;
use crate::http::site::HistoryQuery;

const TENANT: &str = "^[a-z0-9][a-z0-9._-]{0,63}$";
const PROBE: &str = "^[a-z0-9][a-z0-9-]{0,31}$";
const CHECK: &str = "^[a-z0-9][a-z0-9-]{0,31}(@[a-z0-9][a-z0-9._-]{0,63})?$";

/// Those that a route's pattern names.
pub(super) fn of_path(pattern: &str) -> impl Iterator<Item = Value> {
    let names = pattern
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    names.map(|name| {
        let (pattern, description, examples) = match name {
            "tenant" => (TENANT, "A tenant of this node.", json!({"acme": {"value": "acme"}})),
            "check" => (
                PROBE,
                "A probe: the node's own check of that name, or all tenants'.",
                json!({"of the node": {"value": "disk"}, "of tenants": {"value": "gateway"}}),
            ),
            // A spec looks that there is no other.
            _ => ("", "", Value::Null),
        };
        json!({
            "name": name, "in": "path", "required": true, "description": description,
            "schema": {"type": "string", "pattern": pattern}, "examples": examples,
        })
    })
}

pub(super) fn verbose() -> Value {
    query(
        "verbose",
        "One line for each check, as Kubernetes' API server has them; alone or with any value but `false` and `0`.",
        json!({"type": "string"}),
    )
}

pub(super) fn exclude() -> Value {
    query(
        "exclude",
        "The answer without these: probes (`doctor`) or checks (`doctor@acme`), repeated or with commas. A name that \
         is not there is a warning.",
        json!({"type": "array", "items": {"type": "string"}, "maxItems": exclude::NAMES_MAX}),
    )
}

pub(super) fn tenant(description: &str) -> Value {
    query("tenant", description, json!({"type": "string", "pattern": TENANT}))
}

pub(super) fn check() -> Value {
    query(
        "check",
        "Of this check alone (`disk`, `doctor@acme`).",
        json!({"type": "string", "pattern": CHECK}),
    )
}

pub(super) fn span() -> Value {
    query(
        "span",
        "How far back from now: one minute to 90 days, as `24h` or `7d`.",
        json!({"type": "string", "pattern": "^[1-9][0-9]{0,3}(m|h|d)$", "default": "24h"}),
    )
}

pub(super) fn range() -> Value {
    let known = Range::ALL.map(Range::as_str);
    let schema = json!({"type": "string", "default": Range::default().as_str(), "examples": known});
    query(
        "range",
        "How far back timelines reach: 24h, 7d or 90d; anything else is a day.",
        schema,
    )
}

pub(super) fn since() -> Value {
    query(
        "since",
        "Changes not before.",
        json!({"type": "string", "format": "date-time"}),
    )
}

pub(super) fn history_limit() -> Value {
    let description = format!(
        "How many changes; more than {max} mean {max}.",
        max = HistoryQuery::LIMIT_MAX
    );
    let schema = json!({"type": "integer", "minimum": 1, "default": HistoryQuery::LIMIT_DEFAULT});
    query("limit", &description, schema)
}

pub(super) fn window() -> Value {
    query(
        "window",
        "The last five minutes, the last closed window, or the window that starts then: at a multiple of five minutes.",
        json!({
            "anyOf": [{"enum": ["sliding", "last", ""]}, {"type": "string", "format": "date-time"}],
            "default": "sliding",
        }),
    )
}

pub(super) fn digest_limit() -> Value {
    let description = format!("How many rows; more than {max} mean {max}.", max = Query::LIMIT_MAX);
    let schema = json!({"type": "integer", "minimum": 0, "default": Query::LIMIT_DEFAULT});
    query("limit", &description, schema)
}

pub(super) fn scope() -> Value {
    query(
        "scope",
        "This node's own rows, all of them: for another readyd.",
        json!({"enum": ["local"]}),
    )
}

/// Headers of answers, by their name in the document.
pub(super) fn headers() -> Value {
    let header = |required: bool, description: &str, schema: Value| json!({"required": required, "description": description, "schema": schema});
    let seconds = json!({"type": "integer", "minimum": 1});
    let mut headers = Map::new();
    let all = [
        (
            "RetryAfter",
            header(true, "Whole seconds to the next relevant check.", seconds),
        ),
        (
            "Allow",
            header(true, "The methods of this path.", json!({"type": "string"})),
        ),
        (
            "ETag",
            header(
                true,
                "Weak; of the text.",
                json!({"type": "string", "pattern": "^W/\"[0-9a-f]{32}\"$"}),
            ),
        ),
        ("NotKept", header(true, "Not to be kept.", json!({"const": "no-store"}))),
        (
            "Revalidated",
            header(
                true,
                "To be asked for again by its ETag before it is used.",
                json!({"const": "no-cache"}),
            ),
        ),
        (
            "Vary",
            header(true, "Compressed or not.", json!({"const": "accept-encoding"})),
        ),
        (
            "ContentEncoding",
            header(false, "Where it is compressed.", json!({"const": "gzip"})),
        ),
        (
            "EnvoyDegraded",
            header(
                false,
                "When the verdict is degraded: Envoy sends less.",
                json!({"const": "1"}),
            ),
        ),
        (
            "EnvoyFail",
            header(
                false,
                "While draining: Envoy takes the host out at once.",
                json!({"const": "1"}),
            ),
        ),
        (
            "WwwAuthenticate",
            header(true, "How to send the bearer.", json!({"type": "string"})),
        ),
    ];
    for (name, header) in all {
        headers.insert(name.to_owned(), header);
    }
    headers.into()
}

/// As it is sent.
pub(super) fn header_name(name: &'static str) -> &'static str {
    match name {
        "RetryAfter" => "Retry-After",
        "NotKept" | "Revalidated" => "Cache-Control",
        "ContentEncoding" => "Content-Encoding",
        "EnvoyDegraded" => "x-envoy-degraded",
        "EnvoyFail" => "x-envoy-immediate-health-check-fail",
        "WwwAuthenticate" => "WWW-Authenticate",
        name => name,
    }
}

fn query(name: &str, description: &str, schema: Value) -> Value {
    json!({"name": name, "in": "query", "description": description, "schema": schema})
}
