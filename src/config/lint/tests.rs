use expect_test::{Expect, expect};

use super::*;
use crate::config::fragments::{self, Fragment};

fn fragment(section: Section, name: &str, text: &str) -> Fragment {
    Fragment {
        section,
        name: name.to_owned(),
        file: format!("acme/{}/{name}", section.dir()),
        content: Ok(text.as_bytes().to_vec()),
    }
}

fn webhook(files: &[(&str, &str)]) -> Vec<Fragment> {
    let of = |(name, text): &(&str, &str)| fragment(Section::Webhook, name, text);
    files.iter().map(of).collect()
}

fn lint(fragments: Vec<Fragment>, beside: &Beside) -> Lint {
    let merged = fragments::merge(Place::file("acme"), fragments);
    Lint::of(&merged.files, &merged.problems, beside)
}

fn check(fragments: Vec<Fragment>, expected: Expect) {
    let lint = lint(fragments, &Beside::default());
    let lines: Vec<String> = lint
        .advice
        .iter()
        .map(|one| format!("{}: {one}", one.kind.as_str()))
        .collect();
    expected.assert_eq(&lines.join("\n"));
}

#[test]
fn sound_layers_are_nothing_to_speak_of() {
    check(
        webhook(&[
            ("10-base.yaml", "endpoints: {crm: {budget: 50}}\ntenant_budget: 70\n"),
            ("20-more.yaml", "endpoints: {erp: {budget: 9}}\ntenant_budget: 70\n"),
            ("30-empty.yaml", "endpoints:\n"),
        ]),
        expect![""],
    );
}

