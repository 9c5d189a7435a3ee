//! A real HAProxy takes the node out when it is down, and back when it is ok.

use std::fs;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::harness::backend::{self, Backend};
use crate::harness::{Node, PATIENCE, free_port, pause, peer};

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
            let seen = backend::ask(self.port).map(|(status, _)| status);
            if seen == Some(status) {
                return began.elapsed();
            }
            assert!(began.elapsed() < PATIENCE, "HAProxy answers {seen:?}, not {status}");
            pause();
        }
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
    let backend = Backend::saying("hello");
    let Some(haproxy) = Haproxy::start(&backend, &node) else {
        return;
    };
    haproxy.until_answers(503);

    let answering = Backend::on(TcpListener::bind(("127.0.0.1", gateway)).unwrap(), "ok");
    node.until_status("ok", PATIENCE);
    println!("back in after {:?}", haproxy.until_answers(200));

    drop(answering);
    node.until_status("down", PATIENCE);
    println!("taken out after {:?}", haproxy.until_answers(503));
}
