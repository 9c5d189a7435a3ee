//! Shell: what lies beside a tenant's fragments: databases that a sync would tear, and the previous directory.
#![expect(clippy::disallowed_methods, reason = "shell: lists directories")]

use std::path::{Path, PathBuf};

/// Directories within each other that are looked into.
const DEPTH_MAX: usize = 4;
/// Entries of one tenant that are looked at.
const ENTRIES_MAX: usize = 2048;
/// Beyond this many more say nothing new.
const DATABASES_MAX: usize = 8;

/// Paths of SQLite files and queue folders below `dir`, in order. Links are not followed: what they lead to lies
/// elsewhere, and `rsync` copies the link.
pub fn databases(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut left = ENTRIES_MAX;
    let mut open = vec![(dir.to_path_buf(), 1)];
    while let Some((dir, depth)) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&dir) else { continue };
        let mut names: Vec<_> = entries.take(left).flatten().collect();
        left -= names.len();
        names.sort_by_key(std::fs::DirEntry::file_name);
        for entry in names {
            let (Ok(kind), Ok(name)) = (entry.file_type(), entry.file_name().into_string()) else {
                continue;
            };
            let path = dir.join(&name);
            let queue = kind.is_dir() && is_queue_folder(&name);
            if queue {
                found.push(path);
            } else if kind.is_file() {
                found.extend(database(&name).map(|name| dir.join(name)));
            } else if kind.is_dir() && !name.starts_with('.') && depth < DEPTH_MAX {
                open.push((path, depth + 1));
            }
        }
    }
    found.sort();
    found.dedup();
    found.truncate(DATABASES_MAX);
    found.iter().map(|path| path.display().to_string()).collect()
}

/// Where the previous directory of `dir` should be, when nothing is there. A link that leads nowhere is nothing.
pub fn no_previous(dir: &Path) -> Option<String> {
    let previous = previous(dir)?;
    (!previous.is_dir()).then(|| previous.display().to_string())
}

/// `acme.prev` beside `acme`.
fn previous(dir: &Path) -> Option<PathBuf> {
    let mut name = dir.file_name()?.to_owned();
    name.push(".prev");
    Some(dir.with_file_name(name))
}

/// The database that a file is, or belongs to: `x.sqlite-wal` is a part of `x.sqlite`.
fn database(name: &str) -> Option<&str> {
    let main = ["-wal", "-shm", "-journal"]
        .iter()
        .find_map(|part| name.strip_suffix(part))
        .unwrap_or(name);
    let lower = main.to_ascii_lowercase();
    let yaml = lower.ends_with(".yaml") || lower.ends_with(".yml");
    (!yaml && (lower.contains(".sqlite") || lower.ends_with(".db"))).then_some(main)
}

/// `delivery-queue` and its like of older OpenClaws.
fn is_queue_folder(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    lower == "queue" || lower.ends_with("-queue") || lower.ends_with("_queue")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_and_queues_are_found_below_and_links_are_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for name in ["gateway.d", "state/deep", "acme/delivery-queue", ".git", "elsewhere"] {
            std::fs::create_dir_all(at(name)).unwrap();
        }
        for name in [
            "gateway.d/10-a.yaml",
            "gateway.d/20-queue.sqlite.yaml",
            "gateway.d/x.sqlite",
            "gateway.d/x.sqlite-wal",
            "state/deep/Y.DB-journal",
            "state/deep/z.sqlite3",
            ".git/index.db",
            "notes.txt",
        ] {
            std::fs::write(at(name), "").unwrap();
        }
        std::os::unix::fs::symlink(at("state"), at("link")).unwrap();
        std::os::unix::fs::symlink(at("state/deep/z.sqlite3"), at("l.sqlite")).unwrap();
        let root = format!("{}/", dir.path().display());
        let found: Vec<String> = databases(dir.path())
            .iter()
            .map(|path| path.replace(&root, ""))
            .collect();
        assert_eq!(
            found,
            [
                "acme/delivery-queue",
                "gateway.d/x.sqlite",
                "state/deep/Y.DB",
                "state/deep/z.sqlite3"
            ]
        );
    }

    #[test]
    fn the_previous_directory_may_be_a_link_that_leads_somewhere() {
        let dir = tempfile::tempdir().unwrap();
        let tenant = dir.path().join("acme");
        let previous = dir.path().join("acme.prev");
        assert_eq!(no_previous(&tenant), Some(previous.display().to_string()));
        std::os::unix::fs::symlink("releases-7", &previous).unwrap();
        assert!(no_previous(&tenant).is_some(), "it leads nowhere");
        std::fs::create_dir(dir.path().join("releases-7")).unwrap();
        assert_eq!(no_previous(&tenant), None);
    }
}
