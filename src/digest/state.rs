//! The digest's line in the state table: what is small, rarely changes, and is not a count.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::counting;
use super::filing::Reading;
use super::gaps::Gaps;
use super::sources::StoredSource;
use crate::ingest::delta::Reporter;
use crate::words::{TenantName, Wall};

/// What is over budget is found again from the counts, except between 80 % and the budget; beyond
/// this many it is left to that.
pub(super) const OVER_STORED_MAX: usize = 4096;

/// JSON. Missing fields read as empty, unknown ones are ignored: an older or newer readyd may have written it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct State {
    /// The boot that the readings belong to.
    pub boot: String,
    pub readings: Vec<Reading>,
    pub sources: BTreeMap<Reporter, StoredSource>,
    pub counting: counting::Stored,
    /// Windows in which readyd was down, asleep or could not commit.
    pub outages: Gaps,
    /// Tenants that are not configured and have rows of their own, with when they were last seen.
    pub adhoc: BTreeMap<TenantName, Wall>,
    /// Over budget: a tenant, or one of its endpoints.
    pub over: Vec<(TenantName, Option<Arc<str>>)>,
}
