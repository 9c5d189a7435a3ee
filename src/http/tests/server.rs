#![expect(
    clippy::disallowed_methods,
    reason = "specs: a token file, and how long a server takes"
)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use expect_test::expect;

use super::build::{Build, degraded};
use super::listen::{Answered, Stage, ask, get, raw, served, stage};
use crate::http::access::Access;
use crate::http::heartbeat::Heartbeat;
use crate::http::server::{start_agent_check, start_public};
use crate::readiness::snapshot::Phase;
use crate::words::Level;

#[test]
fn ready_is_answered_with_the_bytes_that_were_rendered() {
    let (stage, _running, address) = served();
    let answered = get(address, "/ready");
    expect![[r#"
        HTTP/1.1 200 OK
        cache-control: no-store
        connection: close
        content-length: 807
        content-type: application/json
        x-envoy-degraded: 1
    "#]]
    .assert_eq(&answered.transcript());
    assert_eq!(
        answered.body.as_bytes(),
        &stage.parts.board.read().rendered.node.json[..]
    );
    assert_eq!(get(address, "/readyz").body, answered.body);
}

#[test]
fn head_has_the_same_headers_and_no_body() {
    let (_stage, _running, address) = served();
    for target in [
        "/ready",
        "/ready/acme",
        "/livez",
        "/startupz",
        "/v1/status",
        "/v1/webhook-digest",
        "/nothing",
        "/ready/nobody",
    ] {
        let (got, headed) = (get(address, target), ask(address, "HEAD", target, ""));
        assert_eq!(headed.transcript(), got.transcript(), "{target}");
        assert_eq!(headed.body, "", "{target}");
        assert!(!got.body.is_empty());
    }
    let metrics = ask(address, "HEAD", "/metrics", "");
    assert_eq!((metrics.status, metrics.body.as_str()), (200, ""));
    let stream = ask(address, "HEAD", "/v1/stream", "");
    assert_eq!(
        (stream.status, stream.header("content-type")),
        (200, Some("text/event-stream"))
    );
}

#[test]
fn an_answer_follows_the_board() {
    let (stage, _running, address) = served();
    let publish = |build: Build| stage.parts.board.publish(Arc::new(build.done()), Arc::default());
    publish(Build::node().check("disk", Level::Ok, "fine"));
    expect![[r#"
        HTTP/1.1 200 OK
        cache-control: no-store
        connection: close
        content-length: 324
        content-type: application/json
    "#]]
    .assert_eq(&get(address, "/ready").transcript());
    publish(Build::node().check("disk", Level::Down, "full"));
    let down = get(address, "/ready");
    assert_eq!((down.status, down.header("retry-after")), (503, Some("7")));
    publish(degraded().phase(Phase::Draining));
    let draining = get(address, "/ready/acme");
    assert_eq!(
        (draining.status, draining.header("x-envoy-immediate-health-check-fail")),
        (503, Some("1"))
    );
    assert_eq!(draining.header("retry-after"), Some("10"));
    publish(degraded().phase(Phase::Starting));
    assert_eq!(get(address, "/ready").header("retry-after"), Some("1"));
    assert_eq!(
        (
            get(address, "/startupz").status,
            get(address, "/startupz").header("retry-after").is_some()
        ),
        (503, true)
    );
}

#[test]
fn a_main_loop_that_hangs_is_not_alive_and_its_last_ok_is_no_ok() {
    let mut stage = stage(Build::node().check("disk", Level::Ok, "40 GiB free").done());
    let silent = |seconds| Arc::new(Heartbeat::silent_for(Duration::from_secs(seconds)).unwrap());
    let of = |stage: &Stage, target, headers| {
        let running = start_public(stage.parts.clone(), "127.0.0.1:0".parse().unwrap(), 1).unwrap();
        ask(running.address.unwrap(), "GET", target, headers)
    };
    stage.parts.heartbeat = silent(8);
    assert_eq!(of(&stage, "/livez", "").body, "ok\n");
    assert_eq!(of(&stage, "/ready", "").json()["status"], "ok");

    stage.parts.heartbeat = silent(60);
    let livez = of(&stage, "/livez", "");
    assert_eq!((livez.status, livez.header("retry-after")), (503, Some("10")));
    assert!(
        livez.body.starts_with("down\nthe main loop has not turned for 6"),
        "{}",
        livez.body
    );
    let ready = of(&stage, "/ready", "");
    assert_eq!((ready.status, ready.header("x-envoy-degraded")), (200, Some("1")));
    assert!(
        ready.json()["reasons"][0]
            .as_str()
            .unwrap()
            .starts_with("readyd: the main loop has not turned for 6")
    );
    assert_eq!(of(&stage, "/ready", "Host: evil.example\n").body, "degraded\n");

    stage.parts.heartbeat.beat();
    assert_eq!(of(&stage, "/livez", "").status, 200);
    assert_eq!(of(&stage, "/ready", "").json()["status"], "ok");
}

#[test]
fn forms_are_chosen_by_accept_and_query() {
    let (_stage, _running, address) = served();
    let of = |target, accept: &str| {
        let answered = ask(address, "GET", target, &format!("Accept: {accept}\n"));
        assert_eq!(answered.header("x-envoy-degraded"), Some("1"), "{target} {accept}");
        (
            answered.header("content-type").unwrap().to_owned(),
            answered.body.lines().next().unwrap().to_owned(),
        )
    };
    let text = || "text/plain; charset=utf-8".to_owned();
    assert_eq!(of("/ready", "text/plain"), (text(), "degraded".into()));
    assert_eq!(of("/ready/acme", "text/plain"), (text(), "degraded".into()));
    assert_eq!(of("/ready", "application/health+json").0, "application/health+json");
    assert_eq!(of("/ready?verbose", "*/*"), (text(), "[+]disk ok".into()));
    assert_eq!(
        of("/ready?verbose=true&exclude=disk", "*/*").1,
        "[-]doctor@acme failed: degraded: agent database refused"
    );
    assert_eq!(of("/ready?verbose=false", "*/*").0, "application/json");
}

#[test]
fn excluded_checks_do_not_count_and_unknown_names_are_told() {
    let (_stage, _running, address) = served();
    let answered = get(address, "/ready?exclude=doctor&exclude=nonsense");
    assert_eq!((answered.status, answered.header("x-envoy-degraded")), (200, None));
    assert_eq!(answered.json()["status"], "ok");
    assert_eq!(
        answered.json()["warnings"],
        serde_json::json!(["exclude: no check here is named \"nonsense\""])
    );
    assert_eq!(get(address, "/ready?exclude=doctor,disk").json()["checks_total"], 0);
    let many = vec!["x"; 33].join(",");
    assert_eq!(get(address, &format!("/ready?exclude={many}")).status, 400);
    let most = vec!["x"; 32].join(",");
    assert_eq!(
        get(address, &format!("/ready?exclude={most}")).json()["warnings"]
            .as_array()
            .unwrap()
            .len(),
        32
    );
}

#[test]
fn what_is_not_there_is_told_what_is() {
    let (_stage, _running, address) = served();
    let answered = get(address, "/nothing");
    assert_eq!(answered.status, 404);
    let routes = answered.json()["routes"].as_array().unwrap().clone();
    assert!(routes.contains(&"GET /ready/{tenant}".into()) && !routes.contains(&"POST /v1/drain".into()));
    for target in [
        "/ready/nobody",
        "/ready/A%20b",
        "/v1/checks/nothing",
        "/v1/checks/doctor/nobody",
        "/v1/webhook-digest?window=2020-01-01T00:00:00Z",
    ] {
        let answered = get(address, target);
        assert_eq!(answered.status, 404, "{target}");
        assert!(!answered.json()["hint"].as_str().unwrap().is_empty());
    }
}

#[test]
fn other_methods_are_405_with_allow_and_bodies_are_not_read() {
    let (_stage, _running, address) = served();
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let answered = ask(address, method, "/ready", "");
        assert_eq!(
            (answered.status, answered.header("allow")),
            (405, Some("GET, HEAD")),
            "{method}"
        );
    }
    // The body is a request of its own, if anybody took it for one.
    let smuggled =
        "POST /ready HTTP/1.1\nHost: localhost\nContent-Length: 41\n\nGET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let answers = raw(address, smuggled);
    assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "{answers}");
    let with_body = raw(address, "GET /ready HTTP/1.1\nHost: localhost\nContent-Length: 2\n\n{}");
    assert_eq!(Answered::parse(&with_body).status, 413);
    let chunked = raw(
        address,
        "GET /ready HTTP/1.1\nHost: localhost\nTransfer-Encoding: chunked\n\n0\r\n\r\n",
    );
    assert_eq!(Answered::parse(&chunked).status, 413);
    let empty = raw(
        address,
        "GET /ready HTTP/1.1\nHost: localhost\nContent-Length: 0\nConnection: close\n\n",
    );
    assert_eq!(Answered::parse(&empty).status, 200);
}

#[test]
fn an_unknown_host_gets_the_bare_verdict_and_nothing_else() {
    let (_stage, _running, address) = served();
    let evil = |target, more: &str| ask(address, "GET", target, &format!("Host: evil.example\n{more}"));
    let bare = evil("/ready", "");
    expect![[r#"
        HTTP/1.1 200 OK
        cache-control: no-store
        connection: close
        content-length: 9
        content-type: text/plain; charset=utf-8
        x-envoy-degraded: 1
    "#]]
    .assert_eq(&bare.transcript());
    assert_eq!(bare.body, "degraded\n");
    assert_eq!(evil("/ready/beta", "").body, "ok\n");
    assert_eq!(evil("/ready?verbose", "Accept: text/plain\n").body, "degraded\n");
    assert_eq!(
        evil("/ready", "Accept: application/json\n").json(),
        serde_json::json!({"status": "degraded", "phase": "serving"})
    );
    assert_eq!((evil("/livez", "").status, evil("/startupz", "").status), (200, 200));
    for target in [
        "/metrics",
        "/v1/status",
        "/v1/checks",
        "/v1/webhook-digest",
        "/v1/history",
        "/v1/stream",
        "/nothing",
    ] {
        let answered = evil(target, "");
        assert_eq!(answered.status, 421, "{target}");
        assert!(!answered.body.contains("acme"));
    }
    let absolute = raw(
        address,
        "GET http://evil.example/metrics HTTP/1.1\nHost: localhost\nConnection: close\n\n",
    );
    assert_eq!(Answered::parse(&absolute).status, 421);
}

#[test]
fn no_host_at_all_is_a_load_balancer_of_old() {
    let (_stage, _running, address) = served();
    for version in ["HTTP/1.0", "HTTP/1.1"] {
        let answered = Answered::parse(&raw(address, &format!("GET /ready {version}\n\n")));
        assert_eq!(
            (answered.status, answered.json()["status"].as_str()),
            (200, Some("degraded")),
            "{version}"
        );
    }
}

#[test]
fn a_client_that_does_not_read_holds_up_nobody() {
    let (_stage, _running, address) = served();
    let mut deaf = TcpStream::connect(address).unwrap();
    deaf.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let questions = b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(200);
    for _ in 0..200 {
        if deaf.write_all(&questions).is_err() {
            break;
        }
    }
    assert_eq!(get(address, "/ready").status, 200);
}

#[test]
fn beyond_loopback_the_bearer_is_wanted() {
    let directory = tempfile::tempdir().unwrap();
    let token = directory.path().join("token");
    std::fs::write(&token, "s3cret\n").unwrap();
    std::fs::set_permissions(&token, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let stage = stage(degraded().done());
    stage.parts.access.store(Arc::new(Access {
        token_file: Some(token),
        ..Access::default()
    }));
    let running = start_public(stage.parts.clone(), "0.0.0.0:0".parse().unwrap(), 1).unwrap();
    let address = format!("127.0.0.1:{}", running.address.unwrap().port())
        .parse()
        .unwrap();
    assert_eq!(get(address, "/ready").body, "degraded\n");
    let refused = get(address, "/metrics");
    assert_eq!(
        (refused.status, refused.header("www-authenticate")),
        (401, Some("Bearer realm=\"readyd\""))
    );
    let borne = |target| ask(address, "GET", target, "Authorization: Bearer s3cret\n");
    assert_eq!(borne("/metrics").status, 200);
    assert_eq!(borne("/ready").json()["status"], "degraded");
    assert_eq!(
        ask(address, "GET", "/metrics", "Authorization: Bearer s3cre\n").status,
        401
    );
}

#[test]
fn a_connection_is_kept_for_the_next_question() {
    let (_stage, _running, address) = served();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    for _ in 0..3 {
        stream
            .write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .unwrap();
        let mut answer = Vec::new();
        let mut byte = [0];
        while !answer.ends_with(b"\r\n\r\nok\n") {
            assert_eq!(
                stream.read(&mut byte).unwrap(),
                1,
                "{}",
                String::from_utf8_lossy(&answer)
            );
            answer.push(byte[0]);
        }
    }
}

#[test]
fn pipelined_questions_are_answered_in_order() {
    let (_stage, _running, address) = served();
    let questions = "GET /livez HTTP/1.1\nHost: localhost\n\nHEAD /ready HTTP/1.1\r\nHost: localhost\r\n\r\n\
                     GET /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let answers = raw(address, questions);
    let statuses: Vec<&str> = answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
    assert_eq!(statuses, ["200", "200", "404"]);
}

#[test]
fn heads_without_end_are_refused() {
    let (_stage, _running, address) = served();
    let long = format!(
        "GET /ready HTTP/1.1\nHost: localhost\nX-Long: {}\n\n",
        "x".repeat(200_000)
    );
    assert!(raw(address, &long).starts_with("HTTP/1.1 431 "));
    let many = format!("GET /ready HTTP/1.1\nHost: localhost\n{}\n", "X-Many: x\n".repeat(200));
    assert!(raw(address, &many).starts_with("HTTP/1.1 431 "));
    for garbage in [
        "\0\0\0\0\n\n",
        "GET /ready\n\n",
        "GET /ready HTTP/9.9\n\n",
        "GET /re ady HTTP/1.1\n\n",
        "\u{16}\u{3}\u{1}\n\n",
    ] {
        let answer = raw(address, garbage);
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 400 "),
            "{garbage:?}: {answer}"
        );
    }
    assert_eq!(get(address, "/ready").status, 200);
}

#[test]
fn a_slow_client_is_let_go_and_disturbs_nobody() {
    let (_stage, _running, address) = served();
    let begun = Instant::now();
    let mut slow = TcpStream::connect(address).unwrap();
    slow.write_all(b"GET /ready HTTP/1.1\r\nHost: lo").unwrap();
    assert_eq!(get(address, "/ready").status, 200);
    slow.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut answer = String::new();
    let _ = slow.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(begun.elapsed() < Duration::from_secs(15));
}

#[test]
fn questions_about_checks_history_and_windows_are_answered() {
    let (_stage, _running, address) = served();
    assert_eq!(
        get(address, "/v1/status").json()["config"]["reload_error"],
        serde_json::Value::Null
    );
    assert_eq!(get(address, "/v1/checks").json()["checks"].as_array().unwrap().len(), 3);
    assert_eq!(get(address, "/v1/checks/disk").json()["title"], "The probe disk");
    assert_eq!(get(address, "/v1/checks/doctor/acme").json()["level"], "degraded");
    assert_eq!(
        get(address, "/v1/checks/doctor").json()["checks"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    expect![[r#"
        {
          "node": "mac-3",
          "generated_at": "2026-11-20T07:31:07Z",
          "from": "2026-11-20T07:30:07Z",
          "until": "2026-11-20T07:31:07Z",
          "span_sec": 60,
          "transitions": [
            {
              "at": "2026-11-20T07:31:07Z",
              "tenant": "acme",
              "check": "doctor",
              "from": "ok",
              "to": "degraded",
              "summary": "limit 1000",
              "last_good_at": "2026-11-20T07:31:05Z",
              "first_bad_at": null
            }
          ],
          "subjects": [],
          "truncated_before": null
        }
    "#]]
    .assert_eq(&get(address, "/v1/history?check=doctor@acme&limit=5000").body);
    let failed = get(address, "/v1/history?limit=13");
    assert_eq!((failed.status, failed.header("retry-after")), (503, Some("1")));
    assert_eq!(failed.json()["error"], "the disk is on fire");
    assert_eq!(get(address, "/v1/history?since=yesterday").status, 400);
    let sliding = get(address, "/v1/webhook-digest?limit=3").json();
    assert_eq!(
        (&sliding["window"]["kind"], &sliding["node"]),
        (&"sliding".into(), &"mac-3".into())
    );
    let stored = get(address, "/v1/webhook-digest?window=2026-11-20T07:25:00Z").json();
    assert_eq!(stored["window"]["start"], "2026-11-20T07:25:00Z");
    assert_eq!(
        get(address, "/v1/webhook-digest?window=last").json(),
        stored,
        "the last before the digest was rolled"
    );
    assert_eq!(
        get(address, "/v1/webhook-digest?window=2026-11-20T08%3A25%3a00+01:00").json(),
        stored,
        "people do not encode a plus"
    );
    assert_eq!(get(address, "/v1/webhook-digest?window=1").status, 400);
}

#[test]
fn requests_are_measured_by_pattern_and_code() {
    let (_stage, _running, address) = served();
    get(address, "/ready/acme");
    get(address, "/ready/nobody");
    get(address, "/some/path/of/a/scanner");
    let metrics = get(address, "/metrics");
    assert_eq!(
        metrics.header("content-type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    for labels in [
        r#"{code="200",route="/ready/{tenant}"} 1"#,
        r#"{code="404",route="/ready/{tenant}"} 1"#,
        r#"{code="404",route="other"} 1"#,
    ] {
        let sample = format!("readyd_http_request_duration_seconds_count{labels}");
        assert!(
            metrics.body.lines().any(|line| line == sample),
            "{sample}\n{}",
            metrics.body
        );
    }
    assert!(!metrics.body.contains("scanner") && !metrics.body.contains("nobody"));
}

#[test]
fn a_stream_sends_the_present_state_and_each_change_and_ends_with_the_server() {
    let (stage, running, address) = served();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
        .write_all(b"GET /v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let mut seen = String::new();
    let mut until = |what: &str| {
        let mut piece = [0; 4096];
        while !seen.contains(what) {
            let length = stream.read(&mut piece).unwrap();
            assert!(length > 0, "the stream ended: {seen}");
            seen += &String::from_utf8_lossy(&piece[..length]);
        }
    };
    until("\"status\":\"degraded\"");
    stage.parts.board.publish(
        Arc::new(Build::node().check("disk", Level::Down, "full").done()),
        Arc::default(),
    );
    until("\"status\":\"down\"");
    let begun = Instant::now();
    drop(running);
    assert!(begun.elapsed() < Duration::from_secs(4));
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn two_listeners_on_one_address_are_an_error_that_says_what_to_do() {
    let (stage, _running, address) = served();
    let why = start_public(stage.parts.clone(), address, 1).unwrap_err();
    assert!(
        why.to_string().starts_with(&format!("cannot listen on {address}: ")),
        "{why}"
    );
    assert!(
        why.to_string()
            .ends_with("is another readyd running? Stop it, or set another address"),
        "{why}"
    );
}

#[test]
fn haproxys_agent_gets_its_line_and_the_end_of_the_connection() {
    let stage = stage(degraded().done());
    let running = start_agent_check(stage.parts.clone(), "127.0.0.1:0".parse().unwrap()).unwrap();
    let address = running.address.unwrap();
    assert_eq!(raw(address, ""), "up 50%\n");
    assert_eq!(raw(address, "agent-send of HAProxy\n"), "up 50%\n");
    drop(running);
    assert!(TcpStream::connect(address).is_err());
}
