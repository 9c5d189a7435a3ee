//! Timelines in virtual time: what arrives, what the clocks do, and what the digest says then.

mod aligned;
mod blind;
mod bounds;
mod budgets;
mod clocks;
mod counting;
mod oracle;
mod remote;
mod restart;
mod sliding;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use super::view::{DigestView, WindowView};
use super::*;
use crate::ingest::delta::{Batch, CellCount, CellKey, Reporter, Sample, Subject};
use crate::words::{Answer, Code, Finding, Instant, Kind, Via};

/// 2026-11-20T07:30:00Z: the start of an aligned window.
pub(super) const START: i64 = 1_795_159_800;
const BOOTED_FOR_MILLIS: u64 = 5_000_000;

/// One readyd with a disk, driven second by second.
#[derive(Clone)]
pub(super) struct Timeline {
    pub now: Now,
    pub settings: Settings,
    pub digest: Digest,
    pub disk: Disk,
    pub is_committing: bool,
}

/// What the store keeps, by the rules of [`crate::store::Fold`].
#[derive(Clone, Default)]
pub(super) struct Disk {
    pub log: Vec<Batch>,
    pub last_id: i64,
    pub slots: BTreeMap<i64, Vec<u8>>,
    pub windows: BTreeMap<(i64, TenantName), Vec<u8>>,
    pub rollups: BTreeMap<(i64, TenantName), String>,
    pub state: Option<String>,
    pub alive_until: Option<Wall>,
}

/// One or more equal deliveries.
#[derive(Clone)]
pub(super) struct Event {
    tenant: TenantName,
    endpoint: Arc<str>,
    gateway: Arc<str>,
    code: Code,
    count: u64,
    age: i64,
    attempt: u32,
    error: Option<Arc<str>>,
    told_by: Via,
}

pub(super) fn tenant(name: &str) -> TenantName {
    TenantName::try_from(name.to_owned()).unwrap()
}

/// `count` failures of `acme`'s `crm` with 503, and so on: `fails("acme", "crm", 503, 500)`.
pub(super) fn fails(tenant_name: &str, endpoint: &str, status: u16, count: u64) -> Event {
    Event {
        tenant: tenant(tenant_name),
        endpoint: endpoint.into(),
        gateway: "gw-1".into(),
        code: Code::Status(status),
        count,
        age: 0,
        attempt: 0,
        error: None,
        told_by: Via::Socket,
    }
}

impl Event {
    /// How long before its arrival it happened, in seconds.
    pub fn aged(mut self, seconds: i64) -> Event {
        self.age = seconds;
        self
    }

    pub fn via(mut self, gateway: &str) -> Event {
        self.gateway = gateway.into();
        self
    }

    pub fn told_by(mut self, via: Via) -> Event {
        self.told_by = via;
        self
    }

    pub fn timed_out(mut self) -> Event {
        self.code = Code::Kind(Kind::Timeout);
        self
    }

    pub fn attempt(mut self, attempt: u32) -> Event {
        self.attempt = attempt;
        self
    }

    pub fn error(mut self, error: &str) -> Event {
        self.error = Some(error.into());
        self
    }

    fn cell(&self, arrival: Wall) -> (CellKey, CellCount) {
        let happened = arrival.plus_millis(-self.age * 1000);
        let key = CellKey {
            subject: Arc::new(Subject {
                tenant: self.tenant.clone(),
                endpoint: Arc::clone(&self.endpoint),
                gateway: Arc::clone(&self.gateway),
            }),
            code: self.code,
            window: window_of(happened),
            live: self.age <= 300,
            via: self.told_by,
        };
        let count = CellCount {
            count: self.count,
            max_attempt: self.attempt,
            first: happened,
            last: happened,
            sample: self.error.clone().map(|error| Sample {
                error: Some(error),
                ..Sample::default()
            }),
        };
        (key, count)
    }
}

