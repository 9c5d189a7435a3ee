//! Signals at bad moments, and how it ends: in two seconds, with all it started, whatever hangs.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::harness::{Node, PATIENCE, READYD, pause, signal};

const END_MAX: Duration = Duration::from_secs(2);

/// Accepts (the kernel does), and never says a word: its gateway check takes its whole two seconds.
fn with_a_silent_gateway() -> (TcpListener, Node) {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let node = Node::prepared(&format!(
        "tenants: {{acme: {{port: {port}}}}}\nprobes: {{doctor: {{enabled: false}}}}\n"
    ));
    (silent, node)
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "{what}");
        pause();
    }
}

/// The native checks are being asked, and nobody listens yet.
fn until_it_asks(node: &Node) {
    until("it starts", || node.log().contains("starting"));
    assert!(!node.log().contains("listening"), "{}", node.log());
}

#[test]
fn a_sigterm_before_anybody_listens_ends_it() {
    let (_silent, mut node) = with_a_silent_gateway();
    node.spawn();
    until_it_asks(&node);
    std::thread::sleep(Duration::from_millis(200));
    let took = node.stop();
    assert!(took < END_MAX, "{took:?}");
    assert!(!node.log().contains("listening"), "{}", node.log());
    assert!(node.log().contains("stopped"), "in order: {}", node.log());
}

#[test]
fn a_sighup_before_anybody_listens_does_not_make_the_first_answer_a_guess() {
    let (_silent, mut node) = with_a_silent_gateway();
    node.spawn();
    until_it_asks(&node);
    signal(node.pid(), "HUP");
    node.wait_until_it_answers();
    let first = node.ready();
    assert_eq!(first["phase"], "serving", "{first:#}");
    assert_eq!(first["status"], "down", "{first:#}");
    until("it is done all the same", || {
        node.log().contains("configuration reloaded")
    });
}

#[test]
fn what_it_runs_ends_with_it_even_what_does_not_want_to() {
    let mut node = Node::prepared("");
    let pids = node.dir.path().join("pids");
    node.configure(&format!(
        "exec: {{path: [/usr/bin, /bin]}}\ntenants: {{acme: {{}}}}\nprobes: {{doctor: {{enabled: false}}, stubborn: \
         {{kind: exec, command: [sh, -c, 'trap \"\" TERM; echo $$ >> {}; sleep 600 & wait; sleep 600'], \
         parse: exit-code, layer: runtime, scope: tenant, every: 1h, timeout: 300s}}}}\n",
        pids.display()
    ));
    node.spawn();
    node.wait_until_it_answers();
    until("it runs", || {
        fs::read_to_string(&pids).is_ok_and(|text| text.ends_with('\n'))
    });
    let pid = fs::read_to_string(&pids).unwrap().trim().to_owned();
    assert!(is_alive(&pid));
    let took = node.stop();
    assert!(took < END_MAX, "{took:?}");
    until("its process has gone too", || !is_alive(&pid));
}

fn is_alive(pid: &str) -> bool {
    let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !state.is_empty() && !state.contains(") Z")
}

#[test]
fn a_check_by_hand_that_is_interrupted_leaves_nothing_behind() {
    let node = Node::prepared("");
    let pids = node.dir.path().join("pids");
    node.configure(&format!(
        "exec: {{path: [/usr/bin, /bin]}}\ntenants: {{acme: {{}}}}\nprobes: {{doctor: {{enabled: false}}, slow: \
         {{kind: exec, command: [sh, -c, 'echo $$ >> {}; sleep 600'], parse: exit-code, layer: runtime, \
         scope: tenant, every: 1h, timeout: 300s}}}}\n",
        pids.display()
    ));
    let mut child = Own(node
        .command(&["check"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap());
    until("it runs", || {
        fs::read_to_string(&pids).is_ok_and(|text| text.ends_with('\n'))
    });
    let pid = fs::read_to_string(&pids).unwrap().trim().to_owned();
    signal(child.0.id(), "INT");
    let status = child.0.wait().unwrap();
    assert!(!status.success());
    until("its process has gone too", || !is_alive(&pid));
}

#[test]
fn listeners_that_are_held_open_do_not_hold_it_up() {
    let mut node = Node::start("tenants: {acme: {}}\nprobes: {doctor: {enabled: false}}\n");
    let held: Vec<_> = [
        "GET /v1/stream HTTP/1.1\r\nhost: localhost\r\n\r\n",
        "GET /ready HTTP/1.1\r\nhost: lo",
        "",
    ]
    .iter()
    .flat_map(|said| [*said; 20])
    .map(|said| {
        let mut stream = std::net::TcpStream::connect(node.address()).unwrap();
        stream.write_all(said.as_bytes()).unwrap();
        stream
    })
    .collect();
    let control = std::os::unix::net::UnixStream::connect(node.runtime_dir().join("control.sock")).unwrap();
    let mut events: Vec<_> = (0..50).map(|_| node.events()).collect();
    for stream in &mut events {
        stream.write_all(b"{\"hello\":{\"producer\":\"gw-").unwrap();
    }
    let took = node.stop();
    assert!(took < END_MAX, "{took:?}");
    drop((held, control, events));
}

/// A process that a spec started by itself.
struct Own(Child);

impl Drop for Own {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_journal_that_nobody_reads_any_more_does_not_end_it() {
    let node = Node::prepared("tenants: {acme: {}}\nprobes: {doctor: {enabled: false}}\n");
    let mut child = Own(node
        .command(&["serve"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap());
    let mut lines = BufReader::new(child.0.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("listening")));
    drop(lines);
    for _ in 0..3 {
        // Each of these is logged, by the main loop and by the thread that reads files.
        assert_eq!(node.control("POST", "/v1/drain", "{}").status, 200);
        assert_eq!(node.control("POST", "/v1/reload", "").status, 200);
    }
    assert_eq!(node.get("/livez").status, 200);
    assert_eq!(child.0.try_wait().unwrap(), None);
}

#[test]
fn what_is_inherited_is_mended_every_gateway_may_connect_and_nothing_is_made_for_all_to_write() {
    let node = Node::prepared("");
    let mask = node.dir.path().join("mask");
    node.configure(&format!(
        "exec: {{path: [/usr/bin, /bin]}}\ntenants: {{acme: {{}}}}\nprobes: {{doctor: {{enabled: false}}, mask: \
         {{kind: exec, command: [sh, -c, 'umask > {}'], parse: exit-code, layer: runtime, scope: tenant}}}}\n",
        mask.display()
    ));
    let script = "ulimit -Sn 256 && umask 0 && exec \"$0\" serve --config \"$1\"";
    let mut command = Command::new("sh");
    command.args(["-c", script, READYD]).arg(node.config_path());
    let log = fs::File::create(node.log_path()).unwrap();
    let command = command.env("HOME", node.dir.path()).stdin(Stdio::null());
    let _child = Own(command.stdout(Stdio::null()).stderr(log).spawn().unwrap());
    until("it answers", || node.try_get("/livez").is_some());
    let gateways: Vec<_> = (0..600)
        .map(|_| {
            let mut gateway = node.events();
            gateway
                .write_all(b"{\"tenant\":\"acme\",\"endpoint\":\"crm\",\"status\":500}\n")
                .unwrap();
            gateway
        })
        .collect();
    let connected = "readyd_ingest_connections{mode=\"plain\"} 600\n";
    node.until("/metrics", PATIENCE, |answer| answer.body.contains(connected));
    drop(gateways);
    until("a child has the mask too", || {
        fs::read_to_string(&mask).is_ok_and(|mask| mask.trim() == "0022")
    });
}
