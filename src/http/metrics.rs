//! `GET /metrics`: what the snapshot says as samples, and the histograms and counters that live here.
//!
//! Samples about state are written from the snapshot at each scrape, so they cannot disagree with
//! `/ready` and no series of a removed tenant or check is left behind. Only what accumulates between
//! scrapes is kept in `prometheus` vectors. `process_*` comes from that crate, on Linux only: on
//! macOS it is absent.

mod exposition;
mod state;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use prometheus::{
    CounterVec, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry, TextEncoder,
};

use super::board::Published;
use super::route;
use crate::history::Budget;
use crate::words::{Cause, Cost, Finding, ProbeName, Reject, TenantName};
use exposition::{Exposition, Kind};

/// The version of the text format that is answered.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Ingest's counters since the start of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IngestCounts {
    pub received: u64,
    /// In the order of [`Reject::ALL`].
    pub rejected: [u64; Reject::ALL.len()],
    /// Repeats in acknowledged mode.
    pub duplicate: u64,
    /// Sequence numbers that were left out.
    pub gap: u64,
    /// Open connections now.
    pub connections_plain: u64,
    pub connections_acknowledged: u64,
}

/// Reads ingest's counters; must not block.
pub type ReadIngest = Arc<dyn Fn() -> IngestCounts + Send + Sync>;

/// Everything behind `/metrics`. Cheap to clone: clones share their counters.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    pub probes: ProbeMetrics,
    http_seconds: HistogramVec,
    ingest: ReadIngest,
    /// As last read from the record.
    pub budgets: Arc<ArcSwap<Budgets>>,
}

/// Of tenants that promise something.
pub type Budgets = BTreeMap<TenantName, Budget>;

/// What runs of probes cost and how they failed.
#[derive(Clone, Debug)]
pub struct ProbeMetrics {
    seconds: HistogramVec,
    cpu_seconds: CounterVec,
    peak_rss: GaugeVec,
    failures: IntCounterVec,
}

impl Metrics {
    /// `commit_seconds`: as the store observes it.
    ///
    /// # Errors
    /// Never, unless two names below are the same.
    pub fn new(ingest: ReadIngest, commit_seconds: Histogram) -> Result<Metrics, prometheus::Error> {
        let registry = Registry::new();
        let http_seconds = HistogramVec::new(
            HistogramOpts::new(
                "readyd_http_request_duration_seconds",
                "Time to answer an HTTP request, by route and status code.",
            )
            .buckets(vec![0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0]),
            &["route", "code"],
        )?;
        registry.register(Box::new(commit_seconds))?;
        registry.register(Box::new(http_seconds.clone()))?;
        let probes = ProbeMetrics::new(&registry)?;
        for pattern in route::patterns() {
            // What each route answers when all is well; other codes appear when they happen.
            let code = if pattern == route::OTHER { "404" } else { "200" };
            http_seconds.with_label_values(&[pattern, code]);
        }
        #[cfg(target_os = "linux")]
        registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        Ok(Metrics {
            registry,
            probes,
            http_seconds,
            ingest,
            budgets: Arc::default(),
        })
    }

    /// One answered request. `route` is a pattern of the table, never a path; `code` is three digits.
    pub fn answered(&self, route: &'static str, code: &str, took: Duration) {
        self.answers(route, code).observe(took.as_secs_f64());
    }

    /// Where answers of one kind are counted, for who counts many.
    pub fn answers(&self, route: &'static str, code: &str) -> Histogram {
        self.http_seconds.with_label_values(&[route, code])
    }

    /// The text of one scrape.
    pub fn render(&self, published: &Published) -> String {
        let snapshot = &published.snapshot;
        for check in &snapshot.checks {
            self.probes.known(&check.id.probe);
        }
        let mut out = Exposition::default();
        state::node(&mut out, snapshot);
        state::checks(&mut out, snapshot);
        state::measurements(&mut out, snapshot);
        state::webhooks(&mut out, published);
        state::budgets(&mut out, snapshot, &self.budgets.load());
        self.ingest(&mut out, published.counts.late);
        let mut text = out.finish();
        if let Err(why) = TextEncoder::new().encode_utf8(&self.registry.gather(), &mut text) {
            tracing::warn!(%why, "some metrics could not be written");
        }
        text
    }

