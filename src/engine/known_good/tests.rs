//! What may be pasted for a tenant, by what is known of it.

use expect_test::{Expect, expect};

use super::*;
use crate::engine::tests::world;

/// Commands of the node and each tenant; homes are `/home/USER`, ours `/home/readyd`.
fn drawn(yaml: &str) -> String {
    let mut config = Config::clone(&world::config(yaml));
    config.path = Some("/etc/readyd/readyd.yaml".into());
    config.state_dir = "/var/lib/readyd".into();
    config.exec.path = vec!["/usr/bin".into(), "/bin".into()];
    let home = |user: Option<&str>| Some(format!("/home/{}", user.unwrap_or("readyd")).into());
    let known_good = KnownGood::of(&config, &crate::probe::target::state_dirs(&config, home));
    let tenants = config.tenants.keys().map(|tenant| Some(tenant.clone()));
    let mut out = String::new();
    for tenant in std::iter::once(None).chain(tenants) {
        for layer in Layer::ALL {
            let check = CheckId {
                probe: ProbeName::parse("any").unwrap(),
                tenant: tenant.clone(),
            };
            let command = known_good.command(&check, layer);
            let whose = tenant.as_ref().map_or("node", TenantName::as_str);
            out.push_str(&format!("{whose} {layer}: {}\n", command.as_deref().unwrap_or("-")));
        }
    }
    out
}

fn check(yaml: &str, expected: Expect) {
    expected.assert_eq(&drawn(yaml));
}

