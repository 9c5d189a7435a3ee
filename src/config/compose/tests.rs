use super::*;
use crate::config::environment::Environment;
use crate::config::fragments::{Fragment, Section};
use crate::config::raw;
use crate::config::tenants_dir::{Found, Scan};
use crate::config::yaml;
use crate::words::{Instant, ProbeName};

const DOCTOR: &str = "name: doctor\nkind: exec\nparse: doctor\nevery: 5m\n";

/// The configuration of a file and of one tenant's fragments (`acme`).
fn config(file: &str, fragments: &[(Section, &str)]) -> Config {
    let tree = yaml::parse("readyd.yaml", file.as_bytes()).unwrap();
    let (draft, problems) = raw::decode(Some(&tree), None, &Environment::default());
    assert!(problems.is_empty(), "{problems}");
    let mut remarks = Remarks::default();
    let shipped = [("doctor.yaml", DOCTOR)];
    let overrides = draft.overrides.as_ref();
    let declarations = Declarations::gather(&shipped, &[], overrides, draft.patience, &mut remarks);
    let mut dir = TenantsDir::default();
    let fragments: Vec<_> = fragments
        .iter()
        .map(|(section, text)| Fragment {
            section: *section,
            name: "10-a.yaml".to_owned(),
            file: format!("acme/{}/10-a.yaml", section.dir()),
            content: Ok(text.as_bytes().to_vec()),
        })
        .collect();
    if !fragments.is_empty() {
        let found = Found {
            dir: "acme".to_owned(),
            certain: true,
            fragments,
            beside: Default::default(),
        };
        let scan = Scan::Found {
            tenants: BTreeMap::from([(acme(), found)]),
            warnings: Vec::new(),
        };
        dir.apply(Instant::default(), scan, true, &|tree| judge(&declarations, tree));
    }
    compose(&draft, &declarations, &remarks.warnings, Some(&dir)).unwrap()
}

fn acme() -> TenantName {
    TenantName::parse("acme").unwrap()
}

#[test]
fn fragments_say_what_the_file_does_not() {
    let fragments = [
        (Section::Gateway, "port: 18790\nprofile: acme\n"),
        (
            Section::Webhook,
            "tenant_budget: 70\nendpoints: {crm: {budget: 9}, 'https://u@x/y?z=1': {budget: 4}}\n",
        ),
    ];
    let config = config("tenants_dir: /t", &fragments);
    let tenant = &config.tenants[&acme()];
    assert_eq!((tenant.port, tenant.tenant_budget), (Some(18_790), Some(70)));
    assert_eq!(tenant.instance, Instance::Profile("acme".into()));
    let endpoints: Vec<_> = tenant
        .endpoints
        .iter()
        .map(|(name, budget)| (name.as_str(), *budget))
        .collect();
    assert_eq!(endpoints, [("crm", 9), ("https://x/y", 4)]);
    assert_eq!((tenant.required, tenant.trouble.as_deref()), (true, None));
}

#[test]
fn the_file_wins_over_fragments() {
    let file = "\
tenants: {acme: {port: 1, state_dir: /s, required: false, tenant_budget: 5, endpoints: {crm: {budget: 3}}}}
probes: {doctor: {every: 10m}}
";
    let fragments = [
        (Section::Gateway, "port: 18790\nprofile: acme\n"),
        (
            Section::Webhook,
            "tenant_budget: 70\nendpoints: {crm: {budget: 9}, erp: {budget: 8}}\n",
        ),
        (Section::Doctor, "probes: {doctor: {every: 1m, timeout: 5s}}\n"),
    ];
    let config = config(file, &fragments);
    let tenant = &config.tenants[&acme()];
    assert_eq!(
        (tenant.port, tenant.tenant_budget, tenant.required),
        (Some(1), Some(5), false)
    );
    assert!(matches!(tenant.instance, Instance::StateDir { .. }));
    assert_eq!((tenant.endpoints["crm"], tenant.endpoints["erp"]), (3, 8));
    let doctor = &tenant.probes[&ProbeName::parse("doctor").unwrap()];
    assert_eq!((doctor.every.as_secs(), doctor.timeout.as_secs()), (600, 5));
}

#[test]
fn patience_that_fits_no_probe_is_the_tenants_trouble() {
    let config = config(
        "probes: {mine: {kind: host}}",
        &[(Section::Doctor, "probes: {mine: {ignore: [x]}}\n")],
    );
    let trouble = config.tenants[&acme()].trouble.as_deref();
    assert_eq!(
        trouble,
        Some("acme/doctor.d/10-a.yaml:1: probes.mine.ignore: does not belong to a probe of kind host")
    );
}

#[test]
fn without_an_instance_the_real_dialect_is_the_tenants_trouble() {
    let config = config(
        "tenants_dir: /t\nopenclaw: {dialect: openclaw}",
        &[(Section::Webhook, "")],
    );
    let trouble = config.tenants[&acme()].trouble.as_deref();
    assert_eq!(
        trouble,
        Some("neither the config file nor gateway.d says its `profile` or `state_dir`")
    );
}

#[test]
fn one_port_for_two_tenants_is_a_warning() {
    let config = config("tenants: {a: {port: 1}, b: {port: 1}, c: {port: 2}}", &[]);
    assert_eq!(
        config.warnings,
        ["port 1 is given to a and b: one gateway will answer for all of them"]
    );
}
