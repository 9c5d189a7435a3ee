use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One slice of a node: `[a-z0-9][a-z0-9._-]{0,63}`. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
// With the one that is no name: see `other`.
#[schemars(with = "String", extend("pattern" = "^([a-z0-9][a-z0-9._-]{0,63}|__other__)$"))]
pub struct TenantName(Arc<str>);

impl TenantName {
    pub const LEN_MAX: usize = 64;

    /// The name, or `None` when it breaks the pattern.
    pub fn parse(name: &str) -> Option<TenantName> {
        let bytes = name.as_bytes();
        let (first, rest) = bytes.split_first()?;
        let starts = first.is_ascii_lowercase() || first.is_ascii_digit();
        let follows = rest
            .iter()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-'));
        (starts && follows && bytes.len() <= Self::LEN_MAX).then(|| TenantName(name.into()))
    }

    /// Where the digest files what is beyond its bounds. Not a name that anybody can send or configure.
    pub fn other() -> TenantName {
        TenantName("__other__".into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TenantName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for TenantName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        if name == "__other__" {
            return Ok(TenantName::other());
        }
        TenantName::parse(&name).ok_or_else(|| format!("{name:?} is not a tenant name ([a-z0-9][a-z0-9._-]{{0,63}})"))
    }
}

impl From<TenantName> for String {
    fn from(name: TenantName) -> String {
        name.0.as_ref().into()
    }
}
