//! Which answers are repeated, in virtual time, with the inputs of a real folder.

use super::*;
use crate::link::session::LinkFacts;
use crate::probe::declaration::{Asks, Instance, RunId};
use crate::probe::openclaw::Speaks;

struct Scene {
    folder: tempfile::TempDir,
    order: Order,
    cli: Option<Cli>,
    env: Vec<(String, String)>,
    kept: Kept,
}

const STRETCH: Duration = Duration::from_secs(7200);

fn minute(minute: u64) -> Instant {
    Instant::from_millis(1_000_000 + minute * 60_000)
}

impl Scene {
    /// Asked at minute 0, and ok.
    fn new() -> Scene {
        let folder = tempfile::tempdir().unwrap();
        let state_dir = folder.path().join("state");
        std::fs::create_dir_all(state_dir.join("agents")).unwrap();
        std::fs::write(state_dir.join("openclaw.json"), "{}").unwrap();
        std::fs::write(folder.path().join("acme.env"), "A=1\n").unwrap();
        let target = TenantTarget {
            instance: Instance::StateDir {
                state_dir,
                config: None,
            },
            env_file: Some(folder.path().join("acme.env")),
            link: Some(LinkFacts::default()),
            ..TenantTarget::specimen("acme")
        };
        let probe = Probe::specimen("doctor", Asks::Store);
        let scene = Scene {
            order: Order {
                run: RunId(1),
                check: CheckId::of(probe.name.clone(), target.name.clone()),
                probe: Arc::new(probe),
                target: Target::of(target),
                routine: true,
            },
            cli: Some(Cli {
                speaks: Speaks::Openclaw,
                version: Some("2026.9.6".into()),
            }),
            env: vec![("A".into(), "1".into())],
            kept: Kept::default(),
            folder,
        };
        scene.answer(&Finding::ok("7 checks, no findings"));
        scene
    }

    fn inputs(&self) -> Option<Inputs> {
        let making = Making {
            program: "/bin/sh".into(),
            cli: self.cli.clone(),
            args: vec!["doctor".into()],
            env: self.env.clone(),
            home: "/nowhere".into(),
        };
        Inputs::of(&self.order, making)
    }

    fn answer(&self, finding: &Finding) {
        let check = &self.order.check;
        self.kept.answered(check, self.inputs(), finding, minute(0));
    }

    fn repeats(&self, at: Instant) -> Option<Finding> {
        let inputs = self.inputs()?;
        self.kept.repeated(&self.order, &inputs, STRETCH, at)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn tenant(&mut self) -> &mut TenantTarget {
        match &mut self.order.target {
            Target::Tenant(tenant) => tenant,
            Target::Node { .. } => unreachable!("the scene is a tenant's"),
        }
    }
}

#[test]
fn an_ok_is_repeated_until_the_next_ask_would_make_it_too_old() {
    let scene = Scene::new();
    let finding = scene.repeats(minute(12)).unwrap();
    assert_eq!(finding.summary, "7 checks, no findings");
    assert_eq!(
        finding.notes,
        ["nothing it looks at has changed; asked 12 min ago (at most 2h)"]
    );
    assert_eq!(finding.evidence[0].seen, "asked 12 min ago (at most 2h)");
    // Asked every five minutes: at 115 for the last time.
    assert!(scene.repeats(minute(115)).is_some());
    assert!(scene.repeats(minute(116)).is_none());
    let again = scene.repeats(minute(100)).unwrap();
    assert_eq!(again.notes.len(), 1, "notes do not pile up");
}

#[test]
fn what_is_not_asked_as_a_matter_of_routine_is_a_run() {
    let mut scene = Scene::new();
    scene.order.routine = false;
    assert!(scene.repeats(minute(5)).is_none());
}

#[test]
fn only_an_ok_is_repeated() {
    for worse in [
        Finding::degraded("x"),
        Finding::down("x"),
        Finding::unknown(crate::words::Cause::Timeout, "x"),
    ] {
        let scene = Scene::new();
        scene.answer(&worse);
        assert!(scene.repeats(minute(5)).is_none(), "{}", worse.answer);
    }
}

#[test]
fn whatever_changes_that_it_looks_at_makes_a_run() {
    type Change = fn(&mut Scene);
    let changes: [(&str, Change); 14] = [
        ("the config's content", |scene| {
            scene.write("state/openclaw.json", "{ }")
        }),
        ("the config's stamp alone", |scene| {
            scene.write("state/openclaw.json", "{}");
            let file = std::fs::File::open(scene.folder.path().join("state/openclaw.json")).unwrap();
            file.set_modified(std::time::UNIX_EPOCH).unwrap();
        }),
        ("the config's absence", |scene| {
            std::fs::remove_file(scene.folder.path().join("state/openclaw.json")).unwrap();
        }),
        ("a new file in the state directory", |scene| {
            scene.write("state/new", "")
        }),
        ("the env file", |scene| scene.write("acme.env", "A=22\n")),
        ("the env file's absence", |scene| {
            std::fs::remove_file(scene.folder.path().join("acme.env")).unwrap();
        }),
        ("a variable", |scene| scene.env[0].1 = "2".into()),
        ("the version", |scene| scene.cli = None),
        ("the gateway's process", |scene| {
            scene.tenant().link.as_mut().unwrap().boot_id = "b".into();
        }),
        ("the configuration in force", |scene| {
            scene.tenant().link.as_mut().unwrap().applied_config_hash = "h".into();
        }),
        ("the link's end", |scene| {
            scene.tenant().link = Some(LinkFacts {
                connected: true,
                ..LinkFacts::default()
            });
        }),
        ("the state directory", |scene| {
            scene.tenant().instance = Instance::Unknown
        }),
        ("the token file", |scene| {
            scene.tenant().token_file = Some("/bin/sh".into())
        }),
        ("the probe", |scene| {
            let mut probe = (*scene.order.probe).clone();
            probe.timeout = Duration::from_secs(1);
            scene.order.probe = Arc::new(probe);
        }),
    ];
    for (what, change) in changes {
        let mut scene = Scene::new();
        assert!(scene.repeats(minute(5)).is_some(), "{what}");
        change(&mut scene);
        assert!(scene.repeats(minute(5)).is_none(), "{what}");
    }
}

#[test]
fn what_cannot_be_looked_at_promises_nothing() {
    let mut scene = Scene::new();
    scene.tenant().instance = Instance::StateDir {
        state_dir: "/no/such/place".into(),
        config: None,
    };
    assert_eq!(scene.inputs(), None);
    scene
        .kept
        .answered(&scene.order.check, None, &Finding::ok("x"), minute(0));
    assert!(scene.kept.lock().is_empty());
    let scene = Scene::new();
    scene.write("state/openclaw.json", &" ".repeat(CONFIG_BYTES_MAX + 1));
    assert_eq!(scene.inputs(), None, "a config beyond all measure");
    let scene = Scene::new();
    for number in 0..=TOP_ENTRIES_MAX {
        scene.write(&format!("state/{number}"), "");
    }
    assert_eq!(scene.inputs(), None, "a folder that is no state directory");
}

#[test]
fn nothing_of_the_environment_can_be_read_from_what_is_kept() {
    let mut scene = Scene::new();
    scene.env = vec![("TOKEN".into(), "markerofasecret".into())];
    assert!(!format!("{:?}", scene.inputs()).contains("markerofasecret"));
}
