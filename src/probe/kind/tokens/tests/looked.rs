//! Real folders and files, and everything that may stand in their place.

#![expect(clippy::disallowed_methods, reason = "writes the files it looks at")]

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::super::super::Scene;
use super::super::*;
use super::*;
use crate::link::session::LinkFacts;
use crate::probe::declaration::{Target, TenantTarget};
use crate::words::Answer;

const SECRETS: [&str; 3] = ["one", "two", "else"];

/// A `secrets_dir`, and what its tenants are asked with.
struct House {
    dir: tempfile::TempDir,
    scene: Scene,
}

impl House {
    fn new() -> House {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("acme")).unwrap();
        fs::set_permissions(dir.path().join("acme"), fs::Permissions::from_mode(0o700)).unwrap();
        let mut scene = Scene::of(Target::of(TenantTarget {
            secrets_dir: Some(dir.path().join("acme")),
            ..TenantTarget::specimen("acme")
        }));
        scene.means.fingerprints = BY.clone();
        House { dir, scene }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// `-one-` stands for the secret `one`.
    fn put(&self, name: &str, secret: &str) -> PathBuf {
        put(&self.path(name), format!("-{secret}-\n").as_bytes())
    }

    fn tenant(&mut self, change: impl FnOnce(&mut TenantTarget)) {
        if let Target::Tenant(tenant) = &mut self.scene.target {
            change(tenant);
        }
    }

    async fn asked(&self) -> Finding {
        ask(&shipped(), Posture::Relaxed, &self.scene.ask()).await
    }

    async fn told(&self) -> String {
        let told = told(&self.asked().await, &SECRETS);
        told.replace(&self.dir.path().display().to_string(), "…")
    }
}

fn put(path: &Path, bytes: &[u8]) -> PathBuf {
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    path.to_owned()
}

fn age(path: &Path, age: Duration) {
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - age).unwrap();
}

fn fifo(path: &Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
}

#[tokio::test]
async fn a_tenants_folder_is_looked_through_and_other_files_are_nobodys_business() {
    let house = House::new();
    house.put("acme/token.current", "one");
    house.put("acme/slack.current", "two");
    house.put("acme/slack.next", "else");
    let id = house.put("acme/id_ed25519", "one");
    fs::set_permissions(id, fs::Permissions::from_mode(0o666)).unwrap();
    assert_eq!(
        house.told().await,
        "ok: 2 credentials in order, the oldest written 0 s ago, rotation under way of slack"
    );
    let finding = house.asked().await;
    let looked: Vec<&str> = finding.evidence.iter().map(|fact| fact.what.as_str()).collect();
    assert_eq!(looked, ["slack.current", "slack.next", "token.current"]);
}

