//! Peers that mean no good, on the real daemon: it goes on answering load balancers, and counts what it refuses.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::harness::{Node, PATIENCE, left_out, pause};

/// What a load balancer waits for an answer: none may take longer, on a machine that runs all specs at once.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
const CONNECTIONS: usize = 500;

fn node() -> Node {
    // Our own uid may report for acme alone: what it says for others is refused.
    let uid = fs_uid();
    let node = Node::start(&format!(
        "sockets: {{events_peers: {{{uid}: [acme]}}}}\ntenants: {{acme: {{}}, beta: {{}}}}\nprobes: {{doctor: {{enabled: false}}}}\n"
    ));
    node.until_status("ok", PATIENCE);
    node
}

fn fs_uid() -> u32 {
    use std::os::unix::fs::MetadataExt;
    let dir = tempfile::tempdir().unwrap();
    std::fs::metadata(dir.path()).unwrap().uid()
}

/// Asks `/ready` on a new connection each time until told to stop; the slowest answer, and how many.
fn ask_until(node: &Node, stop: &AtomicBool) -> (Duration, usize) {
    let (mut slowest, mut answers) = (Duration::ZERO, 0);
    while !stop.load(Ordering::Relaxed) && answers < 100_000 {
        let began = Instant::now();
        let answer = node.try_get("/ready").expect("an answer");
        slowest = slowest.max(began.elapsed());
        assert!(
            answer.status == 200 && answer.json()["phase"] == "serving",
            "{answer:?}"
        );
        answers += 1;
        pause();
    }
    (slowest, answers)
}

/// Does `work` while a load balancer polls, which must never wait long.
fn while_polled(node: &Node, work: impl FnOnce()) {
    let stop = AtomicBool::new(false);
    let (slowest, answers) = std::thread::scope(|scope| {
        let polling = scope.spawn(|| ask_until(node, &stop));
        work();
        stop.store(true, Ordering::Relaxed);
        polling.join().unwrap()
    });
    println!("{answers} answers, the slowest after {slowest:?}");
    assert!(answers > 0 && slowest < ANSWER_WITHIN, "{answers} answers, {slowest:?}");
}

fn rejected(node: &Node) -> Vec<(String, u64)> {
    let metrics = node.get("/metrics").body;
    let of = |line: &str| {
        let (reason, count) = line
            .strip_prefix("readyd_events_rejected_total{reason=\"")?
            .split_once("\"} ")?;
        Some((reason.to_owned(), count.parse().ok()?))
    };
    metrics.lines().filter_map(of).filter(|(_, count)| *count > 0).collect()
}

fn event(tenant: &str) -> String {
    format!("{{\"tenant\":\"{tenant}\",\"endpoint\":\"crm\",\"status\":503}}\n")
}

