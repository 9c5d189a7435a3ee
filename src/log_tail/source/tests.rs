use expect_test::expect;

use super::*;
use crate::config::environment::Environment;
use crate::config::{raw, yaml};

fn shown(text: &str) -> String {
    let tree = yaml::parse("readyd.yaml", text.as_bytes()).unwrap();
    let (draft, problems) = raw::decode(Some(&tree), None, &Environment::default());
    assert!(problems.is_empty(), "{problems}");
    let wirings = wirings(&draft.config, |user| match user {
        None => Some(User {
            uid: 0,
            home: "/root".into(),
        }),
        Some("gone") => None,
        Some(name) => Some(User {
            uid: 501,
            home: Path::new("/home").join(name),
        }),
    });
    let mut shown = Vec::new();
    for wiring in wirings {
        shown.push(wiring.path.display().to_string());
        for claim in wiring.claims {
            let Claim {
                state_dir,
                tenant,
                owner,
            } = claim;
            shown.push(format!("  {tenant} {owner} {}", state_dir.display()));
        }
    }
    shown.join("\n")
}

#[test]
fn tenants_without_a_profile_share_a_log_and_profiles_have_their_own() {
    expect![[r#"
        /tmp/openclaw/openclaw--1big---1co-0x-YYYY-MM-DD.log
          profiled 0 /root/.openclaw-Big-Co_x
        /tmp/openclaw/openclaw-YYYY-MM-DD.log
          acme 501 /srv/acme
          beta 0 /root/.openclaw
        /tmp/openclaw-0/openclaw--1big---1co-0x-YYYY-MM-DD.log
          profiled 0 /root/.openclaw-Big-Co_x
        /tmp/openclaw-0/openclaw-YYYY-MM-DD.log
          beta 0 /root/.openclaw
        /tmp/openclaw-501/openclaw-YYYY-MM-DD.log
          acme 501 /srv/acme"#]]
    .assert_eq(&shown(
        "tenants:\n  acme: {webhook_source: log, state_dir: /srv/acme, user: ann}\n  beta: {webhook_source: log, profile: default}\n  profiled: {webhook_source: log, profile: Big-Co_x}\n",
    ));
}

#[test]
fn a_configured_log_is_the_only_one_and_unknown_users_and_places_are_left_out() {
    expect![[r#"
        /var/log/acme-YYYY-MM-DD.log
          acme 0 /srv/acme"#]]
    .assert_eq(&shown(
        "tenants:\n  acme: {webhook_source: log, state_dir: /srv/acme, log_file: /var/log/acme-YYYY-MM-DD.log}\n  beta: {webhook_source: log}\n  gamma: {webhook_source: log, profile: x, user: gone}\n",
    ));
}
