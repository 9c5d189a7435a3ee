//! `openclaw secrets audit`, and what is known beside it.

use serde_json::{Value, json};

use super::*;
use crate::probe::parse::secrets::{Beside, Gateway, References, Seen, judge, read};

fn present(gateway: Gateway) -> Beside {
    Beside {
        config: Seen::Present,
        references: Some(Ok(References::default())),
        gateway,
        env_file: true,
        as_its_user: false,
    }
}

fn finding(said: &Said<'_>, beside: &Beside, posture: Posture) -> Finding {
    read(said).map_or_else(|finding| finding, |audit| judge(&audit, beside, posture))
}

fn of(name: &str, beside: &Beside, posture: Posture) -> Finding {
    let (code, stdout, stderr) = recorded(name);
    let said = Said {
        code,
        stdout: &stdout,
        stderr: &stderr,
    };
    finding(&said, beside, posture)
}

fn silent() -> Gateway {
    Gateway::Silent("http://127.0.0.1:1/readyz: connection refused".into())
}

/// A report with one finding of each `(code, severity, path, message)`.
fn report(status: &str, findings: &[(&str, &str, &str, &str)]) -> Value {
    let findings: Vec<Value> = findings
        .iter()
        .map(|(code, severity, path, message)| {
            json!({"code": code, "severity": severity, "file": "/o.json", "jsonPath": path, "message": message})
        })
        .collect();
    json!({
        "version": 1, "status": status, "findings": findings,
        "resolution": {"refsChecked": 3, "skippedExecRefs": 0, "resolvabilityComplete": true},
    })
}

fn judged(report: &Value, beside: &Beside, posture: Posture) -> Finding {
    let code = match report["status"].as_str() {
        Some("unresolved") => 2,
        Some("findings") => 1,
        _ => 0,
    };
    finding(&said(code, report.to_string().as_bytes()), beside, posture)
}

fn whole(finding: &Finding) -> String {
    let mut told = format!("{}\n", line(finding));
    for evidence in &finding.evidence {
        writeln!(told, "  {} = {}", evidence.what, evidence.seen).unwrap();
    }
    for note in &finding.notes {
        writeln!(told, "  note: {note}").unwrap();
    }
    told
}

