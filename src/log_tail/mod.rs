//! The log file of OpenClaw gateways as a source of webhook failures: for tenants whose gateway gives readyd no token.
//!
//! ```text
//! config ─ source ─▶ Wiring ─▶ tail ─ chunks ─▶ line (bytes → event of a tenant, or nothing) ─▶ Output ─▶ Sink
//!                               ▲   name: which files, oldest first                            │
//!                               └── position: how far each was read ◀──────────────────────────┘
//! ```
//!
//! Shell: `tail`. The other files decide: they take bytes and numbers, and know no file.
//!
//! # Walk one event through it
//!
//! 1. A job's webhook answers 500. The gateway appends a record `cron: webhook delivery failed` with the job's id and
//!    its store's path to `openclaw-YYYY-MM-DD.log`, which all gateways of a user without a profile share.
//! 2. Half a second later at most, [`tail::Tail::look`] lists the folder, finds the file longer than its
//!    [`position::Position`] says, and reads on in chunks.
//! 3. [`line::read`] finds the tenant whose state directory holds that store, and makes the line of `events.sock` that
//!    tells the failure. All other records are nothing.
//! 4. [`Output::Event`] hands over the line and the position behind it: kept in one transaction with the count, they
//!    make each record count once, however often readyd ends.
//!
//! # Invariants
//!
//! - What is not allow-listed in `line` is in no type of this folder.
//! - A log tells of the tenants of its owner alone: nobody's file speaks for another user's gateway.
//! - The first look begins at the end; after that a file not seen before is read whole.
//! - Memory is bounded: a line by [`tail::LINE_BYTES_MAX`], files by [`name::FILES_MAX`] and
//!   [`position::MARKS_MAX`].
//!
//! # What a log cannot tell
//!
//! Deliveries that succeeded, and for a run's own webhook its URL: such an endpoint is the job's id.

pub mod line;
pub mod name;
pub mod position;
pub mod source;
pub mod tail;

use position::Position;

pub use source::{Claim, Wiring};
pub use tail::run;

use crate::words::TenantName;

/// What comes out of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output<'a> {
    /// One event as a line of `events.sock` without `seq`, and the position behind it: to be kept together.
    Event {
        tenant: &'a TenantName,
        line: &'a str,
        position: &'a Position,
    },
    /// Nothing to be counted stands before this position. Keeping it spares reading that again; the first one, of a
    /// source without a position, must be kept, or a restart would begin at the end anew.
    Passed { position: &'a Position },
    /// Told when it is another one.
    State(&'a State),
}

/// What became of an [`Output::Event`]; the other outputs' answer is not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sink {
    /// Counted or refused for good: the next one.
    Done,
    /// It cannot be kept now: the same again at the next look.
    Later,
}

/// How it stands with a source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Files that there are.
    pub files: usize,
    /// Why it cannot be read, as a sentence; the source is as good as disconnected. An absent file is none: a gateway that
    /// logged nothing yet has none.
    pub trouble: Option<String>,
    /// Lines that were skipped for their length since the start.
    pub too_long: u64,
    /// Failures of gateways that no tenant claims since the start.
    pub unclaimed: u64,
}
