//! Shell: listeners and their threads. Each listener is bound when its `start_…` is called, and not before.
//!
//! The public listener and `control.sock` have workers of their own: whoever fills the one with
//! connections does not keep the operator from the other.
#![expect(clippy::disallowed_methods, reason = "shell: spawns the tasks of its own runtimes")]

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::rc::Rc;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_http::{HttpService, Protocol};
use actix_service::{ServiceFactoryExt as _, map_config};
use actix_web::dev::{AppConfig, Server, ServerHandle, ServiceFactory, fn_service};
use actix_web::rt::net::{TcpStream, UnixStream};
use actix_web::{App, rt, web};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::{Semaphore, oneshot};

use super::agent;
use super::credentials::Credentials;
use super::entrance::{self, Plain};
use super::front::{self, Dates};
use super::handle::{self, Door, Last};
use super::newcomers::Newcomers;
use super::site::{Parts, Site};
use super::topic::Topic;
use super::wire::Wire;
use crate::descriptors::Clients;
use crate::unix_socket::{self, Access, SocketFile};

/// Connections of one public worker; more wait in the kernel's backlog. Of all listeners fewer where the process may open
/// few files ([`crate::descriptors`]).
pub const CONNECTIONS_MAX: usize = 512;
/// Connections that the kernel keeps until they are accepted; it may have a lower limit of its own.
const BACKLOG: i32 = 1024;
/// Of `control.sock`.
pub const CONTROL_CONNECTIONS_MAX: usize = 64;
/// Of `agent_check`.
pub const AGENT_CONNECTIONS_MAX: usize = 64;
/// How long the head of a request may take to arrive: 408 beyond.
pub const HEAD_PATIENCE: Duration = Duration::from_secs(5);
/// How long an idle connection is kept: longer than the interval of most load balancers' checks.
pub const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// How long requests in flight may take once the server is told to stop.
const STOP_PATIENCE_SECS: u64 = 1;
pub(super) const DISCONNECT_PATIENCE: Duration = Duration::from_secs(1);
const AGENT_PATIENCE: Duration = Duration::from_secs(1);

/// A listener at work. Dropped, it ends within about a second.
#[derive(Debug)]
pub struct Running {
    /// `None` for `control.sock`.
    pub address: Option<SocketAddr>,
    stop: Option<Stop>,
    thread: Option<JoinHandle<()>>,
    file: Option<SocketFile>,
}

enum Bound {
    Public(TcpListener, SocketAddr),
    Control(UnixListener),
}

enum Stop {
    Http { server: ServerHandle, parts: Box<Parts> },
    Agent(oneshot::Sender<()>),
}

/// Binds `listen` and serves it, read-only.
///
/// # Errors
/// When the address cannot be bound, its certificate cannot be served, or a thread cannot be started.
pub fn start_public(parts: Parts, listen: SocketAddr, workers: usize) -> io::Result<Running> {
    let listener = bind_tcp(listen)?;
    let address = listener.local_addr()?;
    let site = web::Data::new(Site::new(parts));
    let keep = Credentials::begin(&site, address)?.keep(site.clone());
    let mut running = run("http", site, Bound::Public(listener, address), workers, keep)?;
    running.address = Some(address);
    Ok(running)
}

/// Binds `control.sock` at `path` with `mode`, and serves it.
///
/// # Errors
/// When another process serves it, it cannot be bound, or a thread cannot be started.
pub fn start_control(parts: Parts, path: &Path, mode: u32) -> io::Result<Running> {
    let access = Access { mode, group: None };
    let (listener, file) = unix_socket::listen(path, &access).map_err(io::Error::other)?;
    let site = web::Data::new(Site::new(parts));
    let mut running = run("control", site, Bound::Control(listener), 1, async {})?;
    running.file = Some(file);
    Ok(running)
}

/// Binds `agent_check` and answers each connection with one line.
///
/// # Errors
/// When the address cannot be bound, or the thread cannot be started.
pub fn start_agent_check(parts: Parts, listen: SocketAddr) -> io::Result<Running> {
    let listener = bind_tcp(listen)?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let (stop, stopped) = oneshot::channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let thread = thread::Builder::new().name("agent-check".into()).spawn(move || {
        runtime.block_on(async move {
            tokio::select! {
                () = answer_agents(parts, listener) => {}
                _ = stopped => {}
            }
        });
    })?;
    Ok(Running {
        address: Some(address),
        stop: Some(Stop::Agent(stop)),
        thread: Some(thread),
        file: None,
    })
}

impl Drop for Running {
    /// Stops accepting, lets requests in flight end (at most a second), and waits for that.
    fn drop(&mut self) {
        match self.stop.take() {
            Some(Stop::Http { server, parts }) => {
                // Streams have no end of their own.
                parts.board.hang_up();
                // Told at the call; the future only waits, and the join below does that.
                drop(server.stop(true));
            }
            Some(Stop::Agent(stop)) => {
                let _ = stop.send(());
            }
            None => {}
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        drop(self.file.take());
    }
}

impl std::fmt::Debug for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stop")
    }
}

/// Serves on a thread with a runtime of its own, beside `task`; returns once it listens.
fn run(
    name: &str,
    site: web::Data<Site>,
    bound: Bound,
    workers: usize,
    task: impl Future<Output = ()> + Send + 'static,
) -> io::Result<Running> {
    let (ready, started) = mpsc::channel();
    let parts = Box::new(site.parts.clone());
    let thread = thread::Builder::new().name(name.into()).spawn(move || {
        rt::System::new().block_on(async move {
            let server = match http_server(site, bound, workers) {
                Ok(server) => server,
                Err(why) => {
                    let _ = ready.send(Err(why));
                    return;
                }
            };
            let _ = ready.send(Ok(server.handle()));
            rt::spawn(task);
            if let Err(why) = server.await {
                tracing::error!(%why, "a listener ended");
            }
        });
    })?;
    let server = started
        .recv()
        .unwrap_or_else(|_| Err(io::Error::other("the server's thread ended before it listened")))?;
    Ok(Running {
        address: None,
        stop: Some(Stop::Http { server, parts }),
        thread: Some(thread),
        file: None,
    })
}

