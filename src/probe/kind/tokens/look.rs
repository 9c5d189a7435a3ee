//! Shell: opens a tenant's folder and the files in it. No link is followed where somebody else could have put one, and
//! a named pipe or a device in the place of a file is never opened.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use rustix::fd::{AsFd as _, OwnedFd};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::super::part::Part;
use super::content;
use super::seen::{Content, Credential, File, Folder, Found, Guard, Kept, Seen};
use crate::account;
use crate::fingerprint::Fingerprints;
use crate::link::token::TOKEN_BYTES_MAX;
use crate::probe::declaration::{TenantTarget, Tokens};
use crate::words::{Cause, Wall};

/// A service account, a key with its chain: what is larger is no credential.
const CREDENTIAL_BYTES_MAX: usize = 64 << 10;
/// Names that are read of one folder.
const NAMES_MAX: usize = 4096;
/// The class of a gateway's own token.
const TOKEN: &str = "token";
const CURRENT: &str = "current";

/// An open folder.
struct Place {
    fd: OwnedFd,
    path: PathBuf,
    guard: Guard,
    /// Device and inode: one folder may have two paths.
    id: (u64, u64),
}

/// Looks at the tenant's folder in `secrets_dir`, and at its `token_file` with what belongs to it. Blocks.
pub fn look(tenant: &TenantTarget, fingerprints: &Fingerprints) -> Seen {
    let mut seen = Seen::default();
    let folder = tenant
        .secrets_dir
        .as_deref()
        .and_then(|path| own_folder(path, &mut seen));
    let named = tenant.token_file.as_deref().and_then(|path| named(path, &mut seen));
    // Of the same folder, by whichever path.
    let inside = match (&folder, &named) {
        (Some(folder), Some((place, name))) if place.id == folder.id => Some(name.as_str()),
        _ => None,
    };
    if let Some(place) = &folder {
        credentials(place, inside, fingerprints, &mut seen);
    }
    if let (Some((place, name)), None) = (&named, inside) {
        seen.folders.push(place.folder());
        let shown = |name: &str| place.path.join(name).display().to_string();
        let credential = credential(place, name, true, shown, fingerprints);
        seen.credentials.push(credential);
    }
    seen
}

/// `secrets_dir/acme`. One that is not there is none: not every tenant keeps its credentials so.
fn own_folder(path: &Path, seen: &mut Seen) -> Option<Place> {
    let parent = path.parent().unwrap_or(Path::new("/"));
    let above = match rustix::fs::stat(parent) {
        Ok(stat) => guard_of(&stat),
        Err(errno) => {
            let trouble = match errno {
                Errno::NOENT => Part::degraded(parent.display().to_string(), "is not there (secrets_dir)"),
                errno => trouble(parent, errno),
            };
            seen.troubles.push(trouble);
            return None;
        }
    };
    seen.folders.push(Folder {
        path: parent.to_owned(),
        guard: above,
    });
    let place = match open_folder(path, OFlags::NOFOLLOW) {
        Err(Errno::NOTDIR | Errno::LOOP) if is_link(path) => {
            let ours = above.uid == 0 || above.uid == account::own_uid();
            if !ours || above.mode & 0o022 != 0 {
                let why = "is a symbolic link in a directory that others may write: it is not followed";
                seen.troubles.push(Part::degraded(path.display().to_string(), why));
                return None;
            }
            open_folder(path, OFlags::empty())
        }
        opened => opened,
    };
    match place {
        Ok(place) => {
            seen.folders.push(place.folder());
            Some(place)
        }
        Err(Errno::NOENT) => {
            let path = path.display();
            seen.notes
                .push(format!("{path} is not there: its credentials are kept elsewhere"));
            None
        }
        Err(errno) => {
            seen.troubles.push(trouble(path, errno));
            None
        }
    }
}

/// The folder of the configured `token_file`, and its name there. Where that folder lies is as configured, so that links
/// on the way are the operator's own.
fn named(path: &Path, seen: &mut Seen) -> Option<(Place, String)> {
    let shown = path.display().to_string();
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
        seen.troubles
            .push(Part::degraded(shown, "is no name of a file (token_file)"));
        return None;
    };
    let parent = path.parent().unwrap_or(Path::new("/"));
    // A folder that may be passed through and not listed keeps its names to itself; this one's is known.
    let opened = open_folder(parent, OFlags::empty()).or_else(|errno| match errno {
        Errno::ACCESS => pass_through(parent),
        errno => Err(errno),
    });
    match opened {
        Ok(place) => Some((place, name.to_owned())),
        Err(Errno::NOENT) => {
            seen.troubles.push(Part::degraded(shown, "is not there (token_file)"));
            None
        }
        Err(errno) => {
            seen.troubles.push(trouble(path, errno));
            None
        }
    }
}

