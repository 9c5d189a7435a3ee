//! Shell: looks at a tenant's skills, as the tenant's user where we may become it. Blocks: call it on a thread
//! that may wait, and that ends afterwards, because it keeps that user's effective ids.
//!
//! As OpenClaw discovers them: a folder with a `SKILL.md`, in folders of folders up to [`DEPTH_MAX`], hidden ones and
//! `node_modules` left out; below it nothing else is a skill. Otherwise than OpenClaw a link is not followed, since a
//! tenant could let it lead anywhere: it is recorded as what it is, and its target is compared.

use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;
use serde_json::Value;

use super::roots::{AGENTS_MAX, Installation, Root, roots};
use super::tree::{self, NoDigest};
use super::{Found, Seen, Trouble};
use crate::account;
use crate::config::env_file::read_env_file;
use crate::config::files;
use crate::probe::declaration::{Instance, TenantTarget};
use crate::probe::kind::write::become_named;
use crate::probe::target::{config_file_of, state_dir_of};

/// Skills of one tenant; OpenClaw loads 200 of a source.
pub const SKILLS_MAX: usize = 1024;
/// Folders that are looked into for skills.
pub const FOLDERS_MAX: usize = 10_000;
/// Folders in folders, as OpenClaw looks for skills.
pub const DEPTH_MAX: usize = 6;
/// Bytes of all skills together.
pub const BYTES_MAX: u64 = 1 << 30;
/// Places that could not be looked at, each by name.
const TROUBLES_MAX: usize = 256;
/// Of `openclaw.json`.
const CONFIG_BYTES_MAX: usize = 4 << 20;
const WORKSPACE_VARIABLE: &str = "OPENCLAW_WORKSPACE_DIR";

/// Whose skills.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    pub instance: Instance,
    pub user: Option<String>,
    pub env_file: Option<PathBuf>,
    /// Where the state of an instance without a user of its own is.
    pub own_home: Option<PathBuf>,
}

impl Owner {
    pub fn of(tenant: &TenantTarget, own_home: Option<&Path>) -> Owner {
        Owner {
            instance: tenant.instance.clone(),
            user: tenant.user.clone(),
            env_file: tenant.env_file.clone(),
            own_home: own_home.map(Path::to_owned),
        }
    }

    fn home(&self) -> Option<PathBuf> {
        account::home_of(self.user.as_deref(), self.own_home.as_deref())
    }
}

/// The tenant's `openclaw.json`, when it is certain that there is none.
pub fn missing_config(owner: &Owner) -> Option<PathBuf> {
    let config = config_file_of(&owner.instance, owner.home().as_deref())?;
    let gone = rustix::fs::stat(&config).is_err_and(|errno| errno == Errno::NOENT);
    gone.then_some(config)
}

/// Looks once; `None` where the tenant's state directory is not known. `late` says when to be content with what was seen.
pub fn look(owner: &Owner, late: &dyn Fn() -> bool) -> Option<Seen> {
    let home = owner.home();
    let state_dir = state_dir_of(&owner.instance, home.as_deref())?;
    let config_file = config_file_of(&owner.instance, home.as_deref());
    // With our own rights, as for every run.
    let variables = owner.env_file.as_deref().and_then(|file| read_env_file(file).ok());
    let workspace = variables
        .iter()
        .flat_map(|file| &file.vars)
        .find_map(|(name, value)| (name == WORKSPACE_VARIABLE).then_some(value.as_str()));
    // Not being able to is no trouble yet: it may be readable all the same.
    if let Some(user) = &owner.user {
        become_named(user);
    }
    let mut walk = Walk {
        seen: Seen {
            complete: true,
            ..Seen::default()
        },
        folders: 0,
        bytes: 0,
        late,
    };
    let config = config_file.and_then(|file| walk.config(&file));
    let agents = walk.agents(&state_dir.join("agents"));
    let known = roots(&Installation {
        state_dir: &state_dir,
        home: home.as_deref(),
        config: config.as_ref(),
        workspace,
        agents: &agents,
    });
    walk.seen.notes.extend(known.notes);
    for root in &known.roots {
        walk.root(root);
    }
    Some(walk.seen)
}

struct Walk<'a> {
    seen: Seen,
    folders: usize,
    bytes: u64,
    late: &'a dyn Fn() -> bool,
}

