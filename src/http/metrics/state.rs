//! The snapshot as samples.

use std::collections::BTreeMap;

use super::Budgets;
use super::exposition::{Exposition, Kind, count};
use crate::http::board::Published;
use crate::readiness::snapshot::{Phase, Snapshot};
use crate::words::{Family, TenantName, Verdict, Wall};

pub fn node(out: &mut Exposition, snapshot: &Snapshot) {
    out.family(
        "readyd_build_info",
        Kind::Gauge,
        "Always 1; the labels say which build this is.",
    )
    .sample(&[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    let mut status = out.family(
        "readyd_status",
        Kind::Gauge,
        "The node's verdict: 1 for the one that holds.",
    );
    for verdict in Verdict::ALL {
        status.sample(&[("status", verdict.as_str())], holds(verdict == snapshot.verdict));
    }
    let help = "Each tenant's verdict: 1 for the one that holds.";
    let mut status = out.family("readyd_tenant_status", Kind::Gauge, help);
    for (tenant, view) in &snapshot.tenants {
        for verdict in Verdict::ALL {
            let labels = [("tenant", tenant.as_str()), ("status", verdict.as_str())];
            status.sample(&labels, holds(verdict == view.verdict));
        }
    }
    let help = "Whether a tenant is in maintenance.";
    let mut maintenance = out.family("readyd_maintenance_active", Kind::Gauge, help);
    for (tenant, view) in &snapshot.tenants {
        maintenance.sample(&[("tenant", tenant.as_str())], holds(view.maintenance.is_some()));
    }
    out.family(
        "readyd_draining",
        Kind::Gauge,
        "Whether the node is being drained or shut down.",
    )
    .sample(&[], holds(snapshot.phase == Phase::Draining));
    let name = "readyd_config_reload_success_timestamp_seconds";
    out.family(name, Kind::Gauge, "When the configuration in force was read.")
        .sample(&[], seconds(snapshot.config.loaded_at));
}

pub fn checks(out: &mut Exposition, snapshot: &Snapshot) {
    let help = "A check's level: 0 ok, 1 degraded, 2 down, 3 unknown, 4 pending.";
    let mut levels = out.family("readyd_check_level", Kind::Gauge, help);
    for check in &snapshot.checks {
        levels.sample(&labels(check), f64::from(check.level.metric()));
    }
    let help = "When a check was last asked.";
    let mut last_runs = out.family("readyd_check_last_run_timestamp_seconds", Kind::Gauge, help);
    for check in &snapshot.checks {
        if let Some(at) = check.checked_at {
            last_runs.sample(&labels(check), seconds(at));
        }
    }
}

/// Numbers that findings brought along. Two checks may measure the same path: the later in the
/// snapshot's order gives way, since a series may stand there once only.
pub fn measurements(out: &mut Exposition, snapshot: &Snapshot) {
    let families = [
        (
            "readyd_disk_free_bytes",
            "Bytes free for us on a watched file system.",
            "path",
            false,
        ),
        (
            "readyd_disk_free_ratio",
            "Share of a watched file system that is free for us.",
            "path",
            false,
        ),
        ("readyd_queue_depth", "Entries of a delivery queue.", "queue", true),
        (
            "readyd_queue_oldest_age_seconds",
            "Age of the oldest entry of a delivery queue.",
            "queue",
            true,
        ),
    ];
    for (name, help, label, by_tenant) in families {
        let mut samples: BTreeMap<(&str, &str), f64> = BTreeMap::new();
        for check in &snapshot.checks {
            let tenant = check
                .id
                .tenant
                .as_ref()
                .filter(|_| by_tenant)
                .map_or("", TenantName::as_str);
            let measured = check.finding.iter().flat_map(|finding| &finding.measurements);
            for measurement in measured.filter(|measurement| name.strip_prefix("readyd_") == Some(&measurement.name)) {
                samples
                    .entry((&measurement.subject, tenant))
                    .or_insert(measurement.value);
            }
        }
        let mut family = out.family(name, Kind::Gauge, help);
        for ((subject, tenant), value) in samples {
            let labels = [(label, subject), ("tenant", tenant)];
            family.sample(if by_tenant { &labels } else { &labels[..1] }, value);
        }
    }
}

pub fn webhooks(out: &mut Exposition, published: &Published) {
    let counts = &published.counts;
    let tenants: std::collections::BTreeSet<&TenantName> = published
        .snapshot
        .tenants
        .keys()
        .chain(counts.failures.keys().map(|(tenant, _)| tenant))
        .chain(counts.delivered.keys())
        .collect();
    let help = "Failed webhook deliveries, by tenant and class of failure.";
    let mut failures = out.family("readyd_webhook_failures_total", Kind::Counter, help);
    let mut key = (TenantName::other(), Family::Other);
    for tenant in &tenants {
        for family in Family::ALL {
            key.0.clone_from(tenant);
            key.1 = family;
            let value = counts.failures.get(&key).copied().unwrap_or(0);
            failures.sample(
                &[("tenant", tenant.as_str()), ("family", family.as_str())],
                count(value),
            );
        }
    }
    let help = "Webhook deliveries that succeeded, by tenant.";
    let mut delivered = out.family("readyd_webhook_delivered_total", Kind::Counter, help);
    for tenant in &tenants {
        let value = counts.delivered.get(*tenant).copied().unwrap_or(0);
        delivered.sample(&[("tenant", tenant.as_str())], count(value));
    }
    let digest = &published.snapshot.digest;
    let name = "readyd_digest_rolled_timestamp_seconds";
    out.family(name, Kind::Gauge, "When the webhook digest was last rolled forward.")
        .sample(&[], seconds(digest.rolled_wall));
    out.family("readyd_digest_rows", Kind::Gauge, "Rows of the sliding webhook digest.")
        .sample(&[], count(digest.sliding.rows.count() as u64));
}

/// Of tenants that there are; a removed one may stand in the last reading.
pub fn budgets(out: &mut Exposition, snapshot: &Snapshot, budgets: &Budgets) {
    let known = || {
        budgets
            .iter()
            .filter(|(tenant, _)| snapshot.tenants.contains_key(*tenant))
    };
    let help = "Share of judged time that a tenant is to be up.";
    let mut target = out.family("readyd_slo_target_ratio", Kind::Gauge, help);
    for (tenant, budget) in known() {
        target.sample(&[("tenant", tenant.as_str())], budget.target);
    }
    let help = "Share of a tenant's budget that is left: below 0 it is overdrawn.";
    let mut remaining = out.family("readyd_slo_budget_remaining_ratio", Kind::Gauge, help);
    for (tenant, budget) in known() {
        remaining.sample(&[("tenant", tenant.as_str())], budget.remaining());
    }
    let help = "How fast a tenant's budget is used: 1 uses all of it in just its window.";
    let mut rates = out.family("readyd_slo_burn_rate", Kind::Gauge, help);
    for (tenant, budget) in known() {
        for burn in &budget.burn {
            // Who was never judged has used nothing.
            let labels = [("tenant", tenant.as_str()), ("over", burn.over)];
            rates.sample(&labels, burn.rate.unwrap_or(0.0));
        }
    }
}

fn labels(check: &crate::readiness::snapshot::CheckView) -> [(&'static str, &str); 2] {
    let tenant = check.id.tenant.as_ref().map_or("", TenantName::as_str);
    [("check", check.id.probe.as_str()), ("tenant", tenant)]
}

fn holds(it: bool) -> f64 {
    f64::from(u8::from(it))
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are below 2^53")]
fn seconds(at: Wall) -> f64 {
    at.as_millis() as f64 / 1000.0
}
