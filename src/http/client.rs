//! Shell: one HTTP/1.1 request to somebody else, over TCP, TLS or a UNIX socket.
//!
//! For probes, for another node's digest and for the command line at `control.sock`. One request, one
//! connection, one total timeout: no redirects, no proxies, no pool, no retries. A probe that follows
//! a redirect or reuses a connection answers for something else than what it was asked about.
#![expect(
    clippy::disallowed_methods,
    reason = "shell: reads CA bundles, starts the connection's task"
)]

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Request, Response, Uri};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_util::task::AbortOnDropHandle;

use crate::clock;

pub use tls::{Trust, roots_of, system_roots};

/// One request with everything it needs.
#[derive(Clone, Debug)]
pub struct Fetch {
    pub place: Place,
    pub method: Method,
    /// Path and query, beginning with `/`.
    pub target: String,
    /// The `Host` header.
    pub host: String,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub body: Bytes,
    /// For all of it: name, connection, handshake, answer, body.
    pub timeout: Duration,
    /// What is read of the answer's body; the rest is left unread ([`Fetched::cut`]).
    pub body_bytes_max: usize,
}

/// Where to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    Tcp { host: String, port: u16 },
    Tls { host: String, port: u16, trust: Trust },
    Unix(PathBuf),
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Fetched {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// The body was longer than `body_bytes_max`.
    pub cut: bool,
    pub elapsed: Duration,
}

/// Why there is no answer. [`FetchError::is_answer`] tells what it is evidence of.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    #[error("{url:?} cannot be asked: {why}")]
    Url { url: String, why: &'static str },
    #[error("connection refused")]
    Refused,
    #[error("no socket at {}", .0.display())]
    NoSocket(PathBuf),
    #[error("the connection was closed before the answer was complete")]
    Closed,
    #[error("no answer within {} ms: {phase}", .timeout.as_millis())]
    TimedOut { timeout: Duration, phase: Phase },
    #[error("TLS: {0}")]
    Tls(String),
    #[error("what answers does not speak HTTP: {0}")]
    NotHttp(String),
    #[error("{host} could not be resolved: {source}")]
    Dns { host: String, source: io::Error },
    #[error("no CA bundle could be read (tried {tried})")]
    NoRoots { tried: String },
    #[error("this host could not ask: {0}")]
    Local(io::Error),
}

/// What was waited for when the time was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Resolving,
    Connecting,
    Handshaking,
    Waiting,
    Reading,
}

impl Fetch {
    pub const TIMEOUT: Duration = Duration::from_secs(10);
    pub const BODY_BYTES_MAX: usize = 1024 * 1024;

    /// A GET of an `http://` or `https://` URL. User info is refused: it would end up in logs.
    pub fn get(url: &str, trust: Trust) -> Result<Fetch, FetchError> {
        let refuse = |why| FetchError::Url { url: url.into(), why };
        let uri: Uri = url.parse().map_err(|_| refuse("not a URL"))?;
        let authority = uri.authority().ok_or_else(|| refuse("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(refuse("it holds a user name; use a token file"));
        }
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        if host.is_empty() {
            return Err(refuse("it names no host"));
        }
        let place = match uri.scheme_str() {
            Some("http") => Place::Tcp {
                host,
                port: uri.port_u16().unwrap_or(80),
            },
            Some("https") => Place::Tls {
                host,
                port: uri.port_u16().unwrap_or(443),
                trust,
            },
            _ => return Err(refuse("only http:// and https:// are asked")),
        };
        let target = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Fetch::at(place, Method::GET, target, authority.as_str()))
    }

    /// A request over a UNIX socket, `control.sock` say.
    pub fn over_unix(socket: &Path, method: Method, target: &str) -> Fetch {
        Fetch::at(Place::Unix(socket.to_owned()), method, target, "localhost")
    }

    pub fn within(mut self, timeout: Duration) -> Fetch {
        self.timeout = timeout;
        self
    }

    /// `authorization: Bearer …`. A token that no header can carry is refused, and not shown.
    pub fn with_bearer(mut self, token: &str) -> Result<Fetch, FetchError> {
        let refused = |_| FetchError::Url {
            url: self.target.clone(),
            why: "the token holds characters that no header can carry",
        };
        let mut value = HeaderValue::try_from(format!("Bearer {token}")).map_err(refused)?;
        value.set_sensitive(true);
        self.headers.push((hyper::header::AUTHORIZATION, value));
        Ok(self)
    }

    pub fn with_body(mut self, content_type: &'static str, body: impl Into<Bytes>) -> Fetch {
        self.headers
            .push((hyper::header::CONTENT_TYPE, HeaderValue::from_static(content_type)));
        self.body = body.into();
        self
    }

