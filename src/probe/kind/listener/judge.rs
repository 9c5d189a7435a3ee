//! What listens, against what is declared or allowed. Pure.

use std::net::{IpAddr, SocketAddr};

use crate::probe::allowed::{Allowed, Reach, covers};
use crate::probe::kind::listeners::{Holder, Listeners, passes_on};
use crate::probe::kind::part::Part;
use crate::words::Cause;

/// What may listen for a gateway.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    pub port: u16,
    /// `127.0.0.1:18789`, as its fragments say; where they speak of a port, they decide.
    pub declared: &'a [String],
    pub allow: &'a [Allowed],
    /// The gateway was seen to answer by other means.
    pub answers: bool,
}

/// What came of the sockets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judged {
    pub parts: Vec<Part>,
    /// When nothing is wrong.
    pub summary: String,
    pub evidence: Vec<(String, String)>,
    pub notes: Vec<String>,
}

pub fn judge(found: &Listeners, expected: &Expected<'_>) -> Judged {
    let port = expected.port;
    let mut judged = Judged::default();
    let on_port: Vec<SocketAddr> = addresses(found).filter(|address| address.port() == port).collect();
    if on_port.is_empty() {
        judged.summary = format!("nothing listens on port {port}");
        if expected.answers {
            let note = "the gateway answers all the same: a container's port mapping has no socket on this host, so that \
                        who may reach it is not seen from here";
            judged.notes.push(note.to_owned());
        }
        // Whether it should run is the gateway check's to say.
        return judged;
    }
    let declared: Vec<Declared<'_>> = expected
        .declared
        .iter()
        .filter_map(|text| Declared::parse(text))
        .collect();
    for address in &on_port {
        judged.parts.push(of_port(*address, &declared, expected.allow));
    }
    for missing in declared
        .iter()
        .filter(|declared| !addresses(found).any(|address| declared.is_met_by(address)))
    {
        judged
            .parts
            .push(Part::degraded(missing.text, "is declared and does not listen"));
    }
    for holder in &found.holders {
        judged.evidence.push((format!("port {port} is held by"), named(holder)));
        judged.others(holder, &declared, expected);
    }
    if let Some(why) = &found.unseen {
        let note = format!("what else the gateway's process listens on is not known: {why}");
        judged.notes.push(note);
    }
    judged.summary = listing(&on_port);
    judged
}

impl Judged {
    /// This host does not tell what listens.
    pub fn unknown(why: &str) -> Judged {
        Judged::lost(Cause::Local, why)
    }

    pub fn lost(cause: Cause, why: &str) -> Judged {
        Judged {
            parts: vec![Part::unknown(cause, "sockets", why)],
            ..Judged::default()
        }
    }

