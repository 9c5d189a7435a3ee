//! `readyd lock`: what a deploy script may rely on, with a CLI and a gateway that say what they are told to.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::thread;

use serde_json::Value;

use crate::harness::{Node, PATIENCE};

/// A host with an `openclaw` that says `version`, and a tenant with a gateway that says `running`.
struct Host {
    node: Node,
    tools: tempfile::TempDir,
}

impl Host {
    fn new(version: &str, running: &str) -> Host {
        let tools = tempfile::tempdir().unwrap();
        let config = format!(
            "exec: {{path: [{}, /usr/bin, /bin]}}\nopenclaw: {{dialect: openclaw}}\n\
             tenants: {{acme: {{port: {}, state_dir: {}}}}}\n\
             probes: {{doctor: {{enabled: false}}, gateway: {{enabled: false}}, version-lock: {{every: 1s, retry_every: 200ms}}}}\n",
            tools.path().display(),
            gateway(running),
            tools.path().display(),
        );
        let host = Host {
            node: Node::prepared(&config),
            tools,
        };
        host.install(version);
        host
    }

    fn install(&self, version: &str) {
        let path = self.tools.path().join("openclaw");
        let next = self.tools.path().join("next");
        fs::write(&next, format!("#!/bin/sh\necho 'OpenClaw {version}'\n")).unwrap();
        fs::set_permissions(&next, fs::Permissions::from_mode(0o755)).unwrap();
        fs::rename(next, path).unwrap();
    }

    fn lock(&self) -> PathBuf {
        self.node.dir.path().join("openclaw.lock")
    }

    /// The exit code of `readyd lock check`, and all that it said.
    fn check(&self, more: &[&str]) -> (i32, String) {
        let output = self.node.cli(&[&["lock", "check"], more].concat());
        let said = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(said).unwrap())
    }
}

/// It answers until the specs end.
fn gateway(version: &str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let body = format!(r#"{{"ok":true,"status":"started","version":"{version}","uptimeMs":60000}}"#);
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 1024]);
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            let _ = stream.write_all((head + &body).as_bytes());
        }
    });
    port
}

#[test]
fn a_lock_is_written_from_what_runs_and_matches_until_something_is_upgraded() {
    let host = Host::new("2026.9.6 (eb377ac)", "2026.9.6");
    let (code, said) = host.check(&[]);
    assert_eq!(code, 3, "without a lock it cannot be told: {said}");
    assert!(said.contains("make one: readyd lock write"), "{said}");
    let output = host.node.cli(&["lock", "check", "--json"]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["verdict"], "unknown", "a script that reads JSON hears it too");

    let written = host.node.cli_ok(&["lock", "write"]);
    assert_eq!(Path::new(written.trim()), host.lock());
    let text = fs::read_to_string(host.lock()).unwrap();
    assert!(
        text.ends_with("openclaw:\n  cli: \"2026.9.6\"\n  build: \"eb377ac\"\ngateway:\n  version: \"2026.9.6\"\n"),
        "{text}"
    );
    let (code, said) = host.check(&[]);
    assert_eq!(code, 0, "{said}");

    let again = host.node.cli(&["lock", "write"]);
    assert_eq!(again.status.code(), Some(1), "an existing lock is kept");
    assert!(String::from_utf8_lossy(&again.stderr).contains("--force"));
    let program = host.tools.path().join("openclaw");
    host.node
        .cli_ok(&["lock", "write", "--force", "--checksum", program.to_str().unwrap()]);
    assert_eq!(host.check(&[]).0, 0);
    let left: Vec<_> = fs::read_dir(host.node.dir.path())
        .unwrap()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().ends_with(".tmp"))
        .collect();
    assert!(left.is_empty(), "{left:?}");

    host.install("2026.10.1 (abcdef1)");
    let (code, said) = host.check(&[]);
    assert_eq!(code, 1, "{said}");
    for part in [
        "the CLI is 2026.10.1, the lock wants 2026.9.6",
        "the CLI's build is abcdef1, the lock wants eb377ac",
        "is another file than the lock wants",
        "gateway 2026.9.6 runs, as the lock wants",
        "what runs is not what the lock wants",
    ] {
        assert!(said.contains(part), "{said}");
    }
    let (code, said) = host.check(&["--tenant", "nobody"]);
    assert_eq!(code, 3, "a tenant that is none is no mismatch: {said}");
    let (code, json) = host.check(&["--json", "--tenant", "acme"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, json["verdict"].as_str()), (1, Some("mismatch")));
    assert_eq!(json["compared"].as_array().unwrap().len(), 4);
}

#[test]
fn what_cannot_be_told_is_no_match() {
    let host = Host::new("2026.9.6", "2026.9.6");
    for (lock, part) in [
        (
            "openclaw: {cli: 2026.9.6}\nswift: {runtime: 6.0.3}\n",
            "cannot be compared here",
        ),
        (
            "openclaw: {clii: 1}\n",
            "openclaw.lock:1: openclaw.clii: unknown key; did you mean `cli`?",
        ),
        ("gateway: [\n", "not YAML"),
        ("gateway: {build: eb377ac}\n", "the gateway build cannot be compared"),
    ] {
        fs::write(host.lock(), lock).unwrap();
        let (code, said) = host.check(&[]);
        assert_eq!(code, 3, "{said}");
        assert!(said.contains(part), "{said}");
    }
    fs::write(host.lock(), "openclaw: {cli: 2026.9.6}\n").unwrap();
    let (code, said) = host.check(&["--tenant", "nobody"]);
    assert_eq!(code, 3, "{said}");
    assert_eq!(host.check(&["--tenant", "acme"]).0, 0);
    fs::remove_file(host.tools.path().join("openclaw")).unwrap();
    let (code, said) = host.check(&[]);
    assert_eq!(code, 3, "{said}");
    assert_eq!(
        host.node.cli(&["lock", "write", "--output", "-"]).status.code(),
        Some(1)
    );
}

#[test]
fn a_skew_between_gateway_and_lock_degrades_the_tenant_and_names_both_versions() {
    let host = Host::new("2026.9.6 (eb377ac)", "2026.7.35");
    let Host { node, tools } = host;
    let node = node.started();
    node.until("/v1/checks/version-lock/acme", PATIENCE, |answer| {
        answer.json()["level"] == "ok"
    });
    fs::write(node.dir.path().join("openclaw.lock"), "gateway: {version: 2026.9.6}\n").unwrap();
    let (found, _) = node.until("/v1/checks/version-lock/acme", PATIENCE, |answer| {
        answer.json()["level"] == "degraded"
    });
    assert_eq!(
        found.json()["summary"],
        "gateway 2026.7.35 runs, the lock wants 2026.9.6"
    );
    let (ready, _) = node.until_status("degraded", PATIENCE);
    assert_eq!(
        ready["reasons"][0],
        "acme version-lock: gateway 2026.7.35 runs, the lock wants 2026.9.6"
    );
    drop(tools);
}