    fn ingest(&self, out: &mut Exposition, late: u64) {
        let counts = (self.ingest)();
        let counters = [
            (
                "readyd_events_received_total",
                "Event lines read on events.sock.",
                counts.received,
            ),
            (
                "readyd_events_late_total",
                "Events that came too late for their aligned window.",
                late,
            ),
            (
                "readyd_events_duplicate_total",
                "Repeated events that were recognised and not counted.",
                counts.duplicate,
            ),
            (
                "readyd_events_gap_total",
                "Sequence numbers that a producer left out.",
                counts.gap,
            ),
        ];
        for (name, help, value) in counters {
            out.family(name, Kind::Counter, help)
                .sample(&[], exposition::count(value));
        }
        let rejected = "Event lines that were refused, by reason.";
        let mut family = out.family("readyd_events_rejected_total", Kind::Counter, rejected);
        for (reason, count) in Reject::ALL.into_iter().zip(counts.rejected) {
            family.sample(&[("reason", reason.as_str())], exposition::count(count));
        }
        let connections = "Open connections on events.sock, by mode.";
        let mut family = out.family("readyd_ingest_connections", Kind::Gauge, connections);
        family.sample(&[("mode", "plain")], exposition::count(counts.connections_plain));
        family.sample(
            &[("mode", "acknowledged")],
            exposition::count(counts.connections_acknowledged),
        );
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl ProbeMetrics {
    fn new(registry: &Registry) -> Result<ProbeMetrics, prometheus::Error> {
        let seconds = HistogramVec::new(
            HistogramOpts::new(
                "readyd_probe_duration_seconds",
                "Time from asking a probe to its answer.",
            )
            .buckets(vec![
                0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0,
            ]),
            &["probe"],
        )?;
        let cpu_seconds = CounterVec::new(
            Opts::new(
                "readyd_probe_cpu_seconds_total",
                "User and system CPU time of a probe's processes.",
            ),
            &["probe"],
        )?;
        let peak_rss = GaugeVec::new(
            Opts::new(
                "readyd_probe_peak_rss_bytes",
                "Peak resident memory of a probe's last run; 0 for native probes.",
            ),
            &["probe"],
        )?;
        let failures = IntCounterVec::new(
            Opts::new(
                "readyd_probe_failures_total",
                "Runs in which a probe could not ask, by cause.",
            ),
            &["probe", "cause"],
        )?;
        registry.register(Box::new(seconds.clone()))?;
        registry.register(Box::new(cpu_seconds.clone()))?;
        registry.register(Box::new(peak_rss.clone()))?;
        registry.register(Box::new(failures.clone()))?;
        Ok(ProbeMetrics {
            seconds,
            cpu_seconds,
            peak_rss,
            failures,
        })
    }

    /// One run that has ended.
    pub fn observe(&self, probe: &ProbeName, finding: &Finding, cost: &Cost) {
        self.known(probe);
        let probe = probe.as_str();
        self.seconds
            .with_label_values(&[probe])
            .observe(cost.wall.as_secs_f64());
        self.cpu_seconds
            .with_label_values(&[probe])
            .inc_by(cost.cpu.as_secs_f64());
        // What was answered without a process says nothing of what one takes.
        if cost.peak_rss_bytes > 0 {
            #[expect(clippy::cast_precision_loss, reason = "bytes of memory are below 2^53")]
            self.peak_rss
                .with_label_values(&[probe])
                .set(cost.peak_rss_bytes as f64);
        }
        if let Some(cause) = finding.cause {
            self.failures.with_label_values(&[probe, cause.as_str()]).inc();
        }
    }

    /// Counters stand at zero from the moment their probe is known, so that the first failure is an increase.
    fn known(&self, probe: &ProbeName) {
        let probe = probe.as_str();
        self.seconds.with_label_values(&[probe]);
        self.cpu_seconds.with_label_values(&[probe]);
        self.peak_rss.with_label_values(&[probe]);
        for cause in Cause::ALL {
            self.failures.with_label_values(&[probe, cause.as_str()]);
        }
    }
}
