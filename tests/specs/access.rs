//! Who sees how much of a node, and that nobody on the way can listen: TLS, bearer and Host on the real daemon.

use std::collections::VecDeque;
use std::fs;
use std::io::Write as _;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use readyd::http::client::{Fetch, FetchError, Fetched, Trust, fetch};

use crate::harness::authority::{Authority, put};
use crate::harness::{Answer, Node, PATIENCE, left_out, pause};

const PROBES: &str = "tenants: {acme: {}}\nprobes: {doctor: {enabled: false}}\n";
/// What a load balancer waits for an answer, on a machine that runs all specs at once.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
pub(crate) const BEARER: &str = "s3cret-of-this-spec";

/// A node that the network reaches, with a certificate and a bearer.
pub(crate) struct Open {
    pub(crate) node: Node,
    pub(crate) authority: Authority,
    pub(crate) token_file: PathBuf,
}

impl Open {
    pub(crate) fn prepared() -> Open {
        let node = Node::prepared("");
        let authority = Authority::new(node.dir.path());
        let (cert_file, key_file) = authority.issue();
        let token_file = node.dir.path().join("token");
        put(&token_file, &format!("{BEARER}\n"), 0o600);
        let open = Open {
            node,
            authority,
            token_file,
        };
        open.configure(&format!("tls: {}\n", tls(&cert_file, &key_file)));
        open
    }

    fn started() -> Open {
        let mut open = Open::prepared();
        open.node.spawn();
        open.until(|open| open.ask("/livez", None).is_ok_and(|answer| answer.status == 200));
        open
    }

    /// The value of `tls` for the pair that it was prepared with.
    pub(crate) fn tls(&self) -> String {
        let dir = self.node.dir.path();
        tls(&dir.join("tls.pem"), &dir.join("tls.key"))
    }

    pub(crate) fn configure(&self, more: &str) {
        let token_file = self.token_file.display();
        self.node
            .configure(&format!("node: mac-3\ntoken_file: {token_file}\n{more}{PROBES}"));
        let path = self.node.config_path();
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("listen: 127.0.0.1", "listen: 0.0.0.0")).unwrap();
    }

    pub(crate) fn ask(&self, target: &str, bearer: Option<&str>) -> Result<Fetched, FetchError> {
        self.ask_as(target, bearer, Trust::Authorities(self.authority.file()))
    }

    fn ask_as(&self, target: &str, bearer: Option<&str>, trust: Trust) -> Result<Fetched, FetchError> {
        let mut request = Fetch::get(&format!("https://localhost:{}{target}", self.node.port), trust)?;
        if let Some(bearer) = bearer {
            request = request.with_bearer(bearer)?;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.unwrap().block_on(fetch(request))
    }

    pub(crate) fn until(&self, holds: impl Fn(&Open) -> bool) -> Duration {
        let began = Instant::now();
        while !holds(self) {
            assert!(began.elapsed() < PATIENCE, "{}", self.node.log());
            pause();
        }
        began.elapsed()
    }

    fn troubles(&self) -> String {
        let status: serde_json::Value = serde_json::from_str(&self.node.cli_ok(&["status", "--json"])).unwrap();
        status["config"]["listen_troubles"].to_string()
    }
}

fn tls(cert_file: &Path, key_file: &Path) -> String {
    format!(
        "{{cert_file: {}, key_file: {}}}",
        cert_file.display(),
        key_file.display()
    )
}

fn text(answer: &Fetched) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}

