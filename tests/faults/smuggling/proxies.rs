//! Real proxies before the public listener, which keep their connections to it for whoever comes next.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::harness::{Answer, Node, PATIENCE, free_port, pause, peer};

/// What a line of a proxy's log ends with for a request that it did not hand on.
const NOT_HANDED_ON: [&str; 2] = [" -", " <NOSRV>"];

/// Ended when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    child: Child,
    /// Where it is asked as the node is.
    client: Node,
    log: PathBuf,
}

impl Proxy {
    pub fn haproxy(node: &Node) -> Option<Proxy> {
        let program = peer("haproxy", &["/usr/sbin/haproxy"])?;
        let port = free_port();
        let text = format!(
            "global\n  log stdout format raw daemon\n\
             defaults\n  mode http\n  log global\n  log-format \"request %ST %s\"\n  timeout connect 2s\n  timeout client 5s\n  timeout server 5s\n  http-reuse always\n\
             frontend in\n  bind 127.0.0.1:{port}\n  default_backend node\n\
             backend node\n  http-request set-header Host localhost\n  server node 127.0.0.1:{}\n",
            node.port
        );
        let config = node.dir.path().join("haproxy.cfg");
        fs::write(&config, text).unwrap();
        let mut command = Command::new(program);
        command.arg("-db").arg("-f").arg(config);
        Some(Proxy::started(node, port, command))
    }

    pub fn nginx(node: &Node) -> Option<Proxy> {
        let program = peer("nginx", &["/usr/sbin/nginx"])?;
        let port = free_port();
        let dir = node.dir.path().display();
        let places: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|name| format!("  {name}_temp_path {dir}/nginx-{name};\n"))
            .collect();
        let text = format!(
            "daemon off;\npid {dir}/nginx.pid;\nerror_log {dir}/nginx.log;\nevents {{}}\nhttp {{\n  log_format f 'request $status $upstream_addr';\n  access_log {dir}/proxy.log f;\n{places}  \
             upstream node {{ server 127.0.0.1:{}; keepalive 4; }}\n  \
             server {{\n    listen 127.0.0.1:{port};\n    client_header_timeout 5s;\n    client_body_timeout 5s;\n    \
             location / {{ proxy_pass http://node; proxy_http_version 1.1; proxy_set_header Connection \"\"; \
             proxy_set_header Host localhost; proxy_request_buffering off; }}\n  }}\n}}\n",
            node.port
        );
        let config = node.dir.path().join("nginx.conf");
        fs::write(&config, text).unwrap();
        let mut command = Command::new(program);
        command.arg("-p").arg(node.dir.path()).arg("-c").arg(config);
        Some(Proxy::started(node, port, command))
    }

    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// How many requests it has handed on to the node so far, as it says itself.
    pub fn handed_on(&self) -> u64 {
        let log = fs::read_to_string(&self.log).unwrap();
        let is_handed_on =
            |line: &&str| line.starts_with("request ") && !NOT_HANDED_ON.iter().any(|end| line.ends_with(end));
        log.lines().filter(is_handed_on).count() as u64
    }

    pub fn ask(&self, path: &str) -> Option<Answer> {
        self.client.try_get(path)
    }

    fn started(node: &Node, port: u16, mut command: Command) -> Proxy {
        let log = node.dir.path().join("proxy.log");
        let said = fs::OpenOptions::new().create(true).append(true).open(&log).unwrap();
        command
            .stdin(Stdio::null())
            .stdout(said.try_clone().unwrap())
            .stderr(said);
        let child = command.spawn().unwrap();
        let mut client = Node::prepared("");
        client.port = port;
        let proxy = Proxy {
            port,
            child,
            client,
            log,
        };
        let began = Instant::now();
        while proxy.ask("/ready").is_none_or(|answer| answer.status != 200) {
            let said = fs::read_to_string(&proxy.log).unwrap_or_default();
            assert!(began.elapsed() < PATIENCE, "the proxy does not answer: {said}");
            pause();
        }
        proxy
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Nginx ends its workers at SIGTERM, and leaves them at SIGKILL.
        crate::harness::signal(self.child.id(), "TERM");
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(5) && self.child.try_wait().unwrap().is_none() {
            pause();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
