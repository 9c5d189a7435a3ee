//! Scripted peers over loopback, in real time with short patience. Every wait is bounded.
#![expect(clippy::disallowed_methods, reason = "writes token files, starts peers")]

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::*;
use crate::http::client::tests::pem;
use crate::link::events::Memory;
use crate::link::place::{Address, Fingerprint, Trust};
use crate::link::session::Patience;
use crate::words::{Answer, TenantName};

type Ws = WebSocketStream<TcpStream>;

const BOUND: Duration = Duration::from_secs(20);

fn hasty() -> Patience {
    let millis = Duration::from_millis;
    Patience {
        handshake: millis(400),
        ask_every: millis(100),
        ask_again: millis(50),
        answer: millis(400),
        history: millis(400),
        ping_after: millis(100),
        silence: millis(1_000),
        repeat: millis(100),
        back_off_min: millis(20),
        back_off_max: millis(50),
        refused: millis(60_000),
        retry_max: millis(60_000),
        ..Patience::default()
    }
}

/// A link to one peer, and what came out of it.
struct Bench {
    outputs: mpsc::UnboundedReceiver<Output>,
    fingerprints: Fingerprints,
    token_file: PathBuf,
    _dir: tempfile::TempDir,
    _link: AbortOnDropHandle<()>,
}

impl Bench {
    fn start(place: Place, owners: Vec<u32>) -> Bench {
        let dir = tempfile::tempdir().unwrap();
        let token_file = dir.path().join("token.current");
        put(&token_file, "t0ken-1");
        let now = clock::now();
        let session = Session::new(TenantName::parse("acme").unwrap(), Memory::default(), hasty(), 1, now);
        let fingerprints = Fingerprints::default();
        let wiring = Wiring {
            place,
            token: TokenPlaces {
                token_file: Some(token_file.clone()),
                owners,
                ..TokenPlaces::default()
            },
            fingerprints: fingerprints.clone(),
        };
        let (sender, outputs) = mpsc::unbounded_channel();
        let link = tokio::spawn(run(wiring, session, move |_, output| {
            let _ = sender.send(output);
        }));
        Bench {
            outputs,
            fingerprints,
            token_file,
            _dir: dir,
            _link: AbortOnDropHandle::new(link),
        }
    }

    fn of(listener: &TcpListener) -> Bench {
        Bench::start(Place::loopback(listener.local_addr().unwrap().port()), vec![us()])
    }

    /// The first finding that holds `text`, and what came before it.
    async fn until(&mut self, text: &str) -> (Report, Vec<Output>) {
        let mut before = Vec::new();
        let wait = tokio::time::timeout(BOUND, async {
            loop {
                match self.outputs.recv().await.unwrap() {
                    Output::Report(report) if report.finding.summary.contains(text) => return report,
                    other => before.push(other),
                }
            }
        });
        match wait.await {
            Ok(report) => (report, before),
            Err(_) => panic!("no finding with {text:?}; instead: {before:#?}"),
        }
    }
}

