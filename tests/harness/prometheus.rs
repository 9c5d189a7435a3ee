//! A real Prometheus that scrapes one node every second, and what it answers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::Value;

use super::{Node, PATIENCE, free_port, pause};

/// Ended when it is dropped.
#[derive(Debug)]
pub struct Prometheus {
    child: Child,
    port: u16,
    log: PathBuf,
    _dir: tempfile::TempDir,
}

impl Prometheus {
    /// `more`: further lines of its configuration.
    pub fn start(program: &Path, node: &Node, more: &str) -> Prometheus {
        let job = format!(
            "  - job_name: readyd\n    static_configs: [{{targets: ['127.0.0.1:{}']}}]\n",
            node.port
        );
        Prometheus::scraping(program, &job, more)
    }

    /// `jobs`: the entries of `scrape_configs`.
    pub fn scraping(program: &Path, jobs: &str, more: &str) -> Prometheus {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("prometheus.yml");
        let text = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}\n{more}\
             scrape_configs:\n{jobs}",
        );
        fs::write(&config, text).unwrap();
        let port = free_port();
        let log = dir.path().join("log");
        let child = Command::new(program)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", dir.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .arg("--log.level=error")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Prometheus {
            child,
            port,
            log,
            _dir: dir,
        }
    }

    /// Asks an instant query until its values are what they should be, bounded.
    pub fn until(&self, query: &str, holds: impl Fn(&[String]) -> bool) {
        let began = Instant::now();
        loop {
            let answer = self.ask(query);
            if let Ok(values) = &answer
                && holds(values)
            {
                return;
            }
            let log = || fs::read_to_string(&self.log).unwrap_or_default();
            assert!(began.elapsed() < PATIENCE, "{query}: {answer:?}\n{}", log());
            pause();
        }
    }

    /// The values of an instant query; `Err`: what Prometheus said instead.
    fn ask(&self, query: &str) -> Result<Vec<String>, String> {
        let answer = Command::new("curl")
            .args(["-sS", "--max-time", "2", "--get", "--data-urlencode"])
            .arg(format!("query={query}"))
            .arg(format!("http://127.0.0.1:{}/api/v1/query", self.port))
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&answer.stdout).into_owned();
        let body: Value = serde_json::from_str(&text).map_err(|_| text.clone())?;
        let results = body["data"]["result"].as_array().ok_or(text)?;
        let value = |result: &Value| result["value"][1].as_str().unwrap_or_default().to_owned();
        Ok(results.iter().map(value).collect())
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