    fn at(place: Place, method: Method, target: &str, host: &str) -> Fetch {
        Fetch {
            place,
            method,
            target: target.into(),
            host: host.into(),
            headers: Vec::new(),
            body: Bytes::new(),
            timeout: Fetch::TIMEOUT,
            body_bytes_max: Fetch::BODY_BYTES_MAX,
        }
    }
}

impl Fetched {
    /// The media type in lower case and without parameters; empty when there is none.
    pub fn media_type(&self) -> String {
        let value = self.headers.get(hyper::header::CONTENT_TYPE);
        let value = value.and_then(|value| value.to_str().ok()).unwrap_or_default();
        let media_type = value.split(';').next().unwrap_or_default();
        media_type.trim().to_ascii_lowercase()
    }
}

impl FetchError {
    /// Whether it says something about the one that was asked (refused, closed, silent, gibberish),
    /// and not only about the host that asks.
    ///
    /// A name that does not resolve is about our resolver: it fails for every target at once, and so
    /// must not read as an outage of all of them.
    pub fn is_answer(&self) -> bool {
        match self {
            FetchError::Refused
            | FetchError::NoSocket(_)
            | FetchError::Closed
            | FetchError::Tls(_)
            | FetchError::NotHttp(_) => true,
            FetchError::TimedOut { phase, .. } => *phase != Phase::Resolving,
            FetchError::Url { .. } | FetchError::Dns { .. } | FetchError::NoRoots { .. } | FetchError::Local(_) => {
                false
            }
        }
    }

    /// Sorts what `connect`, `read` and `write` say. What is not known to come from the other side
    /// is taken for local: EMFILE, ENFILE, ENOBUFS, ENOMEM, EADDRNOTAVAIL, ENETUNREACH, EHOSTUNREACH
    /// (no route from here; macOS also says it when it forbids us the local network), EPERM (our own
    /// firewall).
    pub fn from_io(error: io::Error) -> FetchError {
        if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return FetchError::Tls(tls.to_string());
        }
        match error.kind() {
            io::ErrorKind::ConnectionRefused => FetchError::Refused,
            io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::NotConnected
            | io::ErrorKind::UnexpectedEof => FetchError::Closed,
            io::ErrorKind::TimedOut => FetchError::TimedOut {
                timeout: Duration::ZERO,
                phase: Phase::Connecting,
            },
            _ => FetchError::Local(error),
        }
    }
}

/// Sends one request and reads its answer.
pub async fn fetch(request: Fetch) -> Result<Fetched, FetchError> {
    let began = clock::instant();
    let timeout = request.timeout;
    let phase = Progress::default();
    let answered = tokio::time::timeout(timeout, exchange(request, &phase)).await;
    let mut fetched = match answered {
        // What timed out below (one address, the kernel) is told as the whole that was asked for.
        Ok(Err(FetchError::TimedOut { .. })) | Err(_) => {
            return Err(FetchError::TimedOut {
                timeout,
                phase: phase.reached(),
            });
        }
        Ok(answered) => answered?,
    };
    fetched.elapsed = clock::instant().since(began);
    Ok(fetched)
}

/// A TCP connection to the first address of `host` that takes one.
///
/// Of several addresses that fail, one that answered (refused, say) decides: `localhost` refused at
/// `127.0.0.1` and without a route at `::1` is refused.
pub async fn connect(host: &str, port: u16, timeout: Duration) -> Result<TcpStream, FetchError> {
    let phase = Progress::default();
    let connected = tokio::time::timeout(timeout, connect_noting(host, port, timeout, &phase)).await;
    connected.unwrap_or_else(|_| {
        Err(FetchError::TimedOut {
            timeout,
            phase: phase.reached(),
        })
    })
}

async fn connect_noting(
    host: &str,
    port: u16,
    timeout: Duration,
    progress: &Progress,
) -> Result<TcpStream, FetchError> {
    progress.note(Phase::Resolving);
    let dns = |source| FetchError::Dns {
        host: host.into(),
        source,
    };
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host((host, port))
        .await
        .map_err(dns)?
        .take(ADDRESSES_MAX)
        .collect();
    progress.note(Phase::Connecting);
    let mut failed = dns(io::Error::new(io::ErrorKind::NotFound, "it has no address"));
    // One address that swallows packets must not eat the time of the others.
    let share = timeout / u32::try_from(addresses.len().max(1)).unwrap_or(1);
    for address in addresses {
        let error = match tokio::time::timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => FetchError::from_io(error),
            Err(_) => FetchError::from_io(io::ErrorKind::TimedOut.into()),
        };
        if error.is_answer() || !failed.is_answer() {
            failed = error;
        }
    }
    Err(failed)
}

