//! Shell: the thread of one connection: reads, folds, answers, and waits where it must.
//!
//! A plain connection is always read: what has no room is dropped and counted. An acknowledging one is read only
//! while commits succeed and its peer takes its answers; what it sent meanwhile stays in the kernel.

use std::io::{ErrorKind, Read};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::counters::Talk;
use super::delta::Reporter;
use super::fold::{Folder, LINE_BYTES_MAX, Mode, Rejection};
use super::hello::{FirstLine, Hello, HelloRefused, Replies};
use super::hub::{Holder, Hub};
use super::registry::Pair;
use super::source::{Link, Source};
use crate::clock;
use crate::words::Via;

/// How long a plain connection's reader waits for a busy writer before it drops lines: longer than a commit takes to
/// fail on a locked database. Where commits fail it waits once, not for each read.
const PLAIN_PATIENCE: Duration = Duration::from_secs(2);
/// How often a reader that may not read looks whether its peer is still there.
const LOOK: Duration = Duration::from_millis(250);
/// A silent connection wakes its thread this often; with answers under way, every second.
const SILENCE: Duration = Duration::from_secs(60);
const ANSWERING: Duration = Duration::from_secs(1);
/// How long the last answers may take when a connection ends.
const LINGER: Duration = Duration::from_secs(1);

/// One accepted connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub hub: Arc<Hub>,
    /// Does not block.
    pub stream: Arc<UnixStream>,
    pub uid: u32,
    pub stopping: Arc<AtomicBool>,
}

/// A connection that is spoken with, and what was read of it.
struct Conversation {
    hub: Arc<Hub>,
    stream: Arc<UnixStream>,
    stopping: Arc<AtomicBool>,
    buffer: Buffer,
    rejections: Vec<Rejection>,
    /// The writer had no room for a plain connection's delta when that was last waited for.
    given_up: bool,
}

/// A connection's place in the gauge of those that are open.
struct Open {
    hub: Arc<Hub>,
    talk: Talk,
}

/// A connection's hold on its pair. It ends on every way out, by a panic too: else the producer would be in use
/// for good.
pub(super) struct Tenure {
    pub hub: Arc<Hub>,
    pub pair: Pair,
    pub holder: Arc<Holder>,
    pub source: Arc<Source>,
    pub stream: Arc<UnixStream>,
    pub stopping: Arc<AtomicBool>,
}

impl Connection {
    /// Until the peer has gone (or the daemon stops), and all that it sent is on disk or dropped.
    pub fn serve(self) {
        let Connection {
            hub,
            stream,
            uid,
            stopping,
        } = self;
        let mut conversation = Conversation {
            hub,
            stream,
            stopping,
            buffer: Buffer::new(),
            rejections: Vec::new(),
            given_up: false,
        };
        match conversation.first_line() {
            None => {}
            Some(FirstLine::Event) => conversation.plain(uid),
            Some(FirstLine::Hello(hello)) => conversation.acknowledged(&hello, uid),
            Some(FirstLine::Invalid(error)) => conversation.refuse(HelloRefused::BadHello(error)),
        }
    }
}

impl Conversation {
    /// `None`: it ended without a word. A hello is consumed; any other line stays in the buffer.
    fn first_line(&mut self) -> Option<FirstLine> {
        loop {
            let bytes = self.buffer.bytes();
            let newline = memchr::memchr(b'\n', bytes);
            if newline.is_none() && bytes.len() <= LINE_BYTES_MAX {
                if self.more(None) {
                    continue;
                }
                if self.buffer.bytes().is_empty() {
                    return None;
                }
            }
            let bytes = self.buffer.bytes();
            let end = newline.unwrap_or(bytes.len());
            if end > LINE_BYTES_MAX {
                return Some(FirstLine::Event);
            }
            let first = FirstLine::read(&bytes[..end]);
            if first != FirstLine::Event {
                self.buffer.consume(end + usize::from(newline.is_some()));
            }
            return Some(first);
        }
    }

    fn plain(mut self, uid: u32) {
        let _open = Open::new(&self.hub, Talk::Plain);
        let folder = Folder::new(self.hub.fold_settings(Some(uid), Via::Socket), Mode::Plain, None);
        let source = Source::untold(folder);
        while self.fold_buffered(&source) && self.more(None) {}
        self.finish(&source);
        self.hand_over(&source);
    }

