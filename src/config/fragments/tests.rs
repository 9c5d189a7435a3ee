use expect_test::{Expect, expect};

use super::*;

pub(in crate::config) fn fragment(section: Section, name: &str, text: &str) -> Fragment {
    Fragment {
        section,
        name: name.to_owned(),
        file: format!("acme/{}/{name}", section.dir()),
        content: Ok(text.as_bytes().to_vec()),
    }
}

fn merged(fragments: Vec<Fragment>) -> Merged {
    merge(Place::file("acme"), fragments)
}

fn places(node: &Node, path: &str, lines: &mut Vec<String>) {
    match &node.value {
        Value::Map(entries) => {
            for entry in entries {
                places(&entry.node, &shape::join(path, &entry.key), lines);
            }
        }
        Value::Scalar(scalar) => lines.push(format!("{path} = {} ({})", scalar.text, node.at)),
        Value::List(items) => lines.push(format!("{path} = {} items ({})", items.len(), node.at)),
        Value::Null => lines.push(format!("{path} = nothing ({})", node.at)),
    }
}

fn check(fragments: Vec<Fragment>, expected: Expect) {
    let merged = merged(fragments);
    let mut lines = Vec::new();
    places(&merged.tree, "", &mut lines);
    lines.extend(merged.problems.iter().map(|problem| format!("error: {problem}")));
    expected.assert_eq(&lines.join("\n"));
}