fn us() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn put(path: &PathBuf, token: &str) {
    let next = path.with_extension("next");
    std::fs::write(&next, token).unwrap();
    std::fs::set_permissions(&next, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::rename(&next, path).unwrap();
}

async fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

async fn accept(listener: &TcpListener) -> Ws {
    let (stream, _) = listener.accept().await.unwrap();
    let config = WebSocketConfig::default().max_message_size(None).max_frame_size(None);
    tokio_tungstenite::accept_async_with_config(stream, Some(config))
        .await
        .unwrap()
}

async fn say(ws: &mut Ws, frame: &str) {
    let _ = ws.send(Message::text(frame)).await;
}

async fn challenge(ws: &mut Ws) {
    say(
        ws,
        r#"{"type":"event","event":"connect.challenge","payload":{"nonce":"n","ts":1795163644478}}"#,
    )
    .await;
}

async fn hear(ws: &mut Ws) -> Option<serde_json::Value> {
    loop {
        match ws.next().await?.ok()? {
            Message::Text(text) => return serde_json::from_str(&text).ok(),
            Message::Close(_) => return None,
            _ => {}
        }
    }
}

async fn grant(ws: &mut Ws, request: &serde_json::Value, payload: &str) {
    let id = &request["id"];
    say(
        ws,
        &format!(r#"{{"type":"res","id":{id},"ok":true,"payload":{payload}}}"#),
    )
    .await;
}

const HELLO: &str = r#"{"type":"hello-ok","protocol":4,"server":{"version":"v","bootId":"b"}}"#;

/// Through the handshake; the token that came.
async fn greet(ws: &mut Ws) -> Option<String> {
    challenge(ws).await;
    let request = hear(ws).await?;
    grant(ws, &request, HELLO).await;
    Some(request["params"]["auth"]["token"].as_str()?.to_owned())
}

/// Answers all that is asked, until the link goes.
async fn serve(ws: &mut Ws) {
    while let Some(request) = hear(ws).await {
        grant(ws, &request, "{}").await;
    }
}

#[tokio::test]
async fn an_honest_gateway_is_ok_and_its_events_come_through() {
    let listener = listen().await;
    let mut bench = Bench::of(&listener);
    let mut ws = accept(&listener).await;
    assert_eq!(greet(&mut ws).await.unwrap(), "t0ken-1");
    let health = hear(&mut ws).await.unwrap();
    say(
        &mut ws,
        r#"{"type":"event","event":"cron","payload":{"action":"finished","jobId":"j","runAtMs":1,"deliveryStatus":
        "not-delivered","deliveryError":"Webhook request failed with HTTP 500"}}"#,
    )
    .await;
    grant(&mut ws, &health, "{}").await;
    let (report, before) = bench.until("connected").await;
    assert_eq!(report.finding.answer, Answer::Ok);
    assert!(
        matches!(&before[..], [Output::Know(_), Output::Deliver(event)] if event.code.to_string() == "500"),
        "{before:?}"
    );
    let Output::Know(facts) = &before[0] else {
        panic!("{before:?}")
    };
    assert_eq!(facts.token, Some(bench.fingerprints.of("t0ken-1")));
    assert!(!format!("{before:?}").contains("t0ken-1"));
}

#[tokio::test]
async fn a_peer_that_never_answers_is_unknown() {
    let listener = listen().await;
    let mut bench = Bench::of(&listener);
    let (_held, _) = listener.accept().await.unwrap();
    let (report, _) = bench.until("opens no WebSocket within").await;
    assert_eq!((report.finding.answer, report.alive), (Answer::Unknown, false));
}

#[tokio::test]
async fn nobody_on_the_port_is_unknown() {
    let listener = listen().await;
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let mut bench = Bench::start(Place::loopback(port), vec![us()]);
    for _ in 0..3 {
        let (report, before) = bench.until("refuses connections").await;
        assert_eq!((report.finding.answer, before), (Answer::Unknown, vec![]));
    }
}

#[tokio::test]
async fn garbage_is_unknown_at_each_step() {
    use tokio::io::AsyncWriteExt as _;
    let listener = listen().await;
    let mut bench = Bench::of(&listener);
    let (mut stream, _) = listener.accept().await.unwrap();
    stream.write_all(&[0xff, 0, 13, 10, 7].repeat(1_000)).await.unwrap();
    bench.until("is no gateway").await;
    let (mut stream, _) = listener.accept().await.unwrap();
    stream
        .write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
        .await
        .unwrap();
    bench.until("HTTP status 404").await;
    let mut ws = accept(&listener).await;
    say(&mut ws, "<html>").await;
    bench.until("no gateway answers: what it sends is not JSON").await;
    let mut ws = accept(&listener).await;
    ws.send(Message::binary(vec![1u8, 2])).await.unwrap();
    bench.until("binary frames").await;
    let mut ws = accept(&listener).await;
    greet(&mut ws).await.unwrap();
    ws.get_mut().write_all(&[0xff; 64]).await.unwrap();
    let (report, _) = bench.until("is not WebSocket").await;
    assert_eq!(report.finding.answer, Answer::Unknown);
}

