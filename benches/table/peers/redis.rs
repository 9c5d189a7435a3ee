//! Counters in Redis with its append-only file, synced once a second (its default): a kill loses up to a second, and what
//! is sent again counts twice.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::Instant;

use super::{PIPELINED, Running};
use crate::harness::peer as program;
use crate::producer::Lines;

pub fn peer(lines: &Lines) -> Option<Box<dyn FnMut() -> f64>> {
    let program = program("redis-server", &["/usr/bin/redis-server"])?;
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("redis.sock");
    let mut command = Command::new(program);
    command.args(["--port", "0", "--save", "", "--appendonly", "yes", "--unixsocket"]);
    command.arg(&socket).arg("--dir").arg(directory.path());
    let running = Running::start(&mut command, || UnixStream::connect(&socket).is_ok());
    let batches = batches(lines.count);
    let count = lines.count;
    Some(Box::new(move || {
        let _kept = (&directory, &running);
        let mut stream = UnixStream::connect(&socket).unwrap();
        let mut answers = vec![0; 64 * 1024];
        let began = Instant::now();
        for (batch, wanted) in &batches {
            stream.write_all(batch).unwrap();
            let mut seen = 0;
            while seen < *wanted {
                let read = stream.read(&mut answers).unwrap();
                assert!(read > 0 && answers[0] != b'-', "redis refused");
                seen += answers[..read].iter().filter(|byte| **byte == b'\n').count();
            }
        }
        count as f64 / began.elapsed().as_secs_f64()
    }))
}

fn batches(count: usize) -> Vec<(Vec<u8>, usize)> {
    let firsts = (0..count).step_by(PIPELINED);
    let batch = |first: usize| {
        let seqs = first..(first + PIPELINED).min(count);
        let wanted = seqs.len();
        let mut bytes = Vec::new();
        for seq in seqs {
            let field = format!("https://hooks.example.net/v1/ep-{:05}|503", seq * 7 % 1_000);
            write!(
                bytes,
                "*4\r\n$7\r\nHINCRBY\r\n$4\r\nt000\r\n${}\r\n{field}\r\n$1\r\n1\r\n",
                field.len()
            )
            .unwrap();
        }
        (bytes, wanted)
    };
    firsts.map(batch).collect()
}
