//! Who may acknowledge what: producers, their epochs, and how far each has come. Pure.
//!
//! Invariant: `last_seq` of a pair grows with what its connection counted, and both go to disk in one
//! transaction. A pair is asked for only when nobody holds it, so what it says is durable then.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::hello::HelloRefused;
use crate::words::Wall;

/// What sequence numbers belong to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pair {
    pub producer: Arc<str>,
    pub epoch: Arc<str>,
}

/// One epoch of a producer as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducerRow {
    pub producer: Arc<str>,
    pub epoch: Arc<str>,
    /// Of the first peer that used the pair.
    pub uid: u32,
    pub last_seq: u64,
    pub seen: Wall,
    /// Order of first appearance.
    pub born: i64,
    /// Eight newer ones came: it is remembered only to be refused.
    pub retired: bool,
}

/// All pairs, those of connections that have not yet counted anything too.
#[derive(Debug, Default)]
pub struct Registry {
    producers: BTreeMap<Arc<str>, BTreeMap<Arc<str>, Entry>>,
    born_last: i64,
    held: BTreeSet<Pair>,
    /// What the next commit must write.
    changed: BTreeSet<Pair>,
}

#[derive(Debug)]
struct Entry {
    uid: u32,
    last_seq: u64,
    seen: Wall,
    born: i64,
    retired: bool,
    /// Nothing was counted for it yet: not stored, and forgotten when its connection goes.
    provisional: bool,
}

impl Registry {
    /// Producers by name, however many epochs each has.
    pub const PRODUCERS_MAX: usize = 1024;
    /// Epochs of one producer that may go on; those that are connected are kept beyond it.
    pub const EPOCHS_MAX: usize = 8;
    /// Retired epochs of one producer that are remembered to be refused; older ones are forgotten.
    pub const RETIRED_MAX: usize = 64;
    /// Milliseconds of wall time since any epoch of a producer was last connected or counted; then all of them go.
    pub const IDLE_MS_MAX: i64 = 7 * 86_400_000;

    pub fn new(rows: Vec<ProducerRow>) -> Registry {
        let mut registry = Registry::default();
        for row in rows {
            registry.born_last = registry.born_last.max(row.born);
            let entry = Entry {
                uid: row.uid,
                last_seq: row.last_seq,
                seen: row.seen,
                born: row.born,
                retired: row.retired,
                provisional: false,
            };
            registry
                .producers
                .entry(row.producer)
                .or_default()
                .insert(row.epoch, entry);
        }
        registry
    }

    /// Gives the pair to a connection and says the last sequence number that is durable.
    ///
    /// # Errors
    /// Why it may not have it.
    pub fn claim(&mut self, pair: &Pair, uid: u32, now: Wall) -> Result<u64, HelloRefused> {
        if self.held.contains(pair) {
            return Err(HelloRefused::ProducerInUse);
        }
        let known = self
            .producers
            .get(&pair.producer)
            .and_then(|epochs| epochs.get(&pair.epoch));
        let last_seq = match known {
            Some(entry) if entry.uid != uid => return Err(HelloRefused::NotYours),
            Some(entry) if entry.retired => return Err(HelloRefused::EpochRetired),
            Some(entry) => entry.last_seq,
            None => {
                self.make_room(&pair.producer, now)?;
                self.born_last += 1;
                let entry = Entry {
                    uid,
                    last_seq: 0,
                    seen: now,
                    born: self.born_last,
                    retired: false,
                    provisional: true,
                };
                let epochs = self.producers.entry(pair.producer.clone()).or_default();
                epochs.insert(pair.epoch.clone(), entry);
                0
            }
        };
        self.held.insert(pair.clone());
        Ok(last_seq)
    }

    /// The connection has gone, and all that it counted is on disk (or will never be).
    pub fn release(&mut self, pair: &Pair, now: Wall) {
        self.held.remove(pair);
        let Some(epochs) = self.producers.get_mut(&pair.producer) else {
            return;
        };
        match epochs.get_mut(&pair.epoch) {
            Some(entry) if entry.provisional => {
                epochs.remove(&pair.epoch);
            }
            Some(entry) => {
                // Its week of idleness begins here, however long it was connected in silence.
                entry.seen = now;
                self.changed.insert(pair.clone());
            }
            None => {}
        }
        if epochs.is_empty() {
            self.producers.remove(&pair.producer);
        }
    }

