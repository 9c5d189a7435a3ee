#![expect(clippy::disallowed_methods, reason = "tests serve on loopback and make files")]

use std::io::{BufRead as _, Read as _};
use std::path::PathBuf;

use rusqlite::Connection;

use super::super::Scene;
use super::*;
use crate::probe::declaration::{Instance, Target};
use crate::words::{Answer, Cause};

/// Of OpenClaw 2026.9.6 (user_version 18), with the indexes that the counts are answered from.
const SCHEMA: &str = "
    CREATE TABLE delivery_queue_entries (
        queue_name TEXT NOT NULL, id TEXT NOT NULL, status TEXT NOT NULL, entry_kind TEXT, session_key TEXT,
        channel TEXT, target TEXT, account_id TEXT, retry_count INTEGER NOT NULL DEFAULT 0,
        last_attempt_at INTEGER, last_error TEXT, recovery_state TEXT, platform_send_started_at INTEGER,
        entry_json TEXT NOT NULL, enqueued_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, failed_at INTEGER,
        PRIMARY KEY (queue_name, id)
    ) STRICT;
    CREATE INDEX idx_delivery_queue_pending ON delivery_queue_entries(queue_name, status, enqueued_at, id);
    CREATE TABLE channel_ingress_events (
        queue_name TEXT NOT NULL, event_id TEXT NOT NULL, channel_id TEXT NOT NULL, account_id TEXT NOT NULL,
        status TEXT NOT NULL, lane_key TEXT, payload_json TEXT NOT NULL, metadata_json TEXT,
        received_at INTEGER NOT NULL, updated_at INTEGER NOT NULL, claim_token TEXT, claim_owner TEXT,
        claimed_at INTEGER, attempts INTEGER NOT NULL DEFAULT 0, last_attempt_at INTEGER, last_error TEXT,
        failed_reason TEXT, failed_at INTEGER, completed_at INTEGER, completed_metadata_json TEXT,
        PRIMARY KEY (queue_name, event_id)
    ) STRICT;
    CREATE INDEX idx_channel_ingress_pending ON channel_ingress_events(queue_name, status, received_at, event_id);
    PRAGMA user_version = 18;";

const MINUTE_MS: i64 = 60_000;

/// A tenant's state directory with a live gateway's connection to its database.
struct Gateway {
    folder: tempfile::TempDir,
    connection: Option<Connection>,
}

impl Gateway {
    fn started() -> Gateway {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("state")).unwrap();
        let mut gateway = Gateway {
            folder,
            connection: None,
        };
        let connection = gateway.open();
        connection.execute_batch(SCHEMA).unwrap();
        gateway.connection = Some(connection);
        gateway
    }

    fn open(&self) -> Connection {
        let connection = Connection::open(self.database()).unwrap();
        connection.pragma_update(None, "journal_mode", "wal").unwrap();
        connection
    }

    fn database(&self) -> PathBuf {
        self.folder.path().join("state/openclaw.sqlite")
    }

    fn enqueue(&self, queue: &str, status: &str, count: i64, came_in: i64) -> &Gateway {
        let sql = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?3)
            INSERT INTO delivery_queue_entries (queue_name, id, status, entry_json, enqueued_at, updated_at)
            SELECT ?1, ?2 || i, ?2, '{}', ?4 + i, 0 FROM n";
        let connection = self.connection.as_ref().unwrap();
        connection.execute(sql, (queue, status, count, came_in)).unwrap();
        self
    }

    fn receive(&self, queue: &str, status: &str, came_in: i64) -> &Gateway {
        let sql = "INSERT INTO channel_ingress_events
            (queue_name, event_id, channel_id, account_id, status, payload_json, received_at, updated_at)
            VALUES (?1, ?2, 'telegram', 'default', ?2, '{}', ?3, 0)";
        self.connection
            .as_ref()
            .unwrap()
            .execute(sql, (queue, status, came_in))
            .unwrap();
        self
    }

    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path().join("state")).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn look(&self) -> Look {
        super::look(
            &limits(),
            Some(&tenant(self.folder.path())),
            None,
            &Interrupt::default(),
            &|| false,
        )
    }
}

fn tenant(state_dir: &Path) -> TenantTarget {
    TenantTarget {
        instance: Instance::StateDir {
            state_dir: state_dir.into(),
            config: None,
        },
        ..TenantTarget::specimen("acme")
    }
}

