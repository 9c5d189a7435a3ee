#![expect(clippy::disallowed_methods, reason = "tests serve on loopback and make files")]

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::super::Scene;
use super::*;
use crate::http::client::tests::self_signed;
use crate::probe::declaration::{Target, TenantTarget};
use crate::words::Answer;

const READY: &str = r#"{"ready":true,"failing":[],"uptimeMs":23548}"#;
const STARTED: &str = r#"{"ok":true,"status":"started","version":"2026.9.6","uptimeMs":23570}"#;

/// A gateway on loopback that answers by path, over TLS when asked to; `mute` paths are read and left.
async fn gateway(tls: bool, ready: (u16, &'static str), mute: &'static str) -> u16 {
    let acceptor = self_signed(rustls::DEFAULT_VERSIONS);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if tls {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        answer(stream, ready, mute).await;
                    }
                } else {
                    answer(stream, ready, mute).await;
                }
            });
        }
    });
    port
}

async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin, ready: (u16, &str), mute: &str) {
    let mut request = [0; 1024];
    let read = stream.read(&mut request).await.unwrap_or(0);
    let text = String::from_utf8_lossy(&request[..read]).into_owned();
    let path = text.split(' ').nth(1).unwrap_or_default();
    if path == mute {
        std::future::pending::<()>().await;
    }
    let (status, body) = if path == "/startupz" { (200, STARTED) } else { ready };
    let answer = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}

fn tenant(port: Option<u16>) -> Scene {
    Scene::of(Target::of(TenantTarget {
        port,
        ..TenantTarget::specimen("acme")
    }))
}

fn http(url: &str, parse: Parse) -> Http {
    Http {
        url: url.into(),
        parse,
        insecure: false,
        body_bytes_max: 1024,
    }
}

async fn asked_gateway(port: u16, patience: Duration) -> Finding {
    let mut scene = tenant(Some(port));
    scene.patience = patience;
    let http = http("http://127.0.0.1:{port}/readyz", Parse::Readyz);
    ask(&http, &scene.ask()).await
}

fn fact<'a>(finding: &'a Finding, what: &str) -> &'a str {
    let fact = finding.evidence.iter().find(|fact| fact.what == what);
    fact.map_or("", |fact| fact.seen.as_str())
}

const PATIENT: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_gateway_is_asked_over_http_and_else_over_tls() {
    for tls in [false, true] {
        let port = gateway(tls, (200, READY), "").await;
        let finding = asked_gateway(port, PATIENT).await;
        assert_eq!(finding.answer, Answer::Ok, "{}", finding.summary);
        let scheme = if tls { "https" } else { "http" };
        assert_eq!(fact(&finding, "asked"), format!("{scheme}://127.0.0.1:{port}/readyz"));
        assert_eq!(fact(&finding, "version"), "2026.9.6");
        assert_eq!(fact(&finding, "status"), "200");
    }
}

#[tokio::test]
async fn a_gateway_that_is_ready_but_slow_to_say_its_version_is_ready() {
    let port = gateway(false, (200, READY), "/startupz").await;
    let finding = asked_gateway(port, Duration::from_millis(500)).await;
    assert_eq!(finding.answer, Answer::Ok);
    assert!(fact(&finding, "/startupz").starts_with("no answer within"));
}

#[tokio::test]
async fn a_frozen_gateway_is_down_within_its_time() {
    let port = gateway(false, (200, READY), "/readyz").await;
    let finding = asked_gateway(port, Duration::from_millis(200)).await;
    assert_eq!(finding.answer, Answer::Down);
    assert!(
        finding.summary.ends_with("it accepted and said nothing"),
        "{}",
        finding.summary
    );
}

#[tokio::test]
async fn a_stopped_gateway_is_down() {
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().port()
    };
    let finding = asked_gateway(port, PATIENT).await;
    assert_eq!(finding.answer, Answer::Down);
    assert_eq!(
        finding.summary,
        format!("http://127.0.0.1:{port}/readyz: connection refused")
    );
}

#[tokio::test]
async fn something_else_on_the_port_is_down_by_what_it_said_first() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.2p1\r\n").await;
        }
    });
    let finding = asked_gateway(port, PATIENT).await;
    assert_eq!(finding.answer, Answer::Down);
    assert!(finding.summary.contains("does not speak HTTP"), "{}", finding.summary);
}

#[tokio::test]
async fn a_tenant_without_a_port_is_our_mistake_not_an_outage() {
    let http = http("http://127.0.0.1:{port}/readyz", Parse::Readyz);
    let finding = ask(&http, &tenant(None).ask()).await;
    assert_eq!(finding.cause, Some(Cause::Misconfigured));
    assert!(finding.summary.contains("say `port:` for tenant acme"));
}

#[tokio::test]
async fn any_2xx_is_ok_and_all_else_is_down() {
    for (status, expected) in [
        (200, Answer::Ok),
        (204, Answer::Ok),
        (302, Answer::Down),
        (404, Answer::Down),
        (503, Answer::Down),
    ] {
        let port = gateway(false, (status, ""), "").await;
        let http = http(&format!("http://127.0.0.1:{port}/x"), Parse::ExitCode);
        let finding = ask(&http, &Scene::node().ask()).await;
        assert_eq!(finding.answer, expected, "{status}");
    }
}

#[tokio::test]
async fn a_body_is_translated_unless_it_is_cut() {
    let port = gateway(false, (503, r#"{"status":"pass"}"#), "").await;
    let mut http = http(&format!("http://127.0.0.1:{port}/x"), Parse::Json);
    let finding = ask(&http, &Scene::node().ask()).await;
    assert_eq!(
        finding.cause,
        Some(Cause::Unreadable),
        "503 contradicts it: {}",
        finding.summary
    );
    assert_eq!(fact(&finding, "status"), "503");
    http.body_bytes_max = 5;
    let cut = ask(&http, &Scene::node().ask()).await;
    assert_eq!(cut.cause, Some(Cause::OutputTooLarge));
}

#[test]
fn tls_is_tried_by_itself_on_loopback_alone() {
    let plain = |url: &str| Fetch::get(url, Trust::Roots).unwrap();
    for url in [
        "http://127.0.0.1:1/",
        "http://localhost:1/",
        "http://[::1]:1/",
        "http://127.8.0.1:1/",
    ] {
        let secure = over_tls(&plain(url)).unwrap();
        assert!(matches!(secure.place, Place::Tls { trust: Trust::Any, .. }), "{url}");
    }
    for url in [
        "http://192.0.2.1:1/",
        "http://localhost.example:1/",
        "https://localhost/",
    ] {
        assert!(over_tls(&plain(url)).is_none(), "{url}");
    }
}
