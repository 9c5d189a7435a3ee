//! Shell: a UNIX socket that is there for those who may, and never for anybody else, not for an instant.

use std::fs::{DirBuilder, Metadata, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fs::{Gid, chown};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};

use crate::account;

/// Who may connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// 0660, say.
    pub mode: u32,
    /// By name or number. `None`: our own.
    pub group: Option<String>,
}

/// The file of a bound socket. It goes when this does, unless somebody has put another in its place.
#[derive(Debug)]
pub struct SocketFile {
    path: PathBuf,
    identity: Identity,
}

/// Why a socket cannot be offered.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    #[error("another process listens on {}: stop it, or set another `runtime_dir`", .0.display())]
    InUse(PathBuf),
    #[error("{} is there and is not a socket: move it away, or set another `runtime_dir`", .0.display())]
    NotASocket(PathBuf),
    #[error("there is no group {0:?} on this host: create it, or give its number in `sockets.events_group`")]
    UnknownGroup(String),
    #[error("cannot listen on {}: {source}; set `runtime_dir` to a (shorter) path that readyd may write", path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// Mode of the directory that holds the sockets.
const DIRECTORY_MODE: u32 = 0o750;

/// Listens on `path`, in its directory (created 0750 if need be). A dead process's socket is replaced.
///
/// It is bound in a directory that only we may enter, gets its mode and group there, and only then its name.
/// (The umask would do as well, but it belongs to the whole process, and other threads create files.)
///
/// # Errors
/// See [`ListenError`].
pub fn listen(path: &Path, access: &Access) -> Result<(UnixListener, SocketFile), ListenError> {
    let gid = access.group.as_deref().map(gid).transpose()?;
    refuse_live(path)?;
    let trouble = |source| ListenError::Io {
        path: path.into(),
        source,
    };
    let directory = path.parent().unwrap_or(Path::new("."));
    make_directory(directory, gid).map_err(trouble)?;
    let private = directory.join(format!(".{}", std::process::id()));
    let made = private_listener(&private, path, access.mode, gid);
    // Empty by now, unless binding failed half-way.
    let _ = std::fs::remove_file(private.join("s"));
    let _ = std::fs::remove_dir(&private);
    made.map_err(trouble)
}

/// The uid of the process at the other end, by the kernel's word.
///
/// # Errors
/// When the kernel does not say.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub fn peer_uid(stream: &UnixStream) -> io::Result<u32> {
    Ok(rustix::net::sockopt::socket_peercred(stream)?.uid.as_raw())
}

/// The same by `getpeereid`, which only tokio offers without `unsafe`; its stream needs a reactor to be made.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub fn peer_uid(stream: &UnixStream) -> io::Result<u32> {
    let reactor = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let _entered = reactor.enter();
    let stream = stream.try_clone()?;
    stream.set_nonblocking(true)?;
    Ok(tokio::net::UnixStream::from_std(stream)?.peer_cred()?.uid())
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let ours = |metadata: Metadata| Identity::of(&metadata) == self.identity;
        if std::fs::symlink_metadata(&self.path).is_ok_and(ours) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Inode numbers are given out again at once: only with the time of the last change they name one file.
#[derive(Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
    changed: (i64, i64),
}

impl Identity {
    fn of(metadata: &Metadata) -> Identity {
        Identity {
            device: metadata.dev(),
            inode: metadata.ino(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

fn private_listener(
    private: &Path,
    path: &Path,
    mode: u32,
    gid: Option<Gid>,
) -> io::Result<(UnixListener, SocketFile)> {
    match DirBuilder::new().mode(0o700).create(private) {
        // Of a process that had our number and was killed.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let _ = std::fs::remove_file(private.join("s"));
            std::fs::set_permissions(private, Permissions::from_mode(0o700))?;
        }
        made => made?,
    }
    let socket = private.join("s");
    let listener = UnixListener::bind(&socket)?;
    if let Some(gid) = gid {
        chown(&socket, None, Some(gid))?;
    }
    std::fs::set_permissions(&socket, Permissions::from_mode(mode))?;
    std::fs::rename(&socket, path)?;
    let file = SocketFile {
        path: path.into(),
        identity: Identity::of(&std::fs::symlink_metadata(path)?),
    };
    Ok((listener, file))
}

fn refuse_live(path: &Path) -> Result<(), ListenError> {
    match std::fs::symlink_metadata(path) {
        Err(_) => return Ok(()),
        Ok(metadata) if !metadata.file_type().is_socket() => return Err(ListenError::NotASocket(path.into())),
        Ok(_) => {}
    }
    match knock(path) {
        // A full backlog: somebody listens, and is slow to answer.
        Ok(()) | Err(Errno::AGAIN | Errno::INPROGRESS) => Err(ListenError::InUse(path.into())),
        Err(Errno::CONNREFUSED | Errno::NOENT) => Ok(()),
        Err(errno) => Err(ListenError::Io {
            path: path.into(),
            source: errno.into(),
        }),
    }
}

/// Connects without waiting: a process that hangs with a full backlog would never let us in.
fn knock(path: &Path) -> Result<(), Errno> {
    let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)
}

fn make_directory(directory: &Path, gid: Option<Gid>) -> io::Result<()> {
    if !directory.try_exists()? {
        if let Some(parent) = directory.parent() {
            std::fs::create_dir_all(parent)?;
        }
        DirBuilder::new().mode(DIRECTORY_MODE).create(directory)?;
        std::fs::set_permissions(directory, Permissions::from_mode(DIRECTORY_MODE))?;
    }
    if let Some(gid) = gid
        && let Err(error) = chown(directory, None, Some(gid))
    {
        tracing::warn!(directory = %directory.display(), %error, "its group cannot be set: that group may not reach the socket");
    }
    Ok(())
}

fn gid(group: &str) -> Result<Gid, ListenError> {
    let known = || account::gid_of(group).ok().flatten();
    let number = group.parse().ok().or_else(known);
    number
        .map(Gid::from_raw)
        .ok_or_else(|| ListenError::UnknownGroup(group.into()))
}

#[cfg(test)]
mod tests;
