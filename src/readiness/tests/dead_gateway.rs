//! A gateway that died of its configuration: everything that asks about it is in trouble, and says so once.

use expect_test::expect;

use super::probes::{config, digest_probe, doctor, explained_by, gateway, named};
use super::timeline::{check_reasons, node, play};
use crate::probe::declaration::Probe;
use crate::probe::shipped::SHIPPED;
use crate::words::{CheckId, Verdict};

/// What explains what, as the shipped declarations have it: a broken configuration keeps a gateway from starting, and
/// a gateway that does not run shows in all that is asked of it or about it.
pub const EXPLAINED_BY: &[(&str, &[&str])] = &[
    ("config", &[]),
    ("gateway", &["config"]),
    ("gateway-link", &["gateway", "config", "disk"]),
    ("doctor", &["config", "disk"]),
    ("secrets", &["config", "gateway"]),
    ("stale-process", &["gateway"]),
    ("exposure", &["gateway"]),
    ("queue", &["gateway"]),
    ("webhook-digest", &["gateway", "store"]),
];

fn family() -> Vec<Probe> {
    let probe = |name: &str| match name {
        "config" => config(),
        "gateway" | "exposure" | "stale-process" => named(name, gateway()),
        "webhook-digest" => digest_probe(),
        _ => named(name, doctor()),
    };
    EXPLAINED_BY
        .iter()
        .map(|(name, causes)| explained_by(probe(name), causes))
        .collect()
}

const DYING: &str = "1s config@acme ok
    1s gateway@acme ok
    1s gateway-link@acme ok
    1s doctor@acme ok
    1s secrets@acme ok
    1s stale-process@acme ok
    1s exposure@acme ok
    1s queue@acme ok
    1s webhook-digest@acme ok
    10s gateway@acme down! refused
    11s gateway-link@acme unknown:local refused
    12s webhook-digest@acme degraded blind
    13s queue@acme degraded! nothing is worked off
    14s exposure@acme degraded! nothing listens
    15s stale-process@acme unknown:local no process
    16s secrets@acme down! unresolved
    17s doctor@acme down! final-config-validation
    18s config@acme down! gateway.port: expected number, received string";

#[test]
fn nine_checks_of_a_gateway_that_died_of_its_config_are_one_reason_with_eight_symptoms() {
    let world = play(node(&["acme"], &family()), DYING);
    let view = world.view();
    let [reason] = view.reasons.as_slice() else {
        panic!("more than one: {:#?}", view.reasons);
    };
    assert_eq!(
        reason.text,
        "acme config: gateway.port: expected number, received string (explains 8 more)"
    );
    assert_eq!(
        reason.check.as_ref().map(CheckId::to_string).as_deref(),
        Some("config@acme")
    );
    assert_eq!(reason.symptoms.len(), 8);
    assert_eq!(view.verdict, Verdict::Down);
    // They fold, and still count.
    assert!(view.checks.iter().all(|check| check.counts_as.verdict() > Verdict::Ok));
    // The tenant's own answer says the same.
    assert_eq!(view.tenants.values().next().unwrap().reasons.len(), 1);
}

