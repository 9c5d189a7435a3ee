//! Shell: one try to write, step by step, on the thread that calls it. Blocks as long as the disk does.

use std::io::Write as _;
use std::path::Path;

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::account::{self, Account};

/// Never the name of anything else: only what bears it and looks like ours is ever removed.
pub const FILE_NAME: &str = ".readyd-write-probe";

/// One block: less would fit into the inode on some file systems, and so succeed on a full disk.
const BYTES: usize = 4096;

/// How far one try came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// `root`, `openclaw-acme`, `uid 1000`.
    pub acted_as: String,
    /// The step that failed and why; `None`: all went well.
    pub failed: Option<(Step, Errno)>,
    /// What a reader must know of how it was tried.
    pub note: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// To take on the user's ids.
    Become,
    /// To open the directory.
    Open,
    Create,
    Write,
    Sync,
    Unlink,
}

impl Attempt {
    /// The directory itself was not there.
    pub fn no_directory(&self) -> bool {
        matches!(self.failed, Some((Step::Open, Errno::NOENT)))
    }
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Step::Become => "to act",
            Step::Open => "to open the directory",
            Step::Create => "to create a file",
            Step::Write => "to write",
            Step::Sync => "to sync",
            Step::Unlink => "to remove what was written",
        })
    }
}

/// Tries once, as `user` (`None`: as ourselves). The calling thread keeps that user's effective ids:
/// call it on a thread that ends afterwards.
pub fn attempt(directory: &Path, user: Option<&str>) -> Attempt {
    let own = account::own_uid();
    let ourselves = if own == 0 { "root".into() } else { format!("uid {own}") };
    let mut attempt = Attempt {
        acted_as: ourselves.clone(),
        failed: None,
        note: None,
    };
    if let Some(user) = user {
        let account = match account::by_name(user) {
            Ok(Some(account)) => account,
            Ok(None) => {
                attempt.acted_as = format!("{user} (no such user)");
                attempt.failed = Some((Step::Become, Errno::NOENT));
                return attempt;
            }
            Err(error) => {
                attempt.acted_as = user.into();
                attempt.failed = Some((Step::Become, Errno::from_io_error(&error).unwrap_or(Errno::IO)));
                return attempt;
            }
        };
        if account.uid == own {
            attempt.acted_as = account.name;
        } else if own == 0 && CAN_BECOME {
            attempt.acted_as.clone_from(&account.name);
            if let Err(errno) = become_user(&account) {
                attempt.failed = Some((Step::Become, errno));
                return attempt;
            }
        } else {
            attempt.note = Some(format!(
                "tried as {ourselves}, which is not {user}: only root on Linux can act as another user"
            ));
        }
    }
    attempt.failed = try_all(directory).err();
    attempt
}

/// Lets the calling thread act as `user` where that is possible, and otherwise as before.
pub fn become_named(user: &str) {
    if account::own_uid() == 0
        && let Ok(Some(account)) = account::by_name(user)
        && account.uid != 0
    {
        // What it then may not read will say so by itself.
        let _ = become_user(&account);
    }
}

fn try_all(directory: &Path) -> Result<(), (Step, Errno)> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::open(directory, flags, Mode::empty()).map_err(at(Step::Open))?;
    let file = create(directory.as_fd()).map_err(at(Step::Create))?;
    let written = write_and_sync(file);
    // Also after a failure: a full disk must not be filled further.
    let removed = match rustix::fs::unlinkat(&directory, FILE_NAME, AtFlags::empty()) {
        // Another readyd (a one-shot check) took it for a leftover. It is gone, which is what counts.
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(errno) => Err((Step::Unlink, errno)),
    };
    written.and(removed)
}

fn create(directory: rustix::fd::BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let create = || rustix::fs::openat(directory, FILE_NAME, flags, Mode::RUSR | Mode::WUSR);
    match create() {
        Err(Errno::EXIST) if is_leftover(directory)? => {
            rustix::fs::unlinkat(directory, FILE_NAME, AtFlags::empty())?;
            create()
        }
        other => other,
    }
}

/// A plain file of at most our size with one name: what a killed run leaves behind. Anything else is
/// somebody's, and stays (then `create` says "file exists").
fn is_leftover(directory: rustix::fd::BorrowedFd<'_>) -> Result<bool, Errno> {
    match rustix::fs::statat(directory, FILE_NAME, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => Ok(true),
        Err(errno) => Err(errno),
        Ok(stat) => Ok(FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
            && stat.st_nlink == 1
            && u64::try_from(stat.st_size).is_ok_and(|size| size <= BYTES as u64)),
    }
}

fn write_and_sync(file: OwnedFd) -> Result<(), (Step, Errno)> {
    let mut file = std::fs::File::from(file);
    let errno = |error: std::io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
    file.write_all(&[b'.'; BYTES])
        .map_err(|error| (Step::Write, errno(error)))?;
    file.sync_all().map_err(|error| (Step::Sync, errno(error)))
}

fn at(step: Step) -> impl Fn(Errno) -> (Step, Errno) {
    move |errno| (step, errno)
}

#[cfg(target_os = "linux")]
const CAN_BECOME: bool = true;
#[cfg(not(target_os = "linux"))]
const CAN_BECOME: bool = false;

/// Groups first, uid last: after it nothing else may be changed. Real and saved ids stay.
#[cfg(target_os = "linux")]
fn become_user(account: &Account) -> Result<(), Errno> {
    use rustix::process::{Gid, Uid};
    use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

    let groups: Vec<Gid> = account.groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
    set_thread_groups(&groups)?;
    set_thread_res_gid(None, Gid::from_raw(account.gid), None)?;
    set_thread_res_uid(None, Uid::from_raw(account.uid), None)
}

#[cfg(not(target_os = "linux"))]
fn become_user(_account: &Account) -> Result<(), Errno> {
    Err(Errno::NOSYS)
}
