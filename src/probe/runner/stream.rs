//! Shell: one of a child's pipes, read without waiting for its end.

use std::os::fd::OwnedFd;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;

/// What one read makes room for.
const READ_BYTES: usize = 16 << 10;
/// A pipe holds at most this much on Linux (`pipe-max-size`) and macOS: more can only come from a
/// process that is still writing.
const DRAIN_BYTES_MAX: usize = 1 << 20;

#[derive(Debug, Default)]
pub struct Collected {
    /// `None`: at its end, or no longer wanted.
    pipe: Option<Receiver>,
    pub bytes: Vec<u8>,
}

impl From<Option<OwnedFd>> for Collected {
    fn from(pipe: Option<OwnedFd>) -> Collected {
        Collected {
            // A pipe that cannot be watched (no descriptors for it) reads as empty, hence as unreadable.
            pipe: pipe.and_then(|pipe| Receiver::from_owned_fd(pipe).ok()),
            bytes: Vec::new(),
        }
    }
}

impl Collected {
    /// Waits for more and keeps it; never ready once the end was read. Nothing is lost when dropped.
    pub async fn read_more(&mut self) {
        let Some(pipe) = &mut self.pipe else {
            return std::future::pending().await;
        };
        self.bytes.reserve(READ_BYTES);
        if !matches!(pipe.read_buf(&mut self.bytes).await, Ok(1..)) {
            self.pipe = None;
        }
    }

    /// Takes what is in the pipe now, and closes it.
    pub fn drain(&mut self, bytes_max: usize) {
        // Past tokio, whose idea of readiness may be a moment old.
        let Some(pipe) = self.pipe.take().and_then(|pipe| pipe.into_nonblocking_fd().ok()) else {
            return;
        };
        let end = self
            .bytes
            .len()
            .saturating_add(DRAIN_BYTES_MAX)
            .min(bytes_max.saturating_add(1));
        let mut chunk = vec![0; READ_BYTES];
        while self.bytes.len() < end {
            match rustix::io::read(&pipe, chunk.as_mut_slice()) {
                Ok(read @ 1..) => self.bytes.extend_from_slice(&chunk[..read]),
                Err(rustix::io::Errno::INTR) => {}
                Ok(_) | Err(_) => return,
            }
        }
    }

    pub fn close(&mut self) {
        self.pipe = None;
    }
}