#[test]
fn what_the_real_cli_says_of_secrets_while_the_gateway_serves_and_while_it_does_not() {
    let mut table = String::new();
    for state in ["healthy", "unresolved-env", "unresolved-file", "config-unparsable"] {
        let name = format!("secrets-audit.{state}");
        table.push_str(&whole(&of(&name, &present(Gateway::Serves), Posture::Relaxed)));
        table.push_str(&whole(&of(&name, &present(silent()), Posture::Strict)));
    }
    expect![[r#"
        ok: no references, 1 note
          note: gateway.auth.token holds a secret in the clear
        degraded: gateway.auth.token holds a secret in the clear
          posture = gateway.auth.token holds a secret in the clear
          gateway = http://127.0.0.1:1/readyz: connection refused
        degraded: gateway.auth.token refers to env NO_SUCH_ENV_TOKEN, which is not set; the gateway serves, the next restart fails
          gateway.auth.token = env NO_SUCH_ENV_TOKEN, which is not set (in /srv/openclaw/neg/envref.json)
        down: gateway.auth.token refers to env NO_SUCH_ENV_TOKEN, which is not set; and the gateway does not serve
          gateway.auth.token = env NO_SUCH_ENV_TOKEN, which is not set (in /srv/openclaw/neg/envref.json)
          gateway = http://127.0.0.1:1/readyz: connection refused
        degraded: gateway.auth.token refers to file /gw/token of provider f, which names a file that does not exist; the gateway serves, the next restart fails
          gateway.auth.token = file /gw/token of provider f, which names a file that does not exist (in /srv/openclaw/neg/fileref.json)
        down: gateway.auth.token refers to file /gw/token of provider f, which names a file that does not exist; and the gateway does not serve
          gateway.auth.token = file /gw/token of provider f, which names a file that does not exist (in /srv/openclaw/neg/fileref.json)
          gateway = http://127.0.0.1:1/readyz: connection refused
        unknown [said_unknown]: the configuration is invalid, so that its references cannot be told: see the check config
        unknown [said_unknown]: the configuration is invalid, so that its references cannot be told: see the check config
    "#]].assert_eq(&table);
}

#[test]
fn a_gateway_that_nobody_could_ask_leaves_it_degraded() {
    for gateway in [Gateway::Unknown, Gateway::Unclear("no route".into())] {
        let finding = of("secrets-audit.unresolved-env", &present(gateway), Posture::Relaxed);
        assert_eq!(
            line(&finding),
            "degraded: gateway.auth.token refers to env NO_SUCH_ENV_TOKEN, which is not set; the next restart fails"
        );
    }
}

#[test]
fn an_audit_that_found_nothing_is_believed_only_where_there_is_a_configuration() {
    let name = "secrets-audit.config-missing";
    assert_eq!(
        line(&of(name, &present(Gateway::Unknown), Posture::Relaxed)),
        "ok: no references"
    );
    assert_eq!(
        line(&of(name, &Beside::default(), Posture::Relaxed)),
        "unknown [misconfigured]: the audit found nothing, as it does where there is no configuration, and none could be seen from here"
    );
    // One that found something has seen a configuration.
    assert_eq!(
        line(&of("secrets-audit.healthy", &Beside::default(), Posture::Relaxed)),
        "ok: no references, 1 note"
    );
}

#[test]
fn without_an_env_file_a_variable_that_is_not_set_may_be_set_for_the_gateway() {
    let beside = Beside {
        env_file: false,
        ..present(Gateway::Serves)
    };
    let notes = |name: &str| of(name, &beside, Posture::Relaxed).notes;
    assert_eq!(
        notes("secrets-audit.unresolved-env"),
        ["variables are looked for in readyd's own environment: say env_file for the tenant if its gateway has others"]
    );
    assert!(notes("secrets-audit.unresolved-file").is_empty());
}

/// `JSON.parse` quotes what it cannot read, and what it reads there is a secret.
#[test]
fn no_word_of_a_file_of_secrets_is_shown() {
    let messages = [
        r#"Failed to resolve file:f:/gw/token (Unexpected token 'h', "hunter2-is-the-password" is not valid JSON)."#,
        "Failed to resolve exec:v:gw (hunter2-is-the-password exited with code 1).",
        "hunter2-is-the-password",
        "Failed to resolve hunter2-is-the-password",
    ];
    for message in messages {
        for code in ["REF_UNRESOLVED", "PLACEHOLDER_VALUE", "PLAINTEXT_FOUND", "NEW_CODE"] {
            let status = if code.starts_with("REF") || code.starts_with("PLACE") {
                "unresolved"
            } else {
                "findings"
            };
            let report = report(status, &[(code, "error", "gateway.auth.token", message)]);
            for posture in [Posture::Relaxed, Posture::Strict] {
                let told = whole(&judged(&report, &present(silent()), posture));
                assert!(!told.contains("hunter2"), "{told}");
            }
        }
    }
}

#[test]
fn reasons_are_a_closed_set() {
    let told = |message: &str| {
        let report = report("unresolved", &[("REF_UNRESOLVED", "error", "a.apiKey", message)]);
        line(&judged(&report, &present(Gateway::Serves), Posture::Relaxed))
    };
    let why = |reason: &str| told(&format!("Failed to resolve file:secrets2:/gw/token1 ({reason})."));
    let expected = |why: &str| {
        format!(
            "degraded: a.apiKey refers to file /gw/token1 of provider secrets2, which {why}; the gateway serves, what needs it fails from the next restart on"
        )
    };
    for (reason, known) in [
        (
            "secrets.providers.f.path is not readable: /x | ENOENT: no such file",
            "names a file that does not exist",
        ),
        (
            "JSON pointer segment \"x\" does not exist.",
            "names an entry that its file does not have",
        ),
        (
            "Unexpected token 'x', \"x\" is not valid JSON",
            "is in a file that cannot be read as JSON",
        ),
        (
            "Secret provider \"x\" is not configured (ref: a)",
            "names a provider that is not configured",
        ),
        (
            "Secret provider \"x\" has source \"env\" but ref requests \"file\".",
            "names a provider of another source",
        ),
        (
            "Exec provider \"x\" timed out after 5000ms.",
            "was not answered in time",
        ),
        ("something new", "does not resolve"),
    ] {
        assert_eq!(why(reason), expected(known));
    }
    assert_eq!(
        told("models.json contains an unresolved SecretRef object; regenerate models.json."),
        "degraded: a.apiKey is left over in models.json, which is to be generated anew; the gateway serves, what needs it fails from the next restart on"
    );
}

#[test]
fn what_this_user_may_not_read_is_unknown_unless_it_is_the_gateways_user() {
    let refused =
        "Failed to resolve file:f:/t (secrets.providers.f.path must be owned by the current user (uid=0): /s).";
    let report = report(
        "unresolved",
        &[("REF_UNRESOLVED", "error", "gateway.auth.token", refused)],
    );
    assert_eq!(
        line(&judged(&report, &present(silent()), Posture::Relaxed)),
        "unknown [misconfigured]: gateway.auth.token refers to file /t of provider f, which is not for this user to read: \
         is tenants.*.user the gateway's user?"
    );
    let as_its_user = Beside {
        as_its_user: true,
        ..present(silent())
    };
    assert_eq!(
        line(&judged(&report, &as_its_user, Posture::Relaxed)),
        "down: gateway.auth.token refers to file /t of provider f, which is not for this user to read; and the gateway does not serve"
    );
}

#[test]
fn posture_is_noted_and_counted_where_it_is_strict() {
    let mut report = report(
        "findings",
        &[
            ("PLAINTEXT_FOUND", "warn", "gateway.auth.token", "…"),
            ("REF_SHADOWED", "warn", "models.providers.a.apiKey", "…"),
            ("LEGACY_RESIDUE", "info", "profiles.x", "…"),
        ],
    );
    report["resolution"]["skippedExecRefs"] = json!(2);
    let beside = present(Gateway::Unknown);
    expect![[r#"
        ok: 3 references resolve, 4 notes
          note: gateway.auth.token holds a secret in the clear
          note: models.providers.a.apiKey refers to a secret that an auth profile overrides
          note: 2 references of exec providers were not tried
          note: profiles.x is left over from an older store of secrets
    "#]]
    .assert_eq(&whole(&judged(&report, &beside, Posture::Relaxed)));
    expect![[r#"
        degraded: gateway.auth.token holds a secret in the clear (+2 more)
          posture = gateway.auth.token holds a secret in the clear
          posture = models.providers.a.apiKey refers to a secret that an auth profile overrides
          posture = 2 references of exec providers were not tried
          note: profiles.x is left over from an older store of secrets
    "#]]
    .assert_eq(&whole(&judged(&report, &beside, Posture::Strict)));
}

#[test]
fn collisions_degrade_and_too_many_without_a_class_only_where_it_is_strict() {
    let clean = report("clean", &[]);
    let env = |id: &str| json!({"source": "env", "id": id});
    let beside = |config: Value| Beside {
        references: Some(Ok(References::of(&config))),
        ..present(Gateway::Unknown)
    };
    let colliding = beside(json!({"gateway": {"auth": {"token": env("T")}}, "hooks": {"token": env("T")}}));
    assert_eq!(
        line(&judged(&clean, &colliding, Posture::Relaxed)),
        "degraded: env T serves gateway.auth.token and hooks.token"
    );
    let providers: Value = (0..25)
        .map(|index| (format!("p{index}"), json!({"apiKey": env(&format!("K{index}"))})))
        .collect();
    let many = beside(json!({"models": {"providers": providers}}));
    let answers = [Posture::Relaxed, Posture::Strict].map(|posture| judged(&clean, &many, posture).answer);
    assert_eq!(answers, [Answer::Ok, Answer::Degraded]);
    let mut skipped = clean.clone();
    skipped["resolution"]["skippedExecRefs"] = json!(1);
    let vault = beside(json!({"tts": {"apiKey": {"source": "exec", "provider": "vault", "id": "tts/key1"}}}));
    assert_eq!(
        line(&judged(&skipped, &vault, Posture::Strict)),
        "degraded: 1 reference of an exec provider was not tried: exec tts/key1 of provider vault at tts.apiKey"
    );
    // What cannot be read is said, and nothing is made of it.
    let unread = Beside {
        references: Some(Err("/o.json is not plain JSON".into())),
        ..present(Gateway::Unknown)
    };
    assert_eq!(
        whole(&judged(&clean, &unread, Posture::Strict)),
        "ok: 3 references resolve, 1 note\n  note: references are not looked through for collisions: /o.json is not plain JSON\n"
    );
}

#[test]
fn hostile_audits_are_unknown() {
    let clean = report("clean", &[]).to_string();
    let unresolved = report("unresolved", &[]).to_string();
    let unsaid = report("clean", &[("REF_UNRESOLVED", "error", "a", "…")]).to_string();
    let odd = report("splendid", &[]).to_string();
    for (code, stdout, expected) in [
        (0, "", "no JSON object on standard output (exit 0)"),
        (0, &clean[..40], "the JSON object is cut off (exit 0)"),
        (
            3,
            &clean,
            "contradicts itself: the audit's status is clean, its findings and exit code say otherwise",
        ),
        (
            2,
            &unresolved,
            "contradicts itself: the audit's status is unresolved, its findings and exit code say otherwise",
        ),
        (
            0,
            &unsaid,
            "contradicts itself: the audit's status is clean, its findings and exit code say otherwise",
        ),
        (
            0,
            &odd,
            "the audit's status is \"splendid\", which readyd does not know",
        ),
        (
            0,
            r#"{"ok":true}"#,
            "the JSON object has no `status` with `findings`: not an audit that readyd knows",
        ),
        (
            0,
            r#"{"status":"clean","findings":{}}"#,
            "the JSON object has no `status` with `findings`: not an audit that readyd knows",
        ),
        (
            1,
            r#"{"status":"findings","findings":[7]}"#,
            "a finding has no code: not an audit that readyd knows",
        ),
        (
            1,
            r#"{"ok":false,"error":{"type":"cli_error","message":"unknown command"}}"#,
            "no report (cli_error): unknown command",
        ),
    ] {
        let finding = finding(&said(code, stdout.as_bytes()), &present(silent()), Posture::Strict);
        assert_eq!(
            (finding.answer, finding.summary.as_str()),
            (Answer::Unknown, expected),
            "{stdout}"
        );
    }
    let junk: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    assert_eq!(
        finding(&said(2, &junk), &present(silent()), Posture::Strict).answer,
        Answer::Unknown
    );
}
