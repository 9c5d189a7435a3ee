//! Shell: reads files with bounds, and takes their stamps.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags};

/// Tells a file from its later self without reading it. With the inode change time, since `rsync -t`
/// and `cp -p` keep the modification time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    inode: u64,
    size: i64,
    modified: (i64, i64),
    changed: (i64, i64),
    mode: u32,
}

impl Stamp {
    pub fn is_dir(self) -> bool {
        self.mode & 0o170_000 == 0o040_000
    }
}

/// The whole of a regular file of at most `bytes_max`, or why not, as a sentence after its path.
///
/// Opened without waiting: a named pipe in the place of a file is refused, not waited on.
pub fn read(path: &Path, bytes_max: usize) -> Result<Vec<u8>, String> {
    let (file, _) = open(path, OFlags::empty()).map_err(unreadable)?;
    read_open(file, bytes_max)
}

/// The same where nobody else could have written it: the file is root's, ours or of one of `owners`, and
/// writable by its owner alone. `more`: [`OFlags::NOFOLLOW`], say.
pub fn read_guarded(path: &Path, more: OFlags, owners: &[u32], bytes_max: usize) -> Result<Vec<u8>, String> {
    let (file, _) = open_guarded(path, more, owners)?;
    read_open(file, bytes_max)
}

fn open_guarded(path: &Path, more: OFlags, owners: &[u32]) -> Result<(File, Owner), String> {
    let (file, owner) = open(path, more).map_err(unreadable)?;
    let ours = rustix::process::geteuid().as_raw();
    if owner.uid != 0 && owner.uid != ours && !owners.contains(&owner.uid) {
        let theirs = if owners.is_empty() { "" } else { ", or the tenant's" };
        return Err(format!(
            "belongs to user {}; it must be root's or ours ({ours}){theirs}",
            owner.uid
        ));
    }
    if owner.mode & 0o022 != 0 {
        return Err("is writable by others; run chmod go-w on it".to_owned());
    }
    Ok((file, owner))
}

/// A credential of ours as it was read.
#[derive(Debug)]
pub struct Secret {
    pub bytes: Vec<u8>,
    /// Everybody on this host may read it.
    pub is_open_to_all: bool,
}

/// The same as [`read_guarded`] for a credential of ours.
///
/// Links are followed: Kubernetes mounts every secret as one, and certbot keeps what is in force as one. It is the file at
/// their end that must be root's or ours.
pub fn read_secret(path: &Path, bytes_max: usize) -> Result<Secret, String> {
    let (file, owner) = open_guarded(path, OFlags::empty(), &[])?;
    Ok(Secret {
        bytes: read_open(file, bytes_max)?,
        is_open_to_all: owner.mode & 0o004 != 0,
    })
}

/// A regular file, opened without waiting, for those who read it in pieces.
///
/// # Errors
/// The system's; what is no regular file is an invalid input or a directory.
pub fn open_regular(path: &Path) -> std::io::Result<File> {
    Ok(open(path, OFlags::empty())?.0)
}

/// The stamp of what `path` leads to; `None` when it leads nowhere.
#[allow(clippy::useless_conversion, reason = "the widths differ between platforms")]
pub fn stamp(path: &Path) -> Option<Stamp> {
    let stat = rustix::fs::stat(path).ok()?;
    let nanos = |nanos| i64::try_from(nanos).unwrap_or(0);
    Some(Stamp {
        inode: stat.st_ino,
        size: stat.st_size,
        modified: (stat.st_mtime.into(), nanos(stat.st_mtime_nsec)),
        changed: (stat.st_ctime.into(), nanos(stat.st_ctime_nsec)),
        mode: stat.st_mode.into(),
    })
}

/// Whose an open file is, and who may do what with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Owner {
    uid: u32,
    mode: u32,
}

fn read_open(file: File, bytes_max: usize) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("cannot be read: {error}"))?;
    match bytes.len() > bytes_max {
        true => Err(format!("is longer than {bytes_max} bytes, more than is read")),
        false => Ok(bytes),
    }
}

/// A regular file and whose it is. Anything else is [`rustix::io::Errno::INVAL`], a
/// directory [`rustix::io::Errno::ISDIR`].
#[allow(clippy::useless_conversion, reason = "the widths differ between platforms")]
fn open(path: &Path, more: OFlags) -> Result<(File, Owner), rustix::io::Errno> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY | more;
    let file = rustix::fs::open(path, flags, Mode::empty())?;
    let stat = rustix::fs::fstat(&file)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => {
            let (uid, mode) = (stat.st_uid, stat.st_mode.into());
            Ok((File::from(file), Owner { uid, mode }))
        }
        FileType::Directory => Err(rustix::io::Errno::ISDIR),
        _ => Err(rustix::io::Errno::INVAL),
    }
}

fn unreadable(error: rustix::io::Errno) -> String {
    let spoken = match error {
        rustix::io::Errno::ISDIR => "it is a directory".to_owned(),
        rustix::io::Errno::INVAL => "it is not a regular file".to_owned(),
        rustix::io::Errno::LOOP => {
            "its symbolic links lead in a circle (or it is one, where none is followed)".to_owned()
        }
        error => std::io::Error::from(error).to_string(),
    };
    format!("cannot be read: {spoken}")
}
