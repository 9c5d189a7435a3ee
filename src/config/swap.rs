//! Shell: `readyd config promote` and `rollback`: one directory of a tenant takes another's place, at once.
//!
//! In which steps, and what each leaves behind when it is the last one: [`plan`]. Every step is synced before the
//! next one begins. A running readyd is not asked; it sees the new directory as it sees any change.

mod copy;
pub mod plan;

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use rustix::fd::OwnedFd;
use rustix::fs::{FlockOperation, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::fragments;
use super::lint::{Beside, Lint};
use super::problem::{Place, Problems};
use super::scan;
use super::tenants_dir::Judge;
use crate::words::TenantName;
use plan::{Move, Names, Seen};

/// Whose directory is swapped, and where.
#[derive(Clone, Copy)]
pub struct Swap<'a> {
    pub tenants_dir: &'a Path,
    pub tenant: &'a TenantName,
    /// What fragments get wrong beyond their shape.
    pub judge: Judge<'a>,
}

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swapped {
    /// What is in force now.
    pub now: Version,
    /// What was, and lies in `.prev`; `None`: there was nothing.
    pub before: Option<Version>,
    /// Where that lies.
    pub previous: PathBuf,
    /// `false`: the file system cannot exchange two directories, so that for a moment there was none.
    pub without_a_gap: bool,
    /// An earlier swap had been interrupted, and was finished or taken back first.
    pub recovered: bool,
}

/// A directory's fragments.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Version {
    /// As of [`super::lint::tree_hash`].
    pub hash: Option<String>,
    pub files: usize,
    /// What keeps some of them from merging.
    pub problems: Problems,
    /// What is odd about them and keeps nobody from using them.
    pub advice: Vec<String>,
}

/// The tenants directory, for as long as nobody else swaps there.
struct Locked {
    dir: OwnedFd,
    /// What is locked in its place.
    _by: Option<OwnedFd>,
}

impl std::ops::Deref for Locked {
    type Target = OwnedFd;

    fn deref(&self) -> &OwnedFd {
        &self.dir
    }
}

impl std::fmt::Debug for Swap<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Swap")
            .field("tenants_dir", &self.tenants_dir)
            .field("tenant", &self.tenant)
            .finish_non_exhaustive()
    }
}

/// Whose fragments a directory holds by its name: `acme` of `/build/acme` and of `/build/acme.next`.
pub fn tenant_of(dir: &Path) -> Option<TenantName> {
    let name = dir.file_name()?.to_str()?;
    TenantName::parse(kept_for(name).unwrap_or(name))
}

/// The tenant for which a directory of that name is kept: `acme` of `acme.prev`, which is no tenant itself.
pub fn kept_for(name: &str) -> Option<&str> {
    scan::ASIDE.iter().find_map(|ending| name.strip_suffix(ending))
}

impl<'a> Swap<'a> {
    /// Puts the fragments of `from` in force. `acme.next` itself is moved there; any other directory is copied to
    /// `acme.next` first and stays as it is.
    ///
    /// # Errors
    /// They do not merge, another swap is at work, or a step failed. What is in force is then as before.
    pub fn promote(self, from: &Path) -> anyhow::Result<Swapped> {
        let dir = self.lock()?;
        let recovered = self.recover(&dir)?;
        let (next, current) = (self.path(&self.names().next()), self.path(&self.names().current()));
        ensure!(
            !is_same(from, &current),
            "{} is in force already: promote a copy of it with the changes",
            from.display()
        );
        let wanted = self.read(from).with_context(|| match recovered {
            true => format!(
                "an earlier swap had been interrupted, and was finished or undone first; see what is in force: \
                 readyd config hash {}",
                self.tenant
            ),
            false => "nothing was changed".to_owned(),
        })?;
        ensure!(
            wanted.problems.is_empty(),
            "nothing was changed, since these fragments do not merge:\n{}",
            wanted.problems
        );
        if !is_same(from, &next) {
            self.stage(&dir, from, &wanted)?;
        } else if next.is_dir() && !next.is_symlink() {
            copy::sync_tree(&next).with_context(|| format!("{} cannot be synced", next.display()))?;
        }
        let before = self.read(&current).ok();
        let inode = next.symlink_metadata()?.ino();
        let seen = self.seen()?;
        let planned = |can_exchange| plan::promote(self.names(), &seen, inode, can_exchange);
        let without_a_gap = self.carry_out_planned(&dir, &planned)?;
        Ok(self.swapped(wanted, before, without_a_gap, recovered))
    }

