//! Shell: whom to tell when a commit is on disk.

use std::collections::HashMap;
use std::sync::Arc;

use super::source::Source;

/// One entry a sender, however many of its deltas wait: while commits fail it grows with the senders alone.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    /// By the source's address: the entry holds the source, so nothing else can come to be there.
    by_source: HashMap<usize, Part>,
}

#[derive(Debug)]
struct Part {
    source: Arc<Source>,
    /// Taken of it, not yet on disk.
    deltas: u64,
    /// Of the newest of them.
    last_seq: Option<u64>,
}

impl Parts {
    /// One more delta of that sender.
    pub(super) fn add(&mut self, source: Arc<Source>, last_seq: Option<u64>) {
        self.put(Part {
            source,
            deltas: 1,
            last_seq,
        });
    }

    /// Adds what was taken later.
    pub fn append(&mut self, later: Parts) {
        later.by_source.into_values().for_each(|part| self.put(part));
    }

    /// All of it is on disk.
    pub fn committed(&mut self) {
        for (_, part) in self.by_source.drain() {
            part.source.committed(part.deltas, part.last_seq);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.by_source.is_empty()
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.by_source.len()
    }

    fn put(&mut self, later: Part) {
        let address = Arc::as_ptr(&later.source).addr();
        match self.by_source.get_mut(&address) {
            Some(part) => {
                part.deltas += later.deltas;
                part.last_seq = later.last_seq.or(part.last_seq);
            }
            None => {
                self.by_source.insert(address, later);
            }
        }
    }
}