fn limits() -> Queue {
    Queue {
        paths: Vec::new(),
        warn_depth: 1000,
        down_depth: 10_000,
        warn_age: Duration::from_secs(300),
        down_age: Duration::from_secs(1800),
        warn_wal_bytes: 256 << 20,
    }
}

fn told(look: &Look, now: i64) -> String {
    let finding = judge(&limits(), look, Wall::from_millis(now));
    let mut lines = vec![format!("{}: {}", finding.answer.as_str(), finding.summary)];
    lines.extend(
        finding
            .evidence
            .iter()
            .map(|fact| format!("  {}: {}", fact.what, fact.seen)),
    );
    lines.extend(finding.notes.iter().map(|note| format!("  note: {note}")));
    lines.join("\n") + "\n"
}

#[test]
fn a_live_gateways_queues_are_counted_by_what_waits() {
    let gateway = Gateway::started();
    gateway
        .enqueue("outbound-prepared-v1", "pending", 3, 100 * MINUTE_MS)
        .enqueue("outbound-prepared-v1", "completed", 500, 0)
        .enqueue("outbound-prepared-v1", "failed", 2, 0)
        .enqueue("outbound-media-staging", "pending", 9, 0)
        .enqueue("session", "pending", 1, 101 * MINUTE_MS)
        .receive("telegram:default", "pending", 102 * MINUTE_MS)
        .receive("telegram:default", "claimed", 0);
    let mut look = gateway.look();
    assert!(look.wal_bytes.take().is_some_and(|bytes| bytes > 0));
    expect_test::expect![[r#"
        ok: 4 queues, 6 waiting
          queue outbound-media-staging: 9 waiting, the oldest for 103 min
          queue outbound-prepared-v1: 3 waiting, the oldest for 3 min, 2 given up
          queue ingress:telegram:default: 2 waiting, the oldest for 60 s
          queue session: 1 waiting, the oldest for 2 min
          note: 2 entries were given up and are kept; see: openclaw health --json
    "#]]
    .assert_eq(&told(&look, 103 * MINUTE_MS + 10));
}

#[test]
fn empty_tables_are_queues_in_which_nothing_waits() {
    let look = Gateway::started().look();
    assert_eq!(judge(&limits(), &look, Wall::from_millis(0)).summary, "nothing waits");
}

#[test]
fn depth_and_age_each_degrade_and_then_take_down() {
    let backlog = |depth, age_minutes: i64| Look {
        backlogs: vec![Backlog {
            queue: "outbound".into(),
            depth,
            at_least: false,
            oldest: Some(Wall::from_millis(-age_minutes * MINUTE_MS)),
            failed: 0,
            advisory: false,
        }],
        ..Look::default()
    };
    let answer = |depth, age| judge(&limits(), &backlog(depth, age), Wall::from_millis(0)).answer;
    let table = [
        (1000, 5, Answer::Ok),
        (1001, 0, Answer::Degraded),
        (1, 6, Answer::Degraded),
        (10_001, 0, Answer::Down),
        (1, 31, Answer::Down),
        // An empty queue has no age, and the future none either.
        (0, 99, Answer::Ok),
        (1, -99, Answer::Ok),
    ];
    for (depth, age, expected) in table {
        assert_eq!(answer(depth, age), expected, "{depth} entries, {age} min");
    }
}

#[test]
fn a_growing_log_and_more_queues_than_can_be_measured_are_told() {
    let look = Look {
        wal_bytes: Some(300 << 20),
        backlogs: (0..70)
            .map(|index| Backlog {
                queue: format!("q{index}"),
                depth: index,
                at_least: false,
                oldest: Some(Wall::from_millis(-1000)),
                failed: 0,
                advisory: false,
            })
            .collect(),
        ..Look::default()
    };
    let finding = judge(&limits(), &look, Wall::from_millis(0));
    assert_eq!(
        finding.summary,
        "write-ahead log: 300.0 MiB, above 256.0 MiB: checkpoints do not come through"
    );
    let depths: Vec<_> = finding
        .measurements
        .iter()
        .filter(|one| one.name == "queue_depth")
        .collect();
    assert_eq!(depths.len(), QUEUES_MEASURED_MAX + 1);
    let other = depths.last().unwrap();
    assert_eq!(
        (other.subject.as_str(), other.value),
        ("__other__", 15.0),
        "0 + 1 + … + 5"
    );
}

/// The point of it: a stopped gateway's directory is not written to, not even with `-shm` and `-wal`,
/// which as root would be ours and lock its user out.
#[test]
fn a_stopped_gateways_directory_stays_as_it_was() {
    let mut gateway = Gateway::started();
    gateway.enqueue("session", "pending", 2, 0);
    gateway.connection = None;
    assert_eq!(gateway.files(), ["openclaw.sqlite"]);
    let before = std::fs::read(gateway.database()).unwrap();
    let look = gateway.look();
    assert_eq!(look.backlogs[0].depth, 2);
    assert!(look.troubles.is_empty(), "{:?}", look.troubles);
    assert_eq!(gateway.files(), ["openclaw.sqlite"]);
    assert_eq!(std::fs::read(gateway.database()).unwrap(), before);
}

/// SQLite shares the index between the connections of one process, so this gateway is another one:
/// this very test binary, which runs [`a_gateway_of_its_own`].
#[test]
fn a_live_gateways_log_is_read_and_neither_folded_in_nor_its_index_written() {
    let mut gateway = Gateway::started();
    gateway.connection = None;
    let mut process = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "probe::kind::queue::tests::a_gateway_of_its_own",
            "--ignored",
            "--nocapture",
        ])
        .env("READYD_TEST_DATABASE", gateway.database())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = std::io::BufReader::new(process.stdout.take().unwrap()).lines();
    let is_ready = lines
        .by_ref()
        .take(20)
        .any(|line| line.unwrap().contains("the gateway runs"));
    assert!(is_ready);

    let read = |suffix: &str| std::fs::read(format!("{}{suffix}", gateway.database().display())).unwrap();
    let before = [read(""), read("-wal"), read("-shm")];
    let depth = gateway.look().backlogs.first().map(|backlog| backlog.depth);
    let after = [read(""), read("-wal"), read("-shm")];
    drop(process.stdin.take());
    assert!(process.wait().unwrap().success());
    assert_eq!(depth, Some(7), "what is in the log alone is seen");
    for (index, what) in ["database", "log", "index"].iter().enumerate() {
        assert!(before[index] == after[index], "the {what} was written to");
    }
    assert_eq!(gateway.files(), ["openclaw.sqlite"], "it closed cleanly beside us");
}

