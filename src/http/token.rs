//! Shell: reads the bearer of a non-loopback listener, again whenever the file changes.

use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::config::files::{self, Stamp};

/// A bearer has no more bytes than this.
pub const TOKEN_BYTES_MAX: usize = 4096;

/// The token as it was last read, and what the file looked like then.
#[derive(Debug, Default)]
pub struct TokenFile {
    path: Option<PathBuf>,
    seen: Option<Stamp>,
    token: Option<Vec<u8>>,
}

impl TokenFile {
    /// Looks again, and reads if anything changed. What cannot be read safely is no token: it fails closed,
    /// and the verdict is still answered.
    ///
    /// # Errors
    /// Why there is no token now, each time.
    pub fn refresh(&mut self, path: Option<&Path>) -> Result<Option<&[u8]>, String> {
        if self.path.as_deref() != path {
            *self = TokenFile {
                path: path.map(Path::to_path_buf),
                ..TokenFile::default()
            };
        }
        let Some(path) = path else { return Ok(None) };
        // Looked at before it is read: what changes in between is noticed the next time.
        let stamp = files::stamp(path);
        if self.token.is_none() || stamp.is_none() || stamp != self.seen {
            self.token = None;
            self.token = Some(read(path).map_err(|why| format!("token_file {} {why}", path.display()))?);
            self.seen = stamp;
        }
        Ok(self.token.as_deref())
    }
}

/// The token without surrounding white space; or why there is none, as a sentence after its path.
fn read(path: &Path) -> Result<Vec<u8>, String> {
    let bytes = files::read_guarded(path, OFlags::empty(), &[], TOKEN_BYTES_MAX)?;
    match bytes.trim_ascii() {
        [] => Err("is empty".to_owned()),
        token => Ok(token.to_vec()),
    }
}
