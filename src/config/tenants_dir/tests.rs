use expect_test::{Expect, expect};

use super::*;
use crate::config::fragments::Section;

/// A directory's life: what is found at which second, and what becomes of it.
struct Life {
    dir: TenantsDir,
    lines: Vec<String>,
}

fn found(tenants: &[(&str, &str)]) -> Scan {
    let tenants = tenants.iter().map(|(name, text)| {
        let fragment = Fragment {
            section: Section::Gateway,
            name: "10-a.yaml".to_owned(),
            file: format!("/t/{name}/gateway.d/10-a.yaml"),
            content: Ok(text.as_bytes().to_vec()),
        };
        let dir = format!("/t/{name}");
        let fragments = vec![fragment];
        let certain = true;
        (
            TenantName::parse(name).unwrap(),
            Found {
                dir,
                certain,
                fragments,
                beside: Beside::default(),
            },
        )
    });
    Scan::Found {
        tenants: tenants.collect(),
        warnings: Vec::new(),
    }
}

impl Life {
    fn new() -> Life {
        Life {
            dir: TenantsDir::default(),
            lines: Vec::new(),
        }
    }

    fn at(self, second: u64, scan: Scan) -> Life {
        self.step(second, scan, false)
    }

    fn reload(self, second: u64, scan: Scan) -> Life {
        self.step(second, scan, true)
    }

    fn step(mut self, second: u64, scan: Scan, explicit: bool) -> Life {
        let now = Instant::from_millis(second * 1000);
        let change = self.dir.apply(now, scan, explicit, &|_| Problems::default());
        let steps: Vec<_> = change.iter().map(|(name, step)| format!("{name} {step:?}")).collect();
        let held: Vec<_> = self
            .dir
            .tenants()
            .iter()
            .map(|(name, held)| {
                let port = held.tree.get("port").and_then(Node::text).unwrap_or("-");
                let trouble = held.trouble.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
                format!("{name}:{port}{trouble}")
            })
            .collect();
        self.lines
            .push(format!("{second}s [{}] {}", steps.join(", "), held.join(", ")));
        self
    }

    fn shows(self, expected: Expect) {
        expected.assert_eq(&self.lines.join("\n"));
    }
}

