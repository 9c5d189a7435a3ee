//! Requests that two parsers read in two ways, and heads without measure: on the public listener, on `control.sock`, and
//! behind real proxies.

mod proxies;
mod variants;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crate::harness::{Node, PATIENCE, pause};
use crate::polled::{Slowest, has_not_panicked, is_ok, while_asked, while_polled};
use crate::tally::{Fault, Tally};
use proxies::Proxy;
use variants::{Sees, Surface, Variant, variants};

pub const FAULTS: &[Fault] = &[
    Fault {
        name: "smuggling-public",
        done: "requests that can be read in two ways, and oversized or malformed heads, on the public listener",
        promise: "one answer a request that a strict parser sees; what is ambiguous is refused and the connection closed",
        run: |_| direct(Surface::Public),
    },
    Fault {
        name: "smuggling-control",
        done: "the same on control.sock, with a drain hidden in each",
        promise: "the hidden request changes no state",
        run: |_| direct(Surface::Control),
    },
    Fault {
        name: "smuggling-haproxy",
        done: "the same through HAProxy that keeps its connections to the node",
        promise: "the node sees no more requests than the proxy handed on, and nobody gets another's answer",
        run: |_| behind(Proxy::haproxy),
    },
    Fault {
        name: "smuggling-nginx",
        done: "the same through nginx that keeps its connections to the node",
        promise: "the node sees no more requests than the proxy handed on, and nobody gets another's answer",
        run: |_| behind(Proxy::nginx),
    },
];

/// After so much silence the connection is taken for kept.
const SILENCE: Duration = Duration::from_secs(2);
/// A head may take 5 s, a body 10 s: by then what is not whole has been given up.
const GIVEN_UP: Duration = Duration::from_secs(20);

/// What came back on one connection.
#[derive(Debug, Default)]
struct Heard {
    /// Without 1xx.
    statuses: Vec<u16>,
    is_closed: bool,
}

fn node() -> Node {
    let node = Node::start("tenants: {acme: {}}\nprobes: {doctor: {enabled: false}}\n");
    node.until_status("ok", PATIENCE);
    node
}

fn direct(surface: Surface) -> Tally {
    let node = node();
    let (mut tally, mut slowest) = (Tally::default(), Slowest::default());
    let variants = variants(surface);
    let (heard, took) = while_polled(&node, is_ok, || {
        all_at_once(&variants, true, || connect(&node, surface))
    });
    slowest.note(took, "all at once");
    for (variant, heard) in variants.iter().zip(heard) {
        tally.round(variant.name, || {
            variant.judge(&heard.unwrap_or_else(|why| panic!("{why}")))
        });
    }
    tally.round("the hidden request was not done", || {
        assert_eq!(hidden_seen(&node), 0, "somebody asked for /startupz");
        assert_eq!(node.ready()["status"], "ok", "{}", node.ready());
        let history = node.get("/v1/history?span=1h").json();
        assert_eq!(history["subjects"][0]["seconds"]["draining"], 0.0, "{history:#}");
        has_not_panicked(&node);
    });
    tally.with_figure(slowest.told())
}

/// A few at a time: each waits more than it works.
fn all_at_once<S: Stream>(
    variants: &[Variant],
    is_patient: bool,
    connect: impl Fn() -> S + Sync,
) -> Vec<Result<Heard, String>> {
    const AT_ONCE: usize = 48;
    let mut all = Vec::new();
    for some in variants.chunks(AT_ONCE) {
        let heard: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = some
                .iter()
                .map(|variant| scope.spawn(|| say(connect(), variant, is_patient)))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        all.extend(heard);
    }
    all
}

trait Stream: Read + Write + Send {
    fn patience(&self, patience: Duration);
}

impl Stream for Box<dyn Stream> {
    fn patience(&self, patience: Duration) {
        self.as_ref().patience(patience);
    }
}

impl Stream for TcpStream {
    fn patience(&self, patience: Duration) {
        self.set_read_timeout(Some(patience)).unwrap();
    }
}

impl Stream for UnixStream {
    fn patience(&self, patience: Duration) {
        self.set_read_timeout(Some(patience)).unwrap();
    }
}

fn connect(node: &Node, surface: Surface) -> Box<dyn Stream> {
    match surface {
        Surface::Public => Box::new(TcpStream::connect(node.address()).unwrap()),
        Surface::Control => Box::new(UnixStream::connect(node.runtime_dir().join("control.sock")).unwrap()),
    }
}

