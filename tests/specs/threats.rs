//! What `THREATS.md` claims: each claim has its spec, and here are those that belong nowhere else.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use rustix::thread::{Gid, Uid};

use crate::access::{BEARER, Open};
use crate::harness::authority::put;
use crate::harness::{Node, PATIENCE, left_out, repository};
use crate::secrets::{files, leaks};

const PROBES: &str = "probes: {doctor: {enabled: false}}\n";
/// `nobody`.
const STRANGER: u32 = 65_534;
/// A group that every system has, and nobody who is not told is in.
const GROUP: &str = "daemon";

/// Does `work` as another user, in a thread of its own; `None` where we may not become one.
fn as_stranger<T: Send>(group: u32, work: impl FnOnce() -> T + Send) -> Option<T> {
    if !rustix::process::geteuid().is_root() || !cfg!(target_os = "linux") {
        left_out("only root becomes another user, and only on Linux in one thread");
        return None;
    }
    let become_them = || {
        rustix::thread::set_thread_groups(&[]).unwrap();
        rustix::thread::set_thread_res_gid(None, Gid::from_raw(group), None).unwrap();
        rustix::thread::set_thread_res_uid(None, Uid::from_raw(STRANGER), None).unwrap();
    };
    std::thread::scope(|scope| {
        let them = scope.spawn(|| {
            become_them();
            work()
        });
        Some(them.join().unwrap())
    })
}

