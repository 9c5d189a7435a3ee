//! How reports of webhook deliveries reach readyd.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The way that an event came. For each configured tenant exactly one of the gateway's ways counts; what comes another
/// way is shown and not counted, since the same delivery may be told by several. What an operator tells always counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// A producer at `events.sock` that is not the plugin.
    #[default]
    Socket,
    /// The plugin that ships with readyd, at `events.sock`.
    Plugin,
    /// The gateway's log file.
    Log,
    /// The standing connection to the gateway.
    Link,
    /// `POST /v1/events`, `readyd emit`: somebody says it on purpose.
    Operator,
}

impl Via {
    /// A gateway's ways, the best first: what `webhook_source: auto` prefers.
    pub const BEST_FIRST: [Via; 4] = [Via::Link, Via::Plugin, Via::Socket, Via::Log];

    /// As in `webhook_source`, where it may stand there.
    pub const fn as_str(self) -> &'static str {
        match self {
            Via::Link => "link",
            Via::Plugin => "plugin",
            Via::Log => "log",
            Via::Socket => "socket",
            Via::Operator => "operator",
        }
    }

    /// A gateway's way by its word.
    pub fn parse(word: &str) -> Option<Via> {
        Via::BEST_FIRST.into_iter().find(|via| via.as_str() == word)
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
