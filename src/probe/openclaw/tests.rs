use std::path::Path;

use super::*;
use crate::probe::declaration::TenantTarget;

fn said<'a>(code: i32, stdout: &'a str, stderr: &'a str) -> Said<'a> {
    Said {
        code,
        stdout: stdout.as_bytes(),
        stderr: stderr.as_bytes(),
    }
}

/// `speaks version`, or what is left to be asked.
fn introduced(code: i32, stdout: &str) -> String {
    let word = |cli: Cli| format!("{:?} {}", cli.speaks, cli.version.unwrap_or_default());
    match introduced_by_flag(&said(code, stdout, "")) {
        Introduction::Known(cli) => word(cli),
        Introduction::Ask { otherwise: None } => "ask".into(),
        Introduction::Ask { otherwise: Some(cli) } => format!("ask, or {}", word(cli)),
    }
}

fn tenant(instance: Instance, port: Option<u16>) -> Target {
    Target::of(TenantTarget {
        instance,
        port,
        ..TenantTarget::specimen("acme")
    })
}

fn real(version: &str) -> Cli {
    Cli {
        speaks: Speaks::Openclaw,
        version: Some(version.into()),
    }
}

#[test]
fn a_cli_introduces_itself_by_its_version() {
    let recorded = include_str!("../../../tests/fixtures/openclaw/version.plain.out");
    assert_eq!(introduced(0, recorded), "Openclaw 2026.9.6 (eb377ac)");
    assert_eq!(introduced(0, "warming up\nOpenClaw 2027.1.0\n"), "Openclaw 2027.1.0");
    assert_eq!(introduced(0, "openclaw 3.1.4\n"), "ask, or Article openclaw 3.1.4");
    assert_eq!(introduced(0, "3.1.4"), "ask, or Article 3.1.4");
    assert_eq!(introduced(0, "2026.2.1\n"), "ask, or Openclaw 2026.2.1");
    assert_eq!(introduced(0, ""), "ask, or Article ");
    assert_eq!(introduced(1, ""), "ask");
    assert_eq!(introduced(1, "3.1.4"), "ask");
}