#[test]
fn the_reasons_fold_as_their_causes_become_known_and_come_back_as_they_end() {
    let end = "19s config@acme ok
        20s config@acme ok";
    check_reasons(
        node(&["acme"], &family()),
        &format!("{DYING}\n{end}"),
        expect![[r#"
            1s     degraded | acme degraded | config@acme pending (degraded), doctor@acme pending (degraded), exposure@acme pending (degraded), gateway@acme pending (degraded), gateway-link@acme pending (degraded), queue@acme pending (degraded), secrets@acme pending (degraded), stale-process@acme pending (degraded), webhook-digest@acme pending (degraded)
                - acme exposure: not answered yet
                - acme gateway: not answered yet
                - acme stale-process: not answered yet
                - acme config: not answered yet
                - acme doctor: not answered yet
                - acme gateway-link: not answered yet
                - acme queue: not answered yet
                - acme secrets: not answered yet
                - acme webhook-digest: not answered yet
            1s     degraded | acme degraded | config@acme ok, doctor@acme pending (degraded), exposure@acme pending (degraded), gateway@acme pending (degraded), gateway-link@acme pending (degraded), queue@acme pending (degraded), secrets@acme pending (degraded), stale-process@acme pending (degraded), webhook-digest@acme pending (degraded)
                - acme exposure: not answered yet
                - acme gateway: not answered yet
                - acme stale-process: not answered yet
                - acme doctor: not answered yet
                - acme gateway-link: not answered yet
                - acme queue: not answered yet
                - acme secrets: not answered yet
                - acme webhook-digest: not answered yet
            1s     degraded | acme degraded | config@acme ok, doctor@acme pending (degraded), exposure@acme pending (degraded), gateway@acme ok, gateway-link@acme pending (degraded), queue@acme pending (degraded), secrets@acme pending (degraded), stale-process@acme pending (degraded), webhook-digest@acme pending (degraded)
                - acme exposure: not answered yet
                - acme stale-process: not answered yet
                - acme doctor: not answered yet
                - acme gateway-link: not answered yet
                - acme queue: not answered yet
                - acme secrets: not answered yet
                - acme webhook-digest: not answered yet
            1s     degraded | acme degraded | config@acme ok, doctor@acme pending (degraded), exposure@acme pending (degraded), gateway@acme ok, gateway-link@acme ok, queue@acme pending (degraded), secrets@acme pending (degraded), stale-process@acme pending (degraded), webhook-digest@acme pending (degraded)
                - acme exposure: not answered yet
                - acme stale-process: not answered yet
                - acme doctor: not answered yet
                - acme queue: not answered yet
                - acme secrets: not answered yet
                - acme webhook-digest: not answered yet
            1s     degraded | acme degraded | config@acme ok, doctor@acme ok, exposure@acme pending (degraded), gateway@acme ok, gateway-link@acme ok, queue@acme pending (degraded), secrets@acme pending (degraded), stale-process@acme pending (degraded), webhook-digest@acme pending (degraded)
                - acme exposure: not answered yet
                - acme stale-process: not answered yet
                - acme queue: not answered yet
                - acme secrets: not answered yet
                - acme webhook-digest: not answered yet
            1s     degraded | acme degraded | config@acme ok, doctor@acme ok, exposure@acme pending (degraded), gateway@acme ok, gateway-link@acme ok, queue@acme pending (degraded), secrets@acme ok, stale-process@acme pending (degraded), webhook-digest@acme pending (degraded)
                - acme exposure: not answered yet
                - acme stale-process: not answered yet
                - acme queue: not answered yet
                - acme webhook-digest: not answered yet
            1s     degraded | acme degraded | config@acme ok, doctor@acme ok, exposure@acme pending (degraded), gateway@acme ok, gateway-link@acme ok, queue@acme pending (degraded), secrets@acme ok, stale-process@acme ok, webhook-digest@acme pending (degraded)
                - acme exposure: not answered yet
                - acme queue: not answered yet
                - acme webhook-digest: not answered yet
            1s     degraded | acme degraded | config@acme ok, doctor@acme ok, exposure@acme ok, gateway@acme ok, gateway-link@acme ok, queue@acme pending (degraded), secrets@acme ok, stale-process@acme ok, webhook-digest@acme pending (degraded)
                - acme queue: not answered yet
                - acme webhook-digest: not answered yet
            1s     degraded | acme degraded | config@acme ok, doctor@acme ok, exposure@acme ok, gateway@acme ok, gateway-link@acme ok, queue@acme ok, secrets@acme ok, stale-process@acme ok, webhook-digest@acme pending (degraded)
                - acme webhook-digest: not answered yet
            1s     ok | acme ok | config@acme ok, doctor@acme ok, exposure@acme ok, gateway@acme ok, gateway-link@acme ok, queue@acme ok, secrets@acme ok, stale-process@acme ok, webhook-digest@acme ok
            10s    down | acme down | config@acme ok, doctor@acme ok, exposure@acme ok, gateway@acme down, gateway-link@acme ok, queue@acme ok, secrets@acme ok, stale-process@acme ok, webhook-digest@acme ok
                - acme gateway: refused
            11s    down | acme down | config@acme ok, doctor@acme ok, exposure@acme ok, gateway@acme down, gateway-link@acme unknown (degraded), queue@acme ok, secrets@acme ok, stale-process@acme ok, webhook-digest@acme ok
                - acme gateway: refused (explains 1 more)
            12s    down | acme down | config@acme ok, doctor@acme ok, exposure@acme ok, gateway@acme down, gateway-link@acme unknown (degraded), queue@acme ok, secrets@acme ok, stale-process@acme ok, webhook-digest@acme degraded
                - acme gateway: refused (explains 2 more)
            13s    down | acme down | config@acme ok, doctor@acme ok, exposure@acme ok, gateway@acme down, gateway-link@acme unknown (degraded), queue@acme degraded, secrets@acme ok, stale-process@acme ok, webhook-digest@acme degraded
                - acme gateway: refused (explains 3 more)
            14s    down | acme down | config@acme ok, doctor@acme ok, exposure@acme degraded, gateway@acme down, gateway-link@acme unknown (degraded), queue@acme degraded, secrets@acme ok, stale-process@acme ok, webhook-digest@acme degraded
                - acme gateway: refused (explains 4 more)
            15s    down | acme down | config@acme ok, doctor@acme ok, exposure@acme degraded, gateway@acme down, gateway-link@acme unknown (degraded), queue@acme degraded, secrets@acme ok, stale-process@acme unknown (degraded), webhook-digest@acme degraded
                - acme gateway: refused (explains 5 more)
            16s    down | acme down | config@acme ok, doctor@acme ok, exposure@acme degraded, gateway@acme down, gateway-link@acme unknown (degraded), queue@acme degraded, secrets@acme down, stale-process@acme unknown (degraded), webhook-digest@acme degraded
                - acme gateway: refused (explains 6 more)
            17s    down | acme down | config@acme ok, doctor@acme down, exposure@acme degraded, gateway@acme down, gateway-link@acme unknown (degraded), queue@acme degraded, secrets@acme down, stale-process@acme unknown (degraded), webhook-digest@acme degraded
                - acme gateway: refused (explains 6 more)
                - acme doctor: final-config-validation
            18s    down | acme down | config@acme down, doctor@acme down, exposure@acme degraded, gateway@acme down, gateway-link@acme unknown (degraded), queue@acme degraded, secrets@acme down, stale-process@acme unknown (degraded), webhook-digest@acme degraded
                - acme config: gateway.port: expected number, received string (explains 8 more)
            19s    down | acme down | config@acme down, doctor@acme down, exposure@acme degraded, gateway@acme down, gateway-link@acme unknown (degraded), queue@acme degraded, secrets@acme down, stale-process@acme unknown (degraded), webhook-digest@acme degraded
                - acme config: gateway.port: expected number, received string (then ok, 1 of 2) (explains 8 more)
            20s    down | acme down | config@acme ok, doctor@acme down, exposure@acme degraded, gateway@acme down, gateway-link@acme unknown (degraded), queue@acme degraded, secrets@acme down, stale-process@acme unknown (degraded), webhook-digest@acme degraded
                - acme gateway: refused (explains 6 more)
                - acme doctor: final-config-validation
        "#]],
    );
}

#[test]
fn a_config_that_is_only_degraded_does_not_take_the_blame() {
    let world = play(
        node(&["acme"], &family()),
        "1s config@acme degraded deprecated key\n2s gateway@acme down refused",
    );
    let reasons = world.view().reasons;
    let config = |text: &str| text.starts_with("acme config");
    let folded = reasons.iter().find(|reason| config(&reason.text)).unwrap();
    assert!(folded.symptoms.is_empty(), "{folded:?}");
}

/// Those that ship: the table above is what they say.
#[test]
fn the_shipped_declarations_say_what_is_assumed_here() {
    for (file, text) in SHIPPED {
        let name = file.trim_end_matches(".yaml");
        let Some((_, causes)) = EXPLAINED_BY.iter().find(|(known, _)| *known == name) else {
            continue;
        };
        let said = text
            .lines()
            .find_map(|line| line.strip_prefix("explained_by: "))
            .unwrap();
        let said: Vec<&str> = said
            .trim_matches(['[', ']'])
            .split(", ")
            .filter(|name| !name.is_empty())
            .collect();
        assert_eq!(said, *causes, "{file}");
    }
}
