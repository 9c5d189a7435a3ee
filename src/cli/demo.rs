//! Shell: `readyd demo`: the real daemon in a directory of its own, with two tenants and a day of trouble.
//!
//! Nothing of the daemon is simulated: it is this very program, started as `serve`, and its events come
//! in over `events.sock`. What stands in for two gateways answers `/readyz` as they do; with an
//! `openclaw` on the path the doctor is the real one.
#![expect(
    clippy::disallowed_methods,
    reason = "shell: makes a directory, starts the daemon and stand-ins for gateways"
)]

use std::env;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::clock;
use crate::words::Wall;

use super::Outcome;
use super::arguments::Demo;

const READY_WITHIN: Duration = Duration::from_secs(20);
const DAY_HOURS: i64 = 24;
const LISTEN: &str = "127.0.0.1:9099";
const GATEWAY: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: 47\r\n\r\n{\"ready\":true,\"failing\":[],\"uptimeMs\":86400000}";

pub fn run(options: &Demo) -> Outcome {
    let directory = Directory::make()?;
    let listen = listen_address(options)?;
    let openclaw = on_path("openclaw");
    let gateways = [stand_in()?, stand_in()?];
    let config = write_config(&directory.0, listen, gateways, openclaw.as_deref())?;
    let mut daemon = Daemon::start(&directory.0, &config)?;
    let socket = directory.0.join("run/events.sock");
    wait_for(&mut daemon, &socket, listen)?;
    let sent = replay_a_day(&socket)?;
    say_what_to_try(&directory.0, &config, listen, sent, openclaw.as_deref());
    daemon.stay(options.seconds.map(Duration::from_secs))?;
    println!("\nreadyd demo: stopped; {} is removed", directory.0.display());
    Ok(ExitCode::SUCCESS)
}

/// Ours alone, and gone with us.
struct Directory(PathBuf);

impl Directory {
    fn make() -> anyhow::Result<Directory> {
        let path = env::temp_dir().join(format!("readyd-demo-{}", std::process::id()));
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("{}", path.display()))?;
        Ok(Directory(path))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // Left behind at worst, in the directory for what is temporary.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The daemon, ended with us whatever happens.
struct Daemon(Child);

impl Daemon {
    fn start(directory: &Path, config: &Path) -> anyhow::Result<Daemon> {
        let log = fs::File::create(directory.join("log"))?;
        let child = Command::new(env::current_exe()?)
            .arg("serve")
            .arg("--config")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("the daemon could not be started")?;
        Ok(Daemon(child))
    }

    /// Until Ctrl-C, SIGTERM, the given time, or the daemon's own end.
    fn stay(&mut self, limit: Option<Duration>) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
            let limit = limit.unwrap_or(Duration::MAX / 4);
            let mut look = tokio::time::interval(Duration::from_millis(500));
            let over = tokio::time::sleep(limit.min(Duration::from_secs(30 * 86_400)));
            tokio::pin!(over);
            loop {
                tokio::select! {
                    _ = tokio::signal::ctrl_c() => return Ok(()),
                    _ = terminated.recv() => return Ok(()),
                    () = &mut over => return Ok(()),
                    _ = look.tick() => if let Some(status) = self.0.try_wait()? {
                        bail!("the daemon ended by itself: {status}");
                    },
                }
            }
        })
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.0.id()).ok().and_then(rustix::process::Pid::from_raw) {
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        // It ends within two seconds at SIGTERM; what does not is killed.
        for _ in 0..60 {
            if !matches!(self.0.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn listen_address(options: &Demo) -> anyhow::Result<SocketAddr> {
    if let Some(listen) = options.listen {
        return Ok(listen);
    }
    let usual: SocketAddr = LISTEN.parse()?;
    if TcpListener::bind(usual).is_ok() {
        return Ok(usual);
    }
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|directory| directory.join(program))
        .find(|candidate| candidate.is_file())
}

/// Answers every request on a free port as a healthy gateway's `/readyz` does.
fn stand_in() -> anyhow::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    std::thread::Builder::new()
        .name(format!("gateway-{port}"))
        .spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
                let _ = stream.read(&mut [0; 2048]);
                let _ = stream.write_all(GATEWAY);
            }
        })?;
    Ok(port)
}

fn write_config(
    directory: &Path,
    listen: SocketAddr,
    [acme, beta]: [u16; 2],
    openclaw: Option<&Path>,
) -> anyhow::Result<PathBuf> {
    let path_of_node = env::var_os("PATH").unwrap_or_default();
    let path: Vec<String> = env::split_paths(&path_of_node)
        .filter(|entry| entry.is_absolute())
        .map(|entry| format!("{:?}", entry.display().to_string()))
        .collect();
    for tenant in ["acme", "beta"] {
        let state = directory.join("openclaw").join(tenant);
        fs::create_dir_all(&state)?;
        fs::write(
            state.join("openclaw.json"),
            r#"{"gateway":{"mode":"local","bind":"loopback","auth":{"mode":"token","token":"demo-0123456789abcdef0123456789abcdef"}}}"#,
        )?;
    }
    let place = |what: &str| directory.join(what).display().to_string();
    let asked = openclaw.is_some();
    let text = format!(
        "node: demo\nlisten: {listen}\nstate_dir: {:?}\nruntime_dir: {:?}\nexec: {{path: [{}]}}\n\
         tenants:\n  acme: {{state_dir: {:?}, port: {acme}, endpoints: {{crm: {{budget: 50}}}}}}\n  beta: {{state_dir: {:?}, port: {beta}, required: false}}\n\
         probes:\n  doctor: {{enabled: {asked}}}\n  config: {{enabled: {asked}}}\n  secrets: {{enabled: {asked}}}\n",
        place("state"),
        place("run"),
        path.join(", "),
        place("openclaw/acme"),
        place("openclaw/beta"),
    );
    let config = directory.join("readyd.yaml");
    fs::write(&config, text)?;
    Ok(config)
}

