#![expect(
    clippy::disallowed_methods,
    reason = "specs of a shell: real files, a gateway on loopback"
)]

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::super::Scene;
use super::super::http::startup::{Said, Startup};
use super::*;
use crate::link::place::{Address, Place, Trust};
use crate::probe::declaration::{Instance, Target};
use crate::words::{Answer, Instant, Now};

const MINUTE: i64 = 60_000;
const NOW: Now = Now {
    at: Instant::from_millis(100_000 * MINUTE as u64),
    wall: Wall::from_millis(1_795_000_000_000),
};

fn ago(minutes: i64) -> Wall {
    NOW.wall.plus_millis(-minutes * MINUTE)
}

fn uptime(minutes: u64) -> Startup {
    Startup::Says(Said {
        status: "started".to_owned(),
        version: None,
        uptime: Some(Duration::from_secs(minutes * 60)),
    })
}

fn since(minutes: u64) -> Listener {
    Listener::Found {
        pid: 7,
        started: NOW.at.before(Duration::from_secs(minutes * 60)),
        environment: None,
    }
}

fn file(role: Role, minutes: i64, in_force: InForce) -> File {
    File {
        role,
        path: PathBuf::from("/f"),
        looked: Ok(Looked {
            modified: ago(minutes),
            fingerprint: 1,
            in_force,
        }),
        remembered: None,
    }
}

fn answer(startup: Startup, listener: Listener, file: File) -> String {
    let seen = Seen {
        startup,
        listener,
        files: vec![file],
    };
    let finding = judge::judge(&seen, NOW).finding;
    let notes: Vec<String> = finding.notes.iter().map(|note| format!(" [{note}]")).collect();
    format!("{}: {}{}", finding.answer, finding.summary, notes.concat())
}

#[test]
fn a_file_that_changed_after_the_start_that_read_it_needs_a_restart() {
    use InForce::{ByTime, No, Untold, Yes};
    use Role::{Config, Env, Token};
    let silent = || Startup::Silent(Cause::Timeout, String::new());
    let fresh = |minutes| format!("ok: the gateway runs for {minutes} min with its files as they are");
    let stale = |what, minutes| {
        format!("degraded: restart needed: the {what} changed {minutes} min ago, after the gateway started")
    };
    let table = [
        ("older", uptime(60), since(61), file(Config, 70, ByTime), fresh(60)),
        (
            "newer",
            uptime(60),
            since(61),
            file(Config, 5, ByTime),
            stale("openclaw.json", 5),
        ),
        ("taken up", uptime(60), since(61), file(Config, 5, Yes), fresh(60)),
        (
            "just now",
            uptime(60),
            since(61),
            file(Config, 0, No("refused")),
            fresh(60),
        ),
        (
            "while it started",
            uptime(60),
            since(65),
            file(Config, 62, ByTime),
            fresh(60),
        ),
        (
            "restarted within its process",
            uptime(10),
            since(600),
            file(Token, 20, ByTime),
            fresh(10),
        ),
        (
            "which reads no env file again",
            uptime(10),
            since(600),
            file(Env, 20, ByTime),
            stale("env file", 20),
        ),
        (
            "with the same values",
            uptime(10),
            since(600),
            file(Env, 20, Yes),
            fresh(10),
        ),
        (
            "no uptime, while it starts",
            silent(),
            since(60),
            file(Config, 59, ByTime),
            fresh(60),
        ),
        (
            "no uptime, later",
            silent(),
            since(60),
            file(Config, 58, ByTime),
            stale("openclaw.json", 58),
        ),
        (
            "no process to be seen",
            uptime(60),
            Listener::Hidden(String::new()),
            file(Env, 5, ByTime),
            stale("env file", 5),
        ),
        (
            "refused",
            uptime(60),
            since(61),
            file(Config, 5, No("it was refused")),
            stale("openclaw.json", 5) + ": it was refused",
        ),
        (
            "nobody tells",
            uptime(60),
            since(61),
            file(Config, 5, Untold("not written down")),
            fresh(60) + " [the openclaw.json changed 5 min ago, after the gateway started: not written down]",
        ),
        (
            "from the future",
            uptime(60),
            since(61),
            file(Env, -5, ByTime),
            fresh(60) + " [the env file bears a time to come: not judged, a clock was set back]",
        ),
        (
            "locked",
            uptime(60),
            since(61),
            file(Config, 5, InForce::Unknown(Cause::Timeout, "it is locked")),
            "unknown: the openclaw.json changed 5 min ago, after the gateway started: it is locked".to_owned(),
        ),
    ];
    for (what, startup, listener, file, expected) in table {
        assert_eq!(answer(startup, listener, file), expected, "{what}");
    }
}

