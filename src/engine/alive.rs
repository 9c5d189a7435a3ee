//! Until when this process lived, and when it did not: what the history may not take for good.

use serde::{Deserialize, Serialize};

use crate::history::{Unwatched, Why};
use crate::readiness::RESUME_GAP;
use crate::words::{Now, Wall};

/// The state key that says until when a process was alive, on which boot. Written every ten seconds, and with every
/// change that history keeps: so a process that is killed is unwatched from there on, and nothing of it is lost.
pub const ALIVE: &str = "alive";

/// A wall clock that differs by more from the one that counts sleep was stepped; slewing takes hours for as much.
const STEP_MILLIS: i64 = 2000;

/// Until when a process was alive. Bridges boots by wall time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Alive {
    pub boot: String,
    pub now: Now,
}

/// What [`ALIVE`] says; `None`: it is another key, or cannot be read.
pub fn alive_until(key: &str, json: &str) -> Option<Wall> {
    let alive: Alive = serde_json::from_str(json).ok().filter(|_| key == ALIVE)?;
    Some(alive.now.wall)
}

/// From the end of an earlier process to the beginning of this one.
pub(super) fn stopped(alive: &Alive, now: Now) -> Unwatched {
    Unwatched {
        from: alive.now.wall,
        until: now.wall,
        why: Why::Stopped,
    }
}

/// Between two ticks: a sleep, or a step of the wall clock.
pub(super) fn between(before: Now, now: Now) -> Option<Unwatched> {
    let took = now.at.since(before.at);
    let lived = i64::try_from(took.as_millis()).unwrap_or(i64::MAX);
    let stepped = now
        .wall
        .millis_since(before.wall)
        .saturating_sub(lived)
        .saturating_abs()
        > STEP_MILLIS;
    let why = match (took > RESUME_GAP, stepped) {
        (true, _) => Why::Asleep,
        (false, true) => Why::Clock,
        (false, false) => return None,
    };
    Some(Unwatched {
        from: before.wall,
        until: now.wall,
        why,
    })
}
