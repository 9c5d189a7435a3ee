//! What `lsof -FpcuLtn` prints: a line a field, its first letter saying which. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{HOLDERS_MAX, Holder, Listeners, Socket};

/// The listeners in `output`, and the processes among them that hold `port`. lsof leaves out what it is not shown.
pub fn parse(output: &str, port: u16) -> Listeners {
    let mut found = Listeners::default();
    let mut process = Holder {
        pid: 0,
        name: String::new(),
        listens: Vec::new(),
    };
    let (mut uid, mut is_v6) = (0, false);
    for line in output.lines() {
        let mut letters = line.chars();
        let (field, text) = (letters.next(), letters.as_str());
        match field {
            Some('p') => {
                keep(&mut found, &process, port);
                process = Holder {
                    pid: text.parse().unwrap_or(0),
                    name: String::new(),
                    listens: Vec::new(),
                };
                uid = 0;
            }
            Some('c') => text.clone_into(&mut process.name),
            Some('u') => uid = text.parse().unwrap_or(0),
            Some('t') => is_v6 = text == "IPv6",
            Some('n') => {
                if let Some(address) = address(text, is_v6) {
                    process.listens.push(address);
                    found.sockets.push(Socket { address, uid, inode: 0 });
                }
            }
            _ => {}
        }
    }
    keep(&mut found, &process, port);
    found.sockets.sort_unstable();
    // A forked server shows its socket once a process.
    found.sockets.dedup();
    if found.holders.is_empty() {
        found.unseen = Some("lsof shows the processes of others to root alone".to_owned());
    }
    found
}

fn keep(found: &mut Listeners, process: &Holder, port: u16) {
    let holds = process.listens.iter().any(|address| address.port() == port);
    if holds && found.holders.len() < HOLDERS_MAX {
        let mut holder = process.clone();
        holder.listens.sort_unstable();
        holder.listens.dedup();
        found.holders.push(holder);
    }
}

/// `*:18789`, `127.0.0.1:18789`, `[::1]:18789`, `[fe80::1%lo0]:18789`.
fn address(text: &str, is_v6: bool) -> Option<SocketAddr> {
    let (host, port) = text.rsplit_once(':')?;
    let port = port.parse().ok()?;
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    let ip: IpAddr = match bare {
        "*" if is_v6 => Ipv6Addr::UNSPECIFIED.into(),
        "*" => Ipv4Addr::UNSPECIFIED.into(),
        host => host.split('%').next()?.parse().ok()?,
    };
    Some(SocketAddr::new(ip.to_canonical(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of lsof 4.95 (`-nP -iTCP -sTCP:LISTEN -FpcuLtn`), with the descriptors that the one of macOS always prints.
    const OUTPUT: &str = "\
p612\ncrapportd\nu501\nLann\nf8\ntIPv4\nn*:49152\nf9\ntIPv6\nn*:49152\n\
p4675\ncopenclaw-gateway\nu501\nLann\nf21\ntIPv4\nn127.0.0.1:18789\nf22\ntIPv6\nn[::1]:18789\nf31\ntIPv4\nn192.168.1.7:9999\n\
p4700\ncnode\nu502\nLbob\nf21\ntIPv6\nn[fe80::1%lo0]:18790\n";

    #[test]
    fn processes_and_all_that_they_listen_on_are_read() {
        let found = parse(OUTPUT, 18_789);
        assert_eq!(found.sockets.len(), 6);
        assert_eq!(found.unseen, None);
        let [gateway] = &found.holders[..] else {
            panic!("{:?}", found.holders);
        };
        assert_eq!((gateway.pid, gateway.name.as_str()), (4675, "openclaw-gateway"));
        let listens: Vec<String> = gateway.listens.iter().map(ToString::to_string).collect();
        assert_eq!(listens, ["127.0.0.1:18789", "192.168.1.7:9999", "[::1]:18789"]);
        let everywhere: Vec<_> = found
            .sockets
            .iter()
            .filter(|socket| socket.address.ip().is_unspecified())
            .collect();
        assert_eq!(everywhere.len(), 2);
        assert!(found.sockets.iter().all(|socket| [501, 502].contains(&socket.uid)));
    }

    #[test]
    fn who_is_shown_nothing_knows_that_there_may_be_more() {
        assert!(parse("", 1).unseen.is_some());
        assert!(parse(OUTPUT, 1).unseen.is_some());
    }

    #[test]
    fn junk_is_passed_over() {
        let junk = "n\np\nx\nnnonsense\nn:\nn[::1:4\nn1.2.3.4:99999\n\u{0}\u{ff}\nüü\np99999999999\ncx\nn1.2.3.4:5\n";
        let found = parse(junk, 5);
        assert_eq!(found.sockets.len(), 1);
        assert_eq!(found.holders[0].pid, 0);
    }
}
