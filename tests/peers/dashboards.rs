//! The rules that are shipped for Prometheus, held against promtool and a running node.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{Node, peer};

const FILES: [&str; 3] = ["recording.yml", "alerts.yml", "alerts_test.yml"];

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
    for file in FILES {
        let text = fs::read_to_string(directory().join(file)).unwrap();
        let named = text
            .split(|character: char| !(character.is_ascii_alphanumeric() || "_:".contains(character)))
            .filter(|word| word.starts_with("readyd_"));
        for name in named {
            let family = name.strip_suffix("_count").unwrap_or(name);
            assert!(
                served.contains(name) || served.contains(family),
                "{file} names {name}, which no node serves"
            );
        }
    }
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("dashboards")
}
