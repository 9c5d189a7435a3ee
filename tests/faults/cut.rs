//! The network between a node and whom it asks is cut: a node that another reads its digest from, and a gateway.
//!
//! Two networks of our own with a wire between them. Packets go astray where a neighbour's hardware address is a wrong
//! one: nobody is told, as with a switch or a firewall that swallows them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::gateway::{Gateway, Script};
use crate::harness::{Node, PATIENCE, pause};
use crate::namespace::Namespace;
use crate::polled::{Slowest, has_not_panicked, serves, while_polled};
use crate::tally::{Fault, Scale, Tally};

pub const FAULTS: &[Fault] = &[
    Fault {
        name: "network-cut",
        done: "the link to the node of `digest.source` is taken down at either end, loses all packets or those of one way, goes and comes",
        promise: "told once its rows are stale, and not before; no row outlives five minutes; /ready never waits; all heals by itself",
        run: network_cut,
    },
    Fault {
        name: "gateway-cut",
        done: "loopback under an established gateway link is taken down for a while",
        promise: "not ok once the link's patience is over, /ready on control.sock answers, heals by itself, deliveries count once",
        run: gateway_cut,
    },
];

const NEAR: &str = "10.88.0.1";
const FAR: &str = "10.88.0.2";
const NOBODY: &str = "02:00:00:00:00:99";
const STALE_AFTER: Duration = Duration::from_secs(8);
/// Asked every 5 s with 3 s of patience, and a tick.
const TOLD_WITHIN: Duration = Duration::from_secs(25);
const BEARER: &str = "bearer-of-this-row";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    FarEndDown,
    NearEndDown,
    BothWaysAstray,
    /// Questions arrive, and no answer does.
    AnswersAstray,
    /// Down and up each second, for so long as rows may be old: no cut at all.
    Flapping,
}

fn network_cut(scale: Scale) -> Tally {
    let Some(wire) = Wire::new() else {
        return Tally::left_out("no two network namespaces with a veth pair between them");
    };
    let cuts: &[Cut] = match scale {
        Scale::Few => &[Cut::AnswersAstray],
        Scale::Full => &[
            Cut::FarEndDown,
            Cut::NearEndDown,
            Cut::BothWaysAstray,
            Cut::AnswersAstray,
            Cut::Flapping,
        ],
    };
    let far = wire.far.within(far);
    wire.near.within(|| {
        let near = near(&far);
        far.fails(3);
        near.until("/v1/webhook-digest", PATIENCE, |answer| {
            answer.json()["totals"]["failures"] == 3
        });
        let (mut tally, mut slowest) = (Tally::default(), Slowest::default());
        for cut in cuts {
            let name = format!("{cut:?}");
            tally.round(&name, || slowest.note(wire.endures(&near, *cut), &name));
        }
        tally.with_figure(slowest.told())
    })
}

struct Wire {
    near: Namespace,
    far: Namespace,
}

impl Wire {
    fn new() -> Option<Wire> {
        let (near, far) = (Namespace::new("near")?, Namespace::new("far")?);
        let pair = [
            "link", "add", "near0", "type", "veth", "peer", "name", "far0", "netns", &far.name,
        ];
        if !near.try_ip(&pair).status.success() {
            return None;
        }
        let wire = Wire { near, far };
        wire.near.ip(&["addr", "add", &format!("{NEAR}/24"), "dev", "near0"]);
        wire.far.ip(&["addr", "add", &format!("{FAR}/24"), "dev", "far0"]);
        wire.up(true, true);
        Some(wire)
    }

    fn up(&self, near: bool, far: bool) {
        let word = |up| if up { "up" } else { "down" };
        self.near.ip(&["link", "set", "near0", word(near)]);
        self.far.ip(&["link", "set", "far0", word(far)]);
    }

    fn astray(&self, near: bool, far: bool) {
        let set = |namespace: &Namespace, address: &str, device: &str, wrong: bool| {
            namespace.try_ip(&["neigh", "del", address, "dev", device]);
            if wrong {
                namespace.ip(&[
                    "neigh",
                    "add",
                    address,
                    "lladdr",
                    NOBODY,
                    "dev",
                    device,
                    "nud",
                    "permanent",
                ]);
            }
        };
        set(&self.near, FAR, "near0", near);
        set(&self.far, NEAR, "far0", far);
    }

