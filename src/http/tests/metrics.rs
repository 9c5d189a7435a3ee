#![expect(clippy::disallowed_methods, reason = "specs: Prometheus' own linter")]

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use super::build::{Build, degraded, operation, tenant};
use prometheus::{Histogram, HistogramOpts};

use crate::digest::Counts;
use crate::http::board::Board;
use crate::http::metrics::{IngestCounts, Metrics};
use crate::readiness::snapshot::Snapshot;
use crate::words::{Cause, Cost, Family, Finding, Level, ProbeName, Reject};

/// What a store would observe its commits in.
pub(super) fn commits() -> Histogram {
    let options = HistogramOpts::new("readyd_ingest_commit_seconds", "Time to commit.");
    Histogram::with_opts(options.buckets(vec![0.01, 1.0])).unwrap()
}

fn metrics() -> Metrics {
    Metrics::new(
        Arc::new(|| IngestCounts {
            received: 7,
            rejected: [1; Reject::ALL.len()],
            connections_plain: 2,
            ..IngestCounts::default()
        }),
        commits(),
    )
    .unwrap()
}

fn scrape(metrics: &Metrics, snapshot: Snapshot, webhooks: Counts) -> String {
    let board = Board::new(Arc::new(snapshot), Arc::new(webhooks));
    metrics.render(&board.read())
}

/// Samples whose line begins so, as they stand.
fn samples<'t>(text: &'t str, prefix: &str) -> Vec<&'t str> {
    text.lines().filter(|line| line.starts_with(prefix)).collect()
}

fn with_measurements() -> Snapshot {
    let mut disk = Finding::ok("40 GiB free");
    disk.measure("disk_free_bytes", "/var \"x\"\\y", 42_949_672_960.0);
    disk.measure("disk_free_ratio", "/var", 0.25);
    disk.measure("something_else", "/var", 1.0);
    let mut queue = Finding::ok("short");
    queue.measure("queue_depth", "delivery", 12.0);
    queue.measure("queue_oldest_age_seconds", "delivery", 3.5);
    let (disk, queue) = (Arc::new(disk), Arc::new(queue));
    degraded()
        .check("write", Level::Ok, "written")
        .check("queue@acme", Level::Ok, "short")
        .with(|snapshot| {
            for check in &mut snapshot.checks {
                match check.id.to_string().as_str() {
                    // Two checks that measure one path make one sample.
                    "disk" | "write" => check.finding = Some(Arc::clone(&disk)),
                    "queue@acme" => check.finding = Some(Arc::clone(&queue)),
                    _ => {}
                }
            }
            snapshot.tenants.get_mut(&tenant("beta")).unwrap().maintenance = Some(operation("migration"));
        })
        .done()
}

#[test]
fn state_is_read_off_the_snapshot() {
    let text = scrape(&metrics(), with_measurements(), Counts::default());
    assert_eq!(
        samples(&text, "readyd_status"),
        [
            "readyd_status{status=\"ok\"} 0",
            "readyd_status{status=\"degraded\"} 1",
            "readyd_status{status=\"down\"} 0"
        ]
    );
    assert_eq!(
        samples(&text, "readyd_tenant_status{tenant=\"beta\""),
        [
            "readyd_tenant_status{tenant=\"beta\",status=\"ok\"} 1",
            "readyd_tenant_status{tenant=\"beta\",status=\"degraded\"} 0",
            "readyd_tenant_status{tenant=\"beta\",status=\"down\"} 0"
        ]
    );
    assert_eq!(
        samples(&text, "readyd_check_level{check=\"doctor\""),
        [
            "readyd_check_level{check=\"doctor\",tenant=\"acme\"} 1",
            "readyd_check_level{check=\"doctor\",tenant=\"beta\"} 0"
        ]
    );
    assert_eq!(
        samples(&text, "readyd_check_last_run_timestamp_seconds{check=\"disk\""),
        ["readyd_check_last_run_timestamp_seconds{check=\"disk\",tenant=\"\"} 1795159855"]
    );
    assert_eq!(
        samples(&text, "readyd_maintenance_active"),
        [
            "readyd_maintenance_active{tenant=\"acme\"} 0",
            "readyd_maintenance_active{tenant=\"beta\"} 1"
        ]
    );
    assert_eq!(samples(&text, "readyd_draining"), ["readyd_draining 0"]);
    assert_eq!(
        samples(&text, "readyd_build_info"),
        ["readyd_build_info{version=\"0.1.0\"} 1"]
    );
    assert_eq!(
        samples(&text, "readyd_config_reload_success_timestamp_seconds"),
        ["readyd_config_reload_success_timestamp_seconds 1795156267"]
    );
}

#[test]
fn measurements_of_findings_are_gauges_each_once_and_escaped() {
    let text = scrape(&metrics(), with_measurements(), Counts::default());
    assert_eq!(
        samples(&text, "readyd_disk_free"),
        [
            r#"readyd_disk_free_bytes{path="/var \"x\"\\y"} 42949672960"#,
            r#"readyd_disk_free_ratio{path="/var"} 0.25"#,
        ]
    );
    assert_eq!(
        samples(&text, "readyd_queue_"),
        [
            r#"readyd_queue_depth{queue="delivery",tenant="acme"} 12"#,
            r#"readyd_queue_oldest_age_seconds{queue="delivery",tenant="acme"} 3.5"#,
        ]
    );
}

