//! A probe's name, a check, and the layer that it looks at.

use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::TenantName;

/// The name of a probe: `[a-z0-9][a-z0-9-]{0,31}`, so that it may label a metric. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String", extend("pattern" = "^[a-z0-9][a-z0-9-]{0,31}$"))]
pub struct ProbeName(Arc<str>);

/// A probe bound to the node (`tenant: None`) or to one tenant. Displays as `disk` or `doctor@acme`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CheckId {
    pub probe: ProbeName,
    pub tenant: Option<TenantName>,
}

/// Where a check looks. The order is the order of triage when several fail at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Layer {
    Transport,
    Policy,
    Secrets,
    Runtime,
    Host,
    Webhooks,
}

impl ProbeName {
    pub const LEN_MAX: usize = 32;

    pub fn parse(name: &str) -> Option<ProbeName> {
        let bytes = name.as_bytes();
        let (first, rest) = bytes.split_first()?;
        let word = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let valid = word(first) && rest.iter().all(|byte| word(byte) || *byte == b'-') && bytes.len() <= Self::LEN_MAX;
        valid.then(|| ProbeName(name.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl CheckId {
    pub fn node(probe: ProbeName) -> CheckId {
        CheckId { probe, tenant: None }
    }

    pub fn of(probe: ProbeName, tenant: TenantName) -> CheckId {
        CheckId {
            probe,
            tenant: Some(tenant),
        }
    }

    /// `doctor@acme` or `disk`; `None` when a part is not a name.
    pub fn parse(text: &str) -> Option<CheckId> {
        let (probe, tenant) = match text.split_once('@') {
            Some((probe, tenant)) => (probe, Some(TenantName::parse(tenant)?)),
            None => (text, None),
        };
        Some(CheckId {
            probe: ProbeName::parse(probe)?,
            tenant,
        })
    }
}

impl Layer {
    pub const ALL: [Layer; 6] = [
        Layer::Transport,
        Layer::Policy,
        Layer::Secrets,
        Layer::Runtime,
        Layer::Host,
        Layer::Webhooks,
    ];

    pub const fn as_str(self) -> &'static str {
        match self {
            Layer::Transport => "transport",
            Layer::Policy => "policy",
            Layer::Secrets => "secrets",
            Layer::Runtime => "runtime",
            Layer::Host => "host",
            Layer::Webhooks => "webhooks",
        }
    }

    pub fn parse(text: &str) -> Option<Layer> {
        Layer::ALL.into_iter().find(|layer| layer.as_str() == text)
    }
}

impl fmt::Display for ProbeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Display for CheckId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.tenant {
            Some(tenant) => write!(f, "{}@{}", self.probe, tenant),
            None => write!(f, "{}", self.probe),
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl TryFrom<String> for ProbeName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        ProbeName::parse(&name).ok_or_else(|| format!("{name:?} is not a probe name ([a-z0-9][a-z0-9-]{{0,31}})"))
    }
}

impl From<ProbeName> for String {
    fn from(name: ProbeName) -> String {
        name.0.as_ref().into()
    }
}