#[test]
fn every_bad_line_is_counted_by_its_reason_and_the_good_ones_around_it_count() {
    let node = node();
    let long = vec![b'x'; 1 << 20];
    while_polled(&node, || {
        let mut plain = node.events();
        for bad in [
            &long[..],
            b"{\"tenant\":\"acme\",\"endpoi",
            b"\0\0\0\0",
            b"{\"tenant\":\"ac\xff\xfeme\"}",
            b"{\"tenant\":\"acme\",\"endpoint\":\"crm\",\"status\":\"503\"}",
            b"{\"tenant\":\"acme\"}",
            event("beta").trim_end().as_bytes(),
        ] {
            plain.write_all(event("acme").as_bytes()).unwrap();
            plain.write_all(bad).unwrap();
            plain.write_all(b"\n").unwrap();
        }
        // Never ends: cut off in the middle.
        plain.write_all(&long).unwrap();
        drop(plain);

        let told = node.events();
        told.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut writer = told.try_clone().unwrap();
        writer.write_all(b"{\"hello\":{\"producer\":\"gw\"}}\n").unwrap();
        for seq in [5, 3, 6] {
            let line = event("acme").replace("503", &format!("503,\"seq\":{seq}"));
            writer.write_all(line.as_bytes()).unwrap();
        }
        told.shutdown(Shutdown::Write).unwrap();
        let heard: Vec<String> = BufReader::new(told).lines().map_while(Result::ok).collect();
        let reject = r#"{"reject":{"seq":3,"line":2,"reason":"not_increasing"}}"#;
        let at = |wanted: &str| heard.iter().position(|line| line == wanted);
        assert!(at(reject) < at(r#"{"ack":6}"#) && at(reject).is_some(), "{heard:?}");
    });
    node.until("/v1/webhook-digest", PATIENCE, |answer| {
        answer.json()["totals"]["failures"] == 9
    });
    let mut counted = rejected(&node);
    counted.sort();
    let wanted = [
        ("bad_field", 1),
        ("missing_field", 1),
        ("not_increasing", 1),
        ("not_json", 2),
        ("not_utf8", 1),
        ("tenant_not_allowed", 1),
        ("too_long", 2),
    ];
    assert_eq!(counted, wanted.map(|(reason, count)| (reason.to_owned(), count)));
}

#[test]
fn five_hundred_senders_of_every_kind_keep_no_load_balancer_waiting() {
    let node = node();
    let mut open: Vec<UnixStream> = Vec::with_capacity(CONNECTIONS);
    while_polled(&node, || {
        for number in 0..CONNECTIONS {
            let mut stream = node.events();
            match number % 5 {
                // Says nothing at all.
                0 => {}
                // Half a line, and the other half never.
                1 => stream.write_all(b"{\"tenant\":\"acme\",").unwrap(),
                // A hello, and then nothing.
                2 => writeln!(stream, "{{\"hello\":{{\"producer\":\"idle-{number}\"}}}}").unwrap(),
                // Good lines.
                3 => stream.write_all(event("acme").repeat(20).as_bytes()).unwrap(),
                // Nothing but bad ones, answered and never read.
                _ => {
                    writeln!(stream, "{{\"hello\":{{\"producer\":\"deaf-{number}\"}}}}").unwrap();
                    stream.set_nonblocking(true).unwrap();
                    let bad = b"no event\n".repeat(1_000);
                    // Until the kernel takes no more: it is not read beyond what it may be told.
                    for _ in 0..200 {
                        if stream.write(&bad).is_err() {
                            break;
                        }
                    }
                }
            }
            open.push(stream);
        }
        // Byte by byte, among all of them.
        let mut slow = node.events();
        for byte in event("acme").bytes() {
            slow.write_all(&[byte]).unwrap();
            std::thread::yield_now();
        }
        node.until("/v1/webhook-digest", PATIENCE, |answer| {
            answer.json()["totals"]["failures"] == 20 * CONNECTIONS / 5 + 1
        });
    });
    let acknowledged = format!(
        "readyd_ingest_connections{{mode=\"acknowledged\"}} {}\n",
        CONNECTIONS / 5 * 2
    );
    // Who says no more than a hello may be read last of all.
    let (metrics, _) = node.until("/metrics", PATIENCE, |answer| answer.body.contains(&acknowledged));
    let metrics = metrics.body;
    let resident: f64 = metrics
        .lines()
        .find_map(|line| line.strip_prefix("process_resident_memory_bytes "))
        .map_or(0.0, |bytes| bytes.parse().unwrap());
    assert!(resident < 512.0 * 1024.0 * 1024.0, "{resident} bytes");
    drop(open);
    node.until("/metrics", PATIENCE, |answer| {
        answer
            .body
            .contains("readyd_ingest_connections{mode=\"acknowledged\"} 0\n")
    });
}

#[test]
fn names_without_end_fold_and_do_not_grow() {
    let node = node();
    while_polled(&node, || {
        let mut plain = node.events();
        let mut lines = String::new();
        for number in 0..200_000 {
            use std::fmt::Write as _;
            let _ = writeln!(
                lines,
                r#"{{"tenant":"acme","endpoint":"https://crm.example/hook/{number}","status":503}}"#
            );
        }
        plain.write_all(lines.as_bytes()).unwrap();
        drop(plain);
        node.until("/v1/webhook-digest?limit=1", PATIENCE, |answer| {
            answer.json()["totals"]["failures"] == 200_000
        });
    });
    let digest = node.get("/v1/webhook-digest?limit=1").json();
    assert_eq!(digest["totals"]["rows"], 513, "{digest:#}");
    assert_eq!(digest["top"][0]["endpoint"], "__other__");
    assert_eq!(digest["dropped"]["folded"], 200_000 - 512);
}

#[test]
fn http_clients_that_never_finish_keep_no_load_balancer_waiting() {
    let node = node();
    let mut open: Vec<TcpStream> = Vec::new();
    while_polled(&node, || {
        for number in 0..300 {
            let mut stream = TcpStream::connect(node.address()).unwrap();
            match number % 10 {
                0..5 => {}
                5..9 => stream.write_all(b"GET /ready HTTP/1.1\r\nHost: loc").unwrap(),
                // Asks for much and reads nothing.
                _ => stream
                    .write_all(&b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(20))
                    .unwrap(),
            }
            open.push(stream);
        }
        // And one that sends what is no HTTP.
        let mut rude = TcpStream::connect(node.address()).unwrap();
        rude.set_read_timeout(Some(PATIENCE)).unwrap();
        rude.write_all(b"\0\xff\x01 nonsense\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        let _ = rude.read_to_end(&mut answer);
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 400"), "{answer:?}");
    });
}

/// A node whose process may have few descriptors: whoever takes all that senders may have leaves the others theirs.
#[test]
fn senders_cannot_take_the_descriptors_that_answers_need() {
    if !cfg!(target_os = "linux") {
        return left_out("a limit on descriptors is set with prlimit here");
    }
    let mut node = Node::prepared("tenants: {acme: {}}\nprobes: {doctor: {enabled: false}}\n");
    node.spawn_through(&["prlimit", "--nofile=256:256", "--"]);
    node.wait_until_it_answers();
    let mut open: Vec<UnixStream> = Vec::new();
    while_polled(&node, || {
        for _ in 0..400 {
            open.push(node.events());
        }
        let before = node.get("/metrics").status;
        assert_eq!(before, 200);
    });
    drop(open);
    node.until_status("ok", PATIENCE);
}

/// A connection ends with the request that says so.
#[test]
fn what_stands_behind_the_last_request_of_a_connection_is_not_done() {
    let node = Node::start("tenants: {acme: {}}\nprobes: {doctor: {enabled: false}}\n");
    node.until_status("ok", PATIENCE);
    let drain = "POST /v1/drain HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n";
    for last in [
        "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        "GET /livez HTTP/1.0\r\nHost: localhost\r\n\r\n",
        // Answered as if it were HTTP/1.0.
        "GET /livez HTTP/1.1\r\n\r\n",
        "POST /v1/ask HTTP/1.1\r\nConnection: close\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}",
    ] {
        let mut stream = UnixStream::connect(node.runtime_dir().join("control.sock")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(format!("{last}{drain}{drain}").as_bytes()).unwrap();
        let mut heard = String::new();
        stream.read_to_string(&mut heard).unwrap();
        assert_eq!(heard.matches(" 200 OK\r\n").count(), 1, "{last}\n{heard}");
        assert!(!heard.contains("drained"), "{last}\n{heard}");
    }
    assert_eq!(node.ready()["status"], "ok");
    // Who keeps the connection may ask again at once, whatever others asked before.
    let kept = "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let old = "GET /livez HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n";
    let with_end = |kept: &str, end: &str| kept.replace("\r\n\r\n", end);
    for asked in [
        "GET /livez HTTP/1.0\r\nHost: localhost\r\n\r\n".to_owned(),
        [kept, kept, &with_end(kept, "\r\nConnection: close\r\n\r\n")].concat(),
        [old, old, &old.replace("keep-alive", "close")].concat(),
        [kept, kept, &with_end(kept, "\r\nConnection: close\r\n\r\n")].concat(),
    ] {
        let mut stream = UnixStream::connect(node.runtime_dir().join("control.sock")).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(asked.as_bytes()).unwrap();
        let mut heard = String::new();
        stream.read_to_string(&mut heard).unwrap();
        let questions = asked.matches("GET ").count();
        assert_eq!(heard.matches(" 200 OK\r\n").count(), questions, "{asked}\n{heard}");
    }
}
