use expect_test::{Expect, expect};

use super::*;
use crate::config::declarations::{Declarations, Remarks};
use crate::config::keys::declaration::{DECLARATION, belongs};
use crate::config::keys::{CONFIG, DIGEST, EXEC_LIMITS, OPENCLAW, READINESS, SLO, SOCKETS, TENANT, TLS};
use crate::config::shape::Key;
use crate::config::yaml;

fn environment() -> Environment {
    Environment {
        home: Some("/home/ann".into()),
        path: Some("/usr/bin:/bin".into()),
        hostname: "mac-9".into(),
        cores: 4,
        ..Environment::default()
    }
}

fn read(text: &str) -> Result<Draft, Problems> {
    let tree = yaml::parse("readyd.yaml", text.as_bytes())?;
    let path = Path::new("/etc/readyd/readyd.yaml");
    let (draft, problems) = decode(Some(&tree), Some(path), &environment());
    problems.or(draft)
}

fn refused(text: &str, expected: Expect) {
    let shown = read(text).map_or_else(|problems| problems.to_string(), |_| "accepted".to_owned());
    expected.assert_eq(&shown);
}

#[test]
fn the_embedded_default_is_what_the_contract_says() {
    let (draft, problems) = decode(None, None, &environment());
    assert!(problems.is_empty());
    let config = draft.config;
    assert_eq!(config.node, "mac-9");
    assert_eq!(config.listen.to_string(), "127.0.0.1:9099");
    assert_eq!(config.agent_check, None);
    assert_eq!(config.state_dir, Path::new("/home/ann/.local/state/readyd"));
    assert_eq!(config.runtime_dir, Path::new("/home/ann/.local/state/readyd/run"));
    assert_eq!(
        (config.sockets.events_mode, config.sockets.control_mode),
        (0o660, 0o600)
    );
    let digest = &config.digest;
    assert_eq!(
        (digest.budget, digest.tenant_budget, digest.adhoc_tenants_max),
        (10, 50, 64)
    );
    assert_eq!(digest.stale_after, Duration::from_secs(60));
    assert_eq!(digest.source, None);
    assert_eq!(config.readiness.startup_grace, Duration::from_secs(60));
    assert_eq!(draft.patience, Patience { fall: 2, rise: 2 });
    assert_eq!((config.exec.light, config.exec.heavy), (4, 2));
    assert_eq!(config.openclaw.command, "openclaw");
    assert!(config.tenants.is_empty() && !config.no_tenants_on_purpose);
    assert!(config.warnings.is_empty());
}

#[test]
fn one_core_still_gives_each_lane_one_process() {
    let environment = Environment {
        cores: 1,
        ..environment()
    };
    let (draft, _) = decode(None, None, &environment);
    assert_eq!((draft.config.exec.light, draft.config.exec.heavy), (1, 1));
}

const EXAMPLE: &str = r#"
node: mac-3
labels: {cluster: eu, pool: build}
listen: 127.0.0.1:9099
hosts: []
token_file: /etc/readyd/token
agent_check: 127.0.0.1:9098
state_dir: /var/lib/readyd
runtime_dir: /run/readyd
sockets: {events_mode: "0660", events_group: openclaw, events_peers: {}, control_mode: "0600"}
tenants_dir: /etc/openclaw/tenants
secrets_dir: /var/db/openclaw/secrets
tenants:
  acme:
    required: true
    user: openclaw-acme
    profile: acme
    port: 18789
    env_file: /etc/openclaw/acme.env
    token_file: /var/db/openclaw/secrets/acme/token.current
    webhook_source: auto
    endpoints: {crm: {budget: 50}}
digest: {source: local, source_token_file: null, stale_after: 60s, budget: 10, tenant_budget: 50, adhoc_tenants_max: 64}
readiness: {fall: 2, rise: 2, startup_grace: 60s}
exec: {light: 2, heavy: 1, path: [/usr/local/bin, /usr/bin, /bin]}
openclaw: {command: openclaw, dialect: auto, posture: relaxed}
probes:
  doctor: {every: 5m, timeout: 60s}
  disk: {paths: [/var/lib/openclaw], warn_free: 2GiB, down_free: 256MiB}
  queue: {warn_depth: 1000, down_depth: 10000, warn_age: 5m, down_age: 30m}
