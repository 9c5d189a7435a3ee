use std::time::Duration;

use expect_test::{Expect, expect};

use super::*;
use crate::config::units::write_duration;
use crate::probe::declaration::{Amount, Asks, RuleAct, Scope};
use crate::words::{Layer, Verdict};

const DOCTOR: &str = "\
name: doctor
title: OpenClaw doctor
layer: runtime
scope: tenant
kind: exec
lane: heavy
parse: doctor
every: 5m
timeout: 60s
max_stale: 16m
rules:
  - {check_id: core/doctor/security, requirement: config.plaintext_secrets, act: note}
  - {check_id: core/doctor/node-hosting-preconditions, act: ignore}
";
const DISK: &str = "name: disk\nkind: disk\nevery: 30s\n";

struct Layers<'text> {
    shipped: &'text [(&'text str, &'text str)],
    files: &'text [File<'text>],
    overrides: &'text str,
}

const NONE: Layers<'static> = Layers {
    shipped: &[("doctor.yaml", DOCTOR), ("disk.yaml", DISK)],
    files: &[],
    overrides: "",
};

fn gathered(layers: &Layers<'_>) -> (Declarations, Remarks) {
    let tree = yaml::parse("readyd.yaml", layers.overrides.as_bytes()).unwrap();
    let mut remarks = Remarks::default();
    let patience = Patience { fall: 2, rise: 3 };
    let (shipped, files) = (layers.shipped, layers.files);
    let declarations = Declarations::gather(shipped, files, Some(&tree), patience, &mut remarks);
    (declarations, remarks)
}

fn probe(layers: &Layers<'_>, name: &str) -> Arc<Probe> {
    let (declarations, mut remarks) = gathered(layers);
    let probes = declarations.probes(&mut remarks);
    assert!(remarks.problems.is_empty(), "{}", remarks.problems);
    Arc::clone(&probes[&ProbeName::parse(name).unwrap()])
}

fn told(layers: &Layers<'_>, expected: Expect) {
    let (declarations, mut remarks) = gathered(layers);
    declarations.probes(&mut remarks);
    let mut lines: Vec<_> = remarks
        .problems
        .iter()
        .map(|problem| format!("error: {problem}"))
        .collect();
    lines.extend(remarks.warnings.iter().map(|warning| format!("warning: {warning}")));
    expected.assert_eq(&lines.join("\n"));
}

#[test]
fn defaults_are_those_of_the_contract() {
    let minimal = |text: &str| {
        probe(
            &Layers {
                overrides: text,
                ..NONE
            },
            "p",
        )
    };
    let native = minimal("p: {kind: host}");
    let shown = [native.every, native.retry_every, native.timeout, native.max_stale].map(write_duration);
    assert_eq!(shown, ["10s", "2s", "2s", "32s"]);
    assert_eq!((native.fall, native.rise), (2, 3));
    assert_eq!(
        (native.on_silence, native.worst, native.required),
        (Verdict::Degraded, Verdict::Down, true)
    );
    assert_eq!(
        (native.scope, native.layer, native.enabled),
        (Scope::Node, Layer::Host, true)
    );
    let exec = minimal("p: {kind: exec, command: [x]}");
    let shown = [exec.every, exec.retry_every, exec.timeout, exec.max_stale].map(write_duration);
    assert_eq!(shown, ["5m", "30s", "1m", "16m"]);
    assert_eq!((exec.scope, exec.layer), (Scope::Tenant, Layer::Runtime));
    assert_eq!(minimal("p: {kind: write}").on_silence, Verdict::Down);
    let quick = minimal("p: {kind: exec, command: [x], every: 5s, timeout: 1s}");
    assert_eq!(quick.retry_every, Duration::from_secs(5), "never above every");
}

#[test]
fn a_later_layer_overrides_field_by_field() {
    let file: (&str, &[u8]) = (
        "/etc/readyd/probes.d/disk.yaml",
        b"name: disk\nevery: 20s\nwarn_free: 10%\n",
    );
    let layers = Layers {
        files: &[file],
        overrides: "disk: {warn_free: 4GiB, down_free: 1GiB}",
        ..NONE
    };
    let disk = probe(&layers, "disk");
    let Asks::Disk(asks) = &disk.asks else {
        panic!("{disk:?}");
    };
    assert_eq!(disk.every, Duration::from_secs(20));
    assert_eq!(
        (asks.warn_free, asks.down_free),
        (Amount::Bytes(4 << 30), Amount::Bytes(1 << 30))
    );
}

