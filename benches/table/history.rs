//! Ninety days of a busy node, written by readyd's own digest and store in virtual time.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use readyd::digest::{Digest, Settings, TenantBudgets, merge_window};
use readyd::history::Entry;
use readyd::ingest::delta::{Batch, CellCount, CellKey, Subject};
use readyd::ingest::hub::{Hub, HubSettings};
use readyd::readiness::snapshot::Transition;
use readyd::store::{Persist, Store, Writer};
use readyd::words::{Code, Instant, Now, ProbeName, TenantName, Via, Wall};

use crate::nodes::tenant;

const DAYS: i64 = 90;
const WINDOW: Duration = Duration::from_secs(300);
/// Level changes of each tenant: what a node keeps at most is 100 000 in all.
const TRANSITIONS_A_DAY: i64 = 10;
/// A tenant's deliveries fail in one window of so many.
const FAILS_EVERY: i64 = 4;
const LAST_COMMIT_MAX: Duration = Duration::from_secs(120);

/// Up to now, into a state directory that nobody uses.
pub fn write(state_dir: &Path, tenants: usize) {
    let now = readyd::clock::now();
    let days = Duration::from_secs(u64::try_from(DAYS).unwrap() * 86_400);
    let windows = days.as_secs() / WINDOW.as_secs();
    let names: Vec<TenantName> = (0..tenants)
        .map(|index| TenantName::parse(&tenant(index)).unwrap())
        .collect();
    let opened = Store::open(state_dir, merge_window, now.wall).unwrap();
    let settings = HubSettings {
        node: "bench".into(),
        peers: Default::default(),
    };
    let hub = Hub::new(settings, opened.producers, Box::new(|_, _| {}));
    let writer = Writer::start(opened.store, hub, Box::new(|_| {})).unwrap();
    // Virtual time begins with the host: an instant cannot lie before it.
    let began = now.wall.plus_millis(-i64::try_from(days.as_millis()).unwrap());
    let mut at = Now {
        at: Instant::from_millis(0),
        wall: began,
    };
    let mut digest = Digest::new(settings_of(&names), at);
    for window in 0..i64::try_from(windows).unwrap() {
        digest.fold(at, &failures(&names, window, at.wall));
        digest.roll(at, true);
        let fold = digest.checkpoint(at);
        let history = if window % (288 / TRANSITIONS_A_DAY) == 0 {
            transitions(&names, window, at.wall)
        } else {
            Vec::new()
        };
        writer.persist(Persist {
            ticket: u64::try_from(window).unwrap(),
            fold,
            history,
            ..Persist::default()
        });
        at = Now {
            at: at.at + WINDOW,
            wall: at.wall.plus_millis(300_000),
        };
    }
    assert!(writer.stop(LAST_COMMIT_MAX), "the store did not take it all");
}

fn settings_of(names: &[TenantName]) -> Settings {
    Settings {
        node: "bench".into(),
        boot: String::new(),
        budget: 30,
        tenant_budget: 300,
        stale_after: Duration::from_secs(900),
        adhoc_tenants_max: 64,
        source: None,
        tenants: names
            .iter()
            .map(|name| (name.clone(), TenantBudgets::default()))
            .collect(),
    }
}

fn failures(names: &[TenantName], window: i64, arrival: Wall) -> Batch {
    let failing = (0_i64..)
        .zip(names)
        .filter(|(index, _)| (index + window) % FAILS_EVERY == 0);
    let cell = |(_, tenant): (i64, &TenantName)| {
        let subject = Subject {
            tenant: tenant.clone(),
            endpoint: format!("https://hooks.example.net/v1/{tenant}/{}", window % 10).into(),
            gateway: Arc::from("gw-1"),
        };
        let key = CellKey {
            subject: Arc::new(subject),
            code: Code::Status(503),
            window: arrival.as_secs() / 300 * 300,
            live: true,
            via: Via::Socket,
        };
        let count = CellCount {
            count: 3,
            max_attempt: 2,
            first: arrival,
            last: arrival,
            sample: None,
        };
        (key, count)
    };
    Batch {
        log_id: window + 1,
        arrival,
        cells: failing.map(cell).collect(),
        reporters: Vec::new(),
        rejected: 0,
        marks: Vec::new(),
        lags: Vec::new(),
    }
}

fn transitions(names: &[TenantName], window: i64, at: Wall) -> Vec<Entry> {
    let (from, to) = if window % 2 == 0 {
        ("ok", "degraded")
    } else {
        ("degraded", "ok")
    };
    let transition = |tenant: &TenantName| Transition {
        at,
        tenant: Some(tenant.clone()),
        probe: ProbeName::parse("webhook-digest"),
        from: from.into(),
        to: to.into(),
        summary: "https://hooks.example.net/v1: 31 failures in 5 minutes, the budget is 30".into(),
        since: Some(at.plus_millis(-3_600_000)),
        last_good_at: Some(at.plus_millis(-1000)),
        first_bad_at: Some(at),
    };
    names.iter().map(transition).map(Entry::Change).collect()
}
