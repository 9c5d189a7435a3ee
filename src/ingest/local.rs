//! Shell: events that this process learns by itself rather than over `events.sock`: from a link, from a log file.
//!
//! They are folded, redacted and committed like any producer's. What makes them count once is not a sequence number but
//! a mark of the source's own choice, committed with them.

use std::sync::Arc;

use super::delta::{Mark, Reporter};
use super::fold::{Folder, Mode};
use super::hub::Hub;
use super::source::{NewlyDirty, Reports, Source};
use crate::clock;
use crate::words::{TenantName, Via};

pub use super::source::{MARKS_MAX, NotCounted};

/// One source. Dropping it drops nothing that was counted.
#[derive(Clone, Debug)]
pub struct Local {
    hub: Arc<Hub>,
    source: Arc<Source>,
}

impl Local {
    /// The standing connection to a tenant's gateway.
    pub fn link(hub: &Arc<Hub>, tenant: &TenantName) -> Local {
        Local::new(hub, Via::Link, Reports::Of(Reporter::link(tenant)))
    }

    /// A log file that tells of several tenants.
    pub fn log(hub: &Arc<Hub>) -> Local {
        Local::new(hub, Via::Log, Reports::OfEachTenant(Reporter::log))
    }

    /// Its events bear this host's own time.
    fn new(hub: &Arc<Hub>, via: Via, reports: Reports) -> Local {
        const NO_SKEW: Option<i64> = Some(0);
        let folder = Folder::new(hub.fold_settings(None, via), Mode::Plain, NO_SKEW);
        Local {
            hub: hub.clone(),
            source: Source::local(folder, reports),
        }
    }

    /// Counts one event, a line of `events.sock` without `seq`; `marks` are on disk as soon as it is, and not before.
    /// Does not wait.
    ///
    /// # Errors
    /// It was not counted, and no mark is kept.
    pub fn count(&self, line: &str, marks: Vec<Mark>) -> Result<(), NotCounted> {
        self.tell(Some(line), marks)
    }

    /// Keeps marks after all that was counted before.
    ///
    /// # Errors
    /// They are not kept.
    pub fn keep(&self, marks: Vec<Mark>) -> Result<(), NotCounted> {
        self.tell(None, marks)
    }

    fn tell(&self, line: Option<&str>, marks: Vec<Mark>) -> Result<(), NotCounted> {
        let (NewlyDirty(newly_dirty), told) = self.source.tell(line, marks, clock::now());
        self.hub.folded(&self.source, newly_dirty);
        told
    }
}