    /// Exchanges what is in force with `acme.prev`.
    ///
    /// # Errors
    /// There is no such directory, or none that makes a tenant; another swap is at work, or a step failed.
    pub fn rollback(self) -> anyhow::Result<Swapped> {
        let dir = self.lock()?;
        let recovered = self.recover(&dir)?;
        let seen = self.seen()?;
        let (previous, current) = (self.path(&self.names().previous()), self.path(&self.names().current()));
        ensure!(
            seen.previous,
            "there is no {}: nothing was promoted yet, so there is nothing to go back to",
            previous.display()
        );
        ensure!(
            !is_same(&previous, &current),
            "{} is the directory in force itself: there is nothing else to go back to",
            previous.display()
        );
        let wanted = self.read(&previous)?;
        let before = self.read(&current).ok();
        let planned = |can_exchange| plan::rollback(self.names(), &seen, can_exchange);
        let without_a_gap = self.carry_out_planned(&dir, &planned)?;
        Ok(self.swapped(wanted, before, without_a_gap, recovered))
    }

    fn swapped(self, now: Version, before: Option<Version>, without_a_gap: bool, recovered: bool) -> Swapped {
        Swapped {
            now,
            before,
            previous: self.path(&self.names().previous()),
            without_a_gap,
            recovered,
        }
    }

    fn names(self) -> Names<'a> {
        Names(self.tenant)
    }

    fn path(self, name: &str) -> PathBuf {
        self.tenants_dir.join(name)
    }

    /// The tenants directory, held against other swaps until it is dropped; a process that dies lets go of it.
    fn lock(self) -> anyhow::Result<Locked> {
        let shown = self.tenants_dir.display();
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = rustix::fs::open(self.tenants_dir, flags, Mode::empty())
            .map_err(io::Error::from)
            .with_context(|| format!("tenants_dir {shown} cannot be opened"))?;
        let (locked, by) = match rustix::fs::flock(&dir, FlockOperation::NonBlockingLockExclusive) {
            // NFS locks what is open for writing, which no directory is.
            Err(Errno::BADF) => lock_by_file(&dir).map_or_else(|error| (Err(error), None), |by| (Ok(()), Some(by))),
            locked => (locked, None),
        };
        match locked {
            Ok(()) => Ok(Locked { dir, _by: by }),
            Err(Errno::WOULDBLOCK) => bail!("another promote or rollback is at work in {shown}: try again after it"),
            Err(error) => Err(io::Error::from(error)).with_context(|| format!("tenants_dir {shown} cannot be locked")),
        }
    }

    /// What there is of the tenant now.
    fn seen(self) -> anyhow::Result<Seen> {
        let names = self.names();
        let is_there = |name: &str| self.path(name).symlink_metadata().is_ok();
        let mut entering = Vec::new();
        for name in scan::list(self.tenants_dir).with_context(|| format!("{}", self.tenants_dir.display()))? {
            let Some(name) = name.to_str().filter(|name| names.inode_of(name).is_some()) else {
                continue;
            };
            entering.push((name.to_owned(), self.path(name).symlink_metadata()?.ino()));
        }
        Ok(Seen {
            current: is_there(&names.current()),
            next: is_there(&names.next()),
            previous: is_there(&names.previous()),
            copying: is_there(&names.copying()),
            was: is_there(&names.was()),
            older: is_there(&names.older()),
            entering,
        })
    }

    /// Whether an interrupted swap was finished or taken back.
    fn recover(self, dir: &OwnedFd) -> anyhow::Result<bool> {
        let moves = plan::recovery(self.names(), &self.seen()?).map_err(anyhow::Error::msg)?;
        for step in &moves {
            self.carry_out(dir, step).with_context(|| {
                format!(
                    "an interrupted swap cannot be finished or undone: {} in {} failed; do that by hand",
                    told(step),
                    self.tenants_dir.display()
                )
            })?;
        }
        Ok(!moves.is_empty())
    }

    /// Copies `from` to `acme.next`, whole or not at all.
    fn stage(self, dir: &OwnedFd, from: &Path, wanted: &Version) -> anyhow::Result<()> {
        let (next, copying) = (self.names().next(), self.names().copying());
        let shown = self.path(&next);
        ensure!(
            shown.symlink_metadata().is_err(),
            "{0} is there already, staged by somebody or left by an interrupted promote: promote it \
             (`readyd config promote {0}`) or remove it",
            shown.display()
        );
        let whole = copy::copy_tree(from, &self.path(&copying)).and_then(|()| {
            let copied = self.read(&self.path(&copying))?;
            ensure!(
                copied.hash == wanted.hash,
                "{} is another copied than before: it is being written to, or holds links that lead out of it",
                from.display()
            );
            Ok(())
        });
        if let Err(why) = whole {
            let _ = self.carry_out(dir, &Move::Remove(copying));
            return Err(why.context("nothing was changed"));
        }
        let step = Move::Rename {
            from: copying,
            to: next,
        };
        self.carry_out(dir, &step)
            .with_context(|| format!("{} failed: nothing was changed", told(&step)))
    }

    /// Whether it was done without a gap: by exchanging, where the file system can.
    fn carry_out_planned(self, dir: &OwnedFd, planned: &dyn Fn(bool) -> Vec<Move>) -> anyhow::Result<bool> {
        for can_exchange in [true, false] {
            let mut cannot = false;
            for step in planned(can_exchange) {
                match self.carry_out(dir, &step) {
                    Ok(()) => {}
                    Err(error) if matches!(step, Move::Exchange { .. }) && cannot_exchange(&error) => {
                        cannot = true;
                        break;
                    }
                    Err(error) => {
                        return Err(anyhow::Error::new(error).context(format!(
                            "{} failed; run the command again to finish or undo it",
                            told(&step)
                        )));
                    }
                }
            }
            if !cannot {
                let gap = planned(can_exchange).iter().any(|step| self.takes_away(step));
                return Ok(!gap);
            }
            self.recover(dir)?;
        }
        bail!(
            "{}: directories can neither be exchanged nor renamed here",
            self.tenants_dir.display()
        )
    }

    /// Whether after this step alone the tenant has no directory.
    fn takes_away(self, step: &Move) -> bool {
        matches!(step, Move::Rename { from, .. } if *from == self.names().current())
    }

    fn carry_out(self, dir: &OwnedFd, step: &Move) -> io::Result<()> {
        match step {
            Move::Rename { from, to } => rename(dir, from, to)?,
            Move::Exchange { one, other } => exchange(dir, one, other)?,
            Move::Remove(name) => remove(&self.path(name))?,
        }
        match rustix::fs::fsync(dir) {
            // A file system that syncs no directories; the step is done all the same, and must not look as if it was not.
            Err(error) if UNSUPPORTED.contains(&error) => Ok(()),
            synced => Ok(synced?),
        }
    }

    fn read(self, dir: &Path) -> anyhow::Result<Version> {
        let shown = dir.display();
        ensure!(dir.is_dir(), "{shown} is no directory that can be read");
        let sections = fragments::Section::ALL.map(fragments::Section::dir).join(", ");
        let Some(found) = scan::tenant_dir(dir) else {
            bail!("{shown} holds none of {sections}: it would make no tenant");
        };
        let mut merged = fragments::merge(Place::file(&found.dir), found.fragments);
        merged.problems.extend((self.judge)(&merged.tree));
        let beside = Beside {
            no_previous: None,
            ..found.beside
        };
        let lint = Lint::of(&merged.files, &merged.problems, &beside);
        let advice = lint.counted().filter(|one| !one.kind.is_refused());
        Ok(Version {
            advice: advice.map(ToString::to_string).collect(),
            files: lint.files,
            problems: merged.problems,
            hash: lint.hash,
        })
    }
}