#[test]
fn over_tls_the_bearer_sees_everything_and_others_the_bare_verdict() {
    let open = Open::started();
    let bare = open.ask("/ready", None).unwrap();
    assert_eq!((bare.status, text(&bare).as_str()), (200, "ok\n"));
    for target in ["/metrics", "/v1/status", "/v1/checks", "/v1/webhook-digest", "/nothing"] {
        for bearer in [None, Some(""), Some("s3cret-of-this-spe"), Some("s3cret-of-this-specs")] {
            let refused = open.ask(target, bearer).unwrap();
            assert_eq!(refused.status, 401, "{target} {bearer:?}");
            assert_eq!(refused.headers["www-authenticate"], "Bearer realm=\"readyd\"");
            assert!(!text(&refused).contains("acme"), "{}", text(&refused));
        }
    }
    let whole = open.ask("/ready", Some(BEARER)).unwrap();
    assert!(text(&whole).contains("\"acme\": \"ok\""), "{}", text(&whole));
    assert_eq!(open.ask("/metrics", Some(BEARER)).unwrap().status, 200);

    // Who does not know the authority is told nothing at all, and who speaks no TLS what to do.
    let stranger = open.ask_as("/ready", Some(BEARER), Trust::Roots);
    assert!(stranger.is_err(), "{stranger:?}");
    let plain = open.node.try_get("/ready").expect("an answer in the clear");
    assert_eq!(
        (plain.status, plain.json()["error"].as_str()),
        (400, Some("this listener speaks TLS"))
    );
    assert_eq!(open.troubles(), "[]");
    let log = fs::read_to_string(open.node.log_path()).unwrap();
    assert!(!log.contains("WARN"), "{log}");
}

#[test]
fn a_renewed_certificate_is_served_and_a_broken_one_is_not() {
    let open = Open::started();
    let (cert_file, key_file) = (
        open.node.dir.path().join("tls.pem"),
        open.node.dir.path().join("tls.key"),
    );
    let served_until = |year: i32| {
        let told = format!("ends=\"{year}-01-01T00:00:00Z\"");
        open.until(|open| fs::read_to_string(open.node.log_path()).unwrap().contains(&told))
    };
    open.authority.issue_until(2077);
    let took = served_until(2077);
    println!("a renewed certificate was served after {took:?}");
    assert_eq!(open.ask("/ready", None).unwrap().status, 200);

    // A key that is another's, one that others may read, none at all: the old pair stays.
    let key = fs::read_to_string(&key_file).unwrap();
    let certificate = fs::read_to_string(&cert_file).unwrap();
    open.authority.issue_until(2078);
    served_until(2078);
    for (break_it, said) in [
        (
            &(|| put(&key_file, &key, 0o600)) as &dyn Fn(),
            "is not the key of the certificate",
        ),
        (&|| put(&key_file, &key, 0o644), "can be read by everybody on this host"),
        (&|| put(&key_file, "nothing", 0o600), "holds no private key"),
        (&|| fs::remove_file(&key_file).unwrap(), "cannot be read"),
        (&|| put(&cert_file, "nothing", 0o644), "holds no certificate"),
    ] {
        break_it();
        open.until(|open| open.troubles().contains(said));
        let troubles = open.troubles();
        assert!(troubles.contains("2078-01-01T00:00:00Z stays in service"), "{troubles}");
        assert_eq!(open.ask("/ready", None).unwrap().status, 200, "{said}");
        assert!(
            fs::read_to_string(open.node.log_path()).unwrap().contains(said),
            "{said}"
        );
    }
    let reloaded = open.node.cli_ok(&["reload"]);
    assert!(
        reloaded.contains("the certificate stays as it was: tls.cert_file"),
        "{reloaded}"
    );
    let checked = open.node.cli(&["config", "check"]);
    assert_eq!(checked.status.code(), Some(1), "{checked:?}");

    // Mended, and then elsewhere, by a reload.
    put(&cert_file, &certificate, 0o644);
    put(&key_file, &key, 0o600);
    open.until(|open| open.troubles() == "[]");
    let elsewhere = open.node.dir.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let (cert_file, key_file) = Authority::new(&elsewhere).issue_until(2079);
    open.configure(&format!("tls: {}\n", tls(&cert_file, &key_file)));
    let reloaded = open.node.cli_ok(&["reload"]);
    assert!(!reloaded.contains("take effect at the next start"), "{reloaded}");
    served_until(2079);
    let trust = Trust::Authorities(elsewhere.join("ca.pem"));
    open.until(|open| open.ask_as("/ready", None, trust.clone()).is_ok());
    assert!(open.ask("/ready", None).is_err(), "the old one is gone");
    let plain = open.node.cli_ok(&["config", "check"]);
    assert!(plain.contains("2079") || !plain.contains("expire"), "{plain}");
}