#[test]
fn null_takes_an_override_back_to_the_default() {
    let layers = Layers {
        overrides: "doctor: {max_stale: null, every: 10m}",
        ..NONE
    };
    assert_eq!(probe(&layers, "doctor").max_stale, Duration::from_secs(31 * 60));
}

#[test]
fn an_override_of_every_does_not_leave_answers_stale_before_the_next() {
    let layers = Layers {
        overrides: "doctor: {every: 1h}",
        ..NONE
    };
    assert_eq!(probe(&layers, "doctor").max_stale, Duration::from_secs(3 * 3600 + 60));
    told(
        &layers,
        expect![
            "warning: probes.doctor.max_stale 16m is less than every + timeout (61m): 181m is used, so that an answer does not expire before the next one"
        ],
    );
}

#[test]
fn an_override_of_ignore_keeps_the_shipped_rules_and_comes_first() {
    let layers = Layers {
        overrides: "doctor: {ignore: [core/doctor/disk-space, {check_id: core/doctor/security, act: downgrade}]}",
        ..NONE
    };
    let doctor = probe(&layers, "doctor");
    let Asks::Exec(exec) = &doctor.asks else {
        panic!("{doctor:?}");
    };
    let rules: Vec<_> = exec
        .rules
        .iter()
        .map(|rule| (rule.check_id.as_str(), rule.act))
        .collect();
    assert_eq!(
        rules,
        [
            ("core/doctor/disk-space", RuleAct::Ignore),
            ("core/doctor/security", RuleAct::Downgrade),
            ("core/doctor/security", RuleAct::Note),
            ("core/doctor/node-hosting-preconditions", RuleAct::Ignore),
        ]
    );
}

#[test]
fn a_probe_can_be_turned_off_and_stays_known() {
    let layers = Layers {
        overrides: "doctor: {enabled: false}",
        ..NONE
    };
    assert!(!probe(&layers, "doctor").enabled);
}

#[test]
fn an_override_of_an_unknown_probe_is_a_warning_with_the_nearest_name() {
    let layers = Layers {
        overrides: "docter: {every: 5m}\nmine: {kind: tcp, address: 'h:1'}",
        ..NONE
    };
    told(
        &layers,
        expect![
            "warning: readyd.yaml:1: no probe is called `docter`, so this override does nothing; did you mean `doctor`?"
        ],
    );
    assert_eq!(probe(&layers, "mine").asks.kind(), "tcp");
}