/// A hidden file in `dir`, which stays: who removed it would let two in.
fn lock_by_file(dir: &OwnedFd) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = rustix::fs::openat(dir, ".readyd.lock", flags, Mode::RUSR | Mode::WUSR)?;
    rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    Ok(file)
}

/// Whether both lead to one directory.
fn is_same(one: &Path, other: &Path) -> bool {
    let id = |path: &Path| path.metadata().ok().map(|meta| (meta.dev(), meta.ino()));
    id(one).is_some_and(|known| id(other) == Some(known))
}

/// The one seam between systems: `renameat2` with `RENAME_EXCHANGE` on Linux, `renameatx_np` with `RENAME_SWAP` on
/// macOS, both within one directory.
fn exchange(dir: &OwnedFd, one: &str, other: &str) -> io::Result<()> {
    Ok(rustix::fs::renameat_with(dir, one, dir, other, RenameFlags::EXCHANGE)?)
}

/// What kernels and file systems say of a flag that they do not know.
const UNSUPPORTED: [Errno; 4] = [Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP, Errno::NOTSUP];

/// Never over something that is there; where the file system cannot promise that, the lock has to do.
fn rename(dir: &OwnedFd, from: &str, to: &str) -> io::Result<()> {
    match rustix::fs::renameat_with(dir, from, dir, to, RenameFlags::NOREPLACE) {
        Err(error) if UNSUPPORTED.contains(&error) => Ok(rustix::fs::renameat(dir, from, dir, to)?),
        done => Ok(done?),
    }
}

fn cannot_exchange(error: &io::Error) -> bool {
    UNSUPPORTED
        .iter()
        .any(|known| error.raw_os_error() == Some(known.raw_os_error()))
}

fn remove(path: &Path) -> io::Result<()> {
    match path.symlink_metadata()?.is_dir() {
        true => std::fs::remove_dir_all(path),
        false => std::fs::remove_file(path),
    }
}

fn told(step: &Move) -> String {
    match step {
        Move::Rename { from, to } => format!("renaming {from} to {to}"),
        Move::Exchange { one, other } => format!("exchanging {one} and {other}"),
        Move::Remove(name) => format!("removing {name}"),
    }
}

#[cfg(test)]
mod tests;
