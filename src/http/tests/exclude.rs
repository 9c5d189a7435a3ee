use super::build::{Build, degraded, operation, tenant};
use crate::http::exclude::without;
use crate::http::topic::Topic;
use crate::readiness::snapshot::{Phase, Reason, Snapshot};
use crate::words::{CheckId, CountsAs, Level, Verdict};

/// The verdict, the reasons and the warnings, one a line.
fn check(snapshot: &Snapshot, of: Option<&str>, names: &[&str]) -> String {
    let topic = match of {
        None => Topic::node(snapshot),
        Some(name) => Topic::tenant(snapshot, &tenant(name)).unwrap(),
    };
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let topic = without(topic, &names);
    let reasons = topic.reasons.iter().map(|reason| format!("; {}", reason.text));
    let warnings = topic.warnings.iter().map(|warning| format!(" ({warning})"));
    format!(
        "{}{}{}",
        topic.bare(),
        reasons.collect::<String>(),
        warnings.collect::<String>()
    )
}

#[test]
fn a_probes_name_excludes_it_wherever_it_is_bound() {
    let snapshot = degraded().check("doctor@beta", Level::Down, "refuses").done();
    assert_eq!(check(&snapshot, None, &["doctor"]), "ok");
}

#[test]
fn a_checks_name_excludes_that_one() {
    let snapshot = degraded().check("write@beta", Level::Down, "no space left").done();
    assert_eq!(
        check(&snapshot, None, &["write@beta"]),
        "degraded; acme doctor: agent database refused"
    );
}

#[test]
fn an_unknown_name_is_a_warning_and_excludes_nothing() {
    let said = check(&degraded().done(), None, &["docter", "a b"]);
    let expected = concat!(
        "degraded; acme doctor: agent database refused",
        " (exclude: no check here is named \"docter\") (exclude: no check here is named \"a b\")"
    );
    assert_eq!(said, expected);
}

#[test]
fn another_tenants_check_is_unknown_to_this_one() {
    let said = check(&degraded().done(), Some("beta"), &["doctor@acme"]);
    assert_eq!(said, "ok (exclude: no check here is named \"doctor@acme\")");
}

#[test]
fn neither_starting_nor_a_drain_is_lifted() {
    let of = |phase| check(&degraded().phase(phase).done(), None, &["doctor"]);
    assert_eq!(of(Phase::Starting), "ok, starting");
    assert_eq!(of(Phase::Draining), "ok, draining");
}

#[test]
fn an_advisory_tenants_down_stays_capped() {
    let snapshot = degraded()
        .check("write@acme", Level::Down, "no space left")
        .with(|snapshot| {
            snapshot.verdict = Verdict::Degraded;
            let acme = snapshot.tenants.get_mut(&tenant("acme")).unwrap();
            acme.required = false;
            acme.counts_as = CountsAs::Degraded;
        });
    let snapshot = snapshot.done();
    let said = check(&snapshot, None, &["doctor"]);
    assert!(said.starts_with("degraded; "), "{said}");
}

#[test]
fn a_drained_tenant_goes_on_counting_nothing() {
    let snapshot = degraded().with(|snapshot| {
        let acme = snapshot.tenants.get_mut(&tenant("acme")).unwrap();
        acme.counts_as = CountsAs::Nothing;
        acme.phase = Phase::Draining;
        acme.drain = Some(operation("move"));
        snapshot.verdict = Verdict::Ok;
    });
    assert!(check(&snapshot.done(), None, &["disk"]).starts_with("ok; acme is drained by uid 501 (ann)"));
}

#[test]
fn the_tenants_that_are_listed_are_without_it_too() {
    let snapshot = degraded().done();
    let verdicts = |names: &[String]| {
        let topic = without(Topic::node(&snapshot), names);
        let listed = topic.listed_tenants();
        listed
            .iter()
            .map(|(view, verdict)| format!("{} {verdict}", view.name))
            .collect::<Vec<_>>()
    };
    assert_eq!(verdicts(&["disk".into()]), ["acme degraded", "beta ok"]);
    assert_eq!(verdicts(&["doctor@acme".into()]), ["acme ok", "beta ok"]);
}

#[test]
fn what_no_check_says_still_counts() {
    let unwatched = Reason {
        text: "no gateway is watched".into(),
        severity: Verdict::Degraded,
        tenant: None,
        check: None,
        symptoms: Vec::new(),
        hint: String::new(),
    };
    let snapshot = Build::node()
        .check("disk", Level::Down, "full")
        .with(|snapshot| snapshot.reasons.push(unwatched));
    assert_eq!(
        check(&snapshot.done(), None, &["disk"]),
        "degraded; no gateway is watched"
    );
}

#[test]
fn a_symptom_speaks_for_itself_once_its_cause_is_excluded() {
    let snapshot = degraded()
        .check("gateway@acme", Level::Down, "refused")
        .with(|snapshot| {
            let doctor = CheckId::parse("doctor@acme").unwrap();
            let doctor = snapshot.checks.iter_mut().find(|check| check.id == doctor).unwrap();
            doctor.explained_by = CheckId::parse("gateway@acme");
        });
    let snapshot = snapshot.done();
    assert_eq!(
        check(&snapshot, None, &["disk"]),
        "down; acme gateway: refused (explains 1 more)"
    );
    assert_eq!(
        check(&snapshot, None, &["gateway"]),
        "degraded; acme doctor: agent database refused"
    );
}
