//! A gateway that says over its WebSocket what a real one said (`tests/fixtures/openclaw/gateway-link.ndjson`).

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{self, Message, WebSocket};

use super::cost::thread_cpu_seconds;
use super::{Node, repository};

/// It serves until the test program ends.
#[derive(Debug)]
pub struct Gateway {
    pub port: u16,
    said: Arc<Mutex<Vec<String>>>,
    heard: Arc<Mutex<Vec<String>>>,
    spent: Arc<Spent>,
}

/// By the gateway itself, on all connections.
#[derive(Debug, Default)]
struct Spent {
    answers: AtomicU64,
    cpu_nanos: AtomicU64,
}

/// What it says, and when: read from the recording once.
#[derive(Clone, Debug)]
pub struct Script {
    pub challenge: Value,
    pub hello: Value,
    /// Pushed to whoever was greeted: jobs that started and finished, a failed webhook, health.
    pub pushes: Vec<Value>,
    pub health: Value,
    pub jobs: Value,
    pub runs: Value,
}

impl Script {
    pub fn recorded() -> Script {
        let path = repository().join("tests/fixtures/openclaw/gateway-link.ndjson");
        let text = std::fs::read_to_string(path).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let frames: Vec<Value> = lines
            .filter(|line| line["dir"] == "gateway")
            .map(|line| line["frame"].clone())
            .collect();
        let answer = |id: &str| frames.iter().find(|frame| frame["id"] == id).unwrap()["payload"].clone();
        let pushes = ["cron", "task", "health", "skills.changed", "chat.metadata.changed"];
        let is_push = |frame: &&Value| frame["event"].as_str().is_some_and(|event| pushes.contains(&event));
        let finished = |frame: &&Value| frame["payload"]["action"] == "finished";
        Script {
            challenge: frames[0].clone(),
            hello: answer("1"),
            health: answer("health"),
            jobs: answer("cron.list"),
            runs: json!({
                "entries": frames.iter().filter(finished).map(|frame| frame["payload"].clone()).collect::<Vec<_>>(),
                "hasMore": false,
            }),
            pushes: frames.iter().filter(is_push).cloned().collect(),
        }
    }

    /// The same with every value seen by `change` under its key.
    pub fn with(mut self, change: &dyn Fn(&str, &mut Value)) -> Script {
        let parts = [&mut self.hello, &mut self.health, &mut self.jobs, &mut self.runs];
        for part in parts.into_iter().chain(&mut self.pushes) {
            walk("", part, change);
        }
        self
    }
}

impl Gateway {
    pub fn start(script: Script) -> Gateway {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let gateway = Gateway {
            port: listener.local_addr().unwrap().port(),
            said: Arc::default(),
            heard: Arc::default(),
            spent: Arc::default(),
        };
        let (said, heard, spent) = (gateway.said.clone(), gateway.heard.clone(), gateway.spent.clone());
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let line = Line {
                    script: script.clone(),
                    said: said.clone(),
                    heard: heard.clone(),
                    spent: spent.clone(),
                };
                thread::spawn(move || line.serve(stream));
            }
        });
        gateway
    }

    /// A node that has a link to it and asks nothing else; the token is in `token_file`.
    pub fn node(&self, token_file: &Path) -> Node {
        fs::set_permissions(token_file, fs::Permissions::from_mode(0o600)).unwrap();
        Node::prepared(&format!(
            "openclaw: {{dialect: article}}\ntenants: {{acme: {{port: {}, token_file: {}}}}}\n\
             probes: {{gateway: {{enabled: false}}, doctor: {{enabled: false}}, config: {{enabled: false}}}}\n",
            self.port,
            token_file.display()
        ))
    }

    /// Every frame that was sent, to whomever.
    pub fn said(&self) -> Vec<String> {
        self.said.lock().unwrap().clone()
    }

    pub fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }

    /// How often it has answered so far, on all connections.
    pub fn answers(&self) -> u64 {
        self.spent.answers.load(Ordering::Relaxed)
    }

    /// The CPU time that those answers took: a ruler for what asking costs.
    pub fn cpu(&self) -> Duration {
        Duration::from_nanos(self.spent.cpu_nanos.load(Ordering::Relaxed))
    }
}

/// One connection.
struct Line {
    script: Script,
    said: Arc<Mutex<Vec<String>>>,
    heard: Arc<Mutex<Vec<String>>>,
    spent: Arc<Spent>,
}

impl Line {
    /// Until the other side goes; one that speaks no WebSocket is left at once.
    fn serve(self, stream: TcpStream) {
        let Ok(mut ws) = tungstenite::accept(stream) else {
            return;
        };
        self.say(&mut ws, &self.script.challenge);
        let mut counted = Duration::ZERO;
        while let Ok(message) = ws.read() {
            let Message::Text(text) = message else { continue };
            self.note(&self.heard, &text);
            let request: Value = serde_json::from_str(&text).unwrap();
            self.answer(&mut ws, &request);
            let taken = Duration::from_secs_f64(thread_cpu_seconds());
            let nanos = u64::try_from((taken - counted).as_nanos()).unwrap();
            self.spent.cpu_nanos.fetch_add(nanos, Ordering::Relaxed);
            self.spent.answers.fetch_add(1, Ordering::Relaxed);
            counted = taken;
        }
    }

    fn answer(&self, ws: &mut WebSocket<TcpStream>, request: &Value) {
        let payload = match request["method"].as_str().unwrap_or_default() {
            "connect" => self.script.hello.clone(),
            "health" => {
                self.say(
                    ws,
                    &json!({"type": "event", "event": "tick", "payload": {"ts": 1_795_163_646_594u64}}),
                );
                self.script.health.clone()
            }
            "cron.list" => self.script.jobs.clone(),
            "cron.runs" => self.script.runs.clone(),
            _ => json!({}),
        };
        self.say(
            ws,
            &json!({"type": "res", "id": request["id"], "ok": true, "payload": payload}),
        );
        if request["method"] == "connect" {
            self.script.pushes.iter().for_each(|push| self.say(ws, push));
        }
    }

    fn say(&self, ws: &mut WebSocket<TcpStream>, frame: &Value) {
        let text = frame.to_string();
        // Who has gone is noticed by the next read.
        let _ = ws.send(Message::text(text.clone()));
        self.note(&self.said, &text);
    }

    /// Some thousand frames are enough to look at.
    fn note(&self, list: &Mutex<Vec<String>>, text: &str) {
        const KEPT_MAX: usize = 4_096;
        let mut list = list.lock().unwrap();
        if list.len() < KEPT_MAX {
            list.push(text.to_owned());
        }
    }
}

fn walk(key: &str, value: &mut Value, change: &dyn Fn(&str, &mut Value)) {
    change(key, value);
    match value {
        Value::Object(map) => map.iter_mut().for_each(|(key, value)| walk(key, value, change)),
        Value::Array(items) => items.iter_mut().for_each(|item| walk(key, item, change)),
        _ => {}
    }
}
