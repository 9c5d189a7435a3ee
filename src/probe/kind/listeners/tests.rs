use std::net::{Ipv4Addr, TcpListener};

use super::*;

/// In the form of Linux 6: listeners of user 1001 and of root, one connection, one that is closing.
const TCP: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:4965 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1001        0 30212 1 0000000000000000 100 0 0 10 0
   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 18123 1 0000000000000000 100 0 0 10 0
   2: 0100007F:DA08 0100007F:4965 01 00000000:00000000 00:00000000 00000000  2002        0 30250 1 0000000000000000 20 4 30 10 -1
   4: 0100007F:4965 0100007F:DA09 06 00000000:00000000 00:00000000 00000000     0        0 0 3 0000000000000000
";
const TCP6: &str = "\
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:4965 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  1004        0 11 1 0 100 0 0 10 0
   1: 00000000000000000000000001000000:4966 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  1005        0 12 1 0 100 0 0 10 0
";

#[cfg(target_endian = "little")]
#[test]
fn the_tables_tell_who_listens_where() {
    let seen: Vec<(String, u32, u64)> = [TCP, TCP6]
        .iter()
        .flat_map(|table| of_table(table))
        .map(|socket| (socket.address.to_string(), socket.uid, socket.inode))
        .collect();
    let expected = [
        ("127.0.0.1:18789", 1001, 30_212),
        ("0.0.0.0:22", 0, 18_123),
        ("[::]:18789", 1004, 11),
        ("[::1]:18790", 1005, 12),
    ];
    assert_eq!(
        seen,
        expected.map(|(address, uid, inode)| (address.to_owned(), uid, inode))
    );
}

#[test]
fn lines_that_are_no_listeners_are_passed_over() {
    for table in [
        "",
        "header",
        "header\n\n x\n 0: 01:02\n 0: zz:zz zz:zz 0A",
        "h\n0: 0100007F:4965 00000000:0000 0A",
        "h\n0: 0100007F:4965 00000000:0000 0A 0:0 0:0 0 x 0 y",
        "h\n\u{0}\u{1}\u{fffd}",
    ] {
        assert_eq!(of_table(table), [], "{table}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn our_own_sockets_are_found_with_their_process() {
    let listeners = [0, 0].map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap());
    let [first, second] = listeners.each_ref().map(|listener| listener.local_addr().unwrap());
    let found = look(first.port(), &|| false).unwrap();
    let holder = found.holders.iter().find(|holder| holder.pid == std::process::id());
    let holder = holder.unwrap_or_else(|| panic!("{found:?}"));
    assert!(holder.listens.contains(&first) && holder.listens.contains(&second));
    assert_eq!(found.unseen, None);
}

#[cfg(target_os = "linux")]
#[test]
fn a_port_that_nobody_holds_has_no_holders_and_nothing_is_unseen() {
    let port = {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        listener.local_addr().unwrap().port()
    };
    let found = look(port, &|| false).unwrap();
    assert_eq!((found.holders, found.unseen), (Vec::new(), None));
}

#[cfg(target_os = "linux")]
#[test]
fn a_walk_that_is_late_ends_and_says_so() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let found = look(address.port(), &|| true).unwrap();
    assert!(found.sockets.iter().any(|socket| socket.address == address));
    assert_eq!(found.unseen.unwrap(), "there are too many processes to look through");
}
