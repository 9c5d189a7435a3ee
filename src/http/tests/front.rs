#![expect(clippy::disallowed_methods, reason = "specs: virtual time")]

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use expect_test::expect;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::build::{Build, degraded};
use super::listen::{served, stage};
use crate::http::front::question::Question;
use crate::http::front::{self, Dates};
use crate::http::server::{HEAD_PATIENCE, KEEP_ALIVE};
use crate::http::site::Site;
use crate::http::wire::Wire;
use crate::readiness::snapshot::Phase;
use crate::words::Level;

const READY: &str = "GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n";
/// Answered in front of the library; the connection stays there.
const BEFORE_FRONT: &str = "HEAD /livez HTTP/1.1\r\nHost: localhost\r\n\r\n";
/// The same, and for the library, which has the connection from then on.
const BEFORE_LIBRARY: &str = "HEAD /livez HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, x\r\n\r\n";

/// All that comes back when `before` was answered and then `bytes` are sent, without dates, headers sorted.
fn after(address: SocketAddr, before: &str, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.write_all(before.as_bytes()).unwrap();
    let mut answer = Vec::new();
    while !before.is_empty() && !answer.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        answer.push(byte[0]);
    }
    // Who has already been refused may find it closed.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let mut answers = Vec::new();
    if let Err(error) = stream.read_to_end(&mut answers) {
        assert_ne!(
            error.kind(),
            std::io::ErrorKind::WouldBlock,
            "{}",
            String::from_utf8_lossy(bytes)
        );
    }
    sorted(&String::from_utf8_lossy(&answers))
}

/// The library writes headers in the order of a hash: each head's are sorted. Bodies have no CRLF. Its 400 and 431 close the
/// connection in any case, and say so when nothing was asked of it before.
fn sorted(answers: &str) -> String {
    let mut out = Vec::new();
    let mut head: Vec<&str> = Vec::new();
    let mut is_refusal = false;
    for line in answers.split("\r\n") {
        let line = if line.starts_with("date: ") { "date" } else { line };
        if line.is_empty() || line.contains("HTTP/1.") {
            head.sort_unstable();
            out.append(&mut head);
            out.push(line);
            is_refusal = line.contains("HTTP/1.1 400") || line.contains("HTTP/1.1 431");
        } else if !(is_refusal && line == "connection: close") {
            head.push(line);
        }
    }
    out.append(&mut head);
    out.join("\n")
}

const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "OPTIONS", "get", "GETX", "CONNECT", "GET\t"];
const TARGETS: [&str; 30] = [
    "/ready",
    "/readyz",
    "/ready/",
    "/ready//",
    "//ready",
    "/ready/acme",
    "/ready/acme/",
    "/readyz/beta",
    "/ready/nobody",
    "/ready/ACME",
    "/ready/..",
    "/./ready",
    "/ready?",
    "/ready?verbose",
    "/ready?exclude=doctor",
    "/ready#livez",
    "/ready/%61cme",
    "/ready%2Facme",
    "/ready/ac%",
    "/ready/acme;a=b",
    "/ready/\u{e9}",
    "/livez",
    "/livez/x",
    "/startupz",
    "/v1/checks/nothing",
    "http://localhost/ready",
    "http://evil.example/ready",
    "*",
    "ready",
    "/ready HTTP/1.1 ",
];
/// Lines of a head after the request line. `H` stands for the one good `Host`.
const HEADERS: [&str; 74] = [
    "H",
    "",
    "Host: evil.example",
    "Host: [::1]:9099",
    "Host: LOCALHOST.",
    "Host:localhost\t",
    "Host:",
    "Host: mac-3:9099:1",
    "Host: localhost\u{e9}",
    "Host: local host",
    "Host : localhost",
    " Host: localhost",
    "H|H",
    "H|Host: evil.example",
    "H| folded",
    "H|\tfolded: 1",
    "H|Accept: application/json",
    "H|Accept: text/plain",
    "Host: evil.example|Accept: text/html",
    "Host: evil.example|Accept: application/json",
    "H|Accept: application/health+json;q=0.3, */*;q=0.1",
    "H|Accept: text/plain|Accept: application/json",
    "H|Accept: text/plain\u{e9}",
    "H|Accept:",
    "H|Authorization: Bearer s3cret",
    "H|Authorization: Bearer s3cret|Authorization: Bearer s3cre",
    "H|Connection: close",
    "H|Connection: keep-alive",
    "H|Connection: Keep-Alive",
    "H|Connection: keep-alive, close",
    "H|Connection: keep-alive|Connection: close",
    "H|Connection: upgrade",
    "H|Connection: content-length",
    "H|Connection:",
    "H|Keep-Alive: timeout=5",
    "H|Proxy-Connection: close",
    "H|Content-Length: 0",
    "H|Content-Length: 00",
    "H|Content-Length: 44",
    "H|Content-Length: +44",
    "H|Content-Length: -1",
    "H|Content-Length: 4, 4",
    "H|Content-Length: 0|Content-Length: 44",
    "H|Content-Length : 44",
    "H|Content-Length: 99999999999999999999",
    "H|content_length: 44",
    "H|Transfer-Encoding: chunked",
    "H|Transfer-Encoding: identity",
    "H|Transfer-Encoding: xchunked",
    "H|Transfer-Encoding:\tchunked",
    "H|Transfer-Encoding : chunked",
    "H|Transfer-Encoding: chunked|Transfer-Encoding: identity",
    "H|Transfer-Encoding: chunked|Content-Length: 44",
    "H|Transfer-Encoding: gzip, chunked",
    "H|TE: trailers",
    "H|Trailer: host",
    "H|Expect: 100-continue",
    "H|Expect: 100-continue|Content-Length: 44",
    "H|Upgrade: websocket|Connection: upgrade",
    "H|Upgrade: h2c",
    "H|HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
    "H|Origin: http://evil.example",
    "H|Referer: http://evil.example/ready?a",
    "H|Cookie: a=b; c=d",
    "H|If-None-Match: *",
    "H|Accept-Encoding: gzip",
    "H|Range: bytes=0-4",
    "H|X-HTTP-Method-Override: DELETE",
    "H|X-Forwarded-Host: evil.example",
    "H|X-Nul: a\0b",
    "H|X-Bell: a\u{7}b",
    "H|X-Cr: a\rb",
    "H|No colon",
    "H|: no name",
];

