//! Shell: the digest of one skill's tree.
//!
//! Entries in byte order of their names, depth first. Of each goes in: a kind (`f` file, `x` executable file,
//! `l` link, `o` anything else), its path's length and bytes, and for a file its size and SHA-256, for a link its
//! target. Links are never followed; what is neither file, folder nor link is never opened.

use std::io::Read as _;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;

use ring::digest::{Context, SHA256};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::Skill;

/// Entries of one skill: what follows is not in its digest. A bundle of OpenClaw's own library has 256 at most.
pub const ENTRIES_MAX: u64 = 4096;
/// Bytes of one skill: what follows is not in its digest.
pub const BYTES_MAX: u64 = 64 << 20;
/// Folders in folders of one skill.
pub const DEPTH_MAX: usize = 16;
/// Names in one folder: a folder with more is not looked at.
pub const NAMES_MAX: usize = 10_000;

/// What running and installing a skill leaves in it: it changes though nobody changed the skill.
const LEFTOVERS: [&[u8]; 8] = [
    b"__pycache__",
    b".pytest_cache",
    b".mypy_cache",
    b".ruff_cache",
    b".git",
    b".clawhub",
    b".clawdhub",
    b".DS_Store",
];

/// Why a tree has no digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoDigest {
    Errno(Errno),
    /// The time was over.
    Late,
}

impl From<Errno> for NoDigest {
    fn from(errno: Errno) -> NoDigest {
        NoDigest::Errno(errno)
    }
}

/// The digest of the tree in `folder`; `late` says when the time is over.
pub fn digest(folder: &OwnedFd, late: &dyn Fn() -> bool) -> Result<Skill, NoDigest> {
    let mut tree = Tree {
        skill: Context::new(&SHA256),
        leftovers: None,
        entries: 0,
        files: 0,
        bytes: 0,
        partial: false,
        late,
    };
    tree.add(folder, &mut Vec::new(), 0, false)?;
    Ok(Skill {
        digest: hex(tree.skill),
        leftovers: tree.leftovers.map(hex),
        files: tree.files,
        bytes: tree.bytes,
        partial: tree.partial,
    })
}

/// The digest of a skill that is a link.
pub fn digest_of_link(target: &[u8]) -> Skill {
    let mut context = Context::new(&SHA256);
    entry(&mut context, b'l', b"", target);
    Skill {
        digest: hex(context),
        leftovers: None,
        files: 0,
        bytes: 0,
        partial: false,
    }
}

/// The names in a folder, in byte order; [`Errno::OVERFLOW`] beyond [`NAMES_MAX`].
pub fn names(folder: &OwnedFd) -> Result<Vec<std::ffi::CString>, Errno> {
    let mut names = Vec::new();
    for found in Dir::read_from(folder)? {
        let name = found?.file_name().to_owned();
        if matches!(name.as_bytes(), b"." | b"..") {
            continue;
        }
        if names.len() >= NAMES_MAX {
            return Err(Errno::OVERFLOW);
        }
        names.push(name);
    }
    names.sort_unstable();
    Ok(names)
}

/// Opens a folder that is no link.
pub fn open_folder(at: impl AsFd, name: impl rustix::path::Arg) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(at, name, flags, Mode::empty())
}

/// Where a link leads, as its bytes say.
pub fn target_of(at: impl AsFd, name: impl rustix::path::Arg) -> Result<Vec<u8>, Errno> {
    Ok(rustix::fs::readlinkat(at, name, Vec::new())?.into_bytes())
}

struct Tree<'a> {
    skill: Context,
    leftovers: Option<Context>,
    entries: u64,
    files: u64,
    bytes: u64,
    partial: bool,
    late: &'a dyn Fn() -> bool,
}

