use super::*;
use crate::probe::kind::listeners::Socket;
use crate::probe::kind::part::fuse;
use crate::words::{Answer, Finding};

const LOOPBACK: &[Allowed] = &[Allowed::Loopback];

fn socket(address: &str) -> Socket {
    Socket {
        address: address.parse().unwrap(),
        uid: 1001,
        inode: 0,
    }
}

/// A gateway on 18789 that listens on `addresses`, and strangers that do on `others`.
fn host(addresses: &[&str], others: &[&str]) -> Listeners {
    let gateway = Holder {
        pid: 42,
        name: "openclaw-gatewa".into(),
        listens: addresses.iter().map(|address| address.parse().unwrap()).collect(),
    };
    Listeners {
        sockets: addresses.iter().chain(others).map(|address| socket(address)).collect(),
        holders: vec![gateway],
        unseen: None,
    }
}

fn declared(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn finding(found: &Listeners, declared: &[String], allow: &[Allowed]) -> (Finding, Vec<String>) {
    let judged = judge(
        found,
        &Expected {
            port: 18_789,
            declared,
            allow,
            answers: false,
        },
    );
    (fuse(judged.parts, judged.summary), judged.notes)
}

/// Answer, summary and notes.
fn told(found: &Listeners, said: &[&str], allow: &[Allowed]) -> (Answer, String, Vec<String>) {
    let (finding, notes) = finding(found, &declared(said), allow);
    (finding.answer, finding.summary, notes)
}

const DEFAULT: &[&str] = &["127.0.0.1:18789", "[::1]:18789"];

#[test]
fn a_gateway_as_it_binds_by_default_is_ok_without_a_note() {
    let summary = "listens on 127.0.0.1:18789 and [::1]:18789".to_owned();
    assert_eq!(
        told(&host(DEFAULT, &[]), &[], LOOPBACK),
        (Answer::Ok, summary.clone(), vec![])
    );
    for said in ["127.0.0.1:18789", "localhost:18789", "[::1]:18789"] {
        assert_eq!(
            told(&host(DEFAULT, &["0.0.0.0:22"]), &[said], LOOPBACK),
            (Answer::Ok, summary.clone(), vec![]),
            "{said}"
        );
    }
}

#[test]
fn every_interface_and_public_addresses_are_beyond_what_is_allowed() {
    let summary = |address: &str, allow: &[Allowed]| told(&host(&[address], &[]), &[], allow);
    let degraded = |text: &str| (Answer::Degraded, text.to_owned(), vec![]);
    assert_eq!(
        summary("0.0.0.0:18789", LOOPBACK),
        degraded("port 18789: listens on every interface (0.0.0.0:18789), allowed is loopback")
    );
    assert_eq!(
        summary("[::]:18789", &[Allowed::Private]),
        degraded("port 18789: listens on every interface ([::]:18789), allowed is private")
    );
    assert_eq!(
        summary("192.0.2.7:18789", &[Allowed::Loopback, Allowed::Private]),
        degraded("port 18789: listens on 192.0.2.7:18789 (a public address), allowed is loopback, private")
    );
    assert_eq!(
        summary("10.0.0.5:18789", LOOPBACK),
        degraded("port 18789: listens on 10.0.0.5:18789 (a private address), allowed is loopback")
    );
    assert_eq!(
        summary("127.0.0.1:18789", &[]).1,
        "port 18789: listens on 127.0.0.1:18789 (loopback), nothing is allowed"
    );
}

#[test]
fn what_the_policy_allows_is_ok() {
    for (address, allow) in [
        ("10.0.0.5:18789", Allowed::Private),
        ("100.101.1.1:18789", Allowed::Private),
        ("0.0.0.0:18789", Allowed::Any),
        ("10.0.0.5:18789", Allowed::parse("10.0.0.5").unwrap()),
        ("0.0.0.0:18789", Allowed::parse("0.0.0.0:18789").unwrap()),
    ] {
        assert_eq!(
            told(&host(&[address], &[]), &[], &[allow]).0,
            Answer::Ok,
            "{address} {allow}"
        );
    }
}

#[test]
fn declared_listeners_decide_instead_of_the_policy() {
    let lan = host(&["0.0.0.0:18789"], &[]);
    assert_eq!(told(&lan, &["0.0.0.0:18789"], LOOPBACK).0, Answer::Ok);
    assert_eq!(told(&lan, &["[::]:18789"], LOOPBACK).0, Answer::Ok);
    assert_eq!(
        told(&lan, &["127.0.0.1:18789"], &[Allowed::Any]),
        (
            Answer::Degraded,
            "port 18789: listens on every interface (0.0.0.0:18789), declared is 127.0.0.1:18789".to_owned(),
            vec![]
        )
    );
    // Bound to one address it listens on loopback as well.
    let tailnet = host(&["100.64.0.9:18789", "127.0.0.1:18789"], &[]);
    assert_eq!(told(&tailnet, &["100.64.0.9:18789"], LOOPBACK).0, Answer::Ok);
    // A name is not looked up: whatever it is, it is not every interface.
    assert_eq!(told(&tailnet, &["gateway.example:18789"], LOOPBACK).0, Answer::Ok);
    assert_eq!(told(&lan, &["gateway.example:18789"], LOOPBACK).0, Answer::Degraded);
}

#[test]
fn fragments_that_speak_of_other_ports_alone_leave_the_gateways_to_the_policy() {
    let lan = host(&["0.0.0.0:18789", "127.0.0.1:18790"], &[]);
    let (answer, summary, _) = told(&lan, &["127.0.0.1:18790"], LOOPBACK);
    assert_eq!(answer, Answer::Degraded);
    assert!(summary.ends_with("allowed is loopback"), "{summary}");
}

#[test]
fn a_declared_listener_that_does_not_listen_is_told_only_while_the_gateway_runs() {
    let summary = |addresses: &[&str], said: &str| told(&host(addresses, &[]), &[said], LOOPBACK);
    let degraded = |said: &str| {
        (
            Answer::Degraded,
            format!("{said}: is declared and does not listen"),
            vec![],
        )
    };
    assert_eq!(summary(DEFAULT, "127.0.0.1:18790"), degraded("127.0.0.1:18790"));
    assert_eq!(summary(DEFAULT, "0.0.0.0:18789"), degraded("0.0.0.0:18789"));
    assert_eq!(summary(DEFAULT, "10.0.0.5:18789"), degraded("10.0.0.5:18789"));
    assert_eq!(
        summary(&[], "127.0.0.1:18790"),
        (Answer::Ok, "nothing listens on port 18789".to_owned(), vec![])
    );
    // Who listens there does not matter: a proxy may.
    let proxied = host(DEFAULT, &["0.0.0.0:443"]);
    assert_eq!(
        told(&proxied, &["127.0.0.1:18789", "192.0.2.7:443"], LOOPBACK).0,
        Answer::Ok
    );
}

#[test]
fn what_else_the_process_listens_on_is_a_note_on_loopback_and_degraded_beyond() {
    let with = |address: &'static str| host(&[DEFAULT[0], DEFAULT[1], address], &["0.0.0.0:22"]);
    let (answer, _, notes) = told(&with("127.0.0.1:18791"), &[], LOOPBACK);
    assert_eq!(answer, Answer::Ok);
    assert_eq!(
        notes,
        ["127.0.0.1:18791: openclaw-gatewa (pid 42) also listens there, which nobody declared"]
    );
    assert_eq!(
        told(&with("0.0.0.0:9999"), &[], &[Allowed::Any]),
        (
            Answer::Degraded,
            "0.0.0.0:9999: openclaw-gatewa (pid 42) also listens there, which nobody declared (every interface)"
                .to_owned(),
            vec![]
        )
    );
    for (said, allow) in [
        (&["0.0.0.0:9999", "127.0.0.1:18789"][..], LOOPBACK),
        (
            &[],
            &[Allowed::Loopback, Allowed::Socket("0.0.0.0:9999".parse().unwrap())],
        ),
    ] {
        assert_eq!(told(&with("0.0.0.0:9999"), said, allow).0, Answer::Ok);
    }
    let beyond = told(&with("0.0.0.0:9999"), &["127.0.0.1:9999", "127.0.0.1:18789"], LOOPBACK);
    assert_eq!(beyond.0, Answer::Degraded, "wider than it is declared");
}

#[test]
fn forked_processes_share_one_finding() {
    let mut found = host(&["127.0.0.1:18789", "0.0.0.0:9999"], &[]);
    let mut second = found.holders[0].clone();
    second.pid = 43;
    found.holders.push(second);
    let (finding, _) = finding(&found, &[], LOOPBACK);
    assert!(!finding.summary.contains("more"), "{}", finding.summary);
}

#[test]
fn what_a_proxy_or_a_containers_forwarder_listens_on_besides_is_not_the_gateways() {
    let mut found = host(&["127.0.0.1:18789", "0.0.0.0:443"], &[]);
    found.holders[0].name = "nginx".into();
    let (answer, _, notes) = told(&found, &[], LOOPBACK);
    assert_eq!(answer, Answer::Ok);
    assert_eq!(
        notes,
        ["nginx (pid 42) passes connections on; what else it listens on is not judged"]
    );
    // Where the port itself is open is judged all the same.
    let mut mapped = host(&["0.0.0.0:18789"], &[]);
    mapped.holders[0].name = "docker-proxy".into();
    assert_eq!(told(&mapped, &[], LOOPBACK).0, Answer::Degraded);
}

#[test]
fn sockets_without_their_processes_are_judged_by_the_port_alone() {
    let mut found = host(DEFAULT, &["0.0.0.0:9999"]);
    found.holders.clear();
    found.unseen = Some("the descriptors of other users' processes are shown to root alone".into());
    let (answer, _, notes) = told(&found, &[], LOOPBACK);
    assert_eq!(answer, Answer::Ok);
    assert_eq!(
        notes,
        [
            "what else the gateway's process listens on is not known: the descriptors of other users' processes are shown to root alone"
        ]
    );
}

#[test]
fn a_gateway_that_answers_without_a_socket_is_behind_a_port_mapping() {
    let judged = judge(
        &host(&[], &["0.0.0.0:22"]),
        &Expected {
            port: 18_789,
            declared: &[],
            allow: LOOPBACK,
            answers: true,
        },
    );
    assert!(judged.notes[0].contains("port mapping"), "{:?}", judged.notes);
    assert!(judged.parts.is_empty());
}

#[test]
fn a_host_that_does_not_tell_is_unknown() {
    let judged = Judged::unknown("/proc/net/tcp cannot be read");
    let finding = fuse(judged.parts, judged.summary);
    assert_eq!((finding.answer, finding.cause), (Answer::Unknown, Some(Cause::Local)));
}
