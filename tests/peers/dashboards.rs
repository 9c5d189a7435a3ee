//! The rules for Prometheus and the dashboards for Grafana that are shipped, held against promtool, Grafana's published types,
//! and a real Prometheus that scrapes a node in trouble.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::prometheus::report_failures;
use crate::harness::prometheus::Prometheus;
use crate::harness::{Node, PATIENCE, peer, repository};

const RULES: [&str; 3] = ["recording.yml", "alerts.yml", "alerts_test.yml"];
const DASHBOARDS: [&str; 2] = ["node.json", "fleet.json"];

#[test]
fn promtool_accepts_the_rules_and_each_alert_fires_when_it_should() {
    let Some(promtool) = peer("promtool", &["/usr/bin/promtool"]) else {
        return;
    };
    for args in [
        ["check", "rules", "recording.yml", "alerts.yml"].as_slice(),
        ["test", "rules", "alerts_test.yml"].as_slice(),
    ] {
        let output = Command::new(&promtool)
            .args(args)
            .current_dir(directory())
            .output()
            .unwrap();
        assert!(output.status.success(), "{args:?}: {output:?}");
    }
}

#[test]
fn every_metric_the_rules_name_is_one_a_node_serves() {
    let node = Node::start("tenants: {acme: {required: true}}\nprobes: {doctor: {enabled: false}}\n");
    let metrics = node.get("/metrics").body;
    let served: BTreeSet<&str> = metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .collect();
    for file in RULES.into_iter().chain(DASHBOARDS) {
        let text = fs::read_to_string(directory().join(file)).unwrap();
        let named = text
            .split(|character: char| !(character.is_ascii_alphanumeric() || "_:".contains(character)))
            .filter(|word| word.starts_with("readyd_"));
        for name in named {
            let family = ["_count", "_bucket"]
                .iter()
                .find_map(|suffix| name.strip_suffix(suffix));
            assert!(
                served.contains(name) || family.is_some_and(|family| served.contains(family)),
                "{file} names {name}, which no node serves"
            );
        }
    }
}

#[test]
fn every_panel_has_data_of_a_node_in_trouble() {
    let Some(prometheus) = peer("prometheus", &["/usr/bin/prometheus"]) else {
        return;
    };
    let state = tempfile::tempdir().unwrap();
    let queue = state.path().join("delivery-queue");
    fs::create_dir(&queue).unwrap();
    fs::write(queue.join("one.json"), "{}").unwrap();
    // A probe that starts a process and one that cannot be asked, as `doctor` would be.
    let node = Node::prepared(&format!(
        "openclaw: {{dialect: article}}\ntenants: {{acme: {{state_dir: {}}}}}\nprobes:\n  doctor: {{enabled: false}}\n  \
         plugin: {{kind: exec, scope: node, command: [/bin/sh, -c, 'exit 1'], every: 1s}}\n",
        state.path().display()
    ))
    .started();
    report_failures(&node, 12);
    node.until("/v1/checks/plugin", PATIENCE, |answer| {
        answer.json()["level"] != "pending"
    });
    let prometheus = Prometheus::start(&prometheus, &node, "");
    for file in DASHBOARDS {
        let dashboard = read(file);
        for (title, query) in queries(&dashboard) {
            prometheus.until(&query, |values| values.iter().any(|value| value != "NaN"));
            println!("{file}: {title}: has data");
        }
        for variable in dashboard["templating"]["list"].as_array().unwrap() {
            let Some(query) = variable["query"]["query"].as_str() else {
                continue;
            };
            let series = query
                .strip_prefix("label_values(")
                .and_then(|rest| rest.rsplit_once(", "))
                .unwrap()
                .0;
            prometheus.until(&filled(series), |values| !values.is_empty());
        }
    }
}

#[test]
fn grafana_knows_every_field_of_the_dashboards() {
    let tools = repository().join("target/tools/grafana");
    let Some(tsc) = peer("tsc", &[tools.join("node_modules/.bin/tsc").to_str().unwrap()]) else {
        return;
    };
    // Enumerations are words in JSON; a query's fields are its data source's own.
    let mut program = String::from(
        "import type { AnnotationQuery, Dashboard, DataQuery } from '@grafana/schema';\n\
         type Words<T> = T extends string ? `${T}` : T extends number ? T : T extends (infer U)[] ? Words<U>[] :\n  \
         T extends object ? { [K in keyof T]: Words<T[K]> } : T;\n\
         type Annotation = Words<AnnotationQuery<DataQuery & { expr: string; legendFormat?: string }>>;\n\
         type Shipped = Omit<Words<Dashboard>, 'annotations'> & { annotations: { list: Annotation[] } };\n",
    );
    for (index, file) in DASHBOARDS.iter().enumerate() {
        program.push_str(&format!("export const dashboard{index}: Shipped = {};\n", read(file)));
    }
    // Beside the packages, where the compiler looks for them.
    let dir = tempfile::tempdir_in(&tools).unwrap();
    let source = dir.path().join("dashboards.ts");
    fs::write(&source, program).unwrap();
    let output = Command::new(tsc)
        .args(["--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext"])
        .arg(&source)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

fn read(file: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(directory().join(file)).unwrap()).unwrap()
}

/// Every query of every panel with the panel's title, for all nodes and tenants.
fn queries(dashboard: &Value) -> Vec<(String, String)> {
    let mut queries = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            let title = panel["title"].as_str().unwrap().to_owned();
            queries.push((title, filled(target["expr"].as_str().unwrap())));
        }
    }
    assert!(queries.len() > 10);
    queries
}

fn filled(query: &str) -> String {
    let of = [("$node", ".*"), ("$tenant", ".*"), ("$__rate_interval", "10s")];
    of.iter()
        .fold(query.to_owned(), |query, (name, value)| query.replace(name, value))
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards")
}
