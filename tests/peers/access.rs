//! What load balancers, scrapers and people speak TLS with, and the bearer, against a node that the network reaches.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Instant;

use crate::harness::authority::{Authority, put};
use crate::harness::backend::{self, Backend};
use crate::harness::prometheus::Prometheus;
use crate::harness::{Node, PATIENCE, free_port, pause, peer};

const BEARER: &str = "s3cret-of-this-spec";

/// A node with a certificate and a bearer, and the files that its clients need.
struct Open {
    node: Node,
    ca_file: PathBuf,
    token_file: PathBuf,
}

impl Open {
    fn start() -> Open {
        let mut node = Node::prepared("");
        let authority = Authority::new(node.dir.path());
        let (cert_file, key_file) = authority.issue();
        let token_file = node.dir.path().join("token");
        put(&token_file, BEARER, 0o600);
        node.configure(&format!(
            "node: mac-3\ntoken_file: {}\ntls: {{cert_file: {}, key_file: {}}}\n\
             tenants: {{acme: {{}}}}\nprobes: {{doctor: {{enabled: false}}}}\n",
            token_file.display(),
            cert_file.display(),
            key_file.display()
        ));
        let config = fs::read_to_string(node.config_path()).unwrap();
        fs::write(
            node.config_path(),
            config.replace("listen: 127.0.0.1", "listen: 0.0.0.0"),
        )
        .unwrap();
        node.spawn();
        let open = Open {
            node,
            ca_file: authority.file(),
            token_file,
        };
        let began = Instant::now();
        while !open.curl(&["/livez"]).status.success() {
            assert!(began.elapsed() < PATIENCE, "{}", open.node.log());
            pause();
        }
        open
    }

    /// `curl --cacert ca.pem ARGUMENTS https://localhost:PORT/PATH`; the path comes last.
    fn curl(&self, arguments: &[&str]) -> Output {
        let (path, options) = arguments.split_last().unwrap();
        Command::new("curl")
            .args([
                "-sS",
                "-w",
                " %{http_code} %{http_version}",
                "--max-time",
                "5",
                "--cacert",
            ])
            .arg(&self.ca_file)
            .args(options)
            .arg(format!("https://localhost:{}{path}", self.node.port))
            .output()
            .unwrap()
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn curl_is_answered_over_tls_1_2_and_1_3_and_over_nothing_older() {
    let Some(_) = peer("curl", &["/usr/bin/curl"]) else {
        return;
    };
    let open = Open::start();
    let bearer = format!("Authorization: Bearer {BEARER}");
    for versions in [&["--tlsv1.2", "--tls-max", "1.2"][..], &["--tlsv1.3"], &["--http2"]] {
        let bare = said(&open.curl(&[versions, &["/ready"]].concat()));
        assert_eq!(bare, "ok\n 200 1.1", "{versions:?}");
        let refused = said(&open.curl(&[versions, &["/metrics"]].concat()));
        assert!(refused.ends_with(" 401 1.1") && !refused.contains("acme"), "{refused}");
        let whole = said(&open.curl(&[versions, &["-H", bearer.as_str(), "/metrics"]].concat()));
        assert!(
            whole.ends_with(" 200 1.1") && whole.contains("tenant=\"acme\""),
            "{whole}"
        );
    }
    let cipher = "DEFAULT@SECLEVEL=0";
    let old = open.curl(&["--tlsv1.0", "--tls-max", "1.1", "--ciphers", cipher, "/ready"]);
    assert!(!old.status.success(), "{old:?}");
    // The system's authorities do not know ours.
    let stranger = Command::new("curl")
        .args(["-sS", &format!("https://localhost:{}/ready", open.node.port)])
        .output()
        .unwrap();
    assert_eq!(stranger.status.code(), Some(60), "{stranger:?}");
}

#[test]
fn haproxy_checks_over_tls_and_takes_the_node_out_and_back() {
    let Some(program) = peer("haproxy", &["/usr/sbin/haproxy"]) else {
        return;
    };
    let open = Open::start();
    let backend = Backend::saying("hello");
    let port = free_port();
    let config = open.node.dir.path().join("haproxy.cfg");
    let text = format!(
        "defaults\n  mode http\n  timeout connect 2s\n  timeout client 5s\n  timeout server 5s\n\
         frontend in\n  bind 127.0.0.1:{port}\n  default_backend gateways\n\
         backend gateways\n  option httpchk\n  http-check send meth GET uri /ready hdr Host mac-3\n  \
         http-check expect status 200\n  \
         server mac-3 127.0.0.1:{} check port {} check-ssl check-sni mac-3 verify required verifyhost mac-3 ca-file {} \
         inter 200ms fall 2 rise 2\n",
        backend.port,
        open.node.port,
        open.ca_file.display()
    );
    fs::write(&config, text).unwrap();
    let child = Command::new(program)
        .args(["-db", "-f"])
        .arg(&config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _haproxy = Ended(child);
    let until = |wanted: u16| {
        let began = Instant::now();
        loop {
            let seen = backend::ask(port).map(|(status, _)| status);
            if seen == Some(wanted) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "HAProxy answers {seen:?}, not {wanted}");
            pause();
        }
    };
    until(200);
    open.node.cli_ok(&["drain", "--reason", "a spec"]);
    until(503);
    open.node.cli_ok(&["undrain"]);
    until(200);
}

#[test]
fn prometheus_scrapes_over_tls_with_the_bearer_and_not_without() {
    let Some(program) = peer("prometheus", &["/usr/bin/prometheus"]) else {
        return;
    };
    let open = Open::start();
    let job = |name: &str, more: &str| {
        format!(
            "  - job_name: {name}\n    scheme: https\n    tls_config: {{ca_file: {}}}\n{more}    \
             static_configs: [{{targets: ['localhost:{}']}}]\n",
            open.ca_file.display(),
            open.node.port
        )
    };
    let bearer = format!(
        "    authorization: {{credentials_file: {}}}\n",
        open.token_file.display()
    );
    let jobs = job("borne", &bearer) + &job("bare", "");
    let prometheus = Prometheus::scraping(&program, &jobs, "");
    prometheus.until("up{job=\"borne\"}", |values| values == ["1"]);
    prometheus.until("readyd_status{job=\"borne\",status=\"ok\"}", |values| values == ["1"]);
    prometheus.until("up{job=\"bare\"}", |values| values == ["0"]);
}