impl Walk<'_> {
    /// A few names of folders are taken from it; what else it holds is dropped.
    fn config(&mut self, file: &Path) -> Option<Value> {
        rustix::fs::stat(file).ok()?;
        let read = files::read(file, CONFIG_BYTES_MAX);
        let parsed =
            read.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).map_err(|_| "is not plain JSON".into()));
        match parsed {
            Ok(config) => {
                if config.get("$include").is_some() || config["agents"].get("$include").is_some() {
                    self.note(format!(
                        "{} includes other files: skills in workspaces that only they name are not watched",
                        file.display()
                    ));
                }
                Some(config)
            }
            Err(why) => {
                self.note(format!(
                    "{} {why}: skills in workspaces that it names are not watched",
                    file.display()
                ));
                None
            }
        }
    }

    /// Every agent that left a folder, configured or not.
    fn agents(&mut self, folder: &Path) -> Vec<String> {
        let names = open_named(folder).and_then(|opened| tree::names(&opened));
        match names {
            Ok(names) => {
                if names.len() > AGENTS_MAX {
                    self.note(format!(
                        "{}: the skills of more than {AGENTS_MAX} agents are not watched",
                        folder.display()
                    ));
                }
                let names = names.into_iter().filter_map(|name| name.into_string().ok());
                names.take(AGENTS_MAX).collect()
            }
            Err(Errno::NOENT | Errno::NOTDIR) => Vec::new(),
            Err(errno) => {
                self.trouble(folder, errno);
                Vec::new()
            }
        }
    }

    fn root(&mut self, root: &Root) {
        let mut at = root.base.clone();
        let mut folder = match open_named(&at) {
            Ok(folder) => folder,
            Err(Errno::NOENT | Errno::NOTDIR) => return,
            Err(errno) => return self.trouble(&at, errno),
        };
        for name in root.below {
            at.push(name);
            folder = match tree::open_folder(&folder, *name) {
                Ok(folder) => folder,
                Err(Errno::NOENT) => return,
                Err(errno) => {
                    return match tree::target_of(&folder, *name) {
                        Ok(target) => self.link(&at, &target, root.learned),
                        // A file in the place of a folder holds no skills.
                        Err(_) if errno == Errno::NOTDIR => {}
                        Err(_) => self.trouble(&at, errno),
                    };
                }
            };
        }
        if !self.is_over(&at) {
            self.discover(&folder, &mut at, 0, root.learned);
        }
    }

    fn discover(&mut self, folder: &OwnedFd, at: &mut PathBuf, depth: usize, learned: bool) {
        self.folders += 1;
        let names = match tree::names(folder) {
            Ok(names) => names,
            Err(errno) => return self.trouble(at, errno),
        };
        // In any case: some file systems make no difference.
        if names
            .iter()
            .any(|name| name.as_bytes().eq_ignore_ascii_case(b"SKILL.md"))
        {
            return self.skill(folder, at, learned);
        }
        for name in names {
            if matches!(name.as_bytes(), [b'.', ..] | b"node_modules") {
                continue;
            }
            if self.is_over(at) {
                return;
            }
            at.push(std::ffi::OsStr::from_bytes(name.as_bytes()));
            match kind(folder, &name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(FileType::Directory) if depth < DEPTH_MAX => match tree::open_folder(folder, &*name) {
                    Ok(below) => self.discover(&below, at, depth + 1, learned),
                    Err(errno) => self.trouble(at, errno),
                },
                Ok(FileType::Symlink) if kind(folder, &name, AtFlags::empty()) == Ok(FileType::Directory) => {
                    match tree::target_of(folder, &*name) {
                        Ok(target) => self.link(at, &target, learned),
                        Err(errno) => self.trouble(at, errno),
                    }
                }
                Ok(_) => {}
                Err(errno) => self.trouble(at, errno),
            }
            at.pop();
        }
    }

    fn skill(&mut self, folder: &OwnedFd, at: &Path, learned: bool) {
        match tree::digest(folder, self.late) {
            Ok(skill) => {
                self.bytes += skill.bytes;
                if skill.partial {
                    self.note(format!(
                        "{}: it is large; what lies behind its beginning is not watched",
                        at.display()
                    ));
                }
                self.found(
                    at,
                    Found {
                        skill,
                        learned,
                        link_to: None,
                    },
                );
            }
            Err(NoDigest::Late) => self.seen.complete = false,
            Err(NoDigest::Errno(errno)) => self.trouble(at, errno),
        }
    }

    fn link(&mut self, at: &Path, target: &[u8], learned: bool) {
        let link_to = target.escape_ascii().to_string();
        self.note(format!(
            "{} is a link to {link_to}: what is there is not watched",
            at.display()
        ));
        let skill = tree::digest_of_link(target);
        let link_to = Some(link_to);
        self.found(
            at,
            Found {
                skill,
                learned,
                link_to,
            },
        );
    }

    fn found(&mut self, at: &Path, found: Found) {
        self.seen.skills.insert(tree::shown(at), found);
    }

    /// Whether there is no more time, or too much was seen; what comes later was not looked at.
    fn is_over(&mut self, at: &Path) -> bool {
        if (self.late)() {
            self.seen.complete = false;
            return true;
        }
        let why = if self.seen.skills.len() >= SKILLS_MAX {
            format!("there are more than {SKILLS_MAX} skills")
        } else if self.folders >= FOLDERS_MAX {
            format!("there are more than {FOLDERS_MAX} folders")
        } else if self.bytes >= BYTES_MAX {
            format!("the skills are larger than {} MiB", BYTES_MAX >> 20)
        } else {
            return false;
        };
        if self.seen.complete {
            self.seen.complete = false;
            self.seen.troubles.push(Trouble {
                path: at.to_owned(),
                why: format!("{why}: those from here on are not watched"),
            });
        }
        true
    }

    fn note(&mut self, note: String) {
        self.seen.notes.push(note);
    }

    fn trouble(&mut self, at: &Path, errno: Errno) {
        let why = match errno {
            // It vanished while it was looked at.
            Errno::NOENT => return,
            Errno::OVERFLOW => format!("more than {} names in it", tree::NAMES_MAX),
            errno => std::io::Error::from(errno).to_string(),
        };
        if self.seen.troubles.len() >= TROUBLES_MAX {
            // What lies at places that nobody can name any more is not gone.
            self.seen.complete = false;
            return;
        }
        let path = at.to_owned();
        self.seen.troubles.push(Trouble { path, why });
    }
}

/// Opens a folder under a name that somebody configured; links in it are theirs.
fn open_named(path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty())
}

fn kind(folder: &OwnedFd, name: &std::ffi::CStr, flags: AtFlags) -> Result<FileType, Errno> {
    let stat = rustix::fs::statat(folder, name, flags)?;
    Ok(FileType::from_raw_mode(stat.st_mode))
}
