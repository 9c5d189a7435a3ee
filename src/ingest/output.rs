//! Shell: what a connection still has to tell its producer: rejections in order, then the newest acknowledgement.

use std::io::{ErrorKind, Write};
use std::os::unix::net::UnixStream;

use super::fold::Rejection;
use super::hello::Replies;

/// Bounded: rejections stop the reading of lines at [`Output::BYTES_MAX`], acknowledgements replace each other.
#[derive(Debug, Default)]
pub(super) struct Output {
    replies: Replies,
    sent: usize,
    ack: Option<u64>,
    /// The peer takes nothing any more.
    broken: bool,
}

impl Output {
    /// With more than this unsent, no further line is read. One read adds at most
    /// [`super::fold::REJECTIONS_MAX`] rejections to it.
    pub const BYTES_MAX: usize = 64 << 10;

    pub fn has_room(&self) -> bool {
        self.replies.as_bytes().len() - self.sent <= Self::BYTES_MAX
    }

    pub fn is_empty(&self) -> bool {
        self.replies.as_bytes().len() == self.sent && self.ack.is_none()
    }

    pub fn is_broken(&self) -> bool {
        self.broken
    }

    pub fn hello(&mut self, last_seq: u64) {
        self.replies.hello(last_seq);
    }

    pub fn reject(&mut self, rejection: &Rejection) {
        if !self.broken {
            self.replies.reject(rejection);
        }
    }

    /// Takes the place of an earlier acknowledgement that was not sent yet.
    pub fn ack(&mut self, last_seq: u64) {
        self.ack = Some(last_seq);
    }

    /// Sends what the socket takes, and never waits. When the peer has gone, all is dropped.
    pub fn flush(&mut self, mut stream: &UnixStream) {
        while !self.broken && !self.is_empty() {
            if self.sent == self.replies.as_bytes().len() {
                self.replies.clear();
                self.sent = 0;
                if let Some(last_seq) = self.ack.take() {
                    self.replies.ack(last_seq);
                }
            }
            match stream.write(&self.replies.as_bytes()[self.sent..]) {
                Ok(written) => self.sent += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => self.broken = true,
            }
        }
        self.replies.clear();
        self.sent = 0;
        self.ack = None;
    }
}
