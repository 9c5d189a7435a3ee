//! Which paths `disk` and `write` look at, and whether one of them may be missing.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::account;
use crate::probe::declaration::Target;
use crate::probe::target::state_dir_of;

/// The paths that were there at an earlier ask.
#[derive(Debug, Default)]
pub struct Places {
    seen: Mutex<HashSet<PathBuf>>,
}

/// One path to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub path: PathBuf,
    /// Write as this user; `None`: as ourselves.
    pub user: Option<String>,
    /// It was configured, or it is our own. What was merely derived (a profile's directory that no
    /// gateway has made yet) may be missing, until it was seen once: from then on its absence is news.
    pub must_exist: bool,
}

impl Places {
    /// Whether a path that is not there is worth a word.
    pub fn is_missed(&self, place: &Place) -> bool {
        place.must_exist || self.lock().contains(&place.path)
    }

    pub fn note_seen(&self, path: &Path) {
        let mut seen = self.lock();
        if !seen.contains(path) {
            seen.insert(path.to_owned());
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<PathBuf>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The configured `paths`, or the state directories of the target; each once, in that order. A
/// configured path that is a tenant's state directory keeps its user.
///
/// Looks a tenant's home up, which may block.
pub fn places_of(paths: &[PathBuf], target: &Target, own_home: Option<&Path>) -> Vec<Place> {
    let known: Vec<Place> = match target {
        Target::Node { state_dirs, .. } => state_dirs
            .iter()
            .map(|dir| Place {
                path: dir.path.clone(),
                user: dir.user.clone(),
                must_exist: dir.tenant.is_none(),
            })
            .collect(),
        Target::Tenant(tenant) => {
            let home = account::home_of(tenant.user.as_deref(), own_home);
            let place = |path| Place {
                path,
                user: tenant.user.clone(),
                must_exist: false,
            };
            let state_dir = state_dir_of(&tenant.instance, home.as_deref());
            state_dir.map(place).into_iter().collect()
        }
    };
    let user_of = |path: &PathBuf| match target {
        Target::Tenant(tenant) => tenant.user.clone(),
        Target::Node { .. } => known.iter().find(|place| place.path == *path)?.user.clone(),
    };
    let configured = |path: &PathBuf| Place {
        path: path.clone(),
        user: user_of(path),
        must_exist: true,
    };
    let mut places: Vec<Place> = match paths {
        [] => known,
        paths => paths.iter().map(configured).collect(),
    };
    let mut taken = HashSet::new();
    places.retain(|place| taken.insert((place.path.clone(), place.user.clone())));
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::declaration::StateDir;
    use crate::words::TenantName;

    fn node() -> Target {
        let dir = |path: &str, tenant: Option<&str>| StateDir {
            path: path.into(),
            tenant: tenant.and_then(TenantName::parse),
            user: tenant.map(|name| format!("oc-{name}")),
        };
        Target::Node {
            state_dirs: vec![dir("/ours", None), dir("/a", Some("a")), dir("/a", Some("a"))],
            senders: Vec::new(),
        }
    }

    #[test]
    fn without_paths_the_state_directories_are_looked_at_and_only_ours_must_exist() {
        let places = places_of(&[], &node(), None);
        let told: Vec<_> = places
            .iter()
            .map(|place| (place.path.to_str().unwrap(), place.user.as_deref(), place.must_exist))
            .collect();
        assert_eq!(told, [("/ours", None, true), ("/a", Some("oc-a"), false)]);
    }

    #[test]
    fn configured_paths_replace_them_and_must_exist() {
        let places = places_of(&["/data".into(), "/a".into()], &node(), None);
        assert!(places.iter().all(|place| place.must_exist));
        let users: Vec<_> = places.iter().map(|place| place.user.as_deref()).collect();
        assert_eq!(users, [None, Some("oc-a")], "a tenant's directory keeps its user");
    }

    #[test]
    fn a_directory_that_was_seen_once_is_missed_when_it_goes() {
        let places = Places::default();
        let derived = Place {
            path: "/home/oc/.openclaw".into(),
            user: None,
            must_exist: false,
        };
        assert!(!places.is_missed(&derived));
        places.note_seen(&derived.path);
        assert!(places.is_missed(&derived));
    }
}
