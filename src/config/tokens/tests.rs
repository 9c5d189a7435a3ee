#![expect(clippy::disallowed_methods, reason = "writes the files it reads")]

use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::config::environment::Environment;
use crate::config::{raw, yaml};

struct Host {
    dir: tempfile::TempDir,
    tokens: Tokens,
}

impl Host {
    fn new() -> Host {
        Host {
            dir: tempfile::tempdir().unwrap(),
            tokens: Tokens::default(),
        }
    }

    fn put(&self, name: &str, text: &str) {
        let path = self.dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Whether a tenant with these keys gives a token; relative paths begin here, and so does home.
    fn gives(&mut self, keys: &str) -> bool {
        let text = format!("tenants: {{acme: {{{keys}}}}}");
        let tree = yaml::parse("readyd.yaml", text.as_bytes()).unwrap();
        let file = self.dir.path().join("readyd.yaml");
        let (draft, problems) = raw::decode(Some(&tree), Some(&file), &Environment::default());
        assert!(problems.is_empty(), "{problems}");
        let mut config = draft.config;
        self.tokens.find(&mut config, Some(self.dir.path()));
        config.tenants.values().all(|tenant| tenant.token.is_some())
    }
}

const LITERAL: &str = r#"{"gateway":{"auth":{"token":"t0ken"}}}"#;
/// To be read with [`VARIABLE_SET`] as the env file.
const REFERENCE: &str = r#"{"gateway":{"auth":{"token":"${GATEWAY}"}}}"#;
const VARIABLE_SET: &str = "GATEWAY=t0ken\n";

#[test]
fn a_token_is_given_by_its_file_by_the_env_file_or_by_the_gateways_own_configuration() {
    let mut host = Host::new();
    assert!(host.gives("port: 1, token_file: not-there-yet"));
    host.put("with.env", "OPENCLAW_GATEWAY_TOKEN=t0ken\n");
    assert!(host.gives("port: 1, env_file: with.env"));
    host.put("set.env", VARIABLE_SET);
    host.put("named/openclaw.json", REFERENCE);
    assert!(host.gives("port: 1, state_dir: named, env_file: set.env"));
    host.put(".openclaw-acme/openclaw.json", REFERENCE);
    assert!(host.gives("port: 1, profile: acme, env_file: set.env"));
    let secrets = host.dir.path().join("secrets.json");
    host.put("secrets.json", r#"{"gateway":{"token":"t0ken"}}"#);
    let reference = format!(
        r#"{{"gateway":{{"auth":{{"token":{{"source":"file","provider":"p","id":"/gateway/token"}}}}}},
        "secrets":{{"providers":{{"p":{{"source":"file","path":{secrets:?},"mode":"json"}}}}}}}}"#
    );
    host.put("referring/openclaw.json", &reference);
    assert!(host.gives("port: 1, state_dir: referring"));
    assert!(host.gives("gateway: 'wss://127.0.0.1:1', state_dir: referring"));
}

#[test]
fn who_gives_none_or_has_no_gateway_has_no_link() {
    let mut host = Host::new();
    host.put("without.env", "OTHER=1\n");
    host.put("none/openclaw.json", r#"{"gateway":{"port":1}}"#);
    host.put(
        "exec/openclaw.json",
        r#"{"gateway":{"auth":{"token":{"source":"exec","id":"x"}}}}"#,
    );
    host.put("literal/openclaw.json", LITERAL);
    for keys in [
        "port: 1",
        "token_file: t",
        "port: 1, env_file: without.env",
        "port: 1, env_file: not-there.env",
        "port: 1, state_dir: none",
        "port: 1, state_dir: exec",
        "port: 1, state_dir: not-there",
        "port: 1, state_dir: literal",
        "state_dir: referring",
        // The token of the gateway that runs here is nothing for another host.
        "gateway: 'wss://gateway.example:1', state_dir: literal",
    ] {
        assert!(!host.gives(keys), "{keys}");
    }
}

#[test]
fn a_token_that_appears_is_noticed_and_one_whose_file_is_away_is_still_asked_for() {
    let mut host = Host::new();
    let keys = "port: 1, state_dir: s, env_file: set.env";
    host.put("set.env", VARIABLE_SET);
    assert!(!host.gives(keys));
    assert!((0..8).all(|_| !host.tokens.have_changed()));
    host.put("s/openclaw.json", REFERENCE);
    assert!((0..4).any(|_| host.tokens.have_changed()), "within two seconds");
    assert!(host.gives(keys));
    std::fs::remove_file(host.dir.path().join("s/openclaw.json")).unwrap();
    assert!(host.gives(keys), "away for a moment");
    host.put("s/openclaw.json", "{");
    assert!(host.gives(keys), "half written");
    host.put("s/openclaw.json", r#"{"gateway":{"auth":{"mode":"none"}}}"#);
    assert!(!host.gives(keys), "it says that there is none");
}