#[test]
fn a_key_that_two_files_set_to_different_values_is_named_with_both_lines() {
    check(
        webhook(&[
            (
                "10-base.yaml",
                "endpoints:\n  crm: {budget: 50}\ntenant_budget: 70\nretry_budget: 3\n",
            ),
            ("20-team.yaml", "tenant_budget: 80\n"),
            (
                "30-me.yaml",
                "tenant_budget: 90\nendpoints: {crm: {budget: 51}}\nretry_budget:\n",
            ),
        ]),
        expect![[r#"
            conflict: acme/webhook.d/20-team.yaml:1: tenant_budget: sets anew what acme/webhook.d/10-base.yaml:3 sets; the later file wins. Keep one, or list the key under `overrides:` there
            conflict: acme/webhook.d/30-me.yaml:1: tenant_budget: sets anew what acme/webhook.d/20-team.yaml:1 sets; the later file wins. Keep one, or list the key under `overrides:` there
            conflict: acme/webhook.d/30-me.yaml:2: endpoints.crm.budget: sets anew what acme/webhook.d/10-base.yaml:2 sets; the later file wins. Keep one, or list the key under `overrides:` there
            conflict: acme/webhook.d/30-me.yaml:3: retry_budget: unsets what acme/webhook.d/10-base.yaml:4 sets; the later file wins. Keep one, or list the key under `overrides:` there"#]],
    );
}

#[test]
fn lists_and_what_changes_its_kind_are_fought_over_too() {
    let files = vec![
        fragment(
            Section::Gateway,
            "10-a.yaml",
            "listeners: ['127.0.0.1:1', '127.0.0.1:2']\n",
        ),
        fragment(Section::Gateway, "20-b.yaml", "listeners: ['127.0.0.1:1']\n"),
        fragment(Section::Doctor, "10-a.yaml", "invariants: {a: {b: 1, c: 2}}\n"),
        fragment(Section::Doctor, "20-b.yaml", "invariants: [x]\n"),
        fragment(Section::Doctor, "30-c.yaml", "invariants: {a: 1}\n"),
    ];
    check(
        files,
        expect![[r#"
            conflict: acme/gateway.d/20-b.yaml:1: listeners: sets anew what acme/gateway.d/10-a.yaml:1 sets; the later file wins. Keep one, or list the key under `overrides:` there
            conflict: acme/doctor.d/20-b.yaml:1: invariants: sets anew what acme/doctor.d/10-a.yaml:1 sets; the later file wins. Keep one, or list the key under `overrides:` there
            conflict: acme/doctor.d/20-b.yaml:1: invariants: sets anew what acme/doctor.d/10-a.yaml:1 sets; the later file wins. Keep one, or list the key under `overrides:` there
            conflict: acme/doctor.d/30-c.yaml:1: invariants: sets anew what acme/doctor.d/20-b.yaml:1 sets; the later file wins. Keep one, or list the key under `overrides:` there"#]],
    );
}

#[test]
fn what_a_file_says_that_it_overrides_is_no_fight_and_no_part_of_the_merge() {
    let files = || {
        webhook(&[
            (
                "10-base.yaml",
                "endpoints: {crm: {budget: 50}, crm-2: {budget: 50}}\ntenant_budget: 70\n",
            ),
            (
                "20-team.yaml",
                "overrides: [endpoints.crm, tenant_budget]\nendpoints: {crm: {budget: 80}, crm-2: {budget: 80}}\ntenant_budget: 90\n",
            ),
        ])
    };
    check(
        files(),
        expect![
            "conflict: acme/webhook.d/20-team.yaml:2: endpoints.crm-2.budget: sets anew what acme/webhook.d/10-base.yaml:1 sets; the later file wins. Keep one, or list the key under `overrides:` there"
        ],
    );
    let merged = fragments::merge(Place::file("acme"), files());
    assert!(merged.problems.is_empty() && merged.tree.get("overrides").is_none());
    check(
        webhook(&[("10-a.yaml", "overrides: {a: b}\n")]),
        expect!["broken: acme/webhook.d/10-a.yaml:1: overrides: expected a list, found a map"],
    );
}

#[test]
fn numbers_given_twice_and_numbers_out_of_order_are_named() {
    check(
        webhook(&[
            ("10-a.yaml", ""),
            ("010-b.yaml", ""),
            ("100-c.yaml", ""),
            ("20-d.yaml", ""),
            ("20-e.yml", ""),
        ]),
        expect![[r#"
            number given twice: acme/webhook.d/10-a.yaml: has the number of 010-b.yaml: which of them wins is left to the rest of their names; give each its own
            number given twice: acme/webhook.d/20-e.yml: has the number of 20-d.yaml: which of them wins is left to the rest of their names; give each its own
            name: acme/webhook.d/20-d.yaml: merges after 100-c.yaml although its number is lower: names are compared byte by byte; write all numbers equally long"#]],
    );
    let mut both = webhook(&[("10-a.yaml", "")]);
    both.push(fragment(Section::Doctor, "10-a.yaml", ""));
    check(both, expect![""]);
}

#[test]
fn what_is_broken_comes_first_and_a_secret_is_told_from_it_without_its_value() {
    let lint = lint(
        webhook(&[
            ("10-a.yaml", "tenant_budget: 1\n"),
            ("20-b.yaml", "tenant_budget: 2\n"),
            ("30-c.yaml", "tenant_budget: [\n"),
            ("40-d.yaml", "api_key: hunter2hunter2\n"),
        ]),
        &Beside::default(),
    );
    let kinds: Vec<Kind> = lint.counted().map(|one| one.kind).collect();
    assert_eq!(kinds, [Kind::Broken, Kind::Secret, Kind::Conflict]);
    let finding = finding(
        Some("acme/webhook.d/30-c.yaml:2: not YAML: … (and 1 more)"),
        Some(&lint),
    );
    let all = format!("{finding:?}");
    assert!(all.contains("40-d.yaml:1: api_key"), "{all}");
    assert!(!all.contains("hunter2"), "{all}");
}

fn shown(trouble: Option<&str>, lint: &Lint) -> String {
    let finding = finding(trouble, Some(lint));
    let mut lines = vec![format!("{:?}: {}", finding.answer, finding.summary)];
    lines.extend(
        finding
            .evidence
            .iter()
            .map(|one| format!("{} = {}", one.what, one.seen)),
    );
    lines.extend(finding.notes);
    lines.join("\n")
}

#[test]
fn the_finding_says_the_worst_and_how_many_more() {
    let beside = Beside {
        strangers: vec!["acme/webhook.d/base.yaml".into(), "acme/webhook.d/README.md".into()],
        databases: vec!["acme/state/q.sqlite".into()],
        no_previous: Some("acme.prev".into()),
    };
    let odd = lint(
        webhook(&[("10-a.yaml", "tenant_budget: 1\n"), ("20-b.yaml", "tenant_budget: 2\n")]),
        &beside,
    );
    expect![[r#"
        Degraded: acme/webhook.d/20-b.yaml:1: tenant_budget: sets anew what acme/webhook.d/10-a.yaml:1 sets; the later file wins. Keep one, or list the key under `overrides:` there (and 2 more)
        conflict = acme/webhook.d/20-b.yaml:1: tenant_budget: sets anew what acme/webhook.d/10-a.yaml:1 sets; the later file wins. Keep one, or list the key under `overrides:` there
        database in a synced directory = acme/state/q.sqlite: lies where fragments are synced between nodes, which tears a live database; move it out
        name = acme/webhook.d/base.yaml: is not merged: fragments are called NN-name.yaml, with at least two digits and a dash
        fragments_hash = ab00545dd2a3
        not a fragment: acme/webhook.d/README.md: is not read
        no .prev: acme.prev: is not there: `readyd config promote` keeps the directory that it replaces"#]]
    .assert_eq(&shown(None, &odd));
    let first = shown(Some("acme is gone; …"), &odd);
    assert!(first.starts_with("Degraded: acme is gone; … (and 3 more)\n"), "{first}");
}

#[test]
fn notes_alone_leave_it_ok() {
    let beside = Beside {
        strangers: vec!["acme/webhook.d/10-a.yaml~".into()],
        no_previous: Some("acme.prev".into()),
        ..Beside::default()
    };
    let calm = lint(webhook(&[("10-a.yaml", "tenant_budget: 1\n")]), &beside);
    assert!(
        shown(None, &calm).starts_with("Ok: 1 fragment merges\n"),
        "{}",
        shown(None, &calm)
    );
    assert_eq!(
        finding(None, None),
        Finding::ok("fragments merge"),
        "a tenant without a directory"
    );
}

#[test]
fn a_broken_file_is_its_tenants_trouble_and_counted_once() {
    let broken = fragments::merge(Place::file("acme"), webhook(&[("10-a.yaml", "tenant_budget: [\n")]));
    let lint = Lint::of(&broken.files, &broken.problems, &Beside::default());
    let trouble = broken.problems.summary().unwrap();
    assert_eq!(finding(Some(&trouble), Some(&lint)).summary, trouble);
}

#[test]
fn thousands_of_oddities_fit_in_a_finding_and_are_counted() {
    let endpoints = |budget: u32| {
        let all = (0..400).map(|index| format!("  e{index}: {{budget: {budget}}}\n"));
        format!("endpoints:\n{}", all.collect::<String>())
    };
    let lint = lint(
        webhook(&[("10-a.yaml", &endpoints(1)), ("20-b.yaml", &endpoints(2))]),
        &Beside::default(),
    );
    let finding = finding(None, Some(&lint));
    assert!(finding.summary.ends_with("(and 399 more)"), "{}", finding.summary);
    assert_eq!(finding.evidence.len(), Finding::EVIDENCE_MAX);
    assert_eq!(finding.evidence.last().unwrap().what, "fragments_hash");
}

#[test]
fn the_hash_is_that_of_what_sha256sum_prints() {
    let of = |files: Vec<Fragment>| lint(files, &Beside::default()).hash;
    let files = || {
        vec![
            fragment(Section::Webhook, "10-a.yaml", "tenant_budget: 1\n"),
            fragment(Section::Gateway, "10-a.yaml", "port: 1\n"),
        ]
    };
    // printf '…' > …; sha256sum gateway.d/* webhook.d/* | sha256sum | cut -c1-12
    assert_eq!(of(files()).as_deref(), Some("37d822a2e710"));
    let mut reversed = files();
    reversed.reverse();
    assert_eq!(of(reversed), of(files()), "in whatever order they were found");
    let other = |change: fn(&mut Fragment)| {
        let mut files = files();
        change(&mut files[0]);
        of(files)
    };
    for changed in [
        other(|file| file.name = "11-a.yaml".into()),
        other(|file| file.content = Ok(b"tenant_budget: 1".to_vec())),
        other(|file| file.section = Section::Doctor),
    ] {
        assert_ne!(changed, of(files()));
    }
    assert!(
        other(|file| file.content = Ok(b"[".to_vec())).is_some(),
        "what is broken lies there all the same"
    );
    assert_eq!(other(|file| file.content = Err("cannot be read".into())), None);
    assert_eq!(of(Vec::new()), None);
}
