//! Another node's digest: its rows, their age, and what is wrong with getting them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::settings::Settings;
use super::view::{Dropped, RemoteView, Row, WindowHead, WindowKind, WindowView};
use crate::engine;
use crate::words::{Instant, Now, TenantName};

/// Rows older than the window are history, not trouble.
const ROWS_KEPT: Duration = Duration::from_secs(300);

#[derive(Clone, Debug)]
pub(super) struct Remote {
    source: String,
    /// When it was last had; when it was first asked for, until then.
    fetched_at: Instant,
    age_sec: u64,
    node: Option<Arc<str>>,
    window: Arc<WindowView>,
    error: Option<String>,
    /// Failures of tenants that are configured here.
    counts: BTreeMap<TenantName, Counts>,
}

#[derive(Clone, Debug, Default)]
struct Counts {
    failures: u64,
    endpoints: BTreeMap<Arc<str>, u64>,
}

impl Remote {
    pub fn new(now: Now, source: &str) -> Remote {
        Remote {
            source: source.to_owned(),
            fetched_at: now.at,
            age_sec: 0,
            node: None,
            window: Arc::new(nothing(now)),
            error: None,
            counts: BTreeMap::new(),
        }
    }

    pub fn source(&self) -> &str {
        &self.source
    }

    pub fn take(&mut self, now: Now, settings: &Settings, fetched: Result<engine::Remote, String>) {
        match fetched {
            Ok(remote) if remote.node == settings.node => {
                self.error = Some(format!(
                    "it is this node's own digest (both are called {})",
                    settings.node
                ));
            }
            Ok(remote) => {
                self.error = None;
                self.fetched_at = now.at;
                self.age_sec = remote.age_sec;
                self.node = Some(remote.node);
                self.window = Arc::new(remote.window);
                self.count(settings);
            }
            Err(error) => self.error = Some(error),
        }
        self.forget_old(now);
    }

    /// Counts anew, for the tenants that are configured now.
    pub fn count(&mut self, settings: &Settings) {
        self.counts.clear();
        for row in self.window.rows.iter().filter(|row| settings.knows(&row.tenant)) {
            let counts = self.counts.entry(row.tenant.clone()).or_default();
            counts.failures = counts.failures.saturating_add(row.count);
            let endpoint = counts.endpoints.entry(Arc::clone(&row.endpoint)).or_default();
            *endpoint = endpoint.saturating_add(row.count);
        }
    }

    /// Drops rows that are older than the window. `true` when there were any.
    pub fn forget_old(&mut self, now: Now) -> bool {
        let is_old = self.age(now) > ROWS_KEPT && !(self.window.rows.is_empty() && self.window.delivered.is_empty());
        if is_old {
            self.window = Arc::new(nothing(now));
            self.counts.clear();
        }
        is_old
    }

    pub fn view(&self) -> RemoteView {
        RemoteView {
            window: Arc::clone(&self.window),
            age_sec: self.age_sec,
            fetched_at: self.fetched_at,
        }
    }

    pub fn failures(&self, tenant: &TenantName) -> u64 {
        self.counts.get(tenant).map_or(0, |counts| counts.failures)
    }

    pub fn endpoint_failures(&self, tenant: &TenantName, endpoint: &str) -> u64 {
        self.counts
            .get(tenant)
            .and_then(|counts| counts.endpoints.get(endpoint).copied())
            .unwrap_or(0)
    }

    pub fn endpoints(&self) -> impl Iterator<Item = (&TenantName, &Arc<str>, u64)> {
        self.counts.iter().flat_map(|(tenant, counts)| {
            (counts.endpoints.iter()).map(move |(endpoint, failures)| (tenant, endpoint, *failures))
        })
    }

    pub fn rows_of<'a>(&'a self, tenant: &'a TenantName, endpoint: &'a str) -> impl Iterator<Item = &'a Row> {
        (self.window.rows.iter()).filter(move |row| row.tenant == *tenant && *row.endpoint == *endpoint)
    }

    /// It never answered yet, and there is still reason to hope.
    pub fn is_awaited(&self, now: Now, patience: Duration) -> bool {
        self.node.is_none() && now.at.since(self.fetched_at) <= patience
    }

    /// What to call it: the node's own name once it is known.
    pub fn name(&self) -> &str {
        self.node.as_deref().unwrap_or(&self.source)
    }

    /// What is wrong with it for longer than `patience`; patience starts afresh at `resumed_at`.
    pub fn trouble(&self, now: Now, resumed_at: Instant, patience: Duration) -> Option<String> {
        let missing = now.at.since(self.fetched_at.max(resumed_at));
        if missing > patience {
            let why = self.error.as_deref().unwrap_or("no answer");
            return Some(format!(
                "digest of {} not had for {} s: {why}",
                self.source,
                missing.as_secs()
            ));
        }
        let age = missing.saturating_add(Duration::from_secs(self.age_sec));
        (age > patience).then(|| format!("digest of {} stale for {} s", self.name(), age.as_secs()))
    }

    fn age(&self, now: Now) -> Duration {
        now.at
            .since(self.fetched_at)
            .saturating_add(Duration::from_secs(self.age_sec))
    }
}

fn nothing(now: Now) -> WindowView {
    WindowView {
        head: WindowHead {
            kind: WindowKind::Sliding,
            start: now.wall.plus_millis(-300_000),
            end: now.wall,
            is_final: false,
            revision: 0,
        },
        rows: Vec::new().into(),
        delivered: BTreeMap::new(),
        dropped: Dropped::default(),
    }
}
