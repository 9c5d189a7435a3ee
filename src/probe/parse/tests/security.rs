//! `openclaw security audit`: recorded reports, and what is none.

use super::*;

fn rules_that_ship() -> Vec<Rule> {
    let probe = shipped_probes().remove(&ProbeName::parse("security").unwrap()).unwrap();
    match &probe.asks {
        Asks::Exec(exec) => exec.rules.clone(),
        other => panic!("{other:?}"),
    }
}

fn audit(name: &str, rules: &[Rule], posture: Posture) -> Finding {
    let (code, stdout, stderr) = recorded(name);
    let said = Said {
        code,
        stdout: &stdout,
        stderr: &stderr,
    };
    security(&said, rules, posture)
}

/// The answer and the summary, all evidence and all notes, a line each and cut.
fn told(finding: &Finding) -> String {
    let cut = |text: &str| text.chars().take(110).collect::<String>();
    let mut told = format!("{}\n", line(finding));
    for fact in &finding.evidence {
        writeln!(told, "  {}: {}", fact.what, cut(&fact.seen)).unwrap();
    }
    for note in &finding.notes {
        writeln!(told, "  note {}", cut(note)).unwrap();
    }
    told
}

fn check(name: &str, posture: Posture, expected: &Expect) {
    expected.assert_eq(&told(&audit(name, &rules_that_ship(), posture)));
}

