//! Where a gateway is, and whom to believe there. Pure.
//!
//! Invariant: no [`Place`] can be made that would send a token across a network in the clear.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

/// Bytes of a host's name.
const HOST_BYTES_MAX: usize = 253;

/// Where a gateway is, and how it may be spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    address: Address,
    trust: Option<Trust>,
}

/// `ws://host:port` or `wss://host:port`; nothing about whether it may be spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub tls: bool,
    /// Without the brackets of an IPv6 address.
    pub host: String,
    pub port: u16,
}

/// Whose certificate is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// One that an authority of this system's CA bundle signed for the host's name.
    System,
    /// One that an authority of this file (PEM) signed for the host's name.
    Authorities(PathBuf),
    /// This very certificate, whatever name and dates it bears: a gateway signs its own, for ten years.
    Pinned(Fingerprint),
}

/// SHA-256 of a certificate in DER.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Place {
    /// `trust` is looked at for `wss` alone.
    ///
    /// # Errors
    /// A sentence: the token would cross a network in the clear.
    pub fn new(address: Address, trust: Trust) -> Result<Place, String> {
        if !address.tls && !address.is_this_host() {
            return Err(format!(
                "{} is another host: a link to it needs wss://, with a certificate that is trusted or pinned",
                address.host
            ));
        }
        Ok(Place {
            trust: address.tls.then_some(trust),
            address,
        })
    }

    /// The gateway on loopback, in the clear.
    pub fn loopback(port: u16) -> Place {
        Place {
            address: Address {
                tls: false,
                host: "127.0.0.1".to_owned(),
                port,
            },
            trust: None,
        }
    }

    pub fn address(&self) -> &Address {
        &self.address
    }

    /// `None`: no TLS, and so only this host.
    pub fn trust(&self) -> Option<&Trust> {
        self.trust.as_ref()
    }
}

impl Address {
    /// `None` when anything stands there but a scheme, a host and a port: a path, a query or a user would not be used.
    pub fn parse(url: &str) -> Option<Address> {
        let (tls, rest) = match url.strip_prefix("wss://") {
            Some(rest) => (true, rest),
            None => (false, url.strip_prefix("ws://")?),
        };
        let (host, port) = rest.strip_suffix('/').unwrap_or(rest).rsplit_once(':')?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let sound = match bare {
            Some(v6) => v6.parse::<std::net::Ipv6Addr>().is_ok(),
            None => is_name(host),
        };
        let digits = port.bytes().all(|byte| byte.is_ascii_digit());
        let port: u16 = port.parse().ok().filter(|port| *port != 0 && digits)?;
        sound.then(|| Address {
            tls,
            host: bare.unwrap_or(host).to_owned(),
            port,
        })
    }

    /// Whether the host's name says so. Where it leads is looked at again when the connection is open.
    pub fn is_this_host(&self) -> bool {
        let ip = self.host.parse::<IpAddr>();
        self.host == "localhost" || ip.is_ok_and(|ip| ip.to_canonical().is_loopback())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "wss" } else { "ws" };
        match self.host.contains(':') {
            true => write!(f, "{scheme}://[{}]:{}", self.host, self.port),
            false => write!(f, "{scheme}://{}:{}", self.host, self.port),
        }
    }
}

impl Fingerprint {
    pub fn of(certificate: &[u8]) -> Fingerprint {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, certificate).as_ref());
        Fingerprint(bytes)
    }

    /// 64 hexadecimal digits, colons between them or not, `sha256:` before them or not: as `openssl x509 -fingerprint`
    /// and `gateway.remote.tlsFingerprint` write it.
    pub fn parse(text: &str) -> Option<Fingerprint> {
        let lower = text.trim().to_ascii_lowercase();
        let digits = lower
            .strip_prefix("sha256:")
            .or_else(|| lower.strip_prefix("sha256/"))
            .unwrap_or(&lower);
        let digits: Vec<u8> = digits
            .bytes()
            .filter(|byte| *byte != b':')
            .map(|byte| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
            .collect::<Option<_>>()?;
        let mut bytes = [0; 32];
        if digits.len() != 64 {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = pair[0] << 4 | pair[1];
        }
        Some(Fingerprint(bytes))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn is_name(host: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    (1..=HOST_BYTES_MAX).contains(&host.len()) && host.bytes().all(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_scheme_a_host_and_a_port_and_reads_back_as_it_is_written() {
        for url in [
            "ws://127.0.0.1:18789",
            "wss://gateway.example:443",
            "wss://[2001:db8::1]:18789",
        ] {
            assert_eq!(Address::parse(url).unwrap().to_string(), url);
        }
        assert_eq!(Address::parse("ws://[::1]:7/").unwrap().host, "::1");
        for url in [
            "",
            "127.0.0.1:1",
            "http://h:1",
            "wss://h",
            "wss://h:0",
            "wss://h:+1",
            "wss://h:65536",
            "wss://:1",
            "wss://u:p@h:1",
            "wss://h:1/path",
            "wss://h:1?token=x",
            "wss://::1:1",
            "wss://[h]:1",
            "wss://a b:1",
        ] {
            assert_eq!(Address::parse(url), None, "{url}");
        }
    }

    #[test]
    fn another_host_is_spoken_to_over_tls_alone() {
        let place = |url: &str| Place::new(Address::parse(url).unwrap(), Trust::System);
        for host in ["192.0.2.1", "gateway.example", "0.0.0.0", "[::2]", "127.0.0.1.example"] {
            let error = place(&format!("ws://{host}:1")).unwrap_err();
            assert!(error.contains("needs wss://"), "{error}");
            assert!(place(&format!("wss://{host}:1")).unwrap().trust().is_some());
        }
        for host in ["127.0.0.1", "127.9.9.9", "[::1]", "localhost", "[::ffff:127.0.0.1]"] {
            assert_eq!(place(&format!("ws://{host}:1")).unwrap().trust(), None);
        }
    }

    #[test]
    fn fingerprints_are_read_as_tools_write_them() {
        let plain = Fingerprint::of(b"x");
        let hex = plain.to_string()["sha256:".len()..].to_owned();
        let pairs: Vec<&str> = (0..32).map(|at| &hex[2 * at..2 * at + 2]).collect();
        for text in [
            hex.clone(),
            plain.to_string(),
            pairs.join(":").to_uppercase(),
            format!("SHA256:{hex}"),
        ] {
            assert_eq!(Fingerprint::parse(&text), Some(plain), "{text}");
        }
        for text in ["", "sha256:", "zz", &hex[1..], &format!("{hex}00")] {
            assert_eq!(Fingerprint::parse(text), None, "{text}");
        }
    }
}
