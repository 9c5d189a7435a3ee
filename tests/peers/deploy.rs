//! Every file in `deploy/` is read by the program it is for; load balancers take hosts out and back by it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::balancer::{Balancer, Host, assert_well, python_tool, shipped, with};
use crate::harness::backend::answers;
use crate::harness::{READYD, free_port, peer, repository};

/// What `systemd-analyze security` makes of the unit, at most; 10.0 is no protection at all.
const EXPOSURE_MAX: &str = "40";

#[test]
fn systemd_finds_nothing_to_say_about_the_unit_and_little_that_it_could_do() {
    let Some(systemd_analyze) = peer("systemd-analyze", &[]) else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let unit = dir.path().join("readyd.service");
    fs::write(
        &unit,
        with(
            &shipped("systemd/readyd.service"),
            &[("/usr/bin/readyd", READYD.to_owned())],
        ),
    )
    .unwrap();
    let drop_in = dir.path().join("readyd.service.d");
    let verify = || {
        let mut command = Command::new(&systemd_analyze);
        command.args(["verify", "--man=no"]).arg(&unit).output().unwrap()
    };
    let alone = verify();
    assert_well(&alone);
    assert_eq!(String::from_utf8_lossy(&alone.stderr), "");
    fs::create_dir(&drop_in).unwrap();
    fs::write(drop_in.join("root.conf"), shipped("systemd/readyd-root.conf")).unwrap();
    assert_well(&verify());
    fs::remove_dir_all(&drop_in).unwrap();
    let exposure = Command::new(&systemd_analyze)
        .args(["security", "--offline=true", "--no-pager", "--threshold", EXPOSURE_MAX])
        .arg(&unit)
        .output()
        .unwrap();
    assert_well(&exposure);
    let user = dir.path().join("readyd.conf");
    fs::write(&user, shipped("systemd/readyd.sysusers")).unwrap();
    if let Some(sysusers) = peer("systemd-sysusers", &[]) {
        let root = dir.path().join("root");
        fs::create_dir_all(root.join("etc")).unwrap();
        let made = Command::new(sysusers)
            .arg("--root")
            .arg(&root)
            .arg("--dry-run")
            .arg(&user)
            .output();
        assert_well(&made.unwrap());
    }
}

#[test]
fn launchds_property_list_is_one_and_says_what_it_should() {
    let Some(python) = peer("python3", &[]) else {
        return;
    };
    let script = "import plistlib,sys,json; print(json.dumps(plistlib.load(open(sys.argv[1],'rb'))))";
    let file = repository().join("deploy/launchd/dev.readyd.readyd.plist");
    let output = Command::new(python).args(["-c", script]).arg(&file).output().unwrap();
    assert_well(&output);
    let plist: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        format!("{}.plist", plist["Label"].as_str().unwrap()),
        "dev.readyd.readyd.plist"
    );
    assert_eq!(plist["KeepAlive"], true);
    assert_eq!(plist["UserName"], "_readyd");
    assert_eq!(plist["Umask"], 0o077);
    let arguments: Vec<_> = plist["ProgramArguments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|word| word.as_str().unwrap())
        .collect();
    let log = "/usr/local/var/log/readyd/readyd.log";
    let expected = ["serve", "--config", "/etc/readyd/readyd.yaml", "--log-file", log];
    assert_eq!(arguments[1..], expected);
    // What is rotated is what is written.
    let rotated: Vec<String> = shipped("launchd/readyd.newsyslog.conf")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_whitespace().next().unwrap().to_owned())
        .collect();
    assert_eq!(rotated, [log, plist["StandardErrorPath"].as_str().unwrap()]);
}

#[test]
fn kubernetes_knows_every_field_of_the_manifests() {
    let Some(validate) = python_tool("kubernetes-validate") else {
        return;
    };
    for name in ["daemonset", "sidecar", "servicemonitor"] {
        let file = repository().join(format!("deploy/kubernetes/{name}.yaml"));
        // Of kinds that are Kubernetes' own; the operator's ServiceMonitor is read as YAML alone.
        assert_well(
            &Command::new(&validate)
                .args(["--strict", "--no-warn"])
                .arg(file)
                .output()
                .unwrap(),
        );
    }
}

#[test]
fn the_configurations_in_the_manifests_are_valid() {
    for name in ["daemonset", "sidecar"] {
        let manifest = shipped(&format!("kubernetes/{name}.yaml"));
        let (_, block) = manifest.split_once("readyd.yaml: |\n").unwrap();
        let lines = block.lines().map_while(|line| line.strip_prefix("    "));
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("readyd.yaml");
        fs::write(&config, lines.collect::<Vec<_>>().join("\n")).unwrap();
        let checked = Command::new(READYD)
            .args(["config", "check", "--config"])
            .arg(&config)
            .output()
            .unwrap();
        assert_well(&checked);
    }
}

