//! Secrets that are planted wherever text comes in are found nowhere that readyd writes or answers.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use readyd::http::route::{Surface, listing};

use crate::harness::{Node, PATIENCE};

/// Each in its own place, so that a leak names it.
const PLANTED: &[(&str, &str)] = &[
    ("a bearer in an error", "a1B2c3D4e5F6errorbearer"),
    ("basic credentials in an error", "YW5uOnM3Y3IzdHBhc3N3MHJk"),
    ("a query's secret in an error", "q0error9secret8value"),
    ("a password in an error's URL", "pw5error6in7url"),
    ("an API key in an error", "sk-err0rkey12345678abcd"),
    ("a password in an endpoint", "pw1endpoint2user"),
    ("a query's secret of an endpoint", "q1endpoint2token"),
    ("a fragment of an endpoint", "f1endpoint2fragment"),
    ("a token in an endpoint's path", "xoxb-123456789012-endpointpath"),
    ("a bearer in a gateway's name", "g1gateway2bearer3"),
    ("a bearer in a request id", "r1request2bearer3"),
    ("a secret in a task id", "t1task2secret3value"),
    ("a bad kind", "k1kind2secret3"),
    ("a bad time", "s1time2secret3"),
    ("a tenant that is none", "T1TENANT2SECRET3"),
    ("a delivery's body", "b1body2secret3"),
    ("a delivery's header", "h1header2secret3"),
    ("a line that is no JSON", "j1broken2secret3"),
    ("an env file's token", "env1file2token3value"),
    ("a bearer that a doctor prints", "d1doctor2bearer3"),
    ("a password that a doctor prints", "d1doctor2password3"),
    ("a URL that a doctor prints", "d1doctor2url3pw"),
    ("what a doctor says when it cannot", "d1stderr2secret3"),
    ("a token file", "c1current2token3"),
    ("a token to come", "n1next2token3"),
    ("a retired token", "p1prev2token3"),
    ("a token that everybody may read", "w1world2readable3"),
    ("a token in two halves", "h1torn2half3"),
    ("a key in JSON", "j1json2key3"),
    ("a file beside the tokens", "o1other2file3"),
];

fn planted(place: &str) -> &'static str {
    PLANTED
        .iter()
        .find(|(name, _)| *name == place)
        .unwrap_or_else(|| panic!("{place}?"))
        .1
}

fn events() -> Vec<String> {
    let base = |field: &str, value: serde_json::Value| {
        let mut event = serde_json::json!({"tenant": "acme", "endpoint": "crm", "status": 503});
        event[field] = value;
        event.to_string()
    };
    let error = format!(
        "POST https://ann:{}@h/x?token={} failed: Authorization: Bearer {}",
        planted("a password in an error's URL"),
        planted("a query's secret in an error"),
        planted("a bearer in an error"),
    );
    let more = format!(
        "sent basic {} and {}",
        planted("basic credentials in an error"),
        planted("an API key in an error")
    );
    let endpoint = format!(
        "https://ann:{}@crm.example/hook/{}?access_token={}#{}",
        planted("a password in an endpoint"),
        planted("a token in an endpoint's path"),
        planted("a query's secret of an endpoint"),
        planted("a fragment of an endpoint"),
    );
    vec![
        base("error", error.into()),
        base("error", more.into()),
        base("endpoint", endpoint.into()),
        base(
            "gateway",
            format!("gw Bearer {}", planted("a bearer in a gateway's name")).into(),
        ),
        base(
            "request_id",
            format!("Bearer {}", planted("a bearer in a request id")).into(),
        ),
        base("task_id", format!("token={}", planted("a secret in a task id")).into()),
        base("kind", planted("a bad kind").into()),
        base("ts", planted("a bad time").into()),
        base("tenant", planted("a tenant that is none").into()),
        base("body", serde_json::json!({"password": planted("a delivery's body")})),
        base("headers", serde_json::json!({"x-key": planted("a delivery's header")})),
        format!("{{\"token\": \"{}\"", planted("a line that is no JSON")),
    ]
}