#[test]
fn an_expired_certificate_is_served_and_spoken_of() {
    let open = Open::prepared();
    open.authority.issue_until(2020);
    let mut open = open;
    open.node.spawn();
    open.until(|open| open.ask_as("/livez", None, Trust::Any).is_ok());
    open.until(|open| open.troubles().contains("expired at 2020-01-01T00:00:00Z"));
    let checked = open.node.cli_ok(&["config", "check"]);
    assert!(checked.contains("expired at 2020-01-01T00:00:00Z"), "{checked}");
}

#[test]
fn what_cannot_be_served_over_tls_is_not_served_in_the_clear() {
    let mut open = Open::prepared();
    let key_file = open.node.dir.path().join("tls.key");
    let other = Open::prepared();
    let key = fs::read_to_string(other.node.dir.path().join("tls.key")).unwrap();
    for (mode, said) in [(0o600, "is not the key of the certificate"), (0o604, "chmod o-rwx")] {
        put(&key_file, &key, mode);
        open.node.spawn();
        assert!(!open.node.ended().success());
        let log = open.node.log();
        assert!(log.contains(said) && log.contains("tls.key_file"), "{log}");
        let checked = open.node.cli(&["config", "check", "--json"]);
        let report: serde_json::Value = serde_json::from_slice(&checked.stdout).unwrap();
        assert!(report["errors"][0].as_str().unwrap().contains(said), "{report:#}");
    }
    // Who may not read the key may still ask the daemon.
    let shown = open.node.cli_ok(&["config", "show"]);
    assert!(shown.contains("tls.key") && !shown.contains("PRIVATE"), "{shown}");
}

#[test]
fn a_bearer_in_the_clear_is_warned_of() {
    let open = Open::prepared();
    open.configure("");
    let mut open = open;
    open.node.spawn();
    open.node.wait_until_it_answers();
    let log = fs::read_to_string(open.node.log_path()).unwrap();
    assert!(log.contains("learns the bearer"), "{log}");
    let checked = open.node.cli_ok(&["config", "check"]);
    assert!(checked.contains("learns the bearer"), "{checked}");
    assert_eq!(open.node.get("/metrics").status, 401);
    // TLS begins at the next start: there is no moment at which nobody knows which of the two it is.
    let (cert_file, key_file) = open.authority.issue();
    open.configure(&format!("tls: {}\n", tls(&cert_file, &key_file)));
    let reloaded = open.node.cli_ok(&["reload"]);
    assert!(
        reloaded.contains("changes of tls take effect at the next start"),
        "{reloaded}"
    );
    assert_eq!(open.node.get("/ready").status, 200);
}

#[test]
fn a_bearer_is_read_again_and_only_from_a_file_that_is_ours() {
    let open = Open::started();
    let status = |bearer| open.ask("/metrics", Some(bearer)).unwrap().status;
    put(&open.token_file, "second", 0o600);
    open.until(|_| status("second") == 200);
    assert_eq!(status(BEARER), 401);
    // Everybody's to write, too long, nothing, a pipe, gone: nobody has it, and the verdict is still given.
    for break_it in [
        &(|| put(&open.token_file, "third", 0o622)) as &dyn Fn(),
        &|| put(&open.token_file, &"x".repeat(5000), 0o600),
        &|| put(&open.token_file, "\n", 0o600),
        &|| fs::remove_file(&open.token_file).unwrap(),
    ] {
        break_it();
        open.until(|open| open.troubles().contains("answers nothing but the verdict"));
        assert_eq!((status("third"), status("second"), status("")), (401, 401, 401));
        assert_eq!(open.ask("/ready", None).unwrap().status, 200);
        put(&open.token_file, "second", 0o600);
        open.until(|open| status("second") == 200 && open.troubles() == "[]");
    }
    // Everybody's to read: it is used, and spoken of.
    put(&open.token_file, "fourth", 0o644);
    open.until(|open| open.troubles().contains("can be read by everybody"));
    assert_eq!(status("fourth"), 200);
    // As Kubernetes mounts it.
    let target = open.node.dir.path().join("mounted");
    put(&target, "fifth", 0o440);
    fs::remove_file(&open.token_file).unwrap();
    std::os::unix::fs::symlink(&target, &open.token_file).unwrap();
    open.until(|_| status("fifth") == 200);
    open.until(|open| open.troubles() == "[]");
}

