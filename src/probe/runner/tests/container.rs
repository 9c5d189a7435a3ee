//! As pid 1: this spec starts itself again in a process number space of its own.

use super::*;

const INSIDE: &str = "READYD_SPEC_AS_PID_1";

#[test]
fn as_pid_1_orphans_are_reaped_and_no_run_loses_its_exit() {
    if std::env::var_os(INSIDE).is_some() {
        assert_eq!(std::process::id(), 1, "inside");
        return tokio::runtime::Runtime::new().unwrap().block_on(inside());
    }
    if !cfg!(target_os = "linux") || !rustix::process::geteuid().is_root() {
        crate::store::tests::left_out("a process number space of its own needs Linux and root");
        return;
    }
    let spec = "probe::runner::tests::container::as_pid_1_orphans_are_reaped_and_no_run_loses_its_exit";
    let again = std::process::Command::new("unshare")
        .args(["--pid", "--fork", "--mount-proc", "--"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", spec, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&[again.stdout, again.stderr].concat()).into_owned();
    assert!(again.status.success() && told.contains("1 passed"), "{told}");
}

async fn inside() {
    let bench = Bench::new();
    // Leaves the group, loses its parent, and ends only then: a zombie of pid 1.
    let script = "setsid sh -c 'echo $$ > $D/moved.tmp; mv $D/moved.tmp $D/moved; exec sleep 0.2' &
        while [ ! -e $D/moved ]; do sleep 0.01; done; exit 7";
    assert_eq!(run(bench.sh(script)).await.unwrap().exit, Exit::Code(7));
    let orphan = bench.pid("moved").unwrap();
    let begun = Clock::now();
    while is_there(orphan) {
        assert!(begun.elapsed() < LONG / 4, "the orphan {orphan} is still a zombie");
        many(&bench).await;
    }
    for _ in 0..20 {
        many(&bench).await;
    }
}

/// Each ends while others sweep.
async fn many(bench: &Bench) {
    let runs: Vec<_> = (0..16).map(|_| tokio::spawn(run(bench.sh("exit 5")))).collect();
    for run in runs {
        assert_eq!(run.await.unwrap().unwrap().exit, Exit::Code(5));
    }
}
