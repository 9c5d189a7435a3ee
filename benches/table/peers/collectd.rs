//! A value an event on collectd's socket, kept by its CSV writer.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::Instant;

use super::{PIPELINED, Running};
use crate::harness::peer as program;
use crate::producer::Lines;

/// It is the slowest by far: of the lines, a part.
const EVENTS_MAX: usize = 50_000;

pub fn peer(lines: &Lines) -> Option<Box<dyn FnMut() -> f64>> {
    let program = program("collectd", &["/usr/sbin/collectd"])?;
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path().display();
    let socket = directory.path().join("sock");
    let config = directory.path().join("collectd.conf");
    let text = format!(
        "BaseDir \"{at}\"\nPIDFile \"{at}/pid\"\nTypesDB \"/usr/share/collectd/types.db\"\nLoadPlugin unixsock\nLoadPlugin csv\n\
         <Plugin unixsock>\nSocketFile \"{}\"\nSocketPerms \"0600\"\n</Plugin>\n<Plugin csv>\nDataDir \"{at}/csv\"\n</Plugin>\n",
        socket.display()
    );
    fs::write(&config, text).unwrap();
    let mut command = Command::new(program);
    command.arg("-f").arg("-C").arg(&config);
    let running = Running::start(&mut command, || UnixStream::connect(&socket).is_ok());
    let count = lines.count.min(EVENTS_MAX);
    Some(Box::new(move || {
        let _kept = (&directory, &running);
        let mut stream = UnixStream::connect(&socket).unwrap();
        let mut answers = vec![0; 64 * 1024];
        let began = Instant::now();
        for first in (0..count).step_by(PIPELINED) {
            let seqs = first..(first + PIPELINED).min(count);
            let wanted = seqs.len();
            let mut batch = Vec::new();
            for seq in seqs {
                writeln!(batch, "PUTVAL t000/webhooks-ep{:05}/derive N:{seq}", seq * 7 % 1_000).unwrap();
            }
            stream.write_all(&batch).unwrap();
            let mut seen = 0;
            while seen < wanted {
                let read = stream.read(&mut answers).unwrap();
                assert!(read > 0 && answers[0] != b'-', "collectd refused");
                seen += answers[..read].iter().filter(|byte| **byte == b'\n').count();
            }
        }
        count as f64 / began.elapsed().as_secs_f64()
    }))
}
