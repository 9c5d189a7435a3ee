//! What was seen of a tenant's credentials. No type here has room for a value.

use std::path::PathBuf;

use super::super::part::Part;
use super::prints::Print;
use crate::fingerprint::Fingerprint;
use crate::words::{Answer, Cause, Wall};

/// All of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    pub folders: Vec<Folder>,
    /// At most [`Seen::CREDENTIALS_MAX`], in order of name; the configured `token_file` last where it lies elsewhere.
    pub credentials: Vec<Credential>,
    /// Of folders, as a whole.
    pub troubles: Vec<Part>,
    pub notes: Vec<String>,
}

/// A directory that credentials, or tenants' folders, lie in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    pub path: PathBuf,
    pub guard: Guard,
}

/// One credential: `token`, `slack`.
#[derive(Clone, Debug, PartialEq)]
pub struct Credential {
    pub class: String,
    /// The configured `token_file`: it must be there, and the link logs in with it.
    pub is_gateways: bool,
    pub current: Kept,
    pub next: Kept,
    pub prev: Kept,
}

/// One file of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// As findings call it: its name in the tenant's folder, its path elsewhere.
    pub shown: String,
    pub found: Found,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    Absent,
    File(File),
    /// Something that is never read, as a sentence after its name: `is a symbolic link`.
    Other(String),
    /// It could not be looked at, and why.
    Unread(Cause, String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    pub modified: Wall,
    pub guard: Guard,
    pub content: Content,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    Whole(Fingerprint),
    /// Why it is no credential, as a sentence after its name: `is empty`.
    Torn(&'static str),
    Unread(Cause, String),
}

/// Whose it is, and who may do what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guard {
    pub uid: u32,
    pub gid: u32,
    /// Permission bits and the sticky bit.
    pub mode: u32,
}

impl Seen {
    pub const CREDENTIALS_MAX: usize = 32;

    /// Nothing was kept from us: what is not here is not there.
    pub fn is_complete(&self) -> bool {
        self.troubles.iter().all(|part| part.answer != Answer::Unknown)
    }

    pub fn prints(&self) -> Vec<Print> {
        let files = |(index, credential): (usize, &Credential)| {
            let is_gateways = credential.is_gateways;
            let kept = [&credential.current, &credential.next, &credential.prev].map(move |kept| {
                kept.fingerprint().map(|fingerprint| Print {
                    credential: index,
                    is_gateways,
                    shown: kept.shown.clone(),
                    fingerprint,
                })
            });
            kept.into_iter().flatten()
        };
        self.credentials.iter().enumerate().flat_map(files).collect()
    }

    /// `count` credentials were here a while ago.
    pub fn miss(&mut self, count: usize) {
        let folder = self.folders.last();
        let what = folder.map_or_else(|| "secrets_dir".to_owned(), |folder| folder.path.display().to_string());
        let seen = match count {
            1 => "a credential was here today and is gone".to_owned(),
            count => format!("{count} credentials were here today and are gone"),
        };
        self.troubles.push(Part::degraded(what, seen));
    }
}

impl Kept {
    pub fn file(&self) -> Option<&File> {
        match &self.found {
            Found::File(file) => Some(file),
            _ => None,
        }
    }

    pub fn fingerprint(&self) -> Option<Fingerprint> {
        match self.file()?.content {
            Content::Whole(fingerprint) => Some(fingerprint),
            _ => None,
        }
    }
}
