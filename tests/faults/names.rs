//! Name servers that are slow, wrong or gone, for the node that is named in `digest.source`.
//!
//! The row is the only user of its network, so that its name server may have port 53 of loopback; and the node alone
//! sees a `resolv.conf` that names it.

use std::fs;
use std::net::UdpSocket;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::harness::{Node, PATIENCE};
use crate::namespace::Namespace;
use crate::polled::{Slowest, has_not_panicked, serves, while_polled};
use crate::tally::{Fault, Scale, Tally};

pub const FAULTS: &[Fault] = &[Fault {
    name: "names",
    done: "the name server for `digest.source` says nothing, answers after 30 s, fails, denies the name, changes or mixes its addresses",
    promise: "/ready never waits for it; stale rows are told within their patience, and why; all heals; SIGTERM ends it in 2 s",
    run: names,
}];

/// When rows of the other node are stale, as configured; told a tick and a question later.
const STALE_AFTER: Duration = Duration::from_secs(12);
const TOLD_WITHIN: Duration = Duration::from_secs(30);
const END_WITHIN: Duration = Duration::from_secs(2);

/// What the name server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Answers,
    SaysNothing,
    /// After 30 s: long after whoever asked has gone.
    AnswersLate,
    /// SERVFAIL.
    Fails,
    /// NXDOMAIN.
    Denies,
    /// No DNS at all.
    Babbles,
    /// Each answer has another address, every other one the right one.
    Moves,
    /// An address that nobody has, and the right one.
    HalfRight,
}

fn names(scale: Scale) -> Tally {
    let Some(namespace) = Namespace::new("names") else {
        return Tally::left_out("no network namespace of our own");
    };
    let moods: &[Mood] = match scale {
        Scale::Few => &[Mood::SaysNothing],
        Scale::Full => &[
            Mood::SaysNothing,
            Mood::AnswersLate,
            Mood::Fails,
            Mood::Denies,
            Mood::Babbles,
            Mood::Moves,
            Mood::HalfRight,
        ],
    };
    namespace.within(|| {
        let mood = Arc::new(Mutex::new(Mood::Answers));
        serve(&mood);
        let far =
            Node::start("node: far\nhosts: [far.example]\ntenants: {acme: {}}\nprobes: {doctor: {enabled: false}}\n");
        let mut near = near(&far);
        let (mut tally, mut slowest) = (Tally::default(), Slowest::default());
        for round in moods {
            let name = format!("{round:?}");
            tally.round(&name, || slowest.note(endures(&near, &mood, *round), &name));
        }
        tally.round("SIGTERM while names are looked up", || {
            *mood.lock().unwrap() = Mood::SaysNothing;
            near.until("/ready", TOLD_WITHIN, |answer| answer.body.contains("not had for"));
            let took = near.stop();
            assert!(took < END_WITHIN, "it ended after {took:?}");
        });
        tally.with_figure(slowest.told())
    })
}

/// A node that reads the far one's digest by a name, and has our name server.
fn near(far: &Node) -> Node {
    let mut near = Node::prepared(&format!(
        "node: near\ntenants: {{acme: {{}}}}\n\
         digest: {{source: 'http://far.example:{}', stale_after: {}s}}\nprobes: {{doctor: {{enabled: false}}}}\n",
        far.port,
        STALE_AFTER.as_secs()
    ));
    let resolver = near.dir.path().join("resolv.conf");
    // As patient as a resolver can be: what it does not give up, we must.
    fs::write(&resolver, "nameserver 127.0.0.1\noptions timeout:30 attempts:5\n").unwrap();
    let script = format!("mount --bind {} /etc/resolv.conf && exec \"$@\"", resolver.display());
    near.spawn_through(&[
        "unshare",
        "--mount",
        "--propagation",
        "private",
        "sh",
        "-c",
        &script,
        "sh",
    ]);
    near.wait_until_it_answers();
    near.until_status("ok", PATIENCE);
    near
}

fn endures(near: &Node, mood: &Mutex<Mood>, wanted: Mood) -> Duration {
    *mood.lock().unwrap() = wanted;
    let began = Instant::now();
    let ((), slowest) = while_polled(near, serves, || match wanted {
        // Every other question is answered: often enough.
        Mood::Moves | Mood::HalfRight => {
            near.until("/ready", PATIENCE, |answer| {
                assert!(!answer.body.contains("not had for"), "{}", answer.body);
                began.elapsed() > STALE_AFTER * 2
            });
        }
        _ => {
            let (answer, took) = near.until("/ready", TOLD_WITHIN, |answer| answer.body.contains("not had for"));
            assert!(answer.json()["status"] == "degraded", "{answer:?}");
            assert!(
                answer.body.contains("far.example"),
                "it does not say who: {}",
                answer.body
            );
            println!("{wanted:?} is told after {took:?}");
        }
    });
    *mood.lock().unwrap() = Mood::Answers;
    near.until_status("ok", PATIENCE);
    has_not_panicked(near);
    slowest
}

/// On a thread that ends with the test program.
fn serve(mood: &Arc<Mutex<Mood>>) {
    let socket = UdpSocket::bind("127.0.0.1:53").unwrap();
    let mood = Arc::clone(mood);
    std::thread::spawn(move || {
        let mut packet = [0; 512];
        for number in 0_u32.. {
            let Ok((length, from)) = socket.recv_from(&mut packet) else {
                return;
            };
            let question = packet[..length].to_vec();
            let say = |answer: &[u8]| {
                let _ = socket.send_to(answer, from);
            };
            let moved = if number / 2 % 2 == 0 { 1 } else { 2 };
            match *mood.lock().unwrap() {
                Mood::Answers => say(&addresses(&question, &[1])),
                Mood::SaysNothing => {}
                Mood::AnswersLate => {
                    let socket = socket.try_clone().unwrap();
                    std::thread::spawn(move || {
                        std::thread::sleep(Duration::from_secs(30));
                        let _ = socket.send_to(&addresses(&question, &[1]), from);
                    });
                }
                Mood::Fails => say(&refusal(&question, 2)),
                Mood::Denies => say(&refusal(&question, 3)),
                Mood::Babbles => say(b"what?"),
                Mood::Moves => say(&addresses(&question, &[moved])),
                Mood::HalfRight => say(&addresses(&question, &[9, 1])),
            }
        }
    });
}

/// The question with the bits of an answer: a response, recursion available, and a code.
fn refusal(question: &[u8], code: u8) -> Vec<u8> {
    let mut answer = question.to_vec();
    answer[2] |= 0x80;
    answer[3] = 0x80 | code;
    answer
}

/// For a question of one A record, 127.0.0.N each; for any other, that there is none.
fn addresses(question: &[u8], last: &[u8]) -> Vec<u8> {
    let mut answer = refusal(question, 0);
    let end = 12 + question[12..].iter().position(|byte| *byte == 0).unwrap();
    if question[end + 1..end + 3] == [0, 1] {
        // Behind the question; what else it had (EDNS) is not repeated.
        answer.truncate(end + 5);
        answer[7] = u8::try_from(last.len()).unwrap();
        answer[10..12].fill(0);
        for last in last {
            // The name of the question, A, IN, for a second, four bytes.
            answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 127, 0, 0, *last]);
        }
    }
    answer
}
