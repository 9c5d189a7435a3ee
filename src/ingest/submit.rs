//! Shell: events that come with a request (`POST /v1/events`) rather than over `events.sock`.

use std::sync::Arc;
use std::time::Duration;

use serde_json::value::RawValue;

use super::fold::{Folder, Mode, Read, Rejection};
use super::hub::Hub;
use super::source::Source;
use crate::clock;
use crate::words::{Instant, Reject, Via};

/// What became of the lines (or elements).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Counted, and on disk.
    pub accepted: u64,
    /// Line (or element), from 1, and why.
    pub rejected: Vec<(u64, Reject)>,
}

/// Why there is no receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    #[error("the body is larger than {} bytes: send it in parts", Hub::SUBMIT_BYTES_MAX)]
    TooLarge,
    #[error("the body begins with `[` and is not a JSON array: send an array of events, or one event a line")]
    NotAnArray,
    #[error("the store cannot commit now, nothing was counted: send it again later; see `readyd status`")]
    StoreFailing,
    #[error(
        "the store has not committed in time: some of it may have been counted, or be counted later; see `readyd status`"
    )]
    Unknown,
}

impl Hub {
    pub const SUBMIT_BYTES_MAX: usize = 8 << 20;
    const SUBMIT_PATIENCE: Duration = Duration::from_secs(5);

    /// Counts the operator's events (any tenant), one a line or a JSON array, and waits until they are on disk.
    /// Blocks: call it where that is fine.
    ///
    /// # Errors
    /// When the body is not of that form, or the store does not commit in time.
    pub fn submit(&self, body: &[u8]) -> Result<Receipt, SubmitError> {
        self.submit_within(body, Self::SUBMIT_PATIENCE)
    }

    pub(super) fn submit_within(&self, body: &[u8], patience: Duration) -> Result<Receipt, SubmitError> {
        if body.len() > Self::SUBMIT_BYTES_MAX {
            return Err(SubmitError::TooLarge);
        }
        let source = Source::new(
            Folder::new(self.fold_settings(None, Via::Operator), Mode::Plain, None),
            None,
        );
        let mut submission = Submission {
            hub: self,
            source,
            began: clock::instant(),
            patience,
            rejections: Vec::new(),
            rejected: Vec::new(),
        };
        if !self.is_committing() {
            return Err(SubmitError::StoreFailing);
        }
        if body.trim_ascii_start().first() == Some(&b'[') {
            let elements: Vec<&RawValue> = serde_json::from_slice(body).map_err(|_| SubmitError::NotAnArray)?;
            submission.elements(&elements)?;
        } else {
            submission.lines(body)?;
        }
        submission.wait_clean()?;
        Ok(Receipt {
            accepted: submission.source.accepted(),
            rejected: submission.rejected,
        })
    }
}

struct Submission<'a> {
    hub: &'a Hub,
    source: Arc<Source>,
    began: Instant,
    /// For all of it, however many deltas that takes.
    patience: Duration,
    rejections: Vec<Rejection>,
    rejected: Vec<(u64, Reject)>,
}

impl Submission<'_> {
    fn lines(&mut self, body: &[u8]) -> Result<(), SubmitError> {
        let mut rest = body;
        loop {
            let folded = self.source.read(rest, clock::now(), &mut self.rejections);
            rest = &rest[folded.read.consumed..];
            self.folded(folded.newly_dirty);
            if !folded.read.full {
                break;
            }
            if folded.read.consumed == 0 {
                self.wait_clean()?;
            }
        }
        let folded = self.source.finish(rest, clock::now(), &mut self.rejections);
        self.folded(folded.newly_dirty);
        Ok(())
    }

    /// So many elements may fill a delta's cells; between two lots the writer takes it.
    fn elements(&mut self, elements: &[&RawValue]) -> Result<(), SubmitError> {
        const LOT: usize = 16_384;
        for (index, lot) in elements.chunks(LOT).enumerate() {
            if index > 0 {
                self.wait_clean()?;
            }
            let now = clock::now();
            let folded = self.source.fold(&mut self.rejections, |folder, rejections| {
                for element in lot {
                    folder.one(element.get().as_bytes(), now, rejections);
                }
                let consumed = lot.len();
                Read { consumed, full: false }
            });
            self.folded(folded.newly_dirty);
        }
        Ok(())
    }

    fn folded(&mut self, newly_dirty: bool) {
        let rejected = self
            .rejections
            .drain(..)
            .map(|rejection| (rejection.line, rejection.reason));
        self.rejected.extend(rejected);
        self.hub.folded(&self.source, newly_dirty);
    }

    fn wait_clean(&self) -> Result<(), SubmitError> {
        let left = self.patience.saturating_sub(clock::instant().since(self.began));
        if self.source.wait_clean(left) {
            return Ok(());
        }
        self.hub.withdraw(&self.source);
        Err(match self.source.was_taken() {
            false => SubmitError::StoreFailing,
            true => SubmitError::Unknown,
        })
    }
}
