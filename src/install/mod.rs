//! `readyd install` and `uninstall` as data: which files a host should have (`layout`), what was written before (`record`), and
//! what that comes to (`plan`). Nothing here touches a file.
//!
//! One rule: readyd takes away or replaces only what it wrote and nobody changed since.

pub mod layout;
pub mod plan;
pub mod record;
#[cfg(test)]
mod tests;

use std::path::{Component, Path};

use serde::{Deserialize, Serialize};

/// Read at once.
const READ_BYTES: usize = 256 * 1024;

/// SHA-256 of a file's bytes, in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sum(String);

impl Sum {
    pub fn of(bytes: &[u8]) -> Sum {
        Sum::from_digest(&ring::digest::digest(&ring::digest::SHA256, bytes))
    }

    fn from_digest(digest: &ring::digest::Digest) -> Sum {
        Sum(digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// The sum of all that `reader` gives, without keeping it.
pub fn summed(reader: &mut dyn std::io::Read) -> std::io::Result<Sum> {
    let mut context = ring::digest::Context::new(&ring::digest::SHA256);
    let mut part = vec![0; READ_BYTES];
    loop {
        match reader.read(&mut part)? {
            0 => return Ok(Sum::from_digest(&context.finish())),
            bytes => context.update(part.get(..bytes).unwrap_or_default()),
        }
    }
}

/// Absolute, and nothing in it climbs.
fn plain_path(path: &Path) -> bool {
    path.is_absolute()
        && path
            .components()
            .all(|part| matches!(part, Component::RootDir | Component::Normal(_)))
}
