//! What a real gateway listens on and serves, and what readyd says of it.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rcgen::{CertificateParams, KeyPair};

use crate::harness::Node;
use crate::harness::openclaw::{BOOT, Gateway, TOKEN};

/// Every 2 s, twice, and what OpenClaw takes to look at its files.
const NOTICE: Duration = Duration::from_secs(30);

#[test]
fn a_real_gateways_sockets_and_certificates_are_judged_as_they_are() {
    let state_dir = tempfile::Builder::new().prefix("readyd-openclaw-").tempdir().unwrap();
    let Some(mut gateway) = Gateway::new(state_dir.path()) else {
        return;
    };
    let port = gateway.port;
    gateway.configure(&format!(
        r#"{{"gateway":{{"mode":"local","port":{port},"bind":"lan","tls":{{"enabled":true}},"auth":{{"mode":"token","token":"{TOKEN}"}}}}}}"#
    ));
    gateway.start();
    let node = Node::start(&format!(
        "tenants: {{acme: {{port: {port}, state_dir: {}}}}}\n\
         probes: {{doctor: {{enabled: false}}, exposure: {{every: 2s}}, certificate: {{every: 2s}}}}\n",
        state_dir.path().display()
    ));

    until_summary(
        &node,
        "exposure",
        "degraded",
        BOOT,
        &format!("every interface (0.0.0.0:{port})"),
    );
    until_summary(
        &node,
        "certificate",
        "ok",
        BOOT,
        "the served certificate lasts for 3649 days",
    );

    // A pair that ends soon is taken up without a restart, and told; one that has ended as well.
    let tls = state_dir.path().join("gateway/tls");
    for (days, level, part) in [(11, "degraded", "expires in 10 days"), (-1, "down", "expired 24 h ago")] {
        let (certificate, key) = pair(days);
        replace(&tls.join("gateway-key.pem"), &key);
        replace(&tls.join("gateway-cert.pem"), &certificate);
        until_summary(&node, "certificate", level, NOTICE, part);
    }

    // A certificate without its key is refused, and the old one served on.
    let (stray, _) = pair(400);
    replace(&tls.join("gateway-cert.pem"), &stray);
    let path = "/v1/checks/certificate/acme";
    let (answer, took) = node.until(path, NOTICE, |answer| {
        answer.body.contains("does not serve the renewed certificate")
    });
    println!("certificate: a refused renewal is told after {took:?}");
    assert_eq!(answer.json()["counts_as"], "degraded");
}

fn until_summary(node: &Node, probe: &str, level: &str, patience: Duration, part: &str) {
    let (_, took) = node.until(&format!("/v1/checks/{probe}/acme"), patience, |answer| {
        let check = answer.json();
        check["level"] == level && check["summary"].as_str().is_some_and(|summary| summary.contains(part))
    });
    println!("{probe}: {level} ({part}) after {took:?}");
}

/// As tools that renew certificates do: all of it or nothing.
fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(new, path).unwrap();
}

/// A self-signed certificate that ends `days` from now, and its key; both PEM.
fn pair(days: i64) -> (String, String) {
    const DAY: Duration = Duration::from_secs(86_400);
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    let now = std::time::SystemTime::now();
    params.not_before = (now - 400 * DAY).into();
    params.not_after = match u32::try_from(days) {
        Ok(days) => (now + days * DAY).into(),
        Err(_) => (now - DAY).into(),
    };
    let certificate = params.self_signed(&key).unwrap();
    (
        pem("CERTIFICATE", certificate.der()),
        pem("PRIVATE KEY", &key.serialize_der()),
    )
}

fn pem(what: &str, der: &[u8]) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut body = String::new();
    for (at, three) in der.chunks(3).enumerate() {
        if at % 16 == 0 {
            body.push('\n');
        }
        let bits = three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for letter in 0..4 {
            match letter <= three.len() {
                true => body.push(char::from(LETTERS[(bits >> (18 - 6 * letter)) as usize & 63])),
                false => body.push('='),
            }
        }
    }
    format!("-----BEGIN {what}-----{body}\n-----END {what}-----\n")
}
