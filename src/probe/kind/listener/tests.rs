#![expect(clippy::disallowed_methods, reason = "the specs serve")]

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::super::Scene;
use super::*;
use crate::link::place::{Address, Trust as PlaceTrust};
use crate::probe::allowed::Allowed;
use crate::probe::declaration::Target;
use crate::words::{Answer, Cause};

fn tenant(port: Option<u16>, gateway: Option<&str>) -> TenantTarget {
    TenantTarget {
        port,
        place: gateway.map(|url| Place::new(Address::parse(url).unwrap(), PlaceTrust::System).unwrap()),
        ..TenantTarget::specimen("acme")
    }
}

async fn asked(listener: &Listener, target: Target) -> Finding {
    let mut scene = Scene::of(target);
    scene.patience = Duration::from_secs(5);
    ask(listener, &scene.ask()).await
}

fn allowing(allow: &[Allowed]) -> Listener {
    Listener {
        allow: allow.to_vec(),
        ..Listener::default()
    }
}

/// Answers every connection with `status`.
async fn server(status: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 1024]).await;
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    format!("http://{address}/x")
}

fn refusing(urls: &[String]) -> Listener {
    Listener {
        allow: Vec::new(),
        must_refuse: urls.to_vec(),
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_listener_of_this_host_is_found_and_judged() {
    let loopback = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = loopback.local_addr().unwrap().port();
    let target = || Target::of(tenant(Some(port), None));
    let finding = asked(&allowing(&[Allowed::Loopback]), target()).await;
    // Other specs of this process may listen beyond loopback at the same time, and are found as well.
    let seen = |seen: &str| {
        finding
            .evidence
            .iter()
            .any(|fact| fact.what == format!("port {port}") && fact.seen == seen)
    };
    assert!(seen(&format!("listens on 127.0.0.1:{port}")), "{finding:?}");
    let held = format!("(pid {})", std::process::id());
    assert!(
        finding.evidence.iter().any(|fact| fact.seen.ends_with(&held)),
        "{finding:?}"
    );
    let finding = asked(&allowing(&[]), target()).await;
    assert_eq!(finding.answer, Answer::Degraded);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn where_nothing_listens_it_is_the_gateway_checks_business() {
    let port = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap().port()
    };
    let finding = asked(&allowing(&[Allowed::Loopback]), Target::of(tenant(Some(port), None))).await;
    assert_eq!(
        (finding.answer, finding.summary),
        (Answer::Ok, format!("nothing listens on port {port}"))
    );
}

#[tokio::test]
async fn urls_that_refuse_are_ok_and_one_that_does_not_speaks() {
    let (refuses, lets_in) = (server("401 Unauthorized").await, server("200 OK").await);
    let finding = asked(&refusing(std::slice::from_ref(&refuses)), Scene::node().target).await;
    assert_eq!(
        (finding.answer, finding.summary.as_str()),
        (Answer::Ok, "1 URL refuses strangers")
    );
    let finding = asked(&refusing(&[refuses, lets_in.clone()]), Scene::node().target).await;
    assert_eq!(
        (finding.answer, finding.summary),
        (Answer::Degraded, format!("{lets_in}: answers 200 to a stranger"))
    );
}

#[tokio::test]
async fn a_url_that_cannot_be_filled_in_or_asked_is_our_mistake() {
    for url in ["http://127.0.0.1:{port}/", "http://a b/"] {
        let finding = asked(&refusing(&[url.to_owned()]), Target::of(tenant(None, None))).await;
        assert_eq!(finding.cause, Some(Cause::Misconfigured), "{url}");
    }
}

#[tokio::test]
async fn who_accepts_and_says_nothing_lets_nobody_in() {
    let mute = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", mute.local_addr().unwrap());
    let mut scene = Scene::node();
    scene.patience = Duration::from_millis(200);
    let finding = ask(&refusing(&[url]), &scene.ask()).await;
    assert_eq!(finding.answer, Answer::Ok, "{finding:?}");
}

#[test]
fn the_port_is_one_of_this_host_or_none() {
    for (port, gateway, expected) in [
        (Some(1), None, Some(1)),
        (None, None, None),
        (None, Some("ws://127.0.0.1:7"), Some(7)),
        (Some(1), Some("wss://localhost:7"), Some(1)),
        (Some(1), Some("wss://gateway.example:7"), None),
    ] {
        assert_eq!(port_here(&tenant(port, gateway)), expected, "{port:?} {gateway:?}");
    }
}