/// Request lines and headers in many combinations, each with what a smuggler would hang on.
fn variants() -> Vec<Vec<u8>> {
    let head = |line: &str, headers: &str, end: &str| {
        let headers: Vec<&str> = headers
            .split('|')
            .map(|header| if header == "H" { "Host: localhost" } else { header })
            .filter(|header| !header.is_empty())
            .collect();
        let lines: Vec<&str> = [line].into_iter().chain(headers).chain(["", ""]).collect();
        lines.join(end)
    };
    let mut heads = Vec::new();
    for method in METHODS {
        for target in TARGETS {
            heads.push(head(&format!("{method} {target} HTTP/1.1"), "H", "\r\n"));
        }
    }
    for headers in HEADERS {
        heads.push(head("GET /ready HTTP/1.1", headers, "\r\n"));
        heads.push(head("HEAD /ready/acme HTTP/1.1", headers, "\n"));
        heads.push(head("GET /livez HTTP/1.0", headers, "\r\n"));
        heads.push(head("POST /ready HTTP/1.1", headers, "\r\n"));
    }
    for line in [
        "GET /ready",
        "GET /ready HTTP/1.2",
        "GET /ready HTTP/2.0",
        "GET /ready http/1.1",
        "GET  /ready HTTP/1.1",
        " GET /ready HTTP/1.1",
        "\r\nGET /ready HTTP/1.1",
        "\nGET /ready HTTP/1.1",
        "GET /ready HTTP/1.1 ",
        "GET /ready\tHTTP/1.1",
        "",
        "\u{16}\u{3}\u{1}",
    ] {
        heads.push(head(line, "H", "\r\n"));
        heads.push(head(line, "H", "\n"));
        heads.push(head(line, "H", "\r"));
    }
    for (count, length) in [
        (14, 1),
        (15, 1),
        (16, 1),
        (95, 1),
        (96, 1),
        (1, 3000),
        (1, 5000),
        (1, 9000),
    ] {
        let more = format!("|X-Long: {}", "x".repeat(length)).repeat(count);
        heads.push(head("GET /ready HTTP/1.1", &format!("H{more}"), "\r\n"));
    }
    let next = "GET /readyz/beta HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let ends = [
        String::new(),
        next.to_owned(),
        format!("{next}{next}{}", &next[..30]),
        format!("0\r\n\r\n{next}"),
    ];
    let heads = heads.into_iter().enumerate();
    heads
        .map(|(number, head)| [head, ends[number % ends.len()].clone()].concat().into_bytes())
        .collect()
}

