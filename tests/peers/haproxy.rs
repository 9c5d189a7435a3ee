//! A real HAProxy takes the node out when it is down, and back when it is ok.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::harness::{Node, PATIENCE, free_port, pause, peer};

/// The server behind the load balancer: says one word to whoever connects.
struct Backend {
    port: u16,
    stop: Arc<AtomicBool>,
}

impl Backend {
    fn new() -> Backend {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let mut stream = stream;
                let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
                let _ = stream.read(&mut [0; 1024]);
                let _ = stream.write_all(b"HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\nhello");
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

struct Haproxy {
    child: Child,
    port: u16,
    _dir: tempfile::TempDir,
}

impl Haproxy {
    fn start(backend: &Backend, node: &Node) -> Option<Haproxy> {
        let program = peer("haproxy", &["/usr/sbin/haproxy"])?;
        let dir = tempfile::tempdir().unwrap();
        let port = free_port();
        let config = dir.path().join("haproxy.cfg");
        fs::write(
            &config,
            format!(
                "defaults\n  mode http\n  timeout connect 2s\n  timeout client 5s\n  timeout server 5s\n\
                 frontend in\n  bind 127.0.0.1:{port}\n  default_backend gateways\n\
                 backend gateways\n  option httpchk GET /ready\n  http-check expect status 200\n  \
                 server mac-1 127.0.0.1:{backend} check port {readyd} inter 200ms fall 2 rise 2\n",
                backend = backend.port,
                readyd = node.port,
            ),
        )
        .unwrap();
        let child = Command::new(program)
            .arg("-db")
            .arg("-f")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Some(Haproxy { child, port, _dir: dir })
    }

    /// Waits until a request through the load balancer is answered with `status`.
    fn until_answers(&self, status: u16) -> Duration {
        let began = Instant::now();
        loop {
            let seen = self.ask();
            if seen == Some(status) {
                return began.elapsed();
            }
            assert!(began.elapsed() < PATIENCE, "HAProxy answers {seen:?}, not {status}");
            pause();
        }
    }

    fn ask(&self) -> Option<u16> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n").ok()?;
        let mut answer = String::new();
        let _ = stream.read_to_string(&mut answer);
        answer.split(' ').nth(1)?.parse().ok()
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn haproxy_takes_the_node_out_on_down_and_back_on_ok() {
    let gateway = free_port();
    let node = Node::start(&format!(
        "tenants: {{acme: {{port: {gateway}}}}}\nprobes: {{doctor: {{enabled: false}}, gateway: {{url: 'http://127.0.0.1:{{port}}/', parse: exit-code, every: 1s, timeout: 1s, retry_every: 200ms}}}}\n"
    ));
    node.until_status("down", PATIENCE);
    let backend = Backend::new();
    let Some(haproxy) = Haproxy::start(&backend, &node) else {
        return;
    };
    haproxy.until_answers(503);

    let answering = TcpListener::bind(("127.0.0.1", gateway)).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let gateway_thread = std::thread::spawn(move || {
        for stream in answering.incoming().flatten() {
            if stopped.load(Ordering::Relaxed) {
                return;
            }
            let mut stream = stream;
            let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok");
        }
    });
    node.until_status("ok", PATIENCE);
    println!("back in after {:?}", haproxy.until_answers(200));

    stop.store(true, Ordering::Relaxed);
    let _ = TcpStream::connect(("127.0.0.1", gateway));
    gateway_thread.join().unwrap();
    node.until_status("down", PATIENCE);
    println!("taken out after {:?}", haproxy.until_answers(503));
}
