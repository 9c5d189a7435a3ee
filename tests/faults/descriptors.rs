//! A process that may open few files, and clients that take all of them.

use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use crate::harness::cost::cpu_seconds;
use crate::harness::{Node, PATIENCE, free_port, pause};
use crate::polled::{
    ANSWER_WITHIN, Slowest, descriptors, has_not_panicked, is_ok, knock_unix, serves, until_descriptors, while_asked,
};
use crate::sender::{Sender, to_crm, until_counted};
use crate::tally::{Fault, Scale, Tally};

pub const FAULTS: &[Fault] = &[Fault {
    name: "descriptors",
    done: "a limit of 128 to 512 open files, and 600 clients on events.sock, HTTP, control.sock and agent_check, one after the other and all at once",
    promise: "/ready is answered to a balancer on another host all the while; nothing spins, and all is as before once they are gone",
    run: descriptors_run_out,
}];

/// Of each kind of client: more than any of the limits.
const CLIENTS: usize = 600;
/// Where the balancer asks from; the clients are 127.0.0.1.
const BALANCER: [u8; 4] = [127, 0, 0, 2];
/// Share of a core that may be used while clients hold everything and nobody asks: a loop that spins uses all of one.
const CORES_MAX: f64 = 0.6;
const WATCHED: Duration = Duration::from_secs(2);

/// Where clients knock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Events,
    Http,
    Control,
    Agent,
}

#[derive(Debug)]
#[expect(dead_code, reason = "held open, nothing is said")]
enum Client {
    Unix(UnixStream),
    Tcp(TcpStream),
}

fn descriptors_run_out(scale: Scale) -> Tally {
    if !cfg!(target_os = "linux") {
        return Tally::left_out("a limit on descriptors is set with prlimit here");
    }
    let limits: &[u64] = match scale {
        Scale::Few => &[128],
        Scale::Full => &[128, 192, 256, 512],
    };
    let floods: [&[Place]; 5] = [
        &[Place::Events],
        &[Place::Http],
        &[Place::Control],
        &[Place::Agent],
        &[Place::Events, Place::Control, Place::Agent, Place::Http],
    ];
    let (mut tally, mut slowest) = (Tally::default(), Slowest::default());
    for limit in limits {
        let few = Few::start(*limit);
        let mut sender = Sender::called("few");
        for places in floods {
            let name = format!("{limit} files, {places:?}");
            tally.round(&name, || slowest.note(few.flood(places, &mut sender), &name));
        }
    }
    tally.with_figure(slowest.told())
}

struct Few {
    node: Node,
    agent: SocketAddr,
    at_rest: usize,
}

impl Few {
    fn start(limit: u64) -> Few {
        let agent = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let mut node = Node::prepared(&format!(
            "agent_check: {agent}\ntenants: {{acme: {{}}}}\ndigest: {{budget: 1000000, tenant_budget: 1000000}}\n\
             probes: {{doctor: {{enabled: false}}, own: {{kind: exec, command: [/bin/true], parse: exit-code, \
             layer: runtime, scope: node, every: 1s, timeout: 5s}}}}\n"
        ));
        node.spawn_through(&["prlimit", &format!("--nofile={limit}:{limit}"), "--"]);
        node.wait_until_it_answers();
        node.until_status("ok", PATIENCE);
        let at_rest = descriptors(node.pid());
        Few { node, agent, at_rest }
    }

    fn flood(&self, places: &[Place], sender: &mut Sender) -> Duration {
        let node = &self.node;
        // What runs out may be a reason to say so; it is none to take the node out.
        // Of a handful of places the crowd's own host may get none: it makes room for itself. Balancers are other hosts.
        let ask = || node.try_get_from(BALANCER, "/ready");
        let (open, slowest) = while_asked(&ask, node, serves, || {
            let clients = (0..CLIENTS).flat_map(|_| places).filter_map(|place| self.knock(*place));
            let open: Vec<Client> = clients.collect();
            let (before, began) = (cpu_seconds(node), Instant::now());
            while began.elapsed() < WATCHED {
                pause();
            }
            let cores = (cpu_seconds(node) - before) / began.elapsed().as_secs_f64();
            assert!(cores < CORES_MAX, "{cores:.2} cores while nobody does anything");
            open
        });
        drop(open);
        until_descriptors(node, self.at_rest + 8);
        node.until("/ready", PATIENCE, is_ok);
        let last = sender.acknowledged + 10;
        assert!(sender.sends(node, last, to_crm), "it went away");
        until_counted(node, last);
        assert!(node.cli(&["status"]).status.success(), "control.sock is not as before");
        has_not_panicked(node);
        slowest
    }

    /// `None`: there is no place any more.
    fn knock(&self, place: Place) -> Option<Client> {
        let unix = |name: &str| knock_unix(&self.node.runtime_dir().join(name)).map(Client::Unix);
        let tcp = |address| {
            TcpStream::connect_timeout(&address, ANSWER_WITHIN)
                .ok()
                .map(Client::Tcp)
        };
        match place {
            Place::Events => unix("events.sock"),
            Place::Control => unix("control.sock"),
            Place::Http => tcp(self.node.address()),
            Place::Agent => tcp(self.agent),
        }
    }
}
