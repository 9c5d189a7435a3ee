//! Reasons: symptoms under their cause, faults of a probe, the worst first; and "what if it were not there".

use expect_test::expect;

use super::probes::{advisory, config, digest_probe, disk, doctor, explained_by, gateway, named};
use super::timeline::{check_reasons, fresh, node, play};
use crate::readiness::{Excluded, without};
use crate::words::{CheckId, Layer};

fn family() -> Vec<crate::probe::declaration::Probe> {
    vec![
        gateway(),
        explained_by(doctor(), &["gateway"]),
        explained_by(config(), &["doctor"]),
    ]
}

#[test]
fn an_explained_check_still_counts_and_its_reason_folds_under_its_cause() {
    let script = "1s gateway@acme down refused
         2s doctor@acme degraded agent stuck
         3s config@acme ok";
    check_reasons(
        node(&["acme"], &family()),
        script,
        expect![[r#"
            1s     degraded | acme degraded | config@acme pending (degraded), doctor@acme pending (degraded), gateway@acme pending (degraded)
                - acme gateway: not answered yet
                - acme config: not answered yet
                - acme doctor: not answered yet
            1s     down | acme down | config@acme pending (degraded), doctor@acme pending (degraded), gateway@acme down
                - acme gateway: refused (explains 1 more)
                - acme config: not answered yet
            2s     down | acme down | config@acme pending (degraded), doctor@acme degraded, gateway@acme down
                - acme gateway: refused (explains 1 more)
                - acme config: not answered yet
            3s     down | acme down | config@acme ok, doctor@acme degraded, gateway@acme down
                - acme gateway: refused (explains 1 more)
        "#]],
    );
}

#[test]
fn chains_of_causes_fold_to_their_root() {
    let world = play(
        node(&["acme"], &family()),
        "1s gateway@acme down refused
         2s doctor@acme down agent stuck
         3s config@acme degraded stale",
    );
    let view = world.view();
    let reasons = view
        .reasons
        .iter()
        .map(|reason| reason.text.as_str())
        .collect::<Vec<_>>();
    assert_eq!(reasons, ["acme gateway: refused (explains 2 more)"]);
    let cause = |name: &str| {
        let check = view
            .checks
            .iter()
            .find(|check| check.id.probe.as_str() == name)
            .unwrap();
        check.explained_by.as_ref().map(CheckId::to_string)
    };
    assert_eq!(cause("config").as_deref(), Some("doctor@acme"));
    assert_eq!(cause("doctor").as_deref(), Some("gateway@acme"));
    assert_eq!(cause("gateway"), None);
}

#[test]
fn a_cause_that_is_only_degraded_explains_nothing() {
    check_reasons(
        node(&["acme"], &family()),
        "1s gateway@acme degraded slow
         2s doctor@acme down agent stuck
         3s config@acme ok",
        expect![[r#"
            1s     degraded | acme degraded | config@acme pending (degraded), doctor@acme pending (degraded), gateway@acme pending (degraded)
                - acme gateway: not answered yet
                - acme config: not answered yet
                - acme doctor: not answered yet
            1s     degraded | acme degraded | config@acme pending (degraded), doctor@acme pending (degraded), gateway@acme degraded
                - acme gateway: slow
                - acme config: not answered yet
                - acme doctor: not answered yet
            2s     down | acme down | config@acme pending (degraded), doctor@acme down, gateway@acme degraded
                - acme doctor: agent stuck (explains 1 more)
                - acme gateway: slow
            3s     down | acme down | config@acme ok, doctor@acme down, gateway@acme degraded
                - acme doctor: agent stuck
                - acme gateway: slow
        "#]],
    );
}

#[test]
fn what_was_measured_is_told_before_what_could_not_be_asked() {
    check_reasons(
        fresh(&["acme"], &[config(), doctor(), digest_probe()]),
        "1s config@acme unknown:spawn openclaw is missing
         1s doctor@acme unknown:spawn openclaw is missing
         1s webhook-digest@acme degraded crm x500
         40m",
        expect![[r#"
            1s     starting/degraded | acme starting/degraded | config@acme pending (degraded), doctor@acme pending (degraded), webhook-digest@acme pending (degraded)
                - starting: waiting for config@acme, doctor@acme
                - acme config: not answered yet
                - acme doctor: not answered yet
                - acme webhook-digest: not answered yet
            1s     starting/degraded | acme starting/degraded | config@acme unknown (degraded), doctor@acme pending (degraded), webhook-digest@acme pending (degraded)
                - starting: waiting for doctor@acme
                - acme config: could not be asked: openclaw is missing
                - acme doctor: not answered yet
                - acme webhook-digest: not answered yet
            1s     degraded | acme degraded | config@acme unknown (degraded), doctor@acme unknown (degraded), webhook-digest@acme pending (degraded)
                - acme config: could not be asked: openclaw is missing
                - acme doctor: could not be asked: openclaw is missing
                - acme webhook-digest: not answered yet
            1s     degraded | acme degraded | config@acme unknown (degraded), doctor@acme unknown (degraded), webhook-digest@acme degraded
                - acme webhook-digest: crm x500
                - acme config: could not be asked: openclaw is missing
                - acme doctor: could not be asked: openclaw is missing
            16m2s  degraded | acme degraded | config@acme unknown (degraded), doctor@acme unknown (degraded), webhook-digest@acme unknown (degraded)
                - acme webhook-digest: no answer for more than 16m; last answer: degraded, crm x500
                - acme config: could not be asked for more than 16m: openclaw is missing
                - acme doctor: could not be asked for more than 16m: openclaw is missing
        "#]],
    );
}

#[test]
fn checks_that_explain_each_other_in_a_circle_hide_nothing() {
    let circle = [
        explained_by(gateway(), &["doctor", "gateway"]),
        explained_by(doctor(), &["config"]),
        explained_by(config(), &["gateway"]),
        explained_by(named("queue", gateway()), &["doctor"]),
    ];
    check_reasons(
        node(&["acme"], &circle),
        "1s gateway@acme down refused
         1s doctor@acme down agent stuck
         1s config@acme down broken
         1s queue@acme degraded deep",
        expect![[r#"
            1s     degraded | acme degraded | config@acme pending (degraded), doctor@acme pending (degraded), gateway@acme pending (degraded), queue@acme pending (degraded)
                - acme gateway: not answered yet
                - acme queue: not answered yet
                - acme config: not answered yet
                - acme doctor: not answered yet
            1s     down | acme down | config@acme pending (degraded), doctor@acme pending (degraded), gateway@acme down, queue@acme pending (degraded)
                - acme gateway: refused (explains 1 more)
                - acme queue: not answered yet
                - acme doctor: not answered yet
            1s     down | acme down | config@acme pending (degraded), doctor@acme down, gateway@acme down, queue@acme pending (degraded)
                - acme doctor: agent stuck (explains 3 more)
            1s     down | acme down | config@acme down, doctor@acme down, gateway@acme down, queue@acme pending (degraded)
                - acme gateway: refused (explains 3 more)
            1s     down | acme down | config@acme down, doctor@acme down, gateway@acme down, queue@acme degraded
                - acme gateway: refused (explains 3 more)
        "#]],
    );
}

#[test]
fn a_circle_with_a_cause_outside_folds_under_that_cause() {
    let circle = [
        explained_by(gateway(), &["doctor"]),
        explained_by(doctor(), &["gateway", "disk"]),
        disk(),
    ];
    check_reasons(
        node(&["acme"], &circle),
        "1s gateway@acme down refused
         1s doctor@acme down agent stuck
         1s disk down full",
        expect![[r#"
            1s     degraded | acme degraded | disk pending (degraded), doctor@acme pending (degraded), gateway@acme pending (degraded)
                - acme gateway: not answered yet
                - acme doctor: not answered yet
                - disk: not answered yet
            1s     down | acme down | disk pending (degraded), doctor@acme pending (degraded), gateway@acme down
                - acme gateway: refused (explains 1 more)
                - disk: not answered yet
            1s     down | acme down | disk pending (degraded), doctor@acme down, gateway@acme down
                - acme gateway: refused (explains 1 more)
                - disk: not answered yet
            1s     down | acme down | disk down, doctor@acme down, gateway@acme down
                - disk: full (explains 2 more)
        "#]],
    );
}

#[test]
fn a_cause_of_the_node_explains_every_tenant_and_one_tenant_never_another() {
    let probes = [disk(), gateway(), explained_by(doctor(), &["disk", "gateway"])];
    check_reasons(
        node(&["acme", "beta"], &probes),
        "1s gateway@acme down refused
         1s gateway@beta ok
         1s doctor@acme ok
         1s doctor@beta down stuck
         1s disk ok
         2s disk down! full",
        expect![[r#"
            1s     degraded | acme degraded, beta degraded | disk pending (degraded), doctor@acme pending (degraded), doctor@beta pending (degraded), gateway@acme pending (degraded), gateway@beta pending (degraded)
                - acme gateway: not answered yet
                - beta gateway: not answered yet
                - acme doctor: not answered yet
                - beta doctor: not answered yet
                - disk: not answered yet
            1s     down | acme down, beta degraded | disk pending (degraded), doctor@acme pending (degraded), doctor@beta pending (degraded), gateway@acme down, gateway@beta pending (degraded)
                - acme gateway: refused (explains 1 more)
                - beta gateway: not answered yet
                - beta doctor: not answered yet
                - disk: not answered yet
            1s     down | acme down, beta degraded | disk pending (degraded), doctor@acme pending (degraded), doctor@beta pending (degraded), gateway@acme down, gateway@beta ok
                - acme gateway: refused (explains 1 more)
                - beta doctor: not answered yet
                - disk: not answered yet
            1s     down | acme down, beta degraded | disk pending (degraded), doctor@acme ok, doctor@beta pending (degraded), gateway@acme down, gateway@beta ok
                - acme gateway: refused
                - beta doctor: not answered yet
                - disk: not answered yet
            1s     down | acme down, beta down | disk pending (degraded), doctor@acme ok, doctor@beta down, gateway@acme down, gateway@beta ok
                - acme gateway: refused
                - beta doctor: stuck
                - disk: not answered yet
            1s     down | acme down, beta down | disk ok, doctor@acme ok, doctor@beta down, gateway@acme down, gateway@beta ok
                - acme gateway: refused
                - beta doctor: stuck
            2s     down | acme down, beta down | disk down, doctor@acme ok, doctor@beta down, gateway@acme down, gateway@beta ok
                - acme gateway: refused
                - disk: full (explains 1 more)
        "#]],
    );
}

#[test]
fn an_exec_probe_that_is_unknown_for_all_tenants_with_one_cause_is_one_reason() {
    check_reasons(
        node(&["acme", "beta"], &[doctor()]),
        "1s doctor@acme ok
         1s doctor@beta ok
         5m doctor@acme unknown:spawn openclaw: no such file
         5m doctor@beta unknown:spawn openclaw: no such file
         6m doctor@beta ok",
        expect![[r#"
            1s     degraded | acme degraded, beta degraded | doctor@acme pending (degraded), doctor@beta pending (degraded)
                - acme doctor: not answered yet
                - beta doctor: not answered yet
            1s     degraded | acme ok, beta degraded | doctor@acme ok, doctor@beta pending (degraded)
                - beta doctor: not answered yet
            1s     ok | acme ok, beta ok | doctor@acme ok, doctor@beta ok
            5m     degraded | acme degraded, beta ok | doctor@acme unknown (degraded), doctor@beta ok
                - acme doctor: could not be asked: openclaw: no such file
            5m     degraded | acme degraded, beta degraded | doctor@acme unknown (degraded), doctor@beta unknown (degraded)
                - probe_fault: doctor (spawn failed: openclaw: no such file)
            6m     degraded | acme degraded, beta ok | doctor@acme unknown (degraded), doctor@beta ok
                - acme doctor: could not be asked: openclaw: no such file
        "#]],
    );
}

#[test]
fn different_causes_or_a_single_tenant_are_no_probe_fault() {
    for script in [
        "1s doctor@acme unknown:spawn\n 1s doctor@beta unknown:timeout",
        "1s doctor@acme unknown:misconfigured its config is invalid\n 1s doctor@beta unknown:misconfigured its config is missing",
        "1s doctor@acme unknown:spawn\n 1s doctor@beta ok",
        "1s doctor@acme unknown:spawn\n 1s tenants acme",
        "1s gateway@acme unknown:local\n 1s gateway@beta unknown:local",
    ] {
        let world = play(node(&["acme", "beta"], &[doctor(), gateway()]), script);
        let is_fault = |text: &str| text.starts_with("probe_fault");
        let reasons = world.view().reasons;
        assert!(
            !reasons.iter().any(|reason| is_fault(&reason.text)),
            "{script}: {reasons:?}"
        );
    }
}

#[test]
fn a_probe_fault_does_not_hide_a_remembered_down() {
    check_reasons(
        node(&["acme", "beta"], &[doctor()]),
        "1s doctor@acme down agent database refused
         1s doctor@beta ok
         5m doctor@acme unknown:spawn spawn failed: ENOENT
         5m doctor@beta unknown:spawn spawn failed: ENOENT",
        expect![[r#"
            1s     degraded | acme degraded, beta degraded | doctor@acme pending (degraded), doctor@beta pending (degraded)
                - acme doctor: not answered yet
                - beta doctor: not answered yet
            1s     down | acme down, beta degraded | doctor@acme down, doctor@beta pending (degraded)
                - acme doctor: agent database refused
                - beta doctor: not answered yet
            1s     down | acme down, beta ok | doctor@acme down, doctor@beta ok
                - acme doctor: agent database refused
            5m     down | acme down, beta ok | doctor@acme unknown (down), doctor@beta ok
                - acme doctor: could not be asked: spawn failed: ENOENT; last answer: down, agent database refused
            5m     down | acme down, beta degraded | doctor@acme unknown (down), doctor@beta unknown (degraded)
                - acme doctor: could not be asked: spawn failed: ENOENT; last answer: down, agent database refused
                - probe_fault: doctor (spawn failed: ENOENT)
        "#]],
    );
}

#[test]
fn reasons_are_worst_first_and_then_in_the_order_of_triage() {
    let probes = [
        doctor(),
        gateway(),
        config(),
        disk(),
        named("extra", advisory(config())),
    ];
    check_reasons(
        node(&["acme"], &probes),
        "1s doctor@acme down a
         1s gateway@acme degraded b
         1s config@acme down c
         1s disk degraded d
         1s extra@acme down e",
        expect![[r#"
            1s     degraded | acme degraded | config@acme pending (degraded), disk pending (degraded), doctor@acme pending (degraded), extra@acme pending (nothing), gateway@acme pending (degraded)
                - acme gateway: not answered yet
                - acme config: not answered yet
                - acme doctor: not answered yet
                - disk: not answered yet
            1s     down | acme down | config@acme pending (degraded), disk pending (degraded), doctor@acme down, extra@acme pending (nothing), gateway@acme pending (degraded)
                - acme doctor: a
                - acme gateway: not answered yet
                - acme config: not answered yet
                - disk: not answered yet
            1s     down | acme down | config@acme pending (degraded), disk pending (degraded), doctor@acme down, extra@acme pending (nothing), gateway@acme degraded
                - acme doctor: a
                - acme gateway: b
                - acme config: not answered yet
                - disk: not answered yet
            1s     down | acme down | config@acme down, disk pending (degraded), doctor@acme down, extra@acme pending (nothing), gateway@acme degraded
                - acme config: c
                - acme doctor: a
                - acme gateway: b
                - disk: not answered yet
            1s     down | acme down | config@acme down, disk degraded, doctor@acme down, extra@acme pending (nothing), gateway@acme degraded
                - acme config: c
                - acme doctor: a
                - acme gateway: b
                - disk: d
            1s     down | acme down | config@acme down, disk degraded, doctor@acme down, extra@acme down (degraded), gateway@acme degraded
                - acme config: c
                - acme doctor: a
                - acme gateway: b
                - acme extra: e
                - disk: d
        "#]],
    );
}

#[test]
fn checks_are_worst_first_and_then_by_name() {
    let world = play(
        node(&["acme"], &[doctor(), gateway(), config(), disk()]),
        "1s doctor@acme ok
         1s gateway@acme degraded
         1s disk down
         1s config@acme unknown",
    );
    let checks = world
        .view()
        .checks
        .iter()
        .map(|check| check.id.to_string())
        .collect::<Vec<_>>();
    assert_eq!(checks, ["disk", "config@acme", "gateway@acme", "doctor@acme"]);
    assert!(Layer::Transport < Layer::Host);
}

#[test]
fn without_a_check_its_symptoms_have_reasons_of_their_own() {
    let world = play(
        node(&["acme", "beta?"], &family()),
        "1s gateway@acme down refused
         2s doctor@acme degraded agent stuck
         3s config@acme ok
         4s gateway@beta ok
         4s doctor@beta ok
         4s config@beta ok",
    );
    let view = world.view();
    let told = |excluded: &[&str]| {
        let excluded = excluded
            .iter()
            .map(|name| Excluded::parse(name).unwrap())
            .collect::<Vec<_>>();
        let without = without(&view, &excluded);
        let reasons = without
            .reasons
            .iter()
            .map(|reason| reason.text.clone())
            .collect::<Vec<_>>();
        let unmatched = without.unmatched.iter().map(Excluded::to_string).collect::<Vec<_>>();
        format!("{} {reasons:?} unmatched {unmatched:?}", without.verdict)
    };
    assert_eq!(
        told(&[]),
        r#"down ["acme gateway: refused (explains 1 more)"] unmatched []"#
    );
    assert_eq!(
        told(&["gateway@acme"]),
        r#"degraded ["acme doctor: agent stuck"] unmatched []"#
    );
    assert_eq!(
        told(&["gateway@beta"]),
        r#"down ["acme gateway: refused (explains 1 more)"] unmatched []"#
    );
    assert_eq!(
        told(&["gateway", "doctor", "nonsense"]),
        r#"ok [] unmatched ["nonsense"]"#
    );
    assert_eq!(Excluded::parse("No Name"), None);
}

#[test]
fn leaving_checks_out_lifts_neither_starting_nor_a_drain() {
    let starting = play(fresh(&["acme"], &[gateway()]), "1s");
    let if_not = without(&starting.view(), &[Excluded::parse("gateway").unwrap()]);
    assert_eq!(if_not.reasons[0].text, "starting: waiting for gateway@acme");
    let drained = play(node(&["acme"], &[gateway()]), "1s gateway@acme down\n 2s drain");
    let if_not = without(&drained.view(), &[Excluded::parse("gateway").unwrap()]);
    assert_eq!(if_not.verdict.as_str(), "ok");
    assert_eq!(if_not.reasons[0].text, "drained by uid 501 (ann): upgrade");
    assert_eq!(if_not.tenants.values().next().unwrap().reasons, if_not.reasons);
}

#[test]
fn retry_after_is_the_time_to_the_next_ask_of_what_is_down() {
    let world = play(
        node(&["acme", "beta?"], &[doctor(), gateway()]),
        "1s doctor@acme down
         1s gateway@acme ok
         1s doctor@beta ok
         1s gateway@beta down",
    );
    let view = world.view();
    // The script's schedule asks again one period from now: 300 s for a doctor, 10 s for a gateway.
    assert_eq!(view.retry_after, 300);
    let of = |tenant: &str| view.tenants[&super::timeline::name(tenant)].retry_after;
    assert_eq!((of("acme"), of("beta")), (300, 10));
    let soon = world.readiness.view(
        world.now,
        view.digest.clone(),
        &|_| Some(world.now.at + std::time::Duration::from_millis(1200)),
        view.config.clone(),
        false,
    );
    assert_eq!(soon.retry_after, 2);
    let overdue = world
        .readiness
        .view(world.now, view.digest, &|_| Some(world.now.at), view.config, false);
    assert_eq!(overdue.retry_after, 1);
}
