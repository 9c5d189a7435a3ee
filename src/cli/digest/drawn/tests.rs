//! What people see of a storm, at 80 columns and at 60.

use expect_test::{Expect, expect};
use serde_json::json;

use super::*;
use crate::cli::moment::moments;
use crate::cli::sheet::columns;

/// As a daemon answered.
fn storm() -> Value {
    let row = |tenant: &str, endpoint: &str, family: &str, count: u32, share: f64, statuses: Value| {
        json!({"tenant": tenant, "endpoint": endpoint, "family": family, "count": count, "share": share, "statuses": statuses,
            "gateways": ["gw-1"], "max_attempt": 4, "first_seen": "2026-11-20T07:38:07Z", "last_seen": "2026-11-20T07:43:08Z"})
    };
    json!({
        "age_sec": 1, "generated_at": "2026-11-20T07:43:10Z", "node": "mac-3",
        "window": {"kind": "sliding", "start": "2026-11-20T07:38:10Z", "end": "2026-11-20T07:43:10Z", "seconds": 300},
        "totals": {"failures": 515, "delivered": 12000, "rows": 5, "by_family": {"5xx": 500, "timeout": 12, "tls": 3}},
        "top": [
            row("acme", "crm", "5xx", 500, 0.97, json!({"502": 2, "503": 498})),
            row("acme", "crm", "timeout", 12, 0.02, json!({"timeout": 12})),
            row("beta", "https://hooks.partner.example/orders/日本語/a-long-path", "tls", 3, 0.01, json!({"tls": 3})),
        ],
        "dropped": {"late": 2, "rejected": 0, "folded": 0},
    })
}

fn check(digest: &Value, width: usize, expected: Expect) {
    let text = drawn(digest, Some(width), &moments(true)).text(false);
    assert!(text.lines().all(|line| columns(line) <= width), "{text}");
    expected.assert_eq(&text);
}

#[test]
fn the_largest_row_comes_first_and_the_endpoint_gives_way() {
    check(
        &storm(),
        80,
        expect![[r#"
        515 failed, 12000 delivered  mac-3  07:38 to 07:43, 1 s old
        5xx ×500  timeout ×12  tls ×3

        COUNT  SHARE  FAMILY   TENANT  ENDPOINT                   STATUSES       LAST
          500   97 %  5xx      acme    crm                        503×498 502×2  2 s ago
           12    2 %  timeout  acme    crm                        timeout×12     2 s ago
            3    1 %  tls      beta    https://hooks.partner.ex…  tls×3          2 s ago
        and 2 more rows (--limit)
        without a row of their own: 2 late
    "#]],
    );
}

#[test]
fn a_narrow_terminal_loses_what_is_beside_the_point() {
    check(
        &storm(),
        60,
        expect![[r#"
        515 failed, 12000 delivered  mac-3  07:38 to 07:43, 1 s old
        5xx ×500  timeout ×12  tls ×3

        COUNT  SHARE  FAMILY   TENANT  ENDPOINT
          500   97 %  5xx      acme    crm
           12    2 %  timeout  acme    crm
            3    1 %  tls      beta    https://hooks.partner.exampl…
        and 2 more rows (--limit)
        without a row of their own: 2 late
    "#]],
    );
}

#[test]
fn nothing_failed_is_one_line() {
    let quiet = json!({"node": "mac-3", "age_sec": 0, "window": {"kind": "sliding", "start": "2026-11-20T07:38:10Z",
        "end": "2026-11-20T07:43:10Z"}, "totals": {"failures": 0, "delivered": 7, "rows": 0}, "top": []});
    check(
        &quiet,
        80,
        expect![[r#"
        0 failed, 7 delivered  mac-3  07:38 to 07:43, 0 s old
    "#]],
    );
}

#[test]
fn a_picture_for_a_pipe_is_the_same_until_something_fails() {
    let picture = |seconds: i64| {
        let mut digest = storm();
        digest["age_sec"] = json!(seconds);
        digest["window"]["end"] = json!("2026-11-20T07:43:20Z");
        let moments = Moments {
            now: moments(false).now.plus_millis(seconds * 1000),
            ..moments(false)
        };
        drawn(&digest, None, &moments).text(false)
    };
    assert_eq!(picture(0), picture(300));
}
