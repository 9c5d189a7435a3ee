//! How far each file of a log was read. Pure.
//!
//! A file is known by device and inode, so that a rename is nothing, and by its first bytes, so that a new file in the
//! place of a deleted one, or one that was emptied and written anew, is a new file.

use serde::{Deserialize, Serialize};

/// What is looked at of a file's beginning: OpenClaw's records bear their time within it.
pub const HEAD_BYTES_MAX: usize = 1024;
/// Files remembered. Those seen last stay: one that a listing missed while it was renamed must not be read again.
pub const MARKS_MAX: usize = 64;

/// The position of a source: of each of its files, the one seen last at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    files: Vec<Mark>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    pub device: u64,
    pub inode: u64,
    /// Where the next line begins; within a line that is too long, where its rest does.
    pub offset: u64,
    #[serde(default)]
    pub within_too_long: bool,
    /// How many of its first bytes `head` was made of.
    head_bytes: usize,
    head: u64,
}

/// A file as it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found<'a> {
    pub device: u64,
    pub inode: u64,
    pub size: u64,
    /// Up to [`HEAD_BYTES_MAX`] of its first bytes; empty when it could not be opened.
    pub head: &'a [u8],
}

impl Position {
    /// A text to be kept; [`Position::parse`] reads it.
    pub fn body(&self) -> String {
        // A struct of numbers has no form that JSON lacks.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// `None`: not a kept position.
    pub fn parse(body: &str) -> Option<Position> {
        let mut position: Position = serde_json::from_str(body).ok()?;
        position.bound();
        Some(position)
    }

    /// Whether a file is known and read to its end, as far as its numbers tell.
    pub fn is_read(&self, device: u64, inode: u64, size: u64) -> bool {
        self.at(device, inode)
            .and_then(|at| self.files.get(at))
            .is_some_and(|mark| mark.offset == size)
    }

    /// The mark of a file to be read on: where it was left, or a new one at its beginning. It is the last one now.
    pub fn resume(&mut self, found: Found<'_>) -> Mark {
        let known = self.at(found.device, found.inode).map(|at| self.files.remove(at));
        let resumed = known.filter(|mark| mark.is_of(found)).map(|mark| mark.grown(found));
        let mark = resumed.unwrap_or_else(|| Mark::new(found, 0));
        self.keep(mark);
        mark
    }

    /// The file that was resumed last was read to this mark.
    pub fn advance(&mut self, mark: Mark) {
        if let Some(last) = self.files.last_mut() {
            *last = mark;
        }
    }

    /// A file that was there before us counts as read.
    pub fn pass(&mut self, found: Found<'_>) {
        self.keep(Mark::new(found, found.size));
    }

    fn at(&self, device: u64, inode: u64) -> Option<usize> {
        self.files
            .iter()
            .position(|mark| (mark.device, mark.inode) == (device, inode))
    }

    fn keep(&mut self, mark: Mark) {
        self.files.push(mark);
        self.bound();
    }

    fn bound(&mut self) {
        let beyond = self.files.len().saturating_sub(MARKS_MAX);
        self.files.drain(..beyond);
    }
}

impl Mark {
    fn new(found: Found<'_>, offset: u64) -> Mark {
        Mark {
            device: found.device,
            inode: found.inode,
            offset,
            within_too_long: false,
            head_bytes: found.head.len(),
            head: hash(found.head),
        }
    }

    fn is_of(&self, found: Found<'_>) -> bool {
        let head = found.head.get(..self.head_bytes);
        found.size >= self.offset && head.is_some_and(|head| hash(head) == self.head)
    }

    /// With as much of the beginning as there is now.
    fn grown(self, found: Found<'_>) -> Mark {
        Mark {
            head_bytes: found.head.len(),
            head: hash(found.head),
            ..self
        }
    }
}

/// The same across builds and restarts: 64 bits of SHA-256.
fn hash(bytes: &[u8]) -> u64 {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest
        .as_ref()
        .first_chunk::<8>()
        .map_or(0, |first| u64::from_le_bytes(*first))
}

#[cfg(test)]
mod tests;
