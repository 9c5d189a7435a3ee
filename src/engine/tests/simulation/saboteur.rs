//! Who proves that a rule can break: each act is a defect that the engine might have, at the seam where it would show.

use std::sync::Arc;

use super::rules;
use crate::engine::Output;
use crate::engine::tests::world::Disk;
use crate::ingest::delta::Batch;
use crate::readiness::snapshot::{Phase, Snapshot};
use crate::words::{CountsAs, Instant, Verdict};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    LosesABatch,
    CountsABatchTwice,
    LeavesARowOut,
    FallsAtOnce,
    HealsInSilence,
    CountsUnknownAsFine,
    KeepsTheVerdictOk,
    ForgetsASymptom,
    UnfoldsASymptom,
    KeepsAllEndpoints,
    LosesACheckOnDisk,
    ForgetsADrain,
    StartsAgain,
    AsksOneNoMore,
    KeepsAnOperatorWaiting,
    NeverRests,
    LeavesAKey,
    NeverHeals,
    Panics,
}

/// Each act, and the rule that must notice it.
pub const ACTS: [(Act, &str); 19] = [
    (Act::LosesABatch, rules::ONCE),
    (Act::CountsABatchTwice, rules::ONCE),
    (Act::LeavesARowOut, rules::ROWS),
    (Act::FallsAtOnce, rules::LEVEL),
    (Act::HealsInSilence, rules::SILENCE),
    (Act::CountsUnknownAsFine, rules::TABLE),
    (Act::KeepsTheVerdictOk, rules::VERDICT),
    (Act::ForgetsASymptom, rules::SYMPTOM),
    (Act::UnfoldsASymptom, rules::SYMPTOM),
    (Act::KeepsAllEndpoints, rules::SIZE),
    (Act::LosesACheckOnDisk, rules::RESTART),
    (Act::ForgetsADrain, rules::ORDERS),
    (Act::StartsAgain, rules::PHASE),
    (Act::AsksOneNoMore, rules::STARVE),
    (Act::KeepsAnOperatorWaiting, rules::REPLY),
    (Act::NeverRests, rules::RESTS),
    (Act::LeavesAKey, rules::KEYS),
    (Act::NeverHeals, rules::WELL),
    (Act::Panics, rules::PANIC),
];

/// `None`: he lets everything pass as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Saboteur(pub Option<Act>);

impl Saboteur {
    fn is(self, act: Act) -> bool {
        self.0 == Some(act)
    }

    pub fn wakes(self, at: Instant, now: Instant) -> Instant {
        if self.is(Act::NeverRests) { now } else { at }
    }

    /// What the digest is told of a batch that is committed.
    pub fn commits(self, batch: Batch, disk: &mut Disk) -> Vec<Batch> {
        if self.is(Act::LosesABatch) {
            disk.log.retain(|logged| logged.log_id != batch.log_id);
            return Vec::new();
        }
        match self.is(Act::CountsABatchTwice) {
            true => vec![batch.clone(), batch],
            false => vec![batch],
        }
    }

    pub fn tampers(self, disk: &mut Disk) {
        if self.is(Act::LosesACheckOnDisk) {
            disk.state.retain(|key, _| !key.starts_with("check/disk"));
        }
        if self.is(Act::LeavesAKey) {
            disk.state.insert("left/behind".into(), "{}".into());
        }
    }

    pub fn passes(self, outputs: Vec<Output>) -> Vec<Output> {
        let passes = |output: &Output| match output {
            Output::Run(order) => !self.is(Act::AsksOneNoMore) || order.check.probe.as_str() != "disk",
            Output::Reply { .. } => !self.is(Act::KeepsAnOperatorWaiting),
            _ => true,
        };
        outputs.into_iter().filter(passes).collect()
    }

    pub fn shows(self, snapshot: Arc<Snapshot>) -> Arc<Snapshot> {
        let Some(act) = self.0 else { return snapshot };
        let mut shown = Snapshot::clone(&snapshot);
        match act {
            Act::LeavesARowOut => {
                let mut sliding = shown.digest.sliding.as_ref().clone();
                let kept = sliding.rows.len().saturating_sub(1);
                sliding.rows = sliding.rows[..kept].to_vec().into();
                let mut digest = shown.digest.as_ref().clone();
                digest.sliding = Arc::new(sliding);
                shown.digest = Arc::new(digest);
            }
            Act::KeepsAllEndpoints => {
                let mut sliding = shown.digest.sliding.as_ref().clone();
                let rows = sliding.rows.first().cloned().into_iter().flat_map(|row| {
                    (0..600).map(move |number| {
                        let mut row = row.clone();
                        row.endpoint = format!("more-{number}").into();
                        row
                    })
                });
                sliding.rows = sliding.rows.iter().cloned().chain(rows).collect::<Vec<_>>().into();
                let mut digest = shown.digest.as_ref().clone();
                digest.sliding = Arc::new(sliding);
                shown.digest = Arc::new(digest);
            }
            Act::FallsAtOnce => {
                let said_down = |finding: &Arc<crate::words::Finding>| finding.answer == crate::words::Answer::Down;
                for check in shown
                    .checks
                    .iter_mut()
                    .filter(|check| check.finding.as_ref().is_some_and(said_down))
                {
                    check.answered = Some(Verdict::Down);
                }
            }
            Act::HealsInSilence | Act::CountsUnknownAsFine => {
                for check in &mut shown.checks {
                    let heals = act == Act::HealsInSilence && shown.made.wall.as_secs() % 2 == 0;
                    if heals || (act == Act::CountsUnknownAsFine && check.level == crate::words::Level::Unknown) {
                        check.counts_as = check.counts_as.min(CountsAs::Ok);
                    }
                }
            }
            Act::KeepsTheVerdictOk => shown.verdict = Verdict::Ok,
            Act::ForgetsASymptom => shown.reasons.iter_mut().for_each(|reason| reason.symptoms.clear()),
            Act::UnfoldsASymptom => {
                let unfolded = shown
                    .reasons
                    .iter()
                    .filter(|reason| !reason.symptoms.is_empty())
                    .map(|reason| {
                        let mut own = reason.clone();
                        own.check = own.symptoms.pop();
                        own.symptoms.clear();
                        own
                    });
                let unfolded: Vec<_> = unfolded.collect();
                for reason in &mut shown.reasons {
                    reason.symptoms.pop();
                }
                shown.reasons.extend(unfolded);
            }
            Act::ForgetsADrain => {
                shown.drain = None;
                shown.phase = Phase::Serving;
            }
            Act::StartsAgain if shown.made.wall.as_secs() % 7 == 0 => shown.phase = Phase::Starting,
            Act::NeverHeals => shown.verdict = Verdict::Degraded,
            Act::Panics => panic!("sabotage"),
            _ => return snapshot,
        }
        Arc::new(shown)
    }
}
