#![expect(clippy::disallowed_methods, reason = "specs read recorded outputs, and time a bound")]

use std::fmt::Write as _;
use std::path::Path;

use expect_test::{Expect, expect};

use super::*;
use crate::config::Posture;
use crate::config::declarations::shipped_probes;
use crate::probe::declaration::{Asks, Rule, RuleAct};
use crate::words::{Answer, ProbeName};

mod config;
mod hostile;
mod plugins;
mod secrets;
mod security;

/// `answer [cause]: summary`.
fn line(finding: &Finding) -> String {
    match finding.cause {
        Some(cause) => format!("{} [{}]: {}", finding.answer, cause.as_str(), finding.summary),
        None => format!("{}: {}", finding.answer, finding.summary),
    }
}

fn said(code: i32, stdout: &[u8]) -> Said<'_> {
    Said {
        code,
        stdout,
        stderr: b"",
    }
}

/// A doctor's standard output without rules.
fn doctor_says(code: i32, stdout: impl AsRef<[u8]>) -> String {
    line(&doctor(&said(code, stdout.as_ref()), &[], Posture::Relaxed))
}

/// The rules of `probes/doctor.yaml`.
fn shipped_rules() -> Vec<Rule> {
    let doctor = shipped_probes().remove(&ProbeName::parse("doctor").unwrap()).unwrap();
    match &doctor.asks {
        Asks::Exec(exec) => exec.rules.clone(),
        other => panic!("{other:?}"),
    }
}

/// A recorded run of the real CLI.
fn recorded(name: &str) -> (i32, Vec<u8>, Vec<u8>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/openclaw");
    let read = |kind: &str| std::fs::read(folder.join(format!("{name}.{kind}"))).unwrap_or_default();
    let meta = String::from_utf8(read("meta")).unwrap();
    let code = meta.rsplit_once("rc=").unwrap().1.trim().parse().unwrap();
    (code, read("out"), read("err"))
}

fn of_recorded(name: &str, rules: &[Rule], posture: Posture) -> Finding {
    let (code, stdout, stderr) = recorded(name);
    let said = Said {
        code,
        stdout: &stdout,
        stderr: &stderr,
    };
    doctor(&said, rules, posture)
}

fn check_recorded(rules: &[Rule], posture: Posture, expected: &Expect) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/openclaw");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .filter_map(|file| Some(file.unwrap().file_name().to_str()?.strip_suffix(".meta")?.to_owned()))
        .filter(|name| !name.starts_with("security-audit."))
        .collect();
    names.sort();
    let mut table = String::new();
    for name in names {
        writeln!(table, "{name} → {}", line(&of_recorded(&name, rules, posture))).unwrap();
    }
    expected.assert_eq(&table);
}

