use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;
use crate::probe::declaration::Instance;
use crate::words::TenantName;

struct Host {
    dir: tempfile::TempDir,
    watcher: Option<Watcher>,
    polls: u64,
}

impl Host {
    fn new(file: &str) -> Host {
        let host = Host {
            dir: tempfile::tempdir().unwrap(),
            watcher: None,
            polls: 0,
        };
        host.write("readyd.yaml", file);
        host
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> &Host {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    fn options(&self) -> Options {
        Options {
            config: Some(self.path("readyd.yaml")),
            environment: Environment {
                home: Some(self.path("home")),
                ..Environment::default()
            },
        }
    }

    fn load(&self) -> Result<Loaded, String> {
        load(&self.options(), Instant::default()).map_err(|problems| self.short(&problems.to_string()))
    }

    fn start(&mut self) -> Arc<Config> {
        let (watcher, loaded) = Watcher::start(self.options(), self.now()).unwrap();
        self.watcher = Some(watcher);
        loaded.config
    }

    fn now(&self) -> Instant {
        Instant::from_millis(self.polls * 500)
    }

    fn poll(&mut self) -> Option<Arc<Config>> {
        self.polls += 1;
        let now = self.now();
        self.watcher.as_mut().unwrap().poll(now).map(|loaded| loaded.config)
    }

    fn reload(&mut self) -> Result<Arc<Config>, String> {
        let now = self.now();
        let reloaded = self.watcher.as_mut().unwrap().reload(now);
        reloaded
            .map(|loaded| loaded.config)
            .map_err(|problems| self.short(&problems.to_string()))
    }

    /// Polls until something is new, at most `polls_max` times.
    fn settles(&mut self, polls_max: usize) -> Arc<Config> {
        (0..polls_max).find_map(|_| self.poll()).expect("a change")
    }

    fn short(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.dir.path().display()), "")
    }
}

fn names(config: &Config) -> Vec<&str> {
    config.tenants.keys().map(TenantName::as_str).collect()
}

fn port(config: &Config, name: &str) -> Option<u16> {
    config.tenants[&TenantName::parse(name).unwrap()].port
}

#[test]
fn a_config_that_was_asked_for_must_be_there() {
    let host = Host::new("");
    std::fs::remove_file(host.path("readyd.yaml")).unwrap();
    assert_eq!(
        host.load().unwrap_err(),
        "readyd.yaml: cannot be read: No such file or directory (os error 2)"
    );
}

#[test]
fn with_no_file_at_all_the_embedded_default_is_loaded() {
    let environment = Environment {
        home: Some("/nowhere".into()),
        ..Environment::default()
    };
    let candidates = environment.config_candidates(None);
    if candidates.iter().any(|candidate| candidate.path.exists()) {
        return; // This host has a config of its own.
    }
    let options = Options {
        config: None,
        environment,
    };
    let loaded = load(&options, Instant::default()).unwrap();
    assert_eq!((loaded.config.path.as_ref(), loaded.config.tenants.len()), (None, 0));
}

#[test]
fn hostile_files_are_refused_with_a_reason() {
    let host = Host::new("");
    let file = host.path("readyd.yaml");
    let refused = |expected: &str| assert_eq!(host.load().map(|_| ()), Err(expected.to_owned()));
    host.write("readyd.yaml", vec![b'a'; 2 << 20]);
    refused("readyd.yaml: is longer than 1048576 bytes, more than is read");
    host.write("readyd.yaml", b"\x00\x01\x02");
    refused("readyd.yaml:1: control character 0x00: is this a YAML file?");
    host.write("readyd.yaml", "- a\n- b\n");
    refused("readyd.yaml:1: expected a map, found a list");
    host.write("readyd.yaml", "just text\n");
    refused("readyd.yaml:1: expected a map, found \"just text\"");
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    refused("readyd.yaml: cannot be read: it is a directory");
    std::fs::remove_dir(&file).unwrap();
    symlink(&file, &file).unwrap();
    refused("readyd.yaml: cannot be read: its symbolic links lead in a circle (or it is one, where none is followed)");
    std::fs::remove_file(&file).unwrap();
    if !rustix::process::geteuid().is_root() {
        host.write("readyd.yaml", "");
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o000)).unwrap();
        refused("readyd.yaml: cannot be read: Permission denied (os error 13)");
    }
}

