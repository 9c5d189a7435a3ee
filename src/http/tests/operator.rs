use std::sync::Arc;

use expect_test::expect;

use super::build::degraded;
use super::listen::{Answered, controlled, raw_unix, stage};

#[test]
fn the_operator_changes_state_on_the_control_socket_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control.sock");
    let (stage, _running) = controlled(&path);
    let send = |method: &str, target: &str, body: &str| {
        let request = format!(
            "{method} {target} HTTP/1.1\nHost: anything.at.all\nContent-Length: {}\nConnection: close\n\n",
            body.len()
        );
        Answered::parse(&raw_unix(&path, &(request + body)))
    };
    let started = send(
        "POST",
        "/v1/maintenance",
        r#"{"tenant": "acme", "for": "2h", "reason": "upgrade"}"#,
    );
    assert_eq!(
        started.json(),
        serde_json::json!({"ok": true, "message": "done", "durable": true})
    );
    assert_eq!(send("DELETE", "/v1/maintenance/acme", "").status, 200);
    assert_eq!(send("POST", "/v1/drain", r#"{"reason": "kernel"}"#).status, 200);
    assert_eq!(send("DELETE", "/v1/drain?tenant=acme", "").status, 200);
    assert_eq!(send("POST", "/v1/ask", r#"{"check": "doctor@acme"}"#).status, 200);
    assert_eq!(
        send("POST", "/v1/reload", "").json(),
        serde_json::json!({"ok": true, "message": "reloaded"})
    );
    let events = send("POST", "/v1/events", "{}\nx");
    assert_eq!(
        events.json(),
        serde_json::json!({"accepted": 1, "rejected": [{"line": 2, "reason": "not_json"}]})
    );
    assert_eq!(
        send("POST", "/v1/maintenance", r#"{"tenant": "nobody", "for": "2h"}"#).status,
        404
    );
    assert_eq!(send("POST", "/v1/maintenance", r#"{"tenant": "acme"}"#).status, 422);
    assert_eq!(
        send("PUT", "/v1/drain", "").header("allow"),
        Some("GET, HEAD, POST, DELETE")
    );

    let uid = rustix::process::geteuid().as_raw();
    let name = crate::account::name_of(uid).map(|name| format!(" ({name})"));
    let me = format!("uid {uid}{}", name.unwrap_or_default());
    let asked = stage
        .asked
        .lock()
        .unwrap()
        .join("\n")
        .replace(&me, "ME")
        .replace(&format!("uid {uid}:"), "ME:");
    expect![[r#"
        ME: MaintenanceStart { tenant: TenantName("acme"), duration: 7200s, reason: "upgrade", ticket: None }
        ME: MaintenanceEnd { tenant: TenantName("acme") }
        ME: Drain { tenant: None, reason: "kernel" }
        ME: Undrain { tenant: Some(TenantName("acme")) }
        ME: Ask { check: Some(CheckId { probe: ProbeName("doctor"), tenant: Some(TenantName("acme")) }) }
        ME: reload
        ME: 4 bytes of events
        ME: MaintenanceStart { tenant: TenantName("nobody"), duration: 7200s, reason: "no reason given", ticket: None }"#]]
    .assert_eq(&asked);
}

#[test]
fn the_control_socket_answers_every_question_in_full() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control.sock");
    let (_stage, running) = controlled(&path);
    let ask = |target: &str| {
        let request = format!("GET {target} HTTP/1.1\nHost: evil.example\nConnection: close\n\n");
        Answered::parse(&raw_unix(&path, &request))
    };
    assert_eq!(ask("/ready").json()["node"], "mac-3");
    assert_eq!(ask("/metrics").status, 200);
    assert_eq!(ask("/v1/maintenance").json()["maintenance"], serde_json::json!({}));
    assert!(
        ask("/nothing").json()["routes"]
            .as_array()
            .unwrap()
            .contains(&"POST /v1/drain".into())
    );
    drop(running);
    assert!(!path.exists());
}

#[test]
fn bodies_on_the_control_socket_are_bounded() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control.sock");
    let (stage, _running) = controlled(&path);
    let post = |target: &str, bytes: usize| {
        let head = format!("POST {target} HTTP/1.1\nHost: x\nContent-Length: {bytes}\nConnection: close\n\n");
        Answered::parse(&raw_unix(&path, &(head + &"x".repeat(bytes)))).status
    };
    assert_eq!(post("/v1/drain", 64 * 1024 + 1), 413);
    assert_eq!(post("/v1/events", 8 * 1024 * 1024 + 1), 413);
    assert!(stage.asked.lock().unwrap().is_empty());
    assert_eq!(post("/v1/events", 8 * 1024 * 1024), 200);
}

#[test]
fn a_main_loop_that_is_gone_is_told_from_one_that_is_slow() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("control.sock");
    let mut stage = stage(degraded().done());
    stage.parts.command = Arc::new(|_, _| tokio::sync::oneshot::channel().1);
    let held = std::sync::Mutex::new(Vec::new());
    stage.parts.reload = Arc::new(move |_| {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        held.lock().unwrap().push(sender);
        receiver
    });
    let _running = crate::http::server::start_control(stage.parts.clone(), &path, 0o600).unwrap();
    let post = |target: &str| {
        Answered::parse(&raw_unix(
            &path,
            &format!("POST {target} HTTP/1.1\nHost: x\nContent-Length: 0\nConnection: close\n\n"),
        ))
    };
    assert_eq!(post("/v1/ask").status, 503);
    let slow = post("/v1/reload");
    assert_eq!(slow.status, 504);
    assert!(slow.json()["hint"].as_str().unwrap().contains("/livez"));
}
