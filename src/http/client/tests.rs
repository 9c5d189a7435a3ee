use std::sync::Arc;

use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixListener};
use tokio_rustls::TlsAcceptor;

use super::*;

/// A server on loopback that says `script` to whoever connects, `drip` bytes at a time (0: all at
/// once), and then does as it is told.
async fn server(script: &'static [u8], drip: usize, then: Then) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = [0; 1024];
                let _ = stream.read(&mut request).await;
                for piece in script.chunks(if drip == 0 { script.len().max(1) } else { drip }) {
                    if stream.write_all(piece).await.is_err() {
                        return;
                    }
                    if drip > 0 {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                }
                match then {
                    Then::Close => {}
                    Then::Hold => std::future::pending().await,
                    Then::Reset => {
                        let _ = stream.set_zero_linger();
                    }
                }
            });
        }
    });
    format!("http://{address}/readyz")
}

#[derive(Clone, Copy)]
enum Then {
    Close,
    Hold,
    Reset,
}

/// Serves TLS as `localhost`, by a certificate that nobody vouches for.
pub(crate) fn self_signed(versions: &[&'static rustls::SupportedProtocolVersion]) -> TlsAcceptor {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

async fn tls_server(versions: &[&'static rustls::SupportedProtocolVersion]) -> String {
    let acceptor = self_signed(versions);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    return;
                };
                let mut request = [0; 1024];
                let _ = stream.read(&mut request).await;
                let _ = stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecret")
                    .await;
                let _ = stream.shutdown().await;
            });
        }
    });
    format!("https://localhost:{port}/")
}

async fn asked(url: &str) -> Result<Fetched, FetchError> {
    let request = Fetch::get(url, Trust::Roots)?.within(Duration::from_secs(5));
    fetch(request).await
}

async fn hurried(url: &str) -> FetchError {
    let request = Fetch::get(url, Trust::Any).unwrap().within(Duration::from_millis(150));
    fetch(request).await.unwrap_err()
}

#[tokio::test]
async fn an_answer_comes_back_with_status_type_and_body() {
    let url = server(
        b"HTTP/1.1 503 Nope\r\nContent-Type: Application/JSON; charset=utf-8\r\ncontent-length: 2\r\n\r\n{}",
        0,
        Then::Hold,
    )
    .await;
    let fetched = asked(&url).await.unwrap();
    assert_eq!(
        (fetched.status, fetched.body.as_slice(), fetched.cut),
        (503, &b"{}"[..], false)
    );
    assert_eq!(fetched.media_type(), "application/json");
}

#[tokio::test]
async fn redirects_are_answers_and_are_not_followed() {
    let url = server(
        b"HTTP/1.1 302 Found\r\nlocation: http://192.0.2.1/\r\ncontent-length: 0\r\n\r\n",
        0,
        Then::Close,
    )
    .await;
    assert_eq!(asked(&url).await.unwrap().status, 302);
}

#[tokio::test]
async fn the_request_closes_its_connection_and_names_who_asks() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let request = Fetch::get(&format!("http://{address}/a?b=c"), Trust::Roots).unwrap();
    let request = request.with_bearer("t0ken").unwrap();
    let asking = tokio::spawn(fetch(request));
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut bytes = vec![0; 1024];
    let read = stream.read(&mut bytes).await.unwrap();
    let text = String::from_utf8_lossy(&bytes[..read]).to_lowercase();
    assert!(text.starts_with("get /a?b=c http/1.1\r\n"), "{text}");
    for line in [
        format!("host: {address}"),
        "connection: close".into(),
        "authorization: bearer t0ken".into(),
        concat!("user-agent: readyd/", env!("CARGO_PKG_VERSION")).into(),
    ] {
        assert!(text.contains(&format!("{line}\r\n")), "{line} is not in {text}");
    }
    asking.abort();
}

