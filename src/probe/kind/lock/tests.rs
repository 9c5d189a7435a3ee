#![expect(
    clippy::disallowed_methods,
    reason = "specs of a shell: real files, a CLI, a gateway on loopback"
)]

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::super::Scene;
use super::*;
use crate::config::{Dialect, Openclaw, Posture};
use crate::link::place::{Address, Trust};
use crate::probe::declaration::{Target, TenantTarget};
use crate::probe::openclaw::Dialects;
use crate::words::Answer;

const FULL: &str = "\
openclaw: {cli: 2026.9.6, build: eb377ac, daemon: 'sha256:ab'}
gateway: {version: 2026.9.6, build: eb377ac}
companion: {version: 1.4.2}
swift: {runtime: 6.0}
checksums:
  /opt/x: sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855
";
const EMPTY_SUM: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn pins(text: &str) -> Pins {
    Pins::parse("openclaw.lock", text.as_bytes()).unwrap()
}

#[test]
fn a_lock_is_read_and_what_is_written_reads_back_the_same() {
    let full = pins(FULL);
    assert_eq!(full.build.as_deref(), Some("eb377ac"));
    assert_eq!(full.swift.as_deref(), Some("6.0"), "a version is no number");
    assert_eq!(full.checksums[Path::new("/opt/x")], EMPTY_SUM);
    assert_eq!(pins(&full.render()), full);
    for key in format::LOCK {
        let text = format!("{}: {}\n", key.name, key.example);
        assert_eq!(pins(&pins(&text).render()), pins(&text), "{text}");
    }
    for nothing in ["", "# nothing is pinned\n", "openclaw:\nchecksums:\n"] {
        assert_eq!(pins(nothing), Pins::default(), "{nothing}");
    }
    let printed = pins("openclaw: {cli: 2026.9.6 (eb377ac)}");
    assert_eq!(
        (printed.cli.as_deref(), printed.build.as_deref()),
        (Some("2026.9.6"), Some("eb377ac"))
    );
}

#[test]
fn what_is_wrong_with_a_lock_is_said_with_its_line() {
    let table: [(&[u8], &str); 10] = [
        (
            b"openclaw:\n  cil: 1\n",
            "openclaw.lock:2: openclaw.cil: unknown key; did you mean `cli`?",
        ),
        (
            b"gatway: {version: 1}",
            "openclaw.lock:1: gatway: unknown key; did you mean `gateway`?",
        ),
        (b"openclaw: 2026.9.6", "openclaw: expected a map"),
        (b"openclaw: {cli: [1]}", "openclaw.cli: expected a line of text"),
        (
            b"\nchecksums: {x: y}",
            "openclaw.lock:2: checksums.x: the key must be an absolute path",
        ),
        (
            b"checksums: {/x: sha256:12}",
            "expected sha256: and 64 hexadecimal digits",
        ),
        (b"openclaw: {build: a b}", "expected a build without spaces"),
        (b"a: b: c", "openclaw.lock:1: not YAML"),
        (b"\x7fELF\x01\x02", "control character"),
        (b"swift: {runtime: 6.0", "openclaw.lock:2: not YAML"),
    ];
    for (text, expected) in table {
        let said = Pins::parse("openclaw.lock", text).unwrap_err().to_string();
        assert!(said.contains(expected), "{said}");
    }
}

fn seen(cli: &str, gateway: Running) -> Seen {
    Seen {
        cli: Ok(Release::of_words(cli)),
        gateway,
        files: Vec::new(),
    }
}

fn runs(version: &str) -> Running {
    Running::Runs(Runs {
        version: version.to_owned(),
        build: None,
        build_was_told: false,
    })
}

fn told(finding: &Finding) -> String {
    let notes: Vec<String> = finding.notes.iter().map(|note| format!("\n  note: {note}")).collect();
    format!("{}: {}{}", finding.answer, finding.summary, notes.concat())
}

