//! `nagios`, `exit-code` and `json`.

use super::*;

fn measured(stdout: &str) -> String {
    nagios(&said(0, stdout.as_bytes()))
        .measurements
        .iter()
        .map(|measured| format!("{}={}", measured.name, measured.value))
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn a_plugins_exit_code_is_its_answer_and_its_first_line_the_summary() {
    let check = |code: i32, stdout: &str, expected: &str| {
        assert_eq!(line(&nagios(&said(code, stdout.as_bytes()))), expected);
    };
    check(
        0,
        "DISK OK - free: 3326 MB | /=2643MB;5948;5958;0;5968\n",
        "ok: DISK OK - free: 3326 MB",
    );
    check(1, "LOAD WARNING", "degraded: LOAD WARNING");
    check(2, "TCP CRITICAL\n", "down: TCP CRITICAL");
    check(3, "cannot tell", "unknown [said_unknown]: cannot tell");
    check(
        4,
        "what",
        "unknown [unreadable]: exit 4 is not a plugin's (0 to 3): what",
    );
    check(
        127,
        "",
        "unknown [spawn]: could not be started (exit 127): a command in it was not found or not executable",
    );
    check(0, "", "ok: no output (exit 0)");
}

#[test]
fn performance_data_becomes_measurements() {
    let check = |stdout: &str, expected: &str| assert_eq!(measured(stdout), expected, "{stdout}");
    check("OK | /=2643MB;5948;5958;0;5968", "/=2643");
    check("OK|time=0.012s;;;0 size=512B", "time=0.012 size=512");
    check("OK|'free space'=12% 'it''s'=3", "free space=12 it's=3");
    check("OK|a=1e3 b=-2.5 c=1,5ms", "a=1000 b=-2.5 c=1.5");
    check("OK|a=U b=nan c=inf d= =5 e f=1", "f=1");
    check("OK|'broken=1", "");
    check("OK|a=1\nlong text\nmore | b=2\nc=3 d=4", "a=1 b=2 c=3 d=4");
    check("OK", "");
}

#[test]
fn long_output_is_evidence_on_one_line() {
    let finding = nagios(&said(2, b"CRITICAL | a=1\nfirst\nsecond | b=2\nc=3\n"));
    assert_eq!(finding.evidence[0].seen, "first second");
}

#[test]
fn an_exit_code_alone_is_ok_or_down_unless_nobody_was_asked() {
    let check = |code: i32, stdout: &str, expected: &str| {
        assert_eq!(line(&exit_code(&said(code, stdout.as_bytes()))), expected);
    };
    check(0, "", "ok: exit 0");
    check(0, "\nall good\nmore", "ok: all good");
    check(1, "no route", "down: exit 1: no route");
    check(64, "", "down: exit 64");
    check(
        126,
        "",
        "unknown [spawn]: could not be started (exit 126): a command in it was not found or not executable",
    );
    check(
        137,
        "",
        "unknown [signal]: exit 137: a command in it was ended by signal 9",
    );
    check(255, "", "down: exit 255");
}

#[test]
fn json_takes_the_words_of_health_json() {
    let check = |code: i32, stdout: &str, expected: &str| {
        assert_eq!(line(&json(&said(code, stdout.as_bytes()))), expected);
    };
    check(
        0,
        r#"{"status":"pass","summary":"all 3 backends"}"#,
        "ok: all 3 backends",
    );
    check(0, r#"{"status":"warn","summary":"1 of 3"}"#, "degraded: 1 of 3");
    check(0, r#"{"status":"fail"}"#, "down: says not ok");
    check(0, r#"{"status":"WARN"}"#, "degraded: says degraded");
    check(0, r#"{"ok":false,"summary":"x"}"#, "down: x");
    check(
        0,
        "no",
        "unknown [unreadable]: no JSON object on standard output (exit 0)",
    );
}
