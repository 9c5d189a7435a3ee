//! What people did: drains and maintenance, by whom, why, until when. And what is wrong with the configuration.

use maud::{Markup, html};

use super::{Page, times};
use crate::readiness::snapshot::Operation;

/// Operations that are listed; a maintenance of hundreds of tenants is told by its number.
const OPERATIONS_MAX: usize = 20;
const WARNINGS_MAX: usize = 10;

/// Nothing at all where nothing is in force.
pub(super) fn notices(page: &Page<'_>) -> Markup {
    let operations = in_force(page);
    let (topic, snapshot) = (page.topic, page.topic.snapshot);
    let config = &snapshot.config;
    let is_quiet = operations.is_empty()
        && config.reload_error.is_none()
        && config.warnings.is_empty()
        && topic.warnings.is_empty()
        && !snapshot.not_yet_durable;
    if is_quiet {
        return html! {};
    }
    html! {
        section.notices aria-label="In force" {
            @for (what, operation) in operations.iter().take(OPERATIONS_MAX) {
                div.notice {
                    p { strong { (what) } " by " (operation.actor) ", " (times::ago(operation.started, page.now)) ": " (operation.reason) }
                    p.quiet {
                        @if let Some(ticket) = &operation.ticket { span { (ticket) } }
                        @match operation.until {
                            Some(until) => span { "ends " (times::until(until, page.now)) ", at " (times::moment(until, page.now)) },
                            None => span { "until somebody ends it" },
                        }
                    }
                }
            }
            @if operations.len() > OPERATIONS_MAX {
                p.notice { "and " (operations.len() - OPERATIONS_MAX) " more: readyd maintenance list" }
            }
            @if snapshot.not_yet_durable {
                p.notice { "An operation is in force and not yet on disk: a restart now would forget it." }
            }
            @if let Some(error) = &config.reload_error {
                p.notice { strong { "The configuration was not reloaded. " } (error) " The one before stays in force." }
            }
            @for warning in config.warnings.iter().chain(&topic.warnings).take(WARNINGS_MAX) {
                p.notice { strong { "Warning. " } (warning) }
            }
        }
    }
}

fn in_force<'a>(page: &Page<'a>) -> Vec<(String, &'a Operation)> {
    let (topic, snapshot) = (page.topic, page.topic.snapshot);
    let node = snapshot
        .drain
        .iter()
        .map(|drain| (format!("{} is drained", snapshot.node), drain));
    let shown = |name: &str| topic.tenant.is_none_or(|tenant| tenant.name.as_str() == name);
    let tenants = snapshot.tenants.values().filter(|view| shown(view.name.as_str()));
    let of_tenants = tenants.flat_map(|view| {
        let drain = view
            .drain
            .iter()
            .map(|drain| (format!("{} is drained", view.name), drain));
        let maintenance = view.maintenance.iter();
        drain.chain(maintenance.map(|operation| (format!("{} is in maintenance", view.name), operation)))
    });
    node.chain(of_tenants).collect()
}
