//! What is drawn of a tenant's checks, and where it says to look first.

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::*;

/// `level check[@tenant] [<- cause] [(counts as)]`, a line each.
fn checks(lines: &str) -> Vec<Value> {
    lines
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .map(|line| {
            let (line, counts) = match line.split_once('(') {
                Some((line, counts)) => (line.trim(), Some(counts.trim_end_matches(')'))),
                None => (line, None),
            };
            let (line, cause) = match line.split_once(" <- ") {
                Some((line, cause)) => (line.trim(), Some(cause.trim())),
                None => (line, None),
            };
            let (level, name) = line.split_once(' ').unwrap();
            let (probe, tenant) = match name.split_once('@') {
                Some((probe, tenant)) => (probe, Some(tenant)),
                None => (name, None),
            };
            let counts = counts.unwrap_or(match level {
                "ok" | "degraded" | "down" => level,
                _ => "degraded",
            });
            json!({
                "check": probe, "tenant": tenant, "level": level, "counts_as": counts,
                "summary": format!("{probe} says so"),
                "cause": cause.map(|cause| cause.split('@').next().unwrap()),
                "causes": cause.into_iter().collect::<Vec<_>>(),
                "evidence": [
                    {"what": "file", "seen": "/srv/acme/openclaw.json\nand more"},
                    {"what": "line", "seen": "3"},
                    {"what": "expected", "seen": "a number"},
                    {"what": "found", "seen": "not shown here"},
                ],
                "hint": format!("Run: readyd explain {name}"),
                "known_good": format!("known {probe}"),
                "explains_total": 0,
            })
        })
        .collect()
}

fn walk(lines: &str) -> Walk {
    Walk::over("acme", &json!({"phase": "serving"}), checks(lines))
}

fn check(lines: &str, expected: Expect) {
    expected.assert_eq(&walk(lines).drawn());
}

const HEALTHY: &str = "ok disk
    ok write
    ok store
    ok fragments@acme
    ok config@acme
    ok version-lock@acme
    ok gateway@acme
    ok secrets@acme";

