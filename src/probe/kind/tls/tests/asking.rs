#![expect(clippy::disallowed_methods, reason = "the specs serve and write files")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::super::ask;
use super::super::ground::{Said, said_by};
use super::*;
use crate::link::place::{Address, Fingerprint, Place, Trust as PlaceTrust};
use crate::probe::declaration::{Instance, Target, TenantTarget, Tls};
use crate::probe::kind::Scene;
use crate::words::{Answer, Cause, Finding};

fn acceptor(chain: &[&Made], wants_a_client: Option<&Made>) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match wants_a_client {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(authority.der.clone()).unwrap();
            let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let certificates = chain.iter().map(|made| made.der.clone()).collect();
    TlsAcceptor::from(Arc::new(
        builder.with_single_cert(certificates, chain[0].key_der()).unwrap(),
    ))
}

async fn serving(chain: &[&Made], wants_a_client: Option<&Made>) -> u16 {
    let (acceptor, listener) = (
        acceptor(chain, wants_a_client),
        TcpListener::bind("127.0.0.1:0").await.unwrap(),
    );
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    let _ = stream.read(&mut [0; 64]).await;
                }
            });
        }
    });
    port
}

/// Says `said` to whoever connects and closes, or holds the line when there is nothing to say.
async fn saying(said: &'static [u8], closes: bool) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            if !said.is_empty() {
                let _ = stream.read(&mut [0; 2048]).await;
                let _ = stream.write_all(said).await;
            }
            if !closes {
                held.push(stream);
            }
        }
    });
    port
}

fn declared(addresses: &[String]) -> Tls {
    Tls {
        addresses: addresses.to_vec(),
        warn_days: 21,
        down_days: 7,
        ..Tls::default()
    }
}

/// A tenant with its state in `dir`.
fn tenant(dir: &Path, port: u16) -> TenantTarget {
    TenantTarget {
        port: Some(port),
        place: Some(Place::loopback(port)),
        instance: Instance::StateDir {
            state_dir: dir.to_owned(),
            config: None,
        },
        ..TenantTarget::specimen("acme")
    }
}

async fn asked(tls: &Tls, target: Target) -> Finding {
    let mut scene = Scene::of(target);
    scene.patience = Duration::from_secs(5);
    ask(tls, &scene.ask()).await
}

async fn own(tenant: TenantTarget) -> Finding {
    asked(&declared(&[]), Target::of(tenant)).await
}

fn configured(dir: &Path, text: &str) {
    fs::write(dir.join("openclaw.json"), text).unwrap();
}

fn keeps(dir: &Path, pem: &str) {
    fs::create_dir_all(dir.join("gateway/tls")).unwrap();
    fs::write(dir.join("gateway/tls/gateway-cert.pem"), pem).unwrap();
}

const TLS_ON: &str = r#"{"gateway":{"tls":{"enabled":true}}}"#;

#[tokio::test]
async fn a_declared_host_is_shaken_hands_with_and_its_chain_followed_to_the_given_authority() {
    let dir = tempfile::tempdir().unwrap();
    let root = root();
    let between = signed_by(&root, as_authority(params("Between", &[], (LONG_AGO, FAR))));
    let leaf = signed_by(&between, params("gw", &["localhost"], (LONG_AGO, FAR)));
    let (ca_file, certificate_file) = (dir.path().join("acme-ca.pem"), dir.path().join("acme.pem"));
    fs::write(&ca_file, root.pem()).unwrap();
    fs::write(&certificate_file, format!("{}{}", leaf.pem(), between.pem())).unwrap();
    let port = serving(&[&leaf, &between], None).await;
    let text = |name: &str| Some(dir.path().join(name).display().to_string());
    let mut tls = Tls {
        ca_file: text("{tenant}-ca.pem"),
        certificate_file: text("{tenant}.pem"),
        ..declared(&[format!("localhost:{port}")])
    };
    let target = || Target::of(TenantTarget::specimen("acme"));
    let finding = asked(&tls, target()).await;
    assert_eq!(finding.answer, Answer::Ok, "{finding:?}");

    // By its address it is another name.
    tls.addresses = vec![format!("127.0.0.1:{port}")];
    let finding = asked(&tls, target()).await;
    assert!(
        finding.summary.ends_with("is for localhost, not for 127.0.0.1"),
        "{}",
        finding.summary
    );

    // Renewed, and not served yet.
    let renewed = signed_by(&between, params("gw", &["localhost"], (LONG_AGO, (2091, 1, 1))));
    fs::write(&certificate_file, renewed.pem()).unwrap();
    tls.addresses = vec![format!("localhost:{port}")];
    let finding = asked(&tls, target()).await;
    assert!(
        finding.summary.contains("does not serve the renewed certificate"),
        "{}",
        finding.summary
    );

    tls.ca_file = text("missing.pem");
    let finding = asked(&tls, target()).await;
    assert_eq!(finding.cause, Some(Cause::Misconfigured), "{finding:?}");
}

