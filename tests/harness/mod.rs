//! A real readyd in a directory of its own, and a bounded way to wait for what it should come to say.
#![allow(dead_code, reason = "each test program uses its own part of the harness")]

pub mod authority;
pub mod backend;
pub mod cost;
pub mod dice;
pub mod gateway;
pub mod openclaw;
pub mod producer;
pub mod prometheus;
pub mod terminal;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

pub const READYD: &str = env!("CARGO_BIN_EXE_readyd");

/// How long anything may take on a busy machine before a spec gives up.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// One daemon with its own configuration, state and runtime directory.
#[derive(Debug)]
pub struct Node {
    pub dir: TempDir,
    pub port: u16,
    child: Option<Child>,
    environment: Vec<(String, String)>,
}

/// One HTTP answer.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Node {
    /// Starts with `config` (YAML without `listen`, `state_dir`, `runtime_dir`: those are ours) and waits
    /// until it answers.
    pub fn start(config: &str) -> Node {
        let node = Node::prepared(config);
        node.started()
    }

    /// Everything in place, nothing running.
    pub fn prepared(config: &str) -> Node {
        let dir = tempfile::Builder::new().prefix("readyd-spec-").tempdir().unwrap();
        let node = Node {
            port: free_port(),
            dir,
            child: None,
            environment: Vec::new(),
        };
        node.configure(config);
        // The load of the machine that runs the specs is not what they are about.
        let quiet = node.dir.path().join("probes.d");
        fs::create_dir(&quiet).unwrap();
        fs::write(quiet.join("host.yaml"), "name: host\nenabled: false\n").unwrap();
        // Nor an OpenClaw that it may not have: specs that bring one turn these on again.
        for name in ["config", "secrets", "security", "cost"] {
            fs::write(
                quiet.join(format!("{name}.yaml")),
                format!("name: {name}\nenabled: false\n"),
            )
            .unwrap();
        }
        node
    }

    pub fn started(mut self) -> Node {
        self.spawn();
        self.wait_until_it_answers();
        self
    }

    pub fn with_env(mut self, name: &str, value: &str) -> Node {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// Writes the configuration file anew; it is read at the next start or reload.
    pub fn configure(&self, config: &str) {
        let text = format!(
            "listen: 127.0.0.1:{}\nstate_dir: {}\nruntime_dir: {}\n{config}",
            self.port,
            self.state_dir().display(),
            self.runtime_dir().display(),
        );
        fs::write(self.config_path(), text).unwrap();
    }

    pub fn spawn(&mut self) {
        self.spawn_through(&[]);
    }

    /// Starts it through another program, which must become it: `prlimit --nofile=256 --`, say.
    pub fn spawn_through(&mut self, wrapper: &[&str]) {
        assert!(self.child.is_none(), "it runs already");
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_path())
            .unwrap();
        let mut command = self.command(&["serve"]);
        if let Some((program, arguments)) = wrapper.split_first() {
            let wrapped = std::mem::replace(&mut command, Command::new(program));
            command
                .args(arguments)
                .arg(wrapped.get_program())
                .args(wrapped.get_args());
            command
                .current_dir(self.dir.path())
                .env_remove("READYD_CONFIG")
                .env("HOME", self.dir.path());
            command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        }
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    /// `readyd ARGUMENTS` in this node's environment, with its configuration.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(READYD);
        command
            .args(arguments)
            .arg("--config")
            .arg(self.config_path())
            .current_dir(self.dir.path())
            .env_remove("READYD_CONFIG")
            .env("HOME", self.dir.path());
        for (name, value) in &self.environment {
            command.env(name, value);
        }
        command
    }

    pub fn cli(&self, arguments: &[&str]) -> Output {
        self.command(arguments).stdin(Stdio::null()).output().unwrap()
    }

    /// As [`Node::cli`], which must succeed; its standard output.
    pub fn cli_ok(&self, arguments: &[&str]) -> String {
        let output = self.cli(arguments);
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "readyd {arguments:?}: {}\n{stdout}\n{}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr),
            self.log()
        );
        stdout
    }

    /// So many deliveries of acme's to crm fail with 503.
    pub fn fails(&self, count: u32) {
        let count = count.to_string();
        let event = [
            "--tenant",
            "acme",
            "--endpoint",
            "crm",
            "--status",
            "503",
            "--count",
            &count,
        ];
        self.cli_ok(&[&["emit"][..], &event].concat());
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("it does not run").id()
    }

    /// SIGKILL, and wait until it is gone.
    pub fn kill(&mut self) {
        let mut child = self.child.take().expect("it does not run");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Starts it anew, whatever became of it: what still runs is killed.
    pub fn revive(&mut self) {
        if self.child.is_some() {
            self.kill();
        }
        self.spawn();
        self.wait_until_it_answers();
    }

    /// SIGTERM; how long it took to be gone.
    pub fn stop(&mut self) -> Duration {
        let mut child = self.child.take().expect("it does not run");
        let began = Instant::now();
        signal(child.id(), "TERM");
        while child.try_wait().unwrap().is_none() {
            assert!(began.elapsed() < PATIENCE, "it does not end at SIGTERM\n{}", self.log());
            pause();
        }
        began.elapsed()
    }

    pub fn is_running(&mut self) -> bool {
        self.child
            .as_mut()
            .is_some_and(|child| child.try_wait().unwrap().is_none())
    }

    /// Waits for it to end by itself.
    pub fn ended(&mut self) -> std::process::ExitStatus {
        let mut child = self.child.take().expect("it does not run");
        let began = Instant::now();
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return status;
            }
            assert!(began.elapsed() < PATIENCE, "it does not end by itself");
            pause();
        }
    }

    /// As [`Node::wait_until_it_answers`], of a node that is not expected to end.
    pub fn wait_for_an_answer(&self) {
        self.until("/livez", PATIENCE, |answer| answer.status == 200);
    }

    pub fn wait_until_it_answers(&mut self) {
        let began = Instant::now();
        loop {
            if let Some(status) = self.child.as_mut().and_then(|child| child.try_wait().unwrap()) {
                panic!("readyd ended with {status} before it answered\n{}", self.log());
            }
            if self.try_get("/livez").is_some_and(|answer| answer.status == 200) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "it does not answer\n{}", self.log());
            pause();
        }
    }

    pub fn get(&self, path: &str) -> Answer {
        self.try_get(path)
            .unwrap_or_else(|| panic!("no answer to GET {path}\n{}", self.log()))
    }

    pub fn try_get(&self, path: &str) -> Option<Answer> {
        self.request(&format!(
            "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
        ))
    }

    /// Sends the bytes as they are; `None` when nothing readable came back.
    pub fn request(&self, bytes: &str) -> Option<Answer> {
        let stream = TcpStream::connect_timeout(&self.address(), Duration::from_secs(5)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
        exchange(stream, bytes)
    }

    /// As [`Node::try_get`], from an address of this host's loopback: as another host would, for those who count by address.
    pub fn try_get_from(&self, from: [u8; 4], path: &str) -> Option<Answer> {
        use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
        let socket = socket(AddressFamily::INET, SocketType::STREAM, None).ok()?;
        bind(&socket, &SocketAddr::from((from, 0))).ok()?;
        connect(&socket, &self.address()).ok()?;
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
        exchange(
            stream,
            &format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"),
        )
    }

    /// A request on `control.sock`.
    pub fn control(&self, method: &str, path: &str, body: &str) -> Answer {
        let stream = UnixStream::connect(self.runtime_dir().join("control.sock")).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        exchange(stream, &request).expect("an answer from control.sock")
    }

    pub fn events(&self) -> UnixStream {
        UnixStream::connect(self.runtime_dir().join("events.sock")).unwrap()
    }

    pub fn ready(&self) -> Value {
        self.get("/ready").json()
    }

    /// Asks `path` until `holds`, at most `patience`; the answer that held and how long it took.
    pub fn until(&self, path: &str, patience: Duration, holds: impl Fn(&Answer) -> bool) -> (Answer, Duration) {
        let began = Instant::now();
        loop {
            let answer = self.try_get(path);
            if let Some(answer) = &answer
                && holds(answer)
            {
                return (answer.clone(), began.elapsed());
            }
            assert!(
                began.elapsed() < patience,
                "after {patience:?} GET {path} still says {answer:#?}\n{}",
                self.log()
            );
            pause();
        }
    }

    /// Waits until the node's verdict is `status`.
    pub fn until_status(&self, status: &str, patience: Duration) -> (Value, Duration) {
        let (answer, took) = self.until("/ready", patience, |answer| {
            let body = answer.json();
            body["status"] == status && body["phase"] == "serving"
        });
        (answer.json(), took)
    }

    /// Waits until the node's verdict is one of `statuses`.
    pub fn until_status_any(&self, statuses: &[&str], patience: Duration) -> (Value, Duration) {
        let (answer, took) = self.until("/ready", patience, |answer| {
            let body = answer.json();
            body["phase"] == "serving" && statuses.iter().any(|status| body["status"] == *status)
        });
        (answer.json(), took)
    }

    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    pub fn config_path(&self) -> PathBuf {
        self.dir.path().join("readyd.yaml")
    }

    pub fn state_dir(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    pub fn runtime_dir(&self) -> PathBuf {
        self.dir.path().join("run")
    }

    pub fn log_path(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    /// The end of what it logged, for a failing spec to show.
    pub fn log(&self) -> String {
        let text = fs::read_to_string(self.log_path()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("not JSON ({error}): {}", self.body))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub fn signal(pid: u32, name: &str) {
    let status = Command::new("kill")
        .arg(format!("-{name}"))
        .arg(pid.to_string())
        .status()
        .unwrap();
    assert!(status.success(), "kill -{name} {pid}: {status}");
}

/// Between two looks at something outside of us that tells nobody when it changes.
pub fn pause() {
    std::thread::sleep(Duration::from_millis(20));
}

/// A program that a spec needs; under `CI=true` its absence is a failure, elsewhere the spec says that
/// it was left out.
pub fn peer(name: &str, places: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = places
        .iter()
        .map(PathBuf::from)
        .chain(std::env::split_paths(&path).map(|directory| directory.join(name)))
        .find(|candidate| candidate.is_file());
    if found.is_none() {
        let ci = std::env::var("CI").is_ok_and(|value| value == "true");
        assert!(!ci, "{name} is missing: run scripts/tools.sh");
        eprintln!("left out: {name} is missing (scripts/tools.sh installs it where it can)");
    }
    found
}

/// A spec that cannot run here says so; under `CI=true` that is a failure.
pub fn left_out(why: &str) {
    let ci = std::env::var("CI").is_ok_and(|value| value == "true");
    assert!(!ci, "cannot run here: {why}");
    eprintln!("left out: {why}");
}

pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn exchange<S: Read + Write>(mut stream: S, bytes: &str) -> Option<Answer> {
    stream.write_all(bytes.as_bytes()).ok()?;
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let status = line.split(' ').nth(1)?.parse().ok()?;
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            break;
        };
        headers.push((name.to_ascii_lowercase(), value.trim().to_string()));
    }
    let mut body = Vec::new();
    let length = headers
        .iter()
        .find(|(name, _)| name == "content-length")
        .and_then(|(_, value)| value.parse::<usize>().ok());
    let head = bytes.starts_with("HEAD");
    match length {
        Some(length) if !head => {
            body.resize(length, 0);
            reader.read_exact(&mut body).ok()?;
        }
        _ => {
            reader.read_to_end(&mut body).ok()?;
        }
    }
    Some(Answer {
        status,
        headers,
        body: String::from_utf8(body).ok()?,
    })
}