    /// The next commit takes the pair to `last_seq`. A new epoch is one from now on, and may retire an old one.
    pub fn advance(&mut self, pair: &Pair, last_seq: u64, now: Wall) {
        let Some(epochs) = self.producers.get_mut(&pair.producer) else {
            return;
        };
        let Some(entry) = epochs.get_mut(&pair.epoch) else {
            return;
        };
        if last_seq <= entry.last_seq {
            return;
        }
        entry.last_seq = last_seq;
        entry.seen = now;
        self.changed.insert(pair.clone());
        if std::mem::take(&mut entry.provisional) {
            self.retire(&pair.producer);
        }
    }

    /// Forgets producers that nobody has used for a week.
    pub fn expire(&mut self, now: Wall) {
        let held = &self.held;
        let idle: Vec<Arc<str>> = self
            .producers
            .iter()
            .filter(|(producer, epochs)| {
                let seen = epochs.values().map(|entry| entry.seen).max().unwrap_or_default();
                let in_use = held.iter().any(|pair| pair.producer == **producer);
                !in_use && now.millis_since(seen) > Self::IDLE_MS_MAX
            })
            .map(|(producer, _)| producer.clone())
            .collect();
        for producer in idle {
            for epoch in self.producers.remove(&producer).unwrap_or_default().into_keys() {
                let producer = producer.clone();
                self.changed.insert(Pair { producer, epoch });
            }
        }
    }

    /// What changed since the last call, for the next commit: a row, or `None` to delete it.
    pub fn take_changes(&mut self) -> BTreeMap<(Arc<str>, Arc<str>), Option<ProducerRow>> {
        let changed = std::mem::take(&mut self.changed);
        changed
            .into_iter()
            .map(|pair| {
                let row = self.row(&pair);
                ((pair.producer, pair.epoch), row)
            })
            .collect()
    }

    /// A new file knows nobody: the next commit writes all.
    pub fn change_all(&mut self) {
        for (producer, epochs) in &self.producers {
            for (epoch, entry) in epochs {
                if !entry.provisional {
                    let (producer, epoch) = (producer.clone(), epoch.clone());
                    self.changed.insert(Pair { producer, epoch });
                }
            }
        }
    }

    fn row(&self, pair: &Pair) -> Option<ProducerRow> {
        let entry = self.producers.get(&pair.producer)?.get(&pair.epoch)?;
        Some(ProducerRow {
            producer: pair.producer.clone(),
            epoch: pair.epoch.clone(),
            uid: entry.uid,
            last_seq: entry.last_seq,
            seen: entry.seen,
            born: entry.born,
            retired: entry.retired,
        })
    }

    fn make_room(&mut self, producer: &Arc<str>, now: Wall) -> Result<(), HelloRefused> {
        if self.producers.contains_key(producer) || self.producers.len() < Self::PRODUCERS_MAX {
            return Ok(());
        }
        self.expire(now);
        if self.producers.len() < Self::PRODUCERS_MAX {
            return Ok(());
        }
        Err(HelloRefused::TooManyProducers)
    }

    /// Keeps the eight newest epochs, and those that are connected.
    fn retire(&mut self, producer: &Arc<str>) {
        let Some(epochs) = self.producers.get_mut(producer) else {
            return;
        };
        let mut by_age: Vec<(i64, Arc<str>)> = epochs
            .iter()
            .filter(|(_, entry)| !entry.provisional)
            .map(|(epoch, entry)| (entry.born, epoch.clone()))
            .collect();
        by_age.sort();
        let (mut retired, mut active) = (VecDeque::new(), Vec::new());
        for (_, epoch) in by_age {
            match epochs.get(&epoch) {
                Some(entry) if entry.retired => retired.push_back(epoch),
                _ => active.push(epoch),
            }
        }
        let beyond = active.len().saturating_sub(Self::EPOCHS_MAX);
        for epoch in active.drain(..beyond) {
            let pair = Pair {
                producer: producer.clone(),
                epoch: epoch.clone(),
            };
            if !self.held.contains(&pair)
                && let Some(entry) = epochs.get_mut(&epoch)
            {
                entry.retired = true;
                self.changed.insert(pair);
                retired.push_back(epoch);
            }
        }
        while retired.len() > Self::RETIRED_MAX
            && let Some(epoch) = retired.pop_front()
        {
            epochs.remove(&epoch);
            let producer = producer.clone();
            self.changed.insert(Pair { producer, epoch });
        }
    }
}

impl Pair {
    pub fn new(producer: &str, epoch: &str) -> Pair {
        Pair {
            producer: producer.into(),
            epoch: epoch.into(),
        }
    }
}

#[cfg(test)]
mod tests;
