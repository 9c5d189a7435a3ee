//! Shell: keyed fingerprints of secrets: which of two is which can be said, noted and compared, and the secret cannot
//! be found from it.
//!
//! HMAC-SHA256 with a key that is drawn once and kept in the state directory (`fingerprint.key`, 0600). A plain hash
//! would let anybody try a list of likely secrets against it; without the key nobody can. The key leaves the node only
//! if somebody copies the file on purpose, so fingerprints are comparable over time on one node and not between two.

use std::fmt;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};
use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;

use crate::account;
use crate::config::files;

/// The key's file in the state directory.
pub const KEY_FILE: &str = "fingerprint.key";
const KEY_BYTES: usize = 32;

/// A secret's own mark. Compared whole; shown as its first twelve hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

/// Takes fingerprints with one key. Cheap to clone; clones have the same key.
#[derive(Clone, Default)]
pub struct Fingerprints(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// `None`: a key that lives as long as this does.
    state_dir: Option<PathBuf>,
    /// Read, or drawn, when the first fingerprint is taken.
    kept: OnceLock<Kept>,
}

struct Kept {
    key: hmac::Key,
    trouble: Option<String>,
}

impl Fingerprints {
    /// With the key that is kept in `state_dir`.
    pub fn kept_in(state_dir: &Path) -> Fingerprints {
        Fingerprints(Arc::new(Inner {
            state_dir: Some(state_dir.to_owned()),
            kept: OnceLock::new(),
        }))
    }

    /// White space at the ends is not part of a secret: a file may end with a line feed, a frame does not. The first
    /// one reads the key's file; may block.
    pub fn of(&self, secret: &str) -> Fingerprint {
        let tag = hmac::sign(&self.kept().key, secret.trim().as_bytes());
        let mut bytes = [0; 32];
        for (byte, tagged) in bytes.iter_mut().zip(tag.as_ref()) {
            *byte = *tagged;
        }
        Fingerprint(bytes)
    }

    /// Why fingerprints cannot be compared with those after the next start, as a sentence.
    pub fn trouble(&self) -> Option<&str> {
        self.kept().trouble.as_deref()
    }

    fn kept(&self) -> &Kept {
        self.0.kept.get_or_init(|| keep(self.0.state_dir.as_deref()))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(6).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl fmt::Debug for Fingerprints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprints({:?})", self.0.state_dir)
    }
}

/// The same key: two that were read from one file count as different, and nothing holds two.
impl PartialEq for Fingerprints {
    fn eq(&self, other: &Fingerprints) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Fingerprints {}

fn keep(state_dir: Option<&Path>) -> Kept {
    let found = state_dir.map(|state_dir| read_or_draw(&state_dir.join(KEY_FILE)));
    let (bytes, trouble) = match found {
        Some(Ok(bytes)) => (bytes, None),
        Some(Err(why)) => (draw_in_any_case(), Some(why)),
        None => (draw_in_any_case(), None),
    };
    Kept {
        key: hmac::Key::new(hmac::HMAC_SHA256, &bytes),
        trouble,
    }
}

fn draw() -> Result<[u8; KEY_BYTES], Errno> {
    let mut bytes = [0; KEY_BYTES];
    // The one error that ring tells has no words.
    SystemRandom::new().fill(&mut bytes).map_err(|_| Errno::IO)?;
    Ok(bytes)
}

/// A key for as long as we run. Where the system's generator refuses, the standard library's seed is at least nobody
/// else's.
fn draw_in_any_case() -> [u8; KEY_BYTES] {
    draw().unwrap_or_else(|_| {
        let mut bytes = [0; KEY_BYTES];
        for chunk in bytes.chunks_exact_mut(8) {
            chunk.copy_from_slice(&RandomState::new().build_hasher().finish().to_ne_bytes());
        }
        bytes
    })
}

/// One that is there is never replaced, whatever it holds: every fingerprint ever noted hangs on it.
fn read_or_draw(path: &Path) -> Result<[u8; KEY_BYTES], String> {
    if matches!(rustix::fs::lstat(path), Err(Errno::NOENT)) {
        create(path).map_err(|errno| {
            format!(
                "{} cannot be kept ({}): fingerprints are others after the next start",
                path.display(),
                std::io::Error::from(errno)
            )
        })?;
    }
    let says = |why: String| format!("{} {why}: fingerprints are others after the next start", path.display());
    let bytes = files::read_guarded(path, OFlags::NOFOLLOW, &[], KEY_BYTES).map_err(says)?;
    <[u8; KEY_BYTES]>::try_from(bytes).map_err(|_| says(format!("holds no key of {KEY_BYTES} bytes")))
}

/// In a directory of our own alone: a check that root runs by hand must not leave a key there that the readyd which
/// serves, as another user, may not read.
///
/// Written aside and given its name whole, so that no reader finds half a key; who comes second finds the first one's.
fn create(path: &Path) -> Result<(), Errno> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    if rustix::fs::stat(directory)?.st_uid != account::own_uid() {
        return Err(Errno::ACCESS);
    }
    let key = draw()?;
    // A name that nobody else takes, in this process or another.
    let salt = RandomState::new().build_hasher().finish();
    let aside = path.with_extension(format!("key.{salt:016x}"));
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::open(&aside, flags, Mode::RUSR | Mode::WUSR)?;
    let mut file = std::fs::File::from(file);
    let written = file.write_all(&key).and_then(|()| file.sync_all());
    let named = match written {
        Err(error) => Err(Errno::from_io_error(&error).unwrap_or(Errno::IO)),
        Ok(()) => match rustix::fs::linkat(CWD, &aside, CWD, path, AtFlags::empty()) {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            // A file system without hard links.
            Err(_) => rustix::fs::rename(&aside, path),
        },
    };
    let _ = rustix::fs::unlink(&aside);
    named
}

#[cfg(test)]
mod tests;