/// A doctor that tells all it knows: first a report full of secrets, later an end with a complaint.
fn doctor(tools: &Path) {
    let says = format!(
        r#"{{"ok":false,"findings":[{{"checkId":"core/auth","severity":"error","message":"sent Authorization: Bearer {} with password={} to https://ann:{}@h/x, token is '$GATEWAY_TOKEN'"}}]}}"#,
        planted("a bearer that a doctor prints"),
        planted("a password that a doctor prints"),
        planted("a URL that a doctor prints"),
    );
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = version ] && echo '{{\"version\":\"9.9.9\"}}' && exit 0\n\
         if [ -e {broken} ]; then echo \"cannot: secret={stderr} $GATEWAY_TOKEN\" >&2; exit 3; fi\n\
         cat <<END\n{says}\nEND\n",
        broken = tools.join("broken").display(),
        stderr = planted("what a doctor says when it cannot"),
    );
    let path = tools.join("openclaw");
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Credentials as a tenant keeps them, with all that may be wrong with them, so that each is spoken of.
fn credentials(secrets_dir: &Path) {
    let folder = secrets_dir.join("acme");
    fs::create_dir_all(&folder).unwrap();
    for (name, mode, text) in [
        ("token.current", 0o600, planted("a token file").to_owned()),
        ("token.next", 0o640, format!("{}\n", planted("a token to come"))),
        ("token.prev", 0o600, planted("a retired token").to_owned()),
        (
            "slack.current",
            0o644,
            planted("a token that everybody may read").to_owned(),
        ),
        // The same secret twice, and one beside itself.
        ("copy.current", 0o600, planted("a token file").to_owned()),
        ("copy.next", 0o600, planted("a token file").to_owned()),
        (
            "torn.current",
            0o600,
            format!("{0}\n{0}", planted("a token in two halves")),
        ),
        (
            "json.current",
            0o600,
            format!("{{\"key\": \"{}", planted("a key in JSON")),
        ),
        ("other.txt", 0o666, planted("a file beside the tokens").to_owned()),
    ] {
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
}

/// Every file below these.
pub(crate) fn files(below: &[PathBuf]) -> Vec<PathBuf> {
    let mut directories = below.to_vec();
    let mut files = Vec::new();
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                directories.push(path);
            } else if path.is_file() {
                files.push(path);
            }
        }
    }
    files
}

/// Every question there is, by the table of routes, about every check, on both surfaces, in every form.
fn answers(node: &Node, all: &mut BTreeMap<String, Vec<u8>>) {
    let checks = node.get("/v1/checks").json();
    let mut names: Vec<&str> = checks["checks"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|check| check["check"].as_str())
        .collect();
    names.sort_unstable();
    names.dedup();
    let mut targets: Vec<String> = Vec::new();
    for route in listing(Surface::Control) {
        let Some(pattern) = route.strip_prefix("GET ") else {
            continue;
        };
        let of_acme = pattern.replace("{tenant}", "acme");
        match pattern.contains("{check}") {
            true => targets.extend(names.iter().map(|name| of_acme.replace("{check}", name))),
            false => targets.push(of_acme),
        }
    }
    targets.retain(|target| target != "/v1/stream");
    let queries = ["?limit=100", "?scope=local", "?window=last"].map(|query| format!("/v1/webhook-digest{query}"));
    targets.extend(queries);
    targets.push("/ready?verbose".into());
    for target in targets {
        for form in ["*/*", "text/plain", "application/health+json", "text/html"] {
            let head =
                format!("GET {target} HTTP/1.1\r\nhost: localhost\r\naccept: {form}\r\nconnection: close\r\n\r\n");
            let answer = node.request(&head).unwrap_or_else(|| panic!("no answer to {target}"));
            all.insert(format!("{target} as {form}"), format!("{answer:?}").into_bytes());
        }
        let answer = node.control("GET", &target, "");
        all.insert(format!("{target} on control.sock"), format!("{answer:?}").into_bytes());
    }
    let mut stream = std::net::TcpStream::connect(node.address()).unwrap();
    stream
        .write_all(b"GET /v1/stream HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let event = lines.find(|line| line.starts_with("data: ")).expect("an event");
    all.insert("/v1/stream".into(), event.into_bytes());
}

/// What of it holds which of the `planted` (name, secret).
pub(crate) fn leaks(planted: &[(&str, &str)], gathered: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
    let of = |(name, secret): &(&str, &str)| {
        let holds = |bytes: &Vec<u8>| memchr::memmem::find(bytes, secret.as_bytes()).is_some();
        let places = gathered.iter().filter(|(_, bytes)| holds(bytes));
        places
            .map(|(place, _)| format!("{name} is in {place}"))
            .collect::<Vec<_>>()
    };
    planted.iter().flat_map(of).collect()
}

/// Everything that can be had of the node, by where it was had.
pub(crate) fn gathered(node: &Node) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    for path in files(&[node.state_dir(), node.runtime_dir()]) {
        all.insert(path.display().to_string(), fs::read(&path).unwrap());
    }
    all.insert("the log".into(), fs::read(node.log_path()).unwrap());
    answers(node, &mut all);
    for arguments in [
        &["bundle", "--output", "-"][..],
        &["status"],
        &["status", "--json"],
        &["why"],
        &["digest"],
        &["explain", "doctor@acme"],
        &["explain", "token-rotation@acme"],
        &["probe", "run", "token-rotation@acme"],
        &["config", "show"],
        &["config", "check"],
        &["check", "--format", "json"],
    ] {
        let output = node.cli(arguments);
        let said = [output.stdout, output.stderr].concat();
        assert!(!said.is_empty(), "{arguments:?} says nothing");
        all.insert(format!("readyd {}", arguments.join(" ")), said);
    }
    all
}