#[tokio::test]
async fn frames_of_25_mib_are_refused_by_their_header_before_and_after_the_handshake() {
    let listener = listen().await;
    let mut bench = Bench::of(&listener);
    let flood = "x".repeat(25 << 20);
    let mut ws = accept(&listener).await;
    say(&mut ws, &flood).await;
    bench.until("more than 4 MiB").await;
    let mut ws = accept(&listener).await;
    greet(&mut ws).await.unwrap();
    say(&mut ws, &flood).await;
    let (report, _) = bench.until("more than 4 MiB").await;
    assert_eq!(report.finding.answer, Answer::Unknown);
    let mut ws = accept(&listener).await;
    greet(&mut ws).await.unwrap();
    let request = hear(&mut ws).await.unwrap();
    grant(&mut ws, &request, "{}").await;
    bench.until("its health is ok").await;
}

#[tokio::test]
async fn a_peer_that_closes_at_any_step_of_the_handshake_is_unknown_and_tried_again() {
    let listener = listen().await;
    let mut bench = Bench::of(&listener);
    drop(listener.accept().await.unwrap());
    bench.until("closed before the WebSocket opened").await;
    drop(accept(&listener).await);
    bench
        .until("closed the link during the handshake, without a word")
        .await;
    let mut ws = accept(&listener).await;
    challenge(&mut ws).await;
    ws.close(None).await.unwrap();
    bench.until("closed the link during the handshake").await;
    let mut ws = accept(&listener).await;
    challenge(&mut ws).await;
    hear(&mut ws).await.unwrap();
    drop(ws);
    bench.until("closed the link during the handshake").await;
    let mut ws = accept(&listener).await;
    greet(&mut ws).await.unwrap();
    drop(ws);
    let (report, _) = bench.until("closed the link while it was established").await;
    assert_eq!(report.finding.answer, Answer::Unknown);
    let mut ws = accept(&listener).await;
    greet(&mut ws).await.unwrap();
    let request = hear(&mut ws).await.unwrap();
    grant(&mut ws, &request, "{}").await;
    bench.until("its health is ok").await;
}

#[tokio::test]
async fn a_frozen_gateway_is_down_at_once_then_given_up_and_found_again() {
    let listener = listen().await;
    let mut bench = Bench::of(&listener);
    let mut ws = accept(&listener).await;
    greet(&mut ws).await.unwrap();
    // Neither a word nor a FIN from here on: as after SIGSTOP, or a cable that was pulled.
    let (report, _) = bench.until("nothing was heard on the open link").await;
    assert!(report.finding.answer == Answer::Down && report.finding.immediate);
    let mut again = accept(&listener).await;
    greet(&mut again).await.unwrap();
    let request = hear(&mut again).await.unwrap();
    grant(&mut again, &request, "{}").await;
    bench.until("its health is ok").await;
    drop(ws);
}

