#![expect(clippy::disallowed_methods, reason = "specs: token files")]

use std::os::unix::fs::PermissionsExt as _;

use crate::http::access::{Access, Credentials, Standing};
use crate::http::token::{TOKEN_BYTES_MAX, TokenFile};

const LOOPBACK: &str = "127.0.0.1:9099";
const EVERYWHERE: &str = "0.0.0.0:9099";

fn check(hosts: &[&str], listen: &str, authorization: Option<&str>) -> Standing {
    let access = Access {
        node: "mac-3".into(),
        hosts: vec!["ready.example.org".into()],
        ..Access::default()
    };
    let credentials = Credentials { hosts, authorization };
    access.standing(&credentials, listen.parse().unwrap(), Some(b"s3cret"))
}

#[test]
fn hosts_that_are_us_see_everything() {
    for host in [
        "127.0.0.1",
        "127.0.0.1:9099",
        "10.1.2.3",
        "[::1]:9099",
        "[::1]",
        "localhost",
        "LOCALHOST:80",
        "mac-3",
        "Mac-3:9099",
        "mac-3.",
        "ready.example.org",
    ] {
        assert_eq!(check(&[host], LOOPBACK, None), Standing::Full, "{host}");
    }
    assert_eq!(check(&[], LOOPBACK, None), Standing::Full, "HTTP/1.0 has none");
}

#[test]
fn hosts_that_are_not_us_do_not() {
    for host in [
        "evil.example",
        "localhost.evil.example",
        "mac-3.evil.example",
        "127.0.0.1.evil.example",
        "",
        "?",
        "mac-3:x",
        "[::1].evil.example",
        "[::1",
        "[mac-3]x",
    ] {
        assert_eq!(check(&[host], LOOPBACK, None), Standing::UnknownHost, "{host}");
    }
    assert_eq!(
        check(&["localhost", "evil.example"], LOOPBACK, None),
        Standing::UnknownHost,
        "two of them"
    );
    let right = Some("Bearer s3cret");
    assert_eq!(check(&["evil.example"], EVERYWHERE, right), Standing::UnknownHost);
}

#[test]
fn the_bearer_is_wanted_beyond_loopback_alone() {
    let at = |authorization| check(&["10.1.2.3"], EVERYWHERE, authorization);
    assert_eq!(at(Some("Bearer s3cret")), Standing::Full);
    assert_eq!(at(Some("bearer   s3cret ")), Standing::Full);
    for wrong in [
        None,
        Some(""),
        Some("Bearer"),
        Some("Bearer "),
        Some("Bearer s3cre"),
        Some("Bearer s3crets"),
        Some("Basic s3cret"),
        Some("s3cret"),
    ] {
        assert_eq!(at(wrong), Standing::NoBearer, "{wrong:?}");
    }
}

#[test]
fn without_a_token_nobody_has_the_bearer() {
    let credentials = Credentials {
        hosts: &["10.1.2.3"],
        authorization: Some("Bearer "),
    };
    let standing = Access::default().standing(&credentials, EVERYWHERE.parse().unwrap(), None);
    assert_eq!(standing, Standing::NoBearer);
}

#[test]
fn a_token_file_is_read_again_when_it_changes_and_fails_closed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    let put = |text: &str, mode: u32| {
        let next = directory.path().join("token.next");
        std::fs::write(&next, text).unwrap();
        std::fs::set_permissions(&next, std::fs::Permissions::from_mode(mode)).unwrap();
        std::fs::rename(&next, &path).unwrap();
    };
    let mut file = TokenFile::default();
    let mut look = || {
        file.refresh(Some(&path))
            .map(|token| token.map(|token| String::from_utf8_lossy(token).into_owned()))
    };
    assert!(look().is_err(), "not there");
    put("one\n", 0o600);
    assert_eq!(look(), Ok(Some("one".into())));
    assert_eq!(look(), Ok(Some("one".into())));
    put("two", 0o600);
    assert_eq!(look(), Ok(Some("two".into())));
    put("three", 0o666);
    assert!(look().unwrap_err().contains("is writable by others"));
    put(" \n", 0o600);
    assert!(look().unwrap_err().contains("empty"));
    put(&"x".repeat(TOKEN_BYTES_MAX + 1), 0o600);
    assert!(look().unwrap_err().contains("longer"));
    put("four", 0o600);
    assert_eq!(look(), Ok(Some("four".into())));
    std::fs::remove_file(&path).unwrap();
    assert!(look().is_err());
    assert!(look().is_err());
}

#[test]
fn a_fifo_in_the_tokens_place_hangs_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("token");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &path,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    let refused = TokenFile::default().refresh(Some(&path)).map(|_| ()).unwrap_err();
    assert!(refused.contains("not a regular file"), "{refused}");
}
