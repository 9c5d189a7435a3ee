//! Who sees how much on a TCP listener: the rules on `Host` and on the bearer.
//!
//! The Host rule keeps a web page that rebinds its own name to 127.0.0.1 from reading what the node
//! knows; the bearer keeps the network from it. Neither keeps a load balancer from the verdict.

use std::net::{IpAddr, SocketAddr};

use subtle::ConstantTimeEq as _;

/// What the rules are decided by. Made anew at each reload.
#[derive(Clone, Debug, Default)]
pub struct Access {
    pub node: String,
    /// Further Host names that are answered.
    pub hosts: Vec<String>,
    /// Read again when it changes; `None`: nobody has the bearer of a non-loopback listener.
    pub token_file: Option<std::path::PathBuf>,
    /// What it is served with; whether it is, was decided at the start.
    pub tls: Option<crate::config::Tls>,
}

/// What one request may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Full,
    /// It came for a host that is not us: 421.
    UnknownHost,
    /// It did not bring the bearer: 401.
    NoBearer,
}

/// The parts of a request that decide its standing, as sent.
#[derive(Clone, Debug, Default)]
pub struct Credentials<'r> {
    /// All `Host` headers and the authority of an absolute request target.
    pub hosts: &'r [&'r str],
    pub authorization: Option<&'r str>,
}

impl Access {
    /// `listen` is the address that the request's listener is bound to, not the client's.
    pub fn standing(&self, credentials: &Credentials<'_>, listen: SocketAddr, token: Option<&[u8]>) -> Standing {
        // No Host at all is HTTP/1.0, which no browser speaks: HAProxy's checks do.
        if !credentials.hosts.iter().all(|host| self.knows(host)) {
            return Standing::UnknownHost;
        }
        if listen.ip().is_loopback() || bears(credentials.authorization, token) {
            Standing::Full
        } else {
            Standing::NoBearer
        }
    }

    /// An IP address, `localhost`, the node's name, or one of `hosts`; a port and a final dot are ignored.
    fn knows(&self, host: &str) -> bool {
        let name = without_port(host);
        let name = name.strip_suffix('.').unwrap_or(name);
        let is = |known: &str| known.eq_ignore_ascii_case(name);
        name.parse::<IpAddr>().is_ok()
            || is("localhost")
            || (!self.node.is_empty() && is(&self.node))
            || self.hosts.iter().any(|known| is(known))
    }
}

/// `[::1]:9099` → `::1`, `mac-3:9099` → `mac-3`.
fn without_port(host: &str) -> &str {
    let is_port = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some((address, rest)) = host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        let is_whole = rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port);
        return if is_whole { address } else { host };
    }
    match host.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') && is_port(port) => name,
        _ => host,
    }
}

/// Compares in a time that does not depend on where the first difference is.
fn bears(authorization: Option<&str>, token: Option<&[u8]>) -> bool {
    let (Some(authorization), Some(token)) = (authorization, token) else {
        return false;
    };
    let Some((scheme, given)) = authorization.split_once(' ') else {
        return false;
    };
    scheme.eq_ignore_ascii_case("bearer") && bool::from(given.trim().as_bytes().ct_eq(token))
}
