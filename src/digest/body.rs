//! The bytes that the store keeps of a slot or of a tenant's window: a version, then postcard.
//!
//! Bytes of another version or corrupt ones are an error value that the reader counts, never a panic.

use std::sync::Arc;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::rollup;
use super::tally::Tally;
use crate::store::MergedWindow;
use crate::words::{TenantName, Wall};

const VERSION: u8 = 1;

/// What arrived in ten seconds.
///
/// Read with its tenants' tallies; written from whatever serialises as they do, tenant by tenant.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct SlotBody<T = Vec<(TenantName, Tally)>> {
    /// The boot that `middle_instant` belongs to; empty when unknown.
    pub boot: String,
    /// The middle of the slot in milliseconds since that boot: its age, as long as the boot lasts. The
    /// middle, so that a few milliseconds between two readings of the clocks move no slot.
    pub middle_instant: i64,
    /// The same moment by the wall clock as it was set when this was written: bridges boots.
    pub middle_wall: Wall,
    pub tenants: T,
}

/// What one tenant's aligned window holds, or (of a late one) what is to be added to it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct WindowBody {
    pub is_final: bool,
    /// How often late events changed it since it was final.
    pub revision: u32,
    pub tally: Arc<Tally>,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("empty")]
    Empty,
    #[error("version {0} is not known here")]
    Version(u8),
    #[error("corrupt: {0}")]
    Corrupt(String),
}

pub(super) fn write<T: Serialize>(body: &T) -> Vec<u8> {
    // Serialising owned data into memory has no way to fail; an empty body reads as unreadable.
    postcard::to_extend(body, vec![VERSION]).unwrap_or_default()
}

pub(super) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Unreadable> {
    match bytes.split_first() {
        None => Err(Unreadable::Empty),
        Some((&VERSION, rest)) => postcard::from_bytes(rest).map_err(|error| Unreadable::Corrupt(error.to_string())),
        Some((&version, _)) => Err(Unreadable::Version(version)),
    }
}

/// A tenant's window with late events added: the store calls this for [`crate::store::Fold::late`].
///
/// `old` is what it has for that window and tenant. When `old` cannot be read there is nothing to
/// add to, and `new` stands alone; when `new` cannot be read `old` stays.
pub fn merge_window(old: Option<&[u8]>, new: &[u8]) -> MergedWindow {
    let late: WindowBody = match read(new) {
        Ok(late) => late,
        Err(_) => {
            let body = old.unwrap_or(new).to_vec();
            return MergedWindow {
                rollup: rollup::rollup(&body),
                body,
                folded: 0,
            };
        }
    };
    let mut window: WindowBody = old.and_then(|old| read(old).ok()).unwrap_or_default();
    window.is_final = true;
    window.revision = window.revision.saturating_add(late.revision);
    let folded = Arc::make_mut(&mut window.tally).merge(Arc::unwrap_or_clone(late.tally));
    MergedWindow {
        body: write(&window),
        rollup: rollup::of(&window.tally),
        folded,
    }
}
