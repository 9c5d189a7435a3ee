//! `openclaw config validate`, and the articles' linter.

use super::*;
use crate::probe::openclaw::Speaks;

fn told(code: i32, stdout: &str, stderr: &str, speaks: Speaks) -> String {
    let said = Said {
        code,
        stdout: stdout.as_bytes(),
        stderr: stderr.as_bytes(),
    };
    line(&config(&said, speaks))
}

fn of(name: &str, speaks: Speaks) -> Finding {
    let (code, stdout, stderr) = recorded(name);
    let said = Said {
        code,
        stdout: &stdout,
        stderr: &stderr,
    };
    config(&said, speaks)
}

#[test]
fn what_the_real_cli_says_of_a_configuration() {
    let mut table = String::new();
    for state in ["valid", "bad-type", "unknown-key", "unparsable", "missing"] {
        let finding = of(&format!("config-validate.{state}"), Speaks::Openclaw);
        writeln!(table, "{}", line(&finding)).unwrap();
        for evidence in &finding.evidence {
            writeln!(table, "  {} = {}", evidence.what, evidence.seen).unwrap();
        }
    }
    expect![[r#"
        ok: /srv/openclaw/tenants/acme/openclaw.json is valid
        down: gateway.port: Invalid input: expected number, received string
          file = /srv/openclaw/neg/badtype.json
          gateway.port = Invalid input: expected number, received string (in /srv/openclaw/neg/badtype.json)
        down: gateway: Unrecognized key: "portt" (+1 more)
          file = /srv/openclaw/neg/unknownkey.json
          gateway = Unrecognized key: "portt" (in /srv/openclaw/neg/unknownkey.json)
          <root> = Unrecognized key: "bogusTop" (in /srv/openclaw/neg/unknownkey.json)
        down: <root>: JSON5 parse failed: SyntaxError: JSON5: invalid end of input at 1:33
          file = /srv/openclaw/neg/badjson.json
          <root> = JSON5 parse failed: SyntaxError: JSON5: invalid end of input at 1:33 (in /srv/openclaw/neg/badjson.json)
        unknown [misconfigured]: /srv/openclaw/neg/missing.json could not be validated: file not found
          exit code = 1
    "#]].assert_eq(&table);
}

#[test]
fn nothing_else_that_the_real_cli_prints_says_anything_of_a_configuration() {
    for name in [
        "doctor-json.healthy",
        "doctor-json.config-unparsable",
        "doctor.unknown-option-tenant",
        "doctor.human-gateway-down",
        "health.gateway-frozen",
        "version.json-unsupported",
        "version.plain",
        "wrong-node.doctor",
        "secrets-audit.healthy",
    ] {
        assert_eq!(of(name, Speaks::Openclaw).answer, Answer::Unknown, "{name}");
    }
}

#[test]
fn warnings_are_notes() {
    let stdout = r#"{"valid":true,"path":"/o.json","warnings":[{"path":"agents","message":"is old\nand so on"}, 7]}"#;
    let finding = config(&said(0, stdout.as_bytes()), Speaks::Openclaw);
    assert_eq!(line(&finding), "ok: /o.json is valid");
    assert_eq!(
        finding.notes,
        ["agents: is old", "<root>: it does not say what is wrong"]
    );
}

#[test]
fn what_this_user_cannot_see_is_no_fault_of_the_configuration() {
    let invalid = |issues: &str| {
        let stdout = format!(
            r#"{{"ok":false,"error":{{"type":"cli_error","message":"m"}},"valid":false,"path":"/o.json","issues":[{issues}]}}"#
        );
        told(1, &stdout, "", Speaks::Openclaw)
    };
    let unseen = r#"{"path":"","message":"read failed: Error: EACCES: permission denied, open '/o.json'\n\nConfig file is not readable"}"#;
    let owner = r#"{"path":"secrets.providers.v.command","message":"secrets.providers.v.command must be owned by the current user (uid=0): /v"}"#;
    let wrong = r#"{"path":"gateway.port","message":"Invalid input"}"#;
    assert_eq!(
        invalid(unseen),
        "unknown [misconfigured]: /o.json could not be validated: read failed: Error: EACCES: permission denied, open '/o.json'"
    );
    assert_eq!(
        invalid(owner),
        "unknown [misconfigured]: /o.json could not be validated: secrets.providers.v.command must be owned by the current user (uid=0): /v"
    );
    assert_eq!(
        invalid(&format!("{owner},{wrong}")),
        "down: gateway.port: Invalid input"
    );
    assert_eq!(
        invalid(""),
        "unknown [misconfigured]: /o.json could not be validated: m"
    );
}

#[test]
fn hostile_answers_of_the_real_cli() {
    let valid = r#"{"valid":true,"path":"/o.json","warnings":[]}"#;
    let log = r#"{"level":"warn","status":"starting"}"#;
    for (code, stdout, stderr, expected) in [
        (
            0,
            "",
            "",
            "unknown [unreadable]: no JSON object on standard output (exit 0)",
        ),
        (
            1,
            "",
            "openclaw requires Node >=24.16",
            "unknown [unreadable]: no JSON object on standard output (exit 1): openclaw requires Node >=24.16",
        ),
        (
            1,
            "",
            "error: unknown command 'validate'",
            "unknown [misconfigured]: no JSON object on standard output (exit 1): error: unknown command 'validate'",
        ),
        (
            127,
            "",
            "env: node: not found",
            "unknown [spawn]: could not be started (exit 127): env: node: not found",
        ),
        (
            0,
            &valid[..20],
            "",
            "unknown [unreadable]: the JSON object is cut off (exit 0)",
        ),
        (
            0,
            "{valid:true}\n",
            "",
            "unknown [unreadable]: the JSON object cannot be parsed (exit 0)",
        ),
        (0, &format!("{log}\n{valid}\nbye\n"), "", "ok: /o.json is valid"),
        (0, &format!("\u{1b}[0m{valid}\u{1b}[0m"), "", "ok: /o.json is valid"),
        (
            1,
            valid,
            "",
            "unknown [unreadable]: contradicts itself: `valid` is true, the exit code 1",
        ),
        (
            0,
            r#"{"valid":true,"error":{"type":"x"}}"#,
            "",
            "unknown [unreadable]: contradicts itself: `valid` is true, the exit code 0",
        ),
        (
            0,
            r#"{"valid":"yes"}"#,
            "",
            "unknown [unreadable]: the JSON object has no `valid`: not an answer that readyd knows",
        ),
        (
            0,
            r#"{"ok":true}"#,
            "",
            "unknown [unreadable]: the JSON object has no `valid`: not an answer that readyd knows",
        ),
        (
            1,
            r#"{"valid":false}"#,
            "",
            "unknown [misconfigured]: the configuration could not be validated: no issue is named",
        ),
        (
            1,
            r#"{"valid":false,"issues":{}}"#,
            "",
            "unknown [misconfigured]: the configuration could not be validated: no issue is named",
        ),
        (
            0,
            r#"{"valid":false,"issues":["bad", {}]}"#,
            "",
            "down: <root>: bad (+1 more)",
        ),
        (
            1,
            r#"{"ok":false,"error":{"type":"cli_error","message":"no such profile"}}"#,
            "",
            "unknown [misconfigured]: no report (cli_error): no such profile",
        ),
    ] {
        assert_eq!(told(code, stdout, stderr, Speaks::Openclaw), expected, "{stdout}");
    }
    let junk: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    assert_eq!(config(&said(1, &junk), Speaks::Openclaw).answer, Answer::Unknown);
    assert_eq!(
        config(&said(0, &"{".repeat(200_000).into_bytes()), Speaks::Openclaw).answer,
        Answer::Unknown
    );
}

#[test]
fn many_issues_are_cut_and_counted() {
    let issues: Vec<String> = (0..500)
        .map(|index| {
            format!(
                r#"{{"path":"a.b{index}","message":"{}","sourceFile":"/i.json5","line":{index}}}"#,
                "x".repeat(9_000)
            )
        })
        .collect();
    let stdout = format!(r#"{{"valid":false,"path":"/o.json","issues":[{}]}}"#, issues.join(","));
    let finding = config(&said(1, stdout.as_bytes()), Speaks::Openclaw);
    assert_eq!(finding.evidence.len(), Finding::EVIDENCE_MAX);
    assert!(finding.summary.len() <= Finding::SUMMARY_BYTES_MAX);
}

#[test]
fn the_articles_linter_answers_by_its_exit_code_and_its_first_lines() {
    for (code, stdout, stderr, expected) in [
        (0, "", "", "ok: the linter finds nothing"),
        (0, "acme: 3 fragments, {ok}\n", "", "ok: acme: 3 fragments, {ok}"),
        (
            1,
            "",
            "10-base.yaml:3: bad key\n20-x.yaml:1: bad value",
            "down: 10-base.yaml:3: bad key",
        ),
        (1, "checking acme\n", "10-base.yaml:3: bad key", "down: checking acme"),
        (2, "", "", "down: the linter fails and does not say why"),
        (
            1,
            r#"{"ok":false,"errors":[{"path":"port","message":"no number"}]}"#,
            "",
            "down: no number",
        ),
        (0, r#"{"ok":true,"summary":"clean"}"#, "", "ok: clean"),
        (
            1,
            r#"{"ok":true}"#,
            "",
            "unknown [unreadable]: contradicts itself: the answer says ok, the exit code is 1",
        ),
        (0, r#"{"status":"yellow","message":"old key"}"#, "", "degraded: old key"),
        (
            1,
            r#"{"valid":false,"issues":[{"path":"port","message":"no number"}]}"#,
            "",
            "down: port: no number",
        ),
        (0, r#"{"level":"info"}"#, "", r#"ok: {"level":"info"}"#),
        (
            0,
            "{\"ok\":tr",
            "",
            "unknown [unreadable]: the JSON object is cut off (exit 0)",
        ),
        (
            1,
            r#"{"ok":false,"error":{"type":"cli_error","message":"OpenClaw does not recognize option"}}"#,
            "",
            "unknown [misconfigured]: no report (cli_error): OpenClaw does not recognize option",
        ),
    ] {
        assert_eq!(
            told(code, stdout, stderr, Speaks::Article),
            expected,
            "{stdout} {stderr}"
        );
    }
    let finding = config(
        &Said {
            code: 1,
            stdout: b"",
            stderr: b"10-base.yaml:3: bad key\n\n20-x.yaml:1: bad value\n",
        },
        Speaks::Article,
    );
    let seen: Vec<&str> = finding.evidence.iter().map(|evidence| evidence.seen.as_str()).collect();
    assert_eq!(seen, ["10-base.yaml:3: bad key", "20-x.yaml:1: bad value", "1"]);
}

#[test]
fn a_linter_that_did_not_look_is_unknown() {
    for (code, stderr) in [
        (1, "error: unknown command 'config'"),
        (2, "openclaw: error: argument command: invalid choice: 'config'"),
        (1, "Error: unknown flag: --tenant"),
        (2, "error: unrecognized subcommand 'lint'"),
        (64, "what?"),
        (1, "usage: openclaw [doctor|version]"),
        (1, "acme: unknown tenant"),
        (1, "EACCES: permission denied, open '/etc/openclaw/tenants/acme'"),
        (
            1,
            "openclaw: cannot open /etc/openclaw/tenants/acme: No such file or directory",
        ),
        (1, "Error: Cannot find module './lint'\n\nNode.js v20.1.0"),
        (1, "openclaw requires Node >= 24.16"),
        (126, "permission denied"),
        (127, "node: not found"),
        (137, ""),
        (-1, ""),
    ] {
        let told = told(code, "", stderr, Speaks::Article);
        assert_eq!(told.starts_with("unknown"), code != -1, "{code} {stderr}: {told}");
    }
}