#[test]
fn the_same_bytes_are_answered_the_same_in_front_of_the_library_and_by_it() {
    let (_stage, _running, address) = served();
    let (mut plain, mut others) = (0, 0);
    let mut differ = Vec::new();
    for bytes in variants() {
        let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(2000)]).into_owned();
        let by_library = after(address, BEFORE_LIBRARY, &bytes);
        let mut check = |by_front: String| {
            if by_front != by_library {
                differ.push(format!("{shown:?}\n{by_front}\n-- by the library:\n{by_library}"));
            }
        };
        check(after(address, BEFORE_FRONT, &bytes));
        if Question::read(&bytes).is_some() {
            plain += 1;
            check(after(address, "", &bytes));
            assert!(by_library.starts_with("HTTP/1.1 "), "{shown:?}: {by_library}");
        } else {
            others += 1;
        }
    }
    assert!(
        differ.is_empty(),
        "{} differ:\n{}",
        differ.len(),
        differ[..differ.len().min(8)].join("\n")
    );
    assert!(plain > 60 && others > 300, "{plain} plain ones, {others} others");
}

#[test]
fn all_states_are_answered_the_same_in_front_of_the_library_and_by_it() {
    let (stage, _running, address) = served();
    let check = |build: Build| {
        stage.parts.board.publish(Arc::new(build.done()), Arc::default());
        for target in ["/ready", "/ready/acme", "/startupz", "/livez"] {
            for headers in [
                "Host: localhost",
                "Host: evil.example",
                "Host: localhost\r\nAccept: text/plain",
            ] {
                let bytes = format!("GET {target} HTTP/1.1\r\n{headers}\r\n\r\n");
                let by_front = after(address, BEFORE_FRONT, bytes.as_bytes());
                assert_eq!(by_front, after(address, BEFORE_LIBRARY, bytes.as_bytes()), "{bytes}");
            }
        }
        after(address, "", READY.as_bytes()).lines().next().unwrap().to_owned()
    };
    assert_eq!(check(degraded()), "HTTP/1.1 200 OK");
    assert_eq!(check(Build::node()), "HTTP/1.1 200 OK");
    assert_eq!(
        check(degraded().phase(Phase::Draining)),
        "HTTP/1.1 503 Service Unavailable"
    );
    assert_eq!(
        check(degraded().phase(Phase::Starting)),
        "HTTP/1.1 503 Service Unavailable"
    );
    assert_eq!(
        check(degraded().check("disk", Level::Down, "full")),
        "HTTP/1.1 503 Service Unavailable"
    );
}

#[test]
fn plain_is_what_load_balancers_ask() {
    let read =
        |text: &str| Question::read(text.replace('\n', "\r\n").as_bytes()).map(|question| question.path.to_owned());
    for plain in [
        "GET /ready HTTP/1.1\nHost: a\n\n",
        "GET /ready HTTP/1.1\nhost: 10.0.0.1:9099\nuser-agent: kube-probe/1.34\naccept: */*\n\n",
        "HEAD /ready HTTP/1.1\nHost: a\nConnection: keep-alive\nX-Forwarded-For: 10.0.0.1\n\n",
    ] {
        assert_eq!(read(plain).as_deref(), Some("/ready"), "{plain}");
    }
    for other in [
        "GET /ready HTTP/1.1\n\n",
        "GET /ready HTTP/1.0\nHost: a\n\n",
        "GET /ready HTTP/1.1\nHost: a\nHost: a\n\n",
        "GET /ready?a HTTP/1.1\nHost: a\n\n",
        "GET http://a/ready HTTP/1.1\nHost: a\n\n",
        "GET /ready HTTP/1.1\nHost: a\nContent-Length: 0\n\n",
        "GET /ready HTTP/1.1\nHost: a\nTransfer-Encoding: identity\n\n",
        "GET /ready HTTP/1.1\nHost: a\nConnection: close\n\n",
        "GET /ready HTTP/1.1\nHost: a\n",
        "POST /ready HTTP/1.1\nHost: a\n\n",
    ] {
        assert_eq!(read(other), None, "{other}");
    }
}

/// A connection in virtual time: what the client sees, and what the front does with it in the end.
fn connected<F: Future<Output = ()>>(
    client: impl FnOnce(DuplexStream, oneshot::Sender<()>) -> F,
) -> std::io::Result<Wire<DuplexStream>> {
    let site = Site::new(stage(degraded().done()).parts);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let (near, far) = duplex(64 * 1024);
        let (stop, stopped) = oneshot::channel();
        let dates = Dates::new();
        let stopping = async {
            if stopped.await.is_err() {
                std::future::pending().await
            }
        };
        let front = front::serve(Wire::new(far), &site, "127.0.0.1:1".parse().unwrap(), &dates, stopping);
        let (wire, ()) = tokio::join!(front, client(near, stop));
        wire
    })
}

