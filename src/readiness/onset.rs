//! When a fault was first seen, and when things were last better: so that a change can say how late it came.
//!
//! It cannot be known better than that: what breaks between two answers broke somewhere between them.

use serde::{Deserialize, Serialize};

use crate::words::{Verdict, Wall};

/// Of one check, against each level that a fault can reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Onsets {
    degraded: Onset,
    down: Onset,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Onset {
    /// The last answer that was better.
    pub good: Option<Wall>,
    /// The first one since then that was as bad, or worse.
    pub bad: Option<Wall>,
}

impl Onsets {
    pub fn hear(&mut self, answer: Verdict, at: Wall) {
        for (level, onset) in [(Verdict::Degraded, &mut self.degraded), (Verdict::Down, &mut self.down)] {
            match answer < level {
                true => {
                    *onset = Onset {
                        good: Some(at),
                        bad: None,
                    }
                }
                false => drop(onset.bad.get_or_insert(at)),
            }
        }
    }

    pub fn of(&self, level: Verdict) -> Onset {
        match level {
            Verdict::Ok => Onset::default(),
            Verdict::Degraded => self.degraded,
            Verdict::Down => self.down,
        }
    }
}
