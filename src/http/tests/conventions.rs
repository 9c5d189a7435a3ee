//! What holds for every route: HEAD, methods, slashes, validators, compression.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use actix_web::web::Bytes;

use super::build::{Build, degraded};
use super::listen::{Answered, ask, get, served};
use crate::http::reply::Reply;
use crate::http::route::{Surface, all};
use crate::http::transfer::{Wanted, lightened};
use crate::words::Level;

/// Every path of a TCP listener, with names that are there, but for the one without an end.
fn targets() -> Vec<String> {
    let names = |pattern: &str| pattern.replace("{tenant}", "acme").replace("{check}", "doctor");
    let patterns = all(Surface::Public).map(|(_, pattern, _)| pattern);
    patterns.filter(|pattern| *pattern != "/v1/stream").map(names).collect()
}

fn revalidated() -> Vec<String> {
    let of = |target: &String| target.starts_with("/v1/") || target == "/openapi.json";
    targets().into_iter().filter(of).collect()
}

/// As [`ask`], with the body as it is.
fn bytes(address: SocketAddr, target: &str, headers: &str) -> (Answered, Vec<u8>) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(std::time::Duration::from_secs(20)))
        .unwrap();
    let headers = headers.replace('\n', "\r\n");
    let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{headers}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    (Answered::parse(&head), answer.split_off(end))
}

fn unpacked(gzip: &[u8]) -> String {
    let mut text = String::new();
    flate2::read::GzDecoder::new(gzip).read_to_string(&mut text).unwrap();
    text
}

/// A node with so much to say that it is worth compressing.
fn large() -> Build {
    (0..60).fold(degraded(), |build, number| {
        build.check(&format!("probe-{number:02}"), Level::Down, "refused")
    })
}

#[test]
fn every_route_has_a_date_a_type_a_head_and_forgives_a_slash() {
    let (_stage, _running, address) = served();
    let mut seen = 0;
    for target in targets() {
        let got = get(address, &target);
        assert_eq!(got.status, 200, "{target}");
        assert!(got.header("date").is_some(), "{target}");
        let content_type = got.header("content-type").unwrap();
        assert!(
            content_type == "application/json" || content_type.ends_with("; charset=utf-8"),
            "{target}: {content_type}"
        );
        assert!(!got.head.to_ascii_lowercase().contains("access-control-"), "{target}");
        if !target.ends_with('/') {
            assert_eq!(get(address, &format!("{target}/")).status, 200, "{target}/");
        }
        let headed = ask(address, "HEAD", &target, "");
        if target != "/metrics" {
            assert_eq!(headed.transcript(), got.transcript(), "{target}");
        }
        assert_eq!((headed.status, headed.body.as_str()), (200, ""), "{target}");
        let options = ask(address, "OPTIONS", &target, "Origin: http://evil.example\n");
        assert_eq!(
            (options.status, options.header("allow")),
            (405, Some("GET, HEAD")),
            "{target}"
        );
        seen += 1;
    }
    assert!(seen > 10);
}

#[test]
fn what_needs_no_encoding_is_the_same_encoded_and_a_slash_separates_only_as_itself() {
    let (_stage, _running, address) = served();
    for target in [
        "/ready/%61cme",
        "/%72eady/acme",
        "/ready/ac%6De/",
        "/v1/checks/doctor/%61%63%6d%65",
    ] {
        assert_eq!(get(address, target).status, 200, "{target}");
    }
    for target in [
        "/ready%2Facme",
        "/ready/%2561cme",
        "/ready/acme%",
        "/ready/acme%zz",
        "/ready/acme%C3%A9",
        "/ready/%00",
    ] {
        assert_eq!(get(address, target).status, 404, "{target}");
    }
}

#[test]
fn a_target_without_measure_is_refused_as_what_it_is() {
    let (_stage, _running, address) = served();
    let padded = |bytes: usize| format!("/ready?x={}", "x".repeat(bytes));
    assert_eq!(get(address, &padded(8_000)).status, 200);
    let long = get(address, &padded(9_000));
    assert_eq!((long.status, long.header("cache-control")), (414, Some("no-store")));
    assert!(long.json()["hint"].is_string());
    assert_eq!(get(address, &padded(70_000)).status, 400, "longer than actix reads");
}

#[test]
fn what_a_client_has_is_not_sent_again() {
    let (_stage, _running, address) = served();
    for target in revalidated() {
        let first = get(address, &target);
        let etag = first
            .header("etag")
            .unwrap_or_else(|| panic!("{target}: {}", first.head));
        assert!(etag.starts_with("W/\"") && etag.len() == 36, "{target}: {etag}");
        assert_eq!(first.header("cache-control"), Some("no-cache"), "{target}");
        assert_eq!(first.header("vary"), Some("accept-encoding"), "{target}");
        // The digest says when it was asked: another second is another text.
        if target == "/v1/webhook-digest" {
            continue;
        }
        let strong = etag.trim_start_matches("W/");
        for known in [
            etag,
            strong,
            "*",
            &format!("\"other\", {etag}"),
            &format!("W/\"x\",{strong}"),
        ] {
            let again = ask(address, "GET", &target, &format!("If-None-Match: {known}\n"));
            assert_eq!((again.status, again.body.as_str()), (304, ""), "{target} {known}");
            assert_eq!(again.header("etag"), Some(etag), "{target}");
            assert_eq!(again.header("cache-control"), Some("no-cache"), "{target}");
            assert_eq!(again.header("content-length"), None, "{target}");
            assert_eq!(again.header("content-type"), None, "{target}");
        }
        let head = ask(address, "HEAD", &target, &format!("If-None-Match: {etag}\n"));
        assert_eq!(head.status, 304, "{target}");
        for unknown in ["\"other\"", "", "W/\"\"", "nonsense", strong.trim_matches('"')] {
            let again = ask(address, "GET", &target, &format!("If-None-Match: {unknown}\n"));
            assert_eq!(
                (again.status, again.body.len()),
                (200, first.body.len()),
                "{target} {unknown}"
            );
        }
        let two_lines = ask(
            address,
            "GET",
            &target,
            &format!("If-None-Match: \"x\"\nIf-None-Match: {etag}\n"),
        );
        assert_eq!(two_lines.status, 304, "{target}");
    }
}

