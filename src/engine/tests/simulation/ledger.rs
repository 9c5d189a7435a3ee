//! Every event that was sent, and what became of it.

use std::collections::BTreeMap;

use crate::digest::SourceView;
use crate::ingest::delta::Batch;
use crate::words::{TenantName, Via};

/// One batch. All of its events are of one tenant, of one age, and came one way.
#[derive(Clone, Debug)]
pub struct Entry {
    pub log_id: i64,
    pub arrived: i64,
    pub count: u64,
    pub live: bool,
    tenant: TenantName,
    via: Via,
    pub committed: bool,
    /// Whether the way it came is the one that counts; told when it is committed.
    pub counts: bool,
    /// It was in the log alone when another configuration began: that one decides anew which way counts.
    pub undecided: bool,
    /// A clock was stepped, or the host rebooted, since it arrived: nobody may be able to say when that was.
    pub doubtful: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Ledger {
    pub entries: Vec<Entry>,
    /// Told late by processes that have ended.
    pub late_before: u64,
    /// The last one that was committed before this process began.
    pub restored: i64,
    /// The database was deleted: what only it knew is gone.
    pub is_lost: bool,
}

impl Ledger {
    pub fn sent(&mut self, batch: &Batch, lived: i64) {
        let Some((first, _)) = batch.cells.first() else { return };
        self.entries.push(Entry {
            log_id: batch.log_id,
            arrived: lived,
            count: batch.cells.iter().map(|(_, count)| count.count).sum(),
            live: first.live,
            tenant: first.subject.tenant.clone(),
            via: first.via,
            committed: false,
            counts: false,
            undecided: false,
            doubtful: false,
        });
    }

    /// It was never committed, and is sent again under another number.
    pub fn forget(&mut self, log_id: i64) {
        self.entries.retain(|entry| entry.log_id != log_id);
    }

    /// `sources`: which way counts for each tenant that is configured.
    pub fn committed(&mut self, log_id: i64, sources: &BTreeMap<TenantName, SourceView>) {
        for entry in self.entries.iter_mut().filter(|entry| entry.log_id == log_id) {
            entry.committed = true;
            let counting = sources.get(&entry.tenant).and_then(|source| source.counts);
            entry.counts = entry.via == Via::Operator || counting.is_none_or(|counting| counting == entry.via);
        }
    }

    pub fn doubt(&mut self) {
        for entry in &mut self.entries {
            entry.doubtful = true;
        }
    }

    /// Another configuration is in force. `log`: what is on disk and in no window yet.
    pub fn reconfigured(&mut self, log: &[Batch]) {
        let is_in_log = |entry: &Entry| log.iter().any(|batch| batch.log_id == entry.log_id);
        for entry in &mut self.entries {
            entry.undecided |= is_in_log(entry);
        }
    }

    pub fn killed(&mut self, late: u64) {
        self.late_before += late;
        let committed = self.entries.iter().filter(|entry| entry.committed);
        self.restored = committed.map(|entry| entry.log_id).max().unwrap_or(0);
    }

    /// Committed events whose way counts.
    pub fn counted(&self) -> impl Iterator<Item = &Entry> {
        self.committed_entries()
            .filter(|entry| entry.counts && !entry.undecided)
    }

    /// And those that may.
    pub fn may_count(&self) -> impl Iterator<Item = &Entry> {
        self.committed_entries().filter(|entry| entry.counts || entry.undecided)
    }

    fn committed_entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.committed)
    }
}
