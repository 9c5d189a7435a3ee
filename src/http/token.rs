//! Shell: reads the bearer of a non-loopback listener, again whenever the file changes.

use std::path::{Path, PathBuf};

use crate::config::files::{self, Secret, Stamp};

/// A bearer has no more bytes than this.
pub const TOKEN_BYTES_MAX: usize = 4096;

/// The token as it was last read, and what the file looked like then.
#[derive(Debug, Default)]
pub struct TokenFile {
    path: Option<PathBuf>,
    seen: Option<Stamp>,
    token: Option<Vec<u8>>,
    is_open_to_all: bool,
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
            let secret = read(path).map_err(|why| format!("token_file {} {why}", path.display()))?;
            self.is_open_to_all = secret.is_open_to_all;
            self.token = Some(secret.bytes);
            self.seen = stamp;
        }
        Ok(self.token.as_deref())
    }

    /// What is not as it should be with the token that is in use. It is used all the same: who may read the file is on this
    /// host, and a listener on loopback tells them everything.
    pub fn remark(&self) -> Option<String> {
        let path = self
            .path
            .as_ref()
            .filter(|_| self.token.is_some() && self.is_open_to_all)?;
        Some(format!(
            "token_file {} can be read by everybody on this host; run chmod o-rwx on it",
            path.display()
        ))
    }
}

/// The token without surrounding white space; or why there is none, as a sentence after its path.
fn read(path: &Path) -> Result<Secret, String> {
    let secret = files::read_secret(path, TOKEN_BYTES_MAX)?;
    match secret.bytes.trim_ascii() {
        [] => Err("is empty".to_owned()),
        token => Ok(Secret {
            bytes: token.to_vec(),
            ..secret
        }),
    }
}