fn wait_for(daemon: &mut Daemon, socket: &Path, listen: SocketAddr) -> anyhow::Result<()> {
    let began = clock::instant();
    loop {
        if socket.exists() && std::net::TcpStream::connect_timeout(&listen, Duration::from_millis(200)).is_ok() {
            return Ok(());
        }
        if let Some(status) = daemon.0.try_wait()? {
            bail!("the daemon ended at once ({status}); is {listen} free? try --listen 127.0.0.1:0");
        }
        if clock::instant().since(began) > READY_WITHIN {
            bail!("the daemon does not answer on {listen}");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// A day as gateways report it: a partner's outage in the morning, timeouts at noon, a few refusals
/// through the day, and a storm that is going on now.
fn replay_a_day(socket: &Path) -> anyhow::Result<u64> {
    let mut stream = UnixStream::connect(socket).with_context(|| format!("{}", socket.display()))?;
    let now = clock::now().wall;
    writeln!(
        stream,
        r#"{{"hello":{{"producer":"demo-gateway","epoch":"{}","now":{}}}}}"#,
        std::process::id(),
        now.as_millis()
    )?;
    let mut day = Day { stream, now, seq: 0 };
    for hour in (1..=DAY_HOURS).rev() {
        for minute in (0..60).step_by(5) {
            let ago = hour * 60 - minute;
            day.event("acme", "crm", r#""status":200"#, ago, 20)?;
            day.event(
                "beta",
                "https://hooks.partner.example/orders",
                r#""status":200"#,
                ago,
                8,
            )?;
            if hour == 9 {
                day.event(
                    "acme",
                    "crm",
                    r#""status":503,"error":"upstream connect error""#,
                    ago,
                    40,
                )?;
            }
            if hour == 4 {
                day.event(
                    "beta",
                    "https://hooks.partner.example/orders",
                    r#""kind":"timeout""#,
                    ago,
                    12,
                )?;
            }
            if minute == 30 {
                day.event("acme", "billing", r#""status":429"#, ago, 2)?;
            }
        }
    }
    day.event(
        "acme",
        "crm",
        r#""status":503,"error":"upstream connect error","request_id":"req-81""#,
        0,
        500,
    )?;
    day.event("acme", "crm", r#""kind":"timeout","attempt":4"#, 0, 12)?;
    day.event("beta", "https://hooks.partner.example/orders", r#""kind":"tls""#, 1, 3)?;
    day.acknowledged()
}

struct Day {
    stream: UnixStream,
    now: Wall,
    seq: u64,
}

impl Day {
    fn event(
        &mut self,
        tenant: &str,
        endpoint: &str,
        outcome: &str,
        minutes_ago: i64,
        count: u64,
    ) -> std::io::Result<()> {
        let ts = self.now.plus_millis(-minutes_ago * 60_000).as_millis();
        let mut lines = String::new();
        for _ in 0..count {
            self.seq += 1;
            lines.push_str(&format!(
                "{{\"tenant\":\"{tenant}\",\"endpoint\":\"{endpoint}\",{outcome},\"gateway\":\"gw-1\",\"ts\":{ts},\"seq\":{}}}\n",
                self.seq
            ));
        }
        self.stream.write_all(lines.as_bytes())
    }

    /// Waits for the acknowledgement of the last event; the connection stays open until the process ends,
    /// so that the tenants are not blind.
    fn acknowledged(self) -> anyhow::Result<u64> {
        self.stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        let mut reader = std::io::BufReader::new(&self.stream);
        let last = format!("{{\"ack\":{}}}", self.seq);
        let mut line = String::new();
        loop {
            line.clear();
            let read = std::io::BufRead::read_line(&mut reader, &mut line).context("no acknowledgement")?;
            if read == 0 {
                bail!("the daemon closed the connection before it acknowledged");
            }
            if line.trim_end() == last {
                break;
            }
        }
        let seq = self.seq;
        std::mem::forget(self.stream);
        Ok(seq)
    }
}

fn say_what_to_try(directory: &Path, config: &Path, listen: SocketAddr, sent: u64, openclaw: Option<&Path>) {
    let config = config.display();
    println!(
        "readyd demo: two tenants, {sent} deliveries of one day, in {}\n\n\
         \x20 curl http://{listen}/ready\n\
         \x20 curl http://{listen}/v1/webhook-digest\n\
         \x20 curl 'http://{listen}/v1/webhook-digest?window=last'\n\
         \x20 curl -s http://{listen}/metrics | grep readyd_webhook\n\
         \x20 readyd --config {config} status --all\n\
         \x20 readyd --config {config} explain webhook-digest@acme\n\
         \x20 readyd --config {config} maintenance start acme --for 10m --reason demo\n\
         \x20 readyd --config {config} drain --reason demo\n",
        directory.display()
    );
    match openclaw {
        Some(path) => println!("The doctor is the real one: {}", path.display()),
        None => {
            println!("No openclaw is on PATH, so doctor, config and secrets are off; with one they would be asked.")
        }
    }
    println!("Ctrl-C ends it and removes the directory.");
}
