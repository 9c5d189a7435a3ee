//! What still has to become durable, and who waits for it.
//!
//! The engine never waits for the store: it hands over what changed, numbered, and learns later
//! which number is on disk. A store that fails or keeps silent stops the digest's age from being
//! renewed; it stops nothing else.
//!
//! Nothing piles up here: what was handed over is the writer's, who merges it while commits fail.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use crate::history::Entry;
use crate::store::{Fold, Persist};
use crate::words::{Finding, Instant};

use super::message::{Done, Output};

/// A store that owes an answer for longer does not advance the digest, and an operator waits no longer
/// to hear that an operation is durable (it is in force at once). A commit takes milliseconds; two
/// seconds of silence is a disk that hangs.
const SILENCE_MAX: Duration = Duration::from_secs(2);

#[derive(Debug, Default)]
pub(super) struct Durability {
    pending: Persist,
    /// Of what was handed over last.
    ticket: u64,
    confirmed: u64,
    /// Since when the store has owed an answer.
    owing: Option<Instant>,
    /// The ticket of the last operation.
    operated: u64,
    failing: Option<(String, Instant)>,
    quarantined: Option<PathBuf>,
    replies: Vec<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    id: u64,
    ticket: u64,
    message: String,
}

impl Durability {
    pub(super) fn new(quarantined: Option<PathBuf>) -> Durability {
        Durability {
            quarantined,
            ..Durability::default()
        }
    }

    pub(super) fn state(&mut self, changed: BTreeMap<String, Option<String>>) {
        self.pending.state.extend(changed);
    }

    pub(super) fn history(&mut self, new: impl IntoIterator<Item = Entry>) {
        self.pending.history.extend(new);
    }

    pub(super) fn fold(&mut self, fold: Option<Fold>) {
        if fold.is_some() {
            self.pending.fold = fold;
        }
    }

    /// Whether something is still on its way: a fold that follows another one would only grow what waits.
    pub(super) fn is_owed(&self) -> bool {
        self.owing.is_some()
    }

    /// Hands over what there is.
    pub(super) fn hand_over(&mut self, now: Instant, out: &mut Vec<Output>) {
        let pending = &self.pending;
        if pending.state.is_empty() && pending.history.is_empty() && pending.fold.is_none() {
            return;
        }
        self.ticket += 1;
        self.owing.get_or_insert(now);
        let mut persist = std::mem::take(&mut self.pending);
        persist.ticket = self.ticket;
        out.push(Output::Persist(persist));
    }

    /// Answers `id` once everything handed over so far is durable, or when that takes too long.
    pub(super) fn reply_when_durable(&mut self, id: u64, message: String) {
        self.operated = self.ticket;
        self.replies.push(Waiting {
            id,
            ticket: self.ticket,
            message,
        });
    }

    pub(super) fn persisted(&mut self, now: Instant, ticket: u64) {
        self.confirmed = self.confirmed.max(ticket);
        self.owing = (self.confirmed < self.ticket).then_some(now);
    }

    /// The host slept: the store owes its answer from now on.
    pub(super) fn resume(&mut self, now: Instant) {
        self.owing = self.owing.map(|_| now);
    }

    /// Sends the replies whose time has come.
    pub(super) fn answer(&mut self, now: Instant, out: &mut Vec<Output>) {
        let (confirmed, advances) = (self.confirmed, self.advances(now));
        self.replies.retain(|waiting| {
            let durable = waiting.ticket <= confirmed;
            if !durable && advances {
                return true;
            }
            out.push(Output::Reply {
                id: waiting.id,
                reply: Ok(Done {
                    message: waiting.message.clone(),
                    durable,
                }),
            });
            false
        });
    }

    /// When somebody who waits is told that it takes too long.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let owing = self.owing.filter(|_| !self.replies.is_empty())?;
        Some(owing + SILENCE_MAX + Duration::from_millis(1))
    }

    pub(super) fn failing(&mut self, now: Instant, reason: String) {
        let since = self.failing.take().map_or(now, |(_, since)| since);
        self.failing = Some((reason, since));
    }

    /// Since when commits had failed.
    pub(super) fn recovered(&mut self) -> Option<Instant> {
        self.failing.take().map(|(_, since)| since)
    }

    pub(super) fn quarantined(&mut self, path: Option<PathBuf>) {
        self.quarantined = path;
    }

    /// Whether the store commits, as far as is known: the digest is only as fresh as that.
    pub(super) fn advances(&self, now: Instant) -> bool {
        let answers = self.owing.is_none_or(|since| now.since(since) <= SILENCE_MAX);
        self.failing.is_none() && answers
    }

    /// Whether an operation is in force that would not survive the process.
    pub(super) fn not_yet_durable(&self, now: Instant) -> bool {
        self.confirmed < self.operated && !self.advances(now)
    }

    /// What the probe `store` finds.
    pub(super) fn judge(&self, now: Instant) -> Finding {
        if let Some((reason, since)) = &self.failing {
            let seconds = now.since(*since).as_secs();
            return Finding::degraded(format!("commits fail: {reason}"))
                .with_evidence("failing for", format!("{seconds} s"))
                .at_once();
        }
        if let Some(since) = self.owing.filter(|_| !self.advances(now)) {
            let seconds = now.since(since).as_secs();
            return Finding::degraded(format!("the store has not answered for {seconds} s"));
        }
        match &self.quarantined {
            Some(path) => Finding::degraded("a corrupt database was set aside and a new one begun")
                .with_evidence("set aside as", path.display().to_string())
                .at_once(),
            None => Finding::ok("commits succeed"),
        }
    }
}