/// From an address of its own: the balancer that asks meanwhile is another host.
fn connect_from(address: [u8; 4], port: u16) -> TcpStream {
    use rustix::net::sockopt::{set_socket_linger, set_socket_reuseaddr};
    use rustix::net::{AddressFamily, SocketType, bind, connect, socket};
    use std::net::SocketAddr;
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    // No port is kept from other specs once it is closed.
    set_socket_linger(&socket, Some(Duration::ZERO)).unwrap();
    set_socket_reuseaddr(&socket, true).unwrap();
    bind(&socket, &SocketAddr::from((address, 0))).unwrap();
    connect(&socket, &SocketAddr::from(([127, 0, 0, 1], port))).unwrap();
    TcpStream::from(socket)
}

/// What begins each of ten thousand connections that go no further.
fn slow_clients(node: &Node, first_bytes: &[u8], ask: impl Fn() -> bool + Sync) {
    const CLIENTS: usize = 10_000;
    if !cfg!(target_os = "linux") {
        return left_out("only Linux has more loopback addresses than one");
    }
    // Of this process; the daemon has its own limit.
    const OPEN_MAX: usize = 600;
    let done = std::sync::atomic::AtomicBool::new(false);
    let began = Instant::now();
    let (slowest, answers) = std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let (mut slowest, mut answers) = (Duration::ZERO, 0);
            while !done.load(std::sync::atomic::Ordering::Relaxed) || answers == 0 {
                let began = Instant::now();
                assert!(ask(), "no answer");
                slowest = slowest.max(began.elapsed());
                answers += 1;
                pause();
            }
            (slowest, answers)
        });
        let mut open = VecDeque::new();
        for _ in 0..CLIENTS {
            let mut stream = connect_from([127, 0, 0, 9], node.port);
            // It may have been turned away already.
            let _ = stream.write_all(first_bytes);
            open.push_back(stream);
            if open.len() > OPEN_MAX {
                open.pop_front();
            }
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
        asking.join().unwrap()
    });
    let took = began.elapsed();
    println!(
        "{CLIENTS} clients in {took:?} went no further; {answers} answers meanwhile, the slowest after {slowest:?}"
    );
    assert!(slowest < ANSWER_WITHIN, "{slowest:?}");
}

#[test]
fn ten_thousand_handshakes_without_end_keep_nobody_waiting() {
    let open = Open::started();
    // The head of a ClientHello of 512 bytes, and two of them.
    slow_clients(&open.node, &[22, 3, 1, 2, 0, 1, 0], || {
        open.ask("/ready", None)
            .inspect_err(|error| println!("{error}"))
            .is_ok_and(|answer| answer.status == 200)
    });
}

#[test]
fn ten_thousand_heads_without_end_keep_nobody_waiting() {
    let node = Node::start(PROBES);
    slow_clients(&node, b"GET /ready HTTP/1.1\r\nHost: loc", || {
        node.try_get("/ready").is_some_and(|answer| answer.status == 200)
    });
}

