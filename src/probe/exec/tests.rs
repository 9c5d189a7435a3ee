//! Whole asks, with small scripts for the CLIs.
#![expect(clippy::disallowed_methods, reason = "specs of a shell: real files and processes")]

mod policy;
mod unasked;

use std::sync::Arc;

use super::*;
use crate::config::Openclaw;
use crate::probe::declaration::{Asks, Lane, Probe, RunId, TenantTarget};
use crate::words::CheckId;

/// A folder with CLIs in `bin`; `$0`'s folder is where they write to.
struct Bench {
    folder: tempfile::TempDir,
    tools: Tools,
    target: TenantTarget,
    exec: Exec,
    timeout: Duration,
    routine: bool,
}

const REAL: &str = r#"#!/bin/sh
D=${0%/*}
echo "$*" >> $D/asked
case "$*" in
  --version) echo "OpenClaw 2026.9.6 (eb377ac)" ;;
  *doctor*) env | sort > $D/env; echo '{"schemaVersion":1,"ok":true,"checksRun":7,"findings":[]}' ;;
  *) echo '{"ok":false,"error":{"type":"cli_error","message":"unknown"}}'; exit 1 ;;
esac
"#;

const ARTICLE: &str = r#"#!/bin/sh
echo "$*" >> ${0%/*}/asked
case "$*" in
  "version --json") echo '{"version":"3.1.4"}' ;;
  "doctor --tenant acme --json") echo '{"ok":false,"status":"yellow","message":"queue is slow"}' ;;
  *) echo usage >&2; exit 64 ;;
esac
"#;

impl Bench {
    fn new() -> Bench {
        let folder = tempfile::tempdir().unwrap();
        Bench {
            tools: Tools {
                path: vec![folder.path().into(), "/usr/bin".into(), "/bin".into()],
                home: "/home/readyd".into(),
                lang: "C.UTF-8".into(),
                openclaw: Openclaw {
                    command: "openclaw".into(),
                    dialect: Dialect::Auto,
                    posture: Posture::Relaxed,
                },
                dialects: Dialects::default(),
                kept: Kept::default(),
            },
            target: TenantTarget {
                instance: Instance::Profile("beta".into()),
                port: Some(18789),
                ..TenantTarget::specimen("acme")
            },
            exec: Exec {
                lane: Lane::Heavy,
                command: Vec::new(),
                parse: Parse::Doctor,
                env: Vec::new(),
                rules: Vec::new(),
                interval_min: Duration::from_secs(60),
                stretch: None,
            },
            timeout: Duration::from_secs(60),
            routine: true,
            folder,
        }
    }

    fn with_cli(script: &str) -> Bench {
        let bench = Bench::new();
        bench.install("openclaw", script);
        bench
    }

    /// By a process of its own: were the file ever open for writing in this one, a child that another
    /// spec forks meanwhile would hold it, and it could not be started ("text file busy").
    fn install(&self, name: &str, script: &str) {
        let draft = self.folder.path().join("draft");
        std::fs::write(&draft, script).unwrap();
        let installed = std::process::Command::new("install")
            .args(["-m", "755"])
            .arg(&draft)
            .arg(self.folder.path().join(name))
            .status();
        assert!(installed.unwrap().success());
    }

    fn command(&mut self, parse: Parse, command: &[&str]) {
        self.exec.parse = parse;
        self.exec.command = command.iter().map(|&word| word.to_owned()).collect();
    }

    fn order(&self) -> Order {
        let probe = Probe {
            timeout: self.timeout,
            ..Probe::specimen("doctor", Asks::Exec(self.exec.clone()))
        };
        Order {
            run: RunId(1),
            check: CheckId::of(probe.name.clone(), self.target.name.clone()),
            probe: Arc::new(probe),
            target: Target::of(self.target.clone()),
            routine: self.routine,
        }
    }

    async fn ask(&self) -> (Finding, Cost) {
        ask_exec(&self.order(), &self.exec, &self.tools, &Means::default()).await
    }

    async fn answer(&self) -> String {
        let finding = self.ask().await.0;
        let cause = finding
            .cause
            .map_or(String::new(), |cause| format!(" [{}]", cause.as_str()));
        let told = format!("{}{cause}: {}", finding.answer, finding.summary);
        told.replace(self.folder.path().to_str().unwrap(), "D")
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }
}

#[tokio::test]
async fn the_real_openclaw_is_asked_in_its_own_words_and_environment() {
    let mut bench = Bench::with_cli(REAL);
    let secrets = bench.folder.path().join("acme.env");
    std::fs::write(&secrets, "TOKEN=t\nOPENCLAW_NO_RESPAWN=0\n").unwrap();
    bench.target.env_file = Some(secrets);
    bench.exec.env = vec![("EXTRA".into(), "e".into())];
    let (finding, cost) = bench.ask().await;
    assert_eq!(
        (finding.answer, finding.summary.as_str()),
        (Answer::Ok, "7 checks, no findings")
    );
    assert_eq!(
        finding.notes,
        ["line 2: OPENCLAW_NO_RESPAWN is ignored: it would change what is asked, not how"]
    );
    assert!(cost.peak_rss_bytes > 0 && cost.wall > Duration::ZERO);
    let asked = bench.read("asked");
    let (first, second) = asked.trim_end().split_once('\n').unwrap();
    assert_eq!(first, "--version");
    assert!(
        second.starts_with("--profile beta doctor --lint --json --severity-min warning --only core/doctor/final"),
        "{second}"
    );
    let env = bench.read("env").replace(bench.folder.path().to_str().unwrap(), "D");
    assert_eq!(
        env.lines().filter(|line| !line.starts_with("PWD=")).collect::<Vec<_>>(),
        [
            "EXTRA=e",
            "HOME=/home/readyd",
            "LANG=C.UTF-8",
            "NO_COLOR=1",
            "OPENCLAW_NO_RESPAWN=1",
            "PATH=D:/usr/bin:/bin",
            "TOKEN=t",
        ]
    );
}

#[tokio::test]
async fn the_articles_cli_is_found_out_and_asked_by_tenant() {
    let mut bench = Bench::with_cli(ARTICLE);
    bench.target.instance = Instance::Unknown;
    assert_eq!(bench.answer().await, "degraded: queue is slow");
    assert_eq!(
        bench.read("asked"),
        "--version\nversion --json\ndoctor --tenant acme --json\n"
    );
}

#[tokio::test]
async fn the_dialect_is_found_out_once_by_all_who_ask_and_again_for_another_file() {
    let bench = Bench::with_cli(REAL);
    let answers = tokio::join!(bench.answer(), bench.answer(), bench.answer());
    assert_eq!(answers.0, answers.2);
    bench.answer().await;
    let versions = |bench: &Bench| bench.read("asked").matches("--version").count();
    assert_eq!(versions(&bench), 1);
    // An upgrade: another file under the same name.
    bench.install("openclaw", &ARTICLE.replace("exit 64", "exit 1"));
    assert_eq!(bench.answer().await, "degraded: queue is slow");
    assert_eq!(versions(&bench), 2);
}

#[tokio::test]
async fn a_cli_that_cannot_start_is_a_fault_of_the_probe_and_not_asked_again_at_once() {
    let bench = Bench::with_cli("#!/bin/sh\necho x >> ${0%/*}/asked; echo 'openclaw needs Node >=24.16' >&2; exit 1\n");
    for _ in 0..3 {
        assert_eq!(
            bench.answer().await,
            "unknown [misconfigured]: D/openclaw --version fails (exit 1): openclaw needs Node >=24.16"
        );
    }
    assert_eq!(bench.read("asked"), "x\nx\n", "two questions, once");
}

#[tokio::test]
async fn a_declared_dialect_is_not_asked_for() {
    let mut bench = Bench::with_cli(REAL);
    bench.tools.openclaw.dialect = Dialect::Article;
    assert_eq!(
        bench.answer().await,
        "ok: 7 checks, no findings",
        "the answer is read by its own shape"
    );
    assert_eq!(bench.read("asked"), "doctor --tenant acme --json\n");
}

#[tokio::test]
async fn the_real_one_cannot_be_asked_about_an_instance_that_nobody_named() {
    let mut bench = Bench::with_cli(REAL);
    bench.target.instance = Instance::Unknown;
    let expected = "unknown [misconfigured]: this OpenClaw knows profiles and state directories, no tenants: \
         say `profile:` or `state_dir:` for tenant acme";
    assert_eq!(bench.answer().await, expected);
    bench.command(Parse::Doctor, &["openclaw", "doctor", "--json"]);
    assert_eq!(
        bench.answer().await,
        expected,
        "nor by a command that names nothing of the tenant"
    );
    bench.command(Parse::Doctor, &["openclaw", "doctor", "--who", "{tenant}"]);
    assert_eq!(
        bench.answer().await,
        "ok: 7 checks, no findings",
        "but by one that does"
    );
}

#[tokio::test]
async fn a_command_of_the_users_own_replaces_the_dialects() {
    let mut bench = Bench::with_cli(REAL);
    bench.command(Parse::Doctor, &["openclaw", "doctor", "x {tenant}; $HOME", "{port}"]);
    assert_eq!(bench.answer().await, "ok: 7 checks, no findings");
    assert_eq!(
        bench.read("asked"),
        "doctor x acme; $HOME 18789\n",
        "and no shell reads it"
    );
    let env = bench.read("env");
    assert!(
        env.contains("OPENCLAW_STATE_DIR=/home/readyd/.openclaw-beta\n"),
        "{env}"
    );
    bench.target.port = None;
    assert_eq!(
        bench.answer().await,
        "unknown [misconfigured]: {port} has no value: say `port:` for tenant acme"
    );
}

#[tokio::test]
async fn other_commands_get_nothing_of_openclaw() {
    let mut bench = Bench::new();
    bench.target.instance = Instance::Unknown;
    bench.command(Parse::ExitCode, &["sh", "-c", "env | grep -c OPENCLAW"]);
    assert_eq!(bench.answer().await, "down: exit 1: 0");
    bench.command(Parse::Nagios, &["sh", "-c", "echo 'LOAD WARNING | load=9'; exit 1"]);
    let finding = bench.ask().await.0;
    assert_eq!(
        (finding.answer, finding.summary.as_str()),
        (Answer::Degraded, "LOAD WARNING")
    );
    assert_eq!(finding.measurements[0].value, 9.0);
    bench.command(Parse::Json, &["echo", r#"{"status":"pass","summary":"fine"}"#]);
    assert_eq!(bench.answer().await, "ok: fine");
}

#[tokio::test]
async fn hostile_doctors_are_unknown_or_read_by_what_they_say() {
    let mut bench = Bench::new();
    for (doctor, expected) in [
        ("sleep 600", "unknown [timeout]: no answer within 500ms"),
        (
            "kill -9 $$",
            "unknown [signal]: ended by signal 9, not by readyd (out of memory, or somebody's kill)",
        ),
        (
            "head -c 10000000 /dev/zero",
            "unknown [output_too_large]: more than 4 MiB of output",
        ),
        (
            "printf '{\"schemaVersion\":1,\"findi'",
            "unknown [unreadable]: the JSON object is cut off (exit 0)",
        ),
        ("echo starting; echo '{\"ok\":true}'; echo done", "ok: says ok"),
        ("echo '{\"ok\":false}'", "down: says not ok"),
        (
            "echo '{\"ok\":false,\"error\":{\"type\":\"cli_error\",\"message\":\"no --tenant\"}}'; exit 1",
            "unknown [misconfigured]: no report (cli_error): no --tenant",
        ),
        (
            "echo 'env: node: not found' >&2; exit 127",
            "unknown [spawn]: could not be started (exit 127): env: node: not found",
        ),
        (
            "echo oops >&2; exit 1",
            "unknown [unreadable]: no JSON object on standard output (exit 1): oops",
        ),
    ] {
        let hangs = doctor.starts_with("sleep");
        bench.timeout = Duration::from_millis(if hangs { 500 } else { 60_000 });
        bench.command(Parse::Doctor, &["sh", "-c", doctor]);
        assert_eq!(bench.answer().await, expected, "{doctor}");
    }
}

#[tokio::test]
async fn what_is_not_there_says_what_to_do() {
    let mut bench = Bench::new();
    bench.tools.path.truncate(1);
    assert_eq!(
        bench.answer().await,
        "unknown [spawn]: openclaw: not found on exec.path: install it there, or add its folder (D)"
    );
    bench.command(Parse::Nagios, &[]);
    assert_eq!(
        bench.answer().await,
        "unknown [misconfigured]: it has no command: say `command:`"
    );
    bench.command(Parse::ExitCode, &["/bin/true"]);
    bench.target.env_file = Some("/nowhere/acme.env".into());
    assert_eq!(
        bench.answer().await,
        "unknown [misconfigured]: env file /nowhere/acme.env cannot be read: No such file or directory (os error 2)"
    );
    bench.target.user = Some("nobody-of-that-name".into());
    assert_eq!(
        bench.answer().await,
        "unknown [misconfigured]: user nobody-of-that-name: there is none on this host: correct tenants.*.user"
    );
}

#[test]
fn only_root_runs_commands_as_another_user() {
    let told = account_to_run_as("root").map(|account| account.uid);
    if rustix::process::geteuid().is_root() {
        assert_eq!(told.unwrap(), 0);
    } else {
        assert_eq!(
            told.unwrap_err().text,
            "user root: running commands as another user needs root"
        );
    }
}

#[tokio::test]
async fn an_unknown_answer_shows_the_command() {
    let mut bench = Bench::new();
    bench.command(Parse::Json, &["sh", "-c", "echo oops >&2; exit 2"]);
    let finding = bench.ask().await.0;
    let shown: Vec<_> = finding
        .evidence
        .iter()
        .map(|evidence| (&*evidence.what, &*evidence.seen))
        .collect();
    assert_eq!(
        shown,
        [
            ("exit code", "2"),
            ("standard error", "oops"),
            ("command", "/usr/bin/sh -c echo oops >&2; exit 2")
        ]
    );
}

#[test]
fn a_state_that_we_may_not_look_into_is_not_called_missing() {
    let bench = Bench::new();
    let state_dir = bench.folder.path().join("state");
    std::fs::create_dir(&state_dir).unwrap();
    let instance = Instance::StateDir {
        state_dir: state_dir.clone(),
        config: None,
    };
    assert_eq!(
        may_look(&instance, Path::new("/")),
        Ok(()),
        "a missing file is the doctor's to report"
    );
    std::fs::set_permissions(&state_dir, std::os::unix::fs::PermissionsExt::from_mode(0o000)).unwrap();
    let expected = if rustix::process::geteuid().is_root() {
        Ok(())
    } else {
        let place = state_dir.display();
        Err(format!(
            "{place}: not readable to us: say `user:` for the tenant (that needs root)"
        ))
    };
    assert_eq!(may_look(&instance, Path::new("/")), expected);
}
