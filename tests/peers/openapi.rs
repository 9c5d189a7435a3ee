//! What `/openapi.json` says is asked of a node in trouble by schemathesis, which does not know readyd.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::{fs, thread};

use serde_json::Value;

use crate::harness::backend::Backend;
use crate::harness::{Node, PATIENCE, free_port, peer, repository};
use crate::prometheus::report_failures;

/// A node with two tenants: the gateway of acme, an advisory one, is away, and its webhooks fail.
pub struct Trouble {
    pub node: Node,
    _gateway: Backend,
}

impl Trouble {
    pub fn start() -> Trouble {
        let gateway = Backend::saying("ok");
        let (acme, beta) = (free_port(), gateway.port);
        let node = Node::start(&format!(
            "tenants: {{acme: {{required: false, port: {acme}}}, beta: {{port: {beta}}}}}\n\
             probes: {{doctor: {{enabled: false}}, gateway-link: {{enabled: false}}, gateway: {{url: 'http://127.0.0.1:{{port}}/', parse: exit-code, every: 1s, timeout: 1s, retry_every: 200ms}}}}\n"
        ));
        report_failures(&node, 60);
        node.until("/ready/acme", PATIENCE, |answer| answer.status == 503);
        node.until_status("degraded", PATIENCE);
        Trouble {
            node,
            _gateway: gateway,
        }
    }
}

/// What schemathesis could not know: that 503 is an answer of a node in trouble, which moments start a window, how many days are 90, and that a
/// load balancer may send what it likes and still wants the verdict.
const EXPECTATIONS: &str = r#"
[checks]
not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", "503"]

[[operations]]
include-tag = "verdict"
checks.negative_data_rejection.enabled = false

[[operations]]
include-tag = "operation"
checks.positive_data_acceptance.expected-statuses = ["2xx", "404", "422"]

[[operations]]
include-operation-id = ["webhookDigest", "history"]
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "404"]
"#;

/// Asks a description at `port` all that it allows, and more; what schemathesis said.
fn schemathesis(port: u16, more: &[&str]) {
    let place = repository().join("target/tools/python/bin/schemathesis");
    let Some(schemathesis) = peer("schemathesis", &[place.to_str().unwrap()]) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("schemathesis.toml");
    fs::write(&config, EXPECTATIONS).unwrap();
    let output = Command::new(schemathesis)
        .arg("--config-file")
        .arg(&config)
        .arg("run")
        .arg(format!("http://127.0.0.1:{port}/openapi.json"))
        .args(["--phases", "examples,coverage,fuzzing", "--checks", "all"])
        .args(["--max-examples", "12", "--seed", "1", "--generation-database", "none"])
        .args(["--no-color", "--continue-on-failure", "--request-timeout", "10"])
        .args(more)
        .current_dir(dir.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains(" generated"),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    println!("{said}");
}

#[test]
fn schemathesis_finds_nothing_untrue_in_the_description_of_what_is_read() {
    let trouble = Trouble::start();
    // The stream has no end, and a spec of its own.
    schemathesis(trouble.node.port, &["--exclude-path", "/v1/stream"]);
}

#[test]
fn schemathesis_finds_nothing_untrue_in_the_description_of_what_is_changed() {
    let trouble = Trouble::start();
    let port = relay(trouble.node.runtime_dir().join("control.sock"));
    schemathesis(port, &["--include-tag", "operation"]);
}

/// A port that is `control.sock`: schemathesis asks by TCP alone. Ends with the test program.
fn relay(socket: PathBuf) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(node) = UnixStream::connect(&socket) else { return };
            let (mut from_client, mut to_node) = (client.try_clone().unwrap(), node.try_clone().unwrap());
            thread::spawn(move || {
                let _ = io::copy(&mut from_client, &mut to_node);
                let _ = to_node.shutdown(Shutdown::Write);
            });
            thread::spawn(move || {
                let (mut node, mut client) = (node, client);
                let _ = io::copy(&mut node, &mut client);
                let _ = client.shutdown(Shutdown::Write);
            });
        }
    });
    port
}

#[test]
fn the_stream_is_as_it_is_described_and_each_event_is_an_answer_of_ready() {
    let trouble = Trouble::start();
    let description = trouble.node.get("/openapi.json").json();
    let described = &description["paths"]["/v1/stream"]["get"]["responses"]["200"];
    let mut stream = TcpStream::connect(trouble.node.address()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
        .write_all(b"GET /v1/stream HTTP/1.1\r\nhost: localhost\r\naccept-encoding: gzip\r\n\r\n")
        .unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    assert_eq!(lines.next().unwrap(), "HTTP/1.1 200 OK");
    let head: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
    assert!(described["content"]["text/event-stream"].is_object());
    assert!(head.contains(&"content-type: text/event-stream".to_owned()), "{head:?}");
    assert!(head.contains(&"cache-control: no-store".to_owned()), "{head:?}");
    assert!(
        !head.iter().any(|line| line.starts_with("content-encoding")),
        "{head:?}"
    );
    // Chunked: lines with lengths stand in between.
    let data = lines
        .find_map(|line| Some(line.strip_prefix("data: ")?.to_owned()))
        .unwrap();
    let event: Value = serde_json::from_str(&data).unwrap();
    let fields = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(fields(&event), fields(&trouble.node.ready()));
}
