//! A load balancer that polls every 100 ms never sees a wrong answer while readyd restarts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use crate::harness::{Node, PATIENCE, free_port, pause};

/// Polls `/ready` every 100 ms while `work` is done: the status and phase of each answer, or `refused`.
/// `work` may wait for further polls, so that none of its steps goes unseen.
fn polled_while(port: u16, work: impl FnOnce(&dyn Fn())) -> Vec<String> {
    let stop = Arc::new(AtomicBool::new(false));
    let polls = Arc::new(AtomicUsize::new(0));
    let poller = {
        let (stop, polls) = (Arc::clone(&stop), Arc::clone(&polls));
        std::thread::spawn(move || {
            let mut seen = Vec::new();
            while !stop.load(Ordering::Relaxed) && seen.len() < 2_000 {
                seen.push(ask(port).unwrap_or_else(|| "refused".into()));
                polls.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(100));
            }
            seen
        })
    };
    let two_more_polls = || {
        let wanted = polls.load(Ordering::Relaxed) + 2;
        while polls.load(Ordering::Relaxed) < wanted {
            pause();
        }
    };
    work(&two_more_polls);
    stop.store(true, Ordering::Relaxed);
    poller.join().unwrap()
}

fn ask(port: u16) -> Option<String> {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    stream.write_all(b"GET /ready HTTP/1.0\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let body: serde_json::Value = serde_json::from_str(body).ok()?;
    Some(format!(
        "{} {} {}",
        head.split(' ').nth(1)?,
        body["phase"].as_str()?,
        body["status"].as_str()?
    ))
}

fn counted(seen: &[String]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for answer in seen {
        *counts.entry(answer.as_str()).or_default() += 1;
    }
    counts
}

#[test]
fn a_healthy_node_is_never_seen_unhealthy_while_it_restarts() {
    let mut node = Node::start("tenants: {acme: {}}\nprobes: {doctor: {enabled: false}}\n");
    node.until_status("ok", PATIENCE);
    let port = node.port;
    let seen = polled_while(port, |two_more_polls| {
        for round in 0..10 {
            two_more_polls();
            if round % 2 == 0 {
                node.kill();
            } else {
                assert!(node.stop() < Duration::from_secs(2));
            }
            two_more_polls();
            node.spawn();
            node.wait_until_it_answers();
        }
        two_more_polls();
    });
    println!("{:?}", counted(&seen));
    // A node that was told to end says `draining` until its listener is gone: the right answer of who goes away.
    let right = ["refused", "200 serving ok", "503 draining ok"];
    let wrong: Vec<&String> = seen.iter().filter(|answer| !right.contains(&answer.as_str())).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    assert!(counted(&seen)["200 serving ok"] >= 20, "{seen:?}");
}

#[test]
fn a_node_that_is_down_is_never_seen_healthy_while_it_restarts() {
    let mut node = Node::start(&format!(
        "tenants: {{acme: {{port: {}}}}}\nprobes: {{doctor: {{enabled: false}}}}\n",
        free_port()
    ));
    node.until_status("down", PATIENCE);
    let port = node.port;
    let seen = polled_while(port, |two_more_polls| {
        for _ in 0..6 {
            two_more_polls();
            node.kill();
            two_more_polls();
            node.spawn();
            node.wait_until_it_answers();
        }
        two_more_polls();
    });
    println!("{:?}", counted(&seen));
    let wrong: Vec<&String> = seen
        .iter()
        .filter(|answer| !["refused", "503 serving down"].contains(&answer.as_str()))
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    assert!(counted(&seen)["503 serving down"] >= 12, "{seen:?}");
}

#[test]
fn a_gateway_that_died_while_readyd_was_away_is_down_in_the_first_answers() {
    let gateway = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = gateway.local_addr().unwrap().port();
    let serving = std::thread::spawn(move || {
        use std::io::{Read, Write};
        for stream in gateway.incoming().take(10_000).flatten() {
            let mut stream = stream;
            let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
            let mut request = [0; 1024];
            let read = stream.read(&mut request).unwrap_or(0);
            if request[..read].starts_with(b"STOP") {
                return;
            }
            let _ = stream.write_all(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: 45\r\n\r\n{\"ready\":true,\"failing\":[],\"uptimeMs\":100000}",
            );
        }
    });
    let mut node = Node::start(&format!(
        "tenants: {{acme: {{port: {port}}}}}\nprobes: {{doctor: {{enabled: false}}, gateway: {{every: 2s, retry_every: 500ms}}}}\n"
    ));
    node.until_status("ok", PATIENCE);
    node.kill();
    let mut goodbye = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    std::io::Write::write_all(&mut goodbye, b"STOP").unwrap();
    serving.join().unwrap();
    node.spawn();
    node.wait_until_it_answers();
    let (_, took) = node.until_status("down", Duration::from_secs(15));
    println!("a gateway that died in between: down {took:?} after the first answer");
}