impl Disk {
    pub fn write(&mut self, fold: Fold) {
        self.log.retain(|batch| batch.log_id > fold.upto);
        self.slots.extend(fold.slots);
        self.slots.retain(|start, _| *start >= fold.slots_from);
        for (start, tenant, body) in fold.windows {
            self.windows.insert((start, tenant), body);
        }
        for (start, tenant, late) in fold.late {
            let old = self.windows.get(&(start, tenant.clone())).map(Vec::as_slice);
            let merged = merge_window(old, &late);
            let rollup = merged.rollup.map(|rollup| ((start, tenant.clone()), rollup));
            self.rollups.extend(rollup);
            self.windows.insert((start, tenant), merged.body);
        }
        self.windows.retain(|(start, _), _| *start >= fold.windows_from);
        for (start, tenant, rollup) in fold.rollups {
            self.rollups.insert((start, tenant), rollup);
        }
        self.rollups.retain(|(start, _), _| *start >= fold.rollups_from);
    }

    /// Bodies of one window.
    pub fn window(&self, start: i64) -> Vec<(TenantName, Vec<u8>)> {
        let bodies = self.windows.range((start, tenant("0"))..);
        (bodies.take_while(|((of, _), _)| *of == start))
            .chain(self.windows.get_key_value(&(start, TenantName::other())))
            .map(|((_, tenant), body)| (tenant.clone(), body.clone()))
            .collect()
    }

    fn newest_windows(&self) -> Vec<(i64, TenantName, Vec<u8>)> {
        let mut starts: Vec<i64> = self.windows.keys().map(|(start, _)| *start).collect();
        starts.dedup();
        let from = starts.iter().rev().take(5).min().copied().unwrap_or(i64::MIN);
        (self.windows.iter())
            .filter(|((start, _), _)| *start >= from)
            .map(|((start, tenant), body)| (*start, tenant.clone(), body.clone()))
            .collect()
    }
}

impl Timeline {
    /// A node called mac-3 that watches acme (crm has a budget of 50) and beta. It has been at work since an
    /// hour before [`START`], which is now.
    pub fn new() -> Timeline {
        Timeline::with(settings())
    }

    pub fn with(settings: Settings) -> Timeline {
        let now = Now {
            at: Instant::from_millis(BOOTED_FOR_MILLIS),
            wall: Wall::from_millis((START - 3600) * 1000),
        };
        let mut digest = Digest::new(settings.clone(), now);
        digest.restore(now, &[], &[], None, &[], Some(now.wall));
        let mut timeline = Timeline {
            now,
            settings,
            digest,
            disk: Disk::default(),
            is_committing: true,
        };
        timeline.pass(3600);
        timeline
    }