async fn answer(stream: &mut DuplexStream) -> String {
    let mut bytes = vec![0; 64 * 1024];
    let length = stream.read(&mut bytes).await.unwrap();
    String::from_utf8_lossy(&bytes[..length]).into_owned()
}

#[test]
fn an_answer_is_one_write_of_head_and_body() {
    let _ = connected(|mut stream, _stop| async move {
        let question = "HEAD /ready/acme HTTP/1.1\r\nHost: localhost\r\nAccept: text/plain\r\n\r\n";
        stream.write_all(question.as_bytes()).await.unwrap();
        let answer = answer(&mut stream).await;
        let (head, date) = answer.split_once("date: ").unwrap();
        expect![[r#"
            HTTP/1.1 200 OK
            content-length: 75
            content-type: text/plain; charset=utf-8
            cache-control: no-store
            x-envoy-degraded: 1
        "#]]
        .assert_eq(&head.replace("\r\n", "\n"));
        assert_eq!(date.len(), "Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n".len(), "{date}");
        assert!(date.ends_with(" GMT\r\n\r\n"), "{date}");
    });
}

#[test]
fn who_asks_nothing_or_half_a_question_is_too_late_after_five_seconds() {
    for half in ["", "GET /ready HTTP/1.1\r\nHost: lo"] {
        let over = connected(|mut stream, _stop| async move {
            let begun = Instant::now();
            stream.write_all(half.as_bytes()).await.unwrap();
            let answer = answer(&mut stream).await;
            assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{answer}");
            assert!(answer.contains("connection: close\r\n"), "{answer}");
            assert_eq!(begun.elapsed().as_secs(), HEAD_PATIENCE.as_secs());
            assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
        });
        assert!(over.is_err());
    }
}

#[test]
fn an_idle_connection_is_kept_for_thirty_seconds_from_the_last_answer() {
    let over = connected(|mut stream, _stop| async move {
        for pause in [4, 20, 29, 29] {
            tokio::time::sleep(Duration::from_secs(pause)).await;
            stream.write_all(READY.as_bytes()).await.unwrap();
            assert!(answer(&mut stream).await.starts_with("HTTP/1.1 200 OK\r\n"));
        }
        let begun = Instant::now();
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
        assert_eq!(begun.elapsed().as_secs(), KEEP_ALIVE.as_secs());
    });
    assert!(over.is_err());
}

#[test]
fn an_idle_connection_ends_when_the_server_stops() {
    let over = connected(|mut stream, stop| async move {
        stream.write_all(READY.as_bytes()).await.unwrap();
        assert!(answer(&mut stream).await.starts_with("HTTP/1.1 200 OK\r\n"));
        let begun = Instant::now();
        stop.send(()).unwrap();
        assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
        assert_eq!(begun.elapsed(), Duration::ZERO);
    });
    assert!(over.is_err());
}

#[test]
fn the_first_bytes_that_are_no_plain_question_are_handed_over_with_all_that_follow() {
    for rest in [
        "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /ready HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n\r\n",
        "GET /ready HTTP/1.1\r\nHo",
    ] {
        let wire = connected(|mut stream, _stop| async move {
            stream
                .write_all(format!("{READY}{READY}{rest}").as_bytes())
                .await
                .unwrap();
            stream.write_all(b"and more").await.unwrap();
            let mut answers = String::new();
            while answers.matches("HTTP/1.1 200 OK\r\n").count() < 2 {
                answers += &answer(&mut stream).await;
            }
        });
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut handed_over = String::new();
        runtime
            .block_on(wire.unwrap().read_to_string(&mut handed_over))
            .unwrap();
        assert_eq!(handed_over, format!("{rest}and more"));
    }
}

#[test]
fn answers_to_many_questions_at_once_are_written_as_they_grow() {
    let _ = connected(|mut stream, _stop| async move {
        stream.write_all(READY.as_bytes()).await.unwrap();
        assert!(answer(&mut stream).await.starts_with("HTTP/1.1 200 OK\r\n"));
        // More answers than the pipe or the buffer holds.
        stream.write_all(READY.repeat(90).as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answers = String::new();
        stream.read_to_string(&mut answers).await.unwrap();
        assert_eq!(answers.matches("HTTP/1.1 200 OK\r\n").count(), 90);
    });
}