#[test]
fn each_part_is_compared_by_itself_and_the_summary_names_both_versions() {
    let both = "openclaw: {cli: 2026.9.6, build: eb377ac}\ngateway: {version: 2026.9.6}\n";
    let silent = || Running::Silent(Cause::Timeout, "no answer within 5000 ms".to_owned());
    let table = [
        (
            both,
            "2026.9.6 (eb377ac)",
            runs("2026.9.6"),
            "ok: 3 entries of the lock match; the CLI is 2026.9.6, gateway 2026.9.6 runs",
        ),
        (
            both,
            "2026.9.6 (eb377ac)",
            runs("2026.7.35"),
            "degraded: gateway 2026.7.35 runs, the lock wants 2026.9.6",
        ),
        (
            both,
            "2026.10.1 (abcdef1)",
            runs("2026.9.6"),
            "degraded: the CLI is 2026.10.1, the lock wants 2026.9.6 (and 1 more)",
        ),
        (
            both,
            "2026.9.6 (eb377ac)",
            Running::NotRunning,
            "ok: 2 entries of the lock match; the CLI is 2026.9.6, no gateway runs\n  note: the gateway is not running",
        ),
        (
            both,
            "2026.9.6 (eb377ac)",
            silent(),
            "unknown: the gateway cannot be asked for: no answer within 5000 ms",
        ),
        (
            both,
            "2026.9.1 (eb377ac)",
            silent(),
            "degraded: the CLI is 2026.9.1, the lock wants 2026.9.6",
        ),
        (
            "openclaw: {build: eb377ac12}",
            "2026.9.6 (EB377AC)",
            Running::Nowhere,
            "ok: 1 entry of the lock match; the CLI is 2026.9.6, no gateway is known",
        ),
        (
            "swift: {runtime: 6.0.3}",
            "2026.9.6",
            Running::Nowhere,
            "ok: 0 entries of the lock match; the CLI is 2026.9.6, no gateway is known\n  note: the Swift runtime cannot be compared here: the CLI does not say it",
        ),
        (
            "openclaw: {cli: 2026.9.6}",
            "2026.9.6",
            runs("2026.9.5"),
            "degraded: gateway 2026.9.5 runs, the CLI is 2026.9.6: restart the gateway, or put the other openclaw on the path",
        ),
        (
            "openclaw: {cli: 2026.9.6}\ngateway: {version: 2026.9.5}",
            "v2026.9.6",
            runs("2026.9.5"),
            "ok: 2 entries of the lock match; the CLI is 2026.9.6, gateway 2026.9.5 runs",
        ),
        (
            "gateway: {build: eb377ac}",
            "2026.9.6",
            runs("2026.9.6"),
            "ok: 0 entries of the lock match; the CLI is 2026.9.6, gateway 2026.9.6 runs\n  note: the gateway build cannot be compared: only a link with a token tells it",
        ),
    ];
    for (lock, cli, gateway, expected) in table {
        let finding = compare::judge(Some(&pins(lock)), &seen(cli, gateway), Verdict::Degraded);
        assert_eq!(told(&finding), expected, "{lock}");
    }
}

#[test]
fn without_a_lock_a_skew_is_a_note_and_silence_no_fault() {
    let same = compare::judge(None, &seen("2026.9.6", runs("2026.9.6")), Verdict::Degraded);
    assert_eq!(told(&same), "ok: the CLI is 2026.9.6, gateway 2026.9.6 runs");
    let skewed = compare::judge(None, &seen("2026.9.6", runs("2026.9.5")), Verdict::Degraded);
    assert!(told(&skewed).starts_with("ok: the CLI is 2026.9.6, gateway 2026.9.5 runs\n  note: gateway 2026.9.5 runs"));
    let nothing = Seen {
        cli: Err((Cause::Spawn, "openclaw is not on the path".to_owned())),
        gateway: Running::Silent(Cause::Timeout, String::new()),
        files: Vec::new(),
    };
    let silent = compare::judge(None, &nothing, Verdict::Degraded);
    assert_eq!(
        told(&silent),
        "ok: the CLI cannot be asked, the gateway does not answer\n  note: the CLI cannot be asked: openclaw is not on the path"
    );
    let asked = compare::judge(Some(&pins("openclaw: {cli: 1}")), &nothing, Verdict::Degraded);
    assert_eq!((asked.answer, asked.cause), (Answer::Unknown, Some(Cause::Spawn)));
}

#[test]
fn who_lets_the_probe_count_down_blocks_on_drift_and_on_nothing_else() {
    let lock = pins("openclaw: {cli: 2026.9.6}");
    let of = |cli| compare::judge(Some(&lock), &seen(cli, Running::NotRunning), Verdict::Down).answer;
    assert_eq!((of("2026.9.6"), of("2026.9.5")), (Answer::Ok, Answer::Down));
}

