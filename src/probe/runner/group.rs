//! Shell: a child that leads its own process group: started, signalled, reaped.
#![expect(clippy::disallowed_methods, reason = "shell: starts processes")]

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use wait4::{ResUse, Wait4};

use super::{Command, Exit, NotStarted, orphans};
use crate::words::Cause;

/// A child that was started and not reaped. Dropped, its group is killed and the child reaped.
#[derive(Debug)]
pub struct Group {
    child: Option<Child>,
    leader: Pid,
}

/// Whether the leader lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parting {
    Alive,
    /// It has ended and holds its number until it is reaped.
    Ended,
    /// Somebody else has reaped it: its number may be anybody's by now.
    Gone,
}

/// Where `program` is: a name on `path`, or an absolute path.
pub fn resolve(program: &str, path: &[PathBuf]) -> Result<PathBuf, NotStarted> {
    let spawn = |text: String| NotStarted::new(Cause::Spawn, text);
    if program.contains('/') {
        let program = PathBuf::from(program);
        if !program.is_absolute() {
            let text = format!("{}: say an absolute path, or a name on exec.path", program.display());
            return Err(NotStarted::new(Cause::Misconfigured, text));
        }
        return match is_executable(&program) {
            Some(true) => Ok(program),
            Some(false) => Err(spawn(format!("{}: not executable: chmod +x it", program.display()))),
            None => Err(spawn(format!("{}: not found", program.display()))),
        };
    }
    let candidates = || path.iter().map(|folder| folder.join(program));
    if let Some(found) = candidates().find(|candidate| is_executable(candidate) == Some(true)) {
        return Ok(found);
    }
    if let Some(found) = candidates().find(|candidate| is_executable(candidate) == Some(false)) {
        return Err(spawn(format!("{}: not executable: chmod +x it", found.display())));
    }
    let path: Vec<_> = path.iter().map(|folder| folder.display().to_string()).collect();
    Err(spawn(format!(
        "{program}: not found on exec.path: install it there, or add its folder ({})",
        path.join(", ")
    )))
}

/// Whether a file has an execute bit; `None` when there is no such file (or none that we may see).
fn is_executable(path: &Path) -> Option<bool> {
    let metadata = std::fs::metadata(path).ok()?;
    metadata.is_file().then(|| metadata.permissions().mode() & 0o111 != 0)
}

impl Group {
    /// Starts `command`; blocks until its program has been loaded.
    pub fn start(command: &Command) -> Result<Group, NotStarted> {
        let mut builder = std::process::Command::new(&command.program);
        builder
            .args(&command.args)
            .env_clear()
            .envs(command.env.iter().map(|(name, value)| (name, value)))
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        if let Some(account) = command.user.as_ref().filter(|account| !account.is_ours()) {
            // As root this drops the supplementary groups too.
            builder.uid(account.uid).gid(account.gid);
        }
        let child = orphans::starting(|| builder.spawn()).map_err(|error| refused(command, &error))?;
        let leader = Pid::from_child(&child);
        Ok(Group {
            child: Some(child),
            leader,
        })
    }

    pub fn take_pipes(&mut self) -> (Option<OwnedFd>, Option<OwnedFd>) {
        let Some(child) = &mut self.child else {
            return (None, None);
        };
        (
            child.stdout.take().map(OwnedFd::from),
            child.stderr.take().map(OwnedFd::from),
        )
    }

    /// Looks, without reaping: a zombie keeps its number, and with it the group's.
    pub fn parting(&self) -> Parting {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match waitid(WaitId::Pid(self.leader), options) {
            Ok(None) | Err(Errno::INTR) => Parting::Alive,
            Ok(Some(_)) => Parting::Ended,
            Err(_) => Parting::Gone,
        }
    }

    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    pub fn kill(&self) {
        self.signal(Signal::KILL);
    }

    /// Ends what an ended leader left behind. It had its chance to say goodbye: no SIGTERM first.
    pub fn kill_rest(&self) {
        self.kill();
    }

    /// Reaps the leader, which has ended; `None` when somebody else did.
    pub fn reap(&mut self) -> Option<ResUse> {
        let mut child = self.child.take()?;
        let usage = child.try_wait4().ok().flatten();
        orphans::reaped(self.leader);
        usage
    }

    /// Errors are of no interest: who is gone needs no signal, and macOS refuses one to a zombie.
    fn signal(&self, signal: Signal) {
        if self.child.is_some() && self.parting() != Parting::Gone {
            let _ = kill_process_group(self.leader, signal);
        }
    }
}

impl Drop for Group {
    /// The runtime is going away, or the start came too late.
    fn drop(&mut self) {
        self.kill();
        let Some(child) = self.child.take() else { return };
        let leader = self.leader;
        let reap = move || {
            let _ = child.wait4();
            orphans::reaped(leader);
        };
        // It dies within microseconds, unless it hangs in the kernel: not a thing to block on here.
        let _ = std::thread::Builder::new().name("reap".into()).spawn(reap);
    }
}

pub fn exit(status: ExitStatus) -> Exit {
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, signal) => Exit::Signal(signal.unwrap_or_default()),
    }
}

/// Why a command could not be started, with the next step.
fn refused(command: &Command, error: &io::Error) -> NotStarted {
    let program = command.program.display();
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    let who = match &command.user {
        Some(account) => format!("user {}", account.name),
        None => "us".to_owned(),
    };
    let (cause, text) = match errno {
        Some(Errno::NOENT) => (
            Cause::Spawn,
            format!("{program}: not found, or the interpreter in its first line is not: check its #! line"),
        ),
        Some(Errno::ACCESS) => (
            Cause::Spawn,
            format!("{program}: not executable for {who}: check its mode and its folders'"),
        ),
        Some(Errno::PERM) => (
            Cause::Spawn,
            format!("{program}: may not be started as {who}: that needs root"),
        ),
        Some(Errno::NOEXEC) => (
            Cause::Spawn,
            format!("{program}: neither a program for this machine nor a script with a #! line"),
        ),
        Some(Errno::TXTBSY) => (
            Cause::Spawn,
            format!("{program}: is being written at the moment: an upgrade?"),
        ),
        Some(Errno::TOOBIG) => (
            Cause::Misconfigured,
            format!("{program}: its arguments and environment are too long"),
        ),
        Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::AGAIN) => (
            Cause::Local,
            format!("{program}: this host could not start it: {error}: raise the limits, or ask less at once"),
        ),
        None if error.kind() == io::ErrorKind::InvalidInput => (
            Cause::Misconfigured,
            format!("{program}: an argument or a variable holds a NUL byte"),
        ),
        _ => (Cause::Spawn, format!("{program}: {error}")),
    };
    NotStarted::new(cause, text)
}
