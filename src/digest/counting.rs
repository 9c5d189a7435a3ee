//! Which of a tenant's sources counts. Several may tell the same delivery, and nothing in an event says that two are
//! one; so exactly one way of reporting counts for each configured tenant, and the others are shown.
//!
//! `webhook_source` names it, or leaves it to the best that was heard of within a day; a link that has stood once is in
//! question as long as it is configured. A better one takes over as soon as it is heard of. A worse one does not take over when a better one falls silent or is lost: that would hide that
//! the tenant is blind, and would count twice what the better one brings later.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Digest;
use super::settings::Settings;
use crate::ingest::delta::Reporter;
use crate::words::{Now, TenantName, Via, Wall};

/// A way is in question for this long after it was last heard of.
const HEARD_MILLIS: i64 = 24 * 3600 * 1000;
/// How exactly the store needs to know when that was.
const STORED_EVERY_MILLIS: i64 = 600_000;

/// Times in milliseconds are filing times, see [`super::filing::Filing`].
#[derive(Clone, Debug, Default)]
pub(super) struct Counting {
    heard: BTreeMap<(TenantName, Via), Heard>,
    /// Events of this process's time that did not count.
    not_counted: BTreeMap<TenantName, BTreeMap<Via, u64>>,
    gaps: BTreeMap<TenantName, Gap>,
}

#[derive(Clone, Copy, Debug)]
struct Heard {
    last: i64,
    stored: i64,
    /// The first batch that was counted when it had been heard of: one before it is judged without it, also when it is
    /// taken from the log after a restart, or its events would be counted by one process and left out by the next.
    since: i64,
}

/// A time of which events may be missing for good: its source was away, and what it remembers is not whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    pub why: String,
    /// `None`: it cannot be told.
    pub since: Option<Wall>,
    pub until: Wall,
}

impl Gap {
    /// Whether events of the time from `start` to `end` may be missing.
    pub fn touches(&self, start: Wall, end: Wall) -> bool {
        self.until >= start && self.since.is_none_or(|since| since <= end)
    }
}

/// How a tenant's events reach the digest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceView {
    /// `None`: nothing was heard yet; the first that is counts.
    pub counts: Option<Via>,
    /// Events that came another way, since the start of the process.
    pub not_counted: BTreeMap<Via, u64>,
    /// The last one.
    pub gap: Option<Gap>,
}

impl Counting {
    /// Something came with a batch, or may come with that one. `true` when the store should know.
    pub fn heard(&mut self, settings: &Settings, tenant: &TenantName, via: Via, filed: i64, batch: i64) -> bool {
        if !settings.knows(tenant) || via == Via::Operator {
            return false;
        }
        if let Some(heard) = self.heard.get_mut(&(tenant.clone(), via)) {
            heard.last = heard.last.max(filed);
            let behind = heard.last - heard.stored >= STORED_EVERY_MILLIS;
            if behind {
                heard.stored = heard.last;
            }
            return behind;
        }
        let heard = Heard {
            last: filed,
            stored: filed,
            since: batch,
        };
        self.heard.insert((tenant.clone(), via), heard);
        true
    }

    /// The one that counts now. `None`: nothing was heard of within a day.
    pub fn of(&self, settings: &Settings, tenant: &TenantName, filed: i64) -> Option<Via> {
        self.of_batch(settings, tenant, filed, i64::MAX)
    }

    fn of_batch(&self, settings: &Settings, tenant: &TenantName, filed: i64, batch: i64) -> Option<Via> {
        let tenant_settings = settings.tenants.get(tenant)?;
        tenant_settings.source.or_else(|| {
            Via::BEST_FIRST.into_iter().find(|via| {
                let heard = self.heard.get(&(tenant.clone(), *via));
                let Some(heard) = heard.filter(|heard| heard.since <= batch) else {
                    return false;
                };
                match via {
                    // It will come back, and tell what it missed; one that is no longer configured will not.
                    Via::Link => tenant_settings.has_link,
                    _ => filed.saturating_sub(heard.last) <= HEARD_MILLIS,
                }
            })
        })
    }

    /// Whether it was ever heard of, and not forgotten.
    pub fn knows(&self, tenant: &TenantName, via: Via) -> bool {
        self.heard.contains_key(&(tenant.clone(), via))
    }

    /// Whether what came so with a batch counts. Of tenants that are not configured everything does, and what an operator says.
    pub fn counts(&self, settings: &Settings, tenant: &TenantName, via: Via, filed: i64, batch: i64) -> bool {
        let counting = || self.of_batch(settings, tenant, filed, batch);
        via == Via::Operator || !settings.knows(tenant) || counting().is_none_or(|counting| counting == via)
    }

    pub fn add_not_counted(&mut self, tenant: &TenantName, via: Via, count: u64) {
        let of_tenant = self.not_counted.entry(tenant.clone()).or_default();
        let total = of_tenant.entry(via).or_default();
        *total = total.saturating_add(count);
    }

