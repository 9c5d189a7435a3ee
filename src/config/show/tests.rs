use expect_test::expect;

use super::*;
use crate::config::compose::compose;
use crate::config::declarations::{Declarations, Remarks};
use crate::config::environment::Environment;
use crate::config::{raw, yaml};

const SHIPPED: &[(&str, &str)] = &[
    (
        "doctor.yaml",
        "name: doctor\nkind: exec\nlane: heavy\nparse: doctor\nmax_stale: 16m\nignore: [a]\nrules: [{check_id: b, requirement: c, act: note}]\nhint: 'Run: openclaw doctor --lint --json'\n",
    ),
    (
        "gateway.yaml",
        "name: gateway\nkind: http\nurl: 'http://127.0.0.1:{port}/readyz'\nparse: readyz\non_silence: down\n",
    ),
    ("disk.yaml", "name: disk\nkind: disk\nwarn_free: 15%\ndown_free: 7%\n"),
    ("write.yaml", "name: write\nkind: write\n"),
    (
        "token-rotation.yaml",
        "name: token-rotation\nkind: tokens\ncadence: 60d\nclasses: {slack: {overlap: 30m, internet_facing: true}}\n",
    ),
    ("queue.yaml", "name: queue\nkind: queue\nworst: degraded\n"),
    ("host.yaml", "name: host\nkind: host\nwarn_load: 2.5\n"),
    ("store.yaml", "name: store\nkind: store\n"),
    ("webhook-digest.yaml", "name: webhook-digest\nkind: digest\nevery: 1s\n"),
];

const FILE: &str = r#"
node: mac-3
labels: {rack: 12, odd: "true", "_x": "a: b # c"}
agent_check: 127.0.0.1:9098
tls: {cert_file: /c.pem, key_file: /k.pem}
tenants:
  acme: {required: false, user: u, profile: acme, port: 18789, endpoints: {crm: {budget: 50}, "https://x/y": {budget: 1}}}
  beta: {state_dir: /s, config: /c.json, tenant_budget: 0, gateway: "wss://[::2]:1", gateway_ca_file: /ca.pem}
  gamma: {profile: default, gateway: "wss://h:1", gateway_fingerprint: 2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881}
sockets: {events_peers: {1001: [acme], 1002: ["*"], 1003: []}}
digest: {source: "https://10.0.0.7:9099", source_ca_file: /nodes.pem}
openclaw: {posture: strict, dialect: article}
probes:
  mine: {kind: exec, command: [check, "{tenant}", "-w 5%", "no"], parse: nagios, scope: tenant}
  dial: {kind: tcp, address: "[::1]:{port}", enabled: false}
"#;

fn config(file: &str, shipped: &[(&str, &str)]) -> Config {
    let tree = yaml::parse("readyd.yaml", file.as_bytes()).unwrap_or_else(|problems| panic!("{file}\n{problems}"));
    let (draft, problems) = raw::decode(Some(&tree), None, &Environment::default());
    assert!(problems.is_empty(), "{file}\n{problems}");
    let mut remarks = Remarks::default();
    let overrides = draft.overrides.as_ref();
    let declarations = Declarations::gather(shipped, &[], overrides, draft.patience, &mut remarks);
    compose(&draft, &declarations, &[], None).unwrap_or_else(|problems| panic!("{file}\n{problems}"))
}

#[test]
fn what_is_shown_is_a_config_file_that_gives_the_same_configuration() {
    let before = config(FILE, SHIPPED);
    for text in [to_yaml(&show(&before)), show(&before).to_string()] {
        // With what ships, and without: everything is said.
        for shipped in [SHIPPED, &[]] {
            let after = config(&text, shipped);
            assert_eq!(format!("{after:#?}"), format!("{before:#?}"));
        }
    }
}

#[test]
fn it_reads_like_a_config_file() {
    let shown = to_yaml(&show(&config("tenants: {acme: {port: 18789}}\nnode: mac-3", &[])));
    expect![[r#"
        agent_check: null
        digest:
          adhoc_tenants_max: 64
          budget: 10
          source: local
          source_ca_file: null
          source_token_file: null
          stale_after: 1m
          tenant_budget: 50
        exec:
          heavy: 1
          light: 1
          path: [/usr/local/bin, /usr/bin, /bin]
        hosts: []
        labels: {}
        listen: "127.0.0.1:9099"
        node: mac-3
        openclaw:
          command: openclaw
          dialect: auto
          posture: relaxed
        probes: {}
        readiness:
          startup_grace: 1m
        runtime_dir: /var/lib/readyd/run
        secrets_dir: null
        slo:
          target: null
          window: 30d
        sockets:
          control_mode: "0600"
          events_group: null
          events_mode: "0660"
          events_peers: {}
        state_dir: /var/lib/readyd
        tenants:
          acme:
            config: null
            endpoints: {}
            env_file: null
            gateway: null
            gateway_ca_file: null
            gateway_fingerprint: null
            jobs: {}
            log_file: null
            port: 18789
            profile: null
            required: true
            slo:
              target: null
              window: null
            state_dir: null
            tenant_budget: null
            token_file: null
            user: null
            webhook_source: auto
        tenants_dir: null
        tls:
          cert_file: null
          key_file: null
        token_file: null
    "#]]
    .assert_eq(&shown);
}

#[test]
fn secrets_are_not_shown() {
    let file = "probes: {mine: {kind: exec, command: [x, 'Bearer hunter2hunter2', '--token=ghp_0123456789abcdefghij'], env: {KEY: hunter2}}}";
    let shown = to_yaml(&show(&config(file, &[])));
    assert!(!shown.contains("hunter2") && !shown.contains("ghp_"), "{shown}");
    assert_eq!(shown.matches(HIDDEN).count(), 3);
}