#[test]
fn an_empty_file_is_all_defaults() {
    let config = Host::new("").load().unwrap().config;
    assert_eq!(config.listen.to_string(), "127.0.0.1:9099");
    assert!(config.path.is_some());
}

#[test]
fn problems_of_the_file_and_of_probes_d_are_told_together() {
    let host = Host::new("lisen: x\nprobes: {disk: {kind: disk, down_free: 9GiB}}\n");
    host.write("probes.d/a.yaml", "name: a\nkind: nope\n")
        .write("probes.d/.b.yaml.swp", "junk")
        .write("probes.d/README", "junk");
    assert_eq!(
        host.load().map(|_| ()).unwrap_err(),
        "readyd.yaml:1: lisen: unknown key; did you mean `listen`?\n\
         probes.d/a.yaml:2: probes.a.kind: expected a kind (exec gateway http listener tcp tls disk clock write tokens queue lock host process digest store files), found \"nope\"\n\
         readyd.yaml:2: probes.disk: warn_free (2GiB) must be at least down_free (9GiB)"
    );
}

#[test]
fn an_openclaw_on_the_path_with_a_default_profile_is_the_tenant_default() {
    let host = Host::new("");
    host.write("bin/openclaw", "#!/bin/sh\n");
    host.write(
        "readyd.yaml",
        format!("exec: {{path: [{}]}}\n", host.path("bin").display()),
    );
    let tenants = |host: &Host| host.load().unwrap().config.tenants.clone();
    assert!(tenants(&host).is_empty(), "no profile, and not executable");
    host.write("home/.openclaw/openclaw.json", "{ gateway: { port: 19001 } }");
    assert!(tenants(&host).is_empty(), "not executable");
    std::fs::set_permissions(host.path("bin/openclaw"), PermissionsExt::from_mode(0o755)).unwrap();
    let found = tenants(&host);
    let tenant = found.values().next().unwrap();
    assert_eq!(
        (tenant.name.as_str(), &tenant.instance, tenant.port),
        ("default", &Instance::Default, Some(19_001))
    );
    host.write(
        "readyd.yaml",
        format!("tenants: {{}}\nexec: {{path: [{}]}}\n", host.path("bin").display()),
    );
    assert!(tenants(&host).is_empty(), "none on purpose");
}

#[test]
fn a_change_is_applied_when_two_polls_see_the_same() {
    let mut host = Host::new("tenants_dir: tenants\n");
    host.write("tenants/acme/gateway.d/10-a.yaml", "port: 1\n");
    assert_eq!(port(&host.start(), "acme"), Some(1));
    assert!(host.poll().is_none());
    host.write("tenants/acme/gateway.d/10-a.yaml", "port: 22\n");
    assert!(host.poll().is_none(), "not settled");
    assert_eq!(host.poll().map(|config| port(&config, "acme")), Some(Some(22)));
    assert!(host.poll().is_none());
}

#[test]
fn what_never_settles_is_applied_by_the_third_poll() {
    let mut host = Host::new("tenants_dir: tenants\n");
    host.write("tenants/acme/gateway.d/10-a.yaml", "port: 1\n");
    host.start();
    for size in 1..3 {
        host.write(
            "tenants/acme/gateway.d/10-a.yaml",
            format!("port: 7{}", "\n".repeat(size)),
        );
        assert!(host.poll().is_none());
    }
    host.write("tenants/acme/gateway.d/10-a.yaml", "port: 9\n\n\n\n");
    assert_eq!(host.poll().map(|config| port(&config, "acme")), Some(Some(9)));
}

#[test]
fn tenants_come_and_go_with_their_directories() {
    let mut host = Host::new("tenants_dir: tenants\n");
    host.write("tenants/acme/gateway.d/10-a.yaml", "port: 1\n");
    host.start();
    host.write("tenants/beta/doctor.d/10-a.yaml", "");
    assert_eq!(names(&host.settles(3)), ["acme", "beta"]);
    std::fs::remove_dir_all(host.path("tenants/beta")).unwrap();
    let vanished = host.settles(3);
    assert_eq!(names(&vanished), ["acme", "beta"]);
    assert!(vanished.tenants.values().any(|tenant| tenant.trouble.is_some()));
    let began = host.polls;
    assert_eq!(names(&host.settles(140)), ["acme"]);
    let seconds = (host.polls - began) / 2;
    assert!((58..=63).contains(&seconds), "{seconds}");
}