#[tokio::test]
async fn the_dates_modes_and_contents_of_real_files_arrive() {
    let house = House::new();
    let current = house.put("acme/token.current", "one");
    age(&current, 100 * DAY);
    assert_eq!(
        house.told().await,
        "degraded: token.current: was written 100 d ago, longer than 90 d: rotate it"
    );
    age(&current, DAY);
    fs::set_permissions(&current, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(
        house.told().await,
        "degraded: token.current: everybody may read it (0644): chmod o="
    );
    fs::set_permissions(&current, fs::Permissions::from_mode(0o600)).unwrap();
    let next = house.put("acme/token.next", "two");
    age(&next, 4 * DAY);
    assert_eq!(
        house.told().await,
        "degraded: token.next: was never promoted: it was written 4 d ago, longer than 3 d"
    );
    fs::rename(&next, &current).unwrap();
    assert!(
        house
            .told()
            .await
            .starts_with("ok: 1 credential in order, the oldest written 4 d ago")
    );
    fs::set_permissions(house.path("acme"), fs::Permissions::from_mode(0o777)).unwrap();
    assert_eq!(
        house.told().await,
        "degraded: …/acme: everybody may replace what lies in it (0777): chmod o-w"
    );
}

#[tokio::test]
async fn whatever_stands_in_the_place_of_a_token_is_said_and_never_waited_for() {
    type Make = fn(&Path);
    let table: [(&str, Make, &str); 14] = [
        (
            "a link",
            |path| symlink("/etc/hostname", path).unwrap(),
            "is a symbolic link",
        ),
        (
            "a link in a circle",
            |path| symlink(path, path).unwrap(),
            "is a symbolic link",
        ),
        (
            "a link to nowhere",
            |path| symlink("/nonexistent", path).unwrap(),
            "is a symbolic link",
        ),
        ("a named pipe", fifo, "is a named pipe"),
        ("a folder", |path| fs::create_dir(path).unwrap(), "is a directory"),
        (
            "a socket",
            |path| drop(std::os::unix::net::UnixListener::bind(path).unwrap()),
            "is a socket",
        ),
        ("nothing in it", |path| drop(put(path, b"")), "is empty"),
        ("a line feed", |path| drop(put(path, b"\n")), "is empty"),
        (
            "zeroes of a torn write",
            |path| drop(put(path, &[0; 4096])),
            "holds NUL bytes",
        ),
        ("junk", |path| drop(put(path, &[0xfe; 64])), "is not UTF-8 text"),
        (
            "two lines",
            |path| drop(put(path, b"-one-\n-two-\n")),
            "has several lines",
        ),
        (
            "a sentence",
            |path| drop(put(path, b"-one- -two-")),
            "has white space inside",
        ),
        (
            "a log",
            |path| drop(put(path, &vec![b'x'; 5_000])),
            "is larger than any credential",
        ),
        (
            "a sparse terabyte",
            |path| {
                drop(put(path, b""));
                fs::File::options()
                    .write(true)
                    .open(path)
                    .unwrap()
                    .set_len(1 << 40)
                    .unwrap();
            },
            "is larger than any credential",
        ),
    ];
    for (what, make, expected) in table {
        let house = House::new();
        make(&house.path("acme/token.current"));
        let told = house.told().await;
        let begins = format!("degraded: token.current: {expected}");
        assert!(told.starts_with(&begins), "{what}: {told}");
    }
}

#[tokio::test]
async fn whatever_stands_in_the_place_of_a_folder_is_said() {
    type Make = fn(&House);
    let table: [(&str, Make, &str); 5] = [
        (
            "no folder",
            |house| fs::remove_dir(house.path("acme")).unwrap(),
            "ok: no credential is kept in files\nnote: …/acme is not there: its credentials are kept elsewhere",
        ),
        (
            "no secrets_dir",
            |house| fs::remove_dir_all(house.dir.path()).unwrap(),
            "degraded: …: is not there (secrets_dir)",
        ),
        (
            "a file",
            |house| {
                fs::remove_dir(house.path("acme")).unwrap();
                house.put("acme", "one");
            },
            "degraded: …/acme: is no directory, or lies below something that is none",
        ),
        (
            "a link that its owner alone could have put there",
            |house| {
                fs::rename(house.path("acme"), house.path("acme-7")).unwrap();
                symlink("acme-7", house.path("acme")).unwrap();
            },
            "ok: no credential is kept in files",
        ),
        (
            "a link that anybody could have put there",
            |house| {
                fs::rename(house.path("acme"), house.path("acme-7")).unwrap();
                symlink("acme-7", house.path("acme")).unwrap();
                fs::set_permissions(house.dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
            },
            "degraded: …/acme: is a symbolic link in a directory that others may write: it is not followed (and 1 more)",
        ),
    ];
    for (what, make, expected) in table {
        let house = House::new();
        make(&house);
        assert_eq!(house.told().await, expected, "{what}");
    }
}

#[tokio::test]
async fn a_configured_token_file_is_looked_at_wherever_it_lies_with_what_belongs_to_it() {
    let mut house = House::new();
    fs::create_dir(house.path("elsewhere")).unwrap();
    let file = house.path("elsewhere/gateway.current");
    house.tenant(|tenant| {
        tenant.token_file = Some(file.clone());
        tenant.secrets_dir = None;
    });
    assert_eq!(
        house.told().await,
        "degraded: …/elsewhere/gateway.current: is not there (token_file)"
    );
    house.put("elsewhere/gateway.current", "one");
    let next = house.put("elsewhere/gateway.next", "two");
    house.put("elsewhere/slack.current", "else");
    age(&next, 4 * DAY);
    assert_eq!(
        house.told().await,
        "degraded: …/elsewhere/gateway.next: was never promoted: it was written 4 d ago, longer than 3 d"
    );
    assert_eq!(
        house.asked().await.evidence.len(),
        3,
        "slack is not ours to look at there"
    );
    // One of another form of name has no siblings.
    let plain = house.put("elsewhere/plain", "one");
    house.tenant(|tenant| tenant.token_file = Some(plain));
    assert!(house.told().await.starts_with("ok: 1 credential in order"));
    house.tenant(|tenant| tenant.token_file = Some("/nonexistent/token.current".into()));
    assert_eq!(
        house.told().await,
        "degraded: /nonexistent/token.current: is not there (token_file)"
    );
}

#[tokio::test]
async fn a_token_file_in_the_tenants_own_folder_is_one_credential_and_not_two() {
    let mut house = House::new();
    let file = house.put("acme/token.current", "one");
    house.put("acme/slack.current", "two");
    symlink(house.path("acme"), house.path("by-link")).unwrap();
    for path in [file, house.path("by-link/token.current")] {
        house.tenant(|tenant| tenant.token_file = Some(path));
        assert!(
            house.told().await.starts_with("ok: 2 credentials in order"),
            "{}",
            house.told().await
        );
    }
    let plain = house.put("acme/plain", "else");
    house.tenant(|tenant| tenant.token_file = Some(plain));
    assert!(
        house.told().await.starts_with("ok: 3 credentials in order"),
        "{}",
        house.told().await
    );
}

#[tokio::test]
async fn the_link_tells_which_token_is_in_use() {
    let mut house = House::new();
    let file = house.put("acme/token.current", "two");
    let link = |connected| LinkFacts {
        connected,
        token: Some(BY.of("-one-")),
        ..LinkFacts::default()
    };
    house.tenant(|tenant| (tenant.token_file, tenant.link) = (Some(file), Some(link(true))));
    assert_eq!(
        house.told().await,
        "degraded: token.current: is <two>, and the gateway still goes by <one>: restart it, or reload its secrets"
    );
    house.tenant(|tenant| tenant.link = Some(link(false)));
    assert!(house.told().await.starts_with("ok"));
    house.tenant(|tenant| tenant.link = Some(link(true)));
    house.put("acme/token.current", "one");
    assert!(house.told().await.starts_with("ok"));
}

#[tokio::test]
async fn one_secret_of_two_tenants_is_told_to_both() {
    let mut house = House::new();
    fs::create_dir(house.path("beta")).unwrap();
    house.put("acme/token.current", "one");
    house.put("beta/slack.current", "one");
    assert!(house.told().await.starts_with("ok"), "nobody else was asked yet");
    let beta = house.path("beta");
    house.tenant(|tenant| {
        *tenant = TenantTarget {
            secrets_dir: Some(beta),
            ..TenantTarget::specimen("beta")
        };
    });
    assert_eq!(
        house.told().await,
        "degraded: slack.current: is the same secret as acme's token.current: give each its own"
    );
    let acme = house.path("acme");
    house.tenant(|tenant| {
        *tenant = TenantTarget {
            secrets_dir: Some(acme),
            ..TenantTarget::specimen("acme")
        };
    });
    assert_eq!(
        house.told().await,
        "degraded: token.current: is the same secret as beta's slack.current: give each its own"
    );
}

#[tokio::test]
async fn credentials_that_vanish_are_missed() {
    let house = House::new();
    let file = house.put("acme/token.current", "one");
    assert!(house.told().await.starts_with("ok"));
    fs::remove_file(file).unwrap();
    assert_eq!(
        house.told().await,
        "degraded: …/acme: a credential was here today and is gone"
    );
    fs::remove_dir(house.path("acme")).unwrap();
    assert!(
        house
            .told()
            .await
            .starts_with("degraded: …: a credential was here today and is gone")
    );
}

#[tokio::test]
async fn more_credentials_than_are_looked_at_are_counted_and_the_configured_one_is_among_them() {
    let mut house = House::new();
    for index in 0..40 {
        house.put(&format!("acme/c{index:02}.current"), &format!("s{index}"));
    }
    let file = house.put("acme/token.current", "one");
    house.put("acme/.hidden.current", "two");
    house.put("acme/.current", "two");
    house.tenant(|tenant| tenant.token_file = Some(file.clone()));
    let finding = house.asked().await;
    assert_eq!(
        (finding.answer, finding.evidence.len()),
        (Answer::Ok, 32),
        "{finding:?}"
    );
    assert!(finding.evidence.iter().any(|fact| fact.what == "token.current"));
    let notes = finding.notes.join("\n");
    assert!(notes.contains("holds 41 credentials, more than the 32"), "{notes}");
    assert!(
        notes.contains("holds 2 files with names that no credential has"),
        "{notes}"
    );
}

#[tokio::test]
async fn without_leave_to_look_it_is_unknown() {
    if crate::account::own_uid() == 0 {
        return; // Root may look anywhere.
    }
    let house = House::new();
    house.put("acme/token.current", "one");
    fs::set_permissions(house.path("acme/token.current"), fs::Permissions::from_mode(0o000)).unwrap();
    assert!(
        house
            .told()
            .await
            .starts_with("unknown (misconfigured): token.current: cannot be read")
    );
    fs::set_permissions(house.path("acme"), fs::Permissions::from_mode(0o000)).unwrap();
    assert!(
        house
            .told()
            .await
            .starts_with("unknown (misconfigured): …/acme: cannot be looked at")
    );
}

#[tokio::test]
async fn nobody_but_a_tenant_is_asked() {
    let scene = Scene::node();
    let finding = ask(&shipped(), Posture::Relaxed, &scene.ask()).await;
    assert_eq!(
        (finding.answer, finding.cause),
        (Answer::Unknown, Some(Cause::Misconfigured))
    );
}

#[tokio::test]
async fn a_key_that_cannot_be_kept_is_noted() {
    let mut house = House::new();
    house.put("acme/token.current", "one");
    house.scene.means.fingerprints = Fingerprints::kept_in(Path::new("/nonexistent/state"));
    let told = house.told().await;
    assert!(
        told.starts_with("ok") && told.contains("fingerprints are others after the next start"),
        "{told}"
    );
}

/// `0711`, as folders are that keep their names to themselves.
#[test]
#[cfg(target_os = "linux")]
fn a_token_file_in_a_folder_that_may_not_be_listed_is_looked_at_all_the_same() {
    let Ok(Some(nobody)) = crate::account::by_name("nobody") else {
        return;
    };
    if crate::account::own_uid() != 0 {
        return;
    }
    let house = House::new();
    let file = house.put("acme/token.current", "one");
    std::os::unix::fs::chown(&file, Some(nobody.uid), None).unwrap();
    for name in ["", "acme"] {
        fs::set_permissions(house.path(name), fs::Permissions::from_mode(0o711)).unwrap();
    }
    let tenant = TenantTarget {
        token_file: Some(file),
        ..TenantTarget::specimen("acme")
    };
    let looked = std::thread::spawn(move || {
        crate::probe::kind::write::become_named("nobody");
        assert!(fs::read_dir(tenant.token_file.as_ref().unwrap().parent().unwrap()).is_err());
        look::look(&tenant, &BY)
    });
    let seen = looked.join().unwrap();
    assert_eq!(seen.troubles, []);
    assert!(seen.credentials[0].current.fingerprint().is_some(), "{seen:?}");
}