    /// Lets seconds pass, one by one, as the engine does.
    pub fn pass(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.sleep(1);
            self.tick();
        }
    }

    /// Time passes and nobody looks.
    pub fn sleep(&mut self, seconds: u64) {
        self.now = self.now + Duration::from_secs(seconds);
    }

    pub fn tick(&mut self) {
        self.digest.roll(self.now, self.is_committing);
        if self.is_committing {
            self.disk.alive_until = Some(self.now.wall);
            self.persist();
        }
    }

    /// What the engine has the store do with one transaction.
    pub fn persist(&mut self) {
        if let Some(fold) = self.digest.checkpoint(self.now) {
            self.disk.write(fold);
        }
        if let Some(state) = self.digest.state(self.now) {
            self.disk.state = Some(state);
        }
    }

    pub fn step_wall_clock(&mut self, seconds: i64) {
        self.now.wall = self.now.wall.plus_millis(seconds * 1000);
    }

    pub fn arrive(&mut self, events: &[Event]) {
        self.arrive_from(&[], events);
    }

    /// A producer delivers events; it reports for each tenant of theirs.
    pub fn arrive_from(&mut self, producers: &[&str], events: &[Event]) {
        let batch = self.batch(producers, events);
        self.commit(batch);
    }

    pub fn batch(&mut self, producers: &[&str], events: &[Event]) -> Batch {
        self.disk.last_id += 1;
        Batch {
            log_id: self.disk.last_id,
            arrival: self.now.wall,
            cells: events.iter().map(|event| event.cell(self.now.wall)).collect(),
            reporters: (producers.iter())
                .flat_map(|name| {
                    events
                        .iter()
                        .map(|event| (Reporter((*name).into()), event.tenant.clone()))
                })
                .collect(),
            rejected: 0,
            marks: Vec::new(),
            lags: Vec::new(),
        }
    }

    pub fn commit(&mut self, batch: Batch) {
        self.disk.log.push(batch.clone());
        self.digest.fold(self.now, &batch);
    }

    pub fn connect(&mut self, producer: &str) {
        self.digest.reporter(self.now, &Reporter(producer.into()), true);
    }

    pub fn disconnect(&mut self, producer: &str) {
        self.digest.reporter(self.now, &Reporter(producer.into()), false);
    }

    /// The process is killed, and another one begins where the clocks stand now.
    pub fn restart(&mut self) {
        self.digest = Digest::new(self.settings.clone(), self.now);
        let slots: Vec<_> = self.disk.slots.clone().into_iter().collect();
        self.digest.restore(
            self.now,
            &slots,
            &self.disk.newest_windows(),
            self.disk.state.as_deref(),
            &self.disk.log,
            self.disk.alive_until,
        );
    }

    /// As shown now, however often that is asked for.
    pub fn view(&self) -> Arc<DigestView> {
        let mut later = self.digest.clone();
        later.shown.rendered_at = None;
        later.view(self.now)
    }

    /// The sliding window's rows, one a line: `acme crm 5xx 500`.
    pub fn sliding(&self) -> String {
        rows(&self.view().sliding)
    }

    /// An aligned window as a user gets it: from memory, else from the store.
    pub fn aligned(&self, start: i64) -> Option<WindowView> {
        if let Some(window) = self.view().aligned.get(&start) {
            return Some(WindowView::clone(window));
        }
        let bodies = self.disk.window(start);
        (!bodies.is_empty()).then(|| window_view(start, &bodies))
    }

    /// `final r1: acme crm 5xx 500`.
    pub fn window(&self, start: i64) -> String {
        let Some(window) = self.aligned(start) else {
            return "not kept".to_owned();
        };
        let state = if window.head.is_final { "final" } else { "open" };
        format!(
            "{state} r{}: {}",
            window.head.revision,
            rows(&window).replace('\n', ", ")
        )
    }

    pub fn judge(&self, of: &str) -> String {
        said(&self.digest.judge(self.now, Some(&tenant(of))))
    }

    pub fn judge_node(&self) -> String {
        said(&self.digest.judge(self.now, None))
    }
}

pub(super) fn settings() -> Settings {
    let acme = TenantBudgets {
        tenant_budget: None,
        endpoints: [("crm".to_owned(), 50)].into(),
        ..TenantBudgets::default()
    };
    Settings {
        node: "mac-3".into(),
        boot: "boot-1".to_owned(),
        budget: 10,
        tenant_budget: 50,
        stale_after: Duration::from_secs(60),
        adhoc_tenants_max: 2,
        source: None,
        tenants: [(tenant("acme"), acme), (tenant("beta"), TenantBudgets::default())].into(),
    }
}

pub(super) fn rows(window: &WindowView) -> String {
    let mut text = String::new();
    for row in &window.rows {
        let _ = writeln!(text, "{} {} {} {}", row.tenant, row.endpoint, row.family, row.count);
    }
    for (tenant, count) in &window.delivered {
        let _ = writeln!(text, "{tenant} delivered {count}");
    }
    text.trim_end().to_owned()
}

pub(super) fn said(finding: &Finding) -> String {
    match finding.answer {
        Answer::Ok => format!("ok: {}", finding.summary),
        Answer::Degraded => format!("degraded: {}", finding.summary),
        other => format!("{other:?}: {}", finding.summary),
    }
}