#[test]
fn a_node_is_asked_by_its_names_and_no_others() {
    let node = Node::start(&format!("node: mac-3\nhosts: [ready.example.net]\n{PROBES}"));
    let ask = |head: &str| -> Answer {
        let head = format!("{head}\n\n").replace('\n', "\r\n");
        node.request(&head).unwrap_or_else(|| panic!("no answer to {head:?}"))
    };
    // The whole status, and the answer of `/ready`: whole, bare or refused.
    let seen = |version: &str, target: &str, hosts: &str| {
        let at = |path: &str| {
            let head = format!("GET {target}{path} HTTP/{version}\n{hosts}Connection: close");
            let answer = ask(&head);
            (answer.status, answer.body.contains("\"node\": \"mac-3\""))
        };
        match (at("/v1/status"), at("/ready")) {
            ((200, true), (200, true)) => "all",
            ((421, false), (200, false)) => "bare",
            ((400, false), (400, false)) => "refused",
            other => panic!("{target} {hosts:?}: {other:?}"),
        }
    };
    let (all, bare, refused) = ("all", "bare", "refused");
    for (host, expected) in [
        ("127.0.0.1", all),
        ("127.0.0.1:9099", all),
        ("[::1]", all),
        ("[::1]:80", all),
        ("[2001:db8::7]:443", all),
        ("::1", all),
        ("localhost", all),
        ("LocalHost.:9099", all),
        ("mac-3", all),
        ("MAC-3:1", all),
        ("mac-3.", all),
        ("ready.example.net", all),
        ("READY.example.NET.:443", all),
        ("", bare),
        (".", bare),
        ("evil.example", bare),
        ("evil.example:9099", bare),
        ("localhost.evil.example", bare),
        ("mac-3.evil.example", bare),
        ("xready.example.net", bare),
        ("127.0.0.1.evil.example", bare),
        ("[::1].evil.example", bare),
        ("[::1", bare),
        ("localhost:80:80", bare),
        ("localhost:x", bare),
        ("user@localhost", bare),
        ("localhost..", bare),
        ("0x7f.1", bare),
        ("localhost, evil.example", bare),
    ] {
        assert_eq!(seen("1.1", "", &format!("Host: {host}\n")), expected, "{host:?}");
        assert_eq!(
            seen("1.0", "", &format!("Host: {host}\n")),
            expected,
            "{host:?} in HTTP/1.0"
        );
    }
    // None: HTTP/1.0, and load balancers that say 1.1 and mean it.
    assert_eq!(seen("1.0", "", ""), all);
    assert_eq!(seen("1.1", "", ""), all);
    // More than one, even when they are the same (RFC 9112 §3.2).
    assert_eq!(seen("1.1", "", "Host: localhost\nHost: evil.example\n"), refused);
    assert_eq!(seen("1.1", "", "Host: localhost\nHost: localhost\n"), refused);
    // A target with a name of its own: both must be ours.
    assert_eq!(seen("1.1", "http://localhost", "Host: localhost\n"), all);
    assert_eq!(seen("1.1", "http://mac-3:9099", "Host: localhost\n"), all);
    assert_eq!(seen("1.1", "http://evil.example", "Host: localhost\n"), bare);
    assert_eq!(seen("1.1", "http://localhost", "Host: evil.example\n"), bare);
    assert_eq!(seen("1.1", "http://localhost@evil.example", "Host: localhost\n"), bare);
}

#[test]
fn another_nodes_digest_comes_over_tls() {
    let open = Open::started();
    let near_token = open.node.dir.path().join("near.token");
    put(&near_token, BEARER, 0o600);
    let source = |more: &str| {
        format!(
            "node: mac-2\ntenants: {{acme: {{}}}}\nprobes: {{doctor: {{enabled: false}}}}\n\
             digest: {{stale_after: 8s, source: 'https://localhost:{}', source_token_file: {}{more}}}\n",
            open.node.port,
            near_token.display()
        )
    };
    let near = Node::start(&source(&format!(
        ", source_ca_file: {}",
        open.authority.file().display()
    )));
    open.node
        .cli_ok(&["emit", "--tenant", "acme", "--endpoint", "crm", "--status", "503"]);
    near.until("/v1/webhook-digest", PATIENCE, |answer| {
        answer.json()["totals"]["failures"] == 1
    });
    // Without the authority it is believed by nobody, and the bearer is sent to nobody.
    near.configure(&source(""));
    near.cli_ok(&["reload"]);
    near.until("/ready", PATIENCE, |answer| answer.body.contains("not had for"));
}