"#;

#[test]
fn the_contracts_own_example_is_read() {
    let draft = read(EXAMPLE).unwrap();
    let acme = &draft.config.tenants[&TenantName::parse("acme").unwrap()];
    assert_eq!(acme.instance, Instance::Profile("acme".into()));
    assert_eq!(acme.port, Some(18_789));
    assert_eq!(acme.endpoints["crm"], 50);
    assert!(draft.overrides.is_some() && draft.discover.is_none());
}

#[test]
fn every_problem_is_told_with_line_key_and_the_nearest_known_key() {
    refused(
        "lisen: 127.0.0.1:9099\ntenants:\n  Acme: {}\n  beta: {port: 99999, endpoint: {}}\ndigest: {stale_after: 60}\nexec: [1]\nxylophone: 1\n",
        expect![[r#"
            readyd.yaml:1: lisen: unknown key; did you mean `listen`?
            readyd.yaml:3: tenants.Acme: the key must be a tenant's name ([a-z0-9][a-z0-9._-]{0,63})
            readyd.yaml:4: tenants.beta.port: expected a whole number from 1 to 65535, found "99999"
            readyd.yaml:4: tenants.beta.endpoint: unknown key; did you mean `endpoints`?
            readyd.yaml:5: digest.stale_after: expected a duration such as 250ms, 10s, 5m or 2h (from 1s to 1d), found "60"
            readyd.yaml:6: exec: expected a map, found a list
            readyd.yaml:7: xylophone: unknown key; known here: node labels listen hosts token_file tls agent_check state_dir runtime_dir sockets tenants_dir secrets_dir tenants digest readiness slo exec openclaw probes"#]],
    );
}

#[test]
fn mistyped_values_say_what_was_expected() {
    refused(
        "listen: localhost:9099\nsockets: {events_mode: 0888, events_peers: {ann: [acme]}}\nreadiness: {fall: 0, startup_grace: 5min}\nopenclaw: {dialect: openclaws}\ntenants: {a: {required: yes, webhook_source: sokcet, port: 18789.5}}\nhosts: [null]\n",
        expect![[r#"
            readyd.yaml:1: listen: expected an address such as 127.0.0.1:9099 or [::1]:9099, found "localhost:9099"
            readyd.yaml:2: sockets.events_mode: expected a file mode in octal such as "0660", found "0888"
            readyd.yaml:2: sockets.events_peers.ann: the key must be a numeric user id
            readyd.yaml:3: readiness.fall: expected a whole number from 1 to 20, found "0"
            readyd.yaml:3: readiness.startup_grace: expected a duration such as 250ms, 10s, 5m or 2h (from 0s to 1h), found "5min"
            readyd.yaml:4: openclaw.dialect: expected auto or openclaw or article, found "openclaws"
            readyd.yaml:5: tenants.a.required: expected true or false, found "yes"
            readyd.yaml:5: tenants.a.webhook_source: expected auto or link or plugin or log or socket (did you mean socket?), found "sokcet"
            readyd.yaml:5: tenants.a.port: expected a whole number from 1 to 65535, found "18789.5"
            readyd.yaml:6: hosts[0]: expected a line of text of at most 512 bytes, found nothing"#]],
    );
}

#[test]
fn what_does_not_fit_together_is_refused() {
    refused(
        "agent_check: 127.0.0.1:9099\nopenclaw: {dialect: openclaw}\ntenants:\n  a: {profile: a, state_dir: /a}\n  b: {profile: b, config: /b.json}\n  c: {}\n",
        expect![[r#"
            readyd.yaml:4: tenants.a.state_dir: give either `profile` or `state_dir`: OpenClaw would follow the state directory in silence
            readyd.yaml:5: tenants.b.config: goes with `state_dir`; a profile has its own openclaw.json
            readyd.yaml:6: tenants.c: needs a `profile` or a `state_dir`: the real OpenClaw tells tenants apart by nothing else
            readyd.yaml:1: agent_check: is the address of `listen` (127.0.0.1:9099) as well"#]],
    );
}

#[test]
fn a_gateway_elsewhere_is_spoken_to_over_tls_with_one_kind_of_trust() {
    let gateway = |keys: &str| {
        let config = read(&format!("tenants: {{a: {{port: 7, {keys}}}}}")).unwrap().config;
        let place = config.tenants[&TenantName::parse("a").unwrap()].place().unwrap();
        format!("{} {:?}", place.address(), place.trust())
    };
    let pin = "ab".repeat(32);
    assert_eq!(gateway(""), "ws://127.0.0.1:7 None");
    assert_eq!(gateway("gateway: 'ws://[::1]:9'"), "ws://[::1]:9 None");
    assert_eq!(gateway("gateway: 'wss://h:9'"), "wss://h:9 Some(System)");
    assert_eq!(
        gateway(&format!("gateway: 'wss://h:9', gateway_fingerprint: '{pin}'")),
        format!("wss://h:9 Some(Pinned(sha256:{pin}))")
    );
    assert_eq!(
        gateway("gateway: 'wss://h:9', gateway_ca_file: ca.pem"),
        "wss://h:9 Some(Authorities(\"/etc/readyd/ca.pem\"))"
    );
    refused(
        &format!(
            "tenants:\n  a: {{gateway: 'ws://10.0.0.7:9'}}\n  b: {{gateway: 'ws://[::1]:9', gateway_fingerprint: '{pin}'}}\n  \
             c: {{port: 9, gateway_ca_file: ca.pem}}\n  d: {{gateway: 'wss://h:9', gateway_fingerprint: '{pin}', gateway_ca_file: ca.pem}}\n  \
             e: {{gateway: 'wss://ann:pw@h:9', gateway_fingerprint: abc}}\n"
        ),
        expect![[r#"
            readyd.yaml:6: tenants.e.gateway: expected a gateway's address such as wss://gateway.example:18789 or ws://127.0.0.1:18789 (no user, path or query), found "wss://[redacted]@h:9"
            readyd.yaml:6: tenants.e.gateway_fingerprint: expected the SHA-256 of a certificate (sha256: and 64 hexadecimal digits), found "abc"
            readyd.yaml:2: tenants.a.gateway: 10.0.0.7 is another host: a link to it needs wss://, with a certificate that is trusted or pinned
            readyd.yaml:3: tenants.b.gateway_fingerprint: goes with `gateway: wss://…`
            readyd.yaml:4: tenants.c.gateway_ca_file: goes with `gateway: wss://…`
            readyd.yaml:5: tenants.d.gateway_ca_file: give either `gateway_fingerprint` or `gateway_ca_file`: a pinned certificate needs no authority"#]],
    );
}

#[test]
fn a_digest_source_is_http_and_holds_no_secret() {
    for good in [
        "local",
        "http://10.0.0.7:9099",
        "http://mac-1:9099/v1/webhook-digest",
        "https://mac-1.example",
    ] {
        assert!(read(&format!("digest: {{source: '{good}'}}")).is_ok(), "{good}");
    }
    for bad in [
        "https://",
        "https://a:b@x",
        "http://",
        "http://a:b@x",
        "http://x?token=1",
        "ftp://x",
        "http://:80",
        "x",
    ] {
        assert!(read(&format!("digest: {{source: '{bad}'}}")).is_err(), "{bad}");
    }
}

#[test]
fn an_open_listen_address_without_a_token_is_a_warning() {
    let warnings = |text: &str| read(text).unwrap().config.warnings;
    assert_eq!(warnings("listen: 0.0.0.0:9099").len(), 1);
    assert!(warnings("listen: 0.0.0.0:9099")[0].contains("no `token_file`"));
    let tls = "tls: {cert_file: c, key_file: k}";
    assert_eq!(warnings(&format!("listen: 0.0.0.0:9099\n{tls}")).len(), 1);
    assert_eq!(warnings(&format!("listen: '[::]:9099'\ntoken_file: t\n{tls}")), [""; 0]);
    assert_eq!(warnings("listen: '[::1]:9099'\ntoken_file: t"), [""; 0]);
}

#[test]
fn a_bearer_that_would_cross_the_network_in_the_clear_is_a_warning() {
    let warned = |text: &str| {
        let warnings = read(text).unwrap().config.warnings;
        warnings.iter().any(|warning| warning.contains("learns the bearer"))
    };
    assert!(warned("listen: 0.0.0.0:9099\ntoken_file: t"));
    assert!(!warned("listen: 127.0.0.1:9099\ntoken_file: t"));
    let source = |url: &str| warned(&format!("digest: {{source: '{url}', source_token_file: t}}"));
    for url in [
        "http://mac-1:9099",
        "http://10.0.0.7",
        "http://[2001:db8::1]:9099/v1/webhook-digest",
    ] {
        assert!(source(url), "{url}");
    }
    for url in [
        "https://mac-1:9099",
        "http://127.0.0.1:9099",
        "http://localhost",
        "http://[::1]:9099",
    ] {
        assert!(!source(url), "{url}");
    }
}

#[test]
fn a_certificate_needs_its_key_and_a_key_its_certificate() {
    let tls = |text: &str| read(text).map(|draft| draft.config.tls);
    for half in ["cert_file: c", "key_file: k"] {
        let refused = tls(&format!("node: a\ntls: {{{half}}}")).unwrap_err().to_string();
        assert!(refused.contains("readyd.yaml:2: tls: needs both"), "{refused}");
    }
    for none in ["tls: null", "tls: {}", "tls: {cert_file: null, key_file: null}"] {
        assert_eq!(tls(none).unwrap(), None, "{none}");
    }
    assert!(tls("tls: {cert_file: c, key_file: k}").unwrap().is_some());
}

#[test]
fn no_tenants_on_purpose_is_an_empty_map_and_nothing_else() {
    let config = |text| read(text).unwrap().config;
    assert!(config("tenants: {}").no_tenants_on_purpose);
    assert!(!config("tenants:").no_tenants_on_purpose);
    assert!(!config("node: a").no_tenants_on_purpose);
    assert!(!config("tenants: {a: }").no_tenants_on_purpose);
    assert_eq!(config("tenants: {a: }").tenants.len(), 1);
}

#[test]
fn openclaw_is_looked_for_only_when_nobody_said_where_tenants_are() {
    let looked = |text| read(text).unwrap().discover.is_some();
    assert!(looked("node: a") && looked("tenants:"));
    assert!(!looked("tenants: {}") && !looked("tenants: {a: }") && !looked("tenants_dir: /t"));
}

#[test]
fn a_found_openclaw_is_the_tenant_default() {
    let (mut draft, _) = decode(None, None, &environment());
    let discover = draft.discover.clone().unwrap();
    assert_eq!(discover.openclaw_json, Path::new("/home/ann/.openclaw/openclaw.json"));
    draft.found(18_790);
    let tenant = &draft.config.tenants[&TenantName::parse("default").unwrap()];
    assert_eq!(
        (tenant.instance.clone(), tenant.port, tenant.required),
        (Instance::Default, Some(18_790), true)
    );
}

#[test]
fn more_than_256_tenants_are_refused() {
    let tenants = |count: usize| {
        let lines: Vec<_> = (0..count).map(|index| format!("  t{index}: {{}}")).collect();
        read(&format!("tenants:\n{}\n", lines.join("\n")))
    };
    assert!(tenants(256).is_ok());
    assert!(tenants(257).unwrap_err().to_string().contains("at most 256"));
}

#[test]
fn relative_paths_start_at_the_files_directory_and_tilde_at_home() {
    let config = read("state_dir: state\ntoken_file: ~/token\nsecrets_dir: /s")
        .unwrap()
        .config;
    assert_eq!(config.state_dir, Path::new("/etc/readyd/state"));
    assert_eq!(config.token_file.as_deref(), Some(Path::new("/home/ann/token")));
    assert_eq!(config.secrets_dir.as_deref(), Some(Path::new("/s")));
}

#[test]
fn a_profile_is_no_way_to_smuggle_an_option_in() {
    for bad in ["--state-dir=/x", "a b", "../x", "", "-a"] {
        assert!(read(&format!("tenants: {{a: {{profile: '{bad}'}}}}")).is_err(), "{bad}");
    }
}

#[test]
fn endpoints_are_kept_as_the_digest_stores_them() {
    for (written, stored) in [
        ("crm?token=1", "crm"),
        (" crm ", "crm"),
        ("https://u:p@x.example/a/b?token=1#f", "https://x.example/a/b"),
        ("https://u:p/w@x.example/a", "https://x.example/a"),
        ("no scheme://x@y", "no scheme://x@y"),
    ] {
        let file = format!("tenants: {{acme: {{endpoints: {{\"{written}\": {{budget: 7}}}}}}}}");
        let config = read(&file).unwrap().config;
        let budgets = &config.tenants[&TenantName::parse("acme").unwrap()].endpoints;
        assert_eq!(budgets.get(stored), Some(&7), "{written}: {budgets:?}");
    }
    for nothing in ["?token=1", "https://", " "] {
        let file = format!("tenants: {{acme: {{endpoints: {{\"{nothing}\": {{budget: 7}}}}}}}}");
        assert!(read(&file).is_err(), "{nothing:?}");
    }
}

#[test]
fn a_budget_needs_a_target_that_can_be_missed_and_a_window_that_is_kept() {
    refused(
        "slo: {target: 100%, window: 91d}\ntenants: {a: {slo: {target: 0%}}, b: {slo: {target: 0.99, windw: 1h}}}\n",
        expect![[r#"
            readyd.yaml:1: slo.target: expected a share above 0% and below 100%, such as 99.5%, found "100%"
            readyd.yaml:1: slo.window: expected a duration such as 250ms, 10s, 5m or 2h (from 1h to 90d), found "91d"
            readyd.yaml:2: tenants.a.slo.target: expected a share above 0% and below 100%, such as 99.5%, found "0%"
            readyd.yaml:2: tenants.b.slo.target: expected a share above 0% and below 100%, such as 99.5%, found "0.99"
            readyd.yaml:2: tenants.b.slo.windw: unknown key; did you mean `window`?"#]],
    );
    let draft =
        read("slo: {target: 99.5%}\ntenants: {a: {}, b: {slo: {target: 99%, window: 7d}}, c: {slo: {window: 1d}}}\n");
    let slos = draft.unwrap().config.slos();
    let shown = slos
        .iter()
        .map(|(name, slo)| format!("{name} {} {:?}", slo.target, slo.window));
    expect!["a 0.995 2592000s, b 0.99 604800s, c 0.995 86400s"].assert_eq(&shown.collect::<Vec<_>>().join(", "));
    assert!(
        read("slo: {window: 1d}\ntenants: {a: {}}\n")
            .unwrap()
            .config
            .slos()
            .is_empty()
    );
}

/// The table and the decoder cannot drift apart: each example is not the default, and is seen to arrive.
#[test]
fn every_key_of_the_config_file_changes_the_configuration() {
    let shown = |draft: &Draft| format!("{:?} {:?}", draft.config, draft.patience);
    let check = |prefix: &str, suffix: &str, key: &Key| {
        let base = read(&format!("{prefix}{suffix}")).unwrap();
        let text = format!("{prefix}{}: {}{suffix}", key.name, key.example);
        let changed = read(&text).unwrap_or_else(|problems| panic!("{text}: {problems}"));
        assert_ne!(shown(&base), shown(&changed), "{text}");
    };
    for (name, keys) in [
        ("sockets", SOCKETS),
        ("digest", DIGEST),
        ("readiness", READINESS),
        ("exec", EXEC_LIMITS),
        ("openclaw", OPENCLAW),
        ("slo", SLO),
    ] {
        keys.iter().for_each(|key| check(&format!("{name}: {{"), "}", key));
    }
    for key in TLS {
        // One half alone is an error.
        let other = TLS.iter().find(|other| other.name != key.name).unwrap().name;
        let tls = |value: &str| shown(&read(&format!("tls: {{{other}: /o, {}: {value}}}", key.name)).unwrap());
        assert_ne!(tls("/a"), tls(key.example), "{}", key.name);
    }
    for key in TENANT {
        let before = match key.name {
            "config" => "state_dir: /s, ",
            "gateway_fingerprint" | "gateway_ca_file" => "gateway: 'wss://h:1', ",
            _ => "",
        };
        check(&format!("tenants: {{a: {{{before}"), "}}", key);
    }
    for key in CONFIG.iter().filter(|key| !key.example.is_empty()) {
        check("", "\n", key);
    }
}

#[test]
fn every_key_of_a_declaration_changes_the_probe() {
    let minimal = |kind: &str| match kind {
        "exec" => "kind: exec, command: [x], ",
        "http" => "kind: http, url: 'http://127.0.0.1/', ",
        "listener" => "kind: listener, ",
        "tcp" => "kind: tcp, address: '127.0.0.1:1', ",
        "tls" => "kind: tls, ",
        "disk" => "kind: disk, ",
        "clock" => "kind: clock, ",
        "tokens" => "kind: tokens, ",
        "queue" => "kind: queue, ",
        "lock" => "kind: lock, ",
        _ => "kind: host, ",
    };
    let probe = |fields: &str| {
        let text = format!("probes: {{p: {{{fields}}}}}");
        let draft = read(&text).unwrap_or_else(|problems| panic!("{text}: {problems}"));
        let mut remarks = Remarks::default();
        let overrides = draft.overrides.as_ref();
        let declarations = Declarations::gather(&[], &[], overrides, draft.patience, &mut remarks);
        let probes = declarations.probes(&mut remarks);
        assert!(remarks.problems.is_empty(), "{text}: {}", remarks.problems);
        format!("{probes:?}")
    };
    for key in DECLARATION.iter().filter(|key| key.name != "kind") {
        // `disk` is already down on silence and bound to the node; `host` takes what all kinds have.
        let kinds = [
            "exec", "http", "listener", "tcp", "tls", "disk", "clock", "tokens", "queue", "lock", "host",
        ];
        let kind = match key.name {
            "on_silence" => "disk",
            _ => kinds.into_iter().rev().find(|kind| belongs(key.name, kind)).unwrap(),
        };
        let before = match key.name {
            "rules" | "ignore" => "kind: exec, parse: doctor, ",
            "interval_min" => "kind: exec, parse: cost, ",
            // Required keys stand in the minimal declaration already.
            "command" => "kind: exec, parse: doctor, ",
            "url" | "address" => {
                let minimal = minimal(kind);
                let with = format!("kind: {kind}, {}: '{}', ", key.name, key.example);
                assert_ne!(probe(minimal), probe(&with));
                continue;
            }
            _ => minimal(kind),
        };
        let with = format!("{before}{}: {}", key.name, key.example);
        assert_ne!(probe(before), probe(&with), "{}", key.name);
    }
}

#[test]
fn a_damaged_file_is_refused_or_read_and_never_a_panic() {
    let mut dice = crate::dice::Dice::new(1);
    for _ in 0..2000 {
        let mut bytes = EXAMPLE.as_bytes().to_vec();
        for _ in 0..=dice.index(3) {
            let at = dice.index(bytes.len());
            match dice.index(3) {
                0 => bytes[at] = b":{}[],-#\"' \n0a"[dice.index(14)],
                1 => bytes.truncate(at.max(1)),
                _ => {
                    bytes.remove(at);
                }
            }
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Ok(draft) = read(&text) {
            let mut remarks = Remarks::default();
            let overrides = draft.overrides.as_ref();
            let declarations = Declarations::gather(&[], &[], overrides, draft.patience, &mut remarks);
            declarations.probes(&mut remarks);
        }
    }
}

#[test]
fn thirty_thousand_unknown_keys_are_counted_and_not_pondered() {
    let text: String = (0..30_000).map(|index| format!("k{index}: 1\n")).collect();
    let shown = read(&text).map(|_| ()).unwrap_err().to_string();
    assert_eq!(shown.lines().count(), Problems::KEPT_MAX + 1);
    assert!(shown.ends_with("\nand 29900 more"));
}

#[test]
fn a_log_that_would_not_be_read_is_warned_of() {
    let warnings = |tenant: &str| read(&format!("tenants: {{a: {tenant}}}")).unwrap().config.warnings;
    let nothing = Vec::<String>::new();
    assert_eq!(
        warnings("{webhook_source: log, profile: a, log_file: /x-YYYY-MM-DD.log}"),
        nothing
    );
    expect![[r#"["tenants.a.webhook_source: log finds nothing without a `profile` or a `state_dir`: a log tells gateways apart by it"]"#]]
        .assert_eq(&format!("{:?}", warnings("{webhook_source: log}")));
    expect![[r#"["tenants.a.log_file is not used: its webhook_source is neither log nor auto"]"#]]
        .assert_eq(&format!("{:?}", warnings("{webhook_source: socket, log_file: /x.log}")));
}
