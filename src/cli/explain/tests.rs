//! One check in depth, as it is drawn.

use expect_test::{Expect, expect};
use serde_json::json;

use super::*;

fn check(answer: &Value, expected: Expect) {
    expected.assert_eq(&drawn(answer));
}

#[test]
fn a_check_shows_what_it_saw_what_explains_it_and_what_to_do() {
    let mut answer = json!({
        "check": "gateway", "tenant": "acme", "layer": "transport", "level": "down", "counts_as": "down",
        "summary": "refused", "since": "2026-11-20T07:21:07Z", "age_sec": 2,
        "hint": "Run: openclaw gateway status", "cause": "config",
        "evidence": [{"what": "asked", "seen": "http://127.0.0.1:18789/readyz"}],
        "notes": ["TLS was tried as well"],
        "causes": ["config@acme"],
        "explains": ["doctor@acme", "gateway-link@acme"], "explains_total": 2,
        "known_good": "curl -sS -i -m 5 http://127.0.0.1:18789/readyz",
        "every_sec": 10.0, "next_due_in_sec": 2.4, "max_stale_sec": 32.0, "notice_within_sec": 16.0,
        "history": [{"at": "2026-11-20T07:21:07Z", "from": "ok", "to": "down", "summary": "refused"}],
    });
    check(
        &answer,
        expect![[r#"
            down  gateway@acme  (counts as down, transport layer)
              refused
              since 2026-11-20T07:21:07Z, asked 2 s ago
              asked every 10s, next in 3s; believed for 32s; an outage shows within 16s
              explained by config@acme
              explains doctor@acme, gateway-link@acme
              asked: http://127.0.0.1:18789/readyz
              note: TLS was tried as well
              2026-11-20T07:21:07Z  ok → down  refused
              next: Run: openclaw gateway status
              known good for the transport layer: curl -sS -i -m 5 http://127.0.0.1:18789/readyz
        "#]],
    );
    answer["causes"] = json!(["config@acme", "disk"]);
    answer["explains_total"] = json!(40);
    let drawn = drawn(&answer);
    assert!(
        drawn.contains("  explained by config@acme, and that by disk\n"),
        "{drawn}"
    );
    assert!(
        drawn.contains("  explains doctor@acme, gateway-link@acme and 38 more\n"),
        "{drawn}"
    );
}

#[test]
fn an_older_daemon_that_says_less_is_shown_as_far_as_it_goes() {
    let answer = json!({
        "check": "disk", "layer": "host", "level": "ok", "counts_as": "ok", "summary": "61 GiB free",
        "since": "2026-11-20T07:21:07Z", "age_sec": null,
    });
    check(
        &answer,
        expect![[r#"
            ok  disk  (counts as ok, host layer)
              61 GiB free
              since 2026-11-20T07:21:07Z, never answered
        "#]],
    );
}
