//! Prometheus's own exporter, as Debian ships it, with the collectors that it turns on by itself.

use std::net::TcpStream;
use std::process::Command;

use super::Running;
use crate::harness::{free_port, peer};

#[derive(Debug)]
pub struct NodeExporter {
    pub port: u16,
    running: Running,
}

impl NodeExporter {
    pub fn start() -> Option<NodeExporter> {
        let program = peer("prometheus-node-exporter", &["/usr/bin/prometheus-node-exporter"])?;
        let port = free_port();
        let mut command = Command::new(program);
        command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
        let running = Running::start(&mut command, || TcpStream::connect(("127.0.0.1", port)).is_ok());
        Some(NodeExporter { port, running })
    }

    pub fn pid(&self) -> u32 {
        self.running.pid()
    }
}
