//! The known-good commands of a tenant, pasted into a shell of somebody else, with a real OpenClaw: they answer about
//! the tenant, and show nothing secret.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::harness::Node;
use crate::harness::openclaw::{Gateway, TOKEN};

/// A check of each layer that asks nothing.
fn quiet_check(node: &Node, layer: &str) {
    let text = format!(
        "name: any-{layer}\nlayer: {layer}\nscope: tenant\nkind: exec\ncommand: ['true']\nparse: exit-code\nevery: 1h\n"
    );
    fs::write(node.dir.path().join(format!("probes.d/any-{layer}.yaml")), text).unwrap();
}

/// `None`: too little is known for one.
fn known_good(node: &Node, layer: &str) -> String {
    let check = node.get(&format!("/v1/checks/any-{layer}/acme")).json();
    check["known_good"].as_str().unwrap().to_owned()
}

/// With the home and the variables of an operator who has a gateway of their own.
fn pasted(command: &str, home: &std::path::Path) -> (i32, String) {
    let output = Command::new("sh")
        .args(["-c", command])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", home)
        .env("OPENCLAW_STATE_DIR", home.join("mine"))
        .env("OPENCLAW_CONFIG_PATH", home.join("mine/openclaw.json"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains(TOKEN), "{command} shows the token");
    (output.status.code().unwrap(), said.into_owned())
}

#[test]
fn a_real_openclaw_answers_them_about_the_tenant_and_shows_no_secret() {
    let state_dir = tempfile::Builder::new().prefix("readyd-openclaw-").tempdir().unwrap();
    let Some(gateway) = Gateway::new(state_dir.path()) else {
        return;
    };
    let node = Node::prepared("");
    let folders: Vec<String> = gateway.path().split(':').map(|folder| format!("'{folder}'")).collect();
    // What costs CPU by itself is not what this is about.
    let off = ["doctor", "config", "secrets", "security", "version-lock", "cost"]
        .map(|name| format!("{name}: {{enabled: false}}"))
        .join(", ");
    node.configure(&format!(
        "tenants: {{acme: {{port: {}, state_dir: '{}'}}}}\nexec: {{path: [{}]}}\nprobes: {{{off}}}\n",
        gateway.port,
        state_dir.path().display(),
        folders.join(", "),
    ));
    for layer in ["transport", "policy", "secrets", "runtime", "host", "webhooks"] {
        quiet_check(&node, layer);
    }
    let node = node.started();
    let operator = tempfile::tempdir().unwrap();
    let ask = |layer: &str| {
        let command = known_good(&node, layer);
        let (code, said) = pasted(&command, operator.path());
        println!("{layer}: {command}: {code}");
        (code, said)
    };
    let object = |said: &str| -> Value {
        serde_json::from_str(said.trim()).unwrap_or_else(|error| panic!("not JSON ({error}): {said}"))
    };
    let config = state_dir.path().join("openclaw.json");

    let (code, said) = ask("policy");
    let valid = object(&said);
    assert_eq!((code, &valid["valid"]), (0, &Value::Bool(true)), "{said}");

    // A plaintext token is a finding of the audit, by its place.
    let (code, said) = ask("secrets");
    let audit = object(&said);
    assert_eq!(code, 1, "{said}");
    assert_eq!(audit["filesScanned"][0].as_str(), config.to_str(), "{said}");
    assert_eq!(audit["findings"][0]["jsonPath"], "gateway.auth.token");

    let (code, said) = ask("runtime");
    let doctor = object(&said);
    assert_eq!((code, &doctor["ok"]), (0, &Value::Bool(true)), "{said}");
    assert!(doctor["checksRun"].as_u64().unwrap() > 0, "{said}");

    let (code, said) = ask("host");
    assert_eq!(code, 0, "{said}");
    // Nothing listens there.
    let (code, said) = ask("transport");
    assert!(code != 0 && said.contains(&gateway.port.to_string()), "{said}");
    // Nothing was made in the operator's own place.
    assert!(!operator.path().join("mine").exists());
}
