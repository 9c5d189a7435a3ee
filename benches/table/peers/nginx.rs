//! nginx that says what readyd said, from its configuration.

use std::fs;
use std::net::TcpStream;
use std::process::Command;

use tempfile::TempDir;

use super::Running;
use crate::harness::{Answer, free_port, peer};
use crate::nodes::server_core;

#[derive(Debug)]
pub struct Nginx {
    pub port: u16,
    _running: Running,
    _directory: TempDir,
}

impl Nginx {
    /// One worker on the server's core; the body and the headers of `answer`.
    pub fn start(answer: &Answer) -> Option<Nginx> {
        let program = peer("nginx", &["/usr/sbin/nginx"])?;
        let directory = tempfile::tempdir().unwrap();
        let at = directory.path().display();
        let port = free_port();
        let body = answer.body.replace('\\', "\\\\").replace('\'', "\\'");
        let content_type = answer.header("content-type").unwrap();
        let cache_control = answer.header("cache-control").unwrap();
        let text = format!(
            "worker_processes 1; daemon off; pid {at}/pid; error_log {at}/error.log;\n\
             events {{ worker_connections 1024; }}\n\
             http {{ access_log off; server_tokens off; keepalive_requests 1000000000; default_type {content_type};\n\
             server {{ listen 127.0.0.1:{port}; location = /ready {{\n\
             add_header cache-control {cache_control}; return 200 '{body}'; }} }} }}\n"
        );
        let config = directory.path().join("nginx.conf");
        fs::write(&config, text).unwrap();
        let through = server_core();
        let mut command = Command::new(through.first().map_or(program.to_str().unwrap(), |first| *first));
        if through.len() > 1 {
            command.args(&through[1..]).arg(&program);
        }
        command
            .arg("-e")
            .arg(directory.path().join("error.log"))
            .arg("-c")
            .arg(&config);
        let running = Running::start(&mut command, || TcpStream::connect(("127.0.0.1", port)).is_ok());
        Some(Nginx {
            port,
            _running: running,
            _directory: directory,
        })
    }
}