#[test]
fn counters_stand_at_zero_from_the_start() {
    let text = scrape(&metrics(), degraded().done(), Counts::default());
    for (prefix, count) in [
        ("readyd_webhook_failures_total{", 2 * Family::ALL.len()),
        ("readyd_webhook_delivered_total{", 2),
        // disk and doctor
        ("readyd_probe_failures_total{", 2 * Cause::ALL.len()),
        ("readyd_probe_cpu_seconds_total{", 2),
        ("readyd_probe_duration_seconds_count{", 2),
        (
            "readyd_http_request_duration_seconds_count{route=\"/ready\",code=\"200\"} 0",
            0,
        ),
        ("readyd_ingest_commit_seconds_count 0", 1),
        ("readyd_events_late_total 0", 1),
        ("readyd_events_duplicate_total 0", 1),
        ("readyd_events_gap_total 0", 1),
    ] {
        if count > 0 {
            let found = samples(&text, prefix);
            assert_eq!(found.len(), count, "{prefix} {found:#?}");
            assert!(found.iter().all(|sample| sample.ends_with(" 0")), "{found:#?}");
        }
    }
    assert!(text.contains("code=\"200\",route=\"/ready\"} 0") || text.contains("route=\"/ready\",code=\"200\"} 0"));
    assert_eq!(samples(&text, "readyd_events_rejected_total{").len(), Reject::ALL.len());
    assert_eq!(
        samples(&text, "readyd_events_received_total"),
        ["readyd_events_received_total 7"]
    );
    assert_eq!(
        samples(&text, "readyd_ingest_connections"),
        [
            "readyd_ingest_connections{mode=\"plain\"} 2",
            "readyd_ingest_connections{mode=\"acknowledged\"} 0"
        ]
    );
}

#[test]
fn webhooks_of_tenants_that_nobody_configured_are_counted_too() {
    let webhooks = Counts {
        failures: BTreeMap::from([((tenant("stranger"), Family::ServerError), 500)]),
        delivered: BTreeMap::from([(tenant("acme"), 12_000)]),
        ..Counts::default()
    };
    let text = scrape(&metrics(), degraded().done(), webhooks);
    assert!(text.contains("readyd_webhook_failures_total{tenant=\"stranger\",family=\"5xx\"} 500\n"));
    assert!(text.contains("readyd_webhook_failures_total{tenant=\"stranger\",family=\"dns\"} 0\n"));
    assert!(text.contains("readyd_webhook_delivered_total{tenant=\"acme\"} 12000\n"));
}

#[test]
fn a_run_is_observed_with_its_cost_and_its_failure() {
    let metrics = metrics();
    let cost = Cost {
        wall: Duration::from_millis(1500),
        cpu: Duration::from_millis(700),
        peak_rss_bytes: 1 << 20,
    };
    let doctor = ProbeName::parse("doctor").unwrap();
    metrics
        .probes
        .observe(&doctor, &Finding::unknown(Cause::Timeout, "too slow"), &cost);
    metrics.probes.observe(&doctor, &Finding::ok("well"), &cost);
    // Another tenant's, answered without a process: no peak of one.
    metrics
        .probes
        .observe(&doctor, &Finding::ok("not asked"), &Cost::default());
    let text = scrape(&metrics, Build::node().done(), Counts::default());
    for sample in [
        "readyd_probe_duration_seconds_sum{probe=\"doctor\"} 3",
        "readyd_probe_duration_seconds_count{probe=\"doctor\"} 3",
        "readyd_probe_cpu_seconds_total{probe=\"doctor\"} 1.4",
        "readyd_probe_peak_rss_bytes{probe=\"doctor\"} 1048576",
        "readyd_probe_failures_total{cause=\"timeout\",probe=\"doctor\"} 1",
        "readyd_probe_failures_total{cause=\"spawn\",probe=\"doctor\"} 0",
    ] {
        assert!(text.lines().any(|line| line == sample), "{sample}\n{text}");
    }
}

#[test]
fn every_name_of_the_contract_is_there() {
    let text = scrape(&metrics(), with_measurements(), Counts::default());
    let kinds = "
        build_info gauge
        status gauge
        tenant_status gauge
        check_level gauge
        check_last_run_timestamp_seconds gauge
        probe_duration_seconds histogram
        probe_cpu_seconds_total counter
        probe_peak_rss_bytes gauge
        probe_failures_total counter
        webhook_failures_total counter
        webhook_delivered_total counter
        digest_rolled_timestamp_seconds gauge
        digest_rows gauge
        events_received_total counter
        events_rejected_total counter
        events_late_total counter
        events_duplicate_total counter
        events_gap_total counter
        ingest_commit_seconds histogram
        ingest_connections gauge
        disk_free_bytes gauge
        disk_free_ratio gauge
        queue_depth gauge
        queue_oldest_age_seconds gauge
        maintenance_active gauge
        draining gauge
        config_reload_success_timestamp_seconds gauge
        http_request_duration_seconds histogram";
    for family in kinds.lines().map(str::trim).filter(|family| !family.is_empty()) {
        assert!(text.contains(&format!("# TYPE readyd_{family}\n")), "{family}");
    }
    #[cfg(target_os = "linux")]
    assert!(text.contains("# TYPE process_resident_memory_bytes gauge\n"));
}

/// Prometheus' own linter, where it is installed; on CI it must be.
#[test]
fn promtool_has_nothing_to_complain_about() {
    let metrics = metrics();
    metrics.answered("/ready", "200", Duration::from_micros(80));
    let text = scrape(&metrics, with_measurements(), Counts::default());
    let mut promtool = Command::new("promtool");
    let spawned = promtool
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(why) => {
            assert!(std::env::var_os("CI").is_none(), "promtool must be there on CI: {why}");
            eprintln!("not checked: promtool is not installed (Debian: prometheus)");
            return;
        }
    };
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success() && said.trim().is_empty(), "{said}");
}
