//! Shell: carries a [`Session`]'s acts out over one WebSocket, and tells it what happened.
//!
//! One task a link. It never waits for anything without the session's own deadline beside it, and dropping it drops
//! the connection: whatever it was doing, nothing is half done that matters.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Bytes, Error as WsError, Message};
use tokio_util::either::Either;

use super::events::LinkEvent;
use super::owner;
use super::place::Place;
use super::protocol::{Ask, FRAME_BYTES_MAX};
use super::session::{Act, Breach, ConnectFailure, Happening, LinkFacts, Report, Session};
use super::tls;
use super::token::{TokenPlaces, TokenStamp};
use crate::clock;
use crate::fingerprint::{Fingerprint, Fingerprints};
use crate::words::{Instant, Wall};

/// A peer that takes no more than our few bytes for this long reads nothing.
const SEND_PATIENCE: Duration = Duration::from_secs(1);
/// The timer does not count sleep: it is looked at this often.
const NAP_MAX: Duration = Duration::from_secs(5);
/// How often the token's files are looked at while another token is wanted.
const TOKEN_LOOK: Duration = Duration::from_secs(2);
/// Bytes that a connection's buffer has from the start. Most frames are small, and there are many links.
const READ_BUFFER_BYTES: usize = 4 << 10;

/// Everything a link needs of its tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wiring {
    pub place: Place,
    /// Its `owners` are also those to whom the token is sent on this host. Not judged for other hosts, where the
    /// certificate tells.
    pub token: TokenPlaces,
    /// What is told of the token that was accepted.
    pub fingerprints: Fingerprints,
}

/// What comes out of a link.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    Report(Report),
    /// To be counted, and its mark kept with it.
    Deliver(LinkEvent),
    /// The mark of [`Session::memory`] is to be kept.
    Keep,
    Know(LinkFacts),
    Gap {
        why: &'static str,
        since: Option<Wall>,
    },
}

/// Runs a link until it is dropped. `out` is called with the session as it then is; it must not wait.
pub async fn run(wiring: Wiring, session: Session, out: impl FnMut(&mut Session, Output) + Send) {
    let mut driver = Driver {
        wiring,
        session,
        out,
        errand: None,
        socket: None,
        stamp: None,
    };
    loop {
        let step = driver.next().await;
        driver.step(step).await;
    }
}

type Stream = Either<TcpStream, TlsStream<TcpStream>>;
type Errand = Pin<Box<dyn Future<Output = Done> + Send>>;

/// An open WebSocket, and who is at its ends.
struct Socket {
    stream: WebSocketStream<Stream>,
    peer: SocketAddr,
    ours: SocketAddr,
}

/// What takes time and is not reading.
enum Done {
    Connected(Result<Box<Socket>, ConnectFailure>),
    /// The frame that bears the token, and the token's fingerprint, or why it is kept back; and the token's files as
    /// they were.
    Authenticated(Result<(String, Fingerprint), String>, TokenStamp),
    Looked(TokenStamp),
}

enum Step {
    Message(Option<Result<Message, WsError>>),
    Done(Done),
    TimeUp,
}

struct Driver<F> {
    wiring: Wiring,
    session: Session,
    out: F,
    errand: Option<Errand>,
    socket: Option<Box<Socket>>,
    /// Of the token that was sent or kept back last.
    stamp: Option<TokenStamp>,
}