fn assert_clean(node: &Node) {
    let leaks = leaks(PLANTED, &gathered(node));
    assert!(leaks.is_empty(), "{leaks:#?}");
}

#[test]
fn planted_secrets_are_found_nowhere() {
    let tools = tempfile::tempdir().unwrap();
    doctor(tools.path());
    let env_file = tools.path().join("acme.env");
    fs::write(&env_file, format!("GATEWAY_TOKEN={}\n", planted("an env file's token"))).unwrap();
    fs::set_permissions(&env_file, fs::Permissions::from_mode(0o600)).unwrap();
    let secrets_dir = tools.path().join("secrets");
    credentials(&secrets_dir);
    let mut node = Node::prepared(&format!(
        "exec: {{path: [{}, /usr/bin, /bin]}}\nopenclaw: {{dialect: article}}\ntenants: {{acme: {{env_file: {}}}}}\n\
         secrets_dir: {}\nprobes: {{doctor: {{every: 1s, retry_every: 200ms, timeout: 10s}}}}\n",
        tools.path().display(),
        env_file.display(),
        secrets_dir.display()
    ))
    .with_env("READYD_LOG", "trace")
    .started();
    node.until("/v1/checks/doctor/acme", PATIENCE, |answer| {
        answer.json()["level"] == "down"
    });

    let (tokens, _) = node.until("/v1/checks/token-rotation/acme", PATIENCE, |answer| {
        answer.json()["level"] == "degraded"
    });
    for said in [
        "everybody may read it (0644)",
        "is the same secret as",
        "promoting it rotates nothing",
        "has several lines",
        "is JSON that ends too early",
        "rotation under way since",
    ] {
        assert!(tokens.body.contains(said), "{said}: {}", tokens.body);
    }
    let key = fs::read(node.state_dir().join("fingerprint.key")).unwrap();
    let key: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(!tokens.body.contains(&key[..12]), "{}", tokens.body);

    let mut plain = node.events();
    for line in events() {
        writeln!(plain, "{line}").unwrap();
    }
    let told = node.events();
    told.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut writer = told.try_clone().unwrap();
    writeln!(writer, r#"{{"hello":{{"producer":"gw"}}}}"#).unwrap();
    for (index, line) in events().iter().enumerate() {
        writeln!(
            writer,
            "{}",
            line.replacen('{', &format!("{{\"seq\":{},", index + 1), 1)
        )
        .unwrap();
    }
    told.shutdown(std::net::Shutdown::Write).unwrap();
    let heard: Vec<String> = BufReader::new(told).lines().map_while(Result::ok).collect();
    for (name, secret) in PLANTED {
        assert!(!heard.iter().any(|line| line.contains(secret)), "{name}: {heard:?}");
    }
    node.until("/v1/webhook-digest?limit=100", PATIENCE, |answer| {
        answer.json()["totals"]["failures"] == 2 * 8
    });
    let digest = node.get("/v1/webhook-digest?limit=100").json();
    assert!(
        digest.to_string().contains("[redacted"),
        "something was there to be redacted: {digest:#}"
    );
    let doctor = node.get("/v1/checks/doctor/acme");
    assert!(doctor.body.contains("[redacted]"), "{}", doctor.body);
    assert_clean(&node);

    fs::write(tools.path().join("broken"), "").unwrap();
    node.until("/v1/checks/doctor/acme", PATIENCE, |answer| {
        answer.json()["level"] == "unknown" && answer.body.contains("cannot")
    });
    assert_clean(&node);

    // What was held goes to the disk at the end, and comes back.
    node.stop();
    node.spawn();
    node.wait_until_it_answers();
    assert_clean(&node);
}
