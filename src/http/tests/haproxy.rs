//! A real HAProxy understands the agent's words, where it is installed; on CI it must be.
#![expect(clippy::disallowed_methods, reason = "specs: a real HAProxy and its configuration")]

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use super::build::{Build, degraded};
use super::listen::stage;
use crate::http::server::start_agent_check;
use crate::readiness::snapshot::Phase;
use crate::words::Level;

struct Haproxy {
    process: Child,
    stats: PathBuf,
}

impl Haproxy {
    /// One server `node`, judged by the agent alone.
    fn start(directory: &Path, agent: SocketAddr) -> Option<Haproxy> {
        let stats = directory.join("stats.sock");
        let config = directory.join("haproxy.cfg");
        let port = agent.port();
        let text = format!(
            "global\n  stats socket {} level admin\n\
             defaults\n  mode http\n  timeout connect 1s\n  timeout client 1s\n  timeout server 1s\n\
             backend nodes\n  server node 127.0.0.1:9 weight 100 agent-check agent-addr 127.0.0.1 agent-port {port} agent-inter 50ms\n",
            stats.display()
        );
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new("haproxy");
        command
            .arg("-db")
            .arg("-f")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        match command.spawn() {
            Ok(process) => Some(Haproxy { process, stats }),
            Err(why) => {
                assert!(std::env::var_os("CI").is_none(), "haproxy must be there on CI: {why}");
                eprintln!("not checked: haproxy is not installed");
                None
            }
        }
    }

    fn say(&self, command: &str) -> String {
        let mut answer = String::new();
        if let Ok(mut stream) = UnixStream::connect(&self.stats) {
            stream.write_all(format!("{command}\n").as_bytes()).unwrap();
            stream.read_to_string(&mut answer).unwrap();
        }
        answer
    }

    /// A column of the node in `show stat`.
    fn cell(&self, name: &str) -> String {
        let table = self.say("show stat");
        let cell = || {
            let mut columns = table.lines().next()?.trim_start_matches("# ").split(',');
            let position = columns.position(|column| column == name)?;
            let line = table.lines().find(|line| line.starts_with("nodes,node,"))?;
            Some(line.split(',').nth(position)?.to_owned())
        };
        cell().unwrap_or_default()
    }

    /// Status and weight.
    fn node(&self) -> String {
        format!("{} {}", self.cell("status"), self.cell("weight"))
    }

    /// How its last question to the agent ended: `L7OK`, `L4CON`, …
    fn agent_status(&self) -> String {
        self.cell("agent_status")
    }

    fn wait_for(&self, expected: &str) {
        self.until(expected, |haproxy| haproxy.node() == expected);
    }

    fn until(&self, what: &str, holds: impl Fn(&Haproxy) -> bool) {
        let begun = Instant::now();
        while !holds(self) {
            assert!(
                begun.elapsed() < Duration::from_secs(10),
                "{} and not {what}",
                self.node()
            );
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn haproxy_weighs_drains_and_takes_out_by_the_agent() {
    let directory = tempfile::tempdir().unwrap();
    let stage = stage(Build::node().check("disk", Level::Ok, "40 GiB free").done());
    let running = start_agent_check(stage.parts.clone(), "127.0.0.1:0".parse().unwrap()).unwrap();
    let Some(haproxy) = Haproxy::start(directory.path(), running.address.unwrap()) else {
        return;
    };
    let publish = |build: Build| stage.parts.board.publish(Arc::new(build.done()), Arc::default());
    haproxy.wait_for("no check 100");
    publish(degraded());
    haproxy.wait_for("no check 50");
    publish(degraded().phase(Phase::Draining));
    // Weight 0: persistent sessions end here, nothing new arrives.
    haproxy.wait_for("no check 0");
    publish(degraded().check("write", Level::Down, "no space left"));
    haproxy.wait_for("DOWN (agent) 0");
    publish(Build::node().check("disk", Level::Ok, "40 GiB free"));
    haproxy.wait_for("no check 100");
    publish(degraded().phase(Phase::Starting));
    haproxy.wait_for("DOWN (agent) 100");
    // `up` takes the word `down` back, whatever weight comes with it.
    publish(degraded());
    haproxy.wait_for("no check 50");
}

#[test]
fn haproxy_shows_the_checks_that_are_guilty_and_keeps_its_last_word_without_readyd() {
    let directory = tempfile::tempdir().unwrap();
    let stage = stage(degraded().check("write", Level::Down, "no space left").done());
    let running = start_agent_check(stage.parts.clone(), "127.0.0.1:0".parse().unwrap()).unwrap();
    let address = running.address.unwrap();
    let Some(haproxy) = Haproxy::start(directory.path(), address) else {
        return;
    };
    haproxy.wait_for("DOWN (agent) 100");
    assert!(
        haproxy.say("show stat").contains("write"),
        "{}",
        haproxy.say("show stat")
    );
    drop(running);
    let asked = haproxy.agent_status();
    // An agent that does not answer says nothing: neither up nor down. Its check by HTTP is what notices.
    haproxy.until("another agent status", |haproxy| haproxy.agent_status() != asked);
    assert_eq!(haproxy.node(), "DOWN (agent) 100");
}

#[test]
fn what_an_operator_set_in_haproxy_by_hand_stays() {
    let directory = tempfile::tempdir().unwrap();
    let stage = stage(degraded().done());
    let running = start_agent_check(stage.parts.clone(), "127.0.0.1:0".parse().unwrap()).unwrap();
    let Some(haproxy) = Haproxy::start(directory.path(), running.address.unwrap()) else {
        return;
    };
    haproxy.wait_for("no check 50");
    haproxy.say("set server nodes/node state drain");
    haproxy.wait_for("DRAIN (agent) 50");
    let publish = |build: Build| stage.parts.board.publish(Arc::new(build.done()), Arc::default());
    publish(Build::node().check("disk", Level::Ok, "40 GiB free"));
    haproxy.wait_for("DRAIN (agent) 100");
    haproxy.say("set server nodes/node state maint");
    haproxy.wait_for("MAINT 100");
    // In maintenance HAProxy asks no agent: what was said meanwhile counts afterwards.
    publish(degraded());
    haproxy.say("set server nodes/node state ready");
    haproxy.wait_for("no check 50");
}