async fn exchange(request: Fetch, progress: &Progress) -> Result<Fetched, FetchError> {
    match &request.place {
        Place::Tcp { host, port } => {
            let stream = connect_noting(host, *port, request.timeout, progress).await?;
            converse(stream, &request, progress).await
        }
        Place::Tls { host, port, trust } => {
            let connector = tls::connector(trust).await?;
            let name = tls::server_name(host)?;
            let stream = connect_noting(host, *port, request.timeout, progress).await?;
            progress.note(Phase::Handshaking);
            let stream = connector.connect(name, stream).await.map_err(FetchError::from_io)?;
            converse(stream, &request, progress).await
        }
        Place::Unix(path) => {
            progress.note(Phase::Connecting);
            let stream = UnixStream::connect(path).await.map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => FetchError::NoSocket(path.clone()),
                _ => FetchError::from_io(error),
            })?;
            converse(stream, &request, progress).await
        }
    }
}

async fn converse<S>(stream: S, request: &Fetch, progress: &Progress) -> Result<Fetched, FetchError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    progress.note(Phase::Waiting);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(from_hyper)?;
    // Ends with this function: nothing of a probe outlives its answer.
    let _connection = AbortOnDropHandle::new(tokio::spawn(connection));
    let mut message = Request::builder()
        .method(request.method.clone())
        .uri(&request.target)
        .header(HOST, &request.host)
        .header(USER_AGENT, concat!("readyd/", env!("CARGO_PKG_VERSION")))
        .header(CONNECTION, "close");
    for (name, value) in &request.headers {
        message = message.header(name, value);
    }
    let message = message
        .body(Full::new(request.body.clone()))
        .map_err(|_| FetchError::Url {
            url: request.target.clone(),
            why: "not a path",
        })?;
    let response = sender.send_request(message).await.map_err(from_hyper)?;
    progress.note(Phase::Reading);
    read(response, request.body_bytes_max).await
}

async fn read(response: Response<Incoming>, body_bytes_max: usize) -> Result<Fetched, FetchError> {
    let (head, mut incoming) = response.into_parts();
    let mut body = Vec::new();
    let mut cut = false;
    while let Some(frame) = incoming.frame().await {
        let Ok(data) = frame.map_err(from_hyper)?.into_data() else {
            continue;
        };
        let room = body_bytes_max - body.len();
        if data.len() > room {
            body.extend_from_slice(&data[..room]);
            cut = true;
            break;
        }
        body.extend_from_slice(&data);
    }
    Ok(Fetched {
        status: head.status.as_u16(),
        headers: head.headers,
        body,
        cut,
        elapsed: Duration::ZERO,
    })
}

fn from_hyper(error: hyper::Error) -> FetchError {
    if error.is_parse() {
        return FetchError::NotHttp(error.to_string());
    }
    let mut source = std::error::Error::source(&error);
    while let Some(inner) = source {
        if let Some(io) = inner.downcast_ref::<io::Error>() {
            return match io.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                Some(tls) => FetchError::Tls(tls.to_string()),
                // An io::Error cannot be cloned; its kind and number tell all that is asked of it.
                None => FetchError::from_io(
                    io.raw_os_error()
                        .map_or_else(|| io.kind().into(), io::Error::from_raw_os_error),
                ),
            };
        }
        source = inner.source();
    }
    FetchError::Closed
}

/// A name with more addresses than this is not asked at all of them.
const ADDRESSES_MAX: usize = 8;

/// How far a request has come: read after its future was dropped by the timeout.
#[derive(Debug, Default)]
struct Progress(AtomicU8);

impl Progress {
    const PHASES: [Phase; 5] = [
        Phase::Resolving,
        Phase::Connecting,
        Phase::Handshaking,
        Phase::Waiting,
        Phase::Reading,
    ];

    fn note(&self, phase: Phase) {
        self.0.store(phase as u8, Ordering::Relaxed);
    }

    fn reached(&self) -> Phase {
        Progress::PHASES[usize::from(self.0.load(Ordering::Relaxed)) % Progress::PHASES.len()]
    }
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Phase::Resolving => "the name was not resolved",
            Phase::Connecting => "the connection was not accepted",
            Phase::Handshaking => "the TLS handshake did not end",
            Phase::Waiting => "it accepted and said nothing",
            Phase::Reading => "its answer did not end",
        })
    }
}

mod tls;

#[cfg(test)]
pub(crate) mod tests;
