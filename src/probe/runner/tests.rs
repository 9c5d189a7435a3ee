//! Real processes that behave badly. Timeouts are short; nothing is timed but what has to be.
#![expect(
    clippy::disallowed_methods,
    reason = "specs of a shell: real files, processes and time"
)]

use std::path::Path;
use std::time::Instant as Clock;

use super::*;

mod container;

/// A folder of its own for one spec.
struct Bench {
    folder: tempfile::TempDir,
}

/// Far longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);
/// Enough for a shell to begin, on a busy host too.
const SHORT: Duration = Duration::from_secs(1);

impl Bench {
    fn new() -> Bench {
        Bench {
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `/bin/sh -c script` with `$D` as the folder; its process writes its number to `$D/pid`.
    fn sh(&self, script: &str) -> Command {
        Command {
            program: "/bin/sh".into(),
            args: vec!["-c".into(), format!("echo $$ > $D/pid\n{script}")],
            env: vec![
                ("PATH".into(), "/usr/bin:/bin".into()),
                ("D".into(), self.folder.path().to_str().unwrap().into()),
            ],
            user: None,
            limits: Limits {
                timeout: LONG,
                grace: SHORT,
                output_bytes_max: Limits::OUTPUT_BYTES_MAX,
            },
        }
    }

    fn hurried(&self, script: &str) -> Command {
        let mut command = self.sh(script);
        command.limits.timeout = SHORT;
        command
    }

    fn pid(&self, name: &str) -> Option<i32> {
        std::fs::read_to_string(self.path(name)).ok()?.trim().parse().ok()
    }

    /// Neither alive nor a zombie of ours.
    async fn ends(&self, name: &str) {
        let pid = self.pid(name).unwrap();
        until(|| !is_there(pid)).await;
    }
}

fn is_there(pid: i32) -> bool {
    let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    let mut fields = stat.rsplit_once(") ").unwrap().1.split(' ');
    let zombie = fields.next() == Some("Z");
    let ours = fields.next() == Some(&std::process::id().to_string());
    ours || !zombie
}

/// Polls, bounded.
async fn until(mut done: impl FnMut() -> bool) {
    let begun = Clock::now();
    while !done() {
        assert!(begun.elapsed() < LONG / 4, "it never came to that");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap().trim_end()
}

#[tokio::test]
async fn a_command_ends_with_its_code_its_words_and_its_cost() {
    let bench = Bench::new();
    let script = "echo out; echo err >&2; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; exit 3";
    let result = run(bench.sh(script)).await.unwrap();
    assert_eq!(result.exit, Exit::Code(3));
    assert_eq!((text(&result.stdout), text(&result.stderr)), ("out", "err"));
    assert!(result.cost.peak_rss_bytes > 100 << 10, "{:?}", result.cost);
    assert!(
        result.cost.cpu > Duration::ZERO && result.cost.wall >= result.cost.cpu / 2,
        "{:?}",
        result.cost
    );
    bench.ends("pid").await;
}

#[tokio::test]
async fn nothing_is_inherited_but_what_is_given() {
    let mut command = Bench::new().sh("");
    command.program = "/usr/bin/env".into();
    command.args.clear();
    command.env = vec![
        ("A".into(), "1".into()),
        ("B".into(), "2".into()),
        ("A".into(), "3".into()),
    ];
    let result = run(command).await.unwrap();
    assert_eq!(text(&result.stdout), "A=3\nB=2");
}

#[tokio::test]
async fn standard_input_is_empty_the_folder_is_the_root_and_there_is_no_terminal() {
    let bench = Bench::new();
    let script = "read line; echo \"read: $?\"; pwd; [ -t 0 ] || [ -t 1 ] || [ -t 2 ] || echo no terminal";
    let result = run(bench.sh(script)).await.unwrap();
    assert_eq!(text(&result.stdout), "read: 1\n/\nno terminal");
}

#[tokio::test]
async fn it_leads_a_group_of_its_own() {
    let bench = Bench::new();
    let result = run(bench.sh("kill -0 -$$ && echo leads")).await.unwrap();
    assert_eq!(text(&result.stdout), "leads", "{}", text(&result.stderr));
}

#[tokio::test]
async fn one_that_hangs_is_ended_at_its_timeout_and_what_it_said_is_kept() {
    let bench = Bench::new();
    let result = run(bench.hurried("echo said; sleep 600")).await.unwrap();
    assert_eq!(result.exit, Exit::TimedOut);
    assert_eq!(text(&result.stdout), "said");
    bench.ends("pid").await;
}

#[tokio::test]
async fn one_that_ignores_the_request_to_end_is_killed() {
    let bench = Bench::new();
    let result = run(bench.hurried("trap '' TERM; while :; do sleep 600; done"))
        .await
        .unwrap();
    assert_eq!(result.exit, Exit::TimedOut);
    assert!(result.cost.wall >= SHORT + SHORT, "the grace was kept");
    bench.ends("pid").await;
}

#[tokio::test]
async fn one_that_says_goodbye_is_not_killed() {
    let bench = Bench::new();
    let mut command = bench.hurried("trap 'echo bye; exit 0' TERM; while :; do sleep 0.01; done");
    command.limits.grace = LONG;
    let result = run(command).await.unwrap();
    assert_eq!((result.exit, text(&result.stdout)), (Exit::TimedOut, "bye"));
    assert!(result.cost.wall < LONG);
}

#[tokio::test]
async fn a_stopped_one_is_killed() {
    let bench = Bench::new();
    let result = run(bench.hurried("kill -STOP $$; sleep 600")).await.unwrap();
    assert_eq!(result.exit, Exit::TimedOut);
    bench.ends("pid").await;
}

#[tokio::test]
async fn a_grandchild_that_keeps_the_output_open_delays_nothing_and_is_ended() {
    let bench = Bench::new();
    let script = "sleep 600 & echo $! > $D/grandchild; echo '{\"ok\":true}'";
    let result = run(bench.sh(script)).await.unwrap();
    assert_eq!((result.exit, text(&result.stdout)), (Exit::Code(0), "{\"ok\":true}"));
    assert!(result.cost.wall < LONG);
    bench.ends("grandchild").await;
    bench.ends("pid").await;
}

#[tokio::test]
async fn one_that_moves_to_its_own_session_delays_nothing() {
    let bench = Bench::new();
    let script = "setsid sh -c 'echo $$ > $D/moved.tmp; mv $D/moved.tmp $D/moved; exec sleep 600' &
        while [ ! -e $D/moved ]; do sleep 0.01; done; echo answer";
    let result = run(bench.sh(script)).await.unwrap();
    assert_eq!((result.exit, text(&result.stdout)), (Exit::Code(0), "answer"));
    let moved = rustix::process::Pid::from_raw(bench.pid("moved").unwrap()).unwrap();
    rustix::process::kill_process(moved, rustix::process::Signal::KILL).unwrap();
    bench.ends("pid").await;
}

#[tokio::test]
async fn ten_megabytes_are_too_much() {
    let bench = Bench::new();
    let result = run(bench.sh("head -c 10000000 /dev/zero; sleep 600")).await.unwrap();
    assert_eq!(result.exit, Exit::TooLarge);
    assert!(result.stdout.len() <= Limits::OUTPUT_BYTES_MAX);
    bench.ends("pid").await;
}

#[tokio::test]
async fn the_cap_is_exact_and_counts_both_streams() {
    for (out, err, exit) in [
        (60_000, 40_000, Exit::Code(0)),
        (60_000, 40_001, Exit::TooLarge),
        (100_001, 0, Exit::TooLarge),
    ] {
        let bench = Bench::new();
        let mut command = bench.sh(&format!("head -c {out} /dev/zero; head -c {err} /dev/zero >&2"));
        command.limits.output_bytes_max = 100_000;
        let result = run(command).await.unwrap();
        assert_eq!(result.exit, exit, "{out} {err}");
        assert!(result.stdout.len() + result.stderr.len() <= 100_000);
    }
}

#[tokio::test]
async fn one_that_complains_forever_is_ended() {
    let bench = Bench::new();
    let result = run(bench.sh("exec cat /dev/zero >&2")).await.unwrap();
    assert_eq!(result.exit, Exit::TooLarge);
    bench.ends("pid").await;
}

#[tokio::test]
async fn one_that_closes_its_output_and_lingers_is_ended() {
    let bench = Bench::new();
    let result = run(bench.hurried("echo said; exec >&- 2>&-; sleep 600")).await.unwrap();
    assert_eq!((result.exit, text(&result.stdout)), (Exit::TimedOut, "said"));
    bench.ends("pid").await;
}

#[tokio::test]
async fn a_signal_that_is_not_ours_is_told_apart() {
    let bench = Bench::new();
    let result = run(bench.sh("kill -KILL $$")).await.unwrap();
    assert_eq!(result.exit, Exit::Signal(9));
    bench.ends("pid").await;
}

#[tokio::test]
async fn a_dropped_run_ends_its_group() {
    let bench = Bench::new();
    let command = bench.sh("sleep 600 & echo $! > $D/grandchild.tmp; mv $D/grandchild.tmp $D/grandchild; wait");
    let waiting = tokio::spawn(run(command));
    until(|| bench.pid("grandchild").is_some()).await;
    waiting.abort();
    bench.ends("pid").await;
    bench.ends("grandchild").await;
}

#[test]
fn a_runtime_that_goes_away_ends_its_groups() {
    let bench = Bench::new();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let command = bench.sh("trap '' TERM; touch $D/on; while :; do sleep 600; done");
    runtime.spawn(run(command));
    runtime.block_on(until(|| bench.path("on").exists()));
    drop(runtime);
    let after = tokio::runtime::Runtime::new().unwrap();
    after.block_on(bench.ends("pid"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_exit_is_lost_among_many() {
    let bench = Bench::new();
    let runs: Vec<_> = (0..100)
        .map(|code| tokio::spawn(run(bench.sh(&format!("echo {code}; exit {code}")))))
        .collect();
    for (code, run) in runs.into_iter().enumerate() {
        let result = run.await.unwrap().unwrap();
        assert_eq!(result.exit, Exit::Code(i32::try_from(code).unwrap()));
        assert_eq!(text(&result.stdout), code.to_string());
    }
}

#[tokio::test]
async fn what_cannot_be_started_says_why_and_what_to_do() {
    let bench = Bench::new();
    let write = |name: &str, mode: u32, content: &str| {
        std::fs::write(bench.path(name), content).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(bench.path(name), mode).unwrap();
        bench.path(name)
    };
    let check = async |program: PathBuf, expected: &str| {
        let mut command = bench.sh("");
        command.program = program;
        let trouble = run(command).await.unwrap_err();
        let told = trouble.text.replace(bench.folder.path().to_str().unwrap(), "D");
        assert_eq!(format!("{}: {told}", trouble.cause.as_str()), expected);
    };
    check(
        bench.path("nothing"),
        "spawn: D/nothing: not found, or the interpreter in its first line is not: check its #! line",
    )
    .await;
    check(
        write("plain", 0o644, "#!/bin/sh\n"),
        "spawn: D/plain: not executable for us: check its mode and its folders'",
    )
    .await;
    check(
        write("orphan", 0o755, "#!/nowhere/node\n"),
        "spawn: D/orphan: not found, or the interpreter in its first line is not: check its #! line",
    )
    .await;
    check(
        write("data", 0o755, "data"),
        "spawn: D/data: neither a program for this machine nor a script with a #! line",
    )
    .await;
    let mut command = bench.sh("");
    command.args = vec!["a\0b".into()];
    assert_eq!(run(command).await.unwrap_err().cause, Cause::Misconfigured);
}

#[test]
fn programs_are_found_on_the_path_or_by_an_absolute_path() {
    let bench = Bench::new();
    std::fs::write(bench.path("plain"), "").unwrap();
    std::fs::create_dir(bench.path("sh")).unwrap();
    let path = [bench.folder.path().to_owned(), "/bin".into()];
    assert_eq!(resolve("sh", &path), Ok("/bin/sh".into()), "a folder is no program");
    assert_eq!(resolve("/bin/sh", &[]), Ok("/bin/sh".into()));
    let told = |program: &str| {
        let trouble = resolve(program, &path).unwrap_err();
        trouble.text.replace(bench.folder.path().to_str().unwrap(), "D")
    };
    assert_eq!(told("plain"), "D/plain: not executable: chmod +x it");
    assert_eq!(
        told("openclaw-of-nobody"),
        "openclaw-of-nobody: not found on exec.path: install it there, or add its folder (D, /bin)"
    );
    assert_eq!(told("bin/sh"), "bin/sh: say an absolute path, or a name on exec.path");
    assert_eq!(told("/nowhere/sh"), "/nowhere/sh: not found");
}

#[tokio::test]
async fn another_user_is_run_as_with_its_rights_and_groups_alone() {
    if !rustix::process::geteuid().is_root() {
        crate::store::tests::left_out("to run as another user needs root");
        return;
    }
    let bench = Bench::new();
    std::fs::write(bench.path("secret"), "s").unwrap();
    let private: fn(&Path, u32) = |path, mode| {
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    };
    private(&bench.path("secret"), 0o600);
    private(bench.folder.path(), 0o777);
    let mut command = bench.sh("id -un; id -G; cat $D/secret || echo refused");
    let nobody = crate::account::by_name("nobody").unwrap().unwrap();
    let group = nobody.gid.to_string();
    command.user = Some(nobody);
    let result = run(command).await.unwrap();
    assert_eq!(text(&result.stdout), format!("nobody\n{group}\nrefused"));
}