#[test]
fn maps_merge_deep_the_last_value_wins_and_lists_replace() {
    let base = "endpoints:\n  crm: {budget: 50, retry_budget: 5}\n  erp: {budget: 9}\ntenant_budget: 80\n";
    let team = "endpoints:\n  crm: {budget: 20}\n";
    check(
        vec![
            fragment(Section::Webhook, "20-team.yaml", team),
            fragment(Section::Webhook, "10-base.yaml", base),
            fragment(
                Section::Gateway,
                "10-base.yaml",
                "listeners: ['127.0.0.1:1', '127.0.0.1:2']\nupstreams: {a: {weight: 1}}\n",
            ),
            fragment(
                Section::Gateway,
                "20-more.yml",
                "listeners: ['127.0.0.1:3']\nupstreams: {b: {weight: 2}}\n",
            ),
        ],
        expect![[r#"
            listeners = 1 items (acme/gateway.d/20-more.yml:1)
            upstreams.a.weight = 1 (acme/gateway.d/10-base.yaml:2)
            upstreams.b.weight = 2 (acme/gateway.d/20-more.yml:2)
            endpoints.crm.budget = 20 (acme/webhook.d/20-team.yaml:2)
            endpoints.crm.retry_budget = 5 (acme/webhook.d/10-base.yaml:2)
            endpoints.erp.budget = 9 (acme/webhook.d/10-base.yaml:3)
            tenant_budget = 80 (acme/webhook.d/10-base.yaml:4)"#]],
    );
}

#[test]
fn a_key_with_nothing_after_it_leaves_a_map_and_unsets_the_rest() {
    check(
        vec![
            fragment(
                Section::Webhook,
                "10-a.yaml",
                "endpoints: {crm: {budget: 50}}\ntenant_budget: 80\n",
            ),
            fragment(
                Section::Webhook,
                "20-b.yaml",
                "endpoints:\n  # all commented out\ntenant_budget:\n",
            ),
        ],
        expect![[r#"
            endpoints.crm.budget = 50 (acme/webhook.d/10-a.yaml:1)
            tenant_budget = nothing (acme/webhook.d/20-b.yaml:3)"#]],
    );
}

#[test]
fn order_is_that_of_the_names_bytes() {
    let port = |name, port: u32| fragment(Section::Gateway, name, &format!("port: {port}\n"));
    check(
        vec![
            port("20-b.yaml", 2),
            port("9a.yaml", 4),
            port("100-c.yaml", 3),
            port("20-a.yaml", 1),
        ],
        expect!["port = 4 (acme/gateway.d/9a.yaml:1)"],
    );
}

#[test]
fn what_chooses_who_runs_what_is_not_a_fragments_to_set() {
    let doctor = "probes:\n  doctor: {command: [rm, -rf, /], user: root, every: 5m, worst: ok, required: false}\n  disk: {paths: [/], enabled: false, on_silence: ok, kind: exec, env: {A: b}, hint: x}\nenabled: false\n";
    check(
        vec![
            fragment(Section::Doctor, "10-a.yaml", doctor),
            fragment(Section::Gateway, "10-a.yaml", "user: root\nprot: 1\n"),
        ],
        expect![[r#"
            error: acme/gateway.d/10-a.yaml:1: user: a fragment may not set `user`: that is the node's to decide, in its config file
            error: acme/gateway.d/10-a.yaml:2: prot: unknown key; did you mean `port`?
            error: acme/doctor.d/10-a.yaml:2: probes.doctor.command: a fragment may not set `command`: that is the node's to decide, in its config file
            error: acme/doctor.d/10-a.yaml:2: probes.doctor.user: a fragment may not set `user`: that is the node's to decide, in its config file
            error: acme/doctor.d/10-a.yaml:2: probes.doctor.worst: a fragment may not set `worst`: that is the node's to decide, in its config file
            error: acme/doctor.d/10-a.yaml:2: probes.doctor.required: a fragment may not set `required`: that is the node's to decide, in its config file
            error: acme/doctor.d/10-a.yaml:3: probes.disk.paths: a fragment may not set `paths`: that is the node's to decide, in its config file
            error: acme/doctor.d/10-a.yaml:3: probes.disk.enabled: a fragment may not set `enabled`: that is the node's to decide, in its config file
            error: acme/doctor.d/10-a.yaml:3: probes.disk.on_silence: a fragment may not set `on_silence`: that is the node's to decide, in its config file
            error: acme/doctor.d/10-a.yaml:3: probes.disk.kind: a fragment may not set `kind`: that is the node's to decide, in its config file
            error: acme/doctor.d/10-a.yaml:3: probes.disk.env: a fragment may not set `env`: that is the node's to decide, in its config file
            error: acme/doctor.d/10-a.yaml:3: probes.disk.hint: a fragment may not set `hint`: that is the node's to decide, in its config file
            error: acme/doctor.d/10-a.yaml:4: enabled: a fragment may not set `enabled`: that is the node's to decide, in its config file"#]],
    );
}

#[test]
fn a_key_of_another_directory_is_unknown_here() {
    check(
        vec![fragment(Section::Webhook, "10-a.yaml", "port: 1\n")],
        expect![
            "error: acme/webhook.d/10-a.yaml:1: port: unknown key; known here: endpoints tenant_budget retry_budget"
        ],
    );
}

#[test]
fn a_secret_is_named_by_file_and_key_and_never_shown() {
    let text = "invariants:\n  gateway_token: hunter2-and-more\n  note: 'Bearer abcdef0123456789'\n  ghp_0123456789abcdefghij: x\nprobes: {doctor: {every: sk-0123456789abcdef01234567}}\n";
    let merged = merged(vec![fragment(Section::Doctor, "10-a.yaml", text)]);
    expect![[r#"
        acme/doctor.d/10-a.yaml:2: invariants.gateway_token: looks like a secret (its key names a secret); keep secrets in a token or env file, not in a fragment
        acme/doctor.d/10-a.yaml:3: invariants.note: looks like a secret (it is an Authorization header); keep secrets in a token or env file, not in a fragment
        acme/doctor.d/10-a.yaml:4: invariants: a key here looks like a secret itself
        acme/doctor.d/10-a.yaml:5: probes.doctor.every: looks like a secret (it has the form of a well-known token); keep secrets in a token or env file, not in a fragment"#]]
    .assert_eq(&merged.problems.to_string());
    assert!(merged.tree.entries().is_empty());
}

#[test]
fn a_mistyped_value_is_not_shown_either() {
    check(
        vec![fragment(Section::Gateway, "10-a.yaml", "port: correct-horse\n")],
        expect![
            "error: acme/gateway.d/10-a.yaml:1: port: expected a whole number from 1 to 65535, found something else"
        ],
    );
}

#[test]
fn the_good_files_stand_beside_a_broken_one() {
    let unreadable = Fragment {
        content: Err("cannot be read: Permission denied".to_owned()),
        ..fragment(Section::Doctor, "10-a.yaml", "")
    };
    check(
        vec![
            fragment(Section::Gateway, "10-a.yaml", "port: 18790\n"),
            fragment(Section::Gateway, "20-b.yaml", "profile: [\n"),
            unreadable,
        ],
        expect![[r#"
            port = 18790 (acme/gateway.d/10-a.yaml:1)
            error: acme/gateway.d/20-b.yaml:2: not YAML: while parsing a node, did not find expected node content
            error: acme/doctor.d/10-a.yaml: cannot be read: Permission denied"#]],
    );
}

#[test]
fn profile_and_state_directory_exclude_each_other() {
    check(
        vec![
            fragment(Section::Gateway, "10-a.yaml", "profile: acme\n"),
            fragment(Section::Gateway, "20-b.yaml", "state_dir: /var/lib/acme\n"),
        ],
        expect![[r#"
            profile = acme (acme/gateway.d/10-a.yaml:1)
            state_dir = /var/lib/acme (acme/gateway.d/20-b.yaml:1)
            error: acme/gateway.d/20-b.yaml:1: state_dir: give either `profile` or `state_dir`: OpenClaw would follow the state directory in silence"#]],
    );
}

#[test]
fn fragments_are_numbered_yaml_files() {
    for good in ["10-base.yaml", "20-team.yml", "00-a.yaml", "100-x.yaml"] {
        assert!(is_fragment_name(good), "{good}");
    }
    for bad in [
        "base.yaml",
        "1-base.yaml",
        "10base.yaml",
        "10-.yaml",
        "10-base.json",
        "10-base.yaml~",
        ".10-base.yaml",
        "README.md",
        "10-base",
    ] {
        assert!(!is_fragment_name(bad), "{bad}");
    }
}

#[test]
fn every_key_of_a_section_is_taken_in() {
    for section in Section::ALL {
        for key in section.keys() {
            let text = format!("{}: {}\n", key.name, key.example);
            let merged = merged(vec![fragment(section, "10-a.yaml", &text)]);
            assert!(merged.problems.is_empty(), "{}", merged.problems);
            assert!(merged.tree.get(key.name).is_some());
        }
    }
}