#[test]
#[ignore = "not a spec: the other process of the one above"]
fn a_gateway_of_its_own() {
    let connection = Connection::open(std::env::var("READYD_TEST_DATABASE").unwrap()).unwrap();
    connection.pragma_update(None, "wal_autocheckpoint", 0).unwrap();
    let mut gateway = Gateway {
        folder: tempfile::tempdir().unwrap(),
        connection: Some(connection),
    };
    gateway.enqueue("session", "pending", 7, 0);
    println!("the gateway runs");
    // Until the one who started us lets go.
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    gateway.connection = None;
}

#[test]
fn a_killed_gateways_log_is_read_too() {
    let mut gateway = Gateway::started();
    gateway.enqueue("session", "pending", 7, 0);
    // As SIGKILL leaves it: copied while it is open, with the log and the index beside it.
    let killed = tempfile::tempdir().unwrap();
    std::fs::create_dir(killed.path().join("state")).unwrap();
    for name in gateway.files() {
        std::fs::copy(
            gateway.folder.path().join("state").join(&name),
            killed.path().join("state").join(&name),
        )
        .unwrap();
    }
    gateway.connection = None;
    gateway.folder = killed;
    let files = gateway.files();
    assert_eq!(files, ["openclaw.sqlite", "openclaw.sqlite-shm", "openclaw.sqlite-wal"]);
    let look = gateway.look();
    assert_eq!(
        look.backlogs.first().map(|backlog| backlog.depth),
        Some(7),
        "{:?}",
        look.troubles
    );
    assert_eq!(gateway.files(), files);

    // Without its index it cannot be read without writing one, and that is said.
    std::fs::remove_file(gateway.folder.path().join("state/openclaw.sqlite-shm")).unwrap();
    let look = gateway.look();
    assert!(look.notes.iter().any(|note| note.contains("killed")), "{look:?}");
    assert_eq!(gateway.files(), ["openclaw.sqlite", "openclaw.sqlite-wal"]);
}

