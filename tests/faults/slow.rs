//! Ten thousand clients that are slow on purpose, on each listener: in a handshake, in a head, in a line, in reading.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::harness::authority::Authority;
use crate::harness::cost::rss_mib;
use crate::harness::{Answer, Node, PATIENCE, free_port, pause, peer};
use crate::polled::{
    ANSWER_WITHIN, Slowest, descriptors, has_not_panicked, is_ok, knock_unix, serves, until_descriptors, while_asked,
};
use crate::sender::{Sender, to_crm, until_counted};
use crate::tally::{Fault, Scale, Tally};

pub const FAULTS: &[Fault] = &[Fault {
    name: "slow-connections",
    done: "10 000 slow connections on HTTP, TLS, agent_check, control.sock, events.sock: silent, a byte a second, never reading",
    promise: "/ready is answered to a normal client, memory is bounded, descriptors are as before when they are gone",
    run: slow_connections,
}];

/// How long they hold on once all are there.
const HELD: Duration = Duration::from_secs(2);
const BYTE_EVERY: Duration = Duration::from_secs(1);
/// Of HTTP: who asks whole questions may hold all 512 places, as `THREATS.md` says.
const DEAF_MAX: usize = 400;
const MUCH: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
const LITTLE: &[u8] = b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n";
/// What all of them may add, in debug builds as well.
const MIB_MAX: f64 = 256.0;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Http,
    Tls,
    Agent,
    Control,
    Events,
}

const PLACES: [Place; 5] = [Place::Http, Place::Tls, Place::Agent, Place::Control, Place::Events];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    Silent,
    /// A byte a second.
    ByteByByte,
    /// A whole question, again and again, and nothing read.
    Deaf,
}

const MANNERS: [Manner; 3] = [Manner::Silent, Manner::ByteByByte, Manner::Deaf];

fn slow_connections(scale: Scale) -> Tally {
    let clients = usize::try_from(scale.rounds(500, 10_000)).unwrap();
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    if files.is_some_and(|files| files < clients as u64 + 500) {
        return Tally::left_out("not that many files may be open here");
    }
    if peer("curl", &["/usr/bin/curl"]).is_none() {
        return Tally::left_out("no curl to ask over TLS");
    }
    let (mut tally, mut slowest, mut most) = (Tally::default(), Slowest::default(), 0.0_f64);
    for place in PLACES {
        let site = Site::start(place == Place::Tls);
        let mut sender = Sender::called("quick");
        let manners: &[Manner] = match scale {
            Scale::Few => &[Manner::Deaf],
            Scale::Full => &MANNERS,
        };
        for &manner in manners {
            let name = format!("{place:?}, {manner:?}");
            tally.round(&name, || {
                let (took, mib) = site.endures(place, manner, clients, &mut sender);
                slowest.note(took, &name);
                most = most.max(mib);
            });
        }
    }
    tally.with_figure(format!(
        "{clients} each; {}; at most {most:.0} MiB more",
        slowest.told()
    ))
}

struct Site {
    node: Node,
    agent: SocketAddr,
    /// To ask by TLS.
    ca_file: Option<PathBuf>,
}

impl Site {
    fn start(is_tls: bool) -> Site {
        let agent = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let mut node = Node::prepared("");
        let (mut tls, mut ca_file) = (String::new(), None);
        if is_tls {
            let authority = Authority::new(node.dir.path());
            let (cert, key) = authority.issue();
            tls = format!("tls: {{cert_file: {}, key_file: {}}}\n", cert.display(), key.display());
            ca_file = Some(authority.file());
        }
        node.configure(&format!(
            "agent_check: {agent}\n{tls}tenants: {{acme: {{}}}}\n\
             digest: {{budget: 1000000, tenant_budget: 1000000}}\nprobes: {{doctor: {{enabled: false}}}}\n"
        ));
        node.spawn();
        let site = Site { node, agent, ca_file };
        site.until_ok();
        site
    }

