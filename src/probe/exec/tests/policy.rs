//! Whole asks of `config` and `secrets`.

use std::path::PathBuf;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

/// The real one: its answers are files beside it.
const OPENCLAW: &str = r#"#!/bin/sh
D=${0%/*}
echo "$*" >> $D/asked
case "$*" in
  --version) echo "OpenClaw 2026.9.6 (eb377ac)" ;;
  *) cat $D/answer; exit $(cat $D/code) ;;
esac
"#;

const LINTER: &str = r#"#!/bin/sh
echo "$*" >> ${0%/*}/asked
case "$*" in
  "version --json") echo '{"version":"3.1.4"}' ;;
  "config lint --tenant acme") echo '10-base.yaml:3: unknown key portt' >&2; exit 1 ;;
  *) echo usage >&2; exit 64 ;;
esac
"#;

/// Asks `parse` of a tenant with a configuration, whose CLI answers as recorded.
fn bench(parse: Parse, recorded: &str) -> Bench {
    let mut bench = Bench::with_cli(OPENCLAW);
    bench.exec.parse = parse;
    bench.target.port = None;
    let state_dir = bench.folder.path().join("state");
    std::fs::create_dir(&state_dir).unwrap();
    bench.target.instance = Instance::StateDir {
        state_dir,
        config: None,
    };
    bench.configure(r#"{"gateway":{"mode":"local"}}"#);
    bench.answers(recorded);
    bench
}

impl Bench {
    fn config_file(&self) -> PathBuf {
        self.folder.path().join("state/openclaw.json")
    }

    fn configure(&self, text: &str) {
        std::fs::write(self.config_file(), text).unwrap();
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(self.config_file(), private).unwrap();
    }

    fn answers(&self, recorded: &str) {
        let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/openclaw/");
        let meta = std::fs::read_to_string(format!("{fixtures}{recorded}.meta")).unwrap();
        std::fs::copy(format!("{fixtures}{recorded}.out"), self.folder.path().join("answer")).unwrap();
        std::fs::write(
            self.folder.path().join("code"),
            meta.rsplit_once("rc=").unwrap().1.trim(),
        )
        .unwrap();
    }
}

/// A gateway whose `/readyz` says `status` and `body`.
async fn gateway(status: u16, body: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 1024]).await;
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    port
}

#[tokio::test]
async fn the_real_cli_validates_and_audits_the_tenants_own_configuration() {
    let config = bench(Parse::Config, "config-validate.unknown-key");
    assert_eq!(
        config.answer().await,
        "down: gateway: Unrecognized key: \"portt\" (+1 more)"
    );
    assert_eq!(config.read("asked"), "--version\nconfig validate --json\n");
    let secrets = bench(Parse::Secrets, "secrets-audit.healthy");
    assert_eq!(secrets.answer().await, "ok: no references, 1 note");
    assert_eq!(secrets.read("asked"), "--version\nsecrets audit --check --json\n");
}

#[tokio::test]
async fn the_articles_cli_lints_and_has_no_question_about_secrets() {
    let mut bench = Bench::with_cli(LINTER);
    bench.target.instance = Instance::Unknown;
    bench.exec.parse = Parse::Config;
    assert_eq!(bench.answer().await, "down: 10-base.yaml:3: unknown key portt");
    bench.exec.parse = Parse::Secrets;
    assert_eq!(bench.answer().await, "ok: the articles' openclaw has no such question");
    assert_eq!(
        bench.read("asked"),
        "--version\nversion --json\nconfig lint --tenant acme\n"
    );
    bench.exec.parse = Parse::Config;
    bench.tools.openclaw.dialect = Dialect::Article;
    bench.install(
        "openclaw",
        "#!/bin/sh\necho \"error: unknown command 'config'\" >&2; exit 1\n",
    );
    assert_eq!(
        bench.answer().await,
        "unknown [misconfigured]: the linter did not look (exit 1): error: unknown command 'config'"
    );
}

#[tokio::test]
async fn an_unresolved_reference_is_as_bad_as_the_gateway_is() {
    let mut bench = bench(Parse::Secrets, "secrets-audit.unresolved-env");
    let what = "gateway.auth.token refers to env NO_SUCH_ENV_TOKEN, which is not set";
    assert_eq!(
        bench.answer().await,
        format!("degraded: {what}; the next restart fails")
    );
    let ready = r#"{"ready":true,"failing":[],"uptimeMs":1}"#;
    let starting = r#"{"ready":false,"failing":["startup-sidecars"],"uptimeMs":1}"#;
    let channel = r#"{"ready":false,"failing":["telegram"],"uptimeMs":1}"#;
    let broken = r#"{"ready":false,"failing":["state-database"],"uptimeMs":1}"#;
    let draining = r#"{"ready":false,"failing":["gateway-draining"],"uptimeMs":1}"#;
    for (status, body, serves) in [
        (200, ready, true),
        (503, starting, true),
        (503, channel, true),
        (503, broken, false),
        (503, draining, false),
        (200, "<html>", false),
    ] {
        bench.target.port = Some(gateway(status, body).await);
        let expected = match serves {
            true => format!("degraded: {what}; the gateway serves, the next restart fails"),
            false => format!("down: {what}; and the gateway does not serve"),
        };
        assert_eq!(bench.answer().await, expected, "{body}");
    }
    // Bound and closed again: refused.
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    bench.target.port = Some(free.port());
    let finding = bench.ask().await.0;
    assert_eq!(finding.summary, format!("{what}; and the gateway does not serve"));
    let seen = &finding.evidence.last().unwrap().seen;
    assert_eq!(
        *seen,
        format!("http://127.0.0.1:{}/readyz: connection refused", free.port())
    );
}

#[tokio::test]
async fn what_is_no_configuration_is_not_audited() {
    let bench = bench(Parse::Secrets, "secrets-audit.config-missing");
    let path = bench.config_file();
    let unknown = |why: &str| format!("unknown [misconfigured]: D/state/openclaw.json: {why}");
    std::fs::remove_file(&path).unwrap();
    let missing = unknown("there is no configuration, so that no reference can be audited");
    assert_eq!(bench.answer().await, missing);
    std::os::unix::fs::symlink("/nowhere/openclaw.json", &path).unwrap();
    assert_eq!(bench.answer().await, missing);
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink(&path, &path).unwrap();
    let told = bench.answer().await;
    assert!(told.starts_with(&unknown("cannot be looked at: ")), "{told}");
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert_eq!(
        bench.answer().await,
        unknown("is no regular file, and so no configuration")
    );
    std::fs::remove_dir(&path).unwrap();
    std::fs::remove_dir(path.parent().unwrap()).unwrap();
    assert_eq!(bench.answer().await, missing);
    assert_eq!(bench.read("asked"), "--version\n", "nobody was asked");
}

#[tokio::test]
async fn configurations_that_cannot_be_read_are_a_note_and_never_quoted() {
    let bench = bench(Parse::Secrets, "secrets-audit.healthy");
    let huge = format!("{{\"x\":\"{}\"}}", "hunter2".repeat(200_000));
    let deep = "[".repeat(100_000);
    for (text, why) in [
        ("{gateway: {auth: {token: 'hunter2'}}} // json5", "is not plain JSON"),
        (r#"{"gateway":{"auth":{"token":"hunter2"#, "is not plain JSON"),
        ("\u{0}\u{1}hunter2", "is not plain JSON"),
        ("", "is not plain JSON"),
        (deep.as_str(), "is not plain JSON"),
        (huge.as_str(), "is longer than 1048576 bytes"),
    ] {
        bench.configure(text);
        let finding = bench.ask().await.0;
        assert_eq!(finding.answer, Answer::Ok, "{:?}", finding.summary);
        let note = finding.notes.last().unwrap();
        assert!(note.contains(why) && !note.contains("hunter2"), "{note}");
    }
    bench.configure("{}");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    std::fs::set_permissions(bench.config_file(), open).unwrap();
    let note = bench.ask().await.0.notes.pop().unwrap();
    assert!(note.contains("is writable by others"), "{note}");
    // A link: what it leads to is not ours to choose.
    let elsewhere = bench.folder.path().join("elsewhere.json");
    std::fs::rename(bench.config_file(), &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, bench.config_file()).unwrap();
    let finding = bench.ask().await.0;
    assert_eq!((finding.answer, finding.notes.len()), (Answer::Ok, 2));
}

#[tokio::test]
async fn collisions_are_found_beside_the_audit() {
    let bench = bench(Parse::Secrets, "secrets-audit.healthy");
    bench.configure(
        r#"{"gateway":{"auth":{"token":{"source":"env","provider":"default","id":"T"}}},"hooks":{"token":"${T}"}}"#,
    );
    assert_eq!(
        bench.answer().await,
        "degraded: env T serves gateway.auth.token and hooks.token"
    );
}

#[tokio::test]
async fn a_program_of_another_name_may_audit_another_host() {
    let mut bench = bench(Parse::Secrets, "secrets-audit.healthy");
    std::fs::remove_file(bench.config_file()).unwrap();
    let answer = bench.folder.path().join("answer").display().to_string();
    bench.command(Parse::Secrets, &["cat", &answer]);
    assert_eq!(bench.answer().await, "ok: no references, 1 note");
    bench.answers("secrets-audit.config-missing");
    let told = bench.answer().await;
    assert!(
        told.starts_with("unknown [misconfigured]: the audit found nothing"),
        "{told}"
    );
}

#[tokio::test]
async fn a_command_of_the_users_own_answers_in_json_unless_the_dialect_is_the_articles() {
    let mut bench = bench(Parse::Config, "config-validate.valid");
    bench.command(Parse::Config, &["sh", "-c", "echo bad key; exit 1"]);
    assert_eq!(
        bench.answer().await,
        "unknown [unreadable]: no JSON object on standard output (exit 1)"
    );
    bench.tools.openclaw.dialect = Dialect::Article;
    assert_eq!(bench.answer().await, "down: bad key");
}

#[tokio::test]
async fn hanging_and_dying_ones_are_unknown() {
    let mut bench = bench(Parse::Secrets, "secrets-audit.healthy");
    bench.tools.openclaw.dialect = Dialect::Openclaw;
    for parse in [Parse::Config, Parse::Secrets] {
        bench.exec.parse = parse;
        bench.timeout = Duration::from_secs(60);
        bench.install("openclaw", "#!/bin/sh\nkill -9 $$\n");
        assert!(bench.answer().await.starts_with("unknown [signal]: "));
        bench.install("openclaw", "#!/bin/sh\nhead -c 10000000 /dev/zero\n");
        assert_eq!(
            bench.answer().await,
            "unknown [output_too_large]: more than 4 MiB of output"
        );
        bench.timeout = Duration::from_millis(500);
        bench.install("openclaw", "#!/bin/sh\nexec sleep 600\n");
        assert_eq!(bench.answer().await, "unknown [timeout]: no answer within 500ms");
    }
    bench.tools.path = vec!["/nowhere".into()];
    assert!(bench.answer().await.starts_with("unknown [spawn]: openclaw: not found"));
}
