#![expect(clippy::disallowed_methods, reason = "specs: virtual time")]

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{HEAD_BYTES_MAX, Wire, forgive_missing_host};

/// What is handed on of a head.
fn check(head: &str) -> String {
    let mut bytes = head.as_bytes().to_vec();
    forgive_missing_host(&mut bytes);
    String::from_utf8(bytes).unwrap()
}

/// What comes out when `pieces` go in, one after the other.
fn through(pieces: &[&[u8]]) -> Vec<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (client, server) = tokio::io::duplex(64 * 1024);
        let mut wire = Wire::new(server);
        let write = async move {
            let mut client = client;
            for piece in pieces {
                client.write_all(piece).await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        let mut out = Vec::new();
        let (_, read) = tokio::join!(write, wire.read_to_end(&mut out));
        read.unwrap();
        out
    })
}

#[test]
fn a_head_without_host_becomes_http_1_0() {
    assert_eq!(check("GET /ready HTTP/1.1\r\n\r\n"), "GET /ready HTTP/1.0\r\n\r\n");
    assert_eq!(
        check("GET / HTTP/1.1\nAccept: */*\n\n"),
        "GET / HTTP/1.0\nAccept: */*\n\n"
    );
    assert_eq!(
        check("GET / HTTP/1.1\r\nX-Host: a\r\n\r\n"),
        "GET / HTTP/1.0\r\nX-Host: a\r\n\r\n"
    );
}

#[test]
fn every_other_head_is_left_alone() {
    for head in [
        "GET /ready HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /ready HTTP/1.1\r\nAccept: */*\r\nHOST:a\r\n\r\n",
        "GET /ready HTTP/1.0\r\n\r\n",
        "GET /ready\r\n\r\n",
        "GET /HTTP/1.1\r\n\r\n",
        "\r\n\r\n",
        "",
    ] {
        assert_eq!(check(head), head);
    }
}

#[test]
fn bytes_pass_unchanged_however_they_are_cut() {
    let head = b"GET /ready HTTP/1.1\r\n\r\n";
    let body = b"GET /next HTTP/1.1\r\n\r\n".repeat(500);
    let expected = [b"GET /ready HTTP/1.0\r\n\r\n".as_slice(), &body].concat();
    assert_eq!(through(&[head, &body]), expected);
    assert_eq!(through(&[&[head.as_slice(), &body].concat()]), expected);
    let bytes: Vec<&[u8]> = head.chunks(1).collect();
    assert_eq!(through(&bytes), b"GET /ready HTTP/1.0\r\n\r\n");
}

#[test]
fn a_head_that_never_ends_is_handed_on_as_it_is() {
    assert_eq!(through(&[b"GET /ready HTTP/1.1\r\n"]), b"GET /ready HTTP/1.1\r\n");
    let long = [b"GET /".as_slice(), &[b'x'; 3 * HEAD_BYTES_MAX]].concat();
    assert_eq!(through(&[&long]), long);
    assert_eq!(through(&[]), b"");
}

#[test]
fn a_write_that_nobody_reads_fails_after_the_patience() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime.unwrap().block_on(async {
        let (client, server) = tokio::io::duplex(16);
        let mut wire = Wire::with_patience(server, Duration::from_secs(20));
        let begun = tokio::time::Instant::now();
        let why = wire.write_all(&[0; 100]).await.unwrap_err();
        assert_eq!(
            (why.kind(), begun.elapsed().as_secs()),
            (std::io::ErrorKind::TimedOut, 20)
        );
        drop(client);
    });
}

#[test]
fn a_slow_reader_who_reads_is_waited_for() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime.unwrap().block_on(async {
        let (mut client, server) = tokio::io::duplex(16);
        let mut wire = Wire::with_patience(server, Duration::from_secs(20));
        let read = async move {
            let mut piece = [0; 16];
            for _ in 0..10 {
                tokio::time::sleep(Duration::from_secs(15)).await;
                client.read_exact(&mut piece).await.unwrap();
            }
        };
        let (_, written) = tokio::join!(read, wire.write_all(&[0; 160]));
        written.unwrap();
    });
}
