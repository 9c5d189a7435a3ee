//! Shell: `parse: security`: OpenClaw's own audit, and beside it the tenant's skills against their baseline.
//!
//! The two are asked at once and judged together; neither hides the other. Skills that changed are a fact
//! whatever the audit says, and neither can be worse than degraded. So with an audit that could not be asked the
//! finding is degraded and says that it could not; with unchanged skills it is as unknown as the audit. Skills
//! that could not be looked at are evidence, and the answer is the audit's.

use std::path::PathBuf;
use std::time::Duration;

use super::Ask;
use crate::clock;
use crate::config::Posture;
use crate::probe::declaration::{Exec, Order};
use crate::probe::exec::{Tools, ask_exec};
use crate::probe::skills::walk::{self, Owner};
use crate::probe::skills::{Baseline, Changes, Seen, compare, name_of};
use crate::words::{Answer, Cause, Cost, Finding, TenantName};

/// How long the skills may be looked at: hashing a GiB takes two seconds, a network mount may take for ever.
pub const LOOK_WITHIN: Duration = Duration::from_secs(20);
/// Whether there is a configuration at all.
const GLANCE_WITHIN: Duration = Duration::from_secs(3);
/// Changed skills among the evidence, which has to hold the audit's findings too.
const SHOWN_MAX: usize = 24;
/// Places that could not be looked at, and remarks of the look.
const ASIDES_MAX: usize = 8;

/// What is known of the skills.
#[derive(Clone, Debug, PartialEq)]
pub enum Skills {
    /// Nobody said where the tenant's state is, or it is no tenant's probe.
    Nowhere,
    /// They could not be looked at.
    Lost(String),
    Seen {
        seen: Seen,
        /// `Err`: there is one that cannot be read, and why.
        baseline: Result<Option<Baseline>, String>,
    },
}

pub async fn ask(order: &Order, exec: &Exec, tools: &Tools, ask: &Ask<'_>) -> (Finding, Cost) {
    let Some(tenant) = ask.tenant() else {
        return ask_exec(order, exec, tools, ask.means).await;
    };
    let owner = Owner::of(tenant, ask.means.home.as_deref());
    let glance = Ask {
        patience: GLANCE_WITHIN.min(ask.patience),
        ..*ask
    };
    let glancing = owner.clone();
    let gone = glance
        .one("openclaw.json", move || walk::missing_config(&glancing))
        .await;
    let audit = async {
        match gone {
            // It would audit its defaults, which nobody runs.
            Ok(Some(config)) => {
                let why = format!("{} is not there: there is nothing to audit", config.display());
                (Finding::unknown(Cause::Misconfigured, why), Cost::default())
            }
            Ok(None) | Err(_) => ask_exec(order, exec, tools, ask.means).await,
        }
    };
    let ((audit, cost), skills) = tokio::join!(audit, skills(owner, &tenant.name, ask));
    let finding = judge(audit, &skills, &tenant.name, tools.openclaw.posture);
    (finding, cost)
}

async fn skills(owner: Owner, tenant: &TenantName, ask: &Ask<'_>) -> Skills {
    let patience = LOOK_WITHIN.min(ask.patience);
    let bounded = Ask { patience, ..*ask };
    // A little less than is waited for, so that what was seen is not lost.
    let deadline = clock::instant() + patience.mul_f64(0.9);
    let (tenant, state_dir) = (tenant.clone(), ask.means.state_dir.clone());
    let work = move || look(&owner, state_dir, &tenant, &|| clock::instant() >= deadline);
    match bounded.one("skills", work).await {
        Ok(skills) => skills,
        Err(lost) => Skills::Lost(lost.to_string()),
    }
}

/// The baseline with our own rights, then the skills with the tenant's, which the thread keeps.
fn look(owner: &Owner, state_dir: Option<PathBuf>, tenant: &TenantName, late: &dyn Fn() -> bool) -> Skills {
    let baseline = match state_dir {
        Some(state_dir) => Baseline::read(&state_dir, tenant),
        None => Ok(None),
    };
    match walk::look(owner, late) {
        Some(seen) => Skills::Seen { seen, baseline },
        None => Skills::Nowhere,
    }
}

