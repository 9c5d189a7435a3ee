//! One trouble after another, each over before the next begins.

use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::harness::signal;
use crate::load::STOPPED;
use crate::site::Site;

/// In a soak of half an hour; a short one has all of them once.
const EVERY_MAX: Duration = Duration::from_secs(15);
const SLOW_CONNECTIONS: usize = 200;
const NAMES: usize = 3_000;

/// What begins it, and what ends it.
type Act = fn(&mut Site, &mut Held);

/// What a trouble holds until it is over.
#[derive(Debug, Default)]
pub struct Held {
    tcp: Vec<TcpStream>,
    unix: Vec<UnixStream>,
    rounds: usize,
}

const TROUBLES: [(&str, Act, Act); 8] = [
    (
        "endpoints that nobody has seen",
        |site, held| new_names(site, held),
        |_, _| {},
    ),
    (
        "a probe that hangs",
        |site, _| mood(site, "hang"),
        |site, _| mood(site, ""),
    ),
    (
        "a reload with more tenants",
        |site, _| reload(site, 4),
        |site, _| reload(site, 0),
    ),
    (
        "a probe that leaves children behind",
        |site, _| mood(site, "fork"),
        |site, _| mood(site, ""),
    ),
    ("a full disk", |site, _| fill(site), |site, _| empty(site)),
    (
        "connections that say nothing",
        |site, held| crowd(site, held),
        |_, held| {
            held.tcp.clear();
            held.unix.clear();
        },
    ),
    (
        "a probe that says far too much",
        |site, _| mood(site, "spew"),
        |site, _| mood(site, ""),
    ),
    (
        "a node that is stopped and goes on",
        |site, _| stop(site),
        |site, _| go_on(site),
    ),
];

/// Which one is on.
#[derive(Debug)]
pub struct Troubles {
    every: Duration,
    on: Option<usize>,
    begun: usize,
    held: Held,
}

impl Troubles {
    pub fn new(length: Duration) -> Troubles {
        let all_of_them = u32::try_from(TROUBLES.len() + 1).unwrap_or(u32::MAX);
        Troubles {
            every: EVERY_MAX.min(length / all_of_them),
            on: None,
            begun: 0,
            held: Held::default(),
        }
    }

    /// The first half of each stretch has the trouble, in the second the node recovers.
    pub fn at(&mut self, now: Duration, site: &mut Site) {
        let stretch = now.as_secs_f64() / self.every.as_secs_f64();
        let is_on = stretch.fract() < 0.5;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small count")]
        let number = stretch as usize;
        match self.on {
            None if is_on && number >= self.begun => {
                (TROUBLES[number % TROUBLES.len()].1)(site, &mut self.held);
                self.on = Some(number);
                self.begun = number + 1;
            }
            Some(on) if on != number || !is_on => self.end(on, site),
            _ => {}
        }
    }

    pub fn over(&mut self, site: &mut Site) {
        if let Some(on) = self.on {
            self.end(on, site);
        }
    }

    fn end(&mut self, on: usize, site: &mut Site) {
        (TROUBLES[on % TROUBLES.len()].2)(site, &mut self.held);
        self.on = None;
    }

    /// Each with how often.
    pub fn done(&self) -> Vec<(&'static str, usize)> {
        let all = TROUBLES.iter().enumerate();
        let often = |place: usize| (self.begun + TROUBLES.len() - 1 - place) / TROUBLES.len();
        all.map(|(place, (name, ..))| (*name, often(place))).collect()
    }
}

fn mood(site: &Site, mood: &str) {
    fs::write(site.mood(), mood).unwrap();
}

fn reload(site: &Site, further: usize) {
    site.configure(further);
    signal(site.node.pid(), "HUP");
}

/// Other names each time, none of them acknowledged or counted in the end: they are of no tenant that is known.
fn new_names(site: &Site, held: &mut Held) {
    held.rounds += 1;
    let Ok(mut stream) = UnixStream::connect(site.node.runtime_dir().join("events.sock")) else {
        return;
    };
    let _ = stream.set_write_timeout(Some(Duration::from_secs(5)));
    let round = held.rounds;
    let line = |name: usize| format!("{{\"tenant\":\"stranger-{round}-{name}\",\"endpoint\":\"e\",\"status\":500}}\n");
    let lines: String = (0..NAMES).map(line).collect();
    let _ = stream.write_all(lines.as_bytes());
}

fn fill(site: &Site) {
    if !site.has_own_disk {
        return;
    }
    let mut filler = fs::File::create(site.node.state_dir().join("filler")).unwrap();
    let block = vec![7; 256 * 1024];
    while filler.write_all(&block).is_ok() {}
    while filler.write_all(&block[..512]).is_ok() {}
}

fn empty(site: &Site) {
    let _ = fs::remove_file(site.node.state_dir().join("filler"));
}

fn crowd(site: &Site, held: &mut Held) {
    let began = Instant::now();
    for _ in 0..SLOW_CONNECTIONS {
        if began.elapsed() > Duration::from_secs(2) {
            return;
        }
        if let Ok(mut stream) = TcpStream::connect_timeout(&site.node.address(), Duration::from_secs(1)) {
            let _ = stream.write_all(b"GET /rea");
            held.tcp.push(stream);
        }
        held.unix
            .extend(UnixStream::connect(site.node.runtime_dir().join("events.sock")));
    }
}

fn stop(site: &Site) {
    STOPPED.store(true, Ordering::SeqCst);
    signal(site.node.pid(), "STOP");
}

fn go_on(site: &Site) {
    signal(site.node.pid(), "CONT");
    // Those who asked while it was stopped get their answers first.
    site.node.wait_for_an_answer();
    STOPPED.store(false, Ordering::SeqCst);
}
