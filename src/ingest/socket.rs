//! Shell: `events.sock`: accepts, and gives each connection a thread. (Gateways are few; one reactor for all
//! halved the throughput of four connections.)

use std::collections::HashMap;
use std::io::{self, ErrorKind, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::connection::Connection;
use super::hub::{Hub, lock};
use super::way::give_way;
use crate::clock;
use crate::descriptors::Clients;
use crate::unix_socket::{self, Access, ListenError, SocketFile};
use crate::words::Instant;

/// The listening socket and its connections. Dropping it stops it.
#[derive(Debug)]
pub struct EventsSocket {
    shared: Arc<Shared>,
    file: Option<SocketFile>,
    /// Written to once, to wake the accepting thread.
    wake: UnixStream,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    hub: Arc<Hub>,
    connections_max: usize,
    stopping: Arc<AtomicBool>,
    connections: Mutex<HashMap<u64, Arc<UnixStream>>>,
    ended: Condvar,
}

impl EventsSocket {
    /// Beyond, a new connection is closed at once and counted. Fewer where the process may open few files
    /// ([`crate::descriptors`]): senders must not keep load balancers and probes from theirs.
    pub const CONNECTIONS_MAX: usize = 1024;
    /// Of a connection's thread; folding needs little.
    const STACK_BYTES: usize = 256 << 10;
    /// After an error of `accept` (no descriptors, say).
    const RETRY: Duration = Duration::from_millis(100);

    /// Listens and begins to accept.
    ///
    /// # Errors
    /// See [`ListenError`].
    pub fn start(path: &Path, access: &Access, hub: Arc<Hub>) -> Result<EventsSocket, ListenError> {
        let (listener, file) = unix_socket::listen(path, access)?;
        let trouble = |source| ListenError::Io {
            path: path.into(),
            source,
        };
        listener.set_nonblocking(true).map_err(trouble)?;
        let (wake, woken) = UnixStream::pair().map_err(trouble)?;
        let shared = Arc::new(Shared {
            hub,
            connections_max: Clients::Events.connections_max(EventsSocket::CONNECTIONS_MAX),
            stopping: Arc::default(),
            connections: Mutex::default(),
            ended: Condvar::new(),
        });
        let accepting = {
            let shared = shared.clone();
            let builder = thread::Builder::new().name("events-accept".into());
            builder
                .spawn(move || shared.accept(&listener, &woken))
                .map_err(trouble)?
        };
        Ok(EventsSocket {
            shared,
            file: Some(file),
            wake,
            accepting: Some(accepting),
        })
    }

    /// Accepts no more, reads what was already sent, and waits until that is on disk and acknowledged, at most
    /// so long. The writer must still be running. `false`: some connections did not end in time.
    pub fn stop(mut self, within: Duration) -> bool {
        self.close();
        let connections = lock(&self.shared.connections);
        let unfinished = |connections: &mut HashMap<u64, Arc<UnixStream>>| !connections.is_empty();
        let waited = self.shared.ended.wait_timeout_while(connections, within, unfinished);
        let (connections, _) = waited.unwrap_or_else(PoisonError::into_inner);
        connections.is_empty()
    }

    fn close(&mut self) {
        self.shared.stopping.store(true, Ordering::Release);
        let _ = self.wake.write_all(b"!");
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
            self.file = None;
        }
        for stream in lock(&self.shared.connections).values() {
            // What the kernel holds is still read (on Linux; elsewhere it may be lost to plain senders).
            let _ = stream.shutdown(Shutdown::Read);
        }
    }
}

impl Drop for EventsSocket {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn accept(self: &Arc<Self>, listener: &UnixListener, woken: &UnixStream) {
        let mut number = 0;
        let (mut refusals, mut failures) = (Refusals::default(), Refusals::default());
        while !self.stopping.load(Ordering::Acquire) {
            match listener.accept() {
                Ok((stream, _)) => {
                    number += 1;
                    // Held until it is counted: who is refused may look at the counter at once.
                    let stream = Arc::new(stream);
                    if let Err(error) = self.admit(&stream, number) {
                        self.hub.counters.add_refused();
                        if let Some(refused) = refusals.count(clock::instant()) {
                            tracing::warn!(%error, refused, "connections to events.sock are refused");
                        }
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => wait(listener, woken, None),
                Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::ConnectionAborted) => {}
                Err(error) => {
                    if let Some(times) = failures.count(clock::instant()) {
                        tracing::warn!(%error, times, "events.sock cannot accept");
                    }
                    wait_a_little(woken);
                }
            }
        }
    }

    fn admit(self: &Arc<Self>, stream: &Arc<UnixStream>, number: u64) -> io::Result<()> {
        if lock(&self.connections).len() >= self.connections_max {
            return Err(io::Error::other("too many are open"));
        }
        // Not on every system inherited from the listener.
        stream.set_nonblocking(true)?;
        let uid = unix_socket::peer_uid(stream)?;
        let connection = Connection {
            hub: self.hub.clone(),
            stream: stream.clone(),
            uid,
            stopping: self.stopping.clone(),
        };
        lock(&self.connections).insert(number, stream.clone());
        let shared = self.clone();
        let serve = move || {
            // Also when it panics: the others must not wait for it.
            let _departure = Departure { shared, number };
            give_way();
            connection.serve();
        };
        let builder = thread::Builder::new().name(format!("events-{number}"));
        match builder.stack_size(EventsSocket::STACK_BYTES).spawn(serve) {
            Ok(_) => Ok(()),
            Err(error) => {
                lock(&self.connections).remove(&number);
                Err(error)
            }
        }
    }
}

/// Connections that were refused and not yet spoken of.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    unsaid: u64,
    said_at: Option<Instant>,
}

impl Refusals {
    /// Who is refused tries again at once: one line in so long says how many there were since the last.
    const SAY_EVERY: Duration = Duration::from_secs(60);

    /// One more; how many the log is to speak of now.
    pub(super) fn count(&mut self, now: Instant) -> Option<u64> {
        self.unsaid = self.unsaid.saturating_add(1);
        let is_due = self.said_at.is_none_or(|said_at| now.since(said_at) >= Self::SAY_EVERY);
        is_due.then(|| {
            self.said_at = Some(now);
            std::mem::take(&mut self.unsaid)
        })
    }
}

struct Departure {
    shared: Arc<Shared>,
    number: u64,
}

impl Drop for Departure {
    fn drop(&mut self) {
        lock(&self.shared.connections).remove(&self.number);
        self.shared.ended.notify_all();
    }
}

fn wait(listener: &UnixListener, woken: &UnixStream, timeout: Option<&Timespec>) {
    let mut fds = [PollFd::new(listener, PollFlags::IN), PollFd::new(woken, PollFlags::IN)];
    // Whatever it says: the caller looks again.
    let _ = poll(&mut fds, timeout);
}

fn wait_a_little(woken: &UnixStream) {
    let timeout = Timespec {
        tv_sec: 0,
        tv_nsec: i64::from(EventsSocket::RETRY.subsec_nanos()),
    };
    let _ = poll(&mut [PollFd::new(woken, PollFlags::IN)], Some(&timeout));
}
