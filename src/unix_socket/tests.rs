#![expect(clippy::disallowed_methods, reason = "specs: a file in the socket's place")]

use tempfile::TempDir;

use super::*;

fn private() -> Access {
    Access {
        mode: 0o600,
        group: None,
    }
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn a_socket_has_its_mode_and_goes_with_its_owner() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("run/control.sock");
    let run = path.parent().unwrap();
    let (listener, file) = listen(&path, &private()).unwrap();
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(run), 0o750, "others see nothing of the runtime directory");
    assert_eq!(std::fs::read_dir(run).unwrap().count(), 1, "only the socket");
    UnixStream::connect(&path).unwrap();
    drop((listener, file));
    assert!(!path.exists());
}

#[test]
fn a_socket_gets_the_group_that_is_asked_for_and_its_directory_too() {
    if !rustix::process::geteuid().is_root() {
        crate::store::tests::left_out("it needs root");
        return;
    }
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("run/events.sock");
    let group = Some("12345".into());
    let _listening = listen(&path, &Access { mode: 0o620, group }).unwrap();
    assert_eq!((std::fs::metadata(&path).unwrap().gid(), mode(&path)), (12_345, 0o620));
    assert_eq!(std::fs::metadata(dir.path().join("run")).unwrap().gid(), 12_345);
}

#[test]
fn the_socket_of_a_dead_process_is_replaced_and_its_late_end_takes_nothing_away() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("control.sock");
    let (listener, file) = listen(&path, &private()).unwrap();
    drop(listener);
    let _living = listen(
        &path,
        &Access {
            mode: 0o660,
            group: None,
        },
    )
    .unwrap();
    assert_eq!(mode(&path), 0o660);
    drop(file);
    UnixStream::connect(&path).unwrap();
}

#[test]
fn the_socket_of_a_living_process_is_an_error() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("control.sock");
    let _living = listen(&path, &private()).unwrap();
    assert!(matches!(listen(&path, &private()), Err(ListenError::InUse(_))));
    UnixStream::connect(&path).unwrap();
}

/// Elsewhere the kernel refuses instead of keeping us waiting.
#[cfg(target_os = "linux")]
#[test]
fn a_living_process_that_hangs_with_a_full_backlog_does_not_hang_us() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("control.sock");
    let hanging = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
    rustix::net::bind(&hanging, &SocketAddrUnix::new(&path).unwrap()).unwrap();
    rustix::net::listen(&hanging, 0).unwrap();
    let _waiting = UnixStream::connect(&path).unwrap();
    assert!(matches!(listen(&path, &private()), Err(ListenError::InUse(_))));
}

#[test]
fn what_is_no_socket_is_left_alone() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("events.sock");
    std::fs::write(&path, "precious").unwrap();
    assert!(matches!(listen(&path, &private()), Err(ListenError::NotASocket(_))));
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
}

#[test]
fn a_path_too_long_for_a_socket_and_an_unknown_group_are_errors_with_a_next_step() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("x".repeat(100)).join("events.sock");
    let error = listen(&path, &private()).unwrap_err().to_string();
    assert!(error.contains("set `runtime_dir` to a (shorter) path"), "{error}");
    let group = Some("no such group".into());
    let error = listen(&dir.path().join("s"), &Access { mode: 0o660, group }).unwrap_err();
    assert!(matches!(error, ListenError::UnknownGroup(_)));
}

#[test]
fn the_kernel_says_who_is_at_the_other_end() {
    let (ours, _other) = UnixStream::pair().unwrap();
    assert_eq!(peer_uid(&ours).unwrap(), rustix::process::geteuid().as_raw());
}
