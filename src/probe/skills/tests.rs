#![expect(clippy::disallowed_methods, reason = "specs of a shell: real files")]

use std::fmt::Write as _;
use std::os::unix::fs::{PermissionsExt, symlink};

use expect_test::{Expect, expect};

use super::walk::{Owner, look, missing_config};
use super::*;
use crate::account;
use crate::probe::declaration::Instance;
use crate::words::{TenantName, Wall};

/// A home with the state of one instance in `state`, and readyd's own state in `readyd`.
struct World {
    dir: tempfile::TempDir,
    owner: Owner,
}

impl World {
    fn new() -> World {
        let dir = tempfile::tempdir().unwrap();
        let instance = Instance::StateDir {
            state_dir: dir.path().join("state"),
            config: None,
        };
        std::fs::create_dir(dir.path().join("state")).unwrap();
        std::fs::create_dir(dir.path().join("readyd")).unwrap();
        let owner = Owner {
            instance,
            user: None,
            env_file: None,
            own_home: Some(dir.path().to_owned()),
        };
        World { dir, owner }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path)
    }

    fn write(&self, path: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn config(&self, text: &str) {
        self.write(
            "state/openclaw.json",
            text.replace("HOME", self.dir.path().to_str().unwrap()),
        );
    }

    fn look(&self) -> Seen {
        look(&self.owner, &|| false).unwrap()
    }

    /// In a thread of its own: a look keeps the ids of the user it took on.
    fn look_as(&self, user: Option<&str>) -> Seen {
        let owner = Owner {
            user: user.map(str::to_owned),
            ..self.owner.clone()
        };
        std::thread::spawn(move || look(&owner, &|| false).unwrap())
            .join()
            .unwrap()
    }

    fn told(&self, seen: &Seen) -> String {
        let mut told = String::new();
        for (path, found) in &seen.skills {
            let learned = if found.learned { ", learned" } else { "" };
            let partial = if found.skill.partial { ", partial" } else { "" };
            let leftovers = if found.skill.leftovers.is_some() {
                ", leftovers"
            } else {
                ""
            };
            let link = found.link_to.as_ref().map_or(String::new(), |to| format!(" -> {to}"));
            writeln!(
                told,
                "{path}{link} ({} files{learned}{partial}{leftovers})",
                found.skill.files
            )
            .unwrap();
        }
        for trouble in &seen.troubles {
            writeln!(told, "trouble {}: {}", trouble.path.display(), trouble.why).unwrap();
        }
        for note in &seen.notes {
            writeln!(told, "note {note}").unwrap();
        }
        if !seen.complete {
            told.push_str("not complete\n");
        }
        told.replace(self.dir.path().to_str().unwrap(), "HOME")
    }

    fn check(&self, expected: Expect) {
        expected.assert_eq(&self.told(&self.look()));
    }

    fn digest(&self) -> String {
        self.look().skills.into_values().next().unwrap().skill.digest
    }

    fn record(&self) -> Baseline {
        let skills = self.look().skills.into_iter();
        Baseline::new(
            &acme(),
            Wall::from_millis(0),
            skills.map(|(path, found)| (path, found.skill)).collect(),
        )
    }

    /// `new web`, `leftovers web`.
    fn changes(&self, since: &Baseline, strict: bool) -> String {
        let changes = compare(since, &self.look(), strict);
        let lists = [
            ("new", &changes.new),
            ("changed", &changes.changed),
            ("removed", &changes.removed),
            ("learned", &changes.learned),
            ("leftovers", &changes.leftovers),
        ];
        let told = lists
            .iter()
            .flat_map(|(word, paths)| paths.iter().map(move |path| format!("{word} {}", name_of(path))));
        told.collect::<Vec<_>>().join(", ")
    }
}

fn acme() -> TenantName {
    TenantName::parse("acme").unwrap()
}

