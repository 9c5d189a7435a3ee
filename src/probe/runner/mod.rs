//! Shell: one command, run to its end, whatever it does.
//!
//! Promises: no shell, no terminal, nothing on standard input, an environment of our own making. The
//! command leads its own process group. At the timeout the group gets SIGTERM, after the grace SIGKILL;
//! what a command that ended left in its group is ended too. Pipes are never waited on after the command
//! has ended, so a grandchild that keeps them open delays nothing. Output is bounded. The command is
//! always reaped, also when nobody waits for the answer any more: then its group is ended the same way.
//!
//! Out of reach: a process that left the group (`setsid`) lives on, as it would behind a shell. The
//! file mode mask is the daemon's own; it cannot be changed for a child without `unsafe`.
#![expect(clippy::disallowed_methods, reason = "shell: runs processes by the clock")]

mod group;
mod orphans;
mod stream;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use tokio::signal::unix::{Signal as SignalStream, SignalKind, signal};
use tokio::sync::{Semaphore, SemaphorePermit, oneshot};
use tokio::time::{Instant, sleep, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;
use wait4::ResUse;

pub use group::resolve;

use crate::account::Account;
use crate::words::{Cause, Cost};
use group::{Group, Parting};
use stream::Collected;

/// What to run. Later variables replace earlier ones of the same name; nothing is inherited.
#[derive(Clone, Debug)]
pub struct Command {
    /// An absolute path, by [`resolve`].
    pub program: PathBuf,
    /// Without the program itself.
    pub args: Vec<String>,
    pub env: Vec<(String, String)>,
    /// `None`: as ourselves.
    pub user: Option<Account>,
    pub limits: Limits,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From the spawn to SIGTERM.
    pub timeout: Duration,
    /// From SIGTERM to SIGKILL.
    pub grace: Duration,
    /// Of both streams together.
    pub output_bytes_max: usize,
}

/// How a command ended, what it said, what it cost.
#[derive(Clone, Debug, PartialEq)]
pub struct RunResult {
    pub exit: Exit,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
    pub cost: Cost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    Code(i32),
    /// A signal that was not ours.
    Signal(i32),
    /// It was ended because its time was over.
    TimedOut,
    /// It was ended because it said too much.
    TooLarge,
}

/// Why a command did not begin, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct NotStarted {
    pub cause: Cause,
    pub text: String,
}

/// Runs that are not reaped yet, those that nothing can end included (a process that hangs in the
/// kernel, on a dead NFS server say). Far above any lane; beyond it, this host cannot ask.
const RUNS_MAX: usize = 256;
static RUNS: Semaphore = Semaphore::const_new(RUNS_MAX);

/// How often a run is looked at even without a SIGCHLD: a signal handler that another library replaced
/// must not lose an exit.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long after SIGKILL an answer waits for the process to be gone.
const KILL_PATIENCE: Duration = Duration::from_secs(2);

impl Limits {
    pub const GRACE: Duration = Duration::from_secs(5);
    /// `openclaw config schema` says 1.08 MB; nothing that is asked says more.
    pub const OUTPUT_BYTES_MAX: usize = 4 << 20;

    pub const fn within(timeout: Duration) -> Limits {
        Limits {
            timeout,
            grace: Self::GRACE,
            output_bytes_max: Self::OUTPUT_BYTES_MAX,
        }
    }
}

impl NotStarted {
    pub fn new(cause: Cause, text: impl Into<String>) -> NotStarted {
        NotStarted {
            cause,
            text: text.into(),
        }
    }
}

/// Runs `command` to its end. Dropping the future ends the command's group; needs a tokio runtime with
/// I/O and time.
pub async fn run(command: Command) -> Result<RunResult, NotStarted> {
    let Ok(permit) = RUNS.try_acquire() else {
        return Err(NotStarted::new(
            Cause::Local,
            format!("{RUNS_MAX} earlier runs have not ended: look for processes that hang in the kernel"),
        ));
    };
    let cancel = CancellationToken::new();
    let _ends_when_dropped = cancel.clone().drop_guard();
    let (answer, answered) = oneshot::channel();
    // A task of its own, because ending a group takes longer than the caller may live.
    tokio::spawn(drive(command, permit, cancel, answer));
    answered.await.unwrap_or_else(|_| {
        Err(NotStarted::new(
            Cause::Local,
            "the run was given up: readyd is shutting down",
        ))
    })
}

type Answer = oneshot::Sender<Result<RunResult, NotStarted>>;

