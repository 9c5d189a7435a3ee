//! What became of one webhook delivery, and why a line about it was refused.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a delivery ended: an HTTP status (100..=599), or the reason why there was none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Code {
    Status(u16),
    Kind(Kind),
}

/// Why a delivery has no HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    Timeout,
    Connect,
    Tls,
    Dns,
    Blocked,
    Other,
}

/// The class of a failure: a closed set, so that it may label a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Family {
    #[serde(rename = "3xx")]
    Redirection,
    #[serde(rename = "4xx")]
    ClientError,
    #[serde(rename = "5xx")]
    ServerError,
    #[serde(rename = "timeout")]
    Timeout,
    #[serde(rename = "connect")]
    Connect,
    #[serde(rename = "tls")]
    Tls,
    #[serde(rename = "dns")]
    Dns,
    #[serde(rename = "blocked")]
    Blocked,
    #[serde(rename = "other")]
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Delivered,
    Failed(Family),
}

/// Why an event line was refused. Final: a rejected line is never asked for again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reject {
    /// Lines of more than 16 KiB.
    TooLong,
    /// Lines that are no JSON object.
    NotJson,
    NotUtf8,
    /// Lines with a field of a wrong type or out of its bounds; also a `seq` more than 2^32 ahead.
    BadField,
    /// Lines without a tenant, an endpoint, both of `status` and `kind`, or (acknowledged) a `seq`.
    MissingField,
    /// Lines about a tenant that the peer's uid may not report for.
    TenantNotAllowed,
    /// Lines whose `seq` is not above the previous one of their connection.
    NotIncreasing,
    /// Lines of plain connections that the store had no room for.
    Store,
}

impl Code {
    /// 2xx was delivered; 1xx is `other`, since no delivery ends with it.
    pub fn outcome(self) -> Outcome {
        match self {
            Code::Status(200..=299) => Outcome::Delivered,
            Code::Status(300..=399) => Outcome::Failed(Family::Redirection),
            Code::Status(400..=499) => Outcome::Failed(Family::ClientError),
            Code::Status(500..=599) => Outcome::Failed(Family::ServerError),
            Code::Status(_) => Outcome::Failed(Family::Other),
            Code::Kind(Kind::Timeout) => Outcome::Failed(Family::Timeout),
            Code::Kind(Kind::Connect) => Outcome::Failed(Family::Connect),
            Code::Kind(Kind::Tls) => Outcome::Failed(Family::Tls),
            Code::Kind(Kind::Dns) => Outcome::Failed(Family::Dns),
            Code::Kind(Kind::Blocked) => Outcome::Failed(Family::Blocked),
            Code::Kind(Kind::Other) => Outcome::Failed(Family::Other),
        }
    }
}

impl Kind {
    pub const ALL: [Kind; 6] = [
        Kind::Timeout,
        Kind::Connect,
        Kind::Tls,
        Kind::Dns,
        Kind::Blocked,
        Kind::Other,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Timeout => "timeout",
            Kind::Connect => "connect",
            Kind::Tls => "tls",
            Kind::Dns => "dns",
            Kind::Blocked => "blocked",
            Kind::Other => "other",
        }
    }

    pub fn parse(text: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

impl Family {
    pub const ALL: [Family; 9] = [
        Family::Redirection,
        Family::ClientError,
        Family::ServerError,
        Family::Timeout,
        Family::Connect,
        Family::Tls,
        Family::Dns,
        Family::Blocked,
        Family::Other,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Family::Redirection => "3xx",
            Family::ClientError => "4xx",
            Family::ServerError => "5xx",
            Family::Timeout => "timeout",
            Family::Connect => "connect",
            Family::Tls => "tls",
            Family::Dns => "dns",
            Family::Blocked => "blocked",
            Family::Other => "other",
        }
    }
}

impl Reject {
    pub const ALL: [Reject; 8] = [
        Reject::TooLong,
        Reject::NotJson,
        Reject::NotUtf8,
        Reject::BadField,
        Reject::MissingField,
        Reject::TenantNotAllowed,
        Reject::NotIncreasing,
        Reject::Store,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Reject::TooLong => "too_long",
            Reject::NotJson => "not_json",
            Reject::NotUtf8 => "not_utf8",
            Reject::BadField => "bad_field",
            Reject::MissingField => "missing_field",
            Reject::TenantNotAllowed => "tenant_not_allowed",
            Reject::NotIncreasing => "not_increasing",
            Reject::Store => "store",
        }
    }
}

impl fmt::Display for Code {
    /// `503` or `timeout`, as the digest's `statuses` shows it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Code::Status(status) => write!(f, "{status}"),
            Code::Kind(kind) => f.write_str(kind.as_str()),
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