    fn acknowledged(mut self, hello: &Hello, uid: u32) {
        let hub = self.hub.clone();
        let pair = Pair::new(&hello.producer, &hello.epoch);
        let arrival = clock::now().wall;
        let skew = hello.now.map(|now| arrival.as_millis().saturating_sub(now));
        let gone = || self.stopping() || has_hung_up(&self.stream);
        let (holder, last_seq) = match hub.claim(&pair, uid, &self.stream, gone) {
            Ok(claimed) => claimed,
            Err(Some(refused)) => return self.refuse(refused),
            Err(None) => return,
        };
        let mode = Mode::Acknowledged { last_seq };
        let link = Link {
            pair: pair.clone(),
            stream: self.stream.clone(),
        };
        let settings = hub.fold_settings(Some(uid), Reporter(pair.producer.clone()).via());
        let source = Source::new(Folder::new(settings, mode, skew), Some(link));
        let _open = Open::new(&hub, Talk::Acknowledged);
        let _tenure = Tenure {
            hub,
            pair,
            holder,
            source: source.clone(),
            stream: self.stream.clone(),
            stopping: self.stopping.clone(),
        };
        source.greet(last_seq);
        while self.fold_buffered(&source) && self.more(Some(&source)) {}
        self.finish(&source);
    }

    /// Folds all complete lines of the buffer; `false` when the peer has gone while it had to wait.
    fn fold_buffered(&mut self, source: &Arc<Source>) -> bool {
        loop {
            let folding = self.hub.folding();
            let folded = source.read(self.buffer.bytes(), clock::now(), &mut self.rejections);
            self.hub.folded(source, folded.newly_dirty);
            drop(folding);
            self.rejections.clear();
            self.buffer.consume(folded.read.consumed);
            if !folded.has_room && !self.wait_for_room(source) {
                return false;
            }
            if !folded.read.full {
                return true;
            }
            if folded.read.consumed == 0 && !self.wait_for_writer(source) {
                return false;
            }
        }
    }

    /// The delta is full: the writer must take it. A plain connection drops what it has when that takes too long.
    fn wait_for_writer(&mut self, source: &Arc<Source>) -> bool {
        self.hub.urge();
        if source.link.is_none() {
            let is_hopeless = self.given_up && !self.hub.is_committing();
            let patience = if is_hopeless { Duration::ZERO } else { PLAIN_PATIENCE };
            self.given_up = !source.wait_taken(patience);
            if self.given_up {
                let lines = self.buffer.drop_lines();
                self.hub.drop_lines(lines);
            }
            return true;
        }
        while !source.wait_taken(LOOK) {
            if self.stopping() || has_hung_up(&self.stream) {
                return false;
            }
        }
        true
    }

    /// The peer does not take its answers: nothing more is read until it does.
    fn wait_for_room(&self, source: &Source) -> bool {
        loop {
            let pending = source.flush();
            if pending.has_room || pending.broken {
                return true;
            }
            if self.stopping() {
                return false;
            }
            wait_for(&self.stream, PollFlags::OUT, LOOK);
        }
    }

    /// While commits fail an acknowledging connection is not read.
    fn wait_for_commits(&self, source: &Source) -> bool {
        while !self.hub.is_committing() {
            if self.stopping() || has_hung_up(&self.stream) {
                return false;
            }
            // What it already sent may become durable meanwhile; nobody else wakes us.
            source.wait_clean(LOOK);
            if !self.hub.is_committing() {
                wait_for(&self.stream, PollFlags::empty(), LOOK);
            }
        }
        true
    }

    /// Reads once, however long that takes; `false` at the end of the stream. `source`: of an acknowledging connection.
    fn more(&mut self, source: Option<&Source>) -> bool {
        loop {
            if source.is_some_and(|source| !self.wait_for_commits(source)) {
                return false;
            }
            match self.buffer.fill(&self.stream) {
                Ok(bytes) => return bytes > 0,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => return false,
            }
            let (mut events, mut patience) = (PollFlags::IN, SILENCE);
            if let Some(pending) = source.map(Source::flush) {
                if pending.output {
                    events |= PollFlags::OUT;
                }
                if pending.output || pending.ack {
                    patience = ANSWERING;
                }
            }
            wait_for(&self.stream, events, patience);
        }
    }

    /// The last line may lack its newline.
    fn finish(&mut self, source: &Arc<Source>) {
        let folded = source.finish(self.buffer.bytes(), clock::now(), &mut self.rejections);
        self.hub.folded(source, folded.newly_dirty);
    }

