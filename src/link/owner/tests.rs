use super::*;

/// In the form of Linux 6: a listener of user 1001 on 127.0.0.1:18789 with one accepted connection from port 55816, one
/// of root on all addresses at port 22, and a closed connection that nobody has any more.
const TCP: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:4965 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1001        0 30212 1 0000000000000000 100 0 0 10 0
   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 18123 1 0000000000000000 100 0 0 10 0
   2: 0100007F:DA08 0100007F:4965 01 00000000:00000000 00:00000000 00000000  2002        0 30250 1 0000000000000000 20 4 30 10 -1
   3: 0100007F:4965 0100007F:DA08 01 00000000:00000000 00:00000000 00000000  1003        0 30251 1 0000000000000000 20 4 30 10 -1
   4: 0100007F:4965 0100007F:DA09 06 00000000:00000000 00:00000000 00000000     0        0 0 3 0000000000000000
";
const TCP6: &str = "\
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000000000000:4965 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  1004        0 1 1 0 100 0 0 10 0
   1: 00000000000000000000000001000000:4966 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  1005        0 1 1 0 100 0 0 10 0
   2: 0000000000000000FFFF00000100007F:4965 0000000000000000FFFF00000100007F:DA08 01 00000000:00000000 00:00000000 00000000  1006        0 1 1 0 100 0 0 10 0
";

fn uids(table: &str, peer: &str, ours: &str) -> Vec<u32> {
    of_table(table, peer.parse().unwrap(), ours.parse().unwrap())
        .into_iter()
        .collect()
}

#[test]
fn the_listener_and_the_far_end_of_our_connection_are_found_and_no_other_socket() {
    assert_eq!(uids(TCP, "127.0.0.1:18789", "127.0.0.1:55816"), [1001, 1003]);
    assert_eq!(uids(TCP, "127.0.0.1:18789", "127.0.0.1:1"), [1001]);
    assert_eq!(
        uids(TCP, "127.0.0.1:22", "127.0.0.1:1"),
        [0],
        "a listener on all addresses takes it too"
    );
    assert_eq!(uids(TCP, "127.0.0.2:18789", "127.0.0.1:1"), [0u32; 0]);
    assert_eq!(uids(TCP, "127.0.0.1:9", "127.0.0.1:1"), [0u32; 0]);
}

#[test]
fn listeners_of_both_families_are_found_in_the_second_table() {
    assert_eq!(uids(TCP6, "127.0.0.1:18789", "127.0.0.1:55816"), [1004, 1006]);
    assert_eq!(uids(TCP6, "[::1]:18790", "[::1]:1"), [1005]);
}

#[test]
fn lines_that_are_no_sockets_are_passed_over() {
    for table in [
        "",
        "header",
        "header\n\n x\n 0: 01:02\n 0: zz:zz zz:zz 0A",
        "h\n0: 0100007F:4965 00000000:0000 0A",
    ] {
        assert_eq!(uids(table, "127.0.0.1:18789", "127.0.0.1:1"), [0u32; 0]);
    }
}

#[test]
fn what_lsof_prints_names_the_users() {
    assert_eq!(
        of_lsof("p4211\nu501\nf23\np4300\nu0\nf3\n")
            .into_iter()
            .collect::<Vec<_>>(),
        [0, 501]
    );
    assert_eq!(of_lsof("").len(), 0);
}

#[test]
fn a_listener_of_our_own_is_ours() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = listener.local_addr().unwrap();
    let stream = std::net::TcpStream::connect(peer).unwrap();
    let (accepted, ours) = listener.accept().unwrap();
    let found = owners(peer, ours).unwrap();
    assert_eq!(
        found.into_iter().collect::<Vec<_>>(),
        [rustix::process::geteuid().as_raw()]
    );
    drop((stream, accepted));
}
