//! A history that breaks a rule, cut to what breaks it.

use super::Outcome;
use super::steps::History;

/// Leaves out what follows the break, then ever smaller parts of what comes before, as long as the same rule breaks.
pub fn shrink(history: &History, live: impl Fn(&History) -> Outcome) -> History {
    let Err((at, broken)) = live(history) else {
        return history.clone();
    };
    let breaks = |history: &History| matches!(live(history), Err((_, again)) if again.rule == broken.rule);
    let mut cut = history.clone();
    cut.moments.truncate(at + 1);
    if !breaks(&cut) {
        cut = history.clone();
    }
    let mut part = cut.moments.len().div_ceil(2);
    while part > 0 {
        let mut from = 0;
        while from < cut.moments.len() {
            let mut without = cut.clone();
            without.moments.drain(from..(from + part).min(cut.moments.len()));
            if breaks(&without) {
                cut = without;
            } else {
                from += part;
            }
        }
        part /= 2;
    }
    cut
}