    /// What a plain connection leaves waits with its thread: no more deltas wait than there may be connections. Where
    /// commits fail and the writer has no room either, it is dropped.
    fn hand_over(&self, source: &Arc<Source>) {
        let mut last_looks = PLAIN_PATIENCE.as_millis() / LOOK.as_millis();
        while !source.wait_taken(LOOK) {
            if self.stopping() {
                // The writer's last commit takes it.
                return;
            }
            if !self.hub.is_committing() {
                last_looks = last_looks.saturating_sub(1);
                if last_looks == 0 {
                    return self.hub.discard(source);
                }
            }
        }
    }

    fn refuse(&self, refused: HelloRefused) {
        let mut replies = Replies::default();
        replies.error(refused);
        // A fresh connection's socket buffer has room for a line; a peer that has gone needs none.
        let _ = std::io::Write::write_all(&mut &*self.stream, replies.as_bytes());
    }

    fn stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }
}

impl Open {
    fn new(hub: &Arc<Hub>, talk: Talk) -> Open {
        hub.counters.opened(talk);
        let hub = hub.clone();
        Open { hub, talk }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.hub.counters.closed(self.talk);
    }
}

impl Tenure {
    /// Waits until all that was counted is on disk; `false` when the daemon stops before that.
    fn wait_clean(&self) -> bool {
        let mut last_looks = LINGER.as_millis() / LOOK.as_millis();
        while !self.source.wait_clean(LOOK) {
            if self.stopping.load(Ordering::Acquire) {
                last_looks = last_looks.saturating_sub(1);
                if last_looks == 0 {
                    return false;
                }
            }
        }
        true
    }

    fn say_the_rest(&self) {
        for _ in 0..LINGER.as_millis() / LOOK.as_millis() {
            if !self.source.flush().output {
                return;
            }
            wait_for(&self.stream, PollFlags::OUT, LOOK);
        }
    }
}

impl Drop for Tenure {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // The line it panicked at may have its place in the sequence and not be counted: no commit may say it is.
            self.hub.withdraw(&self.source);
        }
        self.hub.end(&self.pair, &self.holder);
        // Else it is not committed and not acknowledged: the process ends, and the producer sends it again.
        if self.wait_clean() {
            self.say_the_rest();
            self.hub.release(&self.pair, clock::now().wall);
        }
    }
}

/// Whether the peer has closed its end for good (and not just finished sending).
pub(super) fn has_hung_up(stream: &UnixStream) -> bool {
    let mut fds = [PollFd::new(stream, PollFlags::empty())];
    let answered = poll(&mut fds, Some(&Timespec::default()));
    answered.is_ok() && fds[0].revents().intersects(PollFlags::HUP | PollFlags::ERR)
}

fn wait_for(stream: &UnixStream, events: PollFlags, patience: Duration) {
    let mut fds = [PollFd::new(stream, events)];
    let timeout = Timespec {
        tv_sec: i64::try_from(patience.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(patience.subsec_nanos()),
    };
    // Interrupted or refused: the caller looks again in any case.
    let _ = poll(&mut fds, Some(&timeout));
}

/// What was read and not yet folded.
struct Buffer {
    bytes: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Buffer {
    /// What one `read` brings at most: all that Linux holds of a sender that writes ten lines at a time. A sender that had to
    /// wait is woken when three quarters are taken; with less room it would wait until the next `read`, behind the fold.
    const BYTES: usize = 128 << 10;

    fn new() -> Buffer {
        Buffer {
            bytes: vec![0; Self::BYTES].into(),
            start: 0,
            end: 0,
        }
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    fn consume(&mut self, bytes: usize) {
        self.start += bytes;
    }

    /// The rest of a line moves to the front, so there is always room for its end.
    fn fill(&mut self, mut stream: &UnixStream) -> std::io::Result<usize> {
        self.bytes.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        let bytes = stream.read(&mut self.bytes[self.end..])?;
        self.end += bytes;
        Ok(bytes)
    }

    /// Drops all complete lines and says how many.
    fn drop_lines(&mut self) -> u64 {
        let lines = memchr::memchr_iter(b'\n', self.bytes());
        let (count, last) = lines.fold((0, None), |(count, _), newline| (count + 1, Some(newline)));
        self.consume(last.map_or(0, |newline| newline + 1));
        count
    }
}
