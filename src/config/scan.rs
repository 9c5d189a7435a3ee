//! Shell: looks into a tenants directory, with bounds on everything.
#![expect(clippy::disallowed_methods, reason = "shell: lists directories")]

mod beside;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::files::{self, Stamp};
use super::fragments::{Fragment, Section, is_fragment_name};
use super::lint::Beside;
use super::tenants_dir::{Found, Scan};
use crate::words::TenantName;

/// Entries of a tenants directory beyond this many are not looked at.
const ENTRIES_MAX: usize = 4096;
/// Fragments of one directory.
const FRAGMENTS_MAX: usize = 128;
/// Of all fragments of one tenant: 256 tenants are then at most 64 MiB in memory.
const TENANT_BYTES_MAX: usize = 256 << 10;
/// Beyond this a list of oddities helps nobody.
const WARNINGS_MAX: usize = 50;

/// Endings of directories that deploy tools leave beside the one in force.
pub(super) const ASIDE: [&str; 5] = [".prev", ".next", ".new", ".tmp", ".bak"];

/// Everything that a later scan could find different, by path. Cheap: no file is read.
pub type Stamps = Vec<(PathBuf, Option<Stamp>)>;

/// Reads all fragments below `dir`.
pub fn scan(dir: &Path) -> Scan {
    let names = match list(dir) {
        Ok(names) => names,
        Err(error) => {
            let why = format!("tenants_dir {} cannot be read: {error}", dir.display());
            return match error.kind() {
                ErrorKind::NotFound => Scan::Missing(why),
                _ => Scan::Unreadable(why),
            };
        }
    };
    let mut tenants = BTreeMap::new();
    let mut warnings = Vec::new();
    for name in names {
        let path = dir.join(&name);
        if is_hidden(&name) || matches!(at(&path), At::Nothing | At::Other) {
            continue;
        }
        match tenant_name(&name) {
            Ok(tenant) => {
                if let Some(found) = tenant_dir(&path) {
                    tenants.insert(tenant, found);
                }
            }
            Err(Some(why)) => warnings.push(format!("{}: not a tenant: {why}", path.display())),
            Err(None) => {}
        }
    }
    if warnings.len() > WARNINGS_MAX {
        let more = warnings.len() - WARNINGS_MAX;
        warnings.truncate(WARNINGS_MAX);
        warnings.push(format!(
            "and {more} more entries of {} that are not read",
            dir.display()
        ));
    }
    Scan::Found { tenants, warnings }
}

/// The stamps of `dir`, its tenants, their sections and fragments.
pub fn stamps(dir: &Path) -> Stamps {
    let mut stamps = vec![(dir.to_path_buf(), files::stamp(dir))];
    for name in list(dir).unwrap_or_default() {
        if is_hidden(&name) || tenant_name(&name).is_err() {
            continue;
        }
        let tenant = dir.join(&name);
        stamps.push((tenant.clone(), files::stamp(&tenant)));
        for section in Section::ALL {
            let section = tenant.join(section.dir());
            stamps.push((section.clone(), files::stamp(&section)));
            let fragments = list(&section).unwrap_or_default();
            for name in fragments.into_iter().filter(|name| !is_hidden(name)) {
                let fragment = section.join(name);
                let stamp = files::stamp(&fragment);
                stamps.push((fragment, stamp));
            }
        }
    }
    stamps
}

/// `Err(None)`: set aside by a deploy tool, as is its right.
fn tenant_name(name: &OsString) -> Result<TenantName, Option<&'static str>> {
    let name = name.to_str().ok_or(Some("its name is not UTF-8"))?;
    if ASIDE.iter().any(|ending| name.ends_with(ending)) {
        return Err(None);
    }
    TenantName::parse(name).ok_or(Some("its name is not a tenant's ([a-z0-9][a-z0-9._-]{0,63})"))
}

/// `None`: no section, no tenant. What cannot be looked into may be one.
pub(super) fn tenant_dir(dir: &Path) -> Option<Found> {
    let mut found = Found {
        dir: dir.display().to_string(),
        certain: false,
        fragments: Vec::new(),
        beside: Beside::default(),
    };
    let mut left = TENANT_BYTES_MAX;
    for section in Section::ALL {
        let path = dir.join(section.dir());
        match at(&path) {
            At::Directory => {
                found.certain = true;
                section_dir(section, &path, &mut left, &mut found);
            }
            At::Hidden(why) => found.fragments.push(Fragment {
                section,
                name: String::new(),
                file: path.display().to_string(),
                content: Err(format!("cannot be looked into: {why}")),
            }),
            At::Nothing | At::Other => {}
        }
    }
    if found.certain {
        found.beside.databases = beside::databases(dir);
        found.beside.no_previous = beside::no_previous(dir);
    }
    (found.certain || !found.fragments.is_empty()).then_some(found)
}

/// What is at a path.
enum At {
    Directory,
    Other,
    Nothing,
    /// We may not know: permissions, or links in a circle.
    Hidden(String),
}

fn at(path: &Path) -> At {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => At::Directory,
        Ok(_) => At::Other,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => At::Nothing,
        Err(error) => At::Hidden(error.to_string()),
    }
}

fn section_dir(section: Section, dir: &Path, left: &mut usize, found: &mut Found) {
    let Found { fragments, beside, .. } = found;
    let broken = |why: String| Fragment {
        section,
        name: String::new(),
        file: dir.display().to_string(),
        content: Err(why),
    };
    let names = match list(dir) {
        Ok(names) => names,
        Err(error) => return fragments.push(broken(format!("cannot be read: {error}"))),
    };
    let mut count = 0;
    for name in names.into_iter().filter(|name| !is_hidden(name)) {
        let path = dir.join(&name);
        let Some(name) = name.to_str().filter(|name| is_fragment_name(name)) else {
            if beside.strangers.len() < WARNINGS_MAX {
                beside.strangers.push(path.display().to_string());
            }
            continue;
        };
        count += 1;
        if count > FRAGMENTS_MAX {
            return fragments.push(broken(format!("holds more than {FRAGMENTS_MAX} fragments")));
        }
        let content = files::read(&path, *left);
        *left -= content.as_ref().map_or(0, Vec::len);
        fragments.push(Fragment {
            section,
            name: name.to_owned(),
            file: path.display().to_string(),
            content,
        });
    }
}

/// Names in byte order, at most [`ENTRIES_MAX`].
pub(super) fn list(dir: &Path) -> std::io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir)?.take(ENTRIES_MAX) {
        names.push(entry?.file_name());
    }
    names.sort();
    Ok(names)
}

/// Editors' and rsync's temporary files begin with a dot, and so does Kubernetes' `..data`.
fn is_hidden(name: &OsString) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

#[cfg(test)]
mod tests;
