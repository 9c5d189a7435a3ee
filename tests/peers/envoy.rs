//! A real Envoy with the configuration that ships: a host that is down or drained is out and comes back, and a degraded one is
//! there for when too few are ok.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::balancer::{Balancer, Host, assert_well, python_tool, shipped, with};
use crate::harness::{PATIENCE, free_port};

/// A probe of the host whose answer is whether a file is there.
struct Lamp(PathBuf);

impl Lamp {
    fn in_front_of(host: &Host) -> Lamp {
        let dir = host.node.dir.path();
        let lamp = Lamp(dir.join("lit"));
        lamp.lit();
        let probe = format!(
            "name: lamp\nlayer: runtime\nscope: node\nkind: exec\ncommand: [/usr/bin/test, -e, {}]\nparse: exit-code\n\
             every: 1s\ntimeout: 1s\nretry_every: 200ms\n",
            lamp.0.display()
        );
        fs::write(dir.join("probes.d/lamp.yaml"), probe).unwrap();
        host.node.cli_ok(&["reload"]);
        host.node.until("/v1/checks/lamp", PATIENCE, |answer| {
            answer.status == 200 && answer.json()["level"] == "ok"
        });
        lamp
    }

    fn lit(&self) {
        fs::write(&self.0, "").unwrap();
    }

    fn dark(&self) {
        fs::remove_file(&self.0).unwrap();
    }
}

fn configuration(dir: &Path, port: u16, hosts: [&Host; 2]) -> PathBuf {
    let at = |host: &Host| format!("{{address: 127.0.0.1, port_value: {}}}", host.backend.port);
    let text = with(
        &shipped("envoy/envoy.yaml"),
        &[
            (
                "{address: 0.0.0.0, port_value: 80}",
                format!("{{address: 127.0.0.1, port_value: {port}}}"),
            ),
            ("{address: 10.0.0.11, port_value: 18789}", at(hosts[0])),
            ("{address: 10.0.0.12, port_value: 18789}", at(hosts[1])),
        ],
    );
    // The readyd of each host, in the order of the file.
    let mut parts = text.split("port_value: 9099");
    let mut put = parts.next().unwrap().to_owned();
    for (part, host) in parts.zip(hosts) {
        put.push_str(&format!("port_value: {}{part}", host.node.port));
    }
    let config = dir.join("envoy.yaml");
    fs::write(&config, put).unwrap();
    config
}

#[test]
fn envoy_takes_a_host_out_and_back_and_leaves_a_degraded_one_in_reserve() {
    let Some(envoy) = python_tool("envoy") else {
        return;
    };
    let command = |config: &Path, arguments: &[&str]| {
        let mut command = Command::new(&envoy);
        command
            .args(["--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"])
            .args(arguments)
            .arg("-c")
            .arg(config);
        command
    };
    let (mut one, two) = (Host::new("one"), Host::new("two"));
    let lamp = Lamp::in_front_of(&one);
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let config = configuration(dir.path(), port, [&one, &two]);
    assert_well(&command(&config, &["--mode", "validate"]).output().unwrap());
    let balancer = Balancer::start(command(&config, &[]), port, dir);
    balancer.until("both hosts serve alike", |one, two| one == two);

    lamp.dark();
    balancer.until("a host that is down serves nobody", |one, _| one == 0);
    lamp.lit();
    balancer.until("back again", |one, two| one == two);

    one.degrade();
    balancer.until("a degraded host is left in reserve", |one, _| one == 0);
    two.node.cli_ok(&["drain", "--reason", "spec"]);
    balancer.until("and serves when no other can", |_, two| two == 0);
    two.node.cli_ok(&["undrain"]);
    balancer.until("in reserve again", |one, _| one == 0);

    two.degrade();
    balancer.until("all degraded serve alike", |one, two| one == two);

    one.node.kill();
    balancer.until("a host whose readyd is gone serves nobody", |one, _| one == 0);
}
