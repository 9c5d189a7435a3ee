//! What a gateway's `health` says, and what that means. Pure.
//!
//! Source: the answers of openclaw 2026.9.6 and its code. `healthState` stands at an account that is not healthy;
//! `deliveryQueues` is there when something in them failed or stands still; `modelRuntime.degraded`. The event loop's
//! own alarm is a note: it is known to be false on busy hosts.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::protocol::{Lenient, word};
use crate::words::Finding;

/// Kept of a `health` answer: what is wrong.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Health {
    /// What it says of itself.
    pub ok: Option<bool>,
    /// `telegram/default: terminal-disconnect`. At most [`NAMED_MAX`].
    pub channels: Vec<String>,
    /// `outbound webhooks: 3 failed`. At most [`NAMED_MAX`].
    pub queues: Vec<String>,
    pub queues_troubled: bool,
    /// Ids of those that failed to load or are unavailable. At most [`NAMED_MAX`].
    pub plugins: Vec<String>,
    pub models_degraded: bool,
    /// Why the event loop is called degraded; `None` when it is not.
    pub busy: Option<String>,
}

/// Of each kind, that many are named.
pub const NAMED_MAX: usize = 16;

/// States of an account that need nobody's attention.
const HEALTHY: [&str; 6] = [
    "healthy",
    "unmanaged",
    "busy",
    "startup-connect-grace",
    "reconnect-grace",
    "",
];

impl Health {
    /// `None` when it is not an object.
    pub(super) fn parse(payload: &str) -> Option<Health> {
        if !payload.trim_start().starts_with('{') {
            return None;
        }
        let wire: HealthWire = serde_json::from_str(payload).ok()?;
        let queues = wire.delivery_queues.0;
        Some(Health {
            ok: wire.ok.0,
            channels: channels(wire.channels.0.unwrap_or_default()),
            queues_troubled: queues.is_some(),
            queues: queues.map(QueuesWire::named).unwrap_or_default(),
            plugins: wire.plugins.0.map(PluginsWire::named).unwrap_or_default(),
            models_degraded: wire.model_runtime.0.is_some_and(|wire| wire.degraded.0 == Some(true)),
            busy: wire
                .event_loop
                .0
                .filter(|wire| wire.degraded.0 == Some(true))
                .map(|wire| {
                    let reasons = wire.reasons.0.unwrap_or_default();
                    word(&reasons.join(", "))
                }),
        })
    }