fn http_server(site: web::Data<Site>, bound: Bound, workers: usize) -> io::Result<Server> {
    let connections = Clients::Http.connections_max(CONNECTIONS_MAX);
    let builder = Server::build()
        .workers(workers.max(1))
        .max_concurrent_connections(match bound {
            Bound::Public(..) => connections,
            Bound::Control(_) => Clients::Control.connections_max(CONTROL_CONNECTIONS_MAX),
        })
        .shutdown_timeout(STOP_PATIENCE_SECS)
        .disable_signals();
    let signal = builder.graceful_shutdown_signal();
    let stopping = move || {
        let signal = signal.clone();
        async move { signal.notified().await }
    };
    let builder = match bound {
        Bound::Public(listener, listen) => {
            // The rest is for those who ask.
            let newcomers = Newcomers::new(connections / 2);
            builder.listen("http", listener, move || {
                let (newcomers, entered, told) = (newcomers.clone(), site.clone(), stopping.clone());
                let dates = Rc::new(Dates::new());
                fn_service(move |stream: TcpStream| {
                    let (newcomers, site) = (newcomers.clone(), entered.clone());
                    let (dates, stopping) = (Rc::clone(&dates), told());
                    async move {
                        let wire = entrance::enter(stream, site.tls.load_full(), &newcomers).await?;
                        let wire = front::serve(wire, &site, listen, &dates, stopping).await?;
                        Ok((wire, Protocol::Http1, None))
                    }
                })
                .and_then(http(site.clone(), stopping.clone(), move |_: &Wire<Plain>| {
                    Door::Public { listen }
                }))
            })?
        }
        Bound::Control(listener) => builder.listen_uds("control", listener, move || {
            fn_service(|stream: UnixStream| async { Ok((Wire::new(stream), Protocol::Http1, None)) }).and_then(http(
                site.clone(),
                stopping.clone(),
                |wire: &Wire<UnixStream>| Door::Control {
                    uid: uid(wire.stream()),
                },
            ))
        })?,
    };
    Ok(builder.run())
}

/// HTTP on one kind of stream: what actix-web's `HttpServer` does, but for the streams, which it does not let us choose.
fn http<S, F>(
    site: web::Data<Site>,
    stopping: impl Fn() -> F + 'static,
    door: impl Fn(&S) -> Door + 'static,
) -> impl ServiceFactory<
    (S, Protocol, Option<SocketAddr>),
    Config = (),
    Response = (),
    Error = DispatchError,
    InitError = (),
    Future: 'static,
    Service: 'static,
>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    F: Future<Output = ()> + 'static,
{
    let app = App::new().app_data(site).default_service(web::to(handle::serve));
    HttpService::build()
        .client_request_timeout(HEAD_PATIENCE)
        .client_disconnect_timeout(DISCONNECT_PATIENCE)
        .keep_alive(KEEP_ALIVE)
        .graceful_shutdown_signal(stopping)
        .on_connect_ext(move |stream, data| {
            data.insert(door(stream));
            data.insert(Last::default());
        })
        .finish(map_config(app, |()| AppConfig::default()))
}

fn uid(peer: &UnixStream) -> Option<u32> {
    peer.peer_cred().ok().map(|peer| peer.uid())
}

fn bind_tcp(listen: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(listen).map_err(|why| {
        let hint = match why.kind() {
            io::ErrorKind::AddrInUse => "; is another readyd running? Stop it, or set another address",
            io::ErrorKind::AddrNotAvailable => "; no interface of this host has that address",
            io::ErrorKind::PermissionDenied => "; ports below 1024 need privileges",
            _ => "",
        };
        io::Error::new(why.kind(), format!("cannot listen on {listen}: {why}{hint}"))
    })?;
    // The standard library lets 128 wait; who does not fit in comes again only after a second.
    rustix::net::listen(&listener, BACKLOG)?;
    Ok(listener)
}

async fn answer_agents(parts: Parts, listener: TcpListener) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(why) => return tracing::error!(%why, "agent_check ended"),
    };
    let places = Arc::new(Semaphore::new(
        Clients::AgentCheck.connections_max(AGENT_CONNECTIONS_MAX),
    ));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            // No descriptors: trying again at once would only burn the processor.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let line = {
            let published = parts.board.read();
            let topic = Topic::node(&published.snapshot);
            match parts.heartbeat.hang() {
                Some(hang) => agent::line(&topic.from_a_hanging_loop(hang)),
                None => agent::line(&topic),
            }
        };
        tokio::spawn(async move {
            let _ = tokio::time::timeout(AGENT_PATIENCE, answer_agent(stream, &line)).await;
            drop(place);
        });
    }
}

/// Says the line and ends. What HAProxy sent (`agent-send`) is read before: closing over unread
/// bytes would reset the connection, and the answer with it.
async fn answer_agent(mut stream: tokio::net::TcpStream, line: &str) -> io::Result<()> {
    stream.write_all(line.as_bytes()).await?;
    stream.shutdown().await?;
    let mut ignored = [0; 256];
    while stream.read(&mut ignored).await? > 0 {}
    Ok(())
}
