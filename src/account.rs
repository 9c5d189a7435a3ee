//! Shell: the system's users and groups, asked as the system asks (`getpwnam_r`: `/etc/passwd`, NSS,
//! Open Directory on macOS). May block on a directory server: call it on a thread that may wait.

use std::io;
use std::path::{Path, PathBuf};

use nix::unistd::{Group, Uid, User};

/// A user of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub name: String,
    pub uid: u32,
    pub gid: u32,
    /// Every group it is in, `gid` included; on macOS `gid` alone.
    pub groups: Vec<u32>,
    pub home: PathBuf,
}

/// The user of that name; `None` when there is none. Errors: the database could not be asked.
pub fn by_name(name: &str) -> io::Result<Option<Account>> {
    User::from_name(name)?.map(account_of).transpose()
}

/// The name of that user; `None` when there is none, or when the database could not be asked.
pub fn name_of(uid: u32) -> Option<String> {
    Some(User::from_uid(Uid::from_raw(uid)).ok()??.name)
}

/// The number of that group; `None` when there is none. Errors: the database could not be asked.
pub fn gid_of(group: &str) -> io::Result<Option<u32>> {
    Ok(Group::from_name(group)?.map(|group| group.gid.as_raw()))
}

/// The home of `user`, or `own_home` when none is named.
pub fn home_of(user: Option<&str>, own_home: Option<&Path>) -> Option<PathBuf> {
    match user {
        None => own_home.map(PathBuf::from),
        Some(name) => by_name(name).ok().flatten().map(|account| account.home),
    }
}

/// The uid that this process acts with.
pub fn own_uid() -> u32 {
    Uid::effective().as_raw()
}

impl Account {
    /// Whether we are that user already.
    pub fn is_ours(&self) -> bool {
        self.uid == own_uid()
    }
}

fn account_of(user: User) -> io::Result<Account> {
    let groups = groups_of(&user)?;
    Ok(Account {
        uid: user.uid.as_raw(),
        gid: user.gid.as_raw(),
        home: user.dir,
        name: user.name,
        groups,
    })
}

#[cfg(not(target_vendor = "apple"))]
fn groups_of(user: &User) -> io::Result<Vec<u32>> {
    let name = std::ffi::CString::new(user.name.as_str())?;
    let groups = nix::unistd::getgrouplist(&name, user.gid)?;
    Ok(groups.into_iter().map(nix::unistd::Gid::as_raw).collect())
}

#[cfg(target_vendor = "apple")]
fn groups_of(user: &User) -> io::Result<Vec<u32>> {
    Ok(vec![user.gid.as_raw()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_a_user_and_a_made_up_name_is_none() {
        let root = by_name("root").unwrap().unwrap();
        assert_eq!((root.uid, root.gid), (0, 0));
        assert!(root.groups.contains(&0));
        assert!(root.home.is_absolute());
        assert_eq!(name_of(0).as_deref(), Some("root"));
        assert_eq!(by_name("nobody-has-this-name").unwrap(), None);
        assert_eq!(name_of(4_000_000_000), None);
        assert_eq!(gid_of("nobody-has-this-name").unwrap(), None);
        assert_eq!(
            gid_of(if cfg!(target_vendor = "apple") { "wheel" } else { "root" }).unwrap(),
            Some(0)
        );
    }

    #[test]
    fn a_home_is_the_users_or_ours() {
        let ours = PathBuf::from("/home/us");
        assert_eq!(home_of(None, Some(&ours)), Some(ours.clone()));
        assert_eq!(home_of(Some("nobody-has-this-name"), Some(&ours)), None);
        assert_eq!(
            home_of(Some("root"), Some(&ours)),
            Some(by_name("root").unwrap().unwrap().home)
        );
    }
}
