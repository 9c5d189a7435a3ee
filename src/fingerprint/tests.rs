#![expect(clippy::disallowed_methods, reason = "writes the files it reads")]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;

#[test]
fn a_fingerprint_is_twelve_digits_and_the_same_for_the_same_secret_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let first = Fingerprints::kept_in(dir.path());
    let shown = first.of("s3cret").to_string();
    assert_eq!(shown.len(), 12);
    assert!(shown.bytes().all(|byte| byte.is_ascii_hexdigit()), "{shown}");
    assert_eq!(first.of(" s3cret\n"), first.of("s3cret"));
    assert_ne!(first.of("s3cret"), first.of("s3creT"));
    let again = Fingerprints::kept_in(dir.path());
    assert_eq!(again.of("s3cret"), first.of("s3cret"));
    assert_eq!((first.trouble(), again.trouble()), (None, None));
}

#[test]
fn the_key_is_for_us_alone_and_nothing_else_is_left_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let _ = Fingerprints::kept_in(dir.path()).of("s3cret");
    let names: Vec<_> = fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names, [KEY_FILE]);
    let metadata = fs::metadata(dir.path().join(KEY_FILE)).unwrap();
    assert_eq!((metadata.len(), metadata.permissions().mode() & 0o777), (32, 0o600));
}

#[test]
fn another_node_has_other_fingerprints_unless_it_is_given_the_key() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let ours = Fingerprints::kept_in(one.path()).of("s3cret");
    assert_ne!(Fingerprints::kept_in(other.path()).of("s3cret"), ours);
    let third = tempfile::tempdir().unwrap();
    fs::copy(one.path().join(KEY_FILE), third.path().join(KEY_FILE)).unwrap();
    assert_eq!(Fingerprints::kept_in(third.path()).of("s3cret"), ours);
}

#[test]
fn many_who_begin_at_once_take_one_key() {
    let dir = tempfile::tempdir().unwrap();
    let taken: Vec<Fingerprint> = std::thread::scope(|scope| {
        let start = || scope.spawn(|| Fingerprints::kept_in(dir.path()).of("s3cret"));
        let begun: Vec<_> = (0..8).map(|_| start()).collect();
        begun.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let kept = Fingerprints::kept_in(dir.path());
    assert_eq!(taken, [kept.of("s3cret"); 8]);
    assert_eq!(kept.trouble(), None);
}

#[test]
fn a_key_that_cannot_be_kept_or_believed_is_said_and_never_replaced() {
    let in_directory = |prepare: &dyn Fn(&Path)| {
        let dir = tempfile::tempdir().unwrap();
        let key = dir.path().join(KEY_FILE);
        prepare(&key);
        let before = fs::read(&key).ok();
        let prints = Fingerprints::kept_in(dir.path());
        assert_eq!(prints.of("s3cret"), prints.of("s3cret"));
        assert_eq!(fs::read(&key).ok(), before);
        prints.trouble().unwrap().to_owned()
    };
    for (prepare, why) in [
        (
            &(|key: &Path| fs::write(key, "short").unwrap()) as &dyn Fn(&Path),
            "no key of 32 bytes",
        ),
        (&|key| fs::write(key, [7; 33]).unwrap(), "longer than 32 bytes"),
        (&|key| symlink("/dev/null", key).unwrap(), "cannot be read"),
        (&|key| fs::create_dir(key).unwrap(), "it is a directory"),
        (
            &|key| {
                fs::write(key, [7; 32]).unwrap();
                fs::set_permissions(key, fs::Permissions::from_mode(0o666)).unwrap();
            },
            "writable by others",
        ),
    ] {
        let trouble = in_directory(prepare);
        assert!(trouble.contains(why), "{trouble}");
        assert!(trouble.contains("are others after the next start"), "{trouble}");
    }
    let nowhere = Fingerprints::kept_in(Path::new("/nonexistent/state"));
    let _ = nowhere.of("s3cret");
    assert!(nowhere.trouble().unwrap().contains("cannot be kept"), "{nowhere:?}");
}

#[test]
fn neither_debug_nor_display_shows_key_or_secret() {
    let dir = tempfile::tempdir().unwrap();
    let prints = Fingerprints::kept_in(dir.path());
    let print = prints.of("s3cret");
    assert_eq!(format!("{print:?}"), format!("Fingerprint({print})"));
    assert_eq!(format!("{prints:?}"), format!("Fingerprints(Some({:?}))", dir.path()));
}

#[test]
fn no_key_is_left_in_a_directory_of_somebody_else() {
    if crate::account::own_uid() != 0 {
        return; // Nobody else can give a directory away.
    }
    let dir = tempfile::tempdir().unwrap();
    std::os::unix::fs::chown(dir.path(), Some(4711), None).unwrap();
    let prints = Fingerprints::kept_in(dir.path());
    let _ = prints.of("s3cret");
    assert!(
        prints.trouble().unwrap().contains("cannot be kept"),
        "{:?}",
        prints.trouble()
    );
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}