#[test]
fn a_file_is_read_again_only_when_it_has_changed_and_a_bad_one_is_said_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("empty"), "").unwrap();
    std::os::unix::fs::symlink(path("loop"), path("loop")).unwrap();
    let sums = Sums::default();
    let of = |name: &str| sums.of_all(vec![path(name)]).pop().unwrap().1;
    assert_eq!(of("empty"), Sum::Of(EMPTY_SUM.to_owned()));
    assert_eq!(of("empty"), Sum::Of(EMPTY_SUM.to_owned()));
    std::fs::write(path("empty"), "x").unwrap();
    assert_ne!(of("empty"), Sum::Of(EMPTY_SUM.to_owned()));
    assert_eq!(of("missing"), Sum::Missing);
    for name in ["loop", "."] {
        assert!(matches!(of(name), Sum::Unreadable(Cause::Misconfigured, _)), "{name}");
    }
    let huge = std::fs::File::create(path("huge")).unwrap();
    huge.set_len(SUMMED_BYTES_MAX + 1).unwrap();
    assert!(matches!(of("huge"), Sum::Unreadable(Cause::Misconfigured, why) if why.contains("256 MiB")));
    let lock = pins(&format!(
        "checksums: {{/gone: sha256:{EMPTY_SUM}, /other: sha256:{EMPTY_SUM}}}"
    ));
    let files = vec![
        (PathBuf::from("/gone"), Sum::Missing),
        (PathBuf::from("/other"), Sum::Of("ab".repeat(32))),
    ];
    let found = compare::judge(
        Some(&lock),
        &Seen {
            files,
            ..seen("1", Running::NotRunning)
        },
        Verdict::Degraded,
    );
    assert_eq!(
        found.summary,
        "/gone, of which the lock has a checksum, is not there (and 1 more)"
    );
}

/// A tenant, a CLI and a lock in one folder.
struct Bench {
    folder: tempfile::TempDir,
    tools: Tools,
    scene: Scene,
    lock: Lock,
}

impl Bench {
    fn new(version: &str) -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let draft = folder.path().join("draft");
        let script = format!("#!/bin/sh\n[ \"$1\" = --version ] && echo 'OpenClaw {version}'\n");
        std::fs::write(&draft, script).unwrap();
        // By a process of its own: see the specs of exec.
        let installed = std::process::Command::new("install")
            .args(["-m", "755"])
            .args([&draft, &folder.path().join("openclaw")])
            .status();
        assert!(installed.unwrap().success());
        let mut scene = Scene::of(Target::of(TenantTarget::specimen("acme")));
        scene.means.lock_places = vec![folder.path().join("openclaw.lock")];
        Bench {
            tools: Tools {
                path: vec![folder.path().into()],
                home: "/".into(),
                lang: "C".into(),
                openclaw: Openclaw {
                    command: "openclaw".into(),
                    // Told what it speaks, and asked for its version all the same.
                    dialect: Dialect::Openclaw,
                    posture: Posture::Relaxed,
                },
                dialects: Dialects::default(),
                kept: Default::default(),
            },
            scene,
            lock: Lock::default(),
            folder,
        }
    }

    fn write(&self, lock: impl AsRef<[u8]>) {
        std::fs::write(self.folder.path().join("openclaw.lock"), lock).unwrap();
    }

    async fn ask(&self) -> String {
        let finding = ask(&self.lock, Verdict::Degraded, &self.scene.ask(), &self.tools).await;
        format!("{}: {}", finding.answer, finding.summary).replace(self.folder.path().to_str().unwrap(), "D")
    }

    fn tenant(&mut self, change: impl FnOnce(&mut TenantTarget)) {
        if let Target::Tenant(tenant) = &mut self.scene.target {
            change(tenant);
        }
    }
}

async fn gateway_that_says(body: &'static str) -> u16 {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 1024]).await;
            let head = format!("HTTP/1.1 200 X\r\ncontent-length: {}\r\n\r\n", body.len());
            let _ = stream.write_all((head + body).as_bytes()).await;
        }
    });
    port
}

