use super::*;
use crate::words::Answer;

const MINUTE: Duration = Duration::from_secs(60);

fn seen(status: u16, body: &str) -> Seen<'_> {
    Seen {
        status,
        html: body.starts_with("<!doctype html>"),
        body: body.as_bytes(),
    }
}

fn judged(status: u16, body: &str, startup: Option<(u16, &str)>) -> Finding {
    let startup = startup.map(|(status, body)| seen(status, body));
    judge(&seen(status, body), startup.as_ref(), MINUTE)
}

fn told(finding: &Finding) -> String {
    let at_once = if finding.immediate { " at once" } else { "" };
    format!("{}{at_once}: {}", finding.answer.as_str(), finding.summary)
}

/// `degraded: …` of a 503 with this `failing`.
fn failing(names: &str) -> String {
    told(&judged(
        503,
        &format!(r#"{{"ready":false,"failing":[{names}],"uptimeMs":99000}}"#),
        None,
    ))
}

#[test]
fn each_named_failure_has_its_answer() {
    let table = [
        (
            r#""startup-sidecars""#,
            "down: the gateway is starting for 99 s, longer than 60 s",
        ),
        (r#""gateway-draining""#, "down at once: the gateway is draining"),
        (r#""telegram""#, "degraded: channels are not healthy: telegram"),
        (
            r#""slack","discord""#,
            "degraded: channels are not healthy: slack, discord",
        ),
        (
            r#""telegram","state-database""#,
            "down: the gateway is not ready: state-database",
        ),
        (
            r#""agent-database:main""#,
            "down: the gateway is not ready: agent-database:main",
        ),
        (r#""plugin-reload""#, "down: the gateway is not ready: plugin-reload"),
        (r#""something-new""#, "down: the gateway is not ready: something-new"),
        (r#"7"#, "down: the gateway is not ready: 7"),
        ("", "down: the gateway is not ready and does not say why"),
    ];
    for (names, expected) in table {
        assert_eq!(failing(names), expected, "{names}");
    }
}

#[test]
fn starting_is_degraded_until_the_grace_is_over() {
    let starting = |millis: u64| {
        let body = format!(r#"{{"ready":false,"failing":["startup-sidecars"],"uptimeMs":{millis}}}"#);
        judged(503, &body, None).answer
    };
    assert_eq!(starting(2343), Answer::Degraded);
    assert_eq!(starting(60_000), Answer::Degraded);
    assert_eq!(starting(60_001), Answer::Down);
}

#[test]
fn without_details_startupz_tells_starting_and_draining_apart() {
    let bare = r#"{"ready":false}"#;
    let with = |status: &str| {
        told(&judged(
            503,
            bare,
            Some((503, &format!(r#"{{"ok":false,"status":"{status}"}}"#))),
        ))
    };
    assert_eq!(with("starting"), "degraded: the gateway is starting");
    assert_eq!(with("draining"), "down at once: the gateway is draining");
    assert_eq!(with("started"), "down: the gateway is not ready and does not say why");
}

#[test]
fn what_is_no_gateway_is_down_and_a_gateway_without_readyz_is_degraded() {
    let ui = "<!doctype html>\n<html data-openclaw-control-ui-build-id=\"x\">";
    let started = Some((200, r#"{"ok":true,"status":"started","version":"2026.9.6"}"#));
    for (status, body, startup, expected) in [
        (200, "<!doctype html><title>Grafana</title>", None, Answer::Down),
        (200, "OK", None, Answer::Down),
        (200, "", None, Answer::Down),
        (200, r#"{"status":"pass"}"#, None, Answer::Down),
        (200, r#"[true]"#, None, Answer::Down),
        (200, r#"{"ready":"true"}"#, None, Answer::Down),
        (404, "Not Found", None, Answer::Down),
        (500, "oops", None, Answer::Down),
        (200, ui, None, Answer::Degraded),
        (404, "Not Found", started, Answer::Degraded),
        // The words of a status page prove nothing by themselves.
        (200, "I speak of openclaw-control-ui", None, Answer::Down),
    ] {
        let finding = judged(status, body, startup);
        assert_eq!(finding.answer, expected, "{status} {body:?}: {}", finding.summary);
    }
}

#[test]
fn status_and_body_that_contradict_each_other_are_not_ok() {
    assert_eq!(
        told(&judged(503, r#"{"ready":true,"failing":[]}"#, None)),
        "down: the gateway says ready, but with status 503"
    );
    assert_eq!(
        judged(200, r#"{"ready":false,"failing":["telegram"]}"#, None).answer,
        Answer::Degraded
    );
}

#[test]
fn a_newer_gateways_fields_do_not_make_it_a_stranger() {
    let odd = r#"{"ready":true,"failing":null,"uptimeMs":"long","eventLoop":7,"agentDatabases":{},"pluginReload":[],"new":1}"#;
    assert_eq!(judged(200, odd, Some((200, "[]"))).answer, Answer::Ok);
}

#[test]
fn details_come_along_as_evidence() {
    let body = r#"{"ready":false,"failing":["agent-database:main"],
        "agentDatabases":[{"agentId":"main","reason":"newer schema"}],"uptimeMs":5000}"#;
    let finding = judged(
        503,
        body,
        Some((200, r#"{"ok":true,"status":"started","version":"2026.9.6"}"#)),
    );
    let evidence: Vec<String> = finding
        .evidence
        .iter()
        .map(|fact| format!("{}: {}", fact.what, fact.seen))
        .collect();
    assert_eq!(
        evidence,
        [
            "failing: agent-database:main",
            "uptime: 5 s",
            "startup: started",
            "version: 2026.9.6",
            r#"agent database: {"agentId":"main","reason":"newer schema"}"#,
        ]
    );
}

/// Each line of the recorded start-up: what a probe at that moment would have said.
#[test]
fn a_recorded_start_reads_as_refused_then_starting_then_ready() {
    let recorded = include_str!("../../../../../tests/fixtures/openclaw/gateway-startup-poll.txt");
    let mut told = Vec::new();
    for line in recorded.lines() {
        let (_, rest) = line.split_once("readyz=").unwrap();
        let (ready, startup) = rest.split_once(" startupz=").unwrap();
        let read = |answer: &str| {
            let (body, status) = answer.rsplit_once(' ').unwrap();
            (status.parse::<u16>().unwrap(), body.to_owned())
        };
        let ((ready_status, ready), (startup_status, startup)) = (read(ready), read(startup));
        if ready_status == 0 {
            continue; // refused: no answer to judge
        }
        let finding = judged(ready_status, &ready, Some((startup_status, &startup)));
        told.push(format!(
            "{}: {} {:?}",
            finding.answer.as_str(),
            finding.summary,
            finding.notes
        ));
    }
    expect_test::expect![[r#"
        degraded: the gateway is starting for 2 s ["the gateway's event loop is busy (event_loop_delay, event_loop_utilization)"]
        degraded: the gateway is starting for 3 s ["the gateway's event loop is busy (event_loop_delay, event_loop_utilization)"]
        degraded: the gateway is starting for 3 s ["the gateway's event loop is busy (cpu)"]
        degraded: the gateway is starting for 5 s ["the gateway's event loop is busy (event_loop_delay, event_loop_utilization)"]
        ok: the gateway is ready ["the gateway's event loop is busy (event_loop_delay, event_loop_utilization)"]
    "#]]
    .assert_eq(&(told.join("\n") + "\n"));
}

#[test]
fn a_recorded_dead_channel_is_degraded() {
    let recorded = include_str!("../../../../../tests/fixtures/openclaw/http-channel-failed.txt");
    let of = |name: &str| {
        let (_, after) = recorded.split_once(&format!("### {name}\n")).unwrap();
        let mut lines = after.lines();
        (lines.next().unwrap(), lines.next().unwrap())
    };
    let ((startup, _), (ready, status)) = (of("startupz"), of("readyz"));
    assert_eq!(status, "HTTP 503");
    let finding = judged(503, ready, Some((200, startup)));
    assert_eq!(told(&finding), "degraded: channels are not healthy: telegram");
    assert!(
        finding
            .evidence
            .iter()
            .any(|fact| fact.what == "version" && fact.seen == "2026.9.6")
    );
}

/// Every recorded endpoint of a healthy gateway, as if it had answered in `/readyz`'s place.
#[test]
fn of_a_recorded_healthy_gateway_only_readyz_reads_as_ready() {
    let recorded = include_str!("../../../../../tests/fixtures/openclaw/gateway-http-endpoints-healthy.txt");
    let mut told = Vec::new();
    for part in recorded.split("### GET ").skip(1) {
        let (path, rest) = part.split_once(' ').unwrap();
        let (head, body) = rest.split_once("type=").unwrap();
        let status = head.rsplit_once("HTTP ").unwrap().1.split(' ').next().unwrap();
        let (media_type, body) = body.split_once('\n').unwrap();
        let answer = Seen {
            status: status.parse().unwrap(),
            html: media_type.starts_with("text/html"),
            body: body.as_bytes(),
        };
        told.push(format!("{path} {}", judge(&answer, None, MINUTE).answer.as_str()));
    }
    expect_test::expect![[r#"
        /health down
        /healthz down
        /ready ok
        /readyz ok
        /startup down
        /startupz down
        /metrics degraded
        /api/diagnostics/prometheus down
        /status degraded
        /version degraded
        /api/health down
        / degraded
    "#]]
    .assert_eq(&(told.join("\n") + "\n"));
}
