//! What an OpenClaw gateway's `/readyz` and `/startupz` say. Pure.
//!
//! Measured on 2026.9.6. `failing` holds `startup-sidecars` while it starts, `gateway-draining`,
//! `agent-database:ID`, `plugin-reload`, `state-database`, each alone; or the ids of the channels with an
//! account that is not healthy. `/metrics` and friends answer 200 with the Control UI's HTML, so a
//! status alone proves nothing.

use std::time::Duration;

use serde_json::Value;

use crate::words::Finding;

/// One HTTP answer, as far as it matters.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    pub status: u16,
    pub html: bool,
    pub body: &'a [u8],
}

/// The finding of both answers; `startup` is `None` when `/startupz` gave none.
///
/// `grace`: how long a gateway may say that it starts before that is an outage.
pub fn judge(ready: &Seen<'_>, startup: Option<&Seen<'_>>, grace: Duration) -> Finding {
    let startup = startup.and_then(|seen| Startup::read(seen.body));
    let Some(readiness) = Readiness::read(ready.body) else {
        return not_readyz(ready, startup.as_ref());
    };
    let mut finding = if readiness.ready && ready.status == 200 {
        Finding::ok("the gateway is ready")
    } else {
        not_ready(ready, &readiness, startup.as_ref(), grace)
    };
    if !readiness.failing.is_empty() {
        finding.evidence_push("failing", readiness.failing.join(", "));
    }
    if let Some(uptime) = readiness.uptime {
        finding.evidence_push("uptime", format!("{} s", uptime.as_secs()));
    }
    if let Some(startup) = &startup {
        finding.evidence_push("startup", &startup.status);
        if let Some(version) = &startup.version {
            finding.evidence_push("version", version);
        }
    }
    for refusal in &readiness.agent_databases {
        finding.evidence_push("agent database", refusal.to_string());
    }
    if let Some(reload) = &readiness.plugin_reload {
        finding.evidence_push("plugin reload", reload.to_string());
    }
    if let Some(reasons) = readiness.busy {
        finding.note_push(format!("the gateway's event loop is busy ({reasons})"));
    }
    finding
}

/// Channels of OpenClaw and its public plugins, by the id that `failing` shows. A name that is in
/// neither list is taken for something of the gateway's core: down, as the gateway itself says.
const CHANNELS: [&str; 40] = [
    "a2a",
    "bluebubbles",
    "buzz",
    "clickclack",
    "dingtalk",
    "discord",
    "facetime",
    "feishu",
    "googlechat",
    "imessage",
    "irc",
    "lark",
    "line",
    "matrix",
    "mattermost",
    "msteams",
    "nextcloud-talk",
    "nostr",
    "openclaw-weixin",
    "qa-channel",
    "qqbot",
    "raft",
    "reef",
    "signal",
    "slack",
    "sms",
    "synology-chat",
    "telegram",
    "tlon",
    "twitch",
    "voice-call",
    "webchat",
    "wechat",
    "wecom",
    "weixin",
    "whatsapp",
    "yuanbao",
    "zalo",
    "zaloclawbot",
    "zalouser",
];

/// Read leniently: a field that is missing or of another type is as good as absent, so that a newer
/// gateway does not read as a stranger.
#[derive(Debug)]
struct Readiness {
    ready: bool,
    failing: Vec<String>,
    uptime: Option<Duration>,
    /// Why the event loop is called degraded; `None` when it is not.
    busy: Option<String>,
    agent_databases: Vec<Value>,
    plugin_reload: Option<Value>,
}

#[derive(Debug)]
pub(super) struct Startup {
    pub status: String,
    pub version: Option<String>,
    pub uptime: Option<Duration>,
}

impl Readiness {
    fn read(body: &[u8]) -> Option<Readiness> {
        let object: Value = serde_json::from_slice(body).ok()?;
        let event_loop = &object["eventLoop"];
        Some(Readiness {
            ready: object["ready"].as_bool()?,
            failing: words(&object["failing"]),
            uptime: uptime(&object),
            busy: (event_loop["degraded"] == true).then(|| words(&event_loop["reasons"]).join(", ")),
            agent_databases: object["agentDatabases"].as_array().cloned().unwrap_or_default(),
            plugin_reload: object.get("pluginReload").filter(|reload| reload.is_object()).cloned(),
        })
    }
}

impl Startup {
    pub fn read(body: &[u8]) -> Option<Startup> {
        let object: Value = serde_json::from_slice(body).ok()?;
        Some(Startup {
            status: object["status"].as_str()?.to_owned(),
            version: object["version"].as_str().map(str::to_owned),
            uptime: uptime(&object),
        })
    }
}

fn words(value: &Value) -> Vec<String> {
    let word = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    value
        .as_array()
        .map(|values| values.iter().map(word).collect())
        .unwrap_or_default()
}

fn uptime(object: &Value) -> Option<Duration> {
    Duration::try_from_secs_f64(object["uptimeMs"].as_f64()? / 1000.0).ok()
}

fn not_ready(ready: &Seen<'_>, readiness: &Readiness, startup: Option<&Startup>, grace: Duration) -> Finding {
    let failing: Vec<&str> = readiness.failing.iter().map(String::as_str).collect();
    let phase = startup.map_or("", |startup| startup.status.as_str());
    if failing.contains(&"gateway-draining") || (failing.is_empty() && phase == "draining") {
        return Finding::down("the gateway is draining").at_once();
    }
    if failing.contains(&"startup-sidecars") || (failing.is_empty() && phase == "starting") {
        let uptime = readiness.uptime.or_else(|| startup?.uptime);
        let since = uptime.map_or_else(String::new, |uptime| format!(" for {} s", uptime.as_secs()));
        return match uptime {
            Some(uptime) if uptime > grace => Finding::down(format!(
                "the gateway is starting{since}, longer than {} s",
                grace.as_secs()
            )),
            _ => Finding::degraded(format!("the gateway is starting{since}")),
        };
    }
    let is_channel = |name: &&str| CHANNELS.contains(name);
    if !failing.is_empty() && failing.iter().all(is_channel) {
        return Finding::degraded(format!("channels are not healthy: {}", failing.join(", ")));
    }
    if readiness.ready {
        return Finding::down(format!("the gateway says ready, but with status {}", ready.status));
    }
    let named: Vec<&str> = failing.into_iter().filter(|name| !is_channel(name)).collect();
    match named.as_slice() {
        [] => Finding::down("the gateway is not ready and does not say why"),
        named => Finding::down(format!("the gateway is not ready: {}", named.join(", "))),
    }
}

/// No readiness object came back. An OpenClaw without that endpoint is alive, though nothing more is
/// known of it; anything else holds the gateway's port.
fn not_readyz(ready: &Seen<'_>, startup: Option<&Startup>) -> Finding {
    let control_ui = ready.html && memchr::memmem::find(ready.body, b"openclaw-control-ui").is_some();
    if control_ui || startup.is_some_and(|startup| startup.status == "started") {
        return Finding::degraded("an OpenClaw gateway answers, but it has no /readyz: its readiness cannot be seen");
    }
    Finding::down(format!(
        "what answers is not an OpenClaw gateway (status {}, {} bytes without a readiness object)",
        ready.status,
        ready.body.len()
    ))
}

#[cfg(test)]
mod tests;