#[tokio::test]
async fn the_cli_and_the_gateway_of_this_host_are_asked_and_a_link_that_stands_knows_better() {
    let mut bench = Bench::new("2026.9.6 (eb377ac)");
    let port = gateway_that_says(r#"{"ok":true,"status":"started","version":"2026.7.35","uptimeMs":1}"#).await;
    bench.tenant(|tenant| tenant.place = Some(Place::loopback(port)));
    assert_eq!(bench.ask().await, "ok: the CLI is 2026.9.6, gateway 2026.7.35 runs");
    bench.write("openclaw: {cli: 2026.9.6}\ngateway: {version: 2026.9.6}\n");
    assert_eq!(
        bench.ask().await,
        "degraded: gateway 2026.7.35 runs, the lock wants 2026.9.6"
    );
    let facts = LinkFacts {
        connected: true,
        version: "2026.9.6".to_owned(),
        build_id: "eb377ac".to_owned(),
        ..LinkFacts::default()
    };
    bench.tenant(|tenant| tenant.link = Some(facts.clone()));
    assert!(bench.ask().await.starts_with("ok: 2 entries"));
    let gone = LinkFacts {
        connected: false,
        ..facts
    };
    bench.tenant(|tenant| tenant.link = Some(gone));
    assert!(
        bench.ask().await.starts_with("degraded: gateway 2026.7.35"),
        "a link that fell knows yesterday's"
    );
    let elsewhere = Place::new(Address::parse("wss://gateway.example:1").unwrap(), Trust::System);
    bench.tenant(|tenant| tenant.place = elsewhere.ok());
    assert!(
        bench
            .ask()
            .await
            .starts_with("unknown: the gateway cannot be asked for")
    );
    bench.tenant(|tenant| tenant.link = None);
    assert!(bench.ask().await.starts_with("ok: 1 entry"));
}

#[tokio::test]
async fn a_gateway_that_says_something_else_is_not_compared() {
    let mut bench = Bench::new("2026.9.6");
    bench.write("gateway: {version: 2026.9.6}");
    for body in ["<html>", "{}", r#"{"status":7}"#, r#"{"status":"starting"}"#] {
        let port = gateway_that_says(body).await;
        bench.tenant(|tenant| tenant.place = Some(Place::loopback(port)));
        assert_eq!(
            bench.ask().await,
            "ok: 0 entries of the lock match; the CLI is 2026.9.6, the gateway does not say its version",
            "{body}"
        );
    }
}

#[tokio::test]
async fn a_lock_that_cannot_be_used_is_never_as_good_as_none() {
    let mut bench = Bench::new("2026.9.6");
    let path = bench.folder.path().join("openclaw.lock");
    bench.write("openclaw:\n  clii: 1\n");
    assert_eq!(
        bench.ask().await,
        "degraded: the lock cannot be used: D/openclaw.lock:2: openclaw.clii: unknown key; did you mean `cli`?"
    );
    bench.write(vec![b'#'; format::FILE_BYTES_MAX + 1]);
    assert!(
        bench
            .ask()
            .await
            .starts_with("unknown: D/openclaw.lock is longer than 65536 bytes")
    );
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink(&path, &path).unwrap();
    assert!(bench.ask().await.starts_with("unknown: D/openclaw.lock cannot be read"));
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert_eq!(
        bench.ask().await,
        "unknown: D/openclaw.lock cannot be read: it is a directory"
    );
    std::fs::remove_dir(&path).unwrap();
    bench.lock.file = Some(path.clone());
    assert_eq!(bench.ask().await, "degraded: D/openclaw.lock: there is no lock");
    bench.lock.file = None;
    assert!(bench.ask().await.starts_with("ok: the CLI is 2026.9.6"));
    bench.tools.path.clear();
    assert!(bench.ask().await.starts_with("ok: the CLI cannot be asked"));
    bench.write("openclaw: {cli: 2026.9.6}");
    assert!(bench.ask().await.starts_with("unknown: the CLI cannot be asked for"));
}

#[test]
fn a_lock_lies_beside_the_config_and_else_in_etc() {
    let shown = |config: Option<&str>| -> Vec<String> {
        let places = places(config.map(Path::new));
        places.iter().map(|place| place.display().to_string()).collect()
    };
    assert_eq!(shown(Some("/srv/readyd.yaml")), ["/srv/openclaw.lock", ETC]);
    assert_eq!(shown(Some("readyd.yaml")), [NAME, ETC]);
    assert_eq!(shown(Some("/etc/openclaw/readyd.yaml")), [ETC]);
    assert_eq!(shown(None), [ETC]);
}

#[test]
fn a_build_that_a_link_told_is_unknown_and_not_well_while_the_link_is_away() {
    let pins = pins("gateway: {version: 2026.9.6, build: eb377ac}");
    let away = Runs {
        version: "2026.9.6".to_owned(),
        build: None,
        build_was_told: true,
    };
    let finding = compare::judge(Some(&pins), &seen("2026.9.6", Running::Runs(away)), Verdict::Degraded);
    assert_eq!((finding.answer, finding.cause), (Answer::Unknown, Some(Cause::Local)));
    assert!(
        finding.summary.contains("the link that told it is away"),
        "{}",
        finding.summary
    );
}