impl Tree<'_> {
    fn add(&mut self, folder: &OwnedFd, path: &mut Vec<u8>, depth: usize, leftover: bool) -> Result<(), NoDigest> {
        for name in names(folder)? {
            if self.entries >= ENTRIES_MAX {
                self.partial = true;
                break;
            }
            self.entries += 1;
            let length = path.len();
            if length > 0 {
                path.push(b'/');
            }
            path.extend_from_slice(name.as_bytes());
            let leftover = leftover || LEFTOVERS.contains(&name.as_bytes());
            self.add_one(folder, &name, path, depth, leftover)?;
            path.truncate(length);
        }
        Ok(())
    }

    fn add_one(
        &mut self,
        folder: &OwnedFd,
        name: &std::ffi::CStr,
        path: &mut Vec<u8>,
        depth: usize,
        leftover: bool,
    ) -> Result<(), NoDigest> {
        if (self.late)() {
            return Err(NoDigest::Late);
        }
        let stat = match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            // It was there a moment ago: whoever removes it now is seen by the next look.
            Err(Errno::NOENT) => return Ok(()),
            stat => stat?,
        };
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory if depth >= DEPTH_MAX => {
                self.partial = true;
                Ok(())
            }
            FileType::Directory => self.add(&open_folder(folder, name)?, path, depth + 1, leftover),
            FileType::Symlink => {
                let target = target_of(folder, name)?;
                self.put(leftover, b'l', path, &target);
                Ok(())
            }
            FileType::RegularFile => self.add_file(folder, name, path, leftover),
            _ => {
                self.put(leftover, b'o', path, b"");
                Ok(())
            }
        }
    }

    fn add_file(
        &mut self,
        folder: &OwnedFd,
        name: &std::ffi::CStr,
        path: &[u8],
        leftover: bool,
    ) -> Result<(), NoDigest> {
        // Without waiting, should it have become a pipe meanwhile.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        let file = rustix::fs::openat(folder, name, flags, Mode::empty())?;
        let stat = rustix::fs::fstat(&file)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            self.put(leftover, b'o', path, b"");
            return Ok(());
        }
        let mut content = Context::new(&SHA256);
        let mut left = BYTES_MAX.saturating_sub(self.bytes);
        let mut file = std::fs::File::from(file);
        let mut buffer = vec![0; 64 << 10];
        let mut size: u64 = 0;
        loop {
            if (self.late)() {
                return Err(NoDigest::Late);
            }
            let want = buffer.len().min(usize::try_from(left).unwrap_or(buffer.len()));
            let read = file.read(&mut buffer[..want]).map_err(errno_of)?;
            if read == 0 {
                break;
            }
            content.update(&buffer[..read]);
            left -= read as u64;
            size += read as u64;
        }
        let whole = u64::try_from(stat.st_size).unwrap_or(0);
        self.partial |= whole > size && left == 0;
        self.bytes += size;
        self.files += 1;
        let executable = Mode::from_raw_mode(stat.st_mode).intersects(Mode::XUSR | Mode::XGRP | Mode::XOTH);
        let mut about = whole.to_be_bytes().to_vec();
        about.extend_from_slice(content.finish().as_ref());
        self.put(leftover, if executable { b'x' } else { b'f' }, path, &about);
        Ok(())
    }

    fn put(&mut self, leftover: bool, kind: u8, path: &[u8], about: &[u8]) {
        let context = match leftover {
            false => &mut self.skill,
            true => self.leftovers.get_or_insert_with(|| Context::new(&SHA256)),
        };
        entry(context, kind, path, about);
    }
}

/// With lengths, so that no two trees run into the same bytes.
fn entry(context: &mut Context, kind: u8, path: &[u8], about: &[u8]) {
    context.update(&[kind]);
    context.update(&(path.len() as u64).to_be_bytes());
    context.update(path);
    context.update(&(about.len() as u64).to_be_bytes());
    context.update(about);
}

fn hex(context: Context) -> String {
    let digest = context.finish();
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn errno_of(error: std::io::Error) -> NoDigest {
    NoDigest::Errno(Errno::from_io_error(&error).unwrap_or(Errno::IO))
}

/// `personal/research`, whatever its bytes are.
pub fn shown(path: &std::path::Path) -> String {
    match path.to_str() {
        Some(text) => text.to_owned(),
        None => path.as_os_str().as_bytes().escape_ascii().to_string(),
    }
}
