use std::path::PathBuf;

use expect_test::{Expect, expect};

use super::*;

const RECORDED: &str = include_str!("../../../tests/fixtures/openclaw/gateway-log-webhook-runs.jsonl");
const OWNER: u32 = 501;

fn claim(tenant: &str, state_dir: &str) -> Claim {
    Claim {
        state_dir: PathBuf::from(state_dir),
        tenant: TenantName::parse(tenant).unwrap(),
        owner: OWNER,
    }
}

fn acme() -> Vec<Claim> {
    vec![claim("acme", "/srv/openclaw/tenants/acme/state")]
}

/// A record as openclaw writes it, with `detail` beside the job's id.
fn record(store: &str, detail: &str, message: &str) -> String {
    format!(
        r#"{{"0":"{{\"module\":\"cron\",\"storeKey\":\"{store}\"}}","1":{{"jobId":"j1",{detail}}},"2":"{message}","_meta":{{"runtime":"node"}},"time":"2026-11-20T07:41:42.646+00:00","hostname":"vm","message":"{message}"}}"#
    )
}

fn told(line: &str, claims: &[Claim]) -> String {
    match read(line.as_bytes(), OWNER, claims) {
        Told::Nothing => "nothing".into(),
        Told::Unclaimed => "unclaimed".into(),
        Told::Failure { tenant, line } => format!("{tenant}: {line}"),
    }
}

fn check(line: &str, expected: Expect) {
    expected.assert_eq(&told(line, &acme()));
}

const STORE: &str = "/srv/openclaw/tenants/acme/state/cron/jobs.json";

#[test]
fn a_failure_with_ids_of_any_length_is_a_valid_event() {
    let long = "j".repeat(300);
    let line = record(STORE, r#""err":"HTTP 503""#, FAILED);
    let line = line.replace("\"j1\"", &format!("\"{long}\""));
    let line = line.replace(r#""hostname""#, &format!(r#""traceId":"{long}","hostname""#));
    let Told::Failure { line, .. } = read(line.as_bytes(), OWNER, &acme()) else {
        panic!("it tells a failure");
    };
    let fields = crate::ingest::scan::scan(&line).unwrap();
    assert!(crate::ingest::event::Event::read(&fields, false).is_ok(), "{line}");
}

#[test]
fn a_recorded_hour_tells_its_six_failures_and_nothing_of_its_retries() {
    let shown: Vec<String> = RECORDED
        .lines()
        .map(|line| told(line, &acme()))
        .filter(|told| told != "nothing")
        .map(|told| told.split(r#","request_id""#).next().unwrap().to_owned())
        .collect();
    expect![[r#"
        acme: {"endpoint":"5fc70ca7-b304-4cde-bc70-f279fa11b888"
        acme: {"endpoint":"5b9c9910-ecc3-44e9-9da9-17dff938e9e8"
        acme: {"endpoint":"84783c13-9873-4aaf-a8e0-cd265a0eee2f"
        acme: {"endpoint":"474a7bec-731d-473b-b23f-428512dd526b","error":"ECONNREFUSED","kind":"connect"
        acme: {"endpoint":"01f29a73-d506-4ee3-9e24-1aff48119d29","error":"blocked hostname","kind":"blocked"
        acme: {"endpoint":"08ace853-b6f4-45ef-a08e-dc7bbd67b22f","error":"ENOTFOUND","kind":"dns""#]]
    .assert_eq(&shown.join("\n"));
}

#[test]
fn a_failure_becomes_a_line_of_the_events_socket() {
    check(
        RECORDED.lines().find(|line| line.contains("HTTP 404")).unwrap(),
        expect![[
            r#"acme: {"endpoint":"5b9c9910-ecc3-44e9-9da9-17dff938e9e8","request_id":"7c9d9b11678b772a1b19cf3d0f890bc8","status":404,"task_id":"5b9c9910-ecc3-44e9-9da9-17dff938e9e8","tenant":"acme","ts":1795160504327}"#
        ]],
    );
}

#[test]
fn a_completion_webhook_is_named_by_its_bare_url() {
    check(
        &record(
            STORE,
            r#""source":"completionDestination","err":"fetch failed | x ETIMEDOUT","webhookUrl":"https://u:p@crm.example/hook?key=1""#,
            FAILED,
        ),
        expect![[
            r#"acme: {"endpoint":"https://crm.example/hook","error":"ETIMEDOUT","kind":"timeout","task_id":"j1","tenant":"acme","ts":1795160502646}"#
        ]],
    );
    check(
        &record(
            STORE,
            r#""reason":"Blocked hostname","webhookUrl":"http://10.1.2.3/""#,
            BLOCKED,
        ),
        expect![[
            r#"acme: {"endpoint":"http://10.1.2.3/","error":"blocked hostname","kind":"blocked","task_id":"j1","tenant":"acme","ts":1795160502646}"#
        ]],
    );
}

#[test]
fn what_is_not_allow_listed_is_not_kept() {
    let line = record(
        STORE,
        r#""err":"hunter2 HTTP 500","argv":["hunter2"],"output":"hunter2""#,
        FAILED,
    );
    assert!(!told(&line, &acme()).contains("hunter2"));
    assert!(told(&line, &acme()).contains(r#""status":500"#));
}

#[test]
fn lines_that_only_look_like_a_failure_are_nothing() {
    let whole = record(STORE, r#""err":"HTTP 500""#, FAILED);
    for line in [
        "",
        "cron: webhook delivery failed",
        whole.strip_suffix('}').unwrap(),
        &whole.replace(r#""2":"cron: webhook"#, r#""2":"say: webhook"#),
        &whole.replace(r#"\"module\":\"cron\""#, r#"\"module\":\"chat\""#),
        &whole.replace("2026-11-20T", "yesterday "),
        &whole.replace(r#""jobId":"j1""#, r#""jobId":7"#),
        r#"{"0":"{\"subsystem\":\"chat\"}","1":"somebody wrote: cron: webhook delivery failed","time":"2026-11-20T07:41:42Z"}"#,
    ] {
        assert_eq!(told(line, &acme()), "nothing", "{line}");
    }
}

#[test]
fn the_innermost_state_directory_of_the_files_owner_has_it() {
    let claims = [
        claim("outer", "/srv/state"),
        claim("inner", "/srv/state/inner"),
        claim("beside", "/srv/state-2"),
    ];
    let of = |store: &str, owner: u32| {
        let line = record(store, r#""err":"HTTP 500""#, FAILED);
        match read(line.as_bytes(), owner, &claims) {
            Told::Failure { tenant, .. } => tenant.to_string(),
            other => format!("{other:?}"),
        }
    };
    assert_eq!(of("/srv/state/cron/jobs.json", OWNER), "outer");
    assert_eq!(of("/srv/state/inner/cron/jobs.json", OWNER), "inner");
    assert_eq!(of("/srv/state-2/cron/jobs.json", OWNER), "beside");
    assert_eq!(of("/srv/state-3/cron/jobs.json", OWNER), "Unclaimed");
    assert_eq!(of("/srv/state/../state-3/cron/jobs.json", OWNER), "Unclaimed");
    assert_eq!(
        of("/srv/state/cron/jobs.json", 0),
        "outer",
        "root may write anybody's log"
    );
    assert_eq!(
        of("/srv/state/cron/jobs.json", OWNER + 1),
        "Unclaimed",
        "another user's file"
    );
}