fn trouble(path: &Path, errno: Errno) -> Part {
    let what = path.display().to_string();
    match errno {
        Errno::NOTDIR => Part::degraded(what, "is no directory, or lies below something that is none"),
        Errno::LOOP => Part::degraded(what, "cannot be reached: symbolic links lead in a circle"),
        errno => {
            let (cause, why) = refusal(errno);
            Part::unknown(cause, what, format!("cannot be looked at: {why}"))
        }
    }
}

/// Every credential of the tenant's folder; `inside`: the name of the configured `token_file`, when it lies here.
fn credentials(place: &Place, inside: Option<&str>, fingerprints: &Fingerprints, seen: &mut Seen) {
    let names = match classes(place, seen) {
        Ok(names) => names,
        Err(errno) => {
            seen.troubles.push(trouble(&place.path, errno));
            return;
        }
    };
    // The one that is configured is looked at whatever else is there.
    let of_inside = inside.map(|name| match name.strip_suffix(".current") {
        Some(class) if Tokens::is_class(class) => (class.to_owned(), name.to_owned()),
        _ => (name.to_owned(), name.to_owned()),
    });
    let mut known: BTreeSet<(String, String)> = names
        .into_iter()
        .map(|class| {
            let current = format!("{class}.{CURRENT}");
            (class, current)
        })
        .collect();
    known.extend(of_inside);
    let is_inside = |current: &str| inside == Some(current);
    let count = known.len();
    let mut first: Vec<_> = known.into_iter().collect();
    first.sort_by_key(|(_, current)| !is_inside(current));
    first.truncate(Seen::CREDENTIALS_MAX);
    first.sort();
    if count > first.len() {
        let (path, max) = (place.path.display(), Seen::CREDENTIALS_MAX);
        seen.notes.push(format!(
            "{path} holds {count} credentials, more than the {max} that are looked at"
        ));
    }
    for (_, current) in first {
        let shown = str::to_owned;
        let credential = credential(place, &current, is_inside(&current), shown, fingerprints);
        seen.credentials.push(credential);
    }
}

/// `slack` for each of `slack.current`, `slack.next`, `slack.prev`. Other files are nobody's business.
fn classes(place: &Place, seen: &mut Seen) -> Result<BTreeSet<String>, Errno> {
    let mut classes = BTreeSet::new();
    let mut odd = 0_usize;
    for (index, entry) in Dir::read_from(&place.fd)?.enumerate() {
        if index >= NAMES_MAX {
            let path = place.path.display();
            seen.notes.push(format!(
                "{path} holds more than {NAMES_MAX} files: the others were not looked at"
            ));
            break;
        }
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        let class = [&b".current"[..], b".next", b".prev"]
            .iter()
            .find_map(|suffix| name.strip_suffix(*suffix));
        match class.map(|class| str::from_utf8(class).ok().filter(|class| Tokens::is_class(class))) {
            Some(Some(class)) => {
                classes.insert(class.to_owned());
            }
            Some(None) => odd += 1,
            None => {}
        }
    }
    if odd > 0 {
        let path = place.path.display();
        seen.notes.push(format!(
            "{path} holds {odd} files with names that no credential has ([A-Za-z0-9][A-Za-z0-9._-]{{0,63}})"
        ));
    }
    Ok(classes)
}

/// The three files of one credential. One whose name does not end with `.current` has no others.
fn credential(
    place: &Place,
    current: &str,
    is_gateways: bool,
    shown: impl Fn(&str) -> String,
    fingerprints: &Fingerprints,
) -> Credential {
    let class = current.strip_suffix(".current");
    let is_token = is_gateways || class == Some(TOKEN);
    let kept = |name: Option<String>| Kept {
        shown: name.as_deref().map(&shown).unwrap_or_default(),
        found: name.map_or(Found::Absent, |name| find(place, &name, is_token, fingerprints)),
    };
    let sibling = |suffix: &str| class.map(|class| format!("{class}.{suffix}"));
    Credential {
        class: class.unwrap_or(current).to_owned(),
        is_gateways,
        current: kept(Some(current.to_owned())),
        next: kept(sibling("next")),
        prev: kept(sibling("prev")),
    }
}