#[test]
fn hadolint_finds_nothing_to_say_about_the_container_file() {
    let Some(hadolint) = python_tool("hadolint") else {
        return;
    };
    let file = repository().join("deploy/container/Containerfile");
    assert_well(&Command::new(hadolint).arg(file).output().unwrap());
}

#[test]
fn haproxys_configuration_halves_a_degraded_host_and_leaves_a_drained_one_out() {
    let Some(haproxy) = peer("haproxy", &["/usr/sbin/haproxy"]) else {
        return;
    };
    let (one, two) = (Host::new("one"), Host::new("two"));
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("haproxy.cfg");
    let port = free_port();
    let line = |host: &Host| {
        format!(
            "127.0.0.1:{} port {} agent-port {}",
            host.backend.port, host.node.port, host.agent
        )
    };
    let text = with(
        &shipped("haproxy/haproxy.cfg"),
        &[
            ("bind :80", format!("bind 127.0.0.1:{port}")),
            ("10.0.0.11:18789", line(&one)),
            ("10.0.0.12:18789", line(&two)),
        ],
    );
    fs::write(&config, text).unwrap();
    let command = |arguments: &[&str]| {
        let mut command = Command::new(&haproxy);
        command.args(arguments).arg("-f").arg(&config);
        command
    };
    assert_well(&command(&["-c"]).output().unwrap());
    let balancer = Balancer::start(command(&["-db"]), port, dir);
    balancer.until("both hosts serve alike", |one, two| one == two);

    one.degrade();
    balancer.until("a degraded host has half the weight", |one, two| 2 * one == two);

    one.node.cli_ok(&["drain", "--reason", "spec"]);
    balancer.until("a drained host serves nobody", |one, _| one == 0);
    one.node.cli_ok(&["undrain"]);
    balancer.until("back again", |one, two| 2 * one == two);
}

#[test]
fn nginx_passes_to_the_next_host_while_readyd_says_no_and_no_client_sees_it() {
    let Some(nginx) = peer("nginx", &["/usr/sbin/nginx"]) else {
        return;
    };
    let (one, two) = (Host::new("one"), Host::new("two"));
    let dir = tempfile::tempdir().unwrap();
    let (front, ports) = (free_port(), [free_port(), free_port()]);
    let host = |name: &str, host: &Host, listen: u16| {
        let text = with(
            &shipped("nginx/node.conf"),
            &[
                ("/var/cache/nginx/readyd", dir.path().join(name).display().to_string()),
                ("keys_zone=readyd", format!("keys_zone={name}")),
                ("proxy_cache readyd", format!("proxy_cache {name}")),
                ("upstream gateway", format!("upstream {name}")),
                ("http://gateway", format!("http://{name}")),
                ("127.0.0.1:18789", format!("127.0.0.1:{}", host.backend.port)),
                ("listen 8080", format!("listen 127.0.0.1:{listen}")),
                ("127.0.0.1:9099", format!("127.0.0.1:{}", host.node.port)),
            ],
        );
        let file = dir.path().join(format!("{name}.conf"));
        fs::write(&file, text).unwrap();
        file
    };
    let balancer = dir.path().join("balancer.conf");
    fs::write(
        &balancer,
        with(
            &shipped("nginx/balancer.conf"),
            &[
                ("10.0.0.11:8080", format!("127.0.0.1:{}", ports[0])),
                ("10.0.0.12:8080", format!("127.0.0.1:{}", ports[1])),
                ("listen 80;", format!("listen 127.0.0.1:{front};")),
            ],
        ),
    )
    .unwrap();
    let files = [host("one", &one, ports[0]), host("two", &two, ports[1]), balancer];
    let main = dir.path().join("nginx.conf");
    fs::write(&main, nginx_main(dir.path(), &files)).unwrap();
    let command = |arguments: &[&str]| {
        let mut command = Command::new(&nginx);
        command.arg("-p").arg(dir.path()).arg("-c").arg(&main).args(arguments);
        command
    };
    assert_well(&command(&["-t"]).output().unwrap());
    let serving = command(&[]);
    let balancer = Balancer::start(serving, front, dir);
    balancer.until("both hosts serve", |one, two| one > 0 && two > 0);

    one.node.cli_ok(&["drain", "--reason", "spec"]);
    balancer.until("a drained host serves nobody", |one, _| one == 0);
    let seen = answers(front, 200);
    assert_eq!(seen.get("two"), Some(&200), "{seen:?}");
    one.node.cli_ok(&["undrain"]);
    balancer.until("back again", |one, two| one > 0 && two > 0);
}

/// One process, nothing outside of `dir`.
fn nginx_main(dir: &Path, files: &[PathBuf]) -> String {
    let includes: String = files
        .iter()
        .map(|file| format!("  include {};\n", file.display()))
        .collect();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|what| format!("  {what}_temp_path {}/{what};\n", dir.display()))
        .collect();
    let dir = dir.display();
    format!(
        "daemon off;\nmaster_process off;\npid {dir}/pid;\nerror_log {dir}/error.log;\nevents {{}}\n\
         http {{\n  access_log off;\n{temporary}{includes}}}\n"
    )
}