#[test]
fn tenants_appear_change_and_are_left_alone_when_nothing_changed() {
    Life::new()
        .at(0, found(&[("acme", "port: 1")]))
        .at(1, found(&[("acme", "port: 1")]))
        .at(2, found(&[("acme", "port: 2"), ("beta", "port: 3")]))
        .shows(expect![[r#"
            0s [acme Appeared] acme:1
            1s [] acme:1
            2s [acme Changed, beta Appeared] acme:2, beta:3"#]]);
}

#[test]
fn a_broken_fragment_keeps_the_last_good_merge_until_it_is_repaired() {
    Life::new()
        .at(0, found(&[("acme", "port: 1")]))
        .at(1, found(&[("acme", "port: [")]))
        .at(2, found(&[("acme", "port: [")]))
        .reload(3, found(&[("acme", "port: x")]))
        .at(4, found(&[("acme", "port: 2")]))
        .shows(expect![[r#"
            0s [acme Appeared] acme:1
            1s [acme Broken] acme:1 (/t/acme/gateway.d/10-a.yaml:2: not YAML: while parsing a node, did not find expected node content)
            2s [] acme:1 (/t/acme/gateway.d/10-a.yaml:2: not YAML: while parsing a node, did not find expected node content)
            3s [acme Broken] acme:1 (/t/acme/gateway.d/10-a.yaml:1: port: expected a whole number from 1 to 65535, found something else)
            4s [acme Changed] acme:2"#]]);
}

#[test]
fn a_tenant_that_is_broken_from_the_start_is_watched_in_trouble() {
    Life::new()
        .at(0, found(&[("acme", "port: x")]))
        .at(1, found(&[("acme", "port: 1")]))
        .shows(expect![[r#"
            0s [acme Appeared] acme:- (/t/acme/gateway.d/10-a.yaml:1: port: expected a whole number from 1 to 65535, found something else)
            1s [acme Changed] acme:1"#]]);
}

#[test]
fn a_vanished_tenant_is_kept_for_a_minute_and_then_goes() {
    Life::new()
        .at(0, found(&[("acme", "port: 1"), ("beta", "port: 2")]))
        .at(10, found(&[("acme", "port: 1")]))
        .at(69, found(&[("acme", "port: 1")]))
        .at(70, found(&[("acme", "port: 1")]))
        .shows(expect![[r#"
            0s [acme Appeared, beta Appeared] acme:1, beta:2
            10s [beta Vanished] acme:1, beta:2 (/t/beta is gone; its last good fragments stay in force for 60 s)
            69s [] acme:1, beta:2 (/t/beta is gone; its last good fragments stay in force for 60 s)
            70s [beta Removed] acme:1"#]]);
}

#[test]
fn one_that_comes_back_within_the_minute_was_never_away() {
    Life::new()
        .at(0, found(&[("acme", "port: 1"), ("beta", "port: 2")]))
        .at(10, found(&[("acme", "port: 1")]))
        .at(60, found(&[("acme", "port: 1"), ("beta", "port: 3")]))
        .at(100, found(&[("acme", "port: 1")]))
        .at(150, found(&[("acme", "port: 1")]))
        .shows(expect![[r#"
            0s [acme Appeared, beta Appeared] acme:1, beta:2
            10s [beta Vanished] acme:1, beta:2 (/t/beta is gone; its last good fragments stay in force for 60 s)
            60s [beta Changed] acme:1, beta:3
            100s [beta Vanished] acme:1, beta:3 (/t/beta is gone; its last good fragments stay in force for 60 s)
            150s [] acme:1, beta:3 (/t/beta is gone; its last good fragments stay in force for 60 s)"#]]);
}

#[test]
fn an_unreadable_missing_or_emptied_directory_removes_nobody_however_long() {
    Life::new()
        .at(0, found(&[("acme", "port: 1"), ("beta", "port: 2")]))
        .at(10, Scan::Unreadable("/t: Permission denied".into()))
        .at(500, Scan::Unreadable("/t: Permission denied".into()))
        .at(501, Scan::Missing("/t: not there".into()))
        .at(900, found(&[]))
        .at(2000, found(&[]))
        .at(2001, found(&[("acme", "port: 1"), ("beta", "port: 2")]))
        .shows(expect![[r#"
            0s [acme Appeared, beta Appeared] acme:1, beta:2
            10s [acme Kept, beta Kept] acme:1 (/t: Permission denied; the last good fragments stay in force), beta:2 (/t: Permission denied; the last good fragments stay in force)
            500s [] acme:1 (/t: Permission denied; the last good fragments stay in force), beta:2 (/t: Permission denied; the last good fragments stay in force)
            501s [acme Kept, beta Kept] acme:1 (/t: not there; the last good fragments stay in force until a reload), beta:2 (/t: not there; the last good fragments stay in force until a reload)
            900s [acme Kept, beta Kept] acme:1 (tenants_dir has become empty; the last good fragments stay in force until a reload), beta:2 (tenants_dir has become empty; the last good fragments stay in force until a reload)
            2000s [] acme:1 (tenants_dir has become empty; the last good fragments stay in force until a reload), beta:2 (tenants_dir has become empty; the last good fragments stay in force until a reload)
            2001s [acme Changed, beta Changed] acme:1, beta:2"#]]);
}

#[test]
fn a_minute_that_ran_before_the_directory_was_unreadable_begins_anew() {
    Life::new()
        .at(0, found(&[("acme", "port: 1"), ("beta", "port: 2")]))
        .at(1, found(&[("acme", "port: 1")]))
        .at(30, Scan::Unreadable("/t: EIO".into()))
        .at(90, found(&[("acme", "port: 1")]))
        .shows(expect![[r#"
            0s [acme Appeared, beta Appeared] acme:1, beta:2
            1s [beta Vanished] acme:1, beta:2 (/t/beta is gone; its last good fragments stay in force for 60 s)
            30s [acme Kept, beta Kept] acme:1 (/t: EIO; the last good fragments stay in force), beta:2 (/t: EIO; the last good fragments stay in force)
            90s [acme Changed, beta Vanished] acme:1, beta:2 (/t/beta is gone; its last good fragments stay in force for 60 s)"#]]);
}

#[test]
fn a_reload_applies_at_once_but_not_what_cannot_be_read() {
    Life::new()
        .at(0, found(&[("acme", "port: 1"), ("beta", "port: 2")]))
        .reload(1, Scan::Unreadable("/t: EACCES".into()))
        .reload(2, found(&[("acme", "port: 1")]))
        .reload(3, found(&[]))
        .shows(expect![[r#"
            0s [acme Appeared, beta Appeared] acme:1, beta:2
            1s [acme Kept, beta Kept] acme:1 (/t: EACCES; the last good fragments stay in force), beta:2 (/t: EACCES; the last good fragments stay in force)
            2s [acme Changed, beta Removed] acme:1
            3s [acme Removed] "#]]);
}

#[test]
fn who_is_watched_stays_when_there_are_too_many() {
    let names: Vec<String> = (0..Config::TENANTS_MAX).map(|index| format!("t{index:03}")).collect();
    let mut all: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "port: 1")).collect();
    let mut dir = TenantsDir::default();
    let judge: Judge<'_> = &|_| Problems::default();
    dir.apply(Instant::default(), found(&all), true, judge);
    all.push(("a-new-one", "port: 1"));
    dir.apply(Instant::default(), found(&all), false, judge);
    assert_eq!(dir.tenants().len(), Config::TENANTS_MAX);
    assert!(!dir.tenants().contains_key(&TenantName::parse("a-new-one").unwrap()));
    assert_eq!(
        dir.warnings(),
        ["/t/a-new-one: not watched, since 256 tenants are already"]
    );
}

#[test]
fn what_could_not_be_looked_into_is_no_new_tenant_and_no_lost_one() {
    let hidden = |certain| {
        let Scan::Found { mut tenants, warnings } = found(&[("acme", "port: [")]) else {
            unreachable!();
        };
        tenants.values_mut().for_each(|found| found.certain = certain);
        Scan::Found { tenants, warnings }
    };
    Life::new().at(0, hidden(false)).shows(expect!["0s [] "]);
    Life::new()
        .at(0, found(&[("acme", "port: 1")]))
        .at(1, hidden(false))
        .at(100, hidden(false))
        .shows(expect![[r#"
            0s [acme Appeared] acme:1
            1s [acme Broken] acme:1 (/t/acme/gateway.d/10-a.yaml:2: not YAML: while parsing a node, did not find expected node content)
            100s [] acme:1 (/t/acme/gateway.d/10-a.yaml:2: not YAML: while parsing a node, did not find expected node content)"#]]);
}
