//! Shell: whose the listener on a port of this host is. The token is sent to nobody else.
//!
//! Linux: the tables of `/proc/net`, where each socket stands with its user. macOS: `lsof`, the system's tool; its
//! output is parsed below and tested on a recording, the call is not run by this project's suite.
//!
//! A process may take a port over between this look and the frame: the caller looks after the connection is open and
//! the peer has spoken, and looks at the connection's own far end as well.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

/// Users of the sockets that listen where `local` leads, and of the far end of our connection to it.
///
/// # Errors
/// Why this host does not tell. Empty is an answer: nobody that can be seen.
#[cfg(any(target_os = "linux", target_os = "android"))]
#[expect(clippy::disallowed_methods, reason = "shell: reads the socket tables")]
pub fn owners(peer: SocketAddr, ours: SocketAddr) -> Result<BTreeSet<u32>, String> {
    let mut found = BTreeSet::new();
    let mut told = false;
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        // A kernel without IPv6 has no second table.
        if let Ok(text) = std::fs::read_to_string(table) {
            told = true;
            found.extend(of_table(&text, peer, ours));
        }
    }
    told.then_some(found)
        .ok_or_else(|| "/proc/net/tcp cannot be read".to_owned())
}

/// As above, asked of `lsof`. Not run by this project's suite.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub fn owners(peer: SocketAddr, _ours: SocketAddr) -> Result<BTreeSet<u32>, String> {
    Ok(of_lsof(&lsof(peer.port())?))
}

/// What `lsof -Fpu` says of the listeners on a port: `p1234` and `u501`, a line each.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[expect(clippy::disallowed_methods, reason = "shell: asks lsof")]
fn lsof(port: u16) -> Result<String, String> {
    let output = std::process::Command::new("/usr/sbin/lsof")
        .args(["-nP", "-Fpu", "-sTCP:LISTEN"])
        .arg(format!("-iTCP:{port}"))
        .stdin(std::process::Stdio::null())
        .output()
        .map_err(|error| format!("lsof cannot be run: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The users in a table of `/proc/net/tcp{,6}`: of listeners that take `peer`'s connections, and of the socket at the
/// far end of `ours`.
pub fn of_table(table: &str, peer: SocketAddr, ours: SocketAddr) -> BTreeSet<u32> {
    rows(table)
        .filter(|row| row.takes(peer) || (row.local == peer && row.remote == ours))
        .map(|row| row.uid)
        .collect()
}

/// One socket of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    pub local: SocketAddr,
    pub remote: SocketAddr,
    pub listens: bool,
    /// Whoever made it.
    pub uid: u32,
    /// Names it within this host.
    pub inode: u64,
}

impl Row {
    fn takes(&self, peer: SocketAddr) -> bool {
        let reached = self.local.ip().is_unspecified() || self.local.ip() == peer.ip();
        self.listens && reached && self.local.port() == peer.port()
    }
}

/// The sockets of a table of `/proc/net/tcp{,6}`; lines that are none are passed over.
pub fn rows(table: &str) -> impl Iterator<Item = Row> {
    const LISTEN: &str = "0A";
    table.lines().skip(1).filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        Some(Row {
            local: address(words.nth(1)?)?,
            remote: address(words.next()?)?,
            listens: words.next()? == LISTEN,
            uid: words.nth(3)?.parse().ok()?,
            inode: words.nth(1)?.parse().ok()?,
        })
    })
}

/// The users in `lsof -Fu`: lines `p1234` and `u501`.
pub fn of_lsof(output: &str) -> BTreeSet<u32> {
    output
        .lines()
        .filter_map(|line| line.strip_prefix('u')?.trim().parse().ok())
        .collect()
}

/// `0100007F:4965`: words of four bytes, each in the byte order of this host (little-endian on all that we ship for).
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| u32::from_str_radix(ip.get(at..at + 8)?, 16).ok().map(u32::to_ne_bytes);
    let ip = match ip.len() {
        8 => IpAddr::from(word(0)?),
        32 => {
            let mut bytes = [0; 16];
            for (index, chunk) in bytes.chunks_exact_mut(4).enumerate() {
                chunk.copy_from_slice(&word(index * 8)?);
            }
            // `::ffff:127.0.0.1` is how an IPv6 socket shows an IPv4 peer.
            IpAddr::from(bytes).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests;
