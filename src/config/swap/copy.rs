//! Shell: copies a tenant's directory, bounded and synced.
#![expect(clippy::disallowed_methods, reason = "shell: lists directories and opens files")]

use std::fs::{self, File, Permissions};
use std::io::{self, Read as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use anyhow::{Context as _, bail, ensure};

/// Files, directories and links of one tenant.
const ENTRIES_MAX: usize = 4096;
/// Of all files together.
const BYTES_MAX: u64 = 64 << 20;
/// Directories within each other.
const DEPTH_MAX: usize = 16;

/// Copies files, directories and links (as links) of `from` to `to`, which does not exist, with their modes; all of it
/// is on disk when this returns. What git keeps for itself stays behind.
///
/// # Errors
/// Something is neither file, directory nor link, or a bound is passed. `to` may be there in part.
pub fn copy_tree(from: &Path, to: &Path) -> anyhow::Result<()> {
    let mut left = Left {
        entries: ENTRIES_MAX,
        bytes: BYTES_MAX,
    };
    copy_dir(from, to, DEPTH_MAX, &mut left)
}

/// Syncs every file and directory of `dir`; links are not followed.
pub fn sync_tree(dir: &Path) -> io::Result<()> {
    let mut open = vec![dir.to_path_buf()];
    let mut left = ENTRIES_MAX;
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir)?.take(left) {
            let entry = entry?;
            left = left.saturating_sub(1);
            let kind = entry.file_type()?;
            if kind.is_dir() {
                open.push(entry.path());
            } else if kind.is_file() {
                File::open(entry.path())?.sync_all()?;
            }
        }
        File::open(&dir)?.sync_all()?;
    }
    Ok(())
}

struct Left {
    entries: usize,
    bytes: u64,
}

fn copy_dir(from: &Path, to: &Path, depth: usize, left: &mut Left) -> anyhow::Result<()> {
    ensure!(
        depth > 0,
        "{} is nested deeper than {DEPTH_MAX} directories",
        from.display()
    );
    let mode = mode_of(&from.metadata().with_context(|| from.display().to_string())?);
    fs::create_dir(to).with_context(|| to.display().to_string())?;
    for entry in fs::read_dir(from).with_context(|| from.display().to_string())? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        if name == ".git" {
            continue;
        }
        ensure!(
            left.entries > 0,
            "{} holds more than {ENTRIES_MAX} files: is it a tenant's directory?",
            from.display()
        );
        left.entries -= 1;
        let target = to.join(&name);
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy_dir(&path, &target, depth - 1, left)?;
        } else if kind.is_file() {
            copy_file(&path, &target, left).with_context(|| format!("{} cannot be copied", path.display()))?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(&path)?, &target)?;
        } else {
            bail!("{} is neither a file nor a directory", path.display());
        }
    }
    fs::set_permissions(to, mode)?;
    File::open(to)?.sync_all().with_context(|| to.display().to_string())
}

fn copy_file(from: &Path, to: &Path, left: &mut Left) -> anyhow::Result<()> {
    // Not waiting and not following: what was a file a moment ago may be a named pipe, or a link to what its reader
    // alone may read.
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOFOLLOW;
    let source = File::options()
        .read(true)
        .custom_flags(i32::try_from(flags.bits()).unwrap_or(0))
        .open(from)?;
    let meta = source.metadata()?;
    ensure!(meta.is_file(), "it is no regular file any more");
    let too_many = || format!("the directory holds more than {BYTES_MAX} bytes: is it a tenant's?");
    ensure!(meta.len() <= left.bytes, too_many());
    let mut target = File::options().write(true).create_new(true).mode(0o600).open(to)?;
    let copied = io::copy(&mut source.take(left.bytes.saturating_add(1)), &mut target)?;
    ensure!(copied <= left.bytes, too_many());
    left.bytes -= copied;
    target.set_permissions(mode_of(&meta))?;
    target.sync_all()?;
    Ok(())
}

/// Who may read and write it; never set-user-id and its like.
fn mode_of(meta: &fs::Metadata) -> Permissions {
    Permissions::from_mode(meta.permissions().mode() & 0o777)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_has_become_a_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("secret"), "x").unwrap();
        std::os::unix::fs::symlink("secret", at("link")).unwrap();
        let mut left = Left { entries: 1, bytes: 10 };
        assert!(copy_file(&at("link"), &at("copy"), &mut left).is_err());
        assert!(!at("copy").exists());
    }
}