#[tokio::test]
async fn silence_is_told_by_how_far_it_came() {
    let accepts_and_says_nothing = server(b"", 0, Then::Hold).await;
    let error = hurried(&accepts_and_says_nothing).await;
    assert_eq!(
        error.to_string(),
        "no answer within 150 ms: it accepted and said nothing"
    );
    assert!(error.is_answer());

    let never_ends = server(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n12", 0, Then::Hold).await;
    let error = hurried(&never_ends).await;
    assert_eq!(error.to_string(), "no answer within 150 ms: its answer did not end");

    let drips = server(b"HTTP/1.1 200 OK\r\ncontent-length: 200\r\n\r\n", 1, Then::Hold).await;
    assert!(matches!(hurried(&drips).await, FetchError::TimedOut { .. }));

    // Plain silence where TLS was hoped for.
    let mute = server(b"", 0, Then::Hold).await.replace("http://", "https://");
    let error = hurried(&mute).await;
    assert_eq!(
        error.to_string(),
        "no answer within 150 ms: the TLS handshake did not end"
    );
    assert!(error.is_answer());
}

#[tokio::test]
async fn refused_closed_reset_and_gibberish_are_answers_each_by_its_name() {
    let refused = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}/", listener.local_addr().unwrap())
    };
    assert!(matches!(asked(&refused).await, Err(FetchError::Refused)));

    let closed = server(b"", 0, Then::Close).await;
    assert!(matches!(asked(&closed).await, Err(FetchError::Closed)));
    let reset = server(b"", 0, Then::Reset).await;
    assert!(matches!(asked(&reset).await, Err(FetchError::Closed)));
    let half = server(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n12", 0, Then::Close).await;
    assert!(matches!(asked(&half).await, Err(FetchError::Closed)));

    for gibberish in [
        &b"SSH-2.0-OpenSSH_9.2p1\r\n"[..],
        b"\x15\x03\x01\x00\x02\x02\x46",
        b"\0\0\0\0",
    ] {
        let error = asked(&server(gibberish, 0, Then::Close).await).await.unwrap_err();
        assert!(matches!(error, FetchError::NotHttp(_)), "{gibberish:?}: {error:?}");
        assert!(error.is_answer());
    }
}

#[tokio::test]
async fn a_huge_body_is_read_to_the_cap_and_not_beyond() {
    const HUGE: &[u8] = &{
        let mut bytes = [b'x'; 100_000];
        let head = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n";
        let mut at = 0;
        while at < head.len() {
            bytes[at] = head[at];
            at += 1;
        }
        bytes
    };
    let url = server(HUGE, 0, Then::Hold).await;
    let mut request = Fetch::get(&url, Trust::Roots).unwrap();
    request.body_bytes_max = 1000;
    let fetched = fetch(request).await.unwrap();
    assert_eq!((fetched.body.len(), fetched.cut), (1000, true));
}

#[tokio::test]
async fn headers_without_end_are_gibberish_not_memory() {
    const ENDLESS: &[u8] = &{
        let mut bytes = [b'a'; 2_000_000];
        let head = b"HTTP/1.1 200 OK\r\nx: ";
        let mut at = 0;
        while at < head.len() {
            bytes[at] = head[at];
            at += 1;
        }
        bytes
    };
    let url = server(ENDLESS, 0, Then::Hold).await;
    assert!(matches!(asked(&url).await, Err(FetchError::NotHttp(_))));
}

#[tokio::test]
async fn a_self_signed_certificate_is_believed_only_when_any_is() {
    for versions in [&[&rustls::version::TLS13][..], &[&rustls::version::TLS12]] {
        let url = tls_server(versions).await;
        let any = Fetch::get(&url, Trust::Any).unwrap();
        assert_eq!(fetch(any).await.unwrap().body, b"secret");
        // Where this system has no CA bundle, no certificate is believed either.
        match asked(&url).await.unwrap_err() {
            FetchError::Tls(why) => assert!(why.contains("certificate"), "{why}"),
            error => assert!(matches!(error, FetchError::NoRoots { .. }), "{error:?}"),
        }
    }
}