/// Says it all, and hears until the end or until nothing more comes.
fn say(mut stream: impl Stream, variant: &Variant, is_patient: bool) -> Result<Heard, String> {
    let pieces: Vec<&[u8]> = match variant.piece {
        0 => vec![&variant.bytes],
        piece => variant.bytes.chunks(piece).collect(),
    };
    for piece in pieces {
        if stream.write_all(piece).is_err() {
            // It was refused before it was whole.
            break;
        }
    }
    let (mut bytes, began) = (Vec::new(), Instant::now());
    let mut is_closed = false;
    stream.patience(SILENCE);
    while began.elapsed() < GIVEN_UP {
        let mut piece = [0; 4096];
        match stream.read(&mut piece) {
            Ok(0) => is_closed = true,
            Ok(length) => bytes.extend_from_slice(&piece[..length]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => is_closed = true,
            // Whoever should be refused and is not yet, may be waited for.
            Err(_) if is_patient && matches!(variant.sees, Sees::Refused | Sees::Last) => {}
            Err(_) => break,
        }
        if is_closed {
            break;
        }
    }
    let statuses = statuses(&bytes, variant.is_head())?;
    Ok(Heard { statuses, is_closed })
}

/// Of the answers, one after the other; an answer that is not whole is an error.
fn statuses(mut bytes: &[u8], is_head: bool) -> Result<Vec<u16>, String> {
    let mut statuses = Vec::new();
    while !bytes.is_empty() {
        let told = || String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
        let end = memchr::memmem::find(bytes, b"\r\n\r\n").ok_or_else(|| format!("no whole head: {}", told()))? + 4;
        let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
        let status: u16 = head
            .strip_prefix("http/1.")
            .and_then(|rest| rest.get(2..5)?.parse().ok())
            .ok_or_else(|| format!("no status line: {}", told()))?;
        let field = |name: &str| {
            head.lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        };
        let length: usize = match field("content-length") {
            Some(length) if !is_head && status != 304 => length.parse().unwrap(),
            _ => 0,
        };
        if status >= 200 {
            statuses.push(status);
        }
        bytes = bytes.get(end + length..).ok_or("a body that is not whole")?;
    }
    Ok(statuses)
}

fn behind(start: fn(&Node) -> Option<Proxy>) -> Tally {
    let node = node();
    let Some(proxy) = start(&node) else {
        return Tally::left_out("the proxy is missing");
    };
    let mut tally = Tally::default();
    let variants = variants(Surface::Public);
    let (seen, handed_on) = (requests_seen(&node), proxy.handed_on());
    // Somebody else's answers come by the same connections to the node: a stray one would be theirs.
    let ask = || proxy.ask("/ready");
    let (heard, slowest) = while_asked(&ask, &node, is_ok, || {
        all_at_once(&variants, false, || TcpStream::connect(proxy.address()).unwrap())
    });
    for (variant, heard) in variants.iter().zip(heard) {
        tally.round(variant.name, || {
            // How many requests it is, is for the proxy to say, and to some it says no in a language of its own.
            match heard {
                Ok(heard) => assert!(heard.statuses.len() <= 2, "{heard:?}"),
                Err(why) => assert_eq!(variant.sees, Sees::Refused, "{why}"),
            }
        });
    }
    tally.round("as many as the proxy handed on", || {
        // The first look at the metrics is one that the second counts.
        let seen = requests_seen(&node) - seen - 1;
        // It writes its log a moment after its answers.
        let (mut proxied, began) = (0, Instant::now());
        while proxied < seen && began.elapsed() < Duration::from_secs(5) {
            proxied = proxy.handed_on() - handed_on;
            pause();
        }
        assert!(
            seen <= proxied,
            "the proxy handed on {proxied} requests, and the node saw {seen}"
        );
        assert!(
            seen * 2 > proxied,
            "the proxy handed on {proxied} requests, and the node saw but {seen}"
        );
        has_not_panicked(&node);
    });
    tally.with_figure(format!("slowest /ready through it {} ms", slowest.as_millis()))
}

fn requests_seen(node: &Node) -> u64 {
    counted(node, "readyd_http_request_duration_seconds_count{")
}

fn hidden_seen(node: &Node) -> u64 {
    counted(
        node,
        "readyd_http_request_duration_seconds_count{code=\"200\",route=\"/startupz\"",
    )
}

fn counted(node: &Node, begins: &str) -> u64 {
    let metrics = node.get("/metrics").body;
    let counts = metrics.lines().filter(|line| line.starts_with(begins));
    counts
        .map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap())
        .sum()
}
