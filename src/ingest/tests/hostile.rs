//! Peers that mean no good, or do not know better.

use super::*;
use crate::ingest::counters::Talk;
use crate::store::tests::{Intruder, of, tenant};
use crate::words::Reject;

#[test]
fn a_bad_line_costs_its_sender_that_line_and_nothing_else() {
    let long = "x".repeat(1 << 20);
    let bad: [(&str, Vec<u8>, Reject); 9] = [
        ("a line of 1 MiB", long.clone().into_bytes(), Reject::TooLong),
        (
            "an event in a line of 1 MiB",
            plain(&long).trim_end().into(),
            Reject::TooLong,
        ),
        (
            "half of an object",
            b"{\"tenant\":\"acme\",\"end".to_vec(),
            Reject::NotJson,
        ),
        ("NUL", b"\0\0\0".to_vec(), Reject::NotJson),
        ("invalid UTF-8", b"{\"tenant\":\"\xff\xfe\"}".to_vec(), Reject::NotUtf8),
        ("no object", b"[1,2]".to_vec(), Reject::NotJson),
        (
            "a wrong type",
            b"{\"tenant\":7,\"endpoint\":\"a\",\"status\":500}".to_vec(),
            Reject::BadField,
        ),
        ("too little", b"{\"tenant\":\"acme\"}".to_vec(), Reject::MissingField),
        ("a late hello", hello("gw").trim_end().into(), Reject::MissingField),
    ];
    let place = Place::new();
    for (name, line, reason) in &bad {
        let before = place.house.hub.counters().rejected(*reason);
        let mut client = place.connect();
        client.send(&plain("before"));
        client.0.get_mut().write_all(line).unwrap();
        client.send("\n").send(&plain("after"));
        assert_eq!(client.rest(), "", "{name}: a plain connection is told nothing");
        let mut rejected = 0;
        while rejected == 0 {
            rejected += place.house.next_batch().rejected;
        }
        assert_eq!(place.house.hub.counters().rejected(*reason), before + 1, "{name}");
    }
    let each = bad.len() as u64;
    assert_eq!(place.counts(), of(&[("before", each), ("after", each)]));
}

#[test]
fn a_slow_writer_is_waited_for_byte_by_byte() {
    let place = Place::new();
    let mut client = place.connect();
    for byte in (hello("slow") + &event(1, "crm")).bytes() {
        client.0.get_mut().write_all(&[byte]).unwrap();
        std::thread::yield_now();
    }
    client.line();
    client.until_ack(1);
    drop(client);
    assert_eq!(place.counts(), of(&[("crm", 1)]));
}