#[tokio::test]
async fn a_server_that_wants_to_know_us_has_shown_its_certificate_all_the_same() {
    let (root, own) = (root(), gateways_own(FAR));
    let dir = tempfile::tempdir().unwrap();
    configured(dir.path(), TLS_ON);
    keeps(dir.path(), &own.pem());
    let finding = own_of(dir.path(), serving(&[&own], Some(&root)).await).await;
    assert_eq!(finding.answer, Answer::Ok, "{finding:?}");
}

async fn own_of(dir: &Path, port: u16) -> Finding {
    own(tenant(dir, port)).await
}

#[tokio::test]
async fn a_default_gateway_over_tls_is_ok_by_its_own_file() {
    let (dir, made) = (tempfile::tempdir().unwrap(), gateways_own(FAR));
    configured(dir.path(), TLS_ON);
    keeps(dir.path(), &made.pem());
    let port = serving(&[&made], None).await;
    let finding = own_of(dir.path(), port).await;
    assert_eq!(
        (finding.answer, &finding.notes[..]),
        (Answer::Ok, &[][..]),
        "{finding:?}"
    );

    keeps(dir.path(), &gateways_own((2095, 1, 1)).pem());
    let finding = own_of(dir.path(), port).await;
    assert_eq!(finding.answer, Answer::Degraded);
    assert!(
        finding.summary.contains("does not serve the renewed certificate"),
        "{}",
        finding.summary
    );
}

#[tokio::test]
async fn a_file_at_another_path_is_found_where_the_config_says() {
    let (dir, made) = (tempfile::tempdir().unwrap(), gateways_own(FAR));
    let path = dir.path().join("own.pem");
    fs::write(&path, gateways_own((2095, 1, 1)).pem()).unwrap();
    let said = format!(
        r#"{{"gateway":{{"tls":{{"enabled":true,"certPath":"{}"}}}}}}"#,
        path.display()
    );
    configured(dir.path(), &said);
    let finding = own_of(dir.path(), serving(&[&made], None).await).await;
    assert!(finding.summary.contains("own.pem yet"), "{}", finding.summary);
}

#[tokio::test]
async fn a_plain_gateway_has_nothing_to_ask_whether_its_config_says_so_or_cannot_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let plain = saying(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n", true).await;
    for text in [
        "{}",
        r#"{"gateway":{"tls":{"enabled":false}}}"#,
        "// JSON5\n{}",
        "{\"gateway\":",
        "\0\u{1}",
    ] {
        configured(dir.path(), text);
        let finding = own_of(dir.path(), plain).await;
        assert_eq!(
            (finding.answer, finding.summary.as_str()),
            (Answer::Ok, "nothing serves TLS"),
            "{text}"
        );
    }
    fs::remove_file(dir.path().join("openclaw.json")).unwrap();
    assert_eq!(own_of(dir.path(), plain).await.answer, Answer::Ok);
    // It was switched on and the gateway not restarted.
    configured(dir.path(), TLS_ON);
    let finding = own_of(dir.path(), plain).await;
    assert_eq!(
        (finding.answer, finding.summary),
        (
            Answer::Down,
            format!("127.0.0.1:{plain}: what answers does not speak TLS")
        )
    );
}

#[tokio::test]
async fn a_config_that_is_not_read_does_not_hide_a_certificate_that_ends() {
    let (dir, made) = (tempfile::tempdir().unwrap(), gateways_own((2021, 1, 1)));
    configured(dir.path(), "// JSON5\n{gateway: {tls: {enabled: true}}}");
    let finding = own_of(dir.path(), serving(&[&made], None).await).await;
    assert_eq!(finding.answer, Answer::Down, "{finding:?}");
    assert!(finding.summary.contains("expired"), "{}", finding.summary);
}

#[tokio::test]
async fn odd_files_in_the_place_of_the_certificate_are_notes_and_never_a_wait() {
    let (dir, made) = (tempfile::tempdir().unwrap(), gateways_own(FAR));
    configured(dir.path(), TLS_ON);
    let port = serving(&[&made], None).await;
    keeps(dir.path(), "");
    let path = dir.path().join("gateway/tls/gateway-cert.pem");
    let finding = own_of(dir.path(), port).await;
    assert!(
        finding.notes[0].ends_with("holds no certificate (PEM)"),
        "{:?}",
        finding.notes
    );
    fs::write(&path, vec![b'x'; 300 << 10]).unwrap();
    let finding = own_of(dir.path(), port).await;
    assert!(finding.notes[0].contains("is longer than"), "{:?}", finding.notes);
    fs::remove_file(&path).unwrap();
    for make in [
        |path: &Path| symlink(path, path).unwrap(),
        |path: &Path| fs::create_dir(path).unwrap(),
        |path: &Path| {
            rustix::fs::mkfifoat(rustix::fs::CWD, path, rustix::fs::Mode::RUSR).unwrap();
        },
    ] {
        make(&path);
        let finding = own_of(dir.path(), port).await;
        assert_eq!((finding.answer, finding.notes.len()), (Answer::Ok, 1), "{finding:?}");
        let _ = fs::remove_file(&path).or_else(|_| fs::remove_dir(&path));
    }
}