#[test]
fn a_tenant_that_is_known_well_gets_commands_about_itself_alone() {
    check(
        "secrets_dir: /var/db/secrets
tenants:
  acme: {state_dir: /srv/acme, config: /etc/acme.json, port: 18789, user: oc-acme}
  beta: {profile: beta, port: 18790}
",
        expect![[r#"
            node transport: curl -sS -i -m 5 http://127.0.0.1:9099/ready
            node policy: readyd --config /etc/readyd/readyd.yaml config check
            node secrets: ls -ln /var/db/secrets
            node runtime: readyd --config /etc/readyd/readyd.yaml status
            node host: df -h /var/lib/readyd /srv/acme /home/readyd/.openclaw-beta; df -i /var/lib/readyd /srv/acme /home/readyd/.openclaw-beta
            node webhooks: readyd --config /etc/readyd/readyd.yaml digest
            acme transport: curl -sS -i -m 5 http://127.0.0.1:18789/readyz
            acme policy: sudo -Hu oc-acme env PATH=/usr/bin:/bin OPENCLAW_STATE_DIR=/srv/acme OPENCLAW_CONFIG_PATH=/etc/acme.json openclaw config validate --json
            acme secrets: sudo -Hu oc-acme env PATH=/usr/bin:/bin OPENCLAW_STATE_DIR=/srv/acme OPENCLAW_CONFIG_PATH=/etc/acme.json openclaw secrets audit --check --json
            acme runtime: sudo -Hu oc-acme env PATH=/usr/bin:/bin OPENCLAW_STATE_DIR=/srv/acme OPENCLAW_CONFIG_PATH=/etc/acme.json openclaw doctor --lint --json --severity-min error
            acme host: df -h /srv/acme; df -i /srv/acme
            acme webhooks: readyd --config /etc/readyd/readyd.yaml digest --tenant acme
            beta transport: curl -sS -i -m 5 http://127.0.0.1:18790/readyz
            beta policy: env PATH=/usr/bin:/bin OPENCLAW_STATE_DIR=/home/readyd/.openclaw-beta OPENCLAW_CONFIG_PATH=/home/readyd/.openclaw-beta/openclaw.json openclaw config validate --json
            beta secrets: env PATH=/usr/bin:/bin OPENCLAW_STATE_DIR=/home/readyd/.openclaw-beta OPENCLAW_CONFIG_PATH=/home/readyd/.openclaw-beta/openclaw.json openclaw secrets audit --check --json
            beta runtime: env PATH=/usr/bin:/bin OPENCLAW_STATE_DIR=/home/readyd/.openclaw-beta OPENCLAW_CONFIG_PATH=/home/readyd/.openclaw-beta/openclaw.json openclaw doctor --lint --json --severity-min error
            beta host: df -h /home/readyd/.openclaw-beta; df -i /home/readyd/.openclaw-beta
            beta webhooks: readyd --config /etc/readyd/readyd.yaml digest --tenant beta
        "#]],
    );
}

#[test]
fn a_tenant_of_which_little_is_known_gets_what_needs_no_more() {
    check(
        "tenants: {acme: {}}\n",
        expect![[r#"
            node transport: curl -sS -i -m 5 http://127.0.0.1:9099/ready
            node policy: readyd --config /etc/readyd/readyd.yaml config check
            node secrets: -
            node runtime: readyd --config /etc/readyd/readyd.yaml status
            node host: df -h /var/lib/readyd; df -i /var/lib/readyd
            node webhooks: readyd --config /etc/readyd/readyd.yaml digest
            acme transport: curl -sS -i -m 5 http://127.0.0.1:9099/ready/acme
            acme policy: readyd --config /etc/readyd/readyd.yaml config check
            acme secrets: readyd --config /etc/readyd/readyd.yaml probe run secrets@acme
            acme runtime: readyd --config /etc/readyd/readyd.yaml probe run doctor@acme
            acme host: df -h; df -i
            acme webhooks: readyd --config /etc/readyd/readyd.yaml digest --tenant acme
        "#]],
    );
}

#[test]
fn the_articles_cli_is_spoken_to_in_its_own_words() {
    check(
        "openclaw: {dialect: article, command: /opt/oc/openclaw}\ntenants: {acme: {}}\n",
        expect![[r#"
            node transport: curl -sS -i -m 5 http://127.0.0.1:9099/ready
            node policy: readyd --config /etc/readyd/readyd.yaml config check
            node secrets: -
            node runtime: readyd --config /etc/readyd/readyd.yaml status
            node host: df -h /var/lib/readyd; df -i /var/lib/readyd
            node webhooks: readyd --config /etc/readyd/readyd.yaml digest
            acme transport: curl -sS -i -m 5 http://127.0.0.1:9099/ready/acme
            acme policy: env PATH=/usr/bin:/bin /opt/oc/openclaw config lint --tenant acme
            acme secrets: -
            acme runtime: env PATH=/usr/bin:/bin /opt/oc/openclaw doctor --tenant acme --json
            acme host: df -h; df -i
            acme webhooks: readyd --config /etc/readyd/readyd.yaml digest --tenant acme
        "#]],
    );
}

/// One line of [`drawn`].
fn line(yaml: &str, whose: &str) -> String {
    let drawn = drawn(yaml);
    let line = drawn.lines().find_map(|line| line.strip_prefix(&format!("{whose}: ")));
    line.unwrap().to_owned()
}

#[test]
fn a_gateway_is_asked_where_it_is_and_its_own_certificate_is_no_obstacle() {
    const PIN: &str = "gateway_fingerprint: sha256:2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881";
    let wss = format!("port: 5, gateway: 'wss://127.0.0.1:5', {PIN}");
    for (tenant, command) in [
        ("port: 1", "curl -sS -i -m 5 http://127.0.0.1:1/readyz"),
        (
            "gateway: 'wss://gw.example:8443'",
            "curl -sS -i -m 5 https://gw.example:8443/readyz",
        ),
        (&wss, "curl -sS -i -m 5 -k https://127.0.0.1:5/readyz"),
        // The probe `gateway` asks the port on loopback, wherever the link goes.
        (
            "port: 1, gateway: 'wss://gw.example:8443'",
            "curl -sS -i -m 5 http://127.0.0.1:1/readyz",
        ),
        ("gateway: 'ws://[::1]:5'", "curl -sS -i -m 5 'http://[::1]:5/readyz'"),
        (
            "gateway: 'wss://gw.example:8443', gateway_ca_file: /etc/my ca.pem",
            "curl -sS -i -m 5 --cacert '/etc/my ca.pem' https://gw.example:8443/readyz",
        ),
        ("", "curl -sS -i -m 5 http://127.0.0.1:9099/ready/acme"),
    ] {
        let yaml = format!("tenants: {{acme: {{{tenant}}}}}\n");
        assert_eq!(line(&yaml, "acme transport"), command);
    }
}

#[test]
fn references_to_the_environment_are_resolved_by_who_reads_the_env_file() {
    const TENANT: &str = "tenants: {acme: {state_dir: /srv/acme, env_file: /etc/acme.env}}\n";
    const CHECK: &str = "probes: {secrets: {kind: exec, command: [audit], parse: json}}\n";
    let with_dir = format!("secrets_dir: /var/db/secrets\n{TENANT}");
    for (yaml, command) in [
        (
            format!("{TENANT}{CHECK}"),
            "readyd --config /etc/readyd/readyd.yaml probe run secrets@acme",
        ),
        (
            format!("{TENANT}probes: {{secrets: {{kind: exec, command: [audit], parse: json, enabled: false}}}}\n"),
            "-",
        ),
        (
            with_dir + "probes: {secrets: {kind: exec, command: [audit], parse: json, enabled: false}}\n",
            "ls -ln /var/db/secrets/acme",
        ),
    ] {
        assert_eq!(line(&yaml, "acme secrets"), command, "{yaml}");
    }
}

#[test]
fn many_state_directories_are_not_listed_and_what_would_look_otherwise_is_not_shown() {
    let tenants: Vec<String> = (0..4).map(|at| format!("t{at}: {{state_dir: /srv/t{at}}}")).collect();
    let yaml = format!("tenants: {{{}}}\n", tenants.join(", "));
    assert_eq!(line(&yaml, "node host"), "df -h; df -i");
    let disguised = "tenants: {acme: {state_dir: \"/srv/\\u202Eacme\", port: 1}}\n";
    assert_eq!(line(disguised, "acme host"), "df -h; df -i");
    assert_eq!(
        line(disguised, "acme policy"),
        "readyd --config /etc/readyd/readyd.yaml config check"
    );
    let odd = "tenants: {acme: {state_dir: \"/srv/$(reboot) it's\"}}\n";
    assert_eq!(
        line(odd, "acme host"),
        r"df -h '/srv/$(reboot) it'\''s'; df -i '/srv/$(reboot) it'\''s'"
    );
}