async fn drive(command: Command, permit: SemaphorePermit<'static>, cancel: CancellationToken, answer: Answer) {
    // Before the spawn, so that no exit is missed.
    let exits = signal(SignalKind::child()).ok();
    let limits = command.limits;
    let begun = Instant::now();
    // Starting can hang where the program lies on a dead file server.
    let mut starting = tokio::task::spawn_blocking(move || Group::start(&command));
    let started = tokio::select! {
        started = timeout_at(begun + limits.timeout, &mut starting) => started.ok(),
        () = cancel.cancelled() => None,
    };
    match started {
        Some(Ok(Ok(group))) => Run::new(group, limits, exits, cancel, answer).finish().await,
        Some(Ok(Err(not_started))) => drop(answer.send(Err(not_started))),
        Some(Err(gone)) => drop(answer.send(Err(NotStarted::new(Cause::Local, gone.to_string())))),
        None => {
            let text = format!(
                "could not be started within {:?}: is its file system there?",
                limits.timeout
            );
            let _ = answer.send(Err(NotStarted::new(Cause::Timeout, text)));
            // A late start is ended by the group's drop.
            let _ = starting.await;
        }
    }
    drop(permit);
    orphans::sweep();
}

/// A group that is alive, and how far its end has come.
#[derive(Debug)]
struct Run {
    group: Group,
    limits: Limits,
    exits: Option<SignalStream>,
    cancel: CancellationToken,
    answer: Option<Answer>,
    began: Instant,
    stdout: Collected,
    stderr: Collected,
    stage: Stage,
    /// When the stage ends.
    until: Instant,
    /// Why we end it, when we do.
    ended_by_us: Option<Exit>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Asking,
    Terminated,
    Killed,
    /// Neither signal helped; only reaping is left.
    GivenUp,
}

impl Run {
    fn new(
        mut group: Group,
        limits: Limits,
        exits: Option<SignalStream>,
        cancel: CancellationToken,
        answer: Answer,
    ) -> Run {
        let began = Instant::now();
        let (stdout, stderr) = group.take_pipes();
        Run {
            group,
            limits,
            exits,
            cancel,
            answer: Some(answer),
            began,
            stdout: Collected::from(stdout),
            stderr: Collected::from(stderr),
            stage: Stage::Asking,
            until: began + limits.timeout,
            ended_by_us: None,
        }
    }

    async fn finish(mut self) {
        while self.group.parting() == Parting::Alive {
            let cancelled = self.cancel.clone();
            tokio::select! {
                biased;
                () = cancelled.cancelled(), if self.stage == Stage::Asking => self.end(Exit::TimedOut),
                () = sleep_until(self.until), if self.stage != Stage::GivenUp => self.next_stage(),
                () = noticed(&mut self.exits) => {}
                () = sleep(LOOK_EVERY) => {}
                () = self.stdout.read_more() => self.bound(),
                () = self.stderr.read_more() => self.bound(),
            }
        }
        // The leader is a zombie now, so the group's number still belongs to it and to nobody else.
        self.group.kill_rest();
        let budget = self.limits.output_bytes_max;
        self.stdout.drain(budget);
        self.stderr.drain(budget);
        self.bound();
        let usage = self.group.reap();
        self.tell(usage);
    }

    /// More than the cap: what was said is of no use, so the pipes go too.
    fn bound(&mut self) {
        if self.stdout.bytes.len() + self.stderr.bytes.len() <= self.limits.output_bytes_max {
            return;
        }
        self.stdout.close();
        self.stderr.close();
        self.stdout.bytes.truncate(self.limits.output_bytes_max);
        self.stderr.bytes.clear();
        self.end(Exit::TooLarge);
    }

    fn end(&mut self, why: Exit) {
        if self.stage == Stage::Asking {
            self.ended_by_us = Some(why);
            self.next_stage();
        }
    }

    fn next_stage(&mut self) {
        let now = Instant::now();
        match self.stage {
            Stage::Asking => {
                self.ended_by_us.get_or_insert(Exit::TimedOut);
                self.group.terminate();
                self.stage = Stage::Terminated;
                self.until = now + self.limits.grace;
            }
            Stage::Terminated => {
                self.group.kill();
                self.stage = Stage::Killed;
                self.until = now + KILL_PATIENCE;
            }
            Stage::Killed | Stage::GivenUp => {
                self.stage = Stage::GivenUp;
                self.tell(None);
            }
        }
    }

    /// Answers, once.
    fn tell(&mut self, usage: Option<ResUse>) {
        let Some(answer) = self.answer.take() else { return };
        let exit = self
            .ended_by_us
            .or_else(|| usage.map(|usage| group::exit(usage.status)));
        let cost = Cost {
            wall: self.began.elapsed(),
            cpu: usage.map_or(Duration::ZERO, |usage| usage.rusage.utime + usage.rusage.stime),
            peak_rss_bytes: usage.map_or(0, |usage| usage.rusage.maxrss),
        };
        let result = match exit {
            Some(exit) => Ok(RunResult {
                exit,
                stdout: std::mem::take(&mut self.stdout.bytes),
                stderr: std::mem::take(&mut self.stderr.bytes),
                cost,
            }),
            None => Err(NotStarted::new(
                Cause::Local,
                "its exit was taken by somebody else in this process: SIGCHLD must not be ignored",
            )),
        };
        let _ = answer.send(result);
    }
}

/// Ready when a child of this process has changed; never, without the signal.
async fn noticed(exits: &mut Option<SignalStream>) {
    match exits {
        Some(exits) => {
            exits.recv().await;
        }
        None => std::future::pending().await,
    }
}