    /// `ok`, or `degraded` with what is wrong.
    pub fn judge(&self) -> Finding {
        let mut wrong = Vec::new();
        if !self.channels.is_empty() {
            wrong.push(format!("channels are not healthy: {}", self.channels.join(", ")));
        }
        if self.queues_troubled {
            let named = match self.queues.as_slice() {
                [] => String::new(),
                queues => format!(": {}", queues.join(", ")),
            };
            wrong.push(format!("deliveries failed or stand still{named}"));
        }
        if !self.plugins.is_empty() {
            wrong.push(format!("plugins do not work: {}", self.plugins.join(", ")));
        }
        if self.models_degraded {
            wrong.push("the model runtime is degraded".to_owned());
        }
        if self.ok == Some(false) {
            wrong.push("the gateway says that its health is not ok".to_owned());
        }
        let mut finding = match wrong.as_slice() {
            [] => Finding::ok("connected, and its health is ok"),
            wrong => Finding::degraded(wrong.join("; ")),
        };
        if let Some(why) = &self.busy {
            finding.note_push(format!("the gateway's event loop is busy ({why})"));
        }
        finding
    }
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct HealthWire {
    ok: Lenient<bool>,
    channels: Lenient<BTreeMap<String, Lenient<ChannelWire>>>,
    delivery_queues: Lenient<QueuesWire>,
    plugins: Lenient<PluginsWire>,
    model_runtime: Lenient<DegradedWire>,
    event_loop: Lenient<DegradedWire>,
}

/// A channel has the fields of one of its accounts, and all of them below. (Not flattened: that would copy every
/// other field of the channel too.)
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ChannelWire {
    enabled: Lenient<bool>,
    configured: Lenient<bool>,
    linked: Lenient<bool>,
    health_state: Lenient<String>,
    accounts: Lenient<BTreeMap<String, Lenient<AccountWire>>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct AccountWire {
    enabled: Lenient<bool>,
    configured: Lenient<bool>,
    linked: Lenient<bool>,
    health_state: Lenient<String>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct QueuesWire {
    failed: Lenient<Vec<Lenient<QueueWire>>>,
    ingress_failed: Lenient<Vec<Lenient<QueueWire>>>,
    ingress_pressure: Lenient<Vec<Lenient<QueueWire>>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct QueueWire {
    queue_name: Lenient<String>,
    channel_id: Lenient<String>,
    count: Lenient<u64>,
    pending_count: Lenient<u64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PluginsWire {
    errors: Lenient<Vec<Lenient<PluginWire>>>,
    unavailable: Lenient<Vec<Lenient<PluginWire>>>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PluginWire {
    id: Lenient<String>,
    plugin_id: Lenient<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct DegradedWire {
    degraded: Lenient<bool>,
    reasons: Lenient<Vec<String>>,
}

/// A channel's own state is that of one of its accounts: it counts where no accounts are told.
fn channels(wire: BTreeMap<String, Lenient<ChannelWire>>) -> Vec<String> {
    let mut named = Vec::new();
    for (id, channel) in wire {
        let Some(channel) = channel.0 else { continue };
        let accounts = channel.accounts.0.unwrap_or_default();
        if accounts.is_empty() {
            let account = AccountWire {
                enabled: channel.enabled,
                configured: channel.configured,
                linked: channel.linked,
                health_state: channel.health_state,
            };
            named.extend(account.trouble().map(|state| format!("{}: {state}", word(&id))));
        }
        for (account, wire) in accounts {
            let trouble = wire.0.and_then(|account| account.trouble());
            named.extend(trouble.map(|state| format!("{}/{}: {state}", word(&id), word(&account))));
        }
    }
    named.truncate(NAMED_MAX);
    named
}

impl AccountWire {
    fn trouble(&self) -> Option<String> {
        let switched_off = [&self.enabled, &self.configured, &self.linked]
            .iter()
            .any(|switch| switch.0 == Some(false));
        let state = self.health_state.0.as_deref().unwrap_or_default();
        (!switched_off && !HEALTHY.contains(&state)).then(|| word(state))
    }
}

impl QueuesWire {
    fn named(self) -> Vec<String> {
        let list = |queues: Lenient<Vec<Lenient<QueueWire>>>| queues.0.unwrap_or_default();
        let name = |name: &Lenient<String>| word(name.0.as_deref().unwrap_or("a queue"));
        let mut named = Vec::new();
        for queue in list(self.failed).into_iter().filter_map(|queue| queue.0) {
            let count = queue.count.0.unwrap_or(0);
            named.push(format!("outbound {}: {count} failed", name(&queue.queue_name)));
        }
        for queue in list(self.ingress_failed).into_iter().filter_map(|queue| queue.0) {
            let count = queue.count.0.unwrap_or(0);
            named.push(format!("inbound {}: {count} failed", name(&queue.channel_id)));
        }
        for queue in list(self.ingress_pressure).into_iter().filter_map(|queue| queue.0) {
            let count = queue.pending_count.0.unwrap_or(0);
            named.push(format!("inbound {}: {count} pending", name(&queue.channel_id)));
        }
        named.truncate(NAMED_MAX);
        named
    }
}

impl PluginsWire {
    fn named(self) -> Vec<String> {
        let lists = [self.errors, self.unavailable];
        let plugins = lists.into_iter().flat_map(|list| list.0.unwrap_or_default());
        let mut named: Vec<String> = plugins
            .filter_map(|plugin| plugin.0)
            .map(|plugin| {
                let id = plugin.plugin_id.0.or(plugin.id.0);
                word(id.as_deref().unwrap_or("one without a name"))
            })
            .collect();
        named.truncate(NAMED_MAX);
        named
    }
}
