//! Shell: from an accepted connection to one that may ask: TLS where `listen` has it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use actix_web::rt::net::TcpStream;
use rustls::ServerConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

use super::newcomers::{Newcomer, Newcomers};
use super::wire::Wire;

/// How long a handshake may take: as long as a head.
pub const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(5);
/// The first byte of every TLS connection: a record of the handshake.
const HANDSHAKE_RECORD: u8 = 22;
/// What is left unread of who speaks plain HTTP is read away up to here: closing over it would reset the answer.
const PLAIN_BYTES_MAX: u64 = 64 << 10;
const PLAIN_ANSWER: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\
    content-type: application/json\r\ncontent-length: 100\r\ncache-control: no-store\r\nconnection: close\r\n\r\n\
    {\n  \"error\": \"this listener speaks TLS\",\n  \"hint\": \"ask by https://, with the same host and port\"\n}\n";

/// A client's bytes, in the clear or out of TLS.
pub type Plain = Either<TcpStream, TlsStream<TcpStream>>;

/// Shakes hands when there is a certificate. A newcomer until its first head is there.
///
/// # Errors
/// It speaks no TLS, took too long, or had to make room for others: the connection is over.
pub async fn enter(
    stream: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    newcomers: &Newcomers,
) -> io::Result<Wire<Plain>> {
    // Answers are small and whole: waiting to fill a packet would only delay them.
    stream.set_nodelay(true)?;
    let mut newcomer = newcomers.arrive(stream.peer_addr()?.ip());
    let stream = match tls {
        None => Either::Left(stream),
        Some(tls) => Either::Right(within_bounds(shake_hands(stream, tls), &mut newcomer).await?),
    };
    Ok(Wire::new(stream).of_newcomer(newcomer))
}

async fn within_bounds<T>(work: impl Future<Output = io::Result<T>>, newcomer: &mut Newcomer) -> io::Result<T> {
    tokio::select! {
        done = tokio::time::timeout(HANDSHAKE_PATIENCE, work) => {
            done.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        }
        () = newcomer.turned_away() => Err(io::ErrorKind::ConnectionAborted.into()),
    }
}

async fn shake_hands(mut stream: TcpStream, tls: Arc<ServerConfig>) -> io::Result<TlsStream<TcpStream>> {
    let mut first = [0];
    let is_there = stream.peek(&mut first).await? == 1;
    if is_there && first[0] != HANDSHAKE_RECORD {
        if first[0].is_ascii_uppercase() {
            stream.write_all(PLAIN_ANSWER).await?;
            stream.shutdown().await?;
            tokio::io::copy(&mut stream.take(PLAIN_BYTES_MAX), &mut tokio::io::sink()).await?;
        }
        return Err(io::ErrorKind::InvalidData.into());
    }
    let handshake = TlsAcceptor::from(tls).accept(stream).await;
    handshake.inspect_err(|error| tracing::debug!(%error, "a TLS handshake failed"))
}

#[cfg(test)]
mod tests {
    use super::PLAIN_ANSWER;

    #[test]
    fn the_answer_in_the_clear_is_as_long_as_it_says() {
        let answer = std::str::from_utf8(PLAIN_ANSWER).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains(&format!("content-length: {}\r\n", body.len())),
            "{}",
            body.len()
        );
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert!(body["hint"].as_str().unwrap().contains("https://"));
    }
}