#[tokio::test]
async fn a_pinned_place_is_asked_by_its_pin() {
    let (dir, made) = (tempfile::tempdir().unwrap(), gateways_own(FAR));
    let port = serving(&[&made], None).await;
    let at = |fingerprint| TenantTarget {
        place: Some(
            Place::new(
                Address::parse(&format!("wss://127.0.0.1:{port}")).unwrap(),
                PlaceTrust::Pinned(fingerprint),
            )
            .unwrap(),
        ),
        ..tenant(dir.path(), port)
    };
    assert_eq!(own(at(Fingerprint::of(&made.der))).await.answer, Answer::Ok);
    let finding = own(at(Fingerprint::of(b"another"))).await;
    assert!(finding.summary.contains("than the pinned one"), "{}", finding.summary);
}

#[tokio::test]
async fn peers_that_serve_no_certificate_are_down_each_in_its_words() {
    let refused = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().port()
    };
    for (port, words) in [
        (refused, "connection refused"),
        (
            saying(b"HTTP/1.1 400 Bad Request\r\n\r\n", false).await,
            "what answers does not speak TLS",
        ),
        (saying(b"SSH-2.0-x\r\n", false).await, "what answers does not speak TLS"),
        (
            saying(b"\0\0\0\0\0\0\0\0", false).await,
            "what answers does not speak TLS",
        ),
        (
            saying(b"", true).await,
            "the connection was closed before the answer was complete",
        ),
        (
            saying(b"\x15\x03\x03\x00\x02\x02\x70", false).await,
            "TLS: received fatal alert",
        ),
    ] {
        let finding = asked(&declared(&[format!("127.0.0.1:{port}")]), Scene::node().target).await;
        assert_eq!(finding.answer, Answer::Down, "{words}: {finding:?}");
        assert!(finding.summary.contains(words), "{}", finding.summary);
    }
    let mute = saying(b"", false).await;
    let mut scene = Scene::node();
    scene.patience = Duration::from_millis(300);
    let finding = ask(&declared(&[format!("127.0.0.1:{mute}")]), &scene.ask()).await;
    assert_eq!(finding.answer, Answer::Down, "{finding:?}");
    assert!(
        finding.summary.contains("the TLS handshake did not end"),
        "{}",
        finding.summary
    );
}

#[tokio::test]
async fn what_cannot_be_an_address_is_our_mistake() {
    for address in ["nonsense", "::1:443", "127.0.0.1:{port}", "a b:443"] {
        let finding = asked(&declared(&[address.to_owned()]), Scene::node().target).await;
        assert_ne!(finding.answer, Answer::Ok, "{address}");
        assert!(
            matches!(finding.cause, Some(Cause::Misconfigured | Cause::Local)),
            "{address}: {finding:?}"
        );
    }
}

#[test]
fn openclaws_config_says_whether_tls_is_served_or_says_nothing() {
    let tls = |cert_path: Option<&str>| Said::Tls {
        cert_path: cert_path.map(str::to_owned),
    };
    for (text, expected) in [
        (TLS_ON, tls(None)),
        (
            r#"{"gateway":{"tls":{"enabled":true,"certPath":"~/c.pem"}}}"#,
            tls(Some("~/c.pem")),
        ),
        (r#"{"gateway":{"tls":{"enabled":false}}}"#, Said::Plain),
        (r#"{"gateway":{"tls":{}}}"#, Said::Plain),
        ("{}", Said::Plain),
        (r#"{"gateway":{"tls":{"enabled":"${TLS}"}}}"#, Said::Nothing),
        (r#"{"gateway":{"$include":"./gateway.json"}}"#, Said::Nothing),
        (r#"{"$include":["./base.json"]}"#, Said::Nothing),
        (r#"{"gateway":{"tls":"#, Said::Nothing),
        ("[1]", Said::Nothing),
        ("", Said::Nothing),
        ("{gateway: {}}", Said::Nothing),
    ] {
        assert_eq!(said_by(text.as_bytes()), expected, "{text}");
    }
}