    /// One that touches the last one makes it longer.
    pub fn gap(&mut self, tenant: &TenantName, mut gap: Gap) {
        if let Some(last) = self.gaps.get(tenant)
            && gap.since.is_none_or(|since| last.touches(since, gap.until))
        {
            gap.since = gap.since.min(last.since);
            gap.until = gap.until.max(last.until);
        }
        self.gaps.insert(tenant.clone(), gap);
    }

    pub fn view(&self, settings: &Settings, tenant: &TenantName, filed: i64) -> SourceView {
        SourceView {
            counts: self.of(settings, tenant, filed),
            not_counted: self.not_counted.get(tenant).cloned().unwrap_or_default(),
            gap: self.gaps.get(tenant).cloned(),
        }
    }

    /// Forgets what is no longer in question, and who is no longer configured. `true` when anything was.
    pub fn forget(&mut self, settings: &Settings, filed: i64) -> bool {
        let before = self.heard.len();
        self.heard.retain(|(tenant, via), heard| {
            let keeps = *via == Via::Link && settings.tenants.get(tenant).is_some_and(|tenant| tenant.has_link);
            settings.knows(tenant) && (keeps || filed.saturating_sub(heard.last) <= HEARD_MILLIS)
        });
        self.not_counted.retain(|tenant, _| settings.knows(tenant));
        self.gaps.retain(|tenant, _| settings.knows(tenant));
        before != self.heard.len()
    }

    /// As the state table keeps it; `wall_of` turns filing time into wall time.
    pub fn stored(&self, wall_of: impl Fn(i64) -> Wall) -> Stored {
        Stored {
            heard: (self.heard.iter())
                .map(|((tenant, via), heard)| (tenant.clone(), *via, wall_of(heard.last)))
                .collect(),
            since: (self.heard.iter())
                .map(|((tenant, via), heard)| (tenant.clone(), *via, heard.since))
                .collect(),
            gaps: self.gaps.clone(),
        }
    }

    pub fn restore(&mut self, stored: Stored, filed_now: i64, filed_of: impl Fn(Wall) -> i64) {
        for (tenant, via, last) in stored.heard {
            let last = filed_of(last).min(filed_now);
            let heard = Heard {
                last,
                stored: last,
                since: i64::MIN,
            };
            self.heard.insert((tenant, via), heard);
        }
        for (tenant, via, since) in stored.since {
            self.heard.entry((tenant, via)).and_modify(|heard| heard.since = since);
        }
        self.gaps = stored.gaps;
    }
}

impl Digest {
    /// A tenant's source within this process is there: silent or not, it would tell.
    pub fn source_stands(&mut self, now: Now, tenant: &TenantName, reporter: &Reporter) {
        let filed = self.filing.millis(now.at);
        self.state_changed |= (self.counting).heard(&self.settings, tenant, reporter.via(), filed, self.upto + 1);
        self.state_changed |= self.sources.reported(now, filed, now.wall, reporter, tenant);
    }

    /// Events of a tenant may be missing for good.
    pub fn gap(&mut self, tenant: &TenantName, gap: Gap) {
        self.counting.gap(tenant, gap);
        self.state_changed = true;
        self.shown.whole = None;
    }

    pub(super) fn source_views(&self, now: Now) -> BTreeMap<TenantName, SourceView> {
        let filed = self.filing.millis(now.at);
        let tenants = self.settings.tenants.keys();
        tenants
            .map(|tenant| (tenant.clone(), self.counting.view(&self.settings, tenant, filed)))
            .collect()
    }

    /// A source that the configuration names is missed from the start, and for however long it is away; so is a link
    /// that has stood once, as long as it is configured.
    pub(super) fn expect_sources(&mut self, now: Now) {
        let filed = self.filing.millis(now.at);
        for (tenant, settings) in &self.settings.tenants {
            let reporter = match settings.source {
                Some(Via::Link) => Reporter::link(tenant),
                Some(Via::Log) => Reporter::log(tenant),
                Some(Via::Plugin) => Reporter::plugin(tenant),
                None if settings.has_link && self.counting.knows(tenant, Via::Link) => Reporter::link(tenant),
                _ => continue,
            };
            self.state_changed |= self.sources.reported(now, filed, now.wall, &reporter, tenant);
        }
        self.sources.refresh_standing(filed);
        for (via, tenant) in self.sources.standing() {
            self.state_changed |= self.counting.heard(&self.settings, tenant, via, filed, self.upto + 1);
        }
    }
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Stored {
    heard: Vec<(TenantName, Via, Wall)>,
    /// Of each the first batch; absent where an older readyd wrote it.
    since: Vec<(TenantName, Via, i64)>,
    gaps: BTreeMap<TenantName, Gap>,
}