#[tokio::test]
async fn one_that_goes_backwards_in_time_stays_ok() {
    let listener = listen().await;
    let mut bench = Bench::of(&listener);
    let mut ws = accept(&listener).await;
    greet(&mut ws).await.unwrap();
    for ts in [
        "1795163644478",
        "5",
        "-9223372036854775808",
        "9223372036854775807",
        "1e300",
    ] {
        say(
            &mut ws,
            &format!(r#"{{"type":"event","event":"tick","payload":{{"ts":{ts}}}}}"#),
        )
        .await;
        let request = hear(&mut ws).await.unwrap();
        grant(&mut ws, &request, "{}").await;
    }
    let (report, before) = bench.until("its health is ok").await;
    assert_eq!(report.finding.answer, Answer::Ok);
    assert!(
        !before.iter().any(|output| matches!(output, Output::Report(_))),
        "{before:?}"
    );
}

#[tokio::test]
async fn the_token_is_kept_back_from_a_listener_of_somebody_else() {
    let listener = listen().await;
    let port = listener.local_addr().unwrap().port();
    let mut bench = Bench::start(Place::loopback(port), vec![us() + 1]);
    let mut ws = accept(&listener).await;
    challenge(&mut ws).await;
    let (report, _) = bench.until("the token is kept back").await;
    assert!(
        report
            .finding
            .summary
            .contains(&format!("port {port} belongs to user {}", us()))
    );
    assert_eq!(report.finding.answer, Answer::Unknown);
    assert_eq!(hear(&mut ws).await, None, "not a word was sent");
}

/// A user of no account: what it listens on is nobody's that a tenant would name.
#[cfg(target_os = "linux")]
const STRANGER: u32 = 65_534;

/// Takes `address` over as another user, and tells all that the first to come says after the challenge.
#[cfg(target_os = "linux")]
fn stranger(address: SocketAddr) -> std::thread::JoinHandle<Vec<String>> {
    use tokio_tungstenite::tungstenite;
    std::thread::spawn(move || {
        // On Linux the system's call changes the calling thread alone, and a socket is its maker's.
        rustix::thread::set_thread_uid(rustix::thread::Uid::from_raw(STRANGER)).unwrap();
        let listener = std::net::TcpListener::bind(address).unwrap();
        let mut ws = tungstenite::accept(listener.accept().unwrap().0).unwrap();
        let challenge = r#"{"type":"event","event":"connect.challenge","payload":{}}"#;
        ws.send(Message::text(challenge)).unwrap();
        let mut heard = Vec::new();
        while let Ok(message) = ws.read() {
            heard.extend(
                message
                    .to_text()
                    .map(str::to_owned)
                    .ok()
                    .filter(|text| !text.is_empty()),
            );
        }
        heard
    })
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn another_users_program_that_takes_the_port_over_is_sent_no_token() {
    if us() != 0 {
        eprintln!("left out: to be another user needs root");
        return;
    }
    let listener = listen().await;
    let address = listener.local_addr().unwrap();
    let mut bench = Bench::of(&listener);
    let mut ws = accept(&listener).await;
    greet(&mut ws).await.unwrap();
    let request = hear(&mut ws).await.unwrap();
    grant(&mut ws, &request, "{}").await;
    bench.until("its health is ok").await;
    drop((ws, listener));
    let stranger = stranger(address);
    let (report, _) = bench.until("the token is kept back").await;
    assert!(report.finding.summary.contains(&format!("belongs to user {STRANGER}")));
    assert_eq!((report.finding.answer, report.alive), (Answer::Unknown, false));
    let heard = tokio::task::spawn_blocking(|| stranger.join().unwrap());
    let heard = tokio::time::timeout(BOUND, heard).await.unwrap().unwrap();
    assert_eq!(heard, Vec::<String>::new());
}

#[tokio::test]
async fn a_new_token_file_is_picked_up_without_waiting_for_the_next_attempt() {
    let listener = listen().await;
    let mut bench = Bench::of(&listener);
    let mut ws = accept(&listener).await;
    challenge(&mut ws).await;
    let request = hear(&mut ws).await.unwrap();
    let id = &request["id"];
    let error = r#"{"code":"INVALID_REQUEST","details":{"code":"AUTH_TOKEN_MISMATCH"}}"#;
    say(
        &mut ws,
        &format!(r#"{{"type":"res","id":{id},"ok":false,"error":{error}}}"#),
    )
    .await;
    let (report, _) = bench.until("does not know this token").await;
    assert!(report.alive);
    put(&bench.token_file, "t0ken-2");
    let mut ws = tokio::time::timeout(BOUND, accept(&listener)).await.unwrap();
    assert_eq!(greet(&mut ws).await.unwrap(), "t0ken-2");
}

#[tokio::test]
async fn a_link_that_is_dropped_leaves_no_connection() {
    let listener = listen().await;
    let bench = Bench::of(&listener);
    let mut ws = accept(&listener).await;
    greet(&mut ws).await.unwrap();
    drop(bench);
    tokio::time::timeout(BOUND, serve(&mut ws)).await.unwrap();
}

/// A gateway over TLS with a certificate of its own, and the first frames that it was sent.
struct Secure {
    port: u16,
    certificate: Vec<u8>,
    ca_file: tempfile::NamedTempFile,
    sent: Arc<Mutex<Vec<String>>>,
    _peer: AbortOnDropHandle<()>,
}

impl Secure {
    async fn start() -> Secure {
        let key = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let certificate = key.cert.der().clone();
        let ca_file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(ca_file.path(), pem(&certificate)).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.clone()],
                rustls::pki_types::PrivateKeyDer::try_from(key.signing_key.serialize_der()).unwrap(),
            )
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = listen().await;
        let port = listener.local_addr().unwrap().port();
        let sent = Arc::new(Mutex::new(Vec::new()));
        let heard = sent.clone();
        let peer = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let Ok(stream) = acceptor.accept(stream).await else {
                    continue;
                };
                let Ok(mut ws) = tokio_tungstenite::accept_async(stream).await else {
                    continue;
                };
                let frame = r#"{"type":"event","event":"connect.challenge","payload":{}}"#;
                let _ = ws.send(Message::text(frame)).await;
                if let Some(Ok(Message::Text(text))) = ws.next().await {
                    heard.lock().unwrap().push(text.to_string());
                }
            }
        });
        Secure {
            port,
            certificate: certificate.to_vec(),
            ca_file,
            sent,
            _peer: AbortOnDropHandle::new(peer),
        }
    }

    fn link(&self, trust: Trust) -> Bench {
        let address = Address::parse(&format!("wss://127.0.0.1:{}", self.port)).unwrap();
        Bench::start(Place::new(address, trust).unwrap(), vec![us()])
    }
}