    fn ask(&self) -> Option<Answer> {
        let Some(ca_file) = &self.ca_file else {
            return self.node.try_get("/ready");
        };
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--max-time", "10", "-w", "\n%{http_code}", "--cacert"]);
        curl.arg(ca_file)
            .arg(format!("https://localhost:{}/ready", self.node.port));
        let said = String::from_utf8(curl.output().unwrap().stdout).unwrap();
        let (body, status) = said.rsplit_once('\n')?;
        let status = status.parse().ok().filter(|status| *status > 0)?;
        let body = body.to_owned();
        let headers = Vec::new();
        Some(Answer { status, headers, body })
    }

    fn until_ok(&self) {
        let began = Instant::now();
        while !self.ask().is_some_and(|answer| is_ok(&answer)) {
            assert!(began.elapsed() < PATIENCE, "{}", self.node.log());
            pause();
        }
    }

    /// The slowest answer, and how many MiB more the node had at most.
    fn endures(&self, place: Place, manner: Manner, clients: usize, sender: &mut Sender) -> (Duration, f64) {
        let node = &self.node;
        let (files, mib) = (descriptors(node.pid()), rss_mib(node.pid()));
        let ((open, more), slowest) = while_asked(&|| self.ask(), node, serves, || {
            let mut open: Vec<Client> = (0..clients)
                .filter_map(|number| self.come(place, manner, number))
                .collect();
            let (began, mut more) = (Instant::now(), 0.0_f64);
            while began.elapsed() < HELD {
                if manner == Manner::ByteByByte {
                    open.iter_mut().for_each(|client| client.write(b"x"));
                }
                more = more.max(rss_mib(node.pid()) - mib);
                std::thread::sleep(BYTE_EVERY);
            }
            (open, more)
        });
        assert!(more < MIB_MAX, "{more} MiB more");
        drop(open);
        until_descriptors(node, files + 8);
        self.until_ok();
        let last = sender.acknowledged + 10;
        assert!(sender.sends(node, last, to_crm), "it went away");
        until_counted(node, last);
        has_not_panicked(node);
        (slowest, more)
    }

    /// `None`: there is no room, and whoever comes is told so.
    fn come(&self, place: Place, manner: Manner, number: usize) -> Option<Client> {
        let tcp = |address| {
            let stream = TcpStream::connect_timeout(&address, ANSWER_WITHIN).ok()?;
            stream.set_nonblocking(true).ok()?;
            Some(Client::Tcp(stream))
        };
        let unix = |name: &str| knock_unix(&self.node.runtime_dir().join(name)).map(Client::Unix);
        let mut client = match place {
            Place::Http | Place::Tls => tcp(self.node.address()),
            Place::Agent => tcp(self.agent),
            Place::Control => unix("control.sock"),
            Place::Events => unix("events.sock"),
        }?;
        let is_deaf = manner == Manner::Deaf && (place != Place::Http || number < DEAF_MAX);
        match place {
            // The beginning of a record of a handshake: the rest never comes.
            Place::Tls if is_deaf => client.write(&[22, 3, 1, 2, 0, 1, 0, 1, 252]),
            // Some more than the buffers between us hold.
            Place::Http | Place::Control if is_deaf && number.is_multiple_of(20) => client.write(&MUCH.repeat(40)),
            Place::Http | Place::Control if is_deaf => client.write(LITTLE),
            Place::Agent if is_deaf => client.write(&b"up\n".repeat(1000)),
            Place::Events if is_deaf => {
                client.write(format!("{{\"hello\":{{\"producer\":\"deaf-{number}\"}}}}\n").as_bytes());
                client.write(&b"no event\n".repeat(1000));
            }
            _ => {}
        }
        Some(client)
    }
}

#[derive(Debug)]
enum Client {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Client {
    /// As much as is taken; who was turned away has nobody to write to.
    fn write(&mut self, bytes: &[u8]) {
        let _ = match self {
            Client::Tcp(stream) => stream.write(bytes),
            Client::Unix(stream) => stream.write(bytes),
        };
    }
}