/// The audit's finding and the skills', in one.
pub fn judge(audit: Finding, skills: &Skills, tenant: &TenantName, posture: Posture) -> Finding {
    let mut finding = audit;
    match skills {
        Skills::Nowhere => {}
        Skills::Lost(why) => finding.evidence_push("skills", format!("not looked at: {why}")),
        Skills::Seen { seen, baseline } => {
            match baseline {
                Ok(Some(baseline)) => {
                    let changes = compare(baseline, seen, posture == Posture::Strict);
                    finding = with_changes(finding, &changes, seen, tenant);
                }
                Ok(None) => finding.note_push(format!(
                    "{}, and no baseline to compare with: record one with `readyd skills baseline {tenant}`",
                    count(seen.skills.len(), "skill")
                )),
                Err(why) => finding.evidence_push("skills", format!("not compared: the baseline {why}")),
            }
            add_asides(&mut finding, seen);
        }
    }
    finding
}

fn with_changes(audit: Finding, changes: &Changes, seen: &Seen, tenant: &TenantName) -> Finding {
    let mut finding = match changes.count() {
        false => audit,
        true => degraded_by(audit, changes, seen, tenant),
    };
    for path in changes.removed.iter().take(ASIDES_MAX) {
        finding.note_push(format!("skill {} is gone since the baseline: {path}", name_of(path)));
    }
    for path in changes.learned.iter().take(ASIDES_MAX) {
        finding.note_push(format!(
            "skill {} is new or changed, by OpenClaw's own Workshop: {path}",
            name_of(path)
        ));
    }
    for path in changes.leftovers.iter().take(ASIDES_MAX) {
        finding.note_push(format!(
            "skill {} changed only in what running it leaves behind: {path}",
            name_of(path)
        ));
    }
    finding
}

fn degraded_by(audit: Finding, changes: &Changes, seen: &Seen, tenant: &TenantName) -> Finding {
    let headline = headline(changes);
    let mut finding = Finding::degraded(match audit.answer {
        Answer::Ok => headline,
        Answer::Degraded | Answer::Down => format!("{}; {headline}", audit.summary),
        Answer::Unknown => format!("{headline}; the audit could not be asked: {}", audit.summary),
    });
    if audit.answer == Answer::Unknown {
        finding.evidence_push("audit", format!("could not be asked: {}", audit.summary));
    }
    let mut shown = 0;
    for (word, path) in counted(changes).take(SHOWN_MAX) {
        let about = seen
            .skills
            .get(path)
            .map_or_else(String::new, |found| match &found.link_to {
                Some(target) => format!(", a link to {target}"),
                None => format!(
                    ", {} in it",
                    count(usize::try_from(found.skill.files).unwrap_or(usize::MAX), "file")
                ),
            });
        finding.evidence_push(format!("{word} skill {}", name_of(path)), format!("{path}{about}"));
        shown += 1;
    }
    let more = counted(changes).count() - shown;
    if more > 0 {
        finding.evidence_push("skills", format!("{more} more: readyd skills check {tenant}"));
    }
    for fact in &audit.evidence {
        finding.evidence_push(&fact.what, &fact.seen);
    }
    for note in &audit.notes {
        finding.note_push(note);
    }
    finding.measurements = audit.measurements;
    finding
}

/// `new skill evil, not in the baseline: /srv/acme/skills/evil`, `3 skills differ from the baseline: new evil, changed web (+1 more)`.
fn headline(changes: &Changes) -> String {
    let all: Vec<_> = counted(changes).collect();
    if let [(word, path)] = all.as_slice() {
        return format!("{word} skill {}, not as in the baseline: {path}", name_of(path));
    }
    let named: Vec<String> = all
        .iter()
        .take(3)
        .map(|(word, path)| format!("{word} {}", name_of(path)))
        .collect();
    let more = match all.len().saturating_sub(named.len()) {
        0 => String::new(),
        more => format!(" (+{more} more)"),
    };
    format!(
        "{} skills differ from the baseline: {}{more}",
        all.len(),
        named.join(", ")
    )
}

fn counted(changes: &Changes) -> impl Iterator<Item = (&'static str, &String)> {
    let new = changes.new.iter().map(|path| ("new", path));
    new.chain(changes.changed.iter().map(|path| ("changed", path)))
}

fn add_asides(finding: &mut Finding, seen: &Seen) {
    for trouble in seen.troubles.iter().take(ASIDES_MAX) {
        finding.evidence_push(
            "skills not looked at",
            format!("{}: {}", trouble.path.display(), trouble.why),
        );
    }
    if !seen.complete && seen.troubles.is_empty() {
        finding.evidence_push("skills", "not all were looked at in time");
    }
    for note in seen.notes.iter().take(ASIDES_MAX) {
        finding.note_push(note);
    }
}

fn count(number: usize, word: &str) -> String {
    match number {
        0 => format!("no {word}"),
        1 => format!("1 {word}"),
        several => format!("{several} {word}s"),
    }
}

#[cfg(test)]
mod tests;