#[test]
fn skills_are_found_wherever_openclaw_loads_them_from() {
    let world = World::new();
    world.config(
        r#"{"agents": {"defaults": {"workspace": "~/shared"}, "entries": {"ops": {"workspace": "HOME/ops"}, "docs": {}}},
            "skills": {"load": {"extraDirs": ["HOME/extra", "relative/dir", "$VARIABLE/dir"]}}}"#,
    );
    for path in [
        "state/skills/managed",
        "state/skills/group/of/some/deep/research",
        "state/skills/.hidden/none",
        "state/skills/node_modules/none",
        "state/skills/managed/inner",
        "state/workspace/skills/mine",
        "state/workspace/.agents/skills/project",
        "state/workspace-docs/skills/docs",
        "state/agents/main/agent/workshop-skills/learned",
        "shared/skills/shared",
        "shared/docs/skills/of-docs",
        "ops/skills/of-ops",
        "extra/third-party",
        // Of the default state alone, which this is not.
        ".agents/skills/personal",
    ] {
        world.write(&format!("{path}/SKILL.md"), path);
    }
    world.write("state/skills/no-skill/README.md", "");
    world.check(expect![[r#"
        HOME/extra/third-party (1 files)
        HOME/ops/skills/of-ops (1 files)
        HOME/shared/docs/skills/of-docs (1 files)
        HOME/shared/skills/shared (1 files)
        HOME/state/agents/main/agent/workshop-skills/learned (1 files, learned)
        HOME/state/skills/group/of/some/deep/research (1 files)
        HOME/state/skills/managed (2 files)
        HOME/state/workspace-docs/skills/docs (1 files)
        HOME/state/workspace/.agents/skills/project (1 files)
        HOME/state/workspace/skills/mine (1 files)
        note skills below skills.load.extraDirs are not watched: "relative/dir" is not an absolute path
        note skills below skills.load.extraDirs are not watched: "$VARIABLE/dir" is not an absolute path
    "#]]);
}

#[test]
fn the_users_own_skills_belong_to_the_default_state() {
    let mut world = World::new();
    world.owner.instance = Instance::Default;
    world.write(".openclaw/skills/managed/SKILL.md", "");
    world.write(".agents/skills/personal/SKILL.md", "");
    world.check(expect![[r#"
        HOME/.agents/skills/personal (1 files)
        HOME/.openclaw/skills/managed (1 files)
    "#]]);
    world.owner.instance = Instance::Profile("beta".into());
    world.write(".openclaw-beta/workspace/skills/beta/SKILL.md", "");
    world.check(expect![[r#"
        HOME/.openclaw-beta/workspace/skills/beta (1 files)
    "#]]);
}

#[test]
fn the_workspace_of_the_env_file_is_looked_at_as_well() {
    let mut world = World::new();
    let file = world.write(
        "acme.env",
        format!("OPENCLAW_WORKSPACE_DIR={}\n", world.path("elsewhere").display()),
    );
    world.owner.env_file = Some(file);
    world.write("elsewhere/skills/web/SKILL.md", "");
    world.check(expect![[r#"
        HOME/elsewhere/skills/web (1 files)
    "#]]);
}

#[test]
fn every_change_of_a_tree_changes_its_digest() {
    let world = World::new();
    world.write("state/skills/web/SKILL.md", "do");
    world.write("state/skills/web/scripts/run.js", "1");
    let mut digests = vec![world.digest()];
    assert_eq!(world.digest(), digests[0], "and nothing else does");
    let mut changed = |what: &str| {
        let digest = world.digest();
        assert!(!digests.contains(&digest), "{what}");
        digests.push(digest);
    };
    world.write("state/skills/web/scripts/run.js", "2");
    changed("content");
    std::fs::rename(
        world.path("state/skills/web/scripts/run.js"),
        world.path("state/skills/web/scripts/run.mjs"),
    )
    .unwrap();
    changed("a name");
    std::fs::set_permissions(
        world.path("state/skills/web/scripts/run.mjs"),
        PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    changed("executable");
    world.write("state/skills/web/.hidden", "");
    changed("a hidden file");
    symlink("/etc/passwd", world.path("state/skills/web/passwd")).unwrap();
    changed("a link");
    std::fs::remove_file(world.path("state/skills/web/passwd")).unwrap();
    symlink("/etc/shadow", world.path("state/skills/web/passwd")).unwrap();
    changed("where it leads");
    rustix::fs::mkfifoat(
        rustix::fs::CWD,
        world.path("state/skills/web/pipe"),
        rustix::fs::Mode::RUSR,
    )
    .unwrap();
    changed("a pipe, which is not opened");
    std::fs::remove_file(world.path("state/skills/web/SKILL.md")).unwrap();
    symlink("scripts/run.mjs", world.path("state/skills/web/SKILL.md")).unwrap();
    changed("a file that became a link");
}

#[test]
fn what_changed_since_the_baseline_is_new_changed_removed_or_neither() {
    let world = World::new();
    for name in ["kept", "edited", "gone", "ran", "learned"] {
        world.write(&format!("state/skills/{name}/SKILL.md"), name);
    }
    world.write("state/agents/main/agent/workshop-skills/own/SKILL.md", "1");
    let baseline = world.record();
    assert_eq!(world.changes(&baseline, true), "");
    world.write("state/skills/edited/SKILL.md", "do evil");
    world.write("state/skills/planted/SKILL.md", "do evil");
    world.write("state/skills/ran/scripts/__pycache__/run.pyc", "compiled");
    world.write("state/skills/ran/.DS_Store", "");
    world.write("state/agents/main/agent/workshop-skills/own/SKILL.md", "2");
    std::fs::remove_dir_all(world.path("state/skills/gone")).unwrap();
    assert_eq!(
        world.changes(&baseline, false),
        "new planted, changed edited, removed gone, learned own, leftovers ran"
    );
    assert_eq!(
        world.changes(&baseline, true),
        "new planted, changed own, changed edited, changed ran, removed gone",
        "in strict posture nothing changes by itself"
    );
}

#[test]
fn links_are_reported_and_never_followed() {
    let world = World::new();
    world.write("target/skill/SKILL.md", "");
    std::fs::create_dir(world.path("state/skills")).unwrap();
    symlink("/", world.path("state/skills/root")).unwrap();
    symlink(world.path("target/skill"), world.path("state/skills/linked")).unwrap();
    symlink("/nowhere", world.path("state/skills/dangling")).unwrap();
    symlink("loop", world.path("state/skills/loop")).unwrap();
    symlink("/etc/passwd", world.path("state/skills/file")).unwrap();
    std::fs::create_dir(world.path("state/workspace")).unwrap();
    symlink("../skills", world.path("state/workspace/skills")).unwrap();
    world.check(expect![[r#"
        HOME/state/skills/linked -> HOME/target/skill (0 files)
        HOME/state/skills/root -> / (0 files)
        HOME/state/workspace/skills -> ../skills (0 files)
        note HOME/state/skills/linked is a link to HOME/target/skill: what is there is not watched
        note HOME/state/skills/root is a link to /: what is there is not watched
        note HOME/state/workspace/skills is a link to ../skills: what is there is not watched
    "#]]);
    let baseline = world.record();
    std::fs::remove_file(world.path("state/skills/linked")).unwrap();
    symlink("/etc", world.path("state/skills/linked")).unwrap();
    assert_eq!(world.changes(&baseline, false), "changed linked");
}

#[test]
fn whatever_lies_there_is_said_and_nothing_is_waited_for() {
    let world = World::new();
    world.check(expect![[""]]);
    for (name, config) in [
        ("half", "{\"agents\": {"),
        ("junk", "\u{0}\u{1}"),
        ("comments", "// JSON5\n{a: 1,}"),
    ] {
        world.config(config);
        assert_eq!(
            world.told(&world.look()),
            "note HOME/state/openclaw.json is not plain JSON: skills in workspaces that it names are not watched\n",
            "{name}"
        );
    }
    world.config(&" ".repeat(5 << 20));
    world.check(expect![[r#"
        note HOME/state/openclaw.json is longer than 4194304 bytes, more than is read: skills in workspaces that it names are not watched
    "#]]);
    world.config(
        r#"{"$include": "./agents.json", "agents": [7], "skills": {"load": {"extraDirs": [7, "", "~user/x"]}}}"#,
    );
    world.check(expect![[r#"
        note HOME/state/openclaw.json includes other files: skills in workspaces that only they name are not watched
        note skills below skills.load.extraDirs are not watched: "~user/x" is not an absolute path
    "#]]);
    world.config(r#"{"agents": {"list": [{"id": "../../etc", "workspace": 7}, {"id": "a/b"}, {}, 3]}}"#);
    world.check(expect![[""]]);
    std::fs::remove_file(world.path("state/openclaw.json")).unwrap();
    rustix::fs::mkfifoat(
        rustix::fs::CWD,
        world.path("state/openclaw.json"),
        rustix::fs::Mode::RUSR,
    )
    .unwrap();
    world.write("state/skills", "a file in the place of a folder");
    world.write("state/agents", "");
    world.check(expect![[r#"
        note HOME/state/openclaw.json cannot be read: it is not a regular file: skills in workspaces that it names are not watched
    "#]]);
    std::fs::remove_dir_all(world.path("state")).unwrap();
    world.check(expect![[""]]);
    assert_eq!(missing_config(&world.owner), Some(world.path("state/openclaw.json")));
    std::fs::write(world.path("state"), "").unwrap();
    world.check(expect![[""]]);
    assert_eq!(missing_config(&world.owner), None, "what cannot be told is not missing");
}

#[test]
fn an_instance_that_nobody_named_has_no_skills_to_look_at() {
    let mut world = World::new();
    world.owner.instance = Instance::Unknown;
    assert_eq!(look(&world.owner, &|| false), None);
    assert_eq!(missing_config(&world.owner), None);
}

#[test]
fn a_folder_that_may_not_be_read_is_trouble_and_its_skills_are_not_gone() {
    let world = World::new();
    world.write("state/skills/web/SKILL.md", "");
    world.write("state/skills/web/secret/key", "");
    world.write("state/workspace/skills/other/SKILL.md", "");
    let baseline = world.record();
    std::fs::set_permissions(world.dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
    for closed in ["state/skills/web/secret", "state/skills"] {
        std::fs::set_permissions(world.path(closed), PermissionsExt::from_mode(0o000)).unwrap();
        // Root may read everything, and so looks as somebody who may not.
        let seen = world.look_as((account::own_uid() == 0).then_some("nobody"));
        std::fs::set_permissions(world.path(closed), PermissionsExt::from_mode(0o755)).unwrap();
        let changes = compare(&baseline, &seen, true);
        assert!(changes.is_empty(), "{changes:?}");
        assert_eq!(seen.skills.len(), 1, "the other is seen all the same");
        let troubles: Vec<String> = seen.troubles.iter().map(|trouble| trouble.why.clone()).collect();
        assert_eq!(troubles, ["Permission denied (os error 13)"]);
    }
}

#[test]
fn a_look_that_ran_out_of_time_takes_nothing_for_gone() {
    let world = World::new();
    world.write("state/skills/a/SKILL.md", "");
    world.write("state/skills/b/SKILL.md", "");
    let baseline = world.record();
    world.write("state/skills/a/SKILL.md", "changed");
    let asked = std::cell::Cell::new(0);
    let late = || {
        asked.set(asked.get() + 1);
        asked.get() > 6
    };
    let seen = look(&world.owner, &late).unwrap();
    assert!(!seen.complete && seen.skills.len() == 1, "{seen:?}");
    let changes = compare(&baseline, &seen, false);
    assert_eq!((changes.changed.len(), changes.removed.len()), (1, 0));
}

#[test]
fn large_skills_are_read_in_part_and_say_so() {
    let world = World::new();
    let large = world.write("state/skills/large/SKILL.md", "");
    std::fs::File::options()
        .write(true)
        .open(&large)
        .unwrap()
        .set_len((64 << 20) + 1)
        .unwrap();
    let mut deep = "state/skills/deep".to_owned();
    world.write("state/skills/deep/SKILL.md", "");
    for _ in 0..40 {
        deep.push_str("/d");
    }
    world.write(&format!("{deep}/f"), "");
    world.write("state/skills/many/SKILL.md", "");
    for index in 0..=tree::ENTRIES_MAX {
        std::fs::write(world.path(&format!("state/skills/many/{index}")), "").unwrap();
    }
    world.check(expect![[r#"
        HOME/state/skills/deep (1 files, partial)
        HOME/state/skills/large (1 files, partial)
        HOME/state/skills/many (4096 files, partial)
        note HOME/state/skills/deep: it is large; what lies behind its beginning is not watched
        note HOME/state/skills/large: it is large; what lies behind its beginning is not watched
        note HOME/state/skills/many: it is large; what lies behind its beginning is not watched
    "#]]);
    let baseline = world.record();
    std::fs::File::options()
        .write(true)
        .open(&large)
        .unwrap()
        .set_len((64 << 20) + 2)
        .unwrap();
    assert_eq!(
        world.changes(&baseline, false),
        "changed large",
        "its size is watched whole"
    );
}

#[test]
fn more_skills_than_are_looked_at_are_said_and_none_is_taken_for_gone() {
    let world = World::new();
    for index in 0..walk::SKILLS_MAX + 5 {
        world.write(&format!("state/skills/{index:05}/SKILL.md"), "");
    }
    let seen = world.look();
    assert_eq!((seen.skills.len(), seen.complete), (walk::SKILLS_MAX, false));
    assert_eq!(seen.troubles.len(), 1);
    assert!(seen.troubles[0].why.contains("more than 1024 skills"), "{seen:?}");

    let links = World::new();
    std::fs::create_dir(links.path("state/skills")).unwrap();
    for index in 0..walk::SKILLS_MAX + 5 {
        symlink("/", links.path(&format!("state/skills/{index:05}"))).unwrap();
    }
    let seen = links.look();
    assert_eq!((seen.skills.len(), seen.complete), (walk::SKILLS_MAX, false));
}

#[test]
fn names_that_are_no_utf_8_are_told_apart() {
    use std::os::unix::ffi::OsStrExt as _;
    let world = World::new();
    for name in [&b"\xff"[..], b"\xfe"] {
        let folder = world.path("state/skills").join(std::ffi::OsStr::from_bytes(name));
        // Some file systems refuse such a name.
        if std::fs::create_dir_all(&folder).is_ok() {
            std::fs::write(folder.join("SKILL.md"), "").unwrap();
        }
    }
    let named: Vec<String> = world
        .look()
        .skills
        .into_keys()
        .map(|path| name_of(&path).to_owned())
        .collect();
    assert!(named.is_empty() || named == ["\\xfe", "\\xff"], "{named:?}");
}

#[test]
fn a_baseline_is_a_file_for_its_owner_alone_and_is_read_as_it_was_written() {
    let world = World::new();
    world.write("state/skills/web/SKILL.md", "");
    world.write("state/skills/web/.git/HEAD", "");
    let state_dir = world.path("readyd");
    assert_eq!(Baseline::read(&state_dir, &acme()), Ok(None));
    for _ in 0..2 {
        let baseline = world.record();
        let path = baseline.write(&state_dir).unwrap();
        assert_eq!(path, Baseline::path(&state_dir, &acme()));
        assert_eq!(Baseline::read(&state_dir, &acme()), Ok(Some(baseline)));
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
    }
    let files: Vec<_> = std::fs::read_dir(world.path("readyd/skills")).unwrap().collect();
    assert_eq!(files.len(), 1, "no draft is left");
}

#[test]
fn a_baseline_that_is_not_whole_is_no_baseline_and_no_crash() {
    let world = World::new();
    let state_dir = world.path("readyd");
    let good = r#"{"version":1,"tenant":"acme","recorded_at":"t","skills":{}}"#;
    let mut told = String::new();
    for (name, text) in [
        ("good", good),
        (
            "with a key of a later version",
            &good.replacen('{', r#"{"later":1,"#, 1),
        ),
        ("half", &good[..30]),
        ("empty", ""),
        ("junk", "\u{0}\u{7f}"),
        ("another version", &good.replace(":1", ":2")),
        ("another tenant", &good.replace("acme", "beta")),
        ("too large", &" ".repeat(9 << 20)),
    ] {
        let path = world.write("readyd/skills/acme.json", text);
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        let read = Baseline::read(&state_dir, &acme());
        let read = read
            .map(|baseline| baseline.is_some().to_string())
            .unwrap_or_else(|why| why);
        writeln!(told, "{name}: {read}").unwrap();
    }
    let path = world.path("readyd/skills/acme.json");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o666)).unwrap();
    writeln!(
        told,
        "open to all: {}",
        Baseline::read(&state_dir, &acme()).unwrap_err()
    )
    .unwrap();
    std::fs::rename(&path, world.path("readyd/skills/aside")).unwrap();
    symlink("aside", &path).unwrap();
    writeln!(told, "a link: {}", Baseline::read(&state_dir, &acme()).unwrap_err()).unwrap();
    expect![[r#"
        good: true
        with a key of a later version: true
        half: HOME/readyd/skills/acme.json is damaged: it is not a whole baseline: as root or as readyd's user, record it again with `readyd skills baseline acme`
        empty: HOME/readyd/skills/acme.json is damaged: it is not a whole baseline: as root or as readyd's user, record it again with `readyd skills baseline acme`
        junk: HOME/readyd/skills/acme.json is damaged: it is not a whole baseline: as root or as readyd's user, record it again with `readyd skills baseline acme`
        another version: HOME/readyd/skills/acme.json is of another version of readyd: as root or as readyd's user, record it again with `readyd skills baseline acme`
        another tenant: HOME/readyd/skills/acme.json is another tenant's: as root or as readyd's user, record it again with `readyd skills baseline acme`
        too large: HOME/readyd/skills/acme.json is longer than 8388608 bytes, more than is read: as root or as readyd's user, record it again with `readyd skills baseline acme`
        open to all: HOME/readyd/skills/acme.json is writable by others; run chmod go-w on it: as root or as readyd's user, record it again with `readyd skills baseline acme`
        a link: HOME/readyd/skills/acme.json cannot be read: its symbolic links lead in a circle (or it is one, where none is followed): as root or as readyd's user, record it again with `readyd skills baseline acme`
    "#]].assert_eq(&told.replace(world.dir.path().to_str().unwrap(), "HOME"));
}

#[test]
fn a_baseline_goes_nowhere_else_than_where_it_belongs() {
    let world = World::new();
    let baseline = world.record();
    let state_dir = world.path("readyd");
    std::fs::create_dir(world.path("elsewhere")).unwrap();
    symlink("../elsewhere", world.path("readyd/skills")).unwrap();
    let refused = baseline.write(&state_dir).unwrap_err();
    assert!(refused.contains("cannot be written"), "{refused}");
    assert_eq!(std::fs::read_dir(world.path("elsewhere")).unwrap().count(), 0);
    std::fs::remove_file(world.path("readyd/skills")).unwrap();
    // A link in the place of the file itself is replaced, not followed.
    std::fs::create_dir(world.path("readyd/skills")).unwrap();
    symlink("../../elsewhere/victim", world.path("readyd/skills/acme.json")).unwrap();
    baseline.write(&state_dir).unwrap();
    assert_eq!(std::fs::read_dir(world.path("elsewhere")).unwrap().count(), 0);
    let none = baseline.write(&world.path("no-such-state")).unwrap_err();
    assert!(none.contains("start readyd once"), "{none}");
}
