//! `/metrics` of a real daemon against the list that users were promised: names, kinds, labels, zeros.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};

use crate::harness::{Node, PATIENCE};

/// Name (without `readyd_`), kind, labels.
const PROMISED: &[(&str, &str, &[&str])] = &[
    ("build_info", "gauge", &["version"]),
    ("status", "gauge", &["status"]),
    ("tenant_status", "gauge", &["tenant", "status"]),
    ("check_level", "gauge", &["check", "tenant"]),
    ("check_last_run_timestamp_seconds", "gauge", &["check", "tenant"]),
    ("probe_duration_seconds", "histogram", &["probe"]),
    ("probe_cpu_seconds_total", "counter", &["probe"]),
    ("probe_peak_rss_bytes", "gauge", &["probe"]),
    ("probe_failures_total", "counter", &["probe", "cause"]),
    ("webhook_failures_total", "counter", &["tenant", "family"]),
    ("webhook_delivered_total", "counter", &["tenant"]),
    ("digest_rolled_timestamp_seconds", "gauge", &[]),
    ("digest_rows", "gauge", &[]),
    ("events_received_total", "counter", &[]),
    ("events_rejected_total", "counter", &["reason"]),
    ("events_late_total", "counter", &[]),
    ("events_duplicate_total", "counter", &[]),
    ("events_gap_total", "counter", &[]),
    ("ingest_commit_seconds", "histogram", &[]),
    ("ingest_connections", "gauge", &["mode"]),
    ("disk_free_bytes", "gauge", &["path"]),
    ("disk_free_ratio", "gauge", &["path"]),
    ("queue_depth", "gauge", &["queue", "tenant"]),
    ("queue_oldest_age_seconds", "gauge", &["queue", "tenant"]),
    ("maintenance_active", "gauge", &["tenant"]),
    ("draining", "gauge", &[]),
    ("config_reload_success_timestamp_seconds", "gauge", &[]),
    ("slo_target_ratio", "gauge", &["tenant"]),
    ("slo_budget_remaining_ratio", "gauge", &["tenant"]),
    ("slo_burn_rate", "gauge", &["tenant", "over"]),
    ("http_request_duration_seconds", "histogram", &["route", "code"]),
];

/// Label name → value.
type Labels = BTreeMap<String, String>;

struct Scrape {
    kinds: BTreeMap<String, String>,
    /// Family → its samples. Those of a histogram stand under its name, without `le`.
    samples: BTreeMap<String, Vec<(Labels, f64)>>,
}

impl Scrape {
    fn of(node: &Node) -> Scrape {
        let answer = node.get("/metrics");
        assert_eq!(
            answer.header("content-type"),
            Some("text/plain; version=0.0.4; charset=utf-8")
        );
        let mut scrape = Scrape {
            kinds: BTreeMap::new(),
            samples: BTreeMap::new(),
        };
        for line in answer.body.lines() {
            if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').unwrap();
                let before = scrape.kinds.insert(name.to_owned(), kind.to_owned());
                assert_eq!(before, None, "{name} stands there twice");
            } else if !line.starts_with('#') {
                scrape.sample(line);
            }
        }
        scrape
    }

    fn sample(&mut self, line: &str) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let mut labels: Labels = labels
            .trim_end_matches('}')
            .split_terminator("\",")
            .map(|label| label.split_once("=\"").unwrap())
            .map(|(name, value)| (name.to_owned(), value.trim_end_matches('"').to_owned()))
            .collect();
        labels.remove("le");
        let family = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|suffix| name.strip_suffix(suffix).filter(|name| self.kinds.contains_key(*name)))
            .unwrap_or(name);
        let samples = self.samples.entry(family.to_owned()).or_default();
        samples.push((labels, value.parse().unwrap()));
    }

    fn family(&self, name: &str) -> &[(Labels, f64)] {
        self.samples.get(&format!("readyd_{name}")).map_or(&[], Vec::as_slice)
    }

    fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let found = self.family(name).iter().find(|(have, _)| {
            labels
                .iter()
                .all(|(name, value)| have.get(*name).is_some_and(|is| is == value))
        });
        found.unwrap_or_else(|| panic!("no {name} {labels:?}")).1
    }

    fn label_values(&self, name: &str, label: &str) -> BTreeSet<&str> {
        self.family(name)
            .iter()
            .map(|(labels, _)| labels[label].as_str())
            .collect()
    }
}

fn node() -> Node {
    let node = Node::prepared("");
    let queue = node.dir.path().join("queue");
    std::fs::create_dir(&queue).unwrap();
    std::fs::write(queue.join("one.json"), "{}").unwrap();
    node.configure(&format!(
        "tenants: {{acme: {{}}, beta: {{}}}}\nslo: {{target: 99%}}\nprobes: {{doctor: {{enabled: false}}, queue: {{paths: [{}]}}}}\n",
        queue.display()
    ));
    let node = node.started();
    node.until("/metrics", PATIENCE, |answer| {
        let wanted = [
            "readyd_queue_depth{",
            "readyd_disk_free_bytes{",
            "readyd_slo_burn_rate{",
        ];
        wanted.iter().all(|name| answer.body.contains(name))
    });
    node
}