impl<F: FnMut(&mut Session, Output) + Send> Driver<F> {
    /// What was sent is read before time is said to be up: a late reader must not blame the sender.
    async fn next(&mut self) -> Step {
        let nap = nap(self.session.next_wake());
        tokio::select! {
            biased;
            message = read(&mut self.socket) => Step::Message(message),
            done = carry_on(&mut self.errand) => {
                self.errand = None;
                Step::Done(done)
            }
            () = tokio::time::sleep(nap) => Step::TimeUp,
        }
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::TimeUp => self.tell(Happening::TimeUp).await,
            Step::Message(message) => self.message(message).await,
            Step::Done(Done::Connected(Ok(socket))) => {
                self.socket = Some(socket);
                self.tell(Happening::Connected).await;
            }
            Step::Done(Done::Connected(Err(why))) => self.tell(Happening::ConnectFailed(why)).await,
            Step::Done(Done::Authenticated(frame, stamp)) => {
                self.stamp = Some(stamp);
                match frame {
                    Ok((frame, token)) => {
                        self.tell(Happening::Offered(token)).await;
                        self.send(Message::text(frame)).await;
                    }
                    Err(why) => self.tell(Happening::Withheld(why)).await,
                }
            }
            Step::Done(Done::Looked(stamp)) => {
                if self.stamp.as_ref() != Some(&stamp) {
                    self.stamp = Some(stamp);
                    self.tell(Happening::TokenChanged).await;
                }
            }
        }
        if self.session.wants_token() && self.errand.is_none() {
            let places = self.wiring.token.clone();
            self.errand = Some(Box::pin(async move {
                tokio::time::sleep(TOKEN_LOOK).await;
                let stamp = tokio::task::spawn_blocking(move || places.stamp()).await;
                match stamp {
                    Ok(stamp) => Done::Looked(stamp),
                    Err(_) => std::future::pending().await,
                }
            }));
        }
    }

    async fn message(&mut self, message: Option<Result<Message, WsError>>) {
        match message {
            Some(Ok(Message::Text(text))) => self.tell(Happening::Frame(text.as_bytes())).await,
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => self.tell(Happening::Sign).await,
            Some(Ok(Message::Binary(_) | Message::Frame(_))) => self.tell(Happening::Broken(Breach::NotText)).await,
            Some(Ok(Message::Close(frame))) => {
                let (code, reason) = frame.map_or((0, String::new()), |frame| {
                    (frame.code.into(), frame.reason.to_string())
                });
                self.tell(Happening::Closed { code, reason }).await;
            }
            Some(Err(WsError::Capacity(_))) => self.tell(Happening::Broken(Breach::TooLarge)).await,
            Some(Err(WsError::Protocol(error))) if !is_mere_end(&error) => {
                self.tell(Happening::Broken(Breach::NotWebSocket)).await;
            }
            Some(Err(WsError::Utf8(_))) => self.tell(Happening::Broken(Breach::NotWebSocket)).await,
            Some(Err(_)) | None => {
                let reason = String::new();
                self.tell(Happening::Closed { code: 0, reason }).await;
            }
        }
    }

    /// Boxed: a send that fails is itself told.
    fn tell<'a>(&'a mut self, happening: Happening<'a>) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        let acts = self.session.handle(clock::now(), happening);
        Box::pin(async move {
            for act in acts {
                self.act(act).await;
            }
        })
    }

    async fn act(&mut self, act: Act) {
        match act {
            Act::Connect => {
                let place = self.wiring.place.clone();
                self.socket = None;
                self.errand = Some(Box::pin(
                    async move { Done::Connected(connect(&place).await.map(Box::new)) },
                ));
            }
            Act::Authenticate(ask) => self.authenticate(ask),
            Act::Send(frame) => self.send(Message::text(frame)).await,
            Act::Ping => self.send(Message::Ping(Bytes::new())).await,
            Act::Close => {
                self.socket = None;
                self.errand = None;
            }
            Act::Report(report) => (self.out)(&mut self.session, Output::Report(report)),
            Act::Deliver(event) => (self.out)(&mut self.session, Output::Deliver(event)),
            Act::Keep => (self.out)(&mut self.session, Output::Keep),
            Act::Know(facts) => (self.out)(&mut self.session, Output::Know(facts)),
            Act::Gap { why, since } => (self.out)(&mut self.session, Output::Gap { why, since }),
        }
    }

    fn authenticate(&mut self, ask: Ask) {
        let Some(socket) = &self.socket else { return };
        let (peer, ours) = (socket.peer, socket.ours);
        let wiring = self.wiring.clone();
        self.errand = Some(Box::pin(async move {
            let job = tokio::task::spawn_blocking(move || {
                let stamp = wiring.token.stamp();
                (credentials(&wiring, ask, peer, ours), stamp)
            });
            match job.await {
                Ok((frame, stamp)) => Done::Authenticated(frame, stamp),
                Err(_) => std::future::pending().await,
            }
        }));
    }

    async fn send(&mut self, message: Message) {
        let Some(socket) = &mut self.socket else { return };
        let sent = tokio::time::timeout(SEND_PATIENCE, socket.stream.send(message)).await;
        // An error is told by the reading side too; a peer that takes nothing is not.
        if sent.is_err() {
            let reason = "it takes nothing".to_owned();
            self.tell(Happening::Closed { code: 0, reason }).await;
        }
    }
}

