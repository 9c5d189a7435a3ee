//! The digest's findings: a tenant's rows against its budgets, blindness; the node's age and sources.

use std::fmt::Write as _;
use std::sync::Arc;

use super::budget::{Counted, Over, clears_at};
use super::counting::Gap;
use super::remote::Remote;
use super::view::Row;
use super::{Digest, Standing};
use crate::words::{Finding, Now, TenantName, Wall};

/// Endpoints (or tenants) whose particulars a finding carries, the worst ones.
const EVIDENCE_ROWS_MAX: usize = 10;

/// For so long a finding says that events may be missing.
const GAP_SHOWN_MILLIS: i64 = 3600 * 1000;

/// A count that is over its budget, or was and has not cleared.
struct Excess {
    endpoint: Arc<str>,
    count: u64,
    budget: u64,
}

impl Digest {
    /// The finding of `webhook-digest`: of a tenant (rows against budgets, blindness), or of the node
    /// (age, the other node's digest, tenants that are not configured). `ok` or `degraded`, never worse.
    pub fn judge(&self, now: Now, tenant: Option<&TenantName>) -> Finding {
        match tenant {
            Some(tenant) => self.judge_tenant(now, tenant),
            None => self.judge_node(now),
        }
    }

    fn judge_tenant(&self, now: Now, tenant: &TenantName) -> Finding {
        let standing = Standing::of(&self.sliding, self.remote.as_ref());
        let failures = standing.tenant(tenant);
        let budget = self.settings.tenant_budget(tenant);
        let excesses = self.excesses(tenant);
        let mut troubles: Vec<String> = Vec::new();
        if let Some(over) = self.budgets.over(tenant) {
            troubles.push(self.over_summary(tenant, over, &excesses));
        }
        let filed = self.filing.millis(now.at);
        let counting = self.counting.of(&self.settings, tenant, filed);
        let patience = self.settings.stale_after;
        let mut missed = self.sources.missed(now, filed, tenant, counting, patience);
        if let Some(first) = missed.next() {
            let more = missed.count();
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            troubles.push(format!(
                "blind: {} disconnected since {}{more}",
                first.name, first.since
            ));
        }
        if troubles.is_empty() {
            let summary = format!("{} in 5 min (tenant budget {budget})", failures_text(failures));
            return self.with_notes(now, tenant, Finding::ok(summary));
        }
        let mut finding = Finding::degraded(troubles.join("; ")).with_evidence(
            "failures in 5 min",
            format!(
                "{failures} (tenant budget {budget}){}",
                self.remote_part(self.remote_failures(tenant))
            ),
        );
        for excess in excesses.iter().take(EVIDENCE_ROWS_MAX) {
            finding.evidence_push(&excess.endpoint, self.particulars(tenant, excess));
        }
        for missed in self.sources.missed(now, filed, tenant, counting, patience) {
            finding.evidence_push(missed.name, format!("blind: disconnected since {}", missed.since));
        }
        self.with_notes(now, tenant, finding)
    }

    /// Adds what is shown and not judged: events that another source tells, and those that nobody can tell.
    fn with_notes(&self, now: Now, tenant: &TenantName, mut finding: Finding) -> Finding {
        let source = self.counting.view(&self.settings, tenant, self.filing.millis(now.at));
        if let Some(counts) = source.counts {
            for (via, count) in &source.not_counted {
                finding.note_push(format!(
                    "{count} events told by {via} are not counted: {counts} counts (see `webhook_source`)"
                ));
            }
        }
        let is_recent = |gap: &Gap| now.wall.millis_since(gap.until) <= GAP_SHOWN_MILLIS;
        if let Some(gap) = source.gap.filter(is_recent) {
            let since = gap
                .since
                .map_or("a moment that cannot be told".to_owned(), Wall::rfc3339);
            finding.note_push(format!(
                "events may be missing from {since} to {}: {}",
                gap.until, gap.why
            ));
        }
        finding
    }

    fn judge_node(&self, now: Now) -> Finding {
        let mut troubles: Vec<String> = Vec::new();
        let age = now.at.since(self.rolled.at.max(self.resumed_at));
        if age > self.settings.stale_after {
            troubles.push(format!("digest stale for {} s", now.at.since(self.rolled.at).as_secs()));
        }
        let remote_trouble = |remote: &Remote| remote.trouble(now, self.resumed_at, self.settings.stale_after);
        troubles.extend(self.remote.as_ref().and_then(remote_trouble));
        let strangers: Vec<(&TenantName, &Over)> = (self.budgets.iter())
            .filter(|(tenant, _)| !self.settings.knows(tenant))
            .collect();
        for (tenant, over) in strangers.iter().take(EVIDENCE_ROWS_MAX) {
            let excesses = self.excesses(tenant);
            troubles.push(format!(
                "{tenant} (not configured): {}",
                self.over_summary(tenant, over, &excesses)
            ));
        }
        let mut finding = match troubles.as_slice() {
            [] => Finding::ok("digest up to date"),
            troubles => Finding::degraded(troubles.join("; ")),
        };
        for (tenant, _) in strangers.iter().take(EVIDENCE_ROWS_MAX) {
            for excess in self.excesses(tenant).iter().take(EVIDENCE_ROWS_MAX) {
                finding.evidence_push(
                    format!("{tenant} {}", excess.endpoint),
                    self.particulars(tenant, excess),
                );
            }
        }
        if self.counts.folded > 0 {
            finding.note_push(format!(
                "{} events counted under __other__: more endpoints or tenants than the digest keeps apart",
                self.counts.folded
            ));
        }
        if self.counts.unreadable > 0 {
            finding.note_push(format!(
                "{} stored parts could not be read and were left alone",
                self.counts.unreadable
            ));
        }
        finding
    }