    fn endures(&self, near: &Node, cut: Cut) -> Duration {
        let ((), slowest) = while_polled(near, serves, || {
            match cut {
                Cut::FarEndDown => self.up(true, false),
                Cut::NearEndDown => self.up(false, true),
                Cut::BothWaysAstray => self.astray(true, true),
                Cut::AnswersAstray => self.astray(false, true),
                Cut::Flapping => return self.flap(near),
            }
            let cut_at = Instant::now();
            let (answer, _) = near.until("/ready", TOLD_WITHIN, |answer| answer.body.contains("not had for"));
            // It was asked at most 5 s before the cut, on a machine that does other things as well.
            let took = cut_at.elapsed();
            assert!(
                took > STALE_AFTER.saturating_sub(Duration::from_secs(6)),
                "told too soon: {took:?}"
            );
            assert_eq!(answer.json()["status"], "degraded", "{answer:?}");
            assert!(answer.body.contains(FAR), "it does not say who: {}", answer.body);
            println!("{cut:?} is told after {took:?}");
            // The other node's rows say how old they are, for as long as they are shown.
            let age = near.get("/v1/webhook-digest").json()["age_sec"].as_u64();
            assert!(age >= Some(STALE_AFTER.as_secs()), "{age:?}");
        });
        self.up(true, true);
        self.astray(false, false);
        near.until_status("ok", PATIENCE);
        near.until("/v1/webhook-digest", PATIENCE, |answer| {
            answer.json()["totals"]["failures"] == 3
        });
        has_not_panicked(near);
        slowest
    }

    fn flap(&self, near: &Node) {
        let began = Instant::now();
        while began.elapsed() < STALE_AFTER * 2 {
            for up in [false, true] {
                self.up(true, up);
                let changed = Instant::now();
                while changed.elapsed() < Duration::from_millis(if up { 1500 } else { 300 }) {
                    assert!(
                        !near.get("/ready").body.contains("not had for"),
                        "it was never away for long"
                    );
                    pause();
                }
            }
        }
    }
}

/// Reached by the network, so a bearer is wanted.
fn far() -> Node {
    let mut far = Node::prepared("");
    let token_file = put_token(&far);
    far.configure(&format!(
        "node: far\ntoken_file: {token_file}\ntenants: {{acme: {{}}}}\nprobes: {{doctor: {{enabled: false}}}}\n"
    ));
    let config = fs::read_to_string(far.config_path()).unwrap();
    let config = config.replace("listen: 127.0.0.1", "listen: 0.0.0.0");
    fs::write(far.config_path(), config).unwrap();
    far.spawn();
    far.wait_until_it_answers();
    far
}

fn near(far: &Node) -> Node {
    let near = Node::prepared("");
    let token_file = put_token(&near);
    near.configure(&format!(
        "node: near\ntenants: {{acme: {{}}}}\nprobes: {{doctor: {{enabled: false}}}}\n\
         digest: {{source: 'http://{FAR}:{}', source_token_file: {token_file}, stale_after: {}s}}\n",
        far.port,
        STALE_AFTER.as_secs()
    ));
    let near = near.started();
    near.until_status("ok", PATIENCE);
    near
}

fn put_token(node: &Node) -> String {
    let path = node.dir.path().join("token");
    fs::write(&path, BEARER).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path.display().to_string()
}

fn gateway_cut(scale: Scale) -> Tally {
    let Some(namespace) = Namespace::new("link") else {
        return Tally::left_out("no network namespace of our own");
    };
    namespace.within(|| {
        let gateway = Gateway::start(Script::recorded());
        let files = tempfile::tempdir().unwrap();
        let token_file = files.path().join("token.current");
        fs::write(&token_file, "t0ken").unwrap();
        let node = gateway.node(&token_file).started();
        let mut tally = Tally::default();
        for round in 0..scale.rounds(1, 2) {
            tally.round(&format!("round {round}"), || cut_loopback(&node, &namespace, round));
        }
        tally
    })
}

/// Asked on a UNIX socket: nobody reaches the node by loopback meanwhile.
fn until_link(node: &Node, patience: Duration, holds: impl Fn(&Value) -> bool) -> Duration {
    let began = Instant::now();
    loop {
        let ready = node.control("GET", "/ready", "");
        assert!([200, 503].contains(&ready.status), "{ready:?}");
        let link = node.control("GET", "/v1/checks/gateway-link/acme", "").json();
        if holds(&link) {
            return began.elapsed();
        }
        assert!(began.elapsed() < patience, "{link:#}\n{}", node.log());
        pause();
    }
}

fn cut_loopback(node: &Node, namespace: &Namespace, round: u64) {
    let connected = |node: &Node| node.control("GET", "/v1/status", "").json()["links"]["acme"]["connected"] == true;
    let is_good = |link: &Value| link["level"] != "unknown" && link["level"] != "pending" && connected(node);
    until_link(node, PATIENCE, is_good);
    let good = node.control("GET", "/v1/checks/gateway-link/acme", "").json();
    let failures = |node: &Node| {
        let digest = node.control("GET", "/v1/webhook-digest", "").json();
        digest["totals"]["failures"].as_u64().unwrap()
    };
    let before = failures(node);
    namespace.ip(&["link", "set", "lo", "down"]);
    // A question in 10 s, 3 s until a ping, 10 s more; and what a busy machine adds.
    let silent = |link: &Value| link["level"] != good["level"] || link["summary"] != good["summary"];
    let took = until_link(node, Duration::from_secs(45), silent);
    println!("round {round}: a cut link is told after {took:?}");
    namespace.ip(&["link", "set", "lo", "up"]);
    until_link(node, PATIENCE, |link| link["level"] == good["level"] && connected(node));
    assert_eq!(failures(node), before, "what was told again is counted again");
    has_not_panicked(node);
}