/// Everybody may walk to the node's runtime directory, as to `/run`.
fn walkable(node: &Node) {
    fs::set_permissions(node.dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
}

fn knock(path: &Path) -> Result<UnixStream, std::io::ErrorKind> {
    UnixStream::connect(path).map_err(|error| error.kind())
}

/// Whatever is heard until the other end closes.
fn told(mut stream: UnixStream, lines: &str) -> String {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(lines.as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut heard = String::new();
    stream.read_to_string(&mut heard).unwrap();
    heard
}

#[test]
fn another_user_reaches_neither_socket_unless_it_is_of_the_events_group() {
    let node = Node::start(&format!(
        "sockets: {{events_group: {GROUP}}}\ntenants: {{acme: {{}}}}\n{PROBES}"
    ));
    walkable(&node);
    let sockets = ["control.sock", "events.sock"].map(|name| node.runtime_dir().join(name));
    let seen = |group| as_stranger(group, || sockets.clone().map(|path| knock(&path).map(|_| ())));
    let group = readyd::account::gid_of(GROUP).unwrap().expect("the group is there");
    let refused = Err(std::io::ErrorKind::PermissionDenied);
    let Some(outside) = seen(STRANGER) else { return };
    assert_eq!(outside, [refused, refused], "nobody's business");
    assert_eq!(
        seen(group),
        Some([refused, Ok(())]),
        "who may report may not change state"
    );
    // And it does not look around in what the node knows.
    let listed = as_stranger(group, || {
        fs::read_dir(node.state_dir()).map(|_| ()).map_err(|error| error.kind())
    });
    assert_eq!(listed, Some(refused));
    // Nor through the command line.
    let heard = as_stranger(STRANGER, || knock(&sockets[0]).is_ok());
    assert_eq!(heard, Some(false));
    // Nobody's visit was an operation.
    assert_eq!(node.get("/ready").json()["status"], "ok");
}

#[test]
fn a_peer_reports_for_the_tenants_of_its_uid_and_takes_nobodys_sequence() {
    let node = Node::start(&format!(
        "sockets: {{events_mode: \"0666\", events_peers: {{0: [\"*\"], {STRANGER}: [beta]}}}}\n\
         tenants: {{acme: {{}}, beta: {{}}}}\n{PROBES}"
    ));
    walkable(&node);
    fs::set_permissions(node.runtime_dir(), fs::Permissions::from_mode(0o755)).unwrap();
    let event = |tenant: &str, seq: u32| {
        format!("{{\"tenant\":\"{tenant}\",\"endpoint\":\"crm\",\"status\":503,\"seq\":{seq}}}\n")
    };
    let path = node.runtime_dir().join("events.sock");
    // Ours first.
    let heard = told(
        knock(&path).unwrap(),
        &("{\"hello\":{\"producer\":\"gw\"}}\n".to_owned() + &event("acme", 1)),
    );
    assert!(heard.contains("{\"ack\":1}"), "{heard}");
    let theirs = as_stranger(STRANGER, || {
        let hello = |producer: &str| format!("{{\"hello\":{{\"producer\":\"{producer}\"}}}}\n");
        let stolen = told(knock(&path).unwrap(), &(hello("gw") + &event("beta", 2)));
        let own = told(
            knock(&path).unwrap(),
            &(hello("gw-2") + &event("acme", 1) + &event("beta", 2)),
        );
        (stolen, own)
    });
    let Some((stolen, own)) = theirs else { return };
    assert_eq!(stolen, "{\"error\":\"not_yours\"}\n");
    assert!(
        own.contains("\"seq\":1,\"line\":2,\"reason\":\"tenant_not_allowed\"") || own.contains("tenant_not_allowed"),
        "{own}"
    );
    assert!(own.contains("{\"ack\":2}"), "{own}");
    node.until("/v1/webhook-digest", PATIENCE, |answer| {
        answer.json()["totals"]["failures"] == 2
    });
    let of = |tenant: &str| {
        let digest = node.get(&format!("/v1/webhook-digest?tenant={tenant}")).json();
        digest["totals"]["failures"].clone()
    };
    assert_eq!((of("acme"), of("beta")), (1.into(), 1.into()));
}

#[test]
fn what_is_stored_is_for_its_owner_alone() {
    let mut node = Node::start(&format!("tenants: {{acme: {{}}}}\n{PROBES}"));
    node.cli_ok(&["emit", "--tenant", "acme", "--endpoint", "crm", "--status", "503"]);
    let mode = |path: &Path| fs::symlink_metadata(path).unwrap().mode() & 0o7777;
    assert_eq!(mode(&node.runtime_dir()), 0o750);
    assert_eq!(mode(&node.runtime_dir().join("control.sock")), 0o600);
    assert_eq!(mode(&node.runtime_dir().join("events.sock")), 0o660);
    assert_eq!(mode(&node.state_dir()), 0o700);
    let open: Vec<String> = files(&[node.state_dir()])
        .into_iter()
        .filter(|path| mode(path) & 0o077 != 0)
        .map(|path| format!("{} {:o}", path.display(), mode(&path)))
        .collect();
    assert_eq!(open, [""; 0]);
    // A bundle too, from its first byte on.
    let bundle = node.dir.path().join("bundle.json");
    node.cli_ok(&["bundle", "--output", &bundle.display().to_string()]);
    assert_eq!(mode(&bundle), 0o600);
    node.stop();
}

#[test]
fn it_leaves_no_core_dump_and_neither_do_its_children() {
    if !cfg!(target_os = "linux") {
        return left_out("limits of a process are read in /proc");
    }
    let dir = tempfile::tempdir().unwrap();
    let seen = dir.path().join("limits");
    let node = Node::start(&format!(
        "tenants: {{}}\nprobes:\n  limits: {{kind: exec, scope: node, lane: light, parse: exit-code, every: 1s, \
         command: [/bin/sh, -c, 'cat /proc/self/limits > {}']}}\n",
        seen.display()
    ));
    node.until("/v1/checks/limits", PATIENCE, |answer| {
        answer.status == 200 && answer.json()["level"] == "ok"
    });
    let daemon = fs::read_to_string(format!("/proc/{}/limits", node.pid())).unwrap();
    for limits in [daemon, fs::read_to_string(&seen).unwrap()] {
        let core = limits
            .lines()
            .find(|line| line.starts_with("Max core file size"))
            .unwrap();
        let fields: Vec<&str> = core.split_whitespace().collect();
        assert_eq!(&fields[4..6], ["0", "0"], "{core}");
    }
}

/// What clients send and what the files hold is found neither in the log, though it tells everything, nor in an answer.
#[test]
fn the_nodes_own_credentials_and_what_clients_send_are_found_nowhere() {
    let open = Open::prepared();
    let key = fs::read_to_string(open.node.dir.path().join("tls.key")).unwrap();
    let source_token = open.node.dir.path().join("source.token");
    put(&source_token, "m1source2bearer3", 0o600);
    let certificate = open.tls();
    open.configure(&format!(
        "tls: {certificate}\ndigest: {{source: 'http://127.0.0.1:9', source_token_file: {}}}\n",
        source_token.display()
    ));
    let mut open = Open {
        node: open
            .node
            .with_env("READYD_LOG", "trace")
            .with_env("A_TOKEN", "m1environment2token3"),
        ..open
    };
    open.node.spawn();
    open.until(|open| open.ask("/livez", None).is_ok());

    for bearer in [BEARER, "m1wrong2bearer3"] {
        open.ask("/v1/status", Some(bearer)).unwrap();
    }
    for target in [
        "/ready?token=m1query2secret3",
        "/v1/history?check=m1query2check3",
        "/m1path2secret3",
    ] {
        open.ask(target, Some(BEARER)).unwrap();
    }
    // A configuration that holds secrets where none belong is refused, and what it held is not told.
    let good = fs::read_to_string(open.node.config_path()).unwrap();
    let mut refusals = BTreeMap::new();
    for (name, bad) in [
        ("URL", "digest: {source: 'https://ann:m1config2password3@h'}"),
        ("query", "digest: {source: 'https://h/x?token=m1config2query3'}"),
        (
            "gateway",
            "tenants: {a: {gateway: 'wss://ann:m1gateway2password3@h:1'}}",
        ),
        ("unknown key", "api_token: m1unknown2token3"),
        ("not a path", "token: {value: m1nested2token3}"),
        ("no YAML", "token: \"m1broken2token3"),
    ] {
        fs::write(
            open.node.config_path(),
            format!(
                "{}\n{bad}\n",
                good.replace("digest:", "# digest:").replace("tenants:", "# tenants:")
            ),
        )
        .unwrap();
        for arguments in [&["reload"][..], &["config", "check"], &["config", "show"], &["check"]] {
            let output = open.node.cli(arguments);
            // A daemon's refusal goes by its own configuration; all others by the file that is bad.
            assert_ne!(output.status.code(), Some(0), "{name} {arguments:?}: {output:?}");
            refusals.insert(
                format!("{name}: {arguments:?}"),
                [output.stdout, output.stderr].concat(),
            );
        }
        let status = open.ask("/v1/status", Some(BEARER)).unwrap();
        refusals.insert(format!("{name}: /v1/status"), status.body);
    }
    fs::write(open.node.config_path(), &good).unwrap();
    let log = fs::read(open.node.log_path()).unwrap();
    assert!(
        memchr::memmem::find(&log, b"TRACE").is_some(),
        "the log tells all that it can tell"
    );

    let mut markers: BTreeSet<&str> = BTreeSet::new();
    markers.extend([
        BEARER,
        "m1source2bearer3",
        "m1environment2token3",
        "m1wrong2bearer3",
        "m1query2secret3",
    ]);
    markers.extend([
        "m1config2password3",
        "m1config2query3",
        "m1gateway2password3",
        "m1unknown2token3",
    ]);
    markers.extend(["m1nested2token3", "m1broken2token3"]);
    markers.extend(key.lines().filter(|line| !line.starts_with("-----")));
    let mut gathered = refusals;
    gathered.insert("the log".into(), log);
    for path in files(&[open.node.state_dir(), open.node.runtime_dir()]) {
        gathered.insert(path.display().to_string(), fs::read(&path).unwrap());
    }
    for arguments in [
        &["bundle", "--output", "-"][..],
        &["status", "--json"],
        &["config", "show"],
        &["check", "--format", "json"],
    ] {
        let output = open.node.cli(arguments);
        gathered.insert(format!("{arguments:?}"), [output.stdout, output.stderr].concat());
    }
    let named: Vec<(&str, &str)> = markers.iter().map(|marker| (*marker, *marker)).collect();
    let found = leaks(&named, &gathered);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn every_spec_that_the_threat_model_names_is_there() {
    let text = fs::read_to_string(repository().join("THREATS.md")).unwrap();
    let mut sources = String::new();
    for path in files(&[repository().join("src"), repository().join("tests")]) {
        if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push_str(&fs::read_to_string(path).unwrap());
        }
    }
    let mut named = 0;
    let mut is_claims = false;
    for row in text.lines() {
        // The last column of a table of claims: `name_of_the_spec`.
        is_claims = row.starts_with('|') && (is_claims || row.ends_with("| shown by |"));
        if !is_claims || row.ends_with("| shown by |") || row.starts_with("|--") {
            continue;
        }
        let proof = row.trim_end_matches('|').rsplit('|').next().unwrap();
        let names: Vec<&str> = proof.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "a claim without a spec: {row}");
        for name in names {
            let is_there = match name.strip_suffix(".sh") {
                Some(_) => repository().join("scripts").join(name).is_file(),
                None => sources.contains(&format!("fn {name}()")),
            };
            assert!(is_there, "THREATS.md names {name}, and there is no such spec");
            named += 1;
        }
    }
    assert!(named >= 30, "only {named} were found");
}

#[test]
fn unsafe_stands_in_two_places_and_says_why() {
    let word = concat!("un", "safe");
    let mut places = Vec::new();
    for path in files(&[
        repository().join("src"),
        repository().join("tests"),
        repository().join("benches"),
    ]) {
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let begins = |form: &str| code.contains(&format!("{word} {form}"));
            if begins("{") || begins("fn") || begins("impl") || begins("extern") {
                let why = lines[at.saturating_sub(5)..at]
                    .iter()
                    .any(|line| line.contains("// SAFETY: "));
                assert!(why, "{}:{}: why does it hold?", path.display(), at + 1);
                places.push(path.strip_prefix(repository()).unwrap().to_owned());
            }
        }
    }
    places.sort();
    assert_eq!(
        places,
        ["src/memory.rs", "src/probe/kind/clock/kernel.rs"].map(PathBuf::from)
    );
    let manifest = fs::File::open(repository().join("Cargo.toml")).unwrap();
    let denies = BufReader::new(manifest).lines().map_while(Result::ok);
    assert!(denies.into_iter().any(|line| line == format!("{word}_code = \"deny\"")));
}
