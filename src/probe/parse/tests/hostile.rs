//! Output that no CLI should print, and some did.

use super::*;
use crate::dice::Dice;

const REPORT: &str = r#"{"schemaVersion":1,"ok":true,"checksRun":2,"findings":[]}"#;
const FINE: &str = "ok: 2 checks, no findings";

#[test]
fn log_lines_and_escapes_around_the_object_do_not_matter() {
    for stdout in [
        format!("[plugins] loaded 3\n2026-11-20 {{not json}}\n{REPORT}\nbye\n"),
        format!("\u{1b}[32m{REPORT}\u{1b}[0m\u{1b}[?25h"),
        format!("\u{1b}]0;openclaw\u{7}{REPORT}"),
        format!("\u{1b}]0;openclaw\u{1b}\\{REPORT}"),
        format!("\u{feff}{REPORT}"),
        format!("working…\r{REPORT}\r\n"),
        format!("{{\"level\":\"info\",\"msg\":\"starting\"}}\n{{\"ok\":false,\"event\":\"x\"}}\n{REPORT}"),
        format!("doctor: {REPORT}"),
        format!("   {REPORT}"),
        serde_json::to_string_pretty(&serde_json::from_str::<serde_json::Value>(REPORT).unwrap()).unwrap(),
    ] {
        assert_eq!(doctor_says(0, &stdout), FINE, "{stdout}");
    }
}

#[test]
fn a_piece_of_a_broken_answer_is_never_taken_for_the_answer() {
    const CUT: &str = "unknown [unreadable]: the JSON object is cut off (exit 0)";
    const BROKEN: &str = "unknown [unreadable]: the JSON object cannot be parsed (exit 0)";
    const ABSENT: &str = "unknown [unreadable]: no JSON object on standard output (exit 0)";
    for (stdout, expected) in [
        (r#"{"ok":false,"checks":[{"name":"disk","ok":true},"#, CUT),
        (
            "{\n\"ok\":false,\n\"checks\":[\n{\"name\":\"disk\",\"ok\":true},\n",
            CUT,
        ),
        ("{\"ok\":true}\n{\"schemaVersion\":1,\"findi", CUT),
        (r#"{"ok":false, bad, "inner":{"ok":true}}"#, BROKEN),
        (r#"[{"ok":true},{"ok":true}]"#, ABSENT),
        ("[\n  {\"ok\":true},\n  {\"ok\":true}\n]", ABSENT),
        ("{", CUT),
        ("}{", CUT),
        ("", ABSENT),
        ("true", ABSENT),
        ("All good!", ABSENT),
        ("\u{0}\u{1}\u{2}", ABSENT),
    ] {
        assert_eq!(doctor_says(0, stdout), expected, "{stdout}");
    }
}

#[test]
fn another_shape_is_unknown() {
    for stdout in [
        "{}",
        r#"{"healthy":true}"#,
        r#"{"ok":"true"}"#,
        r#"{"ok":1}"#,
        r#"{"findings":{}}"#,
    ] {
        assert_eq!(
            doctor_says(0, stdout),
            "unknown [unreadable]: the JSON object has neither findings nor `ok` nor a known `status`",
            "{stdout}"
        );
    }
}

#[test]
fn every_prefix_of_a_report_is_unknown() {
    let (_, whole, _) = recorded("doctor-json.lan-no-auth");
    let whole = whole.trim_ascii_end();
    for end in 0..whole.len() {
        let finding = doctor(&said(0, &whole[..end]), &[], Posture::Relaxed);
        assert_eq!(finding.answer, Answer::Unknown, "{end}");
    }
}

#[test]
fn megabytes_are_read_in_one_pass() {
    let open = |piece: &str| piece.repeat((4 << 20) / piece.len());
    for stdout in [
        open("{"),
        open("{\n"),
        open("{\"a\":"),
        open("{\"a\":\n"),
        open("[{"),
        open("[{\n"),
        open("{}\n"),
        open("{\"a\":[{}]}\n"),
        open("x{"),
        open("{\"a\":1}}"),
        format!("{{\"a\":\"{}", open("{\n")),
        format!("{{\"a\":[{}", open("{\"a\":1},\n")),
    ] {
        let started = std::time::Instant::now();
        let answer = doctor_says(0, &stdout);
        assert!(answer.starts_with("unknown [unreadable]"), "{answer}");
        // Quadratic would be hours.
        assert!(started.elapsed().as_secs() < 30, "{}", &stdout[..20]);
    }
}

#[test]
fn deep_nesting_is_unknown_and_no_crash() {
    let deep = format!("{{\"ok\":true,\"a\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(
        doctor_says(0, deep),
        "unknown [unreadable]: the JSON object cannot be parsed (exit 0)"
    );
}

#[test]
fn binary_junk_never_answers() {
    let mut dice = Dice::new(7);
    for round in 0..500 {
        let junk: Vec<u8> = (0..512).map(|_| dice.below(256) as u8).collect();
        let finding = doctor(&said(0, &junk), &[], Posture::Relaxed);
        assert_eq!(finding.answer, Answer::Unknown, "round {round}");
    }
}

#[test]
fn invalid_utf8_in_a_message_does_not_hide_the_report() {
    let mut stdout = br#"{"checksRun":1,"findings":[{"checkId":"a/b","severity":"error","message":"caf"#.to_vec();
    stdout.extend(b"\xe9\"}]}");
    assert_eq!(doctor_says(1, stdout), "down: caf\u{fffd}");
}

#[test]
fn complaints_say_why_there_is_no_answer() {
    let check = |code: i32, stderr: &str, expected: &str| {
        let said = Said {
            code,
            stdout: b"",
            stderr: stderr.as_bytes(),
        };
        assert_eq!(line(&doctor(&said, &[], Posture::Relaxed)), expected);
    };
    check(
        1,
        "\n  openclaw requires Node >=24.16\nmore\n",
        "unknown [unreadable]: no JSON object on standard output (exit 1): openclaw requires Node >=24.16",
    );
    check(
        1,
        "error: unknown option '--lint'",
        "unknown [misconfigured]: no JSON object on standard output (exit 1): error: unknown option '--lint'",
    );
    check(
        127,
        "env: 'node': No such file or directory",
        "unknown [spawn]: could not be started (exit 127): env: 'node': No such file or directory",
    );
}