#[test]
fn all_ok_says_so_and_what_nobody_asks_is_not_called_ok() {
    check(
        HEALTHY,
        expect![[r#"
            1. drift: ok (fragments@acme, config@acme)
            2. version: ok (version-lock@acme)
            3. probes: ok (gateway@acme, disk, write)
            4. tokens: ok (secrets@acme)
            5. the rest: ok (store)

            look first at: nothing: 8 of 8 checks are ok
        "#]],
    );
    check(
        "ok disk",
        expect![[r#"
            1. drift: not asked
            2. version: not asked
            3. probes: ok (disk)
            4. tokens: not asked
            5. the rest: not asked

            look first at: nothing: 1 of 1 checks are ok
        "#]],
    );
    check(
        "",
        expect![[r#"
            1. drift: not asked
            2. version: not asked
            3. probes: not asked
            4. tokens: not asked
            5. the rest: not asked

            look first at: nothing is asked of this tenant
        "#]],
    );
}

#[test]
fn the_first_step_with_something_wrong_is_the_first_to_look_at() {
    check(
        "down gateway@acme
         degraded version-lock@acme
         unknown doctor@acme
         pending secrets@acme
         ok fragments@acme
         ok disk",
        expect![[r#"
            1. drift: ok (fragments@acme)
            2. version: wrong  <- first
            => degraded  version-lock@acme: version-lock says so
                 file: /srv/acme/openclaw.json
                 line: 3
                 expected: a number
                 next: Run: readyd explain version-lock@acme
                 known good: known version-lock
            3. probes: wrong (ok: disk)
               down  gateway@acme: gateway says so
                 file: /srv/acme/openclaw.json
                 line: 3
                 expected: a number
                 next: Run: readyd explain gateway@acme
                 known good: known gateway
               unknown  doctor@acme: doctor says so
                 file: /srv/acme/openclaw.json
                 line: 3
                 expected: a number
                 next: Run: readyd explain doctor@acme
                 known good: known doctor
            4. tokens: not known
               pending  secrets@acme: secrets says so
                 file: /srv/acme/openclaw.json
                 line: 3
                 expected: a number
                 next: Run: readyd explain secrets@acme
                 known good: known secrets
            5. the rest: not asked

            look first at: version-lock@acme: version-lock says so; next: readyd explain version-lock@acme
        "#]],
    );
}

#[test]
fn a_symptom_is_never_the_place_to_begin_whatever_its_step() {
    check(
        "down gateway@acme
         degraded stale-process@acme <- gateway@acme
         unknown gateway-link@acme <- gateway@acme",
        expect![[r#"
            1. drift: not asked
            2. version: symptoms only
               degraded  stale-process@acme: stale-process says so
                 explained by gateway@acme
            3. probes: wrong  <- first
            => down  gateway@acme: gateway says so
                 file: /srv/acme/openclaw.json
                 line: 3
                 expected: a number
                 next: Run: readyd explain gateway@acme
                 known good: known gateway
               unknown  gateway-link@acme: gateway-link says so
                 explained by gateway@acme
            4. tokens: not asked
            5. the rest: not asked

            look first at: gateway@acme: gateway says so; next: readyd explain gateway@acme
        "#]],
    );
}

#[test]
fn within_a_step_what_counts_most_comes_first_and_of_equals_the_first() {
    let first = |lines| walk(lines).look_first_at();
    assert_eq!(
        first("degraded fragments@acme\n down config@acme"),
        "config@acme: config says so"
    );
    assert_eq!(
        first("degraded config@acme\n degraded fragments@acme"),
        "fragments@acme: fragments says so"
    );
    // A cap makes no `down` of it.
    assert_eq!(
        first("down disk (degraded)\n down gateway@acme"),
        "gateway@acme: gateway says so"
    );
}

#[test]
fn what_is_not_known_is_named_only_where_nothing_is_wrong() {
    let first = |lines| walk(lines).look_first_at();
    assert_eq!(
        first("unknown fragments@acme\n ok gateway@acme"),
        "fragments@acme: fragments says so (nothing is known to be wrong, and this is not known)"
    );
    assert_eq!(
        first("unknown fragments@acme\n degraded cost@acme"),
        "cost@acme: cost says so"
    );
    // Silence for so long that it counts as down.
    assert_eq!(
        first("unknown gateway@acme (down)\n degraded cost@acme"),
        "gateway@acme: gateway says so"
    );
}

#[test]
fn the_exit_code_is_that_of_check() {
    for (lines, code) in [
        (HEALTHY, 0),
        ("", 0),
        ("degraded fragments@acme\n ok disk", 1),
        ("unknown doctor@acme\n degraded cost@acme", 1),
        ("down queue@acme (degraded)", 1),
        // In maintenance.
        ("down gateway@acme (nothing)", 1),
        ("down gateway@acme", 2),
        ("unknown gateway@acme (down)", 2),
        ("unknown doctor@acme", 3),
        ("pending doctor@acme (nothing)", 3),
    ] {
        assert_eq!(walk(lines).exit_code(), code, "{lines}");
    }
}

#[test]
fn a_drain_a_start_and_maintenance_are_said_although_no_check_says_them() {
    let beside = |ready| Walk::over("acme", &ready, checks(HEALTHY)).beside;
    assert_eq!(
        beside(json!({"phase": "draining", "reasons": ["drained by uid 501 (ann): kernel"]})),
        ["acme is draining, and answers 503 whatever its checks say: drained by uid 501 (ann): kernel"]
    );
    assert_eq!(
        beside(json!({"phase": "serving", "maintenance": {"acme": {"until": "2026-11-20T09:00:00Z"}}})),
        ["acme is in maintenance until 2026-11-20T09:00:00Z: its findings count nothing"]
    );
    assert_eq!(beside(json!({"phase": "serving"})), [""; 0]);
}

#[test]
fn what_is_wrong_with_asking_is_said_although_it_is_no_fault_of_the_tenant() {
    let reasons = [
        "probe_fault: doctor (spawn failed: openclaw: not found)",
        "acme gateway: refused",
    ];
    let ready = json!({"phase": "serving", "reasons": reasons});
    assert_eq!(
        Walk::over("acme", &ready, checks("unknown doctor@acme"))
            .drawn()
            .lines()
            .rev()
            .nth(1),
        Some(
            "probe_fault: doctor (spawn failed: openclaw: not found): the same of every tenant, so mend the asking before the tenant"
        )
    );
}

#[test]
fn machines_read_the_same() {
    let read = walk("down gateway@acme\n ok disk").json();
    assert_eq!(read["first"], "gateway@acme");
    assert_eq!(read["exit_code"], 2);
    let states: Vec<_> = items(&read["steps"]).map(|step| text(&step["state"])).collect();
    assert_eq!(states, ["not asked", "not asked", "wrong", "not asked", "not asked"]);
    assert_eq!(read["steps"][2]["first"], true);
    assert_eq!(read["steps"][2]["checks"][0]["known_good"], "known gateway");
}

#[test]
fn the_checks_of_other_tenants_do_not_concern_it() {
    let of = |tenant: Value| concerns(&json!({ "tenant": tenant }), "acme");
    assert!(of(Value::Null));
    assert!(of("acme".into()));
    assert!(!of("beta".into()));
}
