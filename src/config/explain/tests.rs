#![expect(clippy::disallowed_methods, reason = "shell: the tests write files")]

use expect_test::{Expect, expect};

use super::*;
use crate::config::environment::Environment;
use crate::config::load::{Loaded, Options, load};
use crate::words::Instant;

struct Node {
    dir: tempfile::TempDir,
    loaded: Loaded,
}

fn node() -> Node {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write(
        "readyd.yaml",
        "tenants_dir: tenants\ndigest:\n  tenant_budget: 80\ntenants:\n  acme:\n    port: 18790\nprobes:\n  mine:\n    timeout: 5s\n",
    );
    write(
        "probes.d/mine.yaml",
        "name: mine\nkind: exec\ncommand: [x]\nevery: 5m\n",
    );
    write(
        "tenants/acme/webhook.d/10-base.yaml",
        "endpoints:\n  crm: {budget: 50}\n  'https://x/y?z=1': {budget: 4}\n",
    );
    write(
        "tenants/acme/webhook.d/20-team.yaml",
        "endpoints:\n  crm:\n    budget: 20\n",
    );
    write(
        "tenants/acme/gateway.d/10-base.yaml",
        "profile: acme\nport: 1\nlisteners: ['127.0.0.1:18790']\n",
    );
    write(
        "tenants/acme/doctor.d/10-base.yaml",
        "probes:\n  mine:\n    fall: 3\n    timeout: 9s\n",
    );
    let options = Options {
        config: Some(dir.path().join("readyd.yaml")),
        environment: Environment::default(),
    };
    let loaded = load(&options, Instant::default()).unwrap_or_else(|problems| panic!("{problems}"));
    Node { dir, loaded }
}

fn check(tenant: &str, key: &str, expected: Expect) {
    let node = node();
    let tenant = TenantName::parse(tenant).unwrap();
    let shown = match node.loaded.sources.explain(&node.loaded.config, &tenant, key) {
        Ok(origins) => origins
            .iter()
            .map(|origin| format!("{} = {} ({})", origin.key, origin.value, origin.set_by))
            .collect::<Vec<_>>()
            .join("\n"),
        Err(why) => why,
    };
    expected.assert_eq(&shown.replace(&format!("{}/", node.dir.path().display()), ""));
}

#[test]
fn a_value_names_the_fragment_and_line_that_set_it() {
    check(
        "acme",
        "endpoints.crm.budget",
        expect!["endpoints.crm.budget = 20 (tenants/acme/webhook.d/20-team.yaml:3)"],
    );
    check(
        "acme",
        "profile",
        expect!["profile = acme (tenants/acme/gateway.d/10-base.yaml:1)"],
    );
    check(
        "acme",
        "endpoints.https://x/y.budget",
        expect!["endpoints.https://x/y.budget = 4 (tenants/acme/webhook.d/10-base.yaml:3)"],
    );
}

#[test]
fn where_the_file_wins_the_file_is_named() {
    check("acme", "port", expect!["port = 18790 (readyd.yaml:6)"]);
    check(
        "acme",
        "probes.mine.timeout",
        expect!["probes.mine.timeout = 5s (readyd.yaml:9)"],
    );
}

#[test]
fn what_nobody_set_is_a_default_or_inherited() {
    check("acme", "webhook_source", expect!["webhook_source = auto (default)"]);
    check("acme", "tenant_budget", expect!["tenant_budget = 80 (readyd.yaml:3)"]);
    check("acme", "probes.mine.rise", expect!["probes.mine.rise = 2 (default)"]);
}

#[test]
fn patience_is_followed_through_its_layers() {
    check(
        "acme",
        "probes.mine.fall",
        expect!["probes.mine.fall = 3 (tenants/acme/doctor.d/10-base.yaml:3)"],
    );
    check(
        "acme",
        "probes.mine.every",
        expect!["probes.mine.every = 5m (probes.d/mine.yaml:4)"],
    );
    check(
        "acme",
        "probes.mine.command",
        expect!["probes.mine.command = [x] (probes.d/mine.yaml:3)"],
    );
}

#[test]
fn what_is_only_kept_is_explained_as_well() {
    check(
        "acme",
        "listeners",
        expect![[r#"listeners = ["127.0.0.1:18790"] (tenants/acme/gateway.d/10-base.yaml:3)"#]],
    );
}

#[test]
fn what_is_not_there_says_what_to_ask_for() {
    check(
        "acne",
        "port",
        expect!["no tenant is called `acne`; did you mean `acme`?"],
    );
    check(
        "acme",
        "prot",
        expect!["nothing is set at `prot` of tenant acme; did you mean `port`?"],
    );
}
