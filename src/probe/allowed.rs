//! Where something may listen, in the words of `allow:`. Pure.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// One entry of `allow:`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowed {
    Loopback,
    /// Loopback and addresses that no route of the Internet leads to; not every interface at once.
    Private,
    /// Every interface, and any address.
    Any,
    Address(IpAddr),
    /// This address on this port, whichever port is judged.
    Socket(SocketAddr),
}

/// Who may reach an address that is listened on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// This host.
    Loopback,
    /// Its own networks: RFC 1918, RFC 6598 (Tailscale's too), link-local, RFC 4193.
    Private,
    Public,
    /// Whoever reaches any of its interfaces: `0.0.0.0`, `::`.
    Everywhere,
}

impl Allowed {
    pub fn parse(text: &str) -> Option<Allowed> {
        match text {
            "loopback" => Some(Allowed::Loopback),
            "private" => Some(Allowed::Private),
            "any" => Some(Allowed::Any),
            text => text
                .parse()
                .map(Allowed::Address)
                .or_else(|_| text.parse().map(Allowed::Socket))
                .ok(),
        }
    }

    /// Whether it lets `socket` listen. Only an entry with a port speaks of other ports than the gateway's own.
    pub fn allows(self, socket: SocketAddr, is_gateways: bool) -> bool {
        let ip = socket.ip().to_canonical();
        match self {
            Allowed::Socket(allowed) => allowed.port() == socket.port() && covers(allowed.ip(), ip),
            _ if !is_gateways => false,
            Allowed::Loopback => Reach::of(ip) == Reach::Loopback,
            Allowed::Private => matches!(Reach::of(ip), Reach::Loopback | Reach::Private),
            Allowed::Any => true,
            Allowed::Address(allowed) => covers(allowed, ip),
        }
    }
}

/// Whether who names `named` means `ip` as well. Every interface is every interface: `0.0.0.0` and `::` are told apart
/// only by an option of the socket that nobody sees from outside.
pub fn covers(named: IpAddr, ip: IpAddr) -> bool {
    named.is_unspecified() || named.to_canonical() == ip.to_canonical()
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Allowed::Loopback => f.write_str("loopback"),
            Allowed::Private => f.write_str("private"),
            Allowed::Any => f.write_str("any"),
            Allowed::Address(address) => address.fmt(f),
            Allowed::Socket(socket) => socket.fmt(f),
        }
    }
}

impl Reach {
    pub fn of(ip: IpAddr) -> Reach {
        let ip = ip.to_canonical();
        let private = match ip {
            // RFC 6598: 100.64.0.0/10.
            IpAddr::V4(v4) => {
                v4.is_private() || v4.is_link_local() || (v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64)
            }
            IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local(),
        };
        match ip {
            ip if ip.is_unspecified() => Reach::Everywhere,
            ip if ip.is_loopback() => Reach::Loopback,
            _ if private => Reach::Private,
            _ => Reach::Public,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(entry: &str, socket: &str, is_gateways: bool) -> bool {
        Allowed::parse(entry)
            .unwrap()
            .allows(socket.parse().unwrap(), is_gateways)
    }

    #[test]
    fn addresses_reach_as_far_as_their_networks_do() {
        for (reach, addresses) in [
            (
                Reach::Loopback,
                &["127.0.0.1", "127.8.0.1", "::1", "::ffff:127.0.0.1"][..],
            ),
            (
                Reach::Private,
                &[
                    "10.0.0.5",
                    "172.31.0.1",
                    "192.168.1.1",
                    "100.64.0.1",
                    "100.127.9.9",
                    "169.254.1.1",
                    "fd00::1",
                    "fe80::1",
                ],
            ),
            (
                Reach::Public,
                &[
                    "192.0.2.1",
                    "100.128.0.1",
                    "100.63.0.1",
                    "172.32.0.1",
                    "2001:db8::1",
                    "::ffff:8.8.8.8",
                ],
            ),
            (Reach::Everywhere, &["0.0.0.0", "::", "::ffff:0.0.0.0"]),
        ] {
            for address in addresses {
                assert_eq!(Reach::of(address.parse().unwrap()), reach, "{address}");
            }
        }
    }

    #[test]
    fn each_word_allows_what_it_says_and_no_wider() {
        assert!(allowed("loopback", "[::1]:1", true) && !allowed("loopback", "10.0.0.1:1", true));
        assert!(allowed("private", "10.0.0.1:1", true) && allowed("private", "127.0.0.1:1", true));
        assert!(!allowed("private", "0.0.0.0:1", true) && !allowed("private", "8.8.8.8:1", true));
        assert!(allowed("any", "0.0.0.0:1", true) && allowed("0.0.0.0", "[::]:1", true));
        assert!(allowed("10.0.0.5", "10.0.0.5:1", true) && !allowed("10.0.0.5", "0.0.0.0:1", true));
    }

    #[test]
    fn only_an_entry_with_a_port_speaks_of_other_ports() {
        for entry in ["any", "private", "10.0.0.5"] {
            assert!(!allowed(entry, "10.0.0.5:7", false), "{entry}");
        }
        assert!(allowed("10.0.0.5:7", "10.0.0.5:7", false) && !allowed("10.0.0.5:8", "10.0.0.5:7", false));
        assert!(allowed("0.0.0.0:7", "[::]:7", false));
    }

    #[test]
    fn entries_read_back_as_they_are_written() {
        for entry in ["loopback", "private", "any", "10.0.0.5", "::1", "10.0.0.5:7", "[::1]:7"] {
            assert_eq!(Allowed::parse(entry).unwrap().to_string(), entry);
        }
        for nonsense in ["", "lan", "localhost", "10.0.0.0/8", "10.0.0.5:", ":7", "*"] {
            assert_eq!(Allowed::parse(nonsense), None, "{nonsense}");
        }
    }
}
