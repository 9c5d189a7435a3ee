//! The socket's file: who may, and what is left.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::ingest::socket::Refusals;
use crate::words::Instant;

#[test]
fn the_socket_is_for_its_group_and_the_directory_too() {
    let place = Place::new();
    let mode = |path: PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(place.path()), 0o660);
    assert_eq!(mode(place.dir.path().join("run")), 0o750);
    let left: Vec<_> = std::fs::read_dir(place.dir.path().join("run")).unwrap().collect();
    assert_eq!(left.len(), 1, "only the socket");
}

#[test]
fn nothing_is_left_of_the_socket_after_the_end() {
    let place = Place::new();
    let path = place.path();
    let dir = place.stop();
    assert!(!path.exists());
    assert!(dir.path().join("state/readyd.sqlite").exists());
}

#[test]
fn refused_connections_are_spoken_of_at_once_and_then_once_a_minute_with_their_number() {
    let mut refusals = Refusals::default();
    let mut at = |seconds: u64| refusals.count(Instant::from_millis(seconds * 1000));
    assert_eq!(at(1), Some(1));
    assert_eq!((at(2), at(60)), (None, None));
    assert_eq!(at(61), Some(3));
    assert_eq!(at(62), None);
}
