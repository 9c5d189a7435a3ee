//! What must hold whatever happens: each rule by its name, with the reason for it.

mod counts;
mod lasting;
mod levels;
mod verdict;

pub use levels::STARTUP_GRACE;

use super::ledger::Ledger;
use super::witness::Witness;
use crate::engine::Engine;
use crate::engine::tests::world::Disk;

/// A rule that did not hold, and how that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    pub rule: &'static str,
    pub why: String,
}

/// All rules, or one alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rules {
    pub only: Option<&'static str>,
}

type Held = Result<(), String>;
type Rule = fn(&Witness) -> Held;

/// Those that are held against each publication.
const SHOWN: [(&str, Rule); 11] = [
    (LEVEL, levels::a_level_follows_the_answers_by_its_patience),
    (SILENCE, levels::silence_never_heals),
    (TABLE, levels::what_a_check_counts_as_follows_the_table),
    (VERDICT, verdict::the_verdict_follows_from_what_is_shown),
    (SYMPTOM, verdict::a_symptom_folds_under_its_cause_and_still_counts),
    (ROWS, counts::rows_are_of_the_last_five_minutes_and_add_up),
    (SIZE, counts::what_is_shown_is_bounded),
    (RESTART, lasting::a_restart_changes_nothing_but_ages),
    (ORDERS, lasting::orders_of_an_operator_hold_until_he_says_otherwise),
    (PHASE, lasting::a_start_ends_and_does_not_come_back),
    (STARVE, lasting::everybody_is_asked_in_time),
];

pub const LEVEL: &str = "a level follows the answers by its patience";
pub const SILENCE: &str = "silence never heals";
pub const TABLE: &str = "what a check counts as follows the table";
pub const VERDICT: &str = "the verdict follows from what is shown";
pub const SYMPTOM: &str = "a symptom folds under its cause and still counts";
pub const ROWS: &str = "rows are of the last five minutes and add up";
pub const SIZE: &str = "what is shown is bounded";
pub const RESTART: &str = "a restart changes nothing but ages";
pub const ORDERS: &str = "orders of an operator hold until he says otherwise";
pub const PHASE: &str = "a start ends and does not come back";
pub const STARVE: &str = "everybody is asked in time";
pub const ONCE: &str = "every event is counted once";
pub const KEYS: &str = "what is gone is forgotten on disk";
pub const HELD: &str = "what is held is bounded";
pub const REPLY: &str = "an operator is answered";
pub const RESTS: &str = "the engine rests when nothing is due";
pub const WELL: &str = "once the world is well so is the node";
pub const PANIC: &str = "nothing panics";

impl Rules {
    pub fn check_shown(&self, witness: &Witness) -> Result<(), Broken> {
        SHOWN
            .iter()
            .try_for_each(|(name, rule)| self.check(name, || rule(witness)))
    }

    /// After each call.
    pub fn check_bounds(&self, engine: &Engine, witness: &Witness) -> Result<(), Broken> {
        self.check(HELD, || counts::what_is_held_is_bounded(engine, witness))?;
        self.check(REPLY, || lasting::an_operator_is_answered(witness))
    }

    /// `calls`: because the engine wanted them, at one moment.
    pub fn check_calls(&self, calls: usize, calls_max: usize) -> Result<(), Broken> {
        let held = || match calls <= calls_max {
            true => Ok(()),
            false => Err(format!("it wants to be called {calls} times at one moment")),
        };
        self.check(RESTS, held)
    }

    /// When all that was counted is on disk.
    pub fn check_disk(&self, ledger: &Ledger, disk: &Disk, late: u64, witness: &Witness) -> Result<(), Broken> {
        self.check(ONCE, || counts::every_event_is_counted_once(ledger, disk, late))?;
        self.check(KEYS, || lasting::what_is_gone_is_forgotten_on_disk(disk, witness))
    }

    /// When everything has been well for longer than any patience.
    pub fn check_well(&self, witness: &Witness) -> Result<(), Broken> {
        self.check(WELL, || lasting::once_the_world_is_well_so_is_the_node(witness))
    }

    fn check(&self, name: &'static str, held: impl FnOnce() -> Held) -> Result<(), Broken> {
        if self.only.is_some_and(|only| only != name) {
            return Ok(());
        }
        held().map_err(|why| Broken { rule: name, why })
    }
}