#[test]
fn every_recorded_doctor_has_its_answer() {
    check_recorded(
        &shipped_rules(),
        Posture::Relaxed,
        &expect![[r#"
            config-validate.bad-type → unknown [misconfigured]: no report (cli_error): OpenClaw config is invalid: /srv/openclaw/neg/badtype.json
            config-validate.missing → unknown [misconfigured]: no report (cli_error): file not found
            config-validate.unknown-key → unknown [misconfigured]: no report (cli_error): OpenClaw config is invalid: /srv/openclaw/neg/unknownkey.json
            config-validate.unparsable → unknown [misconfigured]: no report (cli_error): OpenClaw config is invalid: /srv/openclaw/neg/badjson.json
            config-validate.valid → unknown [unreadable]: the JSON object has neither findings nor `ok` nor a known `status`
            cron-list.healthy → unknown [unreadable]: the JSON object has neither findings nor `ok` nor a known `status`
            doctor-json.channel-dead → ok: 35 checks, 2 notes
            doctor-json.config-missing → degraded: Gateway auth is off or missing a token. (+1 more)
            doctor-json.config-unknown-key → down: Unrecognized key: "portt" (+1 more)
            doctor-json.config-unparsable → down: JSON5 parse failed: SyntaxError: JSON5: invalid end of input at 1:33
            doctor-json.empty-home → degraded: Gateway auth is off or missing a token. (+1 more)
            doctor-json.gateway-down → ok: 35 checks, 3 notes
            doctor-json.gateway-frozen → ok: 35 checks, 2 notes
            doctor-json.healthy → ok: 35 checks, 2 notes
            doctor-json.lan-no-auth → down: Gateway bound to "lan" (0.0.0.0) without authentication.
            doctor-json.lan-token → degraded: Gateway bound to "lan" (0.0.0.0) (network-accessible).
            doctor-json.secretref-unresolved → degraded: Gateway token SecretRef could not be resolved: gateway.auth.token SecretRef is unresolved (env:default:NO_SUCH_ENV_TOKEN).
            doctor-lint.all → degraded: Shared auth store: legacy main-agent rows → shared SQLite state (+31 more)
            doctor-lint.bad-severity → unknown [misconfigured]: no report (cli_error): doctor lint options require --lint. Use `openclaw doctor --lint ...`.
            doctor-lint.only → ok: 8 checks, 1 note
            doctor-lint.only-unknown-id → unknown [misconfigured]: the doctor could not look: Unknown health check id selected by --only: core/doctor/nope.
            doctor-lint.severity-error → ok: 35 checks, no findings
            doctor-lint.severity-warning → ok: 35 checks, 2 notes
            doctor-lint.wrong-user → unknown [misconfigured]: the doctor could not look: health check threw: EACCES: permission denied, stat '/srv/openclaw/wrong.state/state/openclaw.sqlite': is tenants.*.user the gateway's user?
            doctor.human-gateway-down → unknown [unreadable]: no JSON object on standard output (exit 0): Health check failed: GatewayTransportError: Gateway not reachable after waiting 60 s.
            doctor.unknown-option-tenant → unknown [misconfigured]: no report (cli_error): OpenClaw does not recognize option "--tenant".
            health.credentials-required → unknown [said_unknown]: no report (gateway_credentials_required): Gateway is reachable, but this CLI has no token/password or paired device token for read-scope health RPCs.
            health.gateway-frozen → unknown [said_unknown]: no report (gateway_transport_error): Gateway not reachable after waiting 5 s.
            secrets-audit.config-missing → ok: the doctor's checks, no findings
            secrets-audit.config-unparsable → unknown [unreadable]: a finding has no checkId: not a report that readyd knows
            secrets-audit.healthy → unknown [unreadable]: a finding has no checkId: not a report that readyd knows
            secrets-audit.unresolved-env → unknown [unreadable]: a finding has no checkId: not a report that readyd knows
            secrets-audit.unresolved-file → unknown [unreadable]: a finding has no checkId: not a report that readyd knows
            v2026.3.31.doctor-json-unsupported → unknown [spawn]: could not be started (exit 127): timeout: failed to run command ‘/srv/openclaw/oc-2026.3.31/node_modules/.bin/openclaw’: No such file or directory
            version.json-unsupported → unknown [misconfigured]: no report (cli_error): OpenClaw does not know the command "version".
            version.plain → unknown [unreadable]: no JSON object on standard output (exit 0)
            wrong-node.doctor → ok: 35 checks, 2 notes
        "#]],
    );
}

#[test]
fn strict_posture_counts_the_shipped_notes() {
    check_recorded(
        &shipped_rules(),
        Posture::Strict,
        &expect![[r#"
            config-validate.bad-type → unknown [misconfigured]: no report (cli_error): OpenClaw config is invalid: /srv/openclaw/neg/badtype.json
            config-validate.missing → unknown [misconfigured]: no report (cli_error): file not found
            config-validate.unknown-key → unknown [misconfigured]: no report (cli_error): OpenClaw config is invalid: /srv/openclaw/neg/unknownkey.json
            config-validate.unparsable → unknown [misconfigured]: no report (cli_error): OpenClaw config is invalid: /srv/openclaw/neg/badjson.json
            config-validate.valid → unknown [unreadable]: the JSON object has neither findings nor `ok` nor a known `status`
            cron-list.healthy → unknown [unreadable]: the JSON object has neither findings nor `ok` nor a known `status`
            doctor-json.channel-dead → degraded: Gateway is only bound to loopback. Set gateway.bind=lan, enable tailscale serve, or configure plugins.entries.device-pair.config.publicUrl. (+1 more)
            doctor-json.config-missing → degraded: Gateway auth is off or missing a token. (+3 more)
            doctor-json.config-unknown-key → down: Unrecognized key: "portt" (+1 more)
            doctor-json.config-unparsable → down: JSON5 parse failed: SyntaxError: JSON5: invalid end of input at 1:33
            doctor-json.empty-home → degraded: Gateway auth is off or missing a token. (+3 more)
            doctor-json.gateway-down → degraded: Create heartbeat monitor for agent "main" at 30m. (+2 more)
            doctor-json.gateway-frozen → degraded: Gateway is only bound to loopback. Set gateway.bind=lan, enable tailscale serve, or configure plugins.entries.device-pair.config.publicUrl. (+1 more)
            doctor-json.healthy → degraded: Gateway is only bound to loopback. Set gateway.bind=lan, enable tailscale serve, or configure plugins.entries.device-pair.config.publicUrl. (+1 more)
            doctor-json.lan-no-auth → down: Gateway bound to "lan" (0.0.0.0) without authentication. (+1 more)
            doctor-json.lan-token → degraded: Create heartbeat monitor for agent "main" at 30m. (+2 more)
            doctor-json.secretref-unresolved → degraded: Gateway token SecretRef could not be resolved: gateway.auth.token SecretRef is unresolved (env:default:NO_SUCH_ENV_TOKEN). (+2 more)
            doctor-lint.all → degraded: Shared auth store: legacy main-agent rows → shared SQLite state (+33 more)
            doctor-lint.bad-severity → unknown [misconfigured]: no report (cli_error): doctor lint options require --lint. Use `openclaw doctor --lint ...`.
            doctor-lint.only → degraded: openclaw.json contains plaintext secret-bearing config fields.
            doctor-lint.only-unknown-id → unknown [misconfigured]: the doctor could not look: Unknown health check id selected by --only: core/doctor/nope.
            doctor-lint.severity-error → ok: 35 checks, no findings
            doctor-lint.severity-warning → degraded: Gateway is only bound to loopback. Set gateway.bind=lan, enable tailscale serve, or configure plugins.entries.device-pair.config.publicUrl. (+1 more)
            doctor-lint.wrong-user → unknown [misconfigured]: the doctor could not look: health check threw: EACCES: permission denied, stat '/srv/openclaw/wrong.state/state/openclaw.sqlite': is tenants.*.user the gateway's user?
            doctor.human-gateway-down → unknown [unreadable]: no JSON object on standard output (exit 0): Health check failed: GatewayTransportError: Gateway not reachable after waiting 60 s.
            doctor.unknown-option-tenant → unknown [misconfigured]: no report (cli_error): OpenClaw does not recognize option "--tenant".
            health.credentials-required → unknown [said_unknown]: no report (gateway_credentials_required): Gateway is reachable, but this CLI has no token/password or paired device token for read-scope health RPCs.
            health.gateway-frozen → unknown [said_unknown]: no report (gateway_transport_error): Gateway not reachable after waiting 5 s.
            secrets-audit.config-missing → ok: the doctor's checks, no findings
            secrets-audit.config-unparsable → unknown [unreadable]: a finding has no checkId: not a report that readyd knows
            secrets-audit.healthy → unknown [unreadable]: a finding has no checkId: not a report that readyd knows
            secrets-audit.unresolved-env → unknown [unreadable]: a finding has no checkId: not a report that readyd knows
            secrets-audit.unresolved-file → unknown [unreadable]: a finding has no checkId: not a report that readyd knows
            v2026.3.31.doctor-json-unsupported → unknown [spawn]: could not be started (exit 127): timeout: failed to run command ‘/srv/openclaw/oc-2026.3.31/node_modules/.bin/openclaw’: No such file or directory
            version.json-unsupported → unknown [misconfigured]: no report (cli_error): OpenClaw does not know the command "version".
            version.plain → unknown [unreadable]: no JSON object on standard output (exit 0)
            wrong-node.doctor → degraded: Gateway is only bound to loopback. Set gateway.bind=lan, enable tailscale serve, or configure plugins.entries.device-pair.config.publicUrl. (+1 more)
        "#]],
    );
}

#[test]
fn a_finding_shows_its_check_its_place_and_the_first_line_of_its_fix() {
    let finding = of_recorded("doctor-json.lan-no-auth", &shipped_rules(), Posture::Relaxed);
    expect![[r#"
        (
            [
                Evidence {
                    what: "core/doctor/security (gateway.bind_no_auth)",
                    seen: "CRITICAL: Gateway bound to \"lan\" (0.0.0.0) without authentication. fix: Anyone on your network (or internet if port-forwarded) can fully control your agent.",
                },
            ],
            [
                "core/doctor/heartbeat-cadence-migration (heartbeat-monitor-create): Create heartbeat monitor for agent \"main\" at 30m.",
            ],
        )
    "#]].assert_debug_eq(&(finding.evidence, finding.notes));
}

#[test]
fn the_first_matching_rule_wins_by_check_and_requirement() {
    let report = r#"{"schemaVersion":1,"checksRun":3,"findings":[
        {"checkId":"core/doctor/security","severity":"error","requirement":"a","message":"A"},
        {"checkId":"core/doctor/security","severity":"error","requirement":"b","message":"B"},
        {"checkId":"core/doctor/disk-space","severity":"warning","message":"C"}]}"#;
    let rule = |check_id: &str, requirement: Option<&str>, act| Rule {
        check_id: check_id.into(),
        requirement: requirement.map(str::to_owned),
        act,
    };
    let check = |rules: &[Rule], expected: &str| {
        assert_eq!(
            line(&doctor(&said(1, report.as_bytes()), rules, Posture::Relaxed)),
            expected
        );
    };
    check(&[], "down: A (+2 more)");
    check(
        &[rule("core/doctor/security", Some("a"), RuleAct::Ignore)],
        "down: B (+1 more)",
    );
    check(
        &[rule("core/doctor/security", None, RuleAct::Downgrade)],
        "degraded: A (+2 more)",
    );
    check(&[rule("security", None, RuleAct::Note)], "degraded: C");
    check(
        &[
            rule("core/doctor/security", Some("b"), RuleAct::Note),
            rule("core/doctor/security", None, RuleAct::Ignore),
            rule("core/doctor/disk-space", None, RuleAct::Ignore),
        ],
        "ok: 3 checks, 1 note",
    );
    check(
        &[rule("core/doctor/security", Some("c"), RuleAct::Ignore)],
        "down: A (+2 more)",
    );
}

#[test]
fn the_articles_doctor_is_read_by_ok_status_and_exit_code() {
    let check = |code: i32, stdout: &str, expected: &str| assert_eq!(doctor_says(code, stdout), expected, "{stdout}");
    check(0, r#"{"ok":true}"#, "ok: says ok");
    check(
        0,
        r#"{"ok":true,"summary":"12 invariants hold"}"#,
        "ok: 12 invariants hold",
    );
    check(0, r#"{"ok":true,"status":"green"}"#, "ok: says ok");
    check(
        0,
        r#"{"ok":true,"status":"yellow","message":"queue slow"}"#,
        "degraded: queue slow",
    );
    check(1, r#"{"ok":false,"status":"yellow"}"#, "degraded: says degraded");
    check(
        1,
        r#"{"ok":false,"reasons":["agent database refused"]}"#,
        "down: agent database refused",
    );
    check(0, r#"{"ok":false,"error":"bind refused"}"#, "down: bind refused");
    check(
        0,
        r#"{"ok":false,"error":{"message":"bind refused"}}"#,
        "down: bind refused",
    );
    check(2, r#"{"status":"red"}"#, "down: says not ok");
    check(
        0,
        r#"{"status":"unknown"}"#,
        "unknown [said_unknown]: says that it does not know",
    );
    check(
        1,
        r#"{"ok":true}"#,
        "unknown [unreadable]: contradicts itself: the answer says ok, the exit code is 1",
    );
    check(
        0,
        r#"{"ok":false,"status":"green"}"#,
        "unknown [unreadable]: contradicts itself: `status` says green, `ok` says false",
    );
    check(
        0,
        r#"{"ok":true,"status":"red"}"#,
        "unknown [unreadable]: contradicts itself: `status` says red, `ok` says true",
    );
}

#[test]
fn a_report_that_could_not_look_is_unknown() {
    let check = |stdout: &str, expected: &str| assert_eq!(doctor_says(2, stdout), expected, "{stdout}");
    check(
        r#"{"ok":false,"error":{"type":"cli_error","message":"EACCES"},"checksRun":0,
            "findings":[{"checkId":"core/doctor/lint-inspection","severity":"error","message":"EACCES: permission denied"}]}"#,
        "unknown [misconfigured]: the doctor could not look: EACCES: permission denied",
    );
    check(
        r#"{"schemaVersion":1,"checksRun":7,"findings":[{"checkId":"core/doctor/security","severity":"error","message":"bad"},
            {"checkId":"core/doctor/lint-selection","severity":"error","message":"Unknown health check id"}]}"#,
        "unknown [misconfigured]: the doctor could not look: Unknown health check id",
    );
    check(
        r#"{"schemaVersion":1,"ok":true,"checksRun":0,"findings":[]}"#,
        "unknown [misconfigured]: the doctor could not look: it ran no checks",
    );
    check(
        r#"{"schemaVersion":1,"checksRun":3,"error":{"type":"x"},"findings":[]}"#,
        "unknown [unreadable]: the report is incomplete: {\"type\":\"x\"}",
    );
    check(
        r#"{"schemaVersion":1,"checksRun":3,"findings":[{"severity":"error"}]}"#,
        "unknown [unreadable]: a finding has no checkId: not a report that readyd knows",
    );
}

#[test]
fn a_check_that_failed_itself_is_no_outage() {
    let report = |message: &str| {
        format!(r#"{{"checksRun":2,"findings":[{{"checkId":"a/b","severity":"error","message":"{message}"}}]}}"#)
    };
    assert_eq!(
        doctor_says(1, report("health check threw: database is locked")),
        "degraded: health check threw: database is locked"
    );
    assert_eq!(
        doctor_says(1, report("health check threw: EPERM: operation not permitted")),
        "unknown [misconfigured]: the doctor could not look: health check threw: EPERM: operation not permitted: \
         is tenants.*.user the gateway's user?"
    );
    assert_eq!(doctor_says(1, report("EACCES in the log")), "down: EACCES in the log");
}

#[test]
fn a_severity_that_a_later_version_invents_degrades() {
    let report = r#"{"checksRun":1,"findings":[{"checkId":"x/y","severity":"notable","message":"new"}]}"#;
    assert_eq!(doctor_says(0, report), "degraded: new");
}

#[test]
fn info_is_a_note() {
    let report = br#"{"checksRun":1,"findings":[{"checkId":"x/y","severity":"info","message":"fyi"}]}"#;
    let finding = doctor(&said(0, report), &[], Posture::Strict);
    assert_eq!(line(&finding), "ok: 1 check, 1 note");
    assert_eq!(finding.notes, ["x/y: fyi"]);
    assert_eq!(finding.answer, Answer::Ok);
}
