//! Whether a tenant's declared listeners face the internet.

use std::net::IpAddr;

/// The first listener whose address is public, or is every address: who may reach that, it does not say.
///
/// Names are not looked up: what a name leads to is not what was declared.
pub fn public_listener(listeners: &[String]) -> Option<String> {
    let is_public = |listener: &&String| address(listener).is_some_and(is_public);
    listeners.iter().find(is_public).cloned()
}

fn address(listener: &str) -> Option<IpAddr> {
    let (host, _) = listener.rsplit_once(':')?;
    if host == "*" {
        return Some(IpAddr::from([0, 0, 0, 0]));
    }
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            // 100.64.0.0/10: carriers' and overlay networks' own.
            let is_shared = first == 100 && (64..128).contains(&second);
            !(address.is_private() || address.is_loopback() || address.is_link_local() || is_shared)
        }
        IpAddr::V6(address) => !(address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_and_wildcard_addresses_face_the_internet_and_private_ones_and_names_do_not() {
        let of = |listener: &str| public_listener(&[listener.to_owned()]).is_some();
        for public in [
            "0.0.0.0:1",
            "[::]:1",
            "*:1",
            "8.8.8.8:443",
            "[2001:4860::1]:1",
            "[::ffff:8.8.8.8]:1",
        ] {
            assert!(of(public), "{public}");
        }
        for private in [
            "127.0.0.1:1",
            "localhost:1",
            "10.1.2.3:1",
            "172.16.0.1:1",
            "192.168.1.1:1",
            "169.254.1.1:1",
            "100.64.0.1:1",
            "[::1]:1",
            "[fd00::1]:1",
            "[fe80::1]:1",
            "[::ffff:127.0.0.1]:1",
            "gateway.example:443",
            "nonsense",
        ] {
            assert!(!of(private), "{private}");
        }
        let both = ["127.0.0.1:1".to_owned(), "8.8.8.8:2".to_owned()];
        assert_eq!(public_listener(&both).as_deref(), Some("8.8.8.8:2"));
    }
}
