//! A server behind a load balancer, and who is asked through one.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Says one word to whoever connects, until it is dropped.
#[derive(Debug)]
pub struct Backend {
    pub port: u16,
    stop: Arc<AtomicBool>,
}

impl Backend {
    pub fn saying(word: &'static str) -> Backend {
        Backend::on(TcpListener::bind("127.0.0.1:0").unwrap(), word)
    }

    pub fn on(listener: TcpListener, word: &'static str) -> Backend {
        let port = listener.local_addr().unwrap().port();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
                let _ = stream.read(&mut [0; 1024]);
                let head = format!("HTTP/1.0 200 OK\r\ncontent-length: {}\r\n\r\n{word}", word.len());
                let _ = stream.write_all(head.as_bytes());
            }
        });
        Backend { port, stop }
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

/// The status and the body of `GET /` there; `None`: no answer.
pub fn ask(port: u16) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    stream
        .write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        .ok()?;
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Some((status, body.trim().to_owned()))
}

/// Who answered so many requests, and how often; those without a 200 by their status.
pub fn answers(port: u16, requests: usize) -> BTreeMap<String, usize> {
    let mut answers = BTreeMap::new();
    for _ in 0..requests {
        let who = match ask(port) {
            Some((200, body)) => body,
            Some((status, _)) => status.to_string(),
            None => "no answer".to_owned(),
        };
        *answers.entry(who).or_default() += 1;
    }
    answers
}
