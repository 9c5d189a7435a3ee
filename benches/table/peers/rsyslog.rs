//! The lines themselves into a file, by rsyslog: nothing is counted, acknowledged or synced.

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::Running;
use crate::harness::{PATIENCE, free_port, peer as program};
use crate::producer::{LINES_A_WRITE, Lines};

pub fn peer(lines: &Lines) -> Option<Box<dyn FnMut() -> f64>> {
    let program = program("rsyslogd", &["/usr/sbin/rsyslogd"])?;
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path().display();
    let (port, out) = (free_port(), directory.path().join("out"));
    let config = directory.path().join("rsyslog.conf");
    let text = format!(
        "global(workDirectory=\"{at}\")\nmodule(load=\"imptcp\")\ninput(type=\"imptcp\" address=\"127.0.0.1\" port=\"{port}\")\n\
         template(name=\"raw\" type=\"string\" string=\"%rawmsg%\\n\")\naction(type=\"omfile\" file=\"{}\" template=\"raw\")\n",
        out.display()
    );
    fs::write(&config, text).unwrap();
    let mut command = Command::new(program);
    command
        .arg("-n")
        .arg("-f")
        .arg(&config)
        .arg("-i")
        .arg(directory.path().join("pid"));
    let running = Running::start(&mut command, || TcpStream::connect(("127.0.0.1", port)).is_ok());
    let lines = lines.clone();
    Some(Box::new(move || {
        let _kept = (&directory, &running);
        let size = || fs::metadata(&out).map_or(0, |metadata| metadata.len());
        let wanted = size() + lines.bytes.len() as u64;
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let began = Instant::now();
        for part in lines.writes(LINES_A_WRITE) {
            stream.write_all(part).unwrap();
        }
        while size() < wanted {
            assert!(began.elapsed() < PATIENCE, "{} of {wanted} bytes", size());
            thread::sleep(Duration::from_millis(1));
        }
        lines.count as f64 / began.elapsed().as_secs_f64()
    }))
}
