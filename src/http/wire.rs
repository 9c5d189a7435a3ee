//! Shell: what lies between a socket and actix: three things that actix does not do.
//!
//! - It refuses HTTP/1.1 without a `Host` (RFC 9112 §3.2 wants that), and load balancers that send none
//!   are answered. Such a first head on a connection is handed on as HTTP/1.0, which has no `Host`; the
//!   answer then ends the connection, as HTTP/1.0 does.
//! - It waits for ever for a client that does not read its answer. Here a write that makes no progress
//!   for a while fails.
//! - It waits for first heads as long as it is told, however many wait. Here the oldest makes room ([`super::newcomers`]).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::newcomers::Newcomer;

/// How long a client may leave its answer unread before the connection is given up.
pub const UNREAD_PATIENCE: Duration = Duration::from_secs(20);
/// A longer first head is handed on as it is.
const HEAD_BYTES_MAX: usize = 8 * 1024;

#[derive(Debug)]
pub struct Wire<S> {
    stream: S,
    /// The first head as far as it is here; `None` once it was handed on.
    head: Option<Vec<u8>>,
    /// Until the first head is whole.
    newcomer: Option<Newcomer>,
    /// What was read with the first head and is not yet handed on.
    read: Vec<u8>,
    /// While a write waits.
    writing: Stall,
    /// While what was written waits within TLS.
    flushing: Stall,
}

/// How long there is no progress.
#[derive(Debug)]
struct Stall {
    patience: Duration,
    since: Option<Pin<Box<Sleep>>>,
}

impl<S> Wire<S> {
    pub fn new(stream: S) -> Wire<S> {
        Wire::with_patience(stream, UNREAD_PATIENCE)
    }

    pub fn stream(&self) -> &S {
        &self.stream
    }

    /// It may be turned away until its first head is whole.
    pub fn of_newcomer(mut self, newcomer: Newcomer) -> Wire<S> {
        self.newcomer = Some(newcomer);
        self
    }

    /// The next read begins with `bytes`: they were read, and are for somebody else.
    pub fn unread(&mut self, bytes: &[u8]) {
        self.read.splice(..0, bytes.iter().copied());
    }

    fn with_patience(stream: S, patience: Duration) -> Wire<S> {
        Wire {
            stream,
            head: Some(Vec::new()),
            newcomer: None,
            read: Vec::new(),
            writing: Stall { patience, since: None },
            flushing: Stall { patience, since: None },
        }
    }
}

impl Stall {
    /// `progress`, or an error when there was none for too long.
    fn within_patience<T>(&mut self, context: &mut Context<'_>, progress: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if progress.is_ready() {
            self.since = None;
            return progress;
        }
        let patience = self.patience;
        let since = self.since.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        ready!(since.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Wire<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        while let Some(head) = &mut wire.head {
            let mut piece = [0; 2048];
            let mut piece = ReadBuf::new(&mut piece);
            let read = Pin::new(&mut wire.stream).poll_read(context, &mut piece);
            // Whose head is here already has asked, however many came after it.
            if read.is_pending()
                && let Some(newcomer) = &mut wire.newcomer
                && newcomer.poll_turned_away(context).is_ready()
            {
                return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
            }
            ready!(read)?;
            head.extend_from_slice(piece.filled());
            let end = end_of_head(head);
            if piece.filled().is_empty() || end.is_some() || head.len() >= HEAD_BYTES_MAX {
                wire.read = std::mem::take(head);
                wire.head = None;
                wire.newcomer = None;
                if let Some(end) = end {
                    forgive_missing_host(&mut wire.read[..end]);
                }
            }
        }
        if wire.read.is_empty() {
            return Pin::new(&mut wire.stream).poll_read(context, buffer);
        }
        let length = wire.read.len().min(buffer.remaining());
        buffer.put_slice(&wire.read[..length]);
        wire.read.drain(..length);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Wire<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let wire = self.get_mut();
        let progress = Pin::new(&mut wire.stream).poll_write(context, bytes);
        wire.writing.within_patience(context, progress)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let wire = self.get_mut();
        let progress = Pin::new(&mut wire.stream).poll_flush(context);
        wire.flushing.within_patience(context, progress)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

/// Where the first head ends: after the first empty line.
fn end_of_head(bytes: &[u8]) -> Option<usize> {
    let after = |end: &[u8]| memchr::memmem::find(bytes, end).map(|at| at + end.len());
    [after(b"\n\r\n"), after(b"\n\n")].into_iter().flatten().min()
}

/// Writes HTTP/1.0 into the request line of a head that has no `Host`.
fn forgive_missing_host(head: &mut [u8]) {
    let names_host = |line: &[u8]| line.get(..5).is_some_and(|name| name.eq_ignore_ascii_case(b"host:"));
    let mut lines = head.split(|byte| *byte == b'\n');
    let Some(request) = lines.next().map(<[u8]>::trim_ascii_end) else {
        return;
    };
    if request.ends_with(b" HTTP/1.1")
        && !lines.any(names_host)
        && let minor = request.len() - 1
        && let Some(minor) = head.get_mut(minor)
    {
        *minor = b'0';
    }
}

#[cfg(test)]
mod tests;
