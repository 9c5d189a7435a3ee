use expect_test::{Expect, expect};

use super::*;
use crate::config::compose::compose;
use crate::config::declarations::{Declarations, Remarks};
use crate::config::environment::Environment;
use crate::config::{raw, yaml};
use crate::words::{ProbeName, TenantName};

const SHIPPED: &[(&str, &str)] = &[
    (
        "doctor.yaml",
        "name: doctor\nkind: exec\nlane: heavy\nparse: doctor\nevery: 5m\ntimeout: 60s\n",
    ),
    (
        "gateway.yaml",
        "name: gateway\nkind: http\nurl: 'http://127.0.0.1:{port}/readyz'\nparse: readyz\n",
    ),
    ("disk.yaml", "name: disk\nkind: disk\nevery: 30s\n"),
    (
        "webhook-digest.yaml",
        "name: webhook-digest\nkind: digest\nevery: 1s\nfall: 1\nrise: 1\n",
    ),
];

fn config(file: &str) -> Config {
    let tree = yaml::parse("readyd.yaml", file.as_bytes()).unwrap();
    let (draft, problems) = raw::decode(Some(&tree), None, &Environment::default());
    assert!(problems.is_empty(), "{problems}");
    let mut remarks = Remarks::default();
    let overrides = draft.overrides.as_ref();
    let declarations = Declarations::gather(SHIPPED, &[], overrides, draft.patience, &mut remarks);
    compose(&draft, &declarations, &remarks.warnings, None).unwrap()
}

fn check(file: &str, expected: Expect) {
    expected.assert_eq(&config(file).report().to_string());
}