    /// `crm ×500 in 5 min (budget 50)`.
    fn over_summary(&self, tenant: &TenantName, over: &Over, excesses: &[Excess]) -> String {
        let Some(worst) = excesses.first() else {
            let standing = Standing::of(&self.sliding, self.remote.as_ref());
            let failures = standing.tenant(tenant);
            let budget = self.settings.tenant_budget(tenant);
            debug_assert!(over.tenant, "what is over is a tenant or an endpoint of it");
            let remote = self.remote_part(self.remote_failures(tenant));
            return format!(
                "{} in 5 min (tenant budget {budget}{}){remote}",
                failures_text(failures),
                clears_text(failures, budget)
            );
        };
        let mut summary = format!(
            "{} ×{} in 5 min (budget {}{})",
            worst.endpoint,
            worst.count,
            worst.budget,
            clears_text(worst.count, worst.budget)
        );
        let remote = self
            .remote
            .as_ref()
            .map_or(0, |remote| remote.endpoint_failures(tenant, &worst.endpoint));
        summary.push_str(&self.remote_part(remote));
        match excesses.len() - 1 {
            0 => {}
            1 => summary.push_str(" and 1 more endpoint"),
            more => {
                let _ = write!(summary, " and {more} more endpoints");
            }
        }
        summary
    }

    /// A tenant's endpoints over their budgets, worst first.
    fn excesses(&self, tenant: &TenantName) -> Vec<Excess> {
        let Some(over) = self.budgets.over(tenant) else {
            return Vec::new();
        };
        let standing = Standing::of(&self.sliding, self.remote.as_ref());
        let mut excesses: Vec<Excess> = (over.endpoints.iter())
            .map(|endpoint| Excess {
                endpoint: Arc::clone(endpoint),
                count: standing.endpoint(tenant, endpoint),
                budget: self.settings.endpoint_budget(tenant, endpoint),
            })
            .collect();
        excesses.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.endpoint.cmp(&b.endpoint)));
        excesses
    }

    /// `500 (budget 50): 5xx 500 (503 ×498, 502 ×2), gateways gw-1, gw-2; upstream connect error`.
    fn particulars(&self, tenant: &TenantName, excess: &Excess) -> String {
        let mut text = format!("{} (budget {}): ", excess.count, excess.budget);
        let local = self.sliding.rows_of(tenant, &excess.endpoint);
        let remote = self
            .remote
            .iter()
            .flat_map(|remote| remote.rows_of(tenant, &excess.endpoint));
        let rows: Vec<String> = local.iter().chain(remote).map(row_text).collect();
        text.push_str(&rows.join("; "));
        text
    }

    fn remote_failures(&self, tenant: &TenantName) -> u64 {
        self.remote.as_ref().map_or(0, |remote| remote.failures(tenant))
    }

    /// `, 450 of them on mac-2`: nothing when there are none.
    fn remote_part(&self, failures: u64) -> String {
        match &self.remote {
            Some(remote) if failures > 0 => format!(", {failures} of them on {}", remote.name()),
            _ => String::new(),
        }
    }
}

fn failures_text(failures: u64) -> String {
    match failures {
        0 => "no failures".to_owned(),
        1 => "1 failure".to_owned(),
        more => format!("{more} failures"),
    }
}

/// Why something that is within its budget is still reported.
fn clears_text(count: u64, budget: u64) -> String {
    if count > budget {
        return String::new();
    }
    format!(", clears at {}", clears_at(budget))
}

fn row_text(row: &Row) -> String {
    let codes: Vec<String> = row
        .statuses
        .iter()
        .map(|(code, count)| format!("{code} ×{count}"))
        .collect();
    let mut text = format!("{} {} ({})", row.family, row.count, codes.join(", "));
    if let Some(node) = &row.node {
        let _ = write!(text, " on {node}");
    }
    if !row.gateways.is_empty() {
        let _ = write!(text, ", gateways {}", row.gateways.join(", "));
    }
    if let Some(error) = &row.sample.error {
        let _ = write!(text, ", {error}");
    }
    text
}
