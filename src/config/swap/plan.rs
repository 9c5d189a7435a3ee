//! In which steps one directory of a tenant takes another's place, and how an interrupted swap is finished.
//!
//! Invariant: pure. All happens by renaming within the tenants directory, so that each step is done or not done,
//! and the names that are left say how far it came:
//!
//! | name | after an interruption |
//! |---|---|
//! | `.acme.copying` | half a copy: removed |
//! | `acme.next` | whole, not in force: stays, and can be promoted |
//! | `.acme.enters-N` is inode N | not in force: becomes `acme.next` again |
//! | `.acme.enters-N` is another inode | N is in force, this is the one before: becomes `acme.prev` |
//! | `.acme.was`, no `acme` | in force until a moment ago: becomes `acme` again |
//! | `.acme.was` beside `acme` | the one before: becomes `acme.prev` |
//! | `.acme.older` | an older `acme.prev`: removed |
//!
//! Where two directories can be exchanged, `acme` itself is there at every moment.

use crate::words::TenantName;

/// One step. Names are of entries of the tenants directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Move {
    /// `to` does not exist.
    Rename { from: String, to: String },
    /// Both exist, before and after.
    Exchange { one: String, other: String },
    /// With all that is in it; of a link the link alone.
    Remove(String),
}

/// What there is of a tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    pub current: bool,
    pub next: bool,
    pub previous: bool,
    pub copying: bool,
    pub was: bool,
    pub older: bool,
    /// Names `.acme.enters-N` with the inode that is there.
    pub entering: Vec<(String, u64)>,
}

/// The names of one tenant.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a>(pub &'a TenantName);

impl Names<'_> {
    pub fn current(self) -> String {
        self.0.to_string()
    }

    pub fn next(self) -> String {
        format!("{}.next", self.0)
    }

    pub fn previous(self) -> String {
        format!("{}.prev", self.0)
    }

    pub fn copying(self) -> String {
        format!(".{}.copying", self.0)
    }

    pub fn was(self) -> String {
        format!(".{}.was", self.0)
    }

    pub fn older(self) -> String {
        format!(".{}.older", self.0)
    }

    /// Under which the directory of that inode comes into force.
    pub fn entering(self, inode: u64) -> String {
        format!("{}{inode}", self.entering_prefix())
    }

    /// The inode that such a name speaks of.
    pub fn inode_of(self, entering: &str) -> Option<u64> {
        let digits = entering.strip_prefix(&self.entering_prefix())?;
        digits.parse().ok().filter(|_| !digits.starts_with('+'))
    }

    fn entering_prefix(self) -> String {
        format!(".{}.enters-", self.0)
    }
}

/// Finishes what was interrupted, or takes it back; nothing when all is well. Err: what a person must decide.
pub fn recovery(names: Names<'_>, seen: &Seen) -> Result<Vec<Move>, String> {
    let mut moves = Vec::new();
    let mut seen = seen.clone();
    if !seen.current && seen.was {
        moves.push(rename(names.was(), names.current()));
        (seen.current, seen.was) = (true, false);
    }
    for (name, inode) in &seen.entering {
        let not_in_force = names.inode_of(name) == Some(*inode);
        if not_in_force && seen.next {
            let next = names.next();
            return Err(format!(
                "an interrupted promote left {name} beside {next}: move one of them away"
            ));
        }
        if not_in_force {
            moves.push(rename(name.clone(), names.next()));
            seen.next = true;
        } else if seen.was {
            let was = names.was();
            return Err(format!(
                "interrupted promotes left {name} and {was}: move one of them away"
            ));
        } else {
            moves.push(rename(name.clone(), names.was()));
            seen.was = true;
        }
    }
    let older = seen.older.then(|| Move::Remove(names.older()));
    match seen.was {
        true => {
            // Its name is wanted for the `.prev` of now.
            moves.extend(older);
            moves.extend(keep_previous(names, seen.previous));
        }
        false => moves.extend(older),
    }
    moves.extend(seen.copying.then(|| Move::Remove(names.copying())));
    Ok(moves)
}

/// Puts `acme.next`, whose inode is `inode`, in force. `can_exchange`: what the file system can do.
pub fn promote(names: Names<'_>, seen: &Seen, inode: u64, can_exchange: bool) -> Vec<Move> {
    if !seen.current {
        return vec![rename(names.next(), names.current())];
    }
    let entering = names.entering(inode);
    let mut moves = vec![rename(names.next(), entering.clone())];
    if can_exchange {
        moves.push(Move::Exchange {
            one: entering.clone(),
            other: names.current(),
        });
        moves.push(rename(entering, names.was()));
    } else {
        moves.push(rename(names.current(), names.was()));
        moves.push(rename(entering, names.current()));
    }
    moves.extend(keep_previous(names, seen.previous));
    moves
}

/// Puts `acme.prev` in force, and what is in force there.
pub fn rollback(names: Names<'_>, seen: &Seen, can_exchange: bool) -> Vec<Move> {
    if !seen.current {
        return vec![rename(names.previous(), names.current())];
    }
    if can_exchange {
        return vec![Move::Exchange {
            one: names.previous(),
            other: names.current(),
        }];
    }
    vec![
        rename(names.current(), names.was()),
        rename(names.previous(), names.current()),
        rename(names.was(), names.previous()),
    ]
}

/// `.acme.was` becomes `acme.prev`; an older one goes, last.
fn keep_previous(names: Names<'_>, has_previous: bool) -> Vec<Move> {
    let mut moves = Vec::new();
    if has_previous {
        moves.push(rename(names.previous(), names.older()));
    }
    moves.push(rename(names.was(), names.previous()));
    if has_previous {
        moves.push(Move::Remove(names.older()));
    }
    moves
}

fn rename(from: String, to: String) -> Move {
    Move::Rename { from, to }
}