#[test]
fn what_does_not_fit_a_kind_is_an_error_at_its_line() {
    let layers = Layers {
        overrides: "doctor:\n  warn_free: 2GiB\ndisk:\n  kind: exec\n",
        ..NONE
    };
    told(
        &layers,
        expect![[r#"
            error: readyd.yaml:4: probes.disk.kind: an override cannot change the kind; give the new probe a name of its own
            error: readyd.yaml:2: probes.doctor.warn_free: does not belong to a probe of kind exec"#]],
    );
}

#[test]
fn declarations_that_cannot_be_asked_say_why() {
    let layers = Layers {
        overrides: "\
a: {kind: gateway}
b: {kind: exec}
c: {kind: http, url: 'ftp://x'}
d: {kind: http}
e: {kind: tcp, address: 'h:{prot}'}
f: {kind: exec, command: [x, '{tenant}'], scope: node}
g: {kind: exec, command: [x, '{tenants}']}
h: {kind: exec, command: [x], parse: readyz}
i: {kind: disk, warn_free: 1GiB, down_free: 2GiB, warn_inodes: 1%, down_inodes: 2%}
j: {kind: queue, warn_depth: 9, down_depth: 8, warn_age: 2m, down_age: 1m}
k: {kind: exec, command: [x], ignore: [y]}
l: {kind: exec, command: [x], explained_by: [l]}
m: {kind: host, explained_by: [nobody]}
n: {kind: http, url: 'http://u:p@h/'}
o: {kind: tls, warn_days: 3, down_days: 4, ca_file: '/{tenants}.pem'}
p: {kind: tls, scope: node}
q: {kind: listener, must_refuse: ['h/x', 'http://h/{x}']}
r: {kind: listener, scope: node}
",
        ..NONE
    };
    told(
        &layers,
        expect![[r#"
            error: readyd.yaml:2: probes.b.command: a probe of kind exec needs a `command`
            error: readyd.yaml:3: probes.c.url: expected http:// or https:// with a host and without user info
            error: readyd.yaml:4: probes.d.url: a probe of kind http needs `url`
            error: readyd.yaml:5: probes.e.address: {prot} is no placeholder; there are {tenant} {profile} {state_dir} {config} {port}
            error: readyd.yaml:6: probes.f.command: {tenant} cannot be filled in: the probe is bound to the node, not to a tenant
            error: readyd.yaml:8: probes.h.parse: readyz is for kind http; exec knows doctor config nagios secrets exit-code security json cost
            error: readyd.yaml:9: probes.i: warn_free (1GiB) must be at least down_free (2GiB)
            error: readyd.yaml:9: probes.i: warn_inodes (1%) must be at least down_inodes (2%)
            error: readyd.yaml:10: probes.j: warn_depth (9) must be at most down_depth (8)
            error: readyd.yaml:10: probes.j: warn_age (2m) must be at most down_age (1m)
            error: readyd.yaml:11: probes.k: `rules` and `ignore` are for `parse: doctor` and `parse: security`
            error: readyd.yaml:12: probes.l.explained_by: a probe cannot explain itself
            error: readyd.yaml:14: probes.n.url: expected http:// or https:// with a host and without user info
            error: readyd.yaml:15: probes.o: warn_days (3) must be at least down_days (4)
            error: readyd.yaml:15: probes.o.addresses: {tenants} is no placeholder; there are {tenant} {profile} {state_dir} {config} {port}
            error: readyd.yaml:16: probes.p.addresses: a probe of kind tls that is bound to the node needs `addresses`
            error: readyd.yaml:17: probes.q.must_refuse: expected http:// or https:// with a host and without user info
            error: readyd.yaml:17: probes.q.must_refuse: {x} is no placeholder; there are {tenant} {profile} {state_dir} {config} {port}
            error: readyd.yaml:18: probes.r.must_refuse: a probe of kind listener that is bound to the node needs `must_refuse`
            warning: probes.g.command: {tenants} is no placeholder; there are {tenant} {profile} {state_dir} {config} {port}
            warning: probes.m.explained_by names nobody, which no probe is called"#]],
    );
}

#[test]
fn a_broken_file_of_probes_d_is_an_error_and_the_others_are_told_as_well() {
    let files: [File<'_>; 4] = [
        ("a.yaml", b"kind: host\n"),
        ("b.yaml", b"name: b\nkind: teleport\n"),
        ("c.yaml", b"name: c\n\tkind: host\n"),
        ("d.yaml", b"name: d\nevry: 5m\nkind: host\n"),
    ];
    told(
        &Layers { files: &files, ..NONE },
        expect![[r#"
            error: a.yaml:1: name: a declaration needs a `name` ([a-z0-9][a-z0-9-]{0,31})
            error: b.yaml:2: probes.b.kind: expected a kind (exec gateway http listener tcp tls disk clock write tokens queue lock host process digest store files), found "teleport"
            error: c.yaml:2: a tab indents this line; YAML wants spaces there
            error: d.yaml:2: probes.d.evry: unknown key; did you mean `every`?"#]],
    );
}

#[test]
fn a_tenants_patience_lies_between_the_shipped_and_the_files() {
    let layers = Layers {
        overrides: "doctor: {timeout: 90s}",
        ..NONE
    };
    let (declarations, _) = gathered(&layers);
    let fragment = yaml::parse(
        "20-team.yaml",
        b"doctor: {every: 15m, timeout: 5s, fall: 3}\ncertificate: {every: 1h}\n",
    )
    .unwrap();
    let mut remarks = Remarks::default();
    let probes = declarations.of_tenant(&fragment, &mut remarks);
    let doctor = &probes[&ProbeName::parse("doctor").unwrap()];
    assert_eq!(
        (doctor.every, doctor.timeout),
        (Duration::from_secs(900), Duration::from_secs(90))
    );
    assert_eq!(doctor.fall, 3);
    assert_eq!(probes.len(), 1);
    assert_eq!(remarks.warnings.len(), 2, "{:?}", remarks.warnings);
}

#[test]
fn what_ships_is_valid() {
    assert_eq!(shipped_probes().len(), crate::probe::SHIPPED.len());
}
