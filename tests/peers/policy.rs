//! The real CLI on configurations of every kind, and what `config` and `secrets` make of it. No gateway runs.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::harness::Node;
use crate::harness::openclaw::{Gateway, TOKEN};

#[test]
fn readyd_reads_what_the_real_cli_says_of_configurations_and_of_their_secrets() {
    let state_dir = tempfile::Builder::new().prefix("readyd-policy-").tempdir().unwrap();
    let Some(gateway) = Gateway::new(state_dir.path()) else {
        return;
    };
    let secrets = state_dir.path().join("secrets.json");
    fs::write(&secrets, "hunter2-in-a-file-that-is-not-json").unwrap();
    fs::set_permissions(&secrets, fs::Permissions::from_mode(0o600)).unwrap();
    let node = Node::prepared(&format!(
        "exec: {{path: [{path}]}}\ntenants:\n  acme: {{state_dir: {state}, port: {port}}}\n\
         probes:\n  config: {{enabled: true, timeout: 120s}}\n  secrets: {{enabled: true, timeout: 120s}}\n",
        path = gateway.path().replace(':', ", "),
        state = gateway.state_dir.display(),
        port = gateway.port,
    ));
    let asked = |probe: &str| {
        let output = node.cli(&["probe", "run", &format!("{probe}@acme")]);
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(!told.contains("hunter2") && !told.contains(TOKEN), "{told}");
        told.lines().next().unwrap_or_default().to_owned()
    };
    let with_token = |token: &str| {
        format!(
            r#"{{"gateway":{{"mode":"local","auth":{{"mode":"token","token":{token}}}}},"secrets":{{"providers":{{"f":{{"source":"file","path":{secrets:?},"mode":"json"}},"g":{{"source":"file","path":"/nowhere/secrets.json","mode":"json"}}}}}}}}"#
        )
    };
    let cases = [
        (gateway.healthy_config(), "ok  ", "ok  no references, 1 note"),
        (
            r#"{"gateway":{"mode":"local","portt":1},"bogusTop":true}"#.to_owned(),
            "down  gateway: Unrecognized key: \"portt\" (+1 more)",
            "unknown  could not be asked: the configuration is invalid",
        ),
        (
            with_token(r#"{"source":"env","provider":"default","id":"NO_SUCH_TOKEN"}"#),
            "ok  ",
            "down  gateway.auth.token refers to env NO_SUCH_TOKEN, which is not set; and the gateway does not serve",
        ),
        (
            with_token(r#"{"source":"file","provider":"g","id":"/gw/token"}"#),
            "ok  ",
            "down  gateway.auth.token refers to file /gw/token of provider g, which names a file that does not exist",
        ),
        (
            with_token(r#"{"source":"file","provider":"f","id":"/gw/token"}"#),
            "ok  ",
            "down  gateway.auth.token refers to file /gw/token of provider f, which is in a file that cannot be read as JSON",
        ),
    ];
    for (text, config, secrets) in cases {
        gateway.configure(&text);
        for (probe, expected) in [("config", config), ("secrets", secrets)] {
            let told = asked(probe);
            println!("{probe}: {told}");
            assert!(told.starts_with(expected), "{text}\n{told}\ninstead of {expected}");
        }
    }
    fs::remove_file(gateway.state_dir.join("openclaw.json")).unwrap();
    for probe in ["config", "secrets"] {
        let told = asked(probe);
        assert!(told.starts_with("unknown  could not be asked: "), "{told}");
    }
}