#[test]
fn where_no_gateway_runs_or_nobody_can_look_nothing_is_found_fault_with() {
    let any = || file(Role::Config, 0, InForce::ByTime);
    assert_eq!(
        answer(Startup::NotRunning, Listener::Nobody, any()),
        "ok: no gateway runs: there is no process that could be out of date"
    );
    let hidden = Listener::Hidden("another user's".to_owned());
    assert_eq!(
        answer(Startup::Stranger("404".to_owned()), hidden, any()),
        "ok: not judged: it cannot be seen from here since when the gateway runs \
         [another user's, and the gateway does not tell its uptime at /startupz]"
    );
    for (blind, note) in [
        (Blind::Missing, " [there is no openclaw.json /f]"),
        (
            Blind::Refused("cannot be read: x".to_owned()),
            " [the openclaw.json /f is not judged: cannot be read: x]",
        ),
    ] {
        let unseen = File {
            looked: Err(blind),
            ..any()
        };
        let expected = format!("ok: the gateway runs for 60 min with its files as they are{note}");
        assert_eq!(answer(uptime(60), since(61), unseen), expected);
    }
}

#[test]
fn a_content_that_was_there_at_the_start_is_no_change_whatever_time_it_bears() {
    let started = NOW.at.before(Duration::from_secs(3600));
    let with = |fingerprint, started, minutes| File {
        remembered: Some(Remembered { fingerprint, started }),
        ..file(Role::Env, minutes, InForce::ByTime)
    };
    let of = |file| answer(uptime(60), since(60), file);
    assert!(of(with(1, started, 5)).starts_with("ok"), "written again as it was");
    assert!(of(with(2, started, 5)).starts_with("degraded: restart needed: the env file changed 5 min ago"));
    assert_eq!(
        of(with(2, started, 90)),
        "degraded: restart needed: the env file is another one than the gateway started with",
        "put there with an old time"
    );
    let earlier = started.before(Duration::from_secs(600));
    assert!(
        of(with(2, earlier, 90)).starts_with("ok"),
        "remembered of an earlier start"
    );

    let seen = Seen {
        startup: uptime(60),
        listener: since(60),
        files: vec![
            file(Role::Env, 90, InForce::ByTime),
            file(Role::Token, 5, InForce::ByTime),
        ],
    };
    let remembered = judge::judge(&seen, NOW).remember;
    assert_eq!(
        remembered,
        [(
            Role::Env,
            Remembered {
                fingerprint: 1,
                started
            }
        )]
    );
}

/// A gateway on loopback that says it runs for so long.
async fn gateway(uptime: Duration) -> u16 {
    let body = format!(
        r#"{{"ok":true,"status":"started","version":"1","uptimeMs":{}}}"#,
        uptime.as_millis()
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 1024]).await;
            let head = format!("HTTP/1.1 200 X\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            let _ = stream.write_all(head.as_bytes()).await;
        }
    });
    port
}

fn scene(state_dir: &Path, port: u16) -> Scene {
    Scene::of(Target::of(TenantTarget {
        port: Some(port),
        place: Some(Place::loopback(port)),
        instance: Instance::StateDir {
            state_dir: state_dir.to_owned(),
            config: None,
        },
        env_file: Some(state_dir.join("env")),
        token_file: Some(state_dir.join("token")),
        ..TenantTarget::specimen("acme")
    }))
}

fn write(path: &Path, text: &str, age: Duration) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.set_modified(std::time::SystemTime::now() - age).unwrap();
}

/// A link that stands since now, whatever time the token's file bears.
fn greet(scene: &mut Scene, with: &str) {
    let facts = LinkFacts {
        connected: true,
        handshake_at: Some(clock::wall()),
        token: Some(scene.means.fingerprints.of(with)),
        ..LinkFacts::default()
    };
    if let Target::Tenant(tenant) = &mut scene.target {
        tenant.link = Some(facts);
    }
}

/// What OpenClaw writes down of a config that it took up; see `taken_up`.
fn write_down(state_dir: &Path, config: &str) {
    std::fs::create_dir_all(state_dir.join("state")).unwrap();
    let database = rusqlite::Connection::open(state_dir.join("state/openclaw.sqlite")).unwrap();
    database
        .execute_batch(
            "CREATE TABLE IF NOT EXISTS config_health_entries (config_path TEXT PRIMARY KEY, last_known_good_json TEXT)",
        )
        .unwrap();
    let digest = ring::digest::digest(&ring::digest::SHA256, config.as_bytes());
    let sum: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let record = format!(
        r#"{{"hash":"{sum}","bytes":{},"observedAt":"2026-11-25T13:33:29.429Z"}}"#,
        config.len()
    );
    let path = state_dir.join("openclaw.json");
    database
        .execute(
            "INSERT OR REPLACE INTO config_health_entries VALUES (?1, ?2)",
            rusqlite::params![path.to_str(), record],
        )
        .unwrap();
}

const AGE: Duration = Duration::from_secs(120);