#[test]
fn another_text_is_another_tag_and_the_verdict_has_none() {
    let (stage, _running, address) = served();
    let tag = |target| get(address, target).header("etag").unwrap().to_owned();
    let before = (tag("/v1/status"), tag("/v1/checks"));
    // The same state a second later: ages are another text.
    let later = degraded().with(|snapshot| snapshot.made.at = snapshot.made.at + std::time::Duration::from_secs(1));
    stage.parts.board.publish(Arc::new(later.done()), Arc::default());
    let after = (tag("/v1/status"), tag("/v1/checks"));
    assert!(before.0 != after.0 && before.1 != after.1, "{before:?} {after:?}");
    let old = ask(address, "GET", "/v1/checks", &format!("If-None-Match: {}\n", before.1));
    assert_eq!(old.status, 200);
    for target in [
        "/ready",
        "/ready/acme",
        "/livez",
        "/startupz",
        "/metrics",
        "/nothing",
        "/v1/checks/nothing",
        "/v1/history?limit=0",
    ] {
        let answered = ask(address, "GET", target, "If-None-Match: *\n");
        assert_eq!(answered.header("etag"), None, "{target}");
        assert_eq!(answered.header("cache-control"), Some("no-store"), "{target}");
        assert_ne!(answered.status, 304, "{target}");
    }
}

#[test]
fn one_byte_is_enough_for_another_tag() {
    let tag = |text: &str| {
        let body = Bytes::from(text.to_owned());
        let reply = lightened(Reply::json(body), &Wanted::default(), true);
        reply
            .headers
            .iter()
            .find(|(name, _)| *name == "etag")
            .unwrap()
            .1
            .clone()
    };
    assert_eq!(tag("{}"), tag("{}"));
    assert_ne!(tag("{\"age_sec\": 1}"), tag("{\"age_sec\": 2}"));
}

#[test]
fn long_answers_are_compressed_for_those_who_take_it() {
    let (stage, _running, address) = served();
    stage.parts.board.publish(Arc::new(large().done()), Arc::default());
    for target in ["/v1/status", "/v1/checks", "/openapi.json", "/v1/status"] {
        let (plain, text) = bytes(address, target, "");
        assert_eq!(plain.header("content-encoding"), None);
        let (packed, gzip) = bytes(address, target, "Accept-Encoding: br, gzip;q=0.8\n");
        assert_eq!(packed.header("content-encoding"), Some("gzip"), "{target}");
        assert_eq!(packed.header("vary"), plain.header("vary"), "{target}");
        assert_eq!(
            packed.header("etag"),
            plain.header("etag"),
            "weak, and of the text: {target}"
        );
        assert_eq!(packed.header("content-length"), Some(gzip.len().to_string().as_str()));
        assert!(
            gzip.len() * 4 < text.len(),
            "{target}: {} of {}",
            gzip.len(),
            text.len()
        );
        assert_eq!(unpacked(&gzip), String::from_utf8(text).unwrap(), "{target}");
        let headed = ask(address, "HEAD", target, "Accept-Encoding: br, gzip;q=0.8\n");
        assert_eq!(headed.transcript(), packed.transcript(), "{target}");
    }
    let (metrics, gzip) = bytes(address, "/metrics", "Accept-Encoding: gzip\n");
    assert_eq!(metrics.header("content-encoding"), Some("gzip"));
    assert!(unpacked(&gzip).contains("readyd_status{"));
    let etag = get(address, "/v1/status").header("etag").unwrap().to_owned();
    let same = ask(
        address,
        "GET",
        "/v1/status",
        &format!("Accept-Encoding: gzip\nIf-None-Match: {etag}\n"),
    );
    assert_eq!((same.status, same.header("content-encoding")), (304, None));
}

#[test]
fn neither_the_verdict_nor_what_is_short_nor_a_stream_is_compressed() {
    let (stage, _running, address) = served();
    stage.parts.board.publish(Arc::new(large().done()), Arc::default());
    for target in [
        "/ready",
        "/ready/acme",
        "/ready?verbose",
        "/livez",
        "/v1/history",
        "/nothing",
    ] {
        let answered = ask(address, "GET", target, "Accept-Encoding: gzip\n");
        assert_eq!(answered.header("content-encoding"), None, "{target}");
    }
    assert!(get(address, "/ready").body.len() > 10_000, "and not for being short");
    let stream = ask(address, "HEAD", "/v1/stream", "Accept-Encoding: gzip\n");
    assert_eq!(stream.header("content-encoding"), None);
}
