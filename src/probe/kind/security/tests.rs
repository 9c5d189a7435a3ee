use std::collections::BTreeMap;

use super::*;
use crate::probe::skills::{Found, Skill, Trouble};
use crate::words::Wall;

fn skill(digest: &str) -> Skill {
    Skill {
        digest: digest.into(),
        leftovers: None,
        files: 2,
        bytes: 10,
        partial: false,
    }
}

/// `name=digest name=digest`.
fn listed(text: &str) -> BTreeMap<String, Skill> {
    let pairs = text.split_whitespace().filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(name, digest)| (format!("/s/{name}"), skill(digest)))
        .collect()
}

fn seen(text: &str) -> Seen {
    let found = |skill| Found {
        skill,
        learned: false,
        link_to: None,
    };
    Seen {
        skills: listed(text)
            .into_iter()
            .map(|(path, skill)| (path, found(skill)))
            .collect(),
        complete: true,
        ..Seen::default()
    }
}

fn acme() -> TenantName {
    TenantName::parse("acme").unwrap()
}

fn skills(recorded: Option<&str>, now: &str) -> Skills {
    Skills::Seen {
        seen: seen(now),
        baseline: Ok(recorded.map(|text| Baseline::new(&acme(), Wall::from_millis(0), listed(text)))),
    }
}

/// `answer: summary`, with evidence and notes in brackets.
fn told(audit: Finding, skills: &Skills) -> String {
    let finding = judge(audit, skills, &acme(), Posture::Relaxed);
    assert_eq!(finding.cause.is_some(), finding.answer == Answer::Unknown);
    let evidence = finding
        .evidence
        .iter()
        .map(|fact| format!("{}: {}", fact.what, fact.seen));
    let notes = finding.notes.iter().map(|note| format!("note {note}"));
    let aside: Vec<String> = evidence.chain(notes).collect();
    format!("{}: {} [{}]", finding.answer, finding.summary, aside.join("; "))
}

fn well() -> Finding {
    Finding::ok("nothing against it")
}

fn open_door() -> Finding {
    Finding::degraded("an open door").with_evidence("gateway.bind_no_auth", "lan")
}

fn unasked() -> Finding {
    Finding::unknown(Cause::Timeout, "no answer within 90s")
}

#[test]
fn as_recorded_the_answer_is_the_audits() {
    let same = skills(Some("a=1 b=2"), "a=1 b=2");
    assert_eq!(told(well(), &same), "ok: nothing against it []");
    assert_eq!(
        told(open_door(), &same),
        "degraded: an open door [gateway.bind_no_auth: lan]"
    );
    assert_eq!(told(unasked(), &same), "unknown: no answer within 90s []");
}

#[test]
fn a_new_or_changed_skill_degrades_by_name() {
    assert_eq!(
        told(well(), &skills(Some("a=1"), "a=1 evil=2")),
        "degraded: new skill evil, not as in the baseline: /s/evil [new skill evil: /s/evil, 2 files in it]"
    );
    assert_eq!(
        told(well(), &skills(Some("a=1 b=1 c=1 d=1"), "a=2 b=2 c=2 e=1")),
        "degraded: 4 skills differ from the baseline: new e, changed a, changed b (+1 more) \
         [new skill e: /s/e, 2 files in it; changed skill a: /s/a, 2 files in it; changed skill b: /s/b, 2 files in it; \
         changed skill c: /s/c, 2 files in it; note skill d is gone since the baseline: /s/d]"
    );
}

#[test]
fn a_skill_that_is_gone_is_a_note() {
    assert_eq!(
        told(well(), &skills(Some("a=1 b=1"), "a=1")),
        "ok: nothing against it [note skill b is gone since the baseline: /s/b]"
    );
}

#[test]
fn neither_hides_the_other() {
    assert_eq!(
        told(open_door(), &skills(Some(""), "evil=2")),
        "degraded: an open door; new skill evil, not as in the baseline: /s/evil \
         [new skill evil: /s/evil, 2 files in it; gateway.bind_no_auth: lan]"
    );
    assert_eq!(
        told(unasked(), &skills(Some(""), "evil=2")),
        "degraded: new skill evil, not as in the baseline: /s/evil; the audit could not be asked: no answer within 90s \
         [audit: could not be asked: no answer within 90s; new skill evil: /s/evil, 2 files in it]"
    );
}

#[test]
fn without_a_baseline_a_note_says_how_to_record_one() {
    assert_eq!(
        told(well(), &skills(None, "a=1 b=1")),
        "ok: nothing against it [note 2 skills, and no baseline to compare with: record one with `readyd skills baseline acme`]"
    );
}

#[test]
fn what_could_not_be_looked_at_is_evidence_and_hides_nothing() {
    let lost = Skills::Lost("does not return (asked 20 s ago)".into());
    assert_eq!(
        told(well(), &lost),
        "ok: nothing against it [skills: not looked at: does not return (asked 20 s ago)]"
    );
    assert_eq!(told(well(), &Skills::Nowhere), "ok: nothing against it []");
    let damaged = Skills::Seen {
        seen: seen("a=1"),
        baseline: Err("/s/skills/acme.json is damaged".into()),
    };
    assert_eq!(
        told(open_door(), &damaged),
        "degraded: an open door [gateway.bind_no_auth: lan; skills: not compared: the baseline /s/skills/acme.json is damaged]"
    );
    let mut closed = seen("a=1");
    closed.complete = false;
    let baseline = || Ok(Some(Baseline::new(&acme(), Wall::from_millis(0), listed("a=1 b=1"))));
    let late = Skills::Seen {
        seen: closed.clone(),
        baseline: baseline(),
    };
    assert_eq!(
        told(well(), &late),
        "ok: nothing against it [skills: not all were looked at in time]"
    );
    closed.troubles.push(Trouble {
        path: "/s/b".into(),
        why: "Permission denied".into(),
    });
    let closed = Skills::Seen {
        seen: closed,
        baseline: baseline(),
    };
    assert_eq!(
        told(well(), &closed),
        "ok: nothing against it [skills not looked at: /s/b: Permission denied]"
    );
}

#[test]
fn a_thousand_changes_leave_room_for_what_the_audit_found() {
    let many: String = (0..1000).map(|index| format!("s{index}=1 ")).collect();
    let finding = judge(open_door(), &skills(Some(""), &many), &acme(), Posture::Relaxed);
    assert!(finding.evidence.iter().any(|fact| fact.what == "gateway.bind_no_auth"));
    assert!(
        finding
            .evidence
            .iter()
            .any(|fact| fact.seen == "976 more: readyd skills check acme")
    );
    assert!(
        finding
            .summary
            .starts_with("an open door; 1000 skills differ from the baseline: new s0")
    );
}