#[test]
fn a_locked_database_is_unknown_and_a_damaged_one_degraded_each_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("state")).unwrap();
    let database = folder.path().join("state/openclaw.sqlite");
    let look = || {
        super::look(
            &limits(),
            Some(&tenant(folder.path())),
            None,
            &Interrupt::default(),
            &|| false,
        )
    };

    // Rollback mode with a writer that holds it: readers must wait.
    let holder = Connection::open(&database).unwrap();
    holder.execute_batch(SCHEMA).unwrap();
    holder.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let locked = look().troubles.remove(0);
    assert_eq!(locked.cause, Some(Cause::Timeout), "{locked:?}");
    assert!(locked.what.ends_with("state/openclaw.sqlite"));
    drop(holder);

    std::fs::write(&database, vec![b'x'; 8192]).unwrap();
    let damaged = look().troubles.remove(0);
    assert_eq!(damaged.answer, Answer::Degraded);
    assert!(damaged.seen.starts_with("is damaged"), "{damaged:?}");

    std::fs::remove_file(&database).unwrap();
    std::fs::create_dir(&database).unwrap();
    assert_eq!(look().troubles.remove(0).seen, "is not a plain file");
}

#[test]
fn another_versions_tables_are_noted_or_unreadable_never_counted_as_empty() {
    let gateway = Gateway::started();
    let connection = gateway.connection.as_ref().unwrap();
    connection.execute_batch("DROP TABLE channel_ingress_events").unwrap();
    let look = gateway.look();
    assert_eq!(
        look.notes,
        ["there is no table channel_ingress_events: another version of OpenClaw"]
    );

    connection
        .execute_batch("DROP TABLE delivery_queue_entries; CREATE TABLE delivery_queue_entries (id)")
        .unwrap();
    let look = gateway.look();
    assert_eq!(look.troubles[0].cause, Some(Cause::Unreadable), "{:?}", look.troubles);
}

#[test]
fn a_view_in_a_tables_place_cannot_hold_the_probe() {
    let gateway = Gateway::started();
    let connection = gateway.connection.as_ref().unwrap();
    connection
        .execute_batch(
            "DROP TABLE delivery_queue_entries;
             CREATE VIEW delivery_queue_entries AS
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
             SELECT 'q' AS queue_name, 'pending' AS status, i AS enqueued_at FROM n",
        )
        .unwrap();
    let interrupt = Interrupt::default();
    let (look, fired) = std::thread::scope(|scope| {
        let looking = scope.spawn(|| {
            super::look(
                &limits(),
                Some(&tenant(gateway.folder.path())),
                None,
                &interrupt,
                &|| false,
            )
        });
        let mut fired = 0;
        for _ in 0..1000 {
            if looking.is_finished() {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
            interrupt.fire();
            fired += 1;
        }
        (looking.join().unwrap(), fired)
    });
    assert!(fired < 1000 && look.backlogs.is_empty(), "{look:?}");
}

#[tokio::test]
async fn a_tenant_without_a_known_place_or_without_a_database_is_ok() {
    let nowhere = TenantTarget {
        instance: Instance::Unknown,
        ..tenant(Path::new("/"))
    };
    let finding = ask(&limits(), &Scene::of(Target::of(nowhere)).ask()).await;
    assert_eq!(
        (finding.answer, finding.summary.as_str()),
        (Answer::Ok, "there is no queue to watch")
    );
    assert_eq!(finding.notes, ["this tenant's state directory is not known"]);

    let folder = tempfile::tempdir().unwrap();
    let finding = ask(&limits(), &Scene::of(Target::of(tenant(folder.path()))).ask()).await;
    assert_eq!(finding.answer, Answer::Ok);
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        0,
        "nothing is created"
    );
}

#[test]
fn odd_paths_are_asked_by_their_own_name() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("a?mode=rwc#%20 b");
    std::fs::create_dir_all(state.join("state")).unwrap();
    let connection = Connection::open(state.join("state/openclaw.sqlite")).unwrap();
    connection.execute_batch(SCHEMA).unwrap();
    drop(connection);
    let look = super::look(&limits(), Some(&tenant(&state)), None, &Interrupt::default(), &|| false);
    assert!(look.troubles.is_empty() && look.notes.is_empty(), "{look:?}");
}

mod folders;
