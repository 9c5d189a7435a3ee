//! What a tenants directory means over time: whose fragments are in force, and who is gone.
//!
//! Invariant: pure. [`super::scan`] looks, this decides. A mistake in git must not empty a load
//! balancer: the last good merge outlives a broken file, a vanished directory (for a minute) and an
//! unreadable or emptied parent (until somebody says otherwise).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Config;
use super::fragments::{self, Fragment};
use super::lint::{Beside, Lint};
use super::problem::{Place, Problems};
use super::yaml::Node;
use crate::words::{Instant, TenantName};

/// How long a tenant whose directory is gone is still watched.
pub const VANISHED_KEPT: Duration = Duration::from_secs(60);

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scan {
    Found {
        /// With each tenant's directory as problems call it.
        tenants: BTreeMap<TenantName, Found>,
        /// Entries that are no tenants or no fragments, by name.
        warnings: Vec<String>,
    },
    /// The directory is not there.
    Missing(String),
    /// It is there and cannot be read.
    Unreadable(String),
}

/// One tenant's directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub dir: String,
    /// Whether it surely is a tenant; `false`: we could not look inside, and only who is a tenant
    /// already stays one.
    pub certain: bool,
    pub fragments: Vec<Fragment>,
    pub beside: Beside,
}

/// What became of one tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Appeared,
    Changed,
    /// A fragment is broken: the last good merge stays.
    Broken,
    /// Its directory is gone: the last good merge stays for [`VANISHED_KEPT`].
    Vanished,
    Removed,
    /// The directory as a whole cannot be trusted: nobody goes.
    Kept,
}

/// Who was touched; empty when everything is as before.
pub type Change = BTreeMap<TenantName, Step>;

/// What a merged tree gets wrong beyond its shape: patience that fits no probe.
pub type Judge<'judge> = &'judge dyn Fn(&Node) -> Problems;

/// The tenants of one directory, with the merges in force.
#[derive(Clone, Debug, Default)]
pub struct TenantsDir {
    held: BTreeMap<TenantName, Held>,
    warnings: Vec<String>,
}

/// One tenant's fragments in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The last good merge; before the first one, what the good files say.
    pub tree: Node,
    /// What is wrong now, on one line.
    pub trouble: Option<String>,
    /// What there is to say of its fragments as they were last read.
    pub lint: Arc<Lint>,
    /// Whether `tree` was a whole and good merge.
    good: bool,
    vanished: Option<Instant>,
}

impl TenantsDir {
    pub fn tenants(&self) -> &BTreeMap<TenantName, Held> {
        &self.held
    }

    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Whether something may change by itself: a vanished tenant's minute runs, a file may become
    /// readable, a database may be moved out from deep below.
    pub fn is_troubled(&self) -> bool {
        let may_change = |held: &Held| held.trouble.is_some() || held.lint.may_change_unseen();
        self.held.values().any(may_change)
    }

    /// Takes in what was found. `explicit`: an operator asked (a start, a reload), so that what is
    /// gone goes at once.
    pub fn apply(&mut self, now: Instant, scan: Scan, explicit: bool, judge: Judge<'_>) -> Change {
        match scan {
            Scan::Unreadable(why) => self.keep_all(&format!("{why}; the last good fragments stay in force")),
            Scan::Missing(why) if !explicit => {
                self.keep_all(&format!("{why}; the last good fragments stay in force until a reload"))
            }
            Scan::Missing(why) => self.found(now, BTreeMap::new(), vec![why], explicit, judge),
            Scan::Found { tenants, .. } if tenants.is_empty() && !self.held.is_empty() && !explicit => {
                self.keep_all("tenants_dir has become empty; the last good fragments stay in force until a reload")
            }
            Scan::Found { tenants, warnings } => self.found(now, tenants, warnings, explicit, judge),
        }
    }

    fn found(
        &mut self,
        now: Instant,
        tenants: BTreeMap<TenantName, Found>,
        warnings: Vec<String>,
        explicit: bool,
        judge: Judge<'_>,
    ) -> Change {
        self.warnings = warnings;
        let mut change = Change::new();
        self.lose(now, &tenants, explicit, &mut change);
        for (name, found) in tenants {
            if !self.held.contains_key(&name) && !found.certain {
                self.warnings
                    .push(format!("{}: cannot be looked into: not watched", found.dir));
                continue;
            }
            if !self.held.contains_key(&name) && self.held.len() >= Config::TENANTS_MAX {
                self.warnings.push(format!(
                    "{}: not watched, since {} tenants are already",
                    found.dir,
                    Config::TENANTS_MAX
                ));
                continue;
            }
            let place = Place::file(&found.dir);
            let mut merged = fragments::merge(place, found.fragments);
            merged.problems.extend(judge(&merged.tree));
            let lint = Lint::of(&merged.files, &merged.problems, &found.beside);
            if let Some(step) = self.take(&name, merged, Arc::new(lint)) {
                change.insert(name, step);
            }
        }
        change
    }

    /// Those who are held and were not found.
    fn lose(&mut self, now: Instant, found: &BTreeMap<TenantName, Found>, explicit: bool, change: &mut Change) {
        self.held.retain(|name, held| {
            if found.contains_key(name) {
                return true;
            }
            let since = *held.vanished.get_or_insert(now);
            if explicit || now.since(since) >= VANISHED_KEPT {
                change.insert(name.clone(), Step::Removed);
                return false;
            }
            let gone = format!(
                "{} is gone; its last good fragments stay in force for {} s",
                held.tree.at,
                VANISHED_KEPT.as_secs()
            );
            if held.trouble.as_ref() != Some(&gone) {
                held.trouble = Some(gone);
                change.insert(name.clone(), Step::Vanished);
            }
            true
        });
    }

    /// One tenant that was found.
    fn take(&mut self, name: &TenantName, merged: fragments::Merged, lint: Arc<Lint>) -> Option<Step> {
        let trouble = merged.problems.summary();
        let good = trouble.is_none();
        let known = self.held.get(name);
        let keeps_last = !good && known.is_some_and(|held| held.good);
        let next = match known {
            Some(held) if keeps_last => Held {
                tree: held.tree.clone(),
                good: true,
                trouble,
                lint,
                vanished: None,
            },
            _ => Held {
                tree: merged.tree,
                good,
                trouble,
                lint,
                vanished: None,
            },
        };
        let step = match known {
            Some(held) if *held == next => return None,
            Some(_) if keeps_last => Step::Broken,
            Some(_) => Step::Changed,
            None => Step::Appeared,
        };
        self.held.insert(name.clone(), next);
        Some(step)
    }

    /// Nobody goes; everybody is told why.
    fn keep_all(&mut self, why: &str) -> Change {
        self.warnings = vec![why.to_owned()];
        let mut change = Change::new();
        for (name, held) in &mut self.held {
            if held.trouble.as_deref() != Some(why) || held.vanished.is_some() {
                held.trouble = Some(why.to_owned());
                // Its minute begins anew once the directory can be read again.
                held.vanished = None;
                change.insert(name.clone(), Step::Kept);
            }
        }
        change
    }
}

#[cfg(test)]
mod tests;