#[test]
fn every_promised_name_is_there_from_the_start_with_its_kind_and_labels_and_no_other_of_ours() {
    let scrape = Scrape::of(&node());
    for (name, kind, labels) in PROMISED {
        assert_eq!(
            scrape.kinds.get(&format!("readyd_{name}")).map(String::as_str),
            Some(*kind),
            "{name}"
        );
        let samples = scrape.family(name);
        assert!(!samples.is_empty(), "{name} has no sample");
        let promised: BTreeSet<&str> = labels.iter().copied().collect();
        for (labels, _) in samples {
            let has: BTreeSet<&str> = labels.keys().map(String::as_str).collect();
            assert_eq!(has, promised, "{name}");
        }
    }
    let ours = scrape.kinds.keys().filter_map(|name| name.strip_prefix("readyd_"));
    let more: Vec<&str> = ours
        .filter(|name| PROMISED.iter().all(|(promised, ..)| promised != name))
        .collect();
    assert!(more.is_empty(), "not in the list: {more:?}");
    if cfg!(target_os = "linux") {
        for name in [
            "process_cpu_seconds_total",
            "process_resident_memory_bytes",
            "process_open_fds",
        ] {
            assert!(scrape.kinds.contains_key(name), "{name}");
        }
    }
}

#[test]
fn counters_stand_at_zero_before_anything_happens_under_every_label_they_can_have() {
    let scrape = Scrape::of(&node());
    let set = |values: &[&'static str]| values.iter().copied().collect::<BTreeSet<_>>();
    assert_eq!(
        scrape.label_values("events_rejected_total", "reason"),
        set(&[
            "too_long",
            "not_json",
            "not_utf8",
            "bad_field",
            "missing_field",
            "tenant_not_allowed",
            "not_increasing",
            "store"
        ])
    );
    let families = set(&[
        "3xx", "4xx", "5xx", "timeout", "connect", "tls", "dns", "blocked", "other",
    ]);
    assert_eq!(scrape.label_values("webhook_failures_total", "family"), families);
    assert_eq!(
        scrape.label_values("webhook_failures_total", "tenant"),
        set(&["acme", "beta"])
    );
    assert_eq!(
        scrape.label_values("webhook_delivered_total", "tenant"),
        set(&["acme", "beta"])
    );
    assert_eq!(
        scrape.label_values("ingest_connections", "mode"),
        set(&["plain", "acknowledged"])
    );
    assert_eq!(
        scrape.label_values("status", "status"),
        set(&["ok", "degraded", "down"])
    );
    assert_eq!(
        scrape.label_values("tenant_status", "status"),
        set(&["ok", "degraded", "down"])
    );
    for (name, kind, _) in PROMISED {
        let moves = ["probe_cpu_seconds_total"];
        if *kind == "counter" && !moves.contains(name) {
            for (labels, value) in scrape.family(name) {
                assert!(value.abs() < f64::EPSILON, "{name} {labels:?} is {value}");
            }
        }
    }
}

#[test]
fn what_happens_to_events_is_counted_under_its_own_name() {
    let node = node();
    let hello = r#"{"hello":{"producer":"gw-1"}}"#;
    let event =
        |seq: u64, more: &str| format!(r#"{{"tenant":"acme","endpoint":"crm","status":503,"seq":{seq}{more}}}"#);
    let say = |lines: &[String]| {
        let stream = node.events();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut writer = stream.try_clone().unwrap();
        for line in lines {
            writeln!(writer, "{line}").unwrap();
        }
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        BufReader::new(stream).lines().map_while(Result::ok).last().unwrap()
    };
    assert_eq!(say(&[hello.into(), event(1, ""), event(4, "")]), r#"{"ack":4}"#);
    // Two repeats, an order that is none, and an event of a week ago, which no window takes.
    let long_ago = r#","ts":"2020-01-01T00:00:00Z""#;
    let last = say(&[
        hello.into(),
        event(3, ""),
        event(4, ""),
        event(2, ""),
        event(5, long_ago),
    ]);
    assert_eq!(last, r#"{"ack":5}"#);
    node.until("/metrics", PATIENCE, |answer| {
        answer.body.contains("readyd_events_late_total 1\n")
    });
    let scrape = Scrape::of(&node);
    let count = |name: &str| scrape.value(name, &[]);
    assert_eq!(count("events_received_total"), 6.0);
    assert_eq!(count("events_duplicate_total"), 2.0);
    assert_eq!(count("events_gap_total"), 2.0);
    assert_eq!(count("events_late_total"), 1.0);
    assert_eq!(
        scrape.value("events_rejected_total", &[("reason", "not_increasing")]),
        1.0
    );
    assert_eq!(
        scrape.value("webhook_failures_total", &[("tenant", "acme"), ("family", "5xx")]),
        3.0
    );
    let digest = node.get("/v1/webhook-digest").json();
    assert_eq!(digest["dropped"]["late"], 1, "{digest:#}");
    assert_eq!(digest["dropped"]["rejected"], 1, "{digest:#}");
    assert_eq!(digest["totals"]["failures"], 2, "history is no storm: {digest:#}");
}