#[tokio::test]
async fn over_tls_the_token_goes_to_the_pinned_or_the_trusted_certificate() {
    let gateway = Secure::start().await;
    for trust in [
        Trust::Pinned(Fingerprint::of(&gateway.certificate)),
        Trust::Authorities(gateway.ca_file.path().to_owned()),
    ] {
        let mut bench = gateway.link(trust);
        bench.until("closed the link during the handshake").await;
        assert!(gateway.sent.lock().unwrap().pop().unwrap().contains("t0ken-1"));
    }
}

#[tokio::test]
async fn to_another_certificate_no_token_is_sent_and_the_finding_says_why() {
    let gateway = Secure::start().await;
    let other = Secure::start().await;
    let empty = tempfile::NamedTempFile::new().unwrap();
    let it_is = format!("not the pinned one, it is {}", Fingerprint::of(&gateway.certificate));
    for (trust, why) in [
        (Trust::Pinned(Fingerprint::of(b"another")), it_is.as_str()),
        (
            Trust::Authorities(other.ca_file.path().to_owned()),
            "invalid peer certificate",
        ),
        (
            Trust::Authorities(empty.path().to_owned()),
            "no CA bundle could be read",
        ),
        (Trust::System, "gateway_fingerprint or gateway_ca_file"),
    ] {
        let mut bench = gateway.link(trust);
        let (report, _) = bench.until(why).await;
        assert_eq!((report.finding.answer, report.alive), (Answer::Unknown, false));
    }
    assert_eq!(*gateway.sent.lock().unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_gateway_that_speaks_no_tls_where_tls_is_wanted_is_unknown() {
    let listener = listen().await;
    let address = Address::parse(&format!("wss://{}", listener.local_addr().unwrap())).unwrap();
    let mut bench = Bench::start(Place::new(address, Trust::System).unwrap(), vec![us()]);
    let _peer = AbortOnDropHandle::new(tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let _ = tokio_tungstenite::accept_async(stream).await;
        }
    }));
    let (report, _) = bench.until("TLS: ").await;
    assert_eq!(report.finding.answer, Answer::Unknown);
}

/// By hand, against a real gateway: prints what comes out, for so many seconds.
/// `READYD_LINK=port,token-file,seconds cargo test --lib link::client::tests::by_hand -- --ignored --nocapture`
#[tokio::test]
#[ignore = "by hand: needs a running gateway"]
async fn by_hand() {
    let wish = std::env::var("READYD_LINK").unwrap();
    let [port, token_file, seconds] = wish.split(',').collect::<Vec<_>>()[..] else {
        panic!("{wish}")
    };
    let session = Session::new(
        TenantName::parse("acme").unwrap(),
        Memory::default(),
        Patience::default(),
        1,
        clock::now(),
    );
    let wiring = Wiring {
        place: Place::loopback(port.parse().unwrap()),
        token: TokenPlaces {
            token_file: Some(token_file.into()),
            owners: vec![us()],
            ..TokenPlaces::default()
        },
        fingerprints: Fingerprints::default(),
    };
    let link = run(wiring, session, |_, output| {
        println!("{} {output:?}", clock::wall().as_millis())
    });
    let _ = tokio::time::timeout(Duration::from_secs(seconds.parse().unwrap()), link).await;
}
