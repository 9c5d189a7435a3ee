//! The rarer forms of an answer: lines for people, lines for `?verbose`, and health+json.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use actix_web::web::Bytes;
use schemars::JsonSchema;
use serde::Serialize;

use super::body::{self, CHECKS_MAX};
use super::topic::Topic;
use crate::readiness::snapshot::{CheckView, Phase};
use crate::words::{Layer, Level, Verdict};

/// `text/plain`: the verdict, then what no check says (a drain, say), then one check a line, worst first. Below the worst
/// reason stands its next step.
pub fn text(topic: &Topic<'_>) -> Bytes {
    let mut lines = format!("{}\n", topic.bare());
    warnings(&mut lines, topic);
    for reason in topic.reasons.iter().filter(|reason| reason.check.is_none()) {
        let _ = writeln!(lines, "{} {}", reason.severity, reason.text);
    }
    let worst = topic
        .reasons
        .iter()
        .find(|reason| reason.check.is_some() && !reason.hint.is_empty());
    for check in topic.checks.iter().take(CHECKS_MAX) {
        let _ = write!(lines, "{} {}", check.level, check.id);
        if !check.summary.is_empty() {
            let _ = write!(lines, ": {}", check.summary);
        }
        if let Some(cause) = &check.explained_by {
            let _ = write!(lines, " (explained by {cause})");
        }
        lines.push_str(if check.in_maintenance {
            " (in maintenance)\n"
        } else {
            "\n"
        });
        if let Some(reason) = worst.filter(|reason| reason.check.as_ref() == Some(&check.id)) {
            let _ = writeln!(
                lines,
                "next: {}",
                reason.hint.strip_prefix("Run: ").unwrap_or(&reason.hint)
            );
        }
    }
    if topic.checks.len() > CHECKS_MAX {
        let _ = writeln!(lines, "and {} more", topic.checks.len() - CHECKS_MAX);
    }
    Bytes::from(lines)
}

/// `?verbose`: `[+]name ok` or `[-]name failed: …` for every check, by name, as Kubernetes' API server shows its own.
pub fn verbose(topic: &Topic<'_>) -> Bytes {
    let mut lines = String::new();
    let mut checks = topic.checks.clone();
    checks.sort_by(|one, other| one.id.cmp(&other.id));
    for check in checks {
        let _ = match check.level {
            Level::Ok => writeln!(lines, "[+]{} ok", check.id),
            level => writeln!(lines, "[-]{} failed: {level}: {}", check.id, check.summary),
        };
    }
    warnings(&mut lines, topic);
    for reason in topic.reasons.iter().filter(|reason| reason.check.is_none()) {
        let _ = writeln!(lines, "{}", reason.text);
    }
    let _ = writeln!(lines, "{}", topic.bare());
    Bytes::from(lines)
}

/// `application/health+json` by draft-inadarei-api-health-check-06, bounded as `/ready` is.
pub fn health_json(topic: &Topic<'_>) -> Bytes {
    let mut checks: BTreeMap<String, Vec<Component<'_>>> = BTreeMap::new();
    for check in topic
        .checks
        .iter()
        .filter(|check| check.level != Level::Ok)
        .take(CHECKS_MAX)
    {
        // §4: the key is "{componentName}:{measurementName}", and one key holds all instances.
        let key = format!("{}:level", check.id.probe);
        checks.entry(key).or_default().push(Component::new(check));
    }
    body::json(&Health {
        status: match (topic.phase, topic.verdict) {
            (Phase::Starting | Phase::Draining, _) | (Phase::Serving, Verdict::Down) => "fail",
            (Phase::Serving, Verdict::Degraded) => "warn",
            (Phase::Serving, Verdict::Ok) => "pass",
        },
        version: "1",
        release_id: env!("CARGO_PKG_VERSION"),
        service_id: match topic.tenant {
            Some(view) => format!("{}/{}", topic.snapshot.node, view.name),
            None => topic.snapshot.node.to_string(),
        },
        description: "readiness of an OpenClaw host",
        output: body::reasons(topic).join("; "),
        notes: &topic.warnings,
        checks,
    })
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Health")]
pub(super) struct Health<'a> {
    #[schemars(extend("enum" = ["pass", "warn", "fail"]))]
    status: &'static str,
    version: &'static str,
    release_id: &'static str,
    service_id: String,
    description: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    output: String,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    notes: &'a [String],
    checks: BTreeMap<String, Vec<Component<'a>>>,
}

#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "HealthComponent")]
struct Component<'a> {
    component_id: String,
    component_type: &'static str,
    observed_value: Level,
    #[schemars(extend("enum" = ["pass", "warn", "fail"]))]
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    time: Option<String>,
    output: &'a str,
}

impl<'a> Component<'a> {
    fn new(check: &'a CheckView) -> Component<'a> {
        Component {
            component_id: check.id.to_string(),
            component_type: if check.layer == Layer::Host {
                "system"
            } else {
                "component"
            },
            observed_value: check.level,
            status: match check.level {
                Level::Ok => "pass",
                Level::Degraded | Level::Unknown | Level::Pending => "warn",
                Level::Down => "fail",
            },
            time: check.checked_at.map(|at| at.rfc3339()),
            output: &check.summary,
        }
    }
}

fn warnings(lines: &mut String, topic: &Topic<'_>) {
    for warning in &topic.warnings {
        let _ = writeln!(lines, "warning: {warning}");
    }
}
