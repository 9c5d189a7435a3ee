use expect_test::{Expect, expect};

use super::*;
use crate::config::compose::compose;
use crate::config::declarations::{Declarations, Remarks};
use crate::config::environment::Environment;
use crate::config::{raw, yaml};
use crate::words::ProbeName;

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