    /// What else a process that holds the port listens on.
    fn others(&mut self, holder: &Holder, declared: &[Declared<'_>], expected: &Expected<'_>) {
        if passes_on(&holder.name) {
            let note = format!(
                "{} passes connections on; what else it listens on is not judged",
                named(holder)
            );
            self.notes.push(note);
            return;
        }
        for address in holder.listens.iter().filter(|address| address.port() != expected.port) {
            let is_declared = declared.iter().any(|declared| declared.allows(*address));
            if is_declared || expected.allow.iter().any(|allowed| allowed.allows(*address, false)) {
                continue;
            }
            let seen = format!("{} also listens there, which nobody declared", named(holder));
            match Reach::of(address.ip()) {
                // It opens such ports for its own browsers and previews, as they are used.
                Reach::Loopback => self.notes.push(format!("{address}: {seen}")),
                reach => {
                    let part = Part::degraded(address.to_string(), format!("{seen} ({})", words(reach)));
                    // Processes that share a socket share the finding.
                    if !self.parts.iter().any(|known| known.what == part.what) {
                        self.parts.push(part);
                    }
                }
            }
        }
    }
}

/// A socket on the gateway's own port.
fn of_port(address: SocketAddr, declared: &[Declared<'_>], allow: &[Allowed]) -> Part {
    let what = format!("port {}", address.port());
    let reach = Reach::of(address.ip());
    let of_port: Vec<&Declared<'_>> = declared
        .iter()
        .filter(|declared| declared.port == address.port())
        .collect();
    let (is_allowed, limit) = match of_port.is_empty() {
        true => {
            let words: Vec<String> = allow.iter().map(ToString::to_string).collect();
            let limit = match words.is_empty() {
                true => "nothing is allowed".to_owned(),
                false => format!("allowed is {}", words.join(", ")),
            };
            (allow.iter().any(|allowed| allowed.allows(address, true)), limit)
        }
        false => {
            let words: Vec<&str> = of_port.iter().map(|declared| declared.text).collect();
            // A gateway that is bound to one address listens on loopback as well, for clients of this host.
            let is_allowed = reach == Reach::Loopback || of_port.iter().any(|declared| declared.allows(address));
            (is_allowed, format!("declared is {}", words.join(", ")))
        }
    };
    match (is_allowed, reach) {
        (true, _) => Part::ok(what, format!("listens on {address}")),
        (false, reach @ Reach::Everywhere) => {
            Part::degraded(what, format!("listens on {} ({address}), {limit}", words(reach)))
        }
        (false, reach) => Part::degraded(what, format!("listens on {address} ({}), {limit}", words(reach))),
    }
}

fn words(reach: Reach) -> &'static str {
    match reach {
        Reach::Loopback => "loopback",
        Reach::Private => "a private address",
        Reach::Public => "a public address",
        Reach::Everywhere => "every interface",
    }
}

fn addresses(found: &Listeners) -> impl Iterator<Item = SocketAddr> {
    found.sockets.iter().map(|socket| socket.address)
}

fn named(holder: &Holder) -> String {
    format!("{} (pid {})", holder.name, holder.pid)
}

/// `listens on 127.0.0.1:18789 and [::1]:18789`.
fn listing(addresses: &[SocketAddr]) -> String {
    let mut words: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    words.dedup();
    match words.pop() {
        Some(last) if !words.is_empty() => format!("listens on {} and {last}", words.join(", ")),
        Some(only) => format!("listens on {only}"),
        None => String::new(),
    }
}

/// One of the fragments' `listeners`.
struct Declared<'a> {
    text: &'a str,
    host: Host,
    port: u16,
}

enum Host {
    Address(IpAddr),
    /// `localhost`: either loopback.
    Localhost,
    /// A name: where it leads is not looked up, so that only the port can be told.
    Name,
}

impl Declared<'_> {
    fn parse(text: &str) -> Option<Declared<'_>> {
        let (host, port) = text.rsplit_once(':')?;
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
            .unwrap_or(host);
        Some(Declared {
            text,
            port: port.parse().ok()?,
            host: match bare {
                "localhost" => Host::Localhost,
                "*" => Host::Address(IpAddr::from([0, 0, 0, 0])),
                bare => bare.parse().map_or(Host::Name, Host::Address),
            },
        })
    }

    /// Whether a socket at `address` is no wider than what is declared.
    fn allows(&self, address: SocketAddr) -> bool {
        let ip = address.ip();
        self.port == address.port()
            && match self.host {
                Host::Address(declared) => covers(declared, ip),
                Host::Localhost => Reach::of(ip) == Reach::Loopback,
                Host::Name => Reach::of(ip) != Reach::Everywhere,
            }
    }

    /// Whether who connects to what is declared reaches a socket at `address`.
    fn is_met_by(&self, address: SocketAddr) -> bool {
        let ip = address.ip();
        self.port == address.port()
            && match self.host {
                _ if ip.is_unspecified() => true,
                Host::Address(declared) => declared.to_canonical() == ip.to_canonical(),
                Host::Localhost => Reach::of(ip) == Reach::Loopback,
                Host::Name => true,
            }
    }
}

#[cfg(test)]
mod tests;
