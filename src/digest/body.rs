//! The bytes that the store keeps of a slot or of a tenant's window: a version, then postcard, then a sum over both.
//!
//! Bytes of another version or corrupt ones are an error value that the reader counts, never a panic.

use std::sync::Arc;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::rollup;
use super::tally::Tally;
use crate::sealed::{seal, unseal};
use crate::store::MergedWindow;
use crate::words::{TenantName, Wall};

const VERSION: u8 = 2;
/// Without a sum; it is read, and written no more.
const UNSEALED: u8 = 1;

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
    postcard::to_extend(body, vec![VERSION]).map(seal).unwrap_or_default()
}

pub(super) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Unreadable> {
    let corrupt = |why: &str| Unreadable::Corrupt(why.to_owned());
    let body = match bytes.first() {
        None => return Err(Unreadable::Empty),
        Some(&VERSION) => unseal(bytes).ok_or_else(|| corrupt("it is not what was written"))?,
        Some(&UNSEALED) => bytes,
        Some(&version) => return Err(Unreadable::Version(version)),
    };
    postcard::from_bytes(&body[1..]).map_err(|error| corrupt(&error.to_string()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_that_is_not_what_was_written_is_unreadable_and_an_older_one_is_read() {
        let window = WindowBody {
            revision: 7,
            ..WindowBody::default()
        };
        let bytes = write(&window);
        assert_eq!(read::<WindowBody>(&bytes).as_ref(), Ok(&window));
        for at in 1..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            assert!(
                matches!(read::<WindowBody>(&flipped), Err(Unreadable::Corrupt(_))),
                "{at}"
            );
        }
        let unsealed = postcard::to_extend(&window, vec![UNSEALED]).unwrap();
        assert_eq!(read::<WindowBody>(&unsealed), Ok(window));
    }
}
