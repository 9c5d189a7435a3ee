#![expect(clippy::disallowed_methods, reason = "shell: the tests write files")]

use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

struct Dir(tempfile::TempDir);

impl Dir {
    fn new() -> Dir {
        Dir(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> &Dir {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    /// `acme: gateway.d/10-a.yaml 8` by tenant, then the warnings.
    fn shown(&self) -> Vec<String> {
        let Scan::Found { tenants, warnings } = scan(self.path()) else {
            panic!("{:?}", scan(self.path()));
        };
        let mut lines = Vec::new();
        let mut strangers = Vec::new();
        for (name, found) in tenants {
            strangers.extend(found.beside.strangers);
            let fragments = found.fragments.iter().map(|fragment| {
                let content = match &fragment.content {
                    Ok(bytes) => bytes.len().to_string(),
                    Err(why) => why.clone(),
                };
                format!("{}/{} {content}", fragment.section.dir(), fragment.name)
            });
            lines.push(format!("{name}: {}", fragments.collect::<Vec<_>>().join(", ")));
        }
        let root = format!("{}/", self.path().display());
        lines.extend(warnings.iter().chain(&strangers).map(|line| line.replace(&root, "")));
        lines
    }
}

#[test]
fn a_tenant_is_a_directory_with_a_valid_name_and_a_section() {
    let dir = Dir::new();
    dir.write("acme/gateway.d/10-a.yaml", "port: 1\n")
        .write("beta/other.d/10-a.yaml", "")
        .write("acme.prev/gateway.d/10-a.yaml", "port: 2\n")
        .write("acme.next/gateway.d/10-a.yaml", "")
        .write("acme.bak/gateway.d/10-a.yaml", "")
        .write("Gamma/doctor.d/10-a.yaml", "")
        .write(".git/doctor.d/10-a.yaml", "")
        .write("README.md", "");
    assert_eq!(
        dir.shown(),
        [
            "acme: gateway.d/10-a.yaml 8",
            "Gamma: not a tenant: its name is not a tenant's ([a-z0-9][a-z0-9._-]{0,63})"
        ]
    );
}

#[test]
fn an_empty_section_is_enough() {
    let dir = Dir::new();
    std::fs::create_dir_all(dir.path().join("acme/webhook.d")).unwrap();
    assert_eq!(dir.shown(), ["acme: "]);
}

#[test]
fn files_that_are_no_fragments_are_named() {
    let dir = Dir::new();
    dir.write("acme/doctor.d/10-a.yaml", "")
        .write("acme/doctor.d/base.yaml", "")
        .write("acme/doctor.d/.10-a.yaml.Xy12", "")
        .write("acme/doctor.d/10-a.yaml~", "");
    assert_eq!(
        dir.shown(),
        [
            "acme: doctor.d/10-a.yaml 0",
            "acme/doctor.d/10-a.yaml~",
            "acme/doctor.d/base.yaml",
        ]
    );
}

#[test]
fn what_is_no_file_is_a_broken_fragment_and_is_not_waited_on() {
    let dir = Dir::new();
    dir.write("acme/doctor.d/20-large.yaml", vec![b'a'; TENANT_BYTES_MAX + 1]);
    let section = dir.path().join("acme/doctor.d");
    std::fs::create_dir(section.join("10-dir.yaml")).unwrap();
    symlink("30-b.yaml", section.join("30-a.yaml")).unwrap();
    symlink("30-a.yaml", section.join("30-b.yaml")).unwrap();
    symlink("nowhere", section.join("40-gone.yaml")).unwrap();
    let fifo = section.join("50-fifo.yaml");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &fifo,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    let circle = "cannot be read: its symbolic links lead in a circle (or it is one, where none is followed)";
    assert_eq!(
        dir.shown().concat(),
        format!(
            "acme: doctor.d/10-dir.yaml cannot be read: it is a directory, \
             doctor.d/20-large.yaml is longer than 262144 bytes, more than is read, \
             doctor.d/30-a.yaml {circle}, doctor.d/30-b.yaml {circle}, \
             doctor.d/40-gone.yaml cannot be read: No such file or directory (os error 2), \
             doctor.d/50-fifo.yaml cannot be read: it is not a regular file"
        )
    );
}

#[test]
fn a_tenant_in_a_circle_of_links_may_be_one() {
    let dir = Dir::new();
    symlink("acme", dir.path().join("acme")).unwrap();
    let Scan::Found { tenants, .. } = scan(dir.path()) else {
        panic!();
    };
    assert!(tenants.values().all(|found| !found.certain));
}

#[test]
fn a_directory_that_is_missing_is_told_from_one_that_is_unreadable() {
    let dir = Dir::new();
    assert!(matches!(scan(&dir.path().join("nowhere")), Scan::Missing(_)));
    dir.write("file", "");
    assert!(matches!(scan(&dir.path().join("file")), Scan::Unreadable(_)));
    let locked = dir.path().join("locked");
    std::fs::create_dir(&locked).unwrap();
    std::fs::set_permissions(&locked, PermissionsExt::from_mode(0o000)).unwrap();
    // Root may read everything; there the directory is simply empty.
    let expected = match rustix::process::geteuid().is_root() {
        true => matches!(scan(&locked), Scan::Found { .. }),
        false => matches!(scan(&locked), Scan::Unreadable(_)),
    };
    assert!(expected);
}

#[test]
fn stamps_change_with_anything_that_a_scan_could_see() {
    let dir = Dir::new();
    dir.write("acme/gateway.d/10-a.yaml", "port: 1\n");
    let mut before = stamps(dir.path());
    assert_eq!(before, stamps(dir.path()));
    let mut differs = |what: &str| {
        let now = stamps(dir.path());
        assert_ne!(before, now, "{what}");
        before = now;
    };
    let fragment = dir.path().join("acme/gateway.d/10-a.yaml");
    // The same size and the same inode, with the modification time put back.
    let modified = std::fs::metadata(&fragment).unwrap().modified().unwrap();
    dir.write("acme/gateway.d/10-a.yaml", "port: 2\n");
    std::fs::File::options()
        .write(true)
        .open(&fragment)
        .unwrap()
        .set_modified(modified)
        .unwrap();
    differs("content");
    dir.write("acme/doctor.d/10-b.yaml", "");
    differs("a new file");
    std::fs::set_permissions(&fragment, PermissionsExt::from_mode(0o640)).unwrap();
    differs("permissions");
    std::fs::rename(dir.path().join("acme"), dir.path().join("beta")).unwrap();
    differs("a rename");
    std::fs::remove_dir_all(dir.path().join("beta")).unwrap();
    differs("a removal");
}