#[test]
fn a_healthy_loopback_gateway_is_ok() {
    check(
        "security-audit.healthy",
        Posture::Relaxed,
        &expect![[r#"
        ok: nothing that counts, 2 notes
          note summary.attack_surface: Attack surface summary: groups: open=0, allowlist=0
          note gateway.trusted_proxies_missing: Reverse proxy headers are not trusted: gateway.bind is loopback and gateway.t
    "#]],
    );
    check(
        "security-audit.deep-gateway-down",
        Posture::Relaxed,
        &expect![[r#"
        ok: nothing that counts, 2 notes
          note summary.attack_surface: Attack surface summary: groups: open=0, allowlist=0
          note gateway.trusted_proxies_missing: Reverse proxy headers are not trusted: gateway.bind is loopback and gateway.t
    "#]],
    );
}

#[test]
fn what_the_audit_calls_a_warning_counts_in_strict_posture() {
    check(
        "security-audit.healthy",
        Posture::Strict,
        &expect![[r#"
        degraded: Reverse proxy headers are not trusted
          gateway.trusted_proxies_missing: Reverse proxy headers are not trusted: gateway.bind is loopback and gateway.trustedProxies is empty. If you ex
          note summary.attack_surface: Attack surface summary: groups: open=0, allowlist=0
    "#]],
    );
}

#[test]
fn an_open_door_degrades_though_the_exit_code_is_zero() {
    check(
        "security-audit.lan-no-auth",
        Posture::Relaxed,
        &expect![[r#"
        degraded: Gateway binds beyond loopback without auth (+2 more)
          gateway.bind_no_auth: Gateway binds beyond loopback without auth: gateway.bind="lan" but no gateway.auth token/password is configure
          gateway.control_ui.allowed_origins_required: Non-loopback Control UI missing explicit allowed origins: Control UI is enabled on a non-loopback bind but gat
          gateway.http.no_auth: Gateway HTTP APIs are reachable without auth: gateway.auth.mode="none" leaves /tools/invoke callable without a
          note summary.attack_surface: Attack surface summary: groups: open=0, allowlist=0
          note gateway.auth_no_rate_limit: No auth rate limiting configured: gateway.bind is not loopback but no gateway.auth
          note fs.state_dir.perms_readable: State dir is readable by others: /srv/openclaw/neg/lannoauth.state mode=755; cons
    "#]],
    );
}

#[test]
fn a_flagged_skill_is_named_with_its_folder() {
    check(
        "security-audit.malicious-skill",
        Posture::Relaxed,
        &expect![[r#"
        degraded: Skill "evil" contains dangerous code patterns: /srv/openclaw/tenants/acme/state/skills/evil
          skills.code_safety: Skill "evil" contains dangerous code patterns: Found 2 critical issue(s) in 2 scanned file(s) under /srv/openc
          note summary.attack_surface: Attack surface summary: groups: open=0, allowlist=1
          note gateway.trusted_proxies_missing: Reverse proxy headers are not trusted: gateway.bind is loopback and gateway.t
    "#]],
    );
}

#[test]
fn a_flagged_skill_comes_before_other_critical_findings() {
    let (_, stdout, _) = recorded("security-audit.malicious-skill");
    let mut report: serde_json::Value = serde_json::from_slice(&stdout).unwrap();
    let door = serde_json::json!({"checkId": "gateway.bind_no_auth", "severity": "critical", "title": "an open door"});
    report["findings"].as_array_mut().unwrap().insert(0, door);
    let finding = security(&said(0, report.to_string().as_bytes()), &[], Posture::Relaxed);
    assert_eq!(
        finding.summary,
        "Skill \"evil\" contains dangerous code patterns: /srv/openclaw/tenants/acme/state/skills/evil (+1 more)"
    );
}

#[test]
fn a_configuration_that_cannot_be_read_is_no_answer() {
    check(
        "security-audit.config-unparsable",
        Posture::Relaxed,
        &expect![[r#"
        unknown [misconfigured]: no report (cli_error): OpenClaw config is invalid: /srv/openclaw/neg/bad.state/openclaw.json
          exit code: 1
          standard error: OpenClaw config is invalid
    "#]],
    );
}

#[test]
fn rules_go_by_the_id_of_the_finding_and_by_nothing_else() {
    let rule = |check_id: &str, requirement: Option<&str>, act| Rule {
        check_id: check_id.into(),
        requirement: requirement.map(str::to_owned),
        act,
    };
    let answer = |rules: &[Rule], posture| line(&audit("security-audit.malicious-skill", rules, posture));
    let skill = "skills.code_safety";
    let (relaxed, strict) = (Posture::Relaxed, Posture::Strict);
    expect![[r#"
        degraded: Skill "evil" contains dangerous code patterns: /srv/openclaw/tenants/acme/state/skills/evil
        ok: nothing that counts, 3 notes
        ok: nothing that counts, 4 notes
        degraded: Skill "evil" contains dangerous code patterns: /srv/openclaw/tenants/acme/state/skills/evil (+2 more)
        ok: nothing that counts, 4 notes
        degraded: Skill "evil" contains dangerous code patterns: /srv/openclaw/tenants/acme/state/skills/evil (+2 more)
        degraded: Skill "evil" contains dangerous code patterns: /srv/openclaw/tenants/acme/state/skills/evil
        degraded: Skill "evil" contains dangerous code patterns: /srv/openclaw/tenants/acme/state/skills/evil"#]]
    .assert_eq(
        &[
            answer(&[], relaxed),
            answer(&[rule(skill, None, RuleAct::Ignore)], relaxed),
            answer(&[rule(skill, None, RuleAct::Note)], relaxed),
            answer(&[rule(skill, None, RuleAct::Note)], strict),
            answer(&[rule(skill, None, RuleAct::Downgrade)], relaxed),
            answer(&[rule(skill, None, RuleAct::Downgrade)], strict),
            answer(&[rule("skills", None, RuleAct::Ignore)], relaxed),
            answer(&[rule(skill, Some("x"), RuleAct::Ignore)], relaxed),
        ]
        .join("\n"),
    );
}

#[test]
fn what_is_no_audit_is_unknown_and_never_ok() {
    let table: [(&str, i32, &[u8]); 19] = [
        ("nothing", 0, b""),
        ("nothing, failed", 1, b""),
        ("not found", 127, b""),
        ("text", 0, b"all is well\n"),
        ("junk", 0, &[0xff, 0x00, 0xfe, b'{', 0x80]),
        ("half", 0, br#"{"summary":{"critical":0},"findings":[{"checkId":"a""#),
        ("a doctor", 0, br#"{"ok":true,"checksRun":3,"findings":[]}"#),
        ("a summary that counts nothing", 0, br#"{"summary":{},"findings":[]}"#),
        ("an empty list alone", 0, br#"{"findings":[]}"#),
        ("no findings", 0, br#"{"summary":{"critical":0,"warn":0,"info":0}}"#),
        (
            "findings of another shape",
            0,
            br#"{"summary":{"critical":0},"findings":{"checkId":"a"}}"#,
        ),
        (
            "a finding without an id",
            0,
            br#"{"summary":{"critical":0},"findings":[{"severity":"info"}]}"#,
        ),
        (
            "a finding that is none",
            0,
            br#"{"summary":{"critical":0},"findings":[7]}"#,
        ),
        (
            "an argument error",
            1,
            br#"{"ok":false,"error":{"type":"cli_error","message":"unknown option --deep"}}"#,
        ),
        (
            "another error",
            1,
            br#"{"ok":false,"error":{"type":"gateway_transport_error","message":"timeout"}}"#,
        ),
        (
            "critical, but not listed",
            0,
            br#"{"summary":{"critical":2},"findings":[]}"#,
        ),
        (
            "a new severity",
            0,
            br#"{"summary":{"critical":0},"findings":[{"checkId":"a","severity":"fatal","title":"t"}]}"#,
        ),
        (
            "no severity",
            0,
            br#"{"summary":{"critical":0},"findings":[{"checkId":"a"}]}"#,
        ),
        (
            "among log lines",
            3,
            b"[log] {\n{\"summary\":{\"critical\":0},\"findings\":[]}\nbye\n",
        ),
    ];
    let mut told = String::new();
    for (name, code, stdout) in table {
        writeln!(
            told,
            "{name} → {}",
            line(&security(&said(code, stdout), &[], Posture::Relaxed))
        )
        .unwrap();
    }
    expect![[r#"
        nothing → unknown [unreadable]: no JSON object on standard output (exit 0)
        nothing, failed → unknown [unreadable]: no JSON object on standard output (exit 1)
        not found → unknown [spawn]: could not be started (exit 127): a command in it was not found or not executable
        text → unknown [unreadable]: no JSON object on standard output (exit 0)
        junk → unknown [unreadable]: the JSON object cannot be parsed (exit 0)
        half → unknown [unreadable]: the JSON object is cut off (exit 0)
        a doctor → unknown [unreadable]: the JSON object has no findings with a summary that counts them: not an audit that readyd knows
        a summary that counts nothing → unknown [unreadable]: the JSON object has no findings with a summary that counts them: not an audit that readyd knows
        an empty list alone → unknown [unreadable]: the JSON object has no findings with a summary that counts them: not an audit that readyd knows
        no findings → unknown [unreadable]: the JSON object has no findings with a summary that counts them: not an audit that readyd knows
        findings of another shape → unknown [unreadable]: the JSON object has no findings with a summary that counts them: not an audit that readyd knows
        a finding without an id → unknown [unreadable]: a finding has no checkId: not an audit that readyd knows
        a finding that is none → unknown [unreadable]: a finding has no checkId: not an audit that readyd knows
        an argument error → unknown [misconfigured]: no report (cli_error): unknown option --deep
        another error → unknown [said_unknown]: no report (gateway_transport_error): timeout
        critical, but not listed → degraded: the audit counts 2 critical findings and lists 0
        a new severity → degraded: t
        no severity → degraded: a
        among log lines → ok: nothing against it
    "#]].assert_eq(&told);
}

#[test]
fn a_huge_report_is_bounded_and_a_deep_one_is_no_crash() {
    let one = r#"{"checkId":"skills.code_safety","severity":"critical","title":"T\u202e","detail":"under /x"},"#;
    let many = format!(
        r#"{{"summary":{{"critical":1}},"findings":[{}{{"checkId":"z"}}]}}"#,
        one.repeat(20_000)
    );
    let finding = security(&said(0, many.as_bytes()), &[], Posture::Relaxed);
    assert_eq!(finding.answer, Answer::Degraded);
    assert!(finding.evidence.len() <= Finding::EVIDENCE_MAX && finding.summary.len() <= Finding::SUMMARY_BYTES_MAX);
    assert!(!finding.summary.contains('\u{202e}'));
    let deep = format!(r#"{{"summary":{{"critical":1}},"findings":{}"#, "[".repeat(200_000));
    assert_eq!(
        security(&said(0, deep.as_bytes()), &[], Posture::Relaxed).answer,
        Answer::Unknown
    );
}

#[test]
fn a_secret_in_what_the_audit_says_is_not_shown() {
    let report = r#"{"summary":{"critical":1},"findings":[{"checkId":"a","severity":"critical","title":"t","detail":"token sk-abcdefghijklmnopqrstuvwxyz0123456789"}],"secretDiagnostics":["bearer ghp_abcdefghijklmnopqrstuvwxyz0123456789 unresolved"]}"#;
    let finding = security(&said(0, report.as_bytes()), &[], Posture::Relaxed);
    let told = told(&finding);
    assert!(!told.contains("sk-abc") && !told.contains("ghp_abc"), "{told}");
    assert!(told.contains("a secret was not resolved"), "{told}");
}

#[test]
fn what_a_parser_quotes_of_a_file_of_secrets_is_not_shown() {
    // As Node.js 24 says it of a file `hunter2-and-more`, and openclaw passes it on.
    let report = r#"{"summary":{"critical":0},"findings":[],"secretDiagnostics":[
        "security audit: failed to resolve gateway.auth.token locally (Unexpected token 'h', \"hunter2-and-more\" is not valid JSON).",
        "security audit: failed to resolve channels.telegram.botToken locally (Environment variable \"X\" is missing or empty.).",
        "security audit: failed to resolve web tool secrets locally (hunter2)."]}"#;
    let finding = security(&said(0, report.as_bytes()), &[], Posture::Relaxed);
    assert_eq!(
        finding.notes,
        [
            "a secret was not resolved: gateway.auth.token is in a file that cannot be read as JSON",
            "a secret was not resolved: channels.telegram.botToken is not set",
            "a secret was not resolved: it does not resolve",
        ]
    );
}
