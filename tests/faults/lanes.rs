//! Rounds that mostly wait, several at once.

use std::fmt::Debug;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::tally::{Scale, Tally};

/// One item a round, each lane with a `begin` of its own that goes from round to round; after a broken one it begins anew.
/// A round that says `false` has met no fault: it is not one.
pub fn in_lanes<L, T: Debug + Sync>(
    lanes: u64,
    items: &[T],
    begin: impl Fn(u64) -> L + Sync,
    round: impl Fn(&mut L, &T) -> bool + Sync,
) -> Tally {
    let whole = Mutex::new(Tally::default());
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for lane in 0..lanes {
            let (whole, next, begin, round) = (&whole, &next, &begin, &round);
            scope.spawn(move || {
                let mut held = None;
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let mut tally = Tally::default();
                    let mut met = true;
                    tally.round(&format!("{item:?}"), || {
                        met = round(held.get_or_insert_with(|| begin(lane)), item);
                    });
                    if tally.survived == 0 {
                        held = None;
                    }
                    if met {
                        whole.lock().unwrap().add(tally);
                    }
                }
            });
        }
    });
    whole.into_inner().unwrap()
}

/// All of them, or `few` that are spread over all.
pub fn spread<T: Clone>(items: Vec<T>, scale: Scale, few: usize) -> Vec<T> {
    match scale {
        Scale::Full => items,
        Scale::Few => {
            // Odd: what is done in turn is done among these too.
            let step = (items.len() / few.max(1)) | 1;
            items.into_iter().step_by(step).collect()
        }
    }
}
