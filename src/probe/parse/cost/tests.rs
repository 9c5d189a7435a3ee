//! Lists of jobs, real and made up, and what they cost.

use expect_test::{Expect, expect};

use super::*;
use crate::words::Answer;

const HEALTHY: &str = include_str!("../../../../tests/fixtures/openclaw/cron-list.healthy.out");

fn every(name: &str, seconds: u64, payload: &str) -> String {
    format!(
        r#"{{"id":"id-{name}","name":"{name}","enabled":true,"agentId":"main","schedule":{{"kind":"every","everyMs":{}}},"payload":{payload}}}"#,
        seconds * 1000
    )
}

fn cron(name: &str, expression: &str, payload: &str) -> String {
    format!(
        r#"{{"id":"id-{name}","name":"{name}","schedule":{{"kind":"cron","expr":"{expression}"}},"payload":{payload}}}"#
    )
}

fn told_with(approved: &[&str], stdout: &str, code: i32) -> Finding {
    let approved = approved.iter().map(|&name| name.to_owned()).collect();
    let policy = Policy {
        interval_min: Duration::from_secs(60),
        approved: &approved,
    };
    let said = Said {
        code,
        stdout: stdout.as_bytes(),
        stderr: b"",
    };
    cost(&said, policy)
}

fn list(jobs: &[String]) -> String {
    format!(r#"{{"jobs":[{}],"hasMore":false}}"#, jobs.join(","))
}

fn check(jobs: &[String], expected: Expect) {
    check_with(&[], jobs, expected);
}

fn check_with(approved: &[&str], jobs: &[String], expected: Expect) {
    expected.assert_eq(&shown(&told_with(approved, &list(jobs), 0)));
}

fn shown(finding: &Finding) -> String {
    let mut shown = format!("{}: {}", finding.answer, finding.summary);
    for note in finding.notes.iter().filter(|note| !note.contains("link alone")) {
        shown.push_str(&format!("\nnote: {note}"));
    }
    shown
}

#[test]
fn what_a_real_gateway_does_by_itself_is_fine() {
    let finding = told_with(&[], HEALTHY, 0);
    expect!["ok: 10 jobs, the most frequent every 30m"].assert_eq(&shown(&finding));
    assert_eq!(finding.evidence[0].seen, "by openclaw cron list");
    let all = format!("{finding:?}");
    for marker in ["echo hello", "dream__", "9911", "HTTP 500"] {
        assert!(HEALTHY.contains(marker) && !all.contains(marker), "{marker}");
    }
}

#[test]
fn a_job_under_a_minute_needs_approval_by_name_or_by_id() {
    let jobs = [every("poll", 30, r#"{"a":1}"#), every("slow", 60, r#"{"a":2}"#)];
    check(
        &jobs,
        expect!["degraded: job poll is due every 30s, more often than every 1m, and is not approved"],
    );
    check_with(&["poll"], &jobs, expect!["ok: 2 jobs, the most frequent every 30s"]);
    check_with(
        &["id-poll", "pol"],
        &jobs,
        expect![[r#"
            ok: 2 jobs, the most frequent every 30s
            note: pol is approved, and there is no such job"#]],
    );
}

#[test]
fn cron_expressions_are_judged_by_their_shortest_distance() {
    check(
        &[cron("a", "*/20 * * * * *", "{}"), cron("b", "* * * * *", "{}")],
        expect!["degraded: job a is due every 20s, more often than every 1m, and is not approved (and 1 more)"],
    );
    check(
        &[cron("odd", "every blue moon", "1"), cron("b", "0 3 * * *", "2")],
        expect![[r#"
            ok: 2 jobs, the most frequent every 1d
            note: how often these are due is not understood: odd"#]],
    );
}

#[test]
fn the_same_work_at_the_same_times_is_done_twice() {
    let same = r#"{"kind":"agentTurn","message":"read the inbox"}"#;
    check(
        &[every("inbox", 300, same), every("inbox-2", 600, same)],
        expect!["degraded: 2 jobs do the same work at the same times: inbox (every 5m), inbox-2 (every 10m)"],
    );
    check(
        &[cron("a", "0 9 * * 1-5", same), cron("b", "0 10 * * 0,6", same)],
        expect!["ok: 2 jobs, the most frequent every 1d"],
    );
    let approved = [every("inbox", 300, same), every("inbox-2", 600, same)];
    check_with(
        &["inbox-2"],
        &approved,
        expect!["ok: 2 jobs, the most frequent every 5m"],
    );
    let disabled = every("inbox-2", 600, same).replace("true", "false");
    check(
        &[every("inbox", 300, same), disabled],
        expect!["ok: 1 job, due every 5m"],
    );
    let zoned = |name, zone: &str| cron(name, &format!("0 9 * * *\",\"tz\":\"{zone}"), same);
    check(
        &[zoned("a", "Europe/Berlin"), zoned("b", "Asia/Tokyo")],
        expect!["ok: 2 jobs, the most frequent every 1d"],
    );
    check(
        &[zoned("a", "Asia/Tokyo"), zoned("b", "Asia/Tokyo")],
        expect!["degraded: 2 jobs do the same work at the same times: a (every 1d), b (every 1d)"],
    );
}

#[test]
fn one_agent_has_one_heartbeat_and_several_agents_are_told() {
    let beat = r#"{"kind":"heartbeat"}"#;
    check(
        &[every("one", 1800, beat), every("two", 3600, beat)],
        expect!["degraded: agent main has 2 heartbeats on top of each other: one (every 30m), two (every 1h)"],
    );
    let other = every("two", 3600, beat).replace("main", "ops");
    check(
        &[every("one", 1800, beat), other],
        expect![[r#"
            ok: 2 jobs, the most frequent every 30m
            note: 2 agents have a heartbeat: one (every 30m), two (every 1h)"#]],
    );
}

#[test]
fn missing_credentials_count_and_expired_ones_are_told() {
    let provider = |name: &str, state| Provider {
        name: name.into(),
        state,
    };
    let duties = Duties {
        jobs: Jobs::default(),
        providers: Some(vec![
            provider("openai", Credentials::Missing),
            provider("google", Credentials::Expired),
        ]),
    };
    let policy = Policy {
        interval_min: Duration::from_secs(60),
        approved: &BTreeSet::new(),
    };
    expect![[r#"
        degraded: model provider openai is configured, and its credentials are missing
        note: model provider google: its credentials have expired, and may be renewed at their next use"#]]
    .assert_eq(&shown(&judge(&duties, policy, "over the link")));
}

#[test]
fn whoever_does_not_tell_jobs_is_unknown_and_never_ok() {
    for (code, stdout, expected) in [
        (1, "", "unknown: no JSON object on standard output (exit 1)"),
        (
            0,
            "\0\u{1}\u{2}binary junk",
            "unknown: no JSON object on standard output (exit 0)",
        ),
        (
            0,
            r#"{"jobs":[{"id":"a","#,
            "unknown: the JSON object is cut off (exit 0)",
        ),
        (0, r#"{"jobs":7}"#, "unknown: the JSON object has no list of jobs"),
        (0, "{}", "unknown: the JSON object has no list of jobs"),
        (
            1,
            r#"{"ok":false,"error":{"type":"gateway_transport_error","message":"connect ECONNREFUSED"}}"#,
            "unknown: the jobs were not told: connect ECONNREFUSED",
        ),
        (
            1,
            r#"{"ok":false,"error":{"type":"gateway_credentials_required"}}"#,
            "unknown: the jobs were not told: gateway_credentials_required",
        ),
        (
            1,
            r#"{"ok":false,"error":{"type":"cli_error","message":"unknown command"}}"#,
            "unknown: the jobs were not told: unknown command",
        ),
    ] {
        let finding = told_with(&[], stdout, code);
        assert_eq!(format!("{}: {}", finding.answer, finding.summary), expected, "{stdout}");
        assert!(finding.cause.is_some());
    }
}

#[test]
fn ten_thousand_jobs_and_endless_names_are_bounded() {
    let name = "n".repeat(5000);
    let jobs: Vec<String> = (0..10_000)
        .map(|number| every(&format!("{number}{name}"), 1, "{}"))
        .collect();
    let finding = told_with(&[], &list(&jobs), 0);
    assert_eq!(finding.answer, Answer::Degraded);
    assert!(finding.summary.len() <= Finding::SUMMARY_BYTES_MAX);
    assert!(finding.evidence.len() <= Finding::EVIDENCE_MAX);
    assert!(finding.notes.iter().any(|note| note.contains("more jobs than the 512")));
}