/// The frame that bears the token, and the token's fingerprint, or why it is kept back. Blocks.
fn credentials(wiring: &Wiring, ask: Ask, peer: SocketAddr, ours: SocketAddr) -> Result<(String, Fingerprint), String> {
    if peer.ip().to_canonical().is_loopback() {
        let found = owner::owners(peer, ours)?;
        let strangers: Vec<String> = found
            .iter()
            .filter(|uid| !wiring.token.owners.contains(uid))
            .map(u32::to_string)
            .collect();
        if found.is_empty() {
            return Err(format!(
                "whose port {} is cannot be seen: the token is kept back",
                peer.port()
            ));
        }
        if !strangers.is_empty() {
            return Err(format!(
                "port {} belongs to user {}, who is not the tenant's: the token is kept back",
                peer.port(),
                strangers.join(", ")
            ));
        }
    }
    let token = wiring.token.read().map_err(|error| error.to_string())?;
    Ok((ask.connect(&token), token.fingerprint(&wiring.fingerprints)))
}

async fn connect(place: &Place) -> Result<Socket, ConnectFailure> {
    let address = place.address();
    let tcp = TcpStream::connect((address.host.as_str(), address.port))
        .await
        .map_err(failure)?;
    // Small frames that are waited for; an error here is one of the connection, which the next read tells.
    let _ = tcp.set_nodelay(true);
    let (peer, ours) = (tcp.peer_addr().map_err(failure)?, tcp.local_addr().map_err(failure)?);
    let stream: Stream = match place.trust().cloned() {
        // A name that leads elsewhere, whatever it is called.
        None if !peer.ip().to_canonical().is_loopback() => {
            return Err(ConnectFailure::Local(format!("{} is not this host", address.host)));
        }
        None => Either::Left(tcp),
        Some(trust) => {
            let connector = tokio::task::spawn_blocking(move || tls::connector(&trust)).await;
            let connector = connector
                .map_err(|error| ConnectFailure::Local(error.to_string()))?
                .map_err(ConnectFailure::Tls)?;
            let name = ServerName::try_from(address.host.clone())
                .map_err(|_| ConnectFailure::Tls("the host is no name that a certificate could bear".to_owned()))?;
            let stream = connector.connect(name, tcp).await;
            Either::Right(stream.map_err(|error| ConnectFailure::Tls(tls::failure(&error)))?)
        }
    };
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_frame_size(Some(FRAME_BYTES_MAX))
        .max_message_size(Some(FRAME_BYTES_MAX));
    let url = format!("{address}/");
    let upgraded = tokio_tungstenite::client_async_with_config(url, stream, Some(config)).await;
    let (stream, _) = upgraded.map_err(|error| match error {
        WsError::Http(response) => ConnectFailure::NotWebSocket(Some(response.status().as_u16())),
        WsError::Io(error) => failure(error),
        WsError::Protocol(error) if is_mere_end(&error) => ConnectFailure::Closed,
        WsError::ConnectionClosed | WsError::AlreadyClosed => ConnectFailure::Closed,
        _ => ConnectFailure::NotWebSocket(None),
    })?;
    Ok(Socket { stream, peer, ours })
}

fn failure(error: io::Error) -> ConnectFailure {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => ConnectFailure::Refused,
        io::ErrorKind::TimedOut => ConnectFailure::TimedOut,
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => ConnectFailure::Closed,
        _ if error.raw_os_error().is_none() => ConnectFailure::Dns(error.to_string()),
        _ => ConnectFailure::Local(error.to_string()),
    }
}

fn is_mere_end(error: &tokio_tungstenite::tungstenite::error::ProtocolError) -> bool {
    use tokio_tungstenite::tungstenite::error::ProtocolError;
    matches!(
        error,
        ProtocolError::ResetWithoutClosingHandshake | ProtocolError::HandshakeIncomplete
    )
}

fn nap(until: Instant) -> Duration {
    until.since(clock::instant()).min(NAP_MAX)
}

async fn read(socket: &mut Option<Box<Socket>>) -> Option<Result<Message, WsError>> {
    match socket {
        Some(socket) => socket.stream.next().await,
        None => std::future::pending().await,
    }
}

async fn carry_on(errand: &mut Option<Errand>) -> Done {
    match errand {
        Some(errand) => errand.await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