#[test]
fn five_hundred_connections_are_counted_to_the_last_line() {
    let place = Place::new();
    let mut clients: Vec<Client> = (0..500).map(|_| place.connect()).collect();
    for round in 0..10 {
        for (number, client) in clients.iter_mut().enumerate() {
            if round == 0 && number % 2 == 0 {
                client.send(&hello(&format!("gw-{number}")));
            }
            client.send(&match number % 2 {
                0 => event(round + 1, "told"),
                _ => plain("untold"),
            });
        }
    }
    for client in clients.iter_mut().step_by(2) {
        assert_eq!(client.line(), r#"{"hello":{"last_seq":0}}"#);
        client.until_ack(10);
    }
    drop(clients);
    assert_eq!(place.counts(), of(&[("told", 2500), ("untold", 2500)]));
}

#[test]
fn a_connection_too_many_is_closed_and_counted() {
    let wanted = EventsSocket::CONNECTIONS_MAX;
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let room = limit.current.unwrap_or(u64::MAX);
    if room < 3 * wanted as u64 {
        left_out(&format!("it needs {} descriptors and may have {room}", 3 * wanted));
        return;
    }
    let place = Place::new();
    let mut clients: Vec<Client> = (0..wanted).map(|_| place.connect()).collect();
    assert_eq!(
        clients.last_mut().unwrap().send(&hello("gw")).line(),
        r#"{"hello":{"last_seq":0}}"#
    );
    assert_eq!(place.connect().line(), "");
    assert_eq!(place.house.hub.counters().refused(), 1);
}

#[test]
fn who_never_reads_its_answers_is_no_longer_read_and_hears_all_of_them_later() {
    let place = Place::new();
    let mut deaf = place.connect();
    deaf.send(&hello("deaf"));
    deaf.stream().set_nonblocking(true).unwrap();
    let (mut lines, mut refusals) = (0_u64, 0);
    // It writes until it has been told for a second that there is no room.
    while refusals < 100 {
        let line = b"this is no event, and it is answered with a longer line\n";
        match deaf.0.get_mut().write(line) {
            Ok(written) => {
                assert_eq!(written, line.len());
                lines += 1;
                refusals = 0;
            }
            Err(_) => {
                refusals += 1;
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        assert!(lines < 1_000_000, "nothing stops it");
    }
    // Nobody else waits for it.
    let mut other = place.connect();
    other.send(&hello("other")).send(&event(1, "crm")).line();
    other.until_ack(1);
    deaf.stream().set_nonblocking(false).unwrap();
    assert_eq!(deaf.line(), r#"{"hello":{"last_seq":0}}"#);
    for number in 1..=lines {
        let mut line = deaf.line();
        while line.starts_with("{\"ack\"") {
            line = deaf.line();
        }
        assert_eq!(
            line,
            format!("{{\"reject\":{{\"line\":{number},\"reason\":\"not_json\"}}}}")
        );
    }
    deaf.send(&event(1, "crm")).until_ack(1);
}

#[test]
fn a_plain_sender_never_waits_for_a_store_that_fails_and_what_has_no_room_is_counted() {
    let place = Place::new();
    let intruder = Intruder::new(&place.state());
    let mut client = place.connect();
    client.send(&plain("first"));
    place.house.until("failing");
    // More cells than a delta holds, and far more than the kernel's buffers.
    let lines = 400_000;
    let mut text = String::new();
    for number in 0..lines {
        text.push_str(&plain(&format!("e{number}")));
    }
    client.send(&text);
    assert_eq!(client.rest(), "");
    drop(intruder);
    place.house.until("recovered");
    let counters = place.house.hub.clone();
    let counts = place.counts();
    let counted: u64 = counts.values().sum();
    let dropped = counters.counters().rejected(Reject::Store);
    assert!(dropped > 0 && counted > 0);
    assert_eq!(counted + dropped, lines + 1);
    assert_eq!(counts["first"], 1);
    assert_eq!(counters.counters().received(), lines + 1);
    assert_eq!(counters.counters().connections(Talk::Plain), 0);
}

#[test]
fn a_uid_that_is_bound_to_tenants_reports_for_them_alone_and_an_unlisted_one_for_none() {
    let place = Place::new();
    let ours = rustix::process::getuid().as_raw();
    let configure = |peers| {
        let node = "node".into();
        place
            .house
            .hub
            .configure(super::super::hub::HubSettings { node, peers });
    };
    let send = |text: &str| {
        let mut client = place.connect();
        client.send(&hello("gw")).send(text);
        client.rest()
    };
    configure([(ours, Some(vec![tenant("acme")]))].into());
    let foreign = event(1, "crm").replace("acme", "beta");
    assert!(send(&foreign).contains(r#"{"seq":1,"line":1,"reason":"tenant_not_allowed"}"#));
    assert!(!send(&event(2, "crm")).contains("reject"));
    configure([(ours + 1, Some(vec![tenant("acme")]))].into());
    assert!(send(&event(3, "crm")).contains("tenant_not_allowed"));
    // A mixed population: one bound, and a relay that reports for everybody.
    configure([(ours + 1, Some(vec![tenant("acme")])), (ours, None)].into());
    assert!(!send(&foreign.replace("\"seq\":1", "\"seq\":4")).contains("reject"));
    configure([].into());
    assert!(!send(&event(5, "crm")).contains("reject"));
}

/// Runs as another user, started by the spec below: says hello and prints the answer.
#[test]
fn as_another_user() {
    let Some(path) = std::env::var_os("READYD_SPEC_SOCKET") else {
        return;
    };
    let mut client = Client::new(UnixStream::connect(path).unwrap());
    println!("heard {}", client.send(&hello("gw")).line());
}

#[test]
fn another_uid_may_not_go_on_with_a_pair() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    if !rustix::process::getuid().is_root() {
        left_out("it needs root");
        return;
    }
    let place = Place::new();
    let mut client = place.connect();
    client.send(&hello("gw")).send(&event(1, "crm")).line();
    client.until_ack(1);
    assert_eq!(client.rest(), "");
    for (path, mode) in [("", 0o755), ("run", 0o755), ("run/events.sock", 0o666)] {
        let path = place.dir.path().join(path);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    // A copy that anybody may run, wherever the original is.
    let program = place.dir.path().join("spec");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let output = std::process::Command::new(program)
        .args(["--exact", "ingest::tests::hostile::as_another_user", "--nocapture"])
        .env("READYD_SPEC_SOCKET", place.path())
        .uid(65_534)
        .gid(65_534)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains(r#"heard {"error":"not_yours"}"#), "{said}");
}