fn find(place: &Place, name: &str, is_token: bool, fingerprints: &Fingerprints) -> Found {
    let stat = match rustix::fs::statat(&place.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => stat,
        Err(Errno::NOENT) => return Found::Absent,
        Err(errno) => {
            let (cause, why) = refusal(errno);
            return Found::Unread(cause, why);
        }
    };
    if let Some(other) = other_than_a_file(&stat) {
        return Found::Other(other.to_owned());
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    match rustix::fs::openat(&place.fd, name, flags, Mode::empty()) {
        Ok(fd) => read(fd, is_token, fingerprints),
        // It was replaced in between; the next look sees what by.
        Err(Errno::NOENT) => Found::Absent,
        Err(Errno::LOOP) => Found::Other("is a symbolic link".to_owned()),
        Err(errno) => {
            let (cause, why) = refusal(errno);
            Found::File(file_of(&stat, Content::Unread(cause, why)))
        }
    }
}

/// The only place where a credential's bytes are; they are gone when it returns.
fn read(fd: OwnedFd, is_token: bool, fingerprints: &Fingerprints) -> Found {
    let unread = |errno: Errno| {
        let (cause, why) = refusal(errno);
        Found::Unread(cause, why)
    };
    let stat = match rustix::fs::fstat(&fd) {
        Ok(stat) => stat,
        Err(errno) => return unread(errno),
    };
    if let Some(other) = other_than_a_file(&stat) {
        return Found::Other(other.to_owned());
    }
    let bytes_max = if is_token {
        TOKEN_BYTES_MAX
    } else {
        CREDENTIAL_BYTES_MAX
    };
    let mut bytes = Vec::new();
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX) + 1;
    let content = match std::fs::File::from(fd).take(limit).read_to_end(&mut bytes) {
        Err(error) => return unread(Errno::from_io_error(&error).unwrap_or(Errno::IO)),
        Ok(_) if bytes.len() > bytes_max => Content::Torn("is larger than any credential"),
        Ok(_) => match content::whole(&bytes, is_token) {
            Ok(secret) => Content::Whole(fingerprints.of(secret)),
            Err(why) => Content::Torn(why),
        },
    };
    Found::File(file_of(&stat, content))
}

fn other_than_a_file(stat: &Stat) -> Option<&'static str> {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => None,
        FileType::Symlink => Some("is a symbolic link"),
        FileType::Directory => Some("is a directory"),
        FileType::Fifo => Some("is a named pipe"),
        FileType::Socket => Some("is a socket"),
        _ => Some("is no regular file"),
    }
}

fn open_folder(path: &Path, more: OFlags) -> Result<Place, Errno> {
    open_place(path, OFlags::RDONLY | more)
}

/// A folder of which its names are not asked for.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn pass_through(path: &Path) -> Result<Place, Errno> {
    open_place(path, OFlags::PATH)
}

/// Here a folder is opened to be read, or not at all.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn pass_through(_path: &Path) -> Result<Place, Errno> {
    Err(Errno::ACCESS)
}

fn open_place(path: &Path, flags: OFlags) -> Result<Place, Errno> {
    let flags = flags | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let fd = rustix::fs::open(path, flags, Mode::empty())?;
    let stat = rustix::fs::fstat(fd.as_fd())?;
    Ok(Place {
        guard: guard_of(&stat),
        id: id_of(&stat),
        path: path.to_owned(),
        fd,
    })
}

impl Place {
    fn folder(&self) -> Folder {
        Folder {
            path: self.path.clone(),
            guard: self.guard,
        }
    }
}

fn is_link(path: &Path) -> bool {
    rustix::fs::lstat(path).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink)
}

#[allow(clippy::useless_conversion, reason = "the widths differ between platforms")]
fn guard_of(stat: &Stat) -> Guard {
    Guard {
        uid: stat.st_uid,
        gid: stat.st_gid,
        mode: u32::from(stat.st_mode) & 0o7777,
    }
}

#[allow(
    clippy::useless_conversion,
    clippy::cast_sign_loss,
    clippy::unnecessary_cast,
    reason = "the widths differ between platforms"
)]
fn id_of(stat: &Stat) -> (u64, u64) {
    (stat.st_dev as u64, stat.st_ino.into())
}

#[allow(clippy::useless_conversion, reason = "the widths differ between platforms")]
fn file_of(stat: &Stat, content: Content) -> File {
    let nanos = i64::try_from(stat.st_mtime_nsec).unwrap_or(0);
    let seconds: i64 = stat.st_mtime.into();
    File {
        modified: Wall::from_millis(seconds.saturating_mul(1000).saturating_add(nanos / 1_000_000)),
        guard: guard_of(stat),
        content,
    }
}

/// Whose fault it is that it could not be looked at, and the words.
fn refusal(errno: Errno) -> (Cause, String) {
    let spoken = std::io::Error::from(errno);
    match errno {
        Errno::ACCESS | Errno::PERM => {
            let uid = account::own_uid();
            (Cause::Misconfigured, format!("{spoken}, as user {uid}"))
        }
        _ => (Cause::Local, spoken.to_string()),
    }
}
