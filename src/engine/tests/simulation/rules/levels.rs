//! Levels of checks: only answers move them, and time makes nothing better.

use std::time::Duration;

use super::Held;
use crate::engine::tests::simulation::model::CheckModel;
use crate::engine::tests::simulation::witness::Witness;
use crate::probe::declaration::Probe;
use crate::readiness::snapshot::CheckView;
use crate::words::{CountsAs, Level, Verdict};

/// A hiccup is no outage, and one good answer no recovery: the level is what `fall` and `rise` make of the answers that
/// were heard, those that are immediate excepted.
pub fn a_level_follows_the_answers_by_its_patience(witness: &Witness) -> Held {
    for (view, probe, model) in asked(witness) {
        let (shown, expected) = ((view.answered, view.flapping), (model.level, model.flapping));
        if shown != expected {
            let (fall, rise) = (probe.fall, probe.rise);
            return Err(format!(
                "{}: {shown:?}, not {expected:?} (fall {fall}, rise {rise})",
                view.id
            ));
        }
    }
    Ok(())
}

/// Who hears nothing of an outage any more must not believe that it is over: without a new finding, an operator or another
/// configuration no check counts for less than it did.
pub fn silence_never_heals(witness: &Witness) -> Held {
    let (Some(before), Some(after)) = (&witness.shown_before, &witness.shown) else {
        return Ok(());
    };
    if witness.intervened {
        return Ok(());
    }
    for view in &after.checks {
        let internal = witness
            .checks
            .get(&view.id)
            .is_none_or(|probe| probe.asks.is_internal());
        let was = before.checks.iter().find(|was| was.id == view.id);
        let Some(was) = was.filter(|_| !internal && !witness.heard.contains(&view.id)) else {
            continue;
        };
        if view.counts_as < was.counts_as || view.answered != was.answered {
            let (from, to) = (was.counts_as, view.counts_as);
            return Err(format!("{}: {from:?} became {to:?} and nothing was heard", view.id));
        }
    }
    Ok(())
}

/// What people look up in the documentation is what happens: the table of levels, written down once more.
pub fn what_a_check_counts_as_follows_the_table(witness: &Witness) -> Held {
    let judged_at = witness.model.judged_at(witness.lived);
    for (view, probe, model) in asked(witness) {
        let (level, counts) = by_the_table(probe, model, judged_at);
        let maintained = witness.is_in_maintenance(view.id.tenant.as_ref()) && view.in_maintenance;
        let counts = if maintained { CountsAs::Nothing } else { counts };
        if (view.level, view.counts_as) != (level, counts) {
            let (shown, counted) = (view.level, view.counts_as);
            return Err(format!(
                "{}: {shown} as {counted:?}, not {level} as {counts:?}; {model:?}",
                view.id
            ));
        }
    }
    Ok(())
}

/// As in every configuration of these histories.
pub const STARTUP_GRACE: Duration = Duration::from_secs(6);

fn by_the_table(probe: &Probe, model: &CheckModel, judged_at: i64) -> (Level, CountsAs) {
    let millis = |duration: Duration| i64::try_from(duration.as_millis()).unwrap();
    let is_old = |lived: i64| judged_at - lived > millis(probe.max_stale);
    let cap = if probe.required {
        probe.worst
    } else {
        probe.worst.min(Verdict::Degraded)
    };
    let capped = |verdict: Verdict| CountsAs::from(verdict.min(cap));
    match (model.level, model.answered, model.unknown_since) {
        (Some(level), Some(answered), _) if is_old(answered.lived) => {
            (Level::Unknown, capped(level.max(probe.on_silence)))
        }
        (Some(level), Some(_), _) if model.is_unknown => (Level::Unknown, capped(level.max(Verdict::Degraded))),
        (Some(level), Some(_), _) => (level.into(), capped(level)),
        (_, _, Some(since)) if is_old(since.lived) => (Level::Unknown, capped(probe.on_silence)),
        (_, _, Some(_)) => (Level::Unknown, capped(Verdict::Degraded)),
        _ => {
            let in_grace = !model.overdue && judged_at - model.known_since < millis(STARTUP_GRACE);
            let counts = match (in_grace, probe.required) {
                (true, true) => capped(Verdict::Degraded),
                (true, false) => CountsAs::Nothing,
                (false, true) => capped(probe.on_silence),
                (false, false) => capped(Verdict::Degraded),
            };
            (Level::Pending, counts)
        }
    }
}

/// Checks that answer from outside, as they are shown and as they should be.
fn asked(witness: &Witness) -> impl Iterator<Item = (&CheckView, &Probe, &CheckModel)> {
    let shown = witness.shown.iter().flat_map(|snapshot| &snapshot.checks);
    shown.filter_map(|view| {
        let probe = witness.checks.get(&view.id).filter(|probe| !probe.asks.is_internal())?;
        Some((view, &**probe, witness.model.checks.get(&view.id)?))
    })
}
