//! Shell: the recorded baseline of a tenant's skills.
//!
//! One file a tenant, `<state_dir>/skills/<tenant>.json`, mode 0600, of the owner of the state directory:
//!
//! ```json
//! {
//!   "version": 1,
//!   "tenant": "acme",
//!   "recorded_at": "2026-11-20T07:31:07Z",
//!   "skills": {
//!     "/srv/acme/skills/web": {"digest": "<SHA-256, hexadecimal>", "leftovers": "<the same>", "files": 3, "bytes": 812}
//!   }
//! }
//! ```
//!
//! `leftovers` and `partial` may be absent. Unknown keys are ignored, another `version` is not read. It is written to a
//! file beside it, synced, and renamed: a reader sees the old one or the new one, whole. It is no secret, and whoever
//! can write it can make readyd blind to a skill.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::Skill;
use crate::config::files;
use crate::words::{TenantName, Wall};

/// What was recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    version: u32,
    pub tenant: String,
    /// RFC 3339.
    pub recorded_at: String,
    /// By path, as in [`super::Seen`].
    pub skills: BTreeMap<String, Skill>,
}

const VERSION: u32 = 1;
const FOLDER: &str = "skills";
const AS_READYD: &str = "run this as root, or as the user that readyd runs as";
/// As many skills as are looked at, with long paths, stay below.
const FILE_BYTES_MAX: usize = 8 << 20;

impl Baseline {
    pub fn new(tenant: &TenantName, recorded_at: Wall, skills: BTreeMap<String, Skill>) -> Baseline {
        Baseline {
            version: VERSION,
            tenant: tenant.to_string(),
            recorded_at: recorded_at.rfc3339(),
            skills,
        }
    }

    /// Where it is, or will be.
    pub fn path(state_dir: &Path, tenant: &TenantName) -> PathBuf {
        state_dir.join(FOLDER).join(format!("{tenant}.json"))
    }

    /// The tenant's; `None` when none was recorded. `Err`: why it cannot be read, with its path, and what to do.
    pub fn read(state_dir: &Path, tenant: &TenantName) -> Result<Option<Baseline>, String> {
        let path = Baseline::path(state_dir, tenant);
        let told = |why: &str| {
            format!(
                "{} {why}: as root or as readyd's user, record it again with `readyd skills baseline {tenant}`",
                path.display()
            )
        };
        match rustix::fs::lstat(&path) {
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
            Err(errno) => {
                let why = std::io::Error::from(errno);
                return Err(format!("{} cannot be read: {why}: {AS_READYD}", path.display()));
            }
            Ok(_) => {}
        }
        // Root may read what the daemon's user wrote.
        let owner = rustix::fs::stat(state_dir).map(|stat| stat.st_uid);
        let owners: Vec<u32> = owner.into_iter().collect();
        let bytes = files::read_guarded(&path, OFlags::NOFOLLOW, &owners, FILE_BYTES_MAX).map_err(|why| told(&why))?;
        let baseline: Baseline =
            serde_json::from_slice(&bytes).map_err(|_| told("is damaged: it is not a whole baseline"))?;
        match baseline.version == VERSION && baseline.tenant == tenant.as_str() {
            true => Ok(Some(baseline)),
            false if baseline.version != VERSION => Err(told("is of another version of readyd")),
            false => Err(told("is another tenant's")),
        }
    }

    /// Replaces the tenant's. `Err`: why it is not, and what to do; the one before is still there then.
    pub fn write(&self, state_dir: &Path) -> Result<PathBuf, String> {
        let name = format!("{}.json", self.tenant);
        let path = state_dir.join(FOLDER).join(&name);
        let told = |errno: Errno| told(state_dir, &path, errno);
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let state = rustix::fs::open(state_dir, flags, Mode::empty()).map_err(told)?;
        let folder = folder(&state).map_err(told)?;
        let bytes = serde_json::to_vec_pretty(self).map_err(|why| why.to_string())?;
        replace(&folder, &state, &name, &bytes).map_err(told)?;
        Ok(path)
    }
}

fn told(state_dir: &Path, path: &Path, errno: Errno) -> String {
    let next = match errno {
        Errno::NOENT => format!(
            "the state directory {} is not there: start readyd once, or correct `state_dir`",
            state_dir.display()
        ),
        Errno::ACCESS | Errno::PERM | Errno::ROFS => AS_READYD.to_owned(),
        _ => "the baseline is as it was".to_owned(),
    };
    let why = std::io::Error::from(errno);
    format!("{} cannot be written: {why}; {next}", path.display())
}

/// The folder of baselines, made if need be. Root opens what readyd's user owns: links in it are not followed.
fn folder(state: &OwnedFd) -> Result<OwnedFd, Errno> {
    let is_new = match rustix::fs::mkdirat(state, FOLDER, Mode::RWXU) {
        Ok(()) => true,
        Err(Errno::EXIST) => false,
        Err(errno) => return Err(errno),
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = rustix::fs::openat(state, FOLDER, flags, Mode::empty())?;
    if is_new {
        give(&folder, state)?;
    }
    Ok(folder)
}

fn replace(folder: &OwnedFd, state: &OwnedFd, name: &str, bytes: &[u8]) -> Result<(), Errno> {
    let draft = format!(".{name}.{}", std::process::id());
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let create = || rustix::fs::openat(folder, draft.as_str(), flags, Mode::RUSR | Mode::WUSR);
    let file = match create() {
        // Of a process of the same number that was killed: nobody else's name looks like it.
        Err(Errno::EXIST) => {
            rustix::fs::unlinkat(folder, draft.as_str(), AtFlags::empty())?;
            create()?
        }
        file => file?,
    };
    let written = give(&file, state).and_then(|()| {
        let mut file = std::fs::File::from(file);
        file.write_all(bytes)
            .and_then(|()| file.sync_all())
            .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
    });
    let replaced = written.and_then(|()| rustix::fs::renameat(folder, draft.as_str(), folder, name));
    if replaced.is_err() {
        // What is left of it is not read by anybody.
        let _ = rustix::fs::unlinkat(folder, draft.as_str(), AtFlags::empty());
    }
    replaced?;
    // The rename as well: a baseline that was accepted must not come undone.
    rustix::fs::fsync(folder)
}

/// What root makes for the daemon belongs to the daemon, or it could not read it.
fn give(made: impl AsFd, state: &OwnedFd) -> Result<(), Errno> {
    let owner = rustix::fs::fstat(state)?;
    let is_theirs = rustix::fs::fstat(&made)?.st_uid == owner.st_uid;
    if is_theirs || rustix::process::geteuid().as_raw() != 0 {
        return Ok(());
    }
    rustix::fs::fchown(
        made,
        Some(Uid::from_raw(owner.st_uid)),
        Some(Gid::from_raw(owner.st_gid)),
    )
}
