//! HTTP load: as much as goes through (`wrk`), or one question a millisecond whose answers are timed.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::harness::peer;
use crate::nodes::load_core;

const CONNECTIONS: &str = "16";
const SECONDS: &str = "2s";
const EVERY: Duration = Duration::from_millis(1);

/// Requests a second over [`CONNECTIONS`] that are kept open; `None`: there is no `wrk` here.
pub fn requests_per_second(port: u16, path: &str) -> Option<f64> {
    let wrk = peer("wrk", &["/usr/bin/wrk"])?;
    let through = load_core();
    let program = through.first().map_or(wrk.to_str().unwrap(), |first| *first);
    let mut command = Command::new(program);
    if through.len() > 1 {
        command.args(&through[1..]).arg(&wrk);
    }
    command.args(["-t1", "-c", CONNECTIONS, "-d", SECONDS]);
    command.arg(format!("http://127.0.0.1:{port}{path}"));
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!text.contains("Socket errors"), "{text}");
    let line = text.lines().find_map(|line| line.strip_prefix("Requests/sec:"));
    Some(line.unwrap_or_else(|| panic!("{text}")).trim().parse().unwrap())
}

/// One question a millisecond on one connection, for `lasting`: how long each answer took.
pub fn answer_times(port: u16, path: &str, lasting: Duration) -> Vec<Duration> {
    let path = path.to_owned();
    // A thread of its own: what it is given goes with it.
    let asking = thread::spawn(move || {
        be_first();
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_nodelay(true).unwrap();
        let question = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        let mut times = Vec::new();
        let mut buffer = vec![0; 1 << 20];
        let began = Instant::now();
        while began.elapsed() < lasting {
            let asked = Instant::now();
            stream.write_all(question.as_bytes()).unwrap();
            read_answer(&mut stream, &mut buffer);
            times.push(asked.elapsed());
            thread::sleep(EVERY.saturating_sub(asked.elapsed()));
        }
        times
    });
    asking.join().unwrap()
}

/// Asks once on a new connection; how long until the answer was here.
pub fn answer_time(port: u16, path: &str) -> Duration {
    let began = Instant::now();
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let question = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(question.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert!(
        answer.starts_with(b"HTTP/1.1 200"),
        "{}",
        String::from_utf8_lossy(&answer[..answer.len().min(300)])
    );
    began.elapsed()
}

/// The one who asks is not to wait for the processor: what is timed is who answers. Without privileges it does.
fn be_first() {
    let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), -20);
}

fn read_answer(stream: &mut TcpStream, buffer: &mut [u8]) {
    let mut filled = 0;
    loop {
        let read = stream.read(&mut buffer[filled..]).unwrap();
        assert!(read > 0, "the server hung up");
        filled += read;
        let text = &buffer[..filled];
        let Some(head) = text.windows(4).position(|end| end == b"\r\n\r\n") else {
            continue;
        };
        let head_text = String::from_utf8_lossy(&text[..head]).to_ascii_lowercase();
        let length = head_text.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length.unwrap().trim().parse().unwrap();
        if filled >= head + 4 + length {
            return;
        }
    }
}