#[test]
fn the_version_command_is_known_to_the_articles_cli_alone() {
    let recorded = include_str!("../../../tests/fixtures/openclaw/version.json-unsupported.out");
    assert_eq!(introduced_by_command(&said(1, recorded, "")), None);
    assert_eq!(introduced_by_command(&said(0, recorded, "")), None);
    assert_eq!(introduced_by_command(&said(1, r#"{"version":"3.1.4"}"#, "")), None);
    assert_eq!(introduced_by_command(&said(0, "3.1.4", "")), None);
    let cli = introduced_by_command(&said(0, r#"{"version":"3.1.4","daemon":"abc"}"#, "")).unwrap();
    assert_eq!((cli.speaks, cli.version.as_deref()), (Speaks::Article, Some("3.1.4")));
}

#[test]
fn the_doctors_arguments_follow_the_dialect_and_the_instance() {
    let args = |cli: &Cli, target: &Target| match doctor_args(cli, target) {
        Ok(args) => args.join(" ").replace("--only core/doctor/", "+"),
        Err(trouble) => format!("error: {trouble}"),
    };
    let lint = "doctor --lint --json --severity-min warning +final-config-validation +gateway-config +gateway-auth \
         +security +state-integrity +agent-database-admission +disk-space";
    let cli = real("2026.9.6 (eb377ac)");
    let profile = || Instance::Profile("beta".into());
    assert_eq!(
        args(&cli, &tenant(profile(), Some(1))),
        format!("--profile beta {lint}")
    );
    assert_eq!(args(&cli, &tenant(Instance::Default, Some(1))), lint);
    assert_eq!(
        args(&cli, &tenant(Instance::Default, None)),
        format!("{lint} +gateway-health")
    );
    assert_eq!(
        args(&cli, &tenant(Instance::Unknown, None)),
        "error: this OpenClaw knows profiles and state directories, no tenants: \
         say `profile:` or `state_dir:` for tenant acme"
    );
    assert_eq!(
        args(&real("2026.3.31"), &tenant(profile(), None)),
        "error: OpenClaw 2026.3.31 has no `doctor --lint`: upgrade it to 2026.7.35 or later"
    );
    assert_eq!(
        args(&real("2026.7.35"), &tenant(profile(), Some(1))),
        format!("--profile beta {lint}")
    );
    let article = Cli {
        speaks: Speaks::Article,
        version: None,
    };
    assert_eq!(
        args(&article, &tenant(Instance::Unknown, None)),
        "doctor --tenant acme --json"
    );
}

#[test]
fn configuration_and_secrets_are_asked_in_each_dialects_words() {
    let told = |parse, speaks, target: &Target| {
        let cli = Cli { speaks, version: None };
        match args(parse, &cli, target) {
            Ok(Some(args)) => args.join(" "),
            Ok(None) => "no words".to_owned(),
            Err(trouble) => trouble,
        }
    };
    let [beta, home, nobody] =
        [Instance::Profile("beta".into()), Instance::Default, Instance::Unknown].map(|instance| tenant(instance, None));
    let node = Target::Node {
        state_dirs: Vec::new(),
        senders: Vec::new(),
    };
    let unknown = unknown_instance(&nobody).unwrap();
    let (real, article) = (Speaks::Openclaw, Speaks::Article);
    for (parse, speaks, target, expected) in [
        (Parse::Config, real, &beta, "--profile beta config validate --json"),
        (Parse::Config, real, &home, "config validate --json"),
        (Parse::Config, real, &nobody, unknown.as_str()),
        (Parse::Config, article, &nobody, "config lint --tenant acme"),
        (
            Parse::Config,
            article,
            &node,
            "it is asked of a tenant: say `scope: tenant`",
        ),
        (
            Parse::Secrets,
            real,
            &beta,
            "--profile beta secrets audit --check --json",
        ),
        (Parse::Secrets, real, &home, "secrets audit --check --json"),
        (Parse::Secrets, real, &nobody, unknown.as_str()),
        (Parse::Secrets, article, &beta, "no words"),
    ] {
        assert_eq!(told(parse, speaks, target), expected);
    }
}

#[test]
fn the_audit_is_asked_of_the_real_openclaw_alone() {
    let asked = |cli: &Cli, instance| {
        args(Parse::Security, cli, &tenant(instance, None)).map(|args| args.map(|args| args.join(" ")))
    };
    let cli = real("2026.9.6 (eb377ac)");
    let audit = |args: &str| Ok(Some(args.to_owned()));
    assert_eq!(
        asked(&cli, Instance::Profile("beta".into())),
        audit("--profile beta security audit --deep --json")
    );
    assert_eq!(asked(&cli, Instance::Default), audit("security audit --deep --json"));
    assert!(asked(&cli, Instance::Unknown).unwrap_err().contains("say `profile:`"));
    let article = Cli {
        speaks: Speaks::Article,
        version: None,
    };
    assert_eq!(asked(&article, Instance::Unknown), Ok(None));
    let node = Target::Node {
        state_dirs: Vec::new(),
        senders: Vec::new(),
    };
    assert!(
        args(Parse::Security, &cli, &node)
            .unwrap_err()
            .contains("say `scope: tenant`")
    );
}

#[test]
fn a_state_directory_isolates_by_environment_and_a_profile_by_argument() {
    let vars = |instance: &Instance, by_args| {
        isolation(instance, Path::new("/home/a"), by_args)
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let state_dir = |config: Option<&str>| Instance::StateDir {
        state_dir: "/srv/acme".into(),
        config: config.map(Into::into),
    };
    assert_eq!(
        vars(&state_dir(None), true),
        "OPENCLAW_STATE_DIR=/srv/acme OPENCLAW_CONFIG_PATH=/srv/acme/openclaw.json"
    );
    assert_eq!(
        vars(&state_dir(Some("/etc/acme.json")), true),
        "OPENCLAW_STATE_DIR=/srv/acme OPENCLAW_CONFIG_PATH=/etc/acme.json"
    );
    let profile = Instance::Profile("beta".into());
    assert_eq!(vars(&profile, true), "");
    assert_eq!(
        vars(&profile, false),
        "OPENCLAW_STATE_DIR=/home/a/.openclaw-beta OPENCLAW_CONFIG_PATH=/home/a/.openclaw-beta/openclaw.json"
    );
    assert_eq!(vars(&Instance::Default, false), "");
    assert_eq!(vars(&Instance::Unknown, false), "");
}