#[tokio::test]
async fn a_config_is_fresh_when_the_gateway_wrote_down_that_it_took_it_up() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("openclaw.json");
    let port = gateway(Duration::from_secs(3600)).await;
    // Another check each time: nothing is remembered of the one before.
    let asked = async || ask(&scene(folder.path(), port).ask()).await;
    write(&config, "{}", AGE);
    let first = asked().await;
    assert_eq!(first.answer, Answer::Ok, "{first:?}");
    assert!(
        first
            .notes
            .iter()
            .any(|note| note.contains("not written down by this version")),
        "{first:?}"
    );
    write_down(folder.path(), "{}");
    let taken = asked().await;
    assert_eq!(taken.answer, Answer::Ok, "{taken:?}");
    assert!(taken.evidence[0].seen.contains("the gateway runs with it"), "{taken:?}");
    write(&config, r#"{"gateway":{"portt":1}}"#, AGE);
    let refused = asked().await;
    assert_eq!(refused.answer, Answer::Degraded);
    assert!(
        refused.summary.contains("the gateway did not take it up"),
        "{refused:?}"
    );
    let off = "{gateway: {reload: {mode: 'off'}}}";
    write(&config, off, AGE);
    write_down(folder.path(), off);
    let stale = asked().await;
    assert_eq!(stale.answer, Answer::Degraded);
    assert!(stale.summary.contains("gateway.reload.mode is off"), "{stale:?}");
    for junk in ["", "not a database", "{\"half\":"] {
        std::fs::write(folder.path().join("state/openclaw.sqlite"), junk).unwrap();
        write(&config, "{}", AGE);
        assert_eq!(asked().await.answer, Answer::Ok, "nothing tells: {junk}");
    }
}

#[tokio::test]
async fn env_and_token_files_are_judged_by_time_and_by_what_is_known_better() {
    let folder = tempfile::tempdir().unwrap();
    let (env, token) = (folder.path().join("env"), folder.path().join("token"));
    // The process is this one, which has lived for less than its env file's age below.
    let port = gateway(Duration::from_secs(3600)).await;
    let path = std::env::var("PATH").unwrap();
    write(&env, &format!("PATH={path}\n"), Duration::ZERO);
    write(&token, "secret-of-acme", Duration::from_secs(7200));
    let scene = scene(folder.path(), port);
    let first = ask(&scene.ask()).await;
    assert_eq!(first.answer, Answer::Ok, "{first:?}");
    write(&token, "secret-of-acme", AGE);
    let again = ask(&scene.ask()).await;
    assert_eq!(again.answer, Answer::Ok, "the same token, written again: {again:?}");
    write(&token, "another-secret", AGE);
    let stale = ask(&scene.ask()).await;
    assert_eq!(stale.answer, Answer::Degraded);
    assert!(
        stale
            .summary
            .starts_with("restart needed: the token file changed 2 min ago"),
        "{stale:?}"
    );
    assert!(!format!("{stale:?}").contains("secret"), "{stale:?}");

    let mut linked = scene;
    greet(&mut linked, "secret-of-acme");
    let promoted = ask(&linked.ask()).await;
    assert_eq!(
        promoted.answer,
        Answer::Degraded,
        "the link was greeted with the one before: {promoted:?}"
    );
    greet(&mut linked, "another-secret");
    let accepted = ask(&linked.ask()).await;
    assert_eq!(
        accepted.answer,
        Answer::Ok,
        "a link was greeted with it since: {accepted:?}"
    );
}

#[tokio::test]
async fn files_of_every_bad_kind_are_notes_and_never_a_crash_or_a_wait() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let port = gateway(Duration::from_secs(3600)).await;
    std::os::unix::fs::symlink(path("env"), path("env")).unwrap();
    std::fs::create_dir(path("token")).unwrap();
    let huge = std::fs::File::create(path("openclaw.json")).unwrap();
    huge.set_len(FILE_BYTES_MAX as u64 + 1).unwrap();
    let finding = ask(&scene(folder.path(), port).ask()).await;
    assert_eq!(finding.answer, Answer::Ok, "{finding:?}");
    assert_eq!(finding.notes.len(), 3, "{finding:?}");
    std::fs::remove_file(path("openclaw.json")).unwrap();
    let pipe = std::process::Command::new("mkfifo").arg(path("openclaw.json")).status();
    assert!(pipe.unwrap().success());
    assert_eq!(ask(&scene(folder.path(), port).ask()).await.notes.len(), 3);
    std::fs::remove_file(path("openclaw.json")).unwrap();
    write(&path("openclaw.json"), "\u{0}\u{7f}junk{{{", AGE);
    assert_eq!(ask(&scene(folder.path(), port).ask()).await.answer, Answer::Ok);
}

#[tokio::test]
async fn a_gateway_elsewhere_has_no_process_here() {
    let mut scene = Scene::of(Target::of(TenantTarget::specimen("acme")));
    assert_eq!(ask(&scene.ask()).await.cause, Some(Cause::Misconfigured));
    let elsewhere = Place::new(Address::parse("wss://gateway.example:1").unwrap(), Trust::System);
    if let Target::Tenant(tenant) = &mut scene.target {
        tenant.place = elsewhere.ok();
    }
    assert_eq!(ask(&scene.ask()).await.answer, Answer::Ok);
    assert_eq!(ask(&Scene::node().ask()).await.cause, Some(Cause::Misconfigured));
}