#[test]
fn each_check_is_shown_with_its_worst_case() {
    // doctor: 5m + 60s, then 30s + 60s. gateway: 10s + 2s, then 2s + 2s. The digest asks no one.
    check(
        "tenants: {acme: {port: 18789}, beta: {}}\nexec: {heavy: 1}",
        expect![[r#"
            heavy lane: 2 checks, at most 0.40 of 1 processes
            disk                             an outage shows within 36s
            doctor@acme                      an outage shows within 450s
            doctor@beta                      an outage shows within 450s
            gateway@acme                     an outage shows within 16s
            webhook-digest                   an outage shows within 1s
            webhook-digest@acme              an outage shows within 1s
            webhook-digest@beta              an outage shows within 1s
        "#]],
    );
}

#[test]
fn sockets_and_certificates_are_looked_at_where_there_may_be_some() {
    let bound = |tenant: &str, probe: &str| {
        let file = format!("tenants: {{acme: {tenant}}}\nprobes: {{p: {probe}}}");
        let check = CheckId::of(ProbeName::parse("p").unwrap(), TenantName::parse("acme").unwrap());
        config(&file).checks().contains_key(&check)
    };
    let (sockets, refusal) = (
        "{kind: listener}",
        "{kind: listener, must_refuse: ['https://{tenant}.example/']}",
    );
    let (own, hosts) = ("{kind: tls}", "{kind: tls, addresses: ['{tenant}.example:443']}");
    let on_port = "{kind: tls, addresses: ['gw.example:{port}']}";
    for (tenant, expected) in [
        ("{}", [false, true, false, true, false]),
        ("{port: 18789}", [true, true, true, true, true]),
        ("{gateway: 'ws://127.0.0.1:18789'}", [true, true, false, true, false]),
        ("{gateway: 'wss://127.0.0.1:18789'}", [true, true, true, true, false]),
        (
            "{gateway: 'wss://gw.example:443', port: 443}",
            [false, true, true, true, true],
        ),
    ] {
        let seen = [sockets, refusal, own, hosts, on_port].map(|probe| bound(tenant, probe));
        assert_eq!(seen, expected, "{tenant}");
    }
}

#[test]
fn retries_double_up_to_every() {
    let patient = config("probes: {disk: {fall: 5, every: 10s, timeout: 1s, retry_every: 2s}}");
    let probe = &patient.probes[&ProbeName::parse("disk").unwrap()];
    // 10 + 1, then (2 + 1) (4 + 1) (8 + 1) (10 + 1).
    assert_eq!(worst_case(probe), Duration::from_secs(11 + 3 + 5 + 9 + 11));
}

#[test]
fn a_disabled_probe_has_no_checks() {
    let config = config("tenants: {acme: {}}\nprobes: {doctor: {enabled: false}, webhook-digest: {enabled: false}}");
    let checks: Vec<_> = config.checks().keys().map(ToString::to_string).collect();
    assert_eq!(checks, ["disk"]);
}

#[test]
fn the_articles_dialect_has_no_question_about_secrets() {
    let checks = |file: &str| {
        let config = config(file);
        let checks = config.checks();
        let named = checks.keys().map(ToString::to_string);
        named
            .filter(|name| name.starts_with("config") || name.starts_with("secrets"))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let probes = "probes: {config: {kind: exec, parse: config}, secrets: {kind: exec, parse: secrets}}\ntenants: {acme: {profile: acme}}\n";
    let with = |dialect: &str| checks(&format!("{probes}openclaw: {{dialect: {dialect}}}"));
    assert_eq!(with("openclaw"), "config@acme secrets@acme");
    assert_eq!(
        with("auto"),
        "config@acme secrets@acme",
        "it is found out at the first ask"
    );
    assert_eq!(with("article"), "config@acme");
    let own = "probes: {secrets: {kind: exec, parse: secrets, command: [audit, '{tenant}']}}\ntenants: {acme: {}}\nopenclaw: {dialect: article}";
    assert_eq!(checks(own), "secrets@acme", "but a command of the user's own");
}

#[test]
fn a_process_can_be_stale_where_it_is_on_this_host_and_was_started_with_a_file() {
    let bound = |tenant: &str| {
        let probes = "{stale: {kind: process}, doctor: {enabled: false}, gateway: {enabled: false}, disk: {enabled: false}, webhook-digest: {enabled: false}}";
        let config = config(&format!("tenants: {{acme: {tenant}}}\nprobes: {probes}"));
        !config.checks().is_empty()
    };
    assert!(bound("{port: 18789, profile: default}"));
    assert!(bound("{port: 18789, env_file: /etc/acme.env}"));
    assert!(bound("{gateway: 'ws://127.0.0.1:1', state_dir: /srv/acme}"));
    assert!(!bound("{}"));
    assert!(!bound("{profile: default}"), "nobody said where it listens");
    assert!(!bound("{port: 18789}"), "no file is known");
    assert!(
        !bound("{gateway: 'wss://gateway.example:1', profile: default}"),
        "it is on another host"
    );
}

#[test]
fn a_lane_that_only_just_fits_is_a_warning_and_one_that_never_does_an_error() {
    let tenants = |count: usize| {
        let tenants: Vec<_> = (0..count).map(|index| format!("t{index}: {{}}")).collect();
        config(&format!("tenants: {{{}}}\nexec: {{heavy: 1}}", tenants.join(", "))).report()
    };
    let kinds = |report: &Report| (report.warnings.len(), report.errors.len());
    assert_eq!(kinds(&tenants(5)), (0, 0));
    assert_eq!(kinds(&tenants(6)), (1, 0));
    assert_eq!(kinds(&tenants(20)), (1, 0));
    assert_eq!(kinds(&tenants(21)), (0, 1));
    expect!["the heavy lane cannot keep up: 21 checks ask for up to 4.2 processes at a time (sum of timeout / every) and 1 run at once; raise exec.heavy, ask less often (every), or shorten timeouts"]
        .assert_eq(&tenants(21).errors[0]);
}

#[test]
fn a_tenant_in_trouble_is_an_error_of_the_report() {
    let mut config = config("tenants: {acme: {}}");
    for tenant in config.tenants.values_mut() {
        tenant.trouble = Some("10-a.yaml:1: broken".into());
    }
    assert_eq!(config.report().errors, ["tenant acme: 10-a.yaml:1: broken"]);
}

const COST: &[(&str, &str)] = &[("cost.yaml", include_str!("../../../probes/cost.yaml"))];

fn with(shipped: &[(&str, &str)], file: &str) -> Config {
    let tree = yaml::parse("readyd.yaml", file.as_bytes()).unwrap();
    let (draft, problems) = raw::decode(Some(&tree), None, &Environment::default());
    assert!(problems.is_empty(), "{problems}");
    let mut remarks = Remarks::default();
    let declarations = Declarations::gather(shipped, &[], draft.overrides.as_ref(), draft.patience, &mut remarks);
    compose(&draft, &declarations, &remarks.warnings, None).unwrap()
}

#[test]
fn cost_is_asked_of_those_who_can_be_asked_and_not_of_the_articles_cli() {
    let checks = |file: &str| {
        let config = with(COST, file);
        config.checks().keys().map(ToString::to_string).collect::<Vec<_>>()
    };
    let tenants = "tenants: {a: {profile: a}, b: {port: 1}, c: {state_dir: /c}}\n";
    assert_eq!(
        checks(tenants),
        ["cost@a", "cost@b", "cost@c"],
        "of b, whose instance nobody named, it says that it cannot ask"
    );
    assert_eq!(checks(&format!("{tenants}openclaw: {{dialect: article}}\n")), [""; 0]);
    let own = "probes: {cost: {command: [my-jobs, '{tenant}']}}\n";
    assert_eq!(checks(&format!("{tenants}{own}")).len(), 3, "a command of one's own");
}

#[test]
fn a_stretched_check_notices_as_late_as_it_is_stretched_and_says_so_where_that_is_nothing() {
    let stretched = |stretch: &str| {
        let config = config(&format!(
            "tenants: {{acme: {{}}}}\nprobes: {{doctor: {{stretch: {stretch}}}}}"
        ));
        let doctor = Arc::clone(&config.probes[&ProbeName::parse("doctor").unwrap()]);
        (worst_case(&doctor), config.warnings)
    };
    let (within, warnings) = stretched("2h");
    // 2 h + 60 s, then 30 s + 60 s.
    assert_eq!(within, Duration::from_secs(7200 + 60 + 90));
    assert_eq!(warnings, [""; 0]);
    let (_, warnings) = stretched("9m");
    expect![[r#"["probes.doctor.stretch 9m is less than twice every (5m): nothing is ever skipped"]"#]]
        .assert_eq(&format!("{warnings:?}"));
}

#[test]
fn a_rotation_is_watched_where_credentials_lie_in_files() {
    const TOKENS: &str = "probes: {token-rotation: {kind: tokens}}\n";
    let bound = |file: &str| {
        let checks = config(&format!("{TOKENS}{file}")).checks();
        let name = |check: &CheckId| check.to_string();
        checks
            .keys()
            .map(name)
            .filter(|check| check.starts_with("token-rotation"))
            .collect::<Vec<_>>()
    };
    assert!(bound("tenants: {acme: {}, beta: {}}").is_empty());
    assert_eq!(
        bound("tenants: {acme: {token_file: /t}, beta: {}}"),
        ["token-rotation@acme"]
    );
    assert_eq!(
        bound("secrets_dir: /s\ntenants: {acme: {}, beta: {}}"),
        ["token-rotation@acme", "token-rotation@beta"]
    );
}
