//! Which trouble is the symptom of which, and when a probe itself is at fault.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::check::Check;
use super::hint;
use crate::probe::declaration::Asks;
use crate::words::{Cause, CheckId, CountsAs, Finding, Layer, ProbeName, text};

/// A check that counts as degraded or down: it has a reason, and that may be a symptom or a cause.
#[derive(Clone, Copy, Debug)]
pub(super) struct Suspect<'a> {
    pub id: &'a CheckId,
    pub layer: Layer,
    pub counts_as: CountsAs,
    /// Its last answer is `down`; only that explains anything.
    pub down: bool,
    pub explained_by: &'a [ProbeName],
}

/// An exec probe that cannot be asked for any tenant, with one cause: that is the probe's trouble.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// `probe_fault: doctor (spawn failed: no such file)`.
    pub text: String,
    /// At least two at first; by tenant.
    pub checks: Vec<CheckId>,
    pub hint: String,
}

const NOT_STARTED_HINT: &str =
    "Install the program in a folder of exec.path, or add its folder there, then: readyd reload";

impl Fault {
    pub const PREFIX: &str = "probe_fault: ";
}

/// Symptom → its direct cause. Followed step by step, it always ends at a suspect that no other explains.
///
/// Causes are of the same tenant, or of the node. Chains fold to their root. Suspects that explain each
/// other in a circle, and that nothing outside explains, fold under the first of them in triage order:
/// nothing loops, and no root is hidden.
pub(super) fn explain(suspects: &[Suspect<'_>]) -> BTreeMap<CheckId, CheckId> {
    if suspects.iter().all(|suspect| suspect.explained_by.is_empty()) {
        return BTreeMap::new();
    }
    let mut suspects = suspects.to_vec();
    suspects.sort_by_key(|suspect| (Reverse(suspect.counts_as), suspect.layer, suspect.id));
    let causes = causes_of(&suspects);
    let mut symptoms = vec![Vec::new(); suspects.len()];
    for (symptom, causes) in causes.iter().enumerate() {
        for cause in causes {
            symptoms[*cause].push(symptom);
        }
    }

    let mut explained = BTreeMap::new();
    let mut placed = causes.iter().map(Vec::is_empty).collect::<Vec<_>>();
    let mut frontier = (0..suspects.len())
        .filter(|index| placed[*index])
        .collect::<VecDeque<_>>();
    loop {
        while let Some(cause) = frontier.pop_front() {
            for &symptom in &symptoms[cause] {
                if !std::mem::replace(&mut placed[symptom], true) {
                    explained.insert(suspects[symptom].id.clone(), suspects[cause].id.clone());
                    frontier.push_back(symptom);
                }
            }
        }
        // What is left leads into circles only. The one that leads to the fewest others lies on a circle
        // from which nothing leads away.
        let left = (0..suspects.len()).filter(|index| !placed[*index]);
        let Some(root) = left.min_by_key(|index| reach(*index, &causes).len()) else {
            return explained;
        };
        placed[root] = true;
        frontier.push_back(root);
    }
}

/// Probe faults among all checks: for at least two tenants, for all that have the probe, one cause.
pub(super) fn faults<'a>(checks: impl Iterator<Item = (&'a CheckId, &'a Check)>) -> Vec<Fault> {
    let mut by_probe = BTreeMap::<&ProbeName, Vec<(&CheckId, &Check)>>::new();
    for (id, check) in checks {
        if id.tenant.is_some() && matches!(check.probe.asks, Asks::Exec(_)) {
            by_probe.entry(&id.probe).or_default().push((id, check));
        }
    }
    by_probe.into_values().filter_map(|checks| fault(&checks)).collect()
}

fn fault(checks: &[(&CheckId, &Check)]) -> Option<Fault> {
    let cause_of = |check: &Check| check.memory.finding.as_ref().and_then(|finding| finding.cause);
    let (first, check) = checks.first()?;
    let cause = cause_of(check)?;
    let said = |check: &Check| check.last_summary().to_owned();
    // A tenant's own file may be refused while another's is missing: such words are one cause only when they are the same.
    let is_a_tenants_own = matches!(cause, Cause::Misconfigured | Cause::Unreadable | Cause::SaidUnknown);
    let same = |(_, other): &(&CheckId, &Check)| {
        let one_cause = other.is_unknown() && cause_of(other) == Some(cause);
        one_cause && (!is_a_tenants_own || said(other) == said(check))
    };
    if checks.len() < 2 || !checks.iter().all(same) {
        return None;
    }
    let summary = check.memory.finding.as_ref().map_or("", |finding| &finding.summary);
    let said = match summary.starts_with(spoken(cause)) || summary.is_empty() {
        true if summary.is_empty() => spoken(cause).to_owned(),
        true => summary.to_owned(),
        false => format!("{}: {summary}", spoken(cause)),
    };
    Some(Fault {
        text: text::clean_line(
            &format!("{}{} ({said})", Fault::PREFIX, first.probe),
            Finding::SUMMARY_BYTES_MAX,
        ),
        checks: checks.iter().map(|(id, _)| (*id).clone()).collect(),
        // Of the first of them, which the reason names.
        hint: match cause {
            // What the probe's own hint names cannot be run either.
            Cause::Spawn => NOT_STARTED_HINT.to_owned(),
            _ => hint::filled(&check.probe.hint, first.tenant.as_ref()),
        },
    })
}

const fn spoken(cause: Cause) -> &'static str {
    match cause {
        Cause::Spawn => "spawn failed",
        Cause::Timeout => "timed out",
        Cause::Signal => "ended by a signal",
        Cause::OutputTooLarge => "output too large",
        Cause::Unreadable => "output unreadable",
        Cause::Misconfigured => "misconfigured",
        Cause::Local => "local trouble",
        Cause::SaidUnknown => "says unknown",
    }
}

/// For each suspect, those that explain it now.
fn causes_of(suspects: &[Suspect<'_>]) -> Vec<Vec<usize>> {
    let down = suspects
        .iter()
        .enumerate()
        .filter(|(_, suspect)| suspect.down)
        .map(|(index, suspect)| ((&suspect.id.probe, suspect.id.tenant.as_ref()), index))
        .collect::<BTreeMap<_, _>>();
    suspects
        .iter()
        .enumerate()
        .map(|(symptom, suspect)| {
            let scopes = BTreeSet::from([suspect.id.tenant.as_ref(), None]);
            let named = |probe| scopes.iter().map(move |tenant| (probe, *tenant));
            let mut causes = suspect
                .explained_by
                .iter()
                .flat_map(named)
                .filter_map(|key| down.get(&key).copied())
                .filter(|cause| *cause != symptom)
                .collect::<Vec<_>>();
            causes.sort_unstable();
            causes.dedup();
            causes
        })
        .collect()
}

/// All that explains a suspect, directly or not.
fn reach(from: usize, causes: &[Vec<usize>]) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from];
    while let Some(next) = open.pop() {
        open.extend(causes[next].iter().filter(|cause| reached.insert(**cause)));
    }
    reached
}