#[tokio::test]
async fn a_plain_server_behind_https_is_a_tls_answer() {
    let url = server(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n", 0, Then::Close).await;
    let error = fetch(Fetch::get(&url.replace("http://", "https://"), Trust::Any).unwrap())
        .await
        .unwrap_err();
    assert!(matches!(error, FetchError::Tls(_)), "{error:?}");
    assert!(error.is_answer());
}

#[tokio::test]
async fn a_unix_socket_is_asked_like_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("control.sock");
    let none = fetch(Fetch::over_unix(&socket, Method::GET, "/")).await.unwrap_err();
    assert!(matches!(none, FetchError::NoSocket(_)));

    let listener = UnixListener::bind(&socket).unwrap();
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut bytes = Vec::new();
        while !bytes.ends_with(b"{\"a\":1}") {
            let mut piece = [0; 256];
            let read = stream.read(&mut piece).await.unwrap();
            assert!(read > 0);
            bytes.extend_from_slice(&piece[..read]);
        }
        stream
            .write_all(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n")
            .await
            .unwrap();
    });
    let request = Fetch::over_unix(&socket, Method::POST, "/v1/drain").with_body("application/json", "{\"a\":1}");
    assert_eq!(fetch(request).await.unwrap().status, 202);
    serving.await.unwrap();

    let stale = fetch(Fetch::over_unix(&socket, Method::GET, "/")).await.unwrap_err();
    assert!(
        matches!(stale, FetchError::Refused),
        "a dead process's socket: {stale:?}"
    );
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_not_an_outage_of_its_target() {
    let error = connect("does-not-exist.invalid", 80, Duration::from_secs(5))
        .await
        .unwrap_err();
    let resolving = matches!(
        error,
        FetchError::Dns { .. }
            | FetchError::TimedOut {
                phase: Phase::Resolving,
                ..
            }
    );
    assert!(resolving, "{error:?}");
    assert!(!error.is_answer());
}

#[test]
fn what_our_own_host_lacks_is_never_an_answer() {
    use rustix::io::Errno;
    let local = [
        Errno::MFILE,
        Errno::NFILE,
        Errno::NOBUFS,
        Errno::NOMEM,
        Errno::ADDRNOTAVAIL,
        Errno::NETUNREACH,
        Errno::HOSTUNREACH,
        Errno::NETDOWN,
        Errno::PERM,
        Errno::ACCESS,
    ];
    for errno in local {
        let error = FetchError::from_io(errno.into());
        assert!(!error.is_answer(), "{errno:?}: {error:?}");
    }
    for errno in [
        Errno::CONNREFUSED,
        Errno::CONNRESET,
        Errno::PIPE,
        Errno::TIMEDOUT,
        Errno::CONNABORTED,
    ] {
        let error = FetchError::from_io(errno.into());
        assert!(error.is_answer(), "{errno:?}: {error:?}");
    }
}

#[test]
fn urls_that_cannot_be_asked_say_why() {
    let why = |url: &str| Fetch::get(url, Trust::Roots).unwrap_err().to_string();
    assert!(why("ftp://host/").contains("only http:// and https://"));
    assert!(why("/readyz").contains("names no host"));
    assert!(why("http://user:pass@host/").contains("token file"));
    assert!(why("not a url").contains("not a URL"));
    let token = Fetch::get("http://host/", Trust::Roots)
        .unwrap()
        .with_bearer("se\ncret");
    assert!(
        !token.unwrap_err().to_string().contains("cret"),
        "a token is never shown"
    );
}

#[test]
fn ports_and_addresses_are_read_from_the_url() {
    let place = |url: &str| Fetch::get(url, Trust::Any).unwrap().place;
    let (host, trust) = ("::1".to_owned(), Trust::Any);
    assert_eq!(
        place("http://[::1]:18789/x"),
        Place::Tcp {
            host: host.clone(),
            port: 18789
        }
    );
    assert_eq!(place("https://[::1]/"), Place::Tls { host, port: 443, trust });
    assert_eq!(Fetch::get("http://h", Trust::Any).unwrap().target, "/");
}

#[test]
fn the_first_bundle_with_certificates_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["ca".into()]).unwrap();
    let (empty, full) = (folder.path().join("empty.pem"), folder.path().join("full.pem"));
    std::fs::write(&empty, "no certificate here\n").unwrap();
    std::fs::write(&full, format!("junk\n{}", pem(made.cert.der()))).unwrap();
    let bundles = ["/does/not/exist", empty.to_str().unwrap(), full.to_str().unwrap()];
    assert_eq!(tls::roots_of(&bundles).unwrap().len(), 1);
    assert!(matches!(tls::roots_of(&bundles[..2]), Err(FetchError::NoRoots { .. })));
}

/// A certificate as files hold it.
pub(crate) fn pem(certificate: &[u8]) -> String {
    let body = base64(certificate);
    format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for at in 0..4 {
            match at <= three.len() {
                true => text.push(char::from(LETTERS[(bits >> (18 - 6 * at)) as usize & 63])),
                false => text.push('='),
            }
        }
    }
    text
}
