//! A server on loopback for specs, and raw requests to it.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::oneshot;

use super::build::degraded;
use crate::digest::window_view;
use crate::engine::{Command, Done, Refused};
use crate::history::Report;
use crate::http::access::Access;
use crate::http::board::Board;
use crate::http::heartbeat::Heartbeat;
use crate::http::metrics::{IngestCounts, Metrics};
use crate::http::server::{Running, start_control, start_public};
use crate::http::site::Parts;
use crate::ingest::submit::Receipt;
use crate::readiness::snapshot::{Snapshot, Transition};
use crate::words::Reject;

/// The one aligned window that is stored: 2026-11-20T07:25:00Z.
pub const KEPT_WINDOW: i64 = 1_795_159_500;
/// Longer than anything a spec waits for.
const PATIENCE: Duration = Duration::from_secs(20);

/// Parts that know `snapshot`, and what was asked of them.
pub struct Stage {
    pub parts: Parts,
    /// `actor: command`, in order.
    pub asked: Arc<Mutex<Vec<String>>>,
}

pub fn stage(snapshot: Snapshot) -> Stage {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let note = |asked: &Arc<Mutex<Vec<String>>>| {
        let asked = Arc::clone(asked);
        move |what: String| asked.lock().unwrap().push(what)
    };
    let (commands, reloads, events) = (note(&asked), note(&asked), note(&asked));
    let access = Access {
        node: "mac-3".into(),
        ..Access::default()
    };
    let parts = Parts {
        board: Arc::new(Board::new(Arc::new(snapshot), Arc::default())),
        heartbeat: Arc::new(Heartbeat::new()),
        access: Arc::new(ArcSwap::from_pointee(access)),
        metrics: Metrics::new(Arc::new(IngestCounts::default), super::metrics::commits()).unwrap(),
        history: Arc::new(|query| {
            if query.limit == 13 {
                return Err("the disk is on fire".into());
            }
            let until = super::build::now().wall;
            let transition = Transition {
                at: until,
                tenant: query.tenant.clone(),
                probe: query.probe.clone(),
                from: "ok".into(),
                to: "degraded".into(),
                summary: format!("limit {}", query.limit),
                since: None,
                last_good_at: Some(until.plus_millis(-2000)),
                first_bad_at: None,
            };
            Ok(Report {
                node: "mac-3".into(),
                generated_at: until,
                from: until.plus_millis(-60_000),
                until,
                transitions: vec![transition],
                subjects: Vec::new(),
                truncated_before: None,
            })
        }),
        window: Arc::new(|start| Ok((start == KEPT_WINDOW).then(|| window_view(start, &[])))),
        command: Arc::new(move |actor, command| {
            let reply = match &command {
                Command::MaintenanceStart { tenant, .. } if tenant.as_str() == "nobody" => {
                    Err(Refused::UnknownTenant(tenant.clone()))
                }
                _ => Ok(Done {
                    message: "done".into(),
                    durable: true,
                }),
            };
            commands(format!("{actor}: {command:?}"));
            let (sender, receiver) = oneshot::channel();
            sender.send(reply).unwrap();
            receiver
        }),
        reload: Arc::new(move |actor| {
            reloads(format!("{actor}: reload"));
            let (sender, receiver) = oneshot::channel();
            sender.send(Ok("reloaded".into())).unwrap();
            receiver
        }),
        events: Arc::new(move |body, uid| {
            events(format!("uid {uid}: {} bytes of events", body.len()));
            Ok(Receipt {
                accepted: 1,
                rejected: vec![(2, Reject::NotJson)],
            })
        }),
        listen_troubles: Arc::new(|_| true),
    };
    Stage { parts, asked }
}

/// The contract's degraded node, served on a port of the system's choice.
pub fn served() -> (Stage, Running, SocketAddr) {
    let stage = stage(degraded().done());
    let running = start_public(stage.parts.clone(), "127.0.0.1:0".parse().unwrap(), 1).unwrap();
    let address = running.address.unwrap();
    (stage, running, address)
}

pub fn controlled(path: &Path) -> (Stage, Running) {
    let stage = stage(degraded().done());
    let running = start_control(stage.parts.clone(), path, 0o600).unwrap();
    (stage, running)
}

/// Sends `request` as it is (line feeds of the first head become CRLF) and reads until the server closes.
pub fn raw(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    exchange(&mut stream, request)
}

pub fn raw_unix(path: &Path, request: &str) -> String {
    let mut stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    exchange(&mut stream, request)
}

/// A request without a body that closes its connection.
pub fn ask(address: SocketAddr, method: &str, target: &str, headers: &str) -> Answered {
    let host = if headers.to_ascii_lowercase().contains("host:") {
        ""
    } else {
        "Host: localhost\n"
    };
    Answered::parse(&raw(
        address,
        &format!("{method} {target} HTTP/1.1\n{host}{headers}Connection: close\n\n"),
    ))
}

pub fn get(address: SocketAddr, target: &str) -> Answered {
    ask(address, "GET", target, "")
}

/// An HTTP answer, taken apart.
#[derive(Debug)]
pub struct Answered {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answered {
    pub fn parse(text: &str) -> Answered {
        let (head, body) = text
            .split_once("\r\n\r\n")
            .unwrap_or_else(|| panic!("no answer: {text:?}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answered {
            status,
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|why| panic!("{why}: {}", self.body))
    }

    /// The head without the date, sorted.
    pub fn transcript(&self) -> String {
        let mut lines: Vec<&str> = self
            .head
            .lines()
            .skip(1)
            .filter(|line| !line.starts_with("date:"))
            .collect();
        lines.sort_unstable();
        format!("{}\n{}\n", self.head.lines().next().unwrap(), lines.join("\n"))
    }
}

fn exchange(stream: &mut (impl Read + Write), request: &str) -> String {
    let (head, body) = request
        .split_once("\n\n")
        .map_or((request, ""), |(head, body)| (head, body));
    let end = if head.len() < request.len() { "\r\n\r\n" } else { "" };
    // A server that has already refused may have closed.
    let _ = stream.write_all(format!("{}{end}{}", head.replace('\n', "\r\n"), body).as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}