#[test]
fn a_directory_that_goes_away_takes_nobody_with_it_until_a_reload() {
    let mut host = Host::new("tenants_dir: tenants\n");
    host.write("tenants/acme/gateway.d/10-a.yaml", "port: 1\n");
    host.start();
    std::fs::rename(host.path("tenants"), host.path("aside")).unwrap();
    let kept = host.settles(3);
    assert_eq!(port(&kept, "acme"), Some(1));
    assert!(kept.tenants.values().all(|tenant| tenant.trouble.is_some()));
    for _ in 0..300 {
        assert!(host.poll().is_none());
    }
    assert!(names(&host.reload().unwrap()).is_empty());
    std::fs::rename(host.path("aside"), host.path("tenants")).unwrap();
    assert_eq!(names(&host.settles(3)), ["acme"]);
}

#[test]
fn a_reload_applies_a_valid_file_whole_or_keeps_the_old_one() {
    let mut host = Host::new("tenants_dir: tenants\nnode: one\n");
    host.write("tenants/acme/gateway.d/10-a.yaml", "port: 1\n");
    host.start();
    host.write("readyd.yaml", "tenants_dir: tenants\nnode: two\nlisen: x\n");
    assert_eq!(
        host.reload().unwrap_err(),
        "readyd.yaml:3: lisen: unknown key; did you mean `listen`?"
    );
    host.write("tenants/acme/gateway.d/10-a.yaml", "port: 22\n");
    let after = host.settles(3);
    assert_eq!((after.node.as_str(), port(&after, "acme")), ("one", Some(22)));
    host.write("readyd.yaml", "tenants_dir: tenants\nnode: two\n");
    assert!(host.poll().is_none(), "the file itself is read again on a reload alone");
    assert_eq!(host.reload().unwrap().node, "two");
}

#[test]
fn a_file_that_is_gone_at_a_reload_does_not_become_the_embedded_default() {
    let mut host = Host::new("node: one\n");
    let environment = Environment {
        readyd_config: None,
        xdg_config_home: Some(host.path("xdg")),
        ..Environment::default()
    };
    host.write("xdg/readyd/readyd.yaml", "node: found\n");
    let options = Options {
        config: None,
        environment,
    };
    if Path::new("readyd.yaml").exists() {
        return; // It would be found first.
    }
    let (watcher, loaded) = Watcher::start(options, host.now()).unwrap();
    assert_eq!(loaded.config.node, "found");
    host.watcher = Some(watcher);
    std::fs::remove_file(host.path("xdg/readyd/readyd.yaml")).unwrap();
    assert!(
        host.reload()
            .unwrap_err()
            .contains("xdg/readyd/readyd.yaml: cannot be read")
    );
}

#[test]
fn a_broken_fragment_survives_a_reload_with_its_last_good_merge() {
    let mut host = Host::new("tenants_dir: tenants\n");
    host.write("tenants/acme/gateway.d/10-a.yaml", "port: 1\n");
    host.start();
    host.write("tenants/acme/gateway.d/10-a.yaml", "port: [\n");
    let config = host.reload().unwrap();
    assert_eq!(port(&config, "acme"), Some(1));
    let trouble = config.tenants.values().next().unwrap().trouble.clone().unwrap();
    assert!(
        host.short(&trouble).starts_with("tenants/acme/gateway.d/10-a.yaml:"),
        "{trouble}"
    );
}

#[test]
fn a_missing_tenants_directory_is_no_reason_not_to_start() {
    let mut host = Host::new("tenants_dir: tenants\n");
    let config = host.start();
    assert!(config.tenants.is_empty());
    assert!(config.warnings[0].contains("cannot be read"), "{:?}", config.warnings);
    host.write("tenants/acme/gateway.d/10-a.yaml", "port: 1\n");
    assert_eq!(names(&host.settles(3)), ["acme"]);
}
